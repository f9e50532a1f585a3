"""D1.9 其他栏目."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from govcrawl.extract.columns import ColumnType
from govcrawl.extract.lists import ListState
from govcrawl.indicators.due import overdue_columns
from govcrawl.indicators.staleness import of_kind
from govcrawl.inspection import Inspection
from govcrawl.items import CantTell, Evidence
from govcrawl.registry import column, listing, menu, page, rule, visit
from govcrawl.standard import Window

_CHARGED = ((ColumnType.NEWS, False), (ColumnType.POLICY, True), (ColumnType.INTERPRETATION, True))
_ELSEWHERE = (
    *_CHARGED,
    (ColumnType.MESSAGE, False),
    (ColumnType.STATISTICS, False),
)  # dates of these have rules
_MENU = menu(("人事信息", "/rs/"), ("工作动态", "/dt/"))


@rule(
    "D1.9a",
    fails=[visit(page(_MENU), column("<p>暂无数据</p>", "/rs/", "人事信息"))],
    passes=[
        visit(page(_MENU), column(listing(("干部任前公示", "2023-05-01")), "/rs/", "人事信息")),
        visit(page(_MENU), column("<p>暂无数据</p>", "/dt/", "工作动态")),  # charged under D1.4b (R9)
    ],
)
def blank_column(site: Inspection) -> Iterator[Evidence]:
    """A column without an indicator of its own exists and has no content."""
    if not site.columns:
        raise CantTell("no columns were found")
    charged = _of_kinds(site, _CHARGED)
    for one in site.read_columns():
        if one.state is ListState.BLANK and one.url not in charged:
            yield Evidence(one.url, one.label, expected="有内容", excerpt=one.why)
    _read_all(site)


@rule(
    "D1.9b",
    fails=[
        visit(page(_MENU), column(listing(("干部任前公示", "2022-05-01")), "/rs/", "人事信息")),
        visit(
            page(menu(("统计数据", "/sj/"))),
            column(listing(("六月主要指标", "2023-06-01")), "/sj/", "统计数据"),
        ),
    ],
    passes=[
        visit(page(_MENU), column(listing(("干部任前公示", "2022-11-01")), "/rs/", "人事信息")),
        visit(
            page(_MENU), column(listing(("市政府召开会议", "2021-05-01")), "/dt/", "工作动态")
        ),  # D1.4b (R9)
        visit(
            page(menu(("历史文化", "/ls/"))), column(listing(("古城简史", "2016-05-01")), "/ls/", "历史文化")
        ),
    ],
)
def overdue_column(site: Inspection, due: Mapping[str, Window]) -> Iterator[Evidence]:
    """A column without an indicator of its own shows nothing for longer than columns of its kind may."""
    if not site.columns:
        raise CantTell("no columns were found")
    yield from overdue_columns(site, due, _of_kinds(site, _ELSEWHERE))
    _read_all(site)


def _of_kinds(site: Inspection, kinds: tuple[tuple[ColumnType, bool], ...]) -> set[str]:
    return {one.url for kind, top in kinds for one in of_kind(site, kind, top=top)}


def _read_all(site: Inspection) -> None:
    unread = [one for one in site.columns.values() if one.state in (ListState.SCRIPT, ListState.UNREAD)]
    if unread:
        first = unread[0]
        raise CantTell(f"{len(unread)} columns could not be read, first {first.label} ({first.why})")
