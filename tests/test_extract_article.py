"""Articles and page tags: which date is the date of publication, title, source and body."""

import time
from datetime import UTC, date, datetime

import pytest

from govcrawl.extract.article import read_article
from govcrawl.extract.tags import read_tags
from govcrawl.items import Page, Site

SITE = Site("hz", "杭州市人民政府", "portal", "city", "330100", "", "http://www.hangzhou.gov.cn/")
AT = datetime(2023, 9, 20, tzinfo=UTC)
DAY = date(2023, 9, 18)
TITLE = "关于做好秋季防汛工作的通知"
BODY = (
    "<p>各区、县（市）人民政府，市政府各部门，各直属单位：为做好今年秋季防汛工作，现将有关事项通知如下，请遵照执行。</p>"
    * 6
)


URL = "http://www.hangzhou.gov.cn/page"


def page(middle="", *, head="", before="", after="", body=BODY, url=URL, title=TITLE):
    html = (
        f"<html><head><title>{title}_杭州市人民政府</title>{head}</head>"
        f"<body>{before}"
        f"<div>当前位置：首页 &gt; 政务公开 &gt; 通知公告</div><h1>{title}</h1>{middle}"
        f"<div id='zoom'>{body}</div>{after}"
        "<div class='footer'>版权所有 浙ICP备05000083号</div></body></html>"
    )
    return Page(SITE, "2023Q3", url, AT, body=html.encode())


@pytest.mark.parametrize(
    "middle",
    [
        "<p>发布时间：2023-09-18 10:20</p>",
        "<p>发布日期： 2023年09月18日 浏览次数：12</p>",
        "<p>来源：市应急局 发布于 2023-09-18</p>",
        "<p>时间 : 2023-09-18 来源 : 浙江日报</p>",
        "<p>日期：2023/9/18 字号：大 中 小</p>",
        "<p>2023-09-18 09:52</p>",
        "<p>来源：市应急局 2023年9月18日 08:00</p>",
        "<table><tr><td>公开日期：</td><td>2023-09-18</td></tr></table>",
        "<p>发布时间：<script>var d='2023年09月18日'; if(d!=''){document.write(d);}</script> 字体：大</p>",
        "<p>【发布时间】2023-09-18</p>",
        "<p>信息时间：2023-09-18 阅读次数：3</p>",
    ],
)
def test_the_date_beside_the_title(middle):
    article = read_article(page(middle))
    assert article.published == DAY
    assert article.where in ("label", "title")


@pytest.mark.parametrize(
    ("middle", "after"),
    [
        ("<p>打印时间：2023-09-19 发布时间：2023-09-18</p>", ""),
        ("<p>今天是2023年9月20日</p><p>发布日期：2023-09-18</p>", ""),
        ("<p>成文日期：2023-09-15 发布日期：2023-09-18</p>", ""),
        ("<p>更新时间：2023-09-19 发布时间：2023-09-18</p>", ""),
        ("<p>活动时间：2023年10月1日</p><p>发布时间：2023-09-18</p>", ""),
        ("", "<p>发布日期：2023-09-18 责任编辑：张三</p>"),
        ("<p>发布时间：2023-09-18</p>", "<ul><li><a href='/1'>相关通知</a><span>2023-09-20</span></li></ul>"),
    ],
)
def test_the_date_of_publication_among_others(middle, after):
    assert read_article(page(middle, after=after)).published == DAY


def test_dates_in_the_body_do_not_stand_in_for_the_labelled_one():
    body = (
        "<p>2023年10月1日起施行，截止时间：2023年12月31日，各单位要高度重视，认真贯彻落实，确保各项工作落到实处。</p>"
        * 5
    )
    assert read_article(page("<p>发布时间：2023-09-18</p>", body=body)).published == DAY


def test_a_date_in_the_title_is_not_the_date_of_publication():
    title = "2023年9月1日全市天气公报"
    assert read_article(page("<p>发布时间：2023-09-18</p>", title=title)).published == DAY
    assert read_article(page("<p>2023-09-18</p>", title=title)).published == DAY


@pytest.mark.parametrize("name", ["PubDate", "pubdate", "publishdate", "firstpublishedtime"])
def test_the_tag_comes_first(name):
    head = f"<meta name='{name}' content='2023-09-18 10:20'>"
    article = read_article(page("<p>发布时间：2023-09-17</p>", head=head))
    assert (article.published, article.where) == (DAY, "tag")


