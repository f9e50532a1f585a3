"""Exports replayed in a real browser that has nothing but the archive."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.async_api import Route, async_playwright
from warcio.archiveiterator import ArchiveIterator

from govcrawl.browser import find_chromium
from govcrawl.items import GovcrawlError, Page, Site
from govcrawl.store import export
from govcrawl.store.client import Sync, connect_async
from govcrawl.store.ledger import Ledger, open_run, plan
from govcrawl.store.writer import Writer

pytestmark = [pytest.mark.mongo, pytest.mark.browser]
AT = datetime(2023, 9, 20, tzinfo=UTC)
QUARTER = "2023Q3"
SITE = Site("hz", "杭州", "portal", "city", "330100", "", "http://hz.gov.cn/")
HOME = """<html><head><title>杭州市人民政府</title><style>p { color: rgb(1, 2, 3) }</style></head><body>
<p id=news>旧闻 2023-08-30</p><script src=/foot.js></script><img src="http://elsewhere.cn/count.gif">
<a href="/gone">失效</a></body></html>""".encode("gb18030")
FOOT = "document.write('<div id=foot>主办：办公室</div>')"
ALONE = ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--disable-gpu", "--no-first-run"]
ALONE += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]


@dataclass
class Package:
    """A WACZ read as specified: an address leads through the index to a record of the archive."""

    path: Path
    asked: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def record(self, url: str) -> tuple[int, dict[str, str], bytes] | None:
        """Return status, headers and body of the record the index has for an address."""
        with zipfile.ZipFile(self.path) as package:
            place = next((one for one in self._index(package) if one["url"] == url), None)
            if place is None:
                return None
            archive = package.read(f"archive/{place['filename']}")
        start = int(place["offset"])
        record = next(iter(ArchiveIterator(io.BytesIO(archive[start : start + int(place["length"])]))))
        body = record.content_stream().read()
        if record.http_headers is None:
            return 200, {"Content-Type": record.rec_headers.get_header("Content-Type")}, body
        return int(record.http_headers.get_statuscode()), dict(record.http_headers.headers), body

    def _index(self, package: zipfile.ZipFile) -> Iterator[dict[str, str]]:
        for name in package.namelist():
            if name.startswith("indexes/") and ".cdx" in name:
                data = package.read(name)
                text = gzip.decompress(data) if name.endswith(".gz") else data
                yield from (json.loads(line[line.index("{") :]) for line in text.decode().splitlines())

    async def answer(self, route: Route) -> None:
        """Answer a request of the browser from the package alone."""
        url = route.request.url
        found = self.record(url)
        if found is None:
            self.refused.append(url)
            await route.abort()
            return
        self.asked.append(url)
        status, headers, body = found
        await route.fulfill(status=status, headers=headers, body=body)


@pytest.fixture
def wacz(store: Sync, store_uri: str, tmp_path: Path) -> Path:
    """Return the package of an inspected site."""
    pytest.importorskip("wacz", reason="the extra `export` is not installed")
    run = open_run(store, QUARTER, at=AT, edition="2019-19", roster_sha="r", site_ids=["hz"])
    plan(store, run, [SITE])

    async def work() -> None:
        db = connect_async(store_uri)
        async with Writer(db, run) as writer:
            await Ledger(db).lease(run, "me", 60, alone=True)
            headers = (("Content-Type", "text/html; charset=gbk"), ("Content-Encoding", "gzip"))
            home = Page(
                SITE, QUARTER, SITE.url, AT, status=200, fetched_at=AT, headers=headers, body=HOME,
                included={f"{SITE.url}foot.js": FOOT},
            )  # fmt: skip
            await writer.add_page(home)
            await writer.flush()
            await Ledger(db).done(run, "hz", "me", {"pages": 1})
        await db.client.close()

    asyncio.run(work())
    path = tmp_path / "hz.wacz"
    export.write_wacz(store, export.pages_of_site(store, QUARTER, "hz"), path)
    export.valid_wacz(path)
    return path


async def shown(url: str, package: Package | None = None) -> tuple[str, str, str]:
    """Return title, colour of the news and text of a page; a package answers whatever Chromium asks."""
    try:
        chromium = find_chromium()
    except GovcrawlError:
        pytest.skip("Chromium is not installed")
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=chromium, args=[*ALONE, *sandbox])
        try:
            page = await browser.new_page(service_workers="block")
            if package is not None:
                await page.context.route("**/*", package.answer)
            await page.goto(url, wait_until="load")
            colour = await page.evaluate("getComputedStyle(document.getElementById('news')).color")
            return await page.title(), colour, await page.inner_text("body")
        finally:
            await browser.close()


def test_page_of_a_wacz_is_replayed_in_a_browser(wacz: Path) -> None:
    package = Package(wacz)
    title, colour, text = asyncio.run(shown(SITE.url, package))
    assert (title, colour) == ("杭州市人民政府", "rgb(1, 2, 3)")
    assert "旧闻 2023-08-30" in text
    assert "主办：办公室" in text  # what its script writes, from the record beside the page
    assert package.asked == [SITE.url, f"{SITE.url}foot.js"]
    assert package.refused == ["http://elsewhere.cn/count.gif"]
