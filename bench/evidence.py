"""What evidence costs: a screenshot, and a page of a recheck beside its parsing.

    python -m bench.evidence [SITES]

Seconds are of the processor as well as of the clock: on a machine shared with others only the first compare.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

from govcrawl.browser import Browser
from govcrawl.items import Page, Site, parse
from govcrawl.quarter import Quarter
from govcrawl.recheck import recheck
from govcrawl.store import client, evidence, server
from tests.inspecting import HASTE, Office, served
from tests.province.model import QUARTER
from tests.province.world import make

SHOTS = 20
BUDGET = "60"


def spent() -> float:
    """Return the processor seconds of this process and the children it has waited for."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in both)


async def shots(page: Page, count: int) -> int:
    """Take pictures of one page two at a time; returns how many came out."""
    async with Browser(proxy="http://127.0.0.1:9") as browser:
        asked = (
            browser.screenshot(page, site_id=str(number % 4), outline=("a",), caption=(page.url, "V3"))
            for number in range(count)
        )
        return sum(not shot.error for shot in await asyncio.gather(*asked))


def main(sites: int) -> int:
    """Inspect a small province, then measure; prints one line a figure."""
    with tempfile.TemporaryDirectory(prefix="govcrawl-bench-") as name:
        folder = Path(name)
        world = make(folder / "province", sites)
        with server.resolve(None, folder / "db") as uri:
            with served(world.answer) as (_, proxy):
                end = Office(folder, uri, proxy).inspect(
                    folder / "province" / "roster.csv", "--budget", BUDGET
                )
            if end.code:
                print(end.err, file=sys.stderr)
                return 1
            os.environ["GOVCRAWL_OPTIONS"] = json.dumps(HASTE)
            db = client.connect(uri)
            try:
                measure(db, uri)
            finally:
                db.client.close()
    return 0


def measure(db: client.Sync, uri: str) -> None:
    """Print what a recheck, bare parsing and a picture cost."""
    wall, cpu = time.perf_counter(), spent()
    found = recheck(db, uri, QUARTER, workers=1)
    wall, cpu = time.perf_counter() - wall, spent() - cpu
    same = "identical" if found.same else "DIFFERENT"
    rates = f"{found.pages / wall:.0f}/s, {found.pages / cpu:.0f}/s of processor"
    print(f"recheck: {found.pages} pages, {rates}; {same}")
    bodies = [evidence.read(db, doc["body"]) for doc in db.pages.find({"body": {"$ne": None}}, {"body": 1})]
    started = time.process_time()
    for body in bodies:
        parse(body.decode("utf-8", "replace"))
    print(
        f"bare parsing of the same pages: {len(bodies) / (time.process_time() - started):.0f}/s of processor"
    )
    longest = max(bodies, key=len)
    site = Site("bench", "bench", "portal", "city", "330100", "", "http://bench.gov.cn/")
    page = Page(
        site,
        QUARTER,
        site.url,
        Quarter.parse(QUARTER).monitoring_point(),
        body=longest,
        headers=(("Content-Type", "text/html"),),
    )
    wall, cpu = time.perf_counter(), spent()
    good = asyncio.run(shots(page, SHOTS))
    wall, cpu = time.perf_counter() - wall, spent() - cpu
    print(f"screenshots: {good} of {SHOTS}, {good / wall:.1f}/s, {cpu / SHOTS:.2f} s of processor each")


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 12))
