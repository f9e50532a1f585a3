"""One walk over a parsed page: visible text with block breaks, where each element stands, what scripts write."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote

from lxml.html import HtmlElement

from govcrawl.items import Page, parse

_BLOCKS = frozenset(
    "address article aside blockquote body br center dd details div dl dt fieldset figcaption figure footer form "
    "h1 h2 h3 h4 h5 h6 header hr iframe legend li main nav ol p pre section summary table tbody tfoot thead tr "
    "ul option select textarea title".split()
)
_CELLS = frozenset(("td", "th"))
_SILENT = frozenset(
    "script style noscript template object svg math select textarea title head audio video canvas".split()
)
_KEPT = frozenset("a img script iframe frame meta title h1 h2 h3 form input textarea link area embed".split())
_HIDING = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.I)

Element = HtmlElement
Span = tuple[int, int]


@dataclass(slots=True)
class View:
    """What a reader sees of a document, in reading order.

    `text` has runs of white space collapsed, a line break between blocks and a tab between table cells; `spans`
    gives each element's range in it. `nodes` holds the elements readings ask for, by tag, in document order;
    those under `display:none` are in `hidden` too, their text in `hidden_text`.
    """

    text: str = ""
    hidden_text: str = ""
    spans: dict[Element, Span] = field(default_factory=dict)
    nodes: dict[str, list[Element]] = field(default_factory=dict)
    named: list[tuple[Element, str]] = field(
        default_factory=list
    )  # elements with an id or a class, lower case
    hidden: set[Element] = field(default_factory=set)

    def of(self, element: Element) -> str:
        """Return the visible text of an element."""
        start, end = self.spans.get(element, (0, 0))
        return self.text[start:end].strip()

    def all(self, *tags: str, hidden: bool = False) -> list[Element]:
        """Return the elements of these tags, without the hidden ones unless asked for."""
        return [
            element
            for tag in tags
            for element in self.nodes.get(tag, ())
            if hidden or element not in self.hidden
        ]


def view(page: Page) -> View:
    """Return the page's View, made once and shared by its readings."""
    found = page.cache.get("view")
    if not isinstance(found, View):
        found = page.cache["view"] = walk(page.tree)
    return found


def walk(root: Element) -> View:
    """Read a tree once, without recursion, so that deep nesting costs no stack."""
    result = View()
    seen, unseen = _Buffer(), _Buffer()
    spans, nodes, named, hidden = result.spans, result.nodes, result.named, result.hidden
    stack: list[tuple[Element, str, int]] = []
    silent = concealed = None  # the element that opened a silent or hidden stretch
    for element in root.iter():
        parent = element.getparent() if stack else None
        while stack and stack[-1][0] is not parent:
            silent, concealed = _close(stack.pop(), spans, seen, unseen, silent, concealed)
        tag = element.tag
        if not isinstance(tag, str):  # a comment: only what follows it is text
            stack.append((element, "", 0))
            continue
        if tag in _BLOCKS:
            (unseen if concealed is not None else seen).gap("\n")
        elif tag in _CELLS:
            (unseen if concealed is not None else seen).gap("\t")
        stack.append((element, tag, seen.size))
        attributes = element.attrib
        if attributes:
            name = f"{attributes.get('id', '')} {attributes.get('class', '')}"
            if len(name) > 1:
                named.append((element, name.lower()))
            if concealed is None and _conceals(attributes.get("style"), attributes, tag):
                concealed = element
        if tag in _KEPT:
            nodes.setdefault(tag, []).append(element)
            if concealed is not None:
                hidden.add(element)
        if silent is None and tag in _SILENT:
            silent = element
        text = element.text
        if text and silent is None:
            (unseen if concealed is not None else seen).add(text)
    while stack:
        silent, concealed = _close(stack.pop(), spans, seen, unseen, silent, concealed)
    result.text, result.hidden_text = seen.value(), unseen.value()
    return result


def _close(
    entry: tuple[Element, str, int],
    spans: dict[Element, Span],
    seen: _Buffer,
    unseen: _Buffer,
    silent: Element | None,
    concealed: Element | None,
) -> tuple[Element | None, Element | None]:
    element, tag, start = entry
    if tag:
        spans[element] = (start, seen.size)
        if tag in _BLOCKS:
            (unseen if concealed is not None else seen).gap("\n")
        if element is silent:
            silent = None
        if element is concealed:
            concealed = None
    tail = element.tail
    if tail and silent is None:
        (unseen if concealed is not None else seen).add(tail)
    return silent, concealed


def _conceals(style: str | None, attributes: object, tag: str) -> bool:
    if style and ("none" in style or "hidden" in style.lower()) and _HIDING.search(style[:2000]):
        return True
    return "hidden" in attributes and tag != "input"  # type: ignore[operator]


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
        if not words:
            if not self._gap:
                self._gap = " "
            return
        if text[0].isspace() and not self._gap:
            self._gap = " "
        if self._gap:
            if self.size:
                self._parts.append(self._gap)
                self.size += 1
            self._gap = ""
        joined = words[0] if len(words) == 1 else " ".join(words)
        self._parts.append(joined)
        self.size += len(joined)
        if text[-1].isspace():
            self._gap = " "

    def value(self) -> str:
        return "".join(self._parts)


_LITERAL = re.compile(
    r"//[^\n]*|/\*(?:[^*]|\*(?!/))*\*/"
    r"|'((?:[^'\\\n]|\\[\s\S])*)'"
    r'|"((?:[^"\\\n]|\\[\s\S])*)"'
    r"|`((?:[^`\\]|\\[\s\S])*)`"
)
_JOINT = re.compile(r"\s*\+(?:[\s\w.$()\[\]]*\+)?\s*")
_ESCAPE = re.compile(r"\\(?:u\{([0-9a-fA-F]{1,6})\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|\r?\n|([\s\S]))")
_PERCENT_U = re.compile(r"%u([0-9a-fA-F]{4})")
_INTERPOLATED = re.compile(r"\$\{[^{}]*\}")
_PLAIN = {"n": "\n", "t": "\t", "r": "\r", "b": "", "f": "", "v": "", "0": ""}
_MARKUP = re.compile(r"<\s?/?[a-zA-Z]")
_SCRIPT_LIMIT = 300_000


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
    """Return the HTML a script writes, as far as it stands in string literals; empty where there is none."""
    return "\n".join(text for text in script_strings(source) if _MARKUP.search(text))


def written_view(markup: str) -> View:
    """Read markup that a script writes or a frame shows."""
    return walk(parse(markup))


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
