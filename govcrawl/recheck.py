"""Runs the rules again over stored evidence: same spiders, same pipelines, no network; then compares."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from govcrawl.checking import bound
from govcrawl.inputs import restore_inputs
from govcrawl.items import Finding, GovcrawlError, Site
from govcrawl.options import Options
from govcrawl.quarter import Quarter
from govcrawl.results import score_quarter
from govcrawl.scoring import score_site
from govcrawl.sites import write_sites
from govcrawl.standard import Edition, load_edition
from govcrawl.store import reads
from govcrawl.store.client import Document, Sync
from govcrawl.store.integrity import canonical, seal_run
from govcrawl.store.rechecks import adopt, drop, open_recheck, site_records
from govcrawl.store.records import finding_of
from govcrawl.supervisor import Progress, Supervisor


@dataclass(frozen=True, slots=True)
class Change:
    """What one rule came to on one site, before and now, and why it is not the same."""

    site_id: str
    rule: str
    before: str
    after: str
    why: str


@dataclass(slots=True)
class Rechecked:
    """What a recheck did and found."""

    edition: str = ""
    sites: int = 0
    pages: int = 0
    seconds: float = 0.0
    changes: list[Change] = field(default_factory=list)
    scores: list[Change] = field(default_factory=list)  # `rule` is empty
    failed: list[tuple[str, str]] = field(default_factory=list)

    @property
    def same(self) -> bool:
        """Whether findings and scores are what they were, byte by byte."""
        return not (self.changes or self.scores or self.failed)


def recheck(
    db: Sync,
    uri: str,
    quarter: str,
    *,
    site: str | None = None,
    rule: str | None = None,
    edition: Path | None = None,
    workers: int = 1,
    keep: bool = False,
) -> Rechecked:
    """Check a quarter's newest inspections again from the store alone and say what comes out otherwise.

    Each goes by the edition, the lexicon and the domains it went by, unless another edition is given. `keep`
    makes the new findings the quarter's results. Raises GovcrawlError where nothing was inspected.
    """
    found = Rechecked()
    for source, sites in sources(db, quarter, site).items():
        with _job(
            db, uri, source, edition=edition, rule=rule, workers=workers, keep=keep, found=found
        ) as job:
            job.run(source, sites)
            standard = job.standard
    if keep:
        score_quarter(db, quarter, standard)
    return found


def follow(
    db: Sync,
    uri: str,
    source: str,
    sites: list[Site],
    opened: tuple[str, str],
    *,
    edition: Path | None,
    workers: int,
    found: Rechecked,
) -> None:
    """Check a run's sites again in an opened run with links of its own, and make that the results."""
    with _job(db, uri, source, edition=edition, rule=None, workers=workers, keep=True, found=found) as job:
        job.run(source, sites, opened)


def sources(db: Sync, quarter: str, site: str | None) -> dict[str, list[Site]]:
    """Return the runs behind a quarter's results with the sites each of them stands for."""
    newest = reads.inspected(db, quarter)
    found: dict[str, list[Site]] = {}
    for row in reads.rows_of(db, quarter):
        if newest.get(row["site_id"]) == row["run"] and site in (None, row["site_id"]):
            given = {**row["site"], "allowed_hosts": tuple(row["site"].get("allowed_hosts", ()))}
            found.setdefault(str(row["run"]), []).append(Site(**given))
    if not found:
        what = f"site {site}" if site else "no site"
        raise GovcrawlError(f"quarter {quarter}: {what} inspected; see: govcrawl scores --quarter {quarter}")
    return found


@contextmanager
def _job(
    db: Sync,
    uri: str,
    source: str,
    *,
    edition: Path | None,
    rule: str | None,
    workers: int,
    keep: bool,
    found: Rechecked,
) -> Iterator[_Job]:
    """Yield the recheck of a run, by the files it went by and perhaps another edition."""
    with tempfile.TemporaryDirectory(prefix="govcrawl-recheck-") as folder:
        went_by = restore_inputs(db, reads.run_of(db, source) or {}, Path(folder))
        was = load_edition(went_by.get("edition"))
        standard = load_edition(edition) if edition else was
        if rule is not None and rule not in standard.rules:
            raise GovcrawlError(f"--rule {rule}: not in edition {standard.id}; see: govcrawl rules")
        files = went_by | ({"edition": edition} if edition else {})
        found.edition = standard.id
        yield _Job(db, uri, Path(folder), files, was, standard, rule, workers, keep, found)


