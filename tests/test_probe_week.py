"""A simulated week: V2 comes to what was planted, and every visit that was not made says why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby, pairwise

import pytest

from govcrawl.items import Site
from govcrawl.probing.schedule import Week
from govcrawl.probing.verdicts import counted, verdict
from govcrawl.standard import load_edition
from govcrawl.store import probes
from govcrawl.store.client import Sync
from govcrawl.store.probes import Entry, Tried
from tests.probing import KINDS, WEEK, simulate

pytestmark = pytest.mark.mongo
EDITION = load_edition()
AT = WEEK.quarter.monitoring_point("2023-09-20")


def roster(count: int) -> list[Site]:
    return [
        Site(
            f"s{number:04}", f"第{number}站", "department", "county", "330122", "", f"http://s{number}.test/"
        )
        for number in range(count)
    ]


def answer(url: str, now: datetime, second: bool) -> Tried:
    number = int(url.removeprefix("http://s").removesuffix(".test/"))
    return KINDS[number % len(KINDS)].answer(now, second=second)


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
    found_at = groupby(probes.visits(store, str(WEEK.quarter)), key=lambda doc: doc["site_id"])
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
        found = verdict(site, str(WEEK.quarter), EDITION, docs, AT)
        assert [one.outcome for one in found] == [KINDS[number % len(KINDS)].outcome], (site.site_id, found)
        matched += 1
    log = probes.log_of(store, str(WEEK.quarter))
    rounds = probes.rounds_of(store, str(WEEK.quarter))
    assert [one["round"] for one in rounds] == sorted(names)
    assert {one["state"] for one in rounds} == {"done"}
    assert overlaps(log) == []
    print(f"{matched} of {len(sites)} verdicts as planted; {states.total()} visits planned: {dict(states)}")
    return states


def week_of(store: Sync, uri: str, count: int) -> Counter[str]:
    sites = roster(count)
    simulate(uri, sites, answer)
    return proved(store, sites, WEEK)


def test_a_week_with_outages_of_network_nodes_and_database(store: Sync, store_uri: str) -> None:
    states = week_of(store, store_uri, 2 * len(KINDS))
    made = {"connected", "suspected", "down"}
    assert set(states) - made == {"own_network network", "missed database", "missed node", "missed idle"}


@pytest.mark.long
def test_a_week_of_a_province(store: Sync, store_uri: str) -> None:
    assert week_of(store, store_uri, 540).total() == 540 * 7 * 24
