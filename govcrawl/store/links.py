"""The link book: each target of a run is checked by one worker, and all of them read its verdict."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial

from pymongo import ReplaceOne

from govcrawl.items import LinkCheck
from govcrawl.store import records
from govcrawl.store.blobs import insert_new
from govcrawl.store.client import Async, Document, clock
from govcrawl.store.patience import patient

AT_ONCE = 1000  # targets a query


async def decide(db: Async, docs: Sequence[Document]) -> None:
    """Store documents of decided links; within a run the first verdict on a target stands."""
    claimed = await insert_new(db, "links", docs)
    if claimed:
        writes = [ReplaceOne({"_id": doc["_id"], "state": "claimed"}, doc) for doc in claimed]
        await db.links.bulk_write(writes, ordered=False)


class LinkBook:
    """The targets of one run: `claim` what a page links to, `publish` verdicts, `poll` for others'."""

    def __init__(self, db: Async, run: str, later: Sequence[str] = ()) -> None:
        self.db = db
        self.run = run
        self.later = later  # runs that tried links again, the newest first

    async def claim(
        self, targets: Iterable[str], owner: str, seconds: float
    ) -> tuple[list[str], dict[str, LinkCheck], list[str]]:
        """Return the targets to check here, the verdicts already there, and the targets others are checking.

        A claim ends after the given seconds, so that the targets of a dead worker are claimed again.
        """
        now = clock(await patient(lambda: self.db.command("hello")))
        until = now + timedelta(seconds=seconds)
        wanted = {records.key(self.run, target): target for target in targets}
        docs = [
            {
                "_id": key,
                "run": self.run,
                "target": records.plain(target),
                "state": "claimed",
                "owner": owner,
                "until": until,
            }
            for key, target in wanted.items()
        ]
        taken = {doc["_id"] for doc in await self._insert(docs)}
        mine = [target for key, target in wanted.items() if key not in taken]
        known: dict[str, LinkCheck] = {}
        others: list[str] = []
        async for doc in self._read(taken):
            target = wanted[doc["_id"]]
            if doc["state"] == "done":
                known[target] = records.link_of(doc)
            elif doc["owner"] == owner or await self._take_over(doc, owner, now, until):
                mine.append(target)
            else:
                others.append(target)
        return mine, known, others

    async def publish(self, checks: Sequence[LinkCheck]) -> None:
        """Write verdicts for all workers to read; a target keeps its first one."""
        docs = [records.link_doc(check, self.run) for check in checks]
        for start in range(0, len(docs), AT_ONCE):
            await patient(partial(decide, self.db, docs[start : start + AT_ONCE]))

    async def poll(self, targets: Iterable[str]) -> dict[str, LinkCheck]:
        """Return the verdicts there are by now on these targets."""
        return await self._verdicts(self.run, targets)

    async def _verdicts(self, run: str, targets: Iterable[str]) -> dict[str, LinkCheck]:
        wanted = {records.key(run, target): target for target in targets}
        return {
            wanted[doc["_id"]]: records.link_of(doc)
            async for doc in self._read(wanted)
            if doc["state"] == "done"
        }

    async def settled(self, targets: Iterable[str]) -> tuple[list[str], dict[str, LinkCheck], list[str]]:
        """Answer like `claim` from a run that has ended: no target is left to check."""
        left, known = set(targets), dict[str, LinkCheck]()
        for run in (*self.later, self.run):
            found = await self._verdicts(run, left)
            known |= found
            left -= found.keys()
        return [], known, []

    async def _insert(self, docs: list[Document]) -> list[Document]:
        taken: list[Document] = []
        for start in range(0, len(docs), AT_ONCE):
            some = docs[start : start + AT_ONCE]
            taken += await patient(partial(insert_new, self.db, "links", some))
        return taken

    async def _read(self, keys: Iterable[str]) -> AsyncIterator[Document]:
        wanted = list(keys)
        for start in range(0, len(wanted), AT_ONCE):
            query = {"_id": {"$in": wanted[start : start + AT_ONCE]}}
            for doc in await patient(lambda query=query: self.db.links.find(query).to_list()):  # type: ignore[misc]
                yield doc

    async def _take_over(self, doc: Document, owner: str, now: datetime, until: datetime) -> bool:
        if doc["until"] >= now:
            return False
        held = {"_id": doc["_id"], "state": "claimed", "until": doc["until"]}
        update = {"$set": {"owner": owner, "until": until}}
        result = await patient(lambda: self.db.links.update_one(held, update))
        # Nothing modified after a lost answer also means "ours": the row tells.
        if result.modified_count:
            return True
        return await patient(lambda: self.db.links.count_documents({"_id": doc["_id"], "owner": owner})) > 0
