"""Loads, checks and writes rosters; every fault of a file is found before anything is used."""

from __future__ import annotations

import csv
import ipaddress
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from govcrawl.items import GovcrawlError, Site
from govcrawl.pace import window_of
from govcrawl.sites.tables import (
    MAX_BYTES,
    Cell,
    Fault,
    TableError,
    TableRow,
    column_letter,
    header_texts,
    read_table,
    shown,
)

COLUMNS: Mapping[str, str] = {
    "site_id": "网站编号",
    "name": "网站名称",
    "kind": "类型",
    "level": "层级",
    "code": "行政区划代码",
    "parent": "上级",
    "url": "网址",
    "organizer": "主办单位",
    "has_services": "有无服务",
    "platform": "平台",
    "allowed_hosts": "其他域名",
    "authorised": "已授权",
    "window": "抓取时段",
    "per_day": "每日请求上限",
}
REQUIRED = ("site_id", "name", "kind", "level", "code", "url")

_FIRST_ROW = f"the first row must name the columns: {', '.join(REQUIRED)}"
_FOREIGN = "?"  # a header that is none of ours
_KNOWN = f"use {', '.join(COLUMNS)} or remove it"
_SEPARATORS = {"\t": "tabs", ";": "semicolons", "；": "semicolons", "，": "full-width commas"}
_NAMES = {chinese: name for name, chinese in COLUMNS.items()} | {name: name for name in COLUMNS}
_KINDS = {
    "portal": "portal",
    "门户": "portal",
    "门户网站": "portal",
    "政府门户网站": "portal",
    "department": "department",
    "部门": "department",
    "部门网站": "department",
}
_LEVELS = {
    "province": "province",
    "省": "province",
    "省级": "province",
    "city": "city",
    "市": "city",
    "市级": "city",
    "地市": "city",
    "county": "county",
    "县": "county",
    "区县": "county",
    "县级": "county",
    "县区": "county",
    "区": "county",
}
_TRUTHS = {"true": True, "是": True, "有": True, "false": False, "否": False, "无": False}
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_RESERVED = {"probe"}  # names of spiders that belong to no site
_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_DATE = re.compile(
    rf"\d{{1,2}}-(?:{_MONTHS})(?:-\d{{2,4}})?|(?:{_MONTHS})-\d{{1,2}}|\d{{1,4}}[-/.]\d{{1,2}}[-/.]\d{{1,4}}"
    r"|\d{1,2}/\d{1,2}|(?:\d{4}年)?\d{1,2}月(?:\d{1,2}日)?",
    re.IGNORECASE,
)
_SCIENTIFIC = re.compile(r"\d+(?:\.\d+)?e[+-]?\d+", re.IGNORECASE)
_HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9_-]{1,63}(?<!-))*", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]")
_PLATFORM = re.compile(r"[a-z0-9_]{0,40}")
_AS_TEXT = "format the column as text and type the value again"
_LISTED = 200  # lines of a report; more are counted
_NAME_LENGTH = 200
_URL_LENGTH = 2_000
_PORTS = {"http": 80, "https": 443}


class RosterError(GovcrawlError):
    """A roster that cannot be used; `problems` holds one line for each fault, in row order."""

    def __init__(self, source: str, problems: Iterable[str]) -> None:
        self.source = source
        self.problems = tuple(problems)
        super().__init__(self._report())

    def _report(self) -> str:
        if len(self.problems) == 1:
            return f"{self.source}: {self.problems[0]}"
        more = len(self.problems) - _LISTED
        tail = [f"… and {more} more"] if more > 0 else []
        head = f"{self.source}: {len(self.problems)} faults in the roster, nothing was taken from it"
        return "\n".join([head, *self.problems[:_LISTED], *tail])


