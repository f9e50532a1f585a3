"""The cluster's queue over the ledger: nodes take sites, hold them while their crawl lives, give them back.

A ledger row is the job. The update that leases one also writes its `holds`: one for the site, whichever run
it is in, and one of N for the destination address. No two rows may have a hold in common (a unique index);
a row loses its own with its lease.

A run on the cluster has a document in `queues` whose `next` says from which row on sites may wait. Rows are
read from there in windows of bounded range: taking one costs the same with ten sites waiting or 14,000. Nodes
move `next` on with their heartbeats; a job that comes back moves it down again, and counts in `returned`.
"""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zlib import crc32

from pymongo import ASCENDING, DESCENDING, ReturnDocument
from pymongo.errors import DuplicateKeyError

from govcrawl.items import GovcrawlError, Site
from govcrawl.store import ledger
from govcrawl.store.client import Document, ServerClock, Sync, server_time
from govcrawl.store.patience import patient

SET_ASIDE_AFTER = 3  # crawl processes a job may take with it
LOST_AFTER = 6  # nodes a job may be lost with: a machine that reboots is not the job's fault
CANCELLED = "cancelled by the operator"
SILENT = timedelta(seconds=60)  # a node that has not been heard of for so long is taken for lost
_TRIES = 5  # when other nodes are faster
_WINDOW = 2  # rows read at first: most often the first one that waits is free
_WIDEST = 64  # rows read at a time, after ever wider windows
_LOOKED_AT = 1024  # rows looked through for a site that is free now
_PENDING = {"job": 1, "site_id": 1, "run": 1, "order": 1}
_HELD = {"holds": {"$gt": ""}}
_UNREAD = {"site": 0, "counts": 0, "log": 0}


