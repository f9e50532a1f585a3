"""An article page: title, publication date, source and body."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date

from govcrawl.extract.dates import date_in_url, find_dates, parse_date
from govcrawl.extract.tags import read_tags
from govcrawl.extract.text import View, imprint_anchors, imprint_start, script_strings, view
from govcrawl.items import Page


@dataclass(frozen=True, slots=True)
class Article:
    """What an article page says of itself.

    `where` tells what the date rests on, the most reliable first: tag, label, title (a date beside the
    title), script, url, updated, document (成文日期) and body. The last two are not dates of publication.
    """

    title: str = ""
    published: date | None = None
    source: str = ""
    body_text: str = ""
    where: str = ""


def read_article(page: Page) -> Article:
    """Read an article page; what the page does not say stays empty."""
    known = page.cache.get("article")
    if isinstance(known, Article):
        return known
    of = view(page)
    start, end = body_span(page)
    title, title_end = _title(page, of, start)
    published, where = _published(page, of, (start, end), title_end)
    article = Article(
        title, published, _source(page, of, (start, end), title_end), of.text[start:end].strip(), where
    )
    page.cache["article"] = article
    return article


# --- the body -----------------------------------------------------------------------------------------

_BODY = re.compile(
    r"^(?:zoom|zoomcon|ucap-content|vsb_content\w*|content_body|article|articlecontent|textbody|js_content|maintext"
    r"|bodylabel|contenttext|artibody)(?= )|trs_editor|trs_ueditor|trs_paper|article[-_]?content|news_content"
    r"|wp_articlecontent| bt_content$"
)
_GAP = 400  # text between two paragraphs of one body
_MARKS = "，。；：、,"


def body_span(page: Page) -> tuple[int, int]:
    """Return the range of the main text in the page's visible text; an empty range where there is none."""
    known = page.cache.get("body_span")
    if isinstance(known, tuple):
        return known
    of = view(page)
    marked = [of.spans[item] for item in of.named(_BODY) if item in of.spans]
    best = max(marked, key=lambda span: span[1] - span[0], default=(0, 0))
    anchors = imprint_anchors(of)
    dense = _dense(of.text[: imprint_start(of.text, anchors[0])] if anchors else of.text)
    if best[1] - best[0] < (dense[1] - dense[0]) * 0.5 and not best[0] <= dense[0] < best[1]:
        best = dense
    page.cache["body_span"] = best
    return best


def _dense(text: str) -> tuple[int, int]:
    """Return the range of the longest run of paragraphs: long lines with sentence marks, close together."""
    runs: list[tuple[int, int, int]] = []  # length, start, end
    position = 0
    for line in text.split("\n"):
        start, position = position, position + len(line) + 1
        if len(line) < 40 or sum(map(line.count, _MARKS)) * 60 < len(line) - 40:
            continue
        if runs and start - runs[-1][2] <= _GAP:
            length, first, _ = runs[-1]
            runs[-1] = (length + len(line), first, position - 1)
        else:
            runs.append((len(line), start, position - 1))
    if not runs:
        return (0, 0)
    _, first, last = max(runs)
    return (first, last)


# --- the title ----------------------------------------------------------------------------------------

_SPLIT = re.compile(r" ?[_|｜丨]+ ?| [-–—－]+ |--+|——")  # of a text with single spaces
_WEBSITE = re.compile(r"(?:门户)?网(?:站|首页)?$")
_DASH = re.compile(r"[-–—－\s]")


def _title(page: Page, of: View, body_start: int) -> tuple[str, int]:
    """Return the title and where it ends in the visible text (0 where it is not shown)."""
    for candidate in _titles(page, of):
        title = " ".join(candidate.split("<", 1)[0].strip("\"' ").split())
        if len(title) < 2:
            continue
        return title, _shown(of, title, body_start)
    return "", 0


def _titles(page: Page, of: View) -> Iterator[str]:
    tags = read_tags(page)
    yield tags.get("ArticleTitle") or ""
    heads = of.nodes.get("title", ())
    whole = " ".join((heads[0].text_content() if heads else "").split())
    parts = [part for part in _SPLIT.split(whole) if part]
    names = (page.site.name, tags.get("SiteName") or "")
    bare = {_bare(name) for name in (*names, *parts[1:])}
    for heading in of.all("h1", "h2"):
        text = of.of(heading)
        if 6 <= len(text) <= 150 and _bare(text) not in bare:
            yield text
            break
    shown = [part for whole in parts for part in _cuts(whole) if part in of.text and part not in names]
    yield max(shown, key=len, default="")
    yield tags.get("og:title") or ""
    yield parts[0] if parts else ""


