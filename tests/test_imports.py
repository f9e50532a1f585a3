"""Outside data: tables as offices export them, working days, and what becomes of messages and inquiries."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from openpyxl import Workbook

from govcrawl.imports import Department, ImportFileError, Inquiry, Message, Total, held, overdue_findings
from govcrawl.imports.working import due, working_days
from govcrawl.items import Outcome, Site
from govcrawl.quarter import SHANGHAI
from govcrawl.report.facts import gather
from govcrawl.sites import load_sites
from govcrawl.store.client import Sync
from tests.quarters import EDITION, QUARTER, table, take

mongo = pytest.mark.mongo
INQUIRIES = ("编号", "提问时间", "难易", "地市", "单位", "答复时间")


def at(month: int, day: int, hour: int = 9) -> datetime:
    return datetime(2023, month, day, hour, tzinfo=SHANGHAI)


def test_working_days_know_holidays_and_make_up_days() -> None:
    # The autumn holidays ran from 29 September to 6 October; the weekend of 7 October was worked.
    assert working_days(date(2023, 9, 28), date(2023, 10, 8)) == 2
    assert working_days(date(2023, 9, 22), date(2023, 9, 25)) == 1
    assert working_days(date(2023, 9, 22), date(2023, 9, 22)) == 0
    assert due(date(2023, 9, 20), 7) == date(2023, 10, 7)


def test_a_year_without_a_calendar_counts_monday_to_friday() -> None:
    assert due(date(2090, 9, 1), 7) == date(2090, 9, 12)


@mongo
def test_a_workbook_with_title_rows_merged_cities_and_excel_dates_is_read(
    store: Sync, tmp_path: Path
) -> None:
    book = Workbook()
    sheet = book.active
    sheet.append(["2023年第三季度咨询办理情况表"])
    sheet.merge_cells("A1:F1")
    sheet.append(["填报单位：省大数据局"])
    sheet.append(list(INQUIRIES))
    sheet.append([1.0, datetime(2023, 8, 1, 9), "简单问题", "杭州市", None, datetime(2023, 8, 2, 9)])  # noqa: DTZ001
    sheet.append(["2", 45140.5, "复杂", None, None, "2023年8月30日 10:00"])
    sheet.merge_cells("D4:D5")
    sheet.append(["合计", None, None, None, None, None])
    book.save(tmp_path / "inquiries.xlsx")
    assert take(store, "inquiries", tmp_path / "inquiries.xlsx") == 2
    first, second = held(store, "2023Q3", Inquiry)
    assert first == Inquiry("1", at(8, 1), "simple", "杭州市", "", at(8, 2))
    assert second == Inquiry("2", at(8, 2, 12), "complex", "杭州市", "", at(8, 30, 10))


@mongo
def test_a_gbk_file_is_read(store: Sync, tmp_path: Path) -> None:
    path = tmp_path / "部门.csv"
    path.write_bytes("网站名称,检查结果\n省教育厅网站,合格\n".encode("gbk"))
    assert take(store, "departments", path) == 1
    assert held(store, "2023Q3", Department) == (Department("省教育厅网站", "合格"),)


@mongo
def test_every_fault_is_told_by_row_and_nothing_is_imported(store: Sync, tmp_path: Path) -> None:
    good = table(tmp_path / "good.csv", ("网站编号", "网站名称", "得分"), [("zj", "浙江省", "122.5")])
    take(store, "totals", good)
    rows = [("zj", "浙江省", "130.1"), ("hangzhou", "杭州市", "很高"), ("nowhere", "无", "100")]
    with pytest.raises(ImportFileError) as caught:
        take(store, "totals", table(tmp_path / "bad.csv", ("网站编号", "网站名称", "得分"), rows))
    assert caught.value.problems == ("row 3, 得分: '很高' is no number; write one such as 115.8",)
    rows[1] = ("zj", "浙江省", "100")
    with pytest.raises(ImportFileError) as caught:
        take(store, "totals", table(tmp_path / "bad.csv", ("网站编号", "网站名称", "得分"), rows))
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "row 2, 得分",
        "row 3",
        "row 4, 网站编号",
    ]
    assert held(store, "2023Q3", Total) == (Total("zj", "浙江省", Decimal("122.5")),)


@mongo
@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (("1", "2023-02-01", "简单", "杭州市", "", ""), "does not belong to 2023Q3"),
        (("1", "2023-08-02", "简单", "杭州市", "", "2023-08-01"), "is later than the answer"),
        (("1", "2023-08-02", "紧急", "杭州市", "", ""), "is unknown"),
        (("1", "2023-08-02", "简单", "", "", ""), "neither 地市 nor 单位"),
        (("1", "2023-13-02", "简单", "杭州市", "", ""), "is no date"),
        (("1", "", "简单", "杭州市", "", ""), "is empty"),
    ],
)
def test_a_doubtful_row_is_refused(store: Sync, tmp_path: Path, row: tuple[str, ...], fault: str) -> None:
    with pytest.raises(ImportFileError, match=fault):
        take(store, "inquiries", table(tmp_path / "i.csv", INQUIRIES, [row]))
    assert held(store, "2023Q3", Inquiry) == ()


@mongo
@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04rubbish", b"\xd0\xcf\x11\xe0old", b"\x00\xff\x00", b"a,b\n1,2\n"]
)
def test_a_file_that_is_no_such_table_is_refused(store: Sync, tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "file.xlsx"
    path.write_bytes(data)
    with pytest.raises(ImportFileError):
        take(store, "units", path)


@mongo
def test_the_newest_import_replaces_the_earlier_one(store: Sync, tmp_path: Path) -> None:
    for total in ("100", "101.5"):
        take(
            store,
            "totals",
            table(tmp_path / "t.csv", ("site_id", "name", "total"), [("zj", "浙江省", total)]),
        )
    assert [one.total for one in held(store, "2023Q3", Total)] == [Decimal("101.5")]


@mongo
def test_rates_name_slow_cities_and_units_with_three_overdue(store: Sync, tmp_path: Path) -> None:
    late, good = "2023-08-20", "2023-08-01"
    rows = [(f"c{n}", good, "简单", "杭州市", "", late if n < 3 else good) for n in range(4)]
    rows += [(f"d{n}", good, "复杂", "宁波市", "", "2023-08-04") for n in range(4)]
    rows += [(f"u{n}", good, "复杂", "", "省水利厅", late) for n in range(3)]
    rows += [(f"v{n}", good, "复杂", "", "省体育局", late) for n in range(2)]
    take(store, "inquiries", table(tmp_path / "i.csv", INQUIRIES, rows))
    take(store, "totals", table(tmp_path / "t.csv", ("site_id", "name", "total"), [("zj", "浙江省", "100")]))
    found = gather(store, QUARTER, EDITION, load_sites()).inquiries
    assert found is not None
    assert [(rate.name, rate.on_time) for rate in found.slowest] == [("杭州市", Decimal("25.0"))]
    assert [(rate.name, rate.overdue) for rate in found.named] == [("省水利厅", 3)]


def site(name: str, city: str) -> Site:
    return Site(name, f"{city}{name}", "portal", "county", "330100", city, f"http://{name}.gov.cn/")


def test_late_messages_become_findings_of_their_site() -> None:
    sites = [site("a", "杭州市"), site("b", "杭州市"), site("c", "宁波市"), site("d", "温州市")]
    messages = [
        Message("1", at(8, 1), "其他", site_id="a", settled=at(8, 4)),  # three working days: in time
        Message("2", at(8, 1), "其他", site_id="b", settled=at(8, 7)),  # four
        Message("3", at(8, 1), "其他", site_id="b"),  # never
        Message("4", at(8, 1), "其他", city="宁波市", settled=at(8, 9)),  # late, of a site nobody named
    ]
    found = overdue_findings(messages, sites, "2023Q3", EDITION.id, at(9, 20))
    assert {name: [one.outcome for one in own] for name, own in found.items()} == {
        "a": [Outcome.PASSED],
        "b": [Outcome.FAILED, Outcome.FAILED],
        "d": [Outcome.PASSED],
    }
    assert found["b"][0].evidence[0].observed == "找错留言 2：4 个工作日"


def test_an_open_message_is_overdue_only_after_its_time() -> None:
    message = Message("1", at(9, 18), "其他", city="杭州市")
    assert not message.overdue(at(9, 21))
    assert message.overdue(at(9, 22))
    assert not message.on_time(at(9, 21))
