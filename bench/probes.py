"""One round of visits beside bare aiohttp GETs of the same pages.

    python -m bench.probes [--sites 4000] [--at-once 200] [--mongo URI] [--no-write]

Both open a connection for each site, as a round over real hosts must. The bare side reads the pages and
forgets them; the round resolves through the egress guard, measures, judges, stores every visit in the
database, and holds and ends its lease. They take turns three times; the medians count.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from multiprocessing.connection import Connection
from pathlib import Path

import aiohttp

from bench import results
from govcrawl.items import Site
from govcrawl.probing.schedule import Week
from govcrawl.probing.visiting import Visitor
from govcrawl.probing.web import Web
from govcrawl.probing.working import WallClock, Worker
from govcrawl.quarter import Quarter
from govcrawl.store.client import connect, connect_async
from govcrawl.store.probes import Book
from govcrawl.store.schema import ensure_schema
from govcrawl.store.server import resolve
from tests.province.model import Answer
from tests.province.server import Server

PAGE = (
    "<html><head><title>首页</title></head><body>" + "<p>要闻动态 2023-09-18</p>" * 800 + "</body></html>"
).encode()
TURNS = 3
WEEK = Week(Quarter(2023, 3), date(2023, 9, 11))


def serve(said: Connection) -> None:
    """Serve one page at every address until killed."""

    async def main() -> None:
        server = Server(lambda *_: Answer(200, PAGE))
        said.send(await server.start())
        await asyncio.Event().wait()

    asyncio.run(main())


@contextmanager
def farm() -> Iterator[str]:
    """Yield the address of a server in a process of its own."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    process.start()
    try:
        yield f"127.0.0.1:{here.recv()}"
    finally:
        process.terminate()
        process.join()


async def bare(urls: Sequence[str], at_once: int) -> float:
    """Return the seconds that plain GETs of these pages take."""
    slots = asyncio.Semaphore(at_once)
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def get(url: str) -> int:
            async with slots, session.get(url) as response:
                return len(await response.read())

        started = time.perf_counter()
        sizes = await asyncio.gather(*(get(url) for url in urls))
        seconds = time.perf_counter() - started
    assert sizes == [len(PAGE)] * len(urls)
    return seconds


async def probed(uri: str, own: str, sites: Sequence[Site], at_once: int, turn: int) -> float:
    """Return the seconds that a round over these sites takes, from its lease to its end."""
    db, clock = connect_async(uri), WallClock()
    async with Web(allow=[own], user_agent="bench", seconds=15, at_once=at_once) as web:
        visitor = Visitor(web, [f"http://{own}/"], Decimal(15), clock.now)
        book = Book(db, str(WEEK.quarter))
        worker = Worker(WEEK, sites, book, visitor, clock=clock, owner="bench")
        started = time.perf_counter()
        counts = await worker.once(list(WEEK.all())[turn])
        seconds = time.perf_counter() - started
    await db.client.close()
    assert counts == {"connected": len(sites)}, counts
    return seconds


def main() -> None:
    """Measure, print, and keep the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sites", type=int, default=4000)
    parser.add_argument("--at-once", type=int, default=200)
    parser.add_argument("--mongo", default=os.environ.get("GOVCRAWL_MONGO"))
    parser.add_argument("--no-write", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="govcrawl-bench-") as folder, farm() as own:
        sites = [
            Site(
                f"s{number:05}", f"第{number}站", "portal", "county", "330122", "", f"http://{own}/s{number}/"
            )
            for number in range(given.sites)
        ]
        urls = [site.url for site in sites]
        ours, theirs = [], []
        with resolve(given.mongo, Path(folder) / "db") as uri:
            db = connect(uri)
            ensure_schema(db)
            db.client.close()
            for turn in range(TURNS):
                ours.append(asyncio.run(probed(uri, own, sites, given.at_once, turn)))
                theirs.append(asyncio.run(bare(urls, given.at_once)))
    rates = [given.sites / statistics.median(seconds) for seconds in (ours, theirs)]
    figures = {
        "sites": given.sites,
        "at_once": given.at_once,
        "sites_per_second": round(rates[0], 1),
        "aiohttp_sites_per_second": round(rates[1], 1),
        "ratio": round(rates[0] / rates[1], 3),
    }
    print(
        f"probes: {rates[0]:.0f} sites/s a round, stored; bare aiohttp {rates[1]:.0f} pages/s; "
        f"ratio {figures['ratio']}; 14,000 sites in {14_000 / rates[0]:.0f} s"
    )
    if not given.no_write:
        results.write("probes", figures)


if __name__ == "__main__":
    main()
