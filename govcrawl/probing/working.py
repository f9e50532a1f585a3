"""A worker: takes rounds, visits each site when it is due, and accounts for every visit that was not made.

Any number of workers on any number of machines may work on one week. One of them holds a round and the others
stand by; when its lease runs out the next takes the rest of the round. A worker that loses the database goes
on until its lease ends and keeps what it saw.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from govcrawl.items import GovcrawlError, ProbeState, Site
from govcrawl.probing.schedule import Round, Week
from govcrawl.probing.visiting import Visitor
from govcrawl.store.probes import WEAK, Book, Entry, Tried, Unreachable, Visit, word_of

TICK = timedelta(minutes=1)  # between two batches of a round
LEASE = timedelta(minutes=5)
FLUSH = 0.5  # seconds between two writes of a round that is made at once
FEW = 10  # sites that may always be visited together


class Clock(Protocol):
    """The time visits go by."""

    def now(self) -> datetime:
        """Return the time, with its zone."""

    async def sleep_until(self, when: datetime) -> None:
        """Return at that time."""


class WallClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the time."""
        return datetime.now(UTC)

    async def sleep_until(self, when: datetime) -> None:
        """Return at that time; after a suspended machine wakes up, at once."""
        while (left := (when - self.now()).total_seconds()) > 0:  # noqa: ASYNC110  (only time passes)
            await asyncio.sleep(min(left, 60))


@dataclass(frozen=True, slots=True)
class Told:
    """A round that ended here, for the command to print."""

    round: Round
    counts: Mapping[str, int]


