"""Footer marks and the 找错 entry: forms met in practice, traps, and what could not be seen."""

import time
from datetime import UTC, datetime

import pytest

from govcrawl.extract.footer import MARKS, footer_sources, read_footer
from govcrawl.extract.text import written as script_markup
from govcrawl.items import Page, Site

SITE = Site("hz", "杭州市人民政府", "portal", "city", "330100", "", "http://www.hangzhou.gov.cn/")
AT = datetime(2023, 9, 20, tzinfo=UTC)
BODY = "".join(
    f"<p>第{n}段，全市各级各部门认真贯彻落实会议精神，扎实推进各项工作，取得明显成效。</p>" for n in range(12)
)
RECORD = "http://www.beian.gov.cn/portal/registerSystemInfo?recordcode"
REPORT = "https://zfwzgl.www.gov.cn/exposure/jiucuo"
CONAC = "http://dcs.conac.cn/js/12/000/0000/1/CA12.js"


def page(markup, included=None):
    head = "<html><head><title>标题</title></head><body><div class='nav'>首页 政务公开</div>"
    html = f"{head}<h1>关于举办活动的通知</h1><div id='zoom'>{BODY}</div>{markup}</body></html>"
    url = "http://www.hangzhou.gov.cn/art/2023/9/18/art_1_2.html"
    return Page(SITE, "2023Q3", url, AT, body=html.encode(), included=included or {})


def read(markup, included=None):
    return read_footer(page(markup, included))


def footer(inner):
    return f"<div class='footer'>版权所有 {inner}</div>"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("网站标识码：3301000001", "3301000001"),
        ("网站标识码:3301000001", "3301000001"),
        ("政府网站标识码 3301000001", "3301000001"),
        ("网站标识码3301000001", "3301000001"),
        ("网站标识码：<span>3301000001</span>", "3301000001"),
        ("网站标识码： bm05000001", "bm05000001"),
        ("网站标识号：3301000001", "3301000001"),
        ("<img src='a.png' alt='网站标识码：3301000001'>", "3301000001"),
    ],
)
def test_site_code(text, code):
    mark = read(footer(text))["site_code"]
    assert (mark.state, mark.value) == ("present", code)


@pytest.mark.parametrize(
    "text", ["网站标识码：", "网站标识码：33010000", "编号 3301000001", "标识码申请表3301000001"]
)
def test_no_site_code(text):
    assert read(footer(text))["site_code"].state == "absent"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("浙ICP备05000083号", "浙ICP备05000083号"),
        ("浙ICP备 05000083号-1", "浙ICP备05000083号-1"),
        ("浙ICP备05000083", "浙ICP备05000083"),
        ("浙icp备19031037-2号", "浙icp备19031037-2号"),
        ("备案号：<a href='http://beian.miit.gov.cn/'>浙ICP备05000083号</a>", "浙ICP备05000083号"),
        ("ICP证号：浙ICP备05000083号", "浙ICP备05000083号"),
        ("浙<span>ICP</span>备<span>05000083</span>号", "浙ICP备05000083号"),
        ("沪ICP备：12004267", "沪ICP备：12004267"),
        ("ICP备案编号：05000083", "ICP备案编号：05000083"),
    ],
)
def test_icp(text, number):
    mark = read(footer(text))["icp"]
    assert (mark.state, mark.value) == ("present", number)


@pytest.mark.parametrize("text", ["浙ICP备", "浙B2-20080101", "京ICP证010042号", "备案号："])
def test_no_icp(text):
    assert read(footer(text))["icp"].state == "absent"


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("浙公网安备 33010602000001号", "33010602000001"),
        ("浙公网安备：33010602000001", "33010602000001"),
        ("公网安备号33010602000001", "33010602000001"),
        ("湘公安网备号43010402000231号", "43010402000231"),
        ("公网备案号:33010602000001", "33010602000001"),
        ("公安机关备案号：15081599004-00001", "15081599004-00001"),
        ("沪公安备：31010102045442号", "31010102045442"),
        ("公安部备案号：33010602000001", "33010602000001"),
        (f"<a href='{RECORD}=33010602000001'><img src='g.png'></a>", "33010602000001"),
        (f"<span onclick=\"window.open('{RECORD}=33010602000001')\"></span>", "33010602000001"),
        ("<img src='ga.png' alt='浙公网安备 33010602000001号'>", "33010602000001"),
    ],
)  # fmt: skip
def test_police(text, digits):
    mark = read(footer(text))["police"]
    assert mark.state == "present"
    assert digits in mark.value


