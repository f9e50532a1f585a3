"""V3 首页不更新."""

from __future__ import annotations

from collections.abc import Iterator

from govcrawl.inspection import Inspection
from govcrawl.items import CantTell, Evidence
from govcrawl.registry import column, listing, menu, page, rule, visit
from govcrawl.standard import Window


@rule(
    "V3",
    fails=[visit(page(listing(("市政府召开常务会议", "2023-08-30"), ("关于开展专项检查", "2023-07-01"))))],
    passes=[
        visit(page(listing(("市政府召开常务会议", "2023-09-18"), ("置顶：办事须知", "2021-01-01")))),
        visit(
            page(menu(("要闻", "/yw/"), ("公告", "/gg/"))),
            column(listing(("市政府召开常务会议", "2023-09-18")), "/yw/"),
        ),
    ],
)
def stale_homepage(site: Inspection, window: Window) -> Iterator[Evidence]:
    """The newest dated entry of the home page is older than the window."""
    if site.home is None or site.home.error:
        raise CantTell("the home page could not be read")
    limit, at = window.before(site.at.date()), site.at.date()
    days = [row.published for row in site.home_rows if row.published]
    opened = [site.pages[url] for url in site.home_open if url in site.pages]
    days += [seen.published for seen in opened if seen.published]
    if site.home_shell:
        days += [day for column in site.columns.values() if (day := site.newest(column))]
    newest = max((day for day in days if day <= at), default=None)
    if newest is not None and newest >= limit:
        return
    if site.home_why:
        raise CantTell(f"the home page is filled by scripts: {site.home_why}")
    if newest is None:
        raise CantTell("the home page shows no dates")
    unread = sum(1 for url in site.home_open if url not in site.pages or site.pages[url].error)
    if unread:
        raise CantTell(f"{unread} undated entries of the home page were not opened")
    yield Evidence(site.home.url, newest.isoformat(), expected=f"≥ {limit.isoformat()}")
