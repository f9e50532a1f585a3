"""Ways past the egress guard that a page has besides links: odd schemes, workers, reports, UDP, files."""

# ruff: noqa: E501  (markup in long lines)
from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from govcrawl.browser import EXECUTABLES, Browser
from govcrawl.egress import Guard
from govcrawl.proxy import OF_CHROMIUM, EgressProxy
from tests.test_egress import Canary, canary, guarded

pytestmark = pytest.mark.browser

# Each way by name; TARGET is host:port of the listener that nothing may reach, SITE the page's own address.
MARKUP = {
    "frame with data:": """<iframe src="data:text/html,<img src='http://TARGET/data'><script>fetch('http://TARGET/data-fetch',{mode:'no-cors'})</script>"></iframe>""",
    "srcdoc": """<iframe srcdoc="<script>fetch('http://TARGET/srcdoc',{mode:'no-cors'})</script>"></iframe>""",
    "sandboxed frame": """<iframe sandbox="allow-scripts" src="data:text/html,<script>fetch('http://TARGET/sandbox',{mode:'no-cors'})</script>"></iframe>""",
    "view-source": """<iframe src="view-source:http://TARGET/source"></iframe>""",
    "style import": """<style>@import url(http://TARGET/import.css); body { background: url(http://TARGET/bg) }</style>""",
    "svg": """<svg><image href="http://TARGET/svg"/><use href="http://TARGET/use#a"/></svg>""",
    "media": """<video src="http://TARGET/v" autoplay muted></video><audio src="http://TARGET/a" autoplay></audio>""",
    "icon and manifest": """<link rel=icon href="http://TARGET/icon"><link rel=manifest href="http://TARGET/manifest">""",
    "module": """<link rel=modulepreload href="http://TARGET/m.js"><script type=module src="http://TARGET/n.js"></script>""",
    "speculation": """<script type=speculationrules>{"prefetch":[{"source":"list","urls":["http://TARGET/spec"]}],"prerender":[{"source":"list","urls":["http://TARGET/pre"]}]}</script>""",
    "ping": """<a id=ping href="#x" ping="http://TARGET/ping">x</a><script>document.getElementById('ping').click()</script>""",
    "form": """<iframe name=formed></iframe><form id=form action="http://TARGET/form" method=post target=formed></form><script>document.getElementById('form').submit()</script>""",
    "object": """<embed src="http://TARGET/embed"><object data="http://TARGET/object"></object>""",
    "applet of a plug-in": """<embed type="application/pdf" src="http://TARGET/x.pdf">""",
}
SCRIPTS = {
    "blob frame": """const f = document.createElement('iframe'); f.src = URL.createObjectURL(new Blob(
        ["<script>fetch('http://TARGET/blob',{mode:'no-cors'})<\\/script>"], {type: 'text/html'}));
        document.body.append(f)""",
    "worker of data:": """new Worker("data:text/javascript,fetch('http://TARGET/worker',{mode:'no-cors'})")""",
    "shared worker": """new SharedWorker(URL.createObjectURL(new Blob(
        ["fetch('http://TARGET/shared',{mode:'no-cors'})"])))""",
    "service worker": """navigator.serviceWorker.register('/worker.js')""",
    "dynamic import": """import('http://TARGET/dynamic.js')""",
    "socket": """new WebSocket('ws://TARGET/ws')""",
    "secure socket": """new WebSocket('wss://TARGET/wss')""",
    "event source": """new EventSource('http://TARGET/es')""",
    "beacon": """navigator.sendBeacon('http://TARGET/beacon', 'x')""",
    "keepalive": """fetch('http://TARGET/keep', {mode: 'no-cors', keepalive: true, method: 'POST', body: 'x'})""",
    "web transport": """new WebTransport('https://TARGET/wt')""",
    "stun over UDP": """const r = new RTCPeerConnection({iceServers: [{urls: 'stun:TARGET'}]});
        r.createDataChannel('x'); r.createOffer().then((o) => r.setLocalDescription(o))""",
    "turn over UDP and TCP": """const r = new RTCPeerConnection({iceServers: [
        {urls: ['turn:TARGET', 'turn:TARGET?transport=tcp'], username: 'a', credential: 'b'}]});
        r.createDataChannel('x'); r.createOffer().then((o) => r.setLocalDescription(o))""",
    "candidate of another peer": """const r = new RTCPeerConnection(), s = new RTCPeerConnection();
        r.createDataChannel('x'); r.createOffer().then(async (o) => { await r.setLocalDescription(o);
        await s.setRemoteDescription(o); const a = await s.createAnswer(); await s.setLocalDescription(a);
        await r.setRemoteDescription(a); const [host, port] = 'TARGET'.split(':');
        r.addIceCandidate({candidate: `candidate:1 1 udp 2122260223 ${host} ${port} typ host`, sdpMid: '0'});
        r.addIceCandidate({candidate: `candidate:2 1 tcp 1518280447 ${host} ${port} typ host tcptype passive`,
        sdpMid: '0'}) })""",
    "file frame": """for (const path of ['file:///etc/passwd', 'filesystem:http://SITE/temporary/x']) {
        const f = document.createElement('iframe'); f.src = path; document.body.append(f) }""",
    "file fetch": """fetch('file:///etc/passwd').then((a) => a.text()).then((t) => document.body.append(t))""",
    "file request": """const x = new XMLHttpRequest(); x.open('GET', 'file:///etc/passwd', false); x.send();
        document.body.append(x.responseText)""",
    "windows": """for (const url of ['file:///etc/passwd', 'view-source:http://TARGET/vs', 'http://TARGET/open',
        'chrome://version', 'data:text/html,<img src=http://TARGET/dw>']) window.open(url)""",
    "identity": """navigator.credentials.get({identity: {providers: [
        {configURL: 'https://TARGET/fedcm.json', clientId: 'a'}]}})""",
    "payment": """new PaymentRequest([{supportedMethods: 'https://TARGET/pay'}],
        {total: {label: 'x', amount: {currency: 'CNY', value: '1'}}}).canMakePayment()""",
}
HEADERS = (
    "Link: <http://TARGET/link>; rel=preload; as=script, <http://TARGET/pc>; rel=preconnect\r\n"
    "Content-Security-Policy-Report-Only: default-src 'none'; report-uri http://TARGET/csp; report-to r\r\n"
    'Report-To: {"group":"r","max_age":99,"endpoints":[{"url":"https://TARGET/report"}]}\r\n'
    'Reporting-Endpoints: r="https://TARGET/reports"\r\n'
    'NEL: {"report_to":"r","max_age":99,"success_fraction":1.0}\r\n'
    'Alt-Svc: h3="TARGET"; ma=99, h2="TARGET"; ma=99\r\n'
)


