"""B4.1 智能搜索."""

from __future__ import annotations

from collections.abc import Iterator

from govcrawl.extract.search import blurred, read_results
from govcrawl.indicators.searching import exact_searches, searched, searches, stuck
from govcrawl.inspection import Inspection
from govcrawl.items import CantTell, Evidence, Role
from govcrawl.registry import page, rule, visit

_FORM = "<form action=/so.jsp><input name=keyword><input type=submit value=搜索></form>"
_TITLE = "市政府召开常务会议研究部署安全生产工作"
_BELOW = f"<a href=http://www.county.example.cn/a/1.html>{_TITLE}</a>"
_FOUND, _NONE = f"<a href=/a/1.html>{_TITLE}</a>", "<p>没有找到相关结果</p>"


def _site(*answers: tuple[str, str]) -> Inspection:
    """Return a site whose search gave these answers to queries of these purposes."""
    site = visit(page(_FORM))
    for number, (purpose, answer) in enumerate(answers):
        shown = page(answer, url=f"/so.jsp?keyword={number}", role=Role.SEARCH)
        site.dealings.add_search(purpose, _TITLE, shown, read_results(shown), own=True)
    return site


_RELATED = _FOUND + "<h3>相关服务</h3><a href=/g/1.html>食品经营许可办事指南</a>"


@rule(
    "B4.1a",
    fails=[_site(("title", _FOUND + "<a href=/a/2.html>市政府常务会议解读材料</a>"), ("fuzzy", _FOUND))],
    passes=[_site(("title", _FOUND), ("fuzzy", _NONE))],
)
def fuzzy_search(site: Inspection) -> Iterator[Evidence]:
    """A title is found although characters are left out of the query."""
    if searched(site).state == "absent":
        return
    tries = searches(site, "fuzzy")
    if not tries:
        raise CantTell("no query with characters left out was made")
    hits = [one for one in tries if one.found]
    if hits and not stuck(site):
        yield Evidence(hits[0].url, f"以“{blurred(hits[0].title)}”搜到“{hits[0].title}”")
    elif all(one.found is None for one in tries):
        raise CantTell("no result page could be read")


@rule("B4.1b", fails=[_site(("title", _RELATED))], passes=[_site(("title", _FOUND))])
def gathered_results(site: Inspection) -> Iterator[Evidence]:
    """The results gather related services and policies."""
    if searched(site).state == "absent":
        return
    for one in exact_searches(site):
        if one.gathered:
            yield Evidence(one.url, one.gathered, excerpt=one.title)
            return


@rule(
    "B4.1c",
    fails=[_site(("title", _FOUND), ("lower", _BELOW))],
    passes=[_site(("title", _FOUND), ("lower", _NONE)), _site(("title", _FOUND), ("lower", _FOUND))],
)
def lower_level_title_found(site: Inspection) -> Iterator[Evidence]:
    """The title of an article of a lower-level site is on the first result page."""
    if searched(site).state == "absent":
        return
    tries = searches(site, "lower")
    if not tries:
        raise CantTell("no titles of lower-level sites were at hand")
    if all(one.found is None for one in tries):
        raise CantTell("no result page could be read")
    for one in tries:
        if one.found:
            yield Evidence(one.url, f"搜到下级网站信息“{one.title}”")
