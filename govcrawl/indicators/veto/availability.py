"""V2 站点无法访问."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from govcrawl.inspection import Inspection
from govcrawl.items import CantTell, Evidence, Probe
from govcrawl.registry import page, rule, visit
from govcrawl.standard import Window


def _probed(failures: int) -> Inspection:
    """Return a site visited 20 times on each of seven days, some of them without success."""
    site = visit(page("<p>首页</p>"))
    start = site.at - timedelta(days=6)
    visits = [
        Probe("example", start + timedelta(days=number // 20, minutes=number % 20), 1.0, 200)
        for number in range(140)
    ]
    visits[:failures] = [replace(one, status=None, error="timeout") for one in visits[:failures]]
    site.probes = tuple(visits)
    return site


@rule("V2", fails=[_probed(7)], passes=[_probed(6)])
def unreachable_homepage(
    site: Inspection, window: Window, seconds: Decimal, threshold: Decimal, sample: int
) -> Iterator[Evidence]:
    """The home page failed or took 15 seconds or more in five per cent or more of a week's visits."""
    days = Counter(probe.at.date() for probe in site.probes)
    full = sorted(day for day, visits in days.items() if visits >= sample)
    needed = (site.at.date() - window.before(site.at.date())).days
    if len(full) < needed:
        raise CantTell(f"{len(full)} days with {sample} or more visits, {needed} are needed")
    week = set(full[-needed:])
    visits = [probe for probe in site.probes if probe.at.date() in week]
    bad = [probe for probe in visits if _failed(probe, seconds)]
    failed = [probe for probe in bad if not probe.suspected]
    if len(bad) < threshold * len(visits):
        return
    if len(failed) < threshold * len(visits):
        raise CantTell(
            f"{len(failed)} of {len(visits)} visits failed; {len(bad) - len(failed)} more on one path only"
        )
    names = Counter(
        probe.error or (f"http_{probe.status}" if _answered_badly(probe) else "slow") for probe in failed
    )
    shown = "、".join(f"{name} {count}" for name, count in sorted(names.items()))
    yield Evidence(
        site.site.url, f"{len(failed)}/{len(visits)} 次无法访问", expected=f"< {threshold:%}", excerpt=shown
    )


def _failed(probe: Probe, seconds: Decimal) -> bool:
    return bool(probe.error) or _answered_badly(probe) or probe.elapsed >= seconds


def _answered_badly(probe: Probe) -> bool:
    return probe.status is None or probe.status >= 400
