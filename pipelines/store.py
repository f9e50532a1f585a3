"""Stores pages as they come; at the end the findings, then the acknowledgement of the site's lease."""

from __future__ import annotations

from typing import Any, Self

from scrapy.crawler import Crawler

from govcrawl.items import Page, SiteDone
from govcrawl.store import readings
from govcrawl.store.evidence import keep_facts
from govcrawl.store.integrity import seal_site


class StorePipeline:
    """The last hop: nothing is acknowledged before it is stored."""

    def __init__(self, crawler: Crawler) -> None:
        self.crawler = crawler

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Build the pipeline of one crawl."""
        return cls(crawler)

    async def process_item(self, item: Page | SiteDone) -> Page | SiteDone:
        """Store one item; waits through a restart of the database."""
        spider: Any = self.crawler.spider
        services = spider.services
        if isinstance(item, Page):
            if not item.stored:
                await services.writer.add_page(item)
            return item
        if not services.source:
            await keep_facts(services.db, services.run, item.site_id, item.facts)
            if not item.failed:
                await readings.keep(services.db, str(services.quarter), services.run, item)
        await services.writer.site_findings(item.site_id, item.findings)
        await seal_site(services.db, services.run, item.site_id)
        if item.failed:
            item.acknowledged = await services.ledger.fail(
                services.run, item.site_id, services.owner, item.failed
            )
        else:
            item.acknowledged = await services.ledger.done(
                services.run, item.site_id, services.owner, item.counts
            )
        return item
