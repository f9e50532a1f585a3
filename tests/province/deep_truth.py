"""What an inspection ought to find behind the boards: messages, guides, leaders, search, bonuses."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from tests.province.depth import closes, form_path, result_day
from tests.province.model import (
    AT,
    HALF_YEAR,
    MONTH,
    QUARTER_YEAR,
    TWO_MONTHS,
    YEAR,
    Column,
    Guide,
    Site,
    Truth,
)
from tests.province.render import Renderer

_MANY = 5  # poor guides that make the veto; fewer items in all fall under the other veto
_POOR = 4  # missing elements that make a guide poor
_ENOUGH = 6  # survey activities a year
_IN_TIME = timedelta(days=30)


def make_row(
    site: Site, rule: str, url: str, match: str = "page", *, observed: str = "", note: str = ""
) -> Truth:
    """Make one row of the truth."""
    return Truth(site.plan.site_id, rule, url, match, observed, note)


def deep_truth(site: Site) -> Iterator[Truth]:
    """Yield the occurrences that need more than lists and frames to see."""
    renderer = Renderer(site)
    yield from _letters(site, renderer)
    yield from _guides(site, renderer)
    yield from _leaders(site, renderer)
    yield from _relations(site)
    yield from _search(site)
    yield from _dated(site)
    yield from _surveys(site)


def _bonus(site: Site, rule: str, note: str = "") -> Truth:
    """Bonuses count for portals; nobody is wrong to see one on a department's site."""
    return make_row(site, rule, site.home, "site" if site.plan.kind == "portal" else "may", note=note)


def _board(site: Site, form: str) -> Column | None:
    return next((column for column in site.columns if column.form == form), None)


def _letters(site: Site, renderer: Renderer) -> Iterator[Truth]:
    board = _board(site, "messages")
    if board is None:
        return
    depth = site.depth
    place = site.base + board.path
    paths = [site.base + renderer.detail_path(board, number) for number in range(len(depth.letters))]
    waiting = [letter for letter in depth.letters if letter.replied is None]
    overdue = [letter for letter in waiting if YEAR <= letter.asked < QUARTER_YEAR]
    if overdue:
        yield make_row(site, "V5.2", place, "site", note=f"asked {overdue[0].asked}")
    if depth.letter_lacks:
        yield make_row(site, "D3.3b", place, "may", note=depth.letter_lacks)
        for path in paths:
            yield make_row(site, "D3.3b", path, "any", note=depth.letter_lacks)
    elif waiting:
        yield make_row(site, "D3.3b", place, "may", note="unanswered")
        for path, letter in zip(paths, depth.letters, strict=True):
            if letter.replied is None:
                yield make_row(site, "D3.3b", path, "may", note="unanswered")
    newest = max(letter.replied or letter.asked for letter in depth.letters)
    if newest < TWO_MONTHS:
        yield make_row(site, "D3.3c", place, "site", note=f"newest {newest}")


def _guides(site: Site, renderer: Renderer) -> Iterator[Truth]:
    board = _board(site, "services")
    guides = site.depth.guides
    if board is None or not guides:
        return
    place = site.base + board.path
    poor = [guide for guide in guides if len(guide.missing) >= _POOR]
    if len(poor) >= _MANY:
        yield make_row(site, "V6.2", place, "site", note=f"{len(poor)} guides")
    if len(guides) < _MANY and len(poor) == len(guides):
        yield make_row(site, "V6.3", place, "site", note=f"{len(guides)} guides")
    sampled = "page" if len(guides) <= _MANY else "any"
    for number, guide in enumerate(guides):
        url = site.base + renderer.detail_path(board, number)
        if guide.missing:
            yield make_row(site, "D2.4b", url, sampled, note="、".join(guide.missing))
        if "办理材料" in guide.missing:
            continue
        if guide.vague:
            yield make_row(site, "D2.4d", url, sampled)
        if guide.form != "link":
            yield make_row(site, "D2.6", url, "any", note=guide.form)
        if guide.form == "dead":
            yield make_row(site, "D4.3b", site.base + form_path(site, number), "may")
    if any(guide.missing for guide in guides):
        yield make_row(site, "D2.4b", place, "may")
    yield from _basis(site, guides)


