"""The inspection quarter: its days and its monitoring point, the only clock of an inspection."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone

from govcrawl.items import GovcrawlError

# China has had one zone without summer time since 1991; a fixed offset needs no zone files on the machine.
SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")
LATEST = timedelta(days=30)  # inspections may run into the month after the quarter

_QUARTER = re.compile(r"([12][0-9]{3})Q([1-4])", re.IGNORECASE)
_POINT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[ T]([0-9]{2}:[0-9]{2}))?")
_DAY_END = time(23, 59)


class QuarterError(GovcrawlError):
    """A quarter or monitoring point that cannot be used."""


@dataclass(frozen=True, slots=True, order=True)
class Quarter:
    """A calendar quarter, written 2023Q3."""

    year: int
    number: int

    @classmethod
    def parse(cls, text: str) -> Quarter:
        """Read "2023Q3"; QuarterError for anything else."""
        match = _QUARTER.fullmatch(text.strip())
        if match is None:
            raise QuarterError(f"{text!r} is no quarter; write the year, Q and 1 to 4, such as 2023Q3")
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def of(cls, day: date) -> Quarter:
        """Return the quarter a day lies in."""
        return cls(day.year, (day.month + 2) // 3)

    @property
    def start(self) -> date:
        """The first day."""
        return date(self.year, 3 * self.number - 2, 1)

    @property
    def end(self) -> date:
        """The last day."""
        return self.next().start - timedelta(days=1)

    def previous(self) -> Quarter:
        """Return the quarter before."""
        return Quarter(self.year, self.number - 1) if self.number > 1 else Quarter(self.year - 1, 4)

    def next(self) -> Quarter:
        """Return the quarter after."""
        return Quarter(self.year, self.number + 1) if self.number < 4 else Quarter(self.year + 1, 1)

    @property
    def zh(self) -> str:
        """The quarter as notices print it: 2023年第三季度."""
        return f"{self.year}年第{'一二三四'[self.number - 1]}季度"

    def monitoring_point(self, at: str | None = None) -> datetime:
        """Return the moment all times of the inspection are counted from, in Chinese time.

        `at` is YYYY-MM-DD, optionally with HH:MM; without a time the day's end is meant,
        without a day the quarter's last.
        Raises QuarterError for a point before the quarter or more than 30 days after it.
        """
        if at is None:
            return datetime.combine(self.end, _DAY_END, SHANGHAI)
        point = _point(at)
        if not self.start <= point.date() <= self.end + LATEST:
            span = f"{self.start} to {self.end + LATEST}"
            raise QuarterError(f"monitoring point {at} does not belong to {self}; give a day from {span}")
        return point

    def __str__(self) -> str:
        return f"{self.year}Q{self.number}"


def _point(text: str) -> datetime:
    match = _POINT.fullmatch(text.strip())
    try:
        day = date.fromisoformat(match[1] if match else "")
        clock = time.fromisoformat(match[2]) if match and match[2] else _DAY_END
    except ValueError:
        example = "2023-09-20 or 2023-09-20 08:30"
        raise QuarterError(f"{text!r} is no monitoring point; write a day such as {example}") from None
    return datetime.combine(day, clock, SHANGHAI)
