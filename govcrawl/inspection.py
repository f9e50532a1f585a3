"""What is known of one site in one inspection: its columns, pages and links, compact enough to keep 500 open.

`Inspection.add` reads a page once. Its state never depends on the order in which pages arrive, so that a
recheck over stored pages, or a second worker, comes to the same findings.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from itertools import islice
from typing import Any, TypeVar

from govcrawl.dealings import Dealings
from govcrawl.documents import Documents
from govcrawl.extract.article import read_article
from govcrawl.extract.columns import (
    ColumnLink,
    ColumnType,
    column_type,
    is_article_url,
    read_columns,
    submenu,
)
from govcrawl.extract.footer import read_footer
from govcrawl.extract.leaders import Leader, leader_links, read_leaders
from govcrawl.extract.links import read_links
from govcrawl.extract.lists import Chrome, Listing, ListState, may_fill, read_chrome, read_listing, read_rows
from govcrawl.extract.safety import Hit, Watch, empty_links, harmful_links
from govcrawl.extract.tags import Group, read_tags
from govcrawl.extract.text import view
from govcrawl.items import LinkCheck, LinkState, Page, Probe, Role, Row, Site

T = TypeVar("T")
UNREAD = (None, ListState.SCRIPT, ListState.UNREAD)  # states of columns whose content was not seen
_UNSETTLED = (*UNREAD, ListState.MAINTENANCE, ListState.TEXT)
DRAWN = 3  # policy files and interpretations that are opened for the rules on what links them
EMPTY_SHOWN = 3  # links without an address that are named
DATES_NEEDED = 3  # undated rows whose articles are opened to date a list (R10)


@dataclass(slots=True)
class Column:
    """One column of the site and what its page shows."""

    name: str
    url: str
    kind: ColumnType
    level: int
    parent: str = ""
    state: ListState | None = None  # None: its page was not seen
    error: str = ""
    newest: date | None = None
    rows: int = 0
    dated: int = 0  # rows with a date
    says_empty: bool = False  # its page says that it has nothing
    undated: tuple[str, ...] = ()
    entries: tuple[str, ...] = ()
    why: str = ""
    children: tuple[str, ...] = ()
    page_url: str = ""
    people: tuple[
        tuple[str, str], ...
    ] = ()  # of a 领导信息 column: name and address of each leader's own page

    @property
    def label(self) -> str:
        """The name as reports print it."""
        return f"栏目“{self.name}”"


@dataclass(frozen=True, slots=True)
class Seen:
    """A visited page, reduced to what rules over the whole site need."""

    url: str
    role: Role
    column: str
    error: str
    title: str = ""
    published: date | None = None
    untagged: tuple[str, ...] = ()  # page tags missing for a page of its role
    moved: bool = False  # the answer came from another address
    wrong: tuple[Hit, ...] = ()  # wrong expressions of the lexicon
    harmful: tuple[Hit, ...] = ()  # links to listed domains, planted or hidden ones
    empty: tuple[str, ...] = ()  # texts of links without an address, a few of them
    marks: int = 0  # of the footer, the 找错 entry included
    leaders: tuple[Leader, ...] = ()  # presented here, of pages under a 领导信息 column


@dataclass(slots=True)
class LinkUse:
    """Where a link target stands: the first page by address, and whether the home page has it."""

    target: str
    text: str
    page: str
    on_home: bool
    pages: int = 1


@dataclass
class Inspection:
    """The state of one site in one inspection; rules over the whole site read it."""

    site: Site
    quarter: str
    at: datetime
    seed: str = ""
    home: Seen | None = None
    home_rows: tuple[Row, ...] = ()
    home_open: tuple[str, ...] = ()  # undated entries of the home page
    home_shell: bool = False
    home_why: str = ""
    chrome: Chrome = field(default_factory=Chrome)
    columns: dict[str, Column] = field(default_factory=dict)
    away: dict[ColumnType, str] = field(
        default_factory=dict
    )  # kinds whose columns the home page has elsewhere
    pages: dict[str, Seen] = field(default_factory=dict)
    links: dict[str, LinkUse] = field(default_factory=dict)
    checks: dict[str, LinkCheck] = field(default_factory=dict)
    dealings: Dealings = field(default_factory=Dealings)  # services, messages, search, surveys
    documents: Documents = field(default_factory=Documents)  # policy files, interpretations, data
    probes: tuple[Probe, ...] = ()  # visits of the home page for V2
    link_budget_spent: int = 0  # targets left unchecked because the budget ended
    complete: bool = True  # False: gathering ended before all planned pages were visited
    before: Mapping[str, Any] = field(default_factory=dict)  # tallies of the last inspection (govcrawl.drift)
    watch: Watch = field(default_factory=Watch.load, repr=False)

    def __post_init__(self) -> None:
        if not self.seed:
            self.seed = hashlib.sha256(f"{self.quarter}|{self.site.site_id}".encode()).hexdigest()[:16]

    # --- gathering ------------------------------------------------------------------------------------------

    def add(self, page: Page) -> None:
        """Read a page into the state; a page that failed leaves its name for the error."""
        if page.role is Role.HOME:
            self._add_home(page)
        elif page.role is Role.COLUMN:
            self._add_column(page)
        if not page.error and page.role is not Role.SEARCH:
            self._add_links(page)
        self.dealings.add(page)
        self.documents.add(page)
        self.pages[page.url] = self._seen(page)
        if page.role is Role.HOME:
            self.home = self.pages[page.url]

    def _seen(self, page: Page) -> Seen:
        if page.error:
            return Seen(page.url, page.role, page.column, page.error)
        tags = read_tags(page)
        group: Group = "column" if page.role is Role.COLUMN else "content"
        untagged = (*tags.missing("site"), *(() if page.role is Role.HOME else tags.missing(group)))
        moved = page.final_url != page.url
        seen = Seen(
            page.url,
            page.role,
            page.column,
            "",
            untagged=untagged,
            moved=moved,
            wrong=self.watch.lexicon.find(view(page).text),
            harmful=harmful_links(page, self.watch.domains),
            empty=tuple(islice(empty_links(page), EMPTY_SHOWN)),
            marks=sum(mark.state == "present" for mark in read_footer(page).marks.values()),
            leaders=read_leaders(page) if _about_leaders(page) else (),
        )
        if page.role in (Role.HOME, Role.COLUMN):
            return seen
        article = read_article(page)
        return replace(seen, title=article.title, published=article.published)

    def _add_home(self, page: Page) -> None:
        if page.error:
            return
        named = read_columns(page)
        self.away = {
            column.kind: f"{column.name} {column.url}" for column in reversed(named) if not column.local
        }
        columns = [column for column in named if column.local]
        self.chrome = read_chrome(page, [column.url for column in columns])
        known = {column.url for column in columns}
        self.home_rows = tuple(row for row in read_rows(page) if row.url not in known)
        self.home_open = tuple(
            row.url
            for row in self.home_rows
            if row.published is None
            and self.site.owns(row.url)
            and (is_article_url(row.url) or len(row.title) >= 10)
        )
        self.home_shell = not any(row.published for row in self.home_rows) and len(self.home_open) < 3
        self.home_why = may_fill(page)
        self.learn(columns, "")

    def learn(self, links: Iterable[ColumnLink], parent: str) -> None:
        """Take note of columns a page leads to; the shallowest place names a column."""
        for link in links:
            if not link.local:
                continue
            known = self.columns.get(link.url)
            if known is None:
                self.columns[link.url] = Column(link.name, link.url, link.kind, link.level, parent)
            elif link.level < known.level:
                known.level, known.name, known.parent = link.level, link.name, parent
                known.kind = link.kind if link.kind is not ColumnType.OTHER else known.kind

    def _add_column(self, page: Page) -> None:
        column = self.columns.get(page.url)
        if column is None:
            column = self.columns[page.url] = Column(page.column, page.url, ColumnType.OTHER, 2)
        column.page_url = page.final_url
        if page.error:
            column.error = page.error
            return
        listing = self.listing(page, column.name)
        column.state, column.why, column.says_empty = listing.state, listing.why, listing.says_empty
        if listing.state in (ListState.BLANK, ListState.SCRIPT, ListState.UNREAD):
            column.children = tuple(link.url for link in submenu(page, self.inner_columns(page)))
            if column.children:
                column.state, column.why = ListState.SHELL, "leads to further columns only"
        self._note_rows(column, listing)
        self.documents.add_rows(page, listing.rows)
        column.people = self._people(page)

    def _people(self, page: Page) -> tuple[tuple[str, str], ...]:
        return leader_links(page, self.chrome.urls) if _about_leaders(page) else ()

    def _note_rows(self, column: Column, listing: Listing) -> None:
        newest = listing.newest(self.at.date())
        column.newest = max(filter(None, (column.newest, newest)), default=None)
        column.rows = max(column.rows, len(listing.rows))
        column.dated = max(column.dated, sum(1 for row in listing.rows if row.published))
        column.entries = tuple(row.url for row in listing.rows if self.site.owns(row.url))
        column.undated = tuple(
            row.url for row in listing.rows if row.published is None and self.site.owns(row.url)
        )

    def add_last_page(self, column_url: str, page: Page) -> None:
        """Take the rows of an ascending list's last page into its column."""
        column = self.columns.get(column_url)
        if column is not None and not page.error:
            newest = self.listing(page, column.name).newest(self.at.date())
            column.newest = max(filter(None, (column.newest, newest)), default=None)

    def listing(self, page: Page, name: str) -> Listing:
        """Return what a column page shows, its site's frame set apart."""
        return read_listing(page, self.chrome, self.columns.keys(), name)

    def inner_columns(self, page: Page) -> tuple[ColumnLink, ...]:
        """Return the second-level columns a column page leads to and the home page does not."""
        own = {page.url, page.final_url}
        rows = {row.url for row in read_rows(page) if row.published is not None}
        rows |= {url for _, url in self._people(page)}
        return tuple(
            replace(link, level=max(2, link.level))
            for link in read_columns(page, level=2)
            if link.local
            and link.url not in own
            and link.url not in rows
            and link.url not in self.chrome.urls
        )

    def _add_links(self, page: Page) -> None:
        found = {link.url: link.text for link in read_links(page)}
        if page.role in (Role.HOME, Role.COLUMN):  # rows that scripts and data bring are links as well
            found |= {row.url: row.title for row in read_rows(page) if row.url not in found}
        home = page.role is Role.HOME
        for url, text in found.items():
            use = self.links.get(url)
            if use is None:
                self.links[url] = LinkUse(url, text, page.url, home)
                continue
            use.pages += 1
            if (not home, page.url) < (not use.on_home, use.page):
                use.page, use.text = page.url, text
            use.on_home = use.on_home or home

    # --- reading --------------------------------------------------------------------------------------------

    def sample(self, items: Sequence[T], size: int, purpose: str) -> tuple[T, ...]:
        """Draw `size` items with the recorded seed; all of them where there are fewer (R12)."""
        if len(items) <= size:
            return tuple(items)
        return tuple(random.Random(f"{self.seed}|{purpose}").sample(list(items), size))  # noqa: S311

    def drawn(self, kind: ColumnType, size: int = DRAWN) -> list[str]:
        """Draw listed documents of a kind with the recorded seed; rules on the same kind share the draw."""
        return sorted(self.sample(self.documents.pages_of(kind), size, kind.value))

    def pages_of(self, *roles: Role) -> list[Seen]:
        """Return the pages of these roles that were read, in the order of their addresses."""
        found = [seen for seen in self.pages.values() if seen.role in roles and not seen.error]
        return sorted(found, key=lambda seen: seen.url)

    def read_columns(self) -> list[Column]:
        """Return the columns whose page was read, in the order of their addresses."""
        return [column for _, column in sorted(self.columns.items()) if column.state is not None]

    def service_entries(self) -> list[str]:
        """Return the addresses the service columns list, in order."""
        columns = (column for column in self.columns.values() if column.kind is ColumnType.SERVICE)
        return sorted({url for column in columns for url in column.entries})

    def newest(self, column: Column, depth: int = 2) -> date | None:
        """Return the newest date of a column, its articles and its second-level columns."""
        days = [column.newest]
        if column.newest is None:
            days += [self.pages[url].published for url in column.undated if url in self.pages]
        if depth:
            days += [
                self.newest(self.columns[url], depth - 1) for url in column.children if url in self.columns
            ]
        return max((day for day in days if day and day <= self.at.date()), default=None)

    def settled(self, column: Column, depth: int = 2) -> bool:
        """Tell whether enough of a column was read to call it stale."""
        if column.state in _UNSETTLED:
            return False
        if column.state is ListState.SHELL and depth:
            return all(
                url in self.columns and self.settled(self.columns[url], depth - 1) for url in column.children
            )
        opened = [
            url for url in column.undated[:DATES_NEEDED] if url in self.pages and not self.pages[url].error
        ]
        return (
            column.newest is not None
            or not column.undated
            or len(opened) == len(column.undated[:DATES_NEEDED])
        )

    def home_pages(self) -> set[str]:
        """Return the addresses that count as home page: itself, or its columns where it is a shell (R11)."""
        home = self.home.url if self.home else self.site.url
        if not self.home_shell:
            return {home}
        return {home} | {column.url for column in self.columns.values() if column.level == 1}

    def state_of(self, target: str) -> LinkCheck | None:
        """Return the verdict on a link target: from its check, or from its own visit as a page."""
        if target in self.checks:
            return self.checks[target]
        seen = self.pages.get(target)
        if seen is None or seen.error or (seen.moved and seen.role is not Role.HOME):
            return None
        return LinkCheck(target, LinkState.ALIVE, reason="visited")

    def rows_of_home(self) -> tuple[Row, ...]:
        """Return the dated entries that stand for the home page (R11 applies)."""
        return tuple(row for row in self.home_rows if row.published)


def _about_leaders(page: Page) -> bool:
    """Tell by its column whether a page presents leaders; nothing else is known of it when it arrives."""
    return page.role in (Role.COLUMN, Role.LEADER) and column_type(page.column, page.url) is ColumnType.LEADER
