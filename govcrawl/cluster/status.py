"""How the cluster and a run on it stand, for a table, a live view or a program."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from govcrawl.store import ledger, queue, reads
from govcrawl.store.client import Document, Sync

_RATE_OVER = timedelta(minutes=10)
_REASONS = 12  # kinds of failure shown


@dataclass(frozen=True)
class Overview:
    """One look at a run."""

    run: str
    state: str
    paused: bool
    planned: int
    leased: int
    done: int
    failed: int
    pages: int
    per_hour: float  # sites
    seconds_left: float | None  # None while nothing is known
    reasons: tuple[tuple[str, int], ...]
    crawls: tuple[Document, ...]
    nodes: tuple[Document, ...]

    @property
    def over(self) -> bool:
        """Tell whether nothing is left to do."""
        return self.planned + self.leased == 0

    def record(self) -> dict[str, Any]:
        """Return the figures for programs."""
        return asdict(self)


def look(db: Sync, quarter: str) -> Overview:
    """Return how the quarter's newest run on the cluster stands."""
    run = queue.cluster_run(db, quarter)
    name = run["_id"]
    found = ledger.counts(db, name)
    nodes = queue.nodes(db)
    now = nodes[0]["seen_at"] if nodes else run["started_at"]
    since = max(now - _RATE_OVER, run["started_at"])
    recent = queue.finished_since(db, name, since)
    hours = max((now - since).total_seconds(), 1.0) / 3600
    rate = recent / hours
    left = found["planned"] + found["leased"]
    reasons = Counter(reason for _, reason in reads.failed_sites(db, name))
    return Overview(
        name,
        str((reads.run_of(db, name) or {}).get("state", "")),
        bool(run["paused"]),
        found["planned"],
        found["leased"],
        found["done"],
        found["failed"],
        ledger.pages_so_far(db, name),
        round(rate, 1),
        round(left / rate * 3600) if rate and left else None,
        tuple(reasons.most_common(_REASONS)),
        tuple(queue.under_way(db, name)),
        tuple(nodes),
    )


def view(found: Overview) -> Group:
    """Return what a terminal shows."""
    left = f"，预计还需 {_span(found.seconds_left)}" if found.seconds_left is not None else ""
    state = "（已暂停）" if found.paused else ""
    head = Text(
        f"{found.run}{state}：待检 {found.planned}，在检 {found.leased}，完成 {found.done}，"
        f"失败 {found.failed}；"
        f"{found.pages} 页，每小时 {found.per_hour:g} 个网站{left}"
    )
    parts: list[Any] = [head, _nodes(found)]
    if found.reasons:
        parts.append(_table(("失败原因", "网站数"), [(reason, str(n)) for reason, n in found.reasons]))
    return Group(*parts)


def _nodes(found: Overview) -> Table:
    rows = [
        (
            node["_id"],
            _state(node),
            f"{len(node.get('running', ()))}/{node.get('slots', 0)}",
            "、".join(one["site"] for one in node.get("running", ())[:4]),
            node.get("versions", {}).get("govcrawl", ""),
            f"{node.get('skew', 0.0):+.1f} s",
        )
        for node in found.nodes
    ]
    return _table(("节点", "状态", "在检", "网站", "版本", "时钟偏差"), rows)


def _state(node: Document) -> str:
    if node["silent"]:
        return f"失联（{_ago(node['seen_at'], node['beat_at'])}）"
    return "停止接新任务" if node.get("draining") else "正常"


def _ago(now: datetime, then: datetime) -> str:
    return f"{_span((now - then).total_seconds())}前"


def _span(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} 秒"
    return f"{minutes} 分钟" if minutes < 120 else f"{minutes / 60:.1f} 小时"


def _table(titles: Sequence[str], rows: Sequence[tuple[str, ...]]) -> Table:
    table = Table(*titles, header_style="bold")
    for row in rows:
        table.add_row(*(cell.replace("[", "\\[") for cell in row))
    return table
