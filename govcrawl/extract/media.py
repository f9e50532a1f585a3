"""What an interpretation or a data page shows besides words: films, sound, pictures, charts."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from govcrawl.extract.article import body_span, read_article
from govcrawl.extract.footer import footer_start
from govcrawl.extract.links import absolute, read_links
from govcrawl.extract.text import Element, view
from govcrawl.items import Page

_NAMED = (
    ("新闻发布会", re.compile(r"新闻发布会|新闻通气会|吹风会|发布会实录")),
    ("图解", re.compile(r"图解|一图|图说|长图|海报|漫画解读|图示")),
    ("动漫", re.compile(r"动漫|动画|漫画|沙画|H5", re.IGNORECASE)),
    ("视频", re.compile(r"视频(?:解读|讲解|访谈)|[（(【\[]视频[）)】\]]|短视频|微视频")),
    ("音频", re.compile(r"音频(?:解读)?|[（(【\[]音频[）)】\]]|有声")),
)
_FILM = re.compile(r"\.(?:mp4|m3u8|flv|wmv|mov|webm|swf)(?:$|\?)", re.IGNORECASE)
_SOUND = re.compile(r"\.(?:mp3|wav|m4a|aac|wma)(?:$|\?)", re.IGNORECASE)
# Looked for as they are written, without a pattern: scripts are long.
_PLAYERS = (
    "ckplayer",
    "videojs",
    "jwplayer",
    "DPlayer",
    "Aliplayer",
    "v.qq.com",
    "player.youku",
    "tv.cctv",
    "/vod/",
)
_CHARTS = ("echarts.init", "Highcharts", "new Chart(", "G2.Chart", "FusionCharts", "datav.aliyun")
_CHART_NAME = re.compile(r"图表|图解|数说|数读|数据图|一图|图看|可视化")
_ICON = re.compile(
    r"icon|logo|arrow|btn|button|banner|code|qr|ewm|share|weixin|wx|print|close|conac|jiucuo|beian|blank|spacer|line\.|bg\.",
    re.IGNORECASE,
)
_WORDS_PER_PICTURE = 120  # characters of text beside a picture that says it all


def read_media(page: Page) -> tuple[str, ...]:
    """Return the kinds of media a page explains by: 新闻发布会, 图解, 动漫, 视频, 音频, 图表."""
    known = page.cache.get("media")
    if isinstance(known, tuple):
        return known
    title = read_article(page).title
    found = {name for name, pattern in _NAMED if pattern.search(title)}
    found |= _played(page)
    if _scripted(page, _CHARTS) or (title and _CHART_NAME.search(title)):
        found.add("图表")
    if "图解" not in found and _pictured(page):
        found.add("图解")
    page.cache["media"] = result = tuple(sorted(found))
    return result


def _played(page: Page) -> set[str]:
    found = set()
    for link in read_links(page):
        if link.tag == "audio" or _SOUND.search(link.url):
            found.add("音频")
        elif (
            link.tag == "video"
            or _FILM.search(link.url)
            or (link.tag in ("iframe", "embed") and any(name in link.url for name in _PLAYERS))
        ):
            found.add("视频")
    if "视频" not in found and (page.tree.find(".//video") is not None or _scripted(page, _PLAYERS)):
        found.add("视频")
    return found


def _scripted(page: Page, names: tuple[str, ...]) -> bool:
    sources = [script.text for script in view(page).nodes.get("script", ()) if script.text]
    return any(name in text for text in sources for name in names)


def _pictured(page: Page) -> bool:
    """Tell whether the body is pictures with few words: an explanation drawn, not written."""
    of = view(page)
    start, end = body_span(page)
    title = read_article(page).title
    first = max(of.text.rfind(title, 0, start + len(title) if start else len(of.text)), 0) if title else start
    last = max(end, footer_start(page))
    pictures = [
        image for image in of.all("img") if first <= of.spans[image][0] <= last and _is_content(page, image)
    ]
    return bool(pictures) and end - start < _WORDS_PER_PICTURE * len(pictures)


def _is_content(page: Page, image: Element) -> bool:
    source = image.get("src") or ""
    name = urlsplit(absolute(page, source)).path.rpartition("/")[2] if source else ""
    width = (image.get("width") or "").removesuffix("px")
    return bool(name) and not _ICON.search(name) and not (width.isdigit() and int(width) < 200)
