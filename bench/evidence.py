"""What evidence costs: a page of a recheck beside the bare parsing of the same pages, and a screenshot.

    python -m bench.evidence [SITES]

The farm is that of the inspection bench, 301 pages of about 25 kB a site. Seconds are of the processor as
well as of the clock: on a machine shared with others only the first compare. The start of the worker process
and what the supervisor takes count in; the database server, a process of its own, is printed beside.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

import psutil

from bench import results
from bench.sitefarm import PAGES, SiteFarm
from govcrawl.browser import Browser
from govcrawl.items import Page, Site, parse
from govcrawl.quarter import Quarter
from govcrawl.recheck import recheck
from govcrawl.store import client, evidence, server
from tests.inspecting import HASTE, Office, served
from tests.province.model import QUARTER

SITES = 4
ROUNDS = 2
SHOTS = 20
AIM = 100  # pages a second of processor


def spent() -> float:
    """Return the processor seconds of this process and the children it has waited for."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in both)


def spent_by_server(folder: Path) -> float:
    """Return the processor seconds of the embedded database, which is a process of its own."""
    pid = json.loads((folder / "server.json").read_text("utf-8"))["pid"]
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


async def shots(page: Page, count: int) -> int:
    """Take pictures of one page two at a time; returns how many came out."""
    async with Browser(proxy="http://127.0.0.1:9") as browser:
        asked = (
            browser.screenshot(page, site_id=str(number % 4), outline=("a",), caption=(page.url, "V3"))
            for number in range(count)
        )
        return sum(not shot.error for shot in await asyncio.gather(*asked))


def main(count: int) -> int:
    """Inspect the farm's sites, then measure."""
    with tempfile.TemporaryDirectory(prefix="govcrawl-bench-") as name:
        folder = Path(name)
        sites = SiteFarm(count)
        roster = folder / "roster.csv"
        roster.write_text("\n".join(sites.roster()) + "\n", "utf-8")
        with server.resolve(None, folder / "db") as uri:
            with served(sites.answer) as (_, proxy):
                end = Office(folder, uri, proxy).inspect(roster, "--budget", str(2 * PAGES))
            if end.code:
                print(end.err, file=sys.stderr)
                return 1
            os.environ["GOVCRAWL_OPTIONS"] = json.dumps(HASTE)
            db = client.connect(uri)
            try:
                bodies = [evidence.read(db, doc["body"]) for doc in db.pages.find({"body": {"$ne": None}})]
                results.write("recheck", rechecking(db, uri, bodies, folder / "db"))
                results.write("screenshots", picturing(max(bodies, key=len)))
            finally:
                db.client.close()
    return 0


def rechecking(db: client.Sync, uri: str, bodies: list[bytes], folder: Path) -> dict[str, object]:
    """Print and return what a recheck and bare parsing cost; the best round counts."""
    rounds = []
    for _ in range(ROUNDS):
        wall, cpu, kept = time.perf_counter(), spent(), spent_by_server(folder)
        found = recheck(db, uri, QUARTER, workers=1)
        rounds.append((spent() - cpu, time.perf_counter() - wall, spent_by_server(folder) - kept))
        if not found.same:
            raise SystemExit("bench: the recheck came to something else")
    cpu, wall, kept = min(rounds)
    started = time.process_time()
    for body in bodies:
        parse(body.decode("utf-8", "replace"))
    parsing = time.process_time() - started
    figures: dict[str, object] = {
        "pages": found.pages,
        "median_page_bytes": round(statistics.median(map(len, bodies))),
        "pages_per_second_of_processor": round(found.pages / cpu, 1),
        "pages_per_second": round(found.pages / wall, 1),
        "cpu_ms_per_page": round(1000 * cpu / found.pages, 2),
        "database_cpu_ms_per_page": round(1000 * kept / found.pages, 2),
        "bare_parse_pages_per_second_of_processor": round(len(bodies) / parsing, 1),
        "bare_parse_cpu_ms_per_page": round(1000 * parsing / len(bodies), 2),
        "identical": found.same,
        "aim": AIM,
    }
    print(f"recheck of {found.pages} pages with 1 worker, identical:")
    for name, value in figures.items():
        print(f"  {name:42}{value}")
    return figures


def picturing(body: bytes) -> dict[str, object]:
    """Print and return what a picture of a page costs."""
    site = Site("bench", "bench", "portal", "city", "330100", "", "http://bench.gov.cn/")
    at = Quarter.parse(QUARTER).monitoring_point()
    page = Page(site, QUARTER, site.url, at, body=body, headers=(("Content-Type", "text/html"),))
    wall = time.perf_counter()
    good = asyncio.run(shots(page, SHOTS))
    wall = time.perf_counter() - wall
    cores = os.cpu_count() or 1
    # Chromium's own processes are not ours to wait for: all cores all the time is the most it can have taken.
    most = wall * cores / SHOTS
    print(f"screenshots: {good} of {SHOTS}, {good / wall:.1f}/s on {cores} cores, at most {most:.2f} s each")
    return {"taken": good, "per_second": round(good / wall, 1), "core_seconds_each_at_most": round(most, 2)}


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else SITES))
