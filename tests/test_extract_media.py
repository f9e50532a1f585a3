"""Media of interpretations and data pages, and the data they offer."""

from __future__ import annotations

import pytest

from govcrawl.extract.data import read_data
from govcrawl.extract.media import read_media
from govcrawl.items import Role
from govcrawl.registry import page

TEXT = (
    "<p>为贯彻国家有关部署，推动养老服务工作高质量发展，结合本市实际，现将有关事项说明如下，请认真落实。</p>"
    * 5
)


def media(body: str, title: str = "《养老服务办法》政策解读") -> tuple[str, ...]:
    html = f'<div class="header"><img src="/images/logo.png"></div><h1>{title}</h1>{body}'
    return read_media(page(html, url="/jd/1.html", role=Role.ARTICLE))


def test_words_alone_are_no_media() -> None:
    assert media(TEXT) == ()


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ('<video src="/v/1.mp4"></video>', "视频"),
        ('<a href="/upload/1.mp4">点击观看解读影片</a>', "视频"),
        ('<iframe src="http://v.qq.com/x/1.html"></iframe>', "视频"),
        ('<audio src="/v/1.mp3"></audio>', "音频"),
        ("<script>var c = echarts.init(document.getElementById('c'))</script>", "图表"),
    ],
)
def test_medium_is_told_by_its_markup(body: str, kind: str) -> None:
    assert media(TEXT + body) == (kind,)


@pytest.mark.parametrize(
    ("title", "kind"),
    [("【图解】养老服务办法", "图解"), ("养老服务新闻发布会实录", "新闻发布会"), ("动漫说养老服务", "动漫")],
)
def test_medium_is_told_by_the_title(title: str, kind: str) -> None:
    assert kind in media(TEXT, title)


def test_body_of_pictures_is_drawn() -> None:
    assert media('<p><img src="/upload/W020230901.jpg"></p>') == ("图解",)


def test_picture_beside_a_long_text_or_an_icon_is_not() -> None:
    assert media(f'{TEXT * 3}<p><img src="/upload/W020230901.jpg"></p>') == ()
    assert media('<p>说明</p><img src="/images/print_icon.png"><img src="/i/a.png" width=16>') == ()


@pytest.mark.parametrize(
    ("html", "offers"),
    [
        ('<a href="/d/2023.xlsx">七月主要指标</a>', ("数据文件",)),
        ("<p>数据目录</p><p>API接口调用说明</p>", ("数据接口", "数据集")),
        ('<a href="/a/1.html">七月主要指标</a>', ()),
    ],
)
def test_data_offered_by_a_page(html: str, offers: tuple[str, ...]) -> None:
    assert read_data(page(html, url="/sj/", role=Role.COLUMN)) == offers
