"""The post-processing job: findings of a quarter to scores and summary, and both as printed records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields, is_dataclass
from decimal import Decimal
from itertools import groupby
from typing import Any

from govcrawl.checking import bound
from govcrawl.items import GovcrawlError, Site
from govcrawl.scoring import IndicatorScore, QuarterSummary, SiteScore, score_site, summarise
from govcrawl.standard import Edition
from govcrawl.store import reads
from govcrawl.store.client import Sync
from govcrawl.store.integrity import seal_scores
from govcrawl.store.records import finding_of


def score_quarter(db: Sync, quarter: str, edition: Edition) -> QuarterSummary:
    """Score every inspected site of a quarter, store scores and summary, and return the summary."""
    sites = inspected_sites(db, quarter)
    if not sites:
        raise GovcrawlError(
            f"quarter {quarter}: nothing inspected yet; run: govcrawl inspect --quarter {quarter}"
        )
    codes = frozenset(bound(edition))
    scores: list[SiteScore] = []
    records = reads.findings(db, quarter)
    for site_id, docs in groupby(records, key=lambda doc: str(doc["site_id"])):
        found = [finding_of(doc) for doc in docs if doc["edition"] == edition.id]
        scores.append(score_site(sites[site_id], found, edition, bound=codes, quarter=quarter))
    summary = summarise(scores, tuple(sites.values()))
    reads.save_scores(db, quarter, (score.to_record() for score in scores))
    reads.save_summary(db, quarter, plain(summary))
    seal_scores(db, quarter)
    return summary


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
