"""Policy files and interpretations: which document a page links to, and which document a title names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from govcrawl.extract.article import body_span, read_article
from govcrawl.extract.footer import footer_start
from govcrawl.extract.links import anchors
from govcrawl.extract.text import Element, view
from govcrawl.items import Page

_LIMIT = 16  # references a page may have; the labelled and the document-like first
_TEXT = 120
_SHORTEST = 6  # characters of a title; what is shorter names a column


@dataclass(frozen=True, slots=True)
class Reference:
    """A link of a page to another document; `label` is what stands before it (`相关文件`, `图解`).

    An empty `url` says that the label is there and no link follows.
    """

    url: str
    text: str
    label: str = ""


# --- titles ---------------------------------------------------------------------------------------------

_QUOTED = re.compile(r"《([^《》]{2,100})》")
_INTERPRETATION = re.compile(
    r"解读|图解|一图|图说|读懂|看懂|答记者问|热点问答|政策问答|问答(?:来了)?$|起草说明|制定说明|编制说明|政策说明|新闻发布会|吹风会|权威发布"
    r"|专家(?:谈|观点|视角)|动漫|漫画"
)
_POLICY = re.compile(
    r"(?:通知|意见|办法|方案|规定|细则|条例|措施|规划|计划|决定|决议|通告|公告|批复|规则|标准|制度|政策|规程|预案|要点|若干|纲要|指引|指南|目录)"
    r"(?:[（(〔\[][^（）()]{0,24}[）)〕\]])*》?$|^关于.{4,}|^《[^》]{4,}》$|[〔\[（(](?:19|20)\d\d[〕\]）)]\s?\d{1,4}\s?号"
)
_CORE = re.compile(
    r"关于(?:印发|发布|公布|转发|修改|废止|实施)?(.{4,80}?)的(?:通知|意见|决定|公告|通告|批复|函)"
)
_MARKS = re.compile(r"[^\u4e00-\u9fffA-Za-z0-9]+")


def quoted_names(title: str) -> tuple[str, ...]:
    """Return the names a title puts in book-title marks, outermost marks of nested ones aside."""
    return tuple(dict.fromkeys(_QUOTED.findall(title.replace("〈", "《").replace("〉", "》"))))


def core_names(title: str) -> tuple[str, ...]:
    """Return what a policy file is called: its quoted names, else its notice's subject, else its title."""
    if names := quoted_names(title):
        return names
    match = _CORE.search(title)
    return (match[1],) if match else (title,)


def names_document(name: str, text: str) -> bool:
    """Tell whether a text names a document, blanks and marks aside."""
    name, text = _MARKS.sub("", name), _MARKS.sub("", text)
    return len(name) >= 4 and (name in text or (len(text) >= _SHORTEST and text in name))


def names_any(names: Iterable[str], text: str) -> bool:
    """Tell whether a text names one of several documents."""
    return any(names_document(name, text) for name in names)


def is_interpretation(text: str) -> bool:
    """Tell by its title that a document explains another one."""
    return bool(_INTERPRETATION.search(text))


def is_policy(text: str) -> bool:
    """Tell by its title that a document is a policy file."""
    return len(text) >= _SHORTEST and not is_interpretation(text) and bool(_POLICY.search(text.strip()))


# --- references -------------------------------------------------------------------------------------------

TO_POLICY = re.compile(
    r"相关(?:政策)?(?:文件|政策|法规)|政策(?:原文|文件|链接|全文)|文件(?:原文|链接|全文|依据)|原文(?:链接|件)?|(?:被)?解读(?:的)?文件|关联文件|正文链接"
)
TO_INTERPRETATION = re.compile(
    r"(?:相关|关联|政策|文件|延伸|图文|专家|部门|媒体|文字)?(?:解读|图解)(?:链接|材料|文章|稿)?|一图读懂|新闻发布会|答记者问"
)
_LABEL = re.compile(  # a line's beginning, not the end of the title or link before
    rf"(?<![^\s【\[（(>»|])(?P<label>{TO_POLICY.pattern}|{TO_INTERPRETATION.pattern}"
    r"|相关(?:链接|阅读|信息|稿件|内容|文章|附件)|链接)[\s】\]）)》>:：]{0,4}$"
)
_ALONE = re.compile(
    rf"(?:^|\n)[【\[]?\s?(?P<label>{TO_POLICY.pattern}|相关解读|政策解读|解读链接|关联解读)\s?[】\]]?\s?[:：]?\s?(?=\n|$)"
)
_NEIGHBOUR = re.compile(r"[上下前后]一[篇条页个则]\s?[:：]?\s?")
_DOCUMENT = re.compile(r"《|解读|图解|的(?:通知|意见|公告|通告|决定|批复)(?:[（(]|》?$)")
_BEFORE = 24
_BETWEEN = 3  # characters between two links of one list


def read_references(page: Page) -> tuple[Reference, ...]:
    """Return a page's links to other documents, from title to footer; neighbours in the list aside."""
    known = page.cache.get("references")
    if isinstance(known, tuple):
        return known
    found: dict[str, Reference] = {}
    for reference in _references(page):
        kept = found.get(reference.url)
        if kept is None or (reference.label and not kept.label):
            found[reference.url] = reference
    ranked = sorted(found.values(), key=_rank)[:_LIMIT]
    page.cache["references"] = result = (*ranked, *_unlinked(page, ranked))
    return result


def _rank(reference: Reference) -> int:
    if reference.label:
        return 0
    return (
        1 if is_interpretation(reference.text) or is_policy(reference.text) or "《" in reference.text else 2
    )


def _references(page: Page) -> Iterator[Reference]:
    of = view(page)
    start, end = _range(page)
    label, last = "", -1
    holder: object = None
    own = {page.url, page.final_url, page.site.url}
    for element, url, text in anchors(page):
        begin, stop = of.spans.get(element, (-1, -1))
        if begin < start or url in own:
            continue
        before = of.text[max(0, last, begin - _BEFORE) : begin]  # the link before is no label
        if _NEIGHBOUR.search(before[-8:]) or _NEIGHBOUR.match(text):
            continue
        match = _LABEL.search(before)
        if match:
            label = match["label"]
        elif not 0 <= begin - last <= _BETWEEN or _holder(element) is not holder:
            label = ""
        last, holder = stop, _holder(element)
        if (begin < end or _no_imprint(text, label)) and (len(text) >= _SHORTEST or label):
            yield Reference(url, text[:_TEXT], label)


def _holder(element: Element) -> object:
    """Return the list a link stands in: what holds its line."""
    parent = element.getparent()
    return parent.getparent() if parent is not None else None


def _no_imprint(text: str, label: str) -> bool:
    """Tell that a link is no footer's: where a footer begins is less sure than what a document is called."""
    return bool(TO_POLICY.fullmatch(label) or TO_INTERPRETATION.fullmatch(label)) or bool(
        _DOCUMENT.search(text)
    )


def _range(page: Page) -> tuple[int, int]:
    """Return where the page's own content lies: below the last showing of its title before the body."""
    of = view(page)
    body = body_span(page)[0]
    title = read_article(page).title
    shown = of.text.rfind(title, 0, body + len(title) if body else len(of.text)) if title else -1
    return max(shown, 0), footer_start(page)


def _unlinked(page: Page, found: list[Reference]) -> Iterator[Reference]:
    """Yield the labels that stand alone: what belongs under them may come later, by a script."""
    start, end = _range(page)
    labelled = {reference.label for reference in found}
    for match in _ALONE.finditer(view(page).text[start:end]):
        if match["label"] not in labelled:
            yield Reference("", "", match["label"])
