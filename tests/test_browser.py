"""The browser as its callers use it: what a page comes to, pictures, recycling, and a clean end."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

import pytest
from PIL import Image

from govcrawl import picture, processes
from govcrawl.browser import VIEWPORT, Browser, Rendered, find_chromium
from govcrawl.items import GovcrawlError

pytestmark = pytest.mark.browser
T = TypeVar("T")

GBK = "<html><head><meta charset=gbk><title>杭州市</title></head><body>政府</body></html>".encode("gbk")
PAGES = {
    "/": b"<title>home</title><p>text",
    "/gbk": GBK,
    "/slow": b"""<title>slow</title><ul id=list></ul><script>
setTimeout(() => fetch('/data').then((r) => r.text()).then((text) => setTimeout(() => {
  document.getElementById('list').innerHTML = '<li>' + text }, 400)), 900)</script>""",
    "/data": "通知".encode(),
    "/frames": b"<title>frames</title><iframe src=/slow></iframe><iframe srcdoc='<p>inner'></iframe>",
    "/packed": GBK,
    "/says-gb2312": "<meta charset=utf-8><title>杭州市</title><p>政府</p>".encode(),
    "/packed-says-gb2312": "<meta charset=utf-8><title>杭州市</title><p>政府</p>".encode(),
    "/asks": b"<title>asks</title><script>alert(1)</script>",
    "/goes": b"<script>location = '/gbk'</script>",
    "/cookie": b"<title></title><script>document.title = document.cookie; document.cookie = 'a=1'</script>",
    "/image": b"<title>i</title><img src=/a.png onload='document.title=1'><img src=/a.png?2>",
    "/moves": b"<title>0</title><script>let n = 0; setInterval(() => { document.title = ++n }, 30)</script>",
    "/shot": """<meta charset=utf-8><style>body { margin: 0 } p { height: 1500px; margin: 0 }
.fault { display: block; width: 200px; height: 40px; background: #ffc }</style>
<p>头</p><a class=fault href="/gone.html">失效的 链接</a><div id=empty></div><p>尾</p>""".encode(),
}


class Site:
    def __init__(self) -> None:
        self.url = ""
        self.asked: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
            self.asked.append(path)
            body = PAGES.get(path, b"")
            coding = "Content-Encoding: gzip\r\n" if path.startswith("/packed") else ""
            body = gzip.compress(body) if coding else body
            status = "200 OK" if body else "404 Not Found"
            charset = "; charset=gb2312" if "gb2312" in path else ""
            writer.write(
                f"HTTP/1.1 {status}\r\n{coding}Content-Type: text/html{charset}\r\nX-Two: a\r\nX-Two: b\r\n"
                f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
                + body
            )
            await writer.drain()
        writer.close()


@asynccontextmanager
async def site() -> AsyncIterator[Site]:
    one = Site()
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    one.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield one


def browse(work: Callable[[Browser, Site], Awaitable[T]], **options: object) -> T:
    """Run one test's work with a site and a browser, and see that nothing is left afterwards."""

    async def run() -> T:
        async with site() as served, Browser(**options) as browser:  # type: ignore[arg-type]
            result = await work(browser, served)
            assert browser.in_use == 0
        assert processes.tree(os.getpid())[1:] == []
        return result

    return asyncio.run(run())


def render(path: str) -> tuple[Rendered, list[str]]:
    async def work(browser: Browser, served: Site) -> tuple[Rendered, list[str]]:
        return await browser.render(served.url + path, site_id="a"), served.asked

    return browse(work)


def test_body_is_what_the_server_sent_and_dom_is_what_was_made_of_it() -> None:
    page, _ = render("/gbk")
    assert page.body == GBK
    assert page.title == "杭州市"
    assert "政府" in page.dom
    assert page.headers.count(("X-Two", "a")) + page.headers.count(("X-Two", "b")) == 2
    assert (page.status, page.error, page.text_length) == (200, None, 2)


@pytest.mark.parametrize("path", ["/says-gb2312", "/packed-says-gb2312"])
def test_wrong_charset_of_the_header_does_not_beat_a_correct_body(path: str) -> None:
    page, _ = render(path)
    assert (page.title, page.body) == ("杭州市", PAGES[path])
    assert "政府" in page.dom


def test_packed_body_is_unpacked_once() -> None:
    page, _ = render("/packed")
    assert page.body == GBK
    assert "政府" in page.dom


@pytest.mark.parametrize(("path", "tabs"), [("/", 1), ("/slow", 1), ("/asks", 0)])
def test_only_a_tab_that_behaved_is_used_again(path: str, tabs: int) -> None:
    async def work(browser: Browser, served: Site) -> list[int]:
        counts = []
        for _ in range(3):
            assert (await browser.render(served.url + path, site_id="a")).error is None
            counts.append(len(browser._current.browser.contexts[0].pages))
        return counts

    assert browse(work) == [tabs] * 3


def test_reading_and_pictures_take_turns_in_one_tab() -> None:
    async def work(browser: Browser, served: Site) -> list[str | None]:
        stored = Rendered(
            served.url, final_url=served.url + "/old", headers=(("Content-Type", "text/html"),), body=GBK
        )
        found = []
        for _ in range(2):
            found.append((await browser.render(served.url + "/slow", site_id="a")).error)
            found.append((await browser.screenshot(served.url + "/shot", site_id="a")).error)
            found.append((await browser.screenshot(stored, site_id="a", outline=["政府"])).error)
            page = await browser.render(served.url + "/gbk", site_id="a")
            found.append(None if page.title == "杭州市" and page.body == GBK else page.title)
        assert len(browser._current.browser.contexts[0].pages) == 1
        return found

    assert browse(work) == [None] * 8


def test_content_that_timers_and_requests_bring_is_waited_for() -> None:
    page, _ = render("/slow")
    assert "<li>通知</li>" in page.dom


def test_timers_run_ahead_instead_of_being_waited_for() -> None:
    page, _ = render("/moves")
    assert int(page.title) > 40


def test_same_origin_frames_are_read_with_their_content() -> None:
    page, _ = render("/frames")
    assert [html for url, html in page.frames.items() if url.endswith("/slow") and "<li>通知</li>" in html]
    assert [html for html in page.frames.values() if "<p>inner" in html]


def test_a_page_that_goes_on_ends_at_its_final_address() -> None:
    page, _ = render("/goes")
    assert page.final_url.endswith("/gbk")
    assert page.body == GBK


def test_pictures_are_not_fetched_for_reading() -> None:
    page, asked = render("/image")
    assert page.title == "i"
    assert asked == ["/image"]


def test_sites_share_no_cookies_and_a_site_keeps_its_own() -> None:
    async def work(browser: Browser, served: Site) -> list[str]:
        return [
            (await browser.render(served.url + "/cookie", site_id=name)).title for name in ("a", "a", "b")
        ]

    assert browse(work) == ["", "a=1", ""]


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("file:///etc/passwd", "scheme"),
        ("chrome://version", "scheme"),
        ("javascript:alert(1)", "scheme"),
        ("http://a/" + "x" * 2_048, "url_too_long"),
        ("http://no-such-name.invalid/", "dns"),
    ],
)
def test_addresses_that_are_no_pages_are_named(url: str, error: str) -> None:
    async def work(browser: Browser, _: Site) -> str | None:
        return (await browser.render(url, site_id="a")).error

    assert browse(work) == error