@pytest.mark.parametrize("text", ["浙公网安备", "公安局电话 110", "公安机关备案"])
def test_no_police(text):
    assert read(footer(text))["police"].state == "absent"


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("主办：杭州市人民政府办公厅", "杭州市人民政府办公厅"),
        ("主办单位：杭州市人民政府办公厅 承办单位：杭州市数据局", "杭州市人民政府办公厅"),
        ("主办单位:杭州市人民政府办公厅 地址：解放东路18号", "杭州市人民政府办公厅"),
        ("主办方：杭州市人民政府", "杭州市人民政府"),
        ("主办单位：杭州市人民政府办公厅（政务公开处）", "杭州市人民政府办公厅（政务公开处）"),
        ("版权所有/主办单位：杭州市人民政府", "杭州市人民政府"),
        ("主办单位(版权所有)：杭州市人民政府", "杭州市人民政府"),
        ("主办/承办：杭州市人民政府", "杭州市人民政府"),
        ("</p><p>杭州市人民政府办公厅主办</p>", "杭州市人民政府办公厅"),
        ("</p><p>杭州市人民政府办公厅 主办</p>", "杭州市人民政府办公厅"),
        ("</p><p>杭州市人民政府办公厅（主办） 杭州市数据局（承办）</p>", "杭州市人民政府办公厅"),
        ("</p><p>中共杭州市委、杭州市人民政府主办、杭州市数据局承办</p>", "中共杭州市委、杭州市人民政府"),
        ("</p><p>本站由杭州市人民政府主办</p>", "杭州市人民政府"),
        ("<table><tr><td>主办单位：</td><td>杭州市人民政府</td></tr></table>", "杭州市人民政府"),
        ("主办：<a href='/'>杭州市人民政府</a>", "杭州市人民政府"),
    ],
)
def test_organizer(text, unit):
    mark = read(footer(text))["organizer"]
    assert (mark.state, mark.value) == ("present", unit)


@pytest.mark.parametrize(
    "text",
    ["杭州市人民政府", "主办单位：", "承办单位：杭州市数据局", "主管：杭州市人民政府"],
)
def test_no_organizer(text):
    assert read(footer(text + " 浙ICP备05000083号"))["organizer"].state == "absent"


@pytest.mark.parametrize(
    "trap",
    [
        "<p>主办单位：杭州市教育局</p>",
        "<p>本次大赛由杭州市教育局主办，杭州市体育局承办。</p>",
        "<p>杭州市教育局主办</p>",
    ],
)
def test_the_organiser_of_an_event_is_not_the_sites(trap):
    markup = f"<div>{trap}</div>{footer('浙ICP备05000083号 网站标识码：3301000001')}"
    html = page(markup).body.decode().replace("第11段", trap + "第11段").replace(f"<div>{trap}</div>", "")
    found = read_footer(Page(SITE, "2023Q3", "http://www.hangzhou.gov.cn/1.html", AT, body=html.encode()))
    assert found["organizer"].state == "absent"


@pytest.mark.parametrize(
    "text",
    [
        "联系电话：0571-85250000",
        "电话 0571-85250000",
        "地址：杭州市解放东路18号",
        "邮箱：web@hz.gov.cn",
        "热线：12345",
        "<a href='/lxwm/'>联系我们</a>",
        "联系我们：020-12345",
        "市气象局 0571-8525 0000",
        "电话：（0571）85250000",
        "信箱：web#hz.gov.cn",
    ],
)
def test_contact(text):
    assert read(footer(text))["contact"].state == "present"


@pytest.mark.parametrize(
    "text", ["联系电话：", "地址：", "<a href='/'>网站地图</a>", "电话 浙ICP备05000083号"]
)
def test_no_contact(text):
    assert read(footer(text))["contact"].state == "absent"


@pytest.mark.parametrize(
    "markup",
    [
        "<a href='http://bszs.conac.cn/sitename?method=show&id=06'><img src='r.png'></a>",
        f"<script>document.write(unescape(\"%3Cspan%3E%3C/span%3E%3Cscript src='{CONAC}'%3E\"))</script>",
        "<script src='https://dcs.conac.cn/js/12/CA120000000000000001.js'></script>",
        "<img src='http://dcs.conac.cn/image/red.png' alt=''>",
        "<img src='a.png' alt='党政机关'>",
        "<span onclick=\"go('http://bszs.conac.cn/sitename?method=show&id=27')\"><img src='a.png'></span>",
        "<script src='/js/CA070000000604289100002.js'></script>",
    ],
)
def test_party_and_government_mark(markup):
    assert read(footer(markup))["party_government_mark"].state == "present"


