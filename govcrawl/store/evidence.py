"""Finding evidence again: the card of a finding, its pages and pictures; the sweep of what nobody names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from bson.binary import Binary
from gridfs import GridFSBucket
from gridfs.errors import NoFile
from pymongo import ReplaceOne

from govcrawl.items import GovcrawlError
from govcrawl.store import blobs, reads
from govcrawl.store.blobs import BUCKET, Blob, sha256
from govcrawl.store.client import Async, Document, Sync
from govcrawl.store.patience import patient
from govcrawl.store.records import StoredPage, key, plain

AT_ONCE = 64
WEB = ("http://", "https://")


@dataclass(frozen=True, slots=True)
class Picture:
    """One screenshot: what it shows, of which page, and the JPEG itself."""

    site_id: str
    quarter: str
    rule: str  # empty: the home page as it was
    url: str
    outline: tuple[str, ...]
    body_sha256: str
    image: bytes
    width: int
    height: int
    outlined: int
    taken_at: datetime

    @property
    def sha256(self) -> str:
        """The name of the JPEG's bytes."""
        return sha256(self.image)


# --- while inspecting -----------------------------------------------------------------------------------


async def pages_of(db: Async, run: str, site_id: str, urls: Iterable[str]) -> dict[str, StoredPage]:
    """Return what a run stored of these addresses of a site, with the bytes as received."""
    wanted = {key(run, site_id, url, str(rendered)) for url in urls for rendered in (False, True)}
    docs = await patient(lambda: db.pages.find({"_id": {"$in": sorted(wanted)}}).to_list())
    held = await patient(lambda: blobs.get(db, {name for doc in docs for name in names_of(doc)}))
    return {doc["url"]: StoredPage(doc, {name: held[name] for name in names_of(doc)}) for doc in docs}


async def keep(db: Async, run: str, pictures: Sequence[Picture]) -> None:
    """Store pictures: the JPEGs under their SHA-256 first, then the records that name them."""
    for picture in pictures:
        await patient(lambda picture=picture: blobs.put_file(db, picture.sha256, picture.image))  # type: ignore[misc]
    docs = [_picture_doc(run, picture) for picture in pictures]
    if docs:
        writes = [ReplaceOne({"_id": doc["_id"]}, doc, upsert=True) for doc in docs]
        await patient(lambda: db.pictures.bulk_write(writes, ordered=False))


def _picture_doc(run: str, picture: Picture) -> Document:
    return {
        "_id": key(run, picture.site_id, picture.rule, picture.url, *picture.outline),
        "run": run,
        "quarter": picture.quarter,
        "site_id": picture.site_id,
        "rule": picture.rule,
        "url": plain(picture.url),
        "outline": [plain(one) for one in picture.outline],
        "body": picture.body_sha256,
        "sha256": picture.sha256,
        "width": picture.width,
        "height": picture.height,
        "outlined": picture.outlined,
        "taken_at": picture.taken_at,
    }


async def keep_facts(db: Async, run: str, site_id: str, seen: Mapping[str, Any]) -> None:
    """Store what was seen of a site outside its own pages, such as titles drawn from lower-level sites."""
    doc = {"_id": f"{run}:{site_id}", "run": run, "site_id": site_id, "seen": dict(seen)}
    await patient(lambda: db.facts.replace_one({"_id": doc["_id"]}, doc, upsert=True))


async def facts_of(db: Async, run: str, site_id: str) -> dict[str, Any]:
    """Return what a run stored of a site outside its own pages."""
    doc = await patient(lambda: db.facts.find_one({"_id": f"{run}:{site_id}"}))
    return dict(doc["seen"]) if doc else {}


async def screenshots_of(db: Async, run: str, site_id: str) -> dict[tuple[str, ...], str]:
    """Return the screenshots a run's findings of a site name: (rule, url, selector, observed) -> SHA-256."""
    query = {"run": run, "site_id": site_id, "evidence.screenshot": {"$gt": ""}}
    docs = await patient(lambda: db.findings.find(query).to_list())
    return {
        (doc["rule"], seen["url"], seen["selector"], seen["observed"]): seen["screenshot"]
        for doc in docs
        for seen in doc["evidence"]
        if seen["screenshot"]
    }


# --- afterwards -----------------------------------------------------------------------------------------


def names_of(doc: Mapping[str, Any]) -> list[str]:
    """Return the SHA-256s of all bytes a page's document names."""
    found = [doc["body"], doc["dom"], *(sha for _, sha in doc["included"])]
    return [name for name in found if name]