@dataclass(frozen=True, slots=True)
class Kind:
    """Which runs a node takes work of: those of its project, planned from the roster and edition it has."""

    project: str
    roster_sha: str = ""
    edition: str = ""

    def fits(self, run: Document) -> bool:
        """Tell whether a node of this kind can work for an open run."""
        return (
            run["project"] == self.project
            and not run["paused"]
            and self.roster_sha in ("", run.get("roster_sha"))
            and self.edition in ("", run.get("edition"))
        )


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
        self._clock = ServerClock(db)
        self._taken: Counter[str] = Counter()  # or cancelled since the last beat, by run: one write, not many
        self._counting = threading.Lock()  # what was taken is counted here or in the database, never twice
        self._passed: dict[
            str, tuple[int, int]
        ] = {}  # by run: its `returned`, and up to which row none waits

    def of(self, project: str) -> Queue:
        """Return the queue of another project on the same node."""
        found = Queue(self.db, self.node, replace(self.kind, project=project), seconds=self.seconds)
        found._clock, found._passed = self._clock, self._passed
        found._taken, found._counting = self._taken, self._counting
        return found

    def now(self) -> datetime:
        """Return the server's time, which decides about leases."""
        return self._clock.now()

    # --- what waits -----------------------------------------------------------------------------------------

    def runs(self) -> list[Document]:
        """Return the queues of the open runs this node can work for, oldest run first."""
        found = [one for one in self.db.queues.find({"open": True}) if self.kind.fits(one)]
        return sorted(found, key=lambda one: one["started_at"])

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
        wanted = {"job.id": job, "state": {"$in": list(states)}}
        row = self.db.ledger.find_one(wanted, _PENDING | {"state": 1})
        if row is None:
            return None
        if row["state"] == "leased":
            self.db.ledger.update_one({"_id": row["_id"]}, {"$set": {"job.cancelled": True}})
            return "leased"
        now = self.now()
        failed = {"state": "failed", "reason": CANCELLED, "finished_at": now}
        change = {"$set": failed} | ledger.noted("failed", self.node, now)
        if not self.db.ledger.update_one({"_id": row["_id"], "state": "planned"}, change).modified_count:
            return self.cancel(job, states=states)
        with self._counting:
            self._taken[row["run"]] += 1
        return "planned"

    # --- taking ---------------------------------------------------------------------------------------------

    def take(self) -> Document | None:
        """Lease the next job to a new crawl of this node, or return nothing when none is free now."""
        for number in range(_TRIES):
            found = self._choose(look=number > 0)
            if found is None:
                return None
            row, slots = found
            now = self.now()
            owner = f"{self.node}/{row['site_id']}.{uuid.uuid4().hex[:8]}"
            until = now + timedelta(seconds=self.seconds)
            lease: Document = {
                "state": "leased",
                "owner": owner,
                "node": self.node,
                "until": until,
                "leased_at": now,
            }
            # Nodes that look at one moment choose the same row, but seldom the same slot of an address.
            lease["holds"] = [_hold("site", row["site_id"])]
            if slots:
                lease["holds"].append(slots[crc32(owner.encode()) % len(slots)])
            # `seq` says that the row is as it was read; an update by _id alone is the server's fastest.
            mine = {"_id": row["_id"], "state": "planned", "seq": row.get("seq")}
            change = {"$set": lease} | ledger.noted("leased", owner, now, attempts=1)
            try:
                if not self.db.ledger.update_one(mine, change).modified_count:
                    continue
            except DuplicateKeyError:  # another row has been given one of its holds
                continue
            with self._counting:
                self._taken[row["run"]] += 1
            return row | lease | {"attempts": row["attempts"] + 1, "seq": row.get("seq", 0) + 1}
        return None

    def _choose(self, *, look: bool) -> tuple[Document, list[str]] | None:
        """Return the best free job, and the slots of its address that may be free.

        Runs of higher priority come first, then those with the fewest sites under way. Most often the first
        job that waits is free: what is held is only looked up to rank runs, or once that has failed.
        """
        queues = self.runs()
        if not queues:
            return None
        look = look or len(queues) > 1
        leased = self.db.ledger.find(_HELD, {"_id": 0, "run": 1, "holds": 1}).to_list() if look else []
        held = {name for one in leased for name in one["holds"]}
        under_way = Counter(one["run"] for one in leased)
        queues.sort(key=lambda one: (-one["priority"], under_way[one["_id"]]))
        for one in queues:
            for row in self._waiting(one):
                slots = _slots(row, one["per_address"])
                free = [name for name in slots if name not in held]
                if _hold("site", row["site_id"]) not in held and (free or not slots):
                    return row, free
        return None

    def _waiting(self, one: Document) -> Iterator[Document]:
        """Yield a run's first waiting rows in order, and note how far none waits."""
        returned, passed = self._passed.get(one["_id"], (-1, 0))
        passed = max(passed, int(one["next"])) if returned == one["returned"] else int(one["next"])
        low, width, found = passed, _WINDOW, False
        end = min(one["size"], passed + _LOOKED_AT)
        while low < end:
            span = {"$gte": low, "$lt": low + width}
            query = {"run": one["_id"], "state": "planned", "order": span}
            rows = sorted(self.db.ledger.find(query, _UNREAD), key=lambda row: row["order"])
            if rows and not found:
                self._pass(one, rows[0]["order"])
                found = True
            yield from rows
            low, width = low + width, min(2 * width, _WIDEST)
        if not found:
            self._pass(one, end)

    def _pass(self, one: Document, to: int) -> None:
        """Look no more before this row, unless a job came back meanwhile; the next heartbeat tells others."""
        if to > one["next"]:
            self._passed[one["_id"]] = (one["returned"], to)

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
        return str(row["state"]) if row else ""

    def expire(self) -> int:
        """Take back the jobs whose lease ran out; returns how many. For nodes in steady contact only.

        Whichever run they are of: an old run's lost job would hold its site for ever.
        """
        now = self.now()
        rows = [row for row in self.db.ledger.find(_HELD, _UNREAD) if row["until"] < now]
        if not rows:
            return 0
        silent = {one["_id"] for one in self.db.nodes.find({"beat_at": {"$lt": now - SILENT}}, {"_id": 1})}
        for row in rows:
            lost = row.get("node") in silent
            reason = "its node was lost" if lost else "its lease ran out"
            self._give_back(row, now, reason, crashed=not lost, lost=lost, event="expired")
            self._free_links(row["run"], row["owner"])
        return len(rows)

    def _give_back(
        self, row: Document, now: datetime, reason: str, *, crashed: bool, lost: bool, event: str
    ) -> None:
        crashes, losses = row["crashes"] + crashed, row.get("losses", 0) + lost
        failed = ""
        if row.get("job", {}).get("cancelled"):
            failed = CANCELLED
        elif crashes >= SET_ASIDE_AFTER:
            failed = f"set aside after killing {crashes} crawls: {reason}"
        elif losses >= LOST_AFTER:
            failed = f"set aside: lost with {losses} nodes"
        fields = {"crashes": crashes, "losses": losses, "trouble": reason}
        held, change = ledger.freeing(row, now, event, fields, failed)
        if self.db.ledger.update_one(held, change).modified_count and not failed:
            _returned(self.db, row["run"], row["order"], 1)

    def _free_links(self, run: str, owner: str) -> None:
        claimed = {"run": run, "owner": owner, "state": "claimed"}
        self.db.links.update_many(claimed, {"$set": {"until": self.now()}})

    # --- runs -----------------------------------------------------------------------------------------------

    def finish(self) -> list[str]:
        """Close the runs with nothing left to do; returns their ids."""
        closed = []
        for one in self.runs():
            if next(self._waiting(one), None) is not None:
                continue
            if not under_work(self.db, one["_id"]):
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
        for run, (returned, passed) in list(self._passed.items()):
            behind = {"_id": run, "returned": returned, "next": {"$lt": passed}}
            self.db.queues.update_one(behind, {"$set": {"next": passed}})
            del self._passed[run]
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
    now = server_time(db)
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
    rows = db.ledger.find({"run": run}, {"site_id": 1, "log": 1}).sort("site_id", ASCENDING)
    return [entry | {"site_id": row["site_id"]} for row in rows for entry in row.get("log", ())]


def under_work(db: Sync, run: str) -> bool:
    """Tell whether sites of a run wait or are crawled."""
    left = {"run": run, "state": ledger.UNDER_WORK}
    return db.ledger.find_one(left, {"_id": 1}) is not None


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


def _hold(kind: str, value: str) -> str:
    return f"{kind}:{value}"


def _slots(row: Document, most: int) -> list[str]:
    """Return the holds a row may take for its address, one of which it needs; none without an address."""
    address = row.get("address")
    return [_hold("address", f"{address}:{slot}") for slot in range(most)] if address else []
