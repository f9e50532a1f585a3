"""scrapyd's launcher: crawls are forked from a loaded project, and what becomes of their jobs is settled."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from scrapyd.config import Config
from scrapyd.interfaces import IEggStorage, IEnvironment, IPoller
from scrapyd.launcher import Launcher as ScrapydLauncher
from scrapyd.launcher import ScrapyProcessProtocol, get_crawl_args
from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.threads import deferToThread
from twisted.logger import Logger
from twisted.python.failure import Failure

from govcrawl.cluster import metrics
from govcrawl.cluster.config import node_of
from govcrawl.cluster.forks import reason_of
from govcrawl.cluster.health import COMMAND, JOB, NODE
from govcrawl.cluster.spiderqueue import Message
from govcrawl.store.client import Document
from govcrawl.store.patience import patient

log = Logger()
reactor: Any = installed
_GRACE = 25.0  # seconds crawls told to stop have to store what they hold
_PAUSE = 2.0  # seconds before a slot whose crawl could not be started asks again
_ALIKE = ("SCRAPY_PROJECT", "SCRAPYD_EGG_VERSION", "SCRAPY_SETTINGS_MODULE")
_LOG_FORMAT = "%(asctime)s node={node} job={job} site={site} %(name)s %(levelname)s: %(message)s"


class Signals:
    """What scrapyd uses of a process's transport."""

    def __init__(self, send: Callable[[int], None]) -> None:
        self.send = send

    def signalProcess(self, name: str | int) -> None:  # noqa: N802  (Twisted's name)
        """Send a signal by name, such as TERM, or by number."""
        self.send(name if isinstance(name, int) else getattr(signal, f"SIG{name.removeprefix('SIG')}"))


class Crawl(ScrapyProcessProtocol):
    """One crawl process, as scrapyd's web pages see it."""

    def __init__(self, message: Message, env: dict[str, str], args: list[str]) -> None:
        super().__init__(message["_project"], message["_spider"], message["_job"], env, args)
        self.run: str = message["run"]
        self.owner: str = message["owner"]
        self.stopping = False

    def started(self, pid: int, send: Callable[[int], None]) -> None:
        """Note the process's number, and how it is sent signals."""
        self.pid = pid
        self.transport = Signals(send)
        self.log("info", "Process started:")

    def stop(self, name: str | int = "TERM") -> None:
        """Ask the crawl to store what it holds and end; at once when it has not started yet."""
        self.stopping = True
        if self.pid:
            self.transport.signalProcess(name)
            reactor.callLater(_GRACE, self._kill)

    def _kill(self) -> None:
        if not self.deferred.called:  # it hangs; what it has not stored is fetched again
            self.transport.signalProcess("KILL")


class Nursery(ProcessProtocol):
    """A `runner serve` process of one project and version, and the crawls it has forked."""

    transport: Any

    def __init__(self, name: str) -> None:
        self.name = name
        self.crawls: dict[str, tuple[Crawl, Deferred[str]]] = {}
        self.alive = True
        self._numbers = count(1)
        self._rest = b""

    def start(self, crawl: Crawl) -> Deferred[str]:
        """Have a crawl forked; fires with a reason when it has ended, an empty one for exit code 0."""
        number = str(next(self._numbers))
        ended: Deferred[str] = Deferred()
        self.crawls[number] = (crawl, ended)
        self._order(number, args=crawl.args, env=crawl.env)
        return ended

    def _order(self, number: str, **told: Any) -> None:
        self.transport.write(json.dumps({"id": number} | told).encode() + b"\n")

    def close(self) -> None:
        """Let the process end; it takes no further crawl."""
        self.alive = False
        self.transport.loseConnection()

    def childDataReceived(self, childFD: int, data: bytes) -> None:  # noqa: N802, N803  (Twisted's names)
        """Read reports; everything else goes to the node's log."""
        if childFD == 3:
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                self._report(json.loads(line))
            return
        text = data.decode("utf-8", "replace").rstrip()
        log.info("{name}: {text}", name=self.name, text=text[:4000])

    def _report(self, fact: Document) -> None:
        crawl, ended = self.crawls[fact["id"]]
        if "pid" in fact:
            crawl.started(fact["pid"], lambda signum: self._order(fact["id"], signal=signum))
            if crawl.stopping:
                crawl.stop()
            return
        del self.crawls[fact["id"]]
        ended.callback(reason_of(fact["status"]))

    def processEnded(self, status: Failure) -> None:  # noqa: N802  (Twisted's name)
        """End all crawls: the kernel has told them to."""
        self.alive = False
        crawls, self.crawls = self.crawls, {}
        for _, ended in crawls.values():
            ended.errback(status)


