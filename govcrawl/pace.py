"""When the next request may start: gaps and ceilings per host and per destination address."""

from __future__ import annotations

import asyncio
import re
import time as clocks
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, time, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from govcrawl.timetable import Timetable

LONGEST_WAIT = 120.0  # seconds a Retry-After or a back-off may hold a host: longer stalls the inspection
LONGEST_CRAWL_DELAY = 30.0  # a robots.txt asking for more would keep a site out of the quarter
PER_ADDRESS = 8  # requests in flight at an address behind many hosts
_FIRST_BACK_OFF = 1.0
_GAP_AFTER_REFUSAL = 0.1  # the least a host that refused is given, however small the gap was
_CALM = 30.0  # seconds without a refusal that heal one refusal
_GOOD = 0.25  # part of a refusal that one good answer heals
_WIDEST = 4.0  # slow answers widen the gap at most this many times
_CROWD = 1024  # gates kept before idle ones are dropped
_WINDOW = re.compile(r"(\d{1,2}:\d{2})\s*[-–—~]\s*(\d{1,2}:\d{2})")
_HOST = re.compile(r"[a-z][a-z0-9+.-]*://(?:[^/?#\\@]*@)?(\[[^\]]*\]|[^/?#\\:@]*)", re.IGNORECASE)

Log = Callable[[float, str, str | None], None]
Places = tuple[tuple[int, int], ...]
Record = Callable[[float, float, str, str | None], None]
Admit = Callable[[str], Awaitable[str | None]]


class Wanted(NamedTuple):
    """One host or address a request needs: its name, the gap after this start, and how many may fly."""

    name: str
    gap: float
    limit: int


class NotNow(Exception):  # noqa: N818  (an outcome, not an error)
    """A site may not be asked now; `reason` is outside_window or daily_budget."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def retry_after(value: str | bytes | None, now: datetime) -> float | None:
    """Read a Retry-After header as seconds from now (0 to 120); None when absent or unreadable."""
    text = (value.decode("latin-1") if isinstance(value, bytes) else value or "").strip()
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_WAIT)
    try:
        due = parsedate_to_datetime(text)
    except (ValueError, IndexError, OverflowError):
        return None
    seconds = (due if due.tzinfo else due.replace(tzinfo=UTC)).timestamp() - now.timestamp()
    return min(max(seconds, 0.0), LONGEST_WAIT)


def host_of(url: str) -> str:
    """Return the host of an absolute address in lower case without user or port; empty when there is none."""
    match = _HOST.match(url)
    return match[1].lower() if match else ""


def window_of(text: str) -> tuple[time, time] | None:
    """Read a crawl window such as 20:00-06:00, Beijing time; None for none. Raises ValueError."""
    if not text:
        return None
    found = _WINDOW.fullmatch(text.strip())
    if found is None:
        raise ValueError(text)
    try:
        opens, closes = (time.fromisoformat(part.zfill(5)) for part in found.groups())
    except ValueError as error:
        raise ValueError(text) from error
    if opens == closes:
        raise ValueError(text)
    return opens, closes


def until_open(now: datetime, opens: time, closes: time) -> timedelta:
    """Return how long a site's crawl window stays shut; zero inside it. A window may span midnight."""
    clock = now.time().replace(tzinfo=None)
    inside = opens <= clock < closes if opens < closes else clock >= opens or clock < closes
    if inside or opens == closes:
        return timedelta(0)
    start = now.replace(hour=opens.hour, minute=opens.minute, second=opens.second, microsecond=0)
    return (start if start > now else start + timedelta(days=1)) - now


