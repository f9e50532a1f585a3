"""D1.2 机构职能."""

from __future__ import annotations

from collections.abc import Iterator

from govcrawl.extract.columns import ColumnType
from govcrawl.indicators.presence import absent_column, with_menu
from govcrawl.inspection import Inspection
from govcrawl.items import Evidence
from govcrawl.registry import rule


@rule("D1.2a", fails=[with_menu("工作动态", "通知公告")], passes=[with_menu("工作动态", "机构职能")])
def missing_organs(site: Inspection) -> Iterator[Evidence]:
    """There is no 机构职能 column."""
    yield from absent_column(site, ColumnType.ORGAN, named="机构|职能|职责")
