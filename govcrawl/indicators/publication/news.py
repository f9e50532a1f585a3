"""D1.4 动态要闻, D1.5 政策文件, D1.6 政策解读: columns that must be kept fresh."""

from __future__ import annotations

from collections.abc import Iterator

from govcrawl.extract.columns import ColumnType
from govcrawl.indicators.staleness import stale_of_kind
from govcrawl.inspection import Inspection
from govcrawl.items import Evidence
from govcrawl.registry import column, listing, menu, page, rule, visit
from govcrawl.standard import Window


def _site(name: str, day: str) -> Inspection:
    return visit(page(menu((name, "/c/"))), column(listing(("关于某项工作的通知", day), ("市政府召开常务会议", "2019-01-01")), "/c/", name))


@rule("D1.4b", fails=[_site("工作动态", "2023-09-05")], passes=[_site("工作动态", "2023-09-06")])
def stale_news(site: Inspection, window: Window) -> Iterator[Evidence]:
    """A 动态要闻 column shows nothing of the last 2 weeks."""
    yield from stale_of_kind(site, ColumnType.NEWS, window, top=False)


@rule("D1.5b", fails=[_site("政策文件", "2023-03-19")], passes=[_site("政策文件", "2023-03-20")])
def stale_policies(site: Inspection, window: Window) -> Iterator[Evidence]:
    """A top-level 政策文件 column shows nothing of the last 6 months."""
    yield from stale_of_kind(site, ColumnType.POLICY, window, top=True)


@rule("D1.6b", fails=[_site("政策解读", "2023-03-19")], passes=[_site("政策解读", "2023-03-20")])
def stale_interpretations(site: Inspection, window: Window) -> Iterator[Evidence]:
    """A top-level 政策解读 column shows nothing of the last 6 months."""
    yield from stale_of_kind(site, ColumnType.INTERPRETATION, window, top=True)
