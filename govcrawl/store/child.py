"""The embedded server's own process: holds the data folder's lock and quits when nobody uses it.

Started by `govcrawl.store.server` as a script; imports nothing of ours, so that it starts fast.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import IO

LOOPBACK = "127.0.0.1"
IDLE_CHECK = 2.0  # seconds between looks for users; only matters when the last one was killed


def state_of(root: Path) -> dict[str, int]:
    """Return the recorded pid and port, or nothing when there is no whole record."""
    try:
        state = json.loads((root / "server.json").read_text())
        return {"pid": int(state["pid"]), "port": int(state["port"])}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def free_port(wanted: int) -> int:
    """Return the wanted port when it is free, so that clients find a restarted server, or another."""
    for port in (wanted, 0):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((LOOPBACK, port))
            return int(probe.getsockname()[1])
    raise SystemExit("no free loopback port")


def main(root: Path) -> int:
    """Serve the data below root until told to stop or unused; the process that was started ends at once."""
    lock = (root / "server.lock").open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 0
    wanted = state_of(root).get("port", 0)
    (root / "server.json").unlink(missing_ok=True)
    # The lock belongs to the open file, so it passes to the forked process; nobody has to wait for that one.
    if os.fork():
        os._exit(0)
    return serve(root, free_port(wanted))


def serve(root: Path, port: int) -> int:
    """Run SecantusDB on this port after recording where it is."""
    config = root / "secantusd.toml"
    config.touch()
    written = root / "server.json.new"
    written.write_text(json.dumps({"pid": os.getpid(), "port": port}))
    written.replace(root / "server.json")
    threading.Thread(target=quit_when_unused, args=(root,), daemon=True).start()

    from secantus.cli import main as secantus  # noqa: PLC0415  (most of a second: after the record)

    options = [
        *("--config", str(config)),  # else files in the current and home folders would have a say
        *("--host", LOOPBACK),
        *("--port", str(port)),
        *("--storage-path", str(root / "data")),
        "--sync-on-commit",
        *("--oplog-max-entries", "1000"),  # nobody tails it; the default keeps 100,000 pages twice
        *("--cache-size", "256M"),
        *("--log-level", "WARNING"),
    ]
    return int(secantus(options))


def quit_when_unused(root: Path) -> None:
    """End this process once no command holds the users' lock; new commands wait until it has ended."""
    with (root / "users.lock").open("a") as users:
        while not _sole(users):
            threading.Event().wait(IDLE_CHECK)
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait()


def _sole(users: IO[str]) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
