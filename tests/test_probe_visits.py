"""Visits: when they are due, what confirms a failure, and the two paths over a real connection."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from govcrawl.items import GovcrawlError, ProbeState, Site
from govcrawl.probing.schedule import Week, hour_of
from govcrawl.probing.visiting import Visitor
from govcrawl.probing.web import Web
from govcrawl.probing.working import missed_because
from govcrawl.quarter import SHANGHAI, Quarter
from govcrawl.store.probes import Entry, Tried
from tests.province.model import Answer
from tests.province.server import Server

WEEK = Week(Quarter(2023, 3), date(2023, 9, 11))
NOW = WEEK.begin
GOOD, TIMEOUT = Tried(0.4, 200), Tried(15.0, None, "timeout")
CANARY = "http://canary.test/"


def site(number: int, url: str = "") -> Site:
    name = f"s{number}"
    return Site(name, name, "department", "county", "330122", "", url or f"http://{name}.test/")


# --- schedule -------------------------------------------------------------------------------------------


def test_a_week_has_its_rounds_in_order_and_knows_them_by_time() -> None:
    rounds = list(WEEK.all())
    assert len(rounds) == 7 * 24
    assert all(before.end == after.start for before, after in pairwise(rounds))
    assert [WEEK.round_at(one.start + timedelta(minutes=59)) for one in rounds] == rounds
    assert WEEK.round_at(WEEK.begin - timedelta(seconds=1)) is None
    assert WEEK.round_at(WEEK.end) is None
    assert rounds[9].name == "20230911T0900"


@pytest.mark.parametrize("rounds", [20, 24, 30, 36, 48])
def test_visits_of_a_site_are_spaced_and_do_not_leave_their_slot(rounds: int) -> None:
    week = Week(WEEK.quarter, WEEK.start, 2, rounds)
    for number in range(20):
        name = f"s{number}"
        for before, after in pairwise(week.all()):
            assert before.start <= before.due(name) < before.last(name) < before.end
            assert after.due(name) - before.last(name) >= week.slot / 2 - timedelta(seconds=1)


def test_visits_spread_over_the_slot_and_do_not_keep_to_one_minute() -> None:
    first, second, *_ = WEEK.all()
    minutes = {int((first.due(f"s{number}") - first.start).total_seconds() // 60) for number in range(540)}
    assert minutes >= set(range(3, 42))
    assert first.due("s1") - first.start != second.due("s1") - second.start
    assert first.due("s1") == next(iter(WEEK.all())).due("s1")


@pytest.mark.parametrize(("days", "rounds"), [(0, 24), (32, 24), (7, 19), (7, 21), (7, 60)])
def test_a_plan_that_cannot_settle_v2_is_refused(days: int, rounds: int) -> None:
    with pytest.raises(GovcrawlError, match=r"days with .* rounds"):
        Week(WEEK.quarter, WEEK.start, days, rounds)


def test_a_week_belongs_to_its_quarter() -> None:
    with pytest.raises(GovcrawlError, match="does not belong to 2023Q3"):
        Week(WEEK.quarter, date(2023, 6, 30))


def test_without_a_plan_there_is_one_round_an_hour() -> None:
    moment = datetime(2023, 9, 11, 9, 59, 59, tzinfo=SHANGHAI)
    assert hour_of(moment).name == "20230911T0900"


# --- judging --------------------------------------------------------------------------------------------


class Told:
    """A web that answers as told: address -> (first path, second path)."""

    def __init__(self, answers: Mapping[str, tuple[Tried, Tried | None]]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, bool]] = []

    async def open(self, url: str, *, second: bool = False) -> Tried | None:
        self.asked.append((url, second))
        return self.answers.get(url, (GOOD, GOOD))[second]


def judged(answers: Mapping[str, tuple[Tried, Tried | None]], count: int = 3) -> list[ProbeState]:
    visitor = Visitor(Told(answers), [CANARY], Decimal(15), lambda: NOW)
    found = asyncio.run(visitor.batch("r", [site(number) for number in range(count)]))
    assert [one.site_id for one in found] == [f"s{number}" for number in range(count)]
    return [one.state for one in found]


REFUSED = Tried(0.1, None, "refused")


@pytest.mark.parametrize(
    ("first", "second", "state"),
    [
        (Tried(14.9, 200), None, ProbeState.CONNECTED),
        (Tried(15.0, 200), Tried(15.0, 200), ProbeState.DOWN),
        (TIMEOUT, TIMEOUT, ProbeState.DOWN),
        (REFUSED, REFUSED, ProbeState.DOWN),
        (Tried(0.1, 404), Tried(0.1, 502), ProbeState.DOWN),
        (TIMEOUT, GOOD, ProbeState.SUSPECTED),  # only one path fails
        (TIMEOUT, None, ProbeState.SUSPECTED),  # there is no second path
        (Tried(0.1, 403), Tried(0.1, 403), ProbeState.SUSPECTED),  # may be aimed at programs
        (TIMEOUT, Tried(0.1, 521), ProbeState.SUSPECTED),
        (TIMEOUT, Tried(0.1, None, "proxy"), ProbeState.SUSPECTED),  # the second path itself is broken
    ],
)
def test_a_failure_counts_when_both_paths_fail(first: Tried, second: Tried | None, state: ProbeState) -> None:
    assert judged({"http://s1.test/": (first, second)}) == [
        ProbeState.CONNECTED,
        state,
        ProbeState.CONNECTED,
    ]


def test_silent_canaries_mean_our_own_network() -> None:
    silent = {CANARY: (TIMEOUT, TIMEOUT), "http://s1.test/": (TIMEOUT, TIMEOUT)}
    assert judged(silent) == [ProbeState.CONNECTED, ProbeState.OWN_NETWORK, ProbeState.CONNECTED]


def test_a_second_path_confirms_nothing_while_its_canary_is_silent() -> None:
    broken = {CANARY: (GOOD, Tried(0.1, 502)), "http://s1.test/": (TIMEOUT, Tried(0.1, 502))}
    assert judged(broken)[1] == ProbeState.SUSPECTED


def test_many_sites_at_once_that_the_second_path_reaches_are_our_own_network() -> None:
    half = {f"http://s{number}.test/": (TIMEOUT, GOOD) for number in range(10)}
    assert judged(half, 20) == [ProbeState.OWN_NETWORK] * 10 + [ProbeState.CONNECTED] * 10
    assert judged(half, 21) == [ProbeState.SUSPECTED] * 10 + [ProbeState.CONNECTED] * 11


def test_many_sites_that_fail_on_both_paths_while_canaries_answer_are_down() -> None:
    assert (
        judged({f"http://s{number}.test/": (TIMEOUT, TIMEOUT) for number in range(20)}, 20)
        == [ProbeState.DOWN] * 20
    )


def test_sites_that_answer_cost_one_request() -> None:
    net = Told({})
    asyncio.run(Visitor(net, [CANARY], Decimal(15), lambda: NOW).batch("r", [site(1), site(2)]))
    assert net.asked == [("http://s1.test/", False), ("http://s2.test/", False)]


# --- why a visit was not made ---------------------------------------------------------------------------


def entry(event: str, minute: int, until: int | None = None, owner: str = "a") -> Entry:
    end = None if until is None else NOW + timedelta(minutes=until)
    return Entry("r", event, owner, NOW + timedelta(minutes=minute), end)


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        ([], "idle"),
        ([entry("leased", 40)], "idle"),  # taken after the visit's time
        ([entry("leased", 0)], "late"),
        ([entry("leased", 0), entry("expired", 12)], "node"),
        ([entry("leased", 0), entry("released", 12)], "stopped"),
        ([entry("leased", 0), entry("expired", 5), entry("leased", 6, owner="b")], "late"),
        ([entry("leased", 0), entry("network", 15, 16)], "network"),
        ([entry("network", 5, 9)], "idle"),  # over before
        ([entry("network", 15, 16), entry("database", 20, 40)], "database"),
    ],
)
def test_a_missed_visit_says_why(log: Sequence[Entry], reason: str) -> None:
    due, last = NOW + timedelta(minutes=10), NOW + timedelta(minutes=25)
    assert missed_because(due, last, sorted(log, key=lambda one: one.at)) == reason


# --- the two paths --------------------------------------------------------------------------------------


def served(host: str, path: str) -> Answer:
    return {
        "/": Answer(200, b"<p>ok</p>"),
        "/gone": Answer(404, b"gone"),
        "/moved": Answer(302, location="/"),
        "/loop": Answer(302, location="/loop"),
        "/inner": Answer(302, location="http://10.0.0.7/"),
        "/slow": Answer(200, b"late", delay=30),
        "/reset": Answer(reset=True),
    }[path]


def opened(*paths: str, **options: str) -> list[Tried | None]:
    """Open pages of a server on loopback, or of any host where it is the proxy."""

    async def main() -> list[Tried | None]:
        server = Server(served)
        port = await server.start()
        own = f"127.0.0.1:{port}"
        given = {name: text.format(own=own) for name, text in options.items()}
        async with Web(allow=[own], user_agent="test", seconds=0.4, **given) as web:
            found = [
                await web.open(path if "://" in path else f"http://{own}{path}", second=path[0] != "/")
                for path in paths
            ]
        await server.stop()
        return found

    return asyncio.run(main())


def shown(found: Sequence[Tried | None]) -> list[tuple[int | None, str | None] | None]:
    return [one and (one.status, one.error) for one in found]


def test_what_a_direct_visit_comes_to() -> None:
    found = opened("/", "/gone", "/moved", "/loop", "/inner", "/slow", "/reset")
    assert shown(found) == [
        (200, None),
        (404, None),
        (200, None),
        (None, "redirect_loop"),
        (None, "blocked"),  # a redirect into the office's own network is not followed
        (None, "timeout"),
        (None, "reset"),
    ]
    assert found[0] is not None
    assert (found[0].via, found[0].elapsed < 0.4) == ("IPv4", True)
    assert found[5] is not None
    assert found[5].elapsed >= 0.4


def test_a_refused_connection_and_a_name_nobody_knows() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        closed = f"127.0.0.1:{taken.getsockname()[1]}"

        async def main() -> list[Tried | None]:
            async with Web(allow=[closed], user_agent="test", seconds=5) as web:
                urls = (f"http://{closed}/", "http://10.0.0.7/", "http:///nothing")
                return [await web.open(url) for url in urls]

        assert shown(asyncio.run(main())) == [(None, "refused"), (None, "blocked"), (None, "blocked")]


def test_a_site_of_one_address_family_has_no_second_path_without_a_proxy() -> None:
    async def main() -> Tried | None:
        async with Web(allow=["127.0.0.1"], user_agent="test", seconds=1) as web:
            return await web.open("http://127.0.0.1:9/", second=True)

    assert asyncio.run(main()) is None


def test_the_second_proxy_is_the_second_path() -> None:
    found = opened("http://any.test/", "http://any.test/gone", second_proxy="http://{own}")
    assert shown(found) == [(200, None), (404, None)]


def test_behind_one_proxy_there_is_no_second_path() -> None:
    assert opened("http://any.test/", proxy="http://{own}") == [None]
