"""The report of a quarter: the published figures of 2023Q3, read back out of every document."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from docx import Document
from docx.oxml.ns import qn
from docx.shared import Mm, Pt
from lxml import html
from openpyxl import load_workbook

from govcrawl.items import GovcrawlError
from govcrawl.report import gather, write_report
from govcrawl.sites import load_sites
from govcrawl.store import client, schema
from govcrawl.store.client import Sync
from tests.quarters import EDITION, NOTICE, QUARTER, names, whole_notice

pytestmark = [
    pytest.mark.mongo,
    pytest.mark.skipif(not NOTICE.exists(), reason="the facts of the published notice are not at hand"),
]


def nothing(_: str) -> bytes | None:
    return None


@pytest.fixture(scope="module")
def written(mongo_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Yield the folder of the notice of 2023Q3."""
    folder = tmp_path_factory.mktemp("report")
    db = client.connect(mongo_uri).client["test_report"]
    schema.ensure_schema(db)
    whole_notice(db, folder)
    write_report(gather(db, QUARTER, EDITION, load_sites()), folder / "out", "scores", nothing)
    yield folder / "out"
    db.client.drop_database("test_report")
    db.client.close()


def paragraphs(path: Path) -> list[str]:
    return [paragraph.text for paragraph in Document(str(path)).paragraphs]


def column(path: Path, sheet: str, number: int) -> list[object]:
    rows = load_workbook(path)[sheet].iter_rows(min_row=2, values_only=True)
    return [row[number] for row in rows]


def test_the_notice_states_the_published_figures(written: Path) -> None:
    text = "\n".join(paragraphs(written / "notice.docx"))
    for figure in (
        "检查政府网站540家",
        "102家政府门户网站进行评分",
        "438家部门网站进行合格性检查",
        "合格率为100%",
        "平均得分115.8分（满分130分）",
        "最高122.5分",
        "最低108.4分",
        "浙江省、云和县、江山市、杭州市拱墅区、余姚市、温州市鹿城区、东阳市、温州市、嵊泗县等9家",
        "留言461件，涉及11个设区市和26家省级单位，全部按期办结，按期办结率100%",
        "服务不可用、内容不准确、网页打不开",
        "附件1",
        "附件2",
    ):
        assert figure in text


def test_the_annex_has_the_bands_with_all_names_in_order(written: Path) -> None:
    texts = paragraphs(written / "notice.docx")
    rows = names("2023Q3_portal_bands.csv")
    for band, label, count in (
        ("120+", "120分及以上", 9),
        ("110-119", "110—119分", 84),
        ("100-109", "100—109分", 9),
    ):
        own = sorted(
            (row for row in rows if row["band"] == band), key=lambda row: int(row["order_in_notice"])
        )
        at = texts.index(f"{label}（{count}家）")
        assert texts[at + 1] == "、".join(row["notice_name"] for row in own) + "。"


def test_the_second_annex_names_every_unit(written: Path) -> None:
    rows = names("2023Q3_annex2_units.csv")
    assert "、".join(row["name"] for row in rows) + "。" in paragraphs(written / "notice.docx")


def test_the_workbook_states_the_same_figures_as_numbers(written: Path) -> None:
    path = written / "scores.xlsx"
    rows = load_workbook(path)["汇总"].iter_rows(min_row=2, values_only=True)
    figures = {row[0]: row[1] for row in rows}
    expected = {
        "检查网站总数": 540,
        "政府门户网站": 102,
        "部门网站": 438,
        "合格率（%）": 100,
        "满分": 130,
        "门户网站平均分": 115.8,
        "最高分": 122.5,
        "最低分": 108.4,
        "120分及以上": 9,
        "110—119分": 84,
        "100—109分": 9,
        "找错留言件数": 461,
        "找错留言涉及设区市数": 11,
        "找错留言涉及省级单位数": 26,
        "找错留言按期办结率（%）": 100,
        "数据来源": "外部导入",
    }
    assert {name: figures[name] for name in expected} == expected
    published = names("2023Q3_scores_constructed.csv")
    assert column(path, "门户排名", 2) == [row["notice_name"] for row in published]
    assert column(path, "门户排名", 4) == [float(row["total"]) for row in published]
    assert column(path, "部门网站", 3) == ["合格"] * 438


