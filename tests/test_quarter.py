"""Quarters, their days and their monitoring points."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from govcrawl.quarter import SHANGHAI, Quarter, QuarterError


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2023Q1", date(2023, 1, 1), date(2023, 3, 31)),
        ("2023Q2", date(2023, 4, 1), date(2023, 6, 30)),
        ("2023q3", date(2023, 7, 1), date(2023, 9, 30)),
        (" 2023Q4 ", date(2023, 10, 1), date(2023, 12, 31)),
    ],
)
def test_days_of_a_quarter(text: str, start: date, end: date) -> None:
    quarter = Quarter.parse(text)
    assert (quarter.start, quarter.end) == (start, end)
    assert str(quarter) == text.strip().upper()


@pytest.mark.parametrize("text", ["", "2023", "2023Q5", "2023Q0", "23Q3", "2023-Q3", "2023Q3x", "２０２３Q3"])
def test_what_is_no_quarter(text: str) -> None:
    with pytest.raises(QuarterError, match="is no quarter; write the year"):
        Quarter.parse(text)


def test_quarters_are_ordered() -> None:
    names = ["2024Q1", "2023Q4", "2023Q2"]
    assert [str(quarter) for quarter in sorted(map(Quarter.parse, names))] == names[::-1]


@given(st.dates(date(1000, 6, 1), date(2999, 6, 1)))
def test_neighbours_share_no_day(day: date) -> None:
    quarter = Quarter.of(day)
    assert quarter.start <= day <= quarter.end
    assert quarter.next().start - quarter.end == timedelta(days=1)
    assert quarter.next().previous() == quarter
    assert quarter.previous() < quarter < quarter.next()


def test_chinese_name() -> None:
    assert Quarter.parse("2023Q3").zh == "2023年第三季度"


@pytest.mark.parametrize(
    ("at", "point"),
    [
        (None, datetime(2023, 9, 30, 23, 59, tzinfo=SHANGHAI)),
        ("2023-09-20", datetime(2023, 9, 20, 23, 59, tzinfo=SHANGHAI)),
        ("2023-09-20 08:30", datetime(2023, 9, 20, 8, 30, tzinfo=SHANGHAI)),
        ("2023-07-01 00:00", datetime(2023, 7, 1, tzinfo=SHANGHAI)),
        ("2023-10-30", datetime(2023, 10, 30, 23, 59, tzinfo=SHANGHAI)),
    ],
)
def test_monitoring_point(at: str | None, point: datetime) -> None:
    found = Quarter.parse("2023Q3").monitoring_point(at)
    assert found == point
    assert found.utcoffset() == timedelta(hours=8)


@pytest.mark.parametrize("at", ["2023-06-30", "2023-10-31", "2022-09-20"])
def test_point_outside_the_quarter_is_refused(at: str) -> None:
    with pytest.raises(QuarterError, match=rf"{at} does not belong to 2023Q3; give a day from 2023-07-01 to"):
        Quarter.parse("2023Q3").monitoring_point(at)


@pytest.mark.parametrize("at", ["", "yesterday", "2023-9-20", "2023-02-30", "2023-09-20 25:00", "20230920"])
def test_what_is_no_monitoring_point(at: str) -> None:
    with pytest.raises(QuarterError, match="is no monitoring point"):
        Quarter.parse("2023Q3").monitoring_point(at)