def load_sites(path: Path | None = None) -> tuple[Site, ...]:
    """Return the sites of a roster (CSV in UTF-8, or XLSX), in file order; Zhejiang's when no file is named.

    Column names are the English keys of COLUMNS or their Chinese headers; REQUIRED ones must be there.
    Raises RosterError with every fault of the file.
    """
    source = path.name if path else "zhejiang.csv"
    try:
        rows = read_table(_bytes(path))
    except TableError as error:
        raise RosterError(source, [str(error)]) from error
    if not rows:
        raise RosterError(source, [f"the file is empty; {_FIRST_ROW}"])
    header = _header(rows[0])
    sites, problems = _sites(header, rows[1:]) if any(header.columns) else ((), [])
    problems = [*header.problems, *problems]
    if not problems and not sites:
        problems = ["the file names the columns but no site; add one row a site"]
    if problems:
        raise RosterError(source, problems)
    return sites


def write_sites(path: Path, sites: Iterable[Site]) -> None:
    """Write a roster as CSV (UTF-8, English headers); atomically."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows(_cells(site) for site in sites)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        problem = f"cannot be written ({error.strerror}); choose a writable folder"
        raise RosterError(str(path), [problem]) from error
    finally:
        temporary.unlink(missing_ok=True)


def import_roster(source: Path, target: Path) -> int:
    """Check a roster from end to end, then put it in the target's place; return the number of sites."""
    sites = load_sites(source)
    write_sites(target, sites)
    return len(sites)


def _bytes(path: Path | None) -> bytes:
    if path is None:
        # The package may be a zipped egg on a scrapyd node.
        return resources.files("govcrawl.sites").joinpath("zhejiang.csv").read_bytes()
    try:
        if not path.is_file():
            reason = "is not a file" if path.exists() else "does not exist"
            raise RosterError(str(path), [f"the roster {reason}; name a CSV or XLSX file"])
        with path.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except OSError as error:
        problem = f"cannot be read ({error.strerror}); check its permissions"
        raise RosterError(str(path), [problem]) from error


@dataclass(frozen=True, slots=True)
class _Header:
    columns: tuple[str, ...]  # our names, by position; empty where the header is empty
    problems: tuple[str, ...]


def _header(row: TableRow) -> _Header:
    texts = header_texts(row)
    where = f"row {row.number}"
    if row.fault:
        return _Header((), (f"{where}: {row.fault}; {_FIRST_ROW}",))
    names = tuple(_NAMES.get(text.lower(), _FOREIGN if text else "") for text in texts)
    if not set(names) & set(COLUMNS):
        return _Header((), (f"{where}: {_headless(texts)}",))
    problems = [
        f"{where}, column {column_letter(index)}: unknown column {shown(text)}; {_KNOWN}"
        for index, text in enumerate(texts)
        if names[index] == _FOREIGN
    ]
    problems += [
        f"{where}: column {name} ({chinese}) appears {names.count(name)} times; keep one"
        for name, chinese in COLUMNS.items()
        if names.count(name) > 1
    ]
    problems += [
        f"{where}: column {name} ({COLUMNS[name]}) is missing; add it"
        for name in REQUIRED
        if name not in names
    ]
    return _Header(names, tuple(problems))


def _headless(texts: Iterable[str]) -> str:
    line = "".join(texts)
    for mark, word in _SEPARATORS.items():
        if mark in line:
            return f"the columns are separated by {word}; save the file as CSV with commas"
    return f"names no known column; {_FIRST_ROW}"


def _sites(header: _Header, rows: Iterable[TableRow]) -> tuple[tuple[Site, ...], list[str]]:
    sites: list[Site] = []
    problems: list[str] = []
    ids: dict[str, int] = {}
    urls: dict[str, int] = {}
    for row in rows:
        values, faults = _values(header, row)
        faults += _repeated(values, row.number, ids, urls)
        problems += [f"row {row.number}{fault}" for fault in faults]
        if not faults and not header.problems:
            sites.append(Site(**values))  # type: ignore[arg-type]  # the readers give each field its type
    return tuple(sites), problems


