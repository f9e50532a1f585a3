"""D1.1 概况信息."""

from __future__ import annotations

from collections.abc import Iterator

from govcrawl.extract.columns import ColumnType
from govcrawl.indicators.presence import absent_column, with_menu
from govcrawl.inspection import Inspection
from govcrawl.items import Evidence
from govcrawl.registry import rule


@rule("D1.1a", fails=[with_menu("工作动态", "通知公告")], passes=[with_menu("工作动态", "走进示例")])
def missing_overview(site: Inspection) -> Iterator[Evidence]:
    """There is no 概况信息 column."""
    yield from absent_column(site, ColumnType.OVERVIEW, named="概况|概览|简介")
