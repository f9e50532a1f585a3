"""D2.1 事项公开."""

from __future__ import annotations

from collections.abc import Iterator

from govcrawl.extract.columns import ColumnType
from govcrawl.indicators.services import with_services
from govcrawl.inspection import Inspection
from govcrawl.items import CantTell, Evidence
from govcrawl.registry import column, menu, page, rule, visit

_HOME = page(menu(("办事服务", "/bs/"), ("要闻", "/yw/")))
_ITEMS = "<ul><li><a href=/g/1.html>食品经营许可</a></li><li><a href=/g/2.html>居住证办理登记</a></li></ul>"


@rule(
    "D2.1",
    fails=[visit(_HOME, column(_ITEMS, "/bs/", "办事服务"))],
    passes=[visit(_HOME, column(f"<h3>按主题分类</h3><h3>按部门分类</h3>{_ITEMS}", "/bs/", "办事服务"))],
)
def unsorted_items(site: Inspection) -> Iterator[Evidence]:
    """The service items are not shown together by category."""
    with_services(site)
    lists = site.dealings.service_lists
    if any(lists.values()):
        return
    if not lists:
        elsewhere = site.dealings.entrances(ColumnType.SERVICE)
        raise CantTell(
            f"services stand on another site ({elsewhere[0]})" if elsewhere else "no service column was read"
        )
    for url in sorted(lists):
        yield Evidence(url, "未见事项分类", expected="按主题、对象或部门分类集中展示")
