"""The footer's six marks and the 我为政府网站找错 entry (D4.2, D4.4), wherever the page writes them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote, urljoin, urlsplit

from lxml import etree

from govcrawl.extract.article import body_span
from govcrawl.extract.text import Element, View, elements, imprint_anchors, imprint_start, view, written
from govcrawl.items import Page

State = Literal["present", "absent", "unseen"]
MARKS = ("party_government_mark", "site_code", "icp", "police", "organizer", "contact", "find_error")
SOURCE_LIMIT = 6  # files the spider fetches for one footer


@dataclass(frozen=True, slots=True)
class Mark:
    """Whether a mark is shown, what it says and where it stands.

    `unseen` means the page does not show it but could not be seen whole: a person or a browser has to look.
    `where` is text, img, link, script, included, frame or hidden.
    """

    state: State
    value: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True)
class Footer:
    """The marks by name, and why a missing one may stand in something that was not seen."""

    marks: Mapping[str, Mark]
    unseen: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Mark:
        return self.marks[name]


@dataclass(frozen=True, slots=True)
class _Piece:
    """One document to search: the page itself or something a script or frame adds to it."""

    view: View
    where: str  # empty for the page itself
    zone: str


@dataclass(slots=True)
class _Found:
    marks: dict[str, Mark] = field(default_factory=dict)

    def add(self, name: str, value: str, where: str) -> None:
        """Keep the first sighting of a mark, but let one that a reader sees replace a hidden one."""
        old = self.marks.get(name)
        if old is None or (old.state != "present" and where != "hidden"):
            state: State = "unseen" if where == "hidden" else "present"
            self.marks[name] = Mark(state, value, where)


def read_footer(page: Page) -> Footer:
    """Read the footer marks of a page from its HTML, its scripts and its fetched files, guessing nothing.

    A mark is `absent` only where the whole footer was seen.
    """
    known = page.cache.get("footer")
    if isinstance(known, Footer):
        return known
    found = _Found()
    for piece in _pieces(page):
        _search(piece, found)
    unseen = tuple(_unseen(page, found))
    blank = Mark("unseen" if unseen else "absent")
    footer = Footer({name: found.marks.get(name, blank) for name in MARKS}, unseen)
    page.cache["footer"] = footer
    return footer


def footer_sources(page: Page) -> tuple[str, ...]:
    """Return the same-site scripts and frames that may carry the missing marks, the likeliest first."""
    if all(mark.state == "present" for mark in read_footer(page).marks.values()):
        return ()
    urls = [url for url in _unseen(page, _Found(dict(read_footer(page).marks))) if url.startswith("http")]
    return tuple(url for url in dict.fromkeys(urls) if page.site.owns(url))[:SOURCE_LIMIT]


def footer_start(page: Page) -> int:
    """Return where the footer begins in the page's visible text; its length where there is no footer."""
    known = page.cache.get("footer_start")
    if not isinstance(known, int):
        known = page.cache["footer_start"] = _zone_start(view(page), body_span(page))
    return known


def footer_marked(page: Page) -> bool:
    """Tell whether the page marks its footer as one, so that its start is no guess."""
    of = view(page)
    anchors = imprint_anchors(of)
    return bool(_holders(of, anchors, _MARKED))


# --- the pieces ---------------------------------------------------------------------------------------

_WHOLE = 6_000  # a script's or frame's text up to this length is all footer


def _pieces(page: Page) -> Iterator[_Piece]:
    own = view(page)
    yield _Piece(own, "", own.text[footer_start(page) :])
    for part in written(page):
        yield _Piece(part.view, part.where, _zone(part.view))


def _zone(of: View) -> str:
    return of.text if len(of.text) <= _WHOLE else of.text[_zone_start(of) :]


# --- where the footer starts --------------------------------------------------------------------------

_NAMED = re.compile(r"foot|copyright|banquan|dibu|yejiao|bottom")
_MARKED = re.compile(r"foot|copyright|banquan|dibu|yejiao|(?:^| )bottom(?: |$)")
_PLACE = r"[^\n，。]{0,6}位\s?置[^\n]{0,80}"
_CRUMB = re.compile("|".join(f"{word}{_PLACE}" for word in ("当前", "现在", "目前", "所在", "您的", "你的")))
_CLOSE = 600  # text of the block around an anchor that still belongs to the footer


