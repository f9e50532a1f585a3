"""What a synthetic site is: its columns, entries, links and frame; rendering and truth both read this."""

# ruff: noqa: E501  (markup and word lists in long lines)
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from urllib.parse import urlsplit

AT = date(2023, 9, 20)
QUARTER = "2023Q3"
FORTNIGHT = AT - timedelta(days=14)
HALF_YEAR = date(2023, 3, 20)
QUARTER_YEAR = date(2023, 6, 20)
TWO_MONTHS = date(2023, 7, 20)
MONTH = date(2023, 8, 20)
YEAR = date(2022, 9, 20)
ELEMENTS = (
    "事项名称", "设定依据", "申请条件", "办理材料", "办理地点", "办理机构", "收费标准", "办理时间", "联系电话", "办理流程",
)  # fmt: skip
MARKS = ("党政机关网站标识", "网站标识码", "ICP备案编号", "公安机关备案标识", "主办单位", "联系方式")
SITE_TAGS = ("SiteName", "SiteDomain", "SiteIDCode")
COLUMN_TAGS = ("ColumnName", "ColumnType", "ColumnKeywords", "ColumnDescription")
CONTENT_TAGS = ("ArticleTitle", "PubDate", "ContentSource")


@dataclass(frozen=True, slots=True)
class Plan:
    """One row of the roster with what is planted on the site."""

    site_id: str
    name: str
    kind: str
    level: str
    code: str
    parent: str
    url: str
    organizer: str
    has_services: bool
    platform: str  # as the roster says it: may be empty
    family: str  # what the markup really is
    area: str
    faults: tuple[str, ...] = ()
    traps: tuple[str, ...] = ()
    domain_wrong: bool = False
    seed: int = 0
    has_lower: bool = False  # the roster names sites below this portal
    addresses: tuple[str, ...] = ()  # of its name in the hosts file; empty: not listed
    week: int | None = None  # the kind of its visits; None: not visited

    @property
    def host(self) -> str:
        """The host of the home page."""
        return urlsplit(self.url).hostname or ""

    @property
    def area_name(self) -> str:
        """The full name of a portal's area, as the roster's parent column gives it."""
        return self.name.removesuffix("人民政府")


@dataclass(frozen=True, slots=True)
class Answer:
    """How the server answers one address."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/html"
    location: str = ""
    delay: float = 0.0  # seconds before the answer
    flaps: int = 0  # so many first requests fail
    flap_status: int = 503  # 0: connection reset
    head_status: int = 0  # another status for HEAD
    reset: bool = False
    page: str = ""  # topic or gone: the body is a full page of the site with this content


@dataclass(slots=True)
class Link:
    """A link or image placed on a page besides navigation; `dead` is the truth about its target."""

    text: str
    url: str
    dead: str = ""  # empty: alive; yes; may: nobody can be sure
    image: bool = False
    raw: str = ""  # markup used instead of a plain anchor


@dataclass(slots=True)
class Entry:
    """An article behind a row of a list."""

    uid: int
    title: str
    published: date
    pinned: bool = False
    dated: bool = True  # the article page shows its date
    path: str = ""
    links: list[Link] = field(default_factory=list)
    dead: bool = False  # the row leads nowhere
    related: list[Entry] = field(default_factory=list)  # policy file and interpretation of each other


@dataclass(slots=True)
class Column:
    """A column of a site. `form` is what its page holds, `state` what is wrong with it."""

    uid: int
    kind: str
    name: str
    form: str = "list"  # list, text, picture, frame, leaders, services, messages, landing, external
    parent: Column | None = None
    in_nav: bool = True
    on_home: bool = True
    delivery: str = "static"  # static, cdata, xhr, proxy, inline
    date_style: str = "iso"
    ascending: bool = False
    state: str = "normal"  # normal, blank, maintenance
    blank_form: str = "empty"
    entries: list[Entry] = field(default_factory=list)
    path: str = ""
    external: str = ""
    links: list[Link] = field(default_factory=list)

    @property
    def newest(self) -> date | None:
        """The newest date that is not in the future and that the page or the article shows."""
        if self.state == "blank":
            return None
        return max((e.published for e in self.entries if e.published <= AT and e.dated), default=None)


@dataclass(slots=True)
class Letter:
    """A published message; `replied` is empty while nobody has answered."""

    question: str
    asked: date
    replied: date | None


@dataclass(slots=True)
class Guide:
    """A service guide: which of the ten elements it lacks, and what its materials, form and basis look like."""

    item: str
    missing: tuple[str, ...] = ()
    vague: bool = False
    form: str = "link"  # link, none, dead
    basis: str = "text"  # text, own (links into this site's policies), outside, gone


@dataclass(slots=True)
class Leader:
    """A leader's page: what it lacks."""

    name: str
    post: str
    missing: str = ""  # empty, cv, duty, name


