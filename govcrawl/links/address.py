"""Addresses: one spelling for each target, and what an address says about itself."""

from __future__ import annotations

import hashlib
import re
from urllib.parse import unquote, urljoin, urlsplit

import idna

_PORTS = {"http": "80", "https": "443"}
_TIDY = re.compile(
    r"https?://[a-z0-9][a-z0-9.-]*[a-z0-9](?::(?!80/|443/)[1-9]\d*)?(?:/(?!\.)[\w~!$&'()*+,;=:@.-]*)+",
    re.ASCII,
)
_BLANK = re.compile(r"[\t\n\r]")
_SPLIT = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*):(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNSAFE = re.compile(r"""[^\x21-\x7e]|["<>^`{|}]""")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_HOME = re.compile(r"/?(?:(?:index|default|home|main)(?:\.\w{2,5})?)?/?", re.IGNORECASE)
_TONGUE = re.compile(r"/(?:zh|cn|en|zh[-_]cn|zh[-_]hans)/?", re.IGNORECASE)
_ERROR_PAGE = re.compile(
    r"/(?:\w+[-_])?(?:404|error|errorpage|error[-_]?404|404[-_]?error|notfound|not[-_]found|page[-_]?not[-_]?found)"
    r"(?:\.\w{2,5})?/?",
    re.IGNORECASE,
)
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,5}$")
_PAGE = re.compile(r"\.(?:[dsxjp]?html?|shtm|jspx?|do|action|aspx?|php\d?|cgi|psp|vm|\d+)")


def normalise(url: str) -> str:
    """Return the one spelling of an address: host and escapes in one case, no default port, dots or fragment.

    Paths keep their case: servers tell `/A` from `/a`. An address that cannot be read is returned stripped.
    """
    if _TIDY.fullmatch(url):
        return url
    text = _BLANK.sub("", url.strip())
    match = _SPLIT.fullmatch(text)
    if match is None or match["scheme"].lower() not in _PORTS:
        return text.partition("#")[0]
    scheme = match["scheme"].lower()
    rest, _, _ = match["rest"].partition("#")
    path, mark, query = rest.partition("?")
    authority, slash, path = path.replace("\\", "/").lstrip("/").partition("/")
    host = _authority(authority, _PORTS[scheme])
    tail = f"?{_escape(query)}" if mark and query else ""
    return f"{scheme}://{host}{_without_dots(_escape(slash + path))}{tail}"


def follow(base: str, location: str) -> str:
    """Return the target of a redirect, its raw bytes (UTF-8 or GBK) escaped as they came."""
    raw = location.encode("utf-8", "surrogateescape")
    text = "".join(chr(byte) if byte < 0x80 else f"%{byte:02X}" for byte in raw)
    try:
        return normalise(urljoin(base, text.strip()))
    except ValueError:
        return text


def _authority(text: str, default_port: str) -> str:
    user, at, place = text.rpartition("@")
    host, colon, port = place.rpartition(":")
    if not colon or not (port.isdigit() or not port) or place.endswith("]"):
        host, port = place, ""
    host = _host(host)
    port = port.lstrip("0")
    return f"{user}{at}{host}" + (f":{port}" if port and port != default_port else "")


def _host(text: str) -> str:
    host = unquote(text).rstrip(".").lower() if "%" in text else text.rstrip(".").lower()
    if host.isascii():
        return host
    try:
        return idna.encode(host, uts46=True).decode()
    except (idna.IDNAError, UnicodeError):
        return host


def _escape(text: str) -> str:
    if "%" in text:
        text = _ESCAPE.sub(_tidy_escape, text)
    return _UNSAFE.sub(_escaped, text)


def _tidy_escape(match: re.Match[str]) -> str:
    char = chr(int(match[1], 16))
    return char if char in _UNRESERVED else f"%{match[1].upper()}"


def _escaped(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogatepass"))


def _without_dots(path: str) -> str:
    if "/." not in path:
        return path or "/"
    kept: list[str] = []
    parts = path.split("/")[1:]
    for part in parts:
        if part == "..":
            del kept[-1:]
        elif part != ".":
            kept.append(part)
    if parts[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def is_home(url: str) -> bool:
    """Tell whether an address is a home page: the root or its index page."""
    parts = urlsplit(url)
    return bool(_HOME.fullmatch(parts.path)) and len(parts.query) < 40


def leads_home(target: str, final: str) -> bool:
    """Tell whether a redirect ended on a home page though the target was another page.

    An address that names the place it forwards to in its query (`/out?to=http://other/`) is no such case.
    """
    if target == final or not is_home(final) or is_home(target):
        return False
    parts = urlsplit(target)
    if _TONGUE.fullmatch(parts.path):
        return False
    return (urlsplit(final).hostname or "\n") not in unquote(parts.query)


def is_error_page(url: str) -> bool:
    """Tell whether an address names itself an error page."""
    return bool(_ERROR_PAGE.search(urlsplit(url).path[-40:]))


def extension(url: str) -> str:
    """Return the extension of an address's path in lower case, or an empty string."""
    name = urlsplit(url).path.rpartition("/")[2]
    match = _EXTENSION.search(name)
    return match[0].lower() if match else ""


def is_file(url: str) -> bool:
    """Tell whether an address names a file rather than a page."""
    found = extension(url)
    return bool(found) and not _PAGE.fullmatch(found)


def neighbourhood(url: str) -> tuple[str, str, str]:
    """Return what addresses answered by the same handler share: origin, first folder, extension."""
    parts = urlsplit(url)
    first, slash, _ = parts.path[1:].partition("/")
    folder = re.sub(r"\d+", "0", first) if slash else ""
    return f"{parts.scheme}://{parts.netloc}", folder, extension(url)


def made_up(url: str) -> str:
    """Return an address beside this one that nobody has published; the same one each time."""
    parts = urlsplit(url)
    folder = parts.path.rpartition("/")[0]
    name = hashlib.sha256("|".join(neighbourhood(url)).encode()).hexdigest()[:20]
    return f"{parts.scheme}://{parts.netloc}{folder}/{name}{extension(url)}"