def source_of(db: Sync, run: str) -> str:
    """Return the run whose pages a run rests on: a recheck's source, else itself."""
    doc = db.runs.find_one({"_id": run}, {"source": 1}) or {}
    return str(doc.get("source") or run)


def link_runs(db: Sync, run: str) -> list[str]:
    """Return the runs that hold the links a run rests on: later passes first, the inspection last."""
    doc = db.runs.find_one({"_id": run}, {"source": 1, "links": 1}) or {}
    return [str(one) for one in doc.get("links") or (doc.get("source") or run,)]


def read(db: Sync, sha: str) -> bytes:
    """Return stored bytes by their SHA-256; raises GovcrawlError where they are missing."""
    doc = db.blobs.find_one({"_id": sha})
    try:
        packed = doc["data"] if doc and "data" in doc else picture(db, sha)
    except NoFile as error:
        raise GovcrawlError(f"no bytes with SHA-256 {sha} in the database") from error
    return Blob(packed, doc["enc"], doc["size"]).data if doc else packed


def picture(db: Sync, sha: str) -> bytes:
    """Return a GridFS file by its SHA-256; raises NoFile where it is missing."""
    return GridFSBucket(db, bucket_name=BUCKET).open_download_stream(sha).read()


def card(db: Sync, finding_id: str, run: str | None = None) -> Document:
    """Return the card of a finding: itself, the run, its pages, its pictures and the tries of its links.

    Without a run it is the newest one that came to this finding.
    """
    query = {"finding_id": finding_id} | ({"run": run} if run else {})
    doc = db.findings.find_one(query, sort=[("_id", 1)]) if run else _newest(db, query)
    doc = doc or db.late_findings.find_one(query)
    if doc is None:
        raise GovcrawlError(f"no finding {finding_id}; see: govcrawl findings --quarter Q --format jsonl")
    return _card(db, doc)


def find(db: Sync, quarter: str, site: str | None = None, rule: str | None = None) -> Iterator[Document]:
    """Yield the cards of a quarter's findings that show something, by site, rule and finding_id."""
    for doc in reads.findings(db, quarter, site, rule):
        if doc["evidence"]:
            yield _card(db, doc)


def _newest(db: Sync, query: Document) -> Document | None:
    docs = db.findings.find(query).to_list()
    started = {
        run["_id"]: run["started_at"] for run in db.runs.find({"_id": {"$in": [doc["run"] for doc in docs]}})
    }
    return max(
        docs, key=lambda doc: (doc["run"] in started, started.get(doc["run"]), doc["run"]), default=None
    )


def _card(db: Sync, doc: Document) -> Document:
    run = source_of(db, doc["run"])
    urls = {url for seen in doc["evidence"] for url in (seen["url"], seen["selector"]) if url.startswith(WEB)}
    page_keys = [
        key(run, doc["site_id"], url, str(rendered)) for url in sorted(urls) for rendered in (False, True)
    ]
    shots = sorted({seen["screenshot"] for seen in doc["evidence"] if seen["screenshot"]})
    pictures = db.pictures.find({"run": run, "site_id": doc["site_id"], "sha256": {"$in": shots}})
    return {
        "finding": doc,
        "run": db.runs.find_one({"_id": run}) or {},
        "pages": db.pages.find({"_id": {"$in": page_keys}}).sort("url").to_list(),
        "pictures": pictures.sort("_id").to_list(),
        "links": list(_links(db, doc["run"], sorted(urls))),
    }


def _links(db: Sync, run: str, urls: Sequence[str]) -> Iterator[Document]:
    """Yield the newest verdict on each target, with the tries of all passes."""
    runs = link_runs(db, run)
    for url in urls:
        keys = [key(one, url) for one in runs]
        found = {doc["_id"]: doc for doc in db.links.find({"_id": {"$in": keys}, "state": "done"})}
        yield from (found[name] for name in islice((one for one in keys if one in found), 1))