def test_browser_is_replaced_by_pages_age_and_memory() -> None:
    async def launches(**options: object) -> int:
        async with site() as served, Browser(**options) as browser:  # type: ignore[arg-type]
            for _ in range(3):
                assert (await browser.render(served.url, site_id="a")).error is None
                browser._current.memory_mb = 100.0
            return browser.launches

    async def run() -> list[int]:
        return [await launches(max_pages=1), await launches(max_age=0), await launches(max_rss_mb=50)]

    assert asyncio.run(run()) == [3, 3, 3]


def test_pages_still_open_finish_in_the_browser_that_is_replaced() -> None:
    async def work(browser: Browser, served: Site) -> list[str | None]:
        pages = await asyncio.gather(*(browser.render(served.url + "/slow", site_id="a") for _ in range(6)))
        return [page.error for page in pages]

    assert browse(work, max_pages=1, slots=3) == [None] * 6


def test_only_a_few_sites_keep_their_context() -> None:
    async def work(browser: Browser, served: Site) -> int:
        for number in range(15):
            await browser.render(served.url, site_id=f"site {number}")
        return len(browser._current.browser.contexts)

    assert browse(work) == 12


def test_no_more_pages_are_open_than_there_are_slots() -> None:
    async def work(browser: Browser, served: Site) -> int:
        most = 0

        async def look(task: asyncio.Future[object]) -> None:
            nonlocal most
            while not task.done():
                most = max(most, browser.in_use)
                await asyncio.sleep(0)

        pages = asyncio.gather(*(browser.render(served.url, site_id="a") for _ in range(8)))
        await look(pages)
        return most

    assert browse(work, slots=2) == 2


def test_cancelled_call_gives_its_slot_back() -> None:
    async def work(browser: Browser, served: Site) -> str | None:
        task = asyncio.ensure_future(browser.render(served.url + "/slow", site_id="a"))
        while "/slow" not in served.asked:  # noqa: ASYNC110  (a list has no event)
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert browser.in_use == 0
        assert [len(context.pages) for context in browser._current.browser.contexts] == [0]
        return (await browser.render(served.url, site_id="a")).error

    assert browse(work, slots=1) is None


