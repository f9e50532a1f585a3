"""D4.2 网站标识: the marks every footer must show."""

from __future__ import annotations

from collections.abc import Iterator

from govcrawl.extract.footer import read_footer
from govcrawl.items import CantTell, Evidence, Page
from govcrawl.registry import page, rule

MARKS = {
    "party_government_mark": "党政机关网站标识",
    "site_code": "网站标识码",
    "icp": "ICP备案编号",
    "police": "公安机关备案标识",
    "organizer": "主办单位",
    "contact": "联系方式",
}
_FULL = (
    '<div class=footer><a href="http://bszs.conac.cn/sitename?method=show&amp;id=1"><img src="red.png"></a>'
    "<p>主办单位：示例市人民政府办公室 联系电话：0571-12345678 网站标识码：3399000001 浙ICP备12345678号-1</p>"
    '<p><a href="http://www.beian.gov.cn/portal/registerSystemInfo?recordcode=33990002000001">'
    "浙公网安备 33990002000001号</a></p>"
    "</div>"
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
