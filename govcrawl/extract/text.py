"""One walk over a parsed page: visible text with block breaks, spans of elements, strings in scripts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from html import escape
from typing import TypeAlias, cast
from urllib.parse import unquote

from lxml import etree
from lxml.html import HtmlElement

from govcrawl.items import Page, parse

Element: TypeAlias = HtmlElement
Span = tuple[int, int]

_BLOCKS = {
    *(
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "br",
        "center",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
    ),
    *(
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
    ),
    *("iframe", "legend", "li", "main", "nav", "ol", "option", "p", "pre", "section", "select", "summary"),
    *("table", "tbody", "textarea", "tfoot", "thead", "title", "tr", "ul"),
}
_GAPS = dict.fromkeys(_BLOCKS, "\n") | dict.fromkeys(("td", "th"), "\t")
_SILENT = {
    *(
        "script",
        "style",
        "noscript",
        "template",
        "object",
        "svg",
        "math",
        "select",
        "textarea",
        "title",
        "head",
    ),
    *("audio", "video", "canvas"),
}
_KEPT = {
    *(
        "a",
        "img",
        "script",
        "iframe",
        "frame",
        "meta",
        "title",
        "h1",
        "h2",
        "h3",
        "form",
        "input",
        "textarea",
    ),
    *("link", "area", "embed"),
}
_NAME_LIMIT = 300  # of an id and class together: names are kept from page to page
_HIDING = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)


@dataclass(slots=True)
class View:
    """What a reader sees of a document, in reading order.

    `text` has runs of white space collapsed, a line break between blocks and a tab between table cells;
    `spans` gives each element's range in it. `nodes` holds the elements readings ask for, by tag, in document
    order; those under `display:none` are in `hidden` too, their text in `hidden_text`.
    """

    text: str = ""
    hidden_text: str = ""
    spans: dict[Element, Span] = field(default_factory=dict)
    nodes: dict[str, list[Element]] = field(default_factory=dict)
    hidden: set[Element] = field(default_factory=set)
    root: Element | None = None
    styled: list[tuple[Element, str]] = field(default_factory=list)  # elements with a style, and it
    clicked: list[tuple[Element, str]] = field(default_factory=list)  # elements with an onclick, and it
    anchors: list[int] | None = None  # see imprint_anchors
    names: list[tuple[str, Element]] = field(default_factory=list)  # "id class" in lower case
    distinct: set[str] | None = None  # the same names, once each; see named

    def named(self, pattern: re.Pattern[str]) -> list[Element]:
        """Return the elements whose id or class matches a lower-case pattern, in document order."""
        if self.distinct is None:
            self.distinct = {name for name, _ in self.names}
        fitting = set(filter(_fits(pattern), self.distinct))
        return [item for name, item in self.names if name in fitting] if fitting else []

    def of(self, element: Element) -> str:
        """Return the visible text of an element."""
        start, end = self.spans.get(element, (0, 0))
        return self.text[start:end].strip()

    def size(self, element: Element) -> int:
        """Return how much visible text an element has."""
        start, end = self.spans.get(element, (0, 0))
        return end - start

    def all(self, *tags: str, hidden: bool = False) -> list[Element]:
        """Return the elements of these tags, without the hidden ones unless asked for."""
        found = [element for tag in tags for element in self.nodes.get(tag, ())]
        return found if hidden or not self.hidden else [item for item in found if item not in self.hidden]


def view(page: Page) -> View:
    """Return the page's View, made once and shared by its readings."""
    found = page.cache.get("view")
    if not isinstance(found, View):
        found = page.cache["view"] = walk(page.tree)
    return found


def elements(path: etree.XPath, root: Element) -> list[Element]:
    """Return the elements a compiled XPath selects."""
    return cast("list[Element]", path(root))


def walk(root: Element) -> View:
    """Read a tree once, without recursion, so that deep nesting costs no stack."""
    return _Walk(root).result