def page(one: Canary, host: str, headers: str = "") -> bytes:
    """Lay out a page that tries every way to a host."""
    target, site = f"{host}:{one.port}", f"site.example:{one.page_port}"
    scripts = "\n".join(f"try {{ (() => {{ {way} }})() }} catch (e) {{}}" for way in SCRIPTS.values())
    text = f"<!doctype html><title>attack</title><body>{''.join(MARKUP.values())}<script>{scripts}</script>"
    body = text.replace("TARGET", target).replace("SITE", site).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n{headers}Connection: close\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".replace("TARGET", target).encode() + body


class Datagrams(asyncio.DatagramProtocol):
    """Counts what comes in over UDP."""

    def __init__(self) -> None:
        self.count = 0

    def datagram_received(self, _data: bytes, _addr: object) -> None:
        self.count += 1


@asynccontextmanager
async def datagrams(port: int) -> AsyncIterator[Datagrams]:
    """Listen on the UDP port with the number of the TCP trap."""
    loop = asyncio.get_running_loop()
    transport, found = await loop.create_datagram_endpoint(Datagrams, local_addr=("127.0.0.1", port))
    try:
        yield found
    finally:
        transport.close()


class Watched(EgressProxy):
    """An egress proxy that notes which hosts it was asked for, and which it let through."""

    def __init__(self, guard: Guard) -> None:
        super().__init__(guard)
        self.hosts: set[str] = set()
        self.passed: set[str] = set()

    async def _reach(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self.hosts.add(host)
        found = await super()._reach(host, port)
        self.passed.add(host)
        return found


@asynccontextmanager
async def sockets() -> AsyncIterator[set[tuple[str, str, int]]]:
    """Note every address to which a process below this one has a socket."""
    found: set[tuple[str, str, int]] = set()

    def look() -> None:
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                for one in process.net_connections("inet"):
                    if one.raddr:
                        kind = "tcp" if one.type == socket.SOCK_STREAM else "udp"
                        found.add((kind, one.raddr.ip, one.raddr.port))

    async def watch() -> None:
        while True:
            await asyncio.to_thread(look)
            await asyncio.sleep(0.02)

    watching = asyncio.ensure_future(watch())
    try:
        yield found
    finally:
        watching.cancel()
        await asyncio.wait({watching})


HOSTS = ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "inner.example")


@pytest.mark.parametrize("executable", [name for name in EXECUTABLES if shutil.which(name)])
def test_no_way_of_a_page_leads_to_an_inner_address(executable: str) -> None:
    async def run() -> None:
        async with canary() as one, datagrams(one.port) as udp, sockets() as seen:
            async with (
                Watched(guarded(one)) as proxy,
                Browser(proxy=proxy, executable=executable) as browser,
            ):
                places = {("tcp", "127.0.0.1", int(proxy.url.rpartition(":")[2]))}
                for number, host in enumerate(HOSTS):
                    one.pages[f"/attack{number}"] = page(one, host, HEADERS)
                    one.pages["/worker.js"] = one.html(f"fetch('http://{host}:PORT/sw', {{mode: 'no-cors'}})")
                    url, refused = f"http://site.example:{one.page_port}/attack{number}", proxy.meter.refused
                    found = await browser.render(url, site_id="site")
                    assert (found.title, found.error) == ("attack", None), found
                    assert "root:" not in found.dom + "".join(found.frames.values())
                    assert proxy.meter.refused > refused + 20
                assert (await browser.screenshot(url, site_id="site")).image
            assert (one.reached, udp.count) == (0, 0)
            assert seen <= places
            assert proxy.passed == {"site.example"}

    asyncio.run(run())


