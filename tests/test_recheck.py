"""`govcrawl recheck`: the same results from the database alone, and what another edition changes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import bson
import pytest

from govcrawl.items import GovcrawlError
from govcrawl.recheck import recheck
from govcrawl.store import client, integrity, reads
from govcrawl.store.client import Sync
from govcrawl.store.schema import ensure_schema
from tests.inspecting import HASTE, Office, served
from tests.province.model import QUARTER
from tests.province.world import make

pytestmark = [pytest.mark.mongo, pytest.mark.slow]
STANDARD = Path(__file__).resolve().parents[1] / "govcrawl" / "standard" / "2019-19.toml"


@dataclass
class Elsewhere:
    """A dump of one inspection, restored where nothing else of it is left: no roster, no web, no options."""

    db: Sync
    uri: str
    folder: Path
    findings: list[bytes]
    scores: list[bytes]


def records(db: Sync, name: str) -> list[bytes]:
    docs = db[name].find({"quarter": QUARTER}, {"run": 0, "_id": 0})
    return sorted(integrity.canonical(doc) for doc in docs)


@pytest.fixture(scope="module")
def elsewhere(mongo_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    first = mongo_uri.replace("/govcrawl?", "/test_recheck_first?")
    second = mongo_uri.replace("/govcrawl?", "/test_recheck_second?")
    folder = tmp_path_factory.mktemp("office")
    world = make(folder / "province", 3)
    with served(world.answer) as (_, proxy):
        office = Office(folder, first, proxy)
        end = office.inspect(folder / "province" / "roster.csv", "--budget", "25")
        assert end.code == 0, end.err
    source, target = client.connect(first), client.connect(second)
    ensure_schema(target)
    for name in source.list_collection_names():
        dump = [bson.encode(doc, codec_options=source.codec_options) for doc in source[name].find()]
        restored = [bson.decode(one, codec_options=target.codec_options) for one in dump]
        if restored:
            target[name].insert_many(restored)
    yield Elsewhere(target, second, folder, records(source, "findings"), records(source, "scores"))
    for db in (source, target):
        db.client.drop_database(db.name)
        db.client.close()


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Leave a recheck no settings of its caller, and a folder in which nothing lies."""
    for name in [name for name in os.environ if name.startswith("GOVCRAWL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GOVCRAWL_OPTIONS", json.dumps(HASTE))
    monkeypatch.chdir(tmp_path)


def test_restored_dump_is_unaltered(elsewhere: Elsewhere) -> None:
    assert integrity.verify(elsewhere.db).problems == []


@pytest.mark.parametrize("workers", [1, 2])
def test_recheck_comes_to_the_same_findings_and_scores_byte_by_byte(
    elsewhere: Elsewhere, workers: int
) -> None:
    found = recheck(elsewhere.db, elsewhere.uri, QUARTER, workers=workers)
    assert (found.sites, found.changes, found.scores, found.failed) == (3, [], [], [])
    assert found.same
    assert found.pages == elsewhere.db.pages.count_documents({})
    assert elsewhere.db.runs.count_documents({}) == 1
    assert records(elsewhere.db, "findings") == elsewhere.findings


def test_another_edition_shows_what_changed_and_why(elsewhere: Elsewhere) -> None:
    text = STANDARD.read_text("utf-8")
    rule = text.index('code = "D4.3a"')
    mode = text.index('mode = "automatic"', rule)
    text = text[:mode] + 'mode = "assisted"' + text[mode + len('mode = "automatic"') :]
    edition = elsewhere.folder / "doubtful.toml"
    edition.write_text(text.replace('id = "2019-19"', 'id = "doubtful"', 1), "utf-8")
    dead = {
        doc["site_id"]
        for doc in reads.findings(elsewhere.db, QUARTER, rule="D4.3a")
        if doc["outcome"] == "failed"
    }
    assert dead
    found = recheck(elsewhere.db, elsewhere.uri, QUARTER, edition=edition)
    assert found.edition == "doubtful"
    assert {one.site_id for one in found.changes} == dead
    assert {(one.rule, one.why) for one in found.changes} == {("D4.3a", "mode: automatic → assisted")}
    assert all(one.before.startswith("failed") and one.after.startswith("cantTell") for one in found.changes)
    assert records(elsewhere.db, "scores") == elsewhere.scores


def test_uninspected_quarter_is_one_clear_line(elsewhere: Elsewhere) -> None:
    with pytest.raises(GovcrawlError, match="no site inspected"):
        recheck(elsewhere.db, elsewhere.uri, "2022Q1")
    with pytest.raises(GovcrawlError, match="site nowhere inspected"):
        recheck(elsewhere.db, elsewhere.uri, QUARTER, site="nowhere")
    with pytest.raises(GovcrawlError, match="not in edition"):
        recheck(elsewhere.db, elsewhere.uri, QUARTER, rule="X9")


def test_kept_recheck_stands_for_the_quarter_and_can_be_rechecked(elsewhere: Elsewhere) -> None:
    recheck(elsewhere.db, elsewhere.uri, QUARTER, keep=True)
    assert set(reads.inspected(elsewhere.db, QUARTER).values()) == {f"{QUARTER}-1r1"}
    found = ({**doc} for doc in reads.findings(elsewhere.db, QUARTER))
    kept = ({name: value for name, value in doc.items() if name not in ("_id", "run")} for doc in found)
    assert sorted(map(integrity.canonical, kept)) == elsewhere.findings
    assert records(elsewhere.db, "scores") == elsewhere.scores
    assert integrity.verify(elsewhere.db).problems == []
    assert recheck(
        elsewhere.db, elsewhere.uri, QUARTER, site=min(reads.inspected(elsewhere.db, QUARTER))
    ).same