class Launcher(ScrapydLauncher):
    """Keeps `max_proc` crawls running; each ends with its job done, failed, or back in the queue."""

    def __init__(self, config: Config, app: Any) -> None:
        super().__init__(config, app)
        self.node = node_of(config)
        self.stopping = False
        self._nurseries: dict[tuple[str, ...], Nursery] = {}
        poller = app.getComponent(IPoller)
        poller.slots = self.max_proc
        poller.running = self.running
        poller.stop_crawl = self.stop_crawl
        poller.prepare = self.prepare
        self.poller = poller
        metrics.SLOTS.set(self.max_proc)

    def startService(self) -> None:  # noqa: N802  (Twisted's name)
        """Load the projects and ask for jobs."""
        self.prepare()
        super().startService()

    def prepare(self) -> None:
        """Load each project's newest version: loading takes seconds, and its first job shall not wait."""
        environment = self.app.getComponent(IEnvironment)
        for project in self.poller.queues:
            self._nursery(environment.get_environment({"_project": project}, 0))

    def running(self) -> list[Document]:
        """Return what runs now, as nodes tell each other."""
        crawls = list(self.processes.values())
        return [
            {"job": one.job, "site": one.spider, "owner": one.owner, "pid": one.pid or 0} for one in crawls
        ]

    def stop_crawl(self, owner: str) -> None:
        """Stop one crawl: an operator wants it."""
        for crawl in self.processes.values():
            if crawl.owner == owner and not crawl.stopping:
                crawl.stop()

    def stopService(self) -> Deferred[Any]:  # noqa: N802  (Twisted's name)
        """Stop all crawls, wait for them, and give their jobs back."""
        self.stopping = self.poller.stopped = True
        crawls = list(self.processes.values())
        for crawl in crawls:
            crawl.stop()
        ends = DeferredList([crawl.deferred for crawl in crawls], consumeErrors=True)

        def done(_: object) -> object:
            for nursery in self._nurseries.values():
                if nursery.alive:
                    nursery.close()
            return ScrapydLauncher.stopService(self)

        return ends.addBoth(done)

    def _get_message(self, slot: int) -> None:
        # scrapyd loses a slot for ever when starting a process fails.
        self.poller.next().addCallback(self._spawn_process, slot).addErrback(self._could_not_start, slot)

    def _could_not_start(self, failure: Failure, slot: int) -> None:
        log.failure("node={node}: a crawl could not be started", failure, node=self.node.name)
        if not self.stopping:
            reactor.callLater(_PAUSE, self._get_message, slot)

    def _spawn_process(self, message: Message, slot: int) -> Deferred[None]:
        environment = self.app.getComponent(IEnvironment)
        message.setdefault("settings", {})
        message["settings"].update(environment.get_settings(message))
        message["settings"].setdefault(
            "LOG_FORMAT",
            _LOG_FORMAT.format(node=self.node.name, job=message["_job"], site=message["_spider"]),
        )
        env = environment.get_environment(message, slot)
        env["GOVCRAWL_OPTIONS"] = self._options(env)
        env |= {JOB: message["_job"], NODE: self.node.name}
        if self.node.alarm:
            env[COMMAND] = self.node.alarm
        crawl = Crawl(message, env, get_crawl_args(message))
        try:
            ended = self._nursery(env).start(crawl)
        except Exception:
            deferToThread(self._settle, crawl, "").addErrback(self._unsettled, crawl)
            raise
        self.processes[slot] = crawl
        metrics.STARTED.inc()
        metrics.RUNNING.set(len(self.processes))
        ended.addCallbacks(lambda reason: self._ended(crawl, reason), lambda _: "")
        return ended.addBoth(lambda _: self._process_finished(crawl, slot))

    def _options(self, env: dict[str, str]) -> str:
        """Return the options of this node's crawls: its length of a lease, and one pace for them together."""
        given = json.loads(env.get("GOVCRAWL_OPTIONS") or "{}")
        pace = given.get("timetable") or env.get("GOVCRAWL_TIMETABLE") or str(Path("timetable").resolve())
        return json.dumps(given | {"lease_seconds": self.node.lease_seconds, "timetable": pace})

    def _nursery(self, env: dict[str, str]) -> Nursery:
        version, stamp = self._egg(env["SCRAPY_PROJECT"], env.get("SCRAPYD_EGG_VERSION"))
        key = (env["SCRAPY_PROJECT"], version, stamp)
        found = self._nurseries.get(key)
        if found is not None and found.alive:
            return found
        for old in self._nurseries.values():  # those of other versions end when their crawls have
            if old.alive and not old.crawls:
                old.close()
        nursery = self._nurseries[key] = Nursery("/".join(key[:2]))
        alike = {**os.environ, **{name: env[name] for name in _ALIKE if name in env}}
        if version:
            alike["SCRAPYD_EGG_VERSION"] = version
        command = [sys.executable, "-m", self.runner, "serve"]
        reactor.spawnProcess(
            nursery, sys.executable, command, env=alike, childFDs={0: "w", 1: "r", 2: "r", 3: "r"}
        )
        return nursery

    def _egg(self, project: str, wanted: str | None) -> tuple[str, str]:
        """Return version and time of the egg a crawl runs: a version that is deployed again is another."""
        version, egg = self.app.getComponent(IEggStorage).get(project, wanted)
        if egg is None:
            return "", ""
        with egg:
            return str(version), str(os.fstat(egg.fileno()).st_mtime_ns)

    def _ended(self, crawl: Crawl, reason: str) -> Deferred[Any]:
        """Settle the job of a crawl that ended while this node lives."""
        told = crawl.stopping or self.stopping
        reason = "" if told else reason or "ended without a result, see its log"
        return deferToThread(self._settle, crawl, reason).addErrback(self._unsettled, crawl)

    def _settle(self, crawl: Crawl, reason: str) -> None:
        settled = patient.sync(self.node.queue.ended)
        state = settled(crawl.run, crawl.spider, crawl.owner, reason)
        metrics.ENDED.labels(state=state or "unknown").inc()

    def _unsettled(self, failure: Failure, crawl: Crawl) -> None:
        log.failure("job={job}: left to its lease", failure, job=crawl.job)

    def _process_finished(self, crawl: Crawl, slot: int) -> None:
        self.processes.pop(slot, None)
        crawl.end_time = dt.datetime.now()  # noqa: DTZ005  (scrapyd's own kind of time)
        crawl.log("info", "Process finished:")
        metrics.SECONDS.observe((crawl.end_time - crawl.start_time).total_seconds())
        metrics.RUNNING.set(len(self.processes))
        self.finished.add(crawl)
        crawl.deferred.callback(crawl)
        if not self.stopping:
            self._get_message(slot)
