"""Which columns are due for an update and long left without one; shared by V4.2 and D1.9b."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from govcrawl.extract.columns import ColumnType
from govcrawl.extract.lists import ListState
from govcrawl.inspection import Column, Inspection
from govcrawl.items import Evidence
from govcrawl.standard import Window

_STANDING = frozenset((ColumnType.OVERVIEW, ColumnType.ORGAN, ColumnType.LEADER, ColumnType.SERVICE))
_NAMED_STANDING = re.compile(
    r"指南|清单|目录|名录|法律|法规|规章|制度|条例|章程|历史|历届|往届|文化|风光|旅游|人物|特产|废止|失效|归档|存档|回顾|下载|帮助"
    r"|常见问题|问答|知识|专题|链接|地图|导航|电话|地址|年报|年度报告"
)
_NAMED = (("人事信息", re.compile(r"人事|任免|考录|招聘|任前")), ("规划计划", re.compile(r"规划|计划")))
_KEYS = {ColumnType.MESSAGE: "留言公开"}
OTHER = "其他"


def overdue_columns(
    site: Inspection, due: Mapping[str, Window], charged: Collection[str]
) -> Iterator[Evidence]:
    """Yield the dated lists whose newest entry is too old for their kind, without the charged ones (R9).

    What stands for years by its nature (概况, 机构, 指南, 法规 ...) is not due.
    """
    for column in site.read_columns():
        if column.url in charged or column.state is not ListState.ROWS or _stands(column):
            continue
        newest = site.newest(column)
        limit = window_of(column, due).before(site.at.date())
        if newest is not None and newest < limit:
            yield Evidence(
                column.url, f"{column.label} {newest.isoformat()}", expected=f"≥ {limit.isoformat()}"
            )


def window_of(column: Column, due: Mapping[str, Window]) -> Window:
    """Return how often a column is due: by its name, its kind, else what the edition says of all others."""
    for key, pattern in _NAMED:
        if pattern.search(column.name):
            return due[key]
    return due.get(_KEYS.get(column.kind, column.kind.value), due[OTHER])


def _stands(column: Column) -> bool:
    return column.kind in _STANDING or bool(_NAMED_STANDING.search(column.name))
