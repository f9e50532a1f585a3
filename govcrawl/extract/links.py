"""The links of a page: addresses a visitor can follow, pictures and frames included, comments excluded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urljoin, urlsplit

from lxml.html import HtmlElement

from govcrawl.items import Page

_SOURCES = {
    "a": "href",
    "area": "href",
    "img": "src",
    "iframe": "src",
    "frame": "src",
    "embed": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
}
_SKIPPED = re.compile(
    r"(?:javascript|vbscript|mailto|tel|sms|data|about|blob|file|ftp|weixin|tencent|mqq\w{0,20}|thunder)\s{0,4}:",
    re.IGNORECASE,
)
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]{0,30}:")
_TEMPLATE = re.compile(r"\{\{|\$\{|<%|<\w|['\"]\s*\+|\+\s*['\"]|\[\[")
_SPACE = re.compile(r"[\t\r\n]+")
_UNSAFE = re.compile(r"[^\x21-\x7e]|[\"<>\\^`{|}]")
# What a script opens when a visitor clicks: the address stands in the call.
_OPENED = re.compile(
    r"""(?:window\.open|location\.(?:assign|replace)|\b(?:open|go|goto|jump|link|view|show|detail)\w{0,20})\s{0,3}"""
    r"""\(\s{0,3}['"]([^'"\s]{1,300})['"]|location(?:\.href)?\s{0,3}=\s{0,3}['"]([^'"\s]{1,300})['"]""",
    re.IGNORECASE,
)
_PATH = re.compile(
    r"(?:https?:/)?/\S|\.{1,2}/\S|[\w/-]{1,200}\.(?:s?html?|jsp|aspx?|php|do)(?:$|\?)", re.IGNORECASE
)
_ATTACHMENT = re.compile(
    r"\.(?:docx?|xlsx?|pptx?|wps|et|pdf|ofd|rar|zip|7z|txt|csv|jpe?g|png|gif|bmp|mp[34]|wmv|flv|avi)$",
    re.IGNORECASE,
)
URL_LIMIT = 2048


@dataclass(frozen=True, slots=True)
class Link:
    """One distinct target of a page: its address, its first text and the tag that carries it."""

    url: str
    text: str
    tag: str

    @property
    def is_attachment(self) -> bool:
        """Tell by the address whether the target is a file rather than a page."""
        return bool(_ATTACHMENT.search(urlsplit(self.url).path))


def absolute(page: Page, href: str) -> str:
    """Return the absolute http(s) address of an href, without fragment; empty if it leads nowhere."""
    href = (_SPACE.sub("", href) if "\n" in href or "\t" in href or "\r" in href else href).strip()
    if not href or href[0] == "#" or len(href) > URL_LIMIT:
        return ""
    base = page.base_url
    if href[0] == "/" or "://" in href:
        base = (
            base[: base.find("/", 8)] if base.find("/", 8) > 0 else base
        )  # menus repeat on every page of a site
    return _resolved(base, href)


@lru_cache(maxsize=32_768)
def _resolved(base: str, href: str) -> str:
    if _SKIPPED.match(href) or _TEMPLATE.search(href):
        return ""
    try:
        url = href if _SCHEME.match(href) else urljoin(base, href)
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme.lower() not in ("http", "https") or not host:
        return ""
    netloc = host.lower() if ":" not in host else f"[{host.lower()}]"
    if port and (parts.scheme.lower(), port) not in (("http", 80), ("https", 443)):
        netloc = f"{netloc}:{port}"
    path = _dots(parts.path) or "/"
    query = f"?{parts.query}" if parts.query else ""
    url = f"{parts.scheme.lower()}://{netloc}{path}{query}"
    return _quote(url)


def _dots(path: str) -> str:
    if "/." not in path:
        return path
    return urlsplit(urljoin("http://h/", path)).path


def _quote(url: str) -> str:
    if not _UNSAFE.search(url):
        return url
    return _UNSAFE.sub(lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode()), url)


def read_links(page: Page) -> tuple[Link, ...]:
    """Return the distinct link targets of a page in document order, with the first text that names each."""
    cached = page.cache.get("links")
    if cached is not None:
        return cached  # type: ignore[return-value]
    found: dict[str, Link] = {}
    for element, url, text in _sources(page):
        if url not in found:
            found[url] = Link(url, text[:200], element.tag)
    links = tuple(found.values())
    page.cache["links"] = links
    return links


def _sources(page: Page) -> tuple[tuple[HtmlElement, str, str], ...]:
    """Return (element, absolute url, text) of every element that leads somewhere or shows a file."""
    cached = page.cache.get("sources")
    if cached is not None:
        return cached  # type: ignore[return-value]
    resolved: dict[str, str] = {}
    found = []
    for element in page.tree.iter(*_SOURCES):
        tag = element.tag
        href = element.get(_SOURCES[tag])
        if not href:
            continue
        url = resolved.get(href)
        if url is None:
            url = resolved[href] = absolute(page, href)
        if not url and tag == "a":
            url = absolute(page, _opened(element, href))
        if url:
            found.append((element, url, element.get("alt", "") if tag == "img" else anchor_text(element)))
    page.cache["sources"] = result = tuple(found)
    return result


def _opened(element: HtmlElement, href: str) -> str:
    """Return the address an anchor's script opens, where it stands in the call; else nothing."""
    for source in (element.get("onclick") or "", href if href[:11].lower() == "javascript:" else ""):
        match = _OPENED.search(source[:1_000]) if source else None
        if match and _PATH.match(target := match[1] or match[2]):
            return target
    return ""


def anchor_text(element: HtmlElement) -> str:
    """Return the visible text of an anchor, or its title, or the alt text of the picture in it."""
    whole = "".join(element.itertext()) if len(element) else element.text or ""
    if text := " ".join(whole.split()):
        return text
    title = (element.get("title") or "").strip()
    if title:
        return title
    if element.tag == "area":
        return (element.get("alt") or "").strip()
    image = element.find(".//img") if len(element) else None
    return (image.get("alt") or image.get("title") or "").strip() if image is not None else ""


def anchors(page: Page) -> tuple[tuple[HtmlElement, str, str], ...]:
    """Return (element, absolute url, text) of every `a` with an address, repeated targets included."""
    cached = page.cache.get("anchors")
    if cached is not None:
        return cached  # type: ignore[return-value]
    page.cache["anchors"] = result = tuple(one for one in _sources(page) if one[0].tag in ("a", "area"))
    return result
