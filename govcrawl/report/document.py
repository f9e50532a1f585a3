"""Writes official documents in the layout of GB/T 9704: fonts, line pitch, margins and page numbers."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from docx import Document
from docx.enum.section import WD_ORIENT
from docx.enum.text import WD_ALIGN_PARAGRAPH, WD_LINE_SPACING
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt

from govcrawl.report.text import Paragraph

TITLE, BODY, HEADING1, HEADING2, PAGE = "方正小标宋简体", "仿宋", "黑体", "楷体", "宋体"
PITCH = Pt(28)
_INDENT = Pt(32)  # two characters of 16 pt
_PADDING = Mm(10)  # a picture as wide as its cell is shifted over the border by LibreOffice
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_EPOCH = (1980, 1, 1, 0, 0, 0)
_PROPERTIES = "docProps/core.xml"
_MODIFIED = re.compile(rb"(<dcterms:modified[^>]*>)[^<]*")  # openpyxl writes the time of saving
_MADE = rb"\g<1>2000-01-01T00:00:00Z"

_STYLES: dict[str, tuple[str, str, int, Any]] = {
    # name of the style, font, size, alignment
    "title": ("Title", TITLE, 22, WD_ALIGN_PARAGRAPH.CENTER),
    "addressee": ("Notice Addressee", BODY, 16, None),
    "body": ("Normal", BODY, 16, WD_ALIGN_PARAGRAPH.JUSTIFY),
    "heading1": ("Heading 1", HEADING1, 16, None),
    "heading2": ("Heading 2", HEADING2, 16, None),
    "signature": ("Notice Signature", BODY, 16, WD_ALIGN_PARAGRAPH.RIGHT),
    "annex": ("Notice Annex", HEADING1, 16, None),
    "annextitle": ("Notice Annex Title", TITLE, 22, WD_ALIGN_PARAGRAPH.CENTER),
    "note": ("Notice Note", BODY, 16, WD_ALIGN_PARAGRAPH.CENTER),
}
_INDENTED = {"body", "heading1", "heading2"}


def write_document(
    path: Path, title: str, paragraphs: Iterable[Paragraph], pictures: Sequence[tuple[str, bytes]] = ()
) -> None:
    """Write paragraphs and pictures (caption, PNG) as a document that Word and LibreOffice open."""
    doc = _blank(title)
    for paragraph in paragraphs:
        _add(doc, paragraph)
    if pictures:
        _add(doc, Paragraph("annex", "附图"))
    for caption, png in pictures:
        picture = doc.add_paragraph(style=_STYLES["note"][0])
        picture.paragraph_format.line_spacing_rule = WD_LINE_SPACING.SINGLE  # a fixed pitch would cut it
        picture.add_run().add_picture(io.BytesIO(png), width=Mm(150))
        doc.add_paragraph(caption, style=_STYLES["note"][0])
    save(doc, path)


def write_table(
    path: Path, title: str, intro: Sequence[str], columns: Mapping[str, int], rows: Iterable[Sequence[Any]]
) -> None:
    """Write a document of one table over pages on their side; a cell is text or the bytes of a picture.

    `columns` are the heads with their widths in millimetres, together as wide as a page has room: 242.
    """
    doc = _blank(title)
    _turn(doc.sections[0])
    _add(doc, Paragraph("title", title))
    for text in intro:
        _add(doc, Paragraph("body", text))
    table = doc.add_table(rows=0, cols=len(columns), style="Table Grid")
    table.autofit = False
    widths = [Mm(width) for width in columns.values()]
    for column, width in zip(table.columns, widths, strict=True):
        column.width = width
    for number, row in enumerate([tuple(columns), *rows]):
        added = table.add_row()
        _mark(added, "tblHeader" if number == 0 else "cantSplit")
        for cell, value, width in zip(added.cells, row, widths, strict=True):
            cell.width = width
            _fill(cell, value, BODY if number else HEADING1, width)
    save(doc, path)


def save(doc: Any, path: Path) -> None:
    """Write a document so that the same content gives the same bytes."""
    held = io.BytesIO()
    doc.save(held)
    path.write_bytes(settled(held.getvalue()))


def clean(text: str) -> str:
    """Return a text without the control characters XML cannot hold."""
    return _UNFIT.sub("", text)


def settled(package: bytes) -> bytes:
    """Return an Office package without the time of its making, in its members and its properties."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(package)) as source,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for member in source.infolist():
            info = zipfile.ZipInfo(member.filename, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            data = source.read(member)
            target.writestr(info, _MODIFIED.sub(_MADE, data) if member.filename == _PROPERTIES else data)
    return out.getvalue()


def _blank(title: str) -> Any:
    doc = Document()
    section = doc.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.top_margin, section.bottom_margin = Mm(37), Mm(35)
    section.left_margin, section.right_margin = Mm(28), Mm(26)
    section.footer_distance = Mm(25)
    for key in _STYLES:
        _style(doc, key)
    properties = doc.core_properties
    properties.title, properties.author, properties.language = title, "", "zh-CN"
    properties.created = properties.modified = datetime(2000, 1, 1, tzinfo=UTC)
    _number(section.footer.paragraphs[0])
    return doc


def _turn(section: Any) -> None:
    section.orientation = WD_ORIENT.LANDSCAPE
    section.page_width, section.page_height = Mm(297), Mm(210)
    section.top_margin, section.bottom_margin = Mm(28), Mm(26)
    section.left_margin, section.right_margin = Mm(28), Mm(27)
    section.footer_distance = Mm(16)


def _style(doc: Any, key: str) -> None:
    name, font, size, alignment = _STYLES[key]
    names = [style.name for style in doc.styles]
    style = doc.styles[name] if name in names else doc.styles.add_style(name, 1)
    if name not in names:
        style.base_style = doc.styles["Normal"]
    _font(style, font, size)
    form = style.paragraph_format
    form.line_spacing_rule, form.line_spacing = WD_LINE_SPACING.EXACTLY, PITCH
    form.space_before = form.space_after = Pt(0)
    form.alignment = alignment
    form.first_line_indent = _INDENT if key in _INDENTED else Pt(0)
    form.keep_with_next = key in {"heading1", "heading2", "annex", "annextitle"}
    border = style.element.find(f".//{qn('w:pBdr')}")
    if border is not None:  # the template draws a line under its title
        border.getparent().remove(border)


def _font(style: Any, font: str, size: int) -> None:
    style.font.name, style.font.size = font, Pt(size)
    style.font.bold = style.font.italic = False
    fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
    language = style.element.rPr.find(qn("w:lang"))
    if language is None:
        language = OxmlElement("w:lang")
        style.element.rPr.append(language)
    # Without it LibreOffice takes glyphs and punctuation of another country; Chinese as the language of
    # figures would let it break a line within a number.
    language.set(qn("w:val"), "en-US")
    language.set(qn("w:eastAsia"), "zh-CN")
    for theme in ("asciiTheme", "hAnsiTheme", "eastAsiaTheme", "cstheme"):
        fonts.attrib.pop(qn(f"w:{theme}"), None)
    fonts.set(qn("w:eastAsia"), font)
    color = style.element.rPr.find(qn("w:color"))
    if color is not None:  # the template's headings are blue
        color.getparent().remove(color)


def _add(doc: Any, paragraph: Paragraph) -> None:
    added = doc.add_paragraph(clean(paragraph.text), style=_STYLES[paragraph.style][0])
    if paragraph.style == "annex":
        added.paragraph_format.page_break_before = True
    if paragraph.style in {"addressee", "signature"}:
        added.paragraph_format.space_before = PITCH
    if paragraph.style in {"title", "annextitle"}:
        added.paragraph_format.line_spacing = Pt(34)


def _number(paragraph: Any) -> None:
    paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
    for text, kind in (("— ", ""), ("", "begin"), (" PAGE ", "instr"), ("", "end"), (" —", "")):
        run = paragraph.add_run(text if not kind else "")
        run.font.size, run.font.name = Pt(14), PAGE
        run._element.get_or_add_rPr().get_or_add_rFonts().set(qn("w:eastAsia"), PAGE)  # noqa: SLF001  (python-docx has no fields)
        if kind == "instr":
            field = OxmlElement("w:instrText")
            field.set(qn("xml:space"), "preserve")
            field.text = text
            run._element.append(field)  # noqa: SLF001
        elif kind:
            field = OxmlElement("w:fldChar")
            field.set(qn("w:fldCharType"), kind)
            run._element.append(field)  # noqa: SLF001


def _fill(cell: Any, value: Any, font: str, width: Any) -> None:
    paragraph = cell.paragraphs[0]
    form = paragraph.paragraph_format
    form.first_line_indent, form.line_spacing_rule = Pt(0), WD_LINE_SPACING.SINGLE
    form.alignment = WD_ALIGN_PARAGRAPH.LEFT
    if isinstance(value, bytes):
        paragraph.add_run().add_picture(io.BytesIO(value), width=width - _PADDING)
        return
    run = paragraph.add_run(clean(str(value)))
    run.font.size, run.font.name = Pt(10.5), font
    run._element.get_or_add_rPr().get_or_add_rFonts().set(qn("w:eastAsia"), font)  # noqa: SLF001


def _mark(row: Any, name: str) -> None:
    mark = OxmlElement(f"w:{name}")
    mark.set(qn("w:val"), "true")
    row._tr.get_or_add_trPr().append(mark)  # noqa: SLF001
