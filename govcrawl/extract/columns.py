"""The columns (栏目) of a site: where navigation leads, and what kind of column a name means."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import islice
from urllib.parse import parse_qsl, urlsplit

from lxml.html import HtmlElement

from govcrawl.extract.dates import date_in_url
from govcrawl.extract.links import anchors
from govcrawl.extract.lists import PAGER, beside_content
from govcrawl.items import Page


class ColumnType(StrEnum):
    """What a column is for; the windows of the standard hang on it."""

    NEWS = "动态要闻"
    NOTICE = "通知公告"
    POLICY = "政策文件"
    INTERPRETATION = "政策解读"
    OVERVIEW = "概况信息"
    ORGAN = "机构职能"
    LEADER = "领导信息"
    MESSAGE = "互动交流"
    SURVEY = "调查征集"
    STATISTICS = "办事统计"
    SERVICE = "办事服务"
    DATA = "数据发布"
    OTHER = "其他"


# The order matters: 解读 before 政策, 领导活动 before 领导, 办事统计 before 办事 and 统计.
_TYPES = (
    (ColumnType.INTERPRETATION, r"解读|图解|一图读懂|回应关切"),
    (ColumnType.SURVEY, r"调查|征集|意见征求|征求意见|民意"),
    (ColumnType.STATISTICS, r"办事统计|办件(?:统计|公示|公开|情况|数据|信息|结果)|服务统计|办理统计"),
    (
        ColumnType.MESSAGE,
        r"信箱|留言|咨询|来信|信件|写信|投诉|建议提案|互动|政民|问政|问答|访谈|12345|网上信访|我要(?:问|说|写)|答复选登|回复选登",
    ),
    (ColumnType.NOTICE, r"通知|公告|公示|通告|公文通报"),
    (
        ColumnType.POLICY,
        r"政策(?:法规|文件|库|发布)?$|政策法规|政策文件|规范性文件|政府文件|法规文件|部门文件|文件(?:库|发布|公开|汇编)?$|法律法规|政府规章|规章(?:制度|库)?$|本级政策|最新政策|政策性文件|文件$",
    ),
    (
        ColumnType.NEWS,
        r"要闻|动态|新闻|时政|资讯|头条|领导活动|政务活动|工作信息|部门信息|政务信息$|快讯|今日\S{2,4}$|信息速递|乡镇传真|基层传真",
    ),
    (ColumnType.LEADER, r"领导|市长|县长|区长|省长|局长|厅长|主任之窗|班子成员|政府班子"),
    (ColumnType.ORGAN, r"机构|职能|职责|内设|直属单位|组织架构|部门简介|单位介绍"),
    (ColumnType.OVERVIEW, r"概况|概览|概貌|[省市县区]情|简介|走进|魅力|认识|印象|行政区划|历史沿革"),
    (
        ColumnType.SERVICE,
        r"办事|政务服务|服务(?:大厅|指南|事项)|便民服务|公共服务|网上服务|浙里办|一网通办|权力清单|许可",
    ),
    (ColumnType.DATA, r"数据|统计"),
)
_PATTERNS = tuple((kind, re.compile(pattern)) for kind, pattern in _TYPES)
_TAG_TYPES = {"工作动态": ColumnType.NEWS, "政务动态": ColumnType.NEWS, "新闻发布": ColumnType.NEWS}
_NOT_COLUMN = re.compile(
    r"(?:网站)?首\s?页|主页|返回.*|登录|用户登录|注册|个人中心|网站地图|站点地图|联系我们|联系方式|关于我们|关于本站|网站声明|免责声明|版权.*|隐私.*|法律声明|使用帮助|帮助|"
    r"无障碍.*|.*无障碍(?:浏览|阅读|通道)?|.*长者.*|.*适老.*|关怀版|老年.*|繁\s?[体體]?(?:中文|版)?|简\s?体?(?:中文|版)?|english|en|日本語|한국어|rss.*|手机.*|移动版|微信.*|微博.*|.*客户端.*|app|小程序|"
    r"设为首页|加入收藏|收藏本站|搜索|高级(?:搜索|检索)|检索|智能问答|打印.*|关闭.*|分享.*|上一[篇条页].*|下一[篇条页].*|更多.*|more.*|查看.*|详情|详细|进入.*|点击.*|网站支持.*|技术支持.*|"
    r"网站纠错|我为政府网站找错|找错|纠错|.*ICP备.*|.*公网安备.*|.*\.(?:com|cn|org).*|标识码.*|字号|[大中小]|官方.*|新媒体.*|政务新媒体.*|天气.*|邮箱.*|导航|展开|收起|"
    r"提交|重置|查询|忘记密码|退出|全文|.*RSS.*|浏览次数.*|来源.*|责任编辑.*|\W*",
    re.IGNORECASE,
)
_ARTICLE_URL = re.compile(
    r"/art/\d|/art_\d|[/_]content[/_]\w*\d|/info/\d+/\d+\.|/[tcP]\d{8}_\d+|/post_\d+|/\d{4}[-/]\d{1,2}[-/]\d{1,2}/|/\d{6,}\.s?html?$|/(?:con|content|detail|view|article|show)\w*\.(?:jsp|aspx?|php|do|html?)\?",
    re.IGNORECASE,
)
_LIST_URL = re.compile(r"/col/col\d+/|/index(?:_\d+)?\.s?html?$|/list\d*\.|/$", re.IGNORECASE)
_FILE_URL = re.compile(r"\.(?:docx?|xlsx?|pptx?|wps|pdf|ofd|rar|zip|jpe?g|png|gif|mp4|apk)$", re.IGNORECASE)
_FOOTER_NAMES = re.compile(
    r"(?:^|[\s_-])(?:foot\w*|bottom\w*|copyright|friend\w*|yqlj|bq|banquan|links?)(?:$|[\s_-])", re.IGNORECASE
)
_MENU_NAMES = re.compile(
    r"(?:^|[\s_-])(?:(?:main|top|site)?nav\w{0,12}|(?:main|top)?menu\w{0,12}|daohang|dh)(?:$|[\s_-])",
    re.IGNORECASE,
)
_CRUMB_NAMES = re.compile(
    r"(?:^|[\s_-])(?:breadcrumb\w*|crumbs?|position|location|dqwz|weizhi|curr\w*|pager?|pag(?:ing|ination))(?:$|[\s_-])",
    re.IGNORECASE,
)
_MORE = re.compile(
    r"[>»+·]{0,6} ?(?:更多|more|查看更多|查看全部|全部) ?[>»+·.…]{0,6}|[>»]{1,3}|\+", re.IGNORECASE
)
_TRIM = re.compile(r"^[\s·•>»＞|【\[《]+|[\s·•>»＞|】\]》]+$")
_PAGING = re.compile(
    r"(?:page|p|pn|pg|cur|start|offset|sort|order|size|rows|total)\w{0,40}|\w{0,40}page(?:no|num|index|size)?",
    re.IGNORECASE,
)
_HANZI = re.compile(r"[㐀-鿿]")


@dataclass(frozen=True, slots=True)
class ColumnLink:
    """A column as a link shows it: name, address, kind, level (1: named by the home page's first tier)."""

    name: str
    url: str
    kind: ColumnType
    level: int
    local: bool  # leads to this site


@lru_cache(maxsize=8_192)
def column_type(name: str, url: str = "") -> ColumnType:
    """Return the kind a column's name means; the address decides only for names that say nothing."""
    name = _TRIM.sub("", name)
    for kind, pattern in _PATTERNS:
        if pattern.search(name):
            return kind
    return _TAG_TYPES.get(name) or _by_path(url)


def _by_path(url: str) -> ColumnType:
    path = urlsplit(url).path.lower()
    for token, kind in (
        ("/zcjd", ColumnType.INTERPRETATION),
        ("/tzgg", ColumnType.NOTICE),
        ("/zcwj", ColumnType.POLICY),
    ):
        if token in path:
            return kind
    return ColumnType.OTHER


@lru_cache(maxsize=8_192)
def is_article_url(url: str) -> bool:
    """Tell by the address alone whether it is an article rather than a column."""
    if _LIST_URL.search(urlsplit(url).path) and "/art/" not in url:
        return False
    return bool(_ARTICLE_URL.search(url)) or date_in_url(url) is not None


def read_columns(page: Page, *, level: int = 1) -> tuple[ColumnLink, ...]:
    """Return the columns a page leads to: menus, block headings with their 更多 links, lists of short names.

    `level` is the tier of names at the top of a menu; entries of nested menus are one tier below.
    Article addresses, files, functions (登录, 网站地图, ...) and footer or breadcrumb links are not columns.
    """
    found: dict[str, ColumnLink] = {}
    own = {page.url.rstrip("/"), page.final_url.rstrip("/"), page.site.url.rstrip("/")}
    regions: dict[HtmlElement, bool] = {}
    for element, url, text in anchors(page):
        if url.rstrip("/") in own:
            continue
        name = _TRIM.sub("", _block_name(element) if _MORE.fullmatch(text) else text)
        if not 2 <= len(name) <= 14 or not _may_name(name):
            continue
        if is_article_url(url) or _is_file(url) or _region(element, regions):
            continue
        if _beside_date(element) or _is_banner(element):
            continue
        if "?" in url and _same_path(url, page):
            continue
        tier = level + (1 if _nested(element) else 0)
        kind = column_type(name, url)
        known = found.get(url)
        if known is None:
            found[url] = ColumnLink(name, url, kind, tier, page.site.owns(url))
        elif tier < known.level or (known.kind is ColumnType.OTHER and kind is not ColumnType.OTHER):
            better = kind if known.kind is ColumnType.OTHER else known.kind
            found[url] = ColumnLink(known.name, url, better, min(tier, known.level), known.local)
    return tuple(found.values())


@lru_cache(maxsize=8_192)
def _may_name(name: str) -> bool:
    """Tell whether a short text can be a column's name: Chinese, no page number, no function of the site."""
    return bool(_HANZI.search(name) and not PAGER.fullmatch(name) and not _NOT_COLUMN.fullmatch(name))


def submenu(page: Page, columns: Collection[ColumnLink]) -> tuple[ColumnLink, ...]:
    """Return those columns a page leads to from a menu the page itself has no place in.

    A page that stands in its own side menu is one column among its neighbours; a page that does not is the
    entrance to the columns of the menu. Links under 相关链接 or the like are no menu.
    """
    wanted = {column.url: column for column in columns}
    own = {page.url, page.final_url}
    menus: dict[HtmlElement, set[str]] = {}
    for element, url, _ in anchors(page):
        menus.setdefault(_menu_of(element), set()).add(url)
    found: dict[str, ColumnLink] = {}
    for menu, urls in menus.items():
        if not urls & own and urls & wanted.keys() and not beside_content(menu):
            found |= {url: wanted[url] for url in urls if url in wanted}
    return tuple(sorted(found.values(), key=lambda column: column.url))


def _menu_of(element: HtmlElement) -> HtmlElement:
    """Return the menu an entry stands in: the nearest element that holds more than this entry's row."""
    for parent in element.iterancestors():
        if (
            parent.tag not in ("li", "dd", "td", "tr", "span")
            and sum(1 for _ in zip(range(2), parent.iter("a"), strict=False)) > 1
        ):
            return parent
    return element


def _is_banner(element: HtmlElement) -> bool:
    """A picture that leads somewhere advertises a topic; it names no column, but in a menu of pictures."""
    if not len(element) or element.find(".//img") is None or "".join(element.itertext()).strip():
        return False
    return not any(
        parent.tag == "nav"
        or _MENU_NAMES.search(f"{parent.get('class') or ''} {parent.get('id') or ''}"[:300])
        for parent in islice(element.iterancestors(), 6)
    )


def _same_path(url: str, page: Page) -> bool:
    """The page's own address but for page number and order: the same list, not another column."""
    return urlsplit(url)[:3] == urlsplit(page.final_url)[:3] and _subject(url) == _subject(page.final_url)


def _subject(url: str) -> list[tuple[str, str]]:
    return sorted(pair for pair in parse_qsl(urlsplit(url).query) if not _PAGING.fullmatch(pair[0]))


@lru_cache(maxsize=8_192)
def _is_file(url: str) -> bool:
    return _FILE_URL.search(urlsplit(url).path) is not None


def _region(element: HtmlElement, seen: dict[HtmlElement, bool]) -> bool:
    """Tell whether an element stands in a footer, breadcrumb or pager; `seen` remembers its holders."""
    passed = []
    found = False
    for parent in element.iterancestors():
        known = seen.get(parent)
        if known is not None:
            found = known
            break
        passed.append(parent)
        label = f"{parent.get('class') or ''} {parent.get('id') or ''}"
        if parent.tag == "footer" or (
            label != " " and parent.tag not in ("body", "html") and _names_region(label[:300])
        ):
            found = True
            break
    seen.update(dict.fromkeys(passed, found))
    return found


@lru_cache(maxsize=8_192)
def _names_region(label: str) -> bool:
    return bool(_FOOTER_NAMES.search(label) or _CRUMB_NAMES.search(label))


def _beside_date(element: HtmlElement) -> bool:
    parent = element.getparent()
    if parent is None or parent.tag not in ("li", "dd", "td", "p", "dt"):
        return False
    around = "".join(parent.itertext())
    return len(around) < 120 and bool(re.search(r"(?:19|20)\d\d[-/.年]\d{1,2}|\d{1,2}[-/]\d{1,2}", around))


def _nested(element: HtmlElement) -> bool:
    """Tell whether a menu entry sits in a menu inside another menu's entry."""
    lists = 0
    for parent in element.iterancestors():
        if parent.tag in ("ul", "dl", "ol"):
            lists += 1
            holder = parent.getparent()
            if (
                lists == 1
                and holder is not None
                and holder.tag in ("li", "dd")
                and holder.find("a") is not None
            ):
                return True
            if lists == 1 and holder is not None and holder.tag == "div":
                outer = holder.getparent()
                if outer is not None and outer.tag == "li" and outer.find("a") is not None:
                    return True
        if (
            parent.tag == "dd"
            and (first := parent.getprevious()) is not None
            and first.tag == "dt"
            and first.find(".//a") is not None
        ):
            return True
        if lists >= 1:
            return False
    return False


def _block_name(element: HtmlElement) -> str:
    """Return the heading of the block a 更多 link closes."""
    title = (element.get("title") or "").strip()
    if title and not _MORE.fullmatch(title):
        return title[:14]
    holder = element
    for _ in range(4):
        parent = holder.getparent()
        if parent is None or parent.tag in ("body", "html"):
            return ""
        for candidate in parent.iter(
            "h1", "h2", "h3", "h4", "h5", "strong", "b", "span", "div", "em", "dt", "th", "p", "a", "td"
        ):
            if candidate is element or len(candidate) > 1:
                continue
            text = " ".join("".join(candidate.itertext()).split())
            if 2 <= len(text) <= 14 and _HANZI.search(text) and not _MORE.fullmatch(text):
                return text
        holder = parent
    return ""
