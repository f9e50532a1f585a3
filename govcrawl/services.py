"""What all sites of one worker process share: database, pace, link checker, browser, edition."""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from govcrawl.browser import Browser, Rendered
from govcrawl.egress import Forbidden, Guard, stated
from govcrawl.inputs import read_inputs
from govcrawl.items import GovcrawlError, Site
from govcrawl.links import LinkChecker, Seen
from govcrawl.options import Options
from govcrawl.pace import NotNow, Pace
from govcrawl.proxy import EgressProxy
from govcrawl.quarter import Quarter
from govcrawl.ration import Ration
from govcrawl.replay import RecordedLinks, Recording
from govcrawl.requestlog import RequestLog
from govcrawl.sites import load_sites
from govcrawl.sites.hosts import Hosts, load_hosts
from govcrawl.standard import Edition, load_edition
from govcrawl.store.client import Async, connect, connect_async
from govcrawl.store.ledger import Ledger, open_run, plan
from govcrawl.store.links import LinkBook
from govcrawl.store.patience import patient
from govcrawl.store.rations import take
from govcrawl.store.schema import ensure_schema
from govcrawl.store.server import resolve
from govcrawl.store.writer import Writer
from govcrawl.timetable import Timetable

SETTING = "GOVCRAWL_SERVICES"
Clock = Callable[[], datetime]


def roster_sha(sites: Iterable[Site]) -> str:
    """Return the SHA-256 of a roster's rows: another roster is another run."""
    return hashlib.sha256("\n".join(repr(site) for site in sites).encode()).hexdigest()


# What every crawl of a run does alike, whatever its node is told otherwise.
OF_RUN = frozenset(
    [
        "page_budget",
        "link_budget",
        "delay",
        "per_host",
        "screenshots",
        "browser",
        "site_seconds",
        "window",
        "per_day",
    ]
)


async def of_run(db: Async, options: Options) -> Options:
    """Return options completed with what the run they name was opened with."""
    run = await patient(lambda: db.runs.find_one({"_id": options.run}))
    if run is None:
        raise GovcrawlError(f"no run {options.run} in the database")
    quarter, at = Quarter.parse(run["quarter"]), datetime.fromisoformat(run["at"])
    point = f"{at:%Y-%m-%d}"
    if quarter.monitoring_point(point) != at:
        point = f"{at:%Y-%m-%d %H:%M}"
    known = {name: value for name, value in run["settings"].items() if name in OF_RUN}
    return options.with_(quarter=str(quarter), at=point, **known)


