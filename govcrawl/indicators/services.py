"""Which sites owe services, and the draws their rules share."""

from __future__ import annotations

from collections.abc import Callable

from govcrawl.extract.columns import ColumnType
from govcrawl.extract.guides import Guide
from govcrawl.inspection import Inspection
from govcrawl.items import CantTell, Inapplicable


def with_services(site: Inspection) -> None:
    """Raise Inapplicable for a site that offers no services to the public."""
    if not site.site.has_services:
        raise Inapplicable("the site offers no services to the public")


def sampled_items(site: Inspection, size: int) -> list[str]:
    """Return the addresses of the drawn service items, in order; the rules on guides share the draw."""
    with_services(site)
    items = site.dealings.items()
    if not items:
        elsewhere = site.dealings.entrances(ColumnType.SERVICE)
        raise CantTell(
            f"services stand on another site ({elsewhere[0]})" if elsewhere else "no service items were read"
        )
    return sorted(site.sample(items, size, "service item"))


def sampled_guides(site: Inspection, size: int) -> list[tuple[str, Guide]]:
    """Return the guides among the drawn service items."""
    drawn = [
        (url, site.dealings.guides[url]) for url in sampled_items(site, size) if url in site.dealings.guides
    ]
    if not drawn:
        raise CantTell("none of the drawn service items shows a guide that could be read")
    return drawn


def drawn_where(
    site: Inspection, size: int, purpose: str, test: Callable[[Guide], object]
) -> list[tuple[str, Guide]]:
    """Return a draw of its own from the guides that pass a test."""
    with_services(site)
    found = [(url, guide) for url, guide in sorted(site.dealings.guides.items()) if test(guide)]
    return sorted(site.sample(found, size, purpose), key=lambda pair: pair[0])
