"""The two paths to a home page over aiohttp, both behind the egress guard.

The first path is the proxy where one is set, else IPv4 (IPv6 for sites without IPv4). The second is another
proxy where one is set, else the site's other address family.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from functools import partial
from typing import Self
from urllib.parse import urljoin, urlsplit

import aiohttp
from yarl import URL

from govcrawl.egress import Forbidden, Guard
from govcrawl.store.probes import Tried

HOPS = 8
MOST = 512 * 1024  # bytes: who has sent as much of a home page has shown it
AT_ONCE = 200
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HEADERS = {
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "zh-CN,zh;q=0.9,en;q=0.5",
    "Accept-Encoding": "identity",  # nothing to unpack, so nothing that can blow up
}
_NO_ROUTE = frozenset({errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})

Opener = Callable[[str], Awaitable[tuple[int, str]]]


class Web:
    """Both paths, opened with `async with`; `seconds` is the rule's limit for one try."""

    def __init__(
        self,
        *,
        allow: Collection[str],
        user_agent: str,
        seconds: float,
        proxy: str = "",
        second_proxy: str = "",
        at_once: int = AT_ONCE,
    ) -> None:
        self._seconds = seconds
        self._proxies = (proxy, second_proxy)
        self._headers = {**_HEADERS, "User-Agent": user_agent}
        self._slots = asyncio.Semaphore(at_once)
        # A thread for each visit under way: a dead name server must not make other sites look slow.
        self._threads = ThreadPoolExecutor(at_once, "probe-names")
        self._guard = Guard(allow, lookup=self._look_up)
        self._tls = _lenient()
        self._stack = AsyncExitStack()
        self._sessions: dict[int, aiohttp.ClientSession] = {}

    async def __aenter__(self) -> Self:
        for family in (socket.AF_UNSPEC, socket.AF_INET, socket.AF_INET6):
            connector = self._guard.connector(
                family=family, limit=0, force_close=True, use_dns_cache=False, ssl=self._tls
            )
            session = aiohttp.ClientSession(
                connector=connector,
                headers=self._headers,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
            )
            self._sessions[family] = await self._stack.enter_async_context(session)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def open(self, url: str, *, second: bool = False) -> Tried | None:
        """Try to open a page within the limit; None where there is no second path to it."""
        proxy = self._proxies[second]
        if second and not proxy and self._proxies[0]:
            return None
        async with self._slots:
            if proxy:
                return await self._timed(partial(self._through, proxy), url)
            if not second:
                return await self._timed(partial(self._direct, second=False), url)
            if not await self._has_second(url):
                return None
            tried = await self._timed(partial(self._direct, second=True), url)
            return None if tried.error == "no_route" else tried

    async def _timed(self, opener: Opener, url: str) -> Tried:
        loop = asyncio.get_running_loop()
        started = loop.time()
        status, via, error = None, "", None
        try:
            async with asyncio.timeout(self._seconds):
                status, via = await opener(url)
        except (aiohttp.ClientError, OSError, ValueError, RecursionError) as found:
            error = _name(found)
        return Tried(round(loop.time() - started, 3), status, error, via)

    # --- paths ----------------------------------------------------------------------------------------------

    async def _through(self, proxy: str, url: str) -> tuple[int, str]:
        session = self._sessions[socket.AF_UNSPEC]
        for _ in range(HOPS):
            self._guard.check_url(url)
            status, onward = await self._get(session, url, proxy)
            if not onward:
                return status, urlsplit(proxy).netloc.rpartition("@")[2]
            url = onward
        raise _Loop(url)

    async def _direct(self, url: str, *, second: bool) -> tuple[int, str]:
        for _ in range(HOPS):
            families = await self._families(url)
            family = families[-1] if second else families[0]
            status, onward = await self._get(self._sessions[family], url, None)
            if not onward:
                return status, "IPv6" if family == socket.AF_INET6 else "IPv4"
            url = onward
        raise _Loop(url)

    async def _get(self, session: aiohttp.ClientSession, url: str, proxy: str | None) -> tuple[int, str]:
        where = URL(url)
        async with session.get(where, allow_redirects=False, proxy=proxy) as response:
            target = response.headers.get("Location", "")
            if response.status in _REDIRECTS and target:
                return response.status, urljoin(url, target.strip())
            size = 0
            async for part in response.content.iter_any():
                size += len(part)
                if size >= MOST:
                    break
            return response.status, ""

    async def _has_second(self, url: str) -> bool:
        try:
            async with asyncio.timeout(self._seconds):
                return len(await self._families(url)) > 1
        except (OSError, ValueError):
            return False

    async def _families(self, url: str) -> Sequence[int]:
        """Return the address families of a host, IPv4 before IPv6."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Forbidden(url[:100], "not a web address")
        port = parts.port or (443 if parts.scheme == "https" else 80)
        found = await self._guard.resolve(parts.hostname, port)
        kinds = {ipaddress.ip_address(ip.partition("%")[0]).version for ip in found}
        return [{4: socket.AF_INET, 6: socket.AF_INET6}[kind] for kind in sorted(kinds)]

    async def _look_up(self, host: str, port: int) -> Sequence[str]:
        loop = asyncio.get_running_loop()
        ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        found = await loop.run_in_executor(self._threads, ask)
        return list(dict.fromkeys(str(address[0]) for *_, address in found))


class _Loop(ValueError):  # noqa: N818  (the name of an outcome)
    """Redirects that do not end."""


def _lenient() -> ssl.SSLContext:
    """What visitors' browsers may still open: whether a certificate is in order is another question."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.options |= 0x4  # OP_LEGACY_SERVER_CONNECT: named only from Python 3.12 on
    return context


_ERRORS: tuple[tuple[type[BaseException], str], ...] = (
    (TimeoutError, "timeout"),
    (_Loop, "redirect_loop"),
    (Forbidden, "blocked"),
    (aiohttp.ClientProxyConnectionError, "proxy"),
    (aiohttp.ClientHttpProxyError, "gateway"),
    (aiohttp.ClientConnectorDNSError, "dns"),
    (socket.gaierror, "dns"),
    (aiohttp.ClientSSLError, "tls"),
    (ssl.SSLError, "tls"),
    (aiohttp.ClientResponseError, "protocol"),
    (aiohttp.InvalidURL, "bad_url"),
)


def _name(error: BaseException) -> str:
    """Return the name a failed try is recorded under."""
    for kind, name in _ERRORS:
        if isinstance(error, kind):
            return name
    code = getattr(getattr(error, "os_error", error), "errno", None)
    if isinstance(error, OSError) and isinstance(error.__cause__, Forbidden):
        return "blocked"
    if code == errno.ECONNREFUSED:
        return "refused"
    if code in _NO_ROUTE:
        return "no_route"
    if isinstance(error, OSError | aiohttp.ClientError):
        return "reset"
    return "bad_url"
