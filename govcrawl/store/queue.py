"""The cluster's queue over the ledger: nodes take sites, hold them while their crawl lives, give them back.

A ledger row is the job. Taking one also takes its holds, documents with fixed ids in `holds`: one for the
site, whichever run it is in, and one of N for the destination address. They end with the lease.

A run on the cluster has a document in `queues` whose `next` says from which row on sites may wait. Rows are
read from there in windows of bounded range: taking one costs the same with ten sites waiting or 14,000.
"""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from pymongo import ASCENDING, DESCENDING, ReturnDocument
from pymongo.errors import DuplicateKeyError

from govcrawl.items import GovcrawlError, Site
from govcrawl.store import ledger
from govcrawl.store.client import Document, Sync, clock
from govcrawl.store.patience import patient

SET_ASIDE_AFTER = 3  # crawl processes a job may take with it
LOST_AFTER = 6  # nodes a job may be lost with: a machine that reboots is not the job's fault
CANCELLED = "cancelled by the operator"
SILENT = timedelta(seconds=60)  # a node that has not been heard of for so long is taken for lost
_TRIES = 5  # when other nodes are faster
_WINDOW = 16  # rows read at a time
_WINDOWS = 64  # windows looked through for a site that is free now
_PENDING = {"job": 1, "site_id": 1, "run": 1, "order": 1}
_UNREAD = {"site": 0, "counts": 0}


@dataclass(frozen=True, slots=True)
class Kind:
    """Which runs a node takes work of: those of its project, planned from the roster and edition it has."""

    project: str
    roster_sha: str = ""
    edition: str = ""

    def query(self) -> Document:
        """Return the filter of open runs this node can work for."""
        found: Document = {"open": True, "project": self.project, "paused": False}
        if self.roster_sha:
            found["roster_sha"] = self.roster_sha
        if self.edition:
            found["edition"] = self.edition
        return found


def enqueue(
    db: Sync,
    run: str,
    sites: Sequence[Site],
    *,
    project: str,
    priority: float = 0.0,
    per_address: int = 4,
    addresses: Mapping[str, str] | None = None,
    jobs: Mapping[str, Document] | None = None,
) -> int:
    """Plan the run's sites as jobs of the cluster; returns how many are new. Twice changes nothing.

    `addresses` gives the destination address of a site by its id; without one no ceiling holds for it.
    `jobs` gives a site's job by its id; by default the job is named after run and site.
    """
    extra = {
        site.site_id: {
            "address": (addresses or {}).get(site.site_id, ""),
            "job": (jobs or {}).get(site.site_id) or {"id": f"{run}-{site.site_id}"},
        }
        for site in sites
    }
    new = ledger.plan(db, run, sites, extra)
    doc = db.runs.find_one_and_update({"_id": run}, {"$set": {"state": "open", "finished_at": None}})
    fixed = {name: doc[name] for name in ("quarter", "roster_sha", "edition", "started_at")} if doc else {}
    told = {
        "project": project,
        "priority": priority,
        "per_address": per_address,
        "paused": False,
        "open": True,
    }
    told |= {"size": len(sites), "next": 0}
    change: Document = {"$set": fixed | told, "$inc": {"returned": 1}}
    db.queues.update_one({"_id": run}, change, upsert=True)
    recount(db, run)
    return new


def recount(db: Sync, run: str) -> None:
    """Count anew how many of a run's sites wait: a node that dies between two steps leaves it wrong."""
    waiting = db.ledger.count_documents({"run": run, "state": "planned"})
    db.queues.update_one({"_id": run}, {"$set": {"waiting": waiting}})


