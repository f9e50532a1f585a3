"""Reads: the newest finished inspection of each site, exact scores, what is missing of a run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from govcrawl.items import Evidence, Finding, Outcome, Site
from govcrawl.store import ledger, reads, records
from govcrawl.store.client import Sync

pytestmark = pytest.mark.mongo
AT = datetime(2023, 9, 20, tzinfo=timezone(timedelta(hours=8)))
SITES = [
    Site(name, "网站", "portal", "city", "330100", "", f"http://www.{name}.gov.cn/")
    for name in ("b", "a", "c")
]


def started(store: Sync, edition: str = "2019-19") -> str:
    run = ledger.open_run(
        store, "2023Q3", at=AT, edition=edition, roster_sha="r", site_ids=[site.site_id for site in SITES]
    )
    ledger.plan(store, run, SITES)
    return run


def inspect(store: Sync, run: str, site_id: str, *observed: str, rule: str = "V3") -> None:
    for text in observed:
        seen = (Evidence("http://x/", text),)
        finding = Finding(site_id, "2023Q3", rule, Outcome.FAILED, "2019-19", evidence=seen, checked_at=AT)
        store.findings.insert_one(records.finding_doc(finding, run))


def close(store: Sync, run: str, site_id: str, state: str = "done", *, hour: int = 0) -> None:
    change = {"state": state, "reason": "dns", "finished_at": datetime(2023, 9, 20, hour, tzinfo=UTC)}
    store.ledger.update_one({"_id": f"{run}:{site_id}"}, {"$set": change})


def observed(store: Sync, **choice: str) -> list[tuple[str, str]]:
    found = reads.findings(store, "2023Q3", **choice)
    return [(doc["site_id"], doc["evidence"][0]["observed"]) for doc in found]


def test_findings_are_those_of_each_sites_newest_finished_inspection(store: Sync) -> None:
    first = started(store)
    inspect(store, first, "a", "old")
    inspect(store, first, "b", "only")
    close(store, first, "a", hour=1)
    close(store, first, "b", hour=2)
    second = started(store, "new")
    inspect(store, second, "a", "new")
    inspect(store, second, "b", "half of it")
    inspect(store, second, "c", "failed")
    close(store, second, "a", hour=3)
    close(store, second, "c", "failed", hour=4)
    assert observed(store) == [("a", "new"), ("b", "only")]
    assert reads.inspected(store, "2023Q3") == {"a": second, "b": first}


def test_findings_can_be_narrowed_to_a_site_and_a_rule(store: Sync) -> None:
    run = started(store)
    for site in ("a", "b"):
        inspect(store, run, site, "1")
        inspect(store, run, site, "2", rule="D4.2")
        close(store, run, site)
    assert observed(store, site="a") == [("a", "2"), ("a", "1")]
    assert observed(store, rule="D4.2") == [("a", "2"), ("b", "2")]
    assert observed(store, site="b", rule="V3") == [("b", "1")]


def test_scores_stay_exact_and_are_replaced_as_a_whole(store: Sync) -> None:
    first = {
        "site_id": "a",
        "total": Decimal("122.50"),
        "indicators": [{"points": Decimal("0.1")}],
        "low": None,
    }
    reads.save_scores(store, "2023Q3", [first, {"site_id": "b", "total": None}])
    reads.save_scores(store, "2023Q2", [{"site_id": "a", "total": Decimal(1)}])
    reads.save_scores(store, "2023Q3", [first])
    (saved,) = reads.scores(store, "2023Q3")
    assert saved == first | {"quarter": "2023Q3"}
    assert str(saved["total"]) == "122.50"
    assert [score["quarter"] for score in reads.scores(store, "2023Q2")] == ["2023Q2"]
    assert list(reads.scores(store, "2023Q3", "b")) == []


def test_summary_is_kept_once_a_quarter(store: Sync) -> None:
    assert reads.summary(store, "2023Q3") is None
    reads.save_summary(store, "2023Q3", {"mean": Decimal("98.7")})
    reads.save_summary(store, "2023Q3", {"mean": Decimal("98.8")})
    assert reads.summary(store, "2023Q3") == {"mean": Decimal("98.8")}


def test_run_names_its_sites_in_order_and_the_failed_ones_with_reasons(store: Sync) -> None:
    run = started(store)
    close(store, run, "a", "failed")
    assert [row["site_id"] for row in reads.sites_of_run(store, run)] == ["b", "a", "c"]
    assert reads.failed_sites(store, run) == [("a", "dns")]
    assert reads.run_counts(store, run) == {"planned": 2, "leased": 0, "done": 0, "failed": 1}


def test_run_keeps_its_monitoring_point_with_the_time_zone(store: Sync) -> None:
    assert reads.latest_run(store, "2023Q3") is None
    run = started(store)
    assert reads.latest_run(store, "2023Q3") == run
    doc = reads.run_of(store, run)
    assert doc is not None
    assert doc["at"].isoformat() == "2023-09-20T00:00:00+08:00"
    assert reads.run_of(store, "2023Q3-99") is None
