"""What an inspection ought to find, derived from the sites by the standard's own rules of counting."""

# ruff: noqa: E501  (markup and word lists in long lines)
from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tests.province.around import truth_around
from tests.province.deep_truth import deep_truth, make_row
from tests.province.model import FORTNIGHT, HALF_YEAR, Column, Site, Truth
from tests.province.render import Renderer, home_columns, home_entries

COLUMNS = ("site_id", "rule", "url", "match", "observed", "note")
_OWN_RULE = {"news": "D1.4b", "policy": "D1.5b", "interp": "D1.6b"}
_WINDOW = {"news": FORTNIGHT, "notice": HALF_YEAR, "policy": HALF_YEAR, "interp": HALF_YEAR}


def truth(site: Site) -> list[Truth]:
    """Return every planted occurrence of a site."""
    found = [*_updates(site), *_frame(site), *_links(site), *deep_truth(site), *truth_around(site)]
    return sorted(found, key=lambda t: (t.rule, t.url, t.observed))


def write_truth(rows: Iterable[Truth], path: Path) -> None:
    """Write the truth file."""
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([getattr(row, column) for column in COLUMNS] for row in rows)


def read_truth(path: Path) -> list[Truth]:
    """Read a truth file."""
    with path.open(encoding="utf-8", newline="") as handle:
        return [Truth(**row) for row in csv.DictReader(handle)]


def _address(site: Site, column: Column) -> str:
    return site.base + column.path


def _stale(column: Column) -> bool:
    """Tell whether a dated column has outlived its window; a blank one is another fault."""
    if column.form not in ("list", "frame") or column.state != "normal" or column.kind not in _WINDOW:
        return False
    newest = column.newest
    return newest is None or newest < _WINDOW[column.kind]


def _updates(site: Site) -> Iterator[Truth]:
    """V3, V4.1, V4.3 and the update rules of part 2."""
    yield from _home_update(site)
    stale = [
        c for c in site.columns
        if _stale(c) and (c.kind == "news" or (c.kind in ("notice", "policy") and c.parent is None))
    ]  # fmt: skip
    if len(stale) >= 5:
        for column in stale:
            yield make_row(
                site, "V4.1", _address(site, column), note=f"{column.name}: newest {column.newest}"
            )
    blank = [c for c in site.columns if c.state == "blank"]
    if len(blank) >= 5:
        for column in blank:
            yield make_row(site, "V4.3", _address(site, column), note=column.name)
    for column in site.columns:
        own = _OWN_RULE.get(column.kind, "") if column.parent is None else ""
        if own and (_stale(column) or column.state == "blank"):
            yield make_row(
                site, own, _address(site, column), "site", note=f"{column.name}: newest {column.newest}"
            )
        if column.state == "blank" and not own:
            yield make_row(site, "D1.9a", _address(site, column), note=column.name)


def _home_update(site: Site) -> Iterator[Truth]:
    if site.frame.shell:
        dates = [c.newest for c in site.columns if c.form in ("list", "frame")]
        dates += [letter.replied or letter.asked for letter in site.depth.letters]
    else:
        shown = [e.published for c in home_columns(site) for e in home_entries(c)]
        dates = [day for day in shown if any(day == c.newest for c in home_columns(site))]
    newest = max((day for day in dates if day is not None), default=None)
    if newest is None or newest < FORTNIGHT:
        yield make_row(site, "V3", site.home, "site", note=f"newest {newest}")


