"""D4.5 站内搜索."""

from __future__ import annotations

from collections.abc import Iterator

from govcrawl.extract.search import read_results
from govcrawl.indicators.searching import exact_searches, searched
from govcrawl.inspection import Inspection
from govcrawl.items import CantTell, Evidence, Role
from govcrawl.registry import page, rule, visit

_FORM = "<form action=/so.jsp><input name=keyword><input type=submit value=搜索></form>"
_TITLE = "市政府召开常务会议研究部署安全生产工作"
_FOUND = f"<ul><li>政策文件</li><li>办事服务</li><li>新闻资讯</li></ul><a href=/a/1.html>{_TITLE}</a>"
_OTHER = "<a href=/a/2.html>关于开展专项检查工作的通知</a>"


def _site(answer: str, error: str | None = None, home: str = _FORM) -> Inspection:
    """Return a site whose search gave one answer."""
    site = visit(page(home))
    shown = page(answer, url="/so.jsp?keyword=1", role=Role.SEARCH, error=error)
    site.dealings.add_search("title", _TITLE, shown, None if error else read_results(shown), own=True)
    return site


@rule(
    "D4.5a",
    fails=[visit(page("<p>首页</p>")), _site("", "http_500")],
    passes=[_site(_FOUND), _site(_OTHER)],
)
def unusable_search(site: Inspection) -> Iterator[Evidence]:
    """The site has no search, or every try of it fails."""
    entry = searched(site)
    if entry.state == "absent":
        yield Evidence(site.site.url, "首页未见搜索功能", expected="提供全站搜索")
        return
    tries = exact_searches(site)
    if any(not one.error for one in tries):
        return
    first = tries[0]
    if not first.own:
        raise CantTell(f"the search stands on another site and could not be used ({first.error})")
    yield Evidence(first.url, f"搜索不可用：{first.error}", expected="搜索可用", excerpt=first.title)


@rule("D4.5b", fails=[_site(_OTHER)], passes=[_site(_FOUND)])
def unfound_title(site: Inspection) -> Iterator[Evidence]:
    """The title of a published article is not on the first result page."""
    if searched(site).state == "absent":
        raise CantTell("the site has no search")
    tries = exact_searches(site)
    open_ones = 0
    for one in tries:
        if one.found is None or (not one.own and not one.found):
            open_ones += 1
        elif not one.found:
            yield Evidence(one.url, f"未搜到“{one.title}”", expected="搜索结果首页可见")
    if open_ones:
        raise CantTell(f"{open_ones} result pages could not be read")


@rule("D4.5c", fails=[_site(_OTHER)], passes=[_site(_FOUND)])
def unsorted_results(site: Inspection) -> Iterator[Evidence]:
    """The search results are not shown by category."""
    if searched(site).state == "absent":
        raise CantTell("the site has no search")
    shown = [one for one in exact_searches(site) if one.found is not None]
    if not shown:
        raise CantTell("no result page could be read")
    if max(len(one.categories) for one in shown) < 2:
        yield Evidence(shown[0].url, "搜索结果未见分类", expected="按政策文件、服务等类别展现")
