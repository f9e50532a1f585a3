"""What people decided on findings: append-only, each record chained to the one before by its hash."""

from __future__ import annotations

from pymongo.errors import DuplicateKeyError

from govcrawl.items import GovcrawlError
from govcrawl.store import reads
from govcrawl.store.client import Document, Sync, server_time
from govcrawl.store.integrity import chained
from govcrawl.store.records import key


def decide(db: Sync, quarter: str, finding_id: str, decision: str, *, reviewer: str, note: str) -> Document:
    """Append a decision on a finding of the quarter's newest inspections and return it.

    A later decision on the same finding stands for the earlier one, which stays on record. The time is the
    database's. Raises GovcrawlError where no such finding counts.
    """
    site_id = _site_of(db, quarter, finding_id)
    body = {
        "quarter": quarter,
        "site_id": site_id,
        "finding_id": finding_id,
        "decision": decision,
        "reviewer": reviewer,
        "note": note,
        "decided_at": server_time(db),
    }
    while True:
        previous = db.verdicts.find_one({"hash": {"$exists": True}}, sort=[("seq", -1)])
        place = previous["seq"] + 1 if previous else 0
        doc = chained(previous, body | {"_id": f"{place:012}"})
        try:
            db.verdicts.insert_one(doc)
        except DuplicateKeyError:  # another reviewer took this place in the chain
            continue
        return doc


def _site_of(db: Sync, quarter: str, finding_id: str) -> str:
    newest = reads.inspected(db, quarter)
    ids = [key(run, finding_id) for run in sorted(set(newest.values()))]
    for doc in reads.by_id(db, ids, ("site_id", "run")):
        if newest.get(doc["site_id"]) == doc["run"]:
            return str(doc["site_id"])
    later = db.late_findings.find_one({"quarter": quarter, "finding_id": finding_id}, {"site_id": 1})
    if later is not None:
        return str(later["site_id"])
    hint = f"govcrawl findings --quarter {quarter} --format jsonl"
    raise GovcrawlError(f"quarter {quarter}: no finding {finding_id}; see: {hint}")
