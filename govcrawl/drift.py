"""Rule drift: a reading that finds nothing where it found something last time says "unknown", not "blank".

A site that is rebuilt keeps its news and loses our grip on it. Each inspection leaves tallies of what the
readings matched (`tally`); the next one compares (`settle`), before the rules over the whole site run:

* a column without entries where entries were read last time, unless the page itself says that it is empty,
  and a column whose entries lost their dates, become `ListState.UNREAD`: no rule calls them blank or stale;
* a group of readings (footer, service guides, messages, leaders) that matched nothing on the whole site
  though its pages were read: what the rules that rest on it found is for a person to decide (`doubted`);
* without an earlier inspection: no date on a single one of many articles and rows.

Each of these raises an alarm for the site and its platform. Not compared are direct observations, such as a
meta tag or the wording of one mark: there the earlier inspection is no reason to doubt what is plainly there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from govcrawl.extract.lists import ListState
from govcrawl.inspection import Inspection
from govcrawl.items import Role

MANY = 10  # rows and articles without a single date among them that no site shows on purpose
_READABLE = frozenset((ListState.ROWS, ListState.TEXT, ListState.BLANK, ListState.SCRIPT, ListState.UNREAD))
_DATED = ("V3", "V4.1", "V4.2", "D1.4b", "D1.5b", "D1.6b", "D1.9b", "D2.3b", "D2.3c", "B1.1a", "B1.1b")
_LISTED = ("V4.3", "D1.9a", *_DATED)


@dataclass(frozen=True, slots=True)
class Reading:
    """A group of readings: its name, what people call it, and the rules that rest on it."""

    name: str
    zh: str
    rules: tuple[str, ...]


READINGS = (
    Reading("columns", "栏目", ("V5.1", "V6.1", "D1.1a", "D1.2a", "D1.3a", "D1.4a", "D1.5a", "D1.6a")),
    Reading("home", "首页信息日期", ("V3",)),
    Reading("rows", "栏目列表", _LISTED),
    Reading("dates", "发布日期", _DATED),
    Reading("footer", "页脚标识", ("D4.2", "D4.4a", "D4.4b")),
    Reading("guides", "办事指南要素", ("V6.2", "V6.3", "D2.4b", "D2.4c", "D2.4d", "D2.4e", "D2.6", "B2.3")),
    Reading("letters", "留言内容", ("V5.2", "D3.3a", "D3.3b", "D3.3c", "D3.3d")),
    Reading("leaders", "领导信息", ("D1.3b",)),
)
READING_NAMES = {one.name: one.zh for one in READINGS}
_OF_COLUMNS = frozenset(("rows", "dates"))  # settled column by column


@dataclass(frozen=True, slots=True)
class Alarm:
    """A reading that matched nothing: how much it matched last time, where, and the rules left open by it."""

    reading: str
    before: int
    rules: tuple[str, ...]
    where: tuple[str, ...] = ()  # the columns; empty: the whole site

    @property
    def zh(self) -> str:
        """What people call the reading."""
        return READING_NAMES[self.reading]

    @property
    def why(self) -> str:
        """The reason a person has to decide."""
        last = f"{self.before} read last time" if self.before else "though the pages have content"
        return f"reading '{self.reading}' ({self.zh}) matched nothing, {last}"

    def to_record(self) -> dict[str, Any]:
        """Return plain values for the store."""
        record = asdict(self)
        return record | {"rules": list(self.rules), "where": list(self.where)}


# --- what was matched -----------------------------------------------------------------------------------


def tally(site: Inspection) -> dict[str, Any]:
    """Return what the readings of an inspection matched, as plain values for the store and the next time."""
    dealings = site.dealings
    pages = [seen for seen in site.pages.values() if not seen.error]
    leaders = [one for seen in pages for one in seen.leaders]
    groups = {
        "columns": len(site.columns),
        "home": sum(1 for row in site.home_rows if row.published),
        "rows": sum(column.rows for column in site.columns.values()),
        "dates": _dates(site),
        "footer": sum(seen.marks for seen in pages),
        "guides": sum(10 - len(guide.missing) for guide in dealings.guides.values()),
        "letters": len(dealings.letters()),
        "leaders": sum(4 - len(leader.missing) for leader in leaders),
    }
    columns = [
        [column.url, column.name, column.rows, column.dated] for _, column in sorted(site.columns.items())
    ]
    return {"groups": groups, "columns": columns}


def _dates(site: Inspection) -> int:
    articles = sum(
        1 for seen in site.pages.values() if seen.role is Role.ARTICLE and seen.published is not None
    )
    rows = sum(1 for row in site.home_rows if row.published)
    return articles + rows + sum(column.dated for column in site.columns.values())


def remembered(site: Inspection, alarms: Collection[Alarm]) -> dict[str, Any]:
    """Return the tallies to keep: what raised an alarm keeps its last good figures until it is read again."""
    now = tally(site)
    last: Mapping[str, Any] = site.before.get("groups", {})
    now["groups"] |= {one.reading: last[one.reading] for one in alarms if last.get(one.reading)}
    unread = {url for url, column in site.columns.items() if column.state is ListState.UNREAD}
    known = {old[0]: old for old in site.before.get("columns", ())}
    named = {old[1]: old for old in site.before.get("columns", ()) if old[2]}
    for place, (url, name, *_) in enumerate(now["columns"]):
        if url in unread and (old := known.get(url) or named.get(name)):
            now["columns"][place] = [url, name, *old[2:]]
    return now


# --- what that means ------------------------------------------------------------------------------------


def settle(site: Inspection) -> tuple[Alarm, ...]:
    """Mark the columns that were not really read, and return the alarms of the site."""
    now = tally(site)["groups"]
    last: Mapping[str, Any] = site.before.get("groups", {})
    alarms = [*_column_alarms(site, last), *_dateless(site, now, last)]
    for reading in READINGS:
        before = int(last.get(reading.name, 0))
        if reading.name not in _OF_COLUMNS and before and not now[reading.name] and _looked(site, reading):
            alarms.append(Alarm(reading.name, before, reading.rules))
    return tuple(alarms)


def doubted(alarms: Collection[Alarm]) -> dict[str, str]:
    """Return the rules whose faults are for a person to decide, with the reason."""
    return {rule: one.why for one in alarms if not one.where for rule in one.rules}


def _looked(site: Inspection, reading: Reading) -> bool:
    """Tell whether pages were read on which the reading could have matched."""
    roles = {"guides": (Role.GUIDE, Role.ARTICLE), "letters": (Role.MESSAGE, Role.ARTICLE, Role.COLUMN)}
    wanted = roles.get(reading.name, (Role.HOME,))
    return any(seen.role in wanted and not seen.error for seen in site.pages.values())


def _column_alarms(site: Inspection, last: Mapping[str, Any]) -> Iterator[Alarm]:
    """Mark columns that lost their entries; an alarm names them, in the order of their addresses."""
    known = {url: rows for url, _, rows, _ in site.before.get("columns", ())}
    by_name = {name: rows for _, name, rows, _ in site.before.get("columns", ()) if rows}
    whole = int(last.get("rows", 0))
    lost = 0
    where: list[str] = []
    site_wide = bool(whole) and not any(column.rows for column in site.columns.values())
    for _, column in sorted(site.columns.items()):
        before = known.get(column.url, by_name.get(column.name, 0))
        if column.state not in _READABLE or column.rows or column.says_empty:
            continue
        if not before and not (site_wide and column.state is ListState.BLANK):
            continue
        if column.state is ListState.BLANK:
            column.state, column.why = ListState.UNREAD, f"no entries read, {before or 'some'} last time"
        lost += before
        where.append(column.label)
    if where:
        yield Alarm("rows", lost or whole, _LISTED, tuple(where))


def _dateless(site: Inspection, now: Mapping[str, int], last: Mapping[str, Any]) -> Iterator[Alarm]:
    """Mark columns whose entries lost their dates, or all of them where not one date was read anywhere."""
    before = {url: dated for url, _, _, dated in site.before.get("columns", ())}
    by_name = {name: dated for _, name, _, dated in site.before.get("columns", ()) if dated}
    chances = sum(column.rows for column in site.columns.values())
    nowhere = not now["dates"] and (bool(last.get("dates")) or chances >= MANY)
    where, lost = [], 0
    for _, column in sorted(site.columns.items()):
        dated = before.get(column.url, by_name.get(column.name, 0))
        if column.state is not ListState.ROWS or not column.rows or not (dated or nowhere):
            continue
        if column.dated or site.newest(column) is not None:
            continue
        column.state, column.why = ListState.UNREAD, f"no dates read, {dated or 'none anywhere'} last time"
        where.append(column.label)
        lost += dated
    if where:
        yield Alarm("dates", lost or int(last.get("dates", 0)), _DATED, tuple(where))
