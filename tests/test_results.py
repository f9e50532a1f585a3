"""The score job: counted in the database, the same twice, frozen when final, with messages and decisions."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from govcrawl.checking import bound
from govcrawl.items import Evidence, Finding, Outcome, Site
from govcrawl.results import score_quarter
from govcrawl.scoring import ScoreError, score_counts, score_site
from govcrawl.store import ledger, reads, records
from govcrawl.store.client import Document, Sync
from tests.quarters import EDITION, table, take

AT = datetime(2023, 9, 30, 15, 59, tzinfo=UTC)
PORTAL = Site("a", "某市人民政府", "portal", "city", "330100", "", "http://www.a.gov.cn/")
SITES = [
    PORTAL,
    replace(PORTAL, site_id="b", has_services=False),
    replace(PORTAL, site_id="c", kind="department"),
]
CODES = list(EDITION.rules)


def finding(site_id: str, code: str, outcome: Outcome, number: int = 0) -> Finding:
    seen = (Evidence(f"http://x/{number}", "seen"),)
    return Finding(site_id, "2023Q3", code, outcome, EDITION.id, evidence=seen, checked_at=AT)


def inspected(db: Sync, findings: Iterable[Finding]) -> str:
    run = ledger.open_run(
        db,
        "2023Q3",
        at=AT,
        edition=EDITION.id,
        roster_sha=str(random.random()),
        site_ids=[one.site_id for one in SITES],
    )
    ledger.plan(db, run, SITES)
    db.findings.insert_many([records.finding_doc(one, run) for one in findings])
    db.ledger.update_many({"run": run}, {"$set": {"state": "done", "finished_at": datetime.now(UTC)}})
    return run


def everything_passed() -> list[Finding]:
    """One decided record for every rule of every site."""
    return [
        finding(site.site_id, code, Outcome.FAILED if rule.is_bonus else Outcome.PASSED)
        for site in SITES
        for code, rule in EDITION.rules.items()
    ]


def mixed() -> list[Finding]:
    chance = random.Random(7)
    outcomes = list(Outcome)
    return list(
        {
            one.finding_id: one
            for one in (
                finding(chance.choice(SITES).site_id, chance.choice(CODES), chance.choice(outcomes), number)
                for number in range(400)
            )
            if not EDITION.rules[one.rule].is_veto
        }.values()
    )


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(CODES), st.sampled_from(list(Outcome)), st.integers(0, 4)), max_size=60
    ),
    st.sampled_from(SITES),
    st.sets(st.sampled_from(CODES)),
    st.randoms(use_true_random=False),
)
def test_counts_give_the_score_the_findings_give(
    drawn: list[tuple[str, Outcome, int]], site: Site, joined: set[str], pick: random.Random
) -> None:
    found = {one.finding_id: one for one in (finding(site.site_id, *each) for each in drawn)}
    decisions = {one: pick.choice(("confirmed", "dismissed", "")) for one in found}
    counts: dict[str, Counter[tuple[Outcome, str]]] = {}
    for name, one in found.items():
        counts.setdefault(one.rule, Counter())[one.outcome, decisions[name]] += 1
    ids = {
        word: [one for one, said in decisions.items() if said == word] for word in ("confirmed", "dismissed")
    }
    assert score_counts(site, counts, EDITION, bound=joined, quarter="2023Q3") == score_site(
        site, found.values(), EDITION, bound=joined, quarter="2023Q3", **ids
    )


def test_counts_of_an_unknown_rule_are_refused() -> None:
    with pytest.raises(ScoreError, match="no rule X9"):
        score_counts(PORTAL, {"X9": {(Outcome.FAILED, ""): 1}}, EDITION, quarter="2023Q3")


@pytest.mark.mongo
def test_scoring_twice_changes_nothing(store: Sync) -> None:
    inspected(store, mixed())
    score_quarter(store, "2023Q3", EDITION)
    first = [store.scores.find().sort("_id").to_list(), store.summaries.find().to_list()]
    store.scores.delete_one({"_id": "2023Q3:b"})  # a killed job wrote only a part
    score_quarter(store, "2023Q3", EDITION)
    assert [store.scores.find().sort("_id").to_list(), store.summaries.find().to_list()] == first


_KILLED = """
import os, signal, sys
from govcrawl import results
from govcrawl.standard import load_edition
from govcrawl.store import client, reads
from govcrawl.store.client import connect

uri, step, left = sys.argv[1], sys.argv[2], int(sys.argv[3])
place, _, name = step.rpartition(".")
places = {"results": results, "reads": reads, "tallies": results.tallies, "Collection": client.Collection}
owner = places[place]
work = getattr(owner, name)

def killed(*given, **named):
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    return work(*given, **named)

setattr(owner, name, killed)
if len(sys.argv) > 4:  # a final quarter in the smallest steps
    results.bound = lambda edition: edition.rules
    client.WRITES = results.tallies.SITES = 1
