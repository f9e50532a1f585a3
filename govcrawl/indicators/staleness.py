"""Which columns of a kind are stale, and which could not be judged; shared by the update rules."""

from __future__ import annotations

from collections.abc import Iterator

from govcrawl.extract.columns import ColumnType
from govcrawl.extract.lists import ListState
from govcrawl.inspection import Column, Inspection
from govcrawl.items import CantTell, Evidence
from govcrawl.registry import column, listing, menu, page, visit
from govcrawl.standard import Window


def with_column(name: str, day: str) -> Inspection:
    """Return an example: a site with one column whose newest entry is of this day."""
    rows = listing(("关于某项工作的通知", day), ("市政府召开常务会议", "2019-01-01"))
    return visit(page(menu((name, "/c/"))), column(rows, "/c/", name))


def of_kind(site: Inspection, *kinds: ColumnType, top: bool) -> list[Column]:
    """Return the columns of these kinds; with `top` only those of the shallowest tier (一级栏目)."""
    found = [one for _, one in sorted(site.columns.items()) if one.kind in kinds]
    shallowest = min((one.level for one in found), default=1)
    return [one for one in found if not top or one.level == shallowest]


def stale_columns(site: Inspection, columns: list[Column], window: Window) -> Iterator[Evidence]:
    """Yield one evidence for each column with nothing since the start of the window; blank ones included."""
    limit = window.before(site.at.date())
    for one in columns:
        if not site.settled(one):
            continue
        newest = site.newest(one)
        if newest is not None and newest >= limit:
            continue
        observed = (
            newest.isoformat() if newest else ("空白" if one.state is ListState.BLANK else "无发布日期")
        )
        yield Evidence(one.url, f"{one.label} {observed}", expected=f"≥ {limit.isoformat()}", excerpt=one.why)


def stale_of_kind(site: Inspection, kind: ColumnType, window: Window, *, top: bool) -> Iterator[Evidence]:
    """Yield the stale columns of a kind; raise CantTell when none was found or some could not be judged."""
    columns = of_kind(site, kind, top=top)
    if not columns:
        raise CantTell(f"no {kind} column was found")
    yield from stale_columns(site, columns, window)
    unsettled = [one for one in columns if not site.settled(one)]
    if unsettled:
        first = unsettled[0]
        raise CantTell(
            f"{first.label} could not be judged ({first.error or first.why or first.state or 'not visited'})"
        )
