"""Dates in text and addresses."""

import time
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from govcrawl.extract.dates import date_in_url, find_dates, parse_date

DAY = date(2023, 9, 18)


@pytest.mark.parametrize(
    "text",
    [
        "2023-09-18",
        "2023/9/18",
        "2023.09.18",
        "2023年9月18日",
        "2023 年 9 月 18 日",
        "20230918",
        "日期20230918。",
        "[2023-09-18]",
        "２０２３－０９－１８",
        "2023-09-18 09:53:00",
        "2023-09-1809:53",
        "18 2023-09",
        "2023-09\n18",
        "09-18 2023",
        "23-09-18",
        "二〇二三年九月十八日",
        "二○二三年九月十八日",
        "2023-02-30 2023-09-18",
        "发布时间：2023-09-18T08:00",
    ],
)
def test_reads_a_full_date_in_every_form(text):
    assert parse_date(text) == DAY


@pytest.mark.parametrize("text", ["[09-18]", "09-18", "9月18日", "18/09", "09/18", "09.18", "（０９－１８）"])
def test_reads_month_and_day_under_a_year_only(text):
    assert parse_date(text) is None
    assert parse_date(text, year=2023) == DAY


def test_an_ambiguous_slash_follows_the_list():
    assert parse_date("05/09", year=2023) == date(2023, 5, 9)
    assert parse_date("05/09", year=2023, day_first=True) == date(2023, 9, 5)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2023-02-30",
        "2023-13-01",
        "x20230918",
        "2023091812",
        "20230918-1",
        "浙政发2023-1234",
        "12:05",
        "3.5%",
        "13-45",
        "1.2.3",
        "电话 0571-87052",
    ],
)
def test_what_is_no_date_gives_none(text):
    assert parse_date(text, year=2023) is None


def test_finds_all_full_dates_with_positions():
    text = "成文 2023年9月1日，发布 2023-09-18 10:00，二〇二二年十二月三十一日止，2023-02-31"
    assert find_dates(text) == (
        (date(2023, 9, 1), text.index("2023年")),
        (DAY, text.index("2023-09")),
        (date(2022, 12, 31), text.index("二〇")),
    )


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://a.gov.cn/art/2023/9/18/art_1_2.html", DAY),
        ("http://a.gov.cn/zw/202309/t20230918_123.html", DAY),
        ("/2023-09/18/content_1.htm", DAY),
        ("/2023/0918/1.html", DAY),
        ("/2023-09-18/", DAY),
        ("/20230918101500.html", DAY),
        ("/n1/2023/0918/c12-3.html", DAY),
        ("/202309/abc.html", None),
        ("/art_1229_20210912.html", None),
        ("/P020230918331265.jpg", None),
        ("/art/2023/2/30/art_1.html", None),
        ("http://[bad/2023-09-18/", None),
    ],
)
def test_reads_the_day_in_an_address(url, expected):
    assert date_in_url(url) == expected


@pytest.mark.parametrize("piece", ["2023-", "2023年 ", "20230918", "二〇二三年十", "9-", "9月 ", "1 2023-0"])
def test_hostile_text_takes_linear_time(piece):
    text = piece * (300_000 // len(piece))
    start = time.process_time()
    find_dates(text)
    parse_date(text, year=2023)
    date_in_url("/" + text)
    assert time.process_time() - start < 1


@given(st.text(alphabet="0123456789-/.年月日 []：t二〇三十九a", max_size=60))
def test_never_raises(text):
    parse_date(text, year=2023)
    find_dates(text)
    date_in_url(text)
