"""The site's search: its form on a page, the query it sends, and what a first result page shows."""

# ruff: noqa: E501  (word lists, patterns and examples in long lines)
from __future__ import annotations

import codecs
import hashlib
import re
import unicodedata
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote, urlencode, urlsplit

from lxml.html import HtmlElement

from govcrawl.extract.links import absolute, anchors
from govcrawl.extract.text import view, written
from govcrawl.items import Page, Site

Presence = Literal["form", "box", "link", "unseen", "absent"]

_WORDS = re.compile(
    r"搜索|搜一?下|检索|查询|全文|站内搜|关键[词字]|search|sousuo|jsearch|keyword|\bso\b|[?&]?\bq[tw]?\b",
    re.IGNORECASE,
)
_NAMES = re.compile(
    r"^(?:q|qt|qw|s|wd|kw|key|keys|keyword|keywords|searchword|search|searchkey|searchtext|query|word|words|content|title|sw|condition|headsearchword|fulltext|searchcontent|contentkeyword)$",
    re.IGNORECASE,
)
_NOT_SEARCH = re.compile(
    r"login|passw|登录|注册|mail|信箱|验证码|身份证|姓名|查件|索引号|文号|编码查询", re.IGNORECASE
)
_TEXT = {"", "text", "search", "keywords"}
_LINK = re.compile(r"^(?:站内|全文|全站|高级|智能|政务)?(?:搜索|检索|全搜索)$|^搜一下$")
_LINK_URL = re.compile(r"/(?:j?search\w*|sousuo|so)(?:[/.?]|$)", re.IGNORECASE)
_SCRIPTED = re.compile(
    r"jsearch|searchword|sousuo|/search(?:[/.?\"']|\w{0,12}\.(?:jsp|do|html?|aspx?|php))|站内搜索|请输入(?:关键|搜索|检索|要?查)|toSearch|goSearch|doSearch",
    re.IGNORECASE,
)
_LIBRARY = re.compile(  # scripts that bring no search
    r"jquery|swiper|layui|layer|vue(?:\.min)?\.js|bootstrap|html5|respond|slide|share|tongji|analytics|hm\.baidu|cnzz|conac|jiucuo|zfwzgl|foot|bottom|md5|echarts|video|flash|weixin|wechat|qrcode|lazyload|cookie",
    re.IGNORECASE,
)
_NONE_FOUND = re.compile(
    r"没有(?:找到|检索到|搜索到|查询到|符合|相关|匹配)|未(?:找到|检索到|搜索到|查询到|能找到)|暂无(?:相关|搜索|检索|数据|结果|记录)?|抱歉|(?:共|约|找到|为您找到|结果)[^\d\n]{0,10}(?<!\d)0\s*(?:条|个|篇|项)|(?<!\d)0\s*条(?:结果|记录|信息|相关)|无(?:相关|搜索|匹配)结果"
)
_CATEGORIES = (
    "政策",
    "文件",
    "解读",
    "服务",
    "办事",
    "指南",
    "互动",
    "问答",
    "咨询",
    "新闻",
    "要闻",
    "资讯",
    "公开",
    "公告",
    "专题",
    "图片",
    "视频",
    "信息",
    "附件",
)
_GATHERED = re.compile(
    r"相关(?:服务|政策|事项|办事|解读|问题|问答|推荐|搜索)|服务(?:推荐|直通|直达)|猜你想[搜找看]|办事(?:直达|入口)|在线办理|一键直达|知识图谱|大家都在搜"
)
_PLAIN = re.compile(r"[\W_]+")
_CUT = ("…", "...", "..", "．．")
_SHORTEST = 6  # of a title that can tell a result from chance


@dataclass(frozen=True, slots=True)
class SearchForm:
    """A search form: where it sends the words, how, under which name, with which further values."""

    action: str
    method: str  # get or post
    field: str
    hidden: tuple[tuple[str, str], ...] = ()
    charset: str = "utf-8"  # browsers send a form in the encoding of its page

    def query(self, words: str) -> tuple[str, str]:
        """Return the address and the body of a query; the body is empty for GET."""
        pairs = urlencode(
            [*self.hidden, (self.field, words)], encoding=self.charset, errors="xmlcharrefreplace"
        )
        if self.method == "post":
            return self.action, pairs
        base, _, old = self.action.partition("?")
        names = {name for name, _ in self.hidden} | {self.field}
        kept = "&".join(pair for pair in old.split("&") if pair and pair.partition("=")[0] not in names)
        return f"{base}?{kept}&{pairs}" if kept else f"{base}?{pairs}", ""