def _zone_start(of: View, body: tuple[int, int] = (0, 0)) -> int:
    """Return where the footer's text begins; the end of the text where there is no footer."""
    text = of.text
    anchors = imprint_anchors(of)
    if anchors:
        named = _named_start(of, anchors)
        # On a page without an article the "body" found may be a line of the footer itself.
        return max(named, *_floors(of, anchors[-1], body[1] if body[0] < named else 0))
    starts = [
        of.spans[item][0]
        for item in of.named(_NAMED)
        if item in of.spans and of.size(item) < _CLOSE * 3 and of.spans[item][1] > len(text) - _CLOSE
    ]
    return min(starts, default=len(text))


def _floors(of: View, anchor: int, body_end: int) -> Iterator[int]:
    """Yield where a footer cannot begin before: the body, the breadcrumb, the heading, the page's top."""
    text = of.text
    if body_end <= anchor:
        yield body_end
    if (crumb := _CRUMB.search(text, 0, anchor)) is not None:
        yield max(0, text.find("\n", crumb.end()))
    yield max((end for item in of.all("h1") if (end := of.spans[item][1]) <= anchor), default=0)
    yield len(text) // 4 if len(text) > _CLOSE // 2 else 0


def _named_start(of: View, anchors: list[int]) -> int:
    """Return where the element that calls itself a footer begins, or the lines round the anchors."""
    starts = _holders(of, anchors, _NAMED)
    return min(starts) if starts else max(_block_start(of, anchors), imprint_start(of.text, anchors[0]))


def _holders(of: View, anchors: list[int], names: re.Pattern[str]) -> list[int]:
    """Return where the elements of such names begin that hold an anchor and little text besides."""
    spans = [of.spans[item] for item in of.named(names) if item in of.spans and of.size(item) < _CLOSE * 3]
    return [start for start, end in spans if any(start <= at < end for at in anchors)]


def _block_start(of: View, anchors: list[int]) -> int:
    """Return the start of the largest block round one of these positions that is still short."""
    first, best = anchors[0], max(0, of.text.rfind("\n", 0, anchors[0]))
    for start, end in of.spans.values():
        if (
            end > first
            and end - start <= _CLOSE
            and start < best
            and any(start <= at < end for at in anchors)
        ):
            best = start
    return best


# --- the marks ----------------------------------------------------------------------------------------

