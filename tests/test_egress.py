"""The egress guard and its proxy: nothing inner is reached, by any spelling and over any way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import aiohttp
import pytest
from twisted.internet.address import IPv4Address

from govcrawl.browser import Browser
from govcrawl.egress import Forbidden, Guard, ScrapyResolver, forbidden, host_literal
from govcrawl.items import GovcrawlError
from govcrawl.proxy import EgressProxy, Visit

INNER = [
    ("127.0.0.1", "loopback"),
    ("127.8.9.10", "loopback"),
    ("0.0.0.0", "unspecified"),
    ("10.1.2.3", "private"),
    ("172.16.0.1", "private"),
    ("172.31.255.255", "private"),
    ("192.168.1.1", "private"),
    ("198.18.0.1", "private"),
    ("169.254.1.1", "link-local"),
    ("169.254.169.254", "metadata"),
    ("100.100.100.200", "metadata"),
    ("168.63.129.16", "metadata"),
    ("fd00:ec2::254", "metadata"),
    ("100.64.0.1", "carrier-grade NAT"),
    ("100.127.255.255", "carrier-grade NAT"),
    ("224.0.0.1", "multicast"),
    ("255.255.255.255", "reserved"),
    ("192.0.2.1", "reserved"),
    ("::", "unspecified"),
    ("::1", "loopback"),
    ("0:0:0:0:0:0:0:1", "loopback"),
    ("fe80::1", "link-local"),
    ("fe80::1%eth0", "link-local"),
    ("fc00::1", "private"),
    ("fd12:3456::1", "private"),
    ("fec0::1", "private"),
    ("ff02::1", "multicast"),
    ("::ffff:127.0.0.1", "loopback within IPv6"),
    ("::ffff:7f00:1", "loopback within IPv6"),
    ("::ffff:0:10.0.0.1", "private within IPv6"),
    ("::127.0.0.1", "loopback within IPv6"),
    ("2002:7f00:1::", "loopback within IPv6"),
    ("2002:a9fe:a9fe::1", "metadata within IPv6"),
    ("64:ff9b::10.0.0.1", "private within IPv6"),
    ("64:ff9b:1::1", "private"),
    ("2001:0:4136:e378:8000:63bf:80ff:fffe", "loopback within IPv6"),  # Teredo: the client is stored inverted
    ("2001:470::5efe:192.168.0.1", "private within IPv6"),
    ("2001:db8::1", "reserved"),
    ("4000::1", "reserved"),
    ("not an address", "not an address"),
]


@pytest.mark.parametrize(("address", "reason"), INNER)
def test_inner_addresses_are_forbidden(address: str, reason: str) -> None:
    assert forbidden(address) == reason


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "223.5.5.5",
        "172.32.0.1",
        "100.128.0.1",
        "240c::6666",
        "2606:4700::1111",
        "64:ff9b::101:101",
    ],
)
def test_public_addresses_are_not_forbidden(address: str) -> None:
    assert forbidden(address) is None


LOOPBACK = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0X7F.0.0.1",
    "0177.0.0.1",
    "0177.1",
    "017700000001",
    "0x7f.1",
    "127.0.0.1.",
    "127。0。0。1",
    "１２７.0.0.1",
    "%31%32%37.0.0.1",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
]


@pytest.mark.parametrize("spelling", LOOPBACK)
def test_every_spelling_is_read_as_the_address_it_means(spelling: str) -> None:
    address = host_literal(spelling)
    assert address is not None
    assert forbidden(str(address)) in {"loopback", "loopback within IPv6"}


@pytest.mark.parametrize(
    "host", ["www.zj.gov.cn", "1.2.3.4.5", "256.1.1.1", "08.1.1.1", "a.1", "", "1.2.3.99999", "0xg"]
)
def test_names_and_misspelt_addresses_are_no_literals(host: str) -> None:
    assert host_literal(host) is None


@pytest.mark.parametrize(
    "url",
    [
        "http://256.1.1.1/",
        "http://a.1/",
        "http://1.2.3.4.5/",
        "http://LOCALHOST./",
        "http://a.localhost/",
        "http://metadata.google.internal/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "http://[::1/",
        "http:///x",
        "http://h:99999/",
    ],
)
def test_addresses_that_no_client_may_guess_about_are_refused(url: str) -> None:
    with pytest.raises(Forbidden):
        Guard().check_url(url)


def lookup(*answers: Sequence[str]) -> Callable[[str, int], Awaitable[Sequence[str]]]:
    """A resolver that gives one answer after the other, as a rebinding name server does."""
    left = list(answers)

    async def look(host: str, port: int) -> Sequence[str]:
        return left.pop(0) if len(left) > 1 else left[0]

    return look


def test_a_name_with_inner_addresses_keeps_only_its_public_ones() -> None:
    guard = Guard(lookup=lookup(["10.0.0.1", "1.1.1.1", "::1"]))
    assert asyncio.run(guard.resolve("mixed.example", 80)) == ["1.1.1.1"]


@pytest.mark.parametrize("inner", ["127.0.0.1", "169.254.169.254", "::ffff:10.0.0.1", "fd00::1"])
def test_a_name_with_inner_addresses_only_is_refused(inner: str) -> None:
    with pytest.raises(Forbidden):
        asyncio.run(Guard(lookup=lookup([inner])).resolve("inner.example", 80))


def test_a_rebinding_name_stays_at_the_address_that_was_checked() -> None:
    guard = Guard(lookup=lookup(["1.1.1.1"], ["127.0.0.1"]))

    async def twice() -> list[list[str]]:
        return [await guard.resolve("rebind.example", 80) for _ in range(2)]

    assert asyncio.run(twice()) == [["1.1.1.1"], ["1.1.1.1"]]


def test_a_failed_lookup_is_not_kept() -> None:
    calls = 0

    async def flaky(host: str, port: int) -> Sequence[str]:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise OSError("no such name")
        return ["1.1.1.1"]

    async def twice() -> list[str]:
        guard = Guard(lookup=flaky)
        with pytest.raises(OSError, match="no such name"):
            await guard.resolve("flaky.example", 80)
        return await guard.resolve("flaky.example", 80)

    assert asyncio.run(twice()) == ["1.1.1.1"]


@pytest.mark.parametrize(
    ("allow", "host", "port", "passes"),
    [
        ("10.0.0.5", "10.0.0.5", 80, True),
        ("10.0.0.5", "10.0.0.6", 80, False),
        ("10.0.0.0/8", "10.0.0.6", 443, True),
        ("127.0.0.1:8080", "127.0.0.1", 8080, True),
        ("127.0.0.1:8080", "127.0.0.1", 8081, False),
        ("127.0.0.1:8080", "2130706433", 8080, True),
        ("[::1]:80", "::1", 80, True),
        ("localhost", "localhost", 80, True),
        ("intranet.example", "other.example", 80, False),
    ],
)
def test_exceptions_open_exactly_what_they_name(allow: str, host: str, port: int, passes: bool) -> None:
    guard = Guard([allow], lookup=lookup(["10.9.9.9"]))
    if passes:
        assert asyncio.run(guard.resolve(host, port))
        return
    with pytest.raises(Forbidden):
        asyncio.run(guard.resolve(host, port))


def test_an_exception_that_is_none_is_named() -> None:
    with pytest.raises(GovcrawlError, match="neither an address"):
        Guard(["http://x/"])


class Receiver:
    """What Twisted hands a resolver, as far as the guard uses it."""

    def __init__(self) -> None:
        self.found: list[tuple[str, int]] = []
        self.complete = asyncio.Event()

    def resolutionBegan(self, _: object) -> None:  # noqa: N802
        self.found.clear()

    def addressResolved(self, address: IPv4Address) -> None:  # noqa: N802
        self.found.append((address.host, address.port))

    def resolutionComplete(self) -> None:  # noqa: N802
        self.complete.set()


@pytest.mark.parametrize(
    ("host", "found", "why"),
    [
        ("mixed.example", [("1.1.1.1", 80)], None),
        ("127.0.0.1", [], "loopback"),
        ("[::1]", [], "loopback"),
        ("0x7f.1", [], "loopback"),
    ],
)
def test_scrapy_resolver_reports_public_addresses_only(
    host: str, found: list[object], why: str | None
) -> None:
    async def run() -> None:
        receiver = Receiver()
        resolver = ScrapyResolver(Guard(lookup=lookup(["1.1.1.1", "127.0.0.1"])), None)
        resolver.resolveHostName(receiver, host, 80)
        await receiver.complete.wait()
        assert receiver.found == found
        assert resolver.why(host) == why

    asyncio.run(run())


class Canary:
    """A listener on loopback that nothing may reach, and the pages that try."""

    def __init__(self) -> None:
        self.reached = 0
        self.port = 0
        self.pages: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.page_port = 0

    async def trip(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reached += 1
        writer.close()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split()[1].decode().rpartition("//")[2]
        path = path[path.index("/") :]
        self.asked.append(path)
        writer.write(
            self.pages.get(path, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        )
        await writer.drain()
        writer.close()

    def html(self, text: str) -> bytes:
        body = text.replace("PORT", str(self.port)).encode()
        head = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nConnection: close\r\n"
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body

    def hop(self, to: str) -> bytes:
        return (
            f"HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
        )


@asynccontextmanager
async def canary() -> AsyncIterator[Canary]:
    one = Canary()
    trap = await asyncio.start_server(one.trip, "127.0.0.1", 0)
    site = await asyncio.start_server(one.answer, "127.0.0.1", 0)
    one.port = trap.sockets[0].getsockname()[1]
    one.page_port = site.sockets[0].getsockname()[1]
    async with trap, site:
        yield one


# What a hostile page may name: literals in all spellings, names for inner addresses, a rebinding name.
TARGETS = [*LOOPBACK, "localhost", "a.localhost", "inner.example", "[::]", "0", "0.0.0.0"]


async def names(host: str, port: int) -> Sequence[str]:
    """The test's name server: one public-looking site that is allowed, every other name is inner."""
    return ["127.0.0.1"]


