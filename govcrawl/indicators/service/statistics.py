"""D2.3 办事统计."""

from __future__ import annotations

from collections.abc import Iterator

from govcrawl.extract.columns import ColumnType
from govcrawl.indicators.services import with_services
from govcrawl.indicators.staleness import of_kind
from govcrawl.inspection import Column, Inspection
from govcrawl.items import CantTell, Evidence
from govcrawl.registry import column, listing, menu, page, rule, visit
from govcrawl.standard import Window


def _site(day: str) -> Inspection:
    home = page(menu(("办件统计", "/tj/"), ("要闻", "/yw/")))
    return visit(
        home, column(listing(("办件情况统计表", day), ("办件情况统计表", "2020-01-05")), "/tj/", "办件统计")
    )


@rule("D2.3a", fails=[visit(page(menu(("要闻", "/yw/"))))], passes=[_site("2023-09-01")])
def missing_statistics(site: Inspection) -> Iterator[Evidence]:
    """The site publishes no statistics of its services."""
    with_services(site)
    if site.home is None or site.home.error:
        raise CantTell("the home page could not be read")
    if not of_kind(site, ColumnType.STATISTICS, top=False):
        yield Evidence(site.home.url, "未见办事统计栏目", expected="公开办事统计数据")


@rule(
    "D2.3b",
    fails=[_site("2023-08-19"), _site("2023-06-20")],
    passes=[_site("2023-08-20"), _site("2023-06-19")],
)
def late_statistics(site: Inspection, window: Window, second_window: Window) -> Iterator[Evidence]:
    """The newest service statistics are one to three months old."""
    at = site.at.date()
    for one in _settled(site):
        newest = site.newest(one)
        if newest is not None and second_window.before(at) <= newest < window.before(at):
            yield Evidence(
                one.url, f"{one.label} {newest.isoformat()}", expected=f"≥ {window.before(at).isoformat()}"
            )


@rule("D2.3c", fails=[_site("2023-06-19")], passes=[_site("2023-06-20")])
def old_statistics(site: Inspection, window: Window) -> Iterator[Evidence]:
    """The newest service statistics are older than three months."""
    limit = window.before(site.at.date())
    for one in _settled(site):
        newest = site.newest(one)
        if newest is not None and newest < limit:
            yield Evidence(one.url, f"{one.label} {newest.isoformat()}", expected=f"≥ {limit.isoformat()}")


def _settled(site: Inspection) -> Iterator[Column]:
    """Yield the statistics columns that can be judged; raise CantTell at the end where some cannot."""
    with_services(site)
    columns = of_kind(site, ColumnType.STATISTICS, top=False)
    if not columns:
        raise CantTell("no service statistics were found")
    open_ones = []
    for one in columns:
        if site.settled(one):
            yield one
        else:
            open_ones.append(one)
    if open_ones:
        first = open_ones[0]
        raise CantTell(
            f"{first.label} could not be judged ({first.error or first.why or first.state or 'not visited'})"
        )
