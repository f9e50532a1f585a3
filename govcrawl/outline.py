"""Where on a page an occurrence shows: what the browser has to outline, read from the page's own source."""

from __future__ import annotations

import re
from collections.abc import Iterator

from govcrawl.extract.links import absolute
from govcrawl.extract.text import view
from govcrawl.items import Evidence, Page

_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_QUOTED = re.compile(r"“([^”]{2,80})”")
_LIST = re.compile(r"(?i)list|pgcontainer|nodata|no-data|empty|right-con|main|content|article|^con$|^c\d$")
_WHOLE = 8  # forms of a date that name the year
_SHORT = 80  # characters a block holds that is empty but for a notice
_FOOT = re.compile(r"(?i)foot|copyright|bottom")
_HEAD = re.compile(r"(?i)^head|header|logo|banner|top")
_MISSING = re.compile("未见.{0,20}(?:栏目|办事服务|渠道)")
_MENU = re.compile(r"(?i)^(?:main-?|top-?)?(?:nav|menu)")
_FOOT_WORDS = ("主办单位", "主办", "版权所有", "承办", "备案", "网站标识码", "技术支持")
_BLOCKS = ("div", "ul", "table", "section", "main", "footer", "header", "dl", "td")


def outline(page: Page, seen: Evidence) -> tuple[str, ...]:
    """Return the CSS selector, address or text that shows the occurrence; nothing where none does."""
    if seen.selector.startswith(("http://", "https://")):
        return _link(page, seen.url)
    if seen.selector:
        return (seen.selector,)
    text = re.sub(r"\s+", " ", view(page).text)
    return (
        _date(text, seen.observed)
        or _part(page, seen, text)
        or next(((word,) for word in _words(seen) if word in text), ())
    )


def shown_on(seen: Evidence) -> str:
    """Return the address of the page that shows an occurrence: a dead link stands on the page that has it."""
    return seen.selector if seen.selector.startswith(("http://", "https://")) else seen.url


def _link(page: Page, target: str) -> tuple[str, ...]:
    for element in page.tree.iter("a", "area", "img", "iframe", "frame"):
        name = "src" if element.tag in ("img", "iframe", "frame") else "href"
        raw = element.get(name)
        if raw and absolute(page, raw) == target:
            return (f"[{name}={_quoted(raw)}]",)
    return (target,)


def _date(text: str, observed: str) -> tuple[str, ...]:
    match = _DATE.search(observed)
    if match is None:
        return ()
    year, month, day = match.groups()
    low = (str(int(month)), str(int(day)))
    forms = [f"{year}{mark}{month}{mark}{day}" for mark in "-./"] + [
        f"{year}{mark}{low[0]}{mark}{low[1]}" for mark in "-./"
    ]
    forms += [f"{year}年{month}月{day}日", f"{year}年{low[0]}月{low[1]}日"]
    forms += [f"{month}{mark}{day}" for mark in "-./"] + [f"{month}月{day}日", f"{low[0]}月{low[1]}日"]
    if shown := next((form for form in forms if form in text), ""):
        return (shown,)
    # A list that scripts fill is not in the source: the browser looks for unmistakable forms and the name.
    named = _QUOTED.findall(observed)[:1]
    return (*forms[:_WHOLE], *named) if named else ()


def _part(page: Page, seen: Evidence, text: str) -> tuple[str, ...]:
    """Return the part of the page in which something is missing: footer, header, menu or empty list."""
    if "页脚" in f"{seen.observed}{seen.expected}":
        return _named(page, _FOOT, last=True) or next(((word,) for word in _FOOT_WORDS if word in text), ())
    if "页头" in seen.observed:
        return _named(page, _HEAD)
    if _MISSING.match(seen.observed):
        return _menu(page)
    return _empty(page) if seen.expected == "有内容" else ()


def _menu(page: Page) -> tuple[str, ...]:
    """Return the menu a column is missing from."""
    if page.tree.find(".//nav") is not None:
        return ("nav",)
    return _named(page, _MENU)


def _empty(page: Page) -> tuple[str, ...]:
    """Return the block a list should fill; a block that also holds menu and footer shows nothing."""
    for element in page.tree.iter(*_BLOCKS):
        handle = next((chosen for name, chosen in _handles(element) if _LIST.search(name)), "")
        if handle and len(" ".join(element.itertext()).strip()) <= _SHORT:
            return (handle,)
    return ()


def _named(page: Page, names: re.Pattern[str], *, last: bool = False) -> tuple[str, ...]:
    """Return a selector of the first (or last) block whose id or class has such a name."""
    found = [
        selector
        for element in page.tree.iter(*_BLOCKS)
        if (selector := next((chosen for name, chosen in _handles(element) if names.search(name)), ""))
    ]
    return ((found[-1] if last else found[0]),) if found else ()


def _handles(element: object) -> Iterator[tuple[str, str]]:
    get = element.get  # type: ignore[attr-defined]
    tag = str(element.tag)  # type: ignore[attr-defined]
    if tag in ("footer", "header", "main"):
        yield tag, tag
    if name := get("id"):
        yield name, f"[id={_quoted(name)}]"
    for name in (get("class") or "").split():
        yield name, f"{tag}[class~={_quoted(name)}]"


def _quoted(value: str) -> str:
    """Return a CSS string; control characters cannot stand in it as they are."""
    return '"' + re.sub(r'["\\\x00-\x1f]', lambda match: f"\\{ord(match[0]):x} ", value) + '"'


def _words(seen: Evidence) -> Iterator[str]:
    yield from _QUOTED.findall(seen.observed)
    for text in (seen.observed.rpartition("：")[2], seen.observed, seen.excerpt):
        if 2 <= len(text.strip()) <= 80:
            yield re.sub(r"\s+", " ", text).strip()
    yield from (word for word in seen.observed.split()[:1] if len(word) >= 2)
