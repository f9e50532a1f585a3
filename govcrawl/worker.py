"""A worker process: leases sites of a run and inspects many of them in one event loop until none is left."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import os
import signal
import sys
from contextlib import suppress
from typing import Any

from scrapy.crawler import AsyncCrawlerRunner, Crawler
from scrapy.settings import Settings
from scrapy.spiderloader import SpiderLoader
from scrapy.utils.log import configure_logging
from scrapy.utils.reactor import install_reactor

from govcrawl.checking import bound
from govcrawl.egress import ScrapyResolver
from govcrawl.items import GovcrawlError
from govcrawl.options import Options
from govcrawl.processes import spare_collector
from govcrawl.services import SETTING, Services
from govcrawl.store.ledger import ALONE_AFTER

log = logging.getLogger(__name__)
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_GRACE = 25.0  # seconds to end what is under way; the supervisor waits a little longer
_COLLECT = 8  # ended crawls between two looks for garbage: each is one large cycle of references
_POLL = 0.5  # seconds between looks for a site while others hold the rest


class Worker:
    """Keeps `sites_at_once` site crawls running; one that crashed its workers before runs alone."""

    def __init__(self, services: Services, settings: Settings) -> None:
        self.services = services
        self._runner = AsyncCrawlerRunner(settings)
        self._spiders = SpiderLoader.from_settings(settings)
        self._active: dict[str, asyncio.Task[None]] = {}
        self._alone = False
        self._ended = 0
        self.stopping = False

    async def run(self) -> None:
        """Work until every site of the run is done or failed, or until told to stop."""
        while not self.stopping:
            leased = await self._lease()
            if leased:
                continue
            if not self._active and not await self.services.ledger.unfinished(self.services.run):
                return
            await self._wait()
        await asyncio.gather(*self._active.values(), return_exceptions=True)

    def stop(self) -> None:
        """Take no further site and end those under way; their leases go back to the ledger."""
        if self.stopping:  # Ctrl-C reaches a worker from the terminal and from its supervisor
            return
        self.stopping = True
        asyncio.get_running_loop().call_later(_GRACE, os._exit, 1)  # what is not stored yet is leased anew
        for crawler in list(self._runner.crawlers):
            if crawler.engine is not None:
                asyncio.ensure_future(crawler.stop_async())  # noqa: RUF006  (awaited through its crawl task)

    async def _lease(self) -> bool:
        if self._alone or len(self._active) >= self.services.options.sites_at_once:
            return False
        row = await self.services.lease(alone=not self._active)
        if row is None:
            return False
        site_id = str(row["site_id"])
        self._alone = row["crashes"] >= ALONE_AFTER
        self._active[site_id] = asyncio.create_task(
            self._inspect(site_id, row["seed"]), name=f"site {site_id}"
        )
        return True

    async def _wait(self) -> None:
        if not self._active:
            await asyncio.sleep(_POLL)
            return
        full = self._alone or len(self._active) >= self.services.options.sites_at_once
        await asyncio.wait(
            self._active.values(), timeout=None if full else _POLL, return_when=asyncio.FIRST_COMPLETED
        )
        for site_id in [site_id for site_id, task in self._active.items() if task.done()]:
            del self._active[site_id]
            self._alone = False
            self._ended += 1
            if self._ended % _COLLECT == 0:
                gc.collect()

    async def _inspect(self, site_id: str, seed: str) -> None:
        services, reason = self.services, "its crawl ended early"
        crawler: Crawler | None = None
        try:
            crawler = self._runner.create_crawler(self._spiders.load(site_id))
            await self._runner.crawl(crawler, seed=seed)
        except Exception as error:  # one site never takes the others with it
            log.exception("site %s", site_id)
            reason = f"{type(error).__name__}: {error}"[:300]
        done = getattr(crawler.spider, "done", None) if crawler is not None else None
        if done is None and not self.stopping:
            await services.ledger.fail(services.run, site_id, services.owner, reason)
        elif done is not None and not done.acknowledged:
            log.warning("site %s: somebody else holds its lease", site_id)


async def work(options: Options, reactor: Any) -> None:
    """Run one worker to its end."""
    services = await Services.open(options)
    bound(services.edition)  # imports all rules: what is loaded now stays
    spare_collector()
    settings = Settings()
    settings.setmodule("govcrawl.settings")
    settings.set(SETTING, services, priority="cmdline")
    settings.set("EGRESS_ALLOW", services.allowed, priority="cmdline")
    ScrapyResolver(services.guard, reactor).install_on_reactor()
    worker = Worker(services, settings)
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, worker.stop)
    try:
        await worker.run()
    finally:
        await services.close()


def _end_with_parent(owner: str) -> None:
    """Be told to stop when the supervisor is killed, whose process id is the second part of the owner."""
    with suppress(OSError, AttributeError):  # Linux only; elsewhere the leases run out
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    parent = owner.split(":")[1] if owner.count(":") == 2 else ""
    if parent and parent != str(os.getppid()):
        raise SystemExit(1)


def main() -> int:
    """Read the options the supervisor left in the environment and work; returns the exit code."""
    options = Options.from_environment()
    _end_with_parent(options.owner)
    install_reactor("twisted.internet.asyncioreactor.AsyncioSelectorReactor")
    from twisted.internet import reactor as installed  # noqa: PLC0415  (only importable once it is installed)

    reactor: Any = installed  # zope's interfaces leave out what the asyncio reactor takes
    configure_logging({"LOG_LEVEL": "WARNING", "LOG_SHORT_NAMES": True})
    code = 0

    async def run() -> None:
        nonlocal code
        try:
            await work(options, reactor)
        except GovcrawlError as error:
            sys.stderr.write(f"worker: {error}\n")
            code = 2
        except Exception:
            log.exception("worker")
            code = 1
        finally:
            with suppress(Exception):
                reactor.stop()

    reactor.callWhenRunning(lambda: asyncio.ensure_future(run()))
    reactor.run(installSignalHandlers=False)
    return code


if __name__ == "__main__":
    sys.exit(main())
