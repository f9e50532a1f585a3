"""The score job on a quarter's findings, beside the same arithmetic in polars on the data in memory.

    python -m bench.score [--sites 540] [--findings 400] [--mongo URI] [--no-write]

Both turn counts by rule and outcome into scores with the same pure function. The job finds the counts in the
database, where an inspection leaves them beside the findings; it checks that they are all there and stores
scores, summary and seal. polars has the findings as columns in memory and counts them. `recount_seconds` is
the job on a database without any counts, where it has the findings counted first. Memory is the highest of
each process. `make bench-score` runs the province of 540 sites and the country of 14,000.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import psutil

from bench import results
from govcrawl.checking import bound
from govcrawl.items import Evidence, Finding, Outcome, Site
from govcrawl.results import score_quarter
from govcrawl.scoring import QuarterSummary, score_counts, summarise
from govcrawl.standard import load_edition
from govcrawl.store import ledger, schema
from govcrawl.store.client import Sync, connect
from govcrawl.store.records import finding_doc
from govcrawl.store.server import resolve
from govcrawl.store.tallies import tallied

QUARTER = "2023Q3"
EDITION = load_edition()
CODES = [code for code, rule in EDITION.rules.items() if not rule.is_veto]
AT_ONCE = 5000
OUTCOMES = [Outcome.FAILED, Outcome.FAILED, Outcome.PASSED, Outcome.CANT_TELL]


def roster(count: int) -> list[Site]:
    """Return sites, 19 in a hundred of them portals as in Zhejiang."""
    return [
        Site(
            f"s{number:05d}",
            f"第{number}站",
            "portal" if number % 100 < 19 else "department",
            "county",
            "330122",
            "",
            f"http://s{number}.test/",
        )
        for number in range(count)
    ]


def drawn(site: Site, each: int) -> Iterator[tuple[str, str, str, int]]:
    """Yield site_id, rule, outcome and number of every finding of a site, always the same."""
    chance = random.Random(f"20190419 {site.site_id}")
    for number in range(each):
        yield site.site_id, chance.choice(CODES), chance.choice(OUTCOMES).value, number


def findings_of(site: Site, each: int, at: datetime) -> Iterator[Finding]:
    """Yield the same findings as records."""
    for site_id, rule, outcome, number in drawn(site, each):
        url = f"http://{site_id}.test/{number}.html"
        seen = (Evidence(url, "旧日期 2023-01-05", "2 周内", excerpt="要闻动态 2023-01-05"),)
        yield Finding(site_id, QUARTER, rule, Outcome(outcome), EDITION.id, evidence=seen, checked_at=at)


def fill(db: Sync, sites: list[Site], each: int) -> None:
    """Store a finished inspection with these findings."""
    schema.ensure_schema(db)
    at = datetime(2023, 9, 30, tzinfo=UTC)
    ids = [site.site_id for site in sites]
    run = ledger.open_run(db, QUARTER, at=at, edition=EDITION.id, roster_sha="bench", site_ids=ids)
    ledger.plan(db, run, sites)
    docs: list[dict[str, Any]] = []
    for site in sites:
        own = [finding_doc(one, run) for one in findings_of(site, each, at)]
        db.tallies.insert_many(tallied(run, own))
        docs += own
        if len(docs) >= AT_ONCE:
            db.findings.insert_many(docs, ordered=False)
            docs = []
    if docs:
        db.findings.insert_many(docs, ordered=False)
    db.ledger.update_many({"run": run}, {"$set": {"state": "done", "finished_at": at}})


def peer(sites: list[Site], each: int) -> tuple[float, float, QuarterSummary]:
    """Score the quarter from columns in memory; returns seconds, peak memory in MB and the summary."""
    rows = [row for site in sites for row in drawn(site, each)]
    frame = pl.DataFrame(rows, schema=["site_id", "rule", "outcome", "number"], orient="row")
    del rows
    started = time.perf_counter()
    counted = frame.group_by("site_id", "rule", "outcome").len()
    counts: dict[str, dict[str, dict[tuple[Outcome, str], int]]] = {site.site_id: {} for site in sites}
    for site_id, rule, outcome, number in counted.iter_rows():
        counts[site_id].setdefault(rule, {})[Outcome(outcome), ""] = number
    codes = frozenset(bound(EDITION))
    scores = [
        score_counts(site, counts[site.site_id], EDITION, bound=codes, quarter=QUARTER) for site in sites
    ]
    summary = summarise(scores, sites)
    return time.perf_counter() - started, _resident(), summary


def _resident() -> float:
    """Return the peak resident memory of this process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def job(uri: str) -> tuple[float, float, QuarterSummary]:
    """Run the score job; returns seconds, peak memory in MB and the summary."""
    db = connect(uri)
    started = time.perf_counter()
    summary = score_quarter(db, QUARTER, EDITION)
    seconds = time.perf_counter() - started
    db.client.close()
    return seconds, _resident(), summary


def _alone(work: Callable[..., tuple[float, float, QuarterSummary]], *given: Any) -> Any:
    """Run a measurement in a process of its own, so that the memory is its own too."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *given).result()


def _peak(servers: list[psutil.Process]) -> float:
    """Return the highest memory of the database so far in MB."""
    lines = [line for one in servers for line in Path(f"/proc/{one.pid}/status").read_text().splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def _servers(folder: str) -> list[psutil.Process]:
    """Return the embedded database of a folder; none when another MongoDB was named."""
    found = psutil.process_iter(["cmdline"])
    return [one for one in found if any(folder in part for part in one.info["cmdline"] or ())]


def measure(sites: list[Site], each: int, mongo: str | None) -> dict[str, Any]:
    """Measure the job, once on the counts it finds and once without any, and the peer; compare results."""
    with tempfile.TemporaryDirectory(prefix="bench-score-") as folder, resolve(mongo, Path(folder)) as uri:
        db = connect(uri)
        started = time.perf_counter()
        fill(db, sites, each)
        filled = time.perf_counter() - started
        servers = _servers(folder)
        seconds, job_mb, summary = _alone(job, uri)
        server_mb = _peak(servers)
        db.tallies.delete_many({})
        recount_seconds, _, again = _alone(job, uri)
        recount_mb = _peak(servers)
        db.client.close()
    peer_seconds, peer_mb, other = _alone(peer, sites, each)
    assert other == summary == again, "the job and polars come to different results"
    return {
        "sites": len(sites),
        "findings": len(sites) * each,
        "seconds": round(seconds, 2),
        "recount_seconds": round(recount_seconds, 2),
        "fill_seconds": round(filled),
        "peer": "polars",
        "peer_seconds": round(peer_seconds, 2),
        "ratio": round(seconds / peer_seconds, 2),
        "job_mb": round(job_mb),
        "server_mb": round(server_mb),
        "recount_server_mb": round(recount_mb),
        "peer_mb": round(peer_mb),
        "load": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    """Run one size, print its figures and keep them under the key `score`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sites", type=int, default=540)
    parser.add_argument("--findings", type=int, default=400, help="findings a site")
    parser.add_argument("--mongo", default=None, metavar="URI")
    parser.add_argument("--no-write", action="store_true", help="leave bench/results.json alone")
    given = parser.parse_args()
    figures = measure(roster(given.sites), given.findings, given.mongo)
    name = "score" if given.sites == 540 else f"score_{given.sites}"
    if not given.no_write:
        results.write(name, figures)
    print(name, figures)


if __name__ == "__main__":
    main()
