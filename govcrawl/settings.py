"""Scrapy settings: what differs from Scrapy's defaults, each with its reason. Names spiders and pipelines."""

from importlib.util import find_spec
from pathlib import Path

from govcrawl import bounds
from govcrawl.egress import stated
from govcrawl.options import Options
from govcrawl.sites import load_sites

_options = Options.from_environment()

BOT_NAME = "govcrawl"
USER_AGENT = _options.user_agent  # an inspected body must know whom to write to
SPIDER_MODULES = ["spiders"]
NEWSPIDER_MODULE = "spiders.custom"

# Five hops from request to score: handler, spider, check, store, score.
ITEM_PIPELINES = {
    "pipelines.check.CheckPipeline": 100,
    "pipelines.screenshot.ScreenshotPipeline": 500,  # after the checks: only faults are shown
    "pipelines.store.StorePipeline": 900,
}
DOWNLOAD_HANDLERS = {
    "http": "govcrawl.gather.PoliteHandler",
    "https": "govcrawl.gather.PoliteHandler",
    # Inspected pages must never make us read local files, FTP servers or buckets.
    "file": None,
    "ftp": None,
    "s3": None,
    "data": None,
}

# Both run code sent to them: no inspection needs a door into its own process.
REMOTE_CONTROL_ENABLED = False
TELNETCONSOLE_ENABLED = False

# pymongo's asyncio API shares the loop.
TWISTED_REACTOR = "twisted.internet.asyncioreactor.AsyncioSelectorReactor"

# 32 MiB: a 4 MB gzip bomb took 1.1 GB under the default of 1 GiB, 112 MB under this.
DOWNLOAD_MAXSIZE = bounds.MAX_BODY
DOWNLOAD_WARNSIZE = 0  # the cap is enough; a warning a page would fill the log
DOWNLOAD_TIMEOUT = bounds.MAX_SECONDS  # the whole answer, body included; V2 measures slowness apart
DOWNLOAD_DELAY = 0  # govcrawl.pace keeps the gaps, per host and per address over all crawlers of the process
CONCURRENT_REQUESTS = 16
CONCURRENT_REQUESTS_PER_DOMAIN = 16  # the pace holds it to Options.per_host
ROBOTSTXT_OBEY = True  # lifted per site where the roster says the office is authorised
# PoliteHandler sets the proxy of the options; one from the environment would go past the egress guard.
HTTPPROXY_ENABLED = False
COOKIES_ENABLED = False  # an anonymous visitor's first visit is what the standard judges
RETRY_ENABLED = False  # SiteSpider retries with growing waits and keeps each try; this one retries at once
METAREFRESH_ENABLED = False  # SiteSpider follows them knowing what page it is on
REDIRECT_MAX_TIMES = bounds.MAX_REDIRECTS
REFERRER_POLICY = "no-referrer"  # requests carry no history: two workers must get the same answers
HTTPERROR_ALLOW_ALL = True  # an error answer is a result, not a gap
DOWNLOADER_MIDDLEWARES = {
    "scrapy.downloadermiddlewares.cookies.CookiesMiddleware": None,
    "scrapy.downloadermiddlewares.httpauth.HttpAuthMiddleware": None,  # never sends credentials
    "govcrawl.bounds.BoundsMiddleware": 595,  # before the unpacking of answers at 590
    "scrapy.downloadermiddlewares.offsite.OffsiteMiddleware": None,  # SiteSpider only asks for its own site
}
EXTENSIONS: dict[str, int | None] = {
    "scrapy.extensions.logstats.LogStats": None,  # 500 crawlers a process: the ledger has the figures
    "scrapy.extensions.memusage.MemoryUsage": None,  # mails and closes one crawler of many
    "scrapy.extensions.corestats.CoreStats": None,
    "govcrawl.cluster.health.Health": 500,  # only in a job's crawl on a cluster
}
if find_spec("spidermon"):
    EXTENSIONS["govcrawl.cluster.monitors.JobSpidermon"] = 510
    SPIDERMON_ENABLED = True
    SPIDERMON_SPIDER_CLOSE_MONITORS = ("govcrawl.cluster.monitors.JobSuite",)
LOG_LEVEL = "WARNING"
LOG_VERSIONS: list[str] = []  # looked up for a line that is never written
LOG_SHORT_NAMES = True

# Inspected pages name addresses of the office's own networks, by mistake or on purpose: none is connected to.
TWISTED_DNS_RESOLVER = "govcrawl.egress.ScrapyResolver"
_roster = load_sites(Path(_options.registry) if _options.registry else None)
EGRESS_ALLOW = [*_options.egress(), *stated(_roster)]
