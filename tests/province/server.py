"""A forward proxy on loopback that answers for every host of a province: one asyncio protocol, no threads."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import struct
from collections import Counter, OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import TextIO
from urllib.parse import urlsplit

from tests.province.model import Answer

Answerer = Callable[[str, str], Answer]
_CACHE_BYTES = 48 * 1024 * 1024
_MAX_HEAD = 64 * 1024
_METHODS = {"GET", "HEAD", "POST"}
_NO_LINGER = struct.pack("ii", 1, 0)  # closing then sends RST instead of FIN


class Server:
    """Serves an answering function; counts requests per address so that flapping is the same in every run."""

    def __init__(self, answer: Answerer, log: TextIO | None = None) -> None:
        self.answer = answer
        self.log = log
        self.requests = 0
        self.seen: Counter[str] = Counter()
        self._cache: OrderedDict[str, Answer] = OrderedDict()
        self._cached = 0
        self._server: asyncio.Server | None = None
        self.open: set[asyncio.Transport] = set()

    async def start(self, port: int = 0) -> int:
        """Listen on 127.0.0.1 and return the port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", port, backlog=512)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening and end what is open: a client that was killed closes nothing."""
        if self._server is not None:
            self._server.close()
        for _ in range(3):  # what was accepted just now gets its transport
            await asyncio.sleep(0)
        for transport in tuple(self.open):
            transport.abort()
        await asyncio.sleep(0)
        if self.log is not None:
            self.log.flush()

    def lookup(self, host: str, path: str) -> Answer:
        """Return the answer for an address, from the cache where it has been rendered before."""
        key = host + path
        answer = self._cache.get(key)
        if answer is not None:
            self._cache.move_to_end(key)
            return answer
        answer = self.answer(host, path)
        self._cache[key] = answer
        self._cached += len(answer.body) + 200
        while self._cached > _CACHE_BYTES:
            _, old = self._cache.popitem(last=False)
            self._cached -= len(old.body) + 200
        return answer

    def note(self, method: str, url: str, status: int) -> None:
        """Write one line of the request log; status 0 is a connection reset."""
        self.requests += 1
        if self.log is not None:
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            self.log.write(f"{now} {method} {url} {status}\n")


class _Connection(asyncio.Protocol):
    """One client: requests are answered one after the other, in order."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.buffer = bytearray()
        self.waiting = False
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.server.open.add(transport)
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        if self.transport is not None:
            self.server.open.discard(self.transport)
        self.transport = None

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self.advance()

    def advance(self) -> None:
        """Answer every complete request in the buffer unless one is being delayed."""
        while not self.waiting and self.transport is not None:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self.buffer) > _MAX_HEAD:
                    self.transport.close()
                return
            head = self.buffer[:end].decode("latin-1")
            length = _content_length(head)
            if len(self.buffer) < end + 4 + length:
                return
            del self.buffer[: end + 4 + length]
            self.handle(head)

    def handle(self, head: str) -> None:
        """Answer one request."""
        line, _, rest = head.partition("\r\n")
        parts = line.split(" ")
        if len(parts) != 3:
            self.send("GET", "", Answer(400), close=True)
            return
        method, target, version = parts
        close = version == "HTTP/1.0" or "connection: close" in rest.lower()
        if method not in _METHODS:
            status = 403 if method == "CONNECT" else 405
            self.send(method, target, Answer(status), close=True)
            return
        host, path = _address(target, rest)
        url = f"http://{host}{path}"
        answer = self.server.lookup(host, path)
        self.server.seen[url] += 1
        if self.server.seen[url] <= answer.flaps:
            answer = Answer(answer.flap_status, b"busy") if answer.flap_status else Answer(reset=True)
        if answer.delay:
            self.waiting = True
            asyncio.get_running_loop().call_later(answer.delay, self.late, method, url, answer, close)
            return
        self.send(method, url, answer, close=close)

    def late(self, method: str, url: str, answer: Answer, close: bool) -> None:
        """Send a delayed answer and go on with what came in meanwhile."""
        self.waiting = False
        self.send(method, url, answer, close=close)
        self.advance()

    def send(self, method: str, url: str, answer: Answer, *, close: bool) -> None:
        """Write an answer, or reset the connection."""
        transport = self.transport
        if transport is None:
            return
        if answer.reset:
            self.server.note(method, url, 0)
            sock = transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            transport.abort()
            self.transport = None
            return
        status = answer.head_status if method == "HEAD" and answer.head_status else answer.status
        self.server.note(method, url, status)
        lines = [
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
            f"Content-Type: {answer.content_type}",
            f"Content-Length: {len(answer.body)}",
            "Server: Apache",
        ]
        if answer.location:
            lines.append(f"Location: {answer.location}")
        if close:
            lines.append("Connection: close")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        transport.write(head if method == "HEAD" else head + answer.body)
        if close:
            transport.close()


def _content_length(head: str) -> int:
    for line in head.split("\r\n"):
        name, _, value = line.partition(":")
        if name.lower() == "content-length":
            return int(value) if value.strip().isdigit() else 0
    return 0


def _address(target: str, headers: str) -> tuple[str, str]:
    """Return (host, path?query) of an absolute-form or origin-form request."""
    if target.startswith("/"):
        for line in headers.split("\r\n"):
            name, _, value = line.partition(":")
            if name.lower() == "host":
                return value.strip().partition(":")[0].lower(), target
        return "", target
    parts = urlsplit(target)
    path = parts.path or "/"
    return (parts.hostname or "").lower(), f"{path}?{parts.query}" if parts.query else path


async def run(
    answer: Answerer, port: int = 0, port_file: Path | None = None, log: Path | None = None
) -> None:
    """Serve until SIGTERM or SIGINT."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    with contextlib.ExitStack() as stack:
        handle = stack.enter_context(log.open("a", encoding="utf-8")) if log else None
        server = Server(answer, handle)
        bound = await server.start(port)
        print(f"province: proxy on http://127.0.0.1:{bound}", flush=True)
        if port_file is not None:
            port_file.write_text(f"{bound}\n", encoding="utf-8")  # noqa: ASYNC240  (once, before any client)
        await stopped.wait()
        await server.stop()
