"""What a site's services, messages, search and surveys showed, compact enough to keep 500 sites open.

`Dealings.add` reads a page once. What a page is follows from the page and its column's name alone, so that
the order of arrival does not matter.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from urllib.parse import urlsplit

from govcrawl.extract.columns import ColumnType, column_type, read_columns
from govcrawl.extract.guides import Guide, read_guide
from govcrawl.extract.header import header_names
from govcrawl.extract.links import anchors
from govcrawl.extract.lists import looks_article, read_rows
from govcrawl.extract.messages import Letter, has_statistics, read_letter, read_letters, readable
from govcrawl.extract.search import Results, SearchEntry, read_results, read_search
from govcrawl.extract.surveys import Survey, read_survey
from govcrawl.extract.tags import read_tags
from govcrawl.extract.text import view
from govcrawl.items import Page, Role

# Interviews, surveys, petitions (网上信访) and reports to the discipline inspection need no published answer.
_NOT_CONSULTING = re.compile(r"访谈|调查|征集|民意|信访|纪检|举报|监督|巡查|发布会|直播|建议提案|提案")
_ELSEWHERE = (ColumnType.MESSAGE, ColumnType.SERVICE, ColumnType.SURVEY)
_LOGIN = re.compile(
    r"^(?:用户|个人|统一(?:身份)?(?:认证)?|法人|企业|立即|请)?(?:登\s?[录陆]|注册|登录/注册|登录\|注册)$"
)
_LOGIN_URL = re.compile(r"login|passport|/sso|cas/|oauth|uias|authn", re.IGNORECASE)
_ASKS = re.compile(
    r"我要(?:写信|留言|咨询|提问|问|投诉|建议|说)|在线(?:咨询|留言|提问)|写信|提交(?:咨询|留言|信件)|网上(?:咨询|留言)"
)
_CLASSES = re.compile(
    r"主题(?:分类|服务|类别)?|(?:按|分)?(?:部门|对象|主题|事项|类别)(?:分类|查询|办事|检索)?|个人(?:办事|服务|事项)?|法人(?:办事|服务|事项)?|企业(?:办事|服务)?|生命周期|部门(?:办事|服务)|事项类型|行政许可|公共服务|便民服务"
)
_GUIDE_HINT = re.compile(r"依据|条件|材料|地点|机构|机关|收费|时限|时间|电话|流程|程序")
_NAME_CHARS = 80
_TITLE_CHARS = 10  # an undated entry of the home page this long is an article, no menu entry
FORM = "form"  # the purpose of a visit to the page that holds the search form
_SURVEYS = 40  # of one list


@dataclass(frozen=True, slots=True)
class Board:
    """A message column: what it publishes and what it offers."""

    name: str
    url: str
    letters: int = 0
    newest: date | None = None
    statistics: bool = False
    asks: bool = False  # offers a way to ask
    logins: tuple[str, ...] = ()  # hosts its login leads to


@dataclass(frozen=True, slots=True)
class Search:
    """One query of the site's search and what the first result page showed.

    `purpose` is title, fuzzy or lower; `found` is None where the page could not tell.
    """

    purpose: str
    title: str
    url: str
    error: str = ""
    found: bool | None = None
    own: bool = True  # the engine stands on the site's own host
    fingerprint: str = ""
    categories: tuple[str, ...] = ()
    gathered: str = ""


@dataclass
class Dealings:
    """Services, messages, search and surveys of one site."""

    elsewhere: dict[str, tuple[ColumnType, str]] = field(default_factory=dict)  # entrances on other sites
    names: tuple[str, ...] = ()  # what the home page calls the site
    search: SearchEntry | None = None
    searches: dict[tuple[str, str], Search] = field(default_factory=dict)
    guides: dict[str, Guide] = field(default_factory=dict)
    guideless: dict[str, str] = field(default_factory=dict)  # service items whose page is no guide: title
    service_lists: dict[str, tuple[str, ...]] = field(default_factory=dict)  # columns: how they are divided
    listed: dict[str, Letter] = field(default_factory=dict)
    opened: dict[str, Letter] = field(default_factory=dict)
    origins: dict[str, tuple[str, str]] = field(
        default_factory=dict
    )  # messages: name and address of their column
    boards: dict[str, Board] = field(default_factory=dict)
    surveys: dict[str, Survey] = field(default_factory=dict)
    survey_rows: dict[str, tuple[str, date | None]] = field(default_factory=dict)
    frame: frozenset[str] = frozenset()  # addresses of the site's header, menus and footer
    ipv6: str = ""  # reached, unreached, resolved (no route from here), none; empty: not looked up

    def add(self, page: Page) -> None:
        """Read a page into the state; failed pages leave nothing, but a failed search is a result."""
        if page.role is Role.SEARCH:
            self._add_search_page(page)
            return
        if page.error:
            return
        kind = column_type(page.column, page.url) if page.column else ColumnType.OTHER
        if page.role is Role.HOME:
            self._add_home(page)
        elif page.role is Role.COLUMN:
            self._add_column(page, kind)
        elif kind is ColumnType.SURVEY:
            self.surveys[page.url] = read_survey(page)
        elif page.role is Role.MESSAGE or kind is ColumnType.MESSAGE:
            self._add_letter(page)
        elif page.role is Role.GUIDE or kind is ColumnType.SERVICE:
            self._add_guide(page, kind)

    def _add_search_page(self, page: Page) -> None:
        """Read a result page or the page that holds the form; its column says what was asked for."""
        purpose, _, title = page.column.partition(":")
        own = page.site.owns(page.url)
        if purpose != FORM:
            self.add_search(
                purpose, title, page, None if page.error else read_results(page, self.frame), own=own
            )
        elif page.rendered and self.search is not None and self.search.state == "unseen":
            self.search = read_search(page)
        elif page.error and self.search is not None and self.search.link:
            self.add_search("title", "", page, None, own=own)
        elif not page.error and self.search is not None and (found := read_search(page)).form is not None:
            self.search = replace(self.search, form=found.form)

    def add_search(self, purpose: str, title: str, page: Page, results: Results | None, *, own: bool) -> None:
        """Keep what a query came to; `results` is None where the page failed."""
        found = None
        if results is not None and results.decided:
            shown = replace(results, links=results.away(page.site)) if purpose == "lower" else results
            found = shown.shows(title)
        self.searches[purpose, title] = Search(
            purpose,
            title,
            page.url,
            page.error or "",
            found,
            own,
            results.fingerprint if results and results.links else "",
            results.categories if results else (),
            results.gathered if results else "",
        )

    def _add_home(self, page: Page) -> None:
        for link in read_columns(page):
            if not link.local and link.kind in _ELSEWHERE:
                self.elsewhere[link.url] = (link.kind, link.name)
        title = page.tree.findtext(".//title") or ""
        names = (read_tags(page).get("SiteName") or "", " ".join(title.split()), header_names(page))
        self.names = tuple(name[:_NAME_CHARS] for name in names if name)
        self.search = read_search(page)
        entries = {row.url for row in read_rows(page) if row.published or len(row.title) >= _TITLE_CHARS}
        self.frame = frozenset(
            url for _, url, _ in anchors(page) if url not in entries and not looks_article(url)
        )

    def _add_column(self, page: Page, kind: ColumnType) -> None:
        if kind is ColumnType.MESSAGE and not _NOT_CONSULTING.search(page.column):
            self._add_board(page)
        elif kind is ColumnType.SURVEY:
            for row in read_rows(page)[:_SURVEYS]:
                if page.site.owns(row.url) and row.published is not None:
                    self.survey_rows[row.url] = (row.title[:_NAME_CHARS], row.published)
        elif kind is ColumnType.SERVICE:
            found = {match[0] for match in _CLASSES.finditer(view(page).text)}
            self.service_lists[page.url] = tuple(sorted(found))[:8]
        if kind is not ColumnType.MESSAGE and _hints(page) and (guide := read_guide(page)).readable:
            self.guides[page.url] = guide

    def _add_board(self, page: Page) -> None:
        letters = read_letters(page)
        for letter in letters:
            known = self.listed.get(letter.url, letter)
            origin = (page.column, page.url)
            self.origins[letter.url] = min(self.origins.get(letter.url, origin), origin)
            self.listed[letter.url] = min(known, letter, key=lambda one: (len(one.lacking), repr(one)))
        asks = bool(view(page).all("textarea")) or any(_ASKS.search(text) for _, _, text in anchors(page))
        self.boards[page.url] = Board(
            page.column,
            page.url,
            len(letters),
            max((one.newest for one in letters if one.newest and one.newest <= page.at.date()), default=None),
            has_statistics(page),
            asks,
            _logins(page),
        )

    def _add_letter(self, page: Page) -> None:
        if _NOT_CONSULTING.search(page.column):
            return
        letter = read_letter(page)
        if readable(letter):
            self.opened[page.url] = letter

    def _add_guide(self, page: Page, kind: ColumnType) -> None:
        guide = read_guide(page)
        if guide.readable:
            self.guides[page.url] = guide
        elif kind is ColumnType.SERVICE:
            self.guideless[page.url] = guide.item

    # --- reading -----------------------------------------------------------------------------------

    def letters(self) -> list[Letter]:
        """Return every message, its own page before its row in a list, in the order of addresses."""
        found = {url: letter.with_list(self.listed.get(url)) for url, letter in self.opened.items()}
        return [letter for _, letter in sorted((self.listed | found).items())]

    def items(self) -> list[str]:
        """Return the addresses of the service items that were opened, in order."""
        return sorted({*self.guides, *self.guideless})

    def entrances(self, kind: ColumnType) -> list[str]:
        """Return the names of entrances to a kind of column on other sites."""
        return sorted(name for found, name in self.elsewhere.values() if found is kind)

    def wanted_letters(self, before: date) -> list[str]:
        """Return the messages to open for sure: those a list shows unanswered and asked before a day."""
        waiting = (one for one in self.listed.values() if one.answered is False)
        return sorted(one.url for one in waiting if one.asked is None or one.asked < before)


def _hints(page: Page) -> bool:
    return len(set(_GUIDE_HINT.findall(view(page).text))) >= 5


def _logins(page: Page) -> tuple[str, ...]:
    """Return the hosts the login links and forms of a page lead to."""
    found: Iterable[str] = (
        url for _, url, text in anchors(page) if _LOGIN.match(text) or _LOGIN_URL.search(urlsplit(url).path)
    )
    return _hosts(found)


def _hosts(urls: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({(urlsplit(url).hostname or "").lower() for url in urls}))


def consulting(names: Collection[str]) -> list[str]:
    """Return the names of entrances that are channels for questions and suggestions."""
    return [name for name in names if not _NOT_CONSULTING.search(name)]
