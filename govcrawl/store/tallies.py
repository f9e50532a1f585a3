"""Counts of findings by rule and outcome, kept beside them: the score reads these instead of every finding.

A tally belongs to one site of one run. It is removed before the findings it counts are written and stored
after them, so a killed worker leaves none rather than a wrong one. The score compares the number of findings
with the sum of all tallies; where they differ, the database counts everything again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pymongo

from govcrawl.store.client import Document, Sync, replace_all

SITES = 50  # sites counted by one query: the embedded server holds their findings in memory
LONG = 600.0  # seconds: the embedded server counts millions of documents one by one


def tallied(run: str, docs: Iterable[Mapping[str, Any]]) -> list[Document]:
    """Return the tallies of findings of one run; one for each site and edition.

    A document with `n` stands for so many findings.
    """
    found: dict[tuple[str, str, str], Counter[tuple[str, str]]] = {}
    for doc in docs:
        own = found.setdefault((doc["quarter"], doc["site_id"], doc["edition"]), Counter())
        own[doc["rule"], doc["outcome"]] += doc.get("n", 1)
    return [
        {
            "_id": f"{run}:{site_id}:{edition}",
            "run": run,
            "quarter": quarter,
            "site_id": site_id,
            "edition": edition,
            "findings": counts.total(),
            "counts": [[*key, counts[key]] for key in sorted(counts)],
        }
        for (quarter, site_id, edition), counts in sorted(found.items())
    ]


def current(db: Sync) -> bool:
    """Tell whether every stored finding is counted: none was added or removed but by its writer."""
    with pymongo.timeout(LONG):
        stored = db.findings.estimated_document_count()
    sums = db.tallies.aggregate([{"$group": {"_id": None, "findings": {"$sum": "$findings"}}}]).to_list()
    return bool(stored == (sums[0]["findings"] if sums else 0))


def recount(db: Sync) -> None:
    """Count all findings again inside the database, a part of each run's sites at a time."""
    runs: dict[str, set[str]] = {}
    for row in db.ledger.find({}, {"run": 1, "site_id": 1}):
        runs.setdefault(row["run"], set()).add(row["site_id"])
    db.tallies.delete_many({"run": {"$nin": sorted(runs)}})
    for run in sorted(runs):
        order = sorted(runs[run])
        for start in range(0, len(order), SITES):
            _recount(db, run, order[start : start + SITES])


def _recount(db: Sync, run: str, site_ids: Sequence[str]) -> None:
    mine = {"run": run, "site_id": {"$gte": site_ids[0], "$lte": site_ids[-1]}}
    each = {name: f"${name}" for name in ("quarter", "site_id", "edition", "rule", "outcome")}
    stages: list[Document] = [{"$match": mine}, {"$group": {"_id": each, "n": {"$sum": 1}}}]
    counted = db.findings.aggregate(stages, allowDiskUse=True)
    replace_all(db.tallies, mine, tallied(run, (doc["_id"] | {"n": doc["n"]} for doc in counted)))


def read(db: Sync, edition: str, newest: Mapping[str, str]) -> Iterator[tuple[str, list[list[Any]]]]:
    """Yield (site_id, [[rule, outcome, number], ...]) of the sites' given runs, in no order."""
    query = {"run": {"$in": sorted(set(newest.values()))}, "edition": edition}
    for doc in db.tallies.find(query, {"_id": 0, "run": 1, "site_id": 1, "counts": 1}):
        if newest.get(doc["site_id"]) == doc["run"]:
            yield doc["site_id"], doc["counts"]


def problems(db: Sync) -> Iterator[str]:
    """Yield the tallies that do not say what the findings they count say."""
    for doc in db.tallies.find().sort("_id", 1):
        query = {name: doc[name] for name in ("run", "site_id", "edition")}
        wanted = tallied(doc["run"], db.findings.find(query))
        if wanted != [doc]:
            yield f"tally {doc['_id']}: is not what its findings add up to; run: govcrawl score --recount"
