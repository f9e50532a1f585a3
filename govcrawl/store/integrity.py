"""Seals: each site's records as a hash chain and a Merkle root; `verify` names whatever was changed since.

A seal lists every record of a site in one run by id and SHA-256. The run's seal lists the seals of its sites,
its links and its ledger. Bytes need no list: pages and pictures name them by their SHA-256. Only a signature,
or a root printed elsewhere, protects against somebody who writes new seals; see docs/evidence.md.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import bson
from bson.binary import Binary
from bson.decimal128 import Decimal128
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from govcrawl.items import GovcrawlError
from govcrawl.store import reads, tallies
from govcrawl.store.blobs import BUCKET, Blob, sha256
from govcrawl.store.client import Async, Document, Sync
from govcrawl.store.evidence import names_of
from govcrawl.store.patience import patient

SITE_PARTS = ("pages", "pictures", "facts", "findings")
GROWING = ("verdicts",)  # append-only and chained: what came after the seal is no alteration
AT_ONCE = 10_000  # links a seal: a document holds 16 MiB
HALF = 32  # bytes of an id, and of a hash
ENTRY = 2 * HALF


# --- hashes ---------------------------------------------------------------------------------------------


def canonical(doc: Mapping[str, Any]) -> bytes:
    """Return a document as BSON with sorted names, so that a dump restored elsewhere gives the same bytes."""
    return bson.encode(_sorted(doc))


def _sorted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _sorted(value[name]) for name in sorted(value)}
    if isinstance(value, list | tuple):
        return [_sorted(one) for one in value]
    return Decimal128(value) if isinstance(value, Decimal) else value


def digest(doc: Mapping[str, Any]) -> bytes:
    """Return the hash of one record, as a Merkle leaf (RFC 6962)."""
    return hashlib.sha256(b"\x00" + canonical(doc)).digest()


def chain(hashes: Iterable[bytes]) -> str:
    """Return the head of a hash chain: another order, or one record less, gives another head."""
    head = bytes(HALF)
    for one in hashes:
        head = hashlib.sha256(head + one).digest()
    return head.hex()


def merkle(leaves: Sequence[bytes]) -> str:
    """Return the Merkle root of these leaves (RFC 6962)."""
    return _tree(leaves).hex() if leaves else hashlib.sha256(b"").hexdigest()


def _tree(leaves: Sequence[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    return hashlib.sha256(b"\x01" + _tree(leaves[:split]) + _tree(leaves[split:])).digest()


def _name(doc: Mapping[str, Any]) -> bytes:
    found = str(doc["_id"])
    return bytes.fromhex(found) if len(found) == ENTRY else hashlib.sha256(found.encode()).digest()


def _entries(docs: Iterable[Mapping[str, Any]]) -> bytes:
    return b"".join(sorted(_name(doc) + digest(doc) for doc in docs))


def _split(entries: bytes) -> dict[bytes, bytes]:
    return {entries[at : at + HALF]: entries[at + HALF : at + ENTRY] for at in range(0, len(entries), ENTRY)}


def _sealed(seal_id: str, run: str, quarter: str, site_id: str, parts: Mapping[str, bytes]) -> Document:
    hashes = [one for name in sorted(parts) for one in _split(parts[name]).values()]
    doc: Document = {
        "_id": seal_id,
        "run": run,
        "quarter": quarter,
        "site_id": site_id,
        "parts": {name: Binary(parts[name]) for name in sorted(parts)},
        "head": chain(hashes),
        "root": merkle(hashes),
    }
    return doc | {"digest": digest(doc).hex()}


# --- sealing --------------------------------------------------------------------------------------------


async def seal_site(db: Async, run: str, site_id: str) -> None:
    """Seal what a run stored of a site, before the site is acknowledged; again when it is repeated."""
    query = {"run": run, "site_id": site_id}
    parts = {}
    for name in SITE_PARTS:
        docs = await patient(lambda name=name: db[name].find(query).to_list())  # type: ignore[misc]
        parts[name] = _entries(docs)
    seal = _sealed(f"{run}:{site_id}", run, "", site_id, parts)
    await patient(lambda: db.seals.replace_one({"_id": seal["_id"]}, seal, upsert=True))


@patient.sync
def seal_run(db: Sync, run: str) -> str:
    """Seal a run that is complete, over its sites' seals, its links and its ledger; returns the root."""
    doc = db.runs.find_one({"_id": run})
    if doc is None or doc["state"] != "complete":
        raise GovcrawlError(f"run {run} is not complete: only a complete run is sealed")
    links = sorted(_name(one) + digest(one) for one in db.links.find({"run": run, "state": "done"}))
    for number, start in enumerate(range(0, len(links), AT_ONCE)):
        parts = {"links": b"".join(links[start : start + AT_ONCE])}
        seal = _sealed(f"{run}:links:{number}", run, doc["quarter"], "", parts)
        db.seals.replace_one({"_id": seal["_id"]}, seal, upsert=True)
    own = {"run": run, "_id": {"$ne": _run_seal(run)}}
    parts = {
        "ledger": _entries(db.ledger.find({"run": run})),
        "runs": _entries([doc]),
        "seals": _entries(db.seals.find(own)),
    }
    seal = _sealed(_run_seal(run), run, doc["quarter"], "", parts)
    db.seals.replace_one({"_id": seal["_id"]}, seal, upsert=True)
    return str(seal["root"])


