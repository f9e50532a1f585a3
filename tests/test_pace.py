"""The pace holds its limits under many tasks, whatever the order they come in."""

from __future__ import annotations

import asyncio
import heapq
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Any

import pytest

from govcrawl.pace import (
    LONGEST_CRAWL_DELAY,
    LONGEST_WAIT,
    NotNow,
    Pace,
    host_of,
    retry_after,
    until_open,
    window_of,
)

NOW = datetime(2023, 9, 20, 8, 0, tzinfo=UTC)


class Clock:
    """A clock that jumps to the next sleeper once every task waits."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        future = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self.now + max(seconds, 0.0), self._count, future))
        await future

    async def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        task = asyncio.ensure_future(work)
        while not task.done():
            for _ in range(50):  # lets every runnable task come to rest
                await asyncio.sleep(0)
            if not task.done() and self._sleepers:
                due, _, future = heapq.heappop(self._sleepers)
                self.now = max(self.now, due)
                if not future.done():
                    future.set_result(None)
        return task.result()


def simulate(scenario: Callable[[Clock], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        clock = Clock()

        async def work() -> Any:
            return await scenario(clock)

        return await clock.run(work())

    return asyncio.run(main())


def paced(clock: Clock, log: list[tuple[float, str, str | None]], **limits: Any) -> Pace:
    return Pace(clock=clock, sleep=clock.sleep, log=lambda *start: log.append(start), **limits)


def most_in_flight(spans: list[tuple[float, float]]) -> int:
    events = sorted([(start, 1) for start, _ in spans] + [(end, -1) for _, end in spans])
    worst = flying = 0
    for _, step in events:
        flying += step
        worst = max(worst, flying)
    return worst


@pytest.mark.parametrize("seed", range(3))
def test_limits_hold_for_hosts_and_addresses_under_many_tasks(seed: int) -> None:
    log: list[tuple[float, str, str | None]] = []
    by_host: dict[str, list[tuple[float, float]]] = defaultdict(list)
    by_ip: dict[str, list[tuple[float, float]]] = defaultdict(list)
    dice = random.Random(seed)

    async def scenario(clock: Clock) -> None:
        pace = paced(clock, log, delay=0.25, per_host=3, per_ip=5)

        async def fetch(host: str, ip: str) -> None:
            await clock.sleep(dice.random() * 3)
            async with pace.turn(f"http://{host}/x", ip):
                start = clock()
                await clock.sleep(dice.random() * 2)
            by_host[host].append((start, clock()))
            by_ip[ip].append((start, clock()))

        await asyncio.gather(*(fetch(f"h{n % 12}", f"10.0.0.{n % 4}") for n in range(300)))

    simulate(scenario)
    assert len(log) == 300
    for spans, gap, ceiling in ((by_host, 0.25, 3), (by_ip, 0.0625, 5)):
        for key, times in spans.items():
            starts = sorted(start for start, _ in times)
            assert min(b - a for a, b in pairwise(starts)) >= gap - 1e-9, key
            assert most_in_flight(times) <= ceiling, key


def test_one_host_is_served_in_the_order_of_asking() -> None:
    order: list[int] = []

    async def scenario(clock: Clock) -> None:
        pace = paced(clock, [], delay=1.0, per_host=2)

        async def fetch(number: int) -> None:
            async with pace.turn("http://a/"):
                order.append(number)
                await clock.sleep(5.0 if number % 3 else 0.1)

        await asyncio.gather(*(fetch(n) for n in range(12)))

    simulate(scenario)
    assert order == list(range(12))


def test_hosts_of_one_address_take_turns() -> None:
    log: list[tuple[float, str, str | None]] = []

    async def scenario(clock: Clock) -> None:
        pace = paced(clock, log, delay=0.0, ip_rate=10)

        async def fetch(host: str) -> None:
            async with pace.turn(f"http://{host}/", "10.0.0.1"):
                pass

        await asyncio.gather(*(fetch("crowd") for _ in range(20)), *(fetch("small") for _ in range(3)))

    simulate(scenario)
    assert [host for _, host, _ in log[:7]].count("small") == 3
    assert log[-1][0] - log[0][0] == pytest.approx(22 * 0.1)


def test_workers_share_an_address() -> None:
    log: list[tuple[float, str, str | None]] = []

    async def scenario(clock: Clock) -> int:
        pace = paced(clock, log, delay=0.4, per_ip=8, workers=16)
        flying = worst = 0

        async def fetch(number: int) -> None:
            nonlocal flying, worst
            async with pace.turn(f"http://h{number}/", "10.0.0.1"):
                flying += 1
                worst = max(worst, flying)
                await clock.sleep(0.5)
                flying -= 1

        await asyncio.gather(*(fetch(n) for n in range(5)))
        return worst

    assert simulate(scenario) == 1
    starts = [start for start, _, _ in log]
    assert min(b - a for a, b in pairwise(starts)) >= 0.1 * 16 - 1e-9


def test_the_joint_log_of_many_workers_keeps_the_limits_of_an_address() -> None:
    log: list[tuple[float, str, str | None]] = []
    spans: list[tuple[float, float]] = []

    async def scenario(clock: Clock) -> None:
        async def worker(number: int) -> None:
            pace = paced(clock, log, delay=0.4, per_ip=8, workers=4)

            async def fetch(page: int) -> None:
                async with pace.turn(f"http://h{number}-{page % 5}/", "10.0.0.1"):
                    start = clock()
                    await clock.sleep(1.7)
                spans.append((start, clock()))

            await asyncio.gather(*(fetch(page) for page in range(40)))

        await asyncio.gather(*(worker(number) for number in range(4)))

    simulate(scenario)
    starts = sorted(start for start, _, _ in log)
    assert len(starts) == 160
    assert most_in_flight(spans) <= 8
    for first, start in enumerate(starts):
        within = sum(start <= other < start + 4.0 for other in starts[first:])
        assert within <= 4.0 / 0.1 + 4


def test_retry_after_holds_the_host_and_only_the_host() -> None:
    log: list[tuple[float, str, str | None]] = []

    async def scenario(clock: Clock) -> None:
        pace = paced(clock, log, delay=0.1)

        async def fetch(host: str) -> None:
            async with pace.turn(f"http://{host}/", "10.0.0.1"):
                pass

        await fetch("a")
        assert pace.penalise("http://a/x", 30.0) == 30.0
        await asyncio.gather(fetch("a"), fetch("b"))

    simulate(scenario)
    times = {host: start - 1000.0 for start, host, _ in log}
    assert times["a"] == pytest.approx(30.0)
    assert times["b"] < 1.0


def test_a_host_held_while_queued_for_its_address_lets_others_pass() -> None:
    log: list[tuple[float, str, str | None]] = []

    async def scenario(clock: Clock) -> None:
        pace = paced(clock, log, delay=0.0, ip_rate=1)

        async def fetch(host: str) -> None:
            async with pace.turn(f"http://{host}/", "10.0.0.1"):
                pass

        async def refuse() -> None:
            await clock.sleep(0.5)
            pace.penalise("http://b/", 60.0)

        await asyncio.gather(fetch("a"), fetch("b"), fetch("c"), refuse())

    simulate(scenario)
    assert [host for _, host, _ in log] == ["a", "c", "b"]
    assert log[-1][0] >= 1060.5


def test_back_off_grows_once_a_refusal_and_heals_with_calm() -> None:
    clock = Clock()
    pace = Pace(clock=clock)
    waits = []
    for _ in range(4):
        waits.append(pace.penalise("http://a/"))
        assert pace.penalise("http://a/") == waits[-1]  # the other requests in flight
        clock.now += waits[-1]
    assert waits == [1.0, 2.0, 4.0, 8.0]
    for _ in range(12):
        clock.now += pace.penalise("http://a/")
    assert pace.penalise("http://a/") <= LONGEST_WAIT
    clock.now += 3600
    assert pace.penalise("http://a/") == 1.0


def test_good_answers_heal_a_refusal() -> None:
    clock = Clock()
    pace = Pace(delay=0.0, clock=clock)
    pace.penalise("http://a/")
    clock.now += 1.0
    gate = pace.host_gate("a")
    assert gate.current_gap(clock.now) == pytest.approx(0.2)
    for _ in range(4):
        pace.observe("a", 0.1)
    assert gate.current_gap(clock.now) == 0.0


def test_slow_answers_widen_the_gap_up_to_four_times_and_fast_ones_heal_it() -> None:
    pace = Pace(delay=0.25)
    gate = pace.host_gate("a")
    assert gate.current_gap(0.0) == 0.25
    for _ in range(20):
        pace.observe("A", 9.0)
    assert gate.current_gap(0.0) == 1.0
    for _ in range(30):
        pace.observe("a", 0.01)
    assert gate.current_gap(0.0) == 0.25


def test_crawl_delay_outlives_an_idle_gate_and_is_capped() -> None:
    clock = Clock()
    pace = Pace(delay=0.25, clock=clock)
    pace.crawl_delay("Slow.gov.cn", 5.0)
    pace.crawl_delay("never.gov.cn", 86400.0)
    clock.now += 10
    for number in range(3000):
        pace.turn(f"http://h{number}/")
        pace.host_gate(f"h{number}")
    assert pace.host_gate("slow.gov.cn").gap == 5.0
    assert pace.host_gate("never.gov.cn").gap == LONGEST_CRAWL_DELAY


def test_idle_hosts_are_forgotten_and_busy_or_held_ones_kept() -> None:
    async def scenario(clock: Clock) -> int:
        pace = paced(clock, [], delay=0.0)
        pace.penalise("http://held/", 60.0)
        async with pace.turn("http://busy/"):
            gates = pace.host_gate("held"), pace.host_gate("busy")
            for number in range(20_000):
                async with pace.turn(f"http://h{number}/", f"ip{number}"):
                    pass
            assert (pace.host_gate("held"), pace.host_gate("busy")) == gates
        return len(pace._hosts) + len(pace._ips)

    assert simulate(scenario) <= 1100


def test_cancelled_waiters_give_their_place_back() -> None:
    async def scenario(clock: Clock) -> None:
        pace = paced(clock, [], delay=0.0, per_host=1, per_ip=1)

        async def fetch() -> None:
            async with pace.turn("http://a/", "10.0.0.1"):
                await clock.sleep(1.0)

        tasks = [asyncio.ensure_future(fetch()) for _ in range(6)]
        await clock.sleep(0.5)
        for task in tasks[:4]:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [isinstance(r, asyncio.CancelledError) for r in results] == [True] * 4 + [False] * 2
        gates = pace.host_gate("a"), pace.ip_gate("10.0.0.1")
        assert all(gate.active == 0 and not gate.starting and not gate.waiting for gate in gates)

    simulate(scenario)


def test_a_failing_request_leaves_its_place() -> None:
    async def scenario(clock: Clock) -> None:
        pace = paced(clock, [], delay=0.0, per_host=1)
        for _ in range(3):
            with pytest.raises(OSError, match="reset"):
                async with pace.turn("http://a/"):
                    raise OSError("reset")
        assert pace.host_gate("a").active == 0

    simulate(scenario)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("0", 0.0),
        (b" 17 ", 17.0),
        ("86400", LONGEST_WAIT),
        ("9" * 5000, LONGEST_WAIT),
        ("²", None),
        ("Wed, 20 Sep 2023 08:00:42 GMT", 42.0),
        ("Wed, 20 Sep 2023 07:00:00 GMT", 0.0),
        ("Wed, 20 Sep 2023 16:00:42 +0800", 42.0),
        ("Wed, 20 Sep 2033 08:00:42 GMT", LONGEST_WAIT),
        ("Wed, 99 Sep 2023 08:00:42 GMT", None),
    ],
)
def test_retry_after_reads_seconds_and_dates(value: str | bytes | None, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://WWW.Gov.CN:80/a", "www.gov.cn"),
        ("https://user:pw@a.gov.cn/", "a.gov.cn"),
        ("http://a.gov.cn?x@b", "a.gov.cn"),
        ("http://[::1]:8080/", "[::1]"),
        ("http://a.gov.cn\\@b/", "a.gov.cn"),
        ("mailto:x@y", ""),
    ],
)
def test_host_of(url: str, host: str) -> None:
    assert host_of(url) == host


@pytest.mark.parametrize(
    ("opens", "closes", "wait"),
    [
        (time(20), time(6), timedelta(hours=12)),
        (time(8), time(9), timedelta(0)),
        (time(7), time(8), timedelta(hours=23)),
        (time(22), time(8, 1), timedelta(0)),
        (time(0), time(0), timedelta(0)),
    ],
)
def test_a_crawl_window_says_how_long_it_stays_shut(opens: time, closes: time, wait: timedelta) -> None:
    assert until_open(NOW, opens, closes) == wait


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("", None),
        ("20:00-06:00", (time(20), time(6))),
        ("8:30 – 17:00", (time(8, 30), time(17))),
        ("00:00～06:30".replace("～", "~"), (time(0), time(6, 30))),
    ],
)
def test_a_crawl_window_is_read_as_people_write_it(text: str, window: tuple[time, time] | None) -> None:
    assert window_of(text) == window


@pytest.mark.parametrize("text", ["night", "20:00", "20:00-24:30", "08:00-08:00", "2000-0600"])
def test_what_is_no_crawl_window_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=text):
        window_of(text)


def test_a_refused_host_gives_its_place_back() -> None:
    log: list[tuple[float, str, str | None]] = []
    answers = iter(["outside_window", None])

    async def admit(_host: str) -> str | None:
        return next(answers)

    async def scenario(clock: Clock) -> None:
        pace = paced(clock, log, delay=0.1, per_host=1, per_ip=1, admit=admit)
        with pytest.raises(NotNow, match="outside_window"):
            async with pace.turn("http://a/", "10.0.0.1"):
                raise AssertionError
        async with pace.turn("http://a/", "10.0.0.1"):
            pass

    simulate(scenario)
    assert len(log) == 1
