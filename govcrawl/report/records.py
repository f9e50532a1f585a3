"""The quarter's records as JSON and CSV for other programs; decimals stay exact."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import simplejson

from govcrawl.report.facts import Facts
from govcrawl.results import plain


def write_records(folder: Path, facts: Facts) -> None:
    """Write summary.json, scores.json, scores.csv, faults.json and faults.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    source = "imported" if facts.imported else "computed"
    summary = plain(facts.summary) | {
        "source": source,
        "messages": plain(facts.messages),
        "inquiries": plain(facts.inquiries),
        "repairs": plain(facts.repairs),
        "version": facts.version,
        "final": facts.final,
        "root": facts.root,
    }
    scores = [
        {"name": facts.names[site_id], "source": source, "root": facts.roots.get(site_id, "")}
        | plain(facts.scores[site_id].to_record())
        for site_id in facts.sites
        if site_id in facts.scores
    ]
    faults = [plain(asdict(fault)) for fault in facts.faults]
    _json(folder / "summary.json", summary)
    _json(folder / "scores.json", scores)
    _json(folder / "faults.json", faults)
    _csv(
        folder / "scores.csv",
        ("site_id", "name", "kind", "verdict", "total", "low", "high", "pending", "source"),
        scores,
    )
    _csv(
        folder / "faults.csv",
        ("site_id", "rule", "title", "url", "observed", "expected", "fix", "deadline"),
        faults,
    )


def _json(path: Path, records: Any) -> None:
    path.write_text(simplejson.dumps(records, ensure_ascii=False, use_decimal=True, indent=1) + "\n", "utf-8")


def _csv(path: Path, names: Sequence[str], records: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as stream:  # Excel knows UTF-8 by its mark alone
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([_cell(record[name]) for name in names] for record in records)


def _cell(value: Any) -> str:
    """Return a value as text that a spreadsheet does not take for a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text[:1] in {"=", "+", "@", "\t", "\r"} else text
