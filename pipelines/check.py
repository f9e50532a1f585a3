"""Runs the rules: page rules on every page, site rules once at the end."""

from __future__ import annotations

from typing import Any, Self

from scrapy.crawler import Crawler

from govcrawl.checking import Checking
from govcrawl.drift import remembered
from govcrawl.items import Page, SiteDone


class CheckPipeline:
    """Passes pages on checked, and the end of a site on with its findings."""

    def __init__(self, crawler: Crawler) -> None:
        self.crawler = crawler
        self._checking: Checking | None = None

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Build the pipeline of one crawl."""
        return cls(crawler)

    async def process_item(self, item: Page | SiteDone) -> Page | SiteDone:
        """Check a page, or finish the site."""
        spider: Any = self.crawler.spider
        if self._checking is None:
            self._checking = Checking(spider.services.edition, spider.inspection)
        if isinstance(item, Page):
            self._checking.page(item)
        else:
            item.findings = self._checking.finish()
            item.alarms = tuple(one.to_record() for one in self._checking.alarms)
            item.readings = remembered(spider.inspection, self._checking.alarms)
        return item
