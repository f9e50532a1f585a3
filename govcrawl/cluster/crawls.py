"""Runs crawls in a forked process: those it is told of, one after the other, in one event loop."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import random
import signal
import socket
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from scrapy.commands.crawl import Command
from scrapy.crawler import Crawler
from scrapy.settings import Settings
from scrapy.spiderloader import SpiderLoader
from scrapy.utils.log import configure_logging, install_scrapy_root_handler
from scrapy.utils.misc import build_from_crawler, load_object
from scrapy.utils.project import get_project_settings
from scrapy.utils.reactor import install_reactor

from govcrawl.cluster.forks import WELL

log = logging.getLogger(__name__)
SETTINGS = "SCRAPY_SETTINGS_MODULE"
_LINE = 2**20  # bytes of an order
_GRACE = 25  # seconds a crawl that is told to stop has to store what it holds, and a process to end


def work(channel: socket.socket) -> int:
    """Run the crawls that come as lines on the channel; returns the exit code."""
    return Crawls(channel).run()


class Crawls:
    """One crawl at a time; the process ends after one that failed: what it left behind ends with it."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._reactor: Any = None
        self._spiders = SpiderLoader.from_settings(get_project_settings())
        self._crawler: Crawler | None = None
        self._ending: asyncio.Future[None] | None = None
        self._waiting: asyncio.Future[bytes] | None = None
        self._stopping = False
        self.code = 0

    def run(self) -> int:
        """Work until told to stop or no more, or until a crawl did not end well."""
        install_reactor(get_project_settings()["TWISTED_REACTOR"])
        configure_logging({"LOG_INSTALL_ROOT_HANDLER": False})
        from twisted.internet import reactor  # noqa: PLC0415  (only once it is installed)

        self._reactor = reactor
        self._reactor.callWhenRunning(lambda: asyncio.ensure_future(self._work()))
        self._reactor.run(installSignalHandlers=False)
        return self.code

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        try:
            reader, writer = await asyncio.open_connection(sock=self._channel, limit=_LINE)
            while line := await self._next(reader):
                if not await self._crawl(json.loads(line)):
                    return
                gc.collect()  # an ended crawl is one large cycle of references
                writer.write(WELL)
        except Exception:
            log.exception("crawls")
            self.code = 1
        finally:
            signal.alarm(_GRACE)  # a thread that hangs would keep the process, and its slot, for ever
            self._reactor.stop()

    async def _next(self, reader: asyncio.StreamReader) -> bytes:
        if self._stopping:
            return b""
        self._waiting = asyncio.ensure_future(reader.readline())
        with suppress(asyncio.CancelledError, ConnectionError):
            return await self._waiting
        return b""

    def _stop(self) -> None:
        """End the crawl under way, which stores what it holds, and then this process."""
        self._stopping = True
        signal.alarm(_GRACE)
        if self._waiting is not None:
            self._waiting.cancel()
        if self._crawler is not None and self._crawler.crawling:
            self._ending = asyncio.ensure_future(self._crawler.stop_async())

    async def _crawl(self, order: Mapping[str, Any]) -> bool:
        """Run one crawl; tell whether it ended well, so that another one may follow."""
        kept = {SETTINGS: os.environ[SETTINGS]} if SETTINGS in os.environ else {}
        os.environ.clear()
        os.environ.update(kept | order["env"])
        random.seed()  # else all forks draw the same numbers
        try:
            name, settings, arguments = read(order["args"])
            logging.disable(unheard(settings))
            install_scrapy_root_handler(settings)
            self._crawler = crawler = Crawler(self._spiders.load(name), settings)
            resolver: Any = load_object(crawler.settings["TWISTED_DNS_RESOLVER"])
            build_from_crawler(resolver, crawler, reactor=self._reactor).install_on_reactor()
            if not self._stopping:
                await crawler.crawl_async(**arguments)
        except Exception:
            log.exception("crawl")
            self.code = 1
            return False
        done = getattr(crawler.spider, "done", None)
        self._crawler = None
        return done is not None and bool(done.acknowledged)


def read(arguments: Sequence[str]) -> tuple[str, Settings, dict[str, str]]:
    """Return what `scrapy crawl` makes of its arguments: the spider's name, settings, the spider's own."""
    command = Command()
    command.settings = settings = get_project_settings()
    settings.setdict(command.default_settings, priority="command")
    parser = ArgumentParser("scrapy crawl")
    command.add_options(parser)
    options, (name,) = parser.parse_known_args(list(arguments))
    command.process_options([name], options)
    return name, settings, options.spargs


def unheard(settings: Settings) -> int:
    """Return the level up to which a crawl's messages reach no handler: they need not be made.

    Scrapy leaves all loggers open and filters in its handler; the driver alone makes a message for each
    command sent and answered.
    """
    return logging.getLevelNamesMapping().get(str(settings["LOG_LEVEL"]).upper(), logging.DEBUG) - 1
