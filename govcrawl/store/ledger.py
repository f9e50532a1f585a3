"""The work ledger: which site of a run is planned, leased to a worker, done or failed with a reason.

Rows change by single atomic updates that name the expected owner, so two workers never hold one site. Each
change is an entry of the row's own `log`, written by the update that makes it: neither is ever without the
other. The server's clock decides about leases; workers' clocks may differ.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from pymongo import ASCENDING, DESCENDING, ReturnDocument, UpdateOne
from pymongo.errors import DuplicateKeyError

from govcrawl.items import GovcrawlError, Site
from govcrawl.store.blobs import keep
from govcrawl.store.client import Async, Document, Sync, clock, server_time
from govcrawl.store.patience import patient

ALONE_AFTER = 5  # crashes: from here on a site is only given to a worker with nothing else to lose
FAILED_AFTER = 10  # crashes

STEP = {"seq": 1}  # what each transition adds to its row
RELEASED = {"holds": "", "job.stop": ""}  # what a row loses with its lease (`$unset`): see queue.py
UNDER_WORK = {"$in": ["planned", "leased"]}  # states of a row with work left


@patient.sync
def open_run(
    db: Sync,
    quarter: str,
    *,
    at: datetime,
    edition: str,
    roster_sha: str,
    site_ids: Iterable[str],
    settings: Mapping[str, Any] | None = None,
    inputs: Mapping[str, bytes] | None = None,
) -> str:
    """Return the id of the unfinished run with the same parameters, or start "<quarter>-<n+1>".

    A new run abandons the unfinished ones it covers (same quarter, no site beyond its own); inspecting one
    site again leaves the province's run as it is. `inputs` are the files it goes by, kept with it.
    """
    sites = sorted(set(site_ids))
    kept = {name: keep(db, data) for name, data in (inputs or {}).items()}
    same = {
        "quarter": quarter,
        "at": at.isoformat(),
        "edition": edition,
        "roster_sha": roster_sha,
        "sites": sites,
        "inputs": kept,
    }
    unfinished = list(db.runs.find({"quarter": quarter, "state": {"$in": ["open", "incomplete"]}}))
    for run in sorted(unfinished, key=_number, reverse=True):
        if all(run.get(key, {}) == value for key, value in same.items()):
            db.runs.update_one({"_id": run["_id"]}, {"$set": {"state": "open", "finished_at": None}})
            _keep_again(db, inputs)
            return str(run["_id"])
    covered = [run["_id"] for run in unfinished if set(run["sites"]) <= set(sites)]
    run_id = _insert_run(db, same | {"settings": dict(settings or {})})
    _keep_again(db, inputs)
    ended = {"state": "abandoned", "finished_at": server_time(db)}
    db.runs.update_many({"_id": {"$in": covered}}, {"$set": ended})
    return run_id


@patient.sync
def plan(db: Sync, run: str, sites: Sequence[Site], extra: Mapping[str, Document] | None = None) -> int:
    """Write the run's ledger rows in the order of the sites, keep those there; returns how many are new.

    `extra` gives further fields of a new row by its site_id.
    """
    doc = _run(db, run)
    more = extra or {}
    rows = [_row(doc, order, site) | more.get(site.site_id, {}) for order, site in enumerate(sites)]
    if not rows:
        return 0
    upserts = [UpdateOne({"_id": row["_id"]}, {"$setOnInsert": row}, upsert=True) for row in rows]
    return db.ledger.bulk_write(upserts, ordered=False).upserted_count


@patient.sync
def release_owner(db: Sync, run: str, owner: str, *, crashed: bool = True) -> int:
    """Give back what a worker that ended still held, sites and claims on links; returns how many sites."""
    now = server_time(db)
    rows = list(db.ledger.find({"run": run, "state": "leased", "owner": owner}))
    for row in rows:
        held, update = _giving_back(row, now, crashed=crashed)
        db.ledger.update_one(held, update)
    db.links.update_many({"run": run, "owner": owner, "state": "claimed"}, {"$set": {"until": now}})
    return len(rows)


@patient.sync
def counts(db: Sync, run: str) -> dict[str, int]:
    """Return how many sites of the run are planned, leased, done and failed."""
    found = {"planned": 0, "leased": 0, "done": 0, "failed": 0}
    stages: list[Document] = [{"$match": {"run": run}}, {"$group": {"_id": "$state", "n": {"$sum": 1}}}]
    return found | {row["_id"]: row["n"] for row in db.ledger.aggregate(stages)}


@patient.sync
def pages_so_far(db: Sync, run: str) -> int:
    """Return about how many pages are stored: counted for sites taken up, as recorded for those done.

    Counting all pages of a run every few seconds takes a database longer than storing them.
    """
    done: list[Document] = [
        {"$match": {"run": run, "state": "done"}},
        {"$group": {"_id": None, "pages": {"$sum": "$counts.pages"}}},
    ]
    recorded: int = sum(row["pages"] for row in db.ledger.aggregate(done))
    taken_up = {"run": run, "state": {"$ne": "done"}, "attempts": {"$gt": 0}}
    at_work = db.ledger.distinct("site_id", taken_up)
    return recorded + db.pages.count_documents({"run": run, "site_id": {"$in": at_work}})


@patient.sync
def finish_run(db: Sync, run: str) -> str:
    """Close the run: `complete` when each planned site is done or failed with a reason, else `incomplete`."""
    open_rows = db.ledger.count_documents({"run": run, "state": UNDER_WORK})
    unexplained = db.ledger.count_documents({"run": run, "state": "failed", "reason": ""})
    state = "incomplete" if open_rows or unexplained else "complete"
    db.runs.update_one({"_id": run}, {"$set": {"state": state, "finished_at": server_time(db)}})
    return state


class Ledger:
    """A worker's side of the ledger; every call waits through a restart of the database."""

    def __init__(self, db: Async) -> None:
        self.db = db

    async def lease(self, run: str, owner: str, seconds: float, *, alone: bool) -> Document | None:
        """Take the first free site and return its row, or nothing when none is free now.

        `alone` says that the worker has no other site: only then it may get one that crashed its workers
        before (`crashes` >= ALONE_AFTER), and must not take another beside it.
        """
        ticket = uuid.uuid4().hex
        now = await self._now()
        await self._expire(run, now)
        return await patient(lambda: self._take(run, owner, ticket, now, seconds, alone=alone))

    async def confirm(self, run: str, site_id: str, owner: str, seconds: float) -> Document | None:
        """Take over the lease a node has made out to this crawl; nothing when it is somebody else's now."""
        now = await self._now()
        mine = {"_id": _key(run, site_id), "state": "leased", "owner": owner}
        update = {"$set": {"until": now + timedelta(seconds=seconds)}} | noted("started", owner, now)
        return await patient(lambda: self.db.ledger.find_one_and_update(mine, update))

    async def renew(self, run: str, owner: str, seconds: float) -> set[str]:
        """Prolong all leases of this worker; returns the site_ids that are still its own."""
        now = await self._now()
        mine = {"run": run, "state": "leased", "owner": owner}
        until = now + timedelta(seconds=seconds)
        await patient(lambda: self.db.ledger.update_many(mine, {"$set": {"until": until}}))
        rows = await patient(lambda: self.db.ledger.find(mine, {"site_id": 1}).to_list())
        return {row["site_id"] for row in rows}

    async def pages_before(self, run: str, site_id: str) -> int:
        """Return how many pages the site had in the last complete run but this; 0 when it was in none."""
        others = {"state": "complete", "_id": {"$ne": run}, "source": None}
        newest = [("started_at", DESCENDING)]
        last = await patient(lambda: self.db.runs.find_one(others, {"_id": 1}, sort=newest))
        if last is None:
            return 0
        key = {"_id": _key(last["_id"], site_id)}
        row = await patient(lambda: self.db.ledger.find_one(key, {"counts": 1}))
        return int(row["counts"].get("pages", 0)) if row else 0

    async def unfinished(self, run: str) -> int:
        """Return how many sites of the run are still planned or leased."""
        open_rows = {"run": run, "state": UNDER_WORK}
        return await patient(lambda: self.db.ledger.count_documents(open_rows))

    async def done(self, run: str, site_id: str, owner: str, counts: Mapping[str, int]) -> bool:
        """Record a site as inspected, after flushing the writer; False when somebody else has the lease."""
        return await self._finish(
            run, site_id, owner, {"state": "done", "reason": "", "counts": dict(counts)}
        )

    async def fail(self, run: str, site_id: str, owner: str, reason: str) -> bool:
        """Record a site as not inspectable; False when somebody else has the lease."""
        if not reason:
            raise GovcrawlError(f"{site_id}: a failure needs a reason")
        return await self._finish(run, site_id, owner, {"state": "failed", "reason": reason})

    async def _take(
        self, run: str, owner: str, ticket: str, now: datetime, seconds: float, *, alone: bool
    ) -> Document | None:
        # A try whose answer was lost has left its ticket: without it the site would stay ours unnoticed.
        taken = await self.db.ledger.find_one(
            {"run": run, "state": "leased", "owner": owner, "ticket": ticket}
        )
        if taken is not None:
            return taken
        lease = {
            "state": "leased",
            "owner": owner,
            "ticket": ticket,
            "until": now + timedelta(seconds=seconds),
        }
        for crashes in ({"$lt": ALONE_AFTER}, {"$gte": ALONE_AFTER}) if alone else ({"$lt": ALONE_AFTER},):
            row: Document | None = await self.db.ledger.find_one_and_update(
                {"run": run, "state": "planned", "crashes": crashes},
                {"$set": lease} | noted("leased", owner, now, attempts=1),
                sort=[("order", ASCENDING)],
                return_document=ReturnDocument.AFTER,
            )
            if row is not None:
                return row
        return None

    async def _expire(self, run: str, now: datetime) -> None:
        late = {"run": run, "state": "leased", "until": {"$lt": now}}
        for row in await patient(lambda: self.db.ledger.find(late).to_list()):
            # Whoever let it run out hung or died on it: it counts like a crash.
            held, update = _giving_back(row, now, crashed=True, event="expired")
            await patient(lambda held=held, update=update: self.db.ledger.update_one(held, update))  # type: ignore[misc]

    async def _finish(self, run: str, site_id: str, owner: str, fields: Document) -> bool:
        now = await self._now()
        key = {"_id": _key(run, site_id), "owner": owner}
        change = {"$set": fields | {"until": None, "finished_at": now}, "$unset": RELEASED}
        update = change | noted(fields["state"], owner, now)
        held = key | {"state": "leased"}
        if (await patient(lambda: self.db.ledger.update_one(held, update))).modified_count:
            return True
        # A repeated call after a lost answer finds its own result.
        finished = key | {"state": fields["state"]}
        return await patient(lambda: self.db.ledger.find_one(finished, {"_id": 1})) is not None

    async def _now(self) -> datetime:
        hello = await patient(lambda: self.db.command("hello"))
        return clock(hello)


