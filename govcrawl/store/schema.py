"""The collections: what a document must hold, and the indexes behind the queries of this package."""

from __future__ import annotations

from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.errors import CollectionInvalid

from govcrawl.store.blobs import BUCKET
from govcrawl.store.client import Document, Sync

HASH = {"bsonType": "string", "pattern": "^[0-9a-f]{64}$"}
NAME = {"bsonType": "string", "minLength": 1}
TEXT = {"bsonType": "string"}
TEXT_OR_NULL = {"bsonType": ["string", "null"]}
HASH_OR_NULL = {"bsonType": ["string", "null"], "pattern": "^[0-9a-f]{64}$"}
COUNT = {"bsonType": ["int", "long"], "minimum": 0}
COUNT_OR_NULL = {"bsonType": ["int", "long", "null"]}
NUMBER = {"bsonType": ["int", "long", "double"]}
DATE = {"bsonType": "date"}
DATE_OR_NULL = {"bsonType": ["date", "null"]}
TRUTH = {"bsonType": "bool"}
LIST = {"bsonType": "array"}
TABLE = {"bsonType": "object"}


def _one_of(*words: str) -> dict[str, Any]:
    return {"enum": list(words)}


COLLECTIONS: dict[str, dict[str, Any]] = {
    # one inspection; _id "2023Q3-1"
    "runs": {
        "quarter": NAME,
        "at": NAME,  # ISO 8601 as given: BSON dates would drop its time zone
        "edition": NAME,
        "roster_sha": TEXT,
        "sites": LIST,
        "settings": TABLE,
        "started_at": DATE,
        "finished_at": DATE_OR_NULL,
        "state": _one_of("open", "complete", "incomplete", "abandoned"),
    },
    # the work of a run; _id "<run>:<site_id>"; `log` has every transition, append-only
    "ledger": {
        "run": NAME,
        "quarter": NAME,
        "site_id": NAME,
        "order": COUNT,
        "state": _one_of("planned", "leased", "done", "failed"),
        "owner": TEXT_OR_NULL,
        "until": DATE_OR_NULL,
        "crashes": COUNT,
        "attempts": COUNT,
        "reason": TEXT,
        "seed": NAME,
        "site": TABLE,  # the roster row the inspection went by
        "counts": TABLE,
        "finished_at": DATE_OR_NULL,
    },
    # a run on the cluster: where its waiting rows begin, and what operators want of it; _id the run
    "queues": {
        "project": NAME,
        "paused": TRUTH,
        "open": TRUTH,
        "next": COUNT,
        "size": COUNT,
        "returned": COUNT,
    },
    # a scrapyd node and what it last said of itself; _id its name
    "nodes": {"draining": TRUTH, "beat_at": DATE},
    # one visit; _id sha256(run, site, url, rendered)
    "pages": {
        "run": NAME,
        "quarter": NAME,
        "site_id": NAME,
        "url": NAME,
        "final_url": TEXT,
        "status": COUNT_OR_NULL,
        "error": TEXT_OR_NULL,
        "fetched_at": DATE_OR_NULL,
        "elapsed": NUMBER,
        "rendered": TRUTH,
        "referrer": TEXT,
        "role": TEXT,
        "column": TEXT,
        "headers": LIST,
        "body": HASH_OR_NULL,
        "dom": HASH_OR_NULL,
        "included": LIST,
        "size": COUNT,
        "encoding": TEXT_OR_NULL,
        "notes": LIST,
    },
    # bytes as received; _id their sha256; `data` is missing where GridFS (bucket `files`) holds them
    "blobs": {
        "enc": _one_of("zstd", "raw"),
        "size": COUNT,
        "stored_at": DATE,
    },
    # the verdict on one link target; _id sha256(run, target)
    "links": {
        "run": NAME,
        "target": NAME,
        "state": _one_of("claimed", "done"),
    },
    # what one rule came to on one site; _id sha256(run, finding_id)
    "findings": {
        "finding_id": HASH,
        "run": NAME,
        "quarter": NAME,
        "site_id": NAME,
        "rule": NAME,
        "outcome": _one_of("passed", "failed", "cantTell", "inapplicable", "untested"),
        "edition": NAME,
        "message": TEXT,
        "evidence": LIST,
        "checked_at": DATE_OR_NULL,
    },
    # how many findings a site has, by rule and outcome; _id "<run>:<site_id>:<edition>"
    "tallies": {
        "run": NAME,
        "quarter": NAME,
        "site_id": NAME,
        "edition": NAME,
        "findings": COUNT,
        "counts": LIST,
    },
    # a screenshot, its JPEG a GridFS file; _id sha256(run, site, rule, url, outline)
    "pictures": {"run": NAME, "site_id": NAME, "rule": TEXT, "url": NAME, "sha256": HASH, "outlined": COUNT},
    # what was seen outside the site's own pages; _id "<run>:<site_id>"
    "facts": {"run": NAME, "site_id": NAME, "seen": TABLE},
    # requests of a site on a day, Beijing time; _id "<site_id>:<day>"
    "rations": {"site_id": NAME, "day": NAME, "used": COUNT},
    # what the readings of a site matched in a quarter, and the alarms that raised; _id "<quarter>:<site_id>"
    "readings": {
        "quarter": NAME,
        "site_id": NAME,
        "run": NAME,
        "platform": TEXT,
        "seen": TABLE,
        "alarms": LIST,
    },
    "scores": {"quarter": NAME, "site_id": NAME},  # _id "<quarter>:<site_id>"
    "summaries": {},  # _id the quarter
    # what a rule came to after the crawl, by a week of visits; _id sha256(quarter, finding_id)
    "late_findings": {"finding_id": HASH, "quarter": NAME, "site_id": NAME, "rule": NAME, "outcome": NAME},
    # the plan of a quarter's visits; _id the quarter
    "probe_weeks": {"start": NAME, "days": COUNT, "rounds": COUNT, "site_ids": LIST},
    # one round of visits; _id "<quarter>:<round>"
    "probe_rounds": {
        "quarter": NAME,
        "round": NAME,
        "state": _one_of("open", "done"),
        "owner": TEXT_OR_NULL,
        "until": DATE_OR_NULL,
        "turn": COUNT,
        "counts": TABLE,
    },
    # who held a round when, and when network or database were away; append-only but for an outage's end
    "probe_log": {
        "quarter": NAME,
        "round": TEXT,
        "event": _one_of("leased", "expired", "released", "done", "network", "database"),
        "owner": TEXT,
        "at": DATE,
        "until": DATE_OR_NULL,
        "turn": COUNT,
    },
    # one planned visit of one site; _id "<quarter>:<site_id>:<round>"
    "probes": {
        "quarter": NAME,
        "site_id": NAME,
        "round": NAME,
        "at": DATE,
        "elapsed": NUMBER,
        "status": COUNT_OR_NULL,
        "error": TEXT_OR_NULL,
        "state": _one_of("connected", "suspected", "down", "own_network", "missed"),
        "reason": TEXT,
        "second": {"bsonType": ["object", "null"]},
    },
    "verdicts": {},  # what a person decided on a finding; append-only, a chain in the order of `seq`
    # outside data, a whole file a document; _id "<quarter>:<kind>"
    "imports": {"quarter": NAME, "kind": NAME, "source": NAME, "sha256": HASH, "rows": LIST},
}

