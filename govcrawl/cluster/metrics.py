"""Prometheus metrics of a node, where prometheus-client is installed (the extra `cluster`)."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

_client: Any = None
if find_spec("prometheus_client"):  # a node works without it, only /metrics is missing
    _client = import_module("prometheus_client")


class _Nothing:
    """Takes what a metric takes and keeps nothing."""

    def labels(self, **_: str) -> _Nothing:
        return self

    def inc(self, _: float = 1) -> None: ...

    def set(self, _: float) -> None: ...

    def observe(self, _: float) -> None: ...


def _made(kind: str, name: str, text: str, *labels: str, **options: Any) -> Any:
    if _client is None:
        return _Nothing()
    return getattr(_client, kind)(name, text, labels, **options)


HEALTHY = _made("Gauge", "govcrawl_poller_healthy", "1 while the last poll of the queue went well.")
FAULTS = _made("Counter", "govcrawl_poller_faults", "Polls that failed.")
POLL = _made("Histogram", "govcrawl_poll_seconds", "Time of one poll, from heartbeat to the last job taken.")
EXPIRED = _made("Counter", "govcrawl_leases_expired", "Leases this node found run out and gave back.")
STARTED = _made("Counter", "govcrawl_crawls_started", "Crawl processes started.")
ENDED = _made(
    "Counter", "govcrawl_crawls_ended", "Crawl processes ended, by what became of their job.", "state"
)
RUNNING = _made("Gauge", "govcrawl_crawls_running", "Crawl processes running now.")
SLOTS = _made("Gauge", "govcrawl_crawl_slots", "Crawl processes this node may run.")
PENDING = _made("Gauge", "govcrawl_jobs_pending", "Jobs waiting that this node could take.")
SECONDS = _made(
    "Histogram",
    "govcrawl_crawl_seconds",
    "Time of one crawl process.",
    buckets=(5, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200),
)
ALARMS = _made("Counter", "govcrawl_alarms", "Crawls whose monitors raised an alarm, by monitor.", "monitor")


def exposition() -> tuple[bytes, str] | None:
    """Return all metrics as text with its content type; nothing without prometheus-client."""
    if _client is None:
        return None
    return _client.generate_latest(), _client.CONTENT_TYPE_LATEST
