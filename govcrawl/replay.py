"""Answers from recorded pages instead of the network: a folder of saved pages, or a WARC file.

A folder may hold an `index.csv` with a row for each page: `file`, and where known `original_url`, `page_kind`
(home, list, article, leader, guide, message), `group` and `site_as_shown`. Without it every HTML file of the
folder is a page of one site. An address that was not recorded is the error `not_recorded`: nothing is known
about it, so nothing may be held against its site.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from scrapy import Request
from scrapy.http import Headers, Response
from scrapy.responsetypes import responsetypes
from warcio.archiveiterator import ArchiveIterator
from warcio.exceptions import ArchiveLoadFailed
from warcio.statusandheaders import StatusAndHeaders

from govcrawl.bounds import MAX_BODY, Bounded
from govcrawl.items import GovcrawlError, LinkCheck, LinkState, Role, Site
from govcrawl.links import normalise
from govcrawl.sites.roster import write_sites
from govcrawl.store.export import ROLE

NOT_RECORDED = "not_recorded"
ROSTERS = Path(".govcrawl/replay")
_ROLES = {
    "home": Role.HOME,
    "list": Role.COLUMN,
    "article": Role.ARTICLE,
    "leader": Role.LEADER,
    "guide": Role.GUIDE,
    "message": Role.MESSAGE,
    "other": Role.OTHER,
}
_VISITED = {role.value: role for role in Role}
_TYPES = {".js": "application/javascript", ".css": "text/css"}
_CODINGS = {"content-encoding", "transfer-encoding", "content-length"}  # of the bytes as they travelled
_NAME = 60  # characters of a site's name or id
_UNNAMED = "(no name)"


@dataclass(frozen=True, slots=True)
class Recorded:
    """One answer of a recording and where its bytes are."""

    url: str
    status: int
    headers: tuple[tuple[str, str], ...]
    path: Path
    offset: int = -1  # of the record in a WARC file; -1: the file itself
    role: Role | None = None  # None: nobody said what the page is
    site_name: str = ""
    title: str = ""

    @property
    def is_page(self) -> bool:
        """Tell whether it is a document rather than a script, a picture or an error."""
        kind = next((value for name, value in self.headers if name.lower() == "content-type"), "")
        return self.status == 200 and "html" in kind.lower()


class Recording:
    """The answers of a folder or WARC file by address, the scheme of an address aside."""

    def __init__(self, answers: Iterable[Recorded]) -> None:
        self._answers: dict[str, Recorded] = {}
        for answer in answers:
            known = self._answers.get(_key(answer.url))
            if known is None or (known.status != 200 and answer.status == 200):
                self._answers[_key(answer.url)] = answer

    @classmethod
    def open(cls, path: Path) -> Recording:
        """Read what a recording holds; GovcrawlError when it holds no page."""
        if not path.exists():
            raise GovcrawlError(f"--replay {path}: there is no such folder or file")
        try:
            found = cls(_folder(path) if path.is_dir() else _warc(path))
        except ArchiveLoadFailed as error:
            raise GovcrawlError(f"--replay {path}: is no WARC file ({error})") from error
        except OSError as error:
            raise GovcrawlError(f"--replay {path}: cannot be read ({error.strerror})") from error
        if not found.pages():
            raise GovcrawlError(f"--replay {path}: holds no page")
        return found

    def pages(self) -> list[Recorded]:
        """Return the documents in the order they were recorded."""
        return [answer for answer in self._answers.values() if answer.is_page]

    def pages_of(self, site: Site) -> list[Recorded]:
        """Return the documents of one site in the order of their addresses."""
        return sorted((page for page in self.pages() if site.owns(page.url)), key=lambda page: page.url)

    def find(self, url: str) -> Recorded | None:
        """Return the answer recorded for an address."""
        return self._answers.get(_key(url))

    def respond(self, request: Request) -> Response:
        """Return the recorded response; Bounded "not_recorded" where there is none."""
        found = self.find(request.url) if request.method == "GET" else None
        if found is None:
            raise Bounded(NOT_RECORDED)
        body = _body(found)
        headers = Headers()
        for name, value in found.headers:
            if name.lower() not in _CODINGS:
                headers.appendlist(name, value)
        kind = responsetypes.from_args(headers=headers, url=request.url, body=body)
        return kind(url=request.url, status=found.status, headers=headers, body=body)


class RecordedLinks:
    """Stands in for the link checker: a recorded address is judged by its status, any other is unknown."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    async def check_many(self, targets: Iterable[str]) -> AsyncIterator[LinkCheck]:
        """Yield the verdict on each distinct target."""
        for target in dict.fromkeys(normalise(target) for target in targets):
            yield self._check(target)

    def _check(self, target: str) -> LinkCheck:
        found = self._recording.find(target)
        if found is None:
            return LinkCheck(target, LinkState.UNKNOWN, reason=NOT_RECORDED)
        if found.status in (404, 410):
            return LinkCheck(target, LinkState.DEAD, found.status, f"http_{found.status}", "recorded")
        state = LinkState.ALIVE if found.status < 400 else LinkState.UNKNOWN
        return LinkCheck(target, state, found.status, reason="recorded")


def roster_of(path: Path, folder: Path = ROSTERS) -> Path:
    """Write a roster with one site for each host of a recording and return its file.

    The home page is the recorded one, else the first page. Kind and level are read off the name and may be
    wrong; name a roster of your own where they matter.
    """
    sites = tuple(_sites(Recording.open(path).pages()))
    digest = hashlib.sha256("\n".join(map(repr, sites)).encode()).hexdigest()[:12]
    target = folder / f"{digest}.csv"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GovcrawlError(
            f"--replay {path}: its roster cannot be kept in {folder}: {error.strerror}"
        ) from error
    write_sites(target, sites)
    return target


