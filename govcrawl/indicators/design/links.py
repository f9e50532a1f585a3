"""D4.3 可用性: dead and wrong links."""

from __future__ import annotations

from collections.abc import Iterator

from govcrawl.inspection import Inspection
from govcrawl.items import CantTell, Evidence, LinkState, Role
from govcrawl.registry import page, rule, visit

_HOME = page('<a href="http://a.gov.cn/x.html">文件下载</a><img src="/p.png" alt="图">')
_INNER = page('<a href="http://a.gov.cn/x.html">文件下载</a>', url="/a.html", role=Role.ARTICLE)


@rule(
    "D4.3a",
    fails=[
        visit(
            _HOME,
            links={
                "http://a.gov.cn/x.html": LinkState.DEAD,
                "http://www.example.gov.cn/p.png": LinkState.ALIVE,
            },
        )
    ],
    passes=[
        visit(
            _HOME,
            links={
                "http://a.gov.cn/x.html": LinkState.ALIVE,
                "http://www.example.gov.cn/p.png": LinkState.ALIVE,
            },
        )
    ],
)
def dead_link_on_homepage(site: Inspection) -> Iterator[Evidence]:
    """A link, picture or attachment of the home page is dead or leads to the wrong place."""
    if site.home is None or site.home.error:
        raise CantTell("the home page could not be read")
    yield from _dead_links(site, on_home=True)


@rule(
    "D4.3b",
    fails=[visit(page("<p>首页</p>"), _INNER, links={"http://a.gov.cn/x.html": LinkState.DEAD})],
    passes=[visit(page("<p>首页</p>"), _INNER, links={"http://a.gov.cn/x.html": LinkState.ALIVE})],
)
def dead_link_on_page(site: Inspection) -> Iterator[Evidence]:
    """A link, picture or attachment of another page is dead or leads to the wrong place."""
    yield from _dead_links(site, on_home=False)


def _dead_links(site: Inspection, *, on_home: bool) -> Iterator[Evidence]:
    homes = site.home_pages()
    unknown: list[str] = []
    for target, use in sorted(site.links.items()):
        if (use.on_home or use.page in homes) is not on_home:
            continue
        check = site.state_of(target)
        if check is None:
            unknown.append(f"{target} not checked")
        elif check.state is LinkState.UNKNOWN:
            unknown.append(f"{target} {check.reason}")
        elif check.state is not LinkState.ALIVE:
            seen = check.reason or check.error or str(check.status)
            where = f"{use.pages} pages, first {use.page}" if use.pages > 1 else use.page
            yield Evidence(
                target, f"{check.state.value}: {seen}", selector=use.page, excerpt=f"{use.text} ({where})"
            )
    for url, one in sorted(site.pages.items()):
        if one.empty and (url in homes) is on_home:
            unknown.append(f"{url}: “{one.empty[0]}” leads nowhere")
    if unknown:
        raise CantTell(f"{len(unknown)} links could not be judged, first {unknown[0]}")