_PROVINCE = "京津沪渝冀豫云滇辽黑湘皖鲁新苏浙赣鄂桂甘陇晋蒙陕秦吉闽贵黔粤青藏川蜀宁琼"
_CODE = re.compile(
    r"(?:标识(?:编|代)?[码号]|网站标识|识别码|网站代码)(?!申请)[^0-9A-Za-z\n]{0,8}(?:\n[^0-9A-Za-z\n]{0,2})?((?:bm|BM)\d{8}|\d{10})(?!\d)"
)
_CODE_PARAMETER = re.compile(r"site_?code['\"]?\s?[=:]\s?['\"]?((?:bm|BM)\d{8}|\d{10})(?!\d)", re.IGNORECASE)
_ICP = re.compile(
    rf"[{_PROVINCE}]\s?[()（）]?\s?ICP\s?[)）]?\s?备\s?(?:案)?(?:字)?\s?[第:：]?\s?[A-Z]?\d{{5,12}}\s?号?(?:\s?[-－—]\s?\d{{1,3}}\s?号?)?"
    rf"|ICP\s?备案?\s?(?:编号|序号|号)?\s?[:：]?\s?第?\s?\d{{6,12}}\s?号?(?:\s?[-－—]\s?\d{{1,3}}\s?号?)?",
    re.IGNORECASE,
)
_POLICE = re.compile(
    rf"[{_PROVINCE}]?\s?(?:公网\s?安\s?备|公安\s?网\s?备|公安备|公网备|公安(?:机关|部)?(?:联网|互联网|网络)?备)[^\d\n]{{0,14}}"
    r"\d{8,14}(?:\s?-\s?\d{1,6})?\s?号?"
)
_POLICE_LINK = re.compile(
    r"beian\.(?:gov|mps\.gov)\.cn/\S{0,80}?(?:recordcode|code)=(\d{8,14})", re.IGNORECASE
)
_UNIT = r"[\u4e00-\u9fff·、（）()\w]{2,60}?"
_END = (
    r"(?=\s|$|[,，;；|丨。]|承办|协办|联办|技术|运行|运维|维护|版权|管理单位|地址|电话|备案|网站|联系|[:：])"
)
_ORGANIZER = (
    re.compile(
        r"主\s?办(?:[/、及和]承办)?\s?(?:单位|方|机关|机构)?\s?(?:[(（][^)）\n]{1,10}[)）])?(?:\s?[/／]\s?版权所有)?"
        rf"\s?[:：]\s?[\n\t]?\s?({_UNIT}){_END}"
    ),
    re.compile(
        r"(?:^|[\s|丨，,：:©])(?:本网?站)?由?([\u4e00-\u9fff·、]{4,40}?)\s?[(（]?主办(?:单位)?[)）]?"
        r"(?=\s|$|[、,，;；|丨。]|[\u4e00-\u9fff]{2,30}承办|版权)",
        re.MULTILINE,
    ),
    re.compile(rf"主办(?:单位|方)\s({_UNIT}){_END}"),
)
_NO_UNIT = re.compile(
    r"^(?:承办|协办|单位|版权|联合|共同|技术|网站标识|.*(?:ICP|公网安备|\d{5})|.*(?:活动|大赛|比赛|论坛|会议|培训|讲座|展览|仪式|晚会)$)"
)
_OPENING, _CLOSING = re.compile("[(（]"), re.compile("[)）]")
_PHONE = re.compile(
    r"(?:电\s?话|热\s?线|传\s?真|联系我们|联系方式|联系人?|总机|咨询|举报|值班|手机)"
    r"(?:(?![备码])[^\dA-Za-z\n]){0,24}(?:[(（]?0\d{2,3}[)）]?\s?[-—－]{0,2}\s?)?[1-9]\d{4,10}(?!\d)"
    r"|(?<!\d)0\d{2,3}\s?[-—－]{1,2}\s?[1-9]\d{2,3}\s?\d{4}(?!\d)"
)
_ADDRESS = re.compile(r"地\s?址\s?[:：]\s?[\u4e00-\u9fff][^\s|]{3,}")
_MAIL = re.compile(r"[\w.+-]{2,40}(?:[@＠#]|\(at\))[\w-]{1,40}\.[a-z]{2,6}", re.IGNORECASE)
_CONTACT_LINK = re.compile(r"^(?:联系|联络)(?:我们|方式|本站|电话|网站)$|^(?:站长|网管|管理员)信箱$")
_CONAC = re.compile(
    r"bszs\.conac\.cn|dcs\.conac\.cn|conac\.cn/(?:sitename|js|image)|/(?:CA)\d{15,40}\w{0,40}\.js"
)
_CONAC_NAME = re.compile(r"党政机关(?:网站)?(?:标识|标志)?$|^事业单位(?:网站)?标识$")
_ENTRY = re.compile(
    r"exposure/jiucuo|zfwz(?:gl|xx|zc)\.www\.gov\.cn|pucha\.kaipuyun\.cn/exposure|121\.43\.68\.40/exposure|"
    r"(?:^|/)jiucuo(?:\.min)?\.js|\bLink\(\s?['\"](?:bm\d{8}|\d{10})['\"]",
    re.IGNORECASE,
)
_CONAC_FILE = re.compile(r"^(?:red|blue)\.png$|dz_?jg|dangzheng")  # the register's own files, and usual names
_NEAR = 200  # text between the row of badges and the lines of a footer
_FILLED = {  # where the two official scripts write
    "find_error": re.compile(r"(?:^| )_span_jiucuo(?: |$)"),
    "party_government_mark": re.compile(r"(?:^| )_ideconac(?: |$)"),
}
_ENTRY_NAME = re.compile(r"政府网站找错")
_TARGET = re.compile(r"conac|beian|jiucuo|zfwz|exposure|Link\(")
_CLICKED = re.compile(r"conac|jiucuo|Link\(|recordcode|zfwz|exposure")
_CODE_CALL = re.compile(r"\(\s*['\"]((?:bm|BM)\d{8}|\d{10})['\"]")


def _search(piece: _Piece, found: _Found) -> None:
    _texts(piece, found)
    _links(piece, found)
    _images(piece, found)
    _scripts(piece, found)
    _filled(piece, found)
    _hidden_texts(piece, found)


def _texts(piece: _Piece, found: _Found) -> None:
    where = piece.where or "text"
    zone = piece.zone
    if match := _CODE.search(zone):
        found.add("site_code", match[1].lower(), where)
    if match := _ICP.search(zone):
        found.add("icp", _packed(match[0]), where)
    if match := _POLICE.search(zone):
        found.add("police", _packed(match[0]), where)
    if unit := _organizer(zone):
        found.add("organizer", unit, where)
    if match := _PHONE.search(zone) or _ADDRESS.search(zone) or _MAIL.search(zone):
        found.add("contact", match[0], where)