def _sites(pages: Iterable[Recorded]) -> Iterator[Site]:
    hosts: dict[str, list[Recorded]] = {}
    for page in pages:
        hosts.setdefault(urlsplit(page.url).netloc.lower().removeprefix("www."), []).append(page)
    for host, found in hosts.items():
        home = min(found, key=_likeness)
        name = next((page.site_name for page in (home, *found) if page.site_name), "") or home.title or host
        site_id = re.sub(r"[^a-z0-9]+", "-", host).strip("-")[:_NAME]
        kind = "portal" if re.search(r"人民政府|政府门户", name) else "department"
        yield Site(site_id, _tidy(name), kind, _level(name), "000000", "", home.url)


def _likeness(page: Recorded) -> tuple[bool, bool]:
    """Order pages by how little they look like a home page."""
    bare = re.fullmatch(r"/?(?:(?:index|default)\.\w+)?", urlsplit(page.url).path) is not None
    return page.role is not Role.HOME, not bare


def _level(name: str) -> str:
    if "省" in name:
        return "province"
    return "county" if re.search(r"[县区]", name) else "city"


def _tidy(name: str) -> str:
    text = re.sub(r"[\x00-\x1f\x7f\u2028\u2029\ufffd]+", " ", name).strip().lstrip("+-@=").strip()
    return text[:_NAME] or _UNNAMED


def _key(url: str) -> str:
    return normalise(url).partition("://")[2]


# --- folders --------------------------------------------------------------------------------------


def _folder(path: Path) -> Iterator[Recorded]:
    index = path / "index.csv"
    if index.is_file():
        yield from _indexed(path, index)
        return
    for file in sorted(path.rglob("*")):
        if file.is_file() and file.suffix.lower() in (".html", ".htm", ".shtml", *_TYPES):
            name = quote(str(file.relative_to(path)))
            yield _saved(file, f"http://{_made_up(path.resolve().name)}/{name}")


def _indexed(path: Path, index: Path) -> Iterator[Recorded]:
    with index.open(encoding="utf-8-sig", newline="") as handle:
        for number, row in enumerate(csv.DictReader(handle), 2):
            file = path / (row.get("file") or "")
            if not file.is_file() or not file.resolve().is_relative_to(path.resolve()):
                raise GovcrawlError(f"--replay {path}: index.csv, row {number} names no file of the folder")
            yield _saved(file, _address(row), row)


def _address(row: Mapping[str, str | None]) -> str:
    """Return where a page was found; an address under .invalid where nobody knows."""
    given = (row.get("original_url") or "").split(" ")[0]
    if re.match(r"https?://[\w.-]+\.[a-z]+(?:[:/]|$)", given, re.IGNORECASE):
        return given
    place = "/".join((row.get("group") or "", row.get("site_as_shown") or ""))
    return f"http://{_made_up(place)}/{quote(row['file'] or '')}"


def _made_up(place: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", place.lower()).strip("-")[:30]
    return f"{words or 'page'}-{hashlib.sha256(place.encode()).hexdigest()[:6]}.invalid"


def _saved(file: Path, url: str, row: Mapping[str, str | None] | None = None) -> Recorded:
    row = row or {}
    return Recorded(
        url=url,
        status=200,
        headers=(("Content-Type", _TYPES.get(file.suffix.lower(), "text/html")),),
        path=file,
        role=_ROLES.get(row.get("page_kind") or ""),
        site_name=row.get("site_as_shown") or "",
        title=row.get("title") or "",
    )


# --- WARC -----------------------------------------------------------------------------------------


def _warc(path: Path) -> Iterator[Recorded]:
    held: dict[str, int] = {}  # digest of a payload -> offset of the record that holds it
    with path.open("rb") as handle:
        records = ArchiveIterator(handle)
        for record in records:
            url = record.rec_headers.get_header("WARC-Target-URI") or ""
            if not url.startswith(("http://", "https://")):
                continue
            digest = record.rec_headers.get_header("WARC-Payload-Digest") or ""
            offset = records.get_record_offset()
            if record.rec_type == "resource":  # bytes without an answer's head, such as a page's scripts
                kind = record.rec_headers.get_header("Content-Type") or ""
                yield Recorded(url, 200, (("Content-Type", kind),), path, offset)
            elif record.rec_type == "response":
                held.setdefault(digest, offset)
                role = _VISITED.get(record.rec_headers.get_header(ROLE) or "")
                yield from _answer(url, record.http_headers, path, offset, role)
            elif record.rec_type == "revisit" and digest in held:  # the same bytes as an answer before it
                yield from _answer(url, record.http_headers, path, held[digest])


def _answer(
    url: str, http: StatusAndHeaders | None, path: Path, offset: int, role: Role | None = None
) -> Iterator[Recorded]:
    code = http.get_statuscode() if http is not None else ""
    if http is not None and code.isdigit():
        headers = tuple((str(name), str(value)) for name, value in http.headers)
        yield Recorded(url, int(code), headers, path, offset, role)


def _body(found: Recorded) -> bytes:
    with found.path.open("rb") as handle:
        if found.offset < 0:
            body = handle.read(MAX_BODY + 1)
        else:
            handle.seek(found.offset)
            body = next(iter(ArchiveIterator(handle))).content_stream().read(MAX_BODY + 1)
    if len(body) > MAX_BODY:
        raise Bounded("too_large")
    return bytes(body)
