"""When a site may be asked at all: its crawl window, and how many requests it has left today."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, time, timedelta, timezone
from typing import NamedTuple

from govcrawl.items import Site
from govcrawl.pace import host_of, until_open, window_of

BEIJING = timezone(timedelta(hours=8))
OUTSIDE = "outside_window"
SPENT = "daily_budget"
SHARE = 20  # requests taken from the common count at a time; what a killed worker leaves of one is lost
_SLICE = 60.0  # seconds: a sleep this long at most, so that a machine that slept notices the hour

Take = Callable[[str, str, int, int], Awaitable[int]]  # site_id, day, share, limit -> granted


class _Rule(NamedTuple):
    site_id: str
    hours: str
    window: tuple[time, time] | None
    per_day: int  # 0: no limit


class Ration:
    """The crawl windows and daily budgets of the roster's sites, for all requests to their hosts.

    A site's own `window` and `per_day` come before those given here. `take` draws on a count that all workers
    share; `now` is the wall clock. Hosts of no site are always open.
    """

    def __init__(
        self,
        sites: Iterable[Site],
        take: Take,
        *,
        window: str = "",
        per_day: int = 0,
        now: Callable[[], datetime] = lambda: datetime.now(BEIJING),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._take = take
        self._now = now
        self._sleep = sleep
        self._rules: dict[str, _Rule] = {}
        self._left: dict[str, tuple[str, int]] = {}  # site -> day, requests granted and not used
        self._spent: set[tuple[str, str]] = set()
        self._taking: dict[str, asyncio.Lock] = {}
        for site in sites:
            hours = site.window or window
            rule = _Rule(site.site_id, hours, window_of(hours), site.per_day or per_day)
            if rule.window or rule.per_day:
                for host in _hosts(site):
                    self._rules.setdefault(host, rule)

    def __bool__(self) -> bool:
        """Whether any site has a window or a budget."""
        return bool(self._rules)

    def site_of(self, host: str) -> str:
        """Return the site a host belongs to, as far as it has a window or a budget."""
        rule = self._rules.get(host)
        return rule.site_id if rule else ""

    def rules(self) -> dict[str, tuple[str, int]]:
        """Return the window and the budget of each site that has one."""
        return {rule.site_id: (rule.hours, rule.per_day) for rule in self._rules.values()}

    async def admit(self, host: str) -> str | None:
        """Use one request of a host's site; return why it may not be asked now."""
        rule = self._rules.get(host)
        if rule is None:
            return None
        now = self._now()
        if rule.window and until_open(now, *rule.window):
            return OUTSIDE
        if rule.per_day and not await self._use(rule, now.date().isoformat()):
            return SPENT
        return None

    async def wait(self, host: str, why: str) -> float:
        """Sleep until a refused host may be asked again; return the seconds."""
        rule = self._rules[host]
        began = self._now()
        while (left := self._until(rule, why, began)) > timedelta(0):
            await self._sleep(min(left.total_seconds(), _SLICE))
        return (self._now() - began).total_seconds()

    def _until(self, rule: _Rule, why: str, began: datetime) -> timedelta:
        now = self._now()
        if why == SPENT:
            return (began + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0) - now
        return until_open(now, *rule.window) if rule.window else timedelta(0)

    async def _use(self, rule: _Rule, day: str) -> bool:
        site_id = rule.site_id
        async with self._taking.setdefault(site_id, asyncio.Lock()):
            if (site_id, day) in self._spent:
                return False
            known, left = self._left.get(site_id, (day, 0))
            if known != day or not left:
                left = await self._take(site_id, day, min(SHARE, rule.per_day), rule.per_day)
            if not left:
                self._spent.add((site_id, day))
                return False
            self._left[site_id] = (day, left - 1)
            return True


def _hosts(site: Site) -> set[str]:
    bare = site.host.removeprefix("www.")
    return {bare, f"www.{bare}", *(host_of(f"http://{host}") for host in site.allowed_hosts)}
