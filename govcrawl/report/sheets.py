"""Writes workbooks for officials: frozen headers, filters, real numbers, no formulas."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.drawing.image import Image
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter

from govcrawl.report.document import settled
from govcrawl.report.facts import Facts
from govcrawl.report.text import band_label
from govcrawl.results import mean_range

_HEAD = PatternFill("solid", fgColor="D9D9D9")
_WIDEST = 36
_HEAD_WIDTH = 10  # longer heads take several lines
_PAGE_WIDTH = 220  # characters that can be read beside each other on a printed page
_UNFIT = dict.fromkeys((*range(9), 11, 12, *range(14, 32)))
_TEXT = Alignment(
    horizontal="left", vertical="top", indent=1, wrap_text=True
)  # else text touches the number before it
_NUMBER = Alignment(vertical="top")
_CELL = 32_000  # Excel keeps 32,767 characters a cell

Row = Sequence[Any]


def write_scores(path: Path, facts: Facts, pictures: Mapping[str, tuple[str, bytes]]) -> None:
    """Write the quarter's workbook: summary, ranking, departments, problems, statistics, pictures."""
    book = workbook()
    add_sheet(book, "汇总", ("项目", "数值"), _summary(facts))
    add_sheet(book, "门户排名", *_ranking(facts))
    add_sheet(
        book,
        "部门网站",
        ("网站编号", "网站名称", "主办单位", "结论", "问题"),
        ((one.site_id, one.name, one.organizer, one.verdict, one.problem) for one in facts.departments),
    )
    add_sheet(book, "问题清单", _FAULT_HEADS, (_fault(facts, one) for one in facts.faults))
    add_sheet(book, "问题变化", ("变化", *_FAULT_HEADS), _changes(facts))
    add_sheet(
        book,
        "指标统计",
        ("指标", "类别", "网站数", "问题数", "扣分合计"),
        (
            (one.indicator, one.category, one.sites, one.occurrences, one.points)
            for one in facts.summary.problems
        ),
    )
    add_sheet(book, "找错留言", ("范围", "名称", "件数"), _messages(facts))
    add_sheet(book, "咨询答复", ("范围", "名称", "咨询数", "逾期数", "按期答复率（%）"), _inquiries(facts))
    add_sheet(
        book,
        "记录校验",
        ("网站编号", "网站名称", "检查记录校验值"),
        (
            (site_id, facts.names[site_id], facts.roots[site_id])
            for site_id in facts.sites
            if site_id in facts.roots
        ),
    )
    if pictures:
        _pictures(book, pictures)
    save(book, path)


def workbook() -> Workbook:
    """Return a workbook without sheets and without the day of its making."""
    book = Workbook()
    book.remove(book.active)
    book.properties.creator = "govcrawl"
    book.properties.created = datetime(2000, 1, 1)  # noqa: DTZ001  (openpyxl knows no zones)
    return book