def test_the_same_ways_reach_an_address_that_is_allowed() -> None:
    """The test above would notice: its listener counts, and Chromium does try."""

    async def run() -> int:
        async with canary() as one:
            guard = Guard([f"site.example:{one.page_port}", f"127.0.0.1:{one.port}"], lookup=inner)
            async with EgressProxy(guard) as proxy, Browser(proxy=proxy) as browser:
                one.pages["/attack"] = page(one, "127.0.0.1", HEADERS)
                await browser.render(f"http://site.example:{one.page_port}/attack", site_id="site")
                return one.reached

    async def inner(_host: str, _port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    assert asyncio.run(run()) > 10


def test_what_chromium_asks_of_its_own_accord_is_refused() -> None:
    async def anywhere(_host: str, _port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    async def run() -> None:
        async with canary() as one:
            guard = Guard([f"site.example:{one.page_port}", "127.0.0.0/8"], lookup=anywhere)
            async with Watched(guard) as proxy, Browser(proxy=proxy) as browser:
                one.pages["/plain"] = one.html("<title>plain</title>")
                for number in range(3):
                    await browser.render(f"http://site.example:{one.page_port}/plain?{number}", site_id="s")
                asked = proxy.hosts - {"site.example", "127.0.0.1", "0x7f.1", "localhost", "::ffff:127.0.0.1"}
                assert asked <= OF_CHROMIUM
                assert not proxy.passed & OF_CHROMIUM
                for host in sorted(OF_CHROMIUM):
                    reader, writer = await asyncio.open_connection(
                        "127.0.0.1", int(proxy.url.rpartition(":")[2])
                    )
                    writer.write(f"CONNECT {host}:{one.page_port} HTTP/1.1\r\n\r\n".encode())
                    assert (await reader.read()).startswith(b"HTTP/1.1 403 blocked")
                    writer.close()

    asyncio.run(run())


def test_no_answer_sends_a_visit_to_what_is_no_web_page() -> None:
    targets = [
        "file:///etc/passwd",
        "view-source:http://127.0.0.1/",
        "data:text/html,%72oot:x:",
        "chrome://version",
    ]

    async def run() -> None:
        async with canary() as one, EgressProxy(guarded(one)) as proxy, Browser(proxy=proxy) as browser:
            base = f"http://site.example:{one.page_port}"
            for number, target in enumerate(targets):
                one.pages[f"/hop{number}"] = one.hop(target)
                refresh = f"<meta http-equiv=refresh content='0;url={target}'><p>here</p>"
                one.pages[f"/refresh{number}"] = one.html(refresh)
                script = f"<p>here</p><script>location.href = '{target}'</script>"
                one.pages[f"/script{number}"] = one.html(script)
                for way in ("hop", "refresh", "script"):
                    found = await browser.render(f"{base}/{way}{number}", site_id="site")
                    assert "root:x:" not in found.dom, (way, target, found)
                    assert found.error or found.final_url.startswith(base), (way, target, found)
                    assert found.final_url.startswith("http"), (way, target, found)
                assert (await browser.render(target, site_id="site")).error == "scheme"

    asyncio.run(run())


def test_name_that_changes_its_address_stays_at_the_one_that_was_checked() -> None:
    """A page reloads its own name, which now means an inner address: Chromium never looks a name up itself."""

    async def run() -> tuple[int, int]:
        answers = iter([["127.0.0.1"]])
        asked: list[str] = []

        async def rebinding(host: str, port: int) -> Sequence[str]:
            if host != "site.example":
                raise OSError(host)
            asked.append(host)
            return next(answers, ["10.0.0.1"])

        async with canary() as one:
            guard = Guard([f"site.example:{one.page_port}"], lookup=rebinding)
            async with EgressProxy(guard) as proxy, Browser(proxy=proxy) as browser:
                one.pages["/again"] = one.html(
                    "<title>again</title><script>for (let i = 0; i < 9; i++) "
                    "fetch(`/again?${i}`, {cache: 'no-store'})</script>"
                )
                found = await browser.render(f"http://site.example:{one.page_port}/again", site_id="site")
                assert found.title == "again"
            return len(asked), sum(path.startswith("/again") for path in one.asked)

    lookups, requests = asyncio.run(run())
    assert lookups == 1
    assert requests == 10


def test_the_file_that_must_not_be_shown_is_there() -> None:
    assert Path("/etc/passwd").read_text("utf-8").startswith("root:")
