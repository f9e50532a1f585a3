"""D1.9 其他栏目."""

from __future__ import annotations

from collections.abc import Iterator

from govcrawl.extract.columns import ColumnType
from govcrawl.extract.lists import ListState
from govcrawl.indicators.staleness import of_kind
from govcrawl.inspection import Inspection
from govcrawl.items import CantTell, Evidence
from govcrawl.registry import column, listing, menu, page, rule, visit

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
    charged = set()
    for kind, top in ((ColumnType.NEWS, False), (ColumnType.POLICY, True), (ColumnType.INTERPRETATION, True)):
        charged |= {one.url for one in of_kind(site, kind, top=top)}
    for one in site.read_columns():
        if one.state is ListState.BLANK and one.url not in charged:
            yield Evidence(one.url, one.label, expected="有内容", excerpt=one.why)
    unread = [one for one in site.columns.values() if one.state is ListState.SCRIPT]
    if unread:
        raise CantTell(f"{len(unread)} columns are filled by scripts, first {unread[0].label}")
