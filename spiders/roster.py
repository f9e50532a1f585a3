"""Builds a spider class for every site of the roster without a module of its own: `scrapy list` names all."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

import spiders.custom
from govcrawl.items import GovcrawlError, Site
from govcrawl.options import Options
from govcrawl.sites import load_sites
from spiders.base import SiteSpider
from spiders.platforms import PLATFORMS


class RosterSpider(SiteSpider):
    """A site whose platform is found out from its markup."""

    @classmethod
    def platforms(cls) -> tuple[type[SiteSpider], ...]:
        """Return all platforms."""
        return tuple(PLATFORMS.values())


def build(site: Site) -> type[SiteSpider]:
    """Return the spider class of a roster row; raises GovcrawlError for a platform nobody wrote."""
    base: type[SiteSpider] = RosterSpider
    if site.platform:
        if site.platform not in PLATFORMS:
            known = ", ".join(sorted(PLATFORMS))
            raise GovcrawlError(
                f"site {site.site_id}: platform '{site.platform}' is unknown; leave it empty or use {known}"
            )
        base = PLATFORMS[site.platform]
    name = "".join(part.title() for part in site.site_id.split("-"))
    return type(
        f"{name}Spider",
        (base,),
        {"name": site.site_id, "site": site, "__module__": __name__, "__doc__": site.name},
    )


def custom() -> set[str]:
    """Return the site_ids that have a module in `spiders/custom/`."""
    found = set()
    for module in pkgutil.iter_modules(spiders.custom.__path__, "spiders.custom."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, type) and issubclass(value, SiteSpider) and value.__module__ == module.name:
                found.add(str(value.name))
    return found


def classes() -> dict[str, type[SiteSpider]]:
    """Return the spider class of every roster row without a module of its own."""
    registry = Options.from_environment().registry
    own = custom()
    rows = load_sites(Path(registry) if registry else None)
    return {site.site_id: build(site) for site in rows if site.site_id not in own}


# Scrapy finds spiders as classes in a module's namespace: this is the one place that works at import.
globals().update({f"site_{name}": found for name, found in classes().items()})
