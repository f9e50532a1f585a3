"""SiteSpider: what to fetch of a site, in which order, and when it is enough."""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

import scrapy
from scrapy import signals
from scrapy.crawler import Crawler
from w3lib.html import get_meta_refresh

from govcrawl.bounds import PathPatterns, markup, nesting
from govcrawl.cluster.health import BEFORE, ENDED
from govcrawl.dealings import FORM
from govcrawl.extract.columns import ColumnType, is_article_url, read_columns
from govcrawl.extract.footer import footer_sources
from govcrawl.extract.links import absolute
from govcrawl.extract.lists import ListState, last_page, may_fill, read_rows, unseen_scripts
from govcrawl.extract.role import page_role
from govcrawl.extract.safety import Watch
from govcrawl.extract.search import read_results, read_search
from govcrawl.gather import headers_of, may_heal, name_of, peer_of
from govcrawl.inspection import DATES_NEEDED, Column, Inspection
from govcrawl.items import GovcrawlError, LinkCheck, LinkState, Page, Role, Site, SiteDone
from govcrawl.links import normalise
from govcrawl.links.address import leads_home
from govcrawl.links.reading import Answer, says_gone
from govcrawl.options import Options
from govcrawl.replay import NOT_RECORDED
from govcrawl.services import SETTING, Services
from govcrawl.store import readings
from govcrawl.store.evidence import facts_of
from spiders.dealings import form_page, ipv6_state, lower_sites, planned, queries, title_of, titles_to_find

_FILE = re.compile(
    r"\.(?:docx?|xlsx?|pptx?|wps|et|pdf|ofd|rar|zip|7z|txt|csv|jpe?g|png|gif|bmp|mp[34]|wmv|flv|avi|apk|exe|css|js|ico)$",
    re.IGNORECASE,
)
_DATA = re.compile(
    r"""["']([^"'<>\s]{0,300}?(?:dataproxy\.jsp|page/build/unit|ajaxpagelist\.do|/search\.jsp|\.json|getList|list\.do|queryList|/api/)[^"'<>\s]{0,600})["']""",
    re.IGNORECASE,
)
_HAN = re.compile(r"[\u4e00-\u9fff]")
_RECENT = timedelta(days=14)  # a home page with scripts and no younger entries is looked at in the browser
_POSTED = {"Content-Type": "application/x-www-form-urlencoded"}
_DEPTH = 3  # tiers of columns
_PEOPLE = 40  # leaders' own pages
_HOME_OPEN = 20  # undated entries of the home page that are opened to date it
_NOT_STORED = "not_stored"
_UNSEEN = {_NOT_STORED, NOT_RECORDED}  # never seen by a recheck or a recording: held against no site
_NEWS = (ColumnType.NEWS, ColumnType.NOTICE)
_SEARCHES = 8  # pages of the budget kept for the search: form, four titles, one blurred, two from below
_CLAIM = 600.0  # seconds other workers leave our link targets alone
_PLANNED_ROLES = frozenset((Role.GUIDE, Role.MESSAGE, Role.LEADER))


def _recorded_role(role: Role | None) -> Role:
    """Return what to visit a saved page as; an article shows by itself whether it is a guide or a message."""
    if role is None:
        return Role.ARTICLE
    return Role.OTHER if role is Role.HOME else role


def _answer(page: Page) -> Answer:
    return Answer(page.url, page.final_url, page.status or 0, "GET", dict(page.headers), page.body)


def _holds(shown: str, sent: str) -> bool:
    """Tell whether a frame as the browser shows it has the Chinese characters that were sent.

    The browser believes a wrong charset; a script may add to a frame, and takes little away.
    """
    wanted = set(_HAN.findall(sent))
    return len(wanted.difference(shown)) <= len(wanted) / 2


@dataclass(frozen=True, slots=True)
class Visit:
    """A page to visit, and what is known of it before."""

    url: str
    role: Role
    column: str = ""
    referrer: str = ""
    body: str = ""  # of a form that is posted


