"""Seals and `verify`: every change is found and named, and nothing else is."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from bson.binary import Binary

from govcrawl.items import Evidence, Finding, GovcrawlError, LinkCheck, LinkState, Outcome, Page, Site
from govcrawl.store import evidence, integrity
from govcrawl.store.client import Sync, connect_async
from govcrawl.store.evidence import Picture
from govcrawl.store.ledger import Ledger, finish_run, open_run, plan, release_owner
from govcrawl.store.writer import Writer
from tests.inspecting import ROOT

pytestmark = pytest.mark.mongo
AT = datetime(2023, 9, 20, tzinfo=UTC)
QUARTER = "2023Q3"
SITES = [Site(f"s{n}", f"站{n}", "portal", "city", "330100", "", f"http://s{n}.gov.cn/") for n in range(3)]


def stored(store: Sync, uri: str) -> str:
    """Store a small complete run as an inspection does, and seal it."""
    run = open_run(
        store, QUARTER, at=AT, edition="2019-19", roster_sha="r", site_ids=[s.site_id for s in SITES]
    )
    plan(store, run, SITES)

    async def work() -> None:
        db = connect_async(uri)
        ledger = Ledger(db)
        try:
            async with Writer(db, run) as writer:
                while row := await ledger.lease(run, "me", 60, alone=True):
                    site = next(one for one in SITES if one.site_id == row["site_id"])
                    await one_site(writer, site)
                    await integrity.seal_site(db, run, site.site_id)
                    await ledger.done(run, site.site_id, "me", {"pages": 4})
        finally:
            await db.client.close()

    asyncio.run(work())
    finish_run(store, run)
    integrity.seal_missing(store)
    return run


def filled(store: Sync, uri: str) -> str:
    """Store a small complete run with a score."""
    run = stored(store, uri)
    store.scores.insert_one({"_id": f"{QUARTER}:s0", "quarter": QUARTER, "site_id": "s0", "total": 99})
    integrity.seal_scores(store, QUARTER)
    return run


async def one_site(writer: Writer, site: Site) -> None:
    for number in range(4):
        text = f"<p>第{number}页 {site.name} {'文' * 400}</p>"
        await writer.add_page(Page(site, QUARTER, f"{site.url}{number}", AT, body=text.encode()))
    checks = [LinkCheck(f"{site.url}x{n}", LinkState.DEAD, 404) for n in range(3)]
    await writer.add_links(checks)
    await evidence.keep_facts(writer.db, writer.run, site.site_id, {"ipv6": "none"})
    image = f"jpeg of {site.site_id}".encode() * 30
    picture = Picture(site.site_id, QUARTER, "V3", site.url + "0", (), "", image, 1, 1, 0, AT)
    await evidence.keep(writer.db, writer.run, [picture])
    shown = Evidence(site.url + "0", "2023-08-30", screenshot=picture.sha256)
    found = [Finding(site.site_id, QUARTER, "V3", Outcome.FAILED, "2019-19", "旧", (shown,), AT)]
    found.append(Finding(site.site_id, QUARTER, "V1", Outcome.PASSED, "2019-19", "", (), AT))
    await writer.site_findings(site.site_id, found)


def test_unaltered_store_has_no_problem(store: Sync, store_uri: str) -> None:
    filled(store, store_uri)
    found = integrity.verify(store)
    assert found.problems == []
    assert (found.runs, found.blobs, found.files) == (1, 12, 3)


EVIDENCE = ("pages", "pictures", "facts", "findings", "links", "seals", "scores", "runs", "ledger", "blobs")


def alterable(store: Sync) -> list[tuple[str, Any]]:
    names = (*EVIDENCE, "files.files")
    return [(name, doc["_id"]) for name in names for doc in store[name].find({}, {"_id": 1}).sort("_id", 1)]


def altered(value: Any, rng: random.Random) -> Any:
    """Return the value with one place changed."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, bytes):
        place = rng.randrange(len(value))
        return Binary(value[:place] + bytes([value[place] ^ 1 << rng.randrange(8)]) + value[place + 1 :])
    if isinstance(value, str):
        place = rng.randrange(len(value))
        return value[:place] + ("y" if value[place] != "y" else "z") + value[place + 1 :]
    if isinstance(value, datetime):
        return value.replace(year=value.year - 1)
    if isinstance(value, dict):
        name = rng.choice(sorted(value))
        return value | {name: altered(value[name], rng)}
    return [*value, "x"] if isinstance(value, list) else "x"


