"""Hanweb / jpaas: lists `/col/colN/index.html`, articles `/art/Y/M/D/art_N_N.html`."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from govcrawl.extract.links import absolute
from govcrawl.items import Page
from spiders.base import SiteSpider

_QUERY = re.compile(r"""["']?\b(\w{1,40})["']?\s{0,9}:\s{0,9}["']([^"']{0,300})["']""")


class HanwebSpider(SiteSpider):
    """Lists carry their records as CDATA in a `<datastore>`, or load them from the unit builder."""

    marks = re.compile(r"/col/col\d+/|/art/\d{4}/\d{1,2}/\d{1,2}/art_|jpaas|hanweb|<datastore", re.IGNORECASE)

    @classmethod
    def data_sources(cls, page: Page) -> tuple[str, ...]:
        """Return the unit-builder addresses in the attributes of list blocks, then the usual ones."""
        found = []
        for block in page.tree.iter("div", "script", "input"):
            path, query = (
                block.get("url") or "",
                block.get("querydata") or block.get("querydata".upper()) or "",
            )
            if "build/unit" not in path or not query:
                continue
            parameters = urlencode(_QUERY.findall(query))
            if url := absolute(page, f"{path}?{parameters}"):
                found.append(url)
        return (*found, *super().data_sources(page))
