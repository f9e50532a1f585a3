"""Runs rounds for the command: opens database and paths, and ends cleanly when told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from govcrawl.egress import stated
from govcrawl.items import GovcrawlError, Site
from govcrawl.options import Options
from govcrawl.probing.schedule import Round, Week, hour_of
from govcrawl.probing.verdicts import RULE
from govcrawl.probing.visiting import Visitor
from govcrawl.probing.web import Web
from govcrawl.probing.working import Told, WallClock, Worker
from govcrawl.quarter import SHANGHAI, Quarter
from govcrawl.standard import Edition
from govcrawl.store.client import connect_async
from govcrawl.store.probes import Book

CANARIES = ("https://www.baidu.com/", "https://www.qq.com/", "https://www.gov.cn/")


@dataclass(frozen=True, slots=True)
class Job:
    """What the command was asked to do."""

    quarter: Quarter
    sites: Sequence[Site]
    edition: Edition
    options: Options  # database, proxy, contact and what the egress guard lets through
    second_proxy: str = ""
    canaries: Sequence[str] = CANARIES
    at_once: int = 200
    told: Callable[[Told], None] = lambda _: None
    warn: Callable[[str], None] = lambda _: None


def now() -> datetime:
    """Return the time visits go by, in Beijing time."""
    return WallClock().now().astimezone(SHANGHAI)


def one_round(job: Job, week: Week | None) -> tuple[Round, Mapping[str, int] | None]:
    """Visit every site now, within the round of the plan or the hour; no counts when it was done before."""
    moment = now()
    job.quarter.monitoring_point(moment.date().isoformat())
    round_ = (week and week.round_at(moment)) or hour_of(moment)
    plan = week or Week(job.quarter, moment.date())

    async def main() -> Mapping[str, int] | None:
        async with _worker(job, plan) as worker:
            return await worker.once(round_)

    return round_, asyncio.run(main())


def whole_week(job: Job, week: Week) -> bool:
    """Work off a week until it is over; False when told to stop before."""

    async def main() -> bool:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        told = asyncio.ensure_future(stop.wait())
        async with _worker(job, week) as worker:
            work = asyncio.ensure_future(worker.run())
            await asyncio.wait([work, told], return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                told.cancel()
                work.result()
                return True
            work.cancel()
            await asyncio.wait([work])
            await worker.leave()
            return False

    return asyncio.run(main())


@asynccontextmanager
async def _worker(job: Job, week: Week) -> AsyncIterator[Worker]:
    seconds = job.edition.rules[RULE].seconds
    if seconds is None:
        raise GovcrawlError(f"rule {RULE} of edition {job.edition.id} gives no seconds")
    options = job.options
    proxies = options.with_(proxy=job.second_proxy).egress() if job.second_proxy else []
    clock = WallClock()
    db = connect_async(options.mongo)
    web = Web(
        allow=[*options.egress(), *proxies, *stated(job.sites)],
        user_agent=options.user_agent,
        seconds=float(seconds),
        proxy=options.proxy,
        second_proxy=job.second_proxy,
        at_once=job.at_once,
    )
    try:
        async with web:
            visitor = Visitor(web, job.canaries, seconds, clock.now)
            if not await visitor.online():
                job.warn("no canary answers: failed visits are put down to our own network; see --canary")
            elif not await visitor.online(second=True):
                job.warn("there is no second path: failures stay suspected; see --second-proxy")
            owner = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
            book = Book(db, str(job.quarter))
            yield Worker(week, job.sites, book, visitor, clock=clock, owner=owner, told=job.told)
    finally:
        await db.client.close()