def test_each_of_200_alterations_is_found_and_named(store: Sync, store_uri: str) -> None:
    filled(store, store_uri)
    rng = random.Random(5)
    places = alterable(store)
    for number in range(200):
        name, key = rng.choice(places)
        before = store[name].find_one({"_id": key})
        assert before is not None
        if number % 4 == 0:
            store[name].delete_one({"_id": key})
            label = "removed"
        elif name == "files.files":
            chunk = store["files.chunks"].find_one({"files_id": key, "n": 0})
            assert chunk is not None
            flipped = altered(bytes(chunk["data"]), rng)
            store["files.chunks"].update_one({"_id": chunk["_id"]}, {"$set": {"data": flipped}})
            label = "altered"
        else:
            candidates = [one for one in before if one not in ("_id", "stored_at")]
            changed = rng.choice([one for one in candidates if before[one] not in (b"", "")])
            after = before | {changed: altered(before[changed], rng)}
            store[name].replace_one({"_id": key}, after, bypass_document_validation=True)
            label = f"altered {changed}"
        problems = integrity.verify(store).problems
        assert problems, f"{name} {key}: {label} not found"
        assert any(str(key) in one or name in one or str(before.get("run", "")) in one for one in problems)
        store[name].replace_one({"_id": key}, before, upsert=True)
        if label == "altered" and name == "files.files":
            store["files.chunks"].replace_one({"_id": chunk["_id"]}, chunk)
    assert integrity.verify(store).problems == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda db: db.pages.delete_one({"url": "http://s1.gov.cn/2"}), "site s1 of run 2023Q3-1: pages"),
        (
            lambda db: db.findings.update_one(
                {"rule": "V1", "site_id": "s0"}, {"$set": {"outcome": "failed"}}
            ),
            "(V1 s0 2023Q3): altered",
        ),
        (
            lambda db: db.findings.delete_many({"rule": "V3", "site_id": "s2"}),
            "site s2 of run 2023Q3-1: findings",
        ),
        (lambda db: db.seals.delete_one({"_id": "2023Q3-1:s1"}), "inspected but not sealed"),
        (lambda db: db.seals.delete_one({"_id": "2023Q3-1:run"}), "complete but not sealed"),
        (lambda db: db.runs.delete_one({}), "run 2023Q3-1: its record is removed"),
        (lambda db: db["files.chunks"].delete_one({}), "picture of"),
    ],
)
def test_problem_says_what_and_where(
    store: Sync, store_uri: str, change: Callable[[Sync], object], named: str
) -> None:
    filled(store, store_uri)
    change(store)
    assert any(named in one for one in integrity.verify(store).problems)


def test_added_finding_is_named(store: Sync, store_uri: str) -> None:
    run = filled(store, store_uri)
    doc = store.findings.find_one({"run": run})
    assert doc is not None
    store.findings.insert_one(doc | {"_id": "0" * 64})
    assert any(one.endswith(": added") for one in integrity.verify(store).problems)


def verdicts(count: int) -> list[dict[str, Any]]:
    docs: list[dict[str, Any]] = []
    for number in range(count):
        body = {"_id": f"v{number}", "decision": "confirmed", "reviewer": "王"}
        docs.append(integrity.chained(docs[-1] if docs else None, body))
    return docs


def test_chain_of_verdicts_holds_and_each_break_is_named() -> None:
    docs = verdicts(4)
    assert list(integrity.chain_problems("verdict", docs)) == []
    turned = [docs[0], docs[2] | {"seq": 1}, docs[1] | {"seq": 2}, docs[3]]
    assert (
        next(integrity.chain_problems("verdict", turned))
        == "verdict v2: does not follow the record before it"
    )
    gone = [docs[0], *docs[2:]]
    assert next(integrity.chain_problems("verdict", gone)).startswith(
        "verdict v2: record 1 of the chain is missing"
    )
    other = [docs[0], docs[1] | {"decision": "dismissed"}, *docs[2:]]
    assert list(integrity.chain_problems("verdict", other)) == ["verdict v1: altered"]


def test_merkle_root_and_chain_depend_on_order_and_number() -> None:
    leaves = [bytes([n]) * 32 for n in range(5)]
    for other in (leaves[::-1], leaves[:4], [*leaves, leaves[4]]):
        assert integrity.merkle(other) != integrity.merkle(leaves)
        assert integrity.chain(other) != integrity.chain(leaves)


