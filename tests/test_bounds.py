"""Bounds on markup and addresses: what is refused, and that ordinary pages are not."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from scrapy.exceptions import DownloadCancelledError, DownloadTimeoutError, IgnoreRequest

from govcrawl.bounds import (
    MAX_CALENDAR,
    MAX_PATTERN,
    MAX_QUERY_PATTERN,
    Bounded,
    PathPatterns,
    markup,
    nesting,
    reason,
)
from govcrawl.items import parse

PAGES = Path(__file__).parents[2] / "shared" / "pages"


def attributes(form: str) -> bytes:
    return ("<p " + "".join(form.format(number) for number in range(30_000)) + ">").encode()


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b"<p>x</p>" * 150_000, "huge_dom"),
        (b"<p>" + b"x" * 10_000_001, "huge_text"),
        (attributes("a{}=1 "), "huge_tag"),
        (attributes('a{}=">" '), "huge_tag"),
        (attributes('a{}="<" '), "huge_tag"),
        (attributes("a{}='>'"), "huge_tag"),
        (attributes("a{}/"), "huge_tag"),
        (attributes("a{}\n"), "huge_tag"),
    ],
)
def test_markup_that_breaks_the_parser_is_named_quickly(body: bytes, name: str) -> None:
    begun = time.process_time()
    assert markup(body) == name
    assert time.process_time() - begun < 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<p>x</p>" * 90_000,
        b'<img src="data:image/png;base64,' + b"QUJD/+aa" * 200_000 + b'">',
        b"<script>" + b"document.write('<li>' + \"</li>\");" * 5_000 + b"</script>",
        b"<p>" + b"x" * 9_999_990,
    ],
)
def test_large_but_ordinary_markup_passes(body: bytes) -> None:
    assert markup(body) is None


@pytest.mark.parametrize(
    ("depth", "name"), [(200, None), (250, None), (256, "nesting"), (100_000, "nesting")]
)
def test_nesting_beyond_the_parser_is_named(depth: int, name: str | None) -> None:
    tree = parse("<html><body>" + "<div>" * depth + "</div>" * depth + "<p>after</p></body></html>")
    assert nesting(tree) == name
    if name is None:
        assert tree.find(".//p") is not None


@pytest.mark.skipif(not PAGES.is_dir(), reason="the folder of saved real pages is not beside the repository")
def test_saved_real_pages_are_within_the_bounds() -> None:
    for path in PAGES.rglob("*.html"):
        body = path.read_bytes()
        assert markup(body) is None, path.name
        assert nesting(parse(body.decode("utf-8", "replace"))) is None, path.name


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (Bounded("codings"), "codings"),
        (DownloadTimeoutError("x"), "timeout"),
        (DownloadCancelledError("x"), "too_large"),
        (IgnoreRequest("Ignored response <200 x> because its body exceeded DOWNLOAD_MAXSIZE"), "too_large"),
        (IgnoreRequest("max redirections reached"), "redirects"),
        (IgnoreRequest("Forbidden by robots.txt"), None),
        (ValueError("x"), None),
    ],
)
def test_errors_of_the_download_carry_the_name_of_their_bound(error: Exception, name: str | None) -> None:
    assert reason(error) == name


@pytest.mark.parametrize(
    "url",
    [
        "http://a.gov.cn/",
        "http://a.gov.cn/art/2023/9/9/art_9_9.html",
        "http://a.gov.cn/2011/11/11/11/11/x.html",
        "http://a.gov.cn/xxgk/xxgk/zfxxgk/xxgkml/index.html",
        "http://a.gov.cn/s?q=%E6%94%BF%E5%BA%9C&page=2",
        "http://a.gov.cn/a.jsp;jsessionid=ABCDEF1234",
    ],
)
def test_ordinary_addresses_are_admitted(url: str) -> None:
    assert PathPatterns().admit(url) is None


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://a.gov.cn/" + "x" * 2_048, "url_too_long"),
        ("http://a.gov.cn/news/news/news/news/index.html", "repeated_segments"),
        ("http://a.gov.cn/a/b/a/b/a/b/index.html", "repeated_segments"),
        ("http://a.gov.cn/" + "/".join(str(number) for number in range(30)), "repeated_segments"),
    ],
)
def test_endless_addresses_are_refused_at_first_sight(url: str, why: str) -> None:
    assert PathPatterns().admit(url) == why


@pytest.mark.parametrize(
    ("form", "most", "why"),
    [
        ("http://a.gov.cn/cal?year={}&month=1", MAX_CALENDAR, "calendar"),
        ("http://a.gov.cn/calendar/2023?d={}", MAX_CALENDAR, "calendar"),
        ("http://a.gov.cn/list.jsp?page={}", MAX_QUERY_PATTERN, "path_pattern"),
        ("http://a.gov.cn/n/{}.html", MAX_PATTERN, "path_pattern"),
        ("http://a.gov.cn/n.jsp;jsessionid={:032x}", 1, "session_id"),
        ("http://a.gov.cn/n.php?PHPSESSID={:032x}&a=1", 1, "session_id"),
    ],
)
def test_rows_of_addresses_end_at_their_bound(form: str, most: int, why: str) -> None:
    patterns = PathPatterns()
    answers = [patterns.admit(form.format(number)) for number in range(most + 5)]
    assert answers == [None] * most + [why] * 5


def test_columns_told_apart_by_a_word_are_counted_apart() -> None:
    patterns = PathPatterns()
    forms = ("http://a.gov.cn/list.jsp?column=news&page={}", "http://a.gov.cn/list.jsp?column=policy&page={}")
    assert {patterns.admit(form.format(number)) for number in range(MAX_QUERY_PATTERN) for form in forms} == {
        None
    }
