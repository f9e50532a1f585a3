"""The peer of the inspection bench: plain Scrapy that does nothing but follow links.

`python -m bench.plain START...`: Scrapy's own settings, but for a proxy from the environment, its log and as
many requests at once as the inspection has.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import scrapy
from scrapy.crawler import CrawlerProcess
from scrapy.http import Response


class LinkSpider(scrapy.Spider):
    """Follows every link of its sites."""

    name = "links"

    def parse(self, response: Response) -> Iterator[Any]:
        """Follow the links of a page."""
        yield from response.follow_all(css="a")


def main() -> None:
    """Crawl from the given pages."""
    LinkSpider.start_urls = sys.argv[1:]
    LinkSpider.allowed_domains = [urlsplit(url).hostname for url in sys.argv[1:]]
    process = CrawlerProcess(
        {
            "LOG_LEVEL": "WARNING",
            "ROBOTSTXT_OBEY": True,
            "CONCURRENT_REQUESTS": 64,
            "CONCURRENT_REQUESTS_PER_DOMAIN": 4,
            "DOWNLOAD_DELAY": 0,
            "TELNETCONSOLE_ENABLED": False,
            "REMOTE_CONTROL_ENABLED": False,
        }
    )
    process.crawl(LinkSpider)
    process.start()


if __name__ == "__main__":
    main()
