"""The site's name in the header of a page (D4.1): as text, in a logo's label, or perhaps in an image."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from typing import Literal
from urllib.parse import urljoin, urlsplit

from govcrawl.extract.footer import footer_start
from govcrawl.extract.text import Element, View, view, written
from govcrawl.items import Page

_LIMIT = 1_200  # visible text a header and its navigation may hold
_PLACE = r"[^\n，。]{0,6}位\s?置"
_CRUMB = re.compile(
    rf"当前{_PLACE}|现在{_PLACE}|目前{_PLACE}|所在{_PLACE}|您的{_PLACE}|你的{_PLACE}|\n(?:首页|主页)\s?[>»›＞]"
)
_ROWS = re.compile(  # content begins
    r"更\s?多|m(?<!\wm)ore\b|M(?<!\wM)(?:ore|ORE)\b|\n[^\n]{8,120}\d{1,2}[-/.月]\d{1,2}日?\s?(?=\n)"
)
_NAMED = re.compile(r"head|logo|banner|top|site-?name")
_LOGO = re.compile(r"logo|banner|head|top|title|name|wzmc|zw[_-]?bt|\bbt\b|bg", re.IGNORECASE)
_NOISE = re.compile(r"[\s·•．.,，\-—_|｜丨:：“”\"'()（）【】\[\]]+")
_FOOTER = re.compile(r"ICP备|公网安备|标识码|版权所有|主办|承办")
_WEB = r"(?:门户网站|官方网站|门户网|网站|官网|门户|网)"
_AREA = re.compile(rf"^(中国)?([\u4e00-\u9fff]{{2,14}}?)(人民政府|政府|政务|信息)?(?:办公[厅室])?{_WEB}?$")
_SUFFIX = re.compile(rf"(?:政府|政务|信息)?{_WEB}$")
_UNIT = re.compile(
    r"(?:壮族自治区|回族自治区|维吾尔自治区|自治区|自治州|自治县|特别行政区|省|市|区|县|州|盟|旗)$"
)
_BODY = re.compile(r"(?:[局厅部委院会署办]|政府)$")
_SHORT = (
    ("发展和改革委员会", "发改委"),
    ("发展和改革局", "发改局"),
    ("人力资源和社会保障", "人社"),
    ("人力资源和社会保障", "人力社保"),
    ("经济和信息化", "经信"),
    ("自然资源和规划", "资规"),
    ("住房和城乡建设", "住建"),
    ("住房和城乡建设", "建设"),
    ("文化广电和旅游", "文旅"),
    ("文化和旅游", "文旅"),
    ("卫生健康委员会", "卫健委"),
    ("国有资产监督管理委员会", "国资委"),
    ("市场监督管理", "市场监管"),
    ("委员会", "委"),
)


def header_names(page: Page) -> str:
    """Return what the page's header says: its text and the labels of its images, without the page title."""
    known = page.cache.get("header")
    if isinstance(known, str):
        return known
    of = view(page)
    end = _end(page, of)
    parts = [of.text[:end], *_labels(of, end)]
    parts += [of.of(item) for item in of.named(_NAMED) if 0 < of.size(item) <= _LIMIT and _early(of, item)]
    # A footer brought by a frame or script names the site as well: it is no header.
    parts += [text for part in written(page) if not _FOOTER.search(text := _all_text(part.view))]
    text = "\n".join(parts)
    page.cache["header"] = text
    return text


def shows_site_name(page: Page, names: Collection[str]) -> Literal["present", "absent", "unseen"]:
    """Tell whether the header shows the site under one of its names or their usual short forms.

    `unseen`: only an image without a label, a frame or a script can show it.
    """
    text = plain(header_names(page))
    if any(form in text for name in names for form in name_forms(name)):
        return "present"
    return "unseen" if _may_hide(page) else "absent"


