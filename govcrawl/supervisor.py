"""Runs an inspection: plans it in the ledger, starts workers, replaces those that die, tells how it goes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from govcrawl.inputs import read_inputs
from govcrawl.items import GovcrawlError, Site
from govcrawl.options import Options
from govcrawl.quarter import Quarter
from govcrawl.services import roster_sha
from govcrawl.standard import load_edition
from govcrawl.store.client import Sync
from govcrawl.store.ledger import counts, finish_run, open_run, pages_so_far, plan, release_owner
from govcrawl.store.schema import ensure_schema

_TICK = 0.2  # seconds between looks at the workers
_LOOK = 2.0  # seconds between looks at the ledger
_LOOK_SHARE = 20  # times as long as a look takes, the next one waits: it must not slow the storing
_GRACE = 30.0  # seconds a worker told to stop has to store what it holds
_EARLY = 5.0  # seconds: a worker that ends sooner cannot work here
_EARLY_MOST = 5


@dataclass
class Progress:
    """How a run stands."""

    run: str
    planned: int
    done: int = 0
    failed: int = 0
    pages: int = 0
    seconds: float = 0.0
    peak_mb: float = 0.0
    state: str = "open"
    restarts: int = 0

    @property
    def left(self) -> int:
        """Sites neither done nor failed."""
        return self.planned - self.done - self.failed


@dataclass
class _Process:
    owner: str
    popen: subprocess.Popen[bytes]
    started: float = field(default_factory=time.monotonic)


class Supervisor:
    """One run of an inspection on this machine: `run(report)` returns its final Progress."""

    def __init__(self, db: Sync, options: Options, sites: Sequence[Site]) -> None:
        self.db = db
        self.sites = sites
        ensure_schema(db)
        edition = load_edition(Path(options.edition) if options.edition else None)
        quarter = Quarter.parse(options.quarter)
        run = options.run or open_run(
            db,
            str(quarter),
            at=quarter.monitoring_point(options.at or None),
            edition=edition.id,
            roster_sha=roster_sha(sites),
            site_ids=[site.site_id for site in sites],
            settings=options.budgets(),
            inputs=read_inputs(options),
        )
        plan(db, run, sites)
        share = -(-len(sites) // options.workers)  # a few sites must not all go to the first worker
        self.options = options.with_(run=run, sites_at_once=max(1, min(options.sites_at_once, share)))
        self.progress = Progress(run, len(sites))
        self._workers: list[_Process] = []
        self._early = 0
        self._started = time.monotonic()
        self._next_look = 0.0

    def run(self, report: Callable[[Progress], None]) -> Progress:
        """Work until nothing is planned or leased; Ctrl-C stops the workers and leaves the run open."""
        self._release_dead()
        with tempfile.TemporaryDirectory(prefix="govcrawl-run-") as folder:
            self.options = self.options.with_(timetable=self.options.timetable or f"{folder}/timetable")
            return self._work(report)

    def _work(self, report: Callable[[Progress], None]) -> Progress:
        try:
            for _ in range(min(self.options.workers, max(1, len(self.sites)))):
                self._start()
            while self._workers:
                time.sleep(_TICK)
                self._tend()
                self._look(report)
        finally:
            self._stop()
            self._look(report, force=True)
        self.progress.state = finish_run(self.db, self.progress.run)
        report(self.progress)
        return self.progress

    def _release_dead(self) -> None:
        """Take back what workers of this machine held that are gone: an earlier command was killed."""
        for row in self.db.ledger.find({"run": self.progress.run, "state": "leased"}, {"owner": 1}):
            host, _, rest = str(row["owner"]).partition(":")
            pid = rest.partition(":")[0]
            if host == os.uname().nodename and pid.isdigit() and not psutil.pid_exists(int(pid)):
                release_owner(self.db, self.progress.run, row["owner"], crashed=False)

    def _start(self) -> None:
        token = uuid.uuid4().hex[:8]
        options = self.options.with_(owner=f"{os.uname().nodename}:{os.getpid()}:{token}")
        popen = subprocess.Popen(
            [sys.executable, "-m", "govcrawl.worker"],
            env={**os.environ, **options.to_environment(), "PYTHONPATH": _python_path()},
            stdin=subprocess.DEVNULL,
        )
        self._workers.append(_Process(options.owner, popen))

    def _tend(self) -> None:
        for worker in list(self._workers):
            code = worker.popen.poll()
            if code is None:
                continue
            self._workers.remove(worker)
            held = release_owner(self.db, self.progress.run, worker.owner, crashed=code != 0)
            if code == 2:
                raise GovcrawlError("a worker cannot start (see the line above)")
            if code == 0 and not counts(self.db, self.progress.run)["planned"]:
                continue
            # One that had sites can work here; what crashed it is counted at those.
            early = time.monotonic() - worker.started < _EARLY and not held
            self._early = self._early + 1 if early else 0
            if self._early >= _EARLY_MOST * self.options.workers:
                raise GovcrawlError(
                    f"workers end as soon as they start (exit code {code}); see their messages above"
                )
            self.progress.restarts += 1
            self._start()

    def _look(self, report: Callable[[Progress], None], *, force: bool = False) -> None:
        now = time.monotonic()
        if not force and now < self._next_look:
            return
        progress = self.progress
        found = counts(self.db, progress.run)
        progress.done, progress.failed = found["done"], found["failed"]
        counted = self.db.pages.count_documents({"run": progress.run}) if force else 0
        progress.pages = counted or pages_so_far(self.db, progress.run)
        progress.seconds = now - self._started
        progress.peak_mb = max(progress.peak_mb, _memory())
        took = time.monotonic() - now
        self._next_look = now + max(_LOOK, _LOOK_SHARE * took)
        report(progress)

    def _stop(self) -> None:
        for worker in self._workers:
            worker.popen.terminate()
        end = time.monotonic() + _GRACE
        for worker in self._workers:
            with suppress(subprocess.TimeoutExpired):
                worker.popen.wait(max(0.1, end - time.monotonic()))
            if worker.popen.poll() is None:
                worker.popen.kill()
                worker.popen.wait()
            release_owner(self.db, self.progress.run, worker.owner, crashed=False)
        self._workers.clear()


def _memory() -> float:
    """Return the memory of this process and all its children in MB, shared pages counted once."""
    total = 0
    me = psutil.Process()
    for process in (me, *me.children(recursive=True)):
        with suppress(psutil.Error):
            found = process.memory_full_info()
            total += getattr(found, "pss", found.rss)
    return total / 2**20


def _python_path() -> str:
    """Return a module path on which workers find our packages from any folder."""
    root = str(Path(__file__).resolve().parent.parent)
    known = os.environ.get("PYTHONPATH", "")
    return f"{root}{os.pathsep}{known}" if known else root
