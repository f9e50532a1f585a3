"""Crawl windows and daily budgets of sites, shared by all workers."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from govcrawl.items import Site
from govcrawl.ration import BEIJING, SHARE, Ration
from govcrawl.store.client import Sync, connect_async
from govcrawl.store.rations import take

LAKE = Site(
    "lake",
    "湖县",
    "portal",
    "county",
    "330100",
    "",
    "http://www.lake.cn/",
    allowed_hosts=("data.lake.cn:81",),
)
HILL = replace(LAKE, site_id="hill", url="http://hill.cn/", allowed_hosts=(), window="08:00-09:00", per_day=1)


class Wall:
    """A wall clock that a sleep moves on."""

    def __init__(self, hour: int, minute: int = 0) -> None:
        self.now = datetime(2023, 9, 20, hour, minute, tzinfo=BEIJING)

    def __call__(self) -> datetime:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Counter:
    """The common count of requests."""

    def __init__(self) -> None:
        self.used: dict[tuple[str, str], int] = {}
        self.calls = 0

    async def take(self, site_id: str, day: str, share: int, limit: int) -> int:
        self.calls += 1
        used = self.used[site_id, day] = self.used.get((site_id, day), 0) + share
        return max(0, share - max(0, used - limit))


def ration(wall: Wall, counter: Counter, **rules: object) -> Ration:
    return Ration([LAKE, HILL], counter.take, now=wall, sleep=wall.sleep, **rules)  # type: ignore[arg-type]


def test_hosts_of_a_site_share_its_rules_and_others_have_none() -> None:
    async def main() -> list[str | None]:
        mine = ration(Wall(12), Counter(), window="20:00-06:00")
        hosts = ("www.lake.cn", "lake.cn", "data.lake.cn", "hill.cn", "elsewhere.cn")
        return [await mine.admit(host) for host in hosts]

    assert asyncio.run(main()) == ["outside_window"] * 4 + [None]


def test_a_sites_own_hours_and_budget_come_first() -> None:
    async def main() -> list[str | None]:
        mine = ration(Wall(8, 30), Counter(), window="20:00-06:00", per_day=9)
        return [await mine.admit("hill.cn"), await mine.admit("hill.cn"), await mine.admit("lake.cn")]

    assert asyncio.run(main()) == [None, "daily_budget", "outside_window"]


def test_a_refused_host_is_waited_for_until_its_hours() -> None:
    async def main() -> tuple[float, str | None]:
        wall = Wall(17)
        mine = ration(wall, Counter(), window="20:00-06:00")
        why = await mine.admit("lake.cn")
        assert why is not None
        return await mine.wait("lake.cn", why), await mine.admit("lake.cn")

    assert asyncio.run(main()) == (3 * 3600.0, None)


def test_a_spent_budget_is_waited_for_until_the_next_day() -> None:
    async def main() -> tuple[list[str | None], float, str | None]:
        wall = Wall(22)
        mine = ration(wall, Counter(), per_day=3)
        answers = [await mine.admit("lake.cn") for _ in range(4)]
        return answers, await mine.wait("lake.cn", "daily_budget"), await mine.admit("lake.cn")

    assert asyncio.run(main()) == ([None, None, None, "daily_budget"], 2 * 3600.0, None)


@pytest.mark.parametrize("per_day", [1, SHARE - 1, SHARE, 5 * SHARE + 7])
def test_workers_together_stay_within_the_budget(per_day: int) -> None:
    async def main() -> int:
        wall, counter = Wall(10), Counter()
        workers = [ration(wall, counter, per_day=per_day) for _ in range(3)]
        answers = await asyncio.gather(*(worker.admit("lake.cn") for _ in range(90) for worker in workers))
        return answers.count(None)

    assert asyncio.run(main()) == per_day


@pytest.mark.mongo
def test_the_common_count_is_kept_in_the_database(store: Sync, store_uri: str) -> None:
    async def main() -> list[int]:
        db = connect_async(store_uri)
        try:
            return [*await asyncio.gather(*(take(db, "lake", "2023-09-20", 20, 50) for _ in range(4)))]
        finally:
            await db.client.close()

    assert sorted(asyncio.run(main())) == [0, 10, 20, 20]
    assert store.rations.find_one({"_id": "lake:2023-09-20"})["used"] == 80
    assert store.rations.count_documents({}) == 1
