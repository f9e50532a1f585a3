"""When each site is visited: rounds spread over the day, and within a round a minute of its own each.

A round has a slot of the day. A site is due somewhere in the first three quarters of the slot and may be
visited a quarter of a slot late; what is later than that is missed and never made up for, so that visits do
not bunch up after an outage: two visits of a site lie at least half a slot apart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from govcrawl.items import GovcrawlError
from govcrawl.quarter import SHANGHAI, Quarter

DAY = timedelta(days=1)
MOST_DAYS = 31
ROUNDS = (20, 24, 30, 36, 48)  # a day: V2 wants 20 visits, a slot has whole minutes
_HOME, _JITTER, _LATE = 0.5, 0.25, 0.25  # shares of a slot


@dataclass(frozen=True, slots=True, order=True)
class Round:
    """One visit of every site, within one slot of the day."""

    start: datetime
    slot: timedelta

    @property
    def name(self) -> str:
        """The start in Beijing time, 20230911T0900: sorts as the rounds follow each other."""
        return f"{self.start.astimezone(SHANGHAI):%Y%m%dT%H%M}"

    @property
    def end(self) -> datetime:
        """The end of the slot."""
        return self.start + self.slot

    def due(self, site_id: str) -> datetime:
        """Return when a site is visited: a place of its own in the slot, and some jitter in each round."""
        share = _HOME * _draw(site_id) + _JITTER * _draw(f"{site_id}|{self.name}")
        return self.start + self.slot * share

    def last(self, site_id: str) -> datetime:
        """Return until when a visit still counts for this round."""
        return self.due(site_id) + self.slot * _LATE


def _draw(text: str) -> float:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2**48


@dataclass(frozen=True, slots=True)
class Week:
    """The plan of a quarter's visits: whole days from `start`, Beijing time."""

    quarter: Quarter
    start: date
    days: int = 7
    rounds: int = 24  # a day

    def __post_init__(self) -> None:
        self.quarter.monitoring_point(self.start.isoformat())
        if not 1 <= self.days <= MOST_DAYS or self.rounds not in ROUNDS:
            raise GovcrawlError(
                f"{self.days} days with {self.rounds} rounds: give 1 to {MOST_DAYS} days "
                f"and {', '.join(map(str, ROUNDS))} rounds a day"
            )

    @property
    def slot(self) -> timedelta:
        """How long a round lasts."""
        return DAY / self.rounds

    @property
    def begin(self) -> datetime:
        """The first moment."""
        return datetime.combine(self.start, time(), SHANGHAI)

    @property
    def end(self) -> datetime:
        """The moment after the last round."""
        return self.begin + self.days * DAY

    def round_at(self, now: datetime) -> Round | None:
        """Return the round a moment lies in; None outside the week."""
        if not self.begin <= now < self.end:
            return None
        return Round(self.begin + (now - self.begin) // self.slot * self.slot, self.slot)

    def all(self) -> Iterator[Round]:
        """Yield the rounds in order."""
        for number in range(self.days * self.rounds):
            yield Round(self.begin + number * self.slot, self.slot)


def hour_of(now: datetime) -> Round:
    """Return the round of a moment where nothing is planned: one an hour."""
    return Round(now.replace(minute=0, second=0, microsecond=0), timedelta(hours=1))
