"""A simulated week: V2 comes to what was planted, and every visit that was not made says why."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from itertools import groupby, pairwise

import pytest

from govcrawl.items import Outcome, Site
from govcrawl.probing.schedule import Week
from govcrawl.probing.verdicts import counted, verdict
from govcrawl.quarter import Quarter
from govcrawl.standard import load_edition
from govcrawl.store import probes
from govcrawl.store.client import Sync, connect_async
from govcrawl.store.probes import Entry, Tried
from tests.probing import GOOD, NO_NAME, TIMEOUT, Node, Simulation, Span

pytestmark = pytest.mark.mongo
QUARTER = Quarter(2023, 3)
WEEK = Week(QUARTER, date(2023, 9, 11))
EDITION = load_edition()
AT = QUARTER.monitoring_point("2023-09-20")
QUIET = (0, 6)  # days without outages, for faults that are counted out


def hours(first: float, last: float) -> Span:
    """A span of the week in hours from its start."""
    return WEEK.begin + timedelta(hours=first), WEEK.begin + timedelta(hours=last)


def at(day: int, hour: float) -> float:
    return 24 * day + hour


NETWORK = hours(at(2, 10), at(2, 12.5))  # of both nodes
DATABASE = (hours(at(5, 8.1), at(5, 8.2)), hours(at(5, 20), at(5, 22.4)))
NODES = (
    Node(
        "a",
        network=(hours(at(1, 2), at(1, 4.5)), NETWORK),
        dead=(hours(at(3, 5.3), at(3, 9)), hours(at(4, 13.2), at(4, 15.6))),
    ),
    Node("b", network=(NETWORK,), dead=(hours(at(4, 13.2), at(4, 15.7)),)),
)


def some_rounds(count: int) -> Callable[[datetime], bool]:
    """Choose so many rounds of the week, on its quiet days."""
    chosen = [round_ for round_ in WEEK.all() if (round_.start - WEEK.begin).days in QUIET][::4][:count]
    return lambda now: any(one.start <= now < one.end for one in chosen)


def during(span: Span) -> Callable[[datetime], bool]:
    return lambda now: span[0] <= now < span[1]


def always(_: datetime) -> bool:
    return True


# What a kind of site answers when it has its fault, on the first and on the second path; when; what V2 is.
KINDS: tuple[tuple[Tried, Tried, Callable[[datetime], bool], Outcome], ...] = (
    (GOOD, GOOD, always, Outcome.PASSED),
    (Tried(14.9, 200), Tried(14.9, 200), always, Outcome.PASSED),
    (TIMEOUT, TIMEOUT, some_rounds(5), Outcome.PASSED),  # of 154 and more visits: 3 %
    (TIMEOUT, TIMEOUT, some_rounds(10), Outcome.FAILED),  # of 168 and less: 6 %
    (Tried(15.0, 200), Tried(15.0, 200), some_rounds(10), Outcome.FAILED),
    (TIMEOUT, GOOD, some_rounds(10), Outcome.CANT_TELL),  # the second path reaches it
    (TIMEOUT, TIMEOUT, during(NETWORK), Outcome.PASSED),  # nobody could know
    (Tried(0.1, 404), Tried(0.1, 404), during(hours(at(0, 0), at(0, 12))), Outcome.FAILED),
    (Tried(0.1, 412), Tried(0.1, 412), always, Outcome.CANT_TELL),  # a firewall against programs
    (NO_NAME, NO_NAME, always, Outcome.FAILED),
)


def roster(count: int) -> list[Site]:
    return [
        Site(
            f"s{number:04}", f"第{number}站", "department", "county", "330122", "", f"http://s{number}.test/"
        )
        for number in range(count)
    ]


def answer(url: str, now: datetime, second: bool) -> Tried:
    number = int(url.removeprefix("http://s").removesuffix(".test/"))
    first, other, when, _ = KINDS[number % len(KINDS)]
    if not when(now):
        return GOOD
    return other if second else first


def simulate(uri: str, simulation: Callable[..., Simulation]) -> None:
    async def main() -> None:
        db = connect_async(uri)
        try:
            await simulation(db).run()
        finally:
            await db.client.close()

    asyncio.run(main())


def overlaps(log: Sequence[Entry]) -> list[Entry]:
    """Return the leases that were given before the one before had ended."""
    ends: dict[tuple[str, int], datetime] = {}
    for one in log:
        if one.event in ("expired", "released", "done"):
            ends.setdefault((one.round, one.turn), one.at)
    leases = [one for one in log if one.event == "leased"]
    held = {(one.round, one.turn): one.owner for one in leases}
    assert len(held) == len(leases)  # every lease has a number of its own
    return [
        one
        for one in leases
        if held.get((one.round, one.turn - 1), one.owner) != one.owner
        and ends.get((one.round, one.turn - 1), one.at + WEEK.slot) > one.at
    ]


def proved(store: Sync, sites: Sequence[Site], week: Week) -> Counter[str]:
    """Compare every verdict with what was planted, and account for every planned visit."""
    states: Counter[str] = Counter()
    matched = 0
    names = {round_.name: round_ for round_ in week.all()}
    found_at = groupby(probes.visits(store, str(QUARTER)), key=lambda doc: doc["site_id"])
    for number, (site, (site_id, group)) in enumerate(zip(sites, found_at, strict=True)):
        docs = list(group)
        assert site_id == site.site_id
        assert [doc["round"] for doc in docs] == sorted(names)  # one record for every planned visit
        states.update(f"{doc['state']} {doc['reason']}".strip() for doc in docs)
        made = [doc["at"] for doc in docs if doc["state"] not in probes.WEAK]
        gaps = [after - before for before, after in pairwise(made)]
        assert min(gaps) >= week.slot / 3  # nothing is made up for in a bunch
        assert all(names[doc["round"]].start <= doc["at"] < names[doc["round"]].end for doc in docs)
        assert all(doc["reason"] for doc in docs if doc["state"] in probes.WEAK)
        assert len(list(counted(docs))) == len(made)
        found = verdict(site, str(QUARTER), EDITION, docs, AT)
        assert [one.outcome for one in found] == [KINDS[number % len(KINDS)][3]], (site.site_id, found)
        matched += 1
    log = probes.log_of(store, str(QUARTER))
    rounds = probes.rounds_of(store, str(QUARTER))
    assert [one["round"] for one in rounds] == sorted(names)
    assert {one["state"] for one in rounds} == {"done"}
    assert overlaps(log) == []
    print(f"{matched} of {len(sites)} verdicts as planted; {states.total()} visits planned: {dict(states)}")
    return states


def week_of(store: Sync, uri: str, count: int) -> Counter[str]:
    sites = roster(count)
    simulate(uri, lambda db: Simulation(db, WEEK, sites, answer, NODES, away=DATABASE))
    return proved(store, sites, WEEK)


def test_a_week_with_outages_of_network_nodes_and_database(store: Sync, store_uri: str) -> None:
    states = week_of(store, store_uri, 2 * len(KINDS))
    made = {"connected", "suspected", "down"}
    assert set(states) - made == {"own_network network", "missed database", "missed node", "missed idle"}


@pytest.mark.long
def test_a_week_of_a_province(store: Sync, store_uri: str) -> None:
    assert week_of(store, store_uri, 540).total() == 540 * 7 * 24
