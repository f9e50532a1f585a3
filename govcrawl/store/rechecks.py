"""Runs over stored evidence: they have ledger rows, findings and links tried again, but no pages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pymongo import ReplaceOne
from pymongo.errors import DuplicateKeyError

from govcrawl.items import GovcrawlError, LinkCheck
from govcrawl.store.blobs import keep
from govcrawl.store.client import Document, Sync, server_time
from govcrawl.store.evidence import link_runs, source_of
from govcrawl.store.records import link_doc, link_of

AT_ONCE = 1000  # documents a write


def open_recheck(
    db: Sync,
    source: str,
    sites: Sequence[str],
    edition: str = "",
    *,
    file: bytes | None = None,
    relink: bool = False,
) -> tuple[str, str]:
    """Open "<run>r<n>" over sites of a run; returns its id and the run whose pages it reads.

    It goes by what its source went by, unless another edition and its file are given. The source of a
    recheck that was kept is the run that fetched the pages. With `relink` the new run's own
    links come before those the source rests on.
    """
    pages = source_of(db, source)
    doc = db.runs.find_one({"_id": pages})
    if doc is None:
        raise GovcrawlError(f"run {pages} is not in the database")
    kept = {name: doc[name] for name in ("quarter", "at", "settings")}
    before = db.runs.find_one({"_id": source}) or doc
    inputs = before.get("inputs", {}) | ({} if file is None else {"edition": keep(db, file)})
    started, links = server_time(db), link_runs(db, source)
    while True:
        taken = [str(run["_id"]) for run in db.runs.find({"source": pages}, {"_id": 1})]
        numbers = [int(found[1]) for one in taken if (found := re.search(r"r(\d+)$", one))]
        run = f"{pages}r{max(numbers, default=0) + 1}"
        record = kept | {
            "_id": run,
            "edition": edition or before["edition"],
            "inputs": inputs,
            "roster_sha": f"recheck of {pages}",
            "sites": sorted(sites),
            "source": pages,
            "links": [run, *links] if relink else links,
            "started_at": started,
            "finished_at": None,
            "state": "open",
        }
        try:
            db.runs.insert_one(record)
        except DuplicateKeyError:  # another command was faster
            continue
        if file is not None:
            keep(db, file)  # a sweep that saw no open run yet may just have removed it
        return run, pages


def site_records(db: Sync, run: str, site_id: str) -> list[Document]:
    """Return a run's findings of a site without what names the run, in the order of finding_id."""
    docs = db.findings.find({"run": run, "site_id": site_id}, {"_id": 0, "run": 0})
    return docs.sort("finding_id", 1).to_list()


def adopt(db: Sync, run: str) -> None:
    """Make a recheck's findings the results of its sites."""
    db.ledger.update_many({"run": run}, {"$unset": {"source": ""}})


def drop(db: Sync, run: str) -> None:
    """Remove a recheck that was only to be compared."""
    for name in ("findings", "links", "tallies", "seals", "ledger"):
        db[name].delete_many({"run": run})
    db.runs.delete_one({"_id": run})


def links_of(db: Sync, run: str) -> Iterator[LinkCheck]:
    """Yield the newest verdict on each link target a run rests on."""
    seen: set[str] = set()
    for place in link_runs(db, run):
        for doc in db.links.find({"run": place, "state": "done"}):
            if doc["target"] not in seen:
                seen.add(doc["target"])
                yield link_of(doc)


def keep_links(db: Sync, run: str, checks: Sequence[LinkCheck]) -> None:
    """Store verdicts of a later pass as those of its run."""
    docs = [link_doc(check, run) for check in checks]
    for start in range(0, len(docs), AT_ONCE):
        writes = [ReplaceOne({"_id": doc["_id"]}, doc, upsert=True) for doc in docs[start : start + AT_ONCE]]
        db.links.bulk_write(writes, ordered=False)
