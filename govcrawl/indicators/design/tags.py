"""D4.7 页面标签."""

from __future__ import annotations

from collections.abc import Iterator

from govcrawl.inspection import Inspection
from govcrawl.items import CantTell, Evidence, Page, Role
from govcrawl.registry import page, rule, visit

_SITE = (
    "<meta name=SiteName content=示例市人民政府><meta name=SiteDomain content=www.example.gov.cn>"
    "<meta name=SiteIDCode content=3399000001>"
)
_CONTENT = (
    "<meta name=ArticleTitle content=标题><meta name=PubDate content='2023-09-18 10:00'>"
    "<meta name=ContentSource content=示例市>"
)
_COLUMN = (
    "<meta name=ColumnName content=要闻><meta name=ColumnType content=要闻>"
    "<meta name=ColumnKeywords content=要闻><meta name=ColumnDescription content=要闻>"
)


def _page(head: str, role: Role) -> Page:
    return page(f"<head>{head}</head><p>正文</p>", url="/x/", role=role)


_HOME = page("<p>首页</p>")


@rule(
    "D4.7a",
    fails=[visit(_HOME, _page(_SITE, Role.ARTICLE))],
    passes=[visit(_HOME, _page(_SITE + _CONTENT, Role.ARTICLE))],
)
def untagged_article(site: Inspection, sample: int) -> Iterator[Evidence]:
    """A sampled content page lacks a site tag or a content tag."""
    yield from _untagged(site, (Role.ARTICLE,), sample, "content pages")


@rule(
    "D4.7b",
    fails=[visit(_HOME, _page(_SITE, Role.COLUMN))],
    passes=[visit(_HOME, _page(_SITE + _COLUMN, Role.COLUMN))],
)
def untagged_column(site: Inspection, sample: int) -> Iterator[Evidence]:
    """A sampled column page lacks a site tag or a column tag."""
    yield from _untagged(site, (Role.COLUMN,), sample, "column pages")


def _untagged(site: Inspection, roles: tuple[Role, ...], sample: int, purpose: str) -> Iterator[Evidence]:
    pages = site.pages_of(*roles)
    if not pages:
        raise CantTell(f"no {purpose} were read")
    for seen in sorted(site.sample(pages, sample, purpose), key=lambda one: one.url):
        if seen.untagged:
            yield Evidence(seen.url, f"缺少 {'、'.join(seen.untagged)}", expected="标签齐全")
