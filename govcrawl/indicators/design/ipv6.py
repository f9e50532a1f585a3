"""D4.9 IPv6改造."""

from __future__ import annotations

from collections.abc import Iterator

from govcrawl.inspection import Inspection
from govcrawl.items import CantTell, Evidence
from govcrawl.registry import page, rule, visit


def _site(state: str) -> Inspection:
    site = visit(page("<p>首页</p>"))
    site.dealings.ipv6 = state
    return site


@rule("D4.9", fails=[_site("none"), _site("unreached")], passes=[_site("reached")])
def missing_ipv6(site: Inspection) -> Iterator[Evidence]:
    """The site's name has no IPv6 address, or the site does not answer there."""
    match site.dealings.ipv6:
        case "none":
            yield Evidence(site.site.url, f"{site.site.host} 无 AAAA 记录", expected="支持 IPv6 访问")
        case "unreached":
            yield Evidence(site.site.url, f"{site.site.host} 的 IPv6 地址无法连接", expected="支持 IPv6 访问")
        case "resolved":
            raise CantTell("the name has an IPv6 address; this machine has no IPv6 to reach it by")
        case "":
            raise CantTell("IPv6 was not looked up: a proxy, a replay or the egress rules stand between")
