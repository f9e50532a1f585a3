"""The lists of a page: rows with title, address and date, and what an empty-looking page really is."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from itertools import chain, pairwise
from urllib.parse import urljoin, urlsplit

from lxml.html import HtmlElement

from govcrawl.extract.dates import date_in_url, parse_date
from govcrawl.extract.links import absolute, anchors
from govcrawl.items import Page, Row, parse

PAGER = re.compile(
    r"(?:首\s?页|上\s?一?页|下\s?一?页|前页|后页|末\s?页|尾\s?页|最后一?页|第一页|上页|下页|更多|more|\d{1,4}|\.\.\.|[<>«»‹›]+|跳转|确定|go|返回.{0,6})",
    re.IGNORECASE,
)
_LABEL = re.compile(r"(?:发布|发文|更新|公开|成文|发表|创建|生成)?\s{0,4}(?:日期|时间|于)\s{0,4}[:：]?")
_DATED_TITLE = re.compile(r"(?:日期|时间)\s{0,3}[:：]\s{0,3}(\d[\d年月日/.:\s-]{7,24})")
_LOOSE = re.compile(r"[\s\[\]()【】<>|·/,.;:：~—-]+")
_DIGIT = re.compile(r"\d")
_NUMERIC = re.compile(r"[\d\s\-/.年月日]{1,12}")
_PARTIAL = re.compile(r"(?:\d{1,2}\s?[-/.月]\s?\d{1,2}日?)")
_YEAR_HEADING = re.compile(r"\s{0,8}((?:19|20)\d\d)\s{0,4}年?(?:度)?\s{0,8}")
_RECORD = re.compile(r"<(/?)record>", re.IGNORECASE)
_OBJECT = re.compile(r"\{[^{}]{15,4000}\}")
_FIELD = re.compile(
    r"""["']?([A-Za-z_]{2,30})["']?\s*:\s*(?:"((?:[^"\\]|\\.){0,600})"|'((?:[^'\\]|\\.){0,600})'|(\d{8,14}))"""
)
_TITLE_KEYS = (
    "title",
    "showtitle",
    "subtitle",
    "name",
    "infotitle",
    "doctitle",
    "articletitle",
    "text",
    "linktitle",
    "bt",
)
_URL_KEYS = ("url", "link", "href", "docpuburl", "linkurl", "infourl", "puburl", "arturl", "path", "weburl")
_DATE_KEYS = (
    "date", "time", "pubdate", "pubtime", "publishtime", "publishdate", "showtime", "showdate", "createtime",
    "createdate", "releasetime", "releasedate", "docreltime", "deploytime", "display_date", "rq", "fbsj",
    "fbrq", "cwrq", "updatetime",
)  # fmt: skip
_NOTHING = re.compile(
    r"暂无|没有(?:找到|相关|任何)?(?:信息|数据|内容|记录)|无(?:相关)?(?:数据|记录|内容|信息)|共\s*0\s*[条篇页]|空空如也"
)
_WORKS = re.compile(
    r"(?:栏目|网站|页面|本页|系统|内容|功能|板块|频道)?[^。，\n]{0,6}(?:正在|暂时)?[^。，\n]{0,4}"
    r"(?:维护中|建设中|升级中|改版中|调整中|升级改造|正在建设|正在维护|正在升级|正在改版|维护升级)"
)
_FILLS = re.compile(
    r"\$\.(?:ajax|get|post|getJSON)|\bfetch\s*\(|XMLHttpRequest|axios|dataproxy|ajaxpagelist|\bnew\s+Vue|createApp|ReactDOM|angular|ng-repeat"
    r"|v-for|innerHTML|document\.write|\.html\(|\.append\(|\.load\(|template\(|juicer|layui|jsonp|page/build/unit",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"\$\.(?:ajax|get|post|getJSON)|\bfetch\s*\(|XMLHttpRequest|axios|dataproxy|\.load\(|jsonp|createApp|new\s+Vue|ReactDOM|webpack",
    re.IGNORECASE,
)
_IDLE_SCRIPT = re.compile(
    r"hm\.baidu|tongji|analytics|cnzz|conac|jiucuo|zfwzgl|gwssi|piwik|matomo|share|bdimg|"
    r"jquery(?:[.-][\d.]+)?(?:\.min)?\.js|ie\d?\.js|html5|respond|swiper|slide|superslide|weixin|wechat|html5shiv|toplogin",
    re.IGNORECASE,
)
_CONTENT_IMAGE = re.compile(
    r"upload|attach|/files?/|/pic(?:ture)?s?/|/W0\d{10}|/P0\d{10}|_ori|/__local/|/image/20|ueditor",
    re.IGNORECASE,
)
_CHROME_TAGS = ("header", "nav", "footer", "aside")
_CHROME_NAMES = re.compile(
    r"(?:^|[\s_-])(?:header?|top|topbar|nav\w*|menu|footer?|foot\w*|bottom|breadcrumb|crumbs?|position|location|bmfw|side\w*|left\w*|search\w*|logo|banner|"
    r"copyright|share|page[rs]?|paging|pagination|curr\w*|wz|dqwz|weizhi|lm\w{0,4}|friend\w*|links?)(?:$|[\s_-])",
    re.IGNORECASE,
)
_FOOTER_TEXT = re.compile(r"ICP备|公网安备|网站标识码|版权所有|conac|jiucuo|<footer", re.IGNORECASE)
_ASIDE = re.compile(
    r"(?:热点|热门|热文|推荐|相关|延伸|猜你|最近|最新|本周|本月|今日)?(?:推荐|阅读|排行|点击(?:量|率)?(?:排行)?|浏览(?:排行)?|关注|文章|链接|热点|热门|排行榜|最新发布|最新信息|最新文章)(?:榜|信息|文章|阅读|推荐)?"
)
_ICON = re.compile(
    r"icon|logo|arrow|dot|line|bg|btn|button|banner|spacer|blank|loading|default|qr|ewm|code|share|wx|weixin|weibo|print|close|search|more|top|conac|jiucuo|red\.png|blue\.png|ga\w{0,20}\.png|gh\w{0,20}\.png|dzjg",
    re.IGNORECASE,
)
_RECORD_NUMBER = re.compile(r"ICP备|ICP证|公网安备|公安备案|网站找错|网站纠错|党政机关", re.IGNORECASE)
_IMPRINT = re.compile(
    r"ICP备|公网安备|标识码|(?:主办|承办|协办)(?:单位)?[:：]|主办[)）]?$|版权所有|建议使用|分辨率|技术支持|联系(?:电话|方式|我们)|"
    r"^\s*(?:地址|电话|传真|邮编|邮箱)[:：]|网站地图|All Rights|Copyright",
    re.IGNORECASE,
)
_HANZI = re.compile(r"[㐀-鿿]")
_MAX_ROWS = 400
_TITLE = 8  # characters of an entry's title at least
_TITLES = 24  # characters of titles that make a list


class ListState(StrEnum):
    """What a column page shows."""

    ROWS = "rows"
    TEXT = "text"  # prose, tables, pictures: content, but no list
    BLANK = "blank"
    MAINTENANCE = "maintenance"
    SCRIPT = "script"  # the static document cannot tell: scripts or frames bring the content
    UNREAD = "unread"  # there is or was content, and the reading found none of it
    SHELL = "shell"  # only leads to further columns; decided where the site's columns are known


@dataclass(frozen=True, slots=True)
class Chrome:
    """What a site shows on every page: addresses and texts of its frame, to be set apart from content."""

    urls: frozenset[str] = frozenset()
    texts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Listing:
    """The rows of a page and its state; `why` says what decided the state."""

    rows: tuple[Row, ...]
    state: ListState
    why: str = ""
    says_empty: bool = False  # the page itself says that it has nothing

    def newest(self, at: date) -> date | None:
        """Return the newest row date that is not after the monitoring point."""
        return max(
            (row.published for row in self.rows if row.published and row.published <= at), default=None
        )

    @property
    def ascending(self) -> bool:
        """Tell whether the dated rows run from old to new (the newest is then on the last page)."""
        days = [row.published for row in self.rows if row.published]
        return len(days) >= 3 and days[0] < days[-1] and all(a <= b for a, b in pairwise(days))


def read_chrome(home: Page, columns: Collection[str] = ()) -> Chrome:
    """Return the frame of a site as its home page shows it; `columns` are known column addresses."""
    dated = {row.url for row in read_rows(home) if row.published is not None}
    urls = {url for _, url, _ in anchors(home) if url not in dated and not looks_article(url)}
    urls |= {absolute(home, image.get("src") or "") for image in home.tree.iter("img")}
    return Chrome(frozenset(urls | set(columns) | {home.url, home.final_url}), frozenset(_chunks(home.tree)))


def read_rows(page: Page) -> tuple[Row, ...]:
    """Return the rows a page shows: from markup, `<datastore>` records, script data and fetched data."""
    cached = page.cache.get("rows")
    if cached is not None:
        return cached  # type: ignore[return-value]
    rows: dict[str, Row] = {}
    for row in chain(_markup_rows(page, page.tree, anchors(page)), _script_rows(page), _included_rows(page)):
        known = rows.get(row.url)
        if known is None:
            rows[row.url] = row
        elif known.published is None or len(row.title) > len(known.title):
            rows[row.url] = Row(
                max(known.title, row.title, key=len), row.url, known.published or row.published
            )
        if len(rows) >= _MAX_ROWS:
            break
    result = tuple(rows.values())
    page.cache["rows"] = result
    return result


def read_listing(
    page: Page, chrome: Chrome = Chrome(), known: Collection[str] = (), name: str = ""
) -> Listing:
    """Return what a column page shows.

    `chrome` is the frame shared by the site's pages; `known` are addresses of the site's columns; `name` is
    the column's own name. A page that looks empty is blank only when nothing on it could still bring content:
    otherwise the state is `script`, and the rendered page decides.
    """
    own = {page.url, page.final_url}
    found = [row for row in read_rows(page) if _is_entry(row, chrome, known, own)]
    rows = tuple(row for row in found if row.published or page.site.owns(row.url))
    if rows and (any(row.published for row in rows) or _plain_list(rows)):
        return Listing(rows, ListState.ROWS)
    left = content_text(page, chrome, name)
    short = left[:200]
    if _WORKS.search(short) and len(left) < 120:
        return Listing(rows, ListState.MAINTENANCE, short[:40])
    nothing = _NOTHING.search(left) if len(left) < 160 else None
    if not nothing and (len(_HANZI.findall(left)) >= 40 or _shows_content(page, chrome)):
        return Listing(rows, ListState.TEXT, short[:40])
    if rows:
        return Listing(rows, ListState.ROWS, "rows without dates")
    if len(found) >= 2:
        return Listing((), ListState.TEXT, "links to other sites")
    if why := may_fill(page):
        return Listing((), ListState.SCRIPT, why)
    if page.tree.find(".//iframe[@src]") is not None and _frame_in_content(page):
        return Listing((), ListState.SCRIPT, "content in a frame")
    if nothing:
        return Listing((), ListState.BLANK, nothing[0], says_empty=True)
    if len(_HANZI.findall(_unfollowed(page, chrome))) >= _TITLES:
        return Listing((), ListState.UNREAD, "entries without addresses that could be followed")
    return Listing((), ListState.BLANK, "no entries and no text")


def _unfollowed(page: Page, chrome: Chrome) -> str:
    """Return the texts of links outside the frame whose targets only scripts open."""
    return " ".join(
        text
        for link in page.tree.iter("a")
        if (link.get("onclick") or (link.get("href") or "").lstrip().lower().startswith("javascript:"))
        and not _in_frame(link)
        and len(text := " ".join("".join(link.itertext()).split())) >= _TITLE
        and text not in chrome.texts
        and not PAGER.fullmatch(text)
    )


def content_text(page: Page, chrome: Chrome, name: str = "") -> str:
    """Return the visible text of a page outside its frame, its own links and its column's name."""
    kept = []
    for chunk in _chunks(page.tree, skip_anchors=True):
        if chunk in chrome.texts or chunk == name or PAGER.fullmatch(chunk) or _crumb(chunk, name):
            continue
        if len(chunk) <= 60 and (_IMPRINT.search(chunk) or _ASIDE.fullmatch(chunk)):
            continue
        kept.append(chunk)
    return " ".join(kept)


def last_page(page: Page) -> str:
    """Return the address of the list's last page, or an empty string."""
    for _, url, text in anchors(page):
        if re.fullmatch(
            r"[>»\s]*(?:尾\s?页|末\s?页|最后一?页|last)[>»\s]*", text, re.IGNORECASE
        ) and url not in (
            page.url,
            page.final_url,
        ):
            return url
    return ""


def _crumb(chunk: str, name: str) -> bool:
    return len(chunk) <= 40 and bool(
        re.match(
            r"(?:您?(?:的|现在)?(?:当前|现在|所在)?(?:的)?(?:位置|所在)|当前(?:栏目|页面|位置)|[>»＞/|\s]+|共\s*\d+\s*[条页]|每页|到第|第\s*\d+\s*页|转到|显示|总(?:共|计|记录)|\d+/\d+)",
            chunk,
        )
        or (name and chunk.strip(" >»＞·|[]【】:：") == name)
    )


def _is_entry(row: Row, chrome: Chrome, known: Collection[str], own: Collection[str]) -> bool:
    if row.url in own or row.url in known or urlsplit(row.url).path in ("", "/"):
        return False
    return row.published is not None or (row.url not in chrome.urls and not _RECORD_NUMBER.search(row.title))


def _plain_list(rows: tuple[Row, ...]) -> bool:
    return (
        sum(1 for row in rows if len(row.title) >= 10) >= 2
        or sum(1 for row in rows if looks_article(row.url)) >= 1
    )


_ARTICLE = re.compile(
    r"/art/|/art_|/content[/_]|/info/\d+/\d+|[tc]\d{7,8}_\d+|/\d{5,}\.s?html?|[?&](?:id|aid|infoid|docid|articleid)=",
    re.IGNORECASE,
)


@lru_cache(maxsize=8_192)
def looks_article(url: str) -> bool:
    """Tell by its address that a target is an article."""
    return date_in_url(url) is not None or _ARTICLE.search(url) is not None


def _shows_content(page: Page, chrome: Chrome) -> bool:
    """Tell whether a page shows a picture, film or document of its own: an organisation chart, a scan."""
    for element in page.tree.iter("img", "object", "embed", "video"):
        if element.tag != "img":
            return True
        source = element.get("src") or ""
        url = absolute(page, source)
        if not url or url in chrome.urls or _in_frame(element):
            continue
        if _CONTENT_IMAGE.search(url) or not _ICON.search(source.rpartition("/")[2]):
            return True
    return False


def may_fill(page: Page) -> str:
    """Return what on a page could still bring content; fetched files and data have brought theirs."""
    if page.rendered:
        return ""
    for script in page.tree.iter("script"):
        source = script.get("src")
        if source:
            text = page.included.get(absolute(page, source))
            if not _IDLE_SCRIPT.search(source) and (text is None or _ASKS.search(text)):
                return f"script {source[:80]}"
            continue
        text = script.text or ""
        if "xml" in (script.get("type") or ""):  # records for a script, not a script
            continue
        if (
            (match := _FILLS.search(text))
            and not _IDLE_SCRIPT.search(text[:400])
            and not _answered(page, text)
        ):
            return f"inline script ({match[0][:30]})"
    return ""


def unseen_scripts(page: Page) -> tuple[str, ...]:
    """Return the addresses of the site's own scripts whose text would tell whether they bring content."""
    found = (absolute(page, script.get("src") or "") for script in page.tree.iter("script"))
    return tuple(
        url
        for url in dict.fromkeys(found)
        if url and page.site.owns(url) and url not in page.included and not _IDLE_SCRIPT.search(url)
    )


def _answered(page: Page, script: str) -> bool:
    """Tell whether the data an inline script asks for was fetched: without rows, the list is empty."""
    asked = [url for url in page.included if urlsplit(url).path in script]
    return bool(asked) and all(_is_data(page.included[url]) for url in asked)


def _is_data(text: str) -> bool:
    return text.lstrip("\ufeff \r\n\t(")[:1] in ("{", "[", "<") and "document.write" not in text


def _frame_in_content(page: Page) -> bool:
    return any(
        not _in_frame(frame)
        and absolute(page, frame.get("src") or "")
        and not re.search(r"foot|bottom|head|top|nav", frame.get("src") or "", re.IGNORECASE)
        for frame in page.tree.iter("iframe")
    )


def _in_frame(element: HtmlElement) -> bool:
    return any(_is_chrome(parent) for parent in element.iterancestors())


def _is_chrome(element: HtmlElement) -> bool:
    if element.tag in _CHROME_TAGS:
        return True
    label = f"{element.get('class') or ''} {element.get('id') or ''}"
    return label != " " and element.tag not in ("body", "html", "form") and _names_chrome(label[:300])


@lru_cache(maxsize=8_192)
def _names_chrome(label: str) -> bool:
    return _CHROME_NAMES.search(label) is not None


_SILENT = frozenset(
    ("script", "style", "noscript", "template", "head", "title", "option", "select", "textarea")
)


def _chunks(tree: HtmlElement, *, skip_anchors: bool = False) -> Iterator[str]:
    """Yield the visible texts of a document in order, blanks folded, without header, menus and footer."""
    body = tree.find("body")
    stack: list[tuple[HtmlElement, bool]] = [(body if body is not None else tree, False)]
    # An explicit stack: hostile pages nest deeper than Python recurses.
    while stack:
        element, tail_only = stack.pop()
        if tail_only:
            text = element.tail
        else:
            silent = (
                not isinstance(element.tag, str)
                or element.tag in _SILENT
                or (skip_anchors and (element.tag == "a" or _is_chrome(element)))
            )
            if silent or _hidden(element):
                continue
            for child in reversed(element):
                stack.append((child, True))
                stack.append((child, False))
            text = element.text
        if text and (text := " ".join(text.split())):
            yield text


def _hidden(element: HtmlElement) -> bool:
    style = element.get("style")
    return bool(style and re.search(r"display\s*:\s*none", style, re.IGNORECASE))


# --- rows in markup -----------------------------------------------------------------------------------------


def _markup_rows(
    page: Page, tree: HtmlElement, found: Collection[tuple[HtmlElement, str, str]]
) -> Iterator[Row]:
    candidates = [
        (element, url, text) for element, url, text in found if len(text) >= 2 and not PAGER.fullmatch(text)
    ]
    counts: dict[object, int] = {}
    last: dict[object, str] = {}
    for element, url, _ in candidates:
        for parent in element.iterancestors():
            if last.get(parent) != url:
                counts[parent] = counts.get(parent, 0) + 1
                last[parent] = url
    years = _year_headings(tree)
    before = _dates_come_first(candidates, counts)
    asides: dict[object, bool] = {}
    own = {page.url, page.final_url, page.site.url}
    for element, url, text in candidates:
        if url in own:
            continue
        row = _row_of(element, counts)
        if _in_aside(row, asides):
            continue
        published, partial = _row_date(row, element, counts, before)
        if published is None and partial:
            published = _complete(partial, url, years.get(row) or years.get(_holder(row)), page.at.date())
        if published is None:
            published = date_in_url(url)
        if published is None and len(text) < 6 and not looks_article(url):
            continue
        if published is None and _in_frame(element):
            continue
        yield Row(_title(element, text), url, published)


def _in_aside(row: HtmlElement, seen: dict[object, bool]) -> bool:
    """Tell whether a row stands in a block headed 热点推荐, 相关阅读 or so: entries of other columns."""
    holder = row.getparent()
    if holder is None:
        return False
    if holder not in seen:
        seen[holder] = beside_content(holder)
    return seen[holder]


def beside_content(holder: HtmlElement) -> bool:
    """Tell whether the heading before a list says that it belongs to other pages (相关链接, 热点推荐)."""
    return any(_ASIDE.fullmatch(text) for text in _headings(holder))


def _headings(holder: HtmlElement) -> Iterator[str]:
    """Yield the texts of the nearest heading before a list, whatever elements it is made of."""
    for _ in range(6):
        sibling = holder.getprevious()
        for _ in range(3):
            if sibling is None or not isinstance(sibling.tag, str):
                break
            chunks = [chunk.strip(" >»＞|·") for chunk in _texts(sibling)]
            if sum(map(len, chunks)) > 24:  # a block of its own, no heading
                break
            named = [chunk for chunk in chunks if len(chunk) >= 2 and not PAGER.fullmatch(chunk)]
            if named:
                yield from named
                return
            sibling = sibling.getprevious()
        parent = holder.getparent()
        if parent is None or parent.tag in ("body", "html"):
            return
        holder = parent


def _title(element: HtmlElement, text: str) -> str:
    title = (element.get("title") or "").strip()
    if len(element):
        pieces = [
            piece
            for piece in _texts(element)
            if not any(_date_chunk(piece)) and not _NUMERIC.fullmatch(piece)
        ]
        text = " ".join(pieces) or text
    return title if len(title) >= len(text) or (title and text.endswith(("…", "..."))) else text


def _row_of(element: HtmlElement, counts: dict[object, int]) -> HtmlElement:
    row = element
    for depth, parent in enumerate(element.iterancestors()):
        if (
            counts.get(parent, 0) > 1
            or depth >= 6
            or parent.tag in ("body", "html", "ul", "ol", "table", "tbody")
        ):
            break
        row = parent
        if parent.tag in ("li", "tr"):
            break
    return row


def _row_date(
    row: HtmlElement, anchor: HtmlElement, counts: dict[object, int], before: bool
) -> tuple[date | None, str]:
    """Return the row's full date, or its month and day as text."""
    partial = ""
    numeric = []
    for chunk in _texts(row):
        found, part = _date_chunk(chunk)
        if found:
            return found, ""
        partial = partial or part
        if _NUMERIC.fullmatch(chunk) and _DIGIT.search(chunk):
            numeric.append(chunk.strip())
    if len(numeric) > 1 and (
        found := parse_date(" ".join(numeric[:3])) or parse_date(" ".join(reversed(numeric[:2])))
    ):
        return found, ""
    for chunk in _beside(row, counts, before):
        found, part = _date_chunk(chunk)
        if found:
            return found, ""
        partial = partial or part
    tail = row.tail if row is anchor and not before else ""
    if tail and (found := parse_date(tail)):
        return found, ""
    if not partial:
        for chunk in _texts(row, outside=anchor):
            if len(chunk) <= 40 and (found := parse_date(chunk)):
                return found, ""
    if found := _unshown_date(row):
        return found, ""
    return None, partial


def _unshown_date(row: HtmlElement) -> date | None:
    """Return the date a row keeps in attributes (2天前 with its day as a title) or has a script write."""
    for element in row.iter():
        if not isinstance(element.tag, str):
            continue
        if element.tag == "script":
            text = element.text or ""
            if len(text) < 300 and "write" in text and (found := parse_date(text)):
                return found
            continue
        for name, value in element.items():
            if name == "datetime" or (name.startswith("data-") and len(value) <= 24):
                found = parse_date(value)
            elif name == "title":
                label = _DATED_TITLE.search(value[-60:])
                found = parse_date(label[1] if label else value if len(value) <= 24 else "")
            else:
                continue
            if found:
                return found
    return None


def _texts(row: HtmlElement, outside: object = None) -> Iterator[str]:
    for element in row.iter():
        if not isinstance(element.tag, str) or element.tag in ("script", "style"):
            continue
        within = outside is not None and any(one is outside for one in (element, *element.iterancestors()))
        if not within and element.text and (text := element.text.strip()):
            yield text
        if element is not row and element.tail and (text := element.tail.strip()):
            yield text


def _beside(row: HtmlElement, counts: dict[object, int], before: bool) -> Iterator[str]:
    """Yield the texts between this row and its neighbour, where date and title are siblings (dl, br)."""
    if not before and row.tail and row.tail.strip():
        yield row.tail.strip()
    sibling = row.getprevious() if before else row.getnext()
    for _ in range(4):
        if (
            sibling is None
            or not isinstance(sibling.tag, str)
            or counts.get(sibling, 0)
            or sibling.tag == "a"
        ):
            break
        if len(text := " ".join("".join(sibling.itertext()).split())) <= 40 and text:
            yield text
        if sibling.tail and sibling.tail.strip():
            yield sibling.tail.strip()
        sibling = sibling.getprevious() if before else sibling.getnext()
    if before:
        previous = row.getprevious()
        text = (
            previous.tail
            if previous is not None
            else (row.getparent().text if row.getparent() is not None else "")
        )
        if text and text.strip():
            yield text.strip()


def _dates_come_first(candidates: list[tuple[object, str, str]], counts: dict[object, int]) -> bool:
    for element, _, _ in candidates[:200]:
        row = _row_of(element, counts)
        parent = row.getparent()
        if parent is None or counts.get(parent, 0) < 2:
            continue
        before = next((chunk for chunk in _beside(row, counts, before=True) if any(_date_chunk(chunk))), "")
        after = next((chunk for chunk in _beside(row, counts, before=False) if any(_date_chunk(chunk))), "")
        if before and not _earlier_anchor(row, counts):
            return True
        if before or after:
            return False
    return False


def _earlier_anchor(row: HtmlElement, counts: dict[object, int]) -> bool:
    sibling = row.getprevious()
    while sibling is not None:
        if sibling.tag == "a" or counts.get(sibling, 0):
            return True
        sibling = sibling.getprevious()
    return False


def _date_chunk(chunk: str) -> tuple[date | None, str]:
    """Return the date a piece of text consists of (labels, brackets and a time aside), else its month-day."""
    if len(chunk) > 48 or not _DIGIT.search(chunk):
        return None, ""
    return _short_date(chunk)


@lru_cache(maxsize=8_192)
def _short_date(chunk: str) -> tuple[date | None, str]:
    text = unicodedata.normalize("NFKC", chunk)
    if "今天" in text or "现在" in text or "当前" in text:
        return None, ""
    text = _LABEL.sub(" ", text).strip(" []()【】〔〕<>|·/\t\n,;:")
    if _HANZI.search(re.sub(r"[年月日时分秒]|星期.|周.", "", text)):
        return None, ""
    if found := parse_date(text):
        return found, ""
    match = _PARTIAL.search(text)
    if match and not _HANZI.search(text.replace(match[0], "").replace("日", "")) and len(text) <= 16:
        return None, match[0]
    return None, ""


def _complete(partial: str, url: str, year: int | None, at: date) -> date | None:
    """Give a month and day their year: from the address, a year heading, or the newest not ahead."""
    in_url = date_in_url(url)
    if in_url:
        return parse_date(partial, year=in_url.year, day_first=_day_first(partial)) or in_url
    if year is None and (match := re.search(r"/((?:19|20)\d\d)[/-]?(?:\d{1,2})?/", url)):
        year = int(match[1])
    if year is not None:
        return parse_date(partial, year=year, day_first=_day_first(partial))
    found = parse_date(partial, year=at.year)
    if found and found > at:
        found = parse_date(partial, year=at.year - 1)
    return found


def _day_first(partial: str) -> bool:
    return "/" in partial


def _holder(row: HtmlElement) -> object:
    parent = row.getparent()
    return parent if parent is not None else row


def _year_headings(tree: HtmlElement) -> dict[object, int]:
    """Map each list container to the year heading that stands before it."""
    found: dict[object, int] = {}
    for element in tree.iter(
        "h1", "h2", "h3", "h4", "h5", "dt", "b", "strong", "p", "div", "span", "li", "th", "td"
    ):
        text = element.text
        if not text or len(text) > 12 or not (match := _YEAR_HEADING.fullmatch(text)) or len(element):
            continue
        year = int(match[1])
        holder = element
        for _ in range(3):
            sibling = holder.getnext()
            steps = 0
            while sibling is not None and steps < 60:
                steps += 1
                label = (sibling.text or "").strip()
                if label and len(label) <= 8 and _YEAR_HEADING.fullmatch(label):
                    break
                for inner in sibling.iter("ul", "ol", "div", "table", "tbody", "tr", "dl", "li"):
                    found[inner] = year
                found[sibling] = year
                sibling = sibling.getnext()
            if steps:
                break
            parent = holder.getparent()
            if parent is None:
                break
            holder = parent
    return found


# --- rows in scripts and fetched data -----------------------------------------------------------------------


def _script_rows(page: Page) -> Iterator[Row]:
    for script in page.tree.iter("script", "textarea", "xml", "datastore"):
        text = script.text or ""
        if "<record" in text or script.tag == "datastore":
            yield from _record_rows(page, text)
        elif (
            len(text) < 400_000
            and "{" in text
            and re.search(r"""["']?(?:title|name|bt)["']?\s*:""", text, re.IGNORECASE)
        ):
            yield from _object_rows(page, text)


def _record_rows(page: Page, text: str) -> Iterator[Row]:
    records = _records(text)
    if records:
        yield from _fragment_rows(
            page,
            "<ul>" + "".join(item if "<li" in item else f"<li>{item}</li>" for item in records) + "</ul>",
        )


def _records(text: str) -> list[str]:
    """Return what stands between `<record>` and `</record>`, without its CDATA brackets."""
    found, start = [], -1
    for match in _RECORD.finditer(text):
        if not match[1]:
            start = match.end() if start < 0 else start
        elif start >= 0:
            inner = text[start : match.start()].strip().removeprefix("<![CDATA[")
            found.append(inner.removesuffix("]]>"))
            start = -1
    return found


def _fragment_rows(page: Page, markup: str, base: str = "") -> Iterator[Row]:
    tree = parse(f"<html><body>{markup}</body></html>")
    found = []
    for element in tree.iter("a"):
        href = element.get("href")
        if href and (url := absolute(page, _joined(base, href))):
            text = " ".join("".join(element.itertext()).split()) or (element.get("title") or "")
            found.append((element, url, text))
    yield from _markup_rows(page, tree, found)


def _joined(base: str, href: str) -> str:
    """Resolve a link of a frame, whose own address counts; without a base it stays as it is."""
    try:
        return urljoin(base, href.strip()) if base else href
    except ValueError:  # no address at all
        return ""


def _included_rows(page: Page) -> Iterator[Row]:
    framed = {absolute(page, one.get("src") or "") for one in page.tree.iter("iframe", "frame")}
    for url, text in page.included.items():
        start = text[:200].lstrip("﻿ \r\n\t(")
        if "<record" in text:
            yield from _record_rows(page, text)
        elif start.startswith(("{", "[")) or re.match(r"[\w.]{1,40}\s*\(\s*[{\[]", start):
            yield from _json_rows(page, text)
        elif start.startswith("<") and "<a" in text and not _FOOTER_TEXT.search(text):
            yield from _fragment_rows(page, text, url if url in framed else "")


def _json_rows(page: Page, text: str) -> Iterator[Row]:
    begin = min((index for index in (text.find("{"), text.find("[")) if index >= 0), default=-1)
    end = max(text.rfind("}"), text.rfind("]"))
    try:
        data = json.loads(text[begin : end + 1])
    except (ValueError, RecursionError):
        yield from _object_rows(page, text)
        return
    stack, seen = [data], 0
    while stack and seen < 20_000:
        seen += 1
        value = stack.pop()
        if isinstance(value, dict):
            fields = {str(key).lower().replace("_", ""): item for key, item in value.items()}
            row = _field_row(page, fields)
            if row:
                yield row
            else:
                stack.extend(reversed(list(value.values())))
        elif isinstance(value, list):
            stack.extend(reversed(value))
        elif isinstance(value, str) and "<a" in value and "href" in value:
            yield from _fragment_rows(page, value)
        elif isinstance(value, str) and "<record" in value:
            yield from _record_rows(page, value)


def _object_rows(page: Page, text: str) -> Iterator[Row]:
    for match in _OBJECT.finditer(text):
        fields: dict[str, object] = {
            found[1].lower().replace("_", ""): (found[2] or found[3] or found[4] or "").replace("\\/", "/")
            for found in _FIELD.finditer(match[0])
        }
        if row := _field_row(page, fields):
            yield row


def _field_row(page: Page, fields: dict[str, object]) -> Row | None:
    title = next((fields[key] for key in _TITLE_KEYS if isinstance(fields.get(key), str) and fields[key]), "")
    href = next((fields[key] for key in _URL_KEYS if isinstance(fields.get(key), str) and fields[key]), "")
    if not isinstance(title, str) or not isinstance(href, str) or not title or not href:
        return None
    url = absolute(page, href)
    if not url:
        return None
    published = next((found for key in _DATE_KEYS if (found := _json_date(fields.get(key)))), None)
    return Row(re.sub(r"<[^>]{1,200}>", "", title).strip(), url, published or date_in_url(url))


def _json_date(value: object) -> date | None:
    if isinstance(value, str) and value.isdigit() and len(value) in (10, 13):
        value = int(value)
    if isinstance(value, int) and 10**9 < value < 10**13:
        seconds = value / 1000 if value > 10**11 else value
        return date.fromordinal(719163 + int((seconds + 8 * 3600) // 86400))
    return parse_date(value) if isinstance(value, str) else None
