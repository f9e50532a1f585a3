"""Takes the pictures a finding is shown with, once a site is checked; a recheck has its source's."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from scrapy.crawler import Crawler

from govcrawl.items import Evidence, Finding, Outcome, Page, Site, SiteDone
from govcrawl.outline import outline, shown_on
from govcrawl.services import Services
from govcrawl.store import evidence
from govcrawl.store.evidence import Picture

PER_RULE = 5  # occurrences of one rule on one site that are shown
_VERDICTS = {"dead": "无法打开", "wrong": "内容错误"}
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_PROSE = re.compile(r"[a-z]{2} [a-z]{2}")  # a reason in English, not a date, an address or a number
_SHOWN = (Outcome.FAILED, Outcome.CANT_TELL)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One occurrence to be shown: which finding, which of its evidence."""

    finding: int
    seen: int


class ScreenshotPipeline:
    """Gives failing and doubtful occurrences their picture; without a browser they stay without."""

    def __init__(self, crawler: Crawler) -> None:
        self.crawler = crawler

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Build the pipeline of one crawl."""
        return cls(crawler)

    async def process_item(self, item: Page | SiteDone) -> Page | SiteDone:
        """Pass pages on; take the pictures of a site that is checked, the home page's always."""
        if isinstance(item, Page):
            return item
        spider: Any = self.crawler.spider
        services: Services = spider.services
        if services.source:
            past = await evidence.screenshots_of(services.db, services.source, item.site_id)
            item.findings = tuple(_with_past(finding, past) for finding in item.findings)
        elif services.browser is not None and services.options.screenshots:
            await self._take(services, spider.site, item)
        return item

    async def _take(self, services: Services, site: Site, item: SiteDone) -> None:
        await services.writer.flush()
        chosen = choose(item.findings, services.options.screenshots - 1)
        urls = [site.url, *(shown_on(item.findings[one.finding].evidence[one.seen]) for one in chosen)]
        stored = await evidence.pages_of(services.db, services.run, site.site_id, urls)
        pages = {url: one.page(site, services.at) for url, one in stored.items() if one.doc["body"]}
        home, *shots = await asyncio.gather(
            self._shot(services, pages.get(site.url), "", None),
            *(self._of(services, pages, item.findings[one.finding], one.seen) for one in chosen),
        )
        await evidence.keep(services.db, services.run, [shot for shot in (home, *shots) if shot])
        names = {one: shot.sha256 for one, shot in zip(chosen, shots, strict=True) if shot}
        item.findings = tuple(_with(finding, number, names) for number, finding in enumerate(item.findings))

    async def _of(
        self, services: Services, pages: dict[str, Page], finding: Finding, seen: int
    ) -> Picture | None:
        shown = finding.evidence[seen]
        return await self._shot(services, pages.get(shown_on(shown)), finding.rule, shown)

    async def _shot(
        self, services: Services, page: Page | None, rule: str, seen: Evidence | None
    ) -> Picture | None:
        if page is None or services.browser is None:
            return None
        marks = outline(page, seen) if seen else ()
        shot = await services.browser.screenshot(
            page, site_id=page.site_id, outline=marks, caption=caption(services, page, rule, seen)
        )
        if shot.error and not shot.image:
            return None
        return Picture(
            page.site_id, page.quarter, rule, page.url, marks, shot.body_sha256, shot.image,
            shot.width, shot.height, shot.outlined, evidence.now(),
        )  # fmt: skip


def choose(findings: Sequence[Finding], most: int) -> list[Wanted]:
    """Choose what to show: one of each rule before a second of any, faults before doubts, vetoes first."""
    order = sorted(_candidates(findings), key=lambda one: one[:4])
    return [wanted for *_, wanted in order[: max(0, most)]]


def _candidates(findings: Sequence[Finding]) -> Iterator[tuple[int, bool, bool, str, Wanted]]:
    shown: Counter[str] = Counter()
    for number, finding in enumerate(findings):
        if finding.outcome not in _SHOWN or _unearned(finding):
            continue
        for place in range(len(finding.evidence)):
            if shown[finding.rule] < PER_RULE and finding.evidence[place].url:
                doubt, rule = finding.outcome is not Outcome.FAILED, finding.rule
                yield shown[rule], doubt, not rule.startswith("V"), rule, Wanted(number, place)
                shown[rule] += 1


def _unearned(finding: Finding) -> bool:
    """Tell whether it is a bonus that was not earned: no fault, and nothing of it shows anywhere."""
    return finding.rule.startswith("B") and finding.outcome is Outcome.FAILED


def caption(services: Services, page: Page, rule: str, seen: Evidence | None) -> tuple[str, ...]:
    """Return the lines under a picture; the browser adds the SHA-256 of the page's bytes."""
    spec = services.edition.rules.get(rule)
    at = (
        page.fetched_at.astimezone(services.at.tzinfo).isoformat(sep=" ", timespec="seconds")
        if page.fetched_at
        else ""
    )
    lines = [f"{page.site.name}（{page.site_id}）  {at}", page.url]
    if spec:
        lines.append(f"{spec.title}（{services.edition.id}）")
    if seen and shown_on(seen) != seen.url:
        lines.append(f"链接：{seen.url}"[:300])
    if seen:
        lines.append(f"{_words(seen)}{f'（应为：{seen.expected}）' if seen.expected else ''}"[:300])
    return tuple(lines)


def _words(seen: Evidence) -> str:
    """Return what was seen, in Chinese: verdicts on links in words, reasons of doubt left to the card."""
    verdict, _, reason = seen.observed.partition(": ")
    if verdict in _VERDICTS:
        return f"{_VERDICTS[verdict]}（{reason}）" if reason else _VERDICTS[verdict]
    return (
        seen.observed if _CHINESE.search(seen.observed) or not _PROSE.search(seen.observed) else "待人工确认"
    )


def _with(finding: Finding, number: int, names: dict[Wanted, str]) -> Finding:
    if not any(one.finding == number for one in names):
        return finding
    shown = (
        replace(seen, screenshot=names.get(Wanted(number, place), seen.screenshot))
        for place, seen in enumerate(finding.evidence)
    )
    return replace(finding, evidence=tuple(shown))


def _with_past(finding: Finding, past: dict[tuple[str, ...], str]) -> Finding:
    shown = tuple(
        replace(seen, screenshot=past.get((finding.rule, seen.url, seen.selector, seen.observed), ""))
        for seen in finding.evidence
    )
    return replace(finding, evidence=shown)