results.score_quarter(connect(uri), "2023Q3", load_edition())
"""


def everything(db: Sync) -> list[list[Document]]:
    names = ("scores", "summaries", "frozen_scores", "frozen_summaries", "seals", "tallies")
    return [db[name].find().sort("_id").to_list() for name in names]


def killed(uri: str, *given: str) -> None:
    done = subprocess.run([sys.executable, "-c", _KILLED, uri, *given], check=False, timeout=120)
    assert done.returncode == -signal.SIGKILL


@pytest.mark.mongo
@pytest.mark.parametrize("step", ["reads.save_scores", "reads.save_summary", "results.seal_scores"])
def test_a_killed_job_is_completed_to_the_same_bytes(store: Sync, store_uri: str, step: str) -> None:
    run = inspected(store, mixed())
    score_quarter(store, "2023Q3", EDITION)
    first = everything(store)
    changed = finding("b", "D4.3a", Outcome.FAILED, 999)
    store.findings.insert_one(records.finding_doc(changed, run))
    killed(store_uri, step, "0")
    store.findings.delete_one({"finding_id": changed.finding_id})
    score_quarter(store, "2023Q3", EDITION)
    assert everything(store) == first


@pytest.mark.mongo
@pytest.mark.parametrize(
    ("step", "left"),
    [
        ("tallies.tallied", "1"),
        ("Collection.bulk_write", "4"),  # the second of the three scores
        ("reads.freeze", "0"),
        ("results.seal_scores", "0"),
    ],
)
def test_a_first_job_killed_anywhere_comes_to_the_same_bytes(
    store: Sync, store_uri: str, monkeypatch: pytest.MonkeyPatch, step: str, left: str
) -> None:
    monkeypatch.setattr("govcrawl.results.bound", lambda edition: edition.rules)
    inspected(store, everything_passed())
    killed(store_uri, step, left, "final")
    score_quarter(store, "2023Q3", EDITION)
    completed = everything(store)
    assert [len(docs) for docs in completed] == [3, 1, 3, 1, 1, 3]
    for name in ("scores", "summaries", "frozen_scores", "frozen_summaries", "seals", "tallies"):
        store[name].delete_many({})
    score_quarter(store, "2023Q3", EDITION)
    assert everything(store) == completed


@pytest.mark.mongo
def test_only_the_newest_inspection_of_a_site_counts(store: Sync) -> None:
    inspected(store, [finding("a", "D1.1a", Outcome.FAILED)])
    inspected(store, mixed())
    score_quarter(store, "2023Q3", EDITION)
    (stored,) = reads.scores(store, "2023Q3", "a")
    own = [one for one in mixed() if one.site_id == "a"]
    expected = score_site(PORTAL, own, EDITION, bound=frozenset(bound(EDITION)), quarter="2023Q3")
    assert (stored["total"], stored["low"], stored["high"]) == (expected.total, expected.low, expected.high)


@pytest.mark.mongo
def test_a_dismissed_fault_costs_nothing(store: Sync) -> None:
    one = next(one for one in mixed() if one.site_id == "a" and one.outcome is Outcome.FAILED)
    fault = finding("a", "D4.3a", Outcome.FAILED)
    inspected(store, [fault, one])
    score_quarter(store, "2023Q3", EDITION)
    (before,) = reads.scores(store, "2023Q3", "a")
    for seq, decision in enumerate(("confirmed", "dismissed")):
        store.verdicts.insert_one(
            {
                "quarter": "2023Q3",
                "site_id": "a",
                "finding_id": fault.finding_id,
                "decision": decision,
                "seq": seq,
            }
        )
    score_quarter(store, "2023Q3", EDITION)
    (after,) = reads.scores(store, "2023Q3", "a")
    assert after["deduction"] == before["deduction"] - EDITION.rules["D4.3a"].points


@pytest.mark.mongo
def test_a_final_quarter_is_frozen_and_a_change_makes_a_linked_version(
    store: Sync, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("govcrawl.results.bound", lambda edition: edition.rules)  # every rule has its check
    inspected(store, everything_passed())
    score_quarter(store, "2023Q3", EDITION)
    score_quarter(store, "2023Q3", EDITION)
    (first,) = reads.frozen(store, "2023Q3")
    assert (first["version"], first["final"], first["previous"]) == (1, True, "")
    inspected(store, [*everything_passed(), finding("a", "D4.3a", Outcome.FAILED)])
    score_quarter(store, "2023Q3", EDITION)
    kept, fresh = reads.frozen(store, "2023Q3")
    assert kept == first
    assert (fresh["version"], fresh["previous"]) == (2, first["digest"])
    frozen = {doc["_id"]: doc["total"] for doc in store.frozen_scores.find({"site_id": "a"})}
    assert sorted(frozen) == ["1:2023Q3:a", "2:2023Q3:a"]
    assert frozen["1:2023Q3:a"] > frozen["2:2023Q3:a"]


@pytest.mark.mongo
def test_late_messages_cost_points_by_the_import(store: Sync, tmp_path: Path) -> None:
    inspected(store, everything_passed())
    score_quarter(store, "2023Q3", EDITION)
    (before,) = reads.scores(store, "2023Q3", "a")
    heads = ("编号", "收到时间", "类型", "地市", "网站编号", "办结时间")
    rows = [("1", "2023-08-01", "其他", "杭州市", "hangzhou", "2023-08-02")]
    take(store, "zhaocuo", table(tmp_path / "m.csv", heads, rows))
    store.imports.update_one(
        {}, {"$set": {"rows.0.site_id": "a", "rows.0.settled": "2023-08-09T00:00:00+08:00"}}
    )
    score_quarter(store, "2023Q3", EDITION)
    (after,) = reads.scores(store, "2023Q3", "a")
    assert after["deduction"] == before["deduction"] + EDITION.rules["D4.4c"].points
