"""Link verdicts: what counts as dead, wrong, alive or undecided, and how often a target is asked."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import linkfarm
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from govcrawl.egress import Guard
from govcrawl.items import LinkCheck, LinkState
from govcrawl.links import LinkChecker, Seen, normalise
from govcrawl.links.address import follow, leads_home, made_up, neighbourhood
from govcrawl.links.checker import settle
from govcrawl.links.reading import Answer, alike, refreshes_to, refusal, says_gone, unpack
from govcrawl.pace import Pace

NOW = datetime(2023, 9, 20, tzinfo=UTC)


def checker(**options: Any) -> LinkChecker:
    defaults: dict[str, Any] = {
        "pace": Pace(delay=0, per_host=16),
        "user_agent": "govcrawl test",
        "timeout": 10.0,  # far above what a busy machine needs: only the silent kinds run into theirs
        "retries": (0.0, 0.0, 0.0),
        "now": lambda: NOW,
    }
    return LinkChecker(**(defaults | options))


async def decide(targets: Sequence[str], **options: Any) -> dict[str, LinkCheck]:
    links = checker(**options)
    try:
        return {check.target: check async for check in links.check_many(targets)}
    finally:
        await links.close()


def on_farm(scenario: Callable[[str, linkfarm.State], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        async with linkfarm.served() as (port, state):
            return await scenario(f"http://127.0.0.1:{port}", state)

    return asyncio.run(main())


def verdict(path: str, **options: Any) -> tuple[LinkCheck, Counter[str]]:
    async def scenario(base: str, state: linkfarm.State) -> tuple[LinkCheck, Counter[str]]:
        found = await decide([base + path], **options)
        methods = Counter(method for method, target in state.log if target == path)
        return next(iter(found.values())), methods

    return on_farm(scenario)


@pytest.mark.parametrize(
    ("path", "state", "reason", "requests"),
    [
        ("/plain/1.html", "alive", "", {"GET": 1}),
        ("/file/1.pdf", "alive", "", {"HEAD": 1}),
        ("/large/1.html", "alive", "", {"GET": 1}),
        ("/gbk/1.htm", "alive", "", {"GET": 1}),
        ("/dribble/1.html", "alive", "", {"GET": 1}),
        ("/head405/1.pdf", "alive", "", {"HEAD": 1, "GET": 1}),
        ("/headreset/1.zip", "alive", "", None),
        ("/headlies/1.pdf", "dead", "http_404", {"HEAD": 2, "GET": 2}),
        ("/flap503/1.html", "alive", "", None),
        ("/flap404/1.html", "alive", "", {"GET": 2}),
        ("/flapreset/1.html", "alive", "", {"GET": 3}),
        ("/flapsilent/1.html", "alive", "", {"GET": 2}),
        ("/cookie/1.html", "alive", "", {"GET": 2}),
        ("/moved/1.html", "alive", "", {"GET": 1}),
        ("/refresh/1.html", "alive", "", {"GET": 1}),
        ("/about404/1.html", "alive", "", {"GET": 1}),
        ("/catchall/real-1.html", "alive", "", {"GET": 1}),
        ("/gone404/1.html", "dead", "http_404", {"GET": 2}),
        ("/gone410/1.html", "dead", "http_410", {"GET": 2}),
        ("/broken500/1.html", "dead", "http_500", {"GET": 4}),
        ("/reset/1.html", "dead", "reset", None),
        ("/movedgone/1.html", "dead", "http_404", {"GET": 2}),
        ("/catchall/1.html", "wrong", "soft_404: as a made-up address", {"GET": 1}),
        ("/home/1.html", "wrong", "redirect_home", {"GET": 1}),
        ("/home/2.html", "wrong", "redirect_home", {"GET": 1}),
        ("/jumphome/1.html", "wrong", "redirect_home", {"GET": 1}),
        ("/errorpage/1.html", "wrong", "redirect_error_page", {"GET": 1}),
        ("/barred403/1.html", "unknown", "http_403", {"GET": 1}),
        ("/barred401/1.html", "unknown", "http_401", {"GET": 1}),
        ("/challenge412/1.html", "unknown", "challenge", {"GET": 1}),
        ("/challenge200/1.html", "unknown", "challenge", {"GET": 1}),
        ("/waf/1.html", "unknown", "waf", {"GET": 1}),
    ],
)
def test_verdict_and_number_of_requests(
    path: str, state: str, reason: str, requests: dict[str, int] | None
) -> None:
    check, methods = verdict(path, timeout=0.3 if "silent" in path else 10.0)
    assert (check.state, check.reason, check.decided_by) == (state, reason, "http")
    assert requests is None or methods == requests


@pytest.mark.parametrize(
    "path", [f"/soft/{n}.html" for n in range(6)] + ["/softgbk/1.html", "/softframe/1.html"]
)
def test_a_page_that_says_it_is_gone_is_wrong_whatever_its_status(path: str) -> None:
    check, _ = verdict(path)
    assert (check.state, check.status) == (LinkState.WRONG, 200)
    assert check.reason.startswith("soft_404: ")


def test_a_silent_target_is_dead_after_all_tries() -> None:
    check, methods = verdict("/silent/1.html", timeout=0.02)
    assert (check.state, check.error) == (LinkState.DEAD, "timeout")
    assert [attempt.error for attempt in check.attempts] == ["timeout"] * 4
    assert methods == {"GET": 4}


def test_an_endless_redirect_is_dead() -> None:
    check, _ = verdict("/loop/1.html")
    assert (check.state, check.error) == (LinkState.DEAD, "redirect_loop")


@pytest.mark.parametrize(
    ("location", "state", "error"),
    [
        ("", "dead", "redirect_nowhere"),
        ("weixin://app", "unknown", "redirect_scheme"),
        ("http://127.0.0.1:99999/", "dead", "invalid_url"),
    ],
)
def test_redirects_that_cannot_be_followed(location: str, state: str, error: str) -> None:
    async def scenario(base: str, farm: linkfarm.State) -> LinkCheck:
        farm.pages["/r.html"] = linkfarm.answer(302, **({"Location": location} if location else {}))
        return next(iter((await decide([f"{base}/r.html"])).values()))

    check = on_farm(scenario)
    assert (check.state, check.error) == (state, error)


def certificate(folder: Path) -> ssl.SSLContext:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "expired.gov.cn")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(datetime(2020, 1, 1))  # noqa: DTZ001  (the builder wants naive UTC)
        .not_valid_after(datetime(2021, 1, 1))  # noqa: DTZ001
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(pem)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def test_a_bad_certificate_is_noted_and_not_dead(tmp_path: Path) -> None:
    async def main() -> LinkCheck:
        state = linkfarm.State()
        loop = asyncio.get_running_loop()
        context = certificate(tmp_path)
        server = await loop.create_server(lambda: linkfarm.Farm(state), "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        found = await decide([f"https://127.0.0.1:{port}/plain/1.html"], timeout=5.0)
        server.close()
        return next(iter(found.values()))

    check = asyncio.run(main())
    assert (check.state, check.reason) == (LinkState.ALIVE, "tls_unverified")


def test_a_port_that_speaks_no_tls_is_left_undecided() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(linkfarm.answer(400))
        writer.close()

    async def main() -> LinkCheck:
        server = await asyncio.start_server(plain, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        found = await decide([f"https://127.0.0.1:{port}/plain/1.html"], timeout=5.0)
        server.close()
        return next(iter(found.values()))

    check = asyncio.run(main())
    assert (check.state, check.error) == (LinkState.UNKNOWN, "tls")


def test_a_name_is_looked_up_once_for_all_its_links(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real = socket.getaddrinfo

    def look_up(host: str, *rest: Any, **options: Any) -> Any:
        asked.append(host)
        return real("127.0.0.1", *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)

    async def scenario(base: str, _state: linkfarm.State) -> dict[str, LinkCheck]:
        port = base.rpartition(":")[2]
        return await decide([f"http://a.farm.test:{port}/plain/{n}.html" for n in range(1, 9)])

    assert {check.state for check in on_farm(scenario).values()} == {LinkState.ALIVE}
    assert asked == ["a.farm.test"]


def test_a_name_that_does_not_resolve_is_asked_again_and_then_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(*_rest: Any, **_options: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    (check,) = asyncio.run(decide(["http://nosuch.gov.cn/"])).values()
    assert (check.state, check.error) == (LinkState.DEAD, "dns")
    assert [attempt.error for attempt in check.attempts] == ["dns"] * 4


def test_a_closed_port_is_dead() -> None:
    async def scenario(_base: str, _state: linkfarm.State) -> dict[str, LinkCheck]:
        return await decide([f"http://127.0.0.1:{linkfarm._closed_port()}/a"])

    (check,) = on_farm(scenario).values()
    assert (check.state, check.error, len(check.attempts)) == (LinkState.DEAD, "refused", 4)


@pytest.mark.slow
def test_the_whole_farm_is_judged_right() -> None:
    async def scenario(base: str, _state: linkfarm.State) -> list[tuple[linkfarm.Link, LinkCheck]]:
        links = linkfarm.links(int(base.rpartition(":")[2]))
        options = {"pace": Pace(delay=0, per_host=64), "timeout": 1.5, "retries": (0.0, 0.1, 0.2)}
        found = await decide([link.url for link in links], **options)
        return [(link, found[normalise(link.url)]) for link in links]

    judged = on_farm(scenario)
    called = Counter((link.truth, check.state in ("dead", "wrong")) for link, check in judged)
    right, all_called = called["gone", True], sum(count for (_, gone), count in called.items() if gone)
    assert len(judged) >= 600
    assert sum(link.truth == "alive" for link, _ in judged) * 2 >= len(judged)
    assert right / all_called >= 0.99
    assert right / (right + called["gone", False]) >= 0.98
    assert {check.state for link, check in judged if link.truth == "barred"} == {LinkState.UNKNOWN}


@pytest.mark.parametrize(
    "junk", ["<", "<!--", "<script", "<title", "<h1>", "您访问的页面", "document.cookie=", "&#"]
)
def test_hostile_text_is_read_in_time(junk: str) -> None:
    answer = shown((junk * 40_000).encode()[: 32 * 1024])
    began = time.process_time()
    assert refreshes_to(answer) == ""
    assert isinstance(says_gone(answer), str)
    assert isinstance(refusal(answer), str)
    assert alike(answer, answer)
    assert time.process_time() - began < 2.0


def test_spellings_of_one_target_are_asked_once() -> None:
    async def scenario(base: str, state: linkfarm.State) -> Any:
        port = base.rpartition(":")[2]
        found = await decide(
            [
                f"{base}/variant/文1.html",
                f"{base}/variant/%E6%96%871.html",
                f"{base}/variant/%e6%96%871.html#top",
                f"HTTP://127.0.0.1:{port}/a/../variant/%E6%96%871.html",
            ]
        )
        return found, [target for _, target in state.log if target.startswith("/variant/%")]

    found, asked = on_farm(scenario)
    assert [check.state for check in found.values()] == [LinkState.ALIVE]
    assert asked == ["/variant/%E6%96%871.html"]


def test_running_and_finished_checks_are_shared() -> None:
    async def scenario(base: str, state: linkfarm.State) -> int:
        links = checker()

        async def ask() -> list[LinkCheck]:
            return [check async for check in links.check_many([f"{base}/plain/1.html"])]

        first, second = await asyncio.gather(ask(), ask())
        assert first == second == await ask()
        await links.close()
        return sum(target == "/plain/1.html" for _, target in state.log)

    assert on_farm(scenario) == 1


def test_a_waiting_retry_does_not_hold_others() -> None:
    async def scenario(base: str, _state: linkfarm.State) -> list[str]:
        links = checker(pace=Pace(delay=0, per_host=1), retries=(0.05,))
        targets = [f"{base}/flapreset/2.html", *(f"{base}/plain/{n}.html" for n in range(5))]
        order = [check.target.removeprefix(base) async for check in links.check_many(targets)]
        await links.close()
        return order

    order = on_farm(scenario)
    assert len(order) == 6
    assert order[-1] == "/flapreset/2.html"


def test_one_made_up_address_serves_all_links_beside_it() -> None:
    async def scenario(base: str, state: linkfarm.State) -> int:
        await decide([f"{base}/catchall/{n}.html" for n in range(1, 30)])
        return len(state.log)

    assert on_farm(scenario) == 31  # 29 links, the made-up address, the home page


def test_a_limited_host_is_asked_again_after_its_hold() -> None:
    async def scenario(base: str, state: linkfarm.State) -> Any:
        slept: list[float] = []

        async def sleep(seconds: float) -> None:
            slept.append(seconds)
            clock[0] += seconds
            state.tokens = 10.0  # the bucket has filled up meanwhile
            await asyncio.sleep(0)

        clock = [0.0]
        pace = Pace(delay=0, per_host=1, clock=lambda: clock[0], sleep=sleep)
        host = base.replace("127.0.0.1", linkfarm.LIMITED_HOST)
        found = await decide([f"{host}/limited/{n}.html" for n in range(14)], pace=pace)
        return Counter(check.state for check in found.values()), slept

    states, slept = on_farm(scenario)
    assert states == {LinkState.ALIVE: 14}
    assert slept[0] == pytest.approx(1.0)


def test_a_proxy_answers_for_names_that_do_not_resolve() -> None:
    async def scenario(base: str, _state: linkfarm.State) -> dict[str, LinkCheck]:
        return await decide(["http://a.farm.test/plain/1.html", "http://nosuch.invalid/"], proxy=base)

    found = on_farm(scenario)
    assert found["http://a.farm.test/plain/1.html"].state is LinkState.ALIVE
    dead = found["http://nosuch.invalid/"]
    assert (dead.state, dead.status, len(dead.attempts)) == (LinkState.DEAD, 502, 4)


def test_a_proxy_that_is_down_makes_no_link_dead() -> None:
    async def scenario(_base: str, _state: linkfarm.State) -> dict[str, LinkCheck]:
        proxy = f"http://127.0.0.1:{linkfarm._closed_port()}"
        return await decide(["http://a.farm.test/plain/1.html"], proxy=proxy)

    (check,) = on_farm(scenario).values()
    assert (check.state, check.error) == (LinkState.UNKNOWN, "proxy")


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f.1", "localhost", "[::ffff:127.0.0.1]"])
def test_the_guard_is_asked_before_every_hop(host: str) -> None:
    async def scenario(base: str, state: linkfarm.State) -> Any:
        port = base.rpartition(":")[2]
        found = await decide([f"http://{host}:{port}/plain/1.html"], allow=lambda *_: False)
        return next(iter(found.values())), state.log

    check, log = on_farm(scenario)
    assert (check.state, check.error) == (LinkState.UNKNOWN, "forbidden_address")
    assert log == []


def test_a_redirect_past_the_guard_is_not_followed() -> None:
    async def scenario(base: str, state: linkfarm.State) -> Any:
        port = base.rpartition(":")[2]
        state.pages["/out/1.html"] = linkfarm.answer(
            302, Location=f"http://{linkfarm.LIMITED_HOST}:{port}/limited/1.html"
        )
        found = await decide(
            [f"{base}/out/1.html"], allow=lambda _host, _port, ip: ip != linkfarm.LIMITED_HOST
        )
        return next(iter(found.values())), [target for _, target in state.log]

    check, asked = on_farm(scenario)
    assert (check.state, check.error) == (LinkState.UNKNOWN, "forbidden_address")
    assert asked == ["/out/1.html"]


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f.1", "localhost", "127。0。0。1", "[::1]"])
def test_a_proxy_is_not_sent_to_inner_addresses(host: str) -> None:
    async def scenario(base: str, state: linkfarm.State) -> Any:
        guard = Guard([base.partition("//")[2]])
        found = await decide([f"http://{host}:9/a.html"], proxy=base, allow=guard.permits)
        return next(iter(found.values())), state.log

    check, log = on_farm(scenario)
    assert (check.state, check.error) == (LinkState.UNKNOWN, "forbidden_address")
    assert log == []


def test_an_exception_for_one_port_opens_no_other() -> None:
    async def scenario(base: str, state: linkfarm.State) -> Any:
        port = int(base.rpartition(":")[2])
        targets = [f"http://{host}:{port}/plain/1.html" for host in ("127.0.0.1", "localhost")]
        passed = await decide(targets, allow=Guard([f"127.0.0.1:{port}"]).permits)
        barred = await decide(targets, allow=Guard(["127.0.0.1:9", "localhost:9"]).permits)
        named = await decide(targets[1:], allow=Guard([f"localhost:{port}"]).permits)
        return [[one.error for _, one in sorted(found.items())] for found in (passed, barred, named)]

    inner = "forbidden_address"
    assert on_farm(scenario) == [[None, inner], [inner, inner], [None]]


@pytest.mark.parametrize(
    ("target", "state", "error"),
    [
        ("mailto:a@b.cn", LinkState.UNKNOWN, "scheme"),
        ("ftp://a.gov.cn/x", LinkState.UNKNOWN, "scheme"),
        ("javascript:void(0)", LinkState.UNKNOWN, "scheme"),
        ("http://", LinkState.DEAD, "invalid_url"),
        ("http://127.0.0.1:99999/", LinkState.DEAD, "invalid_url"),
    ],
)
def test_addresses_that_cannot_be_asked(target: str, state: LinkState, error: str) -> None:
    (check,) = asyncio.run(decide([target])).values()
    assert (check.state, check.error) == (state, error)


def test_closing_answers_who_still_waits() -> None:
    async def scenario(base: str, _state: linkfarm.State) -> list[LinkCheck]:
        links = checker(timeout=30.0)

        async def ask() -> list[LinkCheck]:
            return [check async for check in links.check_many([f"{base}/silent/1.html"])]

        waiting = asyncio.ensure_future(ask())
        for _ in range(5):
            await asyncio.sleep(0)
        await links.close()
        return await waiting

    (check,) = on_farm(scenario)
    assert (check.state, check.reason) == (LinkState.UNKNOWN, "stopped")


def test_the_browser_is_asked_about_everything_but_live_links() -> None:
    asked: list[str] = []

    async def look(url: str) -> Seen | None:
        asked.append(url.partition("/")[2].partition("/")[2].partition("/")[2])
        if "barred" in url:
            return Seen(200, url, 5000, "某某页面")
        if "gone404" in url:
            raise RuntimeError("the browser crashed")
        return None

    async def scenario(base: str, _state: linkfarm.State) -> dict[str, LinkCheck]:
        paths = ("plain/1.html", "gone404/1.html", "barred403/1.html", "home/1.html")
        found = await decide([f"{base}/{path}" for path in paths], second_opinion=look)
        return {target.removeprefix(f"{base}/"): check for target, check in found.items()}

    found = on_farm(scenario)
    assert {path: str(check.state) for path, check in found.items()} == {
        "plain/1.html": "alive",
        "gone404/1.html": "dead",
        "barred403/1.html": "alive",
        "home/1.html": "wrong",
    }
    assert found["barred403/1.html"].decided_by == "browser"
    assert sorted(asked) == ["barred403/1.html", "gone404/1.html", "home/1.html"]


def test_the_browser_is_not_sent_to_forbidden_addresses() -> None:
    asked: list[str] = []

    async def look(url: str) -> Seen | None:
        asked.append(url)
        return None

    targets = ["http://169.254.169.254/latest", "mailto:a@b.cn"]
    asyncio.run(decide(targets, allow=lambda *_: False, second_opinion=look))
    assert asked == []


T = "http://a.gov.cn/col/1.html"


@pytest.mark.parametrize(
    ("state", "reason", "seen", "expected"),
    [
        ("dead", "http_404", Seen(200, T, 900, "通知"), "alive"),
        ("dead", "http_404", Seen(404, T, 900, "通知"), "dead"),
        ("dead", "timeout", Seen(None, T, 0, error="timeout"), "dead"),
        ("dead", "http_404", Seen(200, T, 900, "404 页面不存在"), "wrong"),
        ("dead", "http_404", Seen(200, "http://a.gov.cn/", 900, "某市人民政府"), "wrong"),
        ("unknown", "challenge", Seen(200, T, 900, "通知"), "alive"),
        ("unknown", "challenge", Seen(412, T, 0), "unknown"),
        ("unknown", "http_403", Seen(404, T, 30), "dead"),
        ("unknown", "http_403", Seen(200, T, 10), "unknown"),
        ("wrong", "redirect_home", Seen(200, "http://a.gov.cn/", 900, "某市"), "wrong"),
        ("wrong", "soft_404: 页面不存在", Seen(200, T, 60, "提示"), "wrong"),
        ("wrong", "soft_404: as a made-up address", Seen(200, T, 5000, "首页"), "wrong"),
        ("unknown", "script_shell", Seen(200, T, 5000, "通知"), "alive"),
        ("unknown", "script_shell", Seen(200, T, 100, "通知"), "unknown"),
    ],
)
def test_what_the_browser_saw_settles_the_verdict(state: str, reason: str, seen: Seen, expected: str) -> None:
    assert settle(LinkCheck(T, LinkState(state), reason=reason), seen).state == expected


def shown(body: str | bytes, status: int = 200, target: str = T, kind: str = "text/html") -> Answer:
    data = body.encode() if isinstance(body, str) else body
    return Answer(target, target, status, "GET", {"Content-Type": kind}, data)


@pytest.mark.parametrize(
    "body",
    [
        "<title>页面不存在</title>" + "菜单" * 2000,
        "<title>404</title>",
        "<p>您访问的页面不存在</p>",
        "<p>该文章已被删除</p>",
        "<p>对不起，您查找的信息已下线。</p>" + "<li>栏目</li>" * 400,
        "<h1>HTTP Status 404 – Not Found</h1>",
        "<p>The requested URL was not found on this server.</p>",
        "<p>找不到该网页</p>",
        "<p>没有找到相关的内容</p>",
        "<title>系统错误</title><p>请稍后再试</p>",
    ],
)
def test_pages_that_say_they_are_gone(body: str) -> None:
    assert says_gone(shown(body))
    assert says_gone(shown(body.encode("gb18030"), kind="text/html; charset=gbk"))
    declared = b"<meta charset=gb2312>" + body.encode("gb18030")
    assert says_gone(shown(declared, kind="text/html; charset=utf-8"))  # the header is wrong


@pytest.mark.parametrize(
    "body",
    [
        "<title>某某市第404次常务会议</title><p>会议指出</p>",
        "<title>关于删除失效文件的通知</title><p>各单位：现将有关事项通知如下</p>",
        "<p>本市404路公交车调整线路</p>",
        "<title>网友留言</title><h3>网站页面打不开</h3>"
        + "<p>您好，反映页面不存在的问题已收到，谢谢监督。</p>" * 30,
        "<title>市政府办公室关于公布继续有效、废止、失效文件的通知</title>" + "<p>文件目录如下。</p>" * 80,
        "<p>联系电话 0571-404040</p>",
        "<title>公告</title><p>" + "正文内容。" * 90 + "原链接已失效。</p>",
    ],
)
def test_pages_that_only_mention_such_words(body: str) -> None:
    assert not says_gone(shown(body))


@pytest.mark.parametrize(
    ("body", "status", "name"),
    [
        (
            "<script>document.cookie='__jsl_clearance_s=1';location.href=location.href</script>",
            521,
            "challenge",
        ),
        (
            "<script>var arg1='A';function setCookie(){document.cookie='acw_sc__v2=1'}</script>",
            200,
            "challenge",
        ),
        ("<title>Just a moment...</title>", 503, "challenge"),
        ("<p>请完成验证后继续访问</p>", 200, "challenge"),
        ("<p>您的请求带有不合法参数，已被网站管理员设置拦截！</p><p>网站防火墙</p>", 403, "waf"),
        ("<title>通知</title><p>" + "正文" * 400 + "访问被拒绝</p>", 200, ""),
        ("<p>正常的短页面</p>", 200, ""),
    ],
)
def test_barriers_are_named(body: str, status: int, name: str) -> None:
    assert refusal(shown(body, status)) == name


@pytest.mark.parametrize(
    ("body", "goal"),
    [
        ('<meta http-equiv="refresh" content="0;url=/new/">', "/new/"),
        ("<META HTTP-EQUIV=Refresh CONTENT='3; URL=http://b.gov.cn/'>", "http://b.gov.cn/"),
        ("<script>window.location='/a.html'</script>", "/a.html"),
        ('<script>location.replace("b.html")</script>', "b.html"),
        ('<meta http-equiv="refresh" content="600;url=/">', ""),
        ("<p>" + "正文" * 60 + "</p><script>location.href='/x'</script>", ""),
    ],
)
def test_pages_that_only_send_on(body: str, goal: str) -> None:
    assert refreshes_to(shown(body)) == goal


def test_likeness_ignores_own_address_and_numbers_but_not_content() -> None:
    def built(target: str, more: str = "") -> Answer:
        words = "".join(f"<p>栏目第{n}段内容</p>" for n in "甲乙丙丁戊己庚辛")
        return shown(f"<title>某市</title>{words}<i>{target} 2023-09-20</i>{more}", target=target)

    fake = built("http://a.gov.cn/col/made-up.html")
    assert alike(built("http://a.gov.cn/col/77.html"), fake)
    assert not alike(
        built("http://a.gov.cn/col/77.html", "<p>关于印发实施方案的通知，请认真贯彻执行</p>"), fake
    )


def test_compressed_beginnings_are_read_and_bombs_cut() -> None:
    assert unpack(gzip.compress(b"<p>x"), "gzip") == b"<p>x"
    assert len(unpack(gzip.compress(bytes(10_000_000)), "gzip")) <= 32 * 1024
    assert unpack(b"plain", "gzip") == b"plain"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://www.a.gov.cn", "http://www.a.gov.cn/"),
        (" HTTP://WWW.A.gov.CN:80/B/#x ", "http://www.a.gov.cn/B/"),
        ("https://a.gov.cn:443/?", "https://a.gov.cn/"),
        ("http://a.gov.cn:8080/", "http://a.gov.cn:8080/"),
        ("http://a.gov.cn./x", "http://a.gov.cn/x"),
        ("http://a.gov.cn/%7euser/%e4%bd%a0", "http://a.gov.cn/~user/%E4%BD%A0"),
        ("http://a.gov.cn/你 好?q=你", "http://a.gov.cn/%E4%BD%A0%20%E5%A5%BD?q=%E4%BD%A0"),
        ("http://a.gov.cn/a/./b/../c", "http://a.gov.cn/a/c"),
        ("http://a.gov.cn/../../x", "http://a.gov.cn/x"),
        ("http://a.gov.cn/a/b/..", "http://a.gov.cn/a/"),
        ("http:\\\\a.gov.cn\\b", "http://a.gov.cn/b"),
        ("http://a.gov.cn/a\n/b\t", "http://a.gov.cn/a/b"),
        ("http://政务.cn/", "http://xn--zfr164b.cn/"),
        ("http://[::1]:80/", "http://[::1]/"),
        ("http://a.gov.cn/100%", "http://a.gov.cn/100%"),
        ("http://a.gov.cn/a%2Fb", "http://a.gov.cn/a%2Fb"),
        ("http://a.gov.cn?x=1", "http://a.gov.cn/?x=1"),
        ("mailto:A@b.cn", "mailto:A@b.cn"),
    ],
)
def test_one_spelling_for_each_address(url: str, expected: str) -> None:
    assert normalise(url) == expected


@given(st.text(max_size=40).map(lambda tail: f"http://a.gov.cn{tail}") | st.text(max_size=30))
def test_normalising_twice_changes_nothing(url: str) -> None:
    once = normalise(url)
    assert normalise(once) == once


def test_redirects_in_raw_gbk_keep_their_bytes() -> None:
    raw = "/通知.html".encode("gbk").decode("utf-8", "surrogateescape")
    assert follow("http://a.gov.cn/x", raw) == "http://a.gov.cn/%CD%A8%D6%AA.html"


@pytest.mark.parametrize(
    ("target", "final", "expected"),
    [
        ("http://a.gov.cn/col/1.html", "http://a.gov.cn/", True),
        ("http://a.gov.cn/col/1.html", "https://www.b.gov.cn/index.html", True),
        ("http://a.gov.cn/index.html", "https://a.gov.cn/", False),
        ("http://a.gov.cn/", "https://www.b.gov.cn/", False),
        ("http://a.gov.cn/zh/", "http://a.gov.cn/", False),
        ("http://a.gov.cn/out?to=http%3A%2F%2Fb.cn%2F", "http://b.cn/", False),
        ("http://a.gov.cn/col/1.html", "http://a.gov.cn/col/2.html", False),
    ],
)
def test_redirects_that_lead_home(target: str, final: str, expected: bool) -> None:
    assert leads_home(target, final) is expected


def test_a_made_up_address_sits_beside_its_model() -> None:
    assert made_up("http://a.gov.cn/col/12/x.html?y=1").startswith("http://a.gov.cn/col/12/")
    assert made_up("http://a.gov.cn/col/12/x.html").endswith(".html")
    assert neighbourhood("http://a.gov.cn/col12/x.html") == neighbourhood("http://a.gov.cn/col7/y/z.html")


def test_saved_pages_are_neither_gone_nor_barred() -> None:
    folder = Path(__file__).parents[2] / "shared" / "pages"
    if not folder.is_dir():
        pytest.skip("the folder of saved pages is not beside the checkout")
    wrong = {}
    for path in sorted(folder.glob("*.html")):
        answer = shown(path.read_bytes()[: 32 * 1024])
        found = says_gone(answer) or refusal(answer)
        if found:
            wrong[path.name] = found
    assert wrong == {}
