"""The writer: batches, bytes once, resuming, and a database that goes away in between."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import random
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import gridfs
import pytest
from pymongo.errors import AutoReconnect, OperationFailure

from govcrawl.items import (
    Attempt,
    Evidence,
    Finding,
    GovcrawlError,
    LinkCheck,
    LinkState,
    Outcome,
    Page,
    Role,
    Site,
)
from govcrawl.store import blobs, child, records, server, writer
from govcrawl.store.client import Async, Sync, connect, connect_async
from govcrawl.store.links import LinkBook
from govcrawl.store.patience import Patience
from govcrawl.store.schema import ensure_schema
from govcrawl.store.writer import Writer

pytestmark = pytest.mark.mongo
T = TypeVar("T")
AT = datetime(2023, 9, 20, tzinfo=UTC)
RUN = "2023Q3-1"
SITE = Site("hangzhou", "杭州", "portal", "city", "330100", "", "http://www.hangzhou.gov.cn/")


def visit(path: str = "", body: bytes = b"<p>page</p>", **fields: object) -> Page:
    page = Page(site=SITE, quarter="2023Q3", url=SITE.url + path, at=AT, body=body)
    for name, value in fields.items():
        setattr(page, name, value)
    return page


def finding(rule: str = "V3", observed: str = "2023-08-30", outcome: Outcome = Outcome.FAILED) -> Finding:
    seen = (Evidence(SITE.url, observed),)
    return Finding(SITE.site_id, "2023Q3", rule, outcome, "2019-19", "旧", seen, AT)


async def reached(state: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not state():  # noqa: ASYNC110  (what is waited for has no event)
            await asyncio.sleep(0.02)


def with_db(uri: str, work: Callable[[Async], Awaitable[T]]) -> T:
    async def main() -> T:
        db = connect_async(uri)
        try:
            return await work(db)
        finally:
            await db.client.close()

    return asyncio.run(main())


def with_writer(uri: str, work: Callable[[Writer], Awaitable[T]]) -> T:
    async def use(db: Async) -> T:
        async with Writer(db, RUN) as store:
            return await work(store)

    return with_db(uri, use)


def test_visit_comes_back_as_the_checks_saw_it(store_uri: str) -> None:
    page = visit(
        "a",
        "<p>新闻</p>".encode("gb18030"),
        role=Role.ARTICLE,
        final_url=SITE.url + "b",
        status=200,
        fetched_at=datetime(2023, 9, 20, 1, 2, 3, 456000, tzinfo=UTC),
        elapsed=0.25,
        rendered=True,
        referrer=SITE.url,
        column="要闻",
        headers=(("Content-Type", "text/html"), ("X", "a"), ("X", "b")),
        dom="<p>\ud800新闻</p>",
        included={SITE.url + "x.js": "var a = 1", SITE.url + "empty.js": ""},
        notes=("cut",),
    )

    async def work(store: Writer) -> Page:
        await store.add_page(page)
        await store.flush()
        return (await store.stored_pages(SITE.site_id))[page.url, True].page(SITE, AT)

    back = with_writer(store_uri, work)
    assert vars(back) == {name: value for name, value in vars(page).items() if name != "decoded"}


def test_failed_visit_is_stored_without_bytes(store: Sync, store_uri: str) -> None:
    with_writer(store_uri, lambda store: store.add_page(visit("x", b"", error="dns")))
    doc = store.pages.find_one()
    assert doc is not None
    assert (doc["error"], doc["body"], doc["size"]) == ("dns", None, 0)
    assert store.blobs.count_documents({}) == 0


def test_same_bytes_are_stored_once_and_the_same_visit_once(store: Sync, store_uri: str) -> None:
    async def work(store: Writer) -> None:
        for path in ("a", "b", "a"):
            await store.add_page(visit(path))
        await store.flush()
        await store.add_page(visit("a", status=200))

    with_writer(store_uri, work)
    with_writer(store_uri, lambda store: store.add_page(visit("b")))
    name = hashlib.sha256(b"<p>page</p>").hexdigest()
    assert store.blobs.distinct("_id") == [name]
    assert {doc["url"]: doc["status"] for doc in store.pages.find()} == {
        SITE.url + "a": 200,
        SITE.url + "b": None,
    }


def test_hostile_text_is_stored_without_its_broken_characters(store: Sync, store_uri: str) -> None:
    page = visit("\ud800", headers=(("X", "\udfff"),), column="\x00", notes=("\ud800",))
    with_writer(store_uri, lambda store: store.add_page(page))
    doc = store.pages.find_one()
    assert doc is not None
    assert (doc["url"], doc["headers"], doc["column"]) == (SITE.url + "?", [["X", "?"]], "\x00")


def test_body_too_large_for_a_document_is_a_plain_gridfs_file(store: Sync, store_uri: str) -> None:
    body = random.Random(1).randbytes(blobs.LARGE + 1)

    async def work(store: Writer) -> bytes:
        await store.add_page(visit("big", body))
        await store.flush()
        await blobs.put_file(store.db, hashlib.sha256(body).hexdigest(), body)
        return (await store.stored_pages(SITE.site_id))[SITE.url + "big", False].body

    assert with_writer(store_uri, work) == body
    name = hashlib.sha256(body).hexdigest()
    assert gridfs.GridFSBucket(store, "files").open_download_stream(name).read() == body


def test_small_lot_is_written_without_being_asked(store: Sync, store_uri: str) -> None:
    async def work(store: Writer) -> int:
        await store.add_page(visit())
        await reached(lambda: store._turns == 1)
        return await store.db.pages.count_documents({})

    assert with_writer(store_uri, work) == 1


def test_crawl_waits_while_too_much_is_waiting(store_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "ROOM", 2000)

    async def work(store: Writer) -> None:
        gate = asyncio.Event()
        write = store._write

        async def slow(batch: writer._Batch) -> None:
            await gate.wait()
            await write(batch)

        monkeypatch.setattr(store, "_write", slow)
        await store.add_page(visit("a"))
        waiting = asyncio.create_task(store.add_page(visit("b")))
        done, _ = await asyncio.wait([waiting], timeout=0.05)
        assert not done
        gate.set()
        await asyncio.wait_for(waiting, 10)

    with_writer(store_uri, work)


def test_refused_document_stops_the_writer_with_one_line(store_uri: str) -> None:
    async def work(store: Writer) -> None:
        await store.add_page(visit(status="text"))
        with pytest.raises(GovcrawlError, match="pages cannot be stored: BulkWriteError") as caught:
            await store.flush()
        assert len(str(caught.value)) < 300
        with pytest.raises(GovcrawlError, match="cannot be stored"):
            await store.add_page(visit("b"))

    with pytest.raises(GovcrawlError, match="cannot be stored"):
        with_writer(store_uri, work)


def test_findings_of_a_site_are_replaced_as_a_whole(store: Sync, store_uri: str) -> None:
    async def work(store: Writer) -> None:
        await store.site_findings(SITE.site_id, [finding("V3"), finding("V3"), finding("D4.2")])
        await store.site_findings(SITE.site_id, [finding("V3"), finding("D4.1a")])
        await store.site_findings(SITE.site_id, [finding("V3"), finding("D4.1a")])

    store.findings.insert_one(records.finding_doc(finding("D4.2"), "2023Q2-1"))
    with_writer(store_uri, work)
    docs = list(store.findings.find({"run": RUN}))
    assert sorted(doc["rule"] for doc in docs) == ["D4.1a", "V3"]
    assert {records.finding_of(doc) for doc in docs} == {finding("V3"), finding("D4.1a")}
    assert store.findings.count_documents({}) == 3


def test_findings_are_written_after_the_pages_they_rest_on(store: Sync, store_uri: str) -> None:
    async def work(store: Writer) -> int:
        await store.add_page(visit())
        await store.site_findings(SITE.site_id, [finding()])
        return await store.db.pages.count_documents({})

    assert with_writer(store_uri, work) == 1


def link(target: str, state: LinkState = LinkState.DEAD) -> LinkCheck:
    tries = (Attempt("HEAD", 404, None, AT), Attempt("GET", None, "timeout", AT))
    return LinkCheck(target, state, 404, None, "gone", tries)


def test_each_target_is_claimed_by_one_worker(store_uri: str) -> None:
    targets = [f"http://t{n}.cn/" for n in range(200)]

    async def work(db: Async) -> list[tuple[list[str], dict[str, LinkCheck], list[str]]]:
        book = LinkBook(db, RUN)
        return await asyncio.gather(*(book.claim(targets, f"w{n}", 60) for n in range(4)))

    results = with_db(store_uri, work)
    assert sorted(target for mine, _, _ in results for target in mine) == sorted(targets)
    assert all(len(mine) + len(others) == 200 and not known for mine, known, others in results)


def test_verdicts_are_read_by_all_and_the_first_stands(store: Sync, store_uri: str) -> None:
    async def work(db: Async) -> None:
        book = LinkBook(db, RUN)
        await book.claim(["http://a/", "http://b/"], "w1", 60)
        await book.publish([link("http://a/")])
        await book.publish([link("http://a/", LinkState.ALIVE), link("http://c/")])
        mine, known, others = await book.claim(["http://a/", "http://b/", "http://d/"], "w2", 60)
        assert (mine, known, others) == (["http://d/"], {"http://a/": link("http://a/")}, ["http://b/"])
        assert await book.poll(["http://b/", "http://c/"]) == {"http://c/": link("http://c/")}
        assert (await LinkBook(db, "other").claim(["http://a/"], "w2", 60))[0] == ["http://a/"]

    with_db(store_uri, work)


def test_claims_of_a_dead_worker_are_taken_over_by_one(store_uri: str) -> None:
    async def work(db: Async) -> None:
        book = LinkBook(db, RUN)
        await book.claim(["http://a/"], "dead", -1)
        takers = await asyncio.gather(*(book.claim(["http://a/"], f"w{n}", 60) for n in range(4)))
        assert sum(len(mine) for mine, _, _ in takers) == 1
        again = [await book.claim(["http://a/"], f"w{n}", 60) for n in range(4)]
        assert [mine for mine, _, _ in again] == [mine for mine, _, _ in takers]

    with_db(store_uri, work)


def test_links_added_by_the_writer_are_in_the_book(store_uri: str) -> None:
    async def work(store: Writer) -> dict[str, LinkCheck]:
        await store.add_links([link("http://a/")])
        await store.flush()
        return await LinkBook(store.db, RUN).poll(["http://a/"])

    assert with_writer(store_uri, work) == {"http://a/": link("http://a/")}


def test_killed_database_loses_nothing_and_is_mentioned_twice(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def fill(store: Writer, first: int) -> None:
        for n in range(first, first + 200):
            await store.add_page(visit(str(n), b"<p>%d</p>" % n))

    async def work(store: Writer) -> None:
        await fill(store, 0)
        await store.flush()
        await fill(store, 200)
        os.kill(child.state_of(tmp_path)["pid"], signal.SIGKILL)
        storing = asyncio.create_task(store.flush())
        await reached(lambda: any("waiting for it" in message for message in caplog.messages))
        await asyncio.to_thread(server.embedded, tmp_path)
        await asyncio.wait_for(storing, 60)
        await asyncio.to_thread(server.leave, tmp_path)

    caplog.set_level(logging.INFO, logger="govcrawl")
    with server.running(tmp_path) as uri:
        db = connect(uri)
        ensure_schema(db)
        with_writer(uri, work)
        assert db.pages.count_documents({}) == 400
        assert set(db.blobs.distinct("_id")) == set(db.pages.distinct("body"))
        db.client.close()
    assert [message.split()[3] for message in caplog.messages] == ["answer", "after"]


def test_page_is_never_there_without_its_bytes(store_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(store: Writer) -> None:
        async def cut(db: Async, packed: object) -> None:
            message = "cut"
            raise OperationFailure(message)

        monkeypatch.setattr(blobs, "put", cut)
        await store.add_page(visit())
        with pytest.raises(GovcrawlError, match="cut"):
            await store.flush()
        assert await store.db.pages.count_documents({}) == 0

    with pytest.raises(GovcrawlError, match="cut"):
        with_writer(store_uri, work)


ENDLESS = """
import asyncio, sys
from datetime import UTC, datetime
from govcrawl.items import Page, Site
from govcrawl.store.client import connect_async
from govcrawl.store.writer import Writer

