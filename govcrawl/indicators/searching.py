"""What the searches of a site came to; shared by D4.5 and B4.1."""

from __future__ import annotations

from govcrawl.dealings import Search
from govcrawl.extract.search import SearchEntry
from govcrawl.inspection import Inspection
from govcrawl.items import CantTell


def searched(site: Inspection) -> SearchEntry:
    """Return how the home page offers search; raise CantTell where it could not be seen."""
    entry = site.dealings.search
    if entry is None:
        raise CantTell("the home page could not be read")
    if entry.state == "unseen":
        raise CantTell("scripts or frames of the home page may bring a search")
    return entry


def exact_searches(site: Inspection) -> list[Search]:
    """Return the searches for whole titles, by title; raise CantTell where none could be made."""
    found = searches(site, "title")
    if not found:
        raise CantTell("the search could not be tried: it needs scripts, or no titles were read")
    return found


def searches(site: Inspection, purpose: str) -> list[Search]:
    """Return the searches made for a purpose, by title."""
    return [one for (kind, _), one in sorted(site.dealings.searches.items()) if kind == purpose]


def stuck(site: Inspection) -> bool:
    """Tell whether the engine answers different queries with one and the same result."""
    prints = [one.fingerprint for one in site.dealings.searches.values() if one.fingerprint]
    return len(prints) > 1 and len(set(prints)) == 1
