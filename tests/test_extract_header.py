"""The site's name in the header."""

from datetime import UTC, datetime

import pytest

from govcrawl.extract.header import header_names, name_forms, shows_site_name
from govcrawl.items import Page, Site

SITE = Site("zj", "浙江省人民政府", "portal", "province", "330000", "", "http://www.zj.gov.cn/")
AT = datetime(2023, 9, 20, tzinfo=UTC)
NAMES = ("浙江省人民政府",)


def page(header, included=None):
    main = (
        "<div>当前位置：首页 &gt; 要闻</div><h1>浙江省人民政府召开会议</h1><p>浙江省人民政府印发通知。</p>"
        + "<p>正文</p>" * 40
    )
    foot = "<div class='footer'>主办单位：浙江省人民政府办公厅 浙ICP备05000083号</div>"
    html = f"<html><head><title>浙江省人民政府</title></head><body>{header}{main}{foot}</body></html>"
    return Page(
        SITE, "2023Q3", "http://www.zj.gov.cn/a.html", AT, body=html.encode(), included=included or {}
    )


@pytest.mark.parametrize(
    "header",
    [
        "<div class='top'>浙江省人民政府</div>",
        "<div class='top'>浙江省人民政府门户网站</div>",
        "<div class='logo'><a href='/' title='中国·浙江'><img src='logo.png'></a></div>",
        "<div class='logo'><img src='logo.png' alt='浙江省政府门户网站'></div>",
        "<header><h2>浙江政务网</h2></header>",
        "<div id='head'></div><script>document.write('<div class=\"head\">浙江省人民政府</div>')</script>",
    ],
)
def test_the_name_is_shown(header):
    assert shows_site_name(page(header), NAMES) == "present"


@pytest.mark.parametrize(
    "header",
    [
        "<div class='logo'><a href='/'><img src='/images/logo.png'></a></div>",
        "<div class='logo'></div>",
        "<iframe src='/top.html'></iframe>",
        "<script src='/script/0/1809041039065916.js'></script>",
    ],
)
def test_an_image_a_frame_or_a_script_may_hold_it(header):
    assert shows_site_name(page(header), NAMES) == "unseen"


@pytest.mark.parametrize(
    "header", ["<div>首页 政务公开</div>", "<div><a href='/'>首页</a><img src='i.gif' width='16'></div>"]
)
def test_title_body_and_footer_do_not_count(header):
    assert shows_site_name(page(header), NAMES) == "absent"


def test_a_fetched_header_is_read():
    url = "http://www.zj.gov.cn/script/0/1809041039065916.js"
    header = "<script src='/script/0/1809041039065916.js'></script>"
    text = "document.write('<div class=\"header\"><b>浙江省人民政府</b></div>')"
    assert shows_site_name(page(header, {url: text}), NAMES) == "present"


def test_header_text_stops_at_the_breadcrumb():
    assert "召开会议" not in header_names(page("<div>浙江省人民政府</div>"))


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("浙江省人民政府", "浙江省政府"),
        ("浙江省人民政府", "中国浙江"),
        ("浙江省人民政府门户网站", "浙江省人民政府"),
        ("浙江政府网", "中国浙江"),
        ("中国·浙江", "浙江政府"),
        ("杭州市余杭区人民政府", "余杭区人民政府"),
        ("浙江省发展和改革委员会", "浙江省发改委"),
        ("浙江省教育厅网站", "浙江省教育厅"),
    ],
)
def test_usual_short_forms(name, form):
    assert form in name_forms(name)


@pytest.mark.parametrize("name", ["浙江省教育厅", "中国政府网", "浙江省人民政府"])
def test_forms_are_long_enough_to_mean_the_site(name):
    assert min(map(len, name_forms(name))) >= 3
    assert "浙江省" not in name_forms(name)
