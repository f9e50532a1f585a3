"""Decides which faults and traps go to which site, and plants them in the order that keeps them apart."""

from __future__ import annotations

import random
from collections.abc import Sequence

from tests.province import deep, faults
from tests.province.model import Site

GROUPS = {**faults.GROUPS, **deep.GROUPS}
RULES = {
    name.partition("#")[0]
    for groups in (GROUPS, deep.PORTAL_GROUPS, deep.LOWER_GROUPS)
    for _, names in groups.values()
    for name in names
} | {"B1.1a", "B3.2a", "D4.9", "V2"}  # earned by ordinary portals; planted around the sites
_FAULTS = {**faults.FAULTS, **deep.FAULTS}
TRAPS = {**faults.TRAP_ACTIONS, **deep.TRAP_ACTIONS}
_TRAPS_A_SITE = 5


def assign(
    kinds: Sequence[str], lower: Sequence[bool], rng: random.Random
) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Return (faults, traps) for each site; every variant of a group is used before one is used twice.

    `kinds` says which sites are portals, `lower` which of them have sites below them in the roster.
    """
    everyone = range(len(kinds))
    portals = [place for place in everyone if kinds[place] == "portal"]
    bad: list[list[str]] = [[] for _ in kinds]
    above = [place for place in portals if lower[place]]
    for groups, places in (
        (GROUPS, list(everyone)),
        (deep.PORTAL_GROUPS, portals),
        (deep.LOWER_GROUPS, above),
    ):
        for share, variants in groups.values():
            rules = len({name.partition("#")[0] for name in variants})
            wanted = min(len(places), max(round(share * len(places)), rules))
            for turn, place in enumerate(rng.sample(places, wanted)):
                bad[place].append(variants[turn % len(variants)])
    traps: list[list[str]] = [[] for _ in kinds]
    deck: list[str] = []
    for place in rng.sample(everyone, len(kinds)):
        while len(traps[place]) < _TRAPS_A_SITE:
            deck = deck or rng.sample(sorted(TRAPS), len(TRAPS))
            trap = deck.pop()
            if trap not in traps[place]:
                traps[place].append(trap)
    return [(tuple(mine), tuple(kept)) for mine, kept in zip(bad, traps, strict=True)]


def plant(site: Site) -> None:
    """Plant the site's faults, then its traps where they leave the faults and each other alone."""
    touched: set[int] = set()
    for name in site.plan.faults:
        rule, _, variant = name.partition("#")
        _FAULTS[rule](site, int(variant), touched)
    for trap in site.plan.traps:
        TRAPS[trap](site, touched)