class _Gate:
    """One host or one address: who is in flight, who waits, and when the next may start."""

    __slots__ = (
        "active",
        "gap",
        "latency",
        "limit",
        "name",
        "ready",
        "refusals",
        "refused_at",
        "starting",
        "users",
        "waiting",
    )

    def __init__(self, name: str, gap: float, limit: int) -> None:
        self.name = name  # in the timetable shared with other processes
        self.gap = gap
        self.limit = limit
        self.active = 0
        self.users = 0  # turns under way, waiting ones included: such a gate is not forgotten
        self.starting = False  # somebody holds the door: waits for the gap to pass, in front of all others
        self.ready = 0.0
        self.latency = 0.0
        self.refusals = 0.0
        self.refused_at = 0.0
        self.waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> None:
        """Take the door, first come first served, once fewer than the limit are in flight."""
        if not self.starting and self.active < self.limit and not self.waiting:
            self.starting = True
            return
        future = asyncio.get_running_loop().create_future()
        self.waiting.append(future)
        try:
            await future
        except asyncio.CancelledError:
            if not future.cancelled():  # the door was handed over in the same tick
                self.open_door()
            raise

    def open_door(self) -> None:
        """Give the door up and hand it to the next in line."""
        self.starting = False
        self._hand_over()

    def start(self, now: float) -> None:
        """Begin a request: count it in flight, set the next start and hand the door over."""
        self.active += 1
        self.ready = now + self.current_gap(now)
        self.open_door()

    def leave(self) -> None:
        """End a request."""
        self.active -= 1
        self._hand_over()

    def _hand_over(self) -> None:
        while self.waiting and not self.starting and self.active < self.limit:
            future = self.waiting.popleft()
            if not future.done():
                self.starting = True
                future.set_result(None)

    def current_gap(self, now: float) -> float:
        """Return the gap: wider after slow answers (up to 4 times) and unhealed refusals (up to 16 times)."""
        gap = self.gap
        if gap and self.latency > gap:
            gap = min(self.latency, gap * _WIDEST)
        unhealed = self.unhealed(now) if self.refusals else 0.0
        return max(gap, _GAP_AFTER_REFUSAL) * 2 ** min(unhealed, 4.0) if unhealed else gap

    def unhealed(self, now: float) -> float:
        """Return the refusals that calm has not healed yet."""
        return max(0.0, self.refusals - max(0.0, now - self.refused_at) / _CALM)

    def idle(self, now: float) -> bool:
        """Tell whether forgetting this gate changes nothing that matters."""
        return not self.users and self.ready <= now and not self.unhealed(now)


class _Turn:
    """One request's place: entered when it may start, left when it has ended."""

    __slots__ = ("_address", "_began", "_host", "_ip", "_name", "_pace", "_places")

    def __init__(self, pace: Pace, name: str, ip: str | None) -> None:
        self._pace = pace
        self._name = name
        self._ip = ip

    async def __aenter__(self) -> None:
        pace = self._pace
        self._host = host = pace.host_gate(self._name)
        self._address = address = pace.ip_gate(self._ip) if self._ip else None
        host.users += 1
        if address is not None:
            address.users += 1
        try:
            now, self._places = await pace.both_ready(host, address, self._name)
        except BaseException:
            self._forget()
            raise
        self._began = now
        host.start(now)
        if address is not None:
            address.start(now)
        if pace.log is not None:
            pace.log(now, self._name, self._ip)

    async def __aexit__(self, *_error: object) -> None:
        self._pace.ended(self._places, self._began, self._name, self._ip)
        self._host.leave()
        if self._address is not None:
            self._address.leave()
        self._forget()

    def _forget(self) -> None:
        self._host.users -= 1
        if self._address is not None:
            self._address.users -= 1


