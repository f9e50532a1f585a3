"""V6 服务不实用."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from govcrawl.extract.columns import ColumnType
from govcrawl.extract.guides import ELEMENTS, Guide
from govcrawl.indicators.services import with_services
from govcrawl.inspection import Inspection
from govcrawl.items import CantTell, Evidence, Role
from govcrawl.registry import column, menu, page, rule, visit

_HOME = page(menu(("办事指南", "/bs/"), ("要闻", "/yw/")))


def _site(items: int, lacking: int) -> Inspection:
    """Return a site whose guides all lack so many elements."""
    links = "".join(f"<li><a href=/g/{n}.html>食品经营许可第{n}类</a></li>" for n in range(items))
    rows = "".join(
        f"<tr><th>{name}</th><td>见详细说明</td></tr>" for name in ELEMENTS[: len(ELEMENTS) - lacking]
    )
    guides = [
        page(
            f"<h1>食品经营许可第{n}类</h1><table>{rows}</table>",
            url=f"/g/{n}.html",
            role=Role.GUIDE,
            column="办事指南",
        )
        for n in range(items)
    ]
    return visit(_HOME, column(f"<h3>按主题分类</h3><ul>{links}</ul>", "/bs/", "办事指南"), *guides)


@rule("V6.1", fails=[visit(page(menu(("要闻", "/yw/"))))], passes=[_site(1, 0)])
def unoffered_services(site: Inspection) -> Iterator[Evidence]:
    """The site offers no services and leads to none."""
    with_services(site)
    if site.home is None or site.home.error:
        raise CantTell("the home page could not be read")
    if site.dealings.guides or site.dealings.entrances(ColumnType.SERVICE):
        return
    if any(one.kind is ColumnType.SERVICE for one in site.columns.values()):
        return
    if site.home_why:
        raise CantTell(f"the home page is filled by scripts: {site.home_why}")
    yield Evidence(site.home.url, "未见办事服务", expected="提供办事服务")


@rule("V6.2", fails=[_site(5, 4)], passes=[_site(5, 3), _site(4, 4)])
def five_poor_guides(site: Inspection, threshold: Decimal, lacking: int) -> Iterator[Evidence]:
    """Five or more service guides lack four or more of the ten key elements."""
    with_services(site)
    poor = _poor(site, lacking)
    if len(poor) >= threshold:
        for url, guide in poor:
            yield Evidence(
                url, f"缺少 {'、'.join(guide.missing)}", expected="十类要素齐全", excerpt=guide.item
            )
        return
    _judged(site)
    doubtful = [
        one for one in site.dealings.guides.values() if len(one.missing) + len(one.unclear) >= lacking
    ]
    open_ones = len(doubtful) + len(site.dealings.guideless)
    if open_ones >= threshold:
        raise CantTell(f"{open_ones} guides may lack {lacking} elements or could not be read")


@rule("V6.3", fails=[_site(4, 4)], passes=[_site(4, 3), _site(5, 4)])
def few_poor_guides(site: Inspection, threshold: Decimal, lacking: int) -> Iterator[Evidence]:
    """The site has fewer than five services, and every guide lacks four or more of the ten key elements."""
    with_services(site)
    _judged(site)
    items = site.dealings.items()
    poor = _poor(site, lacking)
    if len(items) >= threshold or len(poor) < len(site.dealings.guides):
        return
    if len(poor) < len(items):
        raise CantTell(
            f"{len(items) - len(poor)} of {len(items)} service items show no guide that could be read"
        )
    unread = sum(1 for url in site.service_entries() if url not in site.pages or site.pages[url].error)
    if unread:
        raise CantTell(f"{unread} service items were not read")
    for url, guide in poor:
        yield Evidence(url, f"缺少 {'、'.join(guide.missing)}", expected="十类要素齐全", excerpt=guide.item)


def _judged(site: Inspection) -> None:
    if not site.dealings.guides:
        raise CantTell("no service guides were read on this site")


def _poor(site: Inspection, lacking: int) -> list[tuple[str, Guide]]:
    return [(url, one) for url, one in sorted(site.dealings.guides.items()) if len(one.missing) >= lacking]
