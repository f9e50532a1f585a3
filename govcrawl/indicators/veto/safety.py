"""V1 安全、泄密事故等严重问题: candidates a person looks at; nothing here fails a site by itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

from govcrawl.extract.article import read_article
from govcrawl.extract.dates import date_in_url
from govcrawl.extract.safety import Hit, personal_data, secret_marks, tampering
from govcrawl.inspection import Inspection
from govcrawl.items import Evidence, Inapplicable, Page, Role
from govcrawl.registry import page, rule, visit

_APART = timedelta(days=60)  # a file made this long before the date it shows


def _evidence(url: str, hits: Iterable[Hit]) -> Iterator[Evidence]:
    for hit in hits:
        yield Evidence(url, f"{hit.kind}：{hit.shown}", excerpt=hit.context)


@rule(
    "V1.1",
    merge="observed",
    fails=[visit(page("<p>会议对下阶段工作作了布署。</p>"))],
    passes=[visit(page("<p>会议对下阶段工作作了部署。</p>"))],
)
def wrong_expression(site: Inspection) -> Iterator[Evidence]:
    """A page holds an expression that the lexicon calls wrong."""
    for _, seen in sorted(site.pages.items()):
        for hit in seen.wrong:
            yield Evidence(seen.url, hit.shown, expected=hit.kind, excerpt=hit.context)


@rule(
    "V1.2",
    merge="observed",
    fails=[page("<p>机密★3年</p>"), page("<p>受助人身份证号：330102199003070019</p>")],
    passes=[page("<p>（此件公开发布）做好保密工作</p>"), page("<p>项目代码：330102199003070012</p>")],
)
def disclosure(page: Page) -> Iterator[Evidence]:
    """A page bears marks of a secret or shows personal data."""
    yield from _evidence(page.url, (*secret_marks(page), *personal_data(page)))


@rule(
    "V1.3",
    merge="observed",
    fails=[visit(page('<div style="left:-9999px"><a href="http://x7.example.com/">网络公司</a></div>'))],
    passes=[visit(page('<a href="http://www.gov.cn/">国务院</a><a href="/a.html">警方捣毁六合彩窝点</a>'))],
)
def harmful_link(site: Inspection) -> Iterator[Evidence]:
    """A page leads to a listed domain, to a trade that plants links, or where nobody can see it."""
    for _, seen in sorted(site.pages.items()):
        yield from _evidence(seen.url, seen.harmful)


@rule(
    "V1.4",
    merge="observed",
    fails=[page("<title>百家乐_时时彩</title><p>示例市人民政府</p>")],
    passes=[page("<title>示例市人民政府</title>")],
)
def tampered_page(page: Page) -> Iterator[Evidence]:
    """A page bears the traces of an attack, or its address leads to a foreign host."""
    yield from _evidence(page.url, tampering(page))
    foreign = not page.site.owns(page.final_url) and ".gov.cn" not in page.final_url
    if page.role is Role.HOME and foreign:
        yield Evidence(page.url, f"首页跳转到其他网站：{page.final_url}")


@rule(
    "V1.5",
    fails=[
        page(
            "<h1>关于某项工作的通知</h1><p>发布日期：2023-09-18</p>",
            url="/art/2021/3/4/art_1_2.html",
            role=Role.ARTICLE,
        )
    ],
    passes=[
        page(
            "<h1>关于某项工作的通知</h1><p>发布日期：2023-09-18</p>",
            url="/art/2023/9/18/art_1_2.html",
            role=Role.ARTICLE,
        )
    ],
)
def forged_date(page: Page) -> Iterator[Evidence]:
    """An article shows a date of publication long after its file was made, or one still to come."""
    if page.role is not Role.ARTICLE:
        raise Inapplicable
    shown = read_article(page).published
    if shown is None:
        return
    made = date_in_url(page.final_url) or date_in_url(page.url)
    if made is not None and shown - made > _APART:
        yield Evidence(page.url, f"标注 {shown.isoformat()}", expected=f"网址日期 {made.isoformat()}")
    seen = page.fetched_at or page.at
    latest = max(page.at, seen.astimezone(page.at.tzinfo) if page.at.tzinfo else page.at)  # the day in China
    if shown > latest.date() + timedelta(days=1):
        yield Evidence(
            page.url, f"标注未来日期 {shown.isoformat()}", expected=f"≤ {latest.date().isoformat()}"
        )
