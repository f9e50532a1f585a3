"""Faults of a quarter: what was found, until when it has to be repaired, and what became of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from heapq import merge
from typing import Any

from govcrawl.imports.working import due
from govcrawl.items import Outcome
from govcrawl.quarter import Quarter
from govcrawl.scoring import CONFIRMED, DISMISSED
from govcrawl.standard import Edition
from govcrawl.store import reads
from govcrawl.store.client import Sync
from govcrawl.store.records import key

REPAIR_DAYS = 7  # working days from the monitoring point

_QUESTIONS = {Outcome.CANT_TELL, Outcome.UNTESTED}
_FIGURES = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class Fault:
    """One occurrence on one site."""

    site_id: str
    rule: str
    title: str  # code and name
    category: str
    clause: str
    url: str
    observed: str
    expected: str
    screenshot: str
    fix: str
    deadline: date

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What makes it the same fault in another inspection: dates and counts may differ, links may not."""
        seen = self.observed if "://" in self.observed else _FIGURES.sub("", self.observed)
        return (self.site_id, self.rule, self.url, seen)


@dataclass(frozen=True, slots=True)
class Repairs:
    """What became of the faults of a quarter's first inspection by its newest one."""

    found: int = 0
    in_time: int = 0
    late: int = 0
    open: int = 0
    clean: int = 0  # sites without a fault at the first inspection
    faulty: int = 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """A quarter's faults against those of an earlier one."""

    repaired: tuple[Fault, ...]
    fresh: tuple[Fault, ...]
    lasting: tuple[Fault, ...]
    returned: tuple[Fault, ...]  # repaired before, found again


def faults_of(db: Sync, quarter: str, edition: Edition, at: date) -> tuple[Fault, ...]:
    """Return the faults of each site's newest inspection, by site, rule and finding; bonus rules are none.

    What a person dismissed is no fault; what a person confirmed or outside data say is one.
    """
    return tuple(_faults(_standing(db, quarter), edition, due(at, REPAIR_DAYS)))


def repairs_of(db: Sync, quarter: str, edition: Edition) -> Repairs:
    """Follow the faults of each site's first finished inspection to its newest one.

    A fault that a later inspection no longer finds was repaired; in time, where the monitoring point of
    that inspection is not after the deadline. Pages read again (`recheck --keep`, `relink`) are no later
    inspection. What was found after the crawl (visits, messages, typed decisions) is not followed: nothing
    tells when it was repaired.
    """
    held = reads.runs(db, quarter)
    runs = {run["_id"]: datetime.fromisoformat(run["at"]).date() for run in held}
    sources = {run["_id"]: run.get("source") or run["_id"] for run in held}
    found = in_time = late = left = clean = 0
    states, decisions = reads.inspections(db, quarter), reads.decisions(db, quarter)
    for site_id, order in states.items():
        last_reading = {sources[run]: run for run in order}
        steps = []
        for run in sorted(last_reading.values(), key=order.index):
            rows = reads.findings_of_run(db, quarter, site_id, run, "failed")
            steps.append((runs[run], _keys(db, edition, rows, decisions.get(site_id, {}), run)))
        first_at, first = steps[0]
        last = due(first_at, REPAIR_DAYS)
        clean += not first
        found += first.total()
        still = first
        for at, keys in steps[1:]:
            gone = (still - keys).total()
            still = still & keys
            in_time, late = (in_time + gone, late) if at <= last else (in_time, late + gone)
        left += still.total()
    return Repairs(found, in_time, late, left, clean, len(states) - clean)


def open_sites(db: Sync, quarter: str, edition: Edition) -> frozenset[str]:
    """Return the sites whose newest inspection in the quarter found faults: those to inspect again."""
    return frozenset(fault.site_id for fault in _faults(_standing(db, quarter), edition, date.min))


