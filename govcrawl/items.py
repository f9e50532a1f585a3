"""The records that travel between spiders, pipelines, the store and the score."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property
from typing import Any
from urllib.parse import urljoin, urlsplit

from lxml import etree, html

from govcrawl.decoding import Decoded, decode


class GovcrawlError(Exception):
    """Ends a command with one clear line (what, where, what to do) and exit code 2."""


class NotConfigured(GovcrawlError):  # noqa: N818  (Scrapy's name for it)
    """A component lacks the setting named in the message."""


class CantTell(Exception):  # noqa: N818  (an outcome, not an error)
    """Raised by a check when a person has to decide; the argument says why."""


class Inapplicable(Exception):  # noqa: N818  (the same)
    """Raised by a check when its rule does not apply to this site or page."""


class Outcome(StrEnum):
    """What a rule came to, in the words of W3C EARL."""

    PASSED = "passed"
    FAILED = "failed"
    CANT_TELL = "cantTell"
    INAPPLICABLE = "inapplicable"
    UNTESTED = "untested"


class Role(StrEnum):
    """What a page is on its site."""

    HOME = "home"
    COLUMN = "column"
    ARTICLE = "article"
    GUIDE = "guide"
    MESSAGE = "message"
    LEADER = "leader"
    SEARCH = "search"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Site:
    """One row of the roster: a government website under inspection."""

    site_id: str
    name: str
    kind: str  # portal or department
    level: str  # province, city or county
    code: str  # administrative division, six digits
    parent: str
    url: str
    organizer: str = ""
    has_services: bool = True
    platform: str = ""  # a name of spiders.platforms; empty: found out from the markup
    allowed_hosts: tuple[str, ...] = ()  # further hosts that belong to the site
    authorised: bool = False  # the office may crawl against robots.txt
    window: str = ""  # hours of the day it may be crawled in, such as 20:00-06:00; empty: the command's
    per_day: int = 0  # requests a day; 0: the command's

    @property
    def host(self) -> str:
        """The host of the home page, lower case, without the port."""
        return (urlsplit(self.url).hostname or "").lower()

    def owns(self, url: str) -> bool:
        """Tell whether an address is of this site: its host, with or without www., or an allowed host."""
        host = (urlsplit(url).hostname or "").lower()
        bare = host.removeprefix("www.")
        return bare == self.host.removeprefix("www.") or host in self.allowed_hosts


@dataclass(eq=False)
class Page:
    """One visit: what was asked, what came back, and when. A failed visit has an `error` and no body.

    `body` is what the server sent after transfer decoding; `dom` is the browser's serialised document
    where the page was rendered. `tree` is parsed once and shared by every reading.
    """

    site: Site
    quarter: str
    url: str
    at: datetime  # the monitoring point of the inspection, the only clock a check may use
    role: Role = Role.OTHER
    final_url: str = ""
    status: int | None = None
    error: str | None = None
    fetched_at: datetime | None = None
    elapsed: float = 0.0
    rendered: bool = False
    referrer: str = ""
    column: str = ""  # name of the column that led here
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    dom: str = ""
    included: Mapping[str, str] = field(default_factory=dict)  # same-site scripts and frames: url -> text
    notes: tuple[str, ...] = ()
    ip: str = ""  # the address connected to; empty behind a forward proxy
    certificate: str = ""  # SHA-256 of the TLS certificate the server showed
    stored: bool = False  # answered from the store: written before, not fetched now

    def __post_init__(self) -> None:
        if not self.final_url:
            self.final_url = self.url

    @property
    def site_id(self) -> str:
        """The roster's id of the site."""
        return self.site.site_id

    @property
    def base_url(self) -> str:
        """The address relative links are resolved against (the final address or <base href>)."""
        return self._base

    @cached_property
    def _base(self) -> str:
        base = self.tree.find(".//base[@href]")
        if base is None:
            return self.final_url
        try:
            url = urljoin(self.final_url, base.get("href", "").strip())
            return url if urlsplit(url).hostname else self.final_url
        except ValueError:  # <base href="http://[x/">: a browser ignores it as well
            return self.final_url

    def header(self, name: str) -> str:
        """Return the first header of this name, or an empty string."""
        low = name.lower()
        return next((value for key, value in self.headers if key.lower() == low), "")

    @cached_property
    def decoded(self) -> Decoded:
        """The body as text, with the encoding and the step that chose it."""
        return decode(self.body, self.header("Content-Type"))

    @cached_property
    def text(self) -> str:
        """The document's source: the rendered DOM where there is one, else the decoded body."""
        return self.dom or self.decoded.text

    @cached_property
    def tree(self) -> html.HtmlElement:
        """The parsed document; an empty document for an empty or unparsable body."""
        return parse(self.text)

    @cached_property
    def cache(self) -> dict[str, object]:
        """Readings shared by the checks of this page, by name."""
        return {}


