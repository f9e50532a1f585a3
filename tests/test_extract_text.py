"""Visible text, spans, hidden parts and strings in scripts."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from govcrawl.extract.text import script_strings, walk, written_markup
from govcrawl.items import parse


def read(markup):
    return walk(parse(markup))


def test_blocks_break_lines_and_cells_are_tabbed():
    markup = (
        "<p>甲 <b>乙</b>\n丙</p><table><tr><td>一</td><td>二</td></tr><tr><td>三</td></tr></table>丁<br>戊"
    )
    assert read(markup).text == "甲 乙 丙\n一\t二\n三\n丁\n戊"


def test_full_width_and_no_break_spaces_collapse():
    assert read("<p>主办：\xa0\u3000 浙江省</p>").text == "主办： 浙江省"


@pytest.mark.parametrize("tag", ["script", "style", "noscript", "template", "select", "textarea", "title"])
def test_what_is_not_read_is_not_text(tag):
    assert read(f"<div>甲<{tag}>乙</{tag}>丙</div>").text.replace("\n", "") == "甲丙"


def test_comments_are_no_text_but_what_follows_is():
    assert read("<p>甲<!-- 乙 -->丙</p>").text == "甲丙"


@pytest.mark.parametrize(
    "hide", ["style='display:none'", "style='DISPLAY: none;'", "hidden", "style='visibility:hidden'"]
)
def test_hidden_parts_are_kept_apart(hide):
    view = read(f"<div>甲<div {hide}>乙<a href='/x'>丙</a></div>丁<a href='/y'>戊</a></div>")
    assert view.text.replace("\n", "") == "甲丁戊"
    assert "乙丙" in view.hidden_text.replace("\n", "")
    assert [link.get("href") for link in view.all("a")] == ["/y"]
    assert len(view.all("a", hidden=True)) == 2


def test_spans_give_each_elements_text():
    view = read("<div id=a>一<p id=b>二<b>三</b></p></div><div id=c>四</div>")
    texts = {item.get("id"): view.of(item) for item in view.spans if item.get("id")}
    assert texts == {"a": "一\n二三", "b": "二三", "c": "四"}


def test_text_after_an_early_end_of_the_page_is_read():
    assert read("<html><body><p>头</p></body></html><div>正文</div></html>").text == "头\n正文"


def test_deep_nesting_needs_no_stack():
    read("<div>" * 5_000 + "x")  # the parser may cut it short
    assert read("<b>" * 200 + "深").text == "深"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("""document.write("<p class=\\"a\\">主办</p>")""", ['<p class="a">主办</p>']),
        ("'<p>' + name + '</p>'", ["<p></p>"]),
        ("'ht'+'tp://a'", ["http://a"]),
        ("unescape('%3Cp%3E%u4E3B')", ["<p>主"]),
        (r"'\u4e3b\x41\/\n'", ["主A/\n"]),
        ("`<b>${x}</b>`", ["<b></b>"]),
        ("// '甲'\n/* '乙' */ '丙'", ["丙"]),
        ("'http://a' // 'b'", ["http://a"]),
        ("s.replace(/'/g, 'x'); y = /[\"']/; z = '乙'", ["x", "乙"]),
        ("'a\\\nb'", ["ab"]),
        ("'open\nnext = 'ok'", ["open", "ok"]),
        ("", []),
    ],
)
def test_strings_of_a_script(source, expected):
    assert list(script_strings(source)) == expected


def test_only_markup_and_registered_numbers_count_as_written():
    source = "var a='x'; b.innerText='浙ICP备05000083号 网站标识码:3300000022'; c='<i>d</i>'"
    assert written_markup(source) == "<p>浙ICP备05000083号 网站标识码:3300000022</p>\n<i>d</i>"


@pytest.mark.parametrize("piece", ["'\\'", '"\\"', "/*", "(/[", "`", "${", "'a'+", "\\u", "'%3C"])
def test_hostile_scripts_take_linear_time(piece):
    source = piece * (300_000 // len(piece))
    start = time.process_time()
    list(script_strings(source))
    assert time.process_time() - start < 2


@given(st.text(alphabet="'\"`\\/*+$(){}[]<>%u3C ax\n", max_size=80))
def test_any_script_can_be_read(source):
    written_markup(source)


@given(st.text(alphabet="<>/divp ab=\"'style:none!-\x00\x0c中", max_size=120))
def test_any_markup_can_be_read(markup):
    view = read(markup)
    assert all(0 <= start <= end <= len(view.text) + 1 for start, end in view.spans.values())
