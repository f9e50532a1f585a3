"""Starts and places of hosts and addresses, shared by all worker processes of a run on one machine.

Dividing the limits by the number of workers would slow each site down as if all workers asked it, though one
does. A file in memory costs microseconds where the database would cost a round trip and a commit for each
request. Places are held by locks of the kernel, so that a killed process gives its own back.
"""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import struct
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from govcrawl.pace import Wanted

ENTRIES = 1 << 20  # two names that share an entry share its limits: seldom, and never too fast
PLACES = 64  # the most requests in flight that one entry can tell apart
BUSY = 0.02  # seconds until a full host or address is looked at again
_SIZE = ENTRIES * 8
_MUTEX = _SIZE  # offsets behind the data are only locked, never written
_LOCKS = _SIZE + 1
_FOREVER = 600.0  # seconds: no hold is longer, so a start further ahead is of another boot


class Timetable:
    """The table in a file; open it once a process: locks of the kernel do not tell two users of one apart."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        os.ftruncate(self._file, _SIZE)
        self._table = mmap.mmap(self._file, _SIZE)
        self._held: defaultdict[int, set[int]] = defaultdict(set)

    def close(self) -> None:
        """Give all places back."""
        self._table.close()
        os.close(self._file)

    def start(self, wanted: Sequence[Wanted], now: float) -> tuple[tuple[int, int], ...] | list[float]:
        """Begin a request and return its places, or nothing but the seconds each name has to wait."""
        fcntl.lockf(self._file, fcntl.LOCK_EX, 1, _MUTEX)
        try:
            return self._start(wanted, now)
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _MUTEX)

    def hold(self, name: str, until: float) -> None:
        """Let nobody start at a host before a time."""
        fcntl.lockf(self._file, fcntl.LOCK_EX, 1, _MUTEX)
        try:
            entry = _entry(name)
            self._write(entry, max(self._read(entry), until))
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _MUTEX)

    def leave(self, places: Sequence[tuple[int, int]]) -> None:
        """End a request."""
        for entry, place in places:
            self._held[entry].discard(place)
            if not self._held[entry]:
                del self._held[entry]
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _offset(entry, place))

    def _start(self, wanted: Sequence[Wanted], now: float) -> tuple[tuple[int, int], ...] | list[float]:
        entries = [_entry(one.name) for one in wanted]
        waits = [self._wait(entry, now) for entry in entries]
        if any(waits):
            return waits
        places: list[tuple[int, int]] = []
        for number, (entry, one) in enumerate(zip(entries, wanted, strict=True)):
            place = self._place(entry, one.limit)
            if place is None:
                self.leave(places)
                return [BUSY if number == other else 0.0 for other in range(len(wanted))]
            places.append((entry, place))
        for entry, one in zip(entries, wanted, strict=True):
            self._write(entry, now + one.gap)
        return tuple(places)

    def _wait(self, entry: int, now: float) -> float:
        wait = self._read(entry) - now
        return wait if 0 < wait < _FOREVER else 0.0

    def _place(self, entry: int, limit: int) -> int | None:
        held = self._held[entry]
        for place in range(min(limit, PLACES)):
            if place in held:
                continue
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _offset(entry, place))
            except OSError:
                continue
            held.add(place)
            return place
        return None

    def _read(self, entry: int) -> float:
        return float(struct.unpack_from("d", self._table, entry * 8)[0])

    def _write(self, entry: int, value: float) -> None:
        struct.pack_into("d", self._table, entry * 8, value)


def _entry(name: str) -> int:
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest) % ENTRIES


def _offset(entry: int, place: int) -> int:
    return _LOCKS + entry * PLACES + place
