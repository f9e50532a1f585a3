"""Published messages: lists, letters in several layouts, statistics and working days."""

# ruff: noqa: E501  (markup in long lines)
from __future__ import annotations

import time
from datetime import date

import pytest

from govcrawl.extract.messages import has_statistics, read_letter, read_letters, readable, working_days
from govcrawl.items import Role
from govcrawl.registry import page

ROWS = [
    ("提问时间", "2023-09-01 10:21"),
    ("留言内容", "您好，请问居住证如何续签？"),
    ("答复单位", "示例市公安局"),
    ("答复时间", "2023-09-04 15:40"),
    ("答复内容", "您好，请携带身份证到窗口办理，感谢关注。"),
]


def letter(markup):
    return read_letter(
        page(
            f"<title>居住证如何续签</title><h3>居住证如何续签</h3>{markup}",
            url="/m/1.html",
            role=Role.MESSAGE,
        )
    )


def lines(rows):
    return "".join(f"<p>{name}：{value}</p>" for name, value in rows)


def table(rows):
    return (
        "<table>" + "".join(f"<tr><td>{name}</td><td>{value}</td></tr>" for name, value in rows) + "</table>"
    )


def definitions(rows):
    return "<dl>" + "".join(f"<dt>{name}：</dt><dd>{value}</dd>" for name, value in rows) + "</dl>"


@pytest.mark.parametrize("layout", [lines, table, definitions])
def test_a_full_letter(layout):
    read = letter(layout(ROWS))
    assert read.lacking == ()
    assert (read.asked, read.replied, read.answered) == (date(2023, 9, 1), date(2023, 9, 4), True)
    assert read.unit == "示例市公安局"
    assert readable(read)


@pytest.mark.parametrize("layout", [lines, table, definitions])
@pytest.mark.parametrize(
    ("left_out", "name"), [(0, "留言时间"), (2, "答复单位"), (3, "答复时间"), (4, "答复内容")]
)
def test_a_part_left_out_is_lacking(layout, left_out, name):
    rows = [row for number, row in enumerate(ROWS) if number != left_out]
    assert letter(layout(rows)).lacking == (name,)


def test_a_pending_letter():
    read = letter(lines([*ROWS[:2], ("办理状态", "处理中")]))
    assert read.answered is False
    assert read.asked == date(2023, 9, 1)
    assert readable(read)


def test_a_refused_letter_needs_no_answer():
    assert letter(lines([*ROWS[:2], ("办理状态", "不予受理")])).refused


def test_chat_bubbles():
    read = letter(
        "<div class=q><span>网友 2023-09-01 10:00</span><p>居住证怎么办</p></div>"
        "<div class=a><p>示例市公安局回复：</p><p>请到窗口办理，谢谢。</p><span>回复时间 2023-09-02</span></div>"
    )
    assert read.lacking == ()


def test_the_date_of_publication_is_not_the_date_of_asking():
    read = letter("<p>发布时间：2023-09-05</p>" + lines(ROWS[1:]))
    assert read.lacking == ("留言时间",)


def test_a_list_with_heads():
    rows = read_letters(
        page(
            "<table><tr><th>标题</th><th>来信时间</th><th>回复时间</th><th>状态</th></tr>"
            "<tr><td><a href=/1.html>居住证如何续签</a></td><td>2023-09-01</td><td>2023-09-04</td><td>已答复</td></tr>"
            "<tr><td><a href=/2.html>路灯不亮</a></td><td>2023-05-01</td><td>--</td><td>处理中</td></tr>"
            "<tr><td><a href=/3.html>公交线路</a></td><td>2023-08-01</td><td></td><td></td></tr></table>",
            url="/m/",
        )
    )
    assert [(row.title, row.asked, row.answered) for row in rows] == [
        ("居住证如何续签", date(2023, 9, 1), True),
        ("路灯不亮", date(2023, 5, 1), False),
        ("公交线路", date(2023, 8, 1), False),
    ]
    assert rows[0].url == "http://www.example.gov.cn/1.html"


def test_a_list_of_spans_with_a_head():
    rows = read_letters(
        page(
            "<ul><li><span>信件主题</span><span>受理单位</span><span>写信日期</span><span>状态</span></li>"
            "<li><span><a href=/1.html>路灯不亮</a></span><span>住建局</span><span>2023-05-01</span><span>办理中</span></li></ul>"
        )
    )
    assert [(row.unit, row.asked, row.answered) for row in rows] == [("住建局", date(2023, 5, 1), False)]


def test_a_list_without_heads():
    rows = read_letters(
        page(
            "<ul><li><a href=/1.html>路灯不亮已经很久</a><span>2023-05-01</span><span>[未回复]</span></li>"
            "<li><a href=/2.html>关于公交线路的建议</a><span>2023-05-01</span><span>2023-05-03</span></li>"
            "<li><a href=/3.html>市政府召开常务会议</a><span>2023-05-01</span></li></ul>"
        )
    )
    assert [(row.asked, row.answered) for row in rows] == [
        (date(2023, 5, 1), False),
        (date(2023, 5, 1), True),
    ]


@pytest.mark.parametrize(
    "text", ["本年度共收到留言45件，已答复45件。", "受理数：22 办结数：33", "信件回复统计", "办结率 99%"]
)
def test_statistics(text):
    assert has_statistics(page(f"<p>{text}</p>"))


def test_a_plain_board_has_no_statistics():
    assert not has_statistics(page(table([("标题", "状态"), ("收到过期食品怎么投诉", "已答复")])))


def test_working_days_know_holidays_and_make_up_days():
    assert working_days(date(2023, 9, 28), date(2023, 10, 9)) == 3  # 7 and 8 October 2023 were worked
    assert working_days(date(2023, 9, 1), date(2023, 9, 1)) == 0
    assert working_days(date(2023, 9, 8), date(2023, 9, 11)) == 1
    assert working_days(date(1990, 1, 1), date(1990, 1, 9)) is None
    assert working_days(date(2023, 9, 2), date(2023, 9, 1)) is None


def test_hostile_text_costs_linear_time():
    text = "<p>" + "回复留言" * 20_000 + "</p><p>" + "局" * 50_000 + "</p>"
    started = time.process_time()
    letter(text)
    has_statistics(page(text))
    assert time.process_time() - started < 3
