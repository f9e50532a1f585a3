"""D1.3 领导信息."""

from __future__ import annotations

from collections.abc import Iterator

from govcrawl.extract.columns import ColumnType
from govcrawl.indicators.presence import absent_column, with_menu
from govcrawl.inspection import Inspection
from govcrawl.items import Evidence
from govcrawl.registry import rule


@rule("D1.3a", fails=[with_menu("工作动态", "通知公告")], passes=[with_menu("工作动态", "领导之窗")])
def missing_leaders(site: Inspection) -> Iterator[Evidence]:
    """There is no 领导信息 column."""
    yield from absent_column(site, ColumnType.LEADER)
