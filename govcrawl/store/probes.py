"""Visits of home pages: the plan of a quarter, leased rounds, the log of who held them, and the time series.

A visit's key follows from quarter, site and round, so that writing it twice changes nothing; a visit that was
made replaces a record that says it was not, never the other way round.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from pymongo import ASCENDING, ReplaceOne
from pymongo.errors import BulkWriteError, DuplicateKeyError, PyMongoError

from govcrawl.items import GovcrawlError, Probe, ProbeState
from govcrawl.store.client import Async, Document, Sync, clock
from govcrawl.store.patience import passing
from govcrawl.store.records import key

T = TypeVar("T")
AT_ONCE = 5000  # documents a write
WEAK = (ProbeState.MISSED, ProbeState.OWN_NETWORK)  # records that a visit which was made replaces
_DUPLICATE = 11000


class Unreachable(Exception):  # noqa: N818  (a state of affairs, not a fault)
    """The database does not answer now; the same call may succeed later."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One try to open a home page."""

    elapsed: float
    status: int | None = None
    error: str | None = None
    via: str = ""  # the address connected to, or the proxy


@dataclass(frozen=True, slots=True)
class Visit:
    """What became of one planned visit."""

    site_id: str
    round: str
    at: datetime
    state: ProbeState
    first: Tried = Tried(0.0)
    second: Tried | None = None
    reason: str = ""  # why it was missed


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log: who held a round, or how long network or database were away."""

    round: str
    event: str  # leased, expired, released, done, network or database
    owner: str
    at: datetime
    until: datetime | None = None
    turn: int = 0  # of the round's holders: each lease has the next number


class Book:
    """A worker's side of a quarter's visits. Every call raises `Unreachable` while the database is away.

    Leases go by the server's clock, unless another is given.
    """

    def __init__(self, db: Async, quarter: str, now: Callable[[], datetime] | None = None) -> None:
        self.db = db
        self.quarter = quarter
        self._now = now

    async def now(self) -> datetime:
        """Return the time that leases go by."""
        if self._now is not None:
            return self._now()
        async with self._answering():
            return clock(await self.db.command("hello"))

    async def ping(self) -> None:
        """Return when the database answers."""
        async with self._answering():
            await self.db.command("ping")

    # --- rounds ---------------------------------------------------------------------------------------------

    async def lease(self, name: str, owner: str, seconds: float) -> bool:
        """Take a round unless it is done or another worker holds it."""
        now = await self.now()
        until = now + timedelta(seconds=seconds)
        identity = self._round(name)
        fresh: Document = {"quarter": self.quarter, "round": name, "state": "open", "counts": {}, "turn": 0}
        fresh |= {"owner": None, "until": None}
        free = [{"owner": None}, {"owner": owner}, {"until": {"$lt": now}}]
        async with self._answering():
            held = await self.db.probe_rounds.find_one(identity)
            if held and (
                held["state"] == "done" or (held["owner"] not in (None, owner) and held["until"] >= now)
            ):
                return False  # most calls are of a worker that stands by
            with suppress(DuplicateKeyError):  # another worker was faster
                await self.db.probe_rounds.update_one(identity, {"$setOnInsert": fresh}, upsert=True)
            before = await self.db.probe_rounds.find_one_and_update(
                {**identity, "state": "open", "$or": free},
                {"$set": {"owner": owner, "until": until}, "$inc": {"turn": 1}},
            )
        if before is None:
            return False
        turn = before["turn"]
        if before["owner"] not in (None, owner):
            await self.note(Entry(name, "expired", before["owner"], before["until"], now, turn))
        await self.note(Entry(name, "leased", owner, now, turn=turn + 1))
        return True

    async def renew(self, name: str, owner: str, seconds: float) -> bool:
        """Prolong a lease; False when it is lost."""
        until = await self.now() + timedelta(seconds=seconds)
        held = {**self._round(name), "state": "open", "owner": owner}
        async with self._answering():
            result = await self.db.probe_rounds.update_one(held, {"$set": {"until": until}})
        return bool(result.matched_count)

    async def finish(self, name: str, owner: str, counts: Mapping[str, int]) -> bool:
        """Record a round as done; False when another worker holds it."""
        return await self._leave(name, owner, "done", {"state": "done", "counts": dict(counts)})

    async def release(self, name: str, owner: str) -> bool:
        """Give a round back unfinished."""
        return await self._leave(name, owner, "released", {})

    async def _leave(self, name: str, owner: str, event: str, fields: Document) -> bool:
        held = {**self._round(name), "state": "open", "owner": owner}
        free = {"owner": None, "until": None}
        async with self._answering():
            before = await self.db.probe_rounds.find_one_and_update(held, {"$set": fields | free})
        if before is not None:
            await self.note(Entry(name, event, owner, await self.now(), turn=before["turn"]))
        return before is not None

    async def done(self) -> set[str]:
        """Return the names of the rounds that are done."""
        query = {"quarter": self.quarter, "state": "done"}
        async with self._answering():
            return {doc["round"] async for doc in self.db.probe_rounds.find(query, {"round": 1})}

    # --- log ------------------------------------------------------------------------------------------------

    async def note(self, entry: Entry) -> None:
        """Write a line of the log; an outage that goes on is the same line with a later end."""
        doc, at = asdict(entry) | {"quarter": self.quarter}, entry.at.isoformat()
        identity = {"_id": key(self.quarter, entry.round, entry.event, entry.owner, str(entry.turn), at)}
        async with self._answering():
            await self.db.probe_log.replace_one(identity, doc, upsert=True)

    async def log(self, name: str) -> list[Entry]:
        """Return the log of a round in order, with the outages of all workers."""
        query = {
            "quarter": self.quarter,
            "$or": [{"round": name}, {"event": {"$in": ["network", "database"]}}],
        }
        async with self._answering():
            return sorted([_entry(doc) async for doc in self.db.probe_log.find(query)], key=_order)

    # --- visits ---------------------------------------------------------------------------------------------

    async def states(self, name: str) -> dict[str, str]:
        """Return what became of each visit of a round so far, the reason of one not made after a colon."""
        query = {"quarter": self.quarter, "round": name}
        shown = {"site_id": 1, "state": 1, "reason": 1}
        async with self._answering():
            docs = await self.db.probes.find(query, shown).to_list()
        return {doc["site_id"]: word_of(doc["state"], doc["reason"]) for doc in docs}

    async def save(self, visits: Collection[Visit]) -> None:
        """Store visits; one that was made replaces a record of the same visit that says it was not."""
        docs = [_doc(self.quarter, visit) for visit in visits]
        for start in range(0, len(docs), AT_ONCE):
            await self._insert(docs[start : start + AT_ONCE])

    async def _insert(self, docs: list[Document]) -> None:
        async with self._answering():
            wrong = await self._refused(docs)
            weak = {"state": {"$in": list(WEAK)}}
            again = [docs[one["index"]] for one in wrong]
            writes = [
                ReplaceOne({"_id": doc["_id"], **weak}, doc) for doc in again if doc["state"] not in WEAK
            ]
            if writes:
                await self.db.probes.bulk_write(writes, ordered=False)

    async def _refused(self, docs: list[Document]) -> list[Document]:
        """Insert what is not there yet and return the driver's errors on what is."""
        try:
            await self.db.probes.insert_many(docs, ordered=False)
        except BulkWriteError as error:
            wrong: list[Document] = (error.details or {}).get("writeErrors", [])
            if not wrong or any(one["code"] != _DUPLICATE for one in wrong):
                raise
            return wrong
        return []

    def _round(self, name: str) -> Document:
        return {"_id": f"{self.quarter}:{name}"}

    @asynccontextmanager
    async def _answering(self) -> AsyncIterator[None]:
        try:
            yield
        except PyMongoError as error:
            if not passing(error):
                raise
            raise Unreachable(type(error).__name__) from error