INDEXES: dict[str, tuple[tuple[str, ...], ...]] = {
    "runs": (("quarter", "state"),),
    "ledger": (
        ("run", "state", "order"),
        ("quarter", "state"),
        ("job.id",),
    ),
    "pages": (("run", "site_id"),),
    "pictures": (("run", "site_id"),),
    "findings": (("run", "site_id"), ("quarter", "site_id", "rule")),
    "tallies": (("run", "site_id"),),
    "readings": (("site_id", "quarter"), ("quarter", "site_id")),
    "scores": (("quarter", "site_id"),),
    "late_findings": (("quarter", "site_id", "rule"),),
    "probe_rounds": (("quarter", "round"),),
    "probe_log": (("quarter", "round", "at"),),
    "probes": (("quarter", "round"), ("quarter", "site_id", "round")),
    "verdicts": (("quarter", "seq"), ("seq",)),
}


def ensure_schema(db: Sync) -> None:
    """Create what is missing of collections, validators and indexes; changes nothing the second time."""
    present = {found["name"]: found.get("options", {}) for found in db.list_collections()}
    for name, fields in COLLECTIONS.items():
        validator = _validator(fields)
        if name not in present:
            _create(db, name, validator)
        elif present[name].get("validator") != validator:
            db.command("collMod", name, validator=validator)
        indexes = [IndexModel([(key, ASCENDING) for key in keys]) for keys in INDEXES.get(name, ())]
        if indexes:
            db[name].create_indexes(indexes)
    # Rows the cluster has leased name what they hold; see queue.py.
    db.ledger.create_index("holds", unique=True, sparse=True)
    # What every GridFS driver creates before its first upload; ours writes the chunks itself.
    db[f"{BUCKET}.files"].create_index([("filename", ASCENDING), ("uploadDate", ASCENDING)])
    db[f"{BUCKET}.chunks"].create_index([("files_id", ASCENDING), ("n", ASCENDING)], unique=True)


def _validator(fields: dict[str, Any]) -> Document:
    schema: Document = {"bsonType": "object"}
    if fields:
        schema |= {"required": sorted(fields), "properties": fields}
    return {"$jsonSchema": schema}


def _create(db: Sync, name: str, validator: Document) -> None:
    try:
        db.create_collection(name, validator=validator)
    except CollectionInvalid:  # another command was faster
        db.command("collMod", name, validator=validator)
