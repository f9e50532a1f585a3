"""One SiteSpider subclass per CMS family."""

from spiders.platforms.hanweb import HanwebSpider
from spiders.platforms.trs import TrsSpider
from spiders.platforms.vsb import VsbSpider

PLATFORMS = {"hanweb": HanwebSpider, "trs": TrsSpider, "vsb": VsbSpider}