class _Walk:
    """One pass over a tree; it runs for every page, so what each element needs stands in line."""

    __slots__ = ("concealed", "open", "out", "result", "seen", "silent", "unseen")

    def __init__(self, root: Element) -> None:
        self.result = View(root=root)
        self.seen, self.unseen = _Buffer(), _Buffer()
        self.out = self.seen  # where text goes now: the other one in a hidden stretch
        self.open: list[tuple[Element, str, int]] = []
        self.silent: Element | None = None  # the element that opened a stretch without text
        self.concealed: Element | None = None  # and the one that opened a hidden stretch
        self.run(root)
        self.result.text, self.result.hidden_text = self.seen.value(), self.unseen.value()

    def run(self, root: Element) -> None:
        """Visit every node in document order, closing what ended before it."""
        stack, seen, nodes, gaps = self.open, self.seen, self.result.nodes, _GAPS
        for element in root.iter():
            if stack and stack[-1][0] is not (parent := element.getparent()):
                self.close(parent)
            tag = element.tag
            if tag.__class__ is not str:  # a comment: only what follows it is text
                stack.append((element, "", 0))
                continue
            if tag in gaps:
                self.out.gap(gaps[tag])
            stack.append((element, tag, seen.size))
            if attributes := element.items():
                self.note(element, attributes)
            if tag in _KEPT:
                nodes.setdefault(tag, []).append(element)
                if self.concealed is not None:
                    self.result.hidden.add(element)
            if self.silent is None:
                if tag in _SILENT:
                    self.silent = element
                elif text := element.text:
                    self.out.add(text)
        self.close(None)

    def note(self, element: Element, attributes: list[tuple[str, str]]) -> None:
        """Take note of what an element's attributes say: its name, a click, that it is hidden."""
        identity = sort = style = ""
        hides = False
        for key, value in attributes:
            if key == "class":
                sort = value
            elif key == "id":
                identity = value
            elif key == "style":
                style = value
            elif key == "onclick":
                self.result.clicked.append((element, value))
            elif key == "hidden":
                hides = element.tag != "input"
        if sort or identity:
            self.result.names.append((f"{identity} {sort}"[:_NAME_LIMIT].lower(), element))
        if style:
            self.result.styled.append((element, style))
            hides = hides or _conceals(style)
        if hides and self.concealed is None:
            self.concealed, self.out = element, self.unseen

    def close(self, parent: Element | None) -> None:
        """End the open elements below `parent`, taking the text behind each."""
        stack, spans, gaps = self.open, self.result.spans, _GAPS
        while stack and stack[-1][0] is not parent:
            element, tag, start = stack.pop()
            if tag:
                spans[element] = (start, self.seen.size)
                if tag in gaps:
                    self.out.gap(gaps[tag])
                if element is self.silent:
                    self.silent = None
                if element is self.concealed:
                    self.concealed, self.out = None, self.seen
            if self.silent is None and (tail := element.tail):
                self.out.add(tail)


def _conceals(style: str) -> bool:
    return ("none" in style or "hidden" in style) and _HIDING.search(style[:2000]) is not None


