"""B3.2 调查征集."""

# ruff: noqa: E501  (word lists, patterns and examples in long lines)
from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from govcrawl.extract.columns import ColumnType
from govcrawl.extract.surveys import Survey, is_result, same_activity
from govcrawl.indicators.staleness import of_kind
from govcrawl.inspection import UNREAD, Inspection
from govcrawl.items import CantTell, Evidence, Role
from govcrawl.registry import column, listing, menu, page, rule, visit
from govcrawl.standard import Window

_TITLES = ("公交线路调整", "公园建设方案", "停车收费办法", "菜场改造计划", "文化设施布局", "垃圾分类办法")


def _site(
    count: int = 6,
    how: str = "<textarea></textarea>",
    results: str = "<p>结果反馈</p><p>反馈时间：2023-06-10</p>",
) -> Inspection:
    """Return a site with so many activities, each from 1 to 21 May."""
    rows = [(f"{title}意见征集", "2023-05-01") for title in _TITLES[:count]]
    pages = [
        page(
            f"<h1>{title}</h1><p>征集时间：2023-05-01至2023-05-21</p>{how}{results}",
            url=f"/a/{number}.html",
            role=Role.ARTICLE,
            column="民意征集",
        )
        for number, (title, _) in enumerate(rows)
    ]
    return visit(page(menu(("民意征集", "/dc/"))), column(listing(*rows), "/dc/", "民意征集"), *pages)


@rule("B3.2a", fails=[_site()], passes=[_site(5), _site(how="<p>请发至邮箱 a@example.gov.cn</p>")])
def six_surveys(site: Inspection, window: Window, threshold: Decimal) -> Iterator[Evidence]:
    """Six or more surveys or calls for opinions ran online within a year; e-mail does not count."""
    activities = _activities(site, window)
    online = [url for url, one in activities.items() if one is not None and one.online]
    if len(online) >= threshold:
        yield Evidence(site.site.url, f"一年内在线调查征集{len(online)}次", excerpt="、".join(online[:6]))
        return
    unclear = sum(1 for one in activities.values() if one is None or one.online is None)
    if len(online) + unclear >= threshold:
        raise CantTell(
            f"{len(online)} online activities, {unclear} whose way of taking part could not be read"
        )


@rule(
    "B3.2b",
    fails=[_site()],
    passes=[_site(results=""), _site(results="<p>结果反馈</p><p>反馈时间：2023-06-30</p>")],
)
def timely_results(site: Inspection, window: Window, limit: Window) -> Iterator[Evidence]:
    """Every activity of the year that ended published its results within a month."""
    at = site.at.date()
    activities = _activities(site, window)
    if all(one is not None and one.online is False for one in activities.values()):
        return
    in_time, open_ones = 0, 0
    for url, one in activities.items():
        if one is None or one.closes is None:
            open_ones += 1
            continue
        if not one.over(at):
            continue
        day, published = _result(site, url, one)
        if day is None and published:
            open_ones += 1
        elif day is None and limit.after(one.closes) >= at:
            continue  # the month is not over yet
        elif day is None or day > limit.after(one.closes):
            return
        else:
            in_time += 1
    if open_ones:
        raise CantTell(f"{open_ones} activities show no closing day or no day of their results")
    if in_time:
        yield Evidence(site.site.url, f"{in_time}次调查征集均在结束一个月内公布结果")


def _activities(site: Inspection, window: Window) -> dict[str, Survey | None]:
    """Return the activities listed within the window; None for those whose page was not read."""
    at = site.at.date()
    rows = {
        url: title
        for url, (title, day) in sorted(site.dealings.survey_rows.items())
        if day is not None and window.before(at) <= day <= at
    }
    found = {url: site.dealings.surveys.get(url) for url, title in rows.items() if not is_result(title)}
    unread = [one.label for one in of_kind(site, ColumnType.SURVEY, top=False) if one.state in UNREAD]
    if not found and unread:
        raise CantTell(f"{unread[0]} could not be read")
    return found


def _result(site: Inspection, url: str, one: Survey) -> tuple[date | None, bool]:
    """Return when an activity's results came, on its page or in an entry of their own, and whether any did."""
    if one.results and one.result_day is not None:
        return one.result_day, True
    title = site.dealings.survey_rows[url][0]
    days = [
        day
        for name, day in site.dealings.survey_rows.values()
        if day and is_result(name) and same_activity(name, title)
    ]
    return (min(days), True) if days else (None, one.results)
