"""Evidence: what is outlined, what is chosen, what is found again, what is swept."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from bson.binary import Binary

from govcrawl.browser import Browser, Shot
from govcrawl.items import Evidence, Finding, GovcrawlError, Outcome, Page, Site, SiteDone
from govcrawl.outline import outline, shown_on
from govcrawl.standard import load_edition
from govcrawl.store import evidence, integrity
from govcrawl.store.blobs import put_file
from govcrawl.store.client import Sync, connect_async
from govcrawl.store.evidence import Picture
from govcrawl.store.ledger import finish_run, open_run
from govcrawl.store.writer import Writer
from pipelines.screenshot import PER_RULE, ScreenshotPipeline, caption, choose
from tests.inspecting import Office

AT = datetime(2023, 9, 20, tzinfo=UTC)
QUARTER = "2023Q3"
SITE = Site("hz", "杭州", "portal", "city", "330100", "", "http://hz.gov.cn/")


def page(body: str, url: str = SITE.url) -> Page:
    return Page(
        SITE, QUARTER, url, AT, body=body.encode(), headers=(("Content-Type", "text/html; charset=utf-8"),)
    )


# --- what is outlined -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "seen", "expected"),
    [
        (
            '<a href="/a">x</a><a href="../b?q=1">死链</a>',
            Evidence("http://hz.gov.cn/b?q=1", "dead", selector=SITE.url),
            ('[href="../b?q=1"]',),
        ),
        ("<p>要闻 <span>2023-08-30</span></p>", Evidence(SITE.url, "2023-08-30"), ("2023-08-30",)),
        ("<p>要闻 <span>2023年8月30日</span></p>", Evidence(SITE.url, "2023-08-30"), ("2023年8月30日",)),
        ("<p>要闻 <span>08-30</span></p>", Evidence(SITE.url, "栏目“要闻” 2023-08-30"), ("08-30",)),
        (
            '<div class="main"><p>' + "菜单 " * 60 + '</p><ul class="list"></ul></div>',
            Evidence(SITE.url, "栏目“要闻”", "有内容"),
            ('ul[class~="list"]',),
        ),
        (
            '<p>正文</p><div id="foot">版权所有</div>',
            Evidence(SITE.url, "网站标识码", "页脚有网站标识码"),
            ('[id="foot"]',),
        ),
        ("<nav>首页</nav><p>x", Evidence(SITE.url, "未见概况信息栏目", "开设概况信息栏目"), ("nav",)),
        ("<div class=nav>首页</div>", Evidence(SITE.url, "未见办事服务"), ('div[class~="nav"]',)),
        ("<ul><li>褚子衡 局长</li></ul>", Evidence(SITE.url, "褚子衡 缺少简历"), ("褚子衡",)),
        ("<h1>政策解读</h1>", Evidence(SITE.url, "栏目“政策解读” 未更新"), ("政策解读",)),
        ("<p>x</p>", Evidence(SITE.url, "首页未见搜索功能"), ()),
        ("<p>x</p>", Evidence(SITE.url, "x", selector="#y"), ("#y",)),
    ],
)
def test_outline_names_where_the_occurrence_shows(
    body: str, seen: Evidence, expected: tuple[str, ...]
) -> None:
    assert outline(page(body), seen) == expected


def test_date_of_a_list_that_scripts_fill_is_left_to_the_browser() -> None:
    found = outline(page("<h1>要闻</h1>"), Evidence(SITE.url, "栏目“要闻” 2023-08-01"))
    assert {"2023/08/01", "2023-8-1", "2023年8月1日"} < set(found)
    assert found[-1] == "要闻"
    assert "08-01" not in found


def test_outline_of_a_link_cannot_break_out_of_its_selector() -> None:
    body = """<a href='/x"] , a['>x</a>"""
    target = "http://hz.gov.cn/x%22]%20,%20a["
    found = outline(page(body), Evidence(target, "dead", selector=SITE.url))
    assert found in ((r'[href="/x\22 ] , a["]',), (target,))


def test_dead_link_is_shown_on_the_page_that_has_it() -> None:
    assert shown_on(Evidence("http://gone.cn/", "dead", selector=SITE.url)) == SITE.url
    assert shown_on(Evidence(SITE.url, "x", selector="#y")) == SITE.url


# --- what is chosen -------------------------------------------------------------------------------------


def finding(rule: str, outcome: Outcome, count: int = 1) -> Finding:
    seen = tuple(Evidence(f"{SITE.url}{n}", str(n)) for n in range(count))
    return Finding(SITE.site_id, QUARTER, rule, outcome, "2019-19", "", seen, AT)


def test_each_rule_is_shown_before_a_second_of_any_and_vetoes_first() -> None:
    findings = [
        finding("D4.2", Outcome.FAILED, 2),
        finding("D1.2a", Outcome.CANT_TELL),
        finding("V3", Outcome.FAILED),
        finding("V1", Outcome.PASSED),
        finding("D4.7a", Outcome.UNTESTED),
    ]
    rules = [findings[one.finding].rule for one in choose(findings, 10)]
    assert rules == ["V3", "D4.2", "D1.2a", "D4.2"]
    assert [findings[one.finding].rule for one in choose(findings, 2)] == ["V3", "D4.2"]
    assert choose(findings, -1) == []


def test_bonus_that_was_not_earned_takes_no_picture_from_a_fault() -> None:
    findings = [
        finding("B1.1a", Outcome.FAILED),
        finding("B4.1b", Outcome.CANT_TELL),
        finding("D4.2", Outcome.FAILED),
    ]
    assert [findings[one.finding].rule for one in choose(findings, 10)] == ["D4.2", "B4.1b"]


def test_no_more_than_five_occurrences_of_a_rule_are_shown() -> None:
    findings = [finding("D4.2", Outcome.FAILED, 9), *(finding("D4.2", Outcome.FAILED) for _ in range(3))]
    assert len(choose(findings, 100)) == PER_RULE


# --- taking them ----------------------------------------------------------------------------------------


class Camera:
    """Stands for the browser: its pictures say what was asked of it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = []

    async def screenshot(self, source: Page, *, site_id: str, outline: Any, caption: Any) -> Shot:
        assert site_id == SITE.site_id
        self.asked.append((source.url, tuple(outline), tuple(caption)))
        image = json.dumps([source.url, *outline, *caption]).encode()
        if source.url.endswith("crash"):
            return Shot(source.url, error="crashed")
        name = hashlib.sha256(image).hexdigest()
        body = hashlib.sha256(source.body).hexdigest()
        return Shot(source.url, image=image, sha256=name, width=9, height=9, outlined=1, body_sha256=body)


