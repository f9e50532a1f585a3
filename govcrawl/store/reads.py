"""What commands read and the score writes: findings of a quarter, scores, the state of a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from heapq import merge
from typing import Any

from gridfs import GridFSBucket
from gridfs.errors import NoFile
from pymongo import ASCENDING, DESCENDING

from govcrawl.store.blobs import BUCKET, Blob
from govcrawl.store.client import Document, Sync, connect, replace_all
from govcrawl.store.ledger import counts as run_counts

__all__ = [
    "by_id",
    "complete_runs",
    "connect",
    "decisions",
    "failed_sites",
    "findings",
    "findings_of_run",
    "freeze",
    "frozen",
    "imported",
    "inspected",
    "inspections",
    "latest_run",
    "quarters",
    "rows_of",
    "run_counts",
    "run_of",
    "runs",
    "save_import",
    "save_scores",
    "save_summary",
    "scores",
    "sites_of_run",
    "stored_bytes",
    "summary",
]

AT_ONCE = 1000  # documents a query


def latest_run(db: Sync, quarter: str) -> str | None:
    """Return the id of the quarter's run that was started last."""
    query = {"quarter": quarter, "source": None}  # a recheck is no inspection
    run = db.runs.find_one(query, {"_id": 1}, sort=[("started_at", DESCENDING)])
    return str(run["_id"]) if run else None


def complete_runs(db: Sync) -> list[str]:
    """Return the ids of all complete runs, oldest first."""
    return [str(run["_id"]) for run in db.runs.find({"state": "complete"}, {"_id": 1}).sort("started_at", 1)]


def run_of(db: Sync, run: str) -> Document | None:
    """Return the document of a run, its monitoring point `at` with the time zone it was given in."""
    doc = db.runs.find_one({"_id": run})
    return doc and doc | {"at": datetime.fromisoformat(doc["at"])}


def sites_of_run(db: Sync, run: str) -> list[Document]:
    """Return the ledger rows of a run in order."""
    return db.ledger.find({"run": run}).sort("order", ASCENDING).to_list()


def failed_sites(db: Sync, run: str) -> list[tuple[str, str]]:
    """Return (site_id, reason) of the sites that could not be inspected, in order."""
    rows = db.ledger.find({"run": run, "state": "failed"}).sort("order", ASCENDING)
    return [(row["site_id"], row["reason"]) for row in rows]


def inspected(db: Sync, quarter: str) -> dict[str, str]:
    """Return the newest finished inspection of each site in the quarter: site_id -> run id."""
    query = {"quarter": quarter, "state": "done", "source": None}
    rows = db.ledger.find(query, {"site_id": 1, "run": 1, "finished_at": 1})
    return {row["site_id"]: row["run"] for row in rows.sort("finished_at", ASCENDING)}


def rows_of(db: Sync, quarter: str) -> Iterator[Document]:
    """Yield the ledger rows of the quarter's finished inspections in the order of the roster."""
    query = {"quarter": quarter, "state": "done", "source": None}
    yield from db.ledger.find(query, {"site_id": 1, "run": 1, "site": 1}).sort(
        [("order", ASCENDING), ("site_id", ASCENDING)]
    )


def findings(
    db: Sync, quarter: str, site: str | None = None, rule: str | None = None, outcome: str | None = None
) -> Iterator[Document]:
    """Yield the findings of each site's newest finished inspection, by site, rule and finding_id.

    So the order does not depend on when or by whom a site was inspected. What a rule came to after the crawl
    (V2 by a week's visits, a decision that was typed) stands for what the inspection could say of it.
    """
    newest = inspected(db, quarter)
    query: Document = {"quarter": quarter}
    if site is not None:
        query["site_id"] = site
    if rule is not None:
        query["rule"] = rule
    later = [doc for doc in db.late_findings.find(query) if doc["site_id"] in newest]
    replaced = {(doc["site_id"], doc["rule"]) for doc in later}
    if outcome is not None:
        query["outcome"] = outcome
        later = [doc for doc in later if doc["outcome"] == outcome]
    order = [("site_id", ASCENDING), ("rule", ASCENDING), ("finding_id", ASCENDING)]
    own = (
        doc
        for doc in db.findings.find(query).sort(order)
        if newest.get(doc["site_id"]) == doc["run"] and (doc["site_id"], doc["rule"]) not in replaced
    )
    yield from merge(own, sorted(later, key=_place), key=_place)


def _place(doc: Document) -> tuple[str, str, str]:
    return doc["site_id"], doc["rule"], doc["finding_id"]


def runs(db: Sync, quarter: str | None = None) -> list[Document]:
    """Return the runs of a quarter, or all, oldest first."""
    query = {} if quarter is None else {"quarter": quarter}
    return db.runs.find(query).sort("started_at", ASCENDING).to_list()


