"""What is planted around a site, not on its pages: addresses of its name (D4.9), a week of visits (V2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from random import Random

from govcrawl.items import Outcome
from govcrawl.sites import load_sites
from govcrawl.store.probes import Tried
from tests.probing import KINDS, simulate
from tests.province.deep_truth import make_row
from tests.province.model import Plan, Site, Truth

# Of the ranges for documentation: nothing is ever there. The first two have no IPv6, whatever they look like.
_ADDRESSES = (
    ("192.0.2.7",),
    ("192.0.2.7", "::ffff:192.0.2.7"),
    ("192.0.2.7", "2001:db8::7"),
    ("2001:db8::7",),
)
_BAD_ADDRESSES = _ADDRESSES[:2]
_SHARE = 0.1  # of the sites, for each of the two


def surround(plans: Sequence[Plan], seed: int) -> list[Plan]:
    """Give some of the sites addresses, and some a week of visits; every kind stands on one site at least."""
    rng = Random(f"{seed}/around")
    found = list(plans)
    for name, kinds in (("addresses", _ADDRESSES), ("week", range(len(KINDS)))):
        wanted = min(len(found), max(round(_SHARE * len(found)), len(kinds)))
        # Sorted by platform, so that every kind meets several.
        chosen = sorted(rng.sample(range(len(found)), wanted), key=lambda place: found[place].family)
        for turn, place in enumerate(chosen):
            found[place] = replace(found[place], **{name: kinds[turn % len(kinds)]})
    return found


def truth_around(site: Site) -> Iterator[Truth]:
    """Yield what D4.9 and V2 come to on a site."""
    plan = site.plan
    if plan.addresses in _BAD_ADDRESSES:
        yield make_row(site, "D4.9", site.home, "site", note=" ".join(plan.addresses))
    if plan.week is not None and KINDS[plan.week].outcome is Outcome.FAILED:
        yield make_row(site, "V2", site.home, "site", note=f"week {plan.week}")


def write_hosts(plans: Sequence[Plan], path: Path) -> None:
    """Write the addresses of the sites that have any, for `govcrawl inspect --hosts`."""
    lines = [f"{address} {plan.host}\n" for plan in plans for address in plan.addresses]
    path.write_text("".join(lines), encoding="utf-8")


def visit(plans: Sequence[Plan], roster: Path, uri: str) -> int:
    """Let a week pass, with outages of our own, on the sites that have one; returns how many these are."""
    weeks = {plan.site_id: KINDS[plan.week] for plan in plans if plan.week is not None}
    sites = [site for site in load_sites(roster) if site.site_id in weeks]
    kinds = {site.url: weeks[site.site_id] for site in sites}

    def answer(url: str, now: datetime, second: bool) -> Tried:
        return kinds[url].answer(now, second=second)

    simulate(uri, sites, answer)
    return len(sites)
