"""Inspections of recorded pages: a folder or WARC answers, and nothing is asked of the network."""

from __future__ import annotations

import asyncio
import csv
import gzip
import io
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from scrapy import Request
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from govcrawl.bounds import Bounded
from govcrawl.items import GovcrawlError, LinkCheck, LinkState, Role
from govcrawl.replay import NOT_RECORDED, RecordedLinks, Recording, roster_of
from govcrawl.sites import load_sites
from govcrawl.store import client, reads
from tests.inspecting import Office, served
from tests.province.model import AT, QUARTER
from tests.province.world import make

REAL = Path(__file__).resolve().parents[2] / "shared" / "pages"
ROWS = '<ul><li><a href="/a/1.html">县政府召开常务会议</a><span>2023-09-18</span></li></ul>'
HOME = (
    "<html><head><title>示例县人民政府</title></head><body><ul class=nav><li><a href='/dt/'>工作动态</a></li>"
    f"<li><a href='/gg/'>通知公告</a></li></ul>{ROWS}<a href='http://other.invalid/x.html'>别处</a></body></html>"
)
LIST = f"<html><body>{ROWS}</body></html>"
ARTICLE = (
    "<html><head><title>会议</title></head><body><h1>县政府召开常务会议</h1><p>2023-09-18</p></body></html>"
)

Headers = list[tuple[str, str]]


def saved(folder: Path, pages: dict[str, str], **columns: list[str]) -> Path:
    """Write a folder of pages, with an index where columns are given."""
    folder.mkdir()
    for name, text in pages.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    if columns:
        with (folder / "index.csv").open("w", encoding="utf-8", newline="") as handle:
            writer = csv.writer(handle)
            writer.writerow(["file", *columns])
            writer.writerows(zip(pages, *columns.values(), strict=True))
    return folder


def archived(path: Path, *answers: tuple[str, str, Headers, bytes], packed: bool = True) -> Path:
    """Write a WARC file of (address, status line, headers, body), each record packed by itself."""
    records = [b"WARC/1.0\r\nWARC-Type: warcinfo\r\nContent-Length: 0\r\n\r\n\r\n\r\n"]
    for url, status, headers, body in answers:
        lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers)]
        http = ("\r\n".join(lines) + "\r\n\r\n").encode() + body
        head = (
            f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {url}\r\n"
            f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(http)}\r\n\r\n"
        )
        records.append(head.encode() + http + b"\r\n\r\n")
    path.write_bytes(b"".join(gzip.compress(record) if packed else record for record in records))
    return path


@pytest.fixture
def county(tmp_path: Path) -> Path:
    """Return a folder with four pages of one site, one of which nobody links to."""
    return saved(
        tmp_path / "county",
        {"1.html": HOME, "2.html": LIST, "3.html": ARTICLE, "4.html": ARTICLE.replace("09-18", "08-01")},
        original_url=[
            f"http://www.shili.gov.cn{path}" for path in ("/", "/dt/", "/a/1.html", "/hidden.html")
        ],
        page_kind=["home", "list", "article", "article"],
        site_as_shown=["示例县人民政府"] * 4,
    )


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    html = [("Content-Type", "text/html; charset=utf-8")]
    return archived(
        tmp_path / "county.warc.gz",
        ("http://www.shili.gov.cn/", "200 OK", html, HOME.encode()),
        ("http://www.shili.gov.cn/dt/", "200 OK", html, LIST.encode()),
        ("http://www.shili.gov.cn/a/1.html", "301 Moved", [("Location", "/a/2.html")], b""),
        ("http://www.shili.gov.cn/a/2.html", "200 OK", html, ARTICLE.encode()),
        ("http://www.shili.gov.cn/gone.html", "404 Not Found", html, b"gone"),
        ("http://www.shili.gov.cn/err.html", "503 Busy", html, b"busy"),
    )


def verdicts(recording: Recording, *targets: str) -> dict[str, LinkCheck]:
    async def run() -> dict[str, LinkCheck]:
        return {check.target: check async for check in RecordedLinks(recording).check_many(targets)}

    return asyncio.run(run())


