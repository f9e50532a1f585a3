"""D1.3 领导信息."""

from __future__ import annotations

from collections.abc import Iterator

from govcrawl.extract.columns import ColumnType
from govcrawl.extract.leaders import Leader
from govcrawl.indicators.presence import absent_column, with_menu
from govcrawl.indicators.staleness import of_kind
from govcrawl.inspection import Inspection
from govcrawl.items import CantTell, Evidence, Role
from govcrawl.registry import column, menu, page, rule, visit


@rule("D1.3a", fails=[with_menu("工作动态", "通知公告")], passes=[with_menu("工作动态", "领导之窗")])
def missing_leaders(site: Inspection) -> Iterator[Evidence]:
    """There is no 领导信息 column."""
    yield from absent_column(site, ColumnType.LEADER)


_NAVIGATION = menu(("领导之窗", "/ld/"), ("工作动态", "/dt/"))
_LIFE = "男，汉族，1970年3月生，大学学历，1992年7月参加工作，历任科员、科长。"


def _leader(name: str, *parts: str) -> str:
    lines = {
        "职务": "<p>职务：局长</p>",
        "简历": f"<p>简历：{_LIFE}</p>",
        "分工": "<p>工作分工：主持全面工作。</p>",
    }
    return f"<h3>{name}</h3>" + "".join(lines[part] for part in parts)


def _on_one_page(*leaders: str) -> Inspection:
    return visit(page(_NAVIGATION), column("".join(leaders), "/ld/", "领导之窗"))


def _on_own_page(leader: str) -> Inspection:
    links = '<ul><li><a href="/ld/1.html">张三</a> 局长</li></ul>'
    own = page(leader, url="/ld/1.html", role=Role.LEADER, column="领导之窗")
    return visit(page(_NAVIGATION), column(links, "/ld/", "领导之窗"), own)


_WHOLE = _leader("李明华", "职务", "简历", "分工")


@rule(
    "D1.3b",
    fails=[
        _on_one_page(_leader("张三", "职务", "分工"), _WHOLE),
        _on_one_page(_leader("张三", "职务", "简历"), _WHOLE),
        _on_own_page(_leader("张三", "职务", "简历")),
    ],
    passes=[
        _on_one_page(_leader("张三", "职务", "简历", "分工"), _WHOLE),
        _on_own_page(_leader("张三", "职务", "简历", "分工")),
    ],
)
def incomplete_leader(site: Inspection) -> Iterator[Evidence]:
    """A leader is presented without post, CV or duties."""
    found, unread = _presented(site)
    if not found:
        raise CantTell(unread or "no page presents a leader")
    parts = [part for part in ("职务", "简历", "分工") if not _never_shown(part, found)]
    for url, leader in found:
        for part in parts:
            if part in leader.missing:
                yield Evidence(
                    url, f"{leader.name or '某位领导'} 缺少{part}", expected="姓名、职务、简历、分工齐全"
                )
    if unread:
        raise CantTell(unread)
    if len(parts) < 3:
        raise CantTell("a part is seen with none of the leaders: the pages may show it in a way not read")
    if nameless := [url for url, leader in found if not leader.name]:
        raise CantTell(f"{nameless[0]}: no name was read, a picture may show it")


def _presented(site: Inspection) -> tuple[list[tuple[str, Leader]], str]:
    """Return (page, leader) of all leaders presented, and what could not be read."""
    found: dict[str, tuple[str, Leader]] = {}
    unread = ""
    for one in of_kind(site, ColumnType.LEADER, top=False):
        for url in [url for _, url in one.people] or [one.url]:
            seen = site.pages.get(url)
            if seen is None or seen.error or (one.people and not seen.leaders):
                unread = (
                    unread
                    or f"{url}: {seen.error if seen and seen.error else 'nothing of a leader was read'}"
                )
                continue
            found |= {f"{url} {leader.name}": (url, leader) for leader in seen.leaders}
    return [found[key] for key in sorted(found)], unread


def _never_shown(part: str, found: list[tuple[str, Leader]]) -> bool:
    return len(found) > 1 and all(part in leader.missing for _, leader in found)
