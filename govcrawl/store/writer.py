"""Writes pages and findings of a run in batches: bytes first, then the pages that name them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Self

from pymongo import ReplaceOne

from govcrawl.items import Finding, GovcrawlError, LinkCheck, Page
from govcrawl.store import blobs, records
from govcrawl.store.blobs import Blob
from govcrawl.store.client import Async, Document
from govcrawl.store.links import decide
from govcrawl.store.patience import patient
from govcrawl.store.tallies import tallied

BATCH_ITEMS = 64
BATCH_BYTES = 4 * 2**20
BATCH_AGE = 0.3  # seconds
ROOM = 32 * 2**20  # bytes that may wait for the database before a crawl has to
KNOWN = 16_384  # hashes remembered: most repeats are a site's own scripts and error pages
ITEM_BYTES = 2048  # what a page's document weighs without its bytes
OFF_LOOP = 2**20  # bytes: hashing and compressing more than this would hold up the event loop


@dataclass
class _Batch:
    blobs: dict[str, Blob] = field(default_factory=dict)
    pages: dict[str, Document] = field(default_factory=dict)
    links: dict[str, Document] = field(default_factory=dict)
    size: int = 0

    def __bool__(self) -> bool:
        return bool(self.blobs or self.pages or self.links)

    @property
    def full(self) -> bool:
        return len(self.pages) + len(self.links) >= BATCH_ITEMS or self.size >= BATCH_BYTES


class Writer:
    """Stores what one run of a worker sees. Use as `async with Writer(db, run) as writer` in one event loop.

    `add_page` and `add_links` return when the record waits to be written, within 0.3 s and in batches;
    after `flush` everything added before is stored. Each write may happen twice without harm, and waits
    through a restart of the database.
    """

    def __init__(self, db: Async, run: str, *, source: str = "") -> None:
        self.db = db
        self.run = run
        self.source = source or run  # whose pages are read; a recheck writes none of its own
        self._batch = _Batch()
        self._in_flight: _Batch | None = None
        self._known: dict[str, None] = {}
        self._filled = asyncio.Event()
        self._due = asyncio.Event()
        self._turn = asyncio.Condition()
        self._turns = 0
        self._task: asyncio.Task[None] | None = None
        self._error: BaseException | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def add_page(self, page: Page) -> None:
        """Store a visit and its bytes; waits while too much is waiting already."""
        await self._room()
        body = await self._add_bytes(page.body)
        dom = await self._add_text(page.dom)
        included = {url: await self._add_text(text) for url, text in page.included.items()}
        doc = records.page_doc(page, self.run, body=body, dom=dom, included=included)
        self._batch.pages[doc["_id"]] = doc
        self._added(ITEM_BYTES)

    async def add_links(self, checks: Sequence[LinkCheck]) -> None:
        """Store decided links."""
        await self._room()
        for check in checks:
            doc = records.link_doc(check, self.run)
            self._batch.links[doc["_id"]] = doc
        if checks:
            self._added(ITEM_BYTES * len(checks))

    async def site_findings(self, site_id: str, findings: Sequence[Finding]) -> None:
        """Make these the run's findings of the site, after the pages they rest on are stored."""
        await self.flush()
        docs = {doc["_id"]: doc for doc in (records.finding_doc(finding, self.run) for finding in findings)}
        mine = {"run": self.run, "site_id": site_id}
        await patient(lambda: self.db.tallies.delete_many(mine))
        known = await patient(lambda: self.db.findings.find(mine, {"_id": 1}).to_list())
        await patient(partial(_put, self.db, "findings", list(docs.values())))
        if stale := [doc["_id"] for doc in known if doc["_id"] not in docs]:
            await patient(lambda: self.db.findings.delete_many({"_id": {"$in": stale}}))
        await patient(partial(_put, self.db, "tallies", tallied(self.run, docs.values())))

    async def stored_pages(self, site_id: str) -> dict[tuple[str, bool], records.StoredPage]:
        """Return what is stored of a site by (url, rendered), so that nothing is fetched again."""
        key = {"run": self.source, "site_id": site_id}
        docs = await patient(lambda: self.db.pages.find(key).to_list())
        names = {name for doc in docs for name in _names(doc)}
        held = await patient(lambda: blobs.get(self.db, names))
        return {
            (doc["url"], doc["rendered"]): records.StoredPage(doc, {name: held[name] for name in _names(doc)})
            for doc in docs
        }

    async def flush(self) -> None:
        """Return when everything added before is stored."""
        last = self._turns + (self._in_flight is not None) + bool(self._batch)
        if last == self._turns:
            self._check()
            return
        self._start()
        self._due.set()
        await self._until(lambda: self._turns >= last)

    async def close(self) -> None:
        """Store what waits and end the background task."""
        try:
            await self.flush()
        finally:
            if self._task is not None:
                self._task.cancel()
                with suppress(asyncio.CancelledError):
                    await self._task
                self._task = None

    async def _add_text(self, text: str) -> str | None:
        return await self._add_bytes(text.encode("utf-8", "surrogatepass"))

    async def _add_bytes(self, data: bytes) -> str | None:
        if not data:
            return None
        large = len(data) > OFF_LOOP
        name = await asyncio.to_thread(blobs.sha256, data) if large else blobs.sha256(data)
        if name in self._known:
            self._known[name] = self._known.pop(name)
            return name
        blob = await asyncio.to_thread(blobs.pack, data) if large else blobs.pack(data)
        self._batch.blobs[name] = blob
        self._batch.size += len(blob.packed)
        # Batches are written one after another: a later page may name what an earlier batch carries.
        self._known[name] = None
        if len(self._known) > KNOWN:
            del self._known[next(iter(self._known))]
        return name

    def _added(self, size: int) -> None:
        self._batch.size += size
        self._start()
        if self._batch.full:
            self._due.set()

    def _start(self) -> None:
        self._filled.set()
        if self._task is None:
            self._task = asyncio.create_task(self._work(), name="store writer")

    async def _room(self) -> None:
        self._check()
        if self._waiting() > ROOM:
            await self._until(lambda: self._waiting() <= ROOM)

    def _waiting(self) -> int:
        return self._batch.size + (self._in_flight.size if self._in_flight else 0)

    async def _until(self, reached: Callable[[], bool]) -> None:
        async with self._turn:
            await self._turn.wait_for(lambda: reached() or self._error is not None)
        self._check()

    def _check(self) -> None:
        if self._error is not None:
            reason = f"{type(self._error).__name__}: {self._error}"[:200]  # may quote whole documents
            raise GovcrawlError(f"pages cannot be stored: {reason}") from self._error

    async def _work(self) -> None:
        try:
            while True:
                await self._one_batch()
        except Exception as error:
            self._error = error
            async with self._turn:
                self._turn.notify_all()

    async def _one_batch(self) -> None:
        await self._filled.wait()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._due.wait(), BATCH_AGE)
        self._filled.clear()
        self._due.clear()
        batch, self._batch = self._batch, _Batch()
        self._in_flight = batch
        await self._write(batch)
        self._in_flight = None
        self._turns += 1
        async with self._turn:
            self._turn.notify_all()

    async def _write(self, batch: _Batch) -> None:
        steps: list[Callable[[], Awaitable[None]]] = [
            partial(blobs.put, self.db, batch.blobs),
            partial(_put, self.db, "pages", list(batch.pages.values())),
            partial(decide, self.db, list(batch.links.values())),
        ]
        for step in steps:
            await patient(step)


async def _put(db: Async, collection: str, docs: list[Document]) -> None:
    """Insert documents in one write and replace those already there; an upsert each takes a commit each."""
    again = await blobs.insert_new(db, collection, docs)
    if again:
        await db[collection].bulk_write(
            [ReplaceOne({"_id": doc["_id"]}, doc) for doc in again], ordered=False
        )


def _names(doc: Document) -> list[str]:
    found = [doc["body"], doc["dom"], *(sha for _, sha in doc["included"])]
    return [name for name in found if name]