def _basis(site: Site, guides: list[Guide]) -> Iterator[Truth]:
    library = [c for c in site.of_kind("policy") if c.parent is None and c.state == "normal"]
    if not library or any(guide.basis != "own" for guide in guides):
        return
    sure = all("设定依据" not in guide.missing for guide in guides)
    row = _bonus(site, "B2.3")
    yield row if sure else make_row(site, "B2.3", f"{site.base}/*", "may")  # by the items drawn


def _leaders(site: Site, renderer: Renderer) -> Iterator[Truth]:
    board = _board(site, "leaders")
    if board is None:
        return
    for number, leader in enumerate(site.depth.leaders):
        if leader.missing:
            url = site.base + renderer.detail_path(board, number)
            yield make_row(site, "D1.3b", url, "any", note=f"{leader.name}: {leader.missing}")
            yield make_row(site, "D1.3b", site.base + board.path, "may")


def _relations(site: Site) -> Iterator[Truth]:
    files = [
        entry for c in site.of_kind("policy") if c.parent is None for entry in c.entries if entry.related
    ]
    readings = [entry for c in site.of_kind("interp") for entry in c.entries if entry.related]
    relation = site.depth.relation
    if not files or not readings:  # one of the two columns is blank: nothing to link to
        for entry in files + readings:
            for rule in ("D1.8a", "D1.8b"):
                yield make_row(site, rule, site.base + entry.path, "may")
        return
    if relation == "no_policy":
        for entry in readings:
            yield make_row(site, "D1.8a", site.base + entry.path, "any")
    if relation == "no_back":
        for entry in files + readings:
            yield make_row(site, "D1.8b", site.base + entry.path, "any")


def _search(site: Site) -> Iterator[Truth]:
    mode = site.depth.search
    if mode in ("none", "missing", "broken"):
        yield make_row(site, "D4.5a", site.home, "site", note=mode)
        yield make_row(site, "D4.5b", "*", "may")
    if mode == "stuck":
        yield make_row(site, "D4.5b", site.home, "site")
        yield make_row(site, "D4.5a", "*", "may")
    if site.depth.search_fuzzy:
        yield _bonus(site, "B4.1a")
    if site.depth.search_lower and site.plan.has_lower:
        yield _bonus(site, "B4.1c")


def _dated(site: Site) -> Iterator[Truth]:
    """Service statistics and data columns."""
    for column in site.of_kind("stats"):
        newest = column.newest
        if newest is None or column.state != "normal":
            continue
        url = site.base + column.path
        if newest < QUARTER_YEAR:
            yield make_row(site, "D2.3c", url, "site", note=f"newest {newest}")
            yield make_row(site, "D2.3b", url, "may")
        elif newest < MONTH:
            yield make_row(site, "D2.3b", url, "site", note=f"newest {newest}")
    newest = max((c.newest for c in site.of_kind("data") if c.form == "list" and c.newest), default=None)
    if newest is not None and newest >= HALF_YEAR:
        yield _bonus(site, "B1.1a" if newest >= QUARTER_YEAR else "B1.1b", f"newest {newest}")


def _surveys(site: Site) -> Iterator[Truth]:
    boards = [c for c in site.of_kind("survey") if c.form == "list" and c.state == "normal"]
    activities = [
        (index, entry)
        for column in boards
        for index, entry in enumerate(column.entries)
        if YEAR <= entry.published <= AT
    ]
    if site.depth.survey == "email" or not activities:
        return
    enough = len(activities) >= _ENOUGH
    if enough:
        yield _bonus(site, "B3.2a", f"{len(activities)} activities")
    days = [(closes(e), result_day(site, e, index)) for index, e in activities if closes(e) < AT]
    if days and all(done is not None and done - end <= _IN_TIME for end, done in days):
        row = _bonus(site, "B3.2b")
        yield row if enough else make_row(site, "B3.2b", site.home, "may")
