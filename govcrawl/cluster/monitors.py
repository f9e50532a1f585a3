"""The same alarms as Spidermon monitors, for offices that want its actions (mail, Slack, Sentry).

Active in a job's crawl where spidermon is installed (the extra `cluster`); add actions in the settings.
"""

from __future__ import annotations

import os
from typing import Any, Self

from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured
from spidermon import Monitor, MonitorSuite
from spidermon.contrib.scrapy.extensions import Spidermon
from spidermon.core.actions import Action

from govcrawl.cluster.health import JOB, alarms, raise_alarm


class JobSpidermon(Spidermon):
    """Spidermon for the crawls of jobs alone: an inspection on one machine has its own report."""

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Build Spidermon, or do without outside a job."""
        if JOB not in os.environ:
            raise NotConfigured
        found: Self = super().from_crawler(crawler)
        return found


class Pages(Monitor):
    """Fails for each alarm a crawl gives reason for."""

    def test_no_pages(self) -> None:
        """Some page could be read."""
        self._quiet("no_pages")

    def test_errors(self) -> None:
        """Fewer than half of the pages failed."""
        self._quiet("errors")

    def test_pages_lost(self) -> None:
        """Every page was stored."""
        self._quiet("pages_lost")

    def test_drift(self) -> None:
        """There are not far fewer pages than at the last inspection."""
        self._quiet("drift")

    def _quiet(self, name: str) -> None:
        found = [one.message for one in alarms(self.data.stats) if one.name == name]
        if found:
            self.fail(found[0])


class RaiseAlarm(Action):
    """Tells the office's program, as crawls without Spidermon do."""

    def run_action(self) -> None:
        """Raise what alarms there are."""
        data: Any = self.data
        for alarm in alarms(data.stats):
            raise_alarm(data.spider.name, alarm)


class JobSuite(MonitorSuite):
    """What is looked at when a job's crawl ends."""

    monitors = (Pages,)
    monitors_failed_actions = (RaiseAlarm,)