def _values(header: _Header, row: TableRow) -> tuple[dict[str, object], list[str]]:
    if row.fault:
        return {}, [f": {row.fault}"]
    if misfit := _misfit(header, row):
        return {}, [f": {misfit}"]
    values: dict[str, object] = {}
    faults: list[str] = []
    for name, cell in zip(header.columns, row.cells, strict=False):
        if name not in _READERS:
            continue
        try:
            values[name] = _READERS[name](_sound(cell))
        except _BadValueError as error:
            faults.append(f", column {name}: {error}")
    return values, faults


def _misfit(header: _Header, row: TableRow) -> str:
    width = len(header.columns)
    if len(row.cells) < width:
        return f"has {len(row.cells)} cells where the header has {width}; add the missing commas"
    for index, cell in enumerate(row.cells):
        if cell and (index >= width or not header.columns[index]):
            value = shown(cell) if isinstance(cell, str) else "a value"
            remedy = "quote a value that holds a comma, or remove it"
            return f"column {column_letter(index)} holds {value} but has no header; {remedy}"
    return ""


def _repeated(
    values: Mapping[str, object], number: int, ids: dict[str, int], urls: dict[str, int]
) -> Iterator[str]:
    site_id, url = values.get("site_id"), values.get("url")
    if isinstance(site_id, str) and (first := ids.setdefault(site_id, number)) != number:
        yield f", column site_id: {shown(site_id)} is already in row {first}; give each site its own id"
    if isinstance(url, str) and (first := urls.setdefault(_same_site(url), number)) != number:
        yield f", column url: {shown(url)} is already in row {first}; remove one of the two rows"


def _same_site(url: str) -> str:
    """Reduce an address to what tells two home pages apart: not scheme, case, default port, last slash."""
    parts = urlsplit(url)
    port = "" if parts.port in {None, _PORTS[parts.scheme]} else f":{parts.port}"
    query = f"?{parts.query}" if parts.query else ""
    return f"{ascii_host(parts.hostname or '').rstrip('.')}{port}{parts.path.rstrip('/')}{query}"


class _BadValueError(ValueError):
    """A cell's value that its column does not take; the argument says what is wrong and what to do."""


def _sound(cell: Cell) -> str:
    if isinstance(cell, Fault):
        raise _BadValueError(cell.what)
    return cell


def _site_id(text: str) -> str:
    if not text:
        raise _BadValueError("is empty; give the site an id")
    if _DATE.fullmatch(text) or _SCIENTIFIC.fullmatch(text):
        raise _BadValueError(f"Excel turned the id into {shown(text)}; {_AS_TEXT}")
    if not _ID.fullmatch(text):
        rule = "use 1 to 64 of a-z, 0-9 and -, not starting with -"
        raise _BadValueError(f"{shown(text)} is no site id; {rule}")
    if text in _RESERVED:
        raise _BadValueError(f"{shown(text)} is the name of a spider of ours; choose another id")
    return text


def _name(text: str) -> str:
    if not text:
        raise _BadValueError("is empty; give the name of the site")
    return _plain(text)


def _plain(text: str) -> str:
    if _CONTROL.search(text):
        raise _BadValueError(f"{shown(text)} holds a line break or control character; put it on one line")
    if text[:1] in {"+", "-", "@"}:
        raise _BadValueError(f"{shown(text)} would be read as a formula by Excel; remove its first character")
    if "�" in text:
        raise _BadValueError(f"{shown(text)} holds damaged characters; save the original again as UTF-8")
    if len(text) > _NAME_LENGTH:
        raise _BadValueError(f"has {len(text)} characters; use at most {_NAME_LENGTH}")
    return text


def _kind(text: str) -> str:
    return _choice(text, _KINDS, "portal (门户) or department (部门)")


def _level(text: str) -> str:
    return _choice(text, _LEVELS, "province (省级), city (市级) or county (县级)")


def _choice(text: str, known: Mapping[str, str], names: str) -> str:
    if not text:
        raise _BadValueError(f"is empty; write {names}")
    if text.lower() not in known:
        raise _BadValueError(f"{shown(text)} is unknown; write {names}")
    return known[text.lower()]