class Surroundings:
    """What the pipeline reads of a crawler."""

    def __init__(self, db: Any, writer: Writer, run: str, *, source: str = "") -> None:
        self.site = SITE
        self.spider = self
        self.services: Any = self
        self.db, self.writer, self.run, self.source, self.at = db, writer, run, source, AT
        self.camera = Camera()
        self.browser: Any = None if source else self.camera
        self.edition = load_edition()
        self.options: Any = self
        self.screenshots = 6


async def inspected(uri: str, run: str, *, source: str = "") -> tuple[SiteDone, Camera]:
    db = connect_async(uri)
    try:
        async with Writer(db, run, source=source) as writer:
            if not source:
                for url in (SITE.url, f"{SITE.url}old", f"{SITE.url}crash"):
                    await writer.add_page(page(f"<p>要闻 <span>2023-08-30</span> {url}</p>", url))
            around = Surroundings(db, writer, run, source=source)
            seen = [
                Evidence(f"{SITE.url}{one}", "2023-08-30", "≥ 2023-09-06")
                for one in ("old", "crash", "missing")
            ]
            done = SiteDone(
                SITE.site_id,
                {},
                findings=tuple(
                    Finding(SITE.site_id, QUARTER, "V3", Outcome.FAILED, "2019-19", "", (one,), AT)
                    for one in seen
                ),
            )
            item = await ScreenshotPipeline(cast("Any", around)).process_item(done)
            await writer.site_findings(SITE.site_id, done.findings)
            assert item is done
            return done, around.camera
    finally:
        await db.client.close()


def open_one(store: Sync) -> str:
    return open_run(store, QUARTER, at=AT, edition="2019-19", roster_sha="r", site_ids=[SITE.site_id])


@pytest.mark.mongo
def test_pictures_are_taken_of_home_page_and_occurrences_and_named_by_findings(
    store: Sync, store_uri: str
) -> None:
    done, camera = asyncio.run(inspected(store_uri, open_one(store)))
    assert [url for url, *_ in camera.asked] == [SITE.url, f"{SITE.url}old", f"{SITE.url}crash"]
    assert camera.asked[1][1] == ("2023-08-30",)
    lines = "\n".join(camera.asked[1][2])
    assert all(part in lines for part in ("杭州", "hz", f"{SITE.url}old", "V3", "2023-08-30"))
    shown = [one.evidence[0].screenshot for one in done.findings]
    assert (bool(shown[0]), shown[1:]) == (True, ["", ""])
    assert evidence.picture(store, shown[0]).startswith(b'["http://hz.gov.cn/old"')
    assert store.pictures.count_documents({}) == store["files.files"].count_documents({}) == 2