def guarded(one: Canary) -> Guard:
    return Guard([f"site.example:{one.page_port}"], lookup=names)


@pytest.mark.parametrize("target", TARGETS)
def test_http_client_never_connects_to_an_inner_address(target: str) -> None:
    async def run() -> int:
        async with canary() as one, aiohttp.ClientSession(connector=guarded(one).connector()) as session:
            one.pages["/hop"] = one.hop(f"http://{target}:{one.port}/")
            for url in (f"http://{target}:{one.port}/", f"http://site.example:{one.page_port}/hop"):
                with pytest.raises((aiohttp.ClientError, Forbidden)):
                    await session.get(url)
            assert one.asked == ["/hop"]
            return one.reached

    assert asyncio.run(run()) == 0


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "form", ["CONNECT {0} HTTP/1.1\r\n\r\n", "GET http://{0}/ HTTP/1.1\r\nHost: {0}\r\n\r\n"]
)
def test_proxy_refuses_every_way_inside(target: str, form: str) -> None:
    async def run() -> tuple[int, bytes]:
        async with canary() as one, EgressProxy(guarded(one)) as proxy:
            reader, writer = await asyncio.open_connection("127.0.0.1", int(proxy.url.rpartition(":")[2]))
            writer.write(form.format(f"{target}:{one.port}").encode())
            answer = await reader.read()
            writer.close()
            return one.reached, answer

    reached, answer = asyncio.run(run())
    assert reached == 0
    assert answer.split()[1] in {b"403", b"502", b"400"}


