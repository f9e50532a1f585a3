"""`govcrawl recheck`: the same results from the database alone, and what another edition changes."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import bson
import pytest

from govcrawl.items import GovcrawlError
from govcrawl.recheck import recheck
from govcrawl.store import client, evidence, integrity, reads, server
from govcrawl.store.client import Sync
from govcrawl.store.schema import ensure_schema
from tests.inspecting import HASTE, Office, served
from tests.province.model import QUARTER
from tests.province.world import make

pytestmark = [pytest.mark.mongo, pytest.mark.slow]
STANDARD = Path(__file__).resolve().parents[1] / "govcrawl" / "standard" / "2019-19.toml"


SITES = int(os.environ.get("GOVCRAWL_TEST_SITES", "3"))  # 60: the crawl the evidence is measured on
BUDGET = "25" if SITES <= 3 else "300"
TYPO = "人民政俯"  # stands on no page
COMMON = "人民政府"  # stands on every page: only this inspection's own lexicon calls it wrong


@dataclass
class Elsewhere:
    """A dump of one inspection, restored where nothing else of it is left: no roster, no web, no files."""

    db: Sync
    uri: str
    folder: Path
    findings: list[bytes]
    scores: list[bytes]


def records(db: Sync, name: str) -> list[bytes]:
    docs = db[name].find({"quarter": QUARTER}, {"run": 0, "_id": 0})
    return sorted(integrity.canonical(doc) for doc in docs)


def dump(db: Sync, folder: Path) -> None:
    """Write each collection as mongodump does: its documents one after another."""
    folder.mkdir()
    for name in db.list_collection_names():
        with (folder / f"{name}.bson").open("wb") as out:
            for doc in db[name].find():
                out.write(bson.encode(doc, codec_options=db.codec_options))


def restore(folder: Path, db: Sync) -> None:
    """Read such a dump into an empty database."""
    ensure_schema(db)
    for file in sorted(folder.iterdir()):
        with file.open("rb") as stream:
            docs = bson.decode_file_iter(stream, codec_options=db.codec_options)
            while some := list(islice(docs, 200)):
                db[file.stem].insert_many(some)


def inspected(uri: str, folder: Path) -> tuple[list[bytes], list[bytes]]:
    """Inspect a province with files of its own, dump what is stored, and leave only the dump."""
    world = make(folder / "province", SITES)
    own = folder / "lexicon.txt"
    own.write_text(f"{COMMON} => {TYPO}\n", "utf-8")
    with served(world.answer) as (_, proxy):
        office = Office(folder, uri, proxy)
        end = office.inspect(folder / "province" / "roster.csv", "--budget", BUDGET, "--lexicon", own)
        assert end.code == 0, end.err
    db = client.connect(uri)
    try:
        dump(db, folder / "dump")
        shutil.rmtree(folder / "province")
        own.unlink()
        return records(db, "findings"), records(db, "scores")
    finally:
        db.client.drop_database(db.name)
        db.client.close()


@pytest.fixture(scope="module")
def elsewhere(mongo_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    folder = tmp_path_factory.mktemp("office")
    findings, scores = inspected(mongo_uri.replace("/govcrawl?", "/test_recheck?"), folder)
    with server.resolve(None, tmp_path_factory.mktemp("elsewhere")) as uri:
        db = client.connect(uri)
        try:
            restore(folder / "dump", db)
            yield Elsewhere(db, uri, folder, findings, scores)
        finally:
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
    assert (found.sites, found.changes, found.scores, found.failed) == (SITES, [], [], [])
    assert found.same
    assert found.pages == elsewhere.db.pages.count_documents({})
    assert elsewhere.db.runs.count_documents({}) == 1
    assert records(elsewhere.db, "findings") == elsewhere.findings
    count = len(elsewhere.findings)
    print(f"{found.sites} sites, {found.pages} pages, {count} findings in {found.seconds:.0f} s")


def test_recheck_goes_by_the_lexicon_of_its_inspection(elsewhere: Elsewhere) -> None:
    wrong = list(reads.findings(elsewhere.db, QUARTER, rule="V1.1"))
    seen = {(one["observed"], one["expected"]) for doc in wrong for one in doc["evidence"]}
    assert seen == {(COMMON, TYPO)}
    kept = elsewhere.db.runs.find_one({})
    assert kept is not None
    assert sorted(kept["inputs"]) == ["domains", "edition", "lexicon"]
    assert evidence.read(elsewhere.db, kept["inputs"]["edition"]) == STANDARD.read_bytes()
    site = next(doc["site_id"] for doc in wrong if doc["evidence"])
    others = {name: sha for name, sha in kept["inputs"].items() if name != "lexicon"}
    elsewhere.db.runs.replace_one({"_id": kept["_id"]}, kept | {"inputs": others})
    try:
        found = recheck(elsewhere.db, elsewhere.uri, QUARTER, site=site)
        assert [(one.rule, one.why) for one in found.changes] == [("V1.1", "检查程序或读取方式已变")]
    finally:
        elsewhere.db.runs.replace_one({"_id": kept["_id"]}, kept)
    assert recheck(elsewhere.db, elsewhere.uri, QUARTER, site=site).same


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
