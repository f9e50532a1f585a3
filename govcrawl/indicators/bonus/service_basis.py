"""B2.3 服务关联."""

from __future__ import annotations

from collections.abc import Iterator

from govcrawl.extract.columns import ColumnType
from govcrawl.extract.guides import ELEMENTS
from govcrawl.extract.policies import is_policy
from govcrawl.indicators.services import sampled_items
from govcrawl.inspection import Inspection
from govcrawl.items import CantTell, Evidence, LinkState, Role
from govcrawl.registry import column, listing, menu, page, rule, visit

_LIBRARY = listing(("示例市食品经营许可办法", "2023-09-01"), ("示例市餐饮服务管理规定", "2023-08-01"))


def _site(basis: str, state: LinkState = LinkState.ALIVE) -> Inspection:
    """Return an example: one service item whose guide has this policy basis."""
    values = dict.fromkeys(ELEMENTS, "见窗口公示") | {"设定依据": basis}
    rows = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in values.items())
    return visit(
        page(menu(("办事指南", "/bs/"), ("政策文件", "/wj/"))),
        column("<ul><li><a href=/g/1.html>食品经营许可核发</a></li></ul>", "/bs/", "办事指南"),
        column(_LIBRARY, "/wj/", "政策文件"),
        page(
            f"<h1>食品经营许可核发</h1><table>{rows}</table>",
            url="/g/1.html",
            role=Role.GUIDE,
            column="办事指南",
        ),
        links={"http://www.example.gov.cn/a/0.html": state},
    )


_OWN = '<a href="/a/0.html">《示例市食品经营许可办法》</a>'


@rule(
    "B2.3",
    fails=[_site(_OWN)],
    passes=[
        _site("《示例市食品经营许可办法》第三条"),
        _site(f"{_OWN}、《餐饮服务条例》"),
        _site(f'{_OWN}<a href="http://www.gov.cn/1.htm">《食品安全法》</a>'),
        _site(_OWN, LinkState.DEAD),
    ],
)
def linked_bases(site: Inspection, sample: int) -> Iterator[Evidence]:
    """Every policy basis of the drawn service items links into this site's own policy library."""
    drawn = sampled_items(site, sample)
    doubts: list[str] = []
    for url in drawn:
        guide = site.dealings.guides.get(url)
        if guide is None and url not in site.dealings.guideless:
            raise CantTell(f"{url}: the guide could not be read")
        if guide is None or not guide.basis_links or guide.basis_unlinked:
            return
        states = [_in_library(site, target) for target in guide.basis_links]
        if False in states:
            return
        doubts += [target for target, state in zip(guide.basis_links, states, strict=True) if state is None]
    if doubts:
        raise CantTell(f"{doubts[0]}: may be a policy file of this site")
    yield Evidence(drawn[0], f"{len(drawn)}个事项的设定依据均链接到本站政策文件库", excerpt=" ".join(drawn))


def _in_library(site: Inspection, target: str) -> bool | None:
    """Tell whether a basis leads to a living policy file of this site; None where that cannot be told."""
    if not site.site.owns(target):
        return False
    check = site.state_of(target)
    if check is None or check.state is LinkState.UNKNOWN:
        return None
    if check.state is not LinkState.ALIVE:
        return False
    document = site.documents.read.get(target)
    known = target in site.documents.listed[ColumnType.POLICY] or (document and is_policy(document.title))
    return True if known else None