@pytest.mark.parametrize(
    ("seen", "lines"),
    [
        (
            Evidence("http://gone.cn/x", "dead: http_404", selector=SITE.url),
            ("链接：http://gone.cn/x", "无法打开（http_404）"),
        ),
        (Evidence(SITE.url, "2023-08-30", "≥ 2023-09-06"), ("2023-08-30（应为：≥ 2023-09-06）",)),
        (Evidence(SITE.url, "the interactive columns show no login"), ("待人工确认",)),
        (Evidence(SITE.url, "栏目“要闻” not read"), ("栏目“要闻” not read",)),
    ],
)
def test_caption_says_in_chinese_what_was_seen(seen: Evidence, lines: tuple[str, ...]) -> None:
    around: Any = SimpleNamespace(edition=load_edition(), at=AT)
    found = caption(around, page("x"), "D4.3a", seen)
    assert found[:3] == ("杭州（hz）  ", SITE.url, "D4.3a 首页链接无法打开或错误（2019-19）")
    assert found[3:] == lines


@pytest.mark.mongo
def test_recheck_finds_the_pictures_of_its_source(store: Sync, store_uri: str) -> None:
    run = open_one(store)
    done, _ = asyncio.run(inspected(store_uri, run))
    again, camera = asyncio.run(inspected(store_uri, f"{run}r1", source=run))
    assert again.findings == done.findings
    assert camera.asked == []


# --- finding it again -----------------------------------------------------------------------------------


@pytest.mark.mongo
def test_card_holds_page_and_picture_and_is_saved(store: Sync, store_uri: str, tmp_path: Path) -> None:
    run = open_one(store)
    done, _ = asyncio.run(inspected(store_uri, run))
    card = evidence.card(store, done.findings[0].finding_id)
    assert [one["url"] for one in card["pages"]] == [f"{SITE.url}old"]
    assert [one["rule"] for one in card["pictures"]] == ["V3"]
    assert card["run"]["_id"] == run
    files = {path.name: path.read_bytes() for path in evidence.save(store, card, tmp_path)}
    body = next(data for name, data in files.items() if name.endswith(".html"))
    assert hashlib.sha256(body).hexdigest() == card["pages"][0]["body"]
    shot = done.findings[0].evidence[0].screenshot
    assert hashlib.sha256(files[f"{shot}.jpg"]).hexdigest() == shot
    assert json.loads(files["card.json"])["finding"]["rule"] == "V3"


@pytest.mark.mongo
def test_unknown_finding_is_one_clear_line(store: Sync) -> None:
    with pytest.raises(GovcrawlError, match="no finding"):
        evidence.card(store, "0" * 64)


# --- the sweep ------------------------------------------------------------------------------------------


@pytest.mark.mongo
def test_sweep_removes_what_nobody_names_and_nothing_else(store: Sync, store_uri: str) -> None:
    run = open_one(store)
    asyncio.run(inspected(store_uri, run))

    async def orphan() -> None:
        db = connect_async(store_uri)
        await put_file(db, hashlib.sha256(b"x").hexdigest(), b"x")
        await db.client.close()

    asyncio.run(orphan())
    lost = hashlib.sha256(b"lost").hexdigest()
    store.blobs.insert_one({"_id": lost, "data": Binary(b"lost"), "enc": "raw", "size": 4, "stored_at": AT})
    with pytest.raises(GovcrawlError, match=f"run {run} is open"):
        evidence.sweep(store)
    finish_run(store, run)
    assert evidence.sweep(store) == {"blobs": 1, "files": 1, "chunks": 1}
    assert evidence.sweep(store) == {"blobs": 0, "files": 0, "chunks": 0}
    assert store["files.files"].count_documents({}) == 2
    named = [one for one in integrity.verify(store).problems if one.startswith(("bytes", "file"))]
    assert named == []


OPEN, ENDED = ("open", None), ("complete", AT)


@pytest.mark.mongo
@pytest.mark.parametrize(
    ("meanwhile", "said"),
    [({"2023Q3-2": OPEN}, "2023Q3-2 is open"), ({"2023Q3-2": ENDED}, "2023Q3-2 changed")],
)
def test_sweep_puts_back_what_a_run_that_began_meanwhile_may_name(
    store: Sync, store_uri: str, monkeypatch: pytest.MonkeyPatch, meanwhile: dict[str, Any], said: str
) -> None:
    before = orphans(store, store_uri)
    answers = iter(({}, meanwhile))
    monkeypatch.setattr(evidence, "_runs", lambda _: next(answers))
    with pytest.raises(GovcrawlError, match=said):
        evidence.sweep(store)
    assert held(store) == before
    files = iter(({}, {}, meanwhile))
    monkeypatch.setattr(evidence, "_runs", lambda _: next(files))
    with pytest.raises(GovcrawlError, match=said):
        evidence.sweep(store)
    assert held(store) == before[1:]  # the lost blob went before that run began