def seal_missing(db: Sync) -> None:
    """Seal every complete run without a seal: a command may have been killed just before it."""
    for run in db.runs.find({"state": "complete", "source": None}, {"_id": 1}).sort("_id", 1):
        if not db.seals.find_one({"_id": _run_seal(run["_id"])}, {"_id": 1}):
            seal_run(db, run["_id"])


@patient.sync
def seal_scores(db: Sync, quarter: str) -> str:
    """Seal a quarter's scores, summary, later findings and decisions as they now are; returns the root."""
    parts = {
        "verdicts": _entries(db.verdicts.find({"quarter": quarter})),
        "scores": _entries(db.scores.find({"quarter": quarter})),
        "summaries": _entries(db.summaries.find({"_id": quarter})),
        "late_findings": _entries(db.late_findings.find({"quarter": quarter})),
    }
    seal = _sealed(f"{quarter}:scores", "", quarter, "", parts)
    db.seals.replace_one({"_id": seal["_id"]}, seal, upsert=True)
    return str(seal["root"])


def roots(db: Sync, quarter: str) -> dict[str, str]:
    """Return the Merkle root of each site's newest inspection in a quarter, by site_id, for the report."""
    newest = reads.inspected(db, quarter)
    seals = db.seals.find({"_id": {"$in": [f"{run}:{site_id}" for site_id, run in newest.items()]}})
    return {seal["site_id"]: seal["root"] for seal in seals.sort("site_id")}


def quarter_root(found: Mapping[str, str]) -> str:
    """Return one root over the sites' roots in the order of site_id: the line to print and keep elsewhere."""
    return merkle(
        [hashlib.sha256(f"{site}\x1f{root}".encode()).digest() for site, root in sorted(found.items())]
    )


def _run_seal(run: str) -> str:
    return f"{run}:run"


# --- chains of verdicts ---------------------------------------------------------------------------------


def chained(previous: Mapping[str, Any] | None, doc: Mapping[str, Any]) -> Document:
    """Return an append-only record with its place in the chain: `seq`, `prev` (the hash before), `hash`."""
    body = {name: value for name, value in doc.items() if name not in ("seq", "prev", "hash")}
    body |= {"seq": previous["seq"] + 1 if previous else 0, "prev": previous["hash"] if previous else ""}
    return body | {"hash": digest(body).hex()}