@dataclass(frozen=True, slots=True)
class SearchEntry:
    """How a page offers search: a form, a box only scripts can send, a link to a search page, or nothing seen.

    `unseen` means that scripts or frames of the page may bring a search; `absent` that nothing could.
    """

    state: Presence
    form: SearchForm | None = None
    link: str = ""


def read_search(page: Page) -> SearchEntry:
    """Return how a page offers search."""
    box = False
    forms = [(page.tree, False)] + [
        (one.view.root, True) for one in written(page) if one.view.root is not None
    ]
    for tree, _ in forms:
        for form in tree.iter("form"):
            field = _field(form)
            if field is None:
                continue
            box = True
            if (found := _form(page, form, field)) is not None:
                return SearchEntry("form", found)
        box = box or any(_is_box(item) for item in tree.iter("input"))
    link = next(
        (
            url
            for _, url, text in anchors(page)
            if _LINK.match(text) or (len(text) <= 6 and _LINK_URL.search(urlsplit(url).path))
        ),
        "",
    )
    if link:
        return SearchEntry("link", link=link)
    if box:
        return SearchEntry("box")
    return SearchEntry("unseen" if _may_come(page) else "absent")


def _may_come(page: Page) -> bool:
    """Tell whether scripts or frames could still bring a search; in a rendered page only frames can."""
    for item in page.tree.iter("script", "iframe", "frame"):
        source = item.get("src") or ""
        if item.tag != "script":
            if source and not any(url.endswith(source.rpartition("/")[2]) for url in page.included):
                return True
        elif not page.rendered and _brings(source, item.text or ""):
            return True
    return False


def _brings(source: str, text: str) -> bool:
    return not _LIBRARY.search(source) if source else bool(_SCRIPTED.search(text[:20_000]))


def _field(form: HtmlElement) -> HtmlElement | None:
    """Return the text field of a search form; None for forms of other kinds."""
    texts = [item for item in form.iter("input") if (item.get("type") or "").lower() in _TEXT]
    if (
        not 1 <= len(texts) <= 2
        or form.find(".//textarea") is not None
        or form.find(".//input[@type='password']") is not None
    ):
        return None
    named = [item for item in texts if _NAMES.match(item.get("name") or "")]
    field = named[0] if named else texts[0]
    marks = " ".join(
        filter(
            None,
            (
                *_attributes(form),
                *_attributes(field),
                *(value for item in form.iter("input", "button") for value in _attributes(item)),
                "".join(form.itertext())[:200],
            ),
        )
    )
    if _NOT_SEARCH.search(" ".join(filter(None, _attributes(field)))) or _NOT_SEARCH.search(
        form.get("action") or ""
    ):
        return None
    return field if named or _WORDS.search(marks) else None


def _attributes(item: HtmlElement) -> tuple[str | None, ...]:
    return tuple(
        item.get(name)
        for name in ("name", "id", "class", "placeholder", "value", "action", "title", "aria-label")
    )


def _is_box(item: HtmlElement) -> bool:
    if (item.get("type") or "").lower() not in _TEXT or any(
        parent.tag == "form" for parent in item.iterancestors()
    ):
        return False
    marks = " ".join(filter(None, _attributes(item)))
    return bool(_WORDS.search(marks)) and not _NOT_SEARCH.search(marks)


def _form(page: Page, form: HtmlElement, field: HtmlElement) -> SearchForm | None:
    """Return a form that can be sent without scripts; None where it has no address or no name for its field."""
    name, action = field.get("name") or "", (form.get("action") or "").strip()
    if not name or not action or action.startswith("#"):
        return None
    url = absolute(page, action)
    if not url:
        return None
    values = [
        (item.get("name") or "", item.get("value") or "")
        for item in form.iter("input")
        if item is not field and item.get("name") and _sent(item)
    ]
    values += [(item.get("name") or "", _chosen(item)) for item in form.iter("select") if item.get("name")]
    method = "post" if (form.get("method") or "").lower() == "post" else "get"
    return SearchForm(url, method, name, tuple(values), _charset(page, form))


