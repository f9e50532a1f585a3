"""What can be imported for a quarter: which columns each table has and what its rows become.

A file is checked to its last row and then stored as one document, so nothing is ever half imported.
The newest import of a kind replaces the quarter's earlier one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from govcrawl.imports import decisions
from govcrawl.imports.decisions import Decision
from govcrawl.imports.sheet import Column, ImportFileError, choice, decimal, moment, read_sheet, text
from govcrawl.imports.working import working_days
from govcrawl.items import Evidence, Finding, Outcome, Site
from govcrawl.quarter import LATEST, Quarter
from govcrawl.scoring import QUALIFIED, UNQUALIFIED
from govcrawl.standard import Edition
from govcrawl.store import reads
from govcrawl.store.client import Sync
from govcrawl.store.schema import ensure_schema

MESSAGE_RULE = "D4.4c"
SIMPLE_DAYS, COMPLEX_DAYS = 1, 3  # working days for a reply to a simple and a complex inquiry
MESSAGE_DAYS = 3


@dataclass(frozen=True, slots=True)
class Total:
    """The total of a portal in a quarter that was inspected elsewhere."""

    site_id: str
    name: str
    total: Decimal


@dataclass(frozen=True, slots=True)
class Department:
    """The verdict on a department site that was inspected elsewhere."""

    name: str
    verdict: str
    site_id: str = ""
    organizer: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One 找错 message: who had to settle it, when it came and when it was settled."""

    number: str
    received: datetime
    kind: str
    city: str = ""
    unit: str = ""
    site_id: str = ""
    answered: datetime | None = None
    settled: datetime | None = None

    def days(self, at: datetime) -> int:
        """Return the working days it took, or has taken by the monitoring point."""
        end = self.settled or self.answered or at
        return working_days(self.received.date(), end.date())

    def on_time(self, at: datetime) -> bool:
        """Tell whether it was settled within three working days."""
        return (self.settled or self.answered) is not None and self.days(at) <= MESSAGE_DAYS

    def overdue(self, at: datetime) -> bool:
        """Tell whether three working days went by without it being settled."""
        return self.days(at) > MESSAGE_DAYS


@dataclass(frozen=True, slots=True)
class Inquiry:
    """One inquiry on the shared platform: simple ones are due in one working day, complex ones in three."""

    number: str
    asked: datetime
    complexity: str  # simple or complex
    city: str = ""
    unit: str = ""
    answered: datetime | None = None

    def overdue(self, at: datetime) -> bool:
        """Tell whether the reply came too late or is missing after its time."""
        allowed = SIMPLE_DAYS if self.complexity == "simple" else COMPLEX_DAYS
        return working_days(self.asked.date(), (self.answered or at).date()) > allowed


@dataclass(frozen=True, slots=True)
class Unit:
    """A provincial unit, as the annex lists it."""

    name: str


_NAME = ("网站名称", "notice_name", "name", "名称", "站点名称")
_SITE = ("网站编号", "site_id", "站点编号")
_CITY = ("地市", "设区市", "city", "城市", "所属地市")
_UNIT = ("单位", "unit", "承办单位", "省级单位", "责任单位", "办理单位")
_NUMBER = ("编号", "number", "留言编号", "序号", "工单号")
_VERDICTS = {"合格": QUALIFIED, "不合格": UNQUALIFIED, "qualified": QUALIFIED, "unqualified": UNQUALIFIED}
_SIMPLE = {"简单": "simple", "简单问题": "simple", "simple": "simple"}
_COMPLEX = {"复杂": "complex", "复杂问题": "complex", "较复杂": "complex", "complex": "complex"}

