"""A front end of nested divs and definition lists: no semantic tags, dates split from titles."""

# ruff: noqa: E501, ARG002  (markup in long lines; a platform may leave out what it does not need)
from __future__ import annotations

from html import escape

from tests.province.model import Column, Entry, Site
from tests.province.platforms.base import Block, Parts, Platform, Row, years


def _dl(row: Row) -> str:
    pin = "<s class=hot></s>" if row.pinned else ""
    day = f"<dd><div>{row.shown}</div></dd>" if row.shown else ""
    return f'<dl><dt>{pin}<a href="{escape(row.href)}"><div class="t">{row.title}</div></a></dt>{day}</dl>'


class Soup(Platform):
    """A single developer's system."""

    family = "soup"
    page_size = 12

    def column_path(self, site: Site, column: Column) -> str:
        return f"/channel/{column.uid}/"

    def next_path(self, column: Column, number: int) -> str:
        return f"{column.path}p{number}.html"

    def article_path(self, site: Site, column: Column, entry: Entry) -> str:
        return f"/content/{entry.published:%Y-%m/%d}/content_{entry.uid}.htm"

    def nav(self, site: Site, items: list[tuple[str, str]]) -> str:
        cells = "".join(
            f'<div class="i"><div><a href="{escape(u)}"><div>{n}</div></a></div></div>' for n, u in items
        )
        return f'<div class="a3"><div class="a4">{cells}</div></div>'

    def side(self, title: str, items: list[tuple[str, str]]) -> str:
        lines = "".join(f'<dd><a href="{escape(u)}">{n}</a></dd>' for n, u in items)
        return f'<dl class="sub"><dt>{title}</dt>{lines}</dl>'

    def block(self, block: Block) -> str:
        rows = "\n".join(_dl(row) for row in block.rows)
        return f"""<div class="b1"><div class="b2"><div class="b3">{block.title}</div><div class="b4"><a href="{block.href}"><div>更多</div></a></div></div>
<div class="b5">{rows}</div></div>"""

    def listing(self, column: Column, rows: list[Row]) -> str:
        parts = []
        for year, group in years(rows, column.date_style):
            head = f'<div class="y"><div>{year}</div></div>' if column.date_style == "year" else ""
            parts.append(head + "\n".join(_dl(row) for row in group))
        return f'<div class="c1"><div>{"".join(parts)}</div></div>'

    def article(self, title: str, line: str, paragraphs: list[str], tail: str) -> str:
        body = "".join(f"<div class=p>{p}</div>" for p in paragraphs)
        return f"""<div class="d1"><div class="d2"><div class="tit">{title}</div></div><div class="d3"><div>{line}</div></div>
<div class="d4"><div><div>{body}</div></div></div><div>{tail}</div></div>"""

    def shell(self, parts: Parts) -> str:
        return f"""<!DOCTYPE html>
<html><head>
{parts.charset}
<title>{parts.title}</title>
{parts.meta}
<link rel=stylesheet href=/css/style.css>
<body><div id=app><div class="a1"><div class="a2">{parts.name}</div><div>{parts.search}</div><div>{parts.today}</div></div>
{parts.nav}
<div class="m"><div class="m1"><div>{parts.crumbs}</div><div class="m2">{parts.side}</div><div class="m3">
{parts.main}
</div></div></div>
<div class="z"><div class="z1">
{parts.foot}
</div></div></div>"""
