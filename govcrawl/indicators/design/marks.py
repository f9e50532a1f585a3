"""D4.2 网站标识 and D4.4 我为政府网站找错 entry: what every footer must show."""

from __future__ import annotations

from collections.abc import Iterator

from govcrawl.extract.footer import read_footer
from govcrawl.items import CantTell, Evidence, Inapplicable, Page, Role
from govcrawl.registry import page, rule

MARKS = {
    "party_government_mark": "党政机关网站标识",
    "site_code": "网站标识码",
    "icp": "ICP备案编号",
    "police": "公安机关备案标识",
    "organizer": "主办单位",
    "contact": "联系方式",
}
_FIND_ERROR = '<a href="http://zfwzgl.www.gov.cn/exposure/jiucuo.html?site_code=3399000001"><img alt="政府网站找错" src="jiucuo.png"></a>'
_FULL = (
    '<div class=footer><a href="http://bszs.conac.cn/sitename?method=show&amp;id=1"><img src="red.png"></a>'
    "<p>主办单位：示例市人民政府办公室 联系电话：0571-12345678 网站标识码：3399000001 浙ICP备12345678号-1</p>"
    '<p><a href="http://www.beian.gov.cn/portal/registerSystemInfo?recordcode=33990002000001">浙公网安备 33990002000001号</a></p>'
    f"{_FIND_ERROR}</div>"
)


@rule("D4.2", merge="observed", fails=[page(_FULL.replace("浙ICP备12345678号-1", ""))], passes=[page(_FULL)])
def missing_mark(page: Page) -> Iterator[Evidence]:
    """The footer of a page lacks one of the six marks."""
    footer = read_footer(page)
    for name, label in MARKS.items():
        if footer.marks[name].state == "absent":
            yield Evidence(page.url, label, expected=f"页脚有{label}")
    unseen = [label for name, label in MARKS.items() if footer.marks[name].state == "unseen"]
    if unseen:
        raise CantTell(f"could not see {'、'.join(unseen)}: the footer comes from elsewhere")


@rule("D4.4a", fails=[page(_FULL.replace(_FIND_ERROR, ""))], passes=[page(_FULL)])
def homepage_without_find_error(page: Page) -> Iterator[Evidence]:
    """The footer of the home page lacks the 我为政府网站找错 entry."""
    if page.role is not Role.HOME:
        raise Inapplicable
    yield from _without_entry(page)


@rule(
    "D4.4b",
    fails=[page(_FULL.replace(_FIND_ERROR, ""), url="/a.html", role=Role.ARTICLE)],
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
