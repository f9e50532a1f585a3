"""D1.6 政策解读: columns kept fresh."""

from __future__ import annotations

from collections.abc import Iterator

from govcrawl.extract.columns import ColumnType
from govcrawl.indicators.presence import absent_column, with_menu
from govcrawl.indicators.staleness import stale_of_kind, with_column
from govcrawl.inspection import Inspection
from govcrawl.items import Evidence
from govcrawl.registry import rule
from govcrawl.standard import Window


@rule("D1.6a", fails=[with_menu("机构职能", "通知公告")], passes=[with_menu("机构职能", "政策解读")])
def missing_interpretations(site: Inspection) -> Iterator[Evidence]:
    """There is no 政策解读 column."""
    yield from absent_column(site, ColumnType.INTERPRETATION)


@rule("D1.6b", fails=[with_column("政策解读", "2023-03-19")], passes=[with_column("政策解读", "2023-03-20")])
def stale_interpretations(site: Inspection, window: Window) -> Iterator[Evidence]:
    """A top-level 政策解读 column shows nothing of the last 6 months."""
    yield from stale_of_kind(site, ColumnType.INTERPRETATION, window, top=True)
