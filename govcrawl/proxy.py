"""A forward proxy on loopback through which Chromium reaches the web, and nothing else.

Chromium looks no name up and opens no connection of its own: every request, WebSocket and download comes
here, is resolved once through the egress guard and goes to the address that was checked. Bytes are metered
and bounded.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from govcrawl.egress import Forbidden, Guard
from govcrawl.items import GovcrawlError

CONNECT = 10.0  # seconds for one connection
# Seconds after which a silent connection is closed: before a browser gives up a page that waits for one
# script of a dead host, so that the rest of the page is still read.
IDLE = 15.0
MAX_HEAD = 64 * 1024  # bytes of a request's head
MAX_BYTES = 256 * 1024 * 1024  # bytes of one connection
MOST_FAILURES = 10_000
CHUNK = 64 * 1024
NAME = "govcrawl"  # in the Proxy-Status header (RFC 9209) of our own answers

# Chromium asks these of its own accord, whatever its switches say: for updates, accounts, reputation lists,
# translation, name look-ups over HTTPS. An inspection tells no third party that it is under way.
OF_CHROMIUM = frozenset(
    f"{name}.{domain}"
    for domain, names in {
        "google.com": "accounts android.clients clients1 clients2 clients3 clients4 dl mtalk redirector "
        "sb-ssl",
        "googleapis.com": "chromewebstore clientservices content-autofill optimizationguide-pa "
        "passwordsleakcheck-pa safebrowsing translate update",
        "gvt1.com": "edgedl.me redirector",
        "cloudflare-dns.com": "chrome mozilla",
    }.items()
    for name in names.split()
) | {"dns.google", "dns.google.com", "clients.google.com"}

# Errors of ours: status and error type of RFC 9209.
ANSWERS = {
    "blocked": (403, "destination_ip_prohibited"),
    "dns": (502, "dns_error"),
    "refused": (502, "connection_refused"),
    "timeout": (504, "connection_timeout"),
    "protocol": (400, "http_request_error"),
}
_OWN_HEADERS = re.compile(rb"(?:proxy-[\w-]+|connection|keep-alive|te|upgrade)\s*:", re.IGNORECASE)


Visit = Callable[[str], Awaitable[object]]


@dataclass(slots=True)
class Meter:
    """What passed through the proxy."""

    connections: int = 0
    refused: int = 0
    sent: int = 0  # bytes to the web
    received: int = 0  # bytes from the web


class _Failed(Exception):  # noqa: N818  (a name of ANSWERS)
    """A destination could not be reached; the argument names the error."""


class EgressProxy:
    """The proxy: `async with EgressProxy(guard) as proxy: Browser(proxy=proxy)`.

    With `upstream`, the address of the operator's own proxy, names are resolved there; hosts that spell a
    forbidden address are still refused here.
    """

    def __init__(self, guard: Guard, *, upstream: str | None = None) -> None:
        self.guard = guard
        self.meter = Meter()
        self.open = 0
        self._upstream = urlsplit(upstream) if upstream else None
        if self._upstream and (self._upstream.scheme != "http" or not self._upstream.hostname):
            raise GovcrawlError(f"proxy {upstream!r} is not of the form http://host:port")
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()
        self._failures: OrderedDict[tuple[str, int], str] = OrderedDict()

    @property
    def url(self) -> str:
        """The address for Chromium."""
        if self._server is None:
            raise GovcrawlError("the egress proxy is not running")
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def start(self) -> str:
        """Listen on loopback and return the address."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=MAX_HEAD)
        return self.url

    async def close(self) -> None:
        """Stop listening and end every connection."""
        if self._server:
            self._server.close()
        clients = list(self._clients)
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
        if self._server:
            await self._server.wait_closed()

    async def __aenter__(self) -> EgressProxy:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def why(self, host: str, port: int) -> str | None:
        """Name the error of the last failed connection to a host; None when the last one worked."""
        return self._failures.get((host.lower(), port))

    async def self_test(self, visit: Visit | None = None) -> None:
        """Prove that a listener on loopback is out of reach through the proxy, or end with one clear line.

        `visit` is a further way to try: the browser's.
        """
        await self.guard.self_test()
        reached = 0

        def reach(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal reached
            reached += 1
            writer.close()

        canary = await asyncio.start_server(reach, "127.0.0.1", 0)
        port = canary.sockets[0].getsockname()[1]
        async with canary:
            for host in ("127.0.0.1", "0x7f.1", "[::ffff:127.0.0.1]", "localhost"):
                for ask in (f"CONNECT {host}:{port}", f"GET http://{host}:{port}/"):
                    await self._ask(ask)
            if visit:
                await visit(f"http://127.0.0.1:{port}/")
        if reached and not self._allows_canary(port):
            raise GovcrawlError("egress guard is off: a listener on loopback was reached")

    def _allows_canary(self, port: int) -> bool:
        """Whether the settings of this process allow loopback as a whole."""
        try:
            self.guard.check("127.0.0.1", port)
        except Forbidden:
            return False
        return True

    async def _ask(self, ask: str) -> None:
        parts = urlsplit(self.url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(f"{ask} HTTP/1.1\r\n\r\n".encode())
        async with asyncio.timeout(CONNECT):
            await reader.read()
        writer.close()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._client(reader, writer))
        self._clients.add(task)
        task.add_done_callback(self._clients.discard)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self.meter.connections += 1
        try:
            await self._serve(reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # either side left; what was passed on stands
        finally:
            writer.close()
            self.open -= 1

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(IDLE):
            head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = (*head.split(b"\r\n", 1)[0].split(b" ", 2), b"", b"")[:3]
        tunnel = method == b"CONNECT"
        parts = urlsplit(("http://" if tunnel else "") + target.decode("latin-1"))
        try:
            host, port = parts.hostname, parts.port or 80
        except ValueError:
            host = None
        if not host or parts.scheme != "http":
            await self._refuse(writer, "protocol")
            return
        try:
            far_reader, far = await self._reach(host, port)
        except _Failed as error:
            self._note(host, port, str(error))
            await self._refuse(writer, str(error))
            return
        self._failures.pop((host, port), None)
        try:
            if not tunnel:
                await self._forward(head, reader, far)
            elif self._upstream:
                far.write(_head(head, b"", self._authorization()))
            else:
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            if not await self._splice(reader, writer, far_reader, far, tunnel=tunnel):
                self._note(host, port, "timeout")
        finally:
            far.close()

    async def _reach(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to the first checked address that answers, or to the operator's proxy."""
        if host.rstrip(".").lower() in OF_CHROMIUM:
            raise _Failed("blocked")
        try:
            if self._upstream:
                self.guard.check(host, port)
                addresses, port = [str(self._upstream.hostname)], self._upstream.port or 80
            else:
                addresses = await self.guard.resolve(host, port)
        except Forbidden as error:
            raise _Failed("blocked") from error
        except (OSError, TimeoutError, UnicodeError) as error:
            raise _Failed("dns") from error
        fault = "dns"
        for address in addresses:
            try:
                async with asyncio.timeout(CONNECT):
                    return await asyncio.open_connection(address, port)
            except TimeoutError:
                fault = "timeout"
            except OSError:
                fault = "refused"
        raise _Failed(fault)

    async def _forward(self, head: bytes, reader: asyncio.StreamReader, far: asyncio.StreamWriter) -> None:
        """Pass one request on; the connection ends with its answer, so that each request is checked."""
        line, _, _ = head.partition(b"\r\n")
        method, target, _ = line.split(b" ", 2)
        path = target
        if not self._upstream:
            parts = urlsplit(target.decode("latin-1"))
            path = ((parts.path or "/") + (f"?{parts.query}" if parts.query else "")).encode("latin-1")
        far.write(
            _head(head, method + b" " + path + b" HTTP/1.1", self._authorization() + b"Connection: close\r\n")
        )
        length = re.search(rb"\r\ncontent-length:[ \t]*(\d{1,12})[ \t]*\r\n", head, re.IGNORECASE)
        left = int(length[1]) if length else 0
        while left > 0 and (data := await reader.read(min(left, CHUNK))):
            far.write(data)
            await far.drain()
            self.meter.sent += len(data)
            left -= len(data)

    async def _splice(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        far_reader: asyncio.StreamReader,
        far: asyncio.StreamWriter,
        *,
        tunnel: bool,
    ) -> bool:
        """Pass bytes on until a side ends, all is silent, or the bound is reached; False for no answer."""
        moved = time.monotonic()
        total = 0

        async def down() -> None:
            nonlocal moved, total
            while total < MAX_BYTES and (data := await far_reader.read(CHUNK)):
                moved = time.monotonic()
                total += len(data)
                self.meter.received += len(data)
                writer.write(data)
                await writer.drain()

        async def up() -> None:
            nonlocal moved
            while data := await reader.read(CHUNK):
                if not tunnel:
                    return  # a second request on the connection: it has to come anew and be checked
                moved = time.monotonic()
                self.meter.sent += len(data)
                far.write(data)
                await far.drain()

        tasks = {asyncio.ensure_future(down()), asyncio.ensure_future(up())}
        try:
            while True:
                done, _ = await asyncio.wait(tasks, timeout=IDLE, return_when=asyncio.FIRST_COMPLETED)
                if done or time.monotonic() - moved >= IDLE:
                    break
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(OSError):
            await writer.drain()
        return bool(total or done)

    async def _refuse(self, writer: asyncio.StreamWriter, error: str) -> None:
        self.meter.refused += 1
        status, kind = ANSWERS[error]
        writer.write(
            f"HTTP/1.1 {status} {error}\r\nProxy-Status: {NAME}; error={kind}\r\n"
            "Content-Length: 0\r\nConnection: close\r\n\r\n".encode()
        )
        await writer.drain()

    def _note(self, host: str, port: int, error: str) -> None:
        self._failures[host, port] = error
        if len(self._failures) > MOST_FAILURES:
            self._failures.popitem(last=False)

    def _authorization(self) -> bytes:
        if not self._upstream or not self._upstream.username:
            return b""
        words = f"{unquote(self._upstream.username)}:{unquote(self._upstream.password or '')}"
        return b"Proxy-Authorization: Basic " + base64.b64encode(words.encode()) + b"\r\n"


def _head(head: bytes, line: bytes, extra: bytes) -> bytes:
    """Rewrite a request's head: its first line where one is given, and the headers between us."""
    first, *rest = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    kept = [header for header in rest if not _OWN_HEADERS.match(header)]
    return b"\r\n".join([line or first, *kept, b""]) + extra + b"\r\n"