def test_an_empty_or_broken_tag_is_passed_over():
    head = "<meta name='PubDate' content=''><meta name='publishdate' content='2023-02-30'>"
    assert read_article(page("<p>发布时间：2023-09-18</p>", head=head)).where == "label"


@pytest.mark.parametrize(
    ("kwargs", "where"),
    [
        ({"url": "http://www.hangzhou.gov.cn/art/2023/9/18/art_1_2.html"}, "url"),
        ({"middle": "<p>更新时间：2023-09-18</p>"}, "updated"),
        ({"middle": "<p>成文日期：2023-09-18</p>"}, "document"),
        ({"body": BODY + "<p>杭州市应急管理局</p><p>2023年9月18日</p>"}, "body"),
        ({"after": "<input type='hidden' name='pubtime' value='2023-09-18 04:22'>"}, "script"),
        ({"after": '<script>var x={"datePublished":"2023-09-18T08:00"}</script>'}, "script"),
    ],
)
def test_what_the_date_rests_on_is_told(kwargs, where):
    article = read_article(page(**kwargs))
    assert (article.published, article.where) == (DAY, where)


def test_a_page_without_a_date_has_none():
    article = read_article(page())
    assert (article.published, article.where) == (None, "")


def test_title_source_and_body():
    article = read_article(page("<p>发布时间：2023-09-18 来源：市应急管理局 字号：大</p>"))
    assert article.title == TITLE
    assert article.source == "市应急管理局"
    assert article.body_text.startswith("各区、县（市）人民政府")
    assert "版权所有" not in article.body_text


@pytest.mark.parametrize("middle", ["<p>来源： | 发布时间: 2023-09-18</p>", "<p>来源：</p>"])
def test_an_empty_source_stays_empty(middle):
    assert read_article(page(middle)).source == ""


@pytest.mark.parametrize("logo", ["杭 州 市 人 民 政 府", "杭州市人民政府门户网站", "杭州市人民政府网"])
def test_a_heading_that_names_the_site_is_no_title(logo):
    assert read_article(page(before=f"<h1 class=site-name>{logo}</h1>")).title == TITLE


def test_the_title_tag_is_cleaned_of_markup():
    head = "<meta name='ArticleTitle' content='关于防汛的通知<br>（第二号）'>"
    assert read_article(page(head=head)).title == "关于防汛的通知"


def test_a_body_without_a_known_container_is_found():
    html = page("<p>发布时间：2023-09-18</p>").body.decode().replace("id='zoom'", "class='x'")
    article = read_article(Page(SITE, "2023Q3", "http://www.hangzhou.gov.cn/page", AT, body=html.encode()))
    assert article.body_text.startswith("各区、县（市）")
    assert article.published == DAY


def test_tags_are_found_whatever_their_case():
    head = "<META NAME='sitename' CONTENT='杭州市人民政府'><meta name='SiteIDCode' content=''>"
    tags = read_tags(page(head=head))
    assert tags.get("SiteName") == "杭州市人民政府"
    assert tags.get("SiteIDCode") == ""
    assert tags.get("SiteDomain") is None
    assert tags.missing("site") == ("SiteDomain", "SiteIDCode")


def test_missing_tags_by_group():
    full = "".join(
        f"<meta name='{name}' content='值'>"
        for name in (
            "ColumnName",
            "ColumnType",
            "ColumnKeywords",
            "ColumnDescription",
            "ArticleTitle",
            "PubDate",
        )
    )
    tags = read_tags(page(head=full))
    assert tags.missing("column") == ()
    assert tags.missing("content") == ("ContentSource",)


def test_of_a_repeated_tag_the_one_that_says_something_counts():
    head = "<meta name='ContentSource' content=''><meta name='ContentSource' content='市应急局'>"
    assert read_tags(page(head=head)).get("contentsource") == "市应急局"


def test_a_commented_tag_does_not_count():
    assert read_tags(page(head="<!-- <meta name='PubDate' content='2023-09-18'> -->")).get("PubDate") is None


@pytest.mark.parametrize(
    "piece", ["发布时间：", "来源：", "2023-09-18 ", "时间 ", "发 布 时 间 ", "，甲", "成文日期2023-"]
)
def test_hostile_text_takes_linear_time(piece):
    hostile = page(f"<p>{piece * (60_000 // len(piece))}</p>")
    _ = hostile.tree
    start = time.process_time()
    read_article(hostile)
    assert time.process_time() - start < 2
