"""A compressed clock and a planted web for the tests of visits: weeks pass as fast as the work is done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from govcrawl.items import Site
from govcrawl.probing.schedule import Week
from govcrawl.probing.visiting import Visitor
from govcrawl.probing.working import Worker
from govcrawl.store.client import Async
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
