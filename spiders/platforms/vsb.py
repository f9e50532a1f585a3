"""VSB / Boda (博达): articles `info/1015/4213.htm`, lists `xwdt.htm` with further pages `xwdt/1.htm`."""

from __future__ import annotations

import re

from spiders.base import SiteSpider


class VsbSpider(SiteSpider):
    """Static pages throughout; page numbers count down, so the last page is the oldest: `xwdt/1.htm`."""

    marks = re.compile(r"info/\d{3,5}/\d+\.htm|_vsb_|vsbcontent|/_sitegray/|webber\b", re.IGNORECASE)
