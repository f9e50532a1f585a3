"""A stretch of calendar time such as "6 months", counted back from the monitoring point."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta

_DAYS = {"day": 1, "week": 7}
_MONTHS = {"month": 1, "year": 12}
_CHINESE = {"day": "天", "week": "周", "month": "个月", "year": "年"}
_TEXT = re.compile(r"([1-9][0-9]{0,3}) (day|week|month|year)s?")


@dataclass(frozen=True, slots=True)
class Window:
    """So many days, weeks, calendar months or years; stale is what is older than `before(at)`."""

    count: int
    unit: str  # day, week, month or year

    @classmethod
    def parse(cls, text: str) -> Window:
        """Read "14 days", "2 weeks", "6 months" or "1 year"; ValueError for anything else."""
        match = _TEXT.fullmatch(text)
        if match is None:
            raise ValueError(
                f"{text!r} is no window; write a number and day(s), week(s), month(s) or year(s)"
            )
        return cls(int(match[1]), match[2])

    def before(self, at: date) -> date:
        """Return the day this long before `at`; the last of the month where a month is too short.

        "Nothing in 2 weeks" means that the newest entry is older than this day; the day itself is in time.
        """
        day = at.date() if isinstance(at, datetime) else at
        if self.unit in _DAYS:
            return day - timedelta(days=self.count * _DAYS[self.unit])
        return self._months(day, -1)

    def after(self, at: date) -> date:
        """Return the day this long after `at`, the last day that is still in time."""
        day = at.date() if isinstance(at, datetime) else at
        if self.unit in _DAYS:
            return day + timedelta(days=self.count * _DAYS[self.unit])
        return self._months(day, 1)

    def _months(self, day: date, sign: int) -> date:
        year, month = divmod(day.year * 12 + day.month - 1 + sign * self.count * _MONTHS[self.unit], 12)
        last = calendar.monthrange(year, month + 1)[1]
        return date(year, month + 1, min(day.day, last))

    @property
    def zh(self) -> str:
        """The window in Chinese, as notices print it: 2周, 6个月."""
        return f"{self.count}{_CHINESE[self.unit]}"

    def __str__(self) -> str:
        return f"{self.count} {self.unit}{'s' if self.count > 1 else ''}"