def orphans(store: Sync, uri: str) -> list[bytes]:
    """Store bytes and a file that no record names."""
    lost = hashlib.sha256(b"lost").hexdigest()
    store.blobs.insert_one({"_id": lost, "data": Binary(b"lost"), "enc": "raw", "size": 4, "stored_at": AT})

    async def put() -> None:
        db = connect_async(uri)
        await put_file(db, hashlib.sha256(b"x").hexdigest(), b"x")
        await db.client.close()

    asyncio.run(put())
    return held(store)


def held(store: Sync) -> list[bytes]:
    """Return the stored bytes of blobs, then of files."""
    return [
        *(bytes(doc["data"]) for doc in store.blobs.find()),
        *(bytes(doc["data"]) for doc in store["files.chunks"].find()),
        *(str(doc["_id"]).encode() for doc in store["files.files"].find()),
    ]


@pytest.mark.mongo
def test_sweep_command_leaves_an_open_run_alone_and_keeps_what_a_run_goes_by(
    store: Sync, store_uri: str, tmp_path: Path
) -> None:
    inputs = {"edition": b"edition", "lexicon": b"lexicon"}
    run = open_run(
        store, QUARTER, at=AT, edition="2019-19", roster_sha="r", site_ids=[SITE.site_id], inputs=inputs
    )
    before = orphans(store, store_uri)
    office = Office(tmp_path, store_uri)
    end = office.run("evidence", "sweep")
    assert (end.code, end.out) == (2, "")
    assert end.err.startswith(f"govcrawl: run {run} is open")
    assert len(end.err.splitlines()) == 1
    assert held(store) == before
    finish_run(store, run)
    assert office.run("evidence", "sweep").code == 0
    assert sorted(held(store)) != sorted(before)
    doc = store.runs.find_one({"_id": run})
    assert doc is not None
    assert {name: evidence.read(store, sha) for name, sha in doc["inputs"].items()} == inputs


@pytest.mark.mongo
def test_run_with_another_lexicon_is_another_run_and_its_lost_lexicon_is_named(store: Sync) -> None:
    def opened(lexicon: bytes) -> str:
        given = {"at": AT, "edition": "2019-19", "roster_sha": "r", "site_ids": [SITE.site_id]}
        return open_run(store, QUARTER, inputs={"lexicon": lexicon}, **given)

    first = opened(b"one")
    assert opened(b"one") == first
    second = opened(b"two")
    assert second != first
    store.blobs.delete_one({"_id": hashlib.sha256(b"two").hexdigest()})
    assert [one for one in integrity.verify(store).problems if f"lexicon of run {second}): removed" in one]


# --- with the real browser ------------------------------------------------------------------------------


@pytest.mark.browser
def test_stored_page_is_pictured_with_the_fault_outlined_and_a_caption() -> None:
    body = "<meta charset=utf-8><h1>要闻</h1>" + "<p>旧闻</p>" * 80 + '<p><a id=x href="/gone">死链接</a></p>'
    shown = page(body)
    seen = Evidence("http://hz.gov.cn/gone", "dead: 404", selector=SITE.url)

    async def work() -> tuple[Shot, Shot]:
        async with Browser(proxy="http://127.0.0.1:9") as browser:
            if not browser.available():
                pytest.skip("Chromium is not installed")
            marks = outline(shown, seen)
            with_marks = await browser.screenshot(shown, site_id="hz", outline=marks, caption=("杭州 D4.3",))
            return with_marks, await browser.screenshot(shown, site_id="hz")

    marked, plain = asyncio.run(work())
    assert (marked.error, marked.outlined, plain.outlined) == (None, 1, 0)
    assert marked.height > plain.height  # the caption strip
    assert marked.body_sha256 == hashlib.sha256(shown.body).hexdigest()
    picture = Picture("hz", QUARTER, "D4.3a", SITE.url, (), "", marked.image, 1, 1, 1, AT)
    assert picture.sha256 == marked.sha256


@pytest.mark.browser
def test_picture_of_a_page_under_a_wrong_charset_shows_its_characters() -> None:
    shown = replace(page(""), body="<title>要闻</title><p>旧闻 二〇二三年</p>".encode("gb18030"))

    async def work() -> Shot:
        async with Browser(proxy="http://127.0.0.1:9") as browser:
            if not browser.available():
                pytest.skip("Chromium is not installed")
            return await browser.screenshot(shown, site_id="hz", outline=("旧闻 二〇二三年",))

    shot = asyncio.run(work())
    assert (shot.error, shot.outlined) == (None, 1)
