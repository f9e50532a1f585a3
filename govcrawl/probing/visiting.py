"""Opens home pages within the rule's limit, confirms failures on a second path, and tells our own outages.

A failure counts only when the second path fails too and a canary, a host that is always up, answered between
and after both on the first path and at the end on the second. Where the canaries are silent, or half of many
sites fail at once that the second path reaches, our own network was down: nothing is said of the sites.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from govcrawl.items import ProbeState, Site
from govcrawl.store.probes import Tried, Visit

# Answers of firewalls to programs: a visitor's browser may well get the page. 521 and 412 are the codes of
# two widespread ones that first want a script to run.
BARRED = frozenset(
    {400, 401, 403, 405, 406, 407, 408, 412, 418, 421, 423, 425, 426, 428, 429, 431, 451, 521, 999}
)
OURS = frozenset({"blocked", "proxy", "redirect_loop", "bad_url"})  # errors that may be our side's doing

MANY = 10  # sites that fail at once while the second path reaches them: the first path is at fault


class Net(Protocol):
    """The way to the web: a first path and, for some sites, a second."""

    async def open(self, url: str, *, second: bool = False) -> Tried | None:
        """Try to open a page; None where there is no second path to it."""


class Visitor:
    """Visits sites in batches and judges each batch as a whole."""

    def __init__(
        self, net: Net, canaries: Collection[str], seconds: Decimal, now: Callable[[], datetime]
    ) -> None:
        self._net = net
        self._canaries = tuple(canaries)
        self._limit = float(seconds)
        self._now = now

    async def online(self, *, second: bool = False) -> bool:
        """Tell whether one of the canaries answers; a proxy that only reports its own trouble does not."""
        first, *others = self._canaries
        if _answers(await self._net.open(first, second=second)):
            return True  # one request to others' sites is enough
        tried = await asyncio.gather(*(self._net.open(url, second=second) for url in others))
        return any(_answers(one) for one in tried)

    async def batch(
        self, name: str, sites: Sequence[Site], opened: Callable[[Visit], None] = lambda _: None
    ) -> list[Visit]:
        """Visit these sites for a round; those of an own outage have the state `own_network`.

        `opened` gets each visit that needs no second look as soon as it is made.
        """
        found = await asyncio.gather(*(self._first(name, site, opened) for site in sites))
        bad = {site.site_id: site for site, one in zip(sites, found, strict=True) if self._fails(one.first)}
        if not bad:
            return found
        if not await self.online():
            return [_cut_off(one) if one.site_id in bad else one for one in found]
        again = await asyncio.gather(*(self._net.open(site.url, second=True) for site in bad.values()))
        healed = sum(one is not None and not self._fails(one) for one in again)
        ours = len(bad) >= MANY and 2 * len(bad) >= len(sites) and 2 * healed >= len(bad)
        if ours or not await self.online():
            return [_cut_off(one) if one.site_id in bad else one for one in found]
        tried = any(one is not None for one in again)
        trusted = healed > 0 or (tried and await self.online(second=True))
        second = dict(zip(bad, again, strict=True))
        return [
            self._judged(one, second[one.site_id], trusted=trusted) if one.site_id in bad else one
            for one in found
        ]

    async def _first(self, name: str, site: Site, opened: Callable[[Visit], None]) -> Visit:
        asked = self._now()
        tried = await self._net.open(site.url)
        assert tried is not None
        at = max(asked, self._now() - timedelta(seconds=tried.elapsed))  # it may have waited for its turn
        visit = Visit(site.site_id, name, at, ProbeState.CONNECTED, tried)
        if not self._fails(tried):
            opened(visit)
        return visit

    def _judged(self, one: Visit, second: Tried | None, *, trusted: bool) -> Visit:
        doubtful = _aimed(one.first) or second is None or _aimed(second) or not self._fails(second)
        state = ProbeState.SUSPECTED if doubtful or not trusted else ProbeState.DOWN
        return Visit(one.site_id, one.round, one.at, state, one.first, second)

    def _fails(self, tried: Tried) -> bool:
        return (
            bool(tried.error) or tried.status is None or tried.status >= 400 or tried.elapsed >= self._limit
        )


def _answers(tried: Tried | None) -> bool:
    return tried is not None and not tried.error and (tried.status or 500) < 500


def _aimed(tried: Tried) -> bool:
    return tried.status in BARRED or tried.error in OURS


def _cut_off(one: Visit) -> Visit:
    return Visit(one.site_id, one.round, one.at, ProbeState.OWN_NETWORK, one.first, reason="network")
