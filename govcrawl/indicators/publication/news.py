"""D1.4 动态要闻: columns kept fresh."""

from __future__ import annotations

from collections.abc import Iterator

from govcrawl.extract.columns import ColumnType
from govcrawl.indicators.presence import absent_column, with_menu
from govcrawl.indicators.staleness import stale_of_kind, with_column
from govcrawl.inspection import Inspection
from govcrawl.items import Evidence
from govcrawl.registry import rule
from govcrawl.standard import Window


@rule("D1.4a", fails=[with_menu("机构职能", "通知公告")], passes=[with_menu("机构职能", "要闻动态")])
def missing_news(site: Inspection) -> Iterator[Evidence]:
    """There is no 动态要闻 column."""
    yield from absent_column(site, ColumnType.NEWS)


@rule("D1.4b", fails=[with_column("工作动态", "2023-09-05")], passes=[with_column("工作动态", "2023-09-06")])
def stale_news(site: Inspection, window: Window) -> Iterator[Evidence]:
    """A 动态要闻 column shows nothing of the last 2 weeks."""
    yield from stale_of_kind(site, ColumnType.NEWS, window, top=False)
