"""Faults, bonuses and traps behind the boards: messages, guides, leaders, policy links, search, surveys."""

# ruff: noqa: E501  (word lists in long lines)
from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

from tests.province.faults import make_stale
from tests.province.model import AT, ELEMENTS, Guide, Letter, Site
from tests.province.text import SERVICE_ITEMS

GROUPS: dict[str, tuple[float, tuple[str, ...]]] = {
    "letters": (
        0.22,
        ("V5.2#0", "D3.3b#0", "D3.3c#0", "D3.3b#1", "V5.2#1", "D3.3c#1", "D3.3b#2", "D3.3b#3"),
    ),
    "guides": (
        0.34,
        ("V6.2#0", "V6.3#0", "D2.4b#0", "D2.4d#0", "D2.6#0", "D2.4b#1", "D2.6#1", "D2.4d#1"),
    ),
    "statistics": (0.14, ("D2.3b#0", "D2.3c#0", "D2.3c#1")),
    "leaders": (0.12, ("D1.3b#0", "D1.3b#1", "D1.3b#2")),
    "relation": (0.14, ("D1.8a#0", "D1.8b#0")),
    "search": (0.24, ("D4.5a#0", "D4.5b#0", "D4.5a#1", "D4.5b#0", "D4.5a#2")),
}
PORTAL_GROUPS: dict[str, tuple[float, tuple[str, ...]]] = {
    "data": (0.5, ("B1.1b#0", "B1.1b#1", "B1.1b#2")),
    "survey": (0.9, ("B3.2b#0", "B3.2b#1", "B3.2b#0", "B3.2b#2", "B3.2b#3")),
    "library": (0.4, ("B2.3#0",)),
    "finder": (0.35, ("B4.1a#0",)),
}
LOWER_GROUPS: dict[str, tuple[float, tuple[str, ...]]] = {"below": (0.35, ("B4.1c#0",))}


def _unanswered(site: Site, variant: int, touched: set[int]) -> None:
    """A question of the last year has waited for more than three months."""
    letters = site.depth.letters
    old = letters[-1]
    old.asked, old.replied = (date(2023, 2, 14), None) if variant == 0 else (date(2023, 6, 14), None)
    if variant == 1:
        letters[-2].asked, letters[-2].replied = date(2023, 1, 9), None


def _bare_letters(site: Site, variant: int, touched: set[int]) -> None:
    site.depth.letter_lacks = ("unit", "reply", "replied", "asked")[variant]


def _old_letters(site: Site, variant: int, touched: set[int]) -> None:
    _newest_letter(site, date(2023, 7, 16) if variant == 0 else date(2023, 3, 2))


def _newest_letter(site: Site, replied: date) -> None:
    """Shift all messages so that the newest reply falls on a day."""
    letters = site.depth.letters
    newest = max(letter.replied for letter in letters if letter.replied)
    for letter in letters:
        letter.asked += replied - newest
        if letter.replied:
            letter.replied += replied - newest


def _poor_guides(site: Site, variant: int, touched: set[int]) -> None:
    """Six items whose guides lack four or five elements."""
    _items(site, 6)
    for step, guide in enumerate(site.depth.guides):
        guide.missing = _some(site, step, 4 + step % 2)


def _few_guides(site: Site, variant: int, touched: set[int]) -> None:
    """Three items in all, and every guide lacks four or five elements."""
    _items(site, 3)
    for step, guide in enumerate(site.depth.guides):
        guide.missing = _some(site, step, 4 + step % 2)


def _items(site: Site, count: int) -> None:
    items = site.rng("items").sample(SERVICE_ITEMS, count)
    site.depth.guides = [Guide(item) for item in items] if site.depth.guides else []


def _some(site: Site, step: int, count: int) -> tuple[str, ...]:
    """Choose elements to leave out, never the item's own name."""
    return tuple(site.rng(f"missing{step}").sample(ELEMENTS[1:], count))


def _gaps(site: Site, variant: int, touched: set[int]) -> None:
    """Guides lack one to three elements: points, but no veto."""
    for step, guide in enumerate(site.depth.guides):
        if variant == 0 or step % 2 == 0:
            guide.missing = _some(site, step, 1 + step % 3)


def _vague(site: Site, variant: int, touched: set[int]) -> None:
    for guide in site.depth.guides[: 1 + variant]:
        guide.vague = True


def _formless(site: Site, variant: int, touched: set[int]) -> None:
    for guide in site.depth.guides:
        guide.form = ("none", "dead")[variant]


def _own_basis(site: Site, variant: int, touched: set[int]) -> None:
    for guide in site.depth.guides:
        guide.basis = "own"


