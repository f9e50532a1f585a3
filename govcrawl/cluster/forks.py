"""Forks processes for crawls from a loaded project, and gives those that are free their next crawl.

Loading a project takes two seconds of processor time, a fork some milliseconds. A forked process shares the
loader's memory until it writes to it: that, and what a first crawl sets up, costs a tenth of a second, so one
whose crawl ended well is given the next. It runs one crawl at a time.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import socket
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

REPORTS = 3  # the file descriptor on which a server reports
WELL = b"\n"  # what a process answers when its crawl ended well and it is free for the next
_CRAWLS = 50  # a process runs, then another one takes its place: whatever leaks, leaks that long
_IDLE = 10.0  # seconds a free process is kept
_CHUNK = 65_536
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_OURS = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT)


def die_with_parent(number: int = signal.SIGTERM) -> None:
    """Be sent a signal when the parent process ends, however it ends."""
    with suppress(OSError, AttributeError):  # Linux only; elsewhere the leases run out
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)


def run_in_turn() -> None:
    """Leave the processor when the turn is over, not whenever another crawl of the machine has an answer."""
    with suppress(OSError, AttributeError):  # Linux only; elsewhere the system's own order stays
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def reason_of(status: int) -> str:
    """Return how a process ended in words; nothing for exit code 0."""
    if status < 0:
        with suppress(ValueError):
            return f"killed by {signal.Signals(-status).name}"
    return f"exit code {status}" if status else ""


@dataclass
class Fork:
    """A forked process and its crawl: `crawl` is the id of the one it runs, empty while it is free."""

    pid: int
    channel: socket.socket
    crawl: str = ""
    crawls: int = 0
    free_at: float = 0.0  # monotonic
    silent: bool = False  # it has closed its end: nothing more comes but its end

    def give(self, crawl: str, order: Mapping[str, Any]) -> bool:
        """Hand over a crawl; False when the process has ended."""
        self.crawls += 1
        try:
            self.channel.sendall(json.dumps({"args": order["args"], "env": order["env"]}).encode() + b"\n")
        except OSError:
            return False
        self.crawl = crawl
        return True

    def ended_well(self) -> bool:
        """Tell whether the process has answered that its crawl ended well."""
        try:
            answer = self.channel.recv(len(WELL), socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            answer = b""
        self.silent = not answer
        return answer == WELL


class Server:
    """Takes lines on `orders` and reports lines on `reports`, numbers being file descriptors.

    {"id", "args", "env"} starts a crawl: {"id", "pid"} tells where, {"id", "status"} that it has ended.
    {"id", "signal"} sends its process a signal, unless it has ended meanwhile: by its process's number alone
    the next crawl of that process could be hit. `work` runs in forked processes: it takes crawls as lines
    {"args", "env"} from the socket, answers WELL after each, and returns the process's exit code.
    """

    def __init__(self, work: Callable[[socket.socket], int], orders: int = 0, reports: int = REPORTS) -> None:
        self.orders = orders
        self.reports = reports
        self._work = work
        self._forks: list[Fork] = []
        self._rest = b""
        self._open = True
        self._wake, self._waker = os.pipe()

    def run(self) -> None:
        """Work until told no more and the last crawl has ended; SIGTERM ends the crawls, too."""
        os.set_blocking(self._wake, False)
        os.set_blocking(self._waker, False)
        signal.set_wakeup_fd(self._waker)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._end)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the node, which tells us
        while self._open or self._forks:
            heard = {one.channel: one for one in self._forks if one.crawl and not one.silent}
            asked: list[Any] = [self._wake, *([self.orders] if self._open else []), *heard]
            ready, _, _ = select.select(asked, [], [], self._patience())
            for one in [heard[channel] for channel in ready if channel in heard]:
                self._hear(one)
            if self._wake in ready:
                with suppress(BlockingIOError):
                    os.read(self._wake, _CHUNK)
                self._reap()
            if self.orders in ready:
                self._read()
            self._spare()

    def _end(self, *_: object) -> None:
        self._open = False
        for one in self._forks:
            _send(one.pid, signal.SIGTERM)

    # --- orders -----------------------------------------------------------------------------------

    def _read(self) -> None:
        data = os.read(self.orders, _CHUNK)
        if not data:  # the node is gone or wants no more
            self._open = False
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            order = json.loads(line)
            if "signal" in order:
                for one in self._forks:
                    if one.crawl == order["id"]:
                        _send(one.pid, order["signal"])
            else:
                self._report({"id": order["id"], "pid": self._start(order).pid})

    def _start(self, order: Mapping[str, Any]) -> Fork:
        for one in self._forks:
            if not one.crawl and one.crawls < _CRAWLS and one.give(order["id"], order):
                return one
        fresh = self._fork()
        self._forks.append(fresh)
        fresh.give(order["id"], order)
        fresh.crawl = order["id"]  # one that is killed before it heard of its crawl has ended it all the same
        return fresh

    def _fork(self) -> Fork:
        ours, its = socket.socketpair()
        # A signal between fork and `_become` would run this server's handlers in the crawl.
        signal.pthread_sigmask(signal.SIG_BLOCK, _OURS)
        pid = os.fork()
        if pid:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _OURS)
            its.close()
            return Fork(pid, ours)
        code = 1
        try:
            ours.close()
            self._become()
            code = self._work(its)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)

    def _become(self) -> None:
        """Turn a forked copy of this process into one of its own."""
        signal.set_wakeup_fd(-1)
        for number in _OURS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _OURS)
        die_with_parent()
        run_in_turn()
        for one in self._forks:  # what others are told is no business of this one
            one.channel.close()
        for descriptor in (self._wake, self._waker, self.reports):
            os.close(descriptor)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, self.orders)
        os.close(nothing)

    # --- ends -------------------------------------------------------------------------------------

    def _hear(self, one: Fork) -> None:
        if one.ended_well():  # else it is about to end, which `_reap` will see
            self._report({"id": one.crawl, "status": 0})
            one.crawl, one.free_at = "", time.monotonic()

    def _reap(self) -> None:
        while self._forks:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            for one in [fork for fork in self._forks if fork.pid == pid]:
                self._forks.remove(one)
                if one.crawl:
                    self._hear(one)
                if one.crawl:
                    self._report({"id": one.crawl, "status": os.waitstatus_to_exitcode(status)})
                one.channel.close()

    def _patience(self) -> float | None:
        """Return for how long to wait for news: until the first free process is not needed any more."""
        ends = [one.free_at + _IDLE for one in self._forks if not one.crawl and one.channel.fileno() >= 0]
        return max(0.0, min(ends) - time.monotonic()) if ends else None

    def _spare(self) -> None:
        """Let free processes go that have run enough, or have had nothing to do."""
        late = time.monotonic() - _IDLE
        for one in self._forks:
            if not one.crawl and (not self._open or one.crawls >= _CRAWLS or one.free_at <= late):
                one.channel.close()

    def _report(self, fact: Mapping[str, Any]) -> None:
        with suppress(BrokenPipeError):  # the node is gone
            os.write(self.reports, json.dumps(fact).encode() + b"\n")


def _send(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