_COLUMNS: Mapping[str, Mapping[str, Column]] = {
    "totals": {
        "site_id": Column(_SITE, text),
        "name": Column(_NAME, text),
        "total": Column(("得分", "total", "总分", "总得分"), decimal),
    },
    "departments": {
        "name": Column(_NAME, text),
        "verdict": Column(("结论", "verdict", "检查结果", "是否合格"), choice(_VERDICTS)),
        "site_id": Column(_SITE, text, required=False),
        "organizer": Column(("主办单位", "organizer"), text, required=False),
        "problem": Column(("问题", "problem", "存在问题"), text, required=False),
    },
    "zhaocuo": {
        "number": Column(_NUMBER, text),
        "received": Column(("收到时间", "received", "转办时间", "留言时间", "提交时间"), moment),
        "kind": Column(("类型", "kind", "问题类型", "留言类型"), text),
        "city": Column(_CITY, text, required=False),
        "unit": Column(_UNIT, text, required=False),
        "site_id": Column(_SITE, text, required=False),
        "answered": Column(("答复时间", "answered", "回复时间"), moment, required=False),
        "settled": Column(("办结时间", "settled", "完成时间"), moment, required=False),
    },
    "inquiries": {
        "number": Column(_NUMBER, text),
        "asked": Column(("提问时间", "asked", "咨询时间", "收到时间", "提交时间"), moment),
        "complexity": Column(("难易", "complexity", "问题类别", "类别", "类型"), choice(_SIMPLE | _COMPLEX)),
        "city": Column(_CITY, text, required=False),
        "unit": Column(_UNIT, text, required=False),
        "answered": Column(("答复时间", "answered", "回复时间"), moment, required=False),
    },
    "units": {"name": Column(("单位名称", "name", "单位", "名称"), text)},
    "scores": decisions.COLUMNS,
}
KINDS: Mapping[str, type[Any]] = {
    "totals": Total,
    "departments": Department,
    "zhaocuo": Message,
    "inquiries": Inquiry,
    "units": Unit,
    "scores": Decision,
}
_KEYS = {
    "totals": ("site_id",),
    "departments": ("name",),
    "zhaocuo": ("number",),
    "inquiries": ("number",),
    "units": ("name",),
    "scores": ("site_id", "rule", "note", "evidence"),
}
_R = TypeVar("_R")


def import_file(
    db: Sync, kind: str, path: Path, *, quarter: Quarter, sites: Collection[Site], edition: Edition
) -> int:
    """Check a file row by row and make it the quarter's import of this kind; return the number of rows.

    Raises ImportFileError with every fault of the file; then nothing is changed.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImportFileError(str(path), [f"cannot be read ({error.strerror})"]) from error
    rows = read_sheet(data, _COLUMNS[kind], path.name)
    faults = list(_faults(kind, rows, quarter, {site.site_id: site for site in sites}, edition))
    if faults:
        raise ImportFileError(path.name, faults)
    ensure_schema(db)
    records = [_record(KINDS[kind], row) for row in rows]
    digest = hashlib.sha256(data).hexdigest()
    doc = {"source": path.name, "sha256": digest, "rows": [_plain(record) for record in records]}
    reads.save_import(db, str(quarter), kind, doc)
    return len(records)


def held(db: Sync, quarter: str, kind: type[_R]) -> tuple[_R, ...]:
    """Return the rows of the quarter's import of this kind, in the order of the file; none without one."""
    (name,) = [name for name, one in KINDS.items() if one is kind]
    doc = reads.imported(db, quarter, name)
    return tuple(_restored(kind, row) for row in doc["rows"]) if doc else ()


def overdue_findings(
    messages: Iterable[Message], sites: Iterable[Site], quarter: str, edition: str, at: datetime
) -> dict[str, tuple[Finding, ...]]:
    """Return the D4.4c findings of each site: one for each message too late, or one that all was in time."""
    late: dict[str, list[Message]] = {}
    for message in messages:
        if message.overdue(at):
            late.setdefault(message.site_id, []).append(message)
    unplaced = {message.city for message in late.pop("", ())}
    make = partial(Finding, quarter=quarter, rule=MESSAGE_RULE, edition=edition, checked_at=at)
    found: dict[str, tuple[Finding, ...]] = {}
    for site in sites:
        own = late.get(site.site_id, [])
        evidence = [Evidence(site.url, _waited(one, at), f"{MESSAGE_DAYS} 个工作日内") for one in own]
        if own:
            found[site.site_id] = tuple(
                make(site_id=site.site_id, outcome=Outcome.FAILED, evidence=(one,)) for one in evidence
            )
        elif not any(city in f"{site.parent} {site.name}" for city in unplaced):
            # A late message of its city that names no site may be this site's: then the rule stays open.
            found[site.site_id] = (make(site_id=site.site_id, outcome=Outcome.PASSED),)
    return found