def _bare(name: str) -> str:
    """Return a site's name as its header and its titles have in common: without spaces and 门户网站."""
    return _WEBSITE.sub("", "".join(name.split()))


def _cuts(part: str) -> Iterator[str]:
    """Yield a title and what is left of it without its first or last piece, at a dash or a space."""
    yield part
    for match in _DASH.finditer(part[:200]):
        yield part[: match.start()].rstrip()
        yield part[match.end() :].lstrip()


def _shown(of: View, title: str, body_start: int) -> int:
    """Return the end of the title's last showing before the body (a breadcrumb may repeat it)."""
    limit = body_start or len(of.text)
    at = of.text.rfind(title, 0, limit + len(title))
    if at < 0:
        head = re.split(r"[\s—]", title, maxsplit=1)[0]
        at, title = (of.text.rfind(head, 0, limit), head) if len(head) >= 6 else (-1, title)
    return at + len(title) if at >= 0 else 0


# --- the date -----------------------------------------------------------------------------------------

_META_DATES = (
    *("pubdate", "publishdate", "article:published_time", "publishtime", "pubtime", "publisheddate"),
    *(
        "og:release_date",
        "dc.date.issued",
        "dcterms.issued",
        "firstpublishedtime",
        "publish-date",
        "release_date",
    ),
)
_PUBLISHED = re.compile(
    r"(?:发\s?布|发\s?表|发\s?稿|刊\s?发|公\s?布|公\s?开|上\s?传|添\s?加|录\s?入|上\s?网|上\s?线|信\s?息|稿\s?件)"
    r"\s?(?:时\s?间|日\s?期|于)(?!要求)\s{0,2}[】\]]?\s{0,2}[:：]?"
)
_ALONE = r"(?<![\u4e00-\u9fff]"  # no word goes on into the label; looked at behind its first character
_PLAIN_LABEL = re.compile(
    rf"发{_ALONE}发)文时间\s{{0,2}}[:：]|时{_ALONE}时)\s{{0,4}}间\s{{0,2}}[:：]|日{_ALONE}日)\s{{0,4}}期\s{{0,2}}[:：]"
)
_UPDATED = re.compile(r"(?:更新|修改|编辑|最后更新)(?:时间|日期|于)\s{0,2}[:：]?")
_DOCUMENT = re.compile(r"(?:成\s?文|发\s?文|印\s?发|生\s?成|签\s?发)\s?(?:时\s?间|日\s?期)\s{0,2}[:：]?")
_SCRIPTED_DATE = re.compile(
    r"""(?:pub(?:lish(?:ed)?)?[_-]?(?:date|time|day|data)|datePublished|newsTime|releaseTime|fbsj|fbrq)"""
    r"""["']?\s{0,3}[:=]\s{0,3}["']([^"'\n]{8,30})["']""",
    re.IGNORECASE,
)
_FIELD = re.compile(r"pub(?:lish)?_?-?(?:date|time|day)|fbsj|fbrq|releasetime", re.IGNORECASE)
_NEAR = 24  # a label's value starts within this many characters
_HEAD = 600  # text below the title that belongs to it


def _published(page: Page, of: View, body: tuple[int, int], title_end: int) -> tuple[date | None, str]:
    tags = read_tags(page)
    for name in _META_DATES:
        if (content := tags.get(name)) and (found := parse_date(content)):
            return found, "tag"
    steps: tuple[tuple[str, Callable[[], date | None]], ...] = (
        ("label", lambda: _labelled(of, _PUBLISHED, body, title_end) or _written(of)),
        ("label", lambda: _labelled(of, _PLAIN_LABEL, body, title_end, near_title=True)),
        ("title", lambda: _beside_title(of, body[0], title_end)),
        ("script", lambda: _scripted(of)),
        ("url", lambda: date_in_url(page.final_url) or date_in_url(page.url)),
        ("updated", lambda: _labelled(of, _UPDATED, body, title_end)),
        ("document", lambda: _labelled(of, _DOCUMENT, body, title_end)),
        ("body", lambda: _in_body(of, body)),
    )
    for where, read in steps:
        if (found := read()) is not None:
            return found, where
    return None, ""