def test_proxy_passes_requests_and_tunnels_to_allowed_hosts_and_meters_them() -> None:
    async def run() -> None:
        async with canary() as one, EgressProxy(guarded(one)) as proxy:
            one.pages["/x?y=1"] = one.html("政府")
            async with aiohttp.ClientSession() as session:
                answer = await session.get(f"http://site.example:{one.page_port}/x?y=1", proxy=proxy.url)
                assert await answer.text() == "政府"
            reader, writer = await asyncio.open_connection("127.0.0.1", int(proxy.url.rpartition(":")[2]))
            writer.write(f"CONNECT site.example:{one.page_port} HTTP/1.1\r\n\r\n".encode())
            assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
            writer.write(b"GET /x?y=1 HTTP/1.1\r\n\r\n")
            assert (await reader.read()).endswith("政府".encode())
            writer.close()
            assert proxy.meter.connections == 2
            assert proxy.meter.received > 200
            assert proxy.meter.refused == 0

    asyncio.run(run())


def test_a_second_request_on_a_connection_is_never_passed_on_unchecked() -> None:
    async def run() -> int:
        async with canary() as one, EgressProxy(guarded(one)) as proxy:
            reader, writer = await asyncio.open_connection("127.0.0.1", int(proxy.url.rpartition(":")[2]))
            first = f"GET http://site.example:{one.page_port}/x HTTP/1.1\r\nHost: site.example\r\n\r\n"
            second = f"GET http://127.0.0.1:{one.port}/ HTTP/1.1\r\nHost: x\r\n\r\n"
            writer.write((first + second).encode())
            await reader.read()
            writer.close()
            return one.reached

    assert asyncio.run(run()) == 0