def _waited(message: Message, at: datetime) -> str:
    return f"找错留言 {message.number}：{message.days(at)} 个工作日"


def _faults(
    kind: str, rows: list[dict[str, Any]], quarter: Quarter, sites: Mapping[str, Site], edition: Edition
) -> Iterable[str]:
    seen: dict[str, int] = {}
    full = sum(part.total for part in edition.parts.values() if part.total is not None)
    checks: dict[str, Callable[[dict[str, Any]], Iterable[str]]] = {
        "totals": partial(_total_faults, sites=sites, full=Decimal(full)),
        "departments": partial(_site_faults, sites=sites),
        "zhaocuo": partial(_message_faults, quarter=quarter, sites=sites),
        "inquiries": partial(_inquiry_faults, quarter=quarter),
        "units": lambda _: (),
        "scores": partial(decisions.decision_faults, sites=sites, edition=edition),
    }
    for row in rows:
        where = f"row {row['row']}"
        key = "，".join(str(row[name]) for name in _KEYS[kind] if row[name])
        if key in seen:
            yield f"{where}: {key!r} stands in row {seen[key]} already"
        seen.setdefault(key, row["row"])
        yield from (f"{where}, {what}" for what in checks[kind](row))
    if kind == "scores":
        yield from decisions.contradictions(rows)


def _total_faults(row: dict[str, Any], sites: Mapping[str, Site], full: Decimal) -> Iterable[str]:
    site = sites.get(row["site_id"])
    if site is None:
        yield f"网站编号: {row['site_id']!r} is not on the roster"
    elif site.kind != "portal":
        yield f"网站编号: {row['site_id']!r} is a department site; only portals have totals"
    if not 0 <= row["total"] <= full:
        yield f"得分: {row['total']} is not between 0 and {full}"


def _site_faults(row: dict[str, Any], sites: Mapping[str, Site]) -> Iterable[str]:
    if row["site_id"] and row["site_id"] not in sites:
        yield f"网站编号: {row['site_id']!r} is not on the roster"


def _message_faults(row: dict[str, Any], quarter: Quarter, sites: Mapping[str, Site]) -> Iterable[str]:
    yield from _site_faults(row, sites)
    yield from _order_faults("收到时间", row["received"], quarter, row["answered"], row["settled"])
    if not row["city"] and not row["unit"]:
        yield "地市: neither 地市 nor 单位 is given"


def _inquiry_faults(row: dict[str, Any], quarter: Quarter) -> Iterable[str]:
    yield from _order_faults("提问时间", row["asked"], quarter, row["answered"])
    if not row["city"] and not row["unit"]:
        yield "地市: neither 地市 nor 单位 is given"


def _order_faults(name: str, start: datetime, quarter: Quarter, *ends: datetime | None) -> Iterable[str]:
    if not quarter.start - timedelta(days=1) <= start.date() <= quarter.end + LATEST:
        yield f"{name}: {start.date()} does not belong to {quarter}"
    for end in ends:
        # An export that has only days gives midnight: the same day is in order.
        if end is not None and end.date() < start.date():
            yield f"{name}: {start.date()} is later than the answer of {end.date()}"


def _record(kind: type[Any], row: Mapping[str, Any]) -> Any:
    given = {one.name: row[one.name] for one in fields(kind) if row.get(one.name) is not None}
    return kind(**given)


def _plain(record: Any) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in asdict(record).items()
    }


_MOMENTS = ("received", "answered", "settled", "asked")


def _restored(kind: type[_R], row: Mapping[str, Any]) -> _R:
    return kind(
        **{
            name: datetime.fromisoformat(value) if name in _MOMENTS and value else value
            for name, value in row.items()
        }
    )
