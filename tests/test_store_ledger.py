"""The ledger: one owner a site, expiry, crash counting, runs that continue."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest
from pymongo.errors import WriteError

from govcrawl.items import GovcrawlError, Site
from govcrawl.store import ledger, queue
from govcrawl.store.client import Async, Sync, connect_async
from govcrawl.store.ledger import Ledger
from govcrawl.store.schema import ensure_schema

pytestmark = pytest.mark.mongo
T = TypeVar("T")
AT = datetime(2023, 9, 20, tzinfo=UTC)


def sites(count: int) -> list[Site]:
    return [
        Site(f"site{n:03}", f"网站{n}", "portal", "city", "330100", "", f"http://www.s{n}.gov.cn/")
        for n in range(count)
    ]


def planned(store: Sync, count: int) -> str:
    rows = sites(count)
    run = ledger.open_run(
        store, "2023Q3", at=AT, edition="2019-19", roster_sha="r", site_ids=[s.site_id for s in rows]
    )
    ledger.plan(store, run, rows)
    return run


def with_ledger(uri: str, work: Callable[[Ledger], Awaitable[T]]) -> T:
    async def main() -> T:
        db: Async = connect_async(uri)
        try:
            return await work(Ledger(db))
        finally:
            await db.client.close()

    return asyncio.run(main())


def test_schema_twice_changes_nothing_and_refuses_incomplete_documents(store: Sync) -> None:
    ensure_schema(store)
    with pytest.raises(WriteError, match="failed validation"):
        store.pages.insert_one({"_id": "x", "run": "2023Q3-1"})
    assert set(store.ledger.index_information()) == {
        "_id_",
        "run_1_state_1_order_1",
        "quarter_1_state_1",
        "job.id_1",
        "holds_1",
    }


def test_planning_twice_keeps_what_was_done(store: Sync, store_uri: str) -> None:
    run = planned(store, 3)
    first = with_ledger(store_uri, lambda book: book.lease(run, "w", 60, alone=False))
    assert ledger.plan(store, run, sites(3)) == 0
    assert first is not None
    assert first["site_id"] == "site000"
    assert ledger.counts(store, run) == {"planned": 2, "leased": 1, "done": 0, "failed": 0}


def test_each_site_goes_to_one_of_many_workers_in_order(store: Sync, store_uri: str) -> None:
    run = planned(store, 40)

    async def worker(book: Ledger, owner: str) -> list[str]:
        taken = []
        while (row := await book.lease(run, owner, 60, alone=False)) is not None:
            assert row["owner"] == owner
            taken.append(row["site_id"])
        return taken

    async def work(book: Ledger) -> list[list[str]]:
        return await asyncio.gather(*(worker(book, f"w{n}") for n in range(6)))

    taken = with_ledger(store_uri, work)
    assert Counter(site for mine in taken for site in mine) == Counter(s.site_id for s in sites(40))
    assert all(mine == sorted(mine) for mine in taken)
    assert [entry["event"] for entry in queue.transitions(store, run)] == ["leased"] * 40


def test_run_out_lease_goes_to_another_worker_and_the_first_learns_it(store: Sync, store_uri: str) -> None:
    run = planned(store, 1)

    async def work(book: Ledger) -> None:
        await book.lease(run, "slow", -1, alone=False)
        row = await book.lease(run, "quick", 60, alone=False)
        assert row is not None
        assert (row["owner"], row["crashes"], row["attempts"]) == ("quick", 1, 2)
        assert await book.renew(run, "slow", 60) == set()
        assert await book.renew(run, "quick", 60) == {"site000"}
        assert not await book.done(run, "site000", "slow", {})
        assert await book.done(run, "site000", "quick", {"pages": 12})
        assert await book.done(run, "site000", "quick", {"pages": 12})

    with_ledger(store_uri, work)
    events = [entry["event"] for entry in queue.transitions(store, run)]
    assert events == ["leased", "expired", "leased", "done"]
    assert store.ledger.find_one({"site_id": "site000"}, {"_id": 0, "counts": 1}) == {"counts": {"pages": 12}}


def test_renewed_lease_is_not_given_away(store: Sync, store_uri: str) -> None:
    run = planned(store, 1)

    async def work(book: Ledger) -> None:
        await book.lease(run, "slow", -1, alone=False)
        assert await book.renew(run, "slow", 60) == {"site000"}
        assert await book.lease(run, "quick", 60, alone=False) is None

    with_ledger(store_uri, work)


def test_lost_answer_does_not_lease_a_second_site(store: Sync, store_uri: str) -> None:
    run = planned(store, 2)

    async def work(book: Ledger) -> None:
        now = await book._now()
        first = await book._take(run, "w", "ticket", now, 60, alone=False)
        again = await book._take(run, "w", "ticket", now, 60, alone=False)
        assert first == again

    with_ledger(store_uri, work)


def test_site_that_kills_workers_runs_alone_and_then_fails(store: Sync, store_uri: str) -> None:
    run = planned(store, 1)

    async def crash(book: Ledger, *, alone: bool) -> bool:
        row = await book.lease(run, "w", 60, alone=alone)
        if row is not None:
            await asyncio.to_thread(ledger.release_owner, store, run, "w", crashed=True)
        return row is not None

    async def work(book: Ledger) -> None:
        for _ in range(ledger.ALONE_AFTER):
            assert await crash(book, alone=False)
        assert not await crash(book, alone=False)
        for _ in range(ledger.FAILED_AFTER - ledger.ALONE_AFTER):
            assert await crash(book, alone=True)
        assert not await crash(book, alone=True)

    with_ledger(store_uri, work)
    row = store.ledger.find_one({"run": run})
    assert row is not None
    assert (row["state"], row["reason"]) == ("failed", "crashed its worker 10 times")
    assert ledger.finish_run(store, run) == "complete"


def test_untroubled_sites_come_before_a_troubled_one(store: Sync, store_uri: str) -> None:
    run = planned(store, 2)
    store.ledger.update_one({"site_id": "site000"}, {"$set": {"crashes": ledger.ALONE_AFTER}})

    async def work(book: Ledger) -> list[str]:
        rows = [await book.lease(run, "w", 60, alone=True) for _ in range(2)]
        return [row["site_id"] for row in rows if row]

    assert with_ledger(store_uri, work) == ["site001", "site000"]


def test_clean_end_of_a_worker_is_no_crash(store: Sync, store_uri: str) -> None:
    run = planned(store, 1)
    with_ledger(store_uri, lambda book: book.lease(run, "w", 60, alone=False))
    assert ledger.release_owner(store, run, "w", crashed=False) == 1
    row = store.ledger.find_one({"run": run})
    assert row is not None
    assert (row["state"], row["crashes"], row["owner"]) == ("planned", 0, None)


def test_end_of_a_worker_frees_its_claims_on_links(store: Sync) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    claim = {"run": "r", "target": "http://a/", "state": "claimed", "owner": "w", "until": later}
    store.links.insert_one({"_id": "a", **claim})
    ledger.release_owner(store, "r", "w")
    assert store.links.count_documents({"until": {"$lt": later}}) == 1


def test_failure_needs_a_reason(store: Sync, store_uri: str) -> None:
    run = planned(store, 1)

    async def work(book: Ledger) -> None:
        await book.lease(run, "w", 60, alone=False)
        with pytest.raises(GovcrawlError, match="needs a reason"):
            await book.fail(run, "site000", "w", "")
        assert await book.fail(run, "site000", "w", "dns")

    with_ledger(store_uri, work)
    assert ledger.finish_run(store, run) == "complete"


def test_run_with_open_sites_is_incomplete_and_continues(store: Sync) -> None:
    run = planned(store, 2)
    assert ledger.finish_run(store, run) == "incomplete"
    assert planned(store, 2) == run
    assert [doc["state"] for doc in store.runs.find()] == ["open"]


def test_other_parameters_start_a_new_run_and_abandon_the_covered_one(store: Sync) -> None:
    def opened(at: datetime, *site_ids: str) -> str:
        return ledger.open_run(store, "2023Q3", at=at, edition="e", roster_sha="r", site_ids=site_ids)

    assert opened(AT, "a", "b") == "2023Q3-1"
    assert opened(AT, "b") == "2023Q3-2"
    assert opened(AT, "b", "a") == "2023Q3-1"
    assert opened(AT + timedelta(days=1), "a", "b") == "2023Q3-3"
    states = {doc["_id"]: doc["state"] for doc in store.runs.find()}
    assert states == {"2023Q3-1": "abandoned", "2023Q3-2": "abandoned", "2023Q3-3": "open"}


def test_seed_is_the_same_in_every_run_of_the_quarter(store: Sync) -> None:
    first = planned(store, 2)
    ledger.open_run(store, "2023Q3", at=AT, edition="new", roster_sha="r", site_ids=["site000", "site001"])
    ledger.plan(store, "2023Q3-2", sites(2))
    assert len(set(store.ledger.distinct("seed", {"run": first}))) == 2
    assert store.ledger.distinct("seed") == store.ledger.distinct("seed", {"run": first})