def test_every_sheet_has_a_frozen_header_and_a_filter(written: Path) -> None:
    book = load_workbook(written / "scores.xlsx")
    assert book.sheetnames[:4] == ["汇总", "门户排名", "部门网站", "问题清单"]
    for sheet in book.worksheets:
        if sheet.title == "图表":
            assert len(sheet._images) == 2
            continue
        assert sheet.freeze_panes == "A2"
        assert sheet.auto_filter.ref == sheet.dimensions
        assert not [cell for row in sheet.iter_rows() for cell in row if cell.data_type == "f"]


def test_the_notice_has_the_layout_of_official_documents(written: Path) -> None:
    doc = Document(str(written / "notice.docx"))
    section = doc.sections[0]
    margins = (section.top_margin, section.bottom_margin, section.left_margin, section.right_margin)
    assert [round(margin / Mm(1)) for margin in margins] == [37, 35, 28, 26]
    expected = {
        "Title": ("方正小标宋简体", 22),
        "Normal": ("仿宋", 16),
        "Heading 1": ("黑体", 16),
        "Heading 2": ("楷体", 16),
    }
    for name, (font, size) in expected.items():
        style = doc.styles[name]
        assert style.element.rPr.rFonts.get(qn("w:eastAsia")) == font
        assert style.font.size == Pt(size)
        assert style.paragraph_format.line_spacing == Pt(28)
    footer = section.footer.paragraphs[0]
    assert footer.text.split() == ["—", "—"]
    assert " PAGE " in footer._p.xml
    headings = [paragraph.text for paragraph in doc.paragraphs if paragraph.style.name == "Heading 1"]
    assert headings[:3] == ["一、总体情况", "二、存在问题", "三、下一步工作要求"]
    assert len(doc.inline_shapes) == 2


def test_the_web_report_works_from_files_alone(written: Path) -> None:
    web = written / "web"
    pages = sorted(web.rglob("*.html"))
    assert len(pages) > 540
    for page in (web / "index.html", web / "notice.html", web / "sites.html", web / "sites" / "zj.html"):
        tree = html.document_fromstring(page.read_bytes())
        assert not tree.findall(".//script")
        for target in [*tree.xpath("//a/@href"), *tree.xpath("//img/@src")]:
            if not target.startswith("http"):
                assert (page.parent / target).is_file(), f"{page.name}: {target}"


def test_the_data_are_exact_and_say_where_they_come_from(written: Path) -> None:
    scores = json.loads((written / "data" / "scores.json").read_text("utf-8"), parse_float=Decimal)
    assert len(scores) == 540
    assert (scores[0]["site_id"], scores[0]["total"], scores[0]["source"]) == (
        "zj",
        Decimal("122.5"),
        "imported",
    )


def test_the_same_facts_give_the_same_bytes(store: Sync, tmp_path: Path) -> None:
    whole_notice(store, tmp_path)
    facts = gather(store, QUARTER, EDITION, load_sites())
    for name in ("a", "b"):
        write_report(facts, tmp_path / name, "problems", nothing)
    files = [path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file()]
    assert [
        name for name in files if (tmp_path / "a" / name).read_bytes() != (tmp_path / "b" / name).read_bytes()
    ] == []


def test_a_quarter_without_scores_is_refused_with_one_line(store: Sync) -> None:
    with pytest.raises(GovcrawlError, match="2023Q3: no scores"):
        gather(store, QUARTER, EDITION, load_sites())


def test_the_monitoring_point_dates_the_notice(store: Sync, tmp_path: Path) -> None:
    whole_notice(store, tmp_path)
    assert gather(store, QUARTER, EDITION, load_sites()).at == date(2023, 9, 30)
