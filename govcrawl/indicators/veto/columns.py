"""V4 栏目不更新."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from govcrawl.extract.columns import ColumnType
from govcrawl.extract.lists import ListState
from govcrawl.indicators.due import overdue_columns
from govcrawl.indicators.staleness import of_kind, stale_columns
from govcrawl.inspection import UNREAD, Inspection
from govcrawl.items import CantTell, Evidence
from govcrawl.registry import column, listing, menu, page, rule, visit
from govcrawl.standard import Window

_FIVE = tuple(
    (name, f"/{index}/") for index, name in enumerate(("要闻", "动态", "工作动态", "图片新闻", "时政新闻"))
)
_OLD = listing(("市政府召开常务会议", "2023-08-30"), ("关于开展专项检查工作", "2023-07-01"))
_NEW = listing(("市政府召开常务会议", "2023-09-18"), ("关于开展专项检查工作", "2023-07-01"))


@rule(
    "V4.1",
    fails=[visit(page(menu(*_FIVE)), *(column(_OLD, path, name) for name, path in _FIVE))],
    passes=[
        visit(
            page(menu(*_FIVE)),
            *(column(_OLD, path, name) for name, path in _FIVE[:4]),
            column(_NEW, "/4/", "时政新闻"),
        ),
    ],
)
def stale_columns_together(
    site: Inspection, window: Window, second_window: Window, threshold: int
) -> Iterator[Evidence]:
    """Five or more 动态要闻 (2 weeks) and top 通知公告, 政策文件 columns (6 months) show nothing new."""
    news = of_kind(site, ColumnType.NEWS, top=False)
    slow = of_kind(site, ColumnType.NOTICE, top=True) + of_kind(site, ColumnType.POLICY, top=True)
    if not news and not slow:
        raise CantTell("no column of these kinds was found")
    found = [*stale_columns(site, news, window), *stale_columns(site, slow, second_window)]
    if len(found) >= threshold:
        yield from found
        return
    unsettled = sum(1 for one in (*news, *slow) if not site.settled(one))
    if len(found) + unsettled >= threshold:
        raise CantTell(f"{len(found)} columns are stale and {unsettled} could not be judged")


_TEN = tuple((f"{name}信息", f"/{place}/") for place, name in enumerate("人财物事工农林水电路"))
_YEARS_OLD = listing(("一项工作的情况", "2022-01-05"), ("另一项工作的情况", "2021-07-01"))


@rule(
    "V4.2",
    fails=[visit(page(menu(*_TEN)), *(column(_YEARS_OLD, path, name) for name, path in _TEN))],
    passes=[
        visit(page(menu(*_TEN)), *(column(_YEARS_OLD, path, name) for name, path in _TEN[:9])),
    ],
)
def overdue_columns_together(
    site: Inspection, due: Mapping[str, Window], threshold: int
) -> Iterator[Evidence]:
    """Ten or more columns due for an update, other than those of V4.1, have long been without one."""
    if not site.columns:
        raise CantTell("no columns were found")
    charged = of_kind(site, ColumnType.NEWS, top=False)
    charged += of_kind(site, ColumnType.NOTICE, top=True) + of_kind(site, ColumnType.POLICY, top=True)
    found = tuple(overdue_columns(site, due, {one.url for one in charged}))
    if len(found) >= threshold:
        yield from found


@rule(
    "V4.3",
    fails=[visit(page(menu(*_FIVE)), *(column("<p>暂无数据</p>", path, name) for name, path in _FIVE))],
    passes=[
        visit(
            page(menu(*_FIVE)),
            *(column("<p>暂无数据</p>", path, name) for name, path in _FIVE[:4]),
            column(_OLD, "/4/", "时政新闻"),
        ),
        visit(page(menu(*_FIVE)), *(column("<p>栏目建设中</p>", path, name) for name, path in _FIVE)),
    ],
)
def blank_columns_together(site: Inspection, threshold: int) -> Iterator[Evidence]:
    """Five or more columns exist and have no content."""
    if not site.columns:
        raise CantTell("no columns were found")
    blank = [one for one in site.read_columns() if one.state is ListState.BLANK]
    if len(blank) >= threshold:
        yield from (Evidence(one.url, one.label, expected="有内容", excerpt=one.why) for one in blank)
        return
    unread = sum(1 for one in site.columns.values() if one.state in UNREAD)
    if len(blank) + unread >= threshold:
        raise CantTell(f"{len(blank)} columns are blank and {unread} could not be read")