@lru_cache(maxsize=64)
def _fits(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    """Return the test whether a pattern is in a name; the pages of a site share their names."""
    return lru_cache(maxsize=4096)(lambda name: pattern.search(name) is not None)


class _Buffer:
    """Collects text with collapsed white space and remembers the pending gap."""

    __slots__ = ("_gap", "_parts", "size")

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._gap = ""
        self.size = 0

    def gap(self, kind: str) -> None:
        if self._gap != "\n":
            self._gap = kind

    def add(self, text: str) -> None:
        words = text.split()
        gap = self._gap
        if not words:
            self._gap = gap or " "
            return
        if not gap and text[0].isspace():
            gap = " "
        if gap and self.size:
            self._parts.append(gap)
            self.size += 1
        joined = words[0] if len(words) == 1 else " ".join(words)
        self._parts.append(joined)
        self.size += len(joined)
        self._gap = " " if text[-1].isspace() else ""

    def value(self) -> str:
        return "".join(self._parts)


# Numbers that stand in footers only, and words of the lines round them.
# Every alternative begins with a character of its own: the engine skips all other text.
_REGISTERED = re.compile(
    r"I[Cc][Pp][)）]?\s?备[^\d\n]{0,10}\d{5}|i[Cc][Pp][)）]?\s?备[^\d\n]{0,10}\d{5}"
    r"|网安备[^\d\n]{0,10}\d{6}|公(?:安\s?网备|安(?:机关|部)?备案?|网备案?)[^\d\n]{0,10}\d{6}"
    r"|标识码[^\w]{0,4}\w{0,2}\d{8}"
)
_CLAIMED = re.compile(
    r"版权所有|Copyright|copyright|COPYRIGHT|©|Rights? [Rr]eserved|rights? [Rr]eserved"
    r"|主办(?:单位|方)?[:：]\S{4,40}\s+承办"
)
_IMPRINT = re.compile(
    r"[主承协]办|版权|地\s?址|邮\s?编|邮政编码|电\s?话|传真|邮箱|技术支持|运行维护|建设单位|建议使用|分辨率|联系|关于|声明|网站地图|"
    r"站点地图|标识码|备案|公网安备|微信|微博|客户端|公众号|隐私|使用帮助|友情链接|相关链接|访问量|copyright|rss|中文域名|ipv6",
    re.IGNORECASE,
)
_ENDING = re.compile(r"打印|关闭|分享|[上下]一[篇条]|编辑|来源|附件|返回|。\s?$")
_SHORT_PAGE = 600
_TAIL = 8_000  # text at the end of a page that can hold its imprint


def imprint_anchors(of: View) -> list[int]:
    """Return where a page's registration numbers stand, or else its claims of copyright: the last six."""
    if of.anchors is None:
        text = of.text
        found = [match.start() for match in _REGISTERED.finditer(text, max(0, len(text) - _TAIL))]
        if not found:
            begin = 0 if len(text) < _SHORT_PAGE else max(len(text) // 2, len(text) - _TAIL)
            found = [match.start() for match in _CLAIMED.finditer(text, begin)]
        of.anchors = found[-6:]
    return of.anchors


def imprint_start(text: str, anchor: int) -> int:
    """Return where the lines that read like a footer begin, going up from an anchor past one strange line."""
    start = text.rfind("\n", 0, anchor) + 1
    position, strange = start, 0
    while position > 0 and strange < 2:
        above = text.rfind("\n", 0, position - 1) + 1
        line = text[above : position - 1]
        position = above
        if _ENDING.search(line[-200:]):
            break
        if _IMPRINT.search(line[:300]):
            start, strange = above, 0
        else:
            strange += 1 if len(line) <= 30 else 2
    return start


# Every alternative ends where its line or the text ends at the latest: an open quote costs no second look.
_LITERAL = re.compile(
    r"//[^\n]*|/\*[^*]*(?:\*(?!/)[^*]*)*(?:\*/|\Z)"
    r"|(?:(?<=[(,=:!&|?;{}])|(?<=[(,=:] ))/(?![*/])(?:[^/\\\n\[]|\\.|\[[^\]\n]{0,60}\]){1,120}/"
    r"|'([^'\\\n]*(?:\\[\s\S][^'\\\n]*)*)(?:'|(?=\n)|\\?\Z)"
    r'|"([^"\\\n]*(?:\\[\s\S][^"\\\n]*)*)(?:"|(?=\n)|\\?\Z)'
    r"|`([^`\\]*(?:\\[\s\S][^`\\]*)*)(?:`|\\?\Z)"
)
_JOINT = re.compile(r"\s{0,99}\+(?:[\s\w.$()\[\]]{0,199}\+)?\s{0,99}")
_ESCAPE = re.compile(r"\\(?:u\{([0-9a-fA-F]{1,6})\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|\r?\n|([\s\S]))")
_PERCENT_U = re.compile(r"%u([0-9a-fA-F]{4})")
_INTERPOLATED = re.compile(r"\$\{[^{}]*\}")
_PLAIN = {"n": "\n", "t": "\t", "r": "\r", "b": "", "f": "", "v": "", "0": ""}
_MARKUP = re.compile(r"<\s?/?[a-zA-Z]")
_SCRIPT_LIMIT = 300_000
_SHARED = 20_000  # characters of a script that is remembered


def script_strings(source: str) -> Iterator[str]:
    """Yield the string literals of a script outside its comments, with concatenated ones joined.

    Nothing is executed: escapes (`\\"`, `\\u4e3b`, `%3C`, `%u4E3B`) are undone and what stands between two
    literals is dropped.
    """
    source = source[:_SCRIPT_LIMIT]
    group: list[str] = []
    end = 0
    for match in _LITERAL.finditer(source):
        raw = match[1] if match[1] is not None else match[2] if match[2] is not None else match[3]
        if raw is None:
            continue
        gap = source[end : match.start()]
        if group and not (len(gap) < 200 and _JOINT.fullmatch(gap)):
            yield "".join(group)
            group = []
        group.append(_unescape(_INTERPOLATED.sub("", raw) if match[3] is not None else raw))
        end = match.end()
    if group:
        yield "".join(group)


def written_markup(source: str) -> str:
    """Return the HTML a script writes, as far as it stands in string literals; empty where there is none.

    Plain strings count where they carry a registration number: some scripts set the footer's text only.
    """
    parts = []
    for text in script_strings(source):
        if _MARKUP.search(text):
            parts.append(text)
        elif len(text) < 500 and _NUMBERED.search(text):
            parts.append(f"<p>{escape(text)}</p>")
    return "\n".join(parts)


@dataclass(frozen=True, slots=True)
class Written:
    """A document that a script writes into the page or a frame shows, and where it comes from."""

    view: View
    where: str  # script, included or frame


# Words that tell a script which writes a header or a footer from the many that do not; also escaped.
_PARTS = (
    *("conac", "jiucuo", "标识码", "ICP", "网安备", "公安", "备案", "主办", "找错", "联系我们", "联系电话"),
    *("logo", "head", "foot", "u4e3b", "u4E3B", "u5907", "u6807", "u516c", "u516C"),
)
_NUMBERED = re.compile(r"备案?号?[:：\s]?\d{6}|备\s?\d{6,}|标识码\D{0,4}\w{8,10}|[第备号]\s?\d{8,}")


def written(page: Page) -> tuple[Written, ...]:
    """Return what inline scripts, fetched scripts and fetched frames add to a page, without running any."""
    known = page.cache.get("written")
    if isinstance(known, tuple):
        return known
    found = list(_by_scripts(view(page), "script"))
    for text in page.included.values():
        if text.lstrip()[:1] == "<":
            inner = walk(parse(text))
            found += [Written(inner, "frame"), *_by_scripts(inner, "frame")]
        elif (shown := _shown(text, marks=False)) is not None:
            found += [Written(shown, "included"), *_by_scripts(shown, "included")]
    page.cache["written"] = tuple(found)
    return tuple(found)


def _by_scripts(of: View, where: str) -> Iterator[Written]:
    for script in of.nodes.get("script", ()):
        source = script.text
        if source and _speaks(source) and (shown := _shown(source, marks=True)) is not None:
            yield Written(shown, where)


def _speaks(source: str) -> bool:
    return any(word in source for word in _PARTS)


def _shown(source: str, *, marks: bool) -> View | None:
    """Return the markup a script writes, if any; with `marks` only where it speaks of a header or footer."""
    return (_read_script if len(source) <= _SHARED else _read_script.__wrapped__)(source, marks=marks)


@lru_cache(maxsize=128)
def _read_script(source: str, *, marks: bool) -> View | None:
    """The pages of a site share their scripts: each is read once."""
    markup = written_markup(source)
    return walk(parse(markup)) if markup and (not marks or _speaks(markup)) else None


def _unescape(text: str) -> str:
    if "\\" in text:
        text = _ESCAPE.sub(_char, text)
    if "%3C" in text or "%3c" in text or "%u" in text:
        text = unquote(_PERCENT_U.sub(lambda match: chr(int(match[1], 16)), text))
    return text


def _char(match: re.Match[str]) -> str:
    code = match[1] or match[2] or match[3]
    if code:
        number = int(code, 16)
        return chr(number) if number < 0x110000 and not 0xD800 <= number < 0xE000 else ""
    plain = match[4]
    return "" if plain is None else _PLAIN.get(plain, plain)