def save(db: Sync, found: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write a card below a folder: card.json, pages as received, pictures; returns the files."""
    finding = found["finding"]
    target = folder / finding["site_id"] / finding["rule"] / finding["finding_id"][:16]
    target.mkdir(parents=True, exist_ok=True)
    files = {"card.json": json.dumps(found, ensure_ascii=False, indent=1, default=str).encode()}
    for page in found["pages"]:
        name = page["_id"][:12]
        head = [f"{page['status']} {page['final_url']}", *(": ".join(pair) for pair in page["headers"])]
        files[f"{name}.headers.txt"] = "\n".join(head).encode("utf-8", "surrogatepass") + b"\n"
        for part, ending in (("body", _ending(page)), ("dom", "dom.html")):
            if page[part]:
                files[f"{name}.{ending}"] = read(db, page[part])
    for seen in finding["evidence"]:
        if seen["screenshot"]:
            files[f"{seen['screenshot']}.jpg"] = picture(db, seen["screenshot"])
    for name, data in files.items():
        (target / name).write_bytes(data)
    return [target / name for name in sorted(files)]


def _ending(page: Mapping[str, Any]) -> str:
    kind = next((value for name, value in page["headers"] if name.lower() == "content-type"), "")
    match = re.search(r"/(?:[\w.-]+\+)?(html|xml|json|pdf|plain|jpeg|png)\b", kind.lower())
    return {"plain": "txt"}.get(match[1], match[1]) if match else "html"


# --- the sweep ------------------------------------------------------------------------------------------


def sweep(db: Sync) -> dict[str, int]:
    """Remove bytes that no record names and return how many; never while an inspection is open.

    A run that begins meanwhile may have found such bytes in place and not written them again: whatever was
    just removed is put back then, also where that run has already ended.
    """
    before = _runs(db)
    _refuse_open(before)
    named = set(_named(db))
    counts = {"blobs": 0, "files": 0, "chunks": 0}
    idle = [doc["_id"] for doc in db.blobs.find({}, {"_id": 1}) if doc["_id"] not in named]
    for start in range(0, len(idle), AT_ONCE):
        some = db.blobs.find({"_id": {"$in": idle[start : start + AT_ONCE]}}).to_list()
        db.blobs.delete_many({"_id": {"$in": [doc["_id"] for doc in some]}})
        if (now := _runs(db)) != before:
            db.blobs.bulk_write([ReplaceOne({"_id": doc["_id"]}, doc, upsert=True) for doc in some])
            _refuse_new(before, now)
        counts["blobs"] += len(some)
    files, chunks = db[f"{BUCKET}.files"], db[f"{BUCKET}.chunks"]
    for sha in sorted({chunk for chunk in chunks.distinct("files_id") if chunk not in named}):
        record, parts = files.find_one({"_id": sha}), chunks.find({"files_id": sha}).to_list()
        files.delete_one({"_id": sha})
        chunks.delete_many({"files_id": sha})
        if (now := _runs(db)) != before:
            _put_back(db, sha, parts, record)
            _refuse_new(before, now)
        counts["files"] += record is not None
        counts["chunks"] += len(parts)
    return counts


def _put_back(db: Sync, sha: str, parts: Sequence[Document], record: Document | None) -> None:
    for part in parts:
        chunk = {"files_id": sha, "n": part["n"], "data": Binary(part["data"])}
        db[f"{BUCKET}.chunks"].replace_one({"files_id": sha, "n": part["n"]}, chunk, upsert=True)
    if record:
        db[f"{BUCKET}.files"].replace_one({"_id": sha}, record, upsert=True)


def _named(db: Sync) -> Iterator[str]:
    for doc in db.pages.find({}, {"body": 1, "dom": 1, "included": 1}):
        yield from names_of(doc)
    yield from (doc["sha256"] for doc in db.pictures.find({}, {"sha256": 1}))
    for run in db.runs.find({}, {"inputs": 1}):
        yield from run.get("inputs", {}).values()
    for doc in db.findings.find({"evidence.screenshot": {"$gt": ""}}, {"evidence.screenshot": 1}):
        yield from (seen["screenshot"] for seen in doc["evidence"] if seen["screenshot"])


def _runs(db: Sync) -> dict[str, tuple[object, ...]]:
    """Return how each run stands; one that begins or ends meanwhile stands otherwise."""
    docs = db.runs.find({}, {"state": 1, "finished_at": 1})
    return {str(run["_id"]): (run["state"], run["finished_at"]) for run in docs}


def _refuse_open(standing: Mapping[str, tuple[object, ...]]) -> None:
    if found := sorted(run for run, (state, *_) in standing.items() if state == "open"):
        raise GovcrawlError(
            f"run {found[0]} is open: finish or repeat it before sweeping, its bytes may not be named yet"
        )


def _refuse_new(before: Mapping[str, tuple[object, ...]], now: Mapping[str, tuple[object, ...]]) -> None:
    _refuse_open(now)
    changed = sorted(run for run in {**before, **now} if before.get(run) != now.get(run))
    raise GovcrawlError(f"run {changed[0]} changed while sweeping: what it may name is put back; sweep again")


def now() -> datetime:
    """Return the moment a picture is taken, as evidence of the taking; no check reads it."""
    return datetime.now(UTC)