class Queue:
    """One node's side of the queue. Methods raise the driver's errors: whoever calls decides how to wait."""

    def __init__(self, db: Sync, node: str, kind: Kind, *, seconds: float = 120.0) -> None:
        self.db = db
        self.node = node
        self.kind = kind
        self.seconds = seconds
        self._taken: Counter[str] = Counter()  # since the last heartbeat, by run: one write instead of many
        self._counting = threading.Lock()  # what was taken is counted here or in the database, never twice

    def of(self, project: str) -> Queue:
        """Return the queue of another project on the same node."""
        found = Queue(self.db, self.node, replace(self.kind, project=project), seconds=self.seconds)
        found._taken, found._counting = self._taken, self._counting
        return found

    def now(self) -> datetime:
        """Return the server's time, which decides about leases."""
        return clock(self.db.command("hello"))

    # --- what waits -----------------------------------------------------------------------------------------

    def runs(self) -> list[Document]:
        """Return the queues of the open runs this node can work for, oldest run first."""
        return sorted(self.db.queues.find(self.kind.query()).to_list(), key=lambda one: one["started_at"])

    def count(self) -> int:
        """Return how many jobs wait."""
        with self._counting:
            return sum(max(0, one["waiting"] - self._taken[one["_id"]]) for one in self.runs())

    def pending(self) -> list[Document]:
        """Return what waits: by the priority of its run, then in the run's order."""
        rank = {one["_id"]: (-one["priority"], one["started_at"]) for one in self.runs()}
        rows = self.db.ledger.find({"run": {"$in": list(rank)}, "state": "planned"}, _PENDING).to_list()
        return sorted(rows, key=lambda row: (rank[row["run"]], row["order"]))

    def cancel(self, job: str, *, states: Sequence[str] = ("planned", "leased")) -> str | None:
        """Cancel a job and return the state it was in; a leased one fails when its crawl has ended."""
        row = self.db.ledger.find_one({"job.id": job, "state": {"$in": list(states)}})
        if row is None:
            return None
        if row["state"] == "leased":
            self.db.ledger.update_one({"_id": row["_id"]}, {"$set": {"job.cancelled": True}})
            return "leased"
        now = self.now()
        failed = {"state": "failed", "reason": CANCELLED, "finished_at": now}
        result = self.db.ledger.update_one(
            {"_id": row["_id"], "state": "planned"}, {"$set": failed, "$inc": ledger.STEP}
        )
        if not result.modified_count:
            return self.cancel(job, states=states)
        self.db.queues.update_one({"_id": row["run"]}, {"$inc": {"waiting": -1}})
        _log(self.db, row, "failed", self.node, now)
        return "planned"

    # --- taking ---------------------------------------------------------------------------------------------

    def take(self) -> Document | None:
        """Lease the next job to a new crawl of this node, or return nothing when none is free now."""
        for _ in range(_TRIES):
            now = self.now()
            found = self._choose(now)
            if found is None:
                return None
            row, slots = found
            owner = f"{self.node}/{row['site_id']}.{uuid.uuid4().hex[:8]}"
            until = now + timedelta(seconds=self.seconds)
            holder = {"owner": owner, "node": self.node, "run": row["run"], "until": until}
            if not self._hold(row, holder, slots, now):
                continue
            lease = {"state": "leased", "owner": owner, "node": self.node, "until": until, "leased_at": now}
            # `seq` says that the row is as it was read; an update by _id alone is the server's fastest.
            mine = {"_id": row["_id"], "state": "planned", "seq": row.get("seq")}
            change = {"$set": lease, "$inc": {"attempts": 1} | ledger.STEP}
            if not self.db.ledger.update_one(mine, change).modified_count:
                self.let_go(owner)
                continue
            with self._counting:
                self._taken[row["run"]] += 1
            _log(self.db, row, "leased", owner, now)
            return row | lease | {"attempts": row["attempts"] + 1, "seq": row.get("seq", 0) + 1}
        return None

    def _choose(self, now: datetime) -> tuple[Document, list[str]] | None:
        """Return the best free job, and the slots of its address that are free.

        Runs of higher priority come first, then those with the fewest sites under way.
        """
        queues = self.runs()
        if not queues:
            return None
        held = self.db.holds.find({"until": {"$gt": now}}).to_list()
        sites = {one["value"] for one in held if one["kind"] == "site"}
        addresses = Counter(one["value"] for one in held if one["kind"] == "address")
        under_way = Counter(one["run"] for one in held if one["kind"] == "site")
        names = {one["_id"] for one in held}
        queues.sort(key=lambda one: (-one["priority"], under_way[one["_id"]]))
        for one in queues:
            most = int(one["per_address"])
            full = {address for address, count in addresses.items() if count >= most}
            row = self._first(one, sites, full)
            if row is not None:
                slots = [f"address:{row.get('address')}:{slot}" for slot in range(most)]
                return row, [name for name in slots if name not in names]
        return None

    def _first(self, one: Document, sites: set[str], full: set[str]) -> Document | None:
        """Return a run's first waiting row that is free in all respects; moves `next` past what is done."""
        start = behind = int(one["next"])
        found = None
        for low in range(start, one["size"], _WINDOW)[:_WINDOWS]:
            span = {"$gte": low, "$lt": low + _WINDOW}
            rows = self.db.ledger.find(
                {"run": one["_id"], "state": "planned", "order": span}, _UNREAD
            ).to_list()
            rows.sort(key=lambda row: row["order"])
            free = (row for row in rows if row["site_id"] not in sites and row.get("address") not in full)
            found = next(free, None)
            if found is not None:
                break
            if not rows and behind == low:
                behind = low + _WINDOW
        if behind > start:  # unless a job came back meanwhile
            seen = {"_id": one["_id"], "next": start, "returned": one["returned"]}
            self.db.queues.update_one(seen, {"$set": {"next": behind}})
        return found

    def _hold(self, row: Document, holder: Document, slots: Sequence[str], now: datetime) -> bool:
        """Take the site's hold, and one of the address's free slots where the address is known."""
        site = {"kind": "site", "value": row["site_id"]} | holder
        if not self._grip(f"site:{row['site_id']}", site, now):
            return False
        address = {"kind": "address", "value": row.get("address") or ""} | holder
        if not address["value"] or any(self._grip(name, address, now) for name in slots):
            return True
        self.let_go(holder["owner"])
        return False

    def _grip(self, name: str, fields: Document, now: datetime) -> bool:
        try:
            self.db.holds.update_one({"_id": name, "until": {"$lte": now}}, {"$set": fields}, upsert=True)
        except DuplicateKeyError:  # somebody holds it: the upsert met the living document
            return False
        return True

    def let_go(self, owner: str) -> None:
        """Give up the holds of a crawl, and its claims on links."""
        self.db.holds.delete_many({"owner": owner})

    # --- giving back ----------------------------------------------------------------------------------------

    def ended(self, run: str, site_id: str, owner: str, reason: str) -> str:
        """Settle a job whose crawl process ended, for the reason given; returns the job's state.

        A crawl that acknowledged its site has left nothing to do. An empty reason is a node that stops.
        """
        self._free_links(run, owner)
        row = self.db.ledger.find_one({"_id": f"{run}:{site_id}"})
        if row is not None and row["state"] == "leased" and row["owner"] == owner:
            self._give_back(row, self.now(), reason, crashed=bool(reason), lost=False, event="released")
            row = self.db.ledger.find_one({"_id": row["_id"]})
        self.let_go(owner)
        return str(row["state"]) if row else ""

    def expire(self) -> int:
        """Take back the jobs whose lease ran out; returns how many. For nodes in steady contact only."""
        now = self.now()
        rows = [
            row
            for one in self.runs()
            for row in self.db.ledger.find({"run": one["_id"], "state": "leased"}, _UNREAD)
            if row["until"] < now
        ]
        if not rows:
            return 0
        silent = {one["_id"] for one in self.db.nodes.find({"beat_at": {"$lt": now - SILENT}}, {"_id": 1})}
        for row in rows:
            lost = row.get("node") in silent
            reason = "its node was lost" if lost else "its lease ran out"
            self._give_back(row, now, reason, crashed=not lost, lost=lost, event="expired")
            self._free_links(row["run"], row["owner"])
            self.let_go(row["owner"])
        return len(rows)

    def _give_back(
        self, row: Document, now: datetime, reason: str, *, crashed: bool, lost: bool, event: str
    ) -> None:
        crashes, losses = row["crashes"] + crashed, row.get("losses", 0) + lost
        free: Document = {"owner": None, "until": None, "crashes": crashes, "losses": losses}
        if row.get("job", {}).get("cancelled"):
            free |= {"state": "failed", "reason": CANCELLED, "finished_at": now}
        elif crashes >= SET_ASIDE_AFTER:
            free |= {
                "state": "failed",
                "reason": f"set aside after killing {crashes} crawls: {reason}",
                "finished_at": now,
            }
        elif losses >= LOST_AFTER:
            free |= {
                "state": "failed",
                "reason": f"set aside: lost with {losses} nodes",
                "finished_at": now,
            }
        else:
            free |= {"state": "planned", "trouble": reason}
        held = {"_id": row["_id"], "state": "leased", "owner": row["owner"], "until": row["until"]}
        change = {"$set": free, "$inc": ledger.STEP, "$unset": {"job.stop": ""}}
        if not self.db.ledger.update_one(held, change).modified_count:
            return
        if free["state"] == "planned":
            _returned(self.db, row["run"], row["order"], 1)
        _log(self.db, row, "failed" if free["state"] == "failed" else event, row["owner"], now)

    def _free_links(self, run: str, owner: str) -> None:
        claimed = {"run": run, "owner": owner, "state": "claimed"}
        self.db.links.update_many(claimed, {"$set": {"until": self.now()}})

    # --- runs -----------------------------------------------------------------------------------------------

    def finish(self) -> list[str]:
        """Close the runs with nothing left to do; returns their ids."""
        closed = []
        for one in self.runs():
            if one["next"] < one["size"] and self._first(one, set(), set()) is not None:
                continue
            left = {"run": one["_id"], "state": {"$in": ["planned", "leased"]}}
            if self.db.ledger.find_one(left, {"_id": 1}) is None:
                ledger.finish_run(self.db, one["_id"])
                self.db.queues.update_one({"_id": one["_id"]}, {"$set": {"open": False}})
                closed.append(str(one["_id"]))
        return closed

    # --- nodes ----------------------------------------------------------------------------------------------

    def beat(self, facts: Mapping[str, Any]) -> Document:
        """Record that this node lives, with what it says of itself; returns what operators want of it."""
        with self._counting:
            for run, count in list(self._taken.items()):
                self.db.queues.update_one({"_id": run}, {"$inc": {"waiting": -count}})
                del self._taken[run]
        found = self.db.nodes.find_one_and_update(
            {"_id": self.node},
            {"$set": dict(facts) | {"beat_at": self.now()}, "$setOnInsert": {"draining": False}},
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        return found or {}


# --- operators' side ----------------------------------------------------------------------------------------


def nodes(db: Sync) -> list[Document]:
    """Return all nodes that ever worked, with `silent` for those not heard of lately."""
    now = clock(db.command("hello"))
    found = db.nodes.find().sort("_id", ASCENDING).to_list()
    return [one | {"silent": one.get("beat_at", now) < now - SILENT, "seen_at": now} for one in found]


def drain(db: Sync, node: str, *, on: bool = True) -> None:
    """Make a node take no further job, or take jobs again."""
    if not db.nodes.update_one({"_id": node}, {"$set": {"draining": on}}).matched_count:
        raise GovcrawlError(f"no node {node}; see: govcrawl cluster status")


def forget(db: Sync, node: str) -> None:
    """Remove a node that will not come back from the list."""
    db.nodes.delete_one({"_id": node})


def pause(db: Sync, run: str, *, on: bool = True) -> None:
    """Keep the run's waiting jobs from being taken, or let them be taken again."""
    db.queues.update_one({"_id": run}, {"$set": {"paused": on}})


def stop_running(db: Sync, run: str) -> int:
    """Ask the nodes to end the run's crawls under way and queue them again; returns how many."""
    leased = {"run": run, "state": "leased"}
    return db.ledger.update_many(leased, {"$set": {"job.stop": True}}).modified_count


def stops(db: Sync, owners: Sequence[str]) -> set[str]:
    """Return which of these crawls an operator wants ended."""
    wanted = {"owner": {"$in": list(owners)}, "state": "leased"}
    asked = {"$or": [{"job.stop": True}, {"job.cancelled": True}]}
    return {row["owner"] for row in db.ledger.find(wanted | asked, {"owner": 1})}


@patient.sync
def retry(db: Sync, run: str, site_ids: Sequence[str] = (), job: Document | None = None) -> int:
    """Queue failed sites of a run again, all by default, as another job if one is given; returns how many."""
    failed: Document = {"run": run, "state": "failed"}
    if site_ids:
        failed["site_id"] = {"$in": list(site_ids)}
    fresh = {"state": "planned", "owner": None, "until": None, "crashes": 0, "losses": 0, "reason": ""}
    change: Document = {"$set": fresh | {"finished_at": None}, "$inc": ledger.STEP}
    if job is None:
        change["$unset"] = {"job.cancelled": "", "job.stop": ""}
    else:
        change["$set"]["job"] = job
    done = db.ledger.update_many(failed, change).modified_count
    if done:
        db.runs.update_one({"_id": run}, {"$set": {"state": "open", "finished_at": None}})
        db.queues.update_one({"_id": run}, {"$set": {"open": True}})
        _returned(db, run, 0, done)
    return done


def _returned(db: Sync, run: str, order: int, count: int) -> None:
    """Let nodes look again from this row on; `returned` stops those that have just found nothing there."""
    change = {"$min": {"next": order}, "$inc": {"returned": 1, "waiting": count}}
    db.queues.update_one({"_id": run}, change)


def cluster_run(db: Sync, quarter: str) -> Document:
    """Return the queue of the quarter's newest run on the cluster."""
    for one in db.queues.find({"quarter": quarter}).sort("started_at", DESCENDING).limit(1):
        return one
    raise GovcrawlError(f"quarter {quarter}: nothing dispatched yet; see: govcrawl cluster dispatch --help")


def transitions(db: Sync, run: str) -> list[Document]:
    """Return the ledger's log of a run, each site's transitions in the order they happened."""
    return db.ledger_log.find({"run": run}).sort([("site_id", ASCENDING), ("seq", ASCENDING)]).to_list()


def finished_since(db: Sync, run: str, since: datetime) -> int:
    """Return how many sites of a run were done after a moment."""
    return db.ledger.count_documents({"run": run, "state": "done", "finished_at": {"$gte": since}})


def under_way(db: Sync, run: str) -> list[Document]:
    """Return the run's leased rows, oldest lease first."""
    rows = db.ledger.find({"run": run, "state": "leased"}, {"site": 0})
    return rows.sort("leased_at", ASCENDING).to_list()


def overlaps(entries: Sequence[Document]) -> list[str]:
    """Return the moments at which the log shows two owners of one site; none is the proof of one owner."""
    holder: dict[str, str] = {}
    found = []
    for entry in entries:
        site, owner = entry["site_id"], entry["owner"]
        if entry["event"] in ("leased", "started"):
            if holder.get(site, owner) != owner:
                found.append(f"{site}: {owner} at {entry['at']} while {holder[site]} held it")
            holder[site] = owner
        elif holder.get(site) == owner:
            del holder[site]
        elif entry["event"] == "done":
            found.append(f"{site}: done by {owner} at {entry['at']} without holding it")
    return found


def _log(db: Sync, row: Document, event: str, owner: str, now: datetime) -> None:
    entry = ledger.entry(row, event, owner, now)
    write: Callable[[], object] = lambda: db.ledger_log.replace_one(  # noqa: E731
        {"_id": entry["_id"]}, entry, upsert=True
    )
    patient.sync(write)()