def _organizer(zone: str) -> str:
    for pattern in _ORGANIZER:
        for match in pattern.finditer(zone):
            unit = match[1].strip("、· ").removesuffix("主办")
            if len(_OPENING.findall(unit)) != len(_CLOSING.findall(unit)):
                unit = unit.strip("()（）")
            if len(unit) >= 3 and not _NO_UNIT.match(unit):
                return unit
    return ""


def _hidden_texts(piece: _Piece, found: _Found) -> None:
    hidden = piece.view.hidden_text
    if not hidden:
        return
    for name, pattern in (("site_code", _CODE), ("icp", _ICP), ("police", _POLICE)):
        if match := pattern.search(hidden):
            found.add(name, _packed(match[match.lastindex or 0]), "hidden")


def _links(piece: _Piece, found: _Found) -> None:
    of = piece.view
    zone_start = len(of.text) - len(piece.zone)
    named = "找错" in of.text
    for link in (*of.nodes.get("a", ()), *of.nodes.get("area", ())):
        href = link.get("href") or ""
        start, end = of.spans.get(link, (0, 0))
        if _TARGET.search(href):
            _target(piece, link, href, found)
        elif end - start < 20 and (named or start >= zone_start) and link not in of.hidden:
            _labelled(piece, of.text[start:end].strip(), href, start >= zone_start, found)
    for item, click in of.clicked:
        if _CLICKED.search(click):
            _target(piece, item, click, found)


def _target(piece: _Piece, item: Element, target: str, found: _Found) -> None:
    """Take what a link or a click leads to: the register of marks, the police register, the error report."""
    where = "hidden" if item in piece.view.hidden else piece.where or "link"
    if _CONAC.search(target):
        found.add("party_government_mark", target, where)
    if match := _POLICE_LINK.search(target):
        found.add("police", match[1], where)
    if _ENTRY.search(target):
        found.add("find_error", target, where)
        if match := _CODE_PARAMETER.search(target):
            found.add("site_code", match[1].lower(), where)


def _labelled(piece: _Piece, label: str, href: str, in_footer: bool, found: _Found) -> None:
    if _ENTRY_NAME.search(label) and _leads(href):
        found.add("find_error", href, piece.where or "link")
    elif in_footer and _CONTACT_LINK.match(label):
        found.add("contact", label, piece.where or "link")


def _leads(target: str) -> bool:
    return bool(target.strip().lstrip("#")) and target.strip().lower() != "javascript:;"


def _images(piece: _Piece, found: _Found) -> None:
    of = piece.view
    near = len(of.text) - len(piece.zone) - _NEAR
    for image in of.nodes.get("img", ()):
        source = image.get("src") or ""
        label = f"{image.get('alt') or ''} {image.get('title') or ''}".strip()
        where = "hidden" if image in of.hidden else piece.where or "img"
        if "conac" in source.lower() or (label and _CONAC_NAME.search(label)):
            found.add("party_government_mark", source, where)
        if label:
            _label(label, found, where)
        name = source.rsplit("/", 1)[-1].lower()
        if _CONAC_FILE.search(name) and of.spans.get(image, (0, 0))[0] >= near:
            found.add("party_government_mark", source, "hidden")
        if "jiucuo" in name or "找错" in label:
            _entry_image(image, label, found, where)


def _label(label: str, found: _Found, where: str) -> None:
    if match := _POLICE.search(label):
        found.add("police", _packed(match[0]), where)
    if match := _ICP.search(label):
        found.add("icp", _packed(match[0]), where)
    if match := _CODE.search(label):
        found.add("site_code", match[1].lower(), where)


def _entry_image(image: Element, label: str, found: _Found, where: str) -> None:
    """An image of the entry counts when a click leads on: a link, or a call with the site code."""
    parent = image.getparent()
    holder = parent if parent is not None and parent.tag == "a" else image
    click = image.get("onclick") or holder.get("onclick") or ""
    if _CODE_CALL.search(click) or _ENTRY.search(click):
        found.add("find_error", click, where)
    elif _ENTRY_NAME.search(label) and _leads(holder.get("href") or ""):
        found.add("find_error", holder.get("href") or "", where)
    else:
        found.add("find_error", image.get("src") or "", "hidden")


def _scripts(piece: _Piece, found: _Found) -> None:
    for script in piece.view.nodes.get("script", ()):
        source = script.get("src") or ""
        where = piece.where or "script"
        if "onac" in source or "/CA" in source:
            if _CONAC.search(source):
                found.add("party_government_mark", source.strip(), where)
        elif "jiucuo" in source and _ENTRY.search(source):
            found.add("find_error", source.strip(), where)
            code = script.get("sitecode") or ""
            if re.fullmatch(r"(?:bm|BM)\d{8}|\d{10}", code):
                found.add("site_code", code.lower(), where)


