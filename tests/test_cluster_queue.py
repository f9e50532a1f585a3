"""The cluster's queue: who gets which site, and what becomes of jobs whose crawl or node dies."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from threading import Event, Lock, Thread
from typing import Any

import pytest

from govcrawl.items import GovcrawlError, Site
from govcrawl.options import Options
from govcrawl.services import Services
from govcrawl.store import ledger, queue
from govcrawl.store.client import Sync, connect, connect_async
from govcrawl.store.queue import Kind, Queue

pytestmark = pytest.mark.mongo
AT = datetime(2023, 9, 20, tzinfo=UTC)
KIND = Kind("govcrawl", "r", "2019-19")


def sites(count: int, start: int = 0) -> list[Site]:
    return [
        Site(f"site{n:03}", f"网站{n}", "portal", "city", "330100", "", f"http://www.s{n}.gov.cn/")
        for n in range(start, start + count)
    ]


def dispatched(store: Sync, rows: Sequence[Site], quarter: str = "2023Q3", **more: Any) -> str:
    run = ledger.open_run(
        store, quarter, at=AT, edition="2019-19", roster_sha="r", site_ids=[site.site_id for site in rows]
    )
    queue.enqueue(store, run, rows, project="govcrawl", **more)
    return run


def node(store: Sync, name: str = "node1", kind: Kind = KIND, seconds: float = 60.0) -> Queue:
    return Queue(store, name, kind, seconds=seconds)


def taken(one: Queue, count: int) -> list[str]:
    rows = [one.take() for _ in range(count)]
    return [row["site_id"] for row in rows if row]


def acknowledge(store: Sync, row: dict[str, Any]) -> None:
    done = {"$set": {"state": "done", "until": None}, "$unset": ledger.RELEASED}
    store.ledger.update_one({"_id": row["_id"]}, done)


def holds(store: Sync) -> list[tuple[str, set[str]]]:
    return [(row["site_id"], set(row["holds"])) for row in store.ledger.find({"holds": {"$exists": True}})]


def test_dispatching_twice_changes_nothing(store: Sync) -> None:
    run = dispatched(store, sites(3))
    row = node(store).take()
    assert row is not None
    assert queue.enqueue(store, run, sites(3), project="govcrawl") == 0
    assert node(store).count() == 2


def test_what_waits_is_right_while_a_beat_writes_it_down(
    store: Sync, monkeypatch: pytest.MonkeyPatch
) -> None:
    dispatched(store, sites(3))
    one = node(store)
    one.take()
    met = Event()

    class Seen:
        lock = Lock()

        def __enter__(self) -> None:
            if not self.lock.acquire(blocking=False):
                met.set()
                self.lock.acquire()

        def __exit__(self, *_: object) -> None:
            self.lock.release()

    def beat() -> None:
        one.beat({})
        met.set()

    beats = Thread(target=beat)
    runs = one.runs

    def read() -> list[dict[str, Any]]:  # and the beat comes between this and what was taken since
        found = runs()
        beats.start()
        assert met.wait(30)
        return found

    monkeypatch.setattr(one, "_counting", Seen())
    monkeypatch.setattr(one, "runs", read)
    assert one.count() == 2
    beats.join()
    monkeypatch.undo()
    assert one.count() == 2


def test_sites_go_out_in_the_order_of_the_roster_each_once(store: Sync) -> None:
    dispatched(store, sites(4))
    assert taken(node(store), 5) == ["site000", "site001", "site002", "site003"]


def test_higher_priority_comes_first(store: Sync) -> None:
    dispatched(store, sites(2))
    dispatched(store, sites(2, 10), "2023Q2", priority=5)
    assert taken(node(store), 3) == ["site010", "site011", "site000"]


def test_two_runs_of_one_priority_take_turns(store: Sync) -> None:
    dispatched(store, sites(10))
    dispatched(store, sites(2, 10), "2023Q2")
    assert taken(node(store), 5) == ["site000", "site010", "site001", "site011", "site002"]


def test_one_site_in_two_runs_is_crawled_by_one_node_at_a_time(store: Sync) -> None:
    dispatched(store, sites(1))
    dispatched(store, sites(1), "2023Q2")
    first = node(store).take()
    assert first is not None
    assert node(store, "node2").take() is None
    acknowledge(store, first)
    node(store).ended(first["run"], first["site_id"], first["owner"], "ended without a result")
    second = node(store, "node2").take()
    assert second is not None
    assert (second["site_id"], second["run"] != first["run"]) == ("site000", True)


def test_no_more_than_so_many_sites_of_one_address(store: Sync) -> None:
    rows = sites(6)
    shared = dict.fromkeys([row.site_id for row in rows[:4]], "192.0.2.1")
    dispatched(store, rows, per_address=2, addresses=shared)
    assert taken(node(store), 6) == ["site000", "site001", "site004", "site005"]
    held = store.ledger.find_one({"holds": "site:site000"})
    node(store).ended("2023Q3-1", "site000", held["owner"], "exit code 1")
    assert taken(node(store, "node2"), 3) == ["site000"]


def test_many_nodes_at_once_never_share_a_site(store: Sync, store_uri: str) -> None:
    run = dispatched(
        store, sites(30), per_address=3, addresses={f"site{n:03}": "192.0.2.1" for n in range(10)}
    )
    got: list[list[str]] = []

    def work(name: str) -> None:
        db = connect(store_uri)
        got.append(taken(node(db, name), 12))
        db.client.close()

    threads = [Thread(target=work, args=(f"node{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = [name for one in got for name in one]
    assert len(names) == len(set(names)) == 23  # twenty with an address of their own, three of the shared one
    assert queue.overlaps(queue.transitions(store, run)) == []


def test_crawl_goes_by_what_its_run_was_opened_with_not_by_what_its_node_was_told(
    store: Sync, store_uri: str
) -> None:
    settings = {"page_budget": 7, "link_budget": 3, "delay": 2.0, "browser": False}
    run = ledger.open_run(
        store, "2023Q3", at=AT, edition="2019-19", roster_sha="r", site_ids=["site000"], settings=settings
    )
    told = Options(quarter="2020Q1", mongo=store_uri, run=run, page_budget=1, delay=0.0, browser=True)

    async def opened() -> tuple[Options, object]:
        services = await Services.open(told, as_run=True)
        found = services.options, services.browser
        await services.close()
        return found

    options, browser = asyncio.run(opened())
    assert (options.quarter, options.page_budget, options.link_budget, options.delay) == ("2023Q3", 7, 3, 2.0)
    assert browser is None
    with pytest.raises(GovcrawlError, match="no run 2023Q3-9"):
        asyncio.run(Services.open(told.with_(run="2023Q3-9"), as_run=True))


def test_node_takes_no_run_of_another_roster_project_or_edition(store: Sync) -> None:
    dispatched(store, sites(1))
    others = [Kind("other", "r", "2019-19"), Kind("govcrawl", "s", "2019-19"), Kind("govcrawl", "r", "2030")]
    assert [node(store, kind=kind).take() for kind in others] == [None, None, None]


def test_job_that_kills_three_crawls_is_set_aside_with_its_reason(store: Sync) -> None:
    run = dispatched(store, sites(2))
    one, states = node(store), []
    for _ in range(queue.SET_ASIDE_AFTER):
        row = one.take()
        assert row is not None
        states.append(one.ended(run, row["site_id"], row["owner"], "killed by SIGKILL"))
    assert states == ["planned", "planned", "failed"]
    row = store.ledger.find_one({"site_id": "site000"})
    assert row["reason"] == "set aside after killing 3 crawls: killed by SIGKILL"
    assert taken(one, 2) == ["site001"]


def test_node_that_stops_costs_its_jobs_nothing(store: Sync) -> None:
    run = dispatched(store, sites(1))
    for _ in range(4):
        row = node(store).take()
        assert row is not None
        assert node(store).ended(run, "site000", row["owner"], "") == "planned"
    assert store.ledger.find_one({"site_id": "site000"})["crashes"] == 0


def test_acknowledged_job_is_left_alone_and_its_holds_are_free(store: Sync, store_uri: str) -> None:
    run = dispatched(store, sites(1), addresses={"site000": "192.0.2.1"})
    row = node(store).take()
    assert row is not None
    assert holds(store) == [("site000", {"site:site000", row["holds"][1]})]

    async def acknowledged() -> bool:
        db = connect_async(store_uri)
        try:
            return await ledger.Ledger(db).done(run, "site000", row["owner"], {})
        finally:
            await db.client.close()

    assert asyncio.run(acknowledged())
    assert node(store).ended(run, "site000", row["owner"], "exit code 1") == "done"
    assert holds(store) == []
    assert [one["event"] for one in queue.transitions(store, run)] == ["leased", "done"]


def test_lost_job_of_a_run_no_node_works_for_any_more_gives_its_site_back(store: Sync) -> None:
    dispatched(store, sites(1))
    assert node(store, seconds=-1).take() is not None
    store.queues.update_many({}, {"$set": {"open": False}})
    dispatched(store, sites(1), "2023Q4")
    assert node(store, "node2").take() is None
    assert node(store, "node2").expire() == 1
    assert taken(node(store, "node2"), 2) == ["site000"]


def test_job_that_comes_back_is_found_again_by_a_node_that_had_passed_it(store: Sync) -> None:
    run = dispatched(store, sites(20))
    one, other = node(store), node(store, "node2")
    rows = [one.take() for _ in range(17)]
    assert taken(one, 1) == ["site017"]  # it has passed two windows of rows
    first = rows[0]
    assert first is not None
    assert other.ended(run, "site000", first["owner"], "exit code 1") == "planned"
    one.beat({})  # must not move `next` over it
    other.beat({})
    assert taken(other, 1) == ["site000"]
    assert taken(one, 3) == ["site018", "site019"]
    one.beat({})
    assert store.queues.find_one({"_id": run})["next"] > 8
    assert one.finish() == []  # all are under way


def test_lease_that_ran_out_returns_to_the_queue(store: Sync) -> None:
    run = dispatched(store, sites(1))
    row = node(store, seconds=-1).take()
    assert row is not None
    assert node(store, "node2").expire() == 1
    again = node(store, "node2").take()
    assert again is not None
    assert (again["crashes"], again["owner"] != row["owner"]) == (1, True)
    assert node(store).ended(run, "site000", row["owner"], "exit code 1") == "leased"  # no longer its own
    assert queue.overlaps(queue.transitions(store, run)) == []


def test_job_lost_with_its_node_is_not_blamed_at_once(store: Sync) -> None:
    run = dispatched(store, sites(1))
    one = node(store, seconds=-1)
    for loss in range(1, queue.LOST_AFTER + 1):
        assert one.take() is not None
        store.nodes.replace_one(
            {"_id": "node1"},
            {"_id": "node1", "draining": False, "beat_at": one.now() - 2 * queue.SILENT},
            upsert=True,
        )
        assert node(store, "node2").expire() == 1
        row = store.ledger.find_one({"site_id": "site000"})
        assert (row["crashes"], row["losses"]) == (0, loss)
    assert (row["state"], row["reason"]) == ("failed", "set aside: lost with 6 nodes")
    assert queue.overlaps(queue.transitions(store, run)) == []


def test_log_with_two_owners_at_once_is_found_out() -> None:
    def entry(event: str, owner: str, seq: int) -> dict[str, Any]:
        return {"site_id": "a", "event": event, "owner": owner, "seq": seq, "at": AT + timedelta(seconds=seq)}

    good = [entry("leased", "x", 1), entry("started", "x", 2), entry("expired", "x", 3)]
    good += [entry("leased", "y", 4), entry("done", "y", 5)]
    assert queue.overlaps(good) == []
    assert len(queue.overlaps([entry("leased", "x", 1), entry("leased", "y", 2)])) == 1
    assert len(queue.overlaps([entry("leased", "x", 1), entry("done", "y", 2)])) == 1


def test_waiting_job_is_cancelled_at_once_and_a_running_one_when_its_crawl_ends(store: Sync) -> None:
    run = dispatched(store, sites(2))
    one = node(store)
    row = one.take()
    assert row is not None
    assert one.cancel(f"{run}-site001") == "planned"
    assert one.cancel(f"{run}-site000") == "leased"
    assert queue.stops(store, [row["owner"]]) == {row["owner"]}
    assert one.ended(run, "site000", row["owner"], "") == "failed"
    assert {doc["reason"] for doc in store.ledger.find({"run": run})} == {queue.CANCELLED}
    assert one.cancel("nothing") is None


def test_failed_jobs_are_queued_again_by_retry(store: Sync) -> None:
    run = dispatched(store, sites(2))
    one = node(store)
    one.cancel(f"{run}-site000")
    one.cancel(f"{run}-site001")
    assert one.finish() == [run]
    assert store.runs.find_one({"_id": run})["state"] == "complete"
    assert queue.retry(store, run, ["site001"]) == 1
    assert taken(one, 2) == ["site001"]
    assert one.finish() == []


def test_paused_run_waits_and_stopped_crawls_return_to_the_queue(store: Sync) -> None:
    run = dispatched(store, sites(2))
    one = node(store)
    row = one.take()
    assert row is not None
    queue.pause(store, run)
    assert queue.stop_running(store, run) == 1
    assert queue.stops(store, [row["owner"]]) == {row["owner"]}
    assert one.ended(run, row["site_id"], row["owner"], "") == "planned"
    assert one.take() is None
    queue.pause(store, run, on=False)
    again = one.take()
    assert again is not None
    assert queue.stops(store, [again["owner"]]) == set()


def test_draining_is_what_a_node_hears_at_its_next_heartbeat(store: Sync) -> None:
    one = node(store)
    assert one.beat({"slots": 2})["draining"] is False
    queue.drain(store, "node1")
    assert one.beat({"slots": 2})["draining"] is True
    with pytest.raises(GovcrawlError, match="no node node7"):
        queue.drain(store, "node7")


def test_node_not_heard_of_for_a_while_is_silent(store: Sync) -> None:
    node(store).beat({})
    assert [one["silent"] for one in queue.nodes(store)] == [False]
    store.nodes.update_one({"_id": "node1"}, {"$set": {"beat_at": AT}})
    assert [one["silent"] for one in queue.nodes(store)] == [True]