def compared(db: Sync, quarter: Quarter, edition: Edition, now: Iterable[Fault]) -> Comparison | None:
    """Compare the quarter's faults with those of the quarter before; None where that was not inspected."""
    before = str(quarter.previous())
    inspected = reads.inspected(db, str(quarter))
    if not inspected or not reads.inspected(db, before):
        return None
    names = sorted({run["quarter"] for run in reads.runs(db)})
    older = [name for name in names if Quarter.parse(name) < quarter.previous()]
    earlier = [fault for name in older for fault in faults_of(db, name, edition, date.min)]
    return compare(now, faults_of(db, before, edition, date.min), earlier, inspected)


def compare(
    now: Iterable[Fault], before: Iterable[Fault], earlier: Iterable[Fault] = (), sites: Iterable[str] = ()
) -> Comparison:
    """Compare two quarters; `earlier` are faults of the quarters before both.

    `sites` are those inspected now: a fault of a site that was not inspected is not repaired.
    """
    found, held, inspected = list(now), list(before), set(sites)
    known = Counter(fault.key for fault in held)
    current = Counter(fault.key for fault in found)
    old = {fault.key for fault in earlier} - set(known)
    lasting = _take(found, known & current)
    fresh = _take(found, current - known)
    return Comparison(
        repaired=_take([fault for fault in held if fault.site_id in inspected], known - current),
        fresh=tuple(fault for fault in fresh if fault.key not in old),
        lasting=lasting,
        returned=tuple(fault for fault in fresh if fault.key in old),
    )


def _take(faults: Iterable[Fault], counts: Counter[tuple[str, str, str, str]]) -> tuple[Fault, ...]:
    left = counts.copy()
    taken = []
    for fault in faults:
        if left[fault.key] > 0:
            left[fault.key] -= 1
            taken.append(fault)
    return tuple(taken)


def _standing(db: Sync, quarter: str) -> Iterator[Mapping[str, Any]]:
    decisions, newest = reads.decisions(db, quarter), reads.inspected(db, quarter)
    failed = _kept(reads.findings(db, quarter, outcome="failed"), decisions)
    answered = [
        doc for site_id, run in newest.items() for doc in _confirmed(db, decisions.get(site_id, {}), run)
    ]
    yield from merge(failed, sorted(answered, key=_place), key=_place)


def _kept(
    docs: Iterable[Mapping[str, Any]], decisions: Mapping[str, Mapping[str, str]]
) -> Iterator[Mapping[str, Any]]:
    for doc in docs:
        if decisions.get(doc["site_id"], {}).get(doc["finding_id"]) != DISMISSED:
            yield doc


def _confirmed(db: Sync, decisions: Mapping[str, str], run: str) -> Iterator[Mapping[str, Any]]:
    """Yield the questions of a run that a person confirmed to be faults."""
    ids = [key(run, finding) for finding, decision in decisions.items() if decision == CONFIRMED]
    for doc in reads.by_id(db, sorted(ids)):
        if doc["outcome"] in _QUESTIONS:
            yield doc


def _place(doc: Mapping[str, Any]) -> tuple[str, str, str]:
    return doc["site_id"], doc["rule"], doc["finding_id"]


def _keys(
    db: Sync, edition: Edition, rows: Iterable[Mapping[str, Any]], decisions: Mapping[str, str], run: str
) -> Counter[tuple[str, str, str, str]]:
    failed = [doc for doc in rows if decisions.get(doc["finding_id"]) != DISMISSED]
    docs = [*failed, *_confirmed(db, decisions, run)]
    return Counter(fault.key for fault in _faults(docs, edition, date.min))


def _faults(docs: Iterable[Mapping[str, Any]], edition: Edition, deadline: date) -> Iterable[Fault]:
    for doc in docs:
        rule = edition.rules.get(doc["rule"])
        if rule is None or rule.is_bonus:
            continue
        for seen in doc["evidence"] or [{}]:
            yield Fault(
                site_id=doc["site_id"],
                rule=rule.code,
                title=rule.title,
                category=rule.category,
                clause=rule.clause,
                url=seen.get("url", ""),
                observed=seen.get("observed", "") or doc["message"],
                expected=seen.get("expected", ""),
                screenshot=seen.get("screenshot", ""),
                fix=rule.fix,
                deadline=deadline,
            )
