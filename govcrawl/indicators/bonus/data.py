"""B1.1 数据发布."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from govcrawl.documents import Document
from govcrawl.extract.columns import ColumnType
from govcrawl.indicators.staleness import of_kind, with_column
from govcrawl.inspection import Column, Inspection
from govcrawl.items import CantTell, Evidence, Role
from govcrawl.registry import column, listing, menu, page, rule, visit
from govcrawl.standard import Window

_CHART = "<script>echarts.init(document.getElementById('c'))</script>"


def _data(article: str, day: str = "2023-08-15") -> Inspection:
    """Return an example: a data column with one article."""
    return visit(
        page(menu(("统计数据", "/sj/"))),
        column(listing(("七月主要经济指标", day)), "/sj/", "统计数据"),
        page(
            f"<h1>七月主要经济指标</h1><p>发布日期：{day}</p>{article}",
            url="/a/0.html",
            role=Role.ARTICLE,
            column="统计数据",
        ),
    )


@rule(
    "B1.1a",
    fails=[with_column("统计数据", "2023-06-20")],
    passes=[with_column("统计数据", "2023-06-19"), with_column("工作动态", "2023-09-01")],
)
def data_of_three_months(site: Inspection, window: Window) -> Iterator[Evidence]:
    """A data column was updated within 3 months."""
    newest, one = _newest(site)
    if newest >= window.before(site.at.date()):
        yield Evidence(one.url, f"{one.label} {newest.isoformat()}")
    else:
        _raise_unsettled(site)


@rule(
    "B1.1b",
    fails=[with_column("统计数据", "2023-06-19")],
    passes=[with_column("统计数据", "2023-06-20"), with_column("统计数据", "2023-03-19")],
)
def data_of_six_months(site: Inspection, window: Window, second_window: Window) -> Iterator[Evidence]:
    """A data column was last updated 3 to 6 months ago."""
    newest, one = _newest(site)
    limit = second_window.before(site.at.date())
    if newest >= limit:
        return
    _raise_unsettled(site)
    if newest >= window.before(site.at.date()):
        yield Evidence(one.url, f"{one.label} {newest.isoformat()}")


@rule(
    "B1.1c",
    fails=[_data(_CHART)],
    passes=[_data("<p>七月，全市经济运行平稳。</p>"), _data(_CHART, "2023-01-15")],
)
def charted_data(site: Inspection, window: Window) -> Iterator[Evidence]:
    """Data of the last 6 months is shown or explained by charts."""
    limit = window.before(site.at.date())
    for url, document in _documents(site):
        shown = [kind for kind in document.media if kind in ("图表", "图解", "动漫", "视频")]
        if shown and (document.published is None or document.published >= limit):
            yield Evidence(url, "、".join(shown), excerpt=document.title)


@rule(
    "B1.1d",
    merge="observed",
    fails=[_data('<a href="/f/1.xlsx">七月数据</a>')],
    passes=[_data('<a href="/f/1.pdf">七月公报</a>')],
)
def offered_data(site: Inspection) -> Iterator[Evidence]:
    """Data sets are offered for download or through an interface."""
    for url, document in _documents(site):
        if document.offers:
            yield Evidence(url, "、".join(document.offers), excerpt=document.title)


def _columns(site: Inspection) -> list[Column]:
    if not site.columns:
        raise CantTell("no columns were found")
    found = of_kind(site, ColumnType.DATA, top=False)
    if not found and (elsewhere := site.away.get(ColumnType.DATA)):
        raise CantTell(f"data stands on another site ({elsewhere})")
    return found


def _newest(site: Inspection) -> tuple[date, Column]:
    """Return the newest day of the data columns, and the column."""
    dated = [(day, one.url, one) for one in _columns(site) if (day := site.newest(one))]
    nothing = (date.min, "", Column("", site.site.url, ColumnType.DATA, 1))
    newest, _, one = max(dated, default=nothing)
    return newest, one


def _raise_unsettled(site: Inspection) -> None:
    """Raise CantTell where a data column that was not read to the end may be newer."""
    for one in _columns(site):
        if not site.settled(one):
            raise CantTell(f"{one.label} could not be judged ({one.why or one.error or 'not visited'})")


def _documents(site: Inspection) -> list[tuple[str, Document]]:
    if _columns(site) and not site.documents.data:
        raise CantTell("no page of the data columns was read")
    return sorted(site.documents.data.items())
