"""scrapyd's poller, which outlives any fault: it says that it is unhealthy, and tries again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

from scrapyd.config import Config
from scrapyd.interfaces import IPoller
from scrapyd.utils import get_spider_queues
from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred, DeferredQueue, succeed
from twisted.internet.threads import deferToThread
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from govcrawl import __version__
from govcrawl.cluster import metrics
from govcrawl.cluster.config import ahead_of, node_of
from govcrawl.cluster.spiderqueue import Message, SpiderQueue
from govcrawl.store.client import Document
from govcrawl.store.queue import recount, stops

log = Logger()
reactor: Any = installed
_PATIENCE = 3  # intervals without a good poll after which the node calls itself unhealthy
_FULL = 5.0  # seconds between polls of a node with no free slot: it beats and hears what is to stop
_BEAT = 1.0  # seconds at least between heartbeats: a slot that is free looks for work at once
_TIDY = 5.0  # seconds between looks for leases that ran out and runs that are finished


@dataclass
class Health:
    """How polling goes; `reason` is empty while it goes well."""

    reason: str = "has not polled yet"
    good_at: float = 0.0  # monotonic
    since: float = 0.0  # monotonic: the database has answered each poll since then
    pending: int = 0
    draining: bool = False
    faults: int = 0


@dataclass
class Pulled:
    """What one poll brought."""

    messages: list[Message] = field(default_factory=list)
    stops: set[str] = field(default_factory=set)
    pending: int = 0
    draining: bool = False


@implementer(IPoller)
class Poller:
    """Pulls jobs for free slots from the shared queue, in a thread: the database may take its time."""

    queues: dict[str, SpiderQueue]

    def __init__(self, config: Config) -> None:
        self.config = config
        self.node = node_of(config)
        self.interval = config.getfloat("poll_interval", 5)
        self.health = Health()
        self.running: Callable[[], list[Document]] = list  # the launcher's crawls
        self.slots = 0
        self.stop_crawl: Callable[[str], None] = lambda _: None
        self.prepare: Callable[[], None] = lambda: None
        self.dq: DeferredQueue[Message] = DeferredQueue()
        self.stopped = False
        self._busy = False
        self._again = False
        self._beaten = 0.0
        self._tidied = 0.0
        self._schema = False
        self.update_projects()

    def update_projects(self) -> None:
        """Look again which projects are deployed here."""
        self.queues = get_spider_queues(self.config)
        self.prepare()

    def next(self) -> Deferred[Message]:
        """Return the next job for a slot that is free now; asks for one at once."""
        waiting: Deferred[Message] = self.dq.get()
        reactor.callLater(0, self.poll)
        return waiting

    def poll(self) -> Deferred[None]:
        """Pull jobs for the free slots; never fails, for scrapyd's timer would stop for good."""
        rest = self.health.good_at + _FULL - time.monotonic()
        if self.stopped or (rest > 0 and not self.dq.waiting and not self.health.reason):
            return succeed(None)
        if self._busy:
            self._again = True
            return succeed(None)
        self._busy = True
        free = len(self.dq.waiting)
        pulling = deferToThread(self._pull, free, self.running())
        return pulling.addCallbacks(self._hand_out, self._note_fault).addErrback(self._note_fault)

    def unhealthy(self) -> str:
        """Return why this node does not get on, or nothing."""
        late = time.monotonic() - self.health.good_at
        if self.health.good_at and late > _PATIENCE * self.interval + 30:
            return self.health.reason or f"no poll has ended for {late:.0f} s"
        return self.health.reason

    # --- in the thread --------------------------------------------------------------------------------------

    def _pull(self, free: int, running: list[Document]) -> Pulled:
        began = time.monotonic()
        found = Pulled(draining=self.health.draining)
        if began - self._beaten >= _BEAT:
            self._beat(found, running)
            self._beaten = began
        while not found.draining and len(found.messages) < free:
            before = len(found.messages)
            for name, queue in list(self.queues.items()):
                if len(found.messages) < free and (message := queue.pop()) is not None:
                    found.messages.append(message | {"_project": name, "_spider": message["name"]})
            if len(found.messages) == before:
                break
        metrics.POLL.observe(time.monotonic() - began)
        return found

    def _beat(self, found: Pulled, running: list[Document]) -> None:
        """Say that this node lives, hear what operators want, and tidy up now and then."""
        now = time.monotonic()
        queue = self.node.queue
        found.draining = bool(queue.beat(self._facts(running)).get("draining"))
        if running:
            found.stops = stops(queue.db, [one["owner"] for one in running])
        if not self.health.good_at:
            for name in list(self.queues):
                for run in queue.of(name).runs():
                    recount(queue.db, run["_id"])
        if self.health.since and now - self._tidied > _TIDY:
            # A lease may have run out because the database was away, and its crawl is about to renew it.
            if now - self.health.since > self.node.lease_seconds:
                metrics.EXPIRED.inc(queue.expire())
            for name in list(self.queues):
                queue.of(name).finish()
            self._tidied = now

    def _facts(self, running: list[Document]) -> Document:
        return {
            "url": self.node.url,
            "pid": os.getpid(),
            "slots": self.slots,
            "running": running,
            "projects": sorted(self.queues),
            "roster": self.node.queue.kind.roster_sha,
            "edition": self.node.queue.kind.edition,
            "versions": {"govcrawl": __version__, "scrapyd": metadata.version("scrapyd")},
            "skew": round(ahead_of(self.node.queue.now()), 1),
        }

    # --- in the reactor -------------------------------------------------------------------------------------

    def _hand_out(self, found: Pulled) -> None:
        now = time.monotonic()
        health = self.health
        if health.reason and health.good_at:
            log.info("node={node} poller is healthy again", node=self.node.name)
        health.since = health.since or now
        health.reason, health.good_at, health.draining = "", now, found.draining
        metrics.HEALTHY.set(1)
        for owner in found.stops:
            self.stop_crawl(owner)
        for message in found.messages:
            message.pop("name")
            self.dq.put(message)
        self._rest()

    def _note_fault(self, failure: Failure) -> None:
        reason = f"{failure.type.__name__ if failure.type else 'error'}: {failure.getErrorMessage()}"[:300]
        if not self.health.reason or not self.health.good_at:
            log.error("node={node} poller is unhealthy: {reason}", node=self.node.name, reason=reason)
        self.health.reason = reason
        self.health.since = 0.0
        self.health.faults += 1
        metrics.HEALTHY.set(0)
        metrics.FAULTS.inc()
        self._busy = self._again = False

    def _rest(self) -> None:
        self._busy = False
        if self._again:
            self._again = False
            reactor.callLater(0, self.poll)
