"""The post-processing job: findings of a quarter to scores and summary, and both as printed records."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import simplejson

from govcrawl.checking import bound
from govcrawl.imports.decisions import Decision, decided_findings
from govcrawl.imports.kinds import MESSAGE_RULE, Message, held, overdue_findings
from govcrawl.items import Finding, GovcrawlError, Outcome, Site
from govcrawl.probing import verdicts
from govcrawl.quarter import Quarter
from govcrawl.scoring import (
    CONFIRMED,
    DISMISSED,
    IndicatorScore,
    QuarterSummary,
    SiteScore,
    score_counts,
    summarise,
)
from govcrawl.standard import Edition
from govcrawl.store import late as late_store
from govcrawl.store import reads, tallies
from govcrawl.store.client import Sync
from govcrawl.store.integrity import seal_scores
from govcrawl.store.records import key


def score_quarter(db: Sync, quarter: str, edition: Edition, *, recount: bool = False) -> QuarterSummary:
    """Score every inspected site of a quarter, store scores and summary, and return the summary.

    It reads the counts kept beside the findings, and the single findings a person decided. Repeating it, also
    after a kill, gives the same documents. A final quarter is frozen: when it comes out otherwise later, the
    earlier version is kept and linked. `recount` has the database count all findings anew.
    """
    sites = inspected_sites(db, quarter)
    if not sites:
        raise GovcrawlError(
            f"quarter {quarter}: nothing inspected yet; run: govcrawl inspect --quarter {quarter}"
        )
    if recount or not tallies.current(db):
        tallies.recount(db)
    scores = sorted(_scores(db, quarter, edition, sites), key=lambda score: score.site_id)
    summary = summarise(scores, tuple(sites.values()))
    records = [score.to_record() for score in scores]
    version = _version(db, quarter, summary, _digest([*records, plain(summary)]))
    reads.save_scores(db, quarter, records)
    reads.save_summary(db, quarter, plain(summary) | version)
    if version["final"]:
        reads.freeze(db, quarter, version["version"])
    seal_scores(db, quarter)
    return summary


def _scores(db: Sync, quarter: str, edition: Edition, sites: Mapping[str, Site]) -> Iterator[SiteScore]:
    codes = frozenset(bound(edition))
    newest = reads.inspected(db, quarter)
    counts = _counts(db, quarter, edition, newest)
    decisions = reads.decisions(db, quarter)
    late = late_findings(db, quarter, edition, sites)
    late_store.save(db, quarter, (one for some in late.values() for one in some), newest)
    for site_id, more in late.items():
        own = counts.setdefault(site_id, {})
        for rule in {one.rule for one in more}:  # they say what the crawl could not
            own.pop(rule, None)
        for name, finding in {one.finding_id: one for one in more}.items():
            decision = decisions.get(site_id, {}).get(name, "")
            own.setdefault(finding.rule, Counter())[finding.outcome, decision] += 1
    for site_id, site in sites.items():
        yield score_counts(site, counts.get(site_id, {}), edition, bound=codes, quarter=quarter)


def _counts(
    db: Sync, quarter: str, edition: Edition, newest: Mapping[str, str]
) -> dict[str, dict[str, Counter[tuple[Outcome, str]]]]:
    """Return how many findings each site has, by rule and by outcome and decision."""
    outcomes = {str(one): one for one in Outcome}
    counts: dict[str, dict[str, Counter[tuple[Outcome, str]]]] = {}
    for site_id, found in tallies.read(db, edition.id, newest):
        own = counts.setdefault(site_id, {})
        for rule, outcome, number in found:
            own.setdefault(rule, Counter())[outcomes[outcome], ""] += number
    for doc, decision in _decided(db, quarter, newest):
        if doc["edition"] == edition.id:
            own, outcome = counts.setdefault(doc["site_id"], {}), outcomes[doc["outcome"]]
            moved = Counter({(outcome, decision): 1, (outcome, ""): -1})
            own[doc["rule"]] = own.get(doc["rule"], Counter()) + moved  # drops what is not there any more
    return counts


def _decided(db: Sync, quarter: str, newest: Mapping[str, str]) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Yield the decided findings of the sites' newest inspections, each with its newest decision."""
    ids = {
        key(newest[site_id], finding_id): decision
        for site_id, own in reads.decisions(db, quarter).items()
        if site_id in newest
        for finding_id, decision in own.items()
        if decision in (CONFIRMED, DISMISSED)
    }
    for doc in reads.by_id(db, sorted(ids), ("site_id", "rule", "outcome", "edition")):
        yield doc, ids[doc["_id"]]


