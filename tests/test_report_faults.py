"""Faults over inspections and quarters: repaired, lasting, back again; repair lists; both forms of notice."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner
from docx import Document
from openpyxl import load_workbook
from PIL import Image

from govcrawl.cli import cli
from govcrawl.items import Evidence, Finding, GovcrawlError, Outcome, Site
from govcrawl.options import Options
from govcrawl.quarter import SHANGHAI, Quarter
from govcrawl.report import gather, write_report
from govcrawl.report.faults import Fault, compare, open_sites, repairs_of
from govcrawl.report.text import notice
from govcrawl.results import score_quarter
from govcrawl.sites import load_sites, write_sites
from govcrawl.store import ledger, reads, records
from govcrawl.store.client import Sync, connect_async
from govcrawl.store.integrity import quarter_root, roots, seal_site
from govcrawl.supervisor import Progress
from tests.quarters import EDITION, QUARTER

SITES = tuple(
    Site(name, f"{name}县人民政府", "portal", "county", "330122", "杭州市", f"http://www.{name}.gov.cn/")
    for name in ("aa", "bb", "cc")
)
HOSTILE = "<script>alert(1)</script>"


def fault(site_id: str, rule: str = "D4.3a", url: str = "http://x/", observed: str = "seen") -> Fault:
    return Fault(site_id, rule, rule, "", "", url, observed, "", "", "", date(2023, 10, 13))


def finding(site_id: str, rule: str, url: str, *, observed: str = "seen", shot: str = "") -> Finding:
    seen = (Evidence(url, observed, screenshot=shot),)
    return Finding(site_id, "2023Q3", rule, Outcome.FAILED, EDITION.id, evidence=seen)


def inspect(
    db: Sync,
    at: datetime,
    findings: Iterable[Finding],
    sites: Iterable[Site] = SITES,
    quarter: str = "2023Q3",
) -> None:
    chosen = list(sites)
    ids = [site.site_id for site in chosen]
    run = ledger.open_run(db, quarter, at=at, edition=EDITION.id, roster_sha="r", site_ids=ids)
    ledger.plan(db, run, chosen)
    docs = [records.finding_doc(one, run) | {"quarter": quarter} for one in findings]
    if docs:
        db.findings.insert_many(docs)
    db.ledger.update_many({"run": run}, {"$set": {"state": "done", "finished_at": datetime.now(UTC)}})
    db.runs.update_one({"_id": run}, {"$set": {"state": "complete"}})


def test_faults_are_repaired_last_come_back_or_are_new() -> None:
    now = [
        fault("aa", observed="2023-09-01"),
        fault("aa", url="http://new/"),
        fault("aa", url="http://back/"),
    ]
    before = [fault("aa", observed="2023-06-01"), fault("aa", url="http://gone/"), fault("bb")]
    found = compare(now, before, [fault("aa", url="http://back/")], sites=["aa"])
    assert [one.url for one in found.lasting] == ["http://x/"]
    assert [one.url for one in found.repaired] == ["http://gone/"]  # bb was not inspected: not repaired
    assert [one.url for one in found.returned] == ["http://back/"]
    assert [one.url for one in found.fresh] == ["http://new/"]


def test_two_links_of_one_page_are_two_faults() -> None:
    first, second = (fault("aa", observed=f"http://dead/{number}") for number in (1, 2))
    found = compare([second], [first, second], sites=["aa"])
    assert (len(found.repaired), len(found.lasting)) == (1, 1)


@pytest.mark.mongo
def test_repairs_in_seven_working_days_are_in_time(store: Sync) -> None:
    one, two = finding("aa", "D4.3a", "http://1/"), finding("aa", "D4.3a", "http://2/")
    three, four = finding("bb", "D4.3a", "http://3/"), finding("bb", "D4.3a", "http://4/")
    inspect(store, datetime(2023, 9, 20, tzinfo=SHANGHAI), [one, two, three, four])
    assert open_sites(store, "2023Q3", EDITION) == {"aa", "bb"}
    # Seven working days after 20 September end on 7 October: the holidays lie between.
    inspect(store, datetime(2023, 10, 7, tzinfo=SHANGHAI), [two, four], SITES[:2])
    inspect(store, datetime(2023, 10, 9, tzinfo=SHANGHAI), [two], SITES[:2])
    found = repairs_of(store, "2023Q3", EDITION)
    assert (found.found, found.in_time, found.late, found.open) == (4, 2, 1, 1)
    assert (found.clean, found.faulty) == (1, 2)
    assert open_sites(store, "2023Q3", EDITION) == {"aa"}


@pytest.mark.mongo
def test_pages_read_again_are_no_later_inspection(store: Sync) -> None:
    one, two = finding("aa", "D4.3a", "http://1/"), finding("aa", "D4.3a", "http://2/")
    at = datetime(2023, 9, 20, tzinfo=SHANGHAI)
    inspect(store, at, [one, two], SITES[:1])
    first = reads.latest_run(store, "2023Q3")
    inspect(store, at, [two], SITES[:1])  # `recheck --keep` by another edition
    store.runs.update_one({"_id": reads.latest_run(store, "2023Q3")}, {"$set": {"source": first}})
    found = repairs_of(store, "2023Q3", EDITION)
    assert (found.found, found.in_time, found.late, found.open) == (1, 0, 0, 1)
    inspect(store, datetime(2023, 9, 27, tzinfo=SHANGHAI), [], SITES[:1])
    found = repairs_of(store, "2023Q3", EDITION)
    assert (found.found, found.in_time, found.late, found.open) == (1, 1, 0, 0)


@pytest.mark.mongo
def test_repair_lists_name_rule_clause_remedy_deadline_and_show_the_page(store: Sync, tmp_path: Path) -> None:
    shot = io.BytesIO()
    Image.new("RGB", (1200, 900), "grey").save(shot, "PNG")
    findings = [
        finding("aa", "D4.3a", "http://1/", observed=f"{HOSTILE}\x07", shot="f" * 64),
        finding("aa", "V3", "javascript:alert(1)", observed="=1+1"),
    ]
    inspect(store, datetime(2023, 9, 20, tzinfo=SHANGHAI), findings)
    score_quarter(store, "2023Q3", EDITION)
    facts = gather(store, QUARTER, EDITION, load_sites())
    written = write_report(facts, tmp_path, "scores", {"f" * 64: shot.getvalue()}.get)
    assert written.lists == 1
    doc = Document(str(tmp_path / "repair" / "aa.docx"))
    text = "\n".join(paragraph.text for paragraph in doc.paragraphs)
    assert "2处，请于2023年10月7日前" in text
    rows = [[cell.text for cell in row.cells] for row in doc.tables[0].rows]
    rule = EDITION.rules["D4.3a"]
    assert rows[0] == ["序号", "指标", "网址", "发现", "整改建议", "截图"]
    assert rows[1][1:5] == [f"{rule.title}\n{rule.clause}", "http://1/", HOSTILE, rule.fix]
    (shown,) = doc.inline_shapes
    assert shown.width < doc.tables[0].columns[5].width
    section = doc.sections[0]
    room = section.page_width - section.left_margin - section.right_margin
    assert sum(column.width for column in doc.tables[0].columns) <= room
    sheet = load_workbook(tmp_path / "scores.xlsx")["问题清单"]
    assert sorted(str(sheet.cell(row, 6).value) for row in (2, 3)) == [HOSTILE, "=1+1"]
    assert {sheet.cell(row, 6).data_type for row in (2, 3)} == {"s"}
    page = (tmp_path / "web" / "sites" / "aa.html").read_text("utf-8")
    assert HOSTILE not in page
    assert 'href="javascript:' not in page


@pytest.mark.mongo
def test_the_notice_of_problem_counts_has_shares_and_no_scores(store: Sync, tmp_path: Path) -> None:
    first = [finding("aa", "D4.3a", f"http://{number}/") for number in range(4)]
    inspect(
        store,
        datetime(2023, 6, 20, tzinfo=SHANGHAI),
        [*first[:2], finding("aa", "D4.3a", "http://old/")],
        quarter="2023Q2",
    )
    inspect(store, datetime(2023, 9, 20, tzinfo=SHANGHAI), first)
    inspect(store, datetime(2023, 9, 26, tzinfo=SHANGHAI), first[:1], SITES[:1])
    for quarter in ("2023Q2", "2023Q3"):
        score_quarter(store, quarter, EDITION)
    write_report(gather(store, Quarter(2023, 3), EDITION, load_sites()), tmp_path, "problems", lambda _: None)
    text = "\n".join(one.text for one in Document(str(tmp_path / "notice.docx")).paragraphs)
    assert "有检查记录的3家网站中，未发现问题的2家，占66.7%；存在问题的1家，占33.3%" in text
    assert "共发现问题4个，7个工作日内完成整改3个，占75%；逾期完成整改0个，占0%；尚未整改1个，占25%" in text
    assert "上季度通报的问题已整改2处，仍然存在1处" in text
    assert "平均得分" not in text
    assert "附件1" not in text
    assert (tmp_path / "web" / "img" / "trend.png").stat().st_size > 5000


def said(db: Sync, finding: Finding, decision: str, seq: int) -> None:
    verdict = {"finding_id": finding.finding_id, "decision": decision, "seq": seq}
    db.verdicts.insert_one({"quarter": finding.quarter, "site_id": finding.site_id} | verdict)


@pytest.mark.mongo
def test_a_dismissed_fault_is_none_and_a_confirmed_question_is_one(store: Sync, tmp_path: Path) -> None:
    stands, struck = finding("aa", "D4.3a", "http://1/"), finding("aa", "D4.3a", "http://2/")
    only = finding("bb", "D4.3a", "http://3/")
    doubt, doubt_left = (
        replace(finding("cc", "D1.9a", url), outcome=Outcome.CANT_TELL) for url in ("http://4/", "http://5/")
    )
    inspect(store, datetime(2023, 9, 20, tzinfo=SHANGHAI), [stands, struck, only, doubt, doubt_left])
    for seq, (one, decision) in enumerate([(struck, "dismissed"), (only, "dismissed"), (doubt, "confirmed")]):
        said(store, one, decision, seq)
    assert open_sites(store, "2023Q3", EDITION) == {"aa", "cc"}
    found = repairs_of(store, "2023Q3", EDITION)
    assert (found.found, found.open, found.clean, found.faulty) == (2, 2, 1, 2)
    score_quarter(store, "2023Q3", EDITION)
    facts = gather(store, QUARTER, EDITION, load_sites())
    assert [(one.site_id, one.url) for one in facts.faults] == [("aa", "http://1/"), ("cc", "http://4/")]


@pytest.mark.mongo
def test_every_document_prints_the_root_of_the_sealed_records(
    store: Sync, store_uri: str, tmp_path: Path
) -> None:
    inspect(store, datetime(2023, 9, 20, tzinfo=SHANGHAI), [finding("aa", "D4.3a", "http://1/")])
    asyncio.run(sealed(store_uri))
    score_quarter(store, "2023Q3", EDITION)
    facts = gather(store, QUARTER, EDITION, load_sites())
    known = roots(store, "2023Q3")
    whole = quarter_root(known)
    assert set(known) == {"aa", "bb", "cc"}
    write_report(facts, tmp_path, "scores", lambda _: None)
    text = [one.text for one in Document(str(tmp_path / "notice.docx")).paragraphs]
    assert [one for one in text if whole in one and "3家网站" in one]
    book = load_workbook(tmp_path / "scores.xlsx")
    assert ("检查记录校验值", whole) in list(book["汇总"].iter_rows(values_only=True))
    rows = book["记录校验"].iter_rows(min_row=2, values_only=True)
    assert {row[0]: row[2] for row in rows} == known
    assert known["aa"] in "".join(
        one.text for one in Document(str(tmp_path / "repair" / "aa.docx")).paragraphs
    )
    assert known["bb"] in (tmp_path / "web" / "sites" / "bb.html").read_text("utf-8")
    assert whole in (tmp_path / "web" / "index.html").read_text("utf-8")


async def sealed(uri: str) -> None:
    db = connect_async(uri)
    try:
        for site in SITES:
            await seal_site(db, "2023Q3-1", site.site_id)
    finally:
        await db.client.close()


@pytest.mark.mongo
def test_a_provisional_quarter_says_within_which_means_it_will_end(store: Sync, tmp_path: Path) -> None:
    inspect(store, datetime(2023, 9, 20, tzinfo=SHANGHAI), [finding("aa", "D4.3a", "http://1/")])
    score_quarter(store, "2023Q3", EDITION)
    facts = gather(store, QUARTER, EDITION, load_sites())
    assert [facts.scores[name].high for name in ("aa", "bb", "cc")] == [Decimal("129.8"), 130, 130]
    text = "\n".join(one.text for one in notice(facts, "scores"))
    assert "得分为暂定分，确认后平均得分在0至129.9分之间" in text
    write_report(facts, tmp_path, "scores", lambda _: None)
    page = (tmp_path / "web" / "index.html").read_text("utf-8")
    assert "确认后平均分在 0 至 129.9 之间" in page
    assert "0–129.8" in page
    rows = dict(load_workbook(tmp_path / "scores.xlsx")["汇总"].iter_rows(values_only=True))
    assert (rows["确认后平均分至少"], rows["确认后平均分至多"], rows["结果"]) == (0, 129.9, "第1版，暂定")


@pytest.mark.mongo
def test_the_command_inspects_only_sites_with_open_faults_again(
    store: Sync, store_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    roster, asked = tmp_path / "roster.csv", []
    write_sites(roster, SITES)
    one, two = finding("aa", "D4.3a", "http://1/"), finding("cc", "D4.3a", "http://2/")
    inspect(store, datetime(2023, 9, 20, tzinfo=SHANGHAI), [one, two])

    def run(db: Sync, options: Options, sites: tuple[Site, ...]) -> Progress:
        asked.append([site.site_id for site in sites])
        inspect(
            db,
            Quarter.parse(options.quarter).monitoring_point(options.at),
            [two] if len(asked) < 2 else [],
            sites,
        )
        return Progress(run=reads.latest_run(db, options.quarter) or "", planned=len(sites), done=len(sites))

    monkeypatch.setattr("govcrawl.cli._run", run)
    common = [
        "inspect",
        "--recheck-open",
        "--quarter",
        "2023Q3",
        "--registry",
        str(roster),
        "--mongo",
        store_uri,
    ]
    for day in ("2023-09-27", "2023-10-09"):
        assert CliRunner().invoke(cli, [*common, "--at", day]).exit_code == 0
    assert asked == [["aa", "cc"], ["cc"]]
    found = repairs_of(store, "2023Q3", EDITION)
    assert (found.found, found.in_time, found.late, found.open) == (2, 1, 1, 0)
    done = CliRunner().invoke(cli, [*common, "--at", "2023-10-10"])
    assert isinstance(done.exception, GovcrawlError)
    assert "none of these sites has an open fault" in str(done.exception)
    assert len(asked) == 2
