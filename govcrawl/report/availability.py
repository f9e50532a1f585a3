"""A picture of a site's visits in one month: a row for each day, a cell for each visit; legible in grey."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from govcrawl.items import ProbeState

WORDS = {
    ProbeState.CONNECTED: "连通",
    ProbeState.SUSPECTED: "疑似无法访问",
    ProbeState.DOWN: "确认无法访问",
    ProbeState.OWN_NETWORK: "本方网络中断",
    ProbeState.MISSED: "未访问",
}
_REASONS = {
    "network": "本方网络中断",
    "database": "数据库中断",
    "node": "检查节点中断",
    "stopped": "检查程序停止",
    "idle": "检查程序未运行",
    "late": "未及访问",
}
_LEFT, _TOP, _WIDTH, _ROW = 46, 62, 720, 18
_MINUTES = 24 * 60


@dataclass(frozen=True, slots=True)
class Cell:
    """One visit in the picture."""

    x: str
    width: str
    y: int
    state: str
    tip: str


@dataclass(frozen=True, slots=True)
class Day:
    """One row: how many visits failed for certain, of those that were made."""

    number: int
    y: int
    down: int
    made: int


def pictures(name: str, visits: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield (month, SVG) of a site's visits, which come in the order of their rounds; months as 2023-09."""
    for month, docs in groupby(visits, key=lambda doc: f"{doc['round'][:4]}-{doc['round'][4:6]}"):
        yield month, _drawn(name, month, list(docs))


def _drawn(name: str, month: str, docs: list[Mapping[str, Any]]) -> str:
    slots = max(24, len({doc["round"][9:] for doc in docs}))
    first = min(int(doc["round"][6:8]) for doc in docs)
    cells = [_cell(doc, slots, first) for doc in docs]
    days = [
        _day(number, first, list(some))
        for number, some in groupby(docs, key=lambda doc: int(doc["round"][6:8]))
    ]
    found = {doc["state"] for doc in docs}
    template = Environment(
        loader=PackageLoader("govcrawl.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    ).get_template("availability.svg.j2")
    return template.render(
        title=f"{name} {month[:4]}年{int(month[5:])}月首页访问情况",
        cells=cells,
        days=days,
        hours=[(hour, f"{_LEFT + _WIDTH * hour / 24:.1f}") for hour in range(0, 25, 3)],
        legend=[
            (str(state), word, _LEFT + 150 * place)
            for place, (state, word) in enumerate(
                (state, word) for state, word in WORDS.items() if state in found
            )
        ],
        left=_LEFT,
        top=_TOP,
        right=_LEFT + _WIDTH + 8,
        row=_ROW - 4,
        width=_LEFT + _WIDTH + 70,
        height=max(day.y for day in days) + _ROW + 14,
    )


def _cell(doc: Mapping[str, Any], slots: int, first: int) -> Cell:
    name = doc["round"]
    minute = int(name[9:11]) * 60 + int(name[11:13])
    why = _REASONS.get(doc["reason"]) or doc["error"] or (doc["status"] and f"HTTP {doc['status']}") or ""
    shown = f"，{doc['elapsed']:.1f} 秒" if doc["state"] == ProbeState.CONNECTED else f"（{why}）"
    return Cell(
        x=f"{_LEFT + _WIDTH * minute / _MINUTES:.1f}",
        width=f"{_WIDTH / slots - 2:.1f}",
        y=_y(int(name[6:8]), first),
        state=doc["state"],
        tip=f"{int(name[6:8])}日 {name[9:11]}:{name[11:13]} {WORDS[ProbeState(doc['state'])]}{shown}",
    )


def _day(number: int, first: int, docs: list[Mapping[str, Any]]) -> Day:
    made = [doc for doc in docs if doc["state"] not in (ProbeState.MISSED, ProbeState.OWN_NETWORK)]
    down = sum(doc["state"] == ProbeState.DOWN for doc in made)
    return Day(number, _y(number, first), down, len(made))


def _y(day: int, first: int) -> int:
    return _TOP + _ROW * (day - first)
