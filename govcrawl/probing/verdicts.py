"""Decides V2 from the visits of a quarter: after the crawl, as often as visits are added."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from govcrawl.checking import Checking, bound
from govcrawl.inspection import Inspection
from govcrawl.items import Finding, Probe, Site
from govcrawl.quarter import SHANGHAI
from govcrawl.standard import Edition
from govcrawl.store import probes
from govcrawl.store.client import Sync

RULE = "V2"
SPACED = timedelta(minutes=15)  # visits that follow each other faster are one visit


def decide(
    db: Sync, quarter: str, edition: Edition, sites: Mapping[str, Site], at: datetime
) -> dict[str, tuple[Finding, ...]]:
    """Return what V2 comes to on the sites that were visited; `at` is the monitoring point."""
    found: dict[str, tuple[Finding, ...]] = {}
    if RULE in bound(edition):
        for site_id, docs in groupby(probes.visits(db, quarter), key=lambda doc: str(doc["site_id"])):
            if site_id in sites:
                found[site_id] = verdict(sites[site_id], quarter, edition, docs, at)
    return found


def verdict(
    site: Site, quarter: str, edition: Edition, docs: Iterable[Mapping[str, Any]], at: datetime
) -> tuple[Finding, ...]:
    """Return what V2 comes to on one site from its stored visits."""
    inspection = Inspection(site, quarter, at)
    inspection.probes = tuple(counted(docs))
    return Checking(edition, inspection).only(RULE)


def counted(docs: Iterable[Mapping[str, Any]]) -> Iterator[Probe]:
    """Yield the visits that count, in Beijing time: made, our network up, spaced."""
    before: datetime | None = None
    for doc in sorted(docs, key=lambda doc: doc["at"]):
        if doc["state"] in probes.WEAK or (before is not None and doc["at"] - before < SPACED):
            continue
        before = doc["at"]
        yield probes.probe_of({**doc, "at": doc["at"].astimezone(SHANGHAI)})