def inspections(db: Sync, quarter: str) -> dict[str, list[str]]:
    """Return the finished inspections of each site in the quarter, oldest first: site_id -> run ids."""
    found: dict[str, list[str]] = {}
    query = {"quarter": quarter, "state": "done", "source": None}  # no recheck that is under way
    rows = db.ledger.find(query, {"site_id": 1, "run": 1, "finished_at": 1})
    for row in rows.sort("finished_at", ASCENDING):
        found.setdefault(row["site_id"], []).append(row["run"])
    return found


def findings_of_run(
    db: Sync, quarter: str, site_id: str, run: str, outcome: str | None = None
) -> list[Document]:
    """Return the findings of one site in one run."""
    query = {"quarter": quarter, "site_id": site_id, "run": run}
    if outcome is not None:
        query["outcome"] = outcome
    return db.findings.find(query).sort("finding_id", ASCENDING).to_list()


def decisions(db: Sync, quarter: str) -> dict[str, dict[str, str]]:
    """Return the newest decision on each finding of the quarter: site_id -> finding_id -> decision."""
    found: dict[str, dict[str, str]] = {}
    for doc in db.verdicts.find({"quarter": quarter}).sort("seq", ASCENDING):
        found.setdefault(doc["site_id"], {})[doc["finding_id"]] = doc["decision"]
    return found


def by_id(db: Sync, ids: Sequence[str], names: Sequence[str] = ()) -> Iterator[Document]:
    """Yield the stored findings with these `_id`s, whole or only the named fields."""
    chosen = dict.fromkeys(names, 1) or None
    for start in range(0, len(ids), AT_ONCE):
        yield from db.findings.find({"_id": {"$in": list(ids[start : start + AT_ONCE])}}, chosen)


def freeze(db: Sync, quarter: str, version: int) -> None:
    """Copy the quarter's scores, inside the database, to where later versions leave them alone."""
    copied = {"_id": {"$concat": [f"{version}:", "$_id"]}, "version": {"$literal": version}}
    target = {"into": "frozen_scores", "on": "_id", "whenMatched": "replace", "whenNotMatched": "insert"}
    db.scores.aggregate([{"$match": {"quarter": quarter}}, {"$set": copied}, {"$merge": target}])
    kept = db.summaries.find_one({"_id": quarter})
    if kept is not None:
        key = {"_id": f"{version}:{quarter}"}
        db.frozen_summaries.replace_one(
            key, {**kept, **key, "quarter": quarter, "version": version}, upsert=True
        )


def frozen(db: Sync, quarter: str) -> list[Document]:
    """Return the summaries of the quarter's frozen versions, oldest first."""
    return db.frozen_summaries.find({"quarter": quarter}, {"_id": 0}).sort("version", ASCENDING).to_list()


def save_scores(db: Sync, quarter: str, scores: Iterable[Mapping[str, Any]]) -> None:
    """Make these the quarter's scores; each needs a `site_id`, Decimals stay exact."""
    docs = ({**score, "_id": f"{quarter}:{score['site_id']}", "quarter": quarter} for score in scores)
    replace_all(db.scores, {"quarter": quarter}, docs)


def scores(db: Sync, quarter: str, site: str | None = None) -> Iterator[Document]:
    """Yield the quarter's scores in the order of site_id, without the store's own key."""
    query = {"quarter": quarter} | ({"site_id": site} if site is not None else {})
    yield from db.scores.find(query, {"_id": 0}).sort("site_id", ASCENDING)


def save_summary(db: Sync, quarter: str, summary: Mapping[str, Any]) -> None:
    """Make this the quarter's summary."""
    db.summaries.replace_one({"_id": quarter}, dict(summary), upsert=True)


def summary(db: Sync, quarter: str) -> Document | None:
    """Return the quarter's summary, if it has been computed."""
    return db.summaries.find_one({"_id": quarter}, {"_id": 0})


def save_import(db: Sync, quarter: str, kind: str, doc: Mapping[str, Any]) -> None:
    """Make this the quarter's import of a kind, in one write: there is never half an import."""
    key = {"_id": f"{quarter}:{kind}"}
    db.imports.replace_one(key, {**doc, "quarter": quarter, "kind": kind}, upsert=True)


def imported(db: Sync, quarter: str, kind: str) -> Document | None:
    """Return the quarter's import of a kind, if there is one."""
    return db.imports.find_one({"_id": f"{quarter}:{kind}"}, {"_id": 0})


def quarters(db: Sync) -> list[str]:
    """Return the quarters with scores or imported totals, oldest first."""
    found = set(db.scores.distinct("quarter")) | set(db.imports.distinct("quarter", {"kind": "totals"}))
    return sorted(found)


def stored_bytes(db: Sync, sha256: str) -> bytes | None:
    """Return the bytes stored under a hash, from a document or a GridFS file; None when there are none."""
    doc = db.blobs.find_one({"_id": sha256})
    if doc is not None and doc.get("data") is not None:
        return Blob(doc["data"], doc["enc"], doc["size"]).data
    try:
        return GridFSBucket(db, bucket_name=BUCKET).open_download_stream(sha256).read()
    except NoFile:
        return None
