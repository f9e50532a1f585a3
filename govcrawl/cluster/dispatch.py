"""Puts a quarter's inspection into the cluster's queue."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from govcrawl.egress import host_literal
from govcrawl.items import GovcrawlError, Site
from govcrawl.quarter import Quarter
from govcrawl.services import OF_RUN, roster_sha
from govcrawl.store.client import Sync
from govcrawl.store.ledger import open_run
from govcrawl.store.queue import enqueue, nodes
from govcrawl.store.schema import ensure_schema

_AT_ONCE = 32  # names looked up at a time


@dataclass(frozen=True)
class Order:
    """An inspection for the cluster."""

    quarter: Quarter
    at: datetime
    edition: str
    roster: Sequence[Site]
    sites: Sequence[Site]
    project: str = "govcrawl"
    priority: float = 0.0
    per_address: int = 4
    settings: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, bytes] = field(default_factory=dict)  # the files it goes by, kept with the run


def dispatch(db: Sync, order: Order, *, resolve: bool) -> tuple[str, int]:
    """Queue the sites; returns run and how many jobs are new. The same order twice changes nothing."""
    unknown = set(order.settings) - OF_RUN
    if unknown:
        raise GovcrawlError(f"not a setting of a run: {', '.join(sorted(unknown))}")
    ensure_schema(db)
    sha = roster_sha(order.roster)
    _check_nodes(db, order, sha)
    run = open_run(
        db,
        str(order.quarter),
        at=order.at,
        edition=order.edition,
        roster_sha=sha,
        site_ids=[site.site_id for site in order.sites],
        settings=order.settings,
        inputs=order.inputs,
    )
    new = enqueue(
        db,
        run,
        order.sites,
        project=order.project,
        priority=order.priority,
        per_address=order.per_address,
        addresses=addresses(order.sites) if resolve else {},
    )
    return run, new


def _check_nodes(db: Sync, order: Order, sha: str) -> None:
    living = [node for node in nodes(db) if not node["silent"]]
    if living and not any(
        node.get("roster") == sha and node.get("edition") == order.edition for node in living
    ):
        raise GovcrawlError(
            "no node has this roster and edition: set GOVCRAWL_REGISTRY on the nodes to the same file"
        )
    if living and not any(order.project in node.get("projects", ()) for node in living):
        raise GovcrawlError(f"no node has project {order.project}; see: govcrawl cluster deploy")


def addresses(sites: Sequence[Site]) -> dict[str, str]:
    """Return the destination address of each site whose name is known, the lowest of several."""
    hosts = sorted({site.host for site in sites})
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = dict(zip(hosts, pool.map(_address, hosts), strict=True))
    return {site.site_id: found[site.host] for site in sites if found[site.host]}


def _address(host: str) -> str:
    if host_literal(host):
        return host
    try:
        answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # the crawl will find that out and say so
        return ""
    return min(str(answer[4][0]) for answer in answers)