@lru_cache(maxsize=4_096)  # a site has one name on all its pages
def name_forms(name: str) -> frozenset[str]:
    """Return the forms a site's name is shown in: 浙江省人民政府, 浙江省政府, 中国浙江, 浙江政府网 ..."""
    bare = plain(name)
    area = _AREA.match(bare)
    if area and (area[1] or area[3]) and not _BODY.search(area[2]):
        return frozenset({bare, *_area_forms(area[2])})
    core = _SUFFIX.sub("", bare)
    core = core if len(core) >= 3 else bare
    briefs = {core.replace(long, brief) for long, brief in _SHORT if long in core}
    return frozenset({bare, core, *briefs})


def _area_forms(place: str) -> set[str]:
    places = {place}
    if len(parts := re.split(r"(?<=[省市州])(?=[\u4e00-\u9fff]{2})", place)) > 1:
        places.add(parts[-1])  # 杭州市余杭区 is shown as 余杭区 too
    places |= {short for item in places if len(short := _UNIT.sub("", item)) >= 2}
    kinds = ("人民政府", "政府", "政务网", "门户网站")
    return {f"{item}{kind}" for item in places for kind in kinds} | {f"中国{item}" for item in places}


def plain(text: str) -> str:
    """Return a name without blanks, dots and dashes: 中国·浙江 and 中国浙江 are one."""
    return _NOISE.sub("", text)


def _end(page: Page, of: View) -> int:
    """Return where the header's text ends: at the breadcrumb, the first rows, or what a header can hold."""
    crumb = _CRUMB.search(of.text[: _LIMIT * 3])
    limit = crumb.start() if crumb else min(len(of.text) // 2, _LIMIT)
    rows = _ROWS.search(of.text, 0, limit)
    return min(rows.start() if rows else limit, footer_start(page))


def _early(of: View, item: Element) -> bool:
    start = of.spans[item][0]
    return start <= _LIMIT and start <= len(of.text) * 0.4


def _labels(of: View, end: int) -> list[str]:
    found = []
    for item in of.all("img", "a", "area"):
        if of.spans[item][0] <= end:
            found += [label for key in ("alt", "title", "aria-label") if (label := item.get(key))]
    return found


def _all_text(of: View) -> str:
    end = min(len(of.text), _LIMIT)
    return "\n".join((of.text[:end], *_labels(of, end)))


def _may_hide(page: Page) -> bool:
    of = view(page)
    end = _end(page, of)
    for image in of.all("img"):
        label = f"{image.get('alt') or ''}{image.get('title') or ''}".strip()
        if of.spans[image][0] <= end and not label and _big(image):
            return True
    if any(of.spans[frame][0] <= end and not _own_scheme(frame) for frame in of.all("iframe", "embed")):
        return True
    for item in of.named(_NAMED):
        if item in of.spans and item not in of.hidden and not of.size(item) and _early(of, item):
            return True  # a background image, or a place a script fills
    return any(_fetched(page, script, of, end) for script in of.nodes.get("script", ()))


def _big(image: Element) -> bool:
    """Tell whether an image can be a logo: by its name or its holder, and not an icon by its size."""
    width = (image.get("width") or "").removesuffix("px")
    if width.isdigit() and int(width) < 80:
        return False
    around = [image, *list(image.iterancestors())[:3]]
    names = " ".join(f"{item.get('class') or ''} {item.get('id') or ''}" for item in around)
    return bool(_LOGO.search(f"{image.get('src') or ''} {names}"))


def _own_scheme(frame: Element) -> bool:
    return (frame.get("src") or "").startswith(("javascript:", "about:"))


def _fetched(page: Page, script: Element, of: View, end: int) -> bool:
    """Tell whether a same-site script that was not read may write the header."""
    source = (script.get("src") or "").strip()
    if not source:
        return False
    name = source.split("?", 1)[0].rsplit("/", 1)[-1].removesuffix(".js").lower()
    in_body = all(parent.tag != "head" for parent in script.iterancestors())
    likely = (
        "head" in name
        or "top" in name
        or (name.isalnum() and any(char.isdigit() for char in name) and len(name) > 9)
    )
    if not (in_body and likely and of.spans.get(script, (0, 0))[0] <= end):
        return False
    try:
        url = urljoin(page.base_url, source)
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    return url not in page.included and (page.site.owns(url) or host.endswith(".gov.cn"))