def _labelled(
    of: View, label: re.Pattern[str], body: tuple[int, int], title_end: int, *, near_title: bool = False
) -> date | None:
    """Return the date behind a label: below the title first, then elsewhere, inside the body last."""
    best: tuple[int, int, date] | None = None
    for match in label.finditer(of.text):
        value = _cell_below(of.text, match) or of.text[match.end() : match.end() + _NEAR + 24]
        found = _leading_date(value)
        if found is None:
            continue
        position = match.start()
        inside = body[0] <= position < body[1]
        below = title_end <= position <= max(title_end + _HEAD, body[0] + 1)
        if near_title and (inside or not below):
            continue
        rank = 2 if inside else 0 if below else 1
        if best is None or (rank, position) < best[:2]:
            best = (rank, position, found)
    return best[2] if best else None


def _cell_below(text: str, label: re.Match[str]) -> str:
    """Return what stands under a label that heads a column of a table; empty where it heads none."""
    start = text.rfind("\n", 0, label.start()) + 1
    end = text.find("\n", label.start())  # the label may have taken the break with it
    if end < 0 or end - start > 200 or "\t" not in text[start:end]:
        return ""
    heads = text[start:end].split("\t")
    below = text[end + 1 : end + 1 + 400].split("\n", 1)[0].split("\t")
    if len(heads) != len(below) or any(char.isdigit() for char in text[start:end]):
        return ""
    return below[text.count("\t", start, label.start())]


def _leading_date(value: str) -> date | None:
    dates = find_dates(value)
    return dates[0][0] if dates and dates[0][1] <= 3 + _blank(value) else None


def _blank(value: str) -> int:
    return len(value) - len(value.lstrip())


def _written(of: View) -> date | None:
    """Return the date that a script writes right behind its label (`发布时间：<script>...`)."""
    for script in of.nodes.get("script", ()):
        source = script.text or ""
        if "write" not in source or len(source) > 4_000:
            continue
        position = of.spans.get(script, (0, 0))[0]
        before = of.text[max(0, position - 14) : position + 1]
        if not (match := _last(_PUBLISHED, before)) or before[match.end() :].strip():
            continue
        for text in script_strings(source):
            if (found := parse_date(text)) is not None:
                return found
    return None


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    found = None
    for match in pattern.finditer(text):
        found = match
    return found


def _beside_title(of: View, body_start: int, title_end: int) -> date | None:
    """Return a full date on a short line between the title and the body."""
    if not title_end:
        return None
    stop = body_start if body_start >= title_end else min(title_end + _HEAD, len(of.text))
    for line in of.text[title_end : min(stop, title_end + _HEAD)].split("\n"):
        if len(line) > 120 or _UPDATED.search(line) or _DOCUMENT.search(line) or "今天" in line:
            continue
        if "（" in line or "）" in line:  # （2007年6月29日……通过）: the adoption of a document
            continue
        if dates := find_dates(line):
            return dates[0][0]
    return None


def _scripted(of: View) -> date | None:
    """Return the date a page keeps for its own scripts."""
    for field in of.nodes.get("input", ()):
        if _FIELD.search(f"{field.get('name') or ''} {field.get('id') or ''}") and (
            found := parse_date(field.get("value") or "")
        ):
            return found
    for script in of.nodes.get("script", ()):
        for match in _SCRIPTED_DATE.finditer((script.text or "")[:200_000]):
            if (found := parse_date(match[1])) is not None:
                return found
    return None


def _in_body(of: View, body: tuple[int, int]) -> date | None:
    """Return the date a document is signed with, or the one under its heading."""
    text = of.text[body[0] : body[1]] or of.text
    dates = find_dates(text)
    if not dates:
        return None
    last, position = dates[-1]
    signed = len(text) - position < 60 or text[position - 1 : position] == "\n"
    return last if signed else dates[0][0]


# --- the source ---------------------------------------------------------------------------------------

_SOURCE = re.compile(r"来\s?源\s?于?\s?[:：][ \t]?([^\s|:：【】\[\]]{2,40})")
_ISSUER = re.compile(
    r"(?:发布机构|发布单位|发文机关|发文机构|供稿单位)\s?[:：][ \t]?([^\s|:：【】\[\]]{2,40})"
)
_NOT_SOURCE = re.compile(r"^(?:发布|时间|日期|作者|编辑|浏览|点击|字体|字号|阅读|访问)")


def _source(page: Page, of: View, body: tuple[int, int], title_end: int) -> str:
    """Return the source named below the title, under the body or above the title."""
    head, foot = slice(title_end, max(title_end, body[0]) + _HEAD), slice(body[1], body[1] + _HEAD)
    for label in (_SOURCE, _ISSUER):
        for part in (head, foot, slice(0, title_end)):
            for match in label.finditer(of.text[part]):
                if not _NOT_SOURCE.match(match[1]):
                    return match[1]
    return read_tags(page).get("ContentSource") or ""