def test_roots_are_those_of_the_newest_inspection(store: Sync, store_uri: str) -> None:
    run = filled(store, store_uri)
    found = integrity.roots(store, QUARTER)
    assert list(found) == ["s0", "s1", "s2"]
    seal = store.seals.find_one({"_id": f"{run}:s1"})
    assert seal is not None
    assert (found["s1"], len(integrity.quarter_root(found))) == (seal["root"], 64)


def test_signature_holds_for_its_key_and_its_seal_only(store: Sync, store_uri: str, tmp_path: Path) -> None:
    run = filled(store, store_uri)
    mine, other = tmp_path / "mine", tmp_path / "other"
    print_of_mine = integrity.new_key(mine)
    integrity.new_key(other)
    assert mine.stat().st_mode & 0o777 == 0o600
    assert integrity.sign(store, run, mine) == print_of_mine
    assert integrity.signed_by(store, run, tmp_path / "mine.pub") == print_of_mine
    with pytest.raises(GovcrawlError, match="does not hold"):
        integrity.signed_by(store, run, tmp_path / "other.pub")
    store.seals.update_one({"_id": f"{run}:run"}, {"$set": {"root": "0" * 64}})
    with pytest.raises(GovcrawlError, match="does not hold"):
        integrity.signed_by(store, run, tmp_path / "mine.pub")


def test_nothing_is_signed_without_a_key(store: Sync, store_uri: str, tmp_path: Path) -> None:
    run = filled(store, store_uri)
    (tmp_path / "bad").write_text("no key")
    for path in (tmp_path / "missing", tmp_path / "bad"):
        with pytest.raises(GovcrawlError, match="nothing was signed"):
            integrity.sign(store, run, path)
    assert store.signatures.count_documents({}) == 0
    integrity.new_key(tmp_path / "key")
    with pytest.raises(GovcrawlError, match="not signed"):
        integrity.signed_by(store, run, tmp_path / "key.pub")
    with pytest.raises(GovcrawlError, match="cannot be written"):
        integrity.new_key(tmp_path / "key")


def test_open_run_is_not_sealed(store: Sync) -> None:
    run = open_run(store, QUARTER, at=AT, edition="2019-19", roster_sha="r", site_ids=["s0"])
    with pytest.raises(GovcrawlError, match="not complete"):
        integrity.seal_run(store, run)


# --- kill -9 ------------------------------------------------------------------------------------------------

CHILD = """
import sys
from pymongo import monitoring
from govcrawl.store import client
from tests.test_verify import stored

class Told(monitoring.CommandListener):
    def started(self, event): print(event.command_name, flush=True)
    def succeeded(self, event): pass
    def failed(self, event): pass

monitoring.register(Told())
stored(client.connect(sys.argv[1]), sys.argv[1])
"""


def killed(uri: str, commands: int) -> bool:
    """Store in a process that is killed when it sends so many commands; False when it ended before."""
    command = [sys.executable, "-c", CHILD, uri]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for number, _ in enumerate(process.stdout, 1):
            if number == commands:
                process.kill()
                break
        process.stdout.read()
        return process.wait() == -signal.SIGKILL


@pytest.mark.slow
def test_no_kill_leaves_a_finding_without_its_evidence(store: Sync, store_uri: str) -> None:
    rng = random.Random(11)
    kills = 0
    for _ in range(int(os.environ.get("GOVCRAWL_TEST_KILLS", "4"))):
        kills += killed(store_uri, rng.randint(20, 70))
        missing = [one for one in integrity.verify(store).problems if one.startswith(("bytes", "file"))]
        assert missing == []
        named = {url for doc in store.findings.find() for seen in doc["evidence"] for url in [seen["url"]]}
        assert named <= {doc["url"] for doc in store.pages.find()}
        for run in store.runs.find({"state": "open"}):
            release_owner(store, run["_id"], "me", crashed=False)
    assert kills
    run = stored(store, store_uri)
    assert integrity.verify(store).problems == []
    assert store.findings.count_documents({"run": run}) == 2 * len(SITES)
    assert store.pages.count_documents({"run": run}) == 4 * len(SITES)
    assert store.pictures.count_documents({"run": run}) == len(SITES)
