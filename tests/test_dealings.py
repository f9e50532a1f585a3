"""Services, messages, surveys and search of a site: state, planned visits, queries, IPv6."""

# ruff: noqa: E501  (markup in long lines)
from __future__ import annotations

import asyncio
import itertools
import random
import socket
import time
from pathlib import Path

import pytest

from govcrawl.dealings import Dealings
from govcrawl.egress import Guard
from govcrawl.extract.search import read_results
from govcrawl.inspection import Inspection
from govcrawl.items import Page, Role, Site
from govcrawl.registry import EXAMPLE_SITE, column, listing, menu, page, visit
from govcrawl.standard import load_edition
from spiders.base import _holds
from spiders.dealings import form_page, ipv6_state, lower_sites, planned, queries, title_of, titles_to_find

EDITION = load_edition()
PAGES = Path(__file__).resolve().parents[1].parent / "shared" / "pages"
FORM = "<form action=/so.jsp><input name=keyword><input type=submit value=搜索></form>"
TITLE = "市政府召开常务会议研究部署安全生产工作"
BOARD = (
    "<table><tr><th>标题</th><th>留言时间</th><th>答复时间</th></tr>"
    "<tr><td><a href=/m/1.html>路灯何时修好</a></td><td>2023-05-01</td><td></td></tr>"
    "<tr><td><a href=/m/2.html>居住证如何续签</a></td><td>2023-09-01</td><td>2023-09-04</td></tr></table>"
)
SITE_PAGES = (
    page(FORM + menu(("咨询投诉", "/zx/"), ("办事指南", "/bs/"), ("民意征集", "/dc/"))),
    column(BOARD, "/zx/", "咨询投诉"),
    column(
        "<h3>按主题分类</h3><ul><li><a href=/g/1.html>食品经营许可核发</a></li><li><a href=/g/2.html>居住证办理登记</a></li></ul>",
        "/bs/",
        "办事指南",
    ),
    column(
        listing(("公交线路调整意见征集", "2023-05-01"), ("旧城改造意见征集", "2021-05-01")),
        "/dc/",
        "民意征集",
    ),
    page(
        "<p>留言时间：2023-05-01</p><p>留言内容：路灯何时修好？</p><p>办理状态：处理中</p>",
        url="/m/1.html",
        role=Role.MESSAGE,
        column="咨询投诉",
    ),
    page(
        "<h1>食品经营许可</h1><table><tr><th>设定依据</th><td>《法》第一条</td></tr><tr><th>申请条件</th><td>无</td></tr><tr><th>办理地点</th><td>二楼</td></tr></table>",
        url="/g/1.html",
        role=Role.GUIDE,
        column="办事指南",
    ),
    page(
        "<h1>公交线路调整意见征集</h1><p>征集时间：2023-05-01至2023-05-21</p>",
        url="/a/0.html",
        role=Role.ARTICLE,
        column="民意征集",
    ),
    page(f"<a href=/a/9.html>{TITLE}</a>", url="/so.jsp?keyword=1", role=Role.SEARCH),
)
SITE_PAGES[-1].column = f"title:{TITLE}"


def facts(dealings: Dealings) -> tuple[object, ...]:
    names = (
        "elsewhere",
        "names",
        "search",
        "guides",
        "guideless",
        "service_lists",
        "listed",
        "opened",
        "boards",
        "surveys",
        "survey_rows",
        "origins",
    )
    return tuple(getattr(dealings, name) for name in names)


def test_the_order_of_arrival_does_not_matter():
    first = visit(*SITE_PAGES).dealings
    for order in itertools.islice(itertools.permutations(SITE_PAGES[1:]), 0, 5040, 601):
        assert facts(visit(SITE_PAGES[0], *order).dealings) == facts(first)


def test_a_stored_result_page_gives_the_search_again():
    dealings = visit(*SITE_PAGES).dealings
    assert dealings.searches["title", TITLE].found is True
    failed = page("", url="/so.jsp?keyword=2", role=Role.SEARCH, error="http_500")
    failed.column = "title:关于开展专项检查工作的通知"
    dealings.add(failed)
    assert dealings.searches["title", "关于开展专项检查工作的通知"].error == "http_500"


def test_links_of_a_result_page_are_not_the_sites_links():
    assert "http://www.example.gov.cn/a/9.html" not in visit(*SITE_PAGES).links


def test_what_is_opened_for_sure():
    wanted = planned(visit(*SITE_PAGES), EDITION)
    base = "http://www.example.gov.cn"
    assert set(wanted) == {
        f"{base}/g/1.html",
        f"{base}/g/2.html",
        f"{base}/m/1.html",
        f"{base}/m/2.html",
        f"{base}/a/0.html",
    }