@dataclass(slots=True)
class Depth:
    """What stands behind the boards: messages, guides, leaders, search, policy links, surveys."""

    letters: list[Letter] = field(default_factory=list)
    letter_lacks: str = ""  # empty, asked, replied, unit, reply
    guides: list[Guide] = field(default_factory=list)
    leaders: list[Leader] = field(default_factory=list)
    layout: int = 0  # how guides, messages and leaders are laid out and labelled
    search: str = "exact"  # faults: none, missing, broken, stuck
    search_fuzzy: bool = False
    search_lower: bool = False  # finds articles of lower-level sites
    relation: str = "both"  # both; faults: no_policy (interpretation without file), no_back (file without it)
    survey: str = "form"  # form, email; results, late, partial: closed activities and their results


@dataclass(slots=True)
class Frame:
    """Header, footer, page tags and encoding of a site."""

    nav: str = "ul"
    alias: str = ""  # what the site calls itself instead of its roster's name
    header: str = "text"  # text, logo, title, spaced, script; faults: slogan, comment
    footer: str = "text"  # text, image, script, iframe, inline
    find_error: str = "link"  # link, script, image, old
    mark_faults: dict[str, str] = field(default_factory=dict)  # mark -> absent or comment
    entry_missing: str = ""  # empty, home, others, all
    entry_comment: bool = False
    tag_style: str = "plain"  # plain, lower, upper, content_first, single, unquoted
    article_tags: str = ""  # empty: complete; all, one, empty, comment
    column_tags: str = ""
    encoding: str = "utf-8"
    declare: str = "both"  # both, meta, header, none, wrong
    bom: bool = False
    today: bool = False  # "今天是..." in the header
    hot: bool = False  # a side box of fresh titles on column pages
    shell: bool = False  # navigation-shell home page


@dataclass(slots=True)
class Site:
    """A synthetic site, ready to be rendered."""

    plan: Plan
    host: str
    site_code: str
    phone: str
    icp: str
    police: str
    frame: Frame
    columns: list[Column]
    depth: Depth = field(default_factory=Depth)
    home_links: list[Link] = field(default_factory=list)
    home_style: str = "iso"
    answers: dict[str, Answer] = field(default_factory=dict)  # by path?query
    home_path: str = "/"
    notes: list[str] = field(default_factory=list)
    uids: int = 0
    pages: dict[str, Callable[[], str]] = field(default_factory=dict)

    @property
    def base(self) -> str:
        """Scheme and host."""
        return f"http://{self.host}"

    @property
    def home(self) -> str:
        """The address of the home page as the roster gives it."""
        return self.plan.url

    def rng(self, purpose: str) -> Random:
        """Return a generator that depends on the site and the purpose only."""
        return Random(f"{self.plan.seed}/{self.plan.site_id}/{purpose}")

    def next_uid(self) -> int:
        """Return a fresh number for an article or a column."""
        self.uids += 1
        return self.uids

    def of_kind(self, *kinds: str) -> list[Column]:
        """Return the columns of these kinds."""
        return [column for column in self.columns if column.kind in kinds]


@dataclass(frozen=True, slots=True)
class Truth:
    """One planted occurrence.

    `match` says how a claim meets it: page (this address), site (once a site, address ignored), any (the rows of a
    site and rule together: one suffices, a claim on each is right), may (right if claimed, no miss if not).
    """

    site_id: str
    rule: str
    url: str
    match: str
    observed: str
    note: str