def late_findings(
    db: Sync, quarter: str, edition: Edition, sites: Mapping[str, Site]
) -> dict[str, tuple[Finding, ...]]:
    """Return what was found after the crawl: by visits, imported messages and a person's typed decisions.

    Of one rule the findings stand for the inspection's; a typed decision stands for the messages'.
    """
    messages, typed = held(db, quarter, Message), held(db, quarter, Decision)
    at = _at(db, quarter)
    found = [verdicts.decide(db, quarter, edition, sites, at), decided_findings(typed, quarter, edition, at)]
    if messages and MESSAGE_RULE in edition.rules:
        settled = {one.site_id for one in typed if one.rule == MESSAGE_RULE}
        asked = [site for site_id, site in sites.items() if site_id not in settled]
        found.append(overdue_findings(messages, asked, quarter, edition.id, at))
    whole: dict[str, tuple[Finding, ...]] = {}
    for site_id, some in (item for part in found for item in part.items() if item[0] in sites):
        whole[site_id] = (*whole.get(site_id, ()), *some)
    return whole


def _at(db: Sync, quarter: str) -> datetime:
    run = reads.run_of(db, reads.latest_run(db, quarter) or "")
    at: datetime = run["at"] if run else Quarter.parse(quarter).monitoring_point()
    return at


def _version(db: Sync, quarter: str, summary: QuarterSummary, digest: str) -> dict[str, Any]:
    """Return version, digest and predecessor of a result: a new version only after a frozen one."""
    earlier = reads.frozen(db, quarter)
    if earlier and earlier[-1]["digest"] == digest:
        earlier = earlier[:-1]  # the frozen result itself
    version = earlier[-1]["version"] + 1 if earlier else 1
    before = earlier[-1]["digest"] if earlier else ""
    final = not summary.provisional and not summary.missing
    return {"version": version, "digest": digest, "previous": before, "final": final}


def _digest(records: Sequence[Mapping[str, Any]]) -> str:
    text = simplejson.dumps(plain(records), ensure_ascii=False, use_decimal=True, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def inspected_sites(db: Sync, quarter: str) -> dict[str, Site]:
    """Return the sites inspected in a quarter as the roster had them, in its order."""
    newest = reads.inspected(db, quarter)
    found = {}
    for row in reads.rows_of(db, quarter):
        if newest.get(row["site_id"]) == row["run"]:
            fields = dict(row["site"])
            fields["allowed_hosts"] = tuple(fields.get("allowed_hosts", ()))
            found[str(row["site_id"])] = Site(**fields)
    return found


def mean_range(scores: Iterable[SiteScore]) -> tuple[Decimal, Decimal] | None:
    """Return between which means the mean of the scored sites will lie; None where nothing is open."""
    known = [(one.low, one.high) for one in scores if one.low is not None and one.high is not None]
    low, high = sum((one for one, _ in known), Decimal(0)), sum((one for _, one in known), Decimal(0))
    if low == high:
        return None
    places = Decimal("0.1")
    low, high = ((value / len(known)).quantize(places, ROUND_HALF_UP) for value in (low, high))
    return low, high


def score_of(doc: Mapping[str, Any]) -> SiteScore:
    """Return the score a stored document holds."""
    known = {one.name for one in fields(SiteScore)}
    record = {name: value for name, value in doc.items() if name in known}
    record["vetoes"] = tuple(doc["vetoes"])
    record["open_vetoes"] = tuple(doc["open_vetoes"])
    record["indicators"] = tuple(IndicatorScore(**one) for one in doc["indicators"])
    return SiteScore(**record)


def occurrences(records: Iterator[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield one flat record for each evidence of each finding; a finding without evidence gives one."""
    for doc in records:
        base = {
            name: doc[name]
            for name in ("site_id", "quarter", "rule", "outcome", "edition", "message", "finding_id", "run")
        }
        for seen in doc["evidence"] or [{"url": "", "observed": ""}]:
            yield base | {
                name: seen.get(name, "")
                for name in ("url", "observed", "expected", "selector", "excerpt", "screenshot")
            }


def plain(value: Any) -> Any:
    """Return records as dictionaries, lists and values, decimals kept."""
    if is_dataclass(value) and not isinstance(value, type):
        return {name: plain(item) for name, item in asdict(value).items()}
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value if isinstance(value, Decimal | int | float | str | bool) or value is None else str(value)