class Worker:
    """Works off a week: `await Worker(week, sites, book, visitor, clock=clock, owner=name).run()`."""

    def __init__(
        self,
        week: Week,
        sites: Sequence[Site],
        book: Book,
        visitor: Visitor,
        *,
        clock: Clock,
        owner: str,
        tick: timedelta = TICK,
        lease: timedelta = LEASE,
        told: Callable[[Told], None] = lambda _: None,
    ) -> None:
        self._week = week
        self._sites = {site.site_id: site for site in sites}
        self._book = book
        self._visitor = visitor
        self._clock = clock
        self._owner = owner
        self._tick = tick
        self._lease = lease
        self._told = told
        self._unsaved: list[Visit] = []
        self._away: dict[str, Entry] = {}  # outages that go on: network, database
        self._over: list[Entry] = []  # outages that ended, to be written
        self._until = self._clock.now()  # of our lease
        self._holding = ""  # the name of the round we hold
        self._done: set[str] = set()

    async def run(self) -> None:
        """Work until the week is over and every visit of it accounted for."""
        while True:
            now = self._clock.now()
            try:
                await self._flush()
                await self._settle(now)
                round_ = self._week.round_at(now)
                if round_ is None and now >= self._week.end and self._all_done():
                    return
                if round_ is not None and round_.name not in self._done and await self._may_take(round_):
                    await self._work(round_)
                    if "network" not in self._away:
                        continue
            except Unreachable:
                self._gone("database", now)
            await self._clock.sleep_until(self._next(now))

    async def leave(self) -> None:
        """Store what was seen and give back the round that is held: the command was told to stop."""
        with suppress(Unreachable):
            await self._flush()
            if self._holding:
                await self._book.release(self._holding, self._owner)

    async def once(self, round_: Round) -> Mapping[str, int] | None:
        """Visit all sites of a round now and return what came out; None when it is done or held elsewhere.

        A round in which our own network was down stays open. Raises GovcrawlError without a database.
        """
        try:
            if not await self._take(round_):
                return None
            states = await self._book.states(round_.name)
            left = [site for site_id, site in self._sites.items() if not _made(states, site_id)]
            found = await self._at_once(round_, left)
            counts = Counter((states | {one.site_id: _word(one) for one in found}).values())
            if any(one.state is ProbeState.OWN_NETWORK for one in found):
                await self._book.release(round_.name, self._owner)
            else:
                await self._book.finish(round_.name, self._owner, counts)
        except Unreachable as error:
            raise GovcrawlError(f"the database went away during the round ({error}); repeat it") from error
        return counts

    async def _at_once(self, round_: Round, sites: Sequence[Site]) -> list[Visit]:
        """Visit sites as fast as may be, storing what needs no second look meanwhile."""
        fresh: list[Visit] = []
        work = asyncio.ensure_future(self._visitor.batch(round_.name, sites, fresh.append))
        try:
            while not work.done():
                await asyncio.wait([work], timeout=FLUSH)
                some, fresh[:] = fresh[:], ()
                await self._book.save(some)
                if self._until - self._clock.now() < self._lease / 2:
                    await self._book.renew(round_.name, self._owner, self._lease.total_seconds())
                    self._until = self._clock.now() + self._lease
        finally:
            work.cancel()
        found = work.result()
        await self._book.save([*fresh, *(one for one in found if one.state is not ProbeState.CONNECTED)])
        return found

    # --- one round ------------------------------------------------------------------------------------------

    async def _take(self, round_: Round) -> bool:
        asked = self._clock.now()
        held = await self._book.lease(round_.name, self._owner, self._lease.total_seconds())
        if held:
            self._until, self._holding = asked + self._lease, round_.name
        return held

    async def _may_take(self, round_: Round) -> bool:
        """Take a round if our network is up: the others may be on another."""
        if "network" in self._away:
            if not await self._visitor.online():
                self._gone("network", self._clock.now())
                return False
            self._back("network", self._clock.now())
        return await self._take(round_)

    async def _work(self, round_: Round) -> None:
        """Visit the sites of a round as they become due, until all were, or lease or network are lost."""
        states = await self._book.states(round_.name)
        pending = {site_id: round_.due(site_id) for site_id in self._sites if not _made(states, site_id)}
        while pending:
            now = self._clock.now()
            for site_id in [one for one in pending if round_.last(one) < now]:
                del pending[site_id]
            await self._visit(round_, pending, now)
            if not await self._still_ours(round_):
                return
            if "network" in self._away:
                await self._book.release(round_.name, self._owner)
                return
            if pending:
                await self._clock.sleep_until(self._clock.now() + self._tick)
        await self._flush()
        await self._close(round_)

    async def _visit(self, round_: Round, pending: dict[str, datetime], now: datetime) -> None:
        ready = sorted((due, site_id) for site_id, due in pending.items() if due <= now)
        if not ready:
            return
        # After a gap the late ones are caught up at no more than twice the pace of a full round's middle.
        most = max(FEW, math.ceil(4 * len(self._sites) * (self._tick / round_.slot)))
        found = await self._visitor.batch(round_.name, [self._sites[site_id] for _, site_id in ready[:most]])
        for one in found:
            if one.state is ProbeState.OWN_NETWORK:
                self._gone("network", now)  # tried again at the next tick while its time lasts
                continue
            del pending[one.site_id]
            self._unsaved.append(one)

    async def _still_ours(self, round_: Round) -> bool:
        """Store what was seen and prolong the lease; False when it is lost or ran out."""
        asked = self._clock.now()
        try:
            await self._flush()
            if self._until - asked > self._lease / 2:
                return True
            if not await self._book.renew(round_.name, self._owner, self._lease.total_seconds()):
                return False
        except Unreachable:
            self._gone("database", asked)
            return asked + self._tick < self._until
        self._until = asked + self._lease
        return True

    async def _flush(self) -> None:
        """Store what was seen and the outages meanwhile."""
        if self._unsaved:
            await self._book.save(self._unsaved)
            self._unsaved.clear()
        if "database" in self._away:
            await self._book.ping()
            self._back("database", self._clock.now())
        for entry in [*self._over, *self._away.values()]:
            await self._book.note(entry)
        self._over.clear()

    def _gone(self, what: str, now: datetime) -> None:
        known = self._away.get(what) or Entry("", what, self._owner, now, now)
        self._away[what] = replace(known, until=now)

    def _back(self, what: str, now: datetime) -> None:
        known = self._away.pop(what, None)
        if known is not None:
            self._over.append(replace(known, until=now))

    # --- accounting -----------------------------------------------------------------------------------------

    async def _settle(self, now: datetime) -> None:
        """Account for past rounds that nobody finished; only after their holder's lease and some grace."""
        past = [one for one in self._week.all() if one.end + self._lease < now and one.name not in self._done]
        if not past:
            return
        self._done = await self._book.done()
        for round_ in past:
            if round_.name not in self._done and await self._take(round_):
                await self._close(round_)

    async def _close(self, round_: Round) -> None:
        """Give every visit of a round that was not made its reason, and end the round."""
        states = await self._book.states(round_.name)
        log = await self._book.log(round_.name)
        missed = [_missed(round_, one, log) for one in self._sites if one not in states]
        await self._book.save(missed)
        counts = Counter((states | {one.site_id: _word(one) for one in missed}).values())
        if await self._book.finish(round_.name, self._owner, counts):
            self._done.add(round_.name)
            self._told(Told(round_, counts))

    def _all_done(self) -> bool:
        return not self._unsaved and all(round_.name in self._done for round_ in self._week.all())

    def _next(self, now: datetime) -> datetime:
        if now < self._week.begin:
            return self._week.begin
        return now + self._tick


def _made(states: Mapping[str, str], site_id: str) -> bool:
    return states.get(site_id, "missed").partition(":")[0] not in WEAK


def _word(one: Visit) -> str:
    return word_of(one.state, one.reason)


def _missed(round_: Round, site_id: str, log: Sequence[Entry]) -> Visit:
    reason = missed_because(round_.due(site_id), round_.last(site_id), log)
    state = ProbeState.OWN_NETWORK if reason == "network" else ProbeState.MISSED
    return Visit(site_id, round_.name, round_.due(site_id), state, Tried(0.0), reason=reason)


def missed_because(due: datetime, last: datetime, log: Sequence[Entry]) -> str:
    """Return why a visit was not made between two moments, from the log of its round.

    `database` and `network` were away; `node`: the worker that held the round died; `stopped`: it was told to
    end; `idle`: no worker held it; `late`: one held it and did not come round to the site.
    """
    for word in ("database", "network"):
        if any(_meets(one, due, last) for one in log if one.event == word):
            return word
    held = False
    ended = ""
    for one in log:
        if one.at > last:
            break
        if one.event == "leased":
            held, ended = True, ""
        elif one.event == "expired":
            held, ended = False, "node"
        elif one.event == "released":
            held, ended = False, "stopped"
    if held and not ended:
        return "late"
    return ended or "idle"


def _meets(one: Entry, due: datetime, last: datetime) -> bool:
    return one.at <= last and (one.until or one.at) >= due