@pytest.mark.parametrize(
    "markup",
    [
        "<!-- <a href='http://bszs.conac.cn/sitename?method=show&id=06'></a> -->",
        "<span id='_ideConac'></span>",
        "<script>// document.write(unescape(\"%3Cscript src='http://dcs.conac.cn/js/1.js'%3E\"));</script>",
        "<img src='red.jpg'>",
        "<a href='http://www.hangzhou.gov.cn/'>党政机关网站</a>",
    ],
)
def test_no_party_and_government_mark(markup):
    assert (
        read(footer(markup + "浙ICP备05000083号 网站标识码：3301000001"))["party_government_mark"].state
        == "absent"
    )


@pytest.mark.parametrize(
    "markup",
    [
        f"<script id='_jiucuo_' sitecode='3301000001' src='{REPORT}.js'></script>",
        f"<a href='{REPORT}.html?site_code=3301000001&url=x'><img src='j.png'></a>",
        "<a href='http://121.43.68.40/exposure/jiucuo.html?site_code=3301000001'>找错</a>",
        "<script id='_jiucuo_' sitecode='3301000001' src='http://pucha.kaipuyun.cn/exposure/jiucuo.js'></script>",
        "<script id='_jiucuo_' sitecode='3301000001' src='/js/jiucuo.js'></script>",
        "<img src='/images/jiucuo.png' onclick=\"Link('3301000001')\">",
        f"<a href='javascript:;' onclick=\"window.open('{REPORT}.html')\"><img src='j.png'></a>",
        "<a href='http://www.gov.cn/c125533/jbxxk.htm'>我为政府网站找错</a>",
    ],
)
def test_find_error_entry(markup):
    assert read(footer(markup))["find_error"].state == "present"


@pytest.mark.parametrize(
    "markup",
    [
        "<!-- <script id='_jiucuo_' sitecode='3301000001' src='/js/jiucuo.js'></script> -->",
        "<a href='/wzjc/'>网站纠错</a>",
        "<span onclick='fix()'>【我要纠错】</span>",
        "<script>function openJiuCuo(){ window.open('../jc/', '纠错'); }</script>",
        "<a href='#'>我为政府网站找错</a>",
        "<span id='_span_jiucuo'></span>",
    ],
)
def test_no_find_error_entry(markup):
    marks = "浙ICP备05000083号 网站标识码：3301000001"
    assert read(footer(markup + marks))["find_error"].state == "absent"


@pytest.mark.parametrize(
    ("markup", "name"),
    [
        ("<a style='display:none' href='https://zfwzgl.www.gov.cn/exposure/jiucuo.html'>x</a>", "find_error"),
        ("<div style='display:none'>网站标识码：3301000001</div>", "site_code"),
        ("<a href=''><img src='jiucuo.png'></a>", "find_error"),
        ("<span id='_span_jiucuo'><a><img src='/images/jc.png'></a></span>", "find_error"),
        ("<span id='_ideConac'><img src='/images/b1.png'></span>", "party_government_mark"),
        ("<img src='/images/red.png'>", "party_government_mark"),
        ("<a href='#'><img src='/static/dzjg.png'></a>", "party_government_mark"),
    ],
)
def test_a_hidden_or_dead_mark_is_left_to_a_person(markup, name):
    mark = read(footer(markup))[name]
    assert (mark.state, mark.where) == ("unseen", "hidden")


WHOLE = (
    "主办：杭州市人民政府办公厅 网站标识码：3301000001 浙ICP备05000083号 浙公网安备 33010602000001号 "
    "<a href='/lxwm/'>联系我们</a> <a href='http://bszs.conac.cn/sitename?id=1'><img src='r.png'></a>"
    "<script id='_jiucuo_' sitecode='3301000001' src='https://zfwzgl.www.gov.cn/exposure/jiucuo.js'><\\/script>"
)


def written(code):
    return read(f"<div id='ft'></div><script>{code}</script>")


