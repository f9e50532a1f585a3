"""The log of requests, and its audit: proof that the limits held, whoever asked.

Each process writes one file of JSON lines: first the limits it works under, then each request that ended,
with start and end in seconds, host, address and site. The clock is the machine's, so that the files of its
processes can be read as one.
"""

from __future__ import annotations

import json
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

from govcrawl.items import GovcrawlError
from govcrawl.options import Options
from govcrawl.pace import PER_ADDRESS, until_open, window_of
from govcrawl.ration import BEIJING, Ration

SLACK = 0.002  # seconds: start times are rounded, and the files' clocks are set one after the other


class RequestLog:
    """Writes one process's requests to a file of its own in a folder."""

    def __init__(self, out: IO[str], site_of: Callable[[str], str]) -> None:
        self._out = out
        self._site_of = site_of
        self._offset = time.time() - time.monotonic()

    @classmethod
    def open(cls, options: Options, owner: str, ration: Ration) -> RequestLog:
        """Start the file of one process with the limits it works under."""
        name = re.sub(r"[^\w.-]", "-", owner)
        try:
            folder = Path(options.request_log)
            folder.mkdir(parents=True, exist_ok=True)
            out = (folder / f"{name}.jsonl").open("a", encoding="utf-8", buffering=1)
        except OSError as error:
            raise GovcrawlError(f"--request-log {options.request_log}: {error.strerror}") from error
        limits = {
            "delay": options.delay,
            "per_host": options.per_host,
            "window": options.window,
            "per_day": options.per_day,
            "sites": ration.rules(),
        }
        out.write(json.dumps({"limits": limits}) + "\n")
        return cls(out, ration.site_of)

    def note(self, began: float, ended: float, host: str, ip: str | None) -> None:
        """Write one request that ended."""
        start, end = (round(one + self._offset, 6) for one in (began, ended))
        line = {"start": start, "end": end, "host": host, "ip": ip, "site": self._site_of(host)}
        self._out.write(json.dumps(line) + "\n")

    def close(self) -> None:
        """End the file."""
        self._out.close()


@dataclass
class Audit:
    """What the log of requests shows: how close each limit came, and each time it was passed."""

    requests: int = 0
    processes: int = 0
    hosts: int = 0
    least_gap: float | None = None  # seconds between two starts at one host
    most_at_host: int = 0
    most_at_address: int = 0
    fastest_address: int = 0  # starts within one second
    most_a_day: int = 0  # of a site with a budget
    broken: list[str] = field(default_factory=list)


def audit(folder: Path) -> Audit:
    """Read the files of all processes as one and hold them against the limits they name."""
    files = sorted(folder.glob("*.jsonl")) if folder.is_dir() else []
    if not files:
        raise GovcrawlError(f"{folder}: no request log; write one with: govcrawl inspect --request-log DIR")
    limits: list[Mapping[str, Any]] = []
    requests: list[Mapping[str, Any]] = []
    for file in files:
        for line in _lines(file):
            (limits.append(line["limits"]) if "limits" in line else requests.append(line))
    if any(one != limits[0] for one in limits):
        raise GovcrawlError(f"{folder}: the files are of runs with different limits; audit each alone")
    found = Audit(len(requests), len(files))
    requests.sort(key=lambda one: one["start"])
    _hosts(requests, limits[0], found)
    _addresses(requests, limits[0], found)
    _sites(requests, limits[0]["sites"], found)
    return found


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    with file.open(encoding="utf-8") as handle:
        for number, line in enumerate(handle, 1):
            try:
                yield dict(json.loads(line))
            except (ValueError, TypeError) as error:
                if not line.endswith("\n"):
                    return  # the last line of a process that was killed
                raise GovcrawlError(f"{file}, line {number}: not a line of a request log") from error


def _by(requests: Iterable[Mapping[str, Any]], name: str) -> dict[str, list[Mapping[str, Any]]]:
    found: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for one in requests:
        if one[name]:
            found[one[name]].append(one)
    return found


def _hosts(requests: list[Mapping[str, Any]], limits: Mapping[str, Any], found: Audit) -> None:
    by_host = _by(requests, "host")
    found.hosts = len(by_host)
    for host, some in by_host.items():
        gap = min((after["start"] - before["start"] for before, after in pairwise(some)), default=None)
        if gap is not None:
            found.least_gap = gap if found.least_gap is None else min(found.least_gap, gap)
            if gap < limits["delay"] - SLACK:
                found.broken.append(f"{host}: {gap:.3f} s between two starts, {limits['delay']:g} s are due")
        flying = _most_in_flight(some)
        found.most_at_host = max(found.most_at_host, flying)
        if flying > limits["per_host"]:
            found.broken.append(f"{host}: {flying} requests in flight, {limits['per_host']} are allowed")


def _addresses(requests: list[Mapping[str, Any]], limits: Mapping[str, Any], found: Audit) -> None:
    gap = limits["delay"] / 4
    for ip, some in _by(requests, "ip").items():
        flying = _most_in_flight(some)
        found.most_at_address = max(found.most_at_address, flying)
        if flying > PER_ADDRESS:
            found.broken.append(f"{ip}: {flying} requests in flight, {PER_ADDRESS} are allowed")
        starts = [one["start"] for one in some]
        found.fastest_address = max(found.fastest_address, _most_within(starts, 1.0))
        least = min((after - before for before, after in pairwise(starts)), default=gap)
        if least < gap - SLACK:
            found.broken.append(f"{ip}: {least:.3f} s between two starts, {gap:g} s are due")


def _sites(requests: list[Mapping[str, Any]], rules: Mapping[str, Any], found: Audit) -> None:
    for site_id, some in _by(requests, "site").items():
        window, per_day = rules[site_id]
        hours = window_of(window)
        days: defaultdict[str, int] = defaultdict(int)
        for one in some:
            at = datetime.fromtimestamp(one["start"], BEIJING)
            days[at.date().isoformat()] += 1
            if hours and until_open(at, *hours):
                found.broken.append(f"{site_id}: asked at {at:%H:%M:%S}, its hours are {window}")
        for day, count in days.items() if per_day else ():
            found.most_a_day = max(found.most_a_day, count)
            if count > per_day:
                found.broken.append(f"{site_id}: {count} requests on {day}, {per_day} are allowed")


def _most_in_flight(some: Iterable[Mapping[str, Any]]) -> int:
    events = sorted([(one["start"], 1) for one in some] + [(one["end"] - SLACK, -1) for one in some])
    worst = flying = 0
    for _, step in events:
        flying += step
        worst = max(worst, flying)
    return worst


def _most_within(starts: list[float], seconds: float) -> int:
    worst = first = 0
    for last, start in enumerate(starts):
        while start - starts[first] >= seconds:
            first += 1
        worst = max(worst, last - first + 1)
    return worst
