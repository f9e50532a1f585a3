"""Reads and ends trees of processes through /proc; sets up a process that reads many pages."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
from pathlib import Path

_PROC = Path("/proc")


def _stat(pid: int) -> tuple[int, str] | None:
    """The parent and the start time of a process; None when it has ended."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return (int(fields[1]), fields[19]) if fields[0] != "Z" else None


def spare_collector() -> None:
    """Keep the garbage collector from the rules and editions, which stay, and let it run less often.

    A page read leaves thousands of short-lived objects and no cycles: looking through them after every 700
    cost a sixth of its processor time. Who runs on has to collect the cycles that larger things leave.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def parent(pid: int) -> int | None:
    """Return the parent of a running process."""
    found = _stat(pid)
    return found[0] if found else None


def identity(pid: int) -> tuple[int, str] | None:
    """Name a running process so that a later process of the same number is not taken for it."""
    found = _stat(pid)
    return (pid, found[1]) if found else None


def tree(root: int) -> list[int]:
    """List a running process and all its descendants, parents first."""
    children: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and (found := _stat(int(entry.name))):
            children.setdefault(found[0], []).append(int(entry.name))
    order = [root] if _stat(root) else []
    for pid in order:
        order.extend(children.get(pid, ()))
    return order


def private_mb(pid: int) -> float:
    """Measure a process's own memory in MB, without what it shares; 0 when it has ended."""
    try:
        lines = (_PROC / str(pid) / "status").read_text().splitlines()
    except OSError:
        return 0.0
    found = next((line for line in lines if line.startswith("RssAnon:")), "RssAnon: 0 kB")
    return int(found.split()[1]) / 1024


def kill(known: tuple[int, str] | None) -> None:
    """Kill a process named by `identity` and its descendants; nothing happens when it has ended."""
    if known is None or identity(known[0]) != known:
        return
    for pid in reversed(tree(known[0])):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
