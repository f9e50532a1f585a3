"""TRS WCM: articles `t20230918_1234567.html`, list pages `index_1.html`."""

from __future__ import annotations

import re
from urllib.parse import urljoin

from govcrawl.items import Page
from spiders.base import SiteSpider

_PAGER = re.compile(
    r"""createPage(?:HTML|Html)\w{0,20}\(\s*["']?(\d{1,4})["']?\s*,\s*["']?\d+["']?\s*,\s*["'](\w+)["']\s*,\s*["'](s?html?)["']"""
)


class TrsSpider(SiteSpider):
    """Pagers are written by a script call that states the number of pages."""

    marks = re.compile(r"/t\d{8}_\d+\.s?html?|TRS_Editor|createPageHTML|trs_web|TRSCMS", re.IGNORECASE)

    @classmethod
    def last_page(cls, page: Page) -> str:
        """Return the last page `createPageHTML(count, ...)` leads to."""
        match = _PAGER.search(page.text)
        if match and int(match[1]) > 1:
            return urljoin(page.final_url, f"{match[2]}_{int(match[1]) - 1}.{match[3]}")
        return super().last_page(page)
