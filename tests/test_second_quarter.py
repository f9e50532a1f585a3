"""A second quarter over unchanged pages: their bytes are in the store already."""

from __future__ import annotations

from pathlib import Path

import bson
import pytest

from govcrawl.store import client, integrity
from govcrawl.store.client import Sync
from tests.inspecting import Office, served
from tests.province.model import AT, QUARTER
from tests.province.world import make

pytestmark = [pytest.mark.mongo, pytest.mark.slow]
LATER, LATER_AT = "2023Q4", "2023-12-20"
BYTES = ("blobs", "files.files", "files.chunks")


def sizes(db: Sync) -> dict[str, int]:
    """Return the bytes of each collection's documents."""
    return {
        name: sum(len(bson.encode(doc, codec_options=db.codec_options)) for doc in db[name].find())
        for name in db.list_collection_names()
    }


def test_second_quarter_over_unchanged_pages_stores_little(tmp_path: Path, store_uri: str) -> None:
    world = make(tmp_path / "province", 1)
    db = client.connect(store_uri)
    try:
        with served(world.answer) as (_, proxy):
            office = Office(tmp_path, store_uri, proxy)
            first = office.inspection(tmp_path / "province" / "roster.csv")
            end = office.run(
                *first
            )  # its budget holds every page: a sample would be another one next quarter
            assert end.code == 0, end.err
            before = sizes(db)
            changes = {QUARTER: LATER, AT.isoformat(): LATER_AT}
            end = office.run(*(changes.get(str(one), one) for one in first))
            assert end.code == 0, end.err
        after = sizes(db)
        assert integrity.verify(db).problems == []
        pages = db.pages.count_documents({"quarter": QUARTER})
        assert db.pages.count_documents({"quarter": LATER}) == pages
    finally:
        db.client.close()
    for name in sorted(after):
        print(f"{name}: {before.get(name, 0)} bytes, then {after[name] - before.get(name, 0)} more")
    new, old = (sum(found.get(name, 0) for name in BYTES) for found in (after, before))
    share = (new - old) / old
    whole = sum(after.values()) / sum(before.values()) - 1
    print(f"{pages} pages: {share:.1%} new bytes; with all records {whole:.1%}")
    assert pages > 50
    assert share < 0.15