def add_sheet(book: Workbook, title: str, heads: Row, rows: Iterable[Row]) -> None:
    """Add a sheet with a frozen header, a filter and columns as wide as their text."""
    sheet = book.create_sheet(title)
    widths = [min(_width(head), _HEAD_WIDTH) for head in heads]
    sheet.append(list(heads))
    for cell in sheet[1]:
        cell.font, cell.fill = Font(bold=True), _HEAD
        cell.alignment = Alignment(vertical="center", wrap_text=True)
    for row in rows:
        values = [_value(value) for value in row]
        sheet.append(values)
        widths = [max(width, _width(value)) for width, value in zip(widths, values, strict=True)]
        for cell in sheet[sheet.max_row]:
            if isinstance(cell.value, str):
                cell.alignment = _TEXT
                cell.data_type = "s"  # text of a page that starts with = is no formula
                continue
            cell.alignment = _NUMBER
            if isinstance(cell.value, Decimal):
                cell.number_format = "0.0" if cell.value == round(cell.value, 1) else "0.00"
    widths = [min(width + 3, _WIDEST) for width in widths]
    for number, width in enumerate(widths, start=1):
        sheet.column_dimensions[get_column_letter(number)].width = width
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(heads))}{sheet.max_row}"
    sheet.print_title_rows = "1:1"
    sheet.page_setup.orientation, sheet.page_setup.paperSize = "landscape", 9
    pages = -(-sum(widths) // _PAGE_WIDTH)
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = pages, 0
    if pages > 1:
        sheet.print_title_cols = "A:C"
    sheet.sheet_properties.pageSetUpPr.fitToPage = True


def save(book: Workbook, path: Path) -> None:
    """Write a workbook so that the same content gives the same bytes."""
    held = io.BytesIO()
    book.save(held)
    path.write_bytes(settled(held.getvalue()))


def _value(value: Any) -> Any:
    if isinstance(value, str):
        return value.translate(_UNFIT)[:_CELL]
    return value if isinstance(value, int | Decimal | date) or value is None else str(value)


def _width(value: Any) -> int:
    return sum(2 if ord(sign) > 0x2E80 else 1 for sign in str("" if value is None else value))


def _summary(facts: Facts) -> Iterable[Row]:
    summary, messages, repairs = facts.summary, facts.messages, facts.repairs
    yield "季度", str(facts.quarter)
    yield "数据来源", "外部导入" if facts.imported else "系统检查"
    if not facts.imported:
        yield "结果", f"第{facts.version}版，{'正式' if facts.final else '暂定'}"
    if facts.root:
        yield "检查记录校验值", facts.root
    yield "检查网站总数", summary.sites
    yield "政府门户网站", summary.portals
    yield "部门网站", summary.departments
    yield "合格率（%）", summary.pass_rate
    yield "满分", facts.full
    yield "门户网站平均分", summary.mean
    yield "最高分", summary.best
    yield "最低分", summary.worst
    yield "120分以上门户网站数", len(facts.top)
    for band in summary.bands:
        yield band_label(band), len(band.site_ids)
    yield "暂定得分网站数", summary.provisional
    if between := mean_range(facts.scores.values()):
        yield "确认后平均分至少", between[0]
        yield "确认后平均分至多", between[1]
    yield "未完成检查网站数", len(summary.missing)
    if messages is not None:
        yield "找错留言件数", messages.received
        yield "找错留言涉及设区市数", len(messages.cities)
        yield "找错留言涉及省级单位数", len(messages.units)
        yield "找错留言按期办结率（%）", messages.rate
    if repairs.clean + repairs.faulty:
        yield "发现问题数", repairs.found
        yield "按期整改数", repairs.in_time
        yield "逾期整改数", repairs.late
        yield "未整改数", repairs.open


def _ranking(facts: Facts) -> tuple[Row, Iterable[Row]]:
    bands = {site_id: band_label(band) for band in facts.summary.bands for site_id in band.site_ids}
    heads = ["名次", "网站编号", "名称", "设区市", "得分", "分段"]
    specs = [*facts.edition.of("deduction"), *facts.edition.of("bonus")]
    if facts.earlier:
        heads += ["上季度", "升降"]
    if not facts.imported:
        heads += ["扣分", "加分", "最低可能", "最高可能", "待确认", *(spec.name for spec in specs)]

    def rows() -> Iterable[Row]:
        for rank in facts.summary.ranking:
            site_id, score = rank.site_id, facts.scores[rank.site_id]
            row = [rank.place, site_id, facts.names[site_id], facts.city(site_id), rank.total, bands[site_id]]
            if facts.earlier:
                before = facts.earlier.get(site_id)
                row += [before, None if before is None else rank.total - before]
            if not facts.imported:
                deltas = {one.name: one.delta for one in score.indicators}
                row += [score.deduction, score.bonus, score.low, score.high, score.pending]
                row += [deltas.get(spec.name) for spec in specs]
            yield row

    return heads, rows()


_FAULT_HEADS = ("网站编号", "网站名称", "指标", "条款", "网址", "发现", "要求", "整改建议", "整改期限")


def _fault(facts: Facts, fault: Any) -> Row:
    name = facts.names.get(fault.site_id, fault.site_id)
    seen = (fault.url, fault.observed, fault.expected, fault.fix, fault.deadline)
    return (fault.site_id, name, fault.title, fault.clause, *seen)


def _changes(facts: Facts) -> Iterable[Row]:
    found = facts.comparison
    if found is None:
        return
    for label, faults in (
        ("已整改", found.repaired),
        ("仍存在", found.lasting),
        ("重新出现", found.returned),
        ("新发现", found.fresh),
    ):
        for fault in faults:
            yield (label, *_fault(facts, fault)[:-1], None if label == "已整改" else fault.deadline)


def _messages(facts: Facts) -> Iterable[Row]:
    found = facts.messages
    if found is None:
        return
    for scope, counts in (("设区市", found.cities), ("省级单位", found.units), ("问题类型", found.kinds)):
        for name, count in counts:
            yield scope, name, count


def _inquiries(facts: Facts) -> Iterable[Row]:
    found = facts.inquiries
    if found is None:
        return
    for scope, rates in (("设区市", found.cities), ("省级单位", found.units)):
        for rate in rates:
            yield scope, rate.name, rate.asked, rate.overdue, rate.on_time


def _pictures(book: Workbook, pictures: Mapping[str, tuple[str, bytes]]) -> None:
    sheet = book.create_sheet("图表")
    row = 1
    for caption, png in pictures.values():
        sheet.cell(row, 1, caption).font = Font(bold=True)
        image = Image(io.BytesIO(png))
        image.width, image.height = image.width * 0.6, image.height * 0.6
        sheet.add_image(image, f"A{row + 1}")
        row += 24
