"""Dates as Chinese government pages write them: in text, beside titles and in addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from urllib.parse import urlsplit

_SHORT = 2_000  # a "short text" is a cell or a line; the rest cannot hold its first date
_LONG = 400_000
_WIDE = dict(
    zip("０１２３４５６７８９－／．：［］（）　\xa0‐‑–—―─﹣﹒", "0123456789-/.:[]()  -------.", strict=True)
)
_WIDE_ONE = re.compile(f"[{''.join(_WIDE)}]")  # a substitution costs a tenth of str.translate

_FULL = re.compile(
    r"(?<!\d)((?:19|20)\d\d)\s{0,3}"
    r"(?:([-/.])\s?(\d{1,2})\s?\2\s?(\d{1,2})(?:(?!\d)|(?=\d\d:\d\d))"
    r"|年\s{0,3}(\d{1,2})\s{0,3}月\s{0,3}(\d{1,2})(?!\d)"
    r"|(?<![A-Za-z_.\-/\d]\d{4})(\d\d)(\d\d)(?![A-Za-z_\-/\d]|\.\w))"
)
_NUMERALS = "〇○零Ｏ０一二三四五六七八九"
_VALUES = {"〇": 0, "○": 0, "零": 0, "Ｏ": 0, "０": 0} | {
    char: number for number, char in enumerate("一二三四五六七八九", 1)
}
_SPELLED = re.compile(
    rf"([一二][{_NUMERALS}0oO]{{3}})年([一二三四五六七八九十]{{1,2}})月([一二三四五六七八九十]{{1,3}})日"
)
_DAY_APART = re.compile(  # a big day (or month and day) above or below the year
    r"(?P<d>\d{1,2})日?[\s/|-]{1,8}(?P<y>(?:19|20)\d\d)\s?[-/.年]\s?(?P<m>\d{1,2})月?"
    r"|(?P<y2>(?:19|20)\d\d)\s?[-/.年]\s?(?P<m2>\d{1,2})月?[\s/|-]{1,8}(?P<d2>\d{1,2})日?"
    r"|(?P<m3>\d{1,2})\s?[-/.月]\s?(?P<d3>\d{1,2})日?[\s/|-]{1,8}(?P<y3>(?:19|20)\d\d)年?"
    r"|(?P<y4>(?:19|20)\d\d)年?[\s/|-]{1,8}(?P<m4>\d{1,2})\s?[-/.月]\s?(?P<d4>\d{1,2})日?"
)
_SHORT_YEAR = re.compile(r"(\d\d)([-/.])(\d\d)\2(\d\d)")
_PARTIAL = re.compile(
    r"(?<![\d.:/\-])(\d{1,2})\s?(?:([-/])\s?(\d{1,2})|月\s?(\d{1,2})|(?<=\d\d)\.(\d\d))(?![\d%:/\-]|\.\d)"
)
_URL = re.compile(
    r"/((?:19|20)\d\d)[/-](\d{1,2})[/-](\d{1,2})(?=[/_.]|$)"
    r"|/((?:19|20)\d\d)-?(\d\d)/(\d\d)(?=/)"
    r"|/((?:19|20)\d\d)/(\d\d)-?(\d\d)(?=/)"
    r"|(?:(?<=/)|(?<=/[tTcCaAn]))((?:19|20)\d\d)(\d\d)(\d\d)(?:\d{6}|\d{9})?(?!\d)"
)


def parse_date(text: str, *, year: int | None = None, day_first: bool = False) -> date | None:
    """Return the first date in a short text, or None where there is none or it does not exist.

    Month and day alone (`[09-18]`, `9月18日`, `18/09`) count only under a given `year`. With `day_first`
    an ambiguous `05/09` is 5 September; otherwise 9 May.
    """
    text = _narrow(text[:_SHORT])
    full = False
    for match in _FULL.finditer(text):
        full = True
        if (found := _from_full(match)) is not None:
            return found
    if full:
        return None
    if "年" in text and (spelled := next(_spelled(text), None)):
        return spelled[0]
    bare = text.strip(" \t\r\n[]()【】<>|·")
    if len(bare) <= 24 and (apart := _DAY_APART.fullmatch(bare)):
        groups = {name[0]: int(value) for name, value in apart.groupdict().items() if value}
        return _date(groups["y"], groups["m"], groups["d"])
    if short := _SHORT_YEAR.fullmatch(bare):
        return _date(2000 + int(short[1]), int(short[3]), int(short[4]))
    return _partial(text, year, day_first) if year is not None else None


def find_dates(text: str) -> tuple[tuple[date, int], ...]:
    """Return every full date in a text with its position, in order."""
    text = _narrow(text[:_LONG])
    found = [(when, match.start()) for match in _FULL.finditer(text) if (when := _from_full(match))]
    spelled = list(_spelled(text)) if "二〇" in text or "二○" in text or "二零" in text else []
    return tuple(sorted(found + spelled, key=lambda item: item[1])) if spelled else tuple(found)


@lru_cache(maxsize=8_192)  # menus and lists repeat from page to page
def date_in_url(url: str) -> date | None:
    """Return the day an address carries in its path (`/art/2023/9/18/`, `t20230918_1.html`), if any."""
    try:
        path = urlsplit(url[:_SHORT]).path
    except ValueError:
        return None
    for match in _URL.finditer(path):
        numbers = [int(value) for value in match.groups() if value]
        if (found := _date(*numbers[:3])) is not None:
            return found
    return None


def _narrow(text: str) -> str:
    """Replace full-width digits and marks by their plain forms, one for one."""
    return text if text.isascii() else _WIDE_ONE.sub(lambda match: _WIDE[match[0]], text)


def _from_full(match: re.Match[str]) -> date | None:
    month = match[3] or match[5] or match[7]
    day = match[4] or match[6] or match[8]
    return _date(int(match[1]), int(month), int(day))


def _spelled(text: str) -> Iterator[tuple[date, int]]:
    for match in _SPELLED.finditer(text):
        year = int("".join(str(_VALUES.get(char, 0)) for char in match[1]))
        when = _date(year, _numeral(match[2]), _numeral(match[3]))
        if when is not None:
            yield when, match.start()


def _numeral(text: str) -> int:
    if "十" not in text:
        return _VALUES.get(text, 0) if len(text) == 1 else 0
    tens, _, ones = text.partition("十")
    return (_VALUES.get(tens, 0) if tens else 1) * 10 + (_VALUES.get(ones, 0) if ones else 0)


def _partial(text: str, year: int, day_first: bool) -> date | None:
    for match in _PARTIAL.finditer(text):
        first, second = int(match[1]), int(match[3] or match[4] or match[5])
        swap = match[2] == "/" and (first > 12 or (day_first and second <= 12))
        month, day = (second, first) if swap else (first, second)
        if (found := _date(year, month, day)) is not None:
            return found
    return None


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
