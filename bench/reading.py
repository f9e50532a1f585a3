"""Processor time to read and check a page of about 50 kB, beside a bare lxml parse (`make bench-reading`).

Measured is all that happens to a page after it arrived: decoding, parsing, its role, every reading an
inspection makes of it, and all page rules. Pages: the saved ones of that size in the folder of
`make accuracy`, where there is one, and generated ones. Each is read once unmeasured, then in rounds from its
bytes; a page's figure is the median of its rounds (`least_`: the least disturbed round, for a busy machine).
What a worker remembers from a site's other pages, its names and the scripts they share, is known here too.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from lxml import html

from bench import results
from bench.sitefarm import SiteFarm
from govcrawl.checking import Checking
from govcrawl.extract.role import page_role
from govcrawl.inspection import Inspection
from govcrawl.items import Page, Role, Site
from govcrawl.processes import spare_collector
from govcrawl.quarter import SHANGHAI
from govcrawl.standard import Edition, load_edition

ROOT = Path(__file__).resolve().parents[1]
AT = datetime(2025, 1, 1, tzinfo=SHANGHAI)
SMALLEST, LARGEST = 30_000, 75_000  # bytes of a page of about 50 kB
PARAGRAPHS = 90  # make a generated page about 50 kB
TARGETS = {"median_ms": 4.0, "p95_ms": 8.0}


def saved(folder: Path) -> Iterator[Page]:
    """Yield the saved pages of the right size, each with the role of its label."""
    index = folder / "index.csv"
    if not index.is_file():
        return
    with index.open(encoding="utf-8-sig", newline="") as handle:
        rows = list(csv.DictReader(handle))
    for row in rows:
        path = folder / row["file"]
        if path.is_file() and SMALLEST <= path.stat().st_size <= LARGEST:
            yield _saved(row, path.read_bytes())


def _saved(row: dict[str, str], body: bytes) -> Page:
    url, _, remark = row["original_url"].strip().partition(" ")
    host = urlsplit(url).hostname or "site.invalid"
    site = Site(row["file"], row["site_as_shown"], "portal", "city", "", "", f"http://{host}/")
    role = Role({"list": "column"}.get(row["page_kind"], row["page_kind"]))
    address = site.url if role is Role.HOME else url if url and not remark else f"http://{host}/page"
    return Page(site, "2025Q1", address, AT, role=role, column="工作动态", body=body)


def generated() -> Iterator[Page]:
    """Yield a home page, columns and articles with a menu, rows and long text."""
    farm = SiteFarm(1, PARAGRAPHS)
    site = Site("site0", "示例市人民政府", "portal", "city", "339900", "", farm.starts()[0])
    for path, role in (
        ("/", Role.HOME),
        *((f"/col/{number}", Role.COLUMN) for number in range(5)),
        *((f"/art/{number}.html", Role.ARTICLE) for number in range(0, 140, 10)),
    ):
        body = farm.answer(site.host, path).body
        url = site.url.rstrip("/") + path
        yield Page(site, "2025Q1", url, AT, role=role, column="工作动态", body=body)


def read(page: Page, edition: Edition) -> float:
    """Return the processor milliseconds one page costs from its bytes to the outcomes of the page rules."""
    fresh = replace(page, notes=page.notes)  # the same bytes, nothing read of them yet
    inspection = Inspection(fresh.site, fresh.quarter, fresh.at)
    checking = Checking(edition, inspection)
    started = time.process_time()
    page_role(fresh)
    inspection.add(fresh)
    checking.page(fresh)
    return (time.process_time() - started) * 1000


def bare(page: Page) -> float:
    """Return the processor milliseconds lxml needs to parse the page's text, given as UTF-8."""
    data = page.text.encode("utf-8", "replace")
    started = time.process_time()
    html.document_fromstring(data)
    return (time.process_time() - started) * 1000


def measure(pages: list[Page], rounds: int) -> dict[str, object]:
    """Measure every page in rounds, the peer on the same page right after it."""
    edition = load_edition()
    for page in pages:
        read(page, edition)
    spare_collector()  # as in a worker
    ours: list[list[float]] = [[] for _ in pages]
    peer: list[list[float]] = [[] for _ in pages]
    for _ in range(rounds):
        for place, page in enumerate(pages):
            ours[place].append(read(page, edition))
            peer[place].append(bare(page))
    costs = sorted(statistics.median(one) for one in ours)
    parses = [statistics.median(one) for one in peer]
    return {
        "pages": len(pages),
        "kilobytes": round(statistics.median(len(page.body) for page in pages) / 1000),
        "median_ms": round(statistics.median(costs), 2),
        "least_median_ms": round(statistics.median(min(one) for one in ours), 2),
        "p95_ms": round(costs[min(len(costs) - 1, int(len(costs) * 0.95))], 2),
        "peer": "lxml.html.document_fromstring",
        "peer_median_ms": round(statistics.median(parses), 2),
        "ratio": round(statistics.median(costs) / statistics.median(parses), 2),
        "load": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    """Measure saved and generated pages, print the figures and keep them under the key `reading`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pages", nargs="?", default=str(ROOT.parent / "shared" / "pages"), help="saved pages")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--no-write", action="store_true", help="leave bench/results.json alone")
    given = parser.parse_args()
    kinds = {"saved": list(saved(Path(given.pages))), "generated": list(generated())}
    found = {name: measure(pages, given.rounds) for name, pages in kinds.items() if pages}
    for name, figures in found.items():
        print(f"reading, {name} pages: {figures}")
    print(f"reading: targets {TARGETS}")
    if not given.no_write:
        results.write("reading", found)


if __name__ == "__main__":
    main()
