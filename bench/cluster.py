"""Three scrapyd nodes against `govcrawl inspect` on the same sites, and the queue at 14,000 jobs (`make bench-cluster`).

Both inspect the same farm on loopback without delay or browser, in turns, each first in every other round; what
counts is the median of the rounds' ratios. Time runs from the first request to the end of the command, scores
included. SITES sets how many sites of 301 pages, ROUNDS how many rounds.
"""

# ruff: noqa: E501  (the first line)
from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles

import psutil

from bench import results
from bench.sitefarm import PAGES, SiteFarm
from govcrawl.items import Site
from govcrawl.quarter import Quarter
from govcrawl.store import client, ledger, queue, server
from govcrawl.store.schema import ensure_schema
from tests.clusters import Node, cluster, stop_all
from tests.inspecting import Farm, served
from tests.province.model import AT, QUARTER

ROOT = Path(__file__).resolve().parents[1]
SITES = int(os.environ.get("SITES", "0")) or 24
ROUNDS = int(os.environ.get("ROUNDS", "0")) or 3
QUEUED = 14_000
NODES, SLOTS = 3, 1  # three crawls for two cores
AIM_LOSS, AIM_MS = 10.0, 5.0
LOOK = 0.1  # seconds: how exactly the end is seen
LOOKED_AT = 6  # sites of the round that is not timed: looking at memory costs processor time
ARGUMENTS = ["--quarter", QUARTER, "--at", AT.isoformat(), "--delay", "0", "--no-browser"]


@dataclass
class Memory:
    """The most memory that kinds of processes were seen with, in MB, shared pages counted in parts."""

    crawl: float = 0.0
    loader: float = 0.0
    node: float = 0.0

    def look(self, nodes: list[Node]) -> None:
        """Look at the processes of some nodes."""
        for node in nodes:
            for process in node.process_tree():
                with suppress(psutil.Error):
                    depth = 0 if process.pid == node.process.pid else 1 + (process.ppid() != node.process.pid)
                    kind = ("node", "loader", "crawl")[depth]
                    setattr(self, kind, max(getattr(self, kind), process.memory_full_info().pss / 2**20))


def timed(
    farm: Farm, command: list[str], folder: Path, pages: int, watch: Callable[[], object], **environment: str
) -> float:
    """Return pages a second of a command, from its first request to its end."""
    with farm.changed:
        farm.calls.clear()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GOVCRAWL_")}
    log = folder / "messages.txt"
    with log.open("w") as handle:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=kept | {"PYTHONPATH": str(ROOT)} | environment,
            stdout=handle,
            stderr=handle,
        )
        if not farm.wait(1, process):
            raise SystemExit(f"bench: {command[3:5]} asked for nothing: {log.read_text()[-800:]}")
        began = time.perf_counter()
        while (code := process.poll()) is None:
            watch()
            time.sleep(LOOK)
        seconds = time.perf_counter() - began
    if code or len(farm.fetched()) < pages:
        raise SystemExit(
            f"bench: exit code {code}, {len(farm.fetched())} of {pages} pages: {log.read_text()[-800:]}"
        )
    return pages / seconds


