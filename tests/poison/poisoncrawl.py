"""A process that downloads poisonous addresses through Scrapy with this project's settings and reports."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import scrapy
from scrapy.crawler import AsyncCrawlerProcess
from scrapy.settings import Settings

from govcrawl import bounds
from govcrawl.gather import name_of
from govcrawl.items import parse
from govcrawl.processes import private_mb


def peak_mb() -> float:
    """Return the most memory this process has held; getrusage would count its parent's."""
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def sockets() -> int:
    """Count the sockets this process holds open to the server."""
    held = (entry for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink())
    return sum(str(entry.readlink()).startswith("socket:") for entry in held)


class PoisonSpider(scrapy.Spider):
    """Visits each address given, all at once or one after the other."""

    name = "poison"

    async def start(self) -> AsyncIterator[Any]:
        plan = self.settings["PLAN"]
        await self.visit(plan["warm"])
        before = sockets()
        if plan["together"]:
            results = await asyncio.gather(*(self.visit(url) for url in plan["urls"]))
        else:
            results = [await self.visit(url) for url in plan["urls"]]
        self.crawler.report = {"results": results, "sockets_before": before}
        for _ in ():
            yield None

    async def visit(self, url: str) -> dict[str, Any]:
        begun = time.monotonic()
        result: dict[str, Any] = {"url": url, "error": None, "bytes": 0}
        try:
            response = await self.crawler.engine.download_async(scrapy.Request(url, dont_filter=True))
            result |= {"status": response.status, "bytes": len(response.body)}
            result["error"] = bounds.markup(response.body) or bounds.nesting(
                parse(response.body.decode("latin-1"))
            )
        except Exception as error:
            result |= {"error": bounds.reason(error) or name_of(error), "raised": repr(error)[:300]}
        return result | {"elapsed": time.monotonic() - begun}


def main() -> None:
    plan = json.loads(sys.argv[1])
    settings = Settings()
    settings.setmodule("govcrawl.settings")
    settings.setdict(
        {
            "PLAN": plan,
            "ITEM_PIPELINES": {},
            "SPIDER_MODULES": [],
            "ROBOTSTXT_OBEY": False,
            "LOG_LEVEL": "CRITICAL",
            "DOWNLOAD_TIMEOUT": plan["seconds"],
            "CONCURRENT_REQUESTS": 100,
            "CONCURRENT_REQUESTS_PER_DOMAIN": 100,
            "EGRESS_ALLOW": plan["allow"],
            "TWISTED_DNS_RESOLVER": "govcrawl.egress.ScrapyResolver",
            "DOWNLOAD_HANDLERS": {"http": "govcrawl.bounds.BoundedHandler"},
            "DOWNLOADER_MIDDLEWARES": {"govcrawl.bounds.BoundsMiddleware": 595},
        },
        priority="cmdline",
    )
    process = AsyncCrawlerProcess(settings)
    crawler = process.create_crawler(PoisonSpider)
    process.crawl(crawler)
    process.start()
    report = crawler.report | {
        "sockets_after": sockets(),
        "peak_mb": peak_mb(),
        "private_mb": private_mb(os.getpid()),
    }
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    main()
