"""The embedded database: started when a command needs it, stopped when the last command ends."""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pymongo.errors import PyMongoError

from govcrawl.items import GovcrawlError
from govcrawl.store import child
from govcrawl.store.client import DATABASE, one_line, ping

ROOT = Path(".govcrawl/db")
START = 60.0  # seconds: recovery after a kill replays the log
STOP = 15.0  # seconds for a clean stop

_users: dict[Path, tuple[IO[str], int]] = {}  # this process's hold on the users' lock, and how many share it
_guard = threading.Lock()


@contextmanager
def resolve(uri: str | None, root: Path = ROOT, *, ask: bool = True) -> Iterator[str]:
    """Yield the given URI after checking that it answers, or the embedded server's when none is given.

    Who connects at once need not `ask` first.
    The driver's errors leave the block as a GovcrawlError of one line.
    """
    with contextlib.ExitStack() as stack:
        if not uri:
            uri = stack.enter_context(running(root))
        elif ask:
            ping(uri)
        try:
            yield uri
        except PyMongoError as error:
            raise one_line(uri, error) from error


@contextmanager
def running(root: Path = ROOT) -> Iterator[str]:
    """Yield the URI of the embedded server below root; the last command to leave stops it."""
    uri = embedded(root)
    try:
        yield uri
    finally:
        leave(root)


def embedded(root: Path = ROOT) -> str:
    """Return the URI of the embedded server below root, starting it when it is not there.

    Each call counts as one user until `leave(root)`, at the latest the end of the process. The server
    listens on loopback only, keeps its port over restarts, and syncs every commit to disk.
    """
    root = root.resolve()
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GovcrawlError(f"the embedded database cannot be kept in {root}: {error.strerror}") from error
    _enter(root)
    try:
        with _locked(root / "start.lock"):
            return _found(root) or _started(root)
    except BaseException:
        leave(root)
        raise


def leave(root: Path = ROOT) -> None:
    """Give up one use of the embedded server; stop it when no other command uses it."""
    root = root.resolve()
    with _guard:
        if root not in _users:
            return
        users, count = _users.pop(root)
        if count > 1:
            _users[root] = (users, count - 1)
            return
        with users:
            fcntl.flock(users, fcntl.LOCK_UN)
            with contextlib.suppress(BlockingIOError):
                # A command that starts now waits for this lock, then finds a stopped server, not a dying one.
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                stop(root)


def stop(root: Path = ROOT) -> None:
    """Stop the embedded server below root cleanly, if there is one; returns when its data is closed."""
    root = root.resolve()
    pid = child.state_of(root).get("pid")
    if pid is None or not _alive(root):
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    if _wait(lambda: _stopped(root), STOP):
        return
    # Every acknowledged write is on disk already: nothing is lost by not waiting for a hung server.
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    _wait(lambda: not _alive(root), STOP)


def _stopped(root: Path) -> bool:
    with contextlib.suppress(OSError):
        _knock(root)  # its accept() sleeps through a stop for two seconds unless somebody calls
    return not _alive(root)


def _knock(root: Path) -> None:
    socket.create_connection((child.LOOPBACK, child.state_of(root)["port"]), timeout=1).close()


def _enter(root: Path) -> None:
    with _guard:
        if root in _users:
            users, count = _users[root]
            _users[root] = (users, count + 1)
            return
        users = (root / "users.lock").open("a")
        fcntl.flock(users, fcntl.LOCK_SH)
        if not _users:
            atexit.register(_leave_all, os.getpid())
        _users[root] = (users, 1)


def _leave_all(owner: int) -> None:
    if os.getpid() != owner:  # a forked child is not a user of its own
        return
    for root in tuple(_users):
        while root in _users:
            leave(root)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _alive(root: Path) -> bool:
    """Tell whether a server process holds the data folder: the kernel drops its lock however it dies."""
    with (root / "server.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _found(root: Path) -> str | None:
    if not _alive(root):
        return None
    _wait(lambda: _answers(root) or not _alive(root), START)
    if not _alive(root):
        return None
    if _answers(root):
        return _uri(root)
    pid = child.state_of(root).get("pid")
    raise GovcrawlError(f"the embedded database in {root} (process {pid}) runs but does not answer: stop it")


def _started(root: Path) -> str:
    if importlib.util.find_spec("secantus") is None:
        raise GovcrawlError("no database: pip install 'govcrawl[embedded]' or pass --mongo URI")
    with (root / "server.log").open("ab") as log:
        # -P: a script's folder is on its path otherwise. A session of its own: Ctrl-C is for the command,
        # which still has to store what it holds.
        subprocess.run(  # noqa: S603
            [sys.executable, "-P", child.__file__, str(root)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=root,
            env=os.environ | {"MALLOC_ARENA_MAX": "2"},  # else its threads' heaps grow with every page
            start_new_session=True,
            check=False,
        )
    uri = _found(root)
    if uri is None:
        raise GovcrawlError(f"the embedded database did not start: see {root / 'server.log'}")
    return uri


def _answers(root: Path) -> bool:
    if not child.state_of(root):
        return False
    try:
        _knock(root)  # a port nobody listens on refuses at once; the driver would wait for its whole limit
        ping(_uri(root))
    except (OSError, GovcrawlError):
        return False
    return True


def _uri(root: Path) -> str:
    return f"mongodb://{child.LOOPBACK}:{child.state_of(root)['port']}/{DATABASE}?directConnection=true"


def _wait(done: Callable[[], bool], limit: float) -> bool:
    end = time.monotonic() + limit
    while not done():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