def alone(farm: Farm, sites: SiteFarm, proxy: str) -> float:
    """Inspect with one command on this machine."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "roster.csv").write_text("\n".join(sites.roster()) + "\n", "utf-8")
        command = [sys.executable, "-m", "govcrawl.cli", "inspect", "--registry", "roster.csv", *ARGUMENTS]
        command += ["--proxy", proxy, "--budget", str(2 * PAGES), "--workers", "2"]
        return timed(farm, command, folder, sites.pages, lambda: None)


def together(farm: Farm, sites: SiteFarm, proxy: str, memory: Memory | None = None) -> float:
    """Inspect with three nodes; with `memory`, look at their processes meanwhile."""
    with tempfile.TemporaryDirectory() as name, server.running(Path(name) / "db") as uri:
        folder = Path(name)
        roster = folder / "roster.csv"
        roster.write_text("\n".join(sites.roster()) + "\n", "utf-8")
        nodes = cluster(
            folder, uri, NODES, roster=roster, proxy=proxy, options={}, slots=SLOTS, lease=60.0, poll=1.0
        )
        try:
            command = [sys.executable, "-m", "govcrawl.cli", "cluster", "dispatch", "--registry", str(roster)]
            command += [*ARGUMENTS, "--budget", str(2 * PAGES), "--wait"]
            told = {"GOVCRAWL_MONGO": uri, "GOVCRAWL_PROXY": proxy}
            watch = (lambda: memory.look(nodes)) if memory else (lambda: None)
            return timed(farm, command, folder, sites.pages, watch, **told)
        finally:
            stop_all(nodes)


@dataclass
class Times:
    """How long one kind of operation took, in ms."""

    taken: list[float] = field(default_factory=list)

    def of(self, work: Callable[[], object]) -> object:
        """Do it and note the time."""
        began = time.perf_counter()
        found = work()
        self.taken.append(1000 * (time.perf_counter() - began))
        return found

    def figures(self) -> dict[str, float]:
        """Return median and 95th percentile."""
        return {
            "median_ms": round(median(self.taken), 2),
            "p95_ms": round(quantiles(self.taken, n=20)[-1], 2),
        }


def queue_times(uri: str) -> dict[str, dict[str, float]]:
    """Measure the queue's operations while 14,000 sites wait and eight crawls hold theirs."""
    db = client.connect(uri)
    ensure_schema(db)
    sites = [
        Site(f"site{n:05}", f"网站{n}", "department", "city", "330100", "", f"http://www.s{n}.gov.cn/")
        for n in range(QUEUED)
    ]
    at = Quarter.parse(QUARTER).monitoring_point(AT.isoformat())
    run = ledger.open_run(
        db, QUARTER, at=at, edition="2019-19", roster_sha="r", site_ids=[site.site_id for site in sites]
    )
    addresses = {site.site_id: f"192.0.2.{number % 250}" for number, site in enumerate(sites)}
    queue.enqueue(db, run, sites, project="govcrawl", addresses=addresses)
    one = queue.Queue(db, "bench", queue.Kind("govcrawl", "r", "2019-19"))
    for _ in range(8):
        one.take()
    names = ("one write", "take", "settle", "heartbeat", "expire", "count", "cancel")
    times = {name: Times() for name in names}
    for number in range(60):
        row = times["take"].of(one.take)
        assert isinstance(row, dict)
        db.ledger.update_one(
            {"_id": row["_id"]}, {"$set": {"state": "done", "until": None}, "$unset": ledger.RELEASED}
        )
        times["settle"].of(lambda row=row: one.ended(run, row["site_id"], row["owner"], ""))
        times["heartbeat"].of(lambda: one.beat({"slots": 2}))
        times["count"].of(one.count)
        times["expire"].of(one.expire)
        # What the disk costs: what writes four times cannot take less than four of these.
        beat = {"$set": {"slots": number}}
        times["one write"].of(lambda beat=beat: db.nodes.update_one({"_id": "bench"}, beat))
        times["cancel"].of(lambda number=number: one.cancel(f"{run}-site{QUEUED - 1 - number:05}"))
    db.client.close()
    return {name: found.figures() for name, found in times.items()}


def measure_queue() -> dict[str, object]:
    """Measure and print the queue's part."""
    with tempfile.TemporaryDirectory() as name, server.running(Path(name) / "db") as uri:
        operations = queue_times(uri)
    for name, figures in operations.items():
        print(f"queue {name:12}{figures}", flush=True)
    return {"queued": QUEUED, "queue": operations, "aim_ms": AIM_MS}


def measure_nodes() -> dict[str, object]:
    """Inspect in turns with one command and with three nodes; print the figures."""
    sites = SiteFarm(SITES)
    single: list[float] = []
    three: list[float] = []
    losses: list[float] = []
    memory = Memory()
    few = SiteFarm(LOOKED_AT)
    with served(few.answer) as (farm, proxy):
        together(farm, few, proxy, memory)
    with served(sites.answer) as (farm, proxy):
        for number in range(ROUNDS):
            turns = [
                lambda: single.append(alone(farm, sites, proxy)),
                lambda: three.append(together(farm, sites, proxy)),
            ]
            for turn in turns if number % 2 == 0 else reversed(turns):
                turn()
            losses.append(100 * (1 - three[-1] / single[-1]))
            print(
                f"round {number + 1}: inspect {single[-1]:.1f} pages/s, three nodes {three[-1]:.1f}, "
                f"loss {losses[-1]:.1f} %",
                flush=True,
            )
    loss = median(losses)
    print(f"median loss {loss:.1f} % (aim {AIM_LOSS:g})")
    return {
        "sites": SITES,
        "pages": sites.pages,
        "inspect_pages_per_second": round(median(single), 1),
        "cluster_pages_per_second": round(median(three), 1),
        "loss_percent": round(loss, 1),
        "losses_percent": [round(one, 1) for one in losses],
        "aim_loss_percent": AIM_LOSS,
        "crawl_mb": round(memory.crawl),
        "loader_mb": round(memory.loader),
        "node_mb": round(memory.node),
    }


def main() -> int:
    """Measure the parts named, both by default, and keep the figures beside those of the other."""
    parts = {"queue": measure_queue, "nodes": measure_nodes}
    held = json.loads(results.RESULTS.read_text("utf-8")) if results.RESULTS.exists() else {}
    found = held.get("cluster", {})
    for name in sys.argv[1:] or parts:
        found |= parts[name]()
    results.write("cluster", found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
