"""Markup as old and new systems write it: tables, days in attributes, entries scripts open, pictured menus."""

# ruff: noqa: E501  (markup in long lines)

from __future__ import annotations

from datetime import date

import pytest

from govcrawl.extract.article import read_article
from govcrawl.extract.columns import read_columns
from govcrawl.extract.guides import ELEMENTS, read_guide
from govcrawl.extract.links import read_links
from govcrawl.extract.lists import ListState, read_rows
from govcrawl.extract.messages import read_letter
from govcrawl.items import Role
from govcrawl.registry import column, menu, page, visit

TITLE = "关于做好某项重点工作的通知"
DAYS = (date(2023, 9, 18), date(2023, 9, 11))
BODY = (
    "<p>为贯彻国家有关部署，推动养老服务工作高质量发展，结合本市实际，现将有关事项说明如下，请认真落实。</p>"
    * 4
)
HEAD = f"<div>今天是2023年9月20日 星期三</div><h1>{TITLE}</h1>"


def two(row: str, *values: str) -> str:
    """Write two rows; `{0}` is the row's number, `{1}` its value."""
    return "".join(row.format(number, value, TITLE) for number, value in enumerate(values, 1))


def test_links_of_a_frame_are_resolved_against_its_own_address() -> None:
    rows = two(
        "<li><a href=../rsxx/tzgg/a{0}.html>{2}{0}</a><span>{1}</span></li>", "2023-09-18", "2023-09-11"
    )
    asked = page("<iframe src=/include/list.html></iframe>", url="/rsxx/tzgg/", role=Role.COLUMN)
    asked.included = {asked.site.url.rstrip("/") + "/include/list.html": f"<ul>{rows}</ul>"}
    found = [row.url.partition(".cn")[2] for row in read_rows(asked)]
    assert found == ["/rsxx/tzgg/a1.html", "/rsxx/tzgg/a2.html"]


def test_a_year_above_the_rows_of_a_table_holds_for_all_of_them() -> None:
    rows = "".join(
        f"<tr><td><a href=/a/{number}.html>{number}月主要指标数据</a></td><td>{number:02}-03</td></tr>"
        for number in (12, 9, 1)
    )
    found = read_rows(column(f"<table><tr><td><b>2022年</b></td></tr>{rows}</table>", "/sj/", "数据"))
    assert [row.published for row in found] == [date(2022, month, 3) for month in (12, 9, 1)]


def test_links_beside_an_empty_list_are_no_menu_of_further_columns() -> None:
    empty = "<ul></ul><p>暂无相关信息</p>"
    links = "<ul><li><a href=/zt/1/index.html>专题</a><li><a href=/zt/2/index.html>历史专题</a></ul>"
    site = visit(
        page(menu(("人事信息", "/rs/"), ("规划计划", "/gh/"))),
        column(f"{empty}<div class=linkbox><h3>相关链接</h3>{links}</div>", "/rs/", "人事信息"),
        column(f"{empty}{links}", "/gh/", "规划计划"),
    )
    states = {one.name: one.state for one in site.read_columns()}
    assert (states["人事信息"], states["规划计划"]) == (ListState.BLANK, ListState.SHELL)