def test_proxy_says_why_a_host_was_not_reached() -> None:
    async def run() -> list[str | None]:
        async def look(host: str, port: int) -> Sequence[str]:
            if host == "gone.example":
                raise OSError("no such name")
            return ["127.0.0.1"]

        async with EgressProxy(Guard(["down.example:1"], lookup=look)) as proxy:
            async with aiohttp.ClientSession() as session:
                for host in ("gone.example", "down.example", "inner.example"):
                    await session.get(f"http://{host}:1/", proxy=proxy.url)
            return [proxy.why(host, 1) for host in ("gone.example", "down.example", "inner.example", "x")]

    assert asyncio.run(run()) == ["dns", "refused", "blocked", None]


def test_silent_host_is_left_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("govcrawl.proxy.IDLE", 0.2)

    async def run() -> str | None:
        async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        silent = await asyncio.start_server(hold, "127.0.0.1", 0)
        port = silent.sockets[0].getsockname()[1]
        async with (
            silent,
            EgressProxy(Guard([f"127.0.0.1:{port}"])) as proxy,
            aiohttp.ClientSession() as session,
        ):
            with pytest.raises(aiohttp.ClientError):
                await session.get(f"http://127.0.0.1:{port}/", proxy=proxy.url)
            return proxy.why("127.0.0.1", port)

    assert asyncio.run(run()) == "timeout"


def test_upstream_proxy_resolves_names_and_never_sees_inner_literals() -> None:
    async def run() -> list[str]:
        async with (
            canary() as one,
            EgressProxy(Guard(), upstream=f"http://127.0.0.1:{one.page_port}") as proxy,
        ):
            one.pages["/x"] = one.html("ok")
            async with aiohttp.ClientSession() as session:
                answer = await session.get("http://only-there.example/x", proxy=proxy.url)
                assert await answer.text() == "ok"
                for target in LOOPBACK:
                    if "%" in target or "。" in target or "１" in target:
                        continue  # the client rewrites these itself
                    assert (await session.get(f"http://{target}:{one.port}/", proxy=proxy.url)).status == 403
            return one.asked

    assert asyncio.run(run()) == ["/x"]


def test_self_test_passes_where_the_guard_is_on() -> None:
    async def run() -> None:
        async with EgressProxy(Guard()) as proxy:
            await proxy.self_test()

    asyncio.run(run())


def test_self_test_ends_with_one_line_where_the_guard_is_off() -> None:
    class Off(Guard):
        async def resolve(self, *_: object) -> list[str]:
            return ["127.0.0.1"]

    with pytest.raises(GovcrawlError, match="egress guard is off"):
        asyncio.run(Off().self_test())