def test_closed_browser_says_so() -> None:
    async def run() -> str | None:
        browser = Browser()
        await browser.close()
        return (await browser.render("http://example.invalid/", site_id="a")).error

    assert asyncio.run(run()) == "closed"


def test_missing_chromium_ends_with_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(GovcrawlError, match="apt-get install chromium"):
        find_chromium("/nowhere/chromium")
    assert not asyncio.run(asyncio.sleep(0, Browser(executable="/nowhere/chromium"))).available()


def test_killed_process_leaves_no_chromium_behind() -> None:
    script = """
import asyncio, sys
from govcrawl.browser import Browser
async def main():
    browser = Browser()
    await browser.render("http://no-such-name.invalid/", site_id="a")
    print("up", flush=True)
    await asyncio.sleep(1000)
asyncio.run(main())
"""
    root = Path(__file__).parents[1]
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(root)}
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"up\n"
        family = processes.tree(process.pid)
        assert len(family) > 4
        process.send_signal(signal.SIGKILL)
        process.wait()
    until = time.monotonic() + 20
    while time.monotonic() < until and any(processes.identity(pid) for pid in family):
        os.sched_yield()
    assert [pid for pid in family if processes.identity(pid)] == []


def red(image: Image.Image) -> list[tuple[int, int]]:
    """Where the picture is of the outline's red."""
    pixels = image.convert("RGB").load()
    return [
        (x, y)
        for y in range(image.height)
        for x in range(image.width)
        if pixels[x, y][0] > 190 and pixels[x, y][1] < 60 and pixels[x, y][2] < 60
    ]


@pytest.mark.parametrize(
    "outline", ["a.fault", "//a[@class='fault']", "/gone.html", "失效的 链接", "xpath=//a"], ids=str
)
def test_fault_is_outlined_in_view_over_a_caption(outline: str) -> None:
    async def work(browser: Browser, served: Site) -> None:
        shot = await browser.screenshot(
            served.url + "/shot",
            site_id="a",
            outline=[outline],
            caption=["杭州市人民政府 V4.3 空白栏目", "x" * 400],
        )
        assert (shot.error, shot.outlined, shot.status) == (None, 1, 200)
        assert shot.sha256 == hashlib.sha256(shot.image).hexdigest()
        assert shot.body_sha256 == hashlib.sha256(PAGES["/shot"]).hexdigest()
        with Image.open(io.BytesIO(shot.image)) as image:
            assert (image.width, image.height) == (shot.width, shot.height)
            assert image.width == VIEWPORT[0]
            assert image.height > VIEWPORT[1] + 3 * picture.LEADING
            marked = red(image)
            left, right = min(x for x, _ in marked), max(x for x, _ in marked)
            top, bottom = min(y for _, y in marked), max(y for _, y in marked)
            assert right - left == pytest.approx(200, abs=8)
            assert bottom - top == pytest.approx(40, abs=10)
            assert bottom < VIEWPORT[1]
            strip = image.crop((0, VIEWPORT[1] + 3, image.width, image.height)).convert("L")
            assert strip.getextrema()[0] < 80  # there is writing

    browse(work)


def test_what_is_not_there_is_not_outlined() -> None:
    async def work(browser: Browser, served: Site) -> tuple[int, str | None]:
        shot = await browser.screenshot(
            served.url + "/shot", site_id="a", outline=["#nowhere", "//nope", "][", ""]
        )
        return shot.outlined, shot.error

    assert browse(work) == (0, None)


def test_empty_element_is_shown_by_what_it_stands_in() -> None:
    async def work(browser: Browser, served: Site) -> int:
        return (await browser.screenshot(served.url + "/shot", site_id="a", outline=["#empty"])).outlined

    assert browse(work) == 1


def test_whole_page_is_taken_on_request() -> None:
    async def work(browser: Browser, served: Site) -> int:
        return (await browser.screenshot(served.url + "/shot", site_id="a", clip=False)).height

    assert browse(work) > 3_000


def test_stored_page_is_shown_from_its_bytes_without_asking_the_site() -> None:
    async def work(browser: Browser, served: Site) -> None:
        stored = Rendered(
            served.url, final_url=served.url + "/old", headers=(("Content-Type", "text/html"),), body=GBK
        )
        shot = await browser.screenshot(stored, site_id="a", outline=["政府"])
        assert (shot.error, shot.outlined) == (None, 1)
        assert shot.body_sha256 == hashlib.sha256(GBK).hexdigest()
        assert "/old" not in served.asked

    browse(work)


def test_caption_breaks_long_lines_and_has_every_glyph() -> None:
    face = picture.font()
    missing = bytes(face.getmask("\U0010fffe"))
    assert all(bytes(face.getmask(char)) != missing for char in "政府网站检查：空白栏目①【】SHA-256")
    assert all(face.getlength(row) <= 300 for row in picture._wrapped("杭州市" * 40 + "x" * 200, 300))
