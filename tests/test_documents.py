"""What a site's policy files and interpretations come to: draws, partners, order of arrival, doubts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from govcrawl.extract.columns import ColumnType
from govcrawl.extract.guides import ELEMENTS
from govcrawl.indicators.bonus.service_basis import linked_bases
from govcrawl.indicators.design.links import dead_link_on_homepage, dead_link_on_page
from govcrawl.indicators.publication.interpretation_links import (
    file_without_interpretation,
    interpretation_without_file,
)
from govcrawl.indicators.publication.leaders import incomplete_leader
from govcrawl.indicators.publication.overview import missing_overview
from govcrawl.indicators.relations import POLICY_TITLE, READING_TITLE, related
from govcrawl.inspection import Inspection
from govcrawl.items import CantTell, LinkState, Page, Role
from govcrawl.registry import column, evidence_of, listing, menu, page, visit

FILE, READING = "http://www.example.gov.cn/wj/1.html", "http://www.example.gov.cn/jd/1.html"
LINKED = f'<p>相关文件：<a href="/wj/1.html">{POLICY_TITLE}</a></p>'


def site_of(pages: list[Page]) -> Inspection:
    return visit(*pages)


ROW = '<ul><li><a href="{}">{}</a><span>2023-09-01</span></li></ul>'
DUTIES = "<h3>张三</h3><p>职务：局长</p><p>分管人事、财务等工作。</p>"
PAGES = [
    page(menu(("政策文件", "/wj/"), ("政策解读", "/jd/"), ("领导之窗", "/ld/"))),
    column(ROW.format("/wj/1.html", POLICY_TITLE), "/wj/", "政策文件"),
    column(ROW.format("/jd/1.html", READING_TITLE), "/jd/", "政策解读"),
    column('<ul><li><a href="/ld/1.html">张三</a> 局长</li></ul>', "/ld/", "领导之窗"),
    page(f"<h1>{POLICY_TITLE}</h1><p>正文。</p>", url="/wj/1.html", role=Role.ARTICLE, column="政策文件"),
    page(f"<h1>{READING_TITLE}</h1>{LINKED}", url="/jd/1.html", role=Role.ARTICLE, column="政策解读"),
    page(DUTIES, url="/ld/1.html", role=Role.LEADER, column="领导之窗"),
]


@settings(max_examples=8, deadline=None)
@given(st.permutations(PAGES[1:]))
def test_order_of_arrival_changes_nothing(rest: list[Page]) -> None:
    one, other = site_of(PAGES), site_of([PAGES[0], *rest])
    assert one.documents == other.documents
    assert one.pages == other.pages
    for check in (incomplete_leader, interpretation_without_file, file_without_interpretation):
        arguments = () if check is incomplete_leader else (3,)
        assert evidence_of(check(one, *arguments)) == evidence_of(check(other, *arguments))


def test_interpretation_finds_its_file_by_link_and_by_name() -> None:
    for site in (related(reading=LINKED), related()):
        (document,) = [one for one in site.documents.read.values() if one.url == READING]
        assert site.documents.policy_of(document) == FILE


def test_draw_is_recorded_and_shared() -> None:
    rows = listing(*((f"《示例市第{number}号办法》政策解读", "2023-09-02") for number in range(9)))
    site = visit(page(menu(("政策解读", "/jd/"))), column(rows, "/jd/", "政策解读"))
    drawn = site.drawn(ColumnType.INTERPRETATION)
    assert len(drawn) == 3
    assert drawn == site.drawn(ColumnType.INTERPRETATION)
    other = Inspection(site.site, site.quarter, site.at, seed="another")
    other.documents = site.documents
    assert other.drawn(ColumnType.INTERPRETATION) != drawn


def test_interpretation_that_was_not_read_is_for_a_person() -> None:
    rows = ROW.format("/jd/1.html", READING_TITLE)
    gone = page("", url="/jd/1.html", role=Role.ARTICLE, column="政策解读", error="http_404")
    site = visit(page(menu(("政策解读", "/jd/"))), column(rows, "/jd/", "政策解读"), gone)
    with pytest.raises(CantTell, match="could be read"):
        evidence_of(interpretation_without_file(site, 3))


@pytest.mark.parametrize(
    "below",
    [
        "<h4>政策原文</h4><div id=files></div>",  # a script fills it
        '<p><a href="/wj/7.html">示例市人民政府办公室关于推进绿色建筑的意见</a></p>',  # another name?
    ],
)
def test_doubtful_link_is_for_a_person(below: str) -> None:
    with pytest.raises(CantTell):
        evidence_of(interpretation_without_file(related(reading=below), 3))


def test_file_with_an_unclear_interpretation_is_for_a_person() -> None:
    side = '<p><a href="/jd/8.html">《示例市绿化条例》政策解读</a></p>'
    with pytest.raises(CantTell, match="may be its interpretation"):
        evidence_of(file_without_interpretation(related(side, LINKED), 3))


def test_the_menu_is_no_unclear_interpretation() -> None:
    nav = '<div class=i><div><a href="/jd/">政策解读与回应</a></div></div>'
    assert evidence_of(file_without_interpretation(related(nav, LINKED), 3))


def test_part_that_no_leader_shows_is_for_a_person() -> None:
    leaders = "".join(
        f"<h4>{name}</h4><p>副局长</p><p>分管人事、财务、宣传等方面工作，联系基层单位。</p>"
        for name in ("张三", "李明华")
    )
    site = visit(page(menu(("领导之窗", "/ld/"))), column(leaders, "/ld/", "领导之窗"))
    with pytest.raises(CantTell, match="none of the leaders"):
        evidence_of(incomplete_leader(site))


def test_column_on_another_site_is_named_to_the_person() -> None:
    site = visit(page(menu(("通知公告", "/tz/"), ("走进示例", "http://travel.example.cn/"))))
    (found,) = evidence_of(missing_overview(site))
    assert "http://travel.example.cn/" in found.excerpt


def test_link_without_an_address_is_for_a_person() -> None:
    empty = '<a href="">部门动态</a>'
    home = visit(page(empty))
    with pytest.raises(CantTell, match="leads nowhere"):
        evidence_of(dead_link_on_homepage(home))
    assert evidence_of(dead_link_on_page(home)) == ()


def test_basis_on_an_own_page_that_is_no_known_file_is_for_a_person() -> None:
    values = dict.fromkeys(ELEMENTS, "见窗口公示") | {
        "设定依据": '<a href="/x/1.html">《食品经营管理办法》</a>'
    }
    rows = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in values.items())
    guide = f"<table>{rows}</table>"
    site = visit(
        page(menu(("办事指南", "/bs/"))),
        column("<ul><li><a href=/g/1.html>食品经营许可核发</a></li></ul>", "/bs/", "办事指南"),
        page(guide, url="/g/1.html", role=Role.GUIDE, column="办事指南"),
        links={"http://www.example.gov.cn/x/1.html": LinkState.ALIVE},
    )
    with pytest.raises(CantTell, match="may be a policy file"):
        evidence_of(linked_bases(site, 2))
