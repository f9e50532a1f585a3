"""Header × meta × body: which text comes out, by which step, and what is noted."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from govcrawl.decoding import decode

TEXT = "浙江省人民政府办公厅关于做好二〇二三年政府网站检查工作的通知，各市、县（市、区）人民政府："
TRADITIONAL = "臺灣事務辦公室關於做好網站檢查工作的通知，各縣市人民政府，請遵照執行。"
NAMES = {"utf-8": "utf-8", "gbk": "gb18030", "gb2312": "gb18030", "gb18030": "gb18030"}
TITLES = ["政务公开网", "通知公告栏", "人民政府网", "办事指南页", "领导信箱栏", "联通联通网"]


def page(text, codec, meta=""):
    tag = f'<meta http-equiv="Content-Type" content="text/html; charset={meta}">' if meta else ""
    return f"<html><head>{tag}<title>{text}</title></head></html>".encode(codec)


@pytest.mark.parametrize("body", ["utf-8", "gbk", "gb18030"])
@pytest.mark.parametrize("meta", ["", "utf-8", "gbk", "gb2312", "big5", "iso-8859-1", "euc-kr", "nonsense"])
@pytest.mark.parametrize(
    "header", ["", "utf-8", "gbk", "GB2312", "big5", "ISO-8859-1", "windows-1252", "x-user"]
)
def test_the_body_decides_whatever_is_declared(header, meta, body):
    got = decode(page(TEXT, body, meta), f"text/html; charset={header}" if header else "text/html")
    assert TEXT in got.text
    assert got.encoding == NAMES[body]


HEADERS = ["", "utf-8", "gbk", "GB2312", "big5", "ISO-8859-1", "windows-1252", "x-user"]
METAS = ["", "utf-8", "gbk", "gb2312", "big5", "iso-8859-1", "euc-kr", "nonsense"]
BODIES = {
    "utf-8": [TEXT, *TITLES],
    "gbk": [TEXT, *TITLES],
    "gb18030": [f"{TEXT}㐀㍙䶮"],
    "big5": [TRADITIONAL, TRADITIONAL[:5]],
    "utf-16": [TEXT],
}


def full(text, codec, meta):
    """Build a page as long as real ones: menus, scripts and a footer around the text."""
    menu = "".join(f'<li><a href="/col/col{n}/index.html">{text[:4]}{n}</a></li>' for n in range(40))
    script = "<script>var list = '\\u4e2d'; function go() { return 1 < 2 }</script>" * 20
    foot = f"<div class=footer>{text[2:]} ICP 05000001 &copy; 2023</div>"
    tag = f'<meta charset="{meta}">' if meta else ""
    head = f"<!DOCTYPE html><html><head>{script}{tag}<title>{text}</title></head>"
    return f"{head}<body><ul>{menu}</ul><p>{text * 5}</p>{foot}</body></html>".encode(codec)


@pytest.mark.parametrize("build", [page, full])
@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("header", HEADERS)
def test_short_and_full_pages_in_every_combination_are_right(header, body, build):
    kind = f"text/html; charset={header}" if header else "text/html"
    wrong = [
        (meta, text)
        for meta in METAS
        for text in BODIES[body]
        if text not in decode(build(text, body, meta), kind).text
    ]
    assert wrong == []


@pytest.mark.parametrize("title", TITLES)
@pytest.mark.parametrize("header", ["", "text/html; charset=iso-8859-1", "text/html; charset=big5"])
def test_a_gbk_title_of_five_characters_needs_no_declaration(title, header):
    got = decode(page(title, "gbk"), header)
    assert title in got.text
    assert got.encoding == "gb18030"


def test_gbk_that_is_valid_utf8_by_chance_is_read_as_gbk():
    bytes_ = "<title>通通通通</title>".encode("gbk")
    assert bytes_.decode("utf-8")  # the trap
    assert decode(bytes_).text == "<title>通通通通</title>"


@pytest.mark.parametrize("text", ["© 2023 · Zhejiang", "Español, Français", "Русский сайт", "plain"])
def test_utf8_without_chinese_stays_utf8(text):
    assert decode(text.encode()).text == text


@pytest.mark.parametrize("header", ["", "text/html; charset=Big5"])
@pytest.mark.parametrize("text", [TRADITIONAL, TRADITIONAL[:5]])
def test_big5_is_found_where_it_is_clearly_better(text, header):
    got = decode(page(text, "big5"), header)
    assert text in got.text
    assert got.encoding == "big5hkscs"


@pytest.mark.parametrize(
    ("codec", "bom"), [("utf-8", b"\xef\xbb\xbf"), ("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff")]
)
def test_a_bom_beats_every_declaration(codec, bom):
    got = decode(bom + page(TEXT, codec, "gbk"), "text/html; charset=gbk")
    assert TEXT in got.text
    assert got.step == "bom"


@pytest.mark.parametrize(
    ("body", "header", "step"),
    [
        (page(TEXT, "utf-8"), "", "utf-8"),
        (page(TEXT, "gbk", "gb2312"), "", "meta"),
        (page(TEXT, "gbk"), "text/html; charset=gbk", "header"),
        (page(TEXT, "gbk", "gbk"), "text/html; charset=gbk", "meta"),
        (page(TEXT, "gbk"), "", "gb18030"),
        (page(TRADITIONAL, "big5"), "", "big5"),
        (page(TEXT, "gbk") + b"\xff\xff\xff\xff", "", "replace"),
    ],
)
def test_the_step_that_won_is_recorded(body, header, step):
    assert decode(body, header).step == step


def test_a_conflict_is_noted_and_agreement_is_not():
    assert decode(page(TEXT, "utf-8", "gbk"), "text/html; charset=utf-8").conflict == (
        "header utf-8, meta gb18030, body utf-8"
    )
    assert decode(page(TEXT, "utf-8"), "text/html; charset=gbk").conflict == "header gb18030, body utf-8"
    assert decode(page(TEXT, "gbk", "gb2312"), "text/html; charset=GBK").conflict == ""


def test_a_declaration_in_a_comment_does_not_count():
    body = b'<!-- <meta charset="big5"> -->' + page(TEXT, "gbk")
    assert decode(body).conflict == ""


def test_a_damaged_page_keeps_its_encoding():
    utf8 = page(TEXT * 40, "utf-8")
    assert decode(utf8[:500] + b"\xff" + utf8[500:-40]).encoding == "utf-8"
    gbk = page(TEXT * 40, "gbk", "gbk")
    assert decode(gbk[:900] + b"\xff" + gbk[900:]).step == "meta"


@given(st.binary(max_size=400), st.text(max_size=40))
def test_never_raises(body, header):
    assert isinstance(decode(body, header).text, str)


def test_a_large_page_is_quick():
    body = page(TEXT * 20_000, "gbk")
    start = time.process_time()
    decode(body)
    assert time.process_time() - start < 1