def test_folder_answers_under_the_addresses_of_its_index(county: Path) -> None:
    recording = Recording.open(county)
    response = recording.respond(Request("https://www.shili.gov.cn/dt/"))
    assert (response.status, response.url) == (200, "https://www.shili.gov.cn/dt/")
    assert response.body == LIST.encode()
    assert [page.role for page in recording.pages()] == [Role.HOME, Role.COLUMN, Role.ARTICLE, Role.ARTICLE]


def test_other_addresses_and_methods_are_not_recorded(county: Path) -> None:
    recording = Recording.open(county)
    for request in (Request("http://www.shili.gov.cn/x"), Request("http://www.shili.gov.cn/", method="POST")):
        with pytest.raises(Bounded, match=NOT_RECORDED):
            recording.respond(request)


def test_folder_without_an_index_is_one_site(tmp_path: Path) -> None:
    folder = saved(
        tmp_path / "保存", {"index.html": HOME, "a/1.html": ARTICLE, "a/x.js": "var a", "b.txt": "x"}
    )
    recording = Recording.open(folder)
    assert len(recording.pages()) == 2
    sites = load_sites(roster_of(folder, tmp_path / "rosters"))
    assert len(sites) == 1
    assert sites[0].host.endswith(".invalid")
    assert sites[0].url.endswith("/index.html")
    assert recording.respond(Request(sites[0].url.replace("index.html", "a/x.js"))).body == b"var a"


def test_archive_answers_with_status_headers_and_body(archive: Path) -> None:
    recording = Recording.open(archive)
    assert len(recording.pages()) == 3
    moved = recording.respond(Request("http://www.shili.gov.cn/a/1.html"))
    assert (moved.status, moved.headers["Location"]) == (301, b"/a/2.html")
    assert recording.respond(Request("http://www.shili.gov.cn/a/2.html")).body == ARTICLE.encode()


def test_uncompressed_archive_and_packed_bodies(tmp_path: Path) -> None:
    headers = [
        ("Content-Type", "text/html"),
        ("Content-Encoding", "gzip"),
        ("Set-Cookie", "a=1"),
        ("Set-Cookie", "b=2"),
    ]
    path = archived(
        tmp_path / "a.warc",
        ("http://a.gov.cn/", "200 OK", headers, gzip.compress(HOME.encode())),
        packed=False,
    )
    response = Recording.open(path).respond(Request("http://a.gov.cn/"))
    assert response.body == HOME.encode()
    assert "Content-Encoding" not in response.headers
    assert response.headers.getlist("Set-Cookie") == [b"a=1", b"b=2"]


def test_first_good_answer_of_an_address_counts(tmp_path: Path) -> None:
    html = [("Content-Type", "text/html")]
    answers = [("http://a.gov.cn/", "503 Busy", html, b"busy"), ("http://a.gov.cn/", "200 OK", html, b"good")]
    path = archived(tmp_path / "a.warc", *answers, ("http://a.gov.cn/", "200 OK", html, b"later"))
    assert Recording.open(path).respond(Request("http://a.gov.cn/")).body == b"good"


def test_repeated_answers_and_bare_resources_of_an_archive_are_found(tmp_path: Path) -> None:
    path = tmp_path / "a.warc.gz"
    with path.open("wb") as stream:
        writer = WARCWriter(stream, gzip=True)
        head = StatusAndHeaders("200 OK", [("Content-Type", "text/html")], protocol="HTTP/1.1")
        first = writer.create_warc_record(
            "http://a.gov.cn/", "response", io.BytesIO(HOME.encode()), len(HOME.encode()), http_headers=head
        )
        writer.write_record(first)
        digest = first.rec_headers.get_header("WARC-Payload-Digest")
        for again, name in (("http://a.gov.cn/index.html", digest), ("http://a.gov.cn/lost", "sha1:LOST")):
            moment = "2023-09-20T00:00:00Z"
            writer.write_record(
                writer.create_revisit_record(again, name, "http://a.gov.cn/", moment, http_headers=head)
            )
        script = io.BytesIO(b"var a")
        writer.write_record(
            writer.create_warc_record(
                "http://a.gov.cn/a.js", "resource", script, 5, warc_content_type="text/javascript"
            )
        )
    recording = Recording.open(path)
    assert recording.respond(Request("http://a.gov.cn/index.html")).body == HOME.encode()
    assert recording.respond(Request("http://a.gov.cn/a.js")).body == b"var a"
    assert [page.url for page in recording.pages()] == ["http://a.gov.cn/", "http://a.gov.cn/index.html"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({}, "holds no page"),
        ({"a.txt": "x"}, "holds no page"),
        ({"index.csv": "file\n../x.html\n"}, "row 2 names no file"),
    ],
)
def test_folder_that_cannot_be_used(tmp_path: Path, content: dict[str, str], said: str) -> None:
    (tmp_path / "x.html").write_text(HOME, "utf-8")
    with pytest.raises(GovcrawlError, match=said):
        Recording.open(saved(tmp_path / "bad", content))