def _late_statistics(site: Site, variant: int, touched: set[int]) -> None:
    for column in site.of_kind("stats"):
        make_stale(column, AT - timedelta(days=site.rng("D2.3b").randint(36, 84)))
        touched.add(column.uid)


def _old_statistics(site: Site, variant: int, touched: set[int]) -> None:
    for column in site.of_kind("stats"):
        make_stale(column, AT - timedelta(days=(97, 320)[variant]))
        touched.add(column.uid)


def _thin_leader(site: Site, variant: int, touched: set[int]) -> None:
    site.depth.leaders[variant % len(site.depth.leaders)].missing = ("cv", "duty", "cv")[variant]


def _no_policy_link(site: Site, variant: int, touched: set[int]) -> None:
    site.depth.relation = "no_policy"


def _no_back_link(site: Site, variant: int, touched: set[int]) -> None:
    site.depth.relation = "no_back"


def _no_search(site: Site, variant: int, touched: set[int]) -> None:
    site.depth.search = ("none", "missing", "broken")[variant]


def _poor_search(site: Site, variant: int, touched: set[int]) -> None:
    site.depth.search = "stuck"


def _older_data(site: Site, variant: int, touched: set[int]) -> None:
    """Data of the last three to six months; older ones earn nothing."""
    for column in site.of_kind("data"):
        if column.uid not in touched:
            make_stale(column, AT - timedelta(days=(120, 260, 97)[variant]))
            touched.add(column.uid)


def _survey_results(site: Site, variant: int, touched: set[int]) -> None:
    site.depth.survey = ("results", "late", "email", "partial")[variant]


def _fuzzy(site: Site, variant: int, touched: set[int]) -> None:
    site.depth.search, site.depth.search_fuzzy = "exact", True


def _wide(site: Site, variant: int, touched: set[int]) -> None:
    site.depth.search, site.depth.search_lower = "exact", True


FAULTS: dict[str, Callable[[Site, int, set[int]], None]] = {
    "V5.2": _unanswered, "D3.3b": _bare_letters, "D3.3c": _old_letters, "V6.2": _poor_guides, "V6.3": _few_guides,
    "D2.4b": _gaps, "D2.4d": _vague, "D2.6": _formless, "B2.3": _own_basis, "D2.3b": _late_statistics,
    "D2.3c": _old_statistics, "D1.3b": _thin_leader, "D1.8a": _no_policy_link, "D1.8b": _no_back_link,
    "D4.5a": _no_search, "D4.5b": _poor_search, "B1.1b": _older_data, "B3.2b": _survey_results, "B4.1a": _fuzzy,
    "B4.1c": _wide,
}  # fmt: skip


# --- traps ---


def _clean(site: Site, *rules: str) -> bool:
    return not any(fault.startswith(rules) for fault in site.plan.faults)


def _recent_question(site: Site, touched: set[int]) -> None:
    """A question asked days ago may still wait."""
    if _clean(site, "V5.2", "D3.3", "V3#3"):
        site.depth.letters.insert(0, Letter("居住证到期如何续签", AT - timedelta(days=6), None))


def _old_question(site: Site, touched: set[int]) -> None:
    """A question of more than a year ago is outside the veto's window."""
    if _clean(site, "V5.2", "D3.3"):
        site.depth.letters.append(Letter("旧城改造何时启动", date(2022, 6, 2), None))


def _three_missing(site: Site, touched: set[int]) -> None:
    """Three missing elements on every guide cost points and are no veto."""
    if _clean(site, "V6", "D2.4", "D2.6", "B2.3"):
        for step, guide in enumerate(site.depth.guides):
            guide.missing = _some(site, step, 3)


def _four_poor_guides(site: Site, touched: set[int]) -> None:
    """Four poor guides out of five fall short of the veto's five."""
    if _clean(site, "V6", "D2.4", "D2.6", "B2.3"):
        for step, guide in enumerate(site.depth.guides[:4]):
            guide.missing = _some(site, step, 4)


def _outside_basis(site: Site, touched: set[int]) -> None:
    """A policy basis that links to another site earns no bonus."""
    if _clean(site, "B2.3"):
        for guide in site.depth.guides:
            guide.basis = "outside"


def _edge_letters(site: Site, touched: set[int]) -> None:
    if _clean(site, "V5.2", "D3.3"):
        _newest_letter(site, date(2023, 7, 24))


TRAP_ACTIONS: dict[str, Callable[[Site, set[int]], None]] = {
    "recent_question": _recent_question, "old_question": _old_question, "three_missing": _three_missing,
    "four_poor_guides": _four_poor_guides, "outside_basis": _outside_basis,
    "edge_letters": _edge_letters,
}  # fmt: skip
