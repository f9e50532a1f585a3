"""Compare our full inspection with plain Scrapy following links, on the same pages (`make bench`).

Both get one process, no delay and the same farm on loopback, in turns; the best round of each counts. Ours
fetches, decodes, extracts, runs all checks, hashes, and stores into the embedded database, a process of its
own; plain Scrapy parses links and follows them. Time runs from the first request to the end of the process.
`FULL=1` takes 100,000 pages and one round.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import linear_regression

import psutil

from bench import results
from bench.sitefarm import PAGES, SiteFarm
from tests.inspecting import Farm, served
from tests.province.model import AT, QUARTER

ROOT = Path(__file__).resolve().parents[1]
FULL = 333  # sites: 100,233 pages
SHORT = 10  # 3,010 pages, in two rounds
LOOK = 0.5  # seconds between looks at memory
AIM = 1.0


@dataclass
class Round:
    """What one crawl of all pages took."""

    pages: int = 0
    seconds: float = 0.0
    cpu: float = 0.0  # seconds of the crawling process
    memory: list[tuple[int, float]] = field(default_factory=list)  # (pages so far, MB)

    @property
    def rate(self) -> float:
        """Pages a second."""
        return self.pages / self.seconds

    @property
    def peak(self) -> float:
        """The most memory the crawling process had, in MB."""
        return max(mb for _, mb in self.memory)

    @property
    def slope(self) -> float:
        """MB gained in 10,000 pages over the second half."""
        half = [(pages, mb) for pages, mb in self.memory if pages >= self.pages / 2]
        if len({pages for pages, _ in half}) < 2:
            return 0.0
        return linear_regression([pages for pages, _ in half], [mb for _, mb in half]).slope * 10_000


def crawl(command: Sequence[str], farm: Farm, folder: Path, part: str, **environment: str) -> Round:
    """Run a crawl to its end and watch the process whose command line holds `part`."""
    with farm.changed:
        farm.calls.clear()
    found = Round()
    with (folder / "messages.txt").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=os.environ | environment, stdout=log, stderr=log)
        if not farm.wait(1, process):
            raise SystemExit(
                f"bench: {command[:4]} asked for nothing: {(folder / 'messages.txt').read_text()[-500:]}"
            )
        began = time.perf_counter()
        while process.poll() is None:
            watch(process.pid, part, farm, found)
            time.sleep(LOOK)
        found.seconds = time.perf_counter() - began
    found.pages = len(farm.fetched())
    if process.returncode:
        raise SystemExit(
            f"bench: exit code {process.returncode}: {(folder / 'messages.txt').read_text()[-500:]}"
        )
    return found


def watch(pid: int, part: str, farm: Farm, found: Round) -> None:
    """Note memory and processor time of the crawling process."""
    try:
        top = psutil.Process(pid)
        for process in (top, *top.children(recursive=True)):
            if part in " ".join(process.cmdline()):
                times = process.cpu_times()
                found.cpu = max(found.cpu, times.user + times.system)
                found.memory.append((len(farm.calls), process.memory_info().rss / 2**20))
                return
    except psutil.Error:
        return


def ours(farm: Farm, sites: SiteFarm, proxy: str) -> Round:
    """Inspect all sites with one worker."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "roster.csv").write_text("\n".join(sites.roster()) + "\n", "utf-8")
        command = [sys.executable, "-m", "govcrawl.cli", "inspect", "--registry", "roster.csv"]
        command += ["--quarter", QUARTER, "--at", AT.isoformat(), "--proxy", proxy, "--delay", "0"]
        command += ["--budget", str(2 * PAGES), "--workers", "1", "--no-browser", "--summary", "summary.json"]
        found = crawl(command, farm, folder, "govcrawl.worker", GOVCRAWL_MONGO="", PYTHONPATH=str(ROOT))
        summary = json.loads((folder / "summary.json").read_text("utf-8"))
        stored = summary["pages"]
        if stored != sites.pages or summary["done"] != len(sites.hosts):
            raise SystemExit(f"bench: {stored} of {sites.pages} pages stored, {summary['done']} sites done")
        return found


def plain(farm: Farm, sites: SiteFarm, proxy: str) -> Round:
    """Follow all links with plain Scrapy."""
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-m", "bench.plain", *sites.starts()]
        return crawl(command, farm, Path(name), "bench.plain", http_proxy=proxy, PYTHONPATH=str(ROOT))


def figures(mine: Round, peer: Round) -> dict[str, object]:
    """Return what goes into results.json."""
    return {
        "pages": mine.pages,
        "ours_pages_per_second": round(mine.rate, 1),
        "scrapy_pages_per_second": round(peer.rate, 1),
        "ratio": round(mine.rate / peer.rate, 2),
        "ours_cpu_ms_per_page": round(1000 * mine.cpu / mine.pages, 2),
        "scrapy_cpu_ms_per_page": round(1000 * peer.cpu / peer.pages, 2),
        "ours_peak_mb": round(mine.peak),
        "scrapy_peak_mb": round(peer.peak),
        "ours_mb_per_10000_pages": round(mine.slope, 2),
        "scrapy_mb_per_10000_pages": round(peer.slope, 2),
        "aim": AIM,
    }


def main() -> int:
    """Run both in turns, print the figures and keep them."""
    full = os.environ.get("FULL") == "1"
    count = int(os.environ.get("SITES", "0")) or (FULL if full else SHORT)
    rounds = 1 if full else 2
    sites = SiteFarm(count)
    mine: list[Round] = []
    peer: list[Round] = []
    with served(sites.answer) as (farm, proxy):
        for number in range(rounds):
            peer.append(plain(farm, sites, proxy))
            mine.append(ours(farm, sites, proxy))
            print(
                f"round {number + 1}: {mine[-1].pages} pages; full inspection {mine[-1].rate:.1f}/s, "
                f"plain Scrapy {peer[-1].rate:.1f}/s",
                flush=True,
            )
    found = figures(max(mine, key=lambda one: one.rate), max(peer, key=lambda one: one.rate))
    for name, value in found.items():
        print(f"{name:28}{value}")
    results.write("inspection", found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
