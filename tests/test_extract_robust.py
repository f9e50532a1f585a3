"""No reading raises, whatever the markup: mutated saved pages and random HTML."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from govcrawl.extract.article import read_article
from govcrawl.extract.footer import MARKS, footer_sources, read_footer
from govcrawl.extract.header import shows_site_name
from govcrawl.extract.role import page_role
from govcrawl.extract.tags import read_tags
from govcrawl.items import Page, Role, Site

PAGES = Path(__file__).resolve().parents[1].parent / "shared" / "pages"
SITE = Site("hz", "杭州市人民政府", "portal", "city", "330100", "", "http://www.hangzhou.gov.cn/")
AT = datetime(2023, 9, 20, tzinfo=UTC)
PIECES = (
    *(
        b"<",
        b">",
        b"</",
        b"<!--",
        b"-->",
        b"'",
        b'"',
        b"</div>",
        b"</body></html>",
        b"<table>",
        b"<p",
        b"&#x",
    ),
    *(
        b"\x00",
        b"\xff\xfe",
        b"<script>",
        b"</script>",
        b"<style>",
        b"<base href='http://[x/'>",
        b"\\u",
        b"%3C",
    ),
    *(
        text.encode()
        for text in ("主办单位：", "发布时间：", "网站标识码：", "2023-13-45", "<a href='http://[::1'>")
    ),
    *(b"<iframe src='//[x]'>", b"<script src='http://[bad/footer.js'></script>", b"<meta name= content=>"),
)


def read_all(body, *, included=None, content_type=""):
    headers = (("Content-Type", content_type),)
    page = Page(SITE, "2023Q3", "http://www.hangzhou.gov.cn/a/b.html", AT, body=body, headers=headers)
    page.included = included or {}
    footer = read_footer(page)
    assert set(footer.marks) == set(MARKS)
    assert all(mark.state in ("present", "absent", "unseen") for mark in footer.marks.values())
    assert all(url.startswith("http") for url in footer_sources(page))
    assert isinstance(page_role(page), Role)
    article = read_article(page)
    assert isinstance(article.title, str)
    assert (article.published is None) == (article.where == "")
    assert read_tags(page).missing("site") is not None
    assert shows_site_name(page, (SITE.name, "")) in ("present", "absent", "unseen")


def mutate(body, chance):
    for _ in range(chance.randint(1, 6)):
        start = chance.randrange(len(body) + 1)
        end = min(len(body), start + chance.choice((0, 1, 3, 20, 400, 5_000)))
        kind = chance.randrange(4)
        if kind == 0:
            body = body[:start] + body[end:]
        elif kind == 1:
            body = body[:start] + chance.choice(PIECES) * chance.choice((1, 1, 1, 50)) + body[start:]
        elif kind == 2:
            body = (
                body[:start] + bytes(chance.randrange(256) for _ in range(min(end - start, 40))) + body[end:]
            )
        else:
            body = body[:end] + body[start:end] * chance.choice((1, 3)) + body[end:]
    return body


@pytest.mark.skipif(not PAGES.is_dir(), reason="the folder of saved pages is not beside the checkout")
@pytest.mark.parametrize("part", range(4))
def test_mutated_pages_are_read_without_an_error(part):
    chance = random.Random(20_230_918 + part)
    files = sorted(PAGES.glob("*.html"))
    slowest = 0.0
    for _ in range(100):
        path = chance.choice(files)
        body = mutate(path.read_bytes(), chance)
        script = (PAGES / "011.footer.js").read_bytes()
        included = {"http://www.hangzhou.gov.cn/f.js": mutate(script, chance).decode("utf-8", "replace")}
        start = time.process_time()
        read_all(body, included=included if chance.random() < 0.3 else {})
        slowest = max(slowest, time.process_time() - start)
    assert slowest < 2


TAGS = (
    "div",
    "p",
    "a",
    "table",
    "td",
    "script",
    "style",
    "iframe",
    "h1",
    "select",
    "title",
    "body",
    "html",
    "meta",
    "img",
)
WORDS = (
    "主办：",
    "浙ICP备05000083号",
    "网站标识码：3301000001",
    "发布时间：2023-09-18",
    "首页 > 要闻",
    "更多",
    "'<p>'+x",
    "联系我们",
    "姓名：",
)
markup = st.lists(
    st.one_of(
        st.sampled_from(TAGS).map(
            lambda tag: f"<{tag} class='footer' src='/footer.js' href='/x' name='PubDate' content='1'>"
        ),
        st.sampled_from(TAGS).map(lambda tag: f"</{tag}>"),
        st.sampled_from(WORDS),
        st.sampled_from(
            ("<!--", "-->", "<", "&", "\x00", "\x0c", '"', "<div style='display:none'>", "<a onclick='Link(")
        ),
        st.text(max_size=8),
    ),
    max_size=40,
).map("".join)


@given(markup, st.sampled_from(["utf-8", "gb18030", "utf-16"]), st.text(max_size=12))
def test_random_markup_is_read_without_an_error(text, codec, charset):
    read_all(text.encode(codec, "replace"), content_type=f"text/html; charset={charset}")


@given(st.binary(max_size=300))
def test_random_bytes_are_read_without_an_error(body):
    read_all(body)


@given(markup)
def test_random_included_files_are_read_without_an_error(text):
    read_all(b"<script src='/footer.js'></script>", included={"http://www.hangzhou.gov.cn/footer.js": text})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"<" * 100_000,
        b"<div>" * 20_000,
        b"<p>" + "，".encode() * 60_000,
        ("<p>" + "首页 > " * 20_000).encode(),
        ("当前位置：" * 20_000).encode(),
        ("<li>2023-09-18 标题</li>" * 10_000).encode(),
        b"<a href='x'>" * 20_000,
        ("<script>" + "'主办" * 30_000 + "</script>").encode(),
    ],
)
def test_hostile_pages_take_bounded_time(body):
    start = time.process_time()
    read_all(body)
    assert time.process_time() - start < 5
