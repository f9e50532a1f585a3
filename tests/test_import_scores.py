"""Decisions typed by a person: read from tables, refused row by row, counted in the score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner
from openpyxl import Workbook

from govcrawl.cli import cli
from govcrawl.imports import Decision, ImportFileError, held, import_file
from govcrawl.items import Evidence, Finding, Outcome, Site
from govcrawl.report.faults import faults_of
from govcrawl.results import score_quarter
from govcrawl.scoring import DISMISSED
from govcrawl.store import ledger, reads, records, verdicts
from govcrawl.store.client import Sync
from tests.quarters import EDITION, QUARTER, table

pytestmark = pytest.mark.mongo
PORTAL = Site("a", "某市人民政府", "portal", "city", "330100", "", "http://www.a.gov.cn/")
SITES = [PORTAL, replace(PORTAL, site_id="b"), replace(PORTAL, site_id="d", kind="department")]
HEADS = ("网站编号", "指标编号", "结论", "说明", "证据链接", "检查人")
LINK = "http://www.a.gov.cn/hd/1.html"
AT = datetime(2023, 9, 30, 15, 59, tzinfo=UTC)


def take(db: Sync, folder: Path, *rows: Sequence[object]) -> int:
    path = table(folder / "scores.csv", HEADS, rows)
    return import_file(db, "scores", path, quarter=QUARTER, sites=SITES, edition=EDITION)


def inspected(db: Sync) -> None:
    """An inspection in which every check passed and the rules no program decides are open."""
    names = [one.site_id for one in SITES]
    run = ledger.open_run(db, "2023Q3", at=AT, edition=EDITION.id, roster_sha="x", site_ids=names)
    ledger.plan(db, run, SITES)
    found = []
    for site in SITES:
        for code, rule in EDITION.rules.items():
            outcome = Outcome.FAILED if rule.is_bonus else Outcome.PASSED
            outcome = Outcome.UNTESTED if rule.mode in ("manual", "external") else outcome
            seen = (Evidence(site.url, "seen"),)
            found.append(
                Finding(site.site_id, "2023Q3", code, outcome, EDITION.id, evidence=seen, checked_at=AT)
            )
    db.findings.insert_many([records.finding_doc(one, run) for one in found])
    db.ledger.update_many({"run": run}, {"$set": {"state": "done", "finished_at": datetime.now(UTC)}})


def score(db: Sync, site_id: str) -> dict[str, object]:
    score_quarter(db, "2023Q3", EDITION)
    found = db.scores.find_one({"site_id": site_id})
    assert found is not None
    return {name: getattr(value, "to_decimal", lambda one=value: one)() for name, value in found.items()}


def test_a_typed_fault_costs_its_points_and_closes_its_question(store: Sync, tmp_path: Path) -> None:
    inspected(store)
    before = score(store, "a")
    rule = EDITION.rules["D3.4b"]
    assert rule.mode == "manual"
    take(store, tmp_path, ("a", "D3.4b 答复推诿、敷衍", "扣分", "答复称请咨询有关部门", LINK, "张三"))
    after = score(store, "a")
    assert rule.points is not None
    assert before["total"] - after["total"] == rule.points
    assert after["unchecked"] < before["unchecked"]
    assert score(store, "b")["total"] == before["total"]


def test_a_typed_fault_stands_among_the_findings_for_its_question(store: Sync, tmp_path: Path) -> None:
    inspected(store)
    take(
        store,
        tmp_path,
        ("a", "D3.4b", "扣分", "答复推诿", LINK, "张三"),
        ("b", "D3.4b", "不扣分", "无误", "", ""),
    )
    score_quarter(store, "2023Q3", EDITION)
    (found,) = reads.findings(store, "2023Q3", "a", "D3.4b")
    assert (found["outcome"], found["evidence"][0]["url"]) == ("failed", LINK)
    assert [one["outcome"] for one in reads.findings(store, "2023Q3", "b", "D3.4b")] == ["passed"]
    (fault,) = faults_of(store, "2023Q3", EDITION, AT.date())
    assert (fault.site_id, fault.rule, fault.observed) == ("a", "D3.4b", "答复推诿")
    before = score(store, "a")["total"]
    verdicts.decide(store, "2023Q3", found["finding_id"], DISMISSED, reviewer="李四", note="申诉成立")
    assert score(store, "a")["total"] == before + (EDITION.rules["D3.4b"].points or 0)
    assert faults_of(store, "2023Q3", EDITION, AT.date()) == ()


def test_typed_passes_bonuses_and_vetoes_count_as_such(store: Sync, tmp_path: Path) -> None:
    inspected(store)
    before = score(store, "a")
    bonus = EDITION.rules["B2.2a"]
    assert bonus.points is not None
    take(
        store,
        tmp_path,
        ("a", "B2.2a", "加分", "有四个专题", LINK, ""),
        ("a", "D2.5", "不扣分", "抽查五项无误", "", ""),
        ("d", "V1.6", "扣分", "引发负面舆情", LINK, ""),
    )
    after = score(store, "a")
    assert after["total"] - before["total"] == bonus.points
    assert after["unchecked"] < before["unchecked"]
    assert score(store, "d")["vetoes"] == ["V1.6"]


def test_a_new_table_replaces_the_earlier_one(store: Sync, tmp_path: Path) -> None:
    inspected(store)
    before = score(store, "a")["total"]
    take(store, tmp_path, ("a", "D3.4b", "扣分", "推诿", LINK, ""))
    assert score(store, "a")["total"] == before - Decimal(1) * (EDITION.rules["D3.4b"].points or 0)
    take(store, tmp_path, ("a", "D3.4b", "不扣分", "复核无误", "", ""))
    assert score(store, "a")["total"] == before


def test_every_fault_is_told_by_row_and_nothing_is_imported(store: Sync, tmp_path: Path) -> None:
    take(store, tmp_path, ("a", "D3.4b", "不扣分", "无误", "", ""))
    with pytest.raises(ImportFileError) as caught:
        take(
            store,
            tmp_path,
            ("nowhere", "D3.4b", "扣分", "推诿", LINK, ""),
            ("a", "V3", "扣分", "首页不更新", LINK, ""),
            ("a", "D9.9", "扣分", "无此指标", LINK, ""),
            ("a", "D3.4b", "扣分", "推诿", "", ""),
            ("a", "B2.2a", "扣分", "加分项", LINK, ""),
            ("d", "D2.5", "扣分", "部门网站", LINK, ""),
            ("b", "D2.5", "扣分", "有误", LINK, ""),
            ("b", "D2.5", "不扣分", "无误", "", ""),
            ("b", "D2.5", "扣分", "有误", LINK, ""),
        )
    told = [problem.split(":")[0] for problem in caught.value.problems]
    kinds = "d" if "department" not in EDITION.rules["D2.5"].kinds else ""
    expected = ["row 2, 网站编号", "row 3, 指标编号", "row 4, 指标编号", "row 5, 证据链接", "row 6, 结论"]
    expected += ["row 7, 指标编号"] if kinds else []
    assert told == [*expected, "row 10", "row 9, 结论"]
    (kept,) = held(store, "2023Q3", Decision)
    assert kept == Decision("a", "D3.4b", "不扣分", "无误")


def test_cells_that_cannot_be_read_are_told_by_row(store: Sync, tmp_path: Path) -> None:
    with pytest.raises(ImportFileError) as caught:
        take(
            store,
            tmp_path,
            ("a", "D3.4b", "好像不行", "推诿", LINK, ""),
            ("a", "D3.4b", "扣分", "", "见附件", ""),
        )
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "row 2, 结论",
        "row 3, 说明",
        "row 3, 证据链接",
    ]
    assert held(store, "2023Q3", Decision) == ()


def test_a_workbook_is_imported_by_the_command(store: Sync, store_uri: str, tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.active
    sheet.append(["2023年第三季度人工评判结果"])
    sheet.append(["站点编号", "指标", "检查结果", "问题描述", "佐证链接"])
    sheet.append(["hangzhou", "D2.5", "有问题", "办理地点有误", "https://www.hangzhou.gov.cn/a.html"])
    book.save(tmp_path / "scores.xlsx")
    command = ["import", "scores", str(tmp_path / "scores.xlsx"), "--quarter", "2023Q3"]
    done = CliRunner().invoke(cli, [*command, "--mongo", store_uri])
    assert done.exit_code == 0, done.output
    assert held(store, "2023Q3", Decision) == (
        Decision("hangzhou", "D2.5", "扣分", "办理地点有误", "https://www.hangzhou.gov.cn/a.html"),
    )
