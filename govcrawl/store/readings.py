"""What the readings of each site matched, quarter by quarter, and the alarms that drift raised."""

from __future__ import annotations

from collections import Counter
from typing import Any

from pymongo import ASCENDING, DESCENDING

from govcrawl.items import SiteDone
from govcrawl.store.client import Async, Document, Sync
from govcrawl.store.patience import patient


async def before(db: Async, site_id: str, quarter: str) -> dict[str, Any]:
    """Return the tallies of the site's last inspection in an earlier quarter; nothing at the first."""
    query = {"site_id": site_id, "quarter": {"$lt": quarter}}
    doc = await patient(lambda: db.readings.find_one(query, sort=[("quarter", DESCENDING)]))
    return dict(doc["seen"]) if doc else {}


async def keep(db: Async, quarter: str, run: str, done: SiteDone) -> None:
    """Make these the quarter's tallies and alarms of the site."""
    doc = {
        "_id": f"{quarter}:{done.site_id}",
        "quarter": quarter,
        "site_id": done.site_id,
        "run": run,
        "platform": done.platform,
        "seen": done.readings,
        "alarms": list(done.alarms),
    }
    await patient(lambda: db.readings.replace_one({"_id": doc["_id"]}, doc, upsert=True))


def alarms(db: Sync, quarter: str, site: str | None = None) -> list[Document]:
    """Return the alarms of a quarter, one record each, by site and reading."""
    query: Document = {"quarter": quarter, "alarms.0": {"$exists": True}}
    if site is not None:
        query["site_id"] = site
    docs = db.readings.find(query, {"site_id": 1, "platform": 1, "run": 1, "alarms": 1})
    return [
        {"site_id": doc["site_id"], "platform": doc["platform"], "run": doc["run"], **one}
        for doc in docs.sort("site_id", ASCENDING)
        for one in doc["alarms"]
    ]


def platforms(db: Sync, quarter: str) -> dict[str, tuple[int, int]]:
    """Return for each platform how many of its sites raised an alarm, and how many were inspected."""
    docs = db.readings.find({"quarter": quarter}, {"platform": 1, "alarms": 1}).to_list()
    sites = Counter(doc["platform"] for doc in docs)
    raised = Counter(doc["platform"] for doc in docs if doc["alarms"])
    return {name: (raised[name], count) for name, count in sorted(sites.items())}