def _frame(site: Site) -> Iterator[Truth]:
    """Domain, name, marks, 找错 entry and page tags."""
    pages = page_kinds(site)
    look = site.frame
    if site.plan.domain_wrong:
        yield make_row(site, "D4.1a", site.home, "site", note=site.host)
    foreign = any(fault.startswith("D4.1b") for fault in site.plan.faults)
    if foreign:
        yield make_row(site, "D4.1b", site.home, "site", note=look.alias)
    if look.header in ("slogan", "comment") or foreign:
        yield make_row(site, "D4.1c", site.home)
        yield from _group(site, "D4.1c", _others(pages))
    for mark, how in look.mark_faults.items():
        yield make_row(site, "D4.2", site.home, "site", observed=mark, note=how)
    if look.entry_missing in ("home", "all"):
        yield make_row(site, "D4.4a", site.home, "site")
    if look.entry_missing in ("others", "all"):
        yield from _group(site, "D4.4b", _others(pages))
    if look.article_tags:
        yield from _group(site, "D4.7a", _graded(pages, "article", ("detail", "static")))
    for entry in (entry for column in site.columns for entry in column.entries if not entry.dated):
        yield make_row(site, "D4.7a", site.base + entry.path, "may", note="PubDate is empty")
    if look.column_tags:
        yield from _group(site, "D4.7b", _graded(pages, "column", ("static", "board")))


def _others(pages: dict[str, str]) -> dict[str, str]:
    """Every page but the home page, for a fault that stands on all of them."""
    return {path: "may" if kind == "other" else "any" for path, kind in pages.items() if kind != "home"}


def _graded(pages: dict[str, str], sure: str, unsure: tuple[str, ...]) -> dict[str, str]:
    """Pages plainly of a kind count; pages one may put into either kind are right if claimed."""
    grades = {path: "any" for path, kind in pages.items() if kind == sure}
    return grades | {path: "may" for path, kind in pages.items() if kind in unsure}


def _group(site: Site, rule: str, paths: dict[str, str]) -> Iterator[Truth]:
    for path, match in paths.items():
        yield make_row(site, rule, site.base + path, match)


def page_kinds(site: Site) -> dict[str, str]:
    """Name what each page is: home, column, static, board (leaders, services, messages), article, detail, other."""
    renderer = Renderer(site)
    boards = {"leaders", "services", "messages"}
    columns = {c.path: c for c in site.columns}
    kinds: dict[str, str] = {}
    for path in renderer.pages:
        if path.startswith("/include/"):
            continue
        column = columns.get(path.removesuffix("index.html")) or columns.get(path)
        if path in ("/", "/index.html", "/index.htm", "/index.asp"):
            kinds[path] = "home"
        elif path in renderer.entries:
            kinds[path] = "article"
        elif path == "/sitemap.html":
            kinds[path] = "other"
        elif column is not None:
            static = column.form in ("text", "picture") or column.state == "maintenance"
            kinds[path] = "static" if static else "board" if column.form in boards else "column"
        else:
            kinds[path] = "detail"
    shown = {path for path, answer in site.answers.items() if answer.page}
    moved = {path for path, answer in site.answers.items() if answer.location in shown}
    kinds.update(dict.fromkeys(shown | moved, "other"))
    kinds[renderer.search_path + "*"] = "other"
    for column in site.columns:
        if column.path in kinds:
            for number in range(2, 4):
                path = renderer.platform.next_path(column, number)
                if path in renderer.pages:
                    kinds[path] = "column"
    return kinds


def _links(site: Site) -> Iterator[Truth]:
    """Dead and wrong links: those of the home page, those found elsewhere only, those that may not be met."""
    seen: set[str] = set()
    for link in site.home_links:
        yield from _dead(site, "D4.3a", link.url, link.dead, seen)
    for column in home_columns(site):
        for entry in home_entries(column):
            yield from _dead(site, "D4.3a", site.base + entry.path, "yes" if entry.dead else "", seen)
    for column in site.columns:
        for link in column.links:
            yield from _dead(site, "D4.3b", link.url, link.dead, seen)
        for entry in column.entries:
            yield from _dead(site, "D4.3b", site.base + entry.path, "yes" if entry.dead else "", seen)
            for link in entry.links:
                yield from _dead(site, "D4.3b", link.url, "may" if link.dead else "", seen)


def _dead(site: Site, rule: str, url: str, dead: str, seen: set[str]) -> Iterator[Truth]:
    if not dead or url in seen:
        return
    seen.add(url)
    yield make_row(site, rule, url, "may" if dead == "may" else "page")


def all_truth(sites: Sequence[Site]) -> list[Truth]:
    """Return the truth of every site, in roster order."""
    return [row for site in sites for row in truth(site)]
