"""D4.4 我为政府网站找错: the entry every footer must have."""

from __future__ import annotations

from collections.abc import Iterator

from govcrawl.extract.footer import read_footer
from govcrawl.items import CantTell, Evidence, Inapplicable, Page, Role
from govcrawl.registry import page, rule

_ENTRY = '<a href="http://zfwzgl.www.gov.cn/exposure/jiucuo.html?site_code=3399000001">政府网站找错</a>'
_BARE = "<div class=footer><p>主办单位：示例市人民政府办公室 网站标识码：3399000001</p></div>"
_FULL = _BARE.replace("</div>", f"{_ENTRY}</div>")


@rule("D4.4a", fails=[page(_BARE)], passes=[page(_FULL)])
def homepage_without_find_error(page: Page) -> Iterator[Evidence]:
    """The footer of the home page lacks the 我为政府网站找错 entry."""
    if page.role is not Role.HOME:
        raise Inapplicable
    yield from _without_entry(page)


@rule(
    "D4.4b",
    fails=[page(_BARE, url="/a.html", role=Role.ARTICLE)],
    passes=[page(_FULL, url="/a.html", role=Role.ARTICLE)],
)
def page_without_find_error(page: Page) -> Iterator[Evidence]:
    """The footer of a page other than the home page lacks the 我为政府网站找错 entry."""
    if page.role is Role.HOME:
        raise Inapplicable
    yield from _without_entry(page)


def _without_entry(page: Page) -> Iterator[Evidence]:
    mark = read_footer(page).marks["find_error"]
    if mark.state == "unseen":
        raise CantTell("could not see the 找错 entry: the footer comes from elsewhere")
    if mark.state == "absent":
        yield Evidence(page.url, "页脚未见“我为政府网站找错”", expected="页脚有“我为政府网站找错”入口")
