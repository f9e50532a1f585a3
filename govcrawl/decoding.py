"""Bytes to text: BOM, strict UTF-8, the declared charset, then Chinese sets only.

A declaration is believed only as far as the bytes bear it out: a server that says GBK over a UTF-8 page, or
ISO-8859-1 over everything, decides nothing.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from functools import cache

_META = re.compile(
    rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w-]{3,20})|<\?xml[^>]{0,80}?encoding=["']([\w-]{3,20})""",
    re.IGNORECASE,
)
_COMMENT = re.compile(rb"<!--(?:[^-]|-(?!->))*-->")
_HEADER = re.compile(r"""charset\s{0,9}=\s{0,9}["']?\s{0,9}([\w-]{3,20})""", re.IGNORECASE)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_GB = {
    "gb2312",
    "gbk",
    "gb18030",
    "x-gbk",
    "gb_2312-80",
    "cp936",
    "ms936",
    "euc-cn",
    "csgb2312",
    "chinese",
    "hz-gb-2312",
}
_BIG5 = {"big5", "big5-hkscs", "big5hkscs", "x-x-big5", "cn-big5", "cp950", "ms950"}
_HEAD = 4_096  # bytes in which a page may declare its charset
_SAMPLE = 20_000  # bytes that are enough to weigh one Chinese set against another
_CLEARLY = 0.15
_PUNCTUATION = "，。、：；！？（）《》〈〉“”‘’【】〔〕—…·　％０１２３４５６７８９＞｜№"
_LONGER = re.compile("[^\x00-\u07ff]")  # needs three bytes or more in UTF-8
_RUN = re.compile(r"[^\x00-\x7f]+")


@dataclass(frozen=True, slots=True)
class Decoded:
    """Text, the encoding used, the step that won and the declarations that disagreed, if any."""

    text: str
    encoding: str
    step: str  # bom, utf-8, meta, header, gb18030, big5, replace
    conflict: str = ""


def decode(body: bytes, content_type: str = "") -> Decoded:
    """Decode a response body; the bytes decide before a header that contradicts them."""
    header = _canonical(_HEADER.search(content_type))
    meta = _canonical(_META.search(_COMMENT.sub(b"", body[:_HEAD])))
    for bom, name in _BOMS:
        if body.startswith(bom):
            return _result(body[len(bom) :].decode(name, "replace"), name, "bom", header, meta)
    text = _utf8(body)
    if text is not None and not (
        "utf-8" not in (header, meta) and _gb_in_disguise(body, text, header or meta)
    ):
        return _result(text, "utf-8", "utf-8", header, meta)
    for step, name in (("meta", meta), ("header", header)):
        if name in ("gb18030", "big5hkscs") and (text := _plausible(body, name)) is not None:
            return _result(text, name, step, header, meta)
    name = _weigh(body)
    text = _strict(body, name)
    if text is not None:
        return _result(text, name, "big5" if name == "big5hkscs" else name, header, meta)
    return _result(body.decode(name, "replace"), name, "replace", header, meta)


def _result(text: str, encoding: str, step: str, header: str, meta: str) -> Decoded:
    said = [f"{who} {name}" for who, name in (("header", header), ("meta", meta)) if name]
    agreed = all(name in ("", encoding) for name in (header, meta))
    conflict = "" if agreed else ", ".join([*said, f"body {encoding}"])
    return Decoded(text, encoding, step, conflict)


def _canonical(match: re.Match[str] | re.Match[bytes] | None) -> str:
    if match is None:
        return ""
    found = next(group for group in match.groups() if group)
    name = (found.decode("ascii", "ignore") if isinstance(found, bytes) else found).lower()
    if name in _GB:
        return "gb18030"
    if name in _BIG5:
        return "big5hkscs"
    try:
        return codecs.lookup(name).name
    except LookupError:
        return ""


def _strict(body: bytes, name: str) -> str | None:
    try:
        return body.decode(name)
    except UnicodeDecodeError:
        return None


def _utf8(body: bytes) -> str | None:
    """Decode UTF-8; a cut or slightly damaged page is still UTF-8 when nearly all of it decodes."""
    text = _strict(body, "utf-8")
    if text is not None:
        return text
    text = body.decode("utf-8", "replace")
    wide = sum(1 for char in text if char > "\x7f")
    lost = text.count("\ufffd")
    return text if wide - lost > 20 and lost * 50 < wide else None


def _gb_in_disguise(body: bytes, text: str, declared: str) -> bool:
    """Tell whether bytes that happen to be valid UTF-8 are a few GBK characters (the 联通 case).

    Only two-byte sequences can be both; they come in runs and read as common Hanzi in GBK.
    """
    if declared not in ("", "gb18030") or text.isascii() or _LONGER.search(text):
        return False
    runs = _RUN.findall(text)
    if not runs or any("\xa0" <= char <= "\xbf" for run in runs for char in run):
        return False  # ©, · and their like stand in many plain pages
    return max(len(run) for run in runs) >= 2 and _share(body, "gb18030") >= 0.9


def _plausible(body: bytes, name: str) -> str | None:
    """Decode with a declared set unless the bytes speak clearly for the other one."""
    other = "big5hkscs" if name == "gb18030" else "gb18030"
    if _share(body, other) > _share(body, name) + _CLEARLY:
        return None
    text = body.decode(name, "replace")
    lost = text.count("\ufffd")
    return text if lost * 50 <= sum(1 for char in text if char > "\x7f") else None


def _weigh(body: bytes) -> str:
    """Choose between the two Chinese sets; Big5 only where it is clearly the better reading."""
    return "big5hkscs" if _share(body, "big5hkscs") > _share(body, "gb18030") + _CLEARLY else "gb18030"


def _share(body: bytes, name: str) -> float:
    """Return the share of the set's everyday characters in what is not ASCII."""
    wide = [char for char in body[:_SAMPLE].decode(name, "replace") if char > "\x7f"]
    common = _everyday(name)
    return sum(char in common for char in wide) / len(wide) if wide else 0.0


@cache
def _everyday(name: str) -> frozenset[str]:
    """Return the first-level characters of GB 2312 or Big5, with the usual punctuation."""
    leads = range(0xB0, 0xD8) if name == "gb18030" else range(0xA4, 0xC7)
    trails = range(0xA1, 0xFF) if name == "gb18030" else (*range(0x40, 0x7F), *range(0xA1, 0xFF))
    pairs = (bytes((lead, trail)).decode(name, "ignore") for lead in leads for trail in trails)
    return frozenset(_PUNCTUATION).union(*pairs)
