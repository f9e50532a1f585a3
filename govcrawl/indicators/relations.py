"""The draws of policy files and interpretations, and examples of both; shared by D1.7, D1.8 and B1.2."""

from __future__ import annotations

from collections.abc import Iterator

from govcrawl.documents import Document
from govcrawl.extract.columns import ColumnType
from govcrawl.inspection import Inspection
from govcrawl.items import CantTell, Page, Role
from govcrawl.registry import column, menu, page, visit

POLICY_TITLE = "示例市人民政府关于印发《示例市养老服务办法》的通知"
READING_TITLE = "《示例市养老服务办法》政策解读"


def drawn_interpretations(site: Inspection, size: int) -> list[Document]:
    """Return the drawn interpretations that were read; raise CantTell where there are none."""
    drawn = _drawn(site, ColumnType.INTERPRETATION, size)
    found = [site.documents.read[url] for url in drawn if url in site.documents.read]
    if not found:
        raise CantTell(f"none of the drawn interpretations could be read, first {drawn[0]}")
    return found


def drawn_policies(site: Inspection, size: int) -> Iterator[tuple[str, str]]:
    """Yield address and title of the drawn policy files; raise CantTell where there are none."""
    for url in _drawn(site, ColumnType.POLICY, size):
        yield url, site.documents.listed[ColumnType.POLICY][url].title


def unread(site: Inspection, size: int) -> str:
    """Tell which drawn interpretations could not be read; nothing where all were."""
    missing = [url for url in _drawn(site, ColumnType.INTERPRETATION, size) if url not in site.documents.read]
    return f"{len(missing)} drawn interpretations could not be read, first {missing[0]}" if missing else ""


def _drawn(site: Inspection, kind: ColumnType, size: int) -> list[str]:
    drawn = site.drawn(kind, size)
    if not drawn:
        elsewhere = site.away.get(kind)
        raise CantTell(
            f"{kind} stands on another site ({elsewhere})" if elsewhere else f"no {kind} was found"
        )
    return drawn


def related(policy: str = "", reading: str = "", title: str = READING_TITLE) -> Inspection:
    """Return an example: a policy file and its interpretation with what each has below its text."""
    rows = '<ul><li><a href="/{0}/1.html">{1}</a><span>2023-09-0{2}</span></li></ul>'
    return visit(
        page(menu(("政策文件", "/wj/"), ("政策解读", "/jd/"))),
        column(rows.format("wj", POLICY_TITLE, 1), "/wj/", "政策文件"),
        column(rows.format("jd", title, 2), "/jd/", "政策解读"),
        _article(POLICY_TITLE, policy, "/wj/1.html", "政策文件"),
        _article(title, reading, "/jd/1.html", "政策解读"),
    )


_TEXT = (
    "<p>为贯彻国家有关部署，推动养老服务工作高质量发展，结合本市实际，现将有关事项说明如下，请认真落实。</p>"
)


def _article(title: str, below: str, url: str, name: str) -> Page:
    return page(f"<h1>{title}</h1>{_TEXT * 3}{below}", url=url, role=Role.ARTICLE, column=name)