_EMPTY = "<html><head></head><body></body></html>"
# What XML cannot hold; a translation of bytes costs a fifth of a search in text.
_FEED = bytes.maketrans(b"\f", b" ")
_UNFIT = bytes(set(range(32)) - set(b"\t\n\r\f"))
# Pages assembled from parts close body and html early; a browser reads on, libxml2 drops the rest.
_CLOSED = re.compile(rb"</(?:body|html)\s*>", re.IGNORECASE)
# One class for all elements: lxml.html's own lookup asks Python for each.
_CLASSES = etree.ElementDefaultClassLookup(
    element=html.HtmlElement,
    comment=html.HtmlComment,
    pi=html.HtmlProcessingInstruction,
    entity=html.HtmlEntity,
)


def parse(text: str) -> html.HtmlElement:
    """Parse HTML text into a tree; never raises on hostile markup."""
    parser = html.HTMLParser(encoding="utf-8", huge_tree=False, remove_pis=True)
    parser.set_element_class_lookup(_CLASSES)
    data = _CLOSED.sub(b"", text.encode("utf-8", "replace").translate(_FEED, _UNFIT))
    try:
        tree = html.document_fromstring(data, parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError, AssertionError):
        tree = html.document_fromstring(_EMPTY, parser=parser)
    return tree


class LinkState(StrEnum):
    """The verdict on a link target."""

    ALIVE = "alive"
    DEAD = "dead"
    WRONG = "wrong"  # answers, but leads elsewhere (soft 404, home page)
    UNKNOWN = "unknown"  # could not tell


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a link target."""

    method: str
    status: int | None
    error: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class LinkCheck:
    """The verdict on one target, once for the whole province and run."""

    target: str
    state: LinkState
    status: int | None = None
    error: str | None = None
    reason: str = ""
    attempts: tuple[Attempt, ...] = ()
    decided_by: str = "http"  # http or browser


@dataclass(frozen=True, slots=True)
class Evidence:
    """One occurrence: where it was seen, what was seen, what was expected."""

    url: str
    observed: str
    expected: str = ""
    selector: str = ""
    excerpt: str = ""
    screenshot: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule came to on one site: one record an occurrence, or one for the whole rule."""

    site_id: str
    quarter: str
    rule: str
    outcome: Outcome
    edition: str
    message: str = ""
    evidence: tuple[Evidence, ...] = ()
    checked_at: datetime | None = None

    @property
    def finding_id(self) -> str:
        """SHA-256 over the content, so that writing it twice changes nothing."""
        parts = [self.site_id, self.quarter, self.rule, self.outcome, self.edition]
        for seen in self.evidence:
            parts += [seen.url, seen.selector, seen.observed]
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


@dataclass(eq=False)
class SiteDone:
    """The end of one site's inspection; the check pipeline adds the findings, the store acknowledges it."""

    site_id: str
    counts: dict[str, int]
    failed: str = ""  # why the site could not be inspected at all
    findings: tuple[Finding, ...] = ()
    acknowledged: bool = False
    facts: dict[str, Any] = field(default_factory=dict)  # seen outside the site's own pages
    platform: str = ""  # whose ways the site follows
    readings: dict[str, Any] = field(default_factory=dict)  # what the readings matched (govcrawl.drift)
    alarms: tuple[dict[str, Any], ...] = ()  # readings that matched nothing where they did last time


class ProbeState(StrEnum):
    """What became of one planned visit of a home page."""

    CONNECTED = "connected"
    SUSPECTED = "suspected"  # failed on the first path only, or in a way that may be aimed at programs
    DOWN = "down"  # failed on both paths while the network was up
    OWN_NETWORK = "own_network"  # the inspecting side was cut off: says nothing about the site
    MISSED = "missed"  # not made, with the reason


@dataclass(frozen=True, slots=True)
class Probe:
    """One visit of a home page for V2; `suspected` says that no second path confirmed its failure."""

    site_id: str
    at: datetime
    elapsed: float
    status: int | None = None
    error: str | None = None
    suspected: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of a list: its title, its address and the date shown beside it."""

    title: str
    url: str
    published: date | None = None
