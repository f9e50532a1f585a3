"""What rules came to after the crawl: by a week of visits, imported messages, decisions a person typed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pymongo import DeleteOne, ReplaceOne

from govcrawl.items import Finding
from govcrawl.store.client import Document, Sync
from govcrawl.store.records import finding_doc, key

AT_ONCE = 5000  # documents a write


def save(db: Sync, quarter: str, findings: Iterable[Finding], runs: Mapping[str, str]) -> None:
    """Make these all the quarter's findings made after the crawl; each stands under its site's run."""
    named = ((key(quarter, "late", one.finding_id), one) for one in findings)
    docs = {name: finding_doc(one, runs[one.site_id]) | {"_id": name} for name, one in named}
    old = [doc["_id"] for doc in db.late_findings.find({"quarter": quarter}, {"_id": 1})]
    writes: list[ReplaceOne[Document] | DeleteOne] = [
        ReplaceOne({"_id": name}, doc, upsert=True) for name, doc in docs.items()
    ]
    writes += [DeleteOne({"_id": name}) for name in old if name not in docs]
    for start in range(0, len(writes), AT_ONCE):
        db.late_findings.bulk_write(writes[start : start + AT_ONCE], ordered=False)