PAGE = """<!doctype html><title>attack</title><body>
<img src="http://TARGET:PORT/i.php"><link rel=stylesheet href="http://TARGET:PORT/s">
<link rel=dns-prefetch href="//TARGET:PORT"><link rel=preconnect href="http://TARGET:PORT">
<link rel=prefetch href="http://TARGET:PORT/p"><script src="http://TARGET:PORT/j"></script>
<iframe src="http://TARGET:PORT/f"></iframe><object data="http://TARGET:PORT/o"></object>
<iframe src="/hop" name=inside></iframe><img src="/hop?i">
<script>
for (const call of [
  () => fetch('http://TARGET:PORT/fetch', {mode: 'no-cors'}), () => new WebSocket('ws://TARGET:PORT/ws'),
  () => new EventSource('http://TARGET:PORT/es'), () => navigator.sendBeacon('http://TARGET:PORT/b', 'x'),
  () => new WebTransport('https://TARGET:PORT/wt'), () => window.open('http://TARGET:PORT/pop'),
  () => new Worker(URL.createObjectURL(new Blob(["fetch('http://TARGET:PORT/w', {mode: 'no-cors'})"]))),
  () => { const r = new RTCPeerConnection({iceServers: [{urls: 'stun:TARGET:PORT'},
      {urls: 'turn:TARGET:PORT?transport=tcp', username: 'a', credential: 'b'}]});
    r.createDataChannel('x'); r.createOffer().then((o) => r.setLocalDescription(o)); },
  () => { const a = document.createElement('a'); a.href = 'http://TARGET:PORT/d'; a.download = 'd';
    a.target = 'inside'; a.click(); },
]) { try { const done = call(); if (done && done.catch) done.catch(() => {}); } catch (e) {} }
</script>"""


@pytest.mark.browser
def test_browser_starts_only_behind_a_working_guard() -> None:
    class Off(Guard):
        """Lets Chromium through after the proxy has proved itself."""

        on = True

        async def resolve(self, host: str, port: int) -> list[str]:
            return await super().resolve(host, port) if self.on else ["127.0.0.1"]

    class Opened(EgressProxy):
        async def self_test(self, visit: Visit | None = None) -> None:
            async def late(url: str) -> None:
                guard.on = False
                assert visit
                await visit(url)

            await super().self_test(late)

    guard = Off()

    async def run() -> None:
        async with Opened(guard) as proxy, Browser(proxy=proxy) as browser:
            with pytest.raises(GovcrawlError, match="egress guard is off"):
                await browser.render("http://site.example/", site_id="site")

    asyncio.run(run())


def attack(one: Canary, name: str, targets: Sequence[str]) -> None:
    """Lay out a page that tries every way to every target, and a redirect to each."""
    parts = []
    for number, target in enumerate(targets):
        hop = f"/hop-{name}-{number}"
        one.pages[hop] = one.pages[f"{hop}?i"] = one.hop(f"http://{target}:{one.port}/")
        parts.append(PAGE.replace("TARGET", target).replace("/hop", hop))
    one.pages[f"/{name}"] = one.html("".join(parts))


@pytest.mark.browser
@pytest.mark.parametrize("first", range(0, len(TARGETS), 8))
def test_browser_never_connects_to_an_inner_address(first: int) -> None:
    targets = TARGETS[first : first + 8]

    async def run() -> None:
        async with (
            canary() as one,
            EgressProxy(guarded(one)) as proxy,
            Browser(proxy=proxy, slots=3) as browser,
        ):
            base = f"http://site.example:{one.page_port}"
            attack(one, "attack", targets)
            page = await browser.render(f"{base}/attack", site_id="site")
            assert page.title == "attack", page
            assert proxy.meter.refused > 3 * len(targets)  # as many ways as it tries in its time

            async def visit(url: str) -> None:
                found = await browser.render(url, site_id="site")
                assert found.error == "blocked", (url, found)

            await asyncio.gather(
                *(visit(f"http://{target}:{one.port}/") for target in targets),
                *(visit(f"{base}/hop-attack-{number}") for number in range(len(targets))),
            )
            assert one.reached == 0
            assert browser.in_use == 0

    asyncio.run(run())


@pytest.mark.browser
def test_the_same_attack_reaches_an_address_that_is_allowed() -> None:
    """The tests above would notice: their listener does count, and Chromium does try."""

    async def run() -> int:
        async with canary() as one:
            guard = Guard([f"127.0.0.1:{one.page_port}", f"127.0.0.1:{one.port}"])
            async with EgressProxy(guard) as proxy, Browser(proxy=proxy) as browser:
                attack(one, "attack", ["127.0.0.1"])
                await browser.render(f"http://127.0.0.1:{one.page_port}/attack", site_id="site")
                return one.reached

    assert asyncio.run(run()) > 5