@dataclass(frozen=True, slots=True)
class _Job:
    """The recheck of one run: what to run again, by what, and what was found."""

    db: Sync
    uri: str
    folder: Path
    files: Mapping[str, Path]  # edition, lexicon, domains and hosts; one missing: that of the package
    was: Edition
    standard: Edition
    rule: str | None
    workers: int
    keep: bool
    found: Rechecked

    def run(self, source: str, sites: list[Site], opened: tuple[str, str] | None = None) -> None:
        """Check the sites of one run again, in a run that may be open already, and compare."""
        names = [one.site_id for one in sites]
        file = self.files["edition"].read_bytes() if "edition" in self.files else None
        run, pages = opened or open_recheck(self.db, source, names, self.standard.id, file=file)
        try:
            self._work(run, pages, sites)
            for site in sites:
                self._compare(source, run, site)
        except BaseException:
            drop(self.db, run)
            raise
        if not self.keep:
            drop(self.db, run)
            return
        adopt(self.db, run)
        seal_run(self.db, run)

    def _work(self, run: str, pages: str, sites: list[Site]) -> None:
        started = time.monotonic()
        roster = self.folder / "roster.csv"
        write_sites(roster, sites)
        options = options_of(self.db, pages, run).with_(
            mongo=self.uri,
            registry=str(roster),
            workers=self.workers,
            **{name: str(path.resolve()) for name, path in self.files.items()},
        )
        progress = Supervisor(self.db, options, sites).run(_silent)
        self.found.seconds += time.monotonic() - started
        self.found.sites += progress.done
        self.found.failed += reads.failed_sites(self.db, run)
        self.found.pages += sum(row["counts"].get("pages", 0) for row in reads.sites_of_run(self.db, run))

    def _compare(self, source: str, run: str, site: Site) -> None:
        before, after = (site_records(self.db, one, site.site_id) for one in (source, run))
        if _bytes(before) != _bytes(after):
            changes = _changes(before, after, self.was, self.standard)
            self.found.changes += [change for change in changes if self.rule in (None, change.rule)]
        self.found.scores += _score_changes(site, before, after, self.was, self.standard)


def _silent(_: Progress) -> None:
    """Say nothing while it runs."""


def options_of(db: Sync, source: str, run: str) -> Options:
    """Return the options the source ran under, so that the same pages are read in the same order."""
    doc = reads.run_of(db, source)
    if doc is None:
        raise GovcrawlError(f"run {source} is not in the database")
    settings = {
        name: value for name, value in doc["settings"].items() if name in ("page_budget", "link_budget")
    }
    quarter, at = Quarter.parse(doc["quarter"]), doc["at"]
    texts = (at.strftime("%Y-%m-%d"), at.strftime("%Y-%m-%d %H:%M"))
    text = next((one for one in texts if quarter.monitoring_point(one) == at), texts[1])
    return Options.from_environment().with_(
        quarter=str(quarter),
        at=text,
        run=run,
        source=source,
        browser=False,
        proxy="",
        replay="",
        sites=(),
        **settings,
    )


# --- comparing ------------------------------------------------------------------------------------------


def _bytes(docs: Iterable[Mapping[str, Any]]) -> list[bytes]:
    return sorted(canonical(doc) for doc in docs)


def _changes(
    before: Sequence[Document], after: Sequence[Document], was: Edition, standard: Edition
) -> Iterator[Change]:
    other = was != standard
    codes = sorted({doc["rule"] for doc in (*before, *after)})
    for code in codes:
        old, new = ([doc for doc in docs if doc["rule"] == code] for docs in (before, after))
        gone, come = Counter(map(_shown, old)), Counter(map(_shown, new))
        if gone == come and (other or _bytes(old) == _bytes(new)):
            continue
        site_id = (old or new)[0]["site_id"]
        why = _why(code, was, standard)
        yield Change(site_id, code, _text(gone - come), _text(come - gone), why)


def _shown(doc: Mapping[str, Any]) -> tuple[str, ...]:
    seen = doc["evidence"]
    return (doc["outcome"], doc["message"], *(part for one in seen for part in (one["url"], one["observed"])))


def _text(findings: Counter[tuple[str, ...]]) -> str:
    parts = [" ".join(filter(None, one)) for one in sorted(findings.elements())]
    return "；".join(parts[:3]) + (f"；……共{len(parts)}条" if len(parts) > 3 else "")


def _why(code: str, was: Edition, standard: Edition) -> str:
    if code not in was.rules:
        return f"版本{standard.id}新增"
    if code not in standard.rules:
        return f"版本{standard.id}未列"
    base, spec = was.rules[code], standard.rules[code]
    parts = [
        f"{one.name}: {getattr(base, one.name)} → {getattr(spec, one.name)}"
        for one in fields(spec)
        if getattr(base, one.name) != getattr(spec, one.name)
    ]
    return "；".join(parts) or "检查程序或读取方式已变"


def _score_changes(
    site: Site, before: Sequence[Document], after: Sequence[Document], was: Edition, standard: Edition
) -> Iterator[Change]:
    old, new = _score(site, before, was), _score(site, after, standard)
    names = ("verdict", "total", "deduction", "bonus", "low", "high")
    same = was == standard
    if canonical(old) != canonical(new) and (same or any(old[name] != new[name] for name in names)):
        why = f"{was.id} → {standard.id}"
        yield Change(site.site_id, "", _figures(old, names), _figures(new, names), why)


def _score(site: Site, docs: Sequence[Document], edition: Edition) -> dict[str, Any]:
    found: list[Finding] = [finding_of(doc) for doc in docs if doc["edition"] == edition.id]
    quarter = str(docs[0]["quarter"]) if docs else ""
    return dict(
        score_site(site, found, edition, bound=frozenset(bound(edition)), quarter=quarter).to_record()
    )


def _figures(record: Mapping[str, Any], names: Iterable[str]) -> str:
    return " ".join(f"{name} {record[name]}" for name in names if record[name] is not None)
