"""The synthetic province: determinism, truth that is really served, and the server's behaviours."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urldefrag, urljoin, urlsplit

import pytest
from lxml import html

from tests.probing import KINDS
from tests.province.farm import Farm
from tests.province.judge import judge
from tests.province.model import AT, FORTNIGHT, MARKS, Answer, Site, Truth
from tests.province.planting import RULES, TRAPS
from tests.province.render import home_columns, home_entries
from tests.province.server import Server
from tests.province.truth import read_truth, truth
from tests.province.world import World, make

_SMALL = 24


@pytest.fixture(scope="module")
def world() -> World:
    return World(_SMALL)


@pytest.fixture(scope="module")
def whole() -> World:
    return World()


@pytest.fixture(scope="module")
def everything(whole: World) -> dict[str, list[Truth]]:
    """The truth of the whole province by host."""
    return {site.host: truth(site) for site in whole.sites()}


def _path(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    path = parts.path or "/"
    return parts.hostname or "", f"{path}?{parts.query}" if parts.query else path


def _text(world: World, url: str) -> str:
    site = world.site(urlsplit(url).hostname or "")
    body = world.answer(*_path(url)).body
    return body.decode("gb18030" if site.frame.encoding == "gbk" else "utf-8-sig")


def _document(text: str) -> html.HtmlElement:
    return html.document_fromstring(text.encode(), parser=html.HTMLParser(encoding="utf-8"))


def _is_dead(world: World, url: str) -> bool:
    answer = world.answer(*_path(url))
    if answer.status == 301:
        return _is_dead(world, urljoin(url, answer.location))
    soft = any("页面不存在".encode(name) in answer.body for name in ("utf-8", "gb18030"))
    return answer.reset or answer.status != 200 or soft


def _links(world: World, url: str) -> Iterator[str]:
    for element in _document(_text(world, url)).iter("a", "img", "script", "iframe", "link"):
        target = (element.get("href") or element.get("src") or "").strip()
        if target and not target.lower().startswith(("javascript:", "mailto:", "#")):
            yield urldefrag(urljoin(url, target))[0]


def test_the_whole_province_has_the_right_mix(whole: World) -> None:
    kinds = [plan.kind for plan in whole.plans]
    assert (kinds.count("portal"), kinds.count("department")) == (102, 438)
    assert len({plan.url for plan in whole.plans}) == len({plan.site_id for plan in whole.plans}) == 540
    unnamed = sum(not plan.platform for plan in whole.plans)
    assert 200 < unnamed < 340
    assert all(len(whole.renderer(site.host).pages) > 10 for site in whole.sites())


def test_every_fault_is_planted_on_three_platforms(whole: World, everything: dict[str, list[Truth]]) -> None:
    families: dict[str, set[str]] = defaultdict(set)
    for site in whole.sites():
        for row in everything[site.host]:
            families[row.rule].add(site.plan.family)
    assert set(families) == RULES
    assert all(len(found) >= 3 for found in families.values()), families


def test_every_trap_is_laid_on_three_platforms(whole: World) -> None:
    families: dict[str, set[str]] = defaultdict(set)
    for plan in whole.plans:
        for trap in plan.traps:
            families[trap].add(plan.family)
    assert len(families) == len(TRAPS)
    assert all(len(found) >= 3 for found in families.values()), families


def test_what_stands_around_sites_stands_on_three_platforms(whole: World) -> None:
    families: dict[object, set[str]] = defaultdict(set)
    for plan in whole.plans:
        families[plan.addresses].add(plan.family)
        families[plan.week].add(plan.family)
    assert {kind for kind in families if isinstance(kind, int)} == set(range(len(KINDS)))
    assert all(len(found) >= 3 for found in families.values()), families


def test_a_small_province_holds_each_fault(world: World) -> None:
    planted = {row.rule for site in world.sites() for row in truth(site)}
    assert RULES - planted == set()


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = make(tmp_path / "a", 12, 3), make(tmp_path / "b", 12, 3)
    for name in ("roster.csv", "truth.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    for host, renderer in ((site.host, first.renderer(site.host)) for site in first.sites()):
        for path in renderer.pages:
            assert first.answer(host, path) == second.answer(host, path)


def test_another_seed_gives_another_province(tmp_path: Path) -> None:
    make(tmp_path / "a", 12, 3)
    make(tmp_path / "b", 12, 4)
    assert (tmp_path / "a/truth.csv").read_bytes() != (tmp_path / "b/truth.csv").read_bytes()


def test_exactly_the_planted_links_are_dead(world: World) -> None:
    fates: dict[str, bool] = {}
    for site in world.sites()[::2]:
        planted = {row.url for row in truth(site) if row.rule.startswith("D4.3")}
        for path in world.renderer(site.host).pages:
            for target in set(_links(world, site.base + path)) - {site.home}:
                if target not in fates:
                    fates[target] = _is_dead(world, target) or world.answer(*_path(target)).location == "/"
                assert fates[target] == (target in planted), (site.host, path, target)


def test_truth_pages_are_served(world: World) -> None:
    for site in world.sites():
        for row in truth(site):
            if row.url and not row.url.endswith("*") and not row.rule.startswith("D4.3"):
                assert world.answer(*_path(row.url)).status in (200, 301), row


def test_blank_columns_show_no_rows_and_others_do(world: World) -> None:
    for site in world.sites():
        renderer = world.renderer(site.host)
        for column in site.columns:
            if column.form == "list" and column.state == "blank":
                assert not any(
                    entry.title in _text(world, site.base + column.path) for entry in column.entries
                )
            elif (
                column.form == "list" and column.state == "normal" and column.delivery in ("static", "cdata")
            ):
                shown = renderer.answer(column.path).body
                first = column.entries[0].title.encode("gb18030" if site.frame.encoding == "gbk" else "utf-8")
                assert len(column.entries) > renderer.platform.page_size or first in shown


def test_missing_marks_are_out_of_sight(world: World) -> None:
    patterns = dict(zip(MARKS[2:5], ("ICP备", "公网安备", "主办"), strict=True))
    for site in world.sites():
        if site.frame.footer not in ("text", "image"):
            continue
        visible = re.sub(r"<!--.*?-->", "", _text(world, site.base + "/sitemap.html"), flags=re.DOTALL)
        for mark, pattern in patterns.items():
            assert (pattern in visible) != (mark in site.frame.mark_faults), (site.host, mark)


def test_stale_homes_show_nothing_recent(whole: World, everything: dict[str, list[Truth]]) -> None:
    stale = [site for site in whole.sites() if any(row.rule == "V3" for row in everything[site.host])]
    assert stale
    for site in stale:
        shown = [entry.published for column in home_columns(site) for entry in home_entries(column)]
        assert not any(FORTNIGHT <= day <= AT for day in shown)


def test_truth_can_be_read_back(tmp_path: Path) -> None:
    world = make(tmp_path, 12)
    assert read_truth(tmp_path / "truth.csv") == [row for site in world.sites() for row in truth(site)]


# --- behind the boards ---


def _search(world: World, site: Site, words: str) -> str:
    """Search a site as its own form would."""
    form = re.search(
        r'name="searchform" action="([^"]+)".*?name="(\w+)"', _text(world, site.home + "sitemap.html")
    )
    assert form
    query = quote(words, encoding="gb18030" if site.frame.encoding == "gbk" else "utf-8")
    answer = world.answer(site.host, f"{form[1]}?{form[2]}={query}")
    body = answer.body.decode("gb18030" if site.frame.encoding == "gbk" else "utf-8-sig")
    return body.partition("搜索结果")[2].partition("ICP备")[0] if answer.status == 200 else ""


def test_searches_find_what_the_truth_says(world: World) -> None:
    for site in world.sites():
        rules = {row.rule for row in truth(site) if row.match == "site"}
        if site.depth.search == "none":
            assert "searchform" not in _text(world, site.home)
            continue
        entries = [e for c in site.columns if c.form == "list" for e in c.entries if not e.dead]
        titles = [entry.title for entry in entries[4:8]]
        found = sum(title in _search(world, site, title) for title in titles)
        assert (found == len(titles)) != bool(rules & {"D4.5a", "D4.5b"}), site.host
        title = titles[0]
        typo = f"{title[:3]}某{title[4:]}"
        assert (title in _search(world, site, typo)) == site.depth.search_fuzzy


def test_portals_with_the_bonus_find_lower_sites(whole: World, everything: dict[str, list[Truth]]) -> None:
    above = [site for site in whole.sites() if any(row.rule == "B4.1c" for row in everything[site.host])]
    for site in above[:4]:
        below = next(other for other in whole.sites() if other.plan.parent == site.plan.area_name)
        title = below.columns[0].entries[0].title
        assert title in _search(whole, site, title) or below.columns[0].entries[0].dead


def test_guides_lack_what_the_truth_says(world: World) -> None:
    words = {"办理机构": ("办理机构", "实施机关", "受理机构"), "收费标准": ("收费标准", "收费依据")}
    for site in world.sites():
        renderer = world.renderer(site.host)
        for column in site.of_kind("services"):
            for number, guide in enumerate(site.depth.guides):
                shown = _text(world, site.base + renderer.detail_path(column, number))
                for name, labels in words.items():
                    assert any(label in shown for label in labels) != (name in guide.missing)
                assert ("规定的其他材料" in shown) == (guide.vague and "办理材料" not in guide.missing)


def test_policy_files_and_interpretations_know_each_other_unless_planted(world: World) -> None:
    for site in world.sites():
        rules = {row.rule for row in truth(site)}
        for column in site.of_kind("interp"):
            for entry in column.entries:
                for policy in entry.related:
                    reading, file = (_text(world, site.base + e.path) for e in (entry, policy))
                    assert (policy.title in reading.partition("相关文件")[2]) == ("D1.8a" not in rules)
                    assert (entry.title in file.partition("相关解读")[2]) == ("D1.8b" not in rules)


# --- the judge ---


def _claim(
    rule: str, url: str = "", observed: str = "", outcome: str = "failed", site: str = "a"
) -> dict[str, str]:
    return {"site_id": site, "rule": rule, "outcome": outcome, "url": url, "observed": observed}


def test_judge_counts_pages_groups_and_optional_rows() -> None:
    rows = [
        Truth("a", "D4.3a", "http://x/1", "page", "", ""),
        Truth("a", "D4.3a", "http://x/2", "page", "", ""),
        Truth("a", "D4.7a", "http://x/3", "any", "", ""),
        Truth("a", "D4.7a", "http://x/4", "any", "", ""),
        Truth("a", "D4.7a", "http://x/5", "may", "", ""),
        Truth("a", "D4.2", "http://x/", "site", "主办单位", ""),
    ]
    claims = [
        _claim("D4.3a", "http://home/", "http://x/1"),
        _claim("D4.3a", "http://x/9"),
        _claim("D4.7a", "http://x/4#top"),
        _claim("D4.7a", "http://x/5"),
        _claim("D4.2", "http://y/", "缺少主办单位"),
        _claim("D4.2", "http://y/", "缺少联系方式", outcome="cantTell"),
    ]
    judged = judge(rows, claims)
    figures = {rule: (t.planted, t.found, t.right, t.wrong) for rule, t in judged.rules.items()}
    assert figures == {"D4.2": (1, 1, 1, 0), "D4.3a": (2, 1, 1, 1), "D4.7a": (1, 1, 2, 0)}
    assert (judged.total.precision, judged.total.recall) == (0.8, 0.75)


def test_a_bonus_is_claimed_by_passing() -> None:
    rows = [Truth("a", "B3.2a", "", "site", "", "")]
    assert judge(rows, [_claim("B3.2a", outcome="passed")]).total.found == 1
    assert judge(rows, [_claim("B3.2a", outcome="failed")]).total.found == 0


def test_a_rule_tested_nowhere_is_named_and_not_counted() -> None:
    rows = [Truth("a", "V3", "", "site", "", ""), Truth("a", "D1.5b", "", "site", "", "")]
    judged = judge(rows, [_claim("V3", outcome="untested"), _claim("V3", outcome="untested", site="b")])
    assert judged.unbound == ("V3",)
    assert (judged.total.planted, judged.total.found) == (1, 0)


# --- the server ---


async def _ask(port: int, *requests: str) -> list[bytes]:
    """Send requests over one connection and return what came back for each; empty when it was cut."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answers = []
    try:
        for request in requests:
            writer.write(f"{request} HTTP/1.1\r\nHost: www.yunjiangs.gov.cn\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
            body = b"" if request.startswith("HEAD") else await reader.readexactly(length)
            answers.append(head + body)
    except (ConnectionResetError, asyncio.IncompleteReadError):
        answers.append(b"")
    finally:
        writer.close()
    return answers


def _serve(answers: dict[str, Answer], *requests: str) -> list[bytes]:
    async def main() -> list[bytes]:
        server = Server(lambda host, path: answers.get(path, Answer(404, f"{host}{path}".encode())))
        port = await server.start()
        try:
            return await _ask(port, *requests)
        finally:
            await server.stop()

    return asyncio.run(main())


def test_absolute_and_origin_form_reach_the_same_host() -> None:
    absolute, origin = _serve({}, "GET http://www.yunjiangs.gov.cn/a?b=1", "GET /a?b=1")
    assert absolute.endswith(b"www.yunjiangs.gov.cn/a?b=1")
    assert absolute == origin


def test_connect_is_refused() -> None:
    assert _serve({}, "CONNECT www.yunjiangs.gov.cn:443")[0].startswith(b"HTTP/1.1 403")


def test_head_may_be_refused_where_get_is_not() -> None:
    head, get = _serve({"/a": Answer(body=b"ok", head_status=405)}, "HEAD /a", "GET /a")
    assert head.startswith(b"HTTP/1.1 405")
    assert get.startswith(b"HTTP/1.1 200")
    assert get.endswith(b"ok")


def test_a_flapping_page_fails_and_then_works() -> None:
    answers = _serve({"/a": Answer(body=b"ok", flaps=2)}, "GET /a", "GET /a", "GET /a", "GET /a")
    assert [answer.split(b" ")[1] for answer in answers] == [b"503", b"503", b"200", b"200"]


def test_a_reset_cuts_the_connection() -> None:
    assert _serve({"/a": Answer(reset=True)}, "GET /a") == [b""]


def test_an_unknown_name_is_a_bad_gateway(world: World) -> None:
    assert world.answer("www.yunjianglvyou.net.cn", "/").status == 502


def test_every_page_of_the_farm_can_be_reached() -> None:
    farm = Farm(400)
    seen, queue = {0}, [0]
    while queue:
        for number in farm.links(queue.pop()):
            if number not in seen:
                seen.add(number)
                queue.append(number)
    assert len(seen) == 400
    page = farm.answer(*_path(farm.url(7)))
    assert page.body.count(b"<a href") == 60
    assert 20_000 < len(page.body) < 30_000
