"""Decisions of people: recorded once and for all, chained, followed by scores."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from govcrawl.cli import cli
from govcrawl.items import Evidence, Finding, GovcrawlError, Outcome, Site
from govcrawl.results import score_quarter
from govcrawl.store import integrity, ledger, reads, records
from govcrawl.store.client import Sync
from govcrawl.store.integrity import chain_problems
from govcrawl.store.verdicts import decide
from tests.quarters import EDITION

pytestmark = pytest.mark.mongo

AT = datetime(2023, 9, 30, 15, 59, tzinfo=UTC)
SITE = Site("aa", "某市人民政府", "portal", "city", "330100", "", "http://www.aa.gov.cn/")
FOUND = [
    Finding(
        "aa", "2023Q3", "D4.3a", Outcome.FAILED, EDITION.id, evidence=(Evidence(f"http://{number}/", "x"),)
    )
    for number in range(4)
]


@pytest.fixture
def inspected(store: Sync) -> Sync:
    run = ledger.open_run(store, "2023Q3", at=AT, edition=EDITION.id, roster_sha="r", site_ids=["aa"])
    ledger.plan(store, run, [SITE])
    store.findings.insert_many([records.finding_doc(one, run) for one in FOUND])
    store.ledger.update_many({"run": run}, {"$set": {"state": "done", "finished_at": AT}})
    score_quarter(store, "2023Q3", EDITION)
    return store


def deduction(db: Sync) -> object:
    score_quarter(db, "2023Q3", EDITION)
    (found,) = reads.scores(db, "2023Q3", "aa")
    return found["deduction"]


def problems(db: Sync) -> list[str]:
    return list(chain_problems("verdict", db.verdicts.find().sort("seq", 1)))


def test_the_command_records_a_decision_and_the_score_follows(inspected: Sync, store_uri: str) -> None:
    before, points = deduction(inspected), EDITION.rules["D4.3a"].points
    common = ["--quarter", "2023Q3", "--reviewer", "王", "--mongo", store_uri]
    for decision, lost in (("dismissed", points), ("confirmed", 0), ("dismissed", points)):
        done = CliRunner().invoke(cli, ["decide", FOUND[0].finding_id, decision, *common, "--note", "复核"])
        assert done.exit_code == 0
        assert deduction(inspected) == before - lost
    kept = inspected.verdicts.find().sort("seq", 1).to_list()
    assert [(doc["seq"], doc["decision"], doc["reviewer"]) for doc in kept] == [
        (0, "dismissed", "王"),
        (1, "confirmed", "王"),
        (2, "dismissed", "王"),
    ]
    assert problems(inspected) == []
    empty = CliRunner().invoke(cli, ["decide", FOUND[0].finding_id, "dismissed", *common, "--note", " "])
    assert isinstance(empty.exception, GovcrawlError)


def test_reviewers_at_once_make_one_chain(inspected: Sync) -> None:
    def work(number: int) -> None:
        decide(
            inspected, "2023Q3", FOUND[number % 4].finding_id, "dismissed", reviewer=f"r{number}", note="n"
        )

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(8)))
    assert sorted(doc["seq"] for doc in inspected.verdicts.find()) == list(range(8))
    assert problems(inspected) == []


def test_a_removed_altered_or_reordered_decision_is_named(inspected: Sync) -> None:
    for number in range(3):
        decide(inspected, "2023Q3", FOUND[number].finding_id, "dismissed", reviewer="r", note="n")
    first, second, _ = inspected.verdicts.find().sort("seq", 1).to_list()
    inspected.verdicts.update_one({"_id": second["_id"]}, {"$set": {"note": "other"}})
    assert problems(inspected) == [f"verdict {second['_id']}: altered"]
    inspected.verdicts.replace_one({"_id": second["_id"]}, second)
    inspected.verdicts.delete_one({"_id": first["_id"]})
    assert "is missing or out of order" in problems(inspected)[0]


def test_a_decision_cut_off_the_end_of_the_chain_is_named(inspected: Sync) -> None:
    def told() -> list[str]:
        return [one for one in integrity.verify(inspected).problems if "verdict" in one]

    for finding in FOUND[:2]:
        decide(inspected, "2023Q3", finding.finding_id, "dismissed", reviewer="r", note="n")
    score_quarter(inspected, "2023Q3", EDITION)
    decide(inspected, "2023Q3", FOUND[2].finding_id, "dismissed", reviewer="r", note="after the scores")
    assert told() == []
    inspected.verdicts.delete_many({"seq": {"$gte": 1}})
    assert [one for one in told() if one.endswith("removed")]


def test_a_finding_that_does_not_count_cannot_be_decided(inspected: Sync) -> None:
    with pytest.raises(GovcrawlError, match="2023Q3: no finding ffff"):
        decide(inspected, "2023Q3", "f" * 64, "dismissed", reviewer="r", note="n")
    assert inspected.verdicts.count_documents({}) == 0