def _charset(page: Page, form: HtmlElement) -> str:
    for name in (form.get("accept-charset") or "", "" if page.dom else page.decoded.encoding):
        with suppress(LookupError):
            return codecs.lookup(name.strip()).name
    return "utf-8"


def _sent(item: HtmlElement) -> bool:
    kind = (item.get("type") or "").lower()
    return kind == "hidden" or (kind in ("radio", "checkbox") and item.get("checked") is not None)


def _chosen(select: HtmlElement) -> str:
    options = list(select.iter("option"))
    chosen = next(
        (one for one in options if one.get("selected") is not None), options[0] if options else None
    )
    return "" if chosen is None else chosen.get("value", chosen.text or "")


@dataclass(frozen=True, slots=True)
class Results:
    """What the first result page shows."""

    links: tuple[tuple[str, str], ...]  # title, address
    none_found: bool  # the page says that there is nothing
    categories: tuple[str, ...]
    gathered: str  # words that tell of related services and policies

    @property
    def decided(self) -> bool:
        """Tell whether the page shows results or says that there are none; else scripts may bring them."""
        return bool(self.links) or self.none_found

    @property
    def fingerprint(self) -> str:
        """Short digest of the addresses found, to see an engine that always gives the same."""
        return hashlib.sha256("\n".join(sorted(url for _, url in self.links)).encode()).hexdigest()[:12]

    def away(self, site: Site) -> tuple[tuple[str, str], ...]:
        """Return the results that lead to other sites, through an address of the engine too."""
        return tuple(
            (title, url)
            for title, url in self.links
            if any(not site.owns(f"http{end}") for end in unquote(url).split("http")[1:])
        )

    def shows(self, title: str) -> bool:
        """Tell whether a result bears this title; white space, punctuation and highlighting do not matter."""
        wanted = plain(title)
        return len(wanted) >= 2 and any(_same(wanted, text) for text, _ in self.links)


def read_results(page: Page, frame: Collection[str] = ()) -> Results:
    """Read a result page; `frame` holds the addresses of the site's own header, menus and footer."""
    own = {urlsplit(page.url).path, urlsplit(page.final_url).path}
    links = []
    short = []
    for element, url, text in anchors(page):
        if url in frame:
            continue
        title = element.get("title") or ""
        best = title if len(title) > len(text) or (text.endswith(_CUT) and title) else text
        if len(plain(best)) >= _SHORTEST and urlsplit(url).path not in own:
            links.append((best[:200], url))
        elif 2 <= len(text) <= 8:
            short.append(text)
    text = view(page).text
    return Results(
        tuple(dict.fromkeys(links)),
        bool(_NONE_FOUND.search(text)),
        tuple(dict.fromkeys(_categories([*short, *_tabs(page)]))),
        (match[0] if (match := _GATHERED.search(text)) else ""),
    )


def _tabs(page: Page) -> Iterator[str]:
    """Yield the short texts that are no links: tabs and filters a script switches."""
    for item in page.tree.iter("li", "span", "button", "label", "option", "dd", "h3", "h4", "a"):
        if item.tag == "a" and (item.get("href") or "").strip().lower().partition(":")[0] not in (
            "",
            "#",
            "javascript",
        ):
            continue
        if len(item) == 0 and item.text and 2 <= len(text := item.text.strip()) <= 10:
            yield text


def _categories(texts: Collection[str]) -> Iterator[str]:
    for text in texts:
        bare = re.sub(r"[\s(（\d）)]+", "", text)
        if 2 <= len(bare) <= 8:
            yield from (name for name in _CATEGORIES if name in bare)


def plain(text: str) -> str:
    """Return a title reduced to what identifies it."""
    return _PLAIN.sub("", unicodedata.normalize("NFKC", text)).lower()


def _same(wanted: str, text: str) -> bool:
    shown = plain(text)
    if wanted in shown:
        return True
    return text.rstrip().endswith(_CUT) and len(shown) >= _SHORTEST and wanted.startswith(shown)


def blurred(title: str) -> str:
    """Return a query that only a fuzzy search answers: the title's core with a character left out twice."""
    core = plain(title)
    if len(core) < 8:
        return ""
    third = len(core) // 3
    return core[:third] + core[third + 1 : 2 * third] + core[2 * third + 1 :]