def test_a_message_knows_its_column():
    assert visit(*SITE_PAGES).dealings.origins["http://www.example.gov.cn/m/2.html"] == (
        "咨询投诉",
        "http://www.example.gov.cn/zx/",
    )


def test_queries_of_each_purpose():
    form = visit(*SITE_PAGES).dealings.search.form
    asked = list(queries(form, [TITLE], ["下级网站要闻一则在此"]))
    assert [one.column.partition(":")[0] for one in asked] == ["title", "fuzzy", "lower"]
    assert len({one.url for one in asked}) == 3


def test_posted_queries_keep_addresses_apart():
    form = visit(page(FORM.replace("<form ", "<form method=post "))).dealings.search.form
    asked = list(queries(form, [TITLE, "关于开展专项检查工作的通知"], []))
    assert len({one.url for one in asked}) == len(asked)
    assert all(one.body for one in asked)


def test_a_search_link_leads_to_the_form():
    dealings = visit(page("<a href=/jsearch/index.html>站内搜索</a>")).dealings
    asked = form_page(dealings.search, EXAMPLE_SITE.url)
    found = page(FORM, url="/jsearch/index.html", role=Role.SEARCH)
    found.column = asked.column
    dealings.add(found)
    assert dealings.search.form is not None
    assert dealings.search.state == "link"


def test_the_browser_settles_what_scripts_may_bring():
    dealings = visit(page("<script src=/js/load.js></script>")).dealings
    assert dealings.search.state == "unseen"
    rendered = page("", url="/#search", role=Role.SEARCH)
    rendered.column, rendered.rendered, rendered.dom = "form:", True, FORM
    dealings.add(rendered)
    assert dealings.search.state == "form"


def test_names_of_the_site_read_for_titles_are_not_searched():
    named = f"<h1>{EXAMPLE_SITE.name}门户网站</h1><p>发布时间：2023-09-01</p>"
    pages = [page(named, url="/a/1.html", role=Role.ARTICLE)]
    home = page(f"<title>{EXAMPLE_SITE.name}门户网站</title><p>首页</p>")
    assert titles_to_find(visit(home, *pages), 4) == []
    same = "<h1>关于开展专项检查工作的通知</h1><p>发布时间：2023-09-01</p>"
    twice = [page(same, url=f"/a/{n}.html", role=Role.ARTICLE) for n in (1, 2)]
    assert titles_to_find(visit(page("<p>首页</p>"), *twice), 4) == []


def test_a_title_of_a_lower_level_site_counts_where_the_result_leads_there():
    own, away = "/a/1.html", "http://www.county.example.cn/a/1.html"
    through = "/jsearchfront/visit/link.do?url=http%3A%2F%2Fwww.county.example.cn%2Fa%2F1.html"
    for address, leads in ((own, False), (away, True), (through, True)):
        results = read_results(page(f"<a href={address}>关于开展专项检查工作的通知</a>", url="/so.jsp"))
        assert bool(results.away(EXAMPLE_SITE)) is leads


def test_titles_are_drawn_with_the_seed():
    pages = [
        page(
            f"<h1>关于开展第{n}次专项检查工作的通知</h1><p>发布时间：2023-09-0{n}</p>",
            url=f"/a/{n}.html",
            role=Role.ARTICLE,
        )
        for n in range(1, 8)
    ]
    state = visit(page("<p>首页</p>"), *pages)
    assert len(titles_to_find(state, 4)) == 4
    assert titles_to_find(state, 4) == titles_to_find(visit(page("<p>首页</p>"), *reversed(pages)), 4)


def test_lower_sites_of_a_portal():
    def row(site_id: str, parent: str) -> Site:
        return Site(
            site_id, "示例区人民政府", "portal", "county", "339902", parent, f"http://www.{site_id}.gov.cn/"
        )

    sites = {one.site_id: one for one in (EXAMPLE_SITE, row("a", "示例市"), row("b", "他市"))}
    assert [one.site_id for one in lower_sites(EXAMPLE_SITE, sites)] == ["a"]
    assert title_of(page(listing((TITLE, "2023-09-01"))), "s") == TITLE
    assert title_of(page("<p>首页</p>"), "s") == ""


@pytest.mark.parametrize(
    ("answers", "state"),
    [
        ({socket.AF_INET6: socket.EAI_NONAME, socket.AF_INET: None}, "none"),
        ({socket.AF_INET6: socket.EAI_NONAME, socket.AF_INET: socket.EAI_NONAME}, ""),
        ({socket.AF_INET6: socket.EAI_AGAIN}, ""),
    ],
)
def test_ipv6_of_a_name(monkeypatch, answers, state):
    async def look_up(self, host, port, *, family, type):  # noqa: A002
        if answers[family] is not None:
            raise socket.gaierror(answers[family], "no")
        return [(family, type, 6, "", ("192.0.2.1", port))]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", look_up)
    assert asyncio.run(ipv6_state("www.example.gov.cn", 80, Guard())) == state