def _filled(piece: _Piece, found: _Found) -> None:
    """What stands where an official script writes may be its mark, put there by another script."""
    for mark, place in _FILLED.items():
        if any(len(item) for item in piece.view.named(place)):
            found.add(mark, "", "hidden")


def _packed(text: str) -> str:
    return re.sub(r"\s+", "", text)


# --- what was not seen --------------------------------------------------------------------------------

_FOOTLIKE = re.compile(r"foot|bottom|copyright|dibu|yejiao|banquan|conac|jiucuo|页脚|底部", re.IGNORECASE)
_GENERATED = re.compile(r"^(?:\d{6,}|[0-9a-f]{16,}|[0-9a-f]{8}-[0-9a-f-]{20,})$", re.IGNORECASE)
_LOADED = re.compile(
    r"""(?:\.load|\$\.get|\$\.ajax|fetch|include|import|url\s?[:=])\s?\(?\s?['"]([^'"\s]{0,200}?"""
    r"""(?:foot|bottom|dibu|copyright)[^'"\s]{0,100})['"]""",
    re.IGNORECASE,
)
_APP = etree.XPath("//body//*[(@id='app' or @id='root' or @id='__nuxt') and not(*)] | //app-root")
_SHELL = 300  # with less visible text than this an empty application root is the whole page
_KEPT_EMPTY = ("img", "input", "a", "script", "link", "style", "br")
_COUNTER = re.compile(r"visit|count|hits|stat|pv\b|analytics", re.IGNORECASE)


def _unseen(page: Page, found: _Found) -> Iterator[str]:
    """Yield addresses (or a word) of what may hold a missing mark and was not read, the likeliest first."""
    missing = [name for name in MARKS if name not in found.marks or found.marks[name].state != "present"]
    if not missing:
        return
    own = view(page)
    start = footer_start(page)
    have_footer = sum(name in found.marks and found.marks[name].state == "present" for name in MARKS) >= 2
    ranked = sorted(_candidates(page, own, start, have_footer), key=lambda item: -item[0])
    for _, url in ranked:
        if url not in page.included:
            yield url
    if not have_footer:
        yield from _holes(page, own)


def _candidates(page: Page, own: View, start: int, have_footer: bool) -> Iterator[tuple[int, str]]:
    tail = min(start, int(len(own.text) * 0.6))
    for script in own.nodes.get("script", ()):
        source = (script.get("src") or "").strip()
        if not source:
            for match in _loads(script.text or ""):
                if url := _address(page, match[1]):
                    yield 90, url
            continue
        name = unquote(source.split("?", 1)[0].rsplit("/", 1)[-1]).removesuffix(".js")
        position = own.spans.get(script, (0, 0))[0]
        if _FOOTLIKE.search(name):
            rank = 80
        elif position >= tail and not have_footer and _GENERATED.match(name) and not _in_head(script):
            rank = 50
        else:
            continue
        if url := _address(page, source):
            yield rank, url
    for frame in own.all("iframe", "frame"):
        source = (frame.get("src") or "").strip()
        position = own.spans.get(frame, (0, 0))[0]
        if not source or _COUNTER.search(source) or frame.get("height") in ("0", "1"):
            continue
        if (position >= tail or not have_footer or _FOOTLIKE.search(source)) and (
            url := _address(page, source)
        ):
            yield (70 if position >= tail else 20), url


def _loads(source: str) -> Iterator[re.Match[str]]:
    if any(word in source for word in ("foot", "Foot", "bottom", "dibu", "copyright")):
        yield from _LOADED.finditer(source[:200_000])


def _in_head(element: Element) -> bool:
    return any(parent.tag == "head" for parent in element.iterancestors())


def _address(page: Page, source: str) -> str:
    try:
        url = urljoin(page.base_url, source)
        host = urlsplit(url).hostname or ""
    except ValueError:
        return ""
    known = page.site.owns(url) or host.endswith(".gov.cn")
    return url if url.startswith("http") and known and "conac.cn" not in host and "zfwzgl" not in host else ""


def _holes(page: Page, own: View) -> Iterator[str]:
    """Yield words for a footer that only scripts can fill."""
    for item in own.named(_NAMED):
        if not own.size(item) and item not in own.hidden and item.tag not in _KEPT_EMPTY:
            yield "image footer" if len(item) else "empty footer element"
            return
    if own.nodes.get("frame"):
        yield "frameset"
    elif len(own.text) < _SHELL and elements(_APP, page.tree):
        yield "script application"