def noted(event: str, owner: str, at: datetime, **counts: int) -> Document:
    """Return the part of an update that logs a transition and counts it; `counts` are counted with it."""
    return {"$push": {"log": {"event": event, "owner": owner, "at": at}}, "$inc": counts | STEP}


def freeing(
    row: Document, now: datetime, event: str, fields: Document, failed: str = ""
) -> tuple[Document, Document]:
    """Return filter and update that free a leased row, to be taken again unless a reason `failed` it."""
    held = {"_id": row["_id"], "state": "leased", "owner": row["owner"], "until": row["until"]}
    fields = fields | {"owner": None, "until": None, "state": "planned"}
    if failed:
        event, fields = "failed", fields | {"state": "failed", "reason": failed, "finished_at": now}
    return held, {"$set": fields, "$unset": RELEASED} | noted(event, row["owner"], now)


def _giving_back(
    row: Document, now: datetime, *, crashed: bool, event: str = "released"
) -> tuple[Document, Document]:
    """Return filter and update that free a leased row, or fail it after too many crashes."""
    crashes = row["crashes"] + crashed
    failed = f"crashed its worker {crashes} times" if crashes >= FAILED_AFTER else ""
    return freeing(row, now, event, {"crashes": crashes}, failed)


def _keep_again(db: Sync, inputs: Mapping[str, bytes] | None) -> None:
    """Store a run's files once more: a sweep that saw no open run yet may just have removed them."""
    for data in (inputs or {}).values():
        keep(db, data)


