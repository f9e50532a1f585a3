"""Search forms, their queries and first result pages."""

# ruff: noqa: E501  (word lists, patterns and examples in long lines)
from __future__ import annotations

import time

import pytest

from govcrawl.extract.search import blurred, read_results, read_search
from govcrawl.items import Role
from govcrawl.registry import page

FORM = '<form name=searchform action="/search.jsp?m=1" method=get><input type=hidden name=site value=7><input type=text name=keyword><input type=submit value=搜索></form>'


def results(markup, frame=()):
    return read_results(page(markup, url="/search.jsp?keyword=x", role=Role.SEARCH), frame)


def test_a_form_and_its_query():
    entry = read_search(page(FORM))
    assert entry.state == "form"
    url, body = entry.form.query("市政府 常务会议")
    assert url == (
        "http://www.example.gov.cn/search.jsp?m=1&site=7&keyword="
        "%E5%B8%82%E6%94%BF%E5%BA%9C+%E5%B8%B8%E5%8A%A1%E4%BC%9A%E8%AE%AE"
    )
    assert body == ""


def test_a_query_goes_out_in_the_encoding_of_its_page():
    old = page("")
    old.body = f"<meta charset=gb2312><p>市政府召开常务会议</p>{FORM}".encode("gb18030")
    url, _ = read_search(old).form.query("要闻")
    assert url.endswith("keyword=%D2%AA%CE%C5")


def test_a_form_that_posts():
    form = read_search(
        page(
            "<form action=/s.do method=POST><input name=q><select name=c><option value=all>全部<option value=2>二</select></form>"
        )
    ).form
    assert form.query("a") == ("http://www.example.gov.cn/s.do", "c=all&q=a")


@pytest.mark.parametrize(
    "markup",
    [
        "<form action=/login.do><input name=user><input type=password name=pw><input type=submit value=登录></form>",
        "<form action=/mail.do><input name=name placeholder=姓名><textarea name=content></textarea></form>",
        "<form action=/q.do><input name=wh placeholder=文号></form>",
        "<p>没有搜索</p>",
    ],
)
def test_other_forms_are_no_search(markup):
    assert read_search(page(markup)).state == "absent"


def test_a_box_without_an_address_needs_scripts():
    assert (
        read_search(
            page('<input id=txt_search placeholder=请输入关键字><input type=button onclick="sousuo()">')
        ).state
        == "box"
    )
    assert (
        read_search(
            page('<form action=""><input placeholder=请输入关键字><input type=submit value=搜索></form>')
        ).state
        == "box"
    )


def test_a_link_to_a_search_page():
    entry = read_search(page("<a href=/jsearch/index.html>站内搜索</a>"))
    assert (entry.state, entry.link) == ("link", "http://www.example.gov.cn/jsearch/index.html")


def test_what_scripts_may_bring_is_not_absent():
    assert read_search(page("<script src=/js/head.js></script>")).state == "unseen"
    assert (
        read_search(page("<script>var u='/search.html?q=';function goSearch(){}</script>")).state == "unseen"
    )
    assert read_search(page("<script src=/js/load.js></script>")).state == "unseen"
    assert (
        read_search(page("<script>var a = 1;</script><script src=/js/jquery.min.js></script>")).state
        == "absent"
    )


def test_a_rendered_page_hides_no_search_in_scripts():
    seen = page("")
    seen.rendered, seen.dom = True, "<script src=/js/load.js></script><p>首页</p>"
    assert read_search(seen).state == "absent"
    seen = page("")
    seen.rendered, seen.dom = True, f"<script src=/js/load.js></script>{FORM}"
    assert read_search(seen).state == "form"


def test_a_commented_form_is_absent():
    assert read_search(page(f"<!-- {FORM} -->")).state == "absent"


def test_a_title_is_found_with_highlighting_and_cuts():
    shown = results(
        "<a href=/1.html>市政府召开<em>常务</em>会议 研究部署</a><a href=/2.html>关于进一步加强安全生产工作…</a>"
    )
    assert shown.shows("市政府召开常务会议，研究部署")
    assert shown.shows("关于进一步加强安全生产工作的若干意见")
    assert not shown.shows("关于开展专项检查工作的通知")


def test_the_words_themselves_are_no_result():
    shown = results(
        "<h2>“关于开展专项检查工作的通知”的搜索结果：共0条</h2><input value=关于开展专项检查工作的通知>"
    )
    assert not shown.shows("关于开展专项检查工作的通知")
    assert shown.decided
    assert shown.none_found


def test_the_frame_is_no_result():
    shown = results("<a href=/9.html>关于开展专项检查工作的通知</a>", {"http://www.example.gov.cn/9.html"})
    assert not shown.decided


def test_categories_and_gathered_services():
    shown = results(
        "<ul><li>全部</li><li>政策文件</li><li>办事服务(3)</li></ul><h3>相关服务</h3><a href=/1.html>市政府召开常务会议</a>"
    )
    assert {"政策", "服务", "办事"} <= set(shown.categories)
    assert shown.gathered == "相关服务"
    assert results("<a href=/1.html>市政府召开常务会议</a>").categories == ()


def test_the_fingerprint_tells_result_sets_apart():
    one, two = (
        results("<a href=/1.html>市政府召开常务会议</a>"),
        results("<a href=/2.html>市政府召开常务会议</a>"),
    )
    assert one.fingerprint != two.fingerprint


def test_a_blurred_title_is_no_part_of_it():
    title = "关于开展安全生产专项检查工作的通知"
    assert blurred(title) not in title
    assert len(blurred(title)) == len(title) - 2
    assert blurred("要闻") == ""


def test_hostile_markup_costs_linear_time():
    markup = "<form action=/s><input name=q>" + "<a href=/x>搜索抱歉共</a>" * 5_000 + "0条" * 20_000
    started = time.process_time()
    read_search(page(markup))
    results(markup)
    assert time.process_time() - started < 4
