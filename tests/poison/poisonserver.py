"""A web server on loopback in which every address does harm, each in its own way."""

from __future__ import annotations

import asyncio
import gzip
import threading
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import cache

import brotli
import zstandard

MB = 1024 * 1024
Answer = Callable[[asyncio.StreamWriter, str], Awaitable[None]]
ANSWERS: dict[str, Answer] = {}
PAGES: dict[str, str] = {}

HTML = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nConnection: close\r\n"


def answer(name: str) -> Callable[[Answer], Answer]:
    """Register what an address answers."""

    def register(function: Answer) -> Answer:
        ANSWERS[name] = function
        return function

    return register


async def send(writer: asyncio.StreamWriter, body: bytes, *headers: str) -> None:
    head = HTML + "".join(f"{header}\r\n" for header in headers)
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    await writer.drain()


async def forever(
    writer: asyncio.StreamWriter, piece: bytes, pause: float = 0.0, most: int = 512 * MB
) -> None:
    """Send until the other side has had enough."""
    sent = 0
    while sent < most and not writer.is_closing():
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(pause)
        sent += len(piece)


# --- answers that hurt any client


@answer("plain")
async def plain(writer: asyncio.StreamWriter, _: str) -> None:
    await send(writer, "<title>政府</title><p>正文</p>".encode())


@answer("silent")
async def silent(_: asyncio.StreamWriter, __: str) -> None:
    await asyncio.Event().wait()


@answer("slow_headers")
async def slow_headers(writer: asyncio.StreamWriter, _: str) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    await forever(writer, b"x", 0.05)


@answer("interim_flood")
async def interim_flood(writer: asyncio.StreamWriter, _: str) -> None:
    await forever(writer, b"HTTP/1.1 100 Continue\r\n\r\n", 0.01)


@answer("dribble")
async def dribble(writer: asyncio.StreamWriter, _: str) -> None:
    writer.write(f"{HTML}\r\n<p>".encode())
    await forever(writer, b"x", 0.05)


@answer("endless_body")
async def endless_body(writer: asyncio.StreamWriter, _: str) -> None:
    writer.write(f"{HTML}\r\n<p>".encode())
    await forever(writer, b"x" * MB)


@answer("huge_length")
async def huge_length(writer: asyncio.StreamWriter, _: str) -> None:
    writer.write(f"{HTML}Content-Length: 10000000000\r\n\r\n".encode())
    await forever(writer, b"x" * MB)


@answer("huge_header")
async def huge_header(writer: asyncio.StreamWriter, _: str) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX-Huge: ")
    await forever(writer, b"x" * 64 * 1024, most=100 * MB)


@answer("many_headers")
async def many_headers(writer: asyncio.StreamWriter, _: str) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    await forever(writer, b"X-Many: x\r\n" * 6_000, most=100 * MB)


@cache
def bomb(coding: str) -> bytes:
    """Gigabytes of zeros, packed; a block is packed once and repeated where the coding allows it."""
    if coding == "gzip":
        packer = zlib.compressobj(9, wbits=31)
        head = packer.compress(b"") + packer.flush(zlib.Z_FULL_FLUSH)
        return head + (packer.compress(bytes(32 * MB)) + packer.flush(zlib.Z_FULL_FLUSH)) * 128
    if coding == "br":
        packed = brotli.Compressor(quality=1)
        return b"".join(packed.process(bytes(8 * MB)) for _ in range(64)) + packed.finish()
    return zstandard.ZstdCompressor().compress(bytes(32 * MB)) * 128


@answer("gzip_bomb")
async def gzip_bomb(writer: asyncio.StreamWriter, _: str) -> None:
    await send(writer, bomb("gzip"), "Content-Encoding: gzip")


@answer("brotli_bomb")
async def brotli_bomb(writer: asyncio.StreamWriter, _: str) -> None:
    await send(writer, bomb("br"), "Content-Encoding: br")


@answer("zstd_bomb")
async def zstd_bomb(writer: asyncio.StreamWriter, _: str) -> None:
    await send(writer, bomb("zstd"), "Content-Encoding: zstd")


