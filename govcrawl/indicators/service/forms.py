"""D2.6 表格样表."""

from __future__ import annotations

from collections.abc import Iterator

from govcrawl.extract.guides import ELEMENTS, Guide
from govcrawl.indicators.services import drawn_where, with_services
from govcrawl.inspection import Inspection
from govcrawl.items import CantTell, Evidence, LinkState, Role
from govcrawl.registry import page, rule, visit

_FORM = "http://www.example.gov.cn/f/1.doc"


def _site(materials: str, state: LinkState | None = None) -> Inspection:
    values = dict.fromkeys(ELEMENTS, "见窗口公示") | {"办理材料": materials}
    rows = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in values.items())
    guide = page(f"<h1>食品经营许可核发</h1><table>{rows}</table>", url="/g/1.html", role=Role.GUIDE)
    return visit(page("<p>首页</p>"), guide, links={_FORM: state} if state else None)


_LINKED = "经营许可申请表（原件1份） <a href=/f/1.doc>空表下载</a>"


@rule(
    "D2.6",
    fails=[_site("经营许可申请表（原件1份）"), _site(_LINKED, LinkState.DEAD)],
    passes=[_site(_LINKED, LinkState.ALIVE), _site("身份证（复印件1份）")],
)
def unobtainable_form(site: Inspection, sample: int) -> Iterator[Evidence]:
    """A drawn guide demands a form and offers no way to get it, or a download that does not open."""
    with_services(site)
    if not site.dealings.guides:
        raise CantTell("no service guides were read on this site")
    open_ones = []
    for url, guide in drawn_where(site, sample, "form guide", lambda one: one.form):
        observed, doubt = _form(site, guide)
        if observed and not doubt:
            yield Evidence(url, observed, expected="提供可下载的表格", excerpt=guide.item)
        elif doubt:
            open_ones.append(f"{guide.item}: {doubt}")
    if open_ones:
        raise CantTell(f"{len(open_ones)} forms could not be judged, first {open_ones[0]}")


def _form(site: Inspection, guide: Guide) -> tuple[str, str]:
    """Return what is wrong with a guide's form, and what speaks for leaving it to a person."""
    states = [site.state_of(url) for url in guide.form_links]
    if any(check is not None and check.state is LinkState.ALIVE for check in states):
        return "", ""
    elsewhere = "it names a place where the form is handed out" if guide.form_elsewhere else ""
    if not states:
        return f"未提供{guide.form}的获取渠道", elsewhere
    if any(check is None or check.state is LinkState.UNKNOWN for check in states):
        return "", "the download could not be checked"
    return f"{guide.form}无法下载", elsewhere
