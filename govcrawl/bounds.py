"""Limits of gathering: how much of an answer is taken, and the name a page carries when it was too much.

Scrapy bounds one exchange itself: `DOWNLOAD_TIMEOUT` runs over slow headers and dribbling bodies too, and
`DOWNLOAD_MAXSIZE` also holds while gzip, brotli and zstd are unpacked. Added here: the head of an answer,
codings in a row, a chain of redirects as a whole, markup that breaks the parser, and addresses without end.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, urlsplit

from lxml import etree
from scrapy.core.downloader.handlers import http11
from scrapy.exceptions import DownloadCancelledError, DownloadFailedError, DownloadTimeoutError, IgnoreRequest

from govcrawl.egress import Forbidden, Guard

if TYPE_CHECKING:
    from lxml.html import HtmlElement
    from scrapy import Request
    from scrapy.crawler import Crawler
    from scrapy.http import Response
    from twisted.internet.interfaces import IAddress

MAX_BODY = 32 * 1024 * 1024  # bytes, before and after unpacking: DOWNLOAD_MAXSIZE
MAX_SECONDS = 60  # of one exchange: DOWNLOAD_TIMEOUT
MAX_CHAIN = 120  # seconds of a page with all its redirects
MAX_REDIRECTS = 10
MAX_URL = 2_048
MAX_HEAD = 256 * 1024  # bytes of an answer's head; browsers take as much
MAX_LINE = 64 * 1024  # bytes of one header; Twisted's 16 KiB cut off policies of real sites
MAX_CODINGS = 2  # `gzip, gzip` exists; a hundred codings in a row unpack for minutes

# libxml2 reads no further at these, without a word: what follows would be missing, not absent.
MAX_DEPTH = 255
MAX_TEXT = 10_000_000
# Each tag costs about 250 bytes of memory; the attributes of one tag are compared with each other.
MAX_TAGS = 200_000
MAX_TAG = 16 * 1024
MAX_ATTRIBUTES = 10_000

MAX_SEGMENTS = 20
MAX_PATTERN = 300  # addresses that differ in numbers only
MAX_QUERY_PATTERN = 200  # the same, where the numbers are parameters
MAX_CALENDAR = 24  # addresses that name a day, a month or a year as a parameter


# Where the errors of Scrapy's unpackers come from, on any version of Python.
_UNPACKERS = frozenset({"zlib", "gzip", "brotli", "brotlicffi", "backports", "compression"})


class Bounded(IgnoreRequest):
    """A request ended at a bound; `reason` is the error its page carries."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _HeadTooLarge(Exception):  # noqa: N818  (reaches Scrapy inside Twisted's own error)
    """The head of an answer is longer than `MAX_HEAD` or a line of it than `MAX_LINE`."""


def reason(error: BaseException) -> str | None:
    """Return the name of the bound an error of Scrapy comes from, or of a broken coding; None for others."""
    if isinstance(error, Bounded):
        return error.reason
    if isinstance(error, DownloadTimeoutError):
        return "timeout"
    if isinstance(error, DownloadCancelledError):
        return "too_large"
    if isinstance(error, EOFError) or type(error).__module__.partition(".")[0] in _UNPACKERS:
        return "encoding"
    text = str(error)
    if isinstance(error, IgnoreRequest):
        return {"DOWNLOAD_MAXSIZE": "too_large", "max redirections": "redirects"}.get(
            next((part for part in ("DOWNLOAD_MAXSIZE", "max redirections") if part in text), "")
        )
    if isinstance(error, DownloadFailedError) and _HeadTooLarge.__name__ in text:
        return "head_too_large"
    return None


class BoundsMiddleware:
    """Refuses requests beyond the bounds and to inner addresses; sits before the unpacking, at 595."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Build it with the exceptions of `EGRESS_ALLOW`."""
        return cls(Guard(crawler.settings.getlist("EGRESS_ALLOW")))

    def process_request(self, request: Request) -> None:
        """Let a request pass with the time its page has left."""
        if len(request.url) > MAX_URL:
            raise Bounded("url_too_long")
        try:
            self._guard.check_url(request.url)
        except Forbidden as error:
            raise Bounded("blocked") from error
        left = request.meta.setdefault("page_begun", time.monotonic()) + MAX_CHAIN - time.monotonic()
        if left <= 0:
            raise Bounded("timeout")
        request.meta["download_timeout"] = min(request.meta.get("download_timeout", MAX_SECONDS), left)

    def process_response(self, request: Request, response: Response) -> Response:  # noqa: ARG002  (Scrapy's names)
        """Let an answer pass to be unpacked."""
        codings = b",".join(response.headers.getlist("Content-Encoding"))
        if codings.count(b",") >= MAX_CODINGS:
            raise Bounded("codings")
        return response


# Neither Twisted nor Scrapy lets a client choose its parser in public; tests/poison shows when this moves.
class _Parser(http11._LenientHTTPClientParser):  # noqa: SLF001
    """Scrapy's parser of answers with a bound on the head."""

    MAX_LENGTH = MAX_LINE
    _head = 0

    def lineReceived(self, line: bytes) -> None:  # noqa: N802  (Twisted's name)
        """Take one line of the head."""
        self._head += len(line)
        if self._head > MAX_HEAD:
            raise _HeadTooLarge
        super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:  # noqa: N802, ARG002  (Twisted's name)
        """End the exchange at a line without end."""
        raise _HeadTooLarge


