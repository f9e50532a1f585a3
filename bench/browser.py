"""Compare rendering and pictures with a bare Playwright loop on the same pages (`python bench/browser.py`).

The pages are those of a local server in a process of its own: a document of 25 kB with a style sheet, two
scripts, twelve pictures, and a list that a script fetches and fills in. Ours and the loop keep the same
number of tabs open and take turns, so that a busy machine slows both; the median of the ratios of all rounds
counts. The loop waits for the load event and reads the document; it neither waits for the list nor keeps the
bytes, bounds anything, outlines or writes a caption. The same loop waiting for the list too ("networkidle")
is printed beside.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "bench")]

import results  # noqa: E402
from playwright.async_api import async_playwright  # noqa: E402

from govcrawl.browser import VIEWPORT, Browser, find_chromium  # noqa: E402

SITES = 4  # our calls are spread over contexts, as in a crawl

ROWS = "".join(f"<li><a href='/art/{number}.html'>关于公布第{number}批名单的通知</a>" for number in range(40))
PAGE = f"""<!doctype html><html><head><meta charset=utf-8><title>某市人民政府</title>
<link rel=stylesheet href=/style.css><script src=/a.js></script></head><body><h1>某市人民政府</h1>
{"".join(f"<img src=/picture.png?{number} width=80 height=60>" for number in range(12))}
<ul>{ROWS * 6}</ul><ul id=list></ul><footer>主办：某市人民政府办公室</footer><script src=/b.js></script>
</body></html>"""
LIST = """fetch('/data').then((answer) => answer.text()).then((text) => {
  document.getElementById('list').innerHTML = text })"""
WORK = "let sum = 0; for (let i = 0; i < 2e6; i++) sum += i % 7; window.sum = sum;"


def png(width: int, height: int) -> bytes:
    """A small picture, coloured so that it has to be decoded."""
    rows = b"".join(b"\0" + bytes((x * y) % 256 for x in range(width * 3)) for y in range(height))
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows))]
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in [*parts, (b"IEND", b"")]
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def serve() -> None:
    """Serve the pages until standard input ends."""
    files = {
        "/style.css": (
            b"text/css",
            b"body { font: 14px sans-serif } li { margin: 2px } img { margin: 4px }" * 20,
        ),
        "/a.js": (b"text/javascript", WORK.encode()),
        "/b.js": (b"text/javascript", LIST.encode()),
        "/data": (b"text/plain", ROWS.encode()),
        "/picture.png": (b"image/png", png(80, 60)),
    }

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode().partition("?")[0]
                kind, body = files.get(path, (b"text/html", PAGE.encode()))
                head = b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Type: %s\r\nContent-Length: %d"
                writer.write(head % (kind, len(body)) + b"\r\n\r\n" + body)
        except (OSError, asyncio.IncompleteReadError):
            writer.close()

    async def run() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        async with server:
            await asyncio.to_thread(sys.stdin.read)

    asyncio.run(run())


@contextmanager
def farm() -> Iterator[str]:
    command = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.stdin.close()
            process.wait()


async def rate(visit: Callable[[int], Awaitable[None]], pages: int, tabs: int) -> float:
    """Visits a second with a number of tabs open."""
    left = iter(range(pages))

    async def work() -> None:
        for number in left:
            await visit(number)

    begun = time.monotonic()
    await asyncio.gather(*(work() for _ in range(tabs)))
    return pages / (time.monotonic() - begun)


async def measure(url: str, pages: int, rounds: int, tabs: int) -> dict[str, list[float]]:
    """The rates of each contender, one a round."""
    async with Browser(slots=tabs, max_pages=100_000) as browser, async_playwright() as playwright:
        bare = await playwright.chromium.launch(executable_path=find_chromium(), args=["--disable-gpu"])
        size = {"width": VIEWPORT[0], "height": VIEWPORT[1]}
        context = await bare.new_context(viewport=size)

        async def render(number: int) -> None:
            page = await browser.render(f"{url}/{number}.html", site_id=str(number % SITES))
            assert page.error is None, page.error
            assert page.dom.count("<li>") == 280, "the list was not waited for"
            assert page.body == PAGE.encode()

        async def shoot(number: int) -> None:
            caption = ["某市人民政府  V4.3 空白栏目", f"{url}/{number}.html  2023-09-20 10:00"]
            shot = await browser.screenshot(
                f"{url}/{number}.html", site_id=str(number % SITES), outline=["footer"], caption=caption
            )
            assert (shot.error, shot.outlined) == (None, 1)

        async def bare_render(number: int, until: str = "load") -> None:
            page = await context.new_page()
            await page.goto(f"{url}/{number}.html", wait_until=until)  # type: ignore[arg-type]
            assert "人民政府" in await page.content()
            await page.close()

        async def settled_render(number: int) -> None:
            await bare_render(number, "networkidle")

        async def bare_shoot(number: int) -> None:
            page = await context.new_page()
            await page.goto(f"{url}/{number}.html")
            assert await page.screenshot(type="jpeg")
            await page.close()

        contenders = {
            "renders": render,
            "bare renders": bare_render,
            "bare renders, networkidle": settled_render,
            "screenshots": shoot,
            "bare screenshots": bare_shoot,
        }
        rates: dict[str, list[float]] = {name: [] for name in contenders}
        for visit in contenders.values():
            await rate(visit, 2 * tabs, tabs)
        for _ in range(rounds):
            for name, visit in contenders.items():
                rates[name].append(await rate(visit, pages, tabs))
        await bare.close()
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare our browser with a bare Playwright loop.")
    parser.add_argument("--pages", type=int, default=20, help="pages a round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--tabs", type=int, default=2, help="tabs open at a time, in both")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve()
        return
    with farm() as url:
        rates = asyncio.run(measure(url, options.pages, options.rounds, options.tabs))
    best = {name: max(figures) for name, figures in rates.items()}
    for name, figure in best.items():
        print(f"{name:28} {figure:6.1f}/s")
    for name in ("renders", "screenshots"):
        rounds = zip(rates[name], rates[f"bare {name}"], strict=True)
        ratio = round(statistics.median(ours / bare for ours, bare in rounds), 2)
        print(f"{name}: {ratio} of a bare Playwright loop with {options.tabs} tabs")
        results.write(
            name,
            {
                "per_s": round(best[name], 2),
                "bare_per_s": round(best[f"bare {name}"], 2),
                "ratio": ratio,
                "tabs": options.tabs,
                "pages": options.pages,
            },
        )


if __name__ == "__main__":
    main()
