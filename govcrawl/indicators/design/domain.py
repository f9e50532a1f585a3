"""D4.1 域名名称."""

from __future__ import annotations

import re
from collections.abc import Iterator

from govcrawl.extract.header import name_forms, plain, shows_site_name
from govcrawl.inspection import Inspection
from govcrawl.items import CantTell, Evidence, Page, Role, Site
from govcrawl.registry import page, rule, visit

_ZONE = re.compile(
    r"新区|开发区|高新|经开|管委会|管理委员会|园区|度假|风景|示范区|港区|走廊|生态园|集聚区|新城"
)


def _site(url: str, kind: str = "portal", name: str = "示例市人民政府") -> Inspection:
    site = Site("example", name, kind, "city", "339900", "", url)
    return visit(page("<p>首页</p>", site=site))


@rule(
    "D4.1a",
    fails=[
        _site("http://www.example.com/"),
        _site("http://example.gov.cn/"),
        _site("http://www.jyj.gov.cn/", "department", "示例市教育局"),
    ],
    passes=[
        _site("http://www.example.gov.cn/"),
        _site("http://jyj.example.gov.cn/", "department", "示例市教育局"),
    ],
)
def irregular_domain(site: Inspection) -> Iterator[Evidence]:
    """The domain is not www.<area>.gov.cn (portal) or <department>.<area>.gov.cn (department)."""
    host = site.site.host
    if host.endswith(".invalid"):
        raise CantTell("the address of the recorded pages is not known")
    labels = host.removesuffix(".gov.cn").split(".") if host.endswith(".gov.cn") else []
    if site.site.kind == "portal":
        regular, expected = len(labels) >= 2 and labels[0] == "www", "www.<地区>.gov.cn"
    else:
        regular, expected = len(labels) >= 2 and labels[0] != "www", "<部门>.<地区>.gov.cn"
    if regular:
        return
    if labels and site.site.kind != "portal" and _ZONE.search(site.site.name):
        raise CantTell(f"{host}: a development zone may use the domain of an area")
    yield Evidence(site.site.url, host, expected=expected)


_COMMON = re.compile(r"人民政府|政府|门户|网站|政务|信息|公开|委员会|办公室|管理|局|厅|网|中国|[省市县区]")


_GENERIC = re.compile(r"首页|主页|欢迎|光临|访问|您|网站|门户|官方|index|home|\W", re.IGNORECASE)


def _named(title: str) -> Inspection:
    return visit(page(f"<title>{title}</title><p>首页</p>"))


@rule(
    "D4.1b",
    fails=[_named("欢迎光临"), _named("生活资讯港")],
    passes=[_named("示例市人民政府门户网站"), _named("中国 · 示例")],
)
def foreign_site_name(site: Inspection) -> Iterator[Evidence]:
    """The home page calls the site neither after its area nor after its department."""
    if not site.dealings.names:
        raise CantTell("the home page states no name")
    shown = plain("".join(site.dealings.names))
    names = tuple(filter(None, (site.site.name, site.site.organizer)))
    if any(form in shown for name in names for form in name_forms(name)):
        return
    stems = {
        part[at : at + 2] for name in names for part in _COMMON.split(name) for at in range(len(part) - 1)
    }
    # Menus name the area on any site: only a title that names nothing leaves the rest of the header to speak.
    title = "".join(site.dealings.names[:-1]) or shown
    if any(stem in (title if _GENERIC.sub("", title) else shown) for stem in stems):
        raise CantTell(f"the home page calls itself {site.dealings.names[0]}, the roster {site.site.name}")
    yield Evidence(site.site.url, site.dealings.names[0], expected=site.site.name)


@rule(
    "D4.1c",
    merge="observed",
    fails=[page("<div class=header><h1>欢迎访问</h1></div><div class=main><p>正文</p></div>")],
    passes=[
        page("<div class=header><h1>示例市人民政府</h1></div>"),
        page('<div class=header><img alt="中国·示例 示例市人民政府门户网站" src=l.png></div>'),
    ],
)
def hidden_site_name(page: Page) -> Iterator[Evidence]:
    """The header of a page does not show the name of the site."""
    state = shows_site_name(page, tuple(filter(None, (page.site.name, page.site.organizer))))
    if state == "unseen":
        raise CantTell("the header may show the name in a picture or through a script")
    if state == "absent":
        where = "首页" if page.role is Role.HOME else "内页"
        yield Evidence(page.url, f"{where}页头未见网站名称", expected=page.site.name)
