"""A compressed clock and a planted web for the tests of visits: weeks pass as fast as the work is done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from govcrawl.items import Outcome, Site
from govcrawl.probing.schedule import Week
from govcrawl.probing.visiting import Visitor
from govcrawl.probing.working import Worker
from govcrawl.quarter import Quarter
from govcrawl.store.client import Async, connect_async
from govcrawl.store.probes import Book, Tried, Unreachable

CANARY = "http://canary.test/"
GOOD, TIMEOUT, NO_NAME = Tried(0.4, 200), Tried(15.0, None, "timeout"), Tried(0.1, None, "dns")
Span = tuple[datetime, datetime]


def within(now: datetime, spans: Sequence[Span]) -> bool:
    """Tell whether a moment lies in one of the spans."""
    return any(start <= now < end for start, end in spans)


class CompressedClock:
    """Jumps to the next moment anybody waits for as soon as everybody waits."""

    def __init__(self, start: datetime) -> None:
        self._now = start
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: dict[asyncio.Future[None], datetime] = {}

    def now(self) -> datetime:
        """Return the simulated time."""
        return self._now

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something that lives by this clock."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def sleep_until(self, when: datetime) -> None:
        """Return at that simulated time."""
        if when <= self._now:
            return
        future = asyncio.get_running_loop().create_future()
        self._waiting[future] = when
        self._turn()
        try:
            await future
        finally:
            self._waiting.pop(future, None)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._turn()

    def _turn(self) -> None:
        waiting = {future: when for future, when in self._waiting.items() if not future.done()}
        if not waiting or len(waiting) < len(self._tasks):
            return
        self._now = min(waiting.values())
        for future, when in waiting.items():
            if when == self._now:
                future.set_result(None)


@dataclass
class PlantedNet:
    """The web as one node sees it: what each site answers, and when the node's own network is down."""

    clock: CompressedClock
    answer: Callable[[str, datetime, bool], Tried]
    down: Sequence[Span] = ()

    async def open(self, url: str, *, second: bool = False) -> Tried | None:
        """Answer at once, with the time it would have taken."""
        now = self.clock.now()
        if within(now, self.down):
            return Tried(0.0, None, "unreachable")
        return GOOD if url == CANARY else self.answer(url, now, second)


class FaultyBook(Book):
    """A book whose database is away at planted times."""

    def __init__(self, db: Async, quarter: str, clock: CompressedClock, away: Sequence[Span]) -> None:
        super().__init__(db, quarter, clock.now)
        self._clock = clock
        self._planted = away

    @asynccontextmanager
    async def _answering(self) -> AsyncIterator[None]:
        if within(self._clock.now(), self._planted):
            raise Unreachable("planted")
        async with super()._answering():
            yield


@dataclass
class Node:
    """One machine: its own network outages, and when its worker is killed and started again."""

    name: str
    network: Sequence[Span] = ()
    dead: Sequence[Span] = ()


@dataclass
class Simulation:
    """A week on several nodes."""

    db: Async
    week: Week
    sites: Sequence[Site]
    answer: Callable[[str, datetime, bool], Tried]
    nodes: Sequence[Node]
    away: Sequence[Span] = ()
    tick: timedelta = timedelta(minutes=5)
    lease: timedelta = timedelta(minutes=15)
    clock: CompressedClock = field(init=False)

    def __post_init__(self) -> None:
        self.clock = CompressedClock(self.week.begin)

    async def run(self) -> None:
        """Work off the week on all nodes."""
        running = [self.clock.start(self._node(node)) for node in self.nodes]
        await asyncio.gather(*running)

    async def _node(self, node: Node) -> None:
        for number, (start, end) in enumerate(node.dead):
            worker = self.clock.start(self._worker(node, number).run())
            await self.clock.sleep_until(start)
            worker.cancel()  # a kill: it says good-bye to nobody
            await asyncio.gather(worker, return_exceptions=True)
            await self.clock.sleep_until(end)
        worker = self._worker(node, len(node.dead))
        await worker.run()

    def _worker(self, node: Node, number: int) -> Worker:
        book = FaultyBook(self.db, str(self.week.quarter), self.clock, self.away)
        net = PlantedNet(self.clock, self.answer, node.network)
        visitor = Visitor(net, [CANARY], Decimal(15), self.clock.now)
        return Worker(
            self.week,
            self.sites,
            book,
            visitor,
            clock=self.clock,
            owner=f"{node.name}{number}",
            tick=self.tick,
            lease=self.lease,
        )


WEEK = Week(Quarter(2023, 3), date(2023, 9, 11))
QUIET = (0, 6)  # days without outages, for faults that are counted out


def hours(first: float, last: float) -> Span:
    """A span of the week in hours from its start."""
    return WEEK.begin + timedelta(hours=first), WEEK.begin + timedelta(hours=last)


def at(day: int, hour: float) -> float:
    """An hour of a day of the week, in hours from its start."""
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
    """Choose the moments of a span."""
    return lambda now: within(now, [span])


def always(_: datetime) -> bool:
    """Choose every moment."""
    return True


@dataclass(frozen=True)
class Kind:
    """What a kind of site answers on the first and on the second path, when it does so, and what V2 is."""

    first: Tried
    second: Tried
    when: Callable[[datetime], bool]
    outcome: Outcome

    def answer(self, now: datetime, *, second: bool) -> Tried:
        """Answer a visit."""
        if not self.when(now):
            return GOOD
        return self.second if second else self.first


KINDS = (
    Kind(GOOD, GOOD, always, Outcome.PASSED),
    Kind(Tried(14.9, 200), Tried(14.9, 200), always, Outcome.PASSED),
    Kind(TIMEOUT, TIMEOUT, some_rounds(5), Outcome.PASSED),  # of 154 and more visits: 3 %
    Kind(TIMEOUT, TIMEOUT, some_rounds(10), Outcome.FAILED),  # of 168 and less: 6 %
    Kind(Tried(15.0, 200), Tried(15.0, 200), some_rounds(10), Outcome.FAILED),
    Kind(TIMEOUT, GOOD, some_rounds(10), Outcome.CANT_TELL),  # the second path reaches it
    Kind(TIMEOUT, TIMEOUT, during(NETWORK), Outcome.PASSED),  # nobody could know
    Kind(Tried(0.1, 404), Tried(0.1, 404), during(hours(at(0, 0), at(0, 12))), Outcome.FAILED),
    Kind(Tried(0.1, 412), Tried(0.1, 412), always, Outcome.CANT_TELL),  # a firewall against programs
    Kind(NO_NAME, NO_NAME, always, Outcome.FAILED),
)


def simulate(uri: str, sites: Sequence[Site], answer: Callable[[str, datetime, bool], Tried]) -> None:
    """Let the week pass on two nodes, with outages of networks, nodes and the database."""

    async def main() -> None:
        db = connect_async(uri)
        try:
            await Simulation(db, WEEK, sites, answer, NODES, away=DATABASE).run()
        finally:
            await db.client.close()

    asyncio.run(main())