class _Protocol(http11._LenientHTTP11ClientProtocol):  # noqa: SLF001
    """Scrapy's client with the bounded parser."""

    def request(self, request: Any) -> Any:
        """Send a request; its answer is parsed within the bounds."""
        answer = super().request(request)
        assert self._parser is not None
        self._parser.__class__ = _Parser  # as its base class does it: Twisted names the parser in its code
        return answer


class _Factory(http11._LenientHTTP11ClientFactory):  # noqa: SLF001
    def buildProtocol(self, addr: IAddress | None) -> _Protocol:  # noqa: N802, ARG002  (Twisted's name)
        return _Protocol(self._quiescentCallback)  # type: ignore[no-untyped-call]


class BoundedHandler(http11.HTTP11DownloadHandler):
    """Scrapy's HTTP/1.1 handler with a bound on the head of answers."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._pool._factory = _Factory  # noqa: SLF001


_LONG_TAG = re.compile(rb"<[^<>]{%d,}" % MAX_TAG)
_INLINE = re.compile(rb"data:[\w/+;,=%.-]{1000,}")
_ODD_PAIRS = (b'>"', b">'", b'<"', b"<'")
_QUOTED = re.compile(rb"\"[^\"<>]{0,200}[<>][^\"]{0,200}\"|'[^'<>]{0,200}[<>][^']{0,200}'")
_ATTRIBUTE = re.compile(rb"[\s\"'/=]+")
_LONG_TEXT = re.compile(rb"[^<]{%d}" % MAX_TEXT)
_DEEP = etree.XPath("boolean(" + "/*" * MAX_DEPTH + ")")


def markup(body: bytes) -> str | None:
    """Name what would break the parser, before the markup is parsed; None for an ordinary page."""
    if body.count(b"<") > MAX_TAGS:
        return "huge_dom"
    if len(body) > MAX_TEXT and _LONG_TEXT.search(body):
        return "huge_text"
    if len(body) < MAX_TAG:
        return None
    # A tag ends at the first > outside quotes; only many brackets inside quotes need the closer look.
    if sum(body.count(pair) for pair in _ODD_PAIRS) > 1_000:
        body = _QUOTED.sub(b'""', body)
    for tag in _LONG_TAG.finditer(body):
        if len(_ATTRIBUTE.findall(_INLINE.sub(b"", tag[0]))) > MAX_ATTRIBUTES:
            return "huge_tag"
    return None


def nesting(tree: HtmlElement) -> str | None:
    """Name a document that is nested deeper than the parser reads: its rest is missing."""
    return "nesting" if _DEEP(tree.getroottree()) else None


_SESSION = re.compile(
    r"^(?:j|php|asp\.?net_?)?sess(?:ion)?_?id$|^(?:sid|cfid|cftoken|zenid|osCsid)$", re.IGNORECASE
)
_SESSION_PATH = re.compile(r";[a-z]*sess[a-z]*=[^/?]*|/\((?:S\()?[A-Za-z0-9]{16,}\)*", re.IGNORECASE)
_CALENDAR = re.compile(
    r"^(?:cal_?)?(?:year|month|day|date|yyyy|mm|dd|y|m|d|week|nian|yue|riqi|rq)$", re.IGNORECASE
)
_TOKEN = re.compile(r"[0-9a-f]{16,}|\d+", re.IGNORECASE)


class PathPatterns:
    """Tells addresses of a site that never end from pages; one a site.

        patterns = PathPatterns()
        if (why := patterns.admit(url)) is None: fetch(url)

    An address counts when it is admitted; ask once for each.
    """

    def __init__(self) -> None:
        self._patterns: Counter[str] = Counter()
        self._without_session: set[str] = set()

    def admit(self, url: str) -> str | None:
        """Return why an address is a trap; None, and count it, when it is not."""
        if len(url) > MAX_URL:
            return "url_too_long"
        parts = urlsplit(url)
        segments = [segment for segment in parts.path.split("/") if segment]
        if len(segments) > MAX_SEGMENTS or _repeats(segments):
            return "repeated_segments"
        query = parse_qsl(parts.query, keep_blank_values=True)
        path = _SESSION_PATH.sub("", parts.path)
        kept = [(name, value) for name, value in query if not _SESSION.match(name)]
        if path != parts.path or kept != query:
            plain = f"{parts.netloc}{path}?{sorted(kept)}"
            if plain in self._without_session:
                return "session_id"
            self._without_session.add(plain)
        return self._count(f"{parts.netloc}{_TOKEN.sub('0', path)}", kept)

    def _count(self, shape: str, query: list[tuple[str, str]]) -> str | None:
        names = sorted({name for name, _ in query})
        calendar = any(_CALENDAR.match(name) for name in names) or "calendar" in shape.lower()
        # A parameter that is a word names another thing; numbers are members of one row.
        words = sorted((name, value) for name, value in query if not any(char.isdigit() for char in value))
        pattern = f"{shape}?{names}{words if not calendar else ''}"
        most = MAX_CALENDAR if calendar and names else MAX_QUERY_PATTERN if names else MAX_PATTERN
        if self._patterns[pattern] >= most:
            return "calendar" if calendar else "path_pattern"
        self._patterns[pattern] += 1
        return None


def _repeats(segments: list[str]) -> bool:
    """Tell whether parts of a path come again and again: relative links that resolve ever deeper."""
    if any(times > 3 for segment, times in Counter(segments).items() if not segment.isdecimal()):
        return True
    for size in range(2, len(segments) // 3 + 1):
        for start in range(len(segments) - 3 * size + 1):
            block = segments[start : start + size]
            if block * 3 == segments[start : start + 3 * size]:
                return True
    return False
