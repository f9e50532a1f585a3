"""An inspection by many workers keeps its limits, and waits where a site may not be asked now."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from scrapy import Request
from scrapy.http import Response

from govcrawl.browser import Rendered
from govcrawl.gather import PoliteHandler
from govcrawl.items import LinkState, Site
from govcrawl.links import LinkChecker
from govcrawl.options import Options
from govcrawl.pace import NotNow, Pace
from govcrawl.services import Services
from govcrawl.sites import write_sites
from govcrawl.store.client import Sync
from spiders.base import SiteSpider
from tests.inspecting import Office, served
from tests.province.model import Answer

DELAY = 0.05


class Crossroads:
    """Sites that all link to one host; it notes when each request came."""

    def __init__(self, count: int) -> None:
        self.sites = [
            Site(f"s{n}", f"湖{n}县人民政府", "portal", "county", "330100", "", f"http://s{n}.example/")
            for n in range(count)
        ]
        self.came: list[tuple[float, str]] = []

    def answer(self, host: str, path: str) -> Answer:
        self.came.append((time.monotonic(), host))
        if path == "/robots.txt":
            return Answer(404)
        own = "".join(f"<li><a href='/art/{n}.html'>公告第{n}号文件</a> 2023-09-1{n}</li>" for n in range(6))
        shared = "".join(f"<a href='http://hub.example/{host}/{n}.html'>办事{n}</a>" for n in range(8))
        text = f"<html><head><meta charset=utf-8><title>{host}</title></head><body><h1>{host} {path}</h1>"
        return Answer(body=f"{text}<ul>{own if path == '/' else ''}</ul>{shared}</body></html>".encode())

    def most_within(self, host: str, seconds: float) -> int:
        times = sorted(at for at, name in self.came if name == host)
        return max(sum(start <= at < start + seconds for at in times) for start in times)


@pytest.mark.mongo
def test_real_workers_hold_the_limits_and_the_log_proves_it(
    store: Sync, store_uri: str, tmp_path: Path
) -> None:
    roads, roster, log = Crossroads(4), tmp_path / "roster.csv", tmp_path / "log"
    write_sites(roster, roads.sites)
    with served(roads.answer, cached=False) as (_, proxy):
        office = Office(tmp_path, store_uri, proxy)
        limits = ("--workers", "3", "--delay", str(DELAY), "--per-day", "500", "--request-log", log)
        end = office.inspect(roster, "--budget", "10", *limits)
    assert end.code == 0, end.err
    audited = office.run("requests", log)
    assert audited.code == 0, audited.out
    assert "of 3 processes at 5 hosts" in audited.out
    assert "all limits held" in audited.out
    lines = [json.loads(line) for file in log.glob("*.jsonl") for line in file.read_text().splitlines()]
    logged = [line["host"] for line in lines if "host" in line]
    assert len(logged) == len(roads.came)
    assert logged.count("hub.example") >= 32
    # The server's own clock: a second holds 20 starts, and a few that were late on the way.
    assert roads.most_within("hub.example", 1.0) <= 1.0 / DELAY + 4
    used = {doc["site_id"]: doc["used"] for doc in store.rations.find()}
    for site in roads.sites:
        asked = sum(name == site.host for _, name in roads.came)
        assert asked <= used[site.site_id] < asked + 3 * 20
    assert office.run("requests", tmp_path / "nothing").code == 2
    assert office.inspect(roster, "--window", "at night").code == 2


# --- where a site may not be asked now ---------------------------------------------------------------------


class Refused(PoliteHandler):
    """A handler whose site is shut for the first two tries."""

    def __init__(self, crawler: Any) -> None:
        self.crawler = crawler
        self.tries = 0

    async def _in_turn(self, _services: Any, request: Request) -> tuple[Response, float]:
        self.tries += 1
        if self.tries < 3:
            raise NotNow("outside_window")
        return Response(request.url), 0.1


def test_a_page_waits_for_the_sites_hours_and_its_own_time_goes_on_after() -> None:
    waited: list[float] = []

    async def wait(host: str, why: str) -> float:
        assert (host, why) == ("lake.cn", "outside_window")
        return 3600.0

    services = SimpleNamespace(
        recording=None,
        options=SimpleNamespace(proxy=""),
        ration=SimpleNamespace(wait=wait),
        pace=Pace(),
    )
    spider = SimpleNamespace(services=services, waited=waited.append)
    request = Request("http://lake.cn/a.html", meta={"page_begun": 100.0})
    response = asyncio.run(Refused(SimpleNamespace(spider=spider)).download_request(request))
    assert response.url == request.url
    assert waited == [3600.0, 3600.0]
    assert request.meta["page_begun"] == 100.0 + 7200.0


def test_hours_waited_are_taken_from_a_sites_time_once() -> None:
    async def main() -> float:
        spider = SiteSpider(name="lake")
        async with asyncio.timeout(1000.0) as spider._deadline:
            before = spider._deadline.when()
            for _ in range(4):  # four requests waited for the same hours
                spider.waited(7200.0)
            await asyncio.sleep(0)
            after = spider._deadline.when()
        assert before is not None
        assert after is not None
        return after - before

    assert asyncio.run(main()) == pytest.approx(7200.0, abs=1.0)


class Slow:
    """A browser that holds each page until it is let go."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.open = self.most = 0

    async def render(self, url: str, *, site_id: str) -> Rendered:
        self.open += 1
        self.most = max(self.most, self.open)
        await self.go.wait()
        self.open -= 1
        return Rendered(url, title=site_id)


def rendering(browser: Slow, **limits: Any) -> Services:
    services = Services(Options(quarter="2023Q3", allow=("127.0.0.1",)))
    services.browser = browser  # type: ignore[assignment]
    services.pace = Pace(delay=0, **limits)
    services._rendering = asyncio.Semaphore(2)
    return services


def test_pages_that_wait_for_the_browser_leave_the_address_to_others() -> None:
    async def main() -> tuple[int, list[str]]:
        browser = Slow()
        services = rendering(browser, per_host=9, per_ip=3)
        waiting = [asyncio.ensure_future(services.render("http://127.0.0.1/", f"s{n}")) for n in range(8)]
        while browser.open < 2:  # noqa: ASYNC110  (the browser is ours)
            await asyncio.sleep(0)
        async with services.pace.turn("http://127.0.0.1/page.html", "127.0.0.1"):
            browser.go.set()
        return browser.most, [page.title for page in await asyncio.gather(*waiting)]

    assert asyncio.run(main()) == (2, [f"s{n}" for n in range(8)])


@pytest.mark.parametrize(
    ("url", "error"),
    [("http://127.0.0.1/", "outside_window"), ("http://10.0.0.1/", "blocked"), ("http://[::1]/", "blocked")],
)
def test_a_page_that_may_not_be_rendered_says_why(url: str, error: str) -> None:
    async def shut(_host: str) -> str | None:
        return "outside_window"

    assert asyncio.run(rendering(Slow(), admit=shut).render(url, "s")).error == error


def test_a_link_of_a_shut_site_is_left_to_a_later_pass() -> None:
    async def shut(host: str) -> str | None:
        return "outside_window" if host == "127.0.0.1" else None

    async def main() -> list[tuple[LinkState, str, int]]:
        checker = LinkChecker(pace=Pace(delay=0, admit=shut), user_agent="test", retries=(0.0,))
        try:
            found = [check async for check in checker.check_many(["http://127.0.0.1:9/a.html"])]
        finally:
            await checker.close()
        return [(check.state, check.reason, len(check.attempts)) for check in found]

    assert asyncio.run(main()) == [(LinkState.UNKNOWN, "outside_window", 1)]