@pytest.mark.parametrize(
    "markup",
    [
        pytest.param(
            f"<table>{two('<tr><td>{1}</td><td><a href=/a/{0}.html>{2}{0}</a></td></tr>', '2023-09-18', '2023-09-11')}</table>",
            id="date in the cell before",
        ),
        pytest.param(
            "<table>"
            + two(
                "<tr><td><table><tr><td>·</td><td><a href=/a/{0}.html>{2}{0}</a></td><td>[{1}]</td></tr></table></td></tr>",
                "09-18",
                "09-11",
            )
            + "</table>",
            id="a table for each row",
        ),
        pytest.param(
            two(
                "<li><a href=/a/{0}.html title='{2}&#10;发布日期：{1}'>{2}{0}</a></li>",
                "2023-09-18",
                "2023-09-11",
            ),
            id="day in the title of the link",
        ),
        pytest.param(
            two(
                "<li><a href=/a/{0}.html>{2}{0}</a><span title='{1} 08:00'>几天前</span></li>",
                "2023-09-18",
                "2023-09-11",
            ),
            id="day in the title of its relative form",
        ),
        pytest.param(
            two(
                "<li><a href=/a/{0}.html>{2}{0}</a><time datetime={1}T08:00>早些时候</time></li>",
                "2023-09-18",
                "2023-09-11",
            ),
            id="machine-readable day",
        ),
        pytest.param(
            two(
                "<li><a href=/a/{0}.html>{2}{0}</a><script>document.write('{1}')</script></li>",
                "2023-09-18",
                "2023-09-11",
            ),
            id="day written by a script",
        ),
        pytest.param(
            two(
                "<li><b>{1}</b><i>2023-09</i><a href=/a/{0}.html>{2}{0}</a><p>2021年1月5日起施行。</p></li>",
                "18",
                "11",
            ),
            id="big day above the month",
        ),
        pytest.param(
            two(
                "<li><a href='javascript:void(0)' onclick=\"window.open('/a/{0}.html')\">{2}{0}</a> {1}</li>",
                "2023-09-18",
                "2023-09-11",
            ),
            id="entries opened by a click",
        ),
        pytest.param(
            two(
                "<li><a href=\"javascript:openWin('/a/{0}.html')\">{2}{0}</a><em>{1}</em></li>",
                "2023-09-18",
                "2023-09-11",
            ),
            id="entries opened by an address",
        ),
    ],
)
def test_rows_of_a_list(markup: str) -> None:
    rows = read_rows(column(f"<ul>{markup}</ul>", "/col/", "要闻"))
    assert [row.published for row in rows] == list(DAYS)
    assert [row.url[-8:] for row in rows] == ["a/1.html", "a/2.html"]


@pytest.mark.parametrize(
    "anchor",
    [
        "<a href='javascript:void(0)' onclick=\"addFavorite('/a/1.html')\">收藏</a>",
        "<a href='#' onclick=\"Link('bm01000001')\">找错</a>",
        "<a href='javascript:;' onclick=\"showTab('tab2')\">切换</a>",
        "<a href='javascript:history.back()'>返回</a>",
    ],
)
def test_calls_that_open_no_address_are_no_links(anchor: str) -> None:
    assert read_links(page(anchor)) == ()


@pytest.mark.parametrize(
    "markup",
    [
        "<div class=nav><a href=/yw/><img src=1.gif alt=要闻动态></a><a href=/gk/><img src=2.gif alt=信息公开></a></div>",
        "<map name=m><area href=/yw/ alt=要闻动态><area href=/gk/ title=信息公开></map>",
        "<table id=menu><tr><td><a href=/yw/ title=要闻动态><img src=1.gif></a></td><td><a href=gk/>信息公开</a></td></tr></table>",
    ],
)
def test_menus_of_pictures_name_columns(markup: str) -> None:
    assert [one.name for one in read_columns(page(markup))] == ["要闻动态", "信息公开"]


def test_a_picture_outside_a_menu_advertises_a_topic() -> None:
    assert read_columns(page("<div class=zt><a href=/zt/><img src=z.jpg alt=主题教育></a></div>")) == ()


@pytest.mark.parametrize(
    "above",
    [
        "<p>更新时间：2023-09-19 发布时间：2023-09-18</p>",
        "<table><tr><td>成文日期</td><td>2023-09-10</td><td>发布日期</td><td>2023-09-18</td></tr></table>",
        "<table><tr><th>成文日期</th><th>发布日期</th></tr><tr><td>2023-09-10</td><td>2023-09-18</td></tr></table>",
        "<p>发布时间：二〇二三年九月十八日</p>",
        "<p>日期：２０２３－０９－１８ 字号：[大 中 小]</p>",
    ],
)
def test_date_of_publication(above: str) -> None:
    article = read_article(page(HEAD + above + BODY, url="/x/1.html", role=Role.ARTICLE))
    assert article.published == DAYS[0]


def test_elements_of_a_guide_in_brackets() -> None:
    parts = "".join(f"<p>【{name}】见本页详细说明</p>" for name in ELEMENTS)
    guide = read_guide(page(f"<h1>食品经营许可</h1>{parts}", url="/g/1.html", role=Role.GUIDE))
    assert guide.missing == ()


@pytest.mark.parametrize("reply", ["暂无答复", "无", "没有回复"])
def test_a_message_that_says_it_has_no_reply_waits(reply: str) -> None:
    text = f"<p>标题：路灯不亮</p><p>提交时间：2023-05-01</p><p>内容：路灯坏了请维修</p><p>答复：{reply}</p>"
    letter = read_letter(page(text, url="/m/1.html", role=Role.MESSAGE, column="县长信箱"))
    assert (letter.asked, letter.answered, letter.reply) == (date(2023, 5, 1), False, False)
