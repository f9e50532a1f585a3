"""A labelled farm of links on loopback: every way to be dead, wrong, barred or alive but awkward.

`python tests/linkfarm.py` serves it and prints its port and links as one line of JSON. As a forward proxy it
answers absolute-form requests for `*.farm.test` like its own and 502 for every other name.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
import socket
import struct
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass, field
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

GONE, ALIVE, BARRED = "gone", "alive", "barred"
LIMITED_HOST = "127.0.0.5"
_RATE = 25.0  # requests a second of the limited host


@dataclass(frozen=True)
class Link:
    """One link and the truth about it: gone (dead or wrong), alive, or alive to browsers only."""

    url: str
    truth: str
    kind: str


_PLAN: tuple[tuple[str, str, int, str], ...] = (
    # kind, truth, count, path
    ("plain", ALIVE, 110, "/plain/{n}.html"),
    ("gbk", ALIVE, 20, "/gbk/{n}.htm"),
    ("large", ALIVE, 8, "/large/{n}.html"),
    ("file", ALIVE, 24, "/file/{n}.pdf"),
    ("image", ALIVE, 16, "/image/{n}.jpg"),
    ("query", ALIVE, 12, "/query/show.jsp?id={n}"),
    ("slow", ALIVE, 8, "/slow/{n}.html"),
    ("dribble", ALIVE, 4, "/dribble/{n}.html"),
    ("flap503", ALIVE, 8, "/flap503/{n}.html"),
    ("flapreset", ALIVE, 8, "/flapreset/{n}.html"),
    ("flap404", ALIVE, 4, "/flap404/{n}.html"),
    ("flapsilent", ALIVE, 4, "/flapsilent/{n}.html"),
    ("head405", ALIVE, 12, "/head405/{n}.pdf"),
    ("head404", ALIVE, 8, "/head404/{n}.doc"),
    ("headreset", ALIVE, 6, "/headreset/{n}.zip"),
    ("limited", ALIVE, 20, "/limited/{n}.html"),
    ("moved", ALIVE, 12, "/moved/{n}.html"),
    ("cookie", ALIVE, 6, "/cookie/{n}.html"),
    ("refresh", ALIVE, 4, "/refresh/{n}.html"),
    ("about404", ALIVE, 8, "/about404/{n}.html"),
    ("catchallreal", ALIVE, 8, "/catchall/real-{n}.html"),
    ("gone404", GONE, 60, "/gone404/{n}.html"),
    ("gone404file", GONE, 20, "/gone404/{n}.pdf"),
    ("gone410", GONE, 20, "/gone410/{n}.html"),
    ("broken500", GONE, 16, "/broken500/{n}.html"),
    ("broken502", GONE, 8, "/broken502/{n}.html"),
    ("silent", GONE, 8, "/silent/{n}.html"),
    ("reset", GONE, 16, "/reset/{n}.html"),
    ("loop", GONE, 10, "/loop/{n}.html"),
    ("movedgone", GONE, 10, "/movedgone/{n}.html"),
    ("headlies", GONE, 10, "/headlies/{n}.pdf"),
    ("soft", GONE, 20, "/soft/{n}.html"),
    ("softgbk", GONE, 8, "/softgbk/{n}.html"),
    ("softframe", GONE, 10, "/softframe/{n}.html"),
    ("softfile", GONE, 6, "/softfile/{n}.pdf"),
    ("catchall", GONE, 16, "/catchall/{n}.html"),
    ("home", GONE, 16, "/home/{n}.html"),
    ("errorpage", GONE, 8, "/errorpage/{n}.html"),
    ("jumphome", GONE, 6, "/jumphome/{n}.html"),
    ("barred403", BARRED, 12, "/barred403/{n}.html"),
    ("barred401", BARRED, 4, "/barred401/{n}.html"),
    ("challenge412", BARRED, 8, "/challenge412/{n}.html"),
    ("challenge200", BARRED, 8, "/challenge200/{n}.html"),
    ("waf", BARRED, 6, "/waf/{n}.html"),
)
_WORDS = (
    *("市政府", "办公室", "通知", "公告", "会议", "工作", "推进", "建设", "发展", "服务"),
    *("群众", "企业", "改革", "创新", "项目", "环境", "安全", "教育", "卫生", "交通"),
)
_HTML = "text/html; charset=utf-8"


def links(port: int, origin: Callable[[str], str] | None = None) -> list[Link]:
    """Return the farm's links; `origin` gives the scheme and host of a kind (default: loopback itself)."""
    place = origin or (lambda kind: f"http://{LIMITED_HOST if kind == 'limited' else '127.0.0.1'}:{port}")
    found = [
        Link(place(kind) + path.format(n=n), truth, kind)
        for kind, truth, count, path in _PLAN
        for n in range(1, count + 1)
    ]
    base = place("plain")
    for n in range(1, 6):
        found += [
            Link(f"{base}/variant/%E6%96%87{n}.html", ALIVE, "variant"),
            Link(f"{base}/variant/%e6%96%87{n}.html", ALIVE, "variant"),
            Link(f"{base}/variant/x/../文{n}.html", ALIVE, "variant"),
            Link(f"{base.replace('http', 'HTTP', 1)}/variant/%E6%96%87{n}.html#part", ALIVE, "variant"),
        ]
    if origin is None:
        found += [
            Link(f"http://127.0.0.1:{_closed_port()}/refused/{n}.html", GONE, "refused") for n in range(12)
        ]
    return found + [Link(f"http://nosuch-{n}.invalid/x.html", GONE, "dns") for n in range(12)]


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def prose(seed: str, length: int = 600) -> str:
    """Return text that differs from seed to seed."""
    dice = random.Random(seed)
    return "".join(f"<p>{''.join(dice.choices(_WORDS, k=12))}。</p>\n" for _ in range(length // 30))


def page(title: str, body: str) -> str:
    """Return a page in the frame of a site."""
    menu = "".join(f'<li><a href="/col/{n}.html">{word}</a></li>' for n, word in enumerate(_WORDS))
    return (
        f"<!DOCTYPE html><html><head><title>{title}</title><style>li{{float:left}}</style></head><body>"
        f"<ul>{menu}</ul>{body}<div>主办：某市人民政府办公室</div></body></html>"
    )


def answer(status: int, body: str | bytes = "", kind: str = _HTML, **headers: str) -> bytes:
    """Return a response as sent; the header LinkChecker lets that program go as fast as it can."""
    data = body.encode() if isinstance(body, str) else body
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    more += f"Content-Length: {len(data)}\r\nLinkChecker: fast\r\n"
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\n{more}\r\n"
    return head.encode() + data


_NUMBERED = re.compile(r"(?:/(?:real-|文)?|id=)\d+(?:\.\w+)?$")
_NOT_FOUND = answer(404, page("404", "<h1>404 Not Found</h1>"))
_SOFT = (
    "<title>提示信息</title><body><p>抱歉，您访问的页面不存在或已被删除！</p><a href=/>返回首页</a>",
    "<html><head><title>404 Not Found</title></head><body><center>nginx</center></body></html>",
    "<title>某市人民政府</title><div class=tip>您要查看的信息不存在。</div>",
    "<title>Error</title><h2>Sorry, the page you requested could not be found.</h2>",
    "<title>文章</title><script>alert(1)</script>该文章已经被删除",
    "<title>出错了</title><p>系统出错，请联系管理员</p>",
)


def _gbk(title: str, target: str) -> bytes:
    return answer(200, page(title, '<meta charset="gb2312">' + prose(target)).encode("gbk"), "text/html")


def _about_404(title: str, target: str) -> bytes:
    talk = "<p>网友反映：打开办事指南时提示您访问的页面不存在，文章已被删除，出现404。</p>"
    return answer(200, page(title, talk + prose(target, 900)))


def _catch_all(_title: str, target: str) -> bytes:
    if "/real-" in target:
        return answer(200, page("某市人民政府门户网站", prose(target)))
    return answer(200, page("某市人民政府门户网站", prose("catchall") + f"<i>{target}</i>"))


def _soft_gbk(_title: str, _target: str) -> bytes:
    body = "<title>提示</title><p>对不起，您访问的内容已被删除</p>"
    return answer(200, body.encode("gbk"), "text/html; charset=gbk")


_BUILDERS: dict[str, Callable[[str, str], bytes]] = {
    "plain": lambda title, target: answer(200, page(title, prose(target))),
    "query": lambda title, target: answer(200, page(title, prose(target))),
    "variant": lambda title, target: answer(200, page(title, prose(unquote(target)))),
    "large": lambda title, target: answer(200, page(title, prose(target, 60_000))),
    "file": lambda _title, _target: answer(200, b"%PDF-1.4" + b"x" * 50_000, "application/pdf"),
    "image": lambda _title, _target: answer(200, b"\xff\xd8\xff" + b"x" * 5_000, "image/jpeg"),
    "gbk": _gbk,
    "about404": _about_404,
    "catchall": _catch_all,
    "soft": lambda _title, target: answer(200, _SOFT[number(target) % len(_SOFT)]),
    "softgbk": _soft_gbk,
    "softframe": lambda _title, target: answer(
        200, page("某市人民政府", f"<div><h2>页面未找到</h2><p>{target} 请返回首页</p></div>")
    ),
    "softfile": lambda _title, _target: answer(200, page("下载", "<h2>附件不存在</h2>")),
}


def number(target: str) -> int:
    """Return the number an address ends with."""
    return int(re.findall(r"\d+", target)[-1])


def build(kind: str, target: str) -> bytes | None:
    """Return what the farm always answers at an address, if it has a page there."""
    if target in ("/", "/index.html"):
        return answer(200, page("某市人民政府", prose("home")))
    if target == "/error.html":
        return answer(200, page("某市人民政府", prose("error")))
    everywhere = kind in ("catchall", "softframe", "softfile")
    if kind not in _BUILDERS or not (everywhere or _NUMBERED.search(unquote(target))):
        return None
    n = number(target) if re.search(r"\d", target) else 0
    return _BUILDERS[kind](f"关于第{n}号{_WORDS[n % 20]}的报告", target)


class Ask(NamedTuple):
    """One request."""

    method: str
    target: str
    head: bytes

    @property
    def kind(self) -> str:
        """The kind of link, the first folder of the path."""
        return self.target[1:].partition("/")[0]


@dataclass
class State:
    """What the farm remembers from one request to the next."""

    seen: Counter[str] = field(default_factory=Counter)
    log: list[tuple[str, str]] = field(default_factory=list)
    pages: dict[str, bytes] = field(default_factory=dict)
    tokens: float = 10.0
    filled: float = 0.0


class Farm(asyncio.Protocol):
    """One connection to the farm."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._data = b""
        self._busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        self._next()

    def _next(self) -> None:
        while not self._busy and (end := self._data.find(b"\r\n\r\n")) >= 0:
            head, self._data = self._data[:end], self._data[end + 4 :]
            method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
            self._state.log.append((method, target))
            self._serve(Ask(method, target, head.lower()))

    def _send(self, ask: Ask, response: bytes) -> None:
        if ask.method == "HEAD":
            response = response[: response.find(b"\r\n\r\n") + 4]
        if not self._transport.is_closing():
            self._transport.write(response)

    def _send_later(self, ask: Ask, seconds: float, response: bytes) -> None:
        self._busy = True

        def due() -> None:
            self._busy = False
            self._send(ask, response)
            self._next()

        asyncio.get_running_loop().call_later(seconds, due)

    def _reset(self) -> None:
        self._transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        self._transport.abort()

    def _dribble(self, response: bytes) -> None:
        if not response or self._transport.is_closing():
            return
        self._transport.write(response[:200])
        asyncio.get_running_loop().call_later(0.02, self._dribble, response[200:])

    def _serve(self, ask: Ask) -> None:
        if ask.target.startswith("http://"):
            parts = urlsplit(ask.target)
            if not (parts.hostname or "").endswith((".farm.test", "127.0.0.1", LIMITED_HOST)):
                self._send(ask, answer(502, "no such host"))
                return
            ask = ask._replace(target=parts.path + (f"?{parts.query}" if parts.query else ""))
        held = self._state.pages.get(ask.target)
        if held is not None:
            self._send(ask, held)
            return
        handler = getattr(self, f"on_{ask.kind}", None)
        if handler is not None and re.search(r"/\d+\.\w+$", ask.target):
            handler(ask)
            return
        built = self._state.pages[ask.target] = build(ask.kind, ask.target) or _NOT_FOUND
        self._send(ask, built)

    # -- kinds whose answer depends on the request or on what went before

    def _once(self, target: str, times: int) -> bool:
        self._state.seen[target] += 1
        return self._state.seen[target] <= times

    def _fine(self, ask: Ask) -> None:
        self._send(ask, answer(200, page(f"关于{ask.target}的报告", prose(ask.target))))

    def on_slow(self, ask: Ask) -> None:
        self._send_later(ask, 0.8, answer(200, page(ask.target, prose(ask.target))))

    def on_dribble(self, ask: Ask) -> None:
        response = answer(200, page(ask.target, prose(ask.target, 3000)))
        if ask.method == "HEAD":
            self._send(ask, response)
        else:
            self._dribble(response)

    def on_flap503(self, ask: Ask) -> None:
        if self._once(ask.target, 1 + len(ask.target) % 2):
            self._send(ask, answer(503, "busy"))
        else:
            self._fine(ask)

    def on_flap404(self, ask: Ask) -> None:
        if self._once(ask.target, 1):
            self._send(ask, _NOT_FOUND)
        else:
            self._fine(ask)

    def on_flapreset(self, ask: Ask) -> None:
        if self._once(ask.target, 2):
            self._reset()
        else:
            self._fine(ask)

    def on_flapsilent(self, ask: Ask) -> None:
        if self._once(ask.target, 1):
            self._busy = True
        else:
            self._fine(ask)

    def on_head405(self, ask: Ask) -> None:
        if ask.method == "HEAD":
            self._send(ask, answer(405))
        else:
            self._send(ask, answer(200, b"%PDF-1.4" + b"x" * 90_000, "application/pdf"))

    def on_head404(self, ask: Ask) -> None:
        if ask.method == "HEAD":
            self._send(ask, _NOT_FOUND)
        else:
            self._send(ask, answer(200, b"\xd0\xcf" + b"x" * 9_000, "application/msword"))

    def on_headreset(self, ask: Ask) -> None:
        if ask.method == "HEAD":
            self._reset()
        else:
            self._send(ask, answer(200, b"PK" + b"x" * 9_000, "application/zip"))

    def on_headlies(self, ask: Ask) -> None:
        self._send(ask, answer(200, kind=_HTML) if ask.method == "HEAD" else _NOT_FOUND)

    def on_limited(self, ask: Ask) -> None:
        now = time.monotonic()
        self._state.tokens = min(10.0, self._state.tokens + (now - self._state.filled) * _RATE)
        self._state.filled = now
        if self._state.tokens >= 1:
            self._state.tokens -= 1
            self._fine(ask)
        else:
            self._send(ask, answer(429, "slow down", Retry_After="1"))

    def on_moved(self, ask: Ask) -> None:
        n = number(ask.target)
        self._send(ask, answer((301, 302, 307, 308)[n % 4], Location=f"/plain/{n}.html"))

    def on_movedgone(self, ask: Ask) -> None:
        self._send(ask, answer(302, Location=ask.target.replace("movedgone", "gone404")))

    def on_loop(self, ask: Ask) -> None:
        n = number(ask.target)
        self._send(ask, answer(302, Location=f"/loop/{n + (1 if n % 2 else -1)}.html"))

    def on_cookie(self, ask: Ask) -> None:
        if b"cookie: pass=1" in ask.head:
            self._fine(ask)
        else:
            self._send(ask, answer(302, Location=ask.target, Set_Cookie="pass=1; Path=/"))

    def on_refresh(self, ask: Ask) -> None:
        goal = ask.target.replace("refresh", "plain")
        self._send(ask, answer(200, f'<meta http-equiv="refresh" content="0; url={goal}">'))

    def on_gone410(self, ask: Ask) -> None:
        self._send(ask, answer(410, "gone"))

    def on_broken500(self, ask: Ask) -> None:
        self._send(ask, answer(500, page("500", "Internal Server Error")))

    def on_broken502(self, ask: Ask) -> None:
        self._send(ask, answer(502, "Bad Gateway"))

    def on_silent(self, _ask: Ask) -> None:
        self._busy = True

    def on_reset(self, _ask: Ask) -> None:
        self._reset()

    def on_home(self, ask: Ask) -> None:
        n = number(ask.target)
        self._send(ask, answer(302, Location=("/", "/index.html")[n % 2]))

    def on_errorpage(self, ask: Ask) -> None:
        self._send(ask, answer(302, Location="/error.html"))

    def on_jumphome(self, ask: Ask) -> None:
        self._send(ask, answer(200, "<html><script>window.location.href='/';</script></html>"))

    def on_barred403(self, ask: Ask) -> None:
        if b"mozilla/" in ask.head and b"sec-fetch-mode" in ask.head:
            self._fine(ask)
        else:
            self._send(ask, answer(403, "Forbidden"))

    def on_barred401(self, ask: Ask) -> None:
        self._send(ask, answer(401, "login", WWW_Authenticate="Basic"))

    def on_challenge412(self, ask: Ask) -> None:
        script = "<html><script>$_ts=window['$_ts'];if(!$_ts)$_ts={};$_ts.nsd=1;</script></html>"
        self._send(ask, answer(412, script))

    def on_challenge200(self, ask: Ask) -> None:
        if b"cookie: seen=1" in ask.head:
            self._fine(ask)
        else:
            self._send(
                ask, answer(200, "<script>document.cookie='seen=1;path=/';location.reload();</script>")
            )

    def on_waf(self, ask: Ask) -> None:
        self._send(ask, answer(405, "<title>405</title>很抱歉，您的访问请求被网站防火墙拦截"))


@contextlib.asynccontextmanager
async def served(port: int = 0) -> AsyncIterator[tuple[int, State]]:
    """Serve the farm on every loopback address; yield its port and what it remembers."""
    state = State()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Farm(state), "127.0.0.1", port)
    port = server.sockets[0].getsockname()[1]
    second = await loop.create_server(lambda: Farm(state), LIMITED_HOST, port)
    try:
        yield port, state
    finally:
        server.close()
        second.close()


async def _main() -> None:
    async with served() as (port, state):
        found = links(port)
        state.pages["/all"] = answer(200, index([link.url for link in found]))
        plain = [f"http://127.0.0.1:{port}/plain/{n}.html" for n in range(1, 4001)]
        state.pages["/none"] = answer(200, index([]))
        state.pages["/alive"] = answer(200, index(plain))
        print(
            json.dumps({"port": port, "links": [asdict(link) for link in found], "alive": plain}), flush=True
        )
        await asyncio.Event().wait()


def index(urls: list[str]) -> str:
    """Return a page that links to all of these."""
    listed = "".join(f'<a href="{url}">{n}</a>\n' for n, url in enumerate(urls))
    return f"<!DOCTYPE html><html><head><title>目录</title></head><body>{listed}</body></html>"


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main())