def _code(text: str) -> str:
    if not text:
        raise _BadValueError("is empty; give the six digits of the administrative division")
    if _SCIENTIFIC.fullmatch(text) or _DATE.fullmatch(text) or re.fullmatch(r"\d+\.0*", text):
        raise _BadValueError(f"Excel turned the code into {shown(text)}; {_AS_TEXT}")
    if re.fullmatch(r"[0-9]{1,5}", text):
        raise _BadValueError(f"{shown(text)} has {len(text)} digits, six are due (a lost zero?); {_AS_TEXT}")
    if not re.fullmatch(r"[0-9]{6}", text):
        raise _BadValueError(f"{shown(text)} is no division code; write six digits such as 330100")
    return text


def _url(text: str) -> str:
    if not text:
        raise _BadValueError("is empty; give the address of the home page")
    if re.search(r"\s", text) or _CONTROL.search(text):
        raise _BadValueError(f"{shown(text)} holds a blank; give one address without blanks")
    if len(text) > _URL_LENGTH:
        raise _BadValueError(f"has {len(text)} characters; use at most {_URL_LENGTH}")
    if not re.match(r"https?://", text, re.IGNORECASE):
        raise _BadValueError(f"{shown(text)} does not start with http:// or https://; write the full address")
    parts = _split(text)
    if "@" in parts.netloc:
        raise _BadValueError("holds a user name or password; give the public address")
    if "\\" in text or not _is_host(parts.hostname or ""):
        raise _BadValueError(f"{shown(text)} has no valid host name; correct the address")
    return text


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _BadValueError(f"{shown(url)} has an invalid host or port; correct the address") from None
    if port == 0:
        raise _BadValueError(f"{shown(url)} has port 0; correct the address")
    return parts


def _is_host(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        name = ascii_host(host).rstrip(".")
    else:
        return True
    labels = name.split(".")
    if labels[-1].isdigit():
        return False
    dotted = len(labels) > 1 or name == "localhost"
    return dotted and len(name) <= 253 and _HOST.fullmatch(name) is not None


def ascii_host(host: str) -> str:
    """Lower a host's case and turn Chinese labels into their ASCII form; empty when there is none."""
    if host.isascii():
        return host.lower()
    try:
        return host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return ""


def _truth(default: bool) -> Callable[[str], bool]:
    def read(text: str) -> bool:
        if not text:
            return default
        if text.lower() not in _TRUTHS:
            raise _BadValueError(f"{shown(text)} is neither true nor false; write true (是) or false (否)")
        return _TRUTHS[text.lower()]

    return read


def _platform(text: str) -> str:
    if not _PLATFORM.fullmatch(text):
        raise _BadValueError(f"{shown(text)} is no platform name; write one such as hanweb or nothing")
    return text


def _hosts(text: str) -> tuple[str, ...]:
    hosts = tuple(ascii_host(host) or host for host in text.split())
    for host in hosts:
        if not _is_host(host):
            raise _BadValueError(f"{shown(host)} is no host name; write bare host names separated by blanks")
    return hosts


def _window(text: str) -> str:
    try:
        window_of(text)
    except ValueError:
        raise _BadValueError(f"{shown(text)} is no span of hours; write one such as 20:00-06:00") from None
    return text


def _per_day(text: str) -> int:
    if text and not re.fullmatch(r"[0-9]{1,7}", text):
        raise _BadValueError(f"{shown(text)} is no number of requests; write one such as 2000 or nothing")
    return int(text or 0)


_READERS: Mapping[str, Callable[[str], object]] = {
    "site_id": _site_id,
    "name": _name,
    "kind": _kind,
    "level": _level,
    "code": _code,
    "parent": _plain,
    "url": _url,
    "organizer": _plain,
    "has_services": _truth(default=True),
    "platform": _platform,
    "allowed_hosts": _hosts,
    "authorised": _truth(default=False),
    "window": _window,
    "per_day": _per_day,
}


def _cells(site: Site) -> list[str]:
    return [_cell(getattr(site, name)) for name in COLUMNS]


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return " ".join(value)
    return str(value)
