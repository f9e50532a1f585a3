"""What rules came to after the crawl: by a week of visits, imported messages, decisions a person typed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from govcrawl.items import Finding
from govcrawl.store.client import Sync, replace_all
from govcrawl.store.records import finding_doc, key


def save(db: Sync, quarter: str, findings: Iterable[Finding], runs: Mapping[str, str]) -> None:
    """Make these all the quarter's findings made after the crawl; each stands under its site's run."""
    named = ((key(quarter, "late", one.finding_id), one) for one in findings)
    docs = (finding_doc(one, runs[one.site_id]) | {"_id": name} for name, one in named)
    replace_all(db.late_findings, {"quarter": quarter}, docs)
