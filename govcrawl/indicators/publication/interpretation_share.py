"""D1.7 解读比例."""

from __future__ import annotations

from collections.abc import Iterator

from govcrawl.indicators.relations import READING_TITLE, drawn_policies, related
from govcrawl.inspection import Inspection
from govcrawl.items import Evidence
from govcrawl.registry import rule

_TO_READING = f'<p>相关解读：<a href="/jd/1.html">{READING_TITLE}</a></p>'


@rule(
    "D1.7",
    fails=[related(title="《示例市绿化条例》政策解读")],
    passes=[related(), related(_TO_READING, title="专家谈养老服务")],
)
def unexplained_policy(site: Inspection, sample: int) -> Iterator[Evidence]:
    """No interpretation of a drawn policy file was found; a person decides whether it needs one."""
    for url, title in drawn_policies(site, sample):
        if not site.documents.explained(url, title):
            yield Evidence(url, "未见解读材料", expected="涉及面广的文件有解读", excerpt=title)