class Services:
    """Opened once per worker process with `await Services.open(options)`; `await close()` ends it."""

    db: Async
    ledger: Ledger
    book: LinkBook
    writer: Writer
    checker: LinkChecker | RecordedLinks

    def __init__(
        self, options: Options, now: Clock = lambda: datetime.now(UTC), stack: AsyncExitStack | None = None
    ) -> None:
        self.options = options
        self._now = now
        self.edition: Edition = load_edition(Path(options.edition) if options.edition else None)
        self.quarter = Quarter.parse(options.quarter)
        self.at: datetime = self.quarter.monitoring_point(options.at or None)
        self.run = options.run
        self.source = options.source
        self.owner = options.owner or f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self.sites = {
            site.site_id: site for site in load_sites(Path(options.registry) if options.registry else None)
        }
        self.ration = Ration(self.sites.values(), self._draw, window=options.window, per_day=options.per_day)
        self.timetable = Timetable(Path(options.timetable)) if options.timetable else None
        self._log = RequestLog.open(options, self.owner, self.ration) if options.request_log else None
        self.pace = Pace(
            delay=options.delay,
            per_host=options.per_host,
            workers=max(1, options.workers),
            timetable=self.timetable,
            admit=self.ration.admit if self.ration else None,
            record=self._log.note if self._log else None,
        )
        self.hosts: Hosts = load_hosts(Path(options.hosts)) if options.hosts else {}
        self.allowed = [*options.egress(), *stated(self.sites.values())]
        self.guard = Guard(self.allowed)
        self._stack = stack or AsyncExitStack()
        for shared in (self.timetable, self._log):
            if shared is not None:
                self._stack.callback(shared.close)
        self.on_lost: Callable[[], object] | None = None  # called once when this process's lease is gone
        self.browser: Browser | None = None
        self._rendering = asyncio.Semaphore(1)
        self.recording = Recording.open(Path(options.replay)) if options.replay else None
        self.user_agent = options.user_agent

    def __deepcopy__(self, memo: Mapping[int, Any]) -> Services:
        """Scrapy copies its settings for every crawler; the services stay one."""
        return self

    @classmethod
    async def open(
        cls, options: Options, now: Clock = lambda: datetime.now(UTC), *, as_run: bool = False
    ) -> Services:
        """Connect, make sure of the run, and start what is needed at once; `now` dates the tries of links.

        With `as_run`, what the run they name was opened with completes the options.
        """
        async with AsyncExitStack() as stack:  # what was opened is closed again when the rest fails
            # Who names a run has just seen it there, or waits for the database as any crawl does.
            uri = stack.enter_context(resolve(options.mongo or None, ask=False))
            db = connect_async(uri)
            stack.push_async_callback(db.client.close)
            if as_run:
                options = await of_run(db, options)
            self = cls(options, now, stack)
            self.db = db
            if not self.run:
                self._own_run(uri)
            self.ledger = Ledger(self.db)
            self.book = LinkBook(self.db, self.source or self.run, await self._later_passes())
            self.writer = await stack.enter_async_context(Writer(self.db, self.run, source=self.source))
            if options.browser and not options.replay and not self.source:
                await self._open_browser()
            self.checker = RecordedLinks(self.recording) if self.recording else self._link_checker()
            beat = asyncio.create_task(self._heartbeat(), name="lease heartbeat")
            stack.callback(beat.cancel)
            self._stack = stack.pop_all()
        return self

    async def _later_passes(self) -> list[str]:
        """Return the runs that tried the links of our source again, the newest first."""
        if not self.source:
            return []
        doc = await patient(lambda: self.db.runs.find_one({"_id": self.run}, {"links": 1})) or {}
        return [str(run) for run in doc.get("links", ()) if run != self.source]

    async def close(self) -> None:
        """Store what waits and end everything this process started."""
        await self._stack.aclose()

    def _own_run(self, uri: str) -> None:
        """Open a run over the named sites: a crawl without a supervisor is a run of its own."""
        sites = [self.sites[site_id] for site_id in self.options.sites or self.sites]
        db = connect(uri)
        try:
            ensure_schema(db)
            self.run = open_run(
                db,
                str(self.quarter),
                at=self.at,
                edition=self.edition.id,
                roster_sha=roster_sha(self.sites.values()),
                site_ids=[site.site_id for site in sites],
                settings=self.options.budgets(),
                inputs=read_inputs(self.options),
            )
            plan(db, self.run, sites)
        finally:
            db.client.close()

    async def lease(self, *, alone: bool) -> Mapping[str, Any] | None:
        """Take the next free site of the run; returns its ledger row, or nothing when none is free now."""
        return await self.ledger.lease(self.run, self.owner, self.options.lease_seconds, alone=alone)

    async def confirm(self, site_id: str) -> Mapping[str, Any] | None:
        """Take over the lease a cluster node made out to this crawl; nothing when it is gone."""
        return await self.ledger.confirm(self.run, site_id, self.owner, self.options.lease_seconds)

    async def _heartbeat(self) -> None:
        while True:
            await asyncio.sleep(self.options.lease_seconds / 4)
            held = await self.ledger.renew(self.run, self.owner, self.options.lease_seconds)
            if not held and self.on_lost is not None:
                self.on_lost()
                self.on_lost = None

    async def _open_browser(self) -> None:
        """Give the browser an egress proxy of its own: it offers no other place for the guard."""
        egress = EgressProxy(self.guard, upstream=self.options.proxy or None)
        browser = Browser(executable=self.options.chromium, user_agent=self.user_agent)
        if not browser.available():
            return
        browser.proxy = await self._stack.enter_async_context(egress)
        self.browser = browser
        self._rendering = asyncio.Semaphore(browser.capacity)
        self._stack.push_async_callback(browser.close)

    def _link_checker(self) -> LinkChecker:
        checker = LinkChecker(
            pace=self.pace,
            user_agent=self.user_agent,
            proxy=self.options.proxy or None,
            retries=self.options.link_waits,
            allow=self.guard.permits,
            second_opinion=self._look if self.browser else None,
            now=self._now,
        )
        self._stack.push_async_callback(checker.close)
        return checker

    async def _draw(self, site_id: str, day: str, share: int, limit: int) -> int:
        return await take(self.db, site_id, day, share, limit)

    async def render(self, url: str, site_id: str) -> Rendered:
        """Render a page in its turn: to its host and address it is one request that takes long.

        Only as many turns are taken as pages can be open: one that waits for the browser would keep others
        of its address from theirs.
        """
        assert self.browser is not None
        try:
            async with self._rendering, self.pace.turn(url, await self.address(url)):
                return await self.browser.render(url, site_id=site_id)
        except NotNow as refused:
            return Rendered(url, error=refused.reason)
        except Forbidden:
            return Rendered(url, error="blocked")
        except OSError:
            return Rendered(url, error="dns")

    async def address(self, url: str) -> str | None:
        """Return the address a request will connect to; None where a forward proxy looks names up.

        Raises Forbidden or, for a name that does not resolve, OSError.
        """
        if self.options.proxy:
            return None
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return (await self.guard.resolve(parts.hostname or "", port))[0]

    async def _look(self, url: str) -> Seen | None:
        if self.browser is None:
            return None
        seen = await self.render(url, "links")
        return Seen(seen.status, seen.final_url, seen.text_length, seen.title, seen.error)
