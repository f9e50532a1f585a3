"""Bytes to text: BOM, strict UTF-8, the declared charset, the GB family, then Chinese sets only."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

_META = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w-]{3,20})""", re.I)
_HEADER = re.compile(r"""charset\s*=\s*["']?\s*([\w-]{3,20})""", re.I)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_GB = {"gb2312", "gbk", "gb18030", "x-gbk", "gb_2312-80", "cp936", "ms936", "euc-cn", "csgb2312", "chinese"}


@dataclass(frozen=True, slots=True)
class Decoded:
    """Text, the encoding used, the step that won and the charset that disagreed, if any."""

    text: str
    encoding: str
    step: str  # bom, utf-8, header, meta, gb18030, big5, replace
    conflict: str = ""


def decode(body: bytes, content_type: str = "") -> Decoded:
    """Decode a response body; the bytes decide before a header that contradicts them."""
    header = _canonical(_HEADER.search(content_type))
    meta = _canonical(_META.search(body, 0, 4096))
    conflict = f"header {header}, meta {meta}" if header and meta and header != meta else ""
    for bom, name in _BOMS:
        if body.startswith(bom):
            return Decoded(body[len(bom) :].decode(name, "replace"), name, "bom", conflict)
    try:
        return Decoded(body.decode("utf-8"), "utf-8", "utf-8", conflict)
    except UnicodeDecodeError as error:
        # A cut or slightly damaged UTF-8 page is still UTF-8 when nearly all of it decodes.
        if error.start > 64 and _mostly_utf8(body):
            return Decoded(body.decode("utf-8", "replace"), "utf-8", "utf-8", conflict)
    for step, name in (("meta", meta), ("header", header)):
        text = _strict(body, name) if name and name != "utf-8" else None
        if text is not None:
            return Decoded(text, name, step, conflict)
    for name in ("gb18030", "big5"):
        text = _strict(body, name)
        if text is not None:
            return Decoded(text, name, name, conflict)
    return Decoded(body.decode("gb18030", "replace"), "gb18030", "replace", conflict)


def _canonical(match: re.Match[str] | re.Match[bytes] | None) -> str:
    if match is None:
        return ""
    found = match[1]
    name = (found.decode("ascii", "ignore") if isinstance(found, bytes) else found).lower()
    if name in _GB:
        return "gb18030"
    try:
        return codecs.lookup(name).name
    except LookupError:
        return ""


def _strict(body: bytes, name: str) -> str | None:
    try:
        return body.decode(name)
    except (UnicodeDecodeError, LookupError):
        return None


def _mostly_utf8(body: bytes) -> bool:
    text = body.decode("utf-8", "replace")
    wide = sum(1 for char in text if ord(char) > 0x7F)
    return wide > 20 and text.count("�") * 50 < wide
