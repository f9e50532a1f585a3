"""D2.4 办事指南."""

from __future__ import annotations

from collections.abc import Iterator

from govcrawl.extract.guides import ELEMENTS
from govcrawl.indicators.services import sampled_guides, sampled_items
from govcrawl.inspection import Inspection
from govcrawl.items import CantTell, Evidence, Role
from govcrawl.registry import column, menu, page, rule, visit

_VALUES = dict.fromkeys(ELEMENTS, "见窗口公示") | {
    "设定依据": "《食品安全法》第三十五条",
    "办理材料": "申请书（原件1份）",
}


def _site(**changes: str) -> Inspection:
    """Return a site with one guide; a change to an empty text leaves the element out."""
    values = _VALUES | changes
    rows = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in values.items() if value)
    return visit(
        page(menu(("办事指南", "/bs/"))),
        column("<ul><li><a href=/g/1.html>食品经营许可核发</a></li></ul>", "/bs/", "办事指南"),
        page(
            f"<h1>食品经营许可核发</h1><table>{rows}</table>",
            url="/g/1.html",
            role=Role.GUIDE,
            column="办事指南",
        ),
    )


_BARE = visit(
    page(menu(("办事指南", "/bs/"))),
    page(
        "<h1>食品经营许可核发</h1><p>请到窗口咨询。</p>",
        url="/g/1.html",
        role=Role.ARTICLE,
        column="办事指南",
    ),
)


@rule("D2.4a", fails=[_BARE], passes=[_site()])
def item_without_guide(site: Inspection, sample: int) -> Iterator[Evidence]:
    """A drawn service item shows no guide."""
    for url in sampled_items(site, sample):
        if url in site.dealings.guideless:
            yield Evidence(url, f"未见办事指南：{site.dealings.guideless[url]}", expected="提供办事指南")


@rule("D2.4b", fails=[_site(收费标准=""), _site(办理地点="", 联系电话="")], passes=[_site()])
def incomplete_guide(site: Inspection, sample: int) -> Iterator[Evidence]:
    """A drawn guide lacks one of the ten key elements."""
    unclear = []
    for url, guide in sampled_guides(site, sample):
        for name in guide.missing:
            yield Evidence(url, f"缺少 {name}", expected="十类要素齐全", excerpt=guide.item)
        unclear += [f"{name} of {guide.item}" for name in guide.unclear]
    if unclear:
        raise CantTell(f"{len(unclear)} elements may stand in a picture or behind a tab, first {unclear[0]}")


@rule("D2.4c", fails=[_site(办理材料="身份证、户口簿")], passes=[_site()])
def unclear_materials(site: Inspection, sample: int) -> Iterator[Evidence]:
    """A drawn guide does not say whether originals or copies, paper or files, and how many are wanted."""
    for url, guide in sampled_guides(site, sample):
        if guide.materials_unclear:
            yield Evidence(
                url,
                "办理材料未注明原件或复印件、纸质或电子、份数",
                expected="形式要求明确",
                excerpt=guide.item,
            )


@rule(
    "D2.4d",
    fails=[_site(办理材料="1.申请书（原件1份）；2.法律、法规规定的其他材料。")],
    passes=[_site(), _site(办理材料="申请书（原件1份）。无需提交其他材料。")],
)
def vague_guide(site: Inspection, sample: int) -> Iterator[Evidence]:
    """A drawn guide asks for materials or sets conditions in catch-all words."""
    for url, guide in sampled_guides(site, sample):
        if guide.vague:
            yield Evidence(url, guide.vague[0], expected="无兜底性表述", excerpt=guide.item)


@rule("D2.4e", fails=[_site(设定依据="《食品安全法》")], passes=[_site()])
def bare_basis(site: Inspection, sample: int) -> Iterator[Evidence]:
    """A drawn guide names its policy basis and gives neither a link nor the clause."""
    for url, guide in sampled_guides(site, sample):
        if guide.basis_unclear:
            yield Evidence(
                url, f"仅列名称 {guide.basis_unclear}", expected="提供内容或链接", excerpt=guide.item
            )