@pytest.mark.parametrize("content", [b"", b"<html>no archive</html>", b"\x1f\x8bbroken", b"WARC/1.0\r\n\r\n"])
def test_file_that_is_no_archive(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.warc"
    path.write_bytes(content)
    with pytest.raises(GovcrawlError, match=r"is no WARC file|holds no page"):
        Recording.open(path)


def test_oversized_answer_has_its_name(county: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("govcrawl.replay.MAX_BODY", 10)
    with pytest.raises(Bounded, match="too_large"):
        Recording.open(county).respond(Request("http://www.shili.gov.cn/"))


def test_links_are_known_by_what_was_recorded(archive: Path) -> None:
    base = "http://www.shili.gov.cn"
    names = ("/", "/a/1.html", "/gone.html", "/err.html", "/never.html")
    found = verdicts(Recording.open(archive), *(base + name for name in names), base + "/#top")
    states = [LinkState.ALIVE, LinkState.ALIVE, LinkState.DEAD, LinkState.UNKNOWN, LinkState.UNKNOWN]
    assert [check.state for check in found.values()] == states
    assert found[base + "/never.html"].reason == NOT_RECORDED


def test_roster_has_a_site_for_each_host_or_group(tmp_path: Path) -> None:
    folder = saved(
        tmp_path / "pages",
        {f"{n}.html": ARTICLE for n in range(6)},
        group=["a", "a", "b", "b", "c", "d"],
        original_url=[
            "http://x.gov.cn/n/1.html",
            "http://www.x.gov.cn/",
            "",
            "",
            "https://y.gov.cn/ (2007)",
            "no address",
        ],
        site_as_shown=["+甲省人民政府", "", "乙局", "丙局", "=丁县人民政府\t", ""],
        page_kind=["article", "home", "", "home", "", ""],
    )
    target = roster_of(folder, tmp_path / "rosters")
    sites = {site.site_id: site for site in load_sites(target)}
    names = [site.name for site in sites.values()]
    assert names[:-1] == ["甲省人民政府", "乙局", "丙局", "丁县人民政府"]
    assert names[-1].endswith(".invalid")
    assert sites["x-gov-cn"].url == "http://www.x.gov.cn/"
    assert (sites["x-gov-cn"].kind, sites["x-gov-cn"].level) == ("portal", "province")
    assert sites["y-gov-cn"].url == "https://y.gov.cn/"
    assert Counter(site.host.endswith(".invalid") for site in sites.values()) == {True: 3, False: 2}
    assert roster_of(folder, tmp_path / "rosters") == target


# --- through the command ----------------------------------------------------------------------


@pytest.fixture
def office(tmp_path: Path, store_uri: str) -> Office:
    (tmp_path / "office").mkdir()
    return Office(tmp_path / "office", store_uri)


def replayed(office: Office, recording: Path) -> tuple[str, str]:
    end = office.run(
        "inspect", "--replay", recording, "--quarter", QUARTER, "--at", AT.isoformat(), "--workers", "1"
    )
    assert end.code == 0, end.err
    return end.out, end.err


@pytest.mark.mongo
@pytest.mark.slow
def test_inspection_of_a_folder_reads_every_page_and_accuses_nobody_of_what_was_not_recorded(
    office: Office, county: Path
) -> None:
    out, _ = replayed(office, county)
    assert "1 sites planned, 1 done, 0 failed; 4 pages" in out
    findings = {one["rule"]: one for one in office.findings()}
    assert findings["V3"]["outcome"] == "passed"
    assert findings["D4.3a"]["outcome"] == "cantTell"
    assert findings["D1.4b"]["outcome"] == "passed"
    assert findings["V4.1"]["outcome"] != "failed"
    db = client.connect(office.mongo)
    try:
        assert {doc["url"].partition("cn")[2] for doc in db.pages.find()} == {
            "/",
            "/dt/",
            "/a/1.html",
            "/hidden.html",
        }
        assert db.pages.count_documents({"error": {"$ne": None}}) == 0
        assert db.links.count_documents({"verdict": {"$in": ["dead", "wrong"]}}) == 0
    finally:
        db.client.close()


# Rules on what no archive of a site's pages holds: links to other sites, searches that are posted.
ELSEWHERE = ("D4.3", "D4.5", "B4.1")


def seen_by(office: Office) -> tuple[dict[str, str], list[tuple[str, ...]]]:
    """Return the bytes of the pages an inspection read, and what it found on them."""
    db = client.connect(office.mongo)
    try:
        docs = db.pages.find({"role": {"$ne": "search"}, "error": None}, {"url": 1, "body": 1})
        bodies = {doc["url"]: doc["body"] for doc in docs}
    finally:
        db.client.close()
    found = [one for one in office.findings() if not str(one["rule"]).startswith(ELSEWHERE)]
    return bodies, sorted((one["rule"], one["outcome"], one["observed"], one["url"]) for one in found)


@pytest.mark.mongo
@pytest.mark.slow
def test_archive_of_an_inspected_site_is_the_source_of_another_inspection(
    tmp_path: Path, store_uri: str, store_name: str
) -> None:
    world = make(tmp_path / "province", 1)
    roster = tmp_path / "province" / "roster.csv"
    site = load_sites(roster)[0].site_id
    with served(world.answer) as (_, proxy):
        first = Office(tmp_path, store_uri, proxy)
        end = first.inspect(roster, "--budget", "30")
        assert end.code == 0, end.err
    archive = tmp_path / "site.warc.gz"
    assert first.run("export", "--quarter", QUARTER, "--site", site, archive).code == 0
    bodies, found = seen_by(first)
    assert len(bodies) > 15
    assert any(outcome == "failed" for _, outcome, *_ in found)
    db = client.connect(store_uri)
    try:
        db.client.drop_database(store_name)
    finally:
        db.client.close()
    given = ["--registry", roster, "--quarter", QUARTER, "--at", AT.isoformat(), "--workers", "1"]
    end = first.run("inspect", "--replay", archive, *given, "--budget", "30")
    assert end.code == 0, end.err
    assert seen_by(first) == (bodies, found)


@pytest.mark.mongo
@pytest.mark.slow
@pytest.mark.skipif(
    not (REAL / "index.csv").exists(), reason="the saved pages of real sites are not beside the checkout"
)
def test_no_saved_page_of_a_real_site_raises_hangs_or_is_lost(office: Office) -> None:
    out, err = replayed(office, REAL)
    recording = Recording.open(REAL)
    assert "Traceback" not in err
    assert "0 failed" in out
    db = client.connect(office.mongo)
    try:
        visits = db.pages.find({"role": {"$ne": "search"}}, {"url": 1, "error": 1, "body": 1})
        stored = {doc["url"]: doc for doc in visits}  # a site's search is tried besides, and is not recorded
        assert set(stored) == {page.url for page in recording.pages()}
        assert {url for url, doc in stored.items() if doc["error"] or not doc["body"]} == set()
        run = str(db.runs.find_one({})["_id"])
        assert {row["state"] for row in reads.sites_of_run(db, run)} == {"done"}
        messages = [doc["message"] for doc in db.findings.find({"message": {"$regex": "^check error"}})]
        assert messages == []
    finally:
        db.client.close()


def test_a_recorded_answer_is_a_page_only_where_it_is_a_document(county: Path) -> None:
    page = Recording.open(county).pages()[0]
    assert page.is_page
    assert not replace(page, status=404).is_page
    assert not replace(page, headers=(("content-type", "image/png"),)).is_page