def _insert_run(db: Sync, fields: Document) -> str:
    quarter = fields["quarter"]
    while True:
        taken = [_number(run) for run in db.runs.find({"quarter": quarter}, {"_id": 1})]
        run_id = f"{quarter}-{max(taken, default=0) + 1}"
        try:
            db.runs.insert_one(
                {"_id": run_id, "state": "open", "started_at": server_time(db), "finished_at": None} | fields
            )
        except DuplicateKeyError:  # another command was faster: take the next number
            continue
        return run_id


def _run(db: Sync, run: str) -> Document:
    doc = db.runs.find_one({"_id": run})
    if doc is None:
        raise GovcrawlError(f"no run {run} in the database")
    return doc


def _row(run: Document, order: int, site: Site) -> Document:
    # The sample of articles must be the same in a repeated or resumed run, on any machine.
    seed = hashlib.sha256(f"{run['quarter']}|{run['at']}|{site.site_id}".encode()).hexdigest()[:16]
    return {
        "_id": _key(run["_id"], site.site_id),
        "run": run["_id"],
        "quarter": run["quarter"],
        "site_id": site.site_id,
        "order": order,
        "state": "planned",
        "owner": None,
        "until": None,
        "crashes": 0,
        "attempts": 0,
        "reason": "",
        "seed": seed,
        "site": asdict(site) | {"allowed_hosts": list(site.allowed_hosts)},
        "counts": {},
        "finished_at": None,
        "log": [],
    } | ({"source": run["source"]} if run.get("source") else {})


def _key(run: str, site_id: str) -> str:
    return f"{run}:{site_id}"


def _number(run: Document) -> int:
    found = re.search(r"-(\d+)$", str(run["_id"]))
    return int(found[1]) if found else 0