@answer("codings_in_a_row")
async def codings_in_a_row(writer: asyncio.StreamWriter, _: str) -> None:
    body = bytes(30 * MB)
    for _ in range(20):
        body = gzip.compress(body, 1)
    await send(writer, body, "Content-Encoding: " + ", ".join(["gzip"] * 20))


@answer("broken_gzip")
async def broken_gzip(writer: asyncio.StreamWriter, _: str) -> None:
    await send(writer, b"\x1f\x8b\x08\x00" + b"\xff" * 500, "Content-Encoding: gzip")


@answer("redirect_loop")
async def redirect_loop(writer: asyncio.StreamWriter, _: str) -> None:
    writer.write(
        b"HTTP/1.1 302 Found\r\nLocation: /redirect_loop\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )


@answer("redirect_row")
async def redirect_row(writer: asyncio.StreamWriter, query: str) -> None:
    to = f"/redirect_row?{int(query or 0) + 1}"
    writer.write(
        f"HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
    )


@answer("redirect_long")
async def redirect_long(writer: asyncio.StreamWriter, _: str) -> None:
    to = "/plain?" + "x" * 3_000
    writer.write(
        f"HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
    )


@answer("redirect_inside")
async def redirect_inside(writer: asyncio.StreamWriter, _: str) -> None:
    to = "http://0x7f.1:1/"
    writer.write(
        f"HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
    )


@answer("length_too_long")
async def length_too_long(writer: asyncio.StreamWriter, _: str) -> None:
    writer.write(f"{HTML}Content-Length: 1000\r\n\r\n<p>short</p>".encode())


@answer("length_too_short")
async def length_too_short(writer: asyncio.StreamWriter, _: str) -> None:
    writer.write(f"{HTML}Content-Length: 12\r\n\r\n<p>short</p><p>more than was said</p>".encode())


@answer("broken_chunks")
async def broken_chunks(writer: asyncio.StreamWriter, _: str) -> None:
    writer.write(f"{HTML}Transfer-Encoding: chunked\r\n\r\n5\r\n<p>ab\r\nxyz\r\n".encode())


@answer("endless_trailer")
async def endless_trailer(writer: asyncio.StreamWriter, _: str) -> None:
    writer.write(f"{HTML}Transfer-Encoding: chunked\r\n\r\n3\r\n<p>\r\n0\r\n".encode())
    await forever(writer, b"X-Trailer: x\r\n" * 5_000, most=100 * MB)
    await (
        asyncio.Event().wait()
    )  # a fast browser takes the 100 MB within its budget; the trailer still has no end


@answer("endless_chunk_size")
async def endless_chunk_size(writer: asyncio.StreamWriter, _: str) -> None:
    writer.write(f"{HTML}Transfer-Encoding: chunked\r\n\r\n".encode())
    await forever(writer, b"0" * 64 * 1024, most=100 * MB)


@answer("null_bytes")
async def null_bytes(writer: asyncio.StreamWriter, _: str) -> None:
    await send(writer, b"<title>n\0ul</title>" + bytes(100_000) + b"<p>x\0y</p>")


@answer("no_http")
async def no_http(writer: asyncio.StreamWriter, _: str) -> None:
    writer.write(b"\x00\x01\x02 this is no web server\r\n\r\n")


@answer("reset")
async def reset(writer: asyncio.StreamWriter, _: str) -> None:
    writer.transport.abort()


@answer("no_content")
async def no_content(writer: asyncio.StreamWriter, _: str) -> None:
    writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")


@answer("error_without_body")
async def error_without_body(writer: asyncio.StreamWriter, _: str) -> None:
    writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


@answer("password")
async def password(writer: asyncio.StreamWriter, _: str) -> None:
    writer.write(
        b'HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm="x"\r\n'
        b"Content-Length: 4\r\nConnection: close\r\n\r\n<p>x"
    )


@answer("deep_nesting")
async def deep_nesting(writer: asyncio.StreamWriter, _: str) -> None:
    await send(writer, b"<html><body>" + b"<div>" * 100_000 + b"<p>after</p>")


@answer("huge_tag")
async def huge_tag(writer: asyncio.StreamWriter, _: str) -> None:
    await send(
        writer, b"<html><body><p " + b"".join(b"a%d=1 " % number for number in range(100_000)) + b">x</p>"
    )


@answer("huge_text")
async def huge_text(writer: asyncio.StreamWriter, _: str) -> None:
    await send(writer, b"<html><body><p>" + b"x" * 12_000_000)


@answer("calendar")
async def calendar(writer: asyncio.StreamWriter, query: str) -> None:
    month = int(query.rpartition("=")[2] or 0)
    await send(
        writer, f'<a href="/calendar?year={2023 + month // 12}&month={month + 1}">next month</a>'.encode()
    )


@answer("download")
async def download(writer: asyncio.StreamWriter, _: str) -> None:
    await send(writer, b"x" * MB, "Content-Disposition: attachment; filename=a.exe")


@answer("endless_download")
async def endless_download(writer: asyncio.StreamWriter, _: str) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nConnection: close\r\n\r\n")
    await forever(writer, b"x" * MB)


@answer("frames")
async def frames(writer: asyncio.StreamWriter, query: str) -> None:
    number = int(query or 0)
    inner = "".join(f'<iframe src="/frames?{3 * number + one}"></iframe>' for one in (1, 2, 3))
    await send(writer, f"<title>frames</title>{inner}".encode())


@answer("refresh_row")
async def refresh_row(writer: asyncio.StreamWriter, query: str) -> None:
    await send(
        writer, f'<meta http-equiv=refresh content="0;url=/refresh_row?{int(query or 0) + 1}"><p>x'.encode()
    )


@answer("bomb_script.js")
async def bomb_script(writer: asyncio.StreamWriter, _: str) -> None:
    await gzip_bomb(writer, "")


# --- pages that hurt a browser

PAGES["endless_script"] = "<title>spin</title><script>while (true) {}</script>"
PAGES["late_endless_script"] = (
    "<title>late</title><p>x<script>setTimeout(() => { while (true) {} }, 50)</script>"
)
PAGES["endless_promises"] = "<script>const f = () => Promise.resolve().then(f); f()</script>"
PAGES["endless_timers"] = (
    "<title>timers</title><p>x<script>setInterval(() => { window.n = Math.random() }, 0)</script>"
)
PAGES["endless_requests"] = "<script>setInterval(() => fetch('/plain?' + Math.random()), 5)</script>"
PAGES["hanging_request"] = "<title>hanging</title><p>x<script>fetch('/silent')</script>"
PAGES["hanging_script"] = "<title>x</title><script src=/silent></script><p>after"
PAGES["hanging_xhr"] = (
    "<script>const r = new XMLHttpRequest(); r.open('GET', '/silent', false); r.send()</script>"
)
PAGES["dialog_storm"] = "<title>storm</title><script>while (true) alert('x')</script>"
PAGES["dialogs"] = "<title>asks</title><script>alert(1); confirm(2); prompt(3); print()</script><p>x"
PAGES["leaving_asks"] = (
    "<title>stay</title><script>onbeforeunload = (e) => { e.preventDefault(); return 'x' }</script>"
)
PAGES["popups"] = """<title>popups</title><script>
for (let i = 0; i < 100; i++)
  window.open('/endless_script?' + i, '_blank', i % 2 ? 'noopener' : '')</script>"""
PAGES["script_download"] = """<title>saves</title><a id=a download=x.bin>x</a><script>
for (let i = 0; i < 20; i++) {
  a.href = URL.createObjectURL(new Blob(['x'.repeat(1e6)])); a.click() }</script>"""
PAGES["huge_dom"] = """<title>dom</title><script>
const all = document.createDocumentFragment();
for (let i = 0; i < 250000; i++) all.appendChild(document.createElement('br'));
const box = document.createElement('div'); box.style.display = 'none'; box.appendChild(all);
document.documentElement.appendChild(box)</script>"""
PAGES["growing_dom"] = """<script>setInterval(() => { for (let i = 0; i < 5000; i++)
document.documentElement.appendChild(document.createElement('i')) }, 0)</script>"""
PAGES["script_deep_dom"] = """<title>deep</title><body><script>let at = document.body;
for (let i = 0; i < 20000; i++) {
  const inner = document.createElement('div'); at.appendChild(inner); at = inner }
</script>"""
PAGES["memory"] = "<script>const all = []; while (true) all.push(new Array(1e6).fill(Math.random()))</script>"
PAGES["buffers"] = """<script>const all = []; setInterval(() => {
for (let i = 0; i < 4; i++) all.push(new Uint8Array(32e6).fill(7)) }, 10)</script>"""
PAGES["script_bomb"] = "<title>x</title><script src=/bomb_script.js></script>"
PAGES["location_row"] = "<script>location = '/location_row?' + Math.random()</script>"
PAGES["reload_loop"] = "<script>location.reload()</script>"
PAGES["history_flood"] = """<title>history</title><p>x<script>
for (let i = 0; i < 1000; i++) try { history.pushState(i, '', '?' + i) } catch (e) {}</script>"""
PAGES["other_scheme"] = (
    "<title>weixin</title><p>x<script>location = 'weixin://x'; location = 'file:///etc/passwd'</script>"
)
PAGES["console_flood"] = """<title>console</title><p>x<script>
setInterval(() => { for (let i = 0; i < 1000; i++) console.log('x'.repeat(500)) }, 20)</script>"""
PAGES["error_flood"] = (
    "<title>errors</title><p>x<script>setInterval(() => { throw new Error('x'.repeat(5000)) }, 0)</script>"
)
PAGES["title_flood"] = (
    "<p>x<script>setInterval(() => { document.title = 'x'.repeat(1e6) + Math.random() }, 0)</script>"
)
PAGES["lying_prototypes"] = """<title>true title</title><p id=p>the true text</p><script>
for (const [proto, name] of [[Element.prototype, 'outerHTML'], [Document.prototype, 'title'],
    [Document.prototype, 'documentElement'], [HTMLElement.prototype, 'innerText']])
Object.defineProperty(proto, name, {get() { return 'forged' }});
XMLSerializer.prototype.serializeToString = () => 'forged'; JSON.stringify = () => 'forged'</script>"""
PAGES["permissions"] = """<title>asks</title><p>x<script>navigator.geolocation.getCurrentPosition(() => {});
Notification.requestPermission(); navigator.mediaDevices && navigator.mediaDevices.getUserMedia({video: true})
.catch(() => {}); document.documentElement.requestFullscreen().catch(() => {})</script>"""
PAGES["service_worker"] = """<title>worker</title><p>x<script>
navigator.serviceWorker && navigator.serviceWorker.register('/plain').catch(() => {})</script>"""
PAGES["crash"] = "<title>about to crash</title><p>x<script>fetch('/silent')</script>"


class PoisonServer:
    """The running server: its port, and how many connections are open now."""

    def __init__(self) -> None:
        self.port = 0
        self.open = 0
        self._tasks: set[asyncio.Task[None] | None] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self._tasks.add(asyncio.current_task())  # or it may be collected in the middle of its work
        try:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                head = await reader.readuntil(b"\r\n\r\n")
                path, _, query = head.split()[1].decode().partition("?")
                name = path.strip("/")
                if name in PAGES:
                    await send(writer, PAGES[name].encode())
                    return
                answering = asyncio.ensure_future(ANSWERS.get(name, error_without_body)(writer, query))
                leaving = asyncio.ensure_future(reader.read())
                await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
                leaving.cancel()
                answering.cancel()
                await answering
        finally:
            writer.close()
            self.open -= 1
            self._tasks.discard(asyncio.current_task())


@asynccontextmanager
async def poison() -> AsyncIterator[PoisonServer]:
    """Serve in this event loop."""
    one = PoisonServer()
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    async with server:
        yield one


@contextmanager
def poison_thread() -> Iterator[PoisonServer]:
    """Serve in a thread of its own."""
    ready = threading.Event()
    held: list[PoisonServer] = []
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def run() -> None:
        async with poison() as server:
            held.append(server)
            ready.set()
            await stop.wait()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    ready.wait()
    try:
        yield held[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
