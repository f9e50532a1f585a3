"""Looks at a job's crawl when it ends and raises an alarm when something is odd with it."""

from __future__ import annotations

import json
import logging
import os
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Any, Self

from scrapy import signals
from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured

from govcrawl.items import Page

log = logging.getLogger(__name__)
JOB, NODE, COMMAND = "GOVCRAWL_JOB", "GOVCRAWL_NODE", "GOVCRAWL_ALARM_COMMAND"  # a node sets them
PAGES, FAILED, LOST = "govcrawl/pages", "govcrawl/pages_failed", "govcrawl/pages_lost"
BEFORE = "govcrawl/pages_before"  # at the last inspection; the spider asks the ledger
ENDED = "govcrawl/ended"  # set by the spider, unless it was told to stop: then its figures say nothing
_FEW = 10  # pages from which shares say something
_HOOK = 10.0  # seconds the alarm command may take


@dataclass(frozen=True, slots=True)
class Alarm:
    """What is odd with a crawl."""

    name: str
    message: str


def alarms(stats: Mapping[str, Any]) -> tuple[Alarm, ...]:
    """Return what is odd in the figures of a crawl that ended."""
    if not stats.get(ENDED):
        return ()
    pages, failed, lost = (int(stats.get(name, 0)) for name in (PAGES, FAILED, LOST))
    before = int(stats.get(BEFORE, 0))
    found = []
    if pages == failed:
        found.append(Alarm("no_pages", f"none of {pages} pages could be read"))
    elif pages >= _FEW and failed * 2 >= pages:
        found.append(Alarm("errors", f"{failed} of {pages} pages could not be read"))
    if lost:
        found.append(Alarm("pages_lost", f"{lost} pages were not stored"))
    if before >= _FEW and pages * 2 < before:
        found.append(Alarm("drift", f"{pages} pages, {before} at the last inspection"))
    return tuple(found)


def raise_alarm(site_id: str, alarm: Alarm) -> None:
    """Log an alarm and tell the office's program, which gets one JSON object on its standard input."""
    facts = {"job": os.environ.get(JOB, ""), "node": os.environ.get(NODE, ""), "site_id": site_id}
    log.error("alarm=%s %s", alarm.name, alarm.message)
    command = os.environ.get(COMMAND)
    if not command:
        return
    data = json.dumps(facts | asdict(alarm), ensure_ascii=False).encode()
    try:
        subprocess.run([command], input=data, timeout=_HOOK, check=True)  # noqa: S603  (the office's own program)
    except (OSError, subprocess.SubprocessError) as error:
        log.error("the alarm command failed: %s", type(error).__name__)  # noqa: TRY400  (one line is enough)


class Health:
    """Scrapy extension: counts what becomes of a job's pages; without Spidermon it raises alarms itself."""

    def __init__(self, crawler: Crawler) -> None:
        self.crawler = crawler

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Connect to a job's crawl; other crawls do without."""
        if JOB not in os.environ:
            raise NotConfigured
        self = cls(crawler)
        for handler, signal in (
            (self.scraped, signals.item_scraped),
            (self.lost, signals.item_dropped),
            (self.lost, signals.item_error),
            (self.closed, signals.spider_closed),
        ):
            crawler.signals.connect(handler, signal)
        return self

    def scraped(self, item: Any) -> None:
        """Count a page that was stored."""
        if isinstance(item, Page):
            self._count(PAGES)
            if item.error:
                self._count(FAILED)

    def lost(self) -> None:
        """Count a page that was not."""
        self._count(LOST)

    def closed(self, spider: Any) -> None:
        """Raise what alarms there are."""
        if find_spec("spidermon"):
            return
        for alarm in alarms(self.crawler.stats.get_stats() if self.crawler.stats else {}):
            raise_alarm(spider.name, alarm)

    def _count(self, name: str) -> None:
        if self.crawler.stats:
            self.crawler.stats.inc_value(name)
