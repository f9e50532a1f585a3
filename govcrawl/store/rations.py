"""The requests each site has had on each day, counted for all workers of all runs together."""

from __future__ import annotations

from contextlib import suppress

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from govcrawl.items import GovcrawlError
from govcrawl.store.client import Async
from govcrawl.store.patience import patient


async def take(db: Async, site_id: str, day: str, share: int, limit: int) -> int:
    """Take a share of a site's requests of a day; returns how many of it are within the limit.

    A call repeated after a lost answer takes twice: fewer requests than allowed, never more.
    """
    key, fields = {"_id": f"{site_id}:{day}"}, {"site_id": site_id, "day": day, "used": 0}
    with suppress(DuplicateKeyError):  # another worker was faster
        await patient(lambda: db.rations.insert_one({**key, **fields}))
    update = {"$inc": {"used": share}}
    doc = await patient(
        lambda: db.rations.find_one_and_update(key, update, return_document=ReturnDocument.AFTER)
    )
    if doc is None:
        raise GovcrawlError(f"{site_id}: its count of requests was removed while it was inspected")
    return max(0, share - max(0, int(doc["used"]) - limit))
