"""Labelled parts of a page: under a heading, in a table row, after `名称：`, in a definition list."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from govcrawl.extract.footer import footer_marked, footer_start
from govcrawl.extract.text import view
from govcrawl.items import Page

_NUMBER = re.compile(r"[（(【\[]?(?:第?[一二三四五六七八九十]{1,3}|\d{1,2})[)）】\]]?[、.．:：步\s]?")
_SUFFIX = re.compile(r"(?:如下|包括|（[^（）]{0,12}）|\([^()]{0,12}\)|[*：:\s]|】|\]|>|》){1,8}$")
_JOINT = re.compile(r"[及和与、/，,（(]")
_BOXED = re.compile(r"\s{0,4}[【\[［〔]([^【】\[\]［］〔〕\n]{2,20})[】\]］〕]\s{0,2}[:：]?")
_SPACES = re.compile(r"\s+")
_TRIM = "\u3000 \t*·•●◆■▪★☆※-—>＞【[《"
_LONGEST = 24  # a label with its number


@dataclass(frozen=True, slots=True)
class Part:
    """One labelled part: its name, the value beside or under the label, and the value's range in the text."""

    name: str
    value: str
    start: int
    end: int

    @property
    def empty(self) -> bool:
        """Tell whether nothing stands under the label."""
        return not self.value.strip(" ：:-—–_/|\t\n")


def label_of(text: str, names: Mapping[str, str], joint: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names a label means; more than one for `办理地点及电话`, none where it is no label.

    `joint` names the short forms that count only within such a pair.
    """
    if not 2 <= len(text) <= _LONGEST:
        return ()
    plain = text.strip(_TRIM)
    if match := _NUMBER.match(plain):
        plain = plain[match.end() :] or plain
    plain = _SUFFIX.sub("", _SPACES.sub("", plain)).strip(_TRIM)
    if plain in names:
        return (names[plain],)
    pieces = [piece for piece in _JOINT.split(plain) if piece]
    if len(pieces) < 2:
        return ()
    found = [names.get(piece) or joint.get(piece) for piece in pieces]
    return tuple(dict.fromkeys(name for name in found if name)) if all(found) else ()


def read_parts(
    page: Page, names: Mapping[str, str], joint: Mapping[str, str], weak: Collection[str] = ()
) -> tuple[Part, ...]:
    """Return the labelled parts of a page's main text in their order, the footer left out.

    `names` maps the labels in use to the names of the parts. A label of a part in `weak` that stands alone on
    its line is believed only after another label: menus carry such words too. A footer does so as
    well; where it begins is, unless the page marks it, a guess that the last label of another part overrules.
    """
    text, foot = view(page).text, footer_start(page)
    parts = split_parts(text, names, joint, weak)
    if footer_marked(page):
        parts = tuple(part for part in parts if part.start < foot)
    kept = (
        max((at for at, part in enumerate(parts) if part.start <= foot or part.name not in weak), default=-1)
        + 1
    )
    while 0 < kept < len(parts) and parts[kept - 1].value.count("\n") <= 1:
        kept += 1
    return (*parts[: kept - 1], _ended(parts[kept - 1], foot)) if kept else ()


def _ended(part: Part, foot: int) -> Part:
    """Return the last part without the footer behind it."""
    if part.end <= foot:
        return part
    value = part.value[: foot - part.start] if part.start < foot else "\n".join(part.value.split("\n")[:3])
    return Part(part.name, value.strip(), part.start, max(foot, part.start + len(value)))


def split_parts(
    text: str, names: Mapping[str, str], joint: Mapping[str, str], weak: Collection[str] = ()
) -> tuple[Part, ...]:
    """Return the labelled parts of a text with line breaks between blocks and tabs between cells."""
    return _Splitter(names, joint, frozenset(weak)).run(text)


class _Splitter:
    def __init__(self, names: Mapping[str, str], joint: Mapping[str, str], weak: frozenset[str]) -> None:
        self.names, self.joint, self.weak = names, joint, weak
        self.parts: list[Part] = []
        self.open: tuple[str, ...] = ()
        self.start = 0
        self.heads: list[tuple[str, ...]] = []  # of a table whose first row holds the labels

    def run(self, text: str) -> tuple[Part, ...]:
        position = 0
        for line in text.split("\n"):
            self.line(line, position, text)
            position += len(line) + 1
        self.close(len(text), text)
        return tuple(self.parts)

    def line(self, line: str, start: int, text: str) -> None:
        cells = line.split("\t")
        if self.heads and len(cells) <= len(self.heads):
            self.row(cells, start)
            return
        self.heads = []
        found = [self.label(cell) for cell in cells]
        if len(cells) > 1 and all(names and not value for names, value in found):
            self.close(start, text)
            self.heads = [names for names, _ in found]
            return
        for cell, (names, offset) in zip(cells, found, strict=True):
            alone = len(cells) == 1 and not offset and not cell.endswith(("：", ":"))
            if names and not (alone and not self.parts and not self.open and set(names) <= self.weak):
                self.close(start, text)
                self.open, self.start = names, start + (offset or len(cell))
            start += len(cell) + 1

    def label(self, cell: str) -> tuple[tuple[str, ...], int]:
        """Return the names a cell begins with, and where the value begins (0: none beside the label)."""
        colon = next((place for place in (cell.find("："), cell.find(":")) if 0 < place <= _LONGEST), 0)
        if colon and (names := label_of(cell[:colon], self.names, self.joint)):
            return names, colon + 1 if cell[colon + 1 :].strip() else 0
        if len(cell) <= _LONGEST and (names := label_of(cell, self.names, self.joint)):
            return names, 0
        if (boxed := _BOXED.match(cell)) and (names := label_of(boxed[1], self.names, self.joint)):
            return names, boxed.end() if cell[boxed.end() :].strip() else 0
        head, _, rest = cell.lstrip().partition(" ")
        if rest and (names := label_of(head, self.names, self.joint)):
            return names, cell.find(rest)
        return (), 0

    def row(self, cells: list[str], start: int) -> None:
        if len(cells) < len(self.heads):  # empty cells leave no trace: which ones they were cannot be told
            cells = ["\t".join(cells)] * len(self.heads)
        for names, cell in zip(self.heads, cells, strict=True):
            self.parts += [Part(name, cell.strip(), start, start + len(cell)) for name in names]
            start += len(cell) + 1
        self.heads = []

    def close(self, end: int, text: str) -> None:
        for name in self.open:
            self.parts.append(Part(name, text[self.start : end].strip(), self.start, end))
        self.open = ()