@pytest.mark.parametrize(
    "code",
    [
        f'document.write("<div class=\\"footer\\">{WHOLE}</div>")',
        f"$('#ft')[0].innerHTML = '<div>' + \n '{WHOLE.replace(chr(39), chr(34))}' + '</div>';",
        f"var ft = `<div>${{x}}{WHOLE}</div>`;",
    ],
)
def test_a_footer_that_an_inline_script_writes_is_read(code):
    found = written(code)
    assert {name: found[name].state for name in MARKS} == dict.fromkeys(MARKS, "present")
    assert found["icp"].where == "script"


URL = "http://www.hangzhou.gov.cn/script/0/1809041039067814.js"


def test_a_script_that_pages_share_is_read_once():
    code = "<script>document.write('<p>网站标识码：3301000001</p>')</script>"
    first, second = (script_markup(page(code)) for _ in range(2))
    assert first[0].view is second[0].view
    long = code.replace("<p>", f"<p>{'长' * 20_000}")
    first, second = (script_markup(page(long)) for _ in range(2))
    assert (first[0].view is second[0].view, first[0].view.text) == (False, second[0].view.text)


def test_a_footer_in_an_unread_script_is_unseen_not_absent():
    missing = page("<script src='/script/0/1809041039067814.js'></script>")
    assert {read_footer(missing)[name].state for name in MARKS} == {"unseen"}
    assert footer_sources(missing) == (URL,)


def test_a_fetched_script_is_read():
    text = 'document.writeln("<div>' + WHOLE.replace("/", "\\/") + '</div>");'
    found = read("<script src='/script/0/1809041039067814.js'></script>", {URL: text})
    assert {found[name].state for name in MARKS} == {"present"}
    assert found["organizer"].where == "included"
    assert found.unseen == ()


def test_a_fetched_script_without_a_mark_makes_it_absent():
    found = read(
        "<script src='/script/0/1809041039067814.js'></script>", {URL: "document.write('<p>版权所有</p>')"}
    )
    assert {found[name].state for name in MARKS} == {"absent"}


def test_a_fetched_frame_is_read():
    url = "http://www.hangzhou.gov.cn/footer/index.html"
    markup = "<iframe src='/footer/index.html' height='200'></iframe>"
    assert footer_sources(page(markup)) == (url,)
    found = read(markup, {url: f"<html><body>{WHOLE.replace(chr(92), '')}</body></html>"})
    assert {found[name].state for name in MARKS} == {"present"}
    assert found["icp"].where == "frame"


@pytest.mark.parametrize(
    "markup",
    [
        "<div id='footer'></div><script>$('#footer').load('/common/footer.html')</script>",
        "<script src='/js/footer.js'></script>",
        "<div class='footer'></div>",
        "<div class='footer'><img src='/images/footer_bg.jpg'></div>",
        "<iframe src='/bottom.html'></iframe>",
    ],
)
def test_a_page_whose_footer_comes_from_elsewhere_is_unseen(markup):
    assert {read(markup)[name].state for name in MARKS} == {"unseen"}


@pytest.mark.parametrize(
    "markup",
    [
        "<script src='/js/jquery-3.6.0.min.js'></script>",
        "<iframe src='/visitcount.jsp' style='display:none'></iframe>",
        "<script src='https://hm.baidu.com/h.js'></script>",
    ],
)
def test_libraries_and_counters_hide_no_footer(markup):
    found = read(markup + footer("浙ICP备05000083号 网站标识码：3301000001"))
    assert found["police"].state == "absent"
    assert footer_sources(page(markup)) == ()


def test_a_page_that_shows_everything_needs_no_sources():
    assert (
        footer_sources(page(footer(WHOLE.replace("\\", "")) + "<script src='/js/footer.js'></script>")) == ()
    )


def test_sources_are_of_this_site_and_few():
    markup = "<script src='http://other.example/footer.js'></script>" + "".join(
        f"<script src='/js/footer{n}.js'></script>" for n in range(20)
    )
    urls = footer_sources(page(markup))
    assert 0 < len(urls) <= 6
    assert all(url.startswith("http://www.hangzhou.gov.cn/") for url in urls)


@pytest.mark.parametrize(
    "piece",
    ["主办 ", "浙ICP备 ", "联系电话 ", "公安备案号 ", "网站标识码 ", "a@", "版权所有\n", "主办单位："],
)
def test_hostile_text_takes_linear_time(piece):
    hostile = page(f"<p>{piece * (60_000 // len(piece))}</p>")
    _ = hostile.tree
    start = time.process_time()
    read_footer(hostile)
    assert time.process_time() - start < 2
