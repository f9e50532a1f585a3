"""Working days by the calendar of the State Council, with its holidays and make-up days."""

from __future__ import annotations

from datetime import date, timedelta

import chinese_calendar


def is_working(day: date) -> bool:
    """Tell whether a day is worked; Monday to Friday in years whose calendar is not published yet."""
    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError:
        return day.weekday() < 5


def working_days(start: date, end: date) -> int:
    """Return the working days after `start` up to and with `end`; 0 where the end is not later."""
    return sum(is_working(start + timedelta(days=step)) for step in range(1, (end - start).days + 1))


def due(start: date, days: int) -> date:
    """Return the last day in time when `days` working days are given after `start`."""
    day = start
    while days:
        day += timedelta(days=1)
        days -= is_working(day)
    return day
