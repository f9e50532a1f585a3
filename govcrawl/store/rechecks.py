"""Runs over stored evidence: they have ledger rows and findings of their own, but no pages and no links."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pymongo.errors import DuplicateKeyError

from govcrawl.items import GovcrawlError
from govcrawl.store.client import Document, Sync, clock
from govcrawl.store.evidence import source_of


def open_recheck(db: Sync, source: str, sites: Sequence[str], edition: str) -> tuple[str, str]:
    """Open "<run>r<n>" over sites of a run; returns its id and the run whose pages it reads.

    The source of a recheck that was kept is the run that fetched the pages.
    """
    pages = source_of(db, source)
    doc = db.runs.find_one({"_id": pages})
    if doc is None:
        raise GovcrawlError(f"run {pages} is not in the database")
    kept = {name: doc[name] for name in ("quarter", "at", "settings")}
    started = clock(db.command("hello"))
    while True:
        taken = [str(run["_id"]) for run in db.runs.find({"source": pages}, {"_id": 1})]
        numbers = [int(found[1]) for one in taken if (found := re.search(r"r(\d+)$", one))]
        run = f"{pages}r{max(numbers, default=0) + 1}"
        record = kept | {
            "_id": run,
            "edition": edition,
            "roster_sha": f"recheck of {pages}",
            "sites": sorted(sites),
            "source": pages,
            "started_at": started,
            "finished_at": None,
            "state": "open",
        }
        try:
            db.runs.insert_one(record)
        except DuplicateKeyError:  # another command was faster
            continue
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
    for name in ("findings", "tallies", "seals", "ledger", "ledger_log"):
        db[name].delete_many({"run": run})
    db.runs.delete_one({"_id": run})
