"""Bytes under their SHA-256, stored once however often seen; large ones as GridFS files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import zstandard
from bson.binary import Binary
from gridfs.asynchronous import AsyncGridFSBucket
from pymongo import ReplaceOne
from pymongo.errors import BulkWriteError

from govcrawl.store.client import Async, Document, Sync

BUCKET = "files"
LARGE = 12 * 2**20  # bytes of a compressed body: a document holds 16 MiB
CHUNK = 255 * 1024  # GridFS's own default
DUPLICATE = 11000
AT_ONCE = 64  # blobs a query: their documents come back in one batch each


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes as they lie in the store."""

    packed: bytes
    enc: str  # zstd or raw
    size: int

    @property
    def data(self) -> bytes:
        """The plain bytes."""
        if self.enc == "raw":
            return self.packed
        return zstandard.ZstdDecompressor().decompress(self.packed, max_output_size=self.size)


def sha256(data: bytes) -> str:
    """Return the name of the bytes."""
    return hashlib.sha256(data).hexdigest()


def pack(data: bytes) -> Blob:
    """Compress the bytes where that helps."""
    packed = zstandard.ZstdCompressor(level=3).compress(data)
    if len(packed) < len(data):
        return Blob(packed, "zstd", len(data))
    return Blob(data, "raw", len(data))


def keep(db: Sync, data: bytes) -> str:
    """Store bytes that fit into a document and return their SHA-256; those already there stay as they are."""
    name = sha256(data)
    doc = _doc(name, pack(data), datetime.now(UTC), large=False)
    db.blobs.update_one({"_id": name}, {"$setOnInsert": doc}, upsert=True)
    return name


async def put(db: Async, blobs: dict[str, Blob]) -> None:
    """Store blobs by their SHA-256; those already there stay as they are."""
    large = [sha for sha, blob in blobs.items() if len(blob.packed) > LARGE]
    for sha in large:
        await put_file(db, sha, blobs[sha].data)
    now = datetime.now(UTC)
    docs = [_doc(sha, blob, now, large=sha in large) for sha, blob in blobs.items()]
    await insert_new(db, "blobs", docs)


async def get(db: Async, names: Iterable[str]) -> dict[str, Blob]:
    """Return the blobs of these SHA-256s that are stored."""
    wanted = sorted(set(names))
    found: dict[str, Blob] = {}
    for start in range(0, len(wanted), AT_ONCE):
        some = wanted[start : start + AT_ONCE]
        for doc in await db.blobs.find({"_id": {"$in": some}}).to_list():
            packed = doc.get("data")
            if packed is None:
                packed = await _file(db, doc["_id"])
            found[doc["_id"]] = Blob(packed, doc["enc"], doc["size"])
    return found


async def put_file(db: Async, sha: str, data: bytes) -> None:
    """Store plain bytes as a GridFS file; two writers of one file write the same chunks, so neither harms."""
    if await db[f"{BUCKET}.files"].find_one({"_id": sha}, {"_id": 1}):
        return
    chunks = [
        {"files_id": sha, "n": n, "data": Binary(data[start : start + CHUNK])}
        for n, start in enumerate(range(0, len(data), CHUNK))
    ]
    upserts = [ReplaceOne({"files_id": sha, "n": chunk["n"]}, chunk, upsert=True) for chunk in chunks]
    await db[f"{BUCKET}.chunks"].bulk_write(upserts, ordered=False)
    # Last: a file without this record does not exist for any reader.
    record = {
        "_id": sha,
        "filename": sha,
        "length": len(data),
        "chunkSize": CHUNK,
        "uploadDate": datetime.now(UTC),
    }
    await db[f"{BUCKET}.files"].replace_one({"_id": sha}, record, upsert=True)


async def insert_new(db: Async, collection: str, docs: Sequence[Document]) -> list[Document]:
    """Insert documents and return those already there by _id; plain inserts cost a quarter of upserts."""
    if not docs:
        return []
    try:
        await db[collection].insert_many(docs, ordered=False)
    except BulkWriteError as error:
        failed = (error.details or {}).get("writeErrors", [])
        if not failed or any(item["code"] != DUPLICATE for item in failed):
            raise
        return [docs[item["index"]] for item in failed]
    return []


def _doc(sha: str, blob: Blob, now: datetime, *, large: bool) -> Document:
    if large:
        return {"_id": sha, "enc": "raw", "size": blob.size, "stored_at": now}
    return {"_id": sha, "data": Binary(blob.packed), "enc": blob.enc, "size": blob.size, "stored_at": now}


async def _file(db: Async, sha: str) -> bytes:
    bucket = AsyncGridFSBucket(db, bucket_name=BUCKET)
    stream = await bucket.open_download_stream(sha)
    return await stream.read()