def word_of(state: str, reason: str) -> str:
    """Return a visit's state, with the reason it was not made."""
    return f"{state}:{reason}" if reason else str(state)


def _key(quarter: str, site_id: str, name: str) -> str:
    return f"{quarter}:{site_id}:{name}"


def _doc(quarter: str, visit: Visit) -> Document:
    return {
        "_id": _key(quarter, visit.site_id, visit.round),
        "quarter": quarter,
        "site_id": visit.site_id,
        "round": visit.round,
        "at": visit.at,
        "elapsed": visit.first.elapsed,
        "status": visit.first.status,
        "error": visit.first.error,
        "via": visit.first.via,
        "state": str(visit.state),
        "reason": visit.reason,
        "second": asdict(visit.second) if visit.second else None,
    }


def _entry(doc: Document) -> Entry:
    return Entry(doc["round"], doc["event"], doc["owner"], doc["at"], doc["until"], doc["turn"])


def _order(one: Entry) -> tuple[datetime, int, bool]:
    return one.at, one.turn, one.event != "leased"


# --- the plan -----------------------------------------------------------------------------------------------


def plan(db: Sync, quarter: str, *, start: str, days: int, rounds: int, site_ids: Iterable[str]) -> Document:
    """Return the quarter's plan, written if there is none; the same plan may get more days.

    Raises GovcrawlError for another start, number of rounds or roster than the plan's.
    """
    wanted = {"start": start, "rounds": rounds, "site_ids": sorted(site_ids)}
    with suppress(DuplicateKeyError):  # another worker was faster
        db.probe_weeks.update_one({"_id": quarter}, {"$setOnInsert": {**wanted, "days": days}}, upsert=True)
    found = planned(db, quarter) or {}
    for name, value in wanted.items():
        if found[name] != value:
            what = "other sites" if name == "site_ids" else f"{name} {found[name]}"
            raise GovcrawlError(f"probes of {quarter} are planned with {what}; give the same plan")
    if days > found["days"]:
        db.probe_weeks.update_one({"_id": quarter}, {"$max": {"days": days}})
    return found | {"days": max(days, found["days"])}


def planned(db: Sync, quarter: str) -> Document | None:
    """Return the quarter's plan, if there is one."""
    return db.probe_weeks.find_one({"_id": quarter})


# --- reading ------------------------------------------------------------------------------------------------


def visits(db: Sync, quarter: str, site_id: str | None = None) -> Iterator[Document]:
    """Yield a quarter's visits, site by site and in the order of their rounds."""
    query = {"quarter": quarter} | ({"site_id": site_id} if site_id is not None else {})
    shown = dict.fromkeys(("site_id", "round", "at", "elapsed", "status", "error", "state", "reason"), 1)
    yield from db.probes.find(query, {"_id": 0, **shown}).sort([("site_id", ASCENDING), ("round", ASCENDING)])


def probe_of(doc: Mapping[str, Any]) -> Probe:
    """Return the visit a document holds, as the rule reads it."""
    suspected = doc["state"] == ProbeState.SUSPECTED
    return Probe(doc["site_id"], doc["at"], doc["elapsed"], doc["status"], doc["error"], suspected)


def rounds_of(db: Sync, quarter: str) -> list[Document]:
    """Return a quarter's rounds in order."""
    return db.probe_rounds.find({"quarter": quarter}).sort("round", ASCENDING).to_list()


def log_of(db: Sync, quarter: str) -> list[Entry]:
    """Return the whole log of a quarter in order."""
    return sorted([_entry(doc) for doc in db.probe_log.find({"quarter": quarter})], key=_order)