class Pace:
    """Keep every host and every address behind many hosts within its limits.

    A host gets one start every `delay` seconds and at most `per_host` requests in flight. An address gets
    `ip_rate` starts a second (default: one every quarter of `delay`) and at most `per_ip` in flight. With a
    `timetable` the processes that share it keep these limits together; without one, each of `workers`
    processes takes an even part of an address. `admit` may refuse a host for now (`NotNow`); `record` is
    told of each request that ended: start, end, host, address. A waiter holds the place of its host, so the
    hosts of one address take turns whatever the length of their queues.

        async with pace.turn(url, ip):
            answer = await fetch(url)
        pace.observe(host_of(url), answer.elapsed)
    """

    def __init__(
        self,
        *,
        delay: float = 0.25,
        per_host: int = 4,
        per_ip: int = PER_ADDRESS,
        ip_rate: float | None = None,
        workers: int = 1,
        clock: Callable[[], float] = clocks.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        log: Log | None = None,
        timetable: Timetable | None = None,
        admit: Admit | None = None,
        record: Record | None = None,
    ) -> None:
        workers = 1 if timetable else workers
        self.delay = delay
        self.log = log
        self.per_host = per_host
        self._timetable = timetable
        self._admit = admit
        self._record = record
        self._per_ip = max(1, per_ip // workers)
        self._ip_gap = (1 / ip_rate if ip_rate else delay / 4) * workers
        self._clock = clock
        self._sleep = sleep
        self._hosts: dict[str, _Gate] = {}
        self._ips: dict[str, _Gate] = {}
        self._asked: dict[str, float] = {}  # Crawl-delay outlives the gate
        self._crowd = _CROWD

    def turn(self, url: str, ip: str | None = None) -> _Turn:
        """Return the context in which one request to this address may run."""
        if len(self._hosts) + len(self._ips) > self._crowd:
            self._thin_out()
        return _Turn(self, host_of(url), ip)

    def penalise(self, url: str, retry_after: float | None = None) -> float:
        """Hold a host that refused (429, 503) for what it asked, or ever longer; return the seconds.

        Refusals that arrive while the host is held already belong to the same refusal.
        """
        gate = self.host_gate(host_of(url))
        now = self._clock()
        if now >= gate.refused_at:
            gate.refusals = gate.unhealed(now) + 1
        wait = _FIRST_BACK_OFF * 2 ** min(gate.refusals - 1, 10.0) if retry_after is None else retry_after
        wait = min(max(wait, 0.0), LONGEST_WAIT)
        gate.refused_at = max(gate.refused_at, now + wait)
        gate.ready = max(gate.ready, now + wait)
        if self._timetable is not None:
            self._timetable.hold(gate.name, gate.ready)
        return wait

    def crawl_delay(self, host: str, seconds: float) -> None:
        """Obey the Crawl-delay of a host's robots.txt where it asks for more than our own gap."""
        if len(self._asked) >= _CROWD * 10:
            self._asked.pop(next(iter(self._asked)))
        self._asked[host.lower()] = min(seconds, LONGEST_CRAWL_DELAY)
        if host.lower() in self._hosts:
            self._hosts[host.lower()].gap = self._gap_of(host.lower())

    def observe(self, host: str, elapsed: float) -> None:
        """Learn how long a good answer took: slow hosts get wider gaps; good answers heal refusals."""
        gate = self._hosts.get(host.lower())
        if gate is None:
            return
        if gate.refusals:
            gate.refusals = max(0.0, gate.refusals - _GOOD)
        gate.latency += (elapsed - gate.latency) * 0.3

    def host_gate(self, host: str) -> _Gate:
        """Return the gate of a host."""
        gate = self._hosts.get(host)
        if gate is None:
            gate = self._hosts[host] = _Gate(f"host {host}", self._gap_of(host), self.per_host)
        return gate

    def ip_gate(self, ip: str) -> _Gate:
        """Return the gate of an address."""
        gate = self._ips.get(ip)
        if gate is None:
            gate = self._ips[ip] = _Gate(f"address {ip}", self._ip_gap, self._per_ip)
        return gate

    async def both_ready(self, host: _Gate, address: _Gate | None, name: str) -> tuple[float, Places]:
        """Wait until a host and its address may start; both doors are then held. Return time and places."""
        await host.enter()
        try:
            admitted = self._admit is None
            while True:
                now = await self._ready(host)
                if address is not None:
                    now = await self._enter(address)
                try:
                    if not admitted:
                        await self._ask(name)
                        admitted, now = True, self._clock()
                    places = self._take(host, address, now) if host.ready <= now else None
                except BaseException:
                    if address is not None:
                        address.open_door()
                    raise
                if places is not None:
                    return now, places
                if address is not None:
                    address.open_door()  # the host was held meanwhile: others of the address go first
        except BaseException:
            host.open_door()
            raise

    def _take(self, host: _Gate, address: _Gate | None, now: float) -> Places | None:
        """Take places among all processes; None where others were first, and the gates know until when."""
        if self._timetable is None:
            return ()
        gates = [gate for gate in (host, address) if gate is not None]
        wanted = [Wanted(gate.name, gate.current_gap(now), gate.limit) for gate in gates]
        found = self._timetable.start(wanted, now)
        if isinstance(found, tuple):
            return found
        for gate, wait in zip(gates, found, strict=True):
            gate.ready = max(gate.ready, now + wait)
        return None

    async def _ask(self, name: str) -> None:
        """Use one request of the host's site; raises NotNow where there is none."""
        why = await self._admit(name) if self._admit else None
        if why is not None:
            raise NotNow(why)

    def ended(self, places: Places, began: float, host: str, ip: str | None) -> None:
        """Give a request's places back and note it."""
        if self._timetable is not None:
            self._timetable.leave(places)
        if self._record is not None:
            self._record(began, self._clock(), host, ip)

    async def _enter(self, gate: _Gate) -> float:
        await gate.enter()
        try:
            return await self._ready(gate)
        except BaseException:
            gate.open_door()
            raise

    async def _ready(self, gate: _Gate) -> float:
        now = self._clock()
        while gate.ready > now:
            await self._sleep(gate.ready - now)
            now = self._clock()
        return now

    def _gap_of(self, host: str) -> float:
        return max(self.delay, self._asked.get(host, 0.0))

    def _thin_out(self) -> None:
        now = self._clock()
        self._hosts = {name: gate for name, gate in self._hosts.items() if not gate.idle(now)}
        self._ips = {name: gate for name, gate in self._ips.items() if not gate.idle(now)}
        self._crowd = max(_CROWD, 2 * (len(self._hosts) + len(self._ips)))