def test_an_ipv6_address_of_the_office_itself_is_not_contacted(monkeypatch):
    async def look_up(self, host, port, *, family, type):  # noqa: A002
        return [(family, type, 6, "", ("fd00::1", port, 0, 0))]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", look_up)
    assert asyncio.run(ipv6_state("www.example.gov.cn", 80, Guard())) == ""


@pytest.mark.parametrize(
    ("listed", "state"),
    [
        ((), ""),
        (("192.0.2.7",), "none"),
        (("192.0.2.7", "::FFFF:192.0.2.7"), "none"),
        (("192.0.2.7", "2001:db8::7"), ""),  # the guard lets nobody there: nothing is known
    ],
)
def test_ipv6_by_the_hosts_file(monkeypatch, listed, state):
    monkeypatch.delattr(asyncio.BaseEventLoop, "getaddrinfo")  # DNS is not asked
    assert asyncio.run(ipv6_state("www.example.gov.cn", 80, Guard(), listed)) == state


def test_ipv6_is_reached_where_something_listens_and_else_not():
    async def states() -> tuple[str, str]:
        guard = Guard(["::1"])
        server = await asyncio.start_server(lambda _, writer: writer.close(), "::1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server:
            open_ = await ipv6_state("www.example.gov.cn", port, guard, ["::1"])
        return open_, await ipv6_state("www.example.gov.cn", port, guard, ["::1"])

    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        routed = probe.connect_ex(("::1", 80)) == 0
    if routed:
        assert asyncio.run(states()) == ("reached", "unreached")
    else:  # the machine has no IPv6, so nothing may be said against the site
        assert asyncio.run(ipv6_state("www.example.gov.cn", 80, Guard(["::1"]), ["::1"])) == "resolved"


def mutated(body: bytes, rng: random.Random) -> bytes:
    pieces = [
        b"<",
        b">",
        b"<td>",
        b"</table>",
        b"<!--",
        b"\xff",
        "留言时间：".encode(),
        "其他材料".encode(),
        b"<form action='http://[x'>",
        b"<input name=q>",
    ]
    for _ in range(rng.randrange(1, 30)):
        place = rng.randrange(len(body) + 1)
        body = body[:place] + rng.choice(pieces) + body[place + rng.randrange(0, 40) :]
    return body


@pytest.mark.parametrize(
    ("role", "name"),
    [
        (Role.HOME, ""),
        (Role.COLUMN, "咨询投诉"),
        (Role.COLUMN, "办事指南"),
        (Role.GUIDE, "办事指南"),
        (Role.MESSAGE, "咨询投诉"),
        (Role.ARTICLE, "民意征集"),
        (Role.SEARCH, "title:市政府召开常务会议"),
    ],
)
def test_no_reading_raises_on_mutated_pages(role, name):
    files = sorted(PAGES.glob("*.html"))
    if not files:
        pytest.skip("needs the shared pages")
    rng = random.Random(f"{role}{name}")
    for _ in range(40):
        one = page("", url="/x/1.html", role=role, column=name)
        one.body = mutated(rng.choice(files).read_bytes()[:60_000], rng)
        state = Inspection(one.site, one.quarter, one.at)
        state.add(one)


def test_a_hostile_board_costs_linear_time():
    nested = "<div><p>留言时间</p>" * 2_000 + "</div>" * 2_000
    rows = "<tr><td><a href=/1>x</a></td><td>2023-09-01</td></tr>" * 5_000
    one = page(f"{nested}<table>{rows}</table>", url="/zx/", role=Role.COLUMN, column="咨询投诉")
    started = time.process_time()
    Dealings().add(one)
    assert time.process_time() - started < 3


def test_a_failed_page_leaves_nothing():
    dealings = Dealings()
    dealings.add(
        Page(
            EXAMPLE_SITE,
            "2023Q3",
            "http://www.example.gov.cn/zx/",
            SITE_PAGES[0].at,
            Role.COLUMN,
            error="timeout",
        )
    )
    assert facts(dealings) == facts(Dealings())


def test_a_frame_the_browser_read_in_a_wrong_charset_is_not_taken():
    sent = "<p>主办单位：某市人民政府办公室</p>"
    garbled = sent.encode().decode("gb18030", "replace")
    assert not _holds(garbled, sent)
    assert _holds(f"<body>{sent}<p>来访</p></body>", sent)
    assert _holds("<p>新</p>", "")