def chain_problems(name: str, docs: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield what is wrong with a chain of append-only records, in the order of `seq`."""
    before: Mapping[str, Any] | None = None
    for doc in docs:
        wanted = chained(before, doc)
        label = f"{name} {doc['_id']}"
        if doc["seq"] != wanted["seq"]:
            yield f"{label}: record {wanted['seq']} of the chain is missing or out of order"
        elif doc["prev"] != wanted["prev"]:
            yield f"{label}: does not follow the record before it"
        elif doc["hash"] != wanted["hash"]:
            yield f"{label}: altered"
        before = doc


# --- verifying ------------------------------------------------------------------------------------------


@dataclass
class Verified:
    """What a verification looked at and what it found wrong."""

    problems: list[str] = field(default_factory=list)
    runs: int = 0
    records: int = 0
    blobs: int = 0
    files: int = 0


def verify(db: Sync) -> Verified:
    """Compare every sealed record and all bytes with what they were; reads the database and nothing else."""
    found = Verified()
    seals = {seal["_id"]: seal for seal in db.seals.find()}
    for seal in seals.values():
        found.problems += _seal_problems(seal)
    for run in db.runs.find({"state": {"$ne": "abandoned"}}).sort("_id"):
        found.runs += 1
        found.problems += _run_problems(db, run, seals, found)
    known = {run["_id"] for run in db.runs.find({}, {"_id": 1})} | {""}
    missing = sorted({seal["run"] for seal in seals.values()} - known)
    found.problems += [f"run {run}: its record is removed" for run in missing]
    for quarter in sorted({seal["quarter"] for seal in seals.values() if seal["_id"].endswith(":scores")}):
        own = {"quarter": quarter}
        parts = {"scores": own, "summaries": {"_id": quarter}, "late_findings": own, "verdicts": own}
        found.problems += _compare(db, seals[f"{quarter}:scores"], parts, found)
    scored = {doc["quarter"] for doc in db.scores.find({}, {"quarter": 1})}
    found.problems += [
        f"quarter {one}: its scores are not sealed" for one in sorted(scored) if f"{one}:scores" not in seals
    ]
    found.problems += chain_problems("verdict", db.verdicts.find({"hash": {"$exists": True}}).sort("seq", 1))
    found.problems += tallies.problems(db)
    found.problems += _bytes_problems(db, found)
    return found


def _seal_problems(seal: Mapping[str, Any]) -> Iterator[str]:
    parts = {name: bytes(entries) for name, entries in seal["parts"].items()}
    wanted = _sealed(seal["_id"], seal["run"], seal["quarter"], seal["site_id"], parts)
    if canonical(seal) != canonical(wanted):
        yield f"seal {seal['_id']}: altered"


def _run_problems(
    db: Sync, run: Mapping[str, Any], seals: Mapping[str, Document], found: Verified
) -> Iterator[str]:
    run_id = run["_id"]
    whole = seals.get(_run_seal(run_id))
    if whole is not None:
        own = {"run": run_id, "_id": {"$ne": _run_seal(run_id)}}
        yield from _compare(
            db, whole, {"ledger": {"run": run_id}, "runs": {"_id": run_id}, "seals": own}, found
        )
    elif run["state"] == "complete":
        yield f"run {run_id}: complete but not sealed"
    for row in db.ledger.find({"run": run_id, "state": "done"}, {"site_id": 1}).sort("site_id", 1):
        if f"{run_id}:{row['site_id']}" not in seals:
            yield f"site {row['site_id']} of run {run_id}: inspected but not sealed"
    for seal in (one for one in seals.values() if one["run"] == run_id and one is not whole):
        if seal["site_id"]:
            query = {"run": run_id, "site_id": seal["site_id"]}
            yield from _compare(db, seal, dict.fromkeys(SITE_PARTS, query), found)
    yield from _link_problems(db, run_id, seals, found)


def _link_problems(db: Sync, run: str, seals: Mapping[str, Document], found: Verified) -> Iterator[str]:
    parts = [
        bytes(seal["parts"]["links"]) for name, seal in seals.items() if name.startswith(f"{run}:links:")
    ]
    if not parts and _run_seal(run) not in seals:
        return
    docs = db.links.find({"run": run, "state": "done"})
    yield from _differences(f"run {run}", "links", b"".join(parts), docs, found)


def _compare(
    db: Sync, seal: Mapping[str, Any], parts: Mapping[str, Mapping[str, Any]], found: Verified
) -> Iterator[str]:
    where = (
        f"site {seal['site_id']} of run {seal['run']}"
        if seal["site_id"]
        else f"run {seal['run'] or seal['quarter']}"
    )
    for name, query in parts.items():
        yield from _differences(where, name, bytes(seal["parts"].get(name, b"")), db[name].find(query), found)


def _differences(
    where: str, name: str, entries: bytes, docs: Iterable[Mapping[str, Any]], found: Verified
) -> Iterator[str]:
    wanted = _split(entries)
    for doc in docs:
        found.records += 1
        before = wanted.pop(_name(doc), None)
        if before is None:
            if name not in GROWING:
                yield f"{where}: {name} {doc['_id']} ({_about(doc)}): added"
        elif before != digest(doc):
            yield f"{where}: {name} {doc['_id']} ({_about(doc)}): altered"
    for removed in sorted(wanted):
        yield f"{where}: {name} {removed.hex()}: removed"


def _about(doc: Mapping[str, Any]) -> str:
    found = (doc.get(name) for name in ("rule", "url", "target", "site_id", "quarter"))
    return " ".join(str(one)[:120] for one in found if one)


def _bytes_problems(db: Sync, found: Verified) -> Iterator[str]:
    named: dict[str, str] = {}
    for page in db.pages.find({}, {"body": 1, "dom": 1, "included": 1, "url": 1}):
        with suppress(KeyError, TypeError, ValueError):  # a page so altered is named by its seal
            named |= dict.fromkeys(names_of(page), f"page {page['url']}")
    for run in db.runs.find({}, {"inputs": 1}):
        with suppress(AttributeError):  # a run so altered is named by its seal
            named |= {str(sha): f"{name} of run {run['_id']}" for name, sha in run.get("inputs", {}).items()}
    pictured = {str(one.get("sha256")): f"picture of {one.get('url')}" for one in db.pictures.find()}
    for doc in db.findings.find({"evidence.screenshot": {"$gt": ""}}, {"evidence": 1, "rule": 1}):
        for seen in (one for one in doc["evidence"] if isinstance(one, Mapping)):
            if seen["screenshot"]:
                pictured.setdefault(seen["screenshot"], f"finding {doc['rule']} {seen['url']}")
    kept = set()
    for doc in db.blobs.find():
        found.blobs += 1
        kept.add(doc["_id"])
        if "data" in doc:
            if not _sound(doc):
                yield f"bytes {doc['_id']} ({named.get(doc['_id'], 'named by nobody')}): altered"
        else:
            pictured.setdefault(doc["_id"], named.get(doc["_id"], ""))
    yield from (f"bytes {sha} ({named[sha]}): removed" for sha in sorted(set(named) - kept))
    yield from _file_problems(db, pictured, found)


def _sound(doc: Mapping[str, Any]) -> bool:
    try:
        data = Blob(doc["data"], doc["enc"], doc["size"]).data
        return len(data) == doc["size"] and doc["enc"] in ("zstd", "raw") and sha256(data) == doc["_id"]
    except Exception:  # whatever a decompressor says of broken bytes, they are not what was stored
        return False


def _file_problems(db: Sync, named: Mapping[str, str], found: Verified) -> Iterator[str]:
    kept = set()
    for record in db[f"{BUCKET}.files"].find():
        found.files += 1
        kept.add(record["_id"])
        parts = db[f"{BUCKET}.chunks"].find({"files_id": record["_id"]}).sort("n", 1)
        data = b"".join(bytes(part["data"]) for part in parts)
        if sha256(data) != record["_id"] or record["length"] != len(data):
            yield f"file {record['_id']} ({named.get(record['_id'], 'named by nobody')}): altered"
    yield from (f"file {sha} ({named[sha]}): removed" for sha in sorted(set(named) - kept))


# --- signatures -----------------------------------------------------------------------------------------


def new_key(path: Path) -> str:
    """Write a new Ed25519 key only its owner can read, and FILE.pub; returns its fingerprint."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IRUSR | stat.S_IWUSR)
        with os.fdopen(handle, "wb") as out:
            out.write(private)
        path.with_name(path.name + ".pub").write_bytes(public)
    except OSError as error:
        raise GovcrawlError(f"{path}: the key cannot be written ({error.strerror})") from error
    return fingerprint(key.public_key())


def fingerprint(key: Ed25519PublicKey) -> str:
    """Return the SHA-256 of a public key."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return sha256(raw)


def sign(db: Sync, run: str, path: Path) -> str:
    """Sign a run's seal with the key in a file and store the signature; returns the key's fingerprint."""
    key = _private(path)
    seal = db.seals.find_one({"_id": _run_seal(run)})
    if seal is None:
        raise GovcrawlError(f"run {run} is not sealed: nothing to sign")
    db.signatures.replace_one(
        {"_id": seal["_id"]},
        {
            "_id": seal["_id"],
            "run": run,
            "key": fingerprint(key.public_key()),
            "signature": Binary(key.sign(_signed(seal))),
        },
        upsert=True,
    )
    return fingerprint(key.public_key())


def signed_by(db: Sync, run: str, path: Path) -> str:
    """Return the fingerprint of the public key in a file once its signature on a run holds; else an error."""
    key = _public(path)
    seal = db.seals.find_one({"_id": _run_seal(run)})
    found = db.signatures.find_one({"_id": _run_seal(run)})
    if seal is None or found is None:
        raise GovcrawlError(f"run {run} is not signed")
    try:
        key.verify(bytes(found["signature"]), _signed(seal))
    except InvalidSignature as error:
        raise GovcrawlError(f"run {run}: the signature does not hold with the key in {path}") from error
    return fingerprint(key)


def _signed(seal: Mapping[str, Any]) -> bytes:
    body = {name: value for name, value in seal.items() if name != "digest"}
    return b"govcrawl run seal\x00" + digest(body)


def _private(path: Path) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise GovcrawlError(f"{path}: no usable signing key; nothing was signed") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise GovcrawlError(f"{path}: not an Ed25519 key; nothing was signed")
    return key


def _public(path: Path) -> Ed25519PublicKey:
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise GovcrawlError(f"{path}: no usable public key; no signature was checked") from error
    if not isinstance(key, Ed25519PublicKey):
        raise GovcrawlError(f"{path}: not an Ed25519 key; no signature was checked")
    return key