async def main() -> None:
    site = Site("s", "s", "portal", "city", "330100", "", "http://s.cn/")
    async with Writer(connect_async(sys.argv[1]), "r") as store:
        for n in range(10**9):
            body = f"{sys.argv[2]} {n}".encode()
            await store.add_page(Page(site, "2023Q3", f"http://s.cn/{n}", datetime.now(UTC), body=body))
            if n % 100 == 99:
                await store.flush() if n % 200 == 199 else await asyncio.sleep(0)
                print(n, flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("lines", [1, 4, 9])
def test_killed_worker_leaves_no_page_without_its_bytes(store: Sync, store_uri: str, lines: int) -> None:
    command = [sys.executable, "-c", ENDLESS, store_uri, str(lines)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        for _ in range(lines):
            assert worker.stdout.readline()
        worker.kill()
    bodies = set(store.pages.distinct("body"))
    assert len(bodies) >= lines // 2 * 200
    assert bodies <= set(store.blobs.distinct("_id"))


def test_waiting_ends_with_one_line() -> None:
    async def gone() -> None:
        message = "gone"
        raise AutoReconnect(message)

    with pytest.raises(GovcrawlError, match="has not answered for 0 minutes"):
        asyncio.run(Patience(timedelta(0))(gone))


def test_refused_operation_is_not_repeated() -> None:
    calls = []

    async def refused() -> None:
        calls.append(1)
        message = "not allowed"
        raise OperationFailure(message, code=13)

    with pytest.raises(OperationFailure):
        asyncio.run(Patience()(refused))
    assert calls == [1]