class SiteSpider(scrapy.Spider):
    """Inspects one site: home page, columns, lists, a recorded random sample of articles, links.

    One subclass exists for each row of the roster (`spiders.roster`). For a site that needs its own code,
    write a module in `spiders/custom/` with a subclass that sets, in this order:

    1. `name`: the site_id of its roster row, which gives `site`;
    2. `data_sources(page)`: addresses of the data that fills its lists, where nothing on a page leads there;
    3. `last_page(page)`: the address of a list's last page, where its pager is built by scripts.

        class Hangzhou(HanwebSpider):
            name = "hangzhou"

    The crawl is one coroutine, `start`, which visits breadth before depth. The order of what it learns does
    not depend on the order of answers: a resumed crawl and a recheck come to the same findings.
    """

    site: Site
    marks: ClassVar[re.Pattern[str] | None] = None  # recognises the platform in the source of a home page

    def __init__(
        self, quarter: str = "", at: str = "", run: str = "", owner: str = "", seed: str = "", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.arguments = {"quarter": quarter, "at": at, "run": run, "owner": owner}
        self.seed = seed  # of the samples, as the ledger records it
        self.services: Services
        self.inspection: Inspection
        self.ways: type[SiteSpider] = type(self)
        self.done: SiteDone | None = None
        self._own_services = False
        self._trouble = "its crawl ended early"
        self._seen: set[str] = set()
        self._stored: dict[tuple[str, bool], Any] = {}
        self._files: dict[str, asyncio.Future[str]] = {}  # scripts and frames of this site, each fetched once
        self._pages = 0
        self._deadline: asyncio.Timeout | None = None
        self._waited_until = float("-inf")  # on the loop's clock, which starts with the machine
        self._patterns = PathPatterns()
        self._traps: Counter[str] = Counter()  # addresses not visited, by the name of their trap
        self._facts: dict[str, Any] = {}  # seen outside the site's own pages: a recheck needs them again

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **kwargs: Any) -> Self:
        """Build the spider; its services come from the worker, or are its own under `scrapy crawl`."""
        spider = super().from_crawler(crawler, *args, **kwargs)
        crawler.signals.connect(spider._robots, signals.robots_parsed)  # noqa: SLF001  (its own)
        crawler.signals.connect(spider._close, signals.spider_closed)  # noqa: SLF001  (its own)
        return spider

    # --- the crawl ------------------------------------------------------------------------------------------

    async def start(self) -> AsyncIterator[SiteDone]:
        """Inspect the site; its end goes through the pipelines here, so that there is nothing to yield.

        An item that is yielded keeps the engine from noticing for up to five seconds that the crawl is over.
        """
        try:
            await self._inspect()
        except Exception as error:
            self._trouble = f"{type(error).__name__}: {error}"[:300]
            self._ended()
            raise
        self._ended()
        return
        yield  # Scrapy wants an asynchronous generator

    def _ended(self) -> None:
        if self.crawler.stats:
            self.crawler.stats.set_value(ENDED, 1)

    async def _inspect(self) -> None:
        await self._open()
        options = self.services.options
        try:
            async with asyncio.timeout(options.site_seconds) as self._deadline:
                failed = await self._gather()
        except TimeoutError:
            failed = f"not finished within {options.site_seconds:.0f} s"
        state = self.inspection
        counts = {"pages": self._pages, "columns": len(state.columns), "links": len(state.checks)}
        if self._traps:
            counts["traps"] = self._traps.total()
            self._facts["traps"] = dict(self._traps)
        self.done = SiteDone(
            self.site.site_id, counts, failed, facts=self._facts, platform=self._platform_name()
        )
        await self.crawler.engine.scraper.start_itemproc_async(self.done, response=None)  # type: ignore[union-attr]

    async def _open(self) -> None:
        services = self.settings.get(SETTING)
        if services is None:
            given = {name: value for name, value in self.arguments.items() if value}
            options = Options.from_environment().with_(sites=(self.site.site_id,), **given)
            services = await Services.open(options, as_run=bool(options.run))
            self._own_services = True
        self.services = services
        if self._own_services:
            job = services.options.owner  # a node of the cluster has leased the site to this crawl
            row = await (services.confirm(self.site.site_id) if job else services.lease(alone=True))
            if row is None:
                raise GovcrawlError(f"site {self.site.site_id}: another inspection of it is under way")
            self.seed = row["seed"]
            if job and self.crawler.stats:
                before = await services.ledger.pages_before(services.run, self.site.site_id)
                self.crawler.stats.set_value(BEFORE, before)
            services.on_lost = self._lost
        watch = Watch.load(services.options.lexicon, services.options.domains)
        self.inspection = Inspection(self.site, str(services.quarter), services.at, self.seed, watch=watch)
        self._stored = await services.writer.stored_pages(self.site.site_id)
        if services.source:
            self._facts = await facts_of(services.db, services.source, self.site.site_id)
        else:
            self._facts["before"] = await readings.before(
                services.db, self.site.site_id, str(services.quarter)
            )
        self.inspection.before = self._facts.get("before", {})

    def _lost(self) -> None:
        """End the crawl: its lease ran out while the database was away, and another has the site."""
        if self.done is None and self.crawler.engine is not None:
            self._leaving = asyncio.ensure_future(self.crawler.engine.close_spider_async(reason="lease lost"))

    async def _close(self, reason: str) -> None:
        if not self._own_services:
            return
        services = self.services
        if self.done is None and reason in (
            "finished",
            "start_error",
        ):  # not told to stop: nothing a second try would heal
            await services.ledger.fail(services.run, self.site.site_id, services.owner, self._trouble)
        await services.close()

    async def _gather(self) -> str:
        home = await self._home()
        if home.error:
            return f"home page: {home.error}"
        await self._columns()
        await self._people()
        await self._documents()
        await self._articles()
        await self._recorded()
        await self._searches()
        await self._ipv6()
        await self._links()
        return ""

    async def _home(self) -> Page:
        page = await self._fetch(Visit(self.site.url, Role.HOME))
        if not page.error:
            self.ways = self._platform(page)
        await self._take(page)
        return page

    def _platform(self, home: Page) -> type[SiteSpider]:
        """Return the class whose ways the site follows: the roster's word, else what the markup shows."""
        if type(self).marks is not None:
            return type(self)
        text = home.text
        for kind in type(self).platforms():
            if kind.marks is not None and kind.marks.search(text):
                return kind
        return type(self)

    def _platform_name(self) -> str:
        """Return the name of the platform whose ways the site follows; empty for none that is known."""
        return self.ways.__module__.rpartition(".")[2] if self.ways.marks is not None else ""

    @classmethod
    def platforms(cls) -> tuple[type[SiteSpider], ...]:
        """Return the platform classes a site without a platform in the roster is compared with."""
        return ()

    async def _columns(self) -> None:
        for _ in range(_DEPTH):
            columns = sorted(self.inspection.columns.values(), key=lambda one: (one.level, one.url))
            visits = [
                Visit(column.url, Role.COLUMN, column.name, column.parent or self.site.url)
                for column in columns
                if column.url not in self._seen and not _FILE.search(urlsplit(column.url).path)
            ]
            if not visits or self._left() <= 0:
                break
            async for page in self._visit(visits):
                await self._take(page)
                if not page.error:
                    self.inspection.learn(self.inspection.inner_columns(page), page.url)
                await self._last_page(page)

    async def _last_page(self, page: Page) -> None:
        """Read the last page of a list that runs from old to new: the newest entry stands there."""
        if page.error or self._left() <= 0 or not self.inspection.listing(page, page.column).ascending:
            return
        url = self.ways.last_page(page)
        if url and self.site.owns(url) and url not in self._seen:
            self._seen.add(url)
            last = await self._fetch(Visit(url, Role.OTHER, page.column, page.url))
            if last.error not in _UNSEEN:
                await self._keep(last)
            self.inspection.add_last_page(page.url, last)

    async def _people(self) -> None:
        """Visit the leaders' own pages."""
        columns = [column for _, column in sorted(self.inspection.columns.items())]
        visits = [Visit(url, Role.LEADER, one.name, one.url) for one in columns for _, url in one.people]
        async for page in self._visit(visits, _PEOPLE):
            await self._take(page)

    async def _documents(self) -> None:
        """Visit the drawn interpretations and policy files, then the files the interpretations explain."""
        state = self.inspection
        drawn = state.drawn(ColumnType.INTERPRETATION)
        await self._visit_documents([*drawn, *state.drawn(ColumnType.POLICY)])
        read = (state.documents.read[url] for url in drawn if url in state.documents.read)
        await self._visit_documents([state.documents.policy_of(document) for document in read])

    async def _visit_documents(self, urls: Sequence[str]) -> None:
        listed = {**self.inspection.documents.listed[ColumnType.POLICY]}
        listed |= self.inspection.documents.listed[ColumnType.INTERPRETATION]
        visits = [
            Visit(url, Role.ARTICLE, one.column, one.column_url)
            if (one := listed.get(url))
            else Visit(url, Role.ARTICLE, ColumnType.POLICY.value, self.site.url)
            for url in dict.fromkeys(urls)
            if url and self.site.owns(url) and not _FILE.search(urlsplit(url).path)
        ]
        async for page in self._visit(visits):
            await self._take(page)

    async def _articles(self) -> None:
        """Visit the articles that date undated lists, then a random sample drawn with the recorded seed."""
        state = self.inspection
        needed = [*state.home_open[:_HOME_OPEN], *planned(state, self.services.edition)]
        for _, column in sorted(state.columns.items()):
            needed += column.undated[:DATES_NEEDED]
        rest = sorted(
            {url for column in state.columns.values() for url in column.entries} | self._home_entries()
        )
        random.Random(state.seed).shuffle(rest)  # noqa: S311  (a sample to be drawn again, not a secret)
        origin = self._origins() | state.dealings.origins
        visits = [
            Visit(url, Role.ARTICLE, *origin.get(url, ("", self.site.url)))
            for url in dict.fromkeys((*needed, *rest))
            if url not in self._seen and self.site.owns(url) and not _FILE.search(urlsplit(url).path)
        ]
        async for page in self._visit(visits, self._left() - _SEARCHES):
            await self._take(page)

    async def _recorded(self) -> None:
        """Visit what a recording holds of the site besides: saved pages seldom lead to each other."""
        recording = self.services.recording
        if recording is None:
            return
        held = (page for page in recording.pages_of(self.site) if page.role is not Role.SEARCH)
        pages = [page for page in held if page.url not in self._seen]
        visits = [Visit(page.url, _recorded_role(page.role), page.title, self.site.url) for page in pages]
        async for page in self._visit(visits):
            await self._take(page)

    async def _searches(self) -> None:
        """Try the site's search with drawn titles; a search page is read when it is added, like any other."""
        state, dealings = self.inspection, self.inspection.dealings
        if asked := form_page(dealings.search, self.site.url):
            await self._take(await self._fetch(Visit(asked.url, Role.SEARCH, asked.column, self.site.url)))
        form = dealings.search.form if dealings.search else None
        if form is None:
            return
        lower = await self._lower_titles(self.services.edition.rules["B4.1c"].sample or 0)
        titles = titles_to_find(state, self.services.edition.rules["D4.5b"].sample or 0)
        for asked in islice(queries(form, titles, lower), max(0, self._left())):
            await self._take(
                await self._fetch(Visit(asked.url, Role.SEARCH, asked.column, self.site.url, asked.body))
            )

    async def _lower_titles(self, size: int) -> list[str]:
        """Return titles of drawn lower-level sites, one from the home page of each."""
        if self.services.source:
            return list(self._facts.get("lower_titles", ()))
        below, draw = lower_sites(self.site, self.services.sites), self.inspection.sample
        first = draw(below, size, "lower-level title")
        # A home page may fail or show no dated entries: then another stands in.
        spare = draw([one for one in below if one not in first], 2 * size, "lower-level title, instead")
        titles: list[str] = []
        for one in (*first, *spare):
            if len(titles) >= size:
                break
            if title := await self._lower_title(one):
                titles.append(title)
        self._facts["lower_titles"] = titles
        return titles

    async def _lower_title(self, site: Site) -> str:
        """Return a title from a site's home page, or from its first news column where that shows none."""
        seed, home = self.inspection.seed, await self._download(Visit(site.url, Role.HOME))
        if home.error:
            return ""
        if title := title_of(home, seed):
            return title
        own = read_columns(replace(home, site=site))
        news = (link for link in own if link.local and link.kind in _NEWS)
        if (link := next(news, None)) is None:
            return ""
        column = await self._download(Visit(link.url, Role.COLUMN))
        return title_of(column, seed) if column.error == "other_site" else ""  # than the one under inspection

    async def _ipv6(self) -> None:
        """Look the site's IPv6 address up: in the hosts file, or in DNS where no proxy stands between."""
        services = self.services
        listed = services.hosts.get(self.site.host)
        if not services.options.replay and not services.source and (listed or not services.options.proxy):
            parts = urlsplit(self.site.url)
            port = parts.port or (443 if parts.scheme == "https" else 80)
            self._facts["ipv6"] = await ipv6_state(self.site.host, port, services.guard, listed)
        self.inspection.dealings.ipv6 = self._facts.get("ipv6", "")

    def _home_entries(self) -> set[str]:
        return {row.url for row in self.inspection.home_rows if row.published or is_article_url(row.url)}

    def _origins(self) -> dict[str, tuple[str, str]]:
        columns: Iterable[Column] = (column for _, column in sorted(self.inspection.columns.items()))
        return {url: (column.name, column.url) for column in columns for url in column.entries}

    def _left(self) -> int:
        return self.services.options.page_budget - self._pages

    async def _visit(self, visits: Sequence[Visit], most: int | None = None) -> AsyncIterator[Page]:
        """Fetch pages a few at a time, as many as are left, and yield them in the order given."""
        width = self.services.options.per_host
        running: list[asyncio.Task[Page]] = []
        left = self._left()
        queue = iter(
            [visit async for visit in self._admitted(visits, left if most is None else min(most, left))]
        )
        try:
            while True:
                while len(running) < width and (visit := next(queue, None)) is not None:
                    running.append(asyncio.create_task(self._fetch(visit)))
                if not running:
                    return
                yield await running.pop(0)
        finally:
            for task in running:
                task.cancel()

    async def _admitted(self, visits: Sequence[Visit], most: int) -> AsyncIterator[Visit]:
        """Yield the visits that are new and no trap; a trap takes no place of the budget."""
        for visit in visits:
            if most <= 0:
                return
            if visit.url in self._seen:
                continue
            self._seen.add(visit.url)
            trap = self._patterns.admit(visit.url)
            if trap is None:
                most -= 1
                yield visit
                continue
            self._traps[trap] += 1
            if self._traps[trap] == 1:
                await self._note_trap(visit, trap)

    async def _note_trap(self, visit: Visit, trap: str) -> None:
        """Keep the first address of a trap as a page that was not visited; no rule reads it."""
        if self.services.source:
            return
        page = replace(self._page(visit), role=Role.OTHER, error=trap, fetched_at=None)
        await self._store(page)

    async def _take(self, page: Page) -> None:
        if page.error in _UNSEEN:
            return
        self.inspection.add(page)
        await self._keep(page)

    async def _keep(self, page: Page) -> None:
        """Send a page through the pipelines and wait: a slow database slows the crawl down."""
        self._seen.add(page.url)
        self._pages += 1
        await self._store(page)

    async def _store(self, page: Page) -> None:
        await self.crawler.engine.scraper.start_itemproc_async(page, response=None)  # type: ignore[union-attr]

    # --- one page -------------------------------------------------------------------------------------------

    async def _fetch(self, visit: Visit) -> Page:
        """Return the page of a visit with what belongs to it, from the store where this run has it."""
        for rendered in (True, False):
            if (kept := self._stored.pop((visit.url, rendered), None)) is not None:
                page: Page = kept.page(self.site, self.inspection.at)
                page.stored = True
                for url, text in page.included.items():
                    if url not in self._files:
                        self._files[url] = asyncio.get_running_loop().create_future()
                        self._files[url].set_result(text)
                return page
        page = await self._download(visit)
        for _ in range(2):
            target = self._refresh(page)
            if not target:
                break
            found = await self._download(replace(visit, url=target))
            if found.error in _UNSEEN:
                break
            page = replace(found, url=visit.url)
        if page.role is Role.SEARCH:
            return await self._fill(page)
        if not page.error and page.role is not Role.HOME and says_gone(_answer(page)):
            page.error = "soft_404"
        if page.error:
            return page
        if page.role is Role.ARTICLE and (found := page_role(page)) in _PLANNED_ROLES:
            page.role = found
        await self._include(page, footer_sources(page))
        return await self._fill(page)

    def _refresh(self, page: Page) -> str:
        if page.error or len(page.body) > 4096:
            return ""
        delay, target = get_meta_refresh(page.text, page.final_url)
        target = absolute(page, target) if target and delay is not None and delay <= 10 else ""
        return target if target and self.site.owns(target) and target != page.final_url else ""

    async def _download(self, visit: Visit) -> Page:
        """Fetch one page, with growing waits between tries while its error may heal."""
        page = await self._try(visit)
        for seconds in self.services.options.retry_waits:
            if not may_heal(page.error):
                break
            await asyncio.sleep(seconds)
            page = await self._try(visit)
        return page

    def _page(self, visit: Visit) -> Page:
        return Page(
            self.site,
            self.inspection.quarter,
            visit.url,
            self.inspection.at,
            visit.role,
            fetched_at=datetime.now(UTC),
            referrer=visit.referrer,
            column=visit.column,
        )

    async def _try(self, visit: Visit) -> Page:
        page = self._page(visit)
        if self.services.source:
            page.error = _NOT_STORED
            return page
        request = scrapy.Request(visit.url, meta=self._meta(), dont_filter=True)
        if visit.body:
            request = request.replace(method="POST", body=visit.body, headers=_POSTED)
        try:
            response = await self.crawler.engine.download_async(request)  # type: ignore[union-attr]
        except Exception as error:  # every failed visit is a page with a named error
            if not self.crawler.crawling:
                raise asyncio.CancelledError from error  # broken off by a stop: no fault of the page
            page.error = name_of(error)
            return page
        page.final_url = response.url
        page.status = response.status
        page.elapsed = response.request.meta.get("elapsed", 0.0) if response.request else 0.0
        page.headers = headers_of(response)
        page.ip, page.certificate = peer_of(response)
        page.body = response.body
        page.error = self._fault(page)
        return page

    def _meta(self) -> dict[str, Any]:
        return {"dont_obey_robotstxt": True} if self.site.authorised or self.services.options.replay else {}

    def _fault(self, page: Page) -> str | None:
        if page.status and page.status >= 400:
            return f"http_{page.status}"
        if page.role not in (Role.HOME, Role.SEARCH) and not self.site.owns(page.final_url):
            return "other_site"
        if leads_home(page.url, page.final_url):
            return "redirect_home"
        kind = page.header("Content-Type").lower()
        start = page.body[:512].lstrip().lower()
        if (
            kind
            and not re.search(r"html|xml|text/plain", kind)
            and not start.startswith((b"<!doctype", b"<html", b"<head"))
        ):
            return "not_html"
        if not page.body:
            return "empty"
        # What lies behind such markup is not read: the page would be judged by a part of itself.
        return markup(page.body) or (None if page.role is Role.OTHER else nesting(page.tree))

    # --- what belongs to a page -----------------------------------------------------------------------------

    async def _include(self, page: Page, urls: Sequence[str]) -> None:
        """Fetch scripts, frames and data of the same site once per site, and give them to the page."""
        found = dict(page.included)
        for url in urls:
            if url not in self._files:
                self._files[url] = asyncio.ensure_future(self._file(url, page.url))
            if text := await self._files[url]:
                found[url] = text
        if found != dict(page.included):
            page.included = found
            page.cache.clear()

    async def _file(self, url: str, referrer: str) -> str:
        kept = await self._download(Visit(url, Role.OTHER, referrer=referrer))
        return kept.text if kept.error in (None, "not_html") else ""

    async def _fill(self, page: Page) -> Page:
        """Bring the content a document leaves to scripts: its data where known, else the rendered page."""
        if page.error or page.role not in (Role.HOME, Role.COLUMN, Role.SEARCH) or not self._hollow(page):
            return page
        own = [url for url in self.ways.data_sources(page)[:4] if self.site.owns(url)]
        await self._include(page, [*own, *unseen_scripts(page)[:4]])
        if not self._hollow(page) or self.services.browser is None:
            return page
        seen = await self.services.render(page.final_url, self.site.site_id)
        if seen.error or not seen.dom:
            page.notes += (f"render: {seen.error or 'no document'}",)
            return page
        frames = {
            url: text
            for url, text in seen.frames.items()
            if self.site.owns(url) and _holds(text, page.included.get(url, ""))
        }
        return replace(
            page,
            rendered=True,
            dom=seen.dom,
            included={**page.included, **frames},
            notes=(*page.notes, "rendered: filled by scripts"),
        )

    def _hollow(self, page: Page) -> bool:
        """Tell whether scripts may bring what a reading misses: a list, or recent news of the home page."""
        if page.role is Role.SEARCH:
            if page.column.startswith(FORM):
                return read_search(page).state == "unseen"
            return not read_results(page, self.inspection.dealings.frame).decided
        if page.role is not Role.HOME:
            state = self.inspection.listing(page, page.column).state
            return state in (ListState.SCRIPT, ListState.UNREAD)
        at = self.inspection.at.date()
        if any(row.published and at - _RECENT <= row.published <= at for row in read_rows(page)):
            return False
        return bool(may_fill(page))

    @classmethod
    def data_sources(cls, page: Page) -> tuple[str, ...]:
        """Return the addresses of data the page's scripts fill its lists from."""
        named = (one[1] for script in page.tree.iter("script") for one in _DATA.finditer(script.text or ""))
        found = [absolute(page, one.replace("\\/", "/").replace("&amp;", "&")) for one in named]
        frames = (absolute(page, one.get("src") or "") for one in page.tree.iter("iframe", "frame"))
        found += [url for url in frames if url and page.site.owns(url)]
        return tuple(dict.fromkeys(filter(None, found)))

    @classmethod
    def last_page(cls, page: Page) -> str:
        """Return the address of a list's last page, or an empty string."""
        return last_page(page)

    # --- links ----------------------------------------------------------------------------------------------

    async def _links(self) -> None:
        """Decide every link of the visited pages that was not visited itself, the home page's first."""
        state, services = self.inspection, self.services
        uses = sorted(state.links.values(), key=lambda use: (not use.on_home, use.page, use.target))
        open_targets = [use.target for use in uses if state.state_of(use.target) is None]
        budget = services.options.link_budget
        state.link_budget_spent = max(0, len(open_targets) - budget)
        plain: dict[str, list[str]] = {}
        for target in open_targets[:budget]:
            plain.setdefault(normalise(target), []).append(target)

        def take(check: LinkCheck) -> None:
            for target in plain.get(check.target, ()):
                state.checks[target] = check

        if services.source:
            mine, known, others = await services.book.settled(plain)
        else:
            mine, known, others = await services.book.claim(plain, services.owner, _CLAIM)
        for check in known.values():
            take(check)
        await self._check_links(mine, take)
        await self._await_links(others, take)

    async def _check_links(self, targets: Sequence[str], take: Callable[[LinkCheck], None]) -> None:
        async for check in self.services.checker.check_many(targets):
            take(check)
            await self.services.writer.add_links((check,))  # with the pages, soon: a kill repeats little

    async def _await_links(self, others: Sequence[str], take: Callable[[LinkCheck], None]) -> None:
        """Read the verdicts other workers are coming to; take over from one that died."""
        waiting, services = set(others), self.services
        for look in range(int(_CLAIM)):
            if not waiting:
                return
            await asyncio.sleep(1.0 if look else 0.2)
            for check in (await services.book.poll(waiting)).values():
                take(check)
                waiting.discard(check.target)
            if look % 5 == 4 and waiting:
                mine, known, _ = await services.book.claim(waiting, services.owner, _CLAIM)
                waiting -= {*mine, *known}
                for check in known.values():
                    take(check)
                await self._check_links(mine, take)
        for target in waiting:
            take(LinkCheck(target, LinkState.UNKNOWN, reason="another worker's check did not end"))

    def waited(self, seconds: float) -> None:
        """Take the time a request waited for the site's hours from its own time; waits at once count once."""
        now = asyncio.get_running_loop().time()
        counted = seconds - max(0.0, self._waited_until - (now - seconds))
        self._waited_until = now
        if self._deadline is not None and counted > 0 and (due := self._deadline.when()) is not None:
            self._deadline.reschedule(due + counted)

    # --- politeness -----------------------------------------------------------------------------------------

    def _robots(self, robotparser: Any, request: scrapy.Request) -> None:
        delay = robotparser.rp.crawl_delay(self.services.user_agent) if hasattr(robotparser, "rp") else None
        if delay:
            self.services.pace.crawl_delay(urlsplit(request.url).hostname or "", float(delay))
