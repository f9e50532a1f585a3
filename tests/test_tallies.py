"""Counts kept beside the findings: written with them, counted again when they cannot be right, verified."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from govcrawl.items import Evidence, Finding, Outcome, Site
from govcrawl.results import score_quarter
from govcrawl.store import ledger, reads, tallies
from govcrawl.store.client import Document, Sync, connect_async
from govcrawl.store.writer import Writer
from tests.quarters import EDITION

pytestmark = pytest.mark.mongo

AT = datetime(2023, 9, 30, 15, 59, tzinfo=UTC)
SITES = [Site(name, name, "portal", "city", "330100", "", f"http://{name}.gov.cn/") for name in ("aa", "bb")]


def finding(site_id: str, code: str, number: int, outcome: Outcome = Outcome.FAILED) -> Finding:
    seen = (Evidence(f"http://x/{number}", "seen"),)
    return Finding(site_id, "2023Q3", code, outcome, EDITION.id, evidence=seen, checked_at=AT)


FIRST = [
    finding("aa", "D4.3a", 1),
    finding("aa", "D4.3a", 2),
    finding("aa", "D4.2", 1, Outcome.PASSED),
    finding("bb", "D4.3a", 1, Outcome.CANT_TELL),
]


def inspected(db: Sync, uri: str, *batches: list[Finding]) -> str:
    """Store findings as a worker does, batch after batch, and finish the run."""
    ids = [site.site_id for site in SITES]
    run = ledger.open_run(db, "2023Q3", at=AT, edition=EDITION.id, roster_sha="r", site_ids=ids)
    ledger.plan(db, run, SITES)
    for found in batches:
        asyncio.run(stored(uri, run, found))
    db.ledger.update_many({"run": run}, {"$set": {"state": "done", "finished_at": AT}})
    return run


async def stored(uri: str, run: str, findings: list[Finding]) -> None:
    db = connect_async(uri)
    try:
        async with Writer(db, run) as writer:
            for site_id in ("aa", "bb"):
                await writer.site_findings(site_id, [one for one in findings if one.site_id == site_id])
    finally:
        await db.client.close()


def kept(db: Sync) -> list[Document]:
    return db.tallies.find().sort("_id", 1).to_list()


def deduction(db: Sync, site_id: str) -> object:
    (found,) = reads.scores(db, "2023Q3", site_id)
    return found["deduction"]


def test_findings_are_counted_as_they_are_written(store: Sync, store_uri: str) -> None:
    run = inspected(store, store_uri, FIRST)
    assert [(doc["site_id"], doc["findings"], doc["counts"]) for doc in kept(store)] == [
        ("aa", 3, [["D4.2", "passed", 1], ["D4.3a", "failed", 2]]),
        ("bb", 1, [["D4.3a", "cantTell", 1]]),
    ]
    assert {(doc["run"], doc["edition"]) for doc in kept(store)} == {(run, EDITION.id)}
    assert tallies.current(store)


def test_a_repeated_site_is_counted_once(store: Sync, store_uri: str) -> None:
    inspected(store, store_uri, FIRST, FIRST[1:])
    assert [doc["findings"] for doc in kept(store)] == [2, 1]
    assert tallies.current(store)


def test_counting_again_gives_what_the_writer_wrote(store: Sync, store_uri: str) -> None:
    inspected(store, store_uri, FIRST)
    before = kept(store)
    store.tallies.delete_many({})
    assert not tallies.current(store)
    tallies.recount(store)
    assert kept(store) == before
    tallies.recount(store)
    assert kept(store) == before


def test_the_score_sees_findings_that_came_or_went_without_their_writer(store: Sync, store_uri: str) -> None:
    inspected(store, store_uri, FIRST)
    score_quarter(store, "2023Q3", EDITION)
    before, points = deduction(store, "aa"), EDITION.rules["D4.3a"].points
    removed = store.findings.find_one_and_delete({"site_id": "aa", "rule": "D4.3a"})
    score_quarter(store, "2023Q3", EDITION)
    assert deduction(store, "aa") == before - points
    store.findings.delete_many({"site_id": "aa"})
    store.findings.insert_one(removed)
    score_quarter(store, "2023Q3", EDITION)
    assert deduction(store, "aa") == points
    store.findings.delete_many({})
    score_quarter(store, "2023Q3", EDITION)
    assert deduction(store, "aa") == 0
    assert kept(store) == []


def test_a_worker_killed_before_the_count_leaves_no_wrong_one(
    store: Sync, store_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = inspected(store, store_uri, FIRST)
    monkeypatch.setattr("govcrawl.store.writer.tallied", interrupted)
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(stored(store_uri, run, [finding("aa", "D4.2", number) for number in (1, 2, 3)]))
    assert [doc["site_id"] for doc in kept(store)] == ["bb"]
    assert not tallies.current(store)
    score_quarter(store, "2023Q3", EDITION)
    assert deduction(store, "aa") == EDITION.rules["D4.2"].points * 3


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_verification_names_a_count_that_was_changed(store: Sync, store_uri: str) -> None:
    inspected(store, store_uri, FIRST)
    assert list(tallies.problems(store)) == []
    store.tallies.update_one({"site_id": "aa"}, {"$set": {"counts": [["D4.2", "passed", 3]]}})
    (problem,) = tallies.problems(store)
    assert "2023Q3-1:aa" in problem
    score_quarter(store, "2023Q3", EDITION, recount=True)
    assert list(tallies.problems(store)) == []


def test_only_decided_findings_change_their_site(store: Sync, store_uri: str) -> None:
    inspected(store, store_uri, FIRST)
    score_quarter(store, "2023Q3", EDITION)
    before = deduction(store, "aa")
    for seq, (one, decision) in enumerate(
        [(FIRST[0], "confirmed"), (FIRST[0], "dismissed"), (FIRST[3], "confirmed")]
    ):
        verdict = {"finding_id": one.finding_id, "decision": decision, "seq": seq}
        store.verdicts.insert_one({"quarter": "2023Q3", "site_id": one.site_id} | verdict)
    score_quarter(store, "2023Q3", EDITION)
    points = EDITION.rules["D4.3a"].points
    assert (deduction(store, "aa"), deduction(store, "bb")) == (before - points, points)
