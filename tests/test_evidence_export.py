"""Exports: what is stored comes out of the archive byte by byte, and hostile headers stay data."""

from __future__ import annotations

import asyncio
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from warcio.archiveiterator import ArchiveIterator

from govcrawl.items import Evidence, Finding, GovcrawlError, Outcome, Page, Site
from govcrawl.store import export
from govcrawl.store.client import Sync, connect_async
from govcrawl.store.ledger import Ledger, open_run, plan
from govcrawl.store.writer import Writer

pytestmark = pytest.mark.mongo
AT = datetime(2023, 9, 20, tzinfo=UTC)
QUARTER = "2023Q3"
SITE = Site("hz", "杭州", "portal", "city", "330100", "", "http://hz.gov.cn/")
BODY = "<title>要闻</title><p>旧闻</p>".encode("gb18030")
FOUND = Finding("hz", QUARTER, "V3", Outcome.FAILED, "2019-19", "", (Evidence(SITE.url, "2023-08-30"),), AT)


@pytest.fixture
def run(store: Sync, store_uri: str) -> str:
    found = open_run(store, QUARTER, at=AT, edition="2019-19", roster_sha="r", site_ids=["hz"])
    plan(store, found, [SITE])

    async def work() -> None:
        db = connect_async(store_uri)
        async with Writer(db, found) as writer:
            await Ledger(db).lease(found, "me", 60, alone=True)
            headers = (
                ("Content-Type", "text/html; charset=gbk"),
                ("Content-Encoding", "gzip"),
                ("X-Note", "a\r\nWARC-Type: request"),
            )
            home = Page(
                SITE, QUARTER, SITE.url, AT, status=200, fetched_at=AT, headers=headers, body=BODY,
                ip="192.0.2.7", included={f"{SITE.url}foot.js": "document.write('主办')"},
            )  # fmt: skip
            await writer.add_page(home)
            gone = Page(
                SITE, QUARTER, f"{SITE.url}新 闻", AT, status=404, fetched_at=AT, error="http_404", body=b"x"
            )
            await writer.add_page(gone)
            await writer.add_page(Page(SITE, QUARTER, f"{SITE.url}off", AT, error="timeout", fetched_at=AT))
            await writer.site_findings("hz", [FOUND])
            await Ledger(db).done(found, "hz", "me", {"pages": 3})
        await db.client.close()

    asyncio.run(work())
    return found


def records(path: Path) -> list[tuple[str, str, str, bytes]]:
    with path.open("rb") as stream:
        return [
            (
                one.rec_type,
                one.rec_headers.get_header("WARC-Target-URI") or "",
                one.http_headers.get_statuscode() if one.http_headers else "",
                one.content_stream().read(),
            )
            for one in ArchiveIterator(stream, check_digests="raise")
        ]


def test_site_comes_out_of_its_warc_byte_by_byte(store: Sync, run: str, tmp_path: Path) -> None:
    path = tmp_path / "hz.warc.gz"
    assert export.write_warc(store, export.pages_of_site(store, QUARTER, "hz"), path) == 2
    assert records(path)[1:] == [
        ("response", SITE.url, "200", BODY),
        ("resource", f"{SITE.url}foot.js", "", "document.write('主办')".encode()),
        ("response", f"{SITE.url}%E6%96%B0%20%E9%97%BB", "404", b"x"),
    ]


def test_headers_are_kept_but_for_codings_and_stay_one_line(store: Sync, run: str, tmp_path: Path) -> None:
    path = tmp_path / "finding.warc.gz"
    assert export.write_warc(store, export.pages_of_finding(store, FOUND.finding_id), path) == 1
    with path.open("rb") as stream:
        head, address = next(
            (one.http_headers, one.rec_headers.get_header("WARC-IP-Address"))
            for one in ArchiveIterator(stream)
            if one.rec_type == "response"
        )
    assert address == "192.0.2.7"
    assert head.headers == [
        ("Content-Type", "text/html; charset=gbk"),
        ("X-Note", "a  WARC-Type: request"),
        ("Content-Length", str(len(BODY))),
    ]


def test_export_can_be_the_source_of_an_inspection(store: Sync, run: str, tmp_path: Path) -> None:
    replay = pytest.importorskip("govcrawl.replay")
    path = tmp_path / "hz.warc.gz"
    export.write_warc(store, export.pages_of_site(store, QUARTER, "hz"), path)
    roster = replay.roster_of(path, tmp_path)
    assert "hz.gov.cn" in roster.read_text("utf-8")


def test_wacz_passes_its_own_validator(store: Sync, run: str, tmp_path: Path) -> None:
    pytest.importorskip("wacz", reason="the extra `export` is not installed")
    path = tmp_path / "hz.wacz"
    assert export.write_wacz(store, export.pages_of_site(store, QUARTER, "hz"), path) == 2
    export.valid_wacz(path)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["hz.wacz"]
    with zipfile.ZipFile(path) as package:
        listed = package.read("pages/pages.jsonl").decode().splitlines()
        assert any(SITE.url in line for line in listed[1:])
        name = next(one for one in package.namelist() if one.endswith(".warc.gz"))
        (tmp_path / "inner.warc.gz").write_bytes(package.read(name))
    assert BODY in [body for *_, body in records(tmp_path / "inner.warc.gz")]
    with zipfile.ZipFile(path, "a") as package, pytest.warns(UserWarning, match="Duplicate name"):
        package.writestr("pages/pages.jsonl", "other")
    with pytest.raises(GovcrawlError):
        export.valid_wacz(path)


def test_wacz_without_its_library_is_one_clear_line(
    store: Sync, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(GovcrawlError, match="pip install"):
        export.write_wacz(store, [], tmp_path / "x.wacz")
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_there_is_one_clear_line(store: Sync, run: str) -> None:
    with pytest.raises(GovcrawlError, match="site nowhere: not inspected"):
        export.pages_of_site(store, QUARTER, "nowhere")
    with pytest.raises(GovcrawlError, match="no finding"):
        export.pages_of_finding(store, "0" * 64)
