"""Compares findings with the truth and says per rule what was planted, found and wrongly claimed."""

# ruff: noqa: E501  (markup and word lists in long lines)
from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urldefrag

from tests.province.model import Truth

_SHOWN = 20


@dataclass(slots=True)
class Tally:
    """The figures of one rule: planted occurrences (a group counts once), found ones, right and wrong claims."""

    rule: str
    planted: int = 0
    found: int = 0
    right: int = 0
    wrong: int = 0
    missed: list[str] = field(default_factory=list)
    false: list[str] = field(default_factory=list)

    @property
    def precision(self) -> float:
        """The share of claims that are right; 1 where nothing was claimed."""
        claims = self.right + self.wrong
        return self.right / claims if claims else 1.0

    @property
    def recall(self) -> float:
        """The share of planted occurrences that were found; 1 where nothing was planted."""
        return self.found / self.planted if self.planted else 1.0


@dataclass(slots=True)
class Judgement:
    """Figures per rule and together, over the rules the truth knows."""

    rules: dict[str, Tally]
    unbound: tuple[str, ...] = ()  # rules of the truth that were tested on no site

    @property
    def total(self) -> Tally:
        """The sum over all rules."""
        total = Tally("all")
        for tally in self.rules.values():
            total.planted += tally.planted
            total.found += tally.found
            total.right += tally.right
            total.wrong += tally.wrong
        return total

    def table(self) -> str:
        """Return the table per rule, then the first misses and wrong claims."""
        lines = [f"{'rule':8}{'planted':>9}{'found':>8}{'wrong':>8}{'precision':>11}{'recall':>9}"]
        lines += [
            f"{tally.rule:8}{tally.planted:>9}{tally.found:>8}{tally.wrong:>8}"
            f"{tally.precision:>11.3f}{tally.recall:>9.3f}"
            for tally in (*self.rules.values(), self.total)
        ]
        if self.unbound:
            lines.append(f"not judged, untested on every site: {', '.join(self.unbound)}")
        for label, name in (("missed", "missed"), ("wrongly claimed", "false")):
            kept = [line for tally in self.rules.values() for line in getattr(tally, name)]
            if kept:
                lines += [f"{label}: {len(kept)}, the first {min(_SHOWN, len(kept))}:", *kept[:_SHOWN]]
        return "\n".join(lines)


def read_claims(path: Path) -> list[dict[str, str]]:
    """Read findings: one JSON object a line with site_id, rule, outcome, url, observed."""
    with path.open(encoding="utf-8") as handle:
        return [json.loads(line) for line in handle if line.strip()]


def judge(truth: Iterable[Truth], findings: Iterable[Mapping[str, object]]) -> Judgement:
    """Judge findings. A claim is outcome `failed`, or `passed` for bonus rules; other outcomes claim nothing.

    A rule whose every finding says `untested` has no check yet: it is named, and not counted.
    """
    planted: dict[str, dict[str, list[Truth]]] = defaultdict(lambda: defaultdict(list))
    for row in truth:
        planted[row.rule][row.site_id].append(row)
    claims: dict[str, dict[str, set[tuple[str, str]]]] = defaultdict(lambda: defaultdict(set))
    outcomes: dict[str, set[object]] = defaultdict(set)
    for finding in findings:
        rule = str(finding["rule"])
        outcomes[rule].add(finding["outcome"])
        if rule in planted and finding["outcome"] == ("passed" if rule.startswith("B") else "failed"):
            seen = (urldefrag(str(finding.get("url") or ""))[0], str(finding.get("observed") or ""))
            claims[rule][str(finding["site_id"])].add(seen)
    unbound = tuple(sorted(rule for rule in planted if outcomes[rule] == {"untested"}))
    rules = {}
    for rule in sorted(set(planted).difference(unbound)):
        tally = Tally(rule)
        for site_id in sorted({*planted[rule], *claims[rule]}):
            _judge_site(tally, site_id, planted[rule].get(site_id, []), claims[rule].get(site_id, set()))
        rules[rule] = tally
    return Judgement(rules, unbound)


def _judge_site(tally: Tally, site_id: str, rows: list[Truth], claims: set[tuple[str, str]]) -> None:
    met: set[Truth] = set()
    for url, observed in sorted(claims):
        hits = {row for row in rows if _meets(row, url, observed)}
        met |= hits
        if hits:
            tally.right += 1
        else:
            tally.wrong += 1
            tally.false.append(f"  {tally.rule} {site_id} {url} {observed[:60]}")
    groups: dict[str, list[Truth]] = defaultdict(list)
    for row in rows:
        if row.match != "may":
            groups[_group(row)].append(row)
    for group in groups.values():
        tally.planted += 1
        if met.intersection(group):
            tally.found += 1
        else:
            row = group[0]
            tally.missed.append(f"  {row.rule} {site_id} {row.url} {row.observed} {row.note}".rstrip())


def _group(row: Truth) -> str:
    """Rows that count once together share a group."""
    if row.match == "page":
        return f"page {row.url}"
    return f"{row.match} {row.observed}"


def _meets(row: Truth, url: str, observed: str) -> bool:
    if row.match == "site":
        return row.observed in observed
    if row.url.endswith("*"):
        return url.startswith(row.url[:-1])
    return row.url in (url, urldefrag(observed.strip())[0])
