"""A home-grown system of the first hour: table layouts, upper-case tags, unquoted attributes, .asp queries."""

# ruff: noqa: E501, ARG002  (markup in long lines; a platform may leave out what it does not need)
from __future__ import annotations

from html import escape

from tests.province.model import Column, Entry, Link, Site
from tests.province.platforms.base import Block, Parts, Platform, Row, anchor, years


def _tr(row: Row) -> str:
    pin = "<FONT COLOR=RED>★</FONT>" if row.pinned else "·"
    day = f"<TD WIDTH=110 ALIGN=RIGHT><FONT COLOR=#666666>{row.shown}</FONT></TD>" if row.shown else ""
    return f"<TR><TD HEIGHT=26>{pin}<A HREF={escape(row.href)} TARGET=_blank>{row.title}</A></TD>{day}</TR>"


class Tables(Platform):
    """Pages in nested tables."""

    family = "tables"
    page_size = 14

    def column_path(self, site: Site, column: Column) -> str:
        return f"/list.asp?classid={column.uid}"

    def next_path(self, column: Column, number: int) -> str:
        return f"{column.path}&page={number}"

    def article_path(self, site: Site, column: Column, entry: Entry) -> str:
        return f"/show.asp?id={entry.uid}"

    def href(self, site: Site, origin: str, target: str) -> str:
        return site.base + target if len(target) % 2 else target

    def nav(self, site: Site, items: list[tuple[str, str]]) -> str:
        cells = "\n".join(f"<TD ALIGN=CENTER><A HREF={escape(u)}><B>{n}</B></A></TD>" for n, u in items)
        return f"<TABLE WIDTH=1000 ALIGN=CENTER BGCOLOR=#1e5fa8 CELLPADDING=6><TR>{cells}</TR></TABLE>"

    def crumbs(self, items: list[tuple[str, str]]) -> str:
        trail = " → ".join(f"<A HREF={escape(u)}>{n}</A>" for n, u in items)
        return f"<TABLE WIDTH=1000 ALIGN=CENTER><TR><TD HEIGHT=30>当前位置：{trail}</TD></TR></TABLE>"

    def side(self, title: str, items: list[tuple[str, str]]) -> str:
        lines = "".join(f"<TR><TD><A HREF={escape(u)}>{n}</A></TD></TR>" for n, u in items)
        return f"<TABLE WIDTH=220 BORDER=0><TR><TD BGCOLOR=#dce8f4><B>{title}</B></TD></TR>{lines}</TABLE>"

    def block(self, block: Block) -> str:
        rows = "\n".join(_tr(row) for row in block.rows)
        return f"""<TABLE WIDTH=490 BORDER=0 CELLSPACING=0><TR><TD BGCOLOR=#e8f0f8><B>{block.title}</B></TD>
<TD ALIGN=RIGHT BGCOLOR=#e8f0f8><A HREF={escape(block.href)}>更多...</A></TD></TR>
<TR><TD COLSPAN=2><TABLE WIDTH=100%>
{rows}
</TABLE></TD></TR></TABLE>"""

    def listing(self, column: Column, rows: list[Row]) -> str:
        parts = []
        for year, group in years(rows, column.date_style):
            head = f"<TR><TD COLSPAN=2><B>{year}年</B></TD></TR>" if column.date_style == "year" else ""
            parts.append(head + "\n".join(_tr(row) for row in group))
        return f"<TABLE WIDTH=740 BORDER=0>{''.join(parts)}</TABLE>"

    def article(self, title: str, line: str, paragraphs: list[str], tail: str) -> str:
        body = "<BR>\n".join(f"&nbsp;&nbsp;&nbsp;&nbsp;{p}" for p in paragraphs)
        return f"""<TABLE WIDTH=740 ALIGN=CENTER><TR><TD ALIGN=CENTER><FONT SIZE=5><B>{title}</B></FONT></TD></TR>
<TR><TD ALIGN=CENTER BGCOLOR=#f4f4f4>{line}</TD></TR>
<TR><TD CLASS=content>{body}</TD></TR><TR><TD>{tail}</TD></TR></TABLE>"""

    def links(self, title: str, links: list[Link]) -> str:
        cells = "".join(f"<TD>{anchor(link)}</TD>" for link in links)
        return f"<TABLE WIDTH=1000 ALIGN=CENTER><TR><TD><B>{title}</B></TD>{cells}</TR></TABLE>"

    def shell(self, parts: Parts) -> str:
        return f"""<HTML>
<HEAD>
{parts.charset}
<TITLE>{parts.title}</TITLE>
{parts.meta}
<LINK REL=stylesheet HREF=/css/style.css>
</HEAD>
<BODY TOPMARGIN=0 BGCOLOR=#FFFFFF>
<TABLE WIDTH=1000 ALIGN=CENTER BORDER=0><TR><TD HEIGHT=90>{parts.name}</TD><TD ALIGN=RIGHT>{parts.today}{parts.search}</TD></TR></TABLE>
{parts.nav}
{parts.crumbs}
<TABLE WIDTH=1000 ALIGN=CENTER><TR><TD VALIGN=TOP WIDTH=220>{parts.side}</TD><TD VALIGN=TOP>
{parts.main}
</TD></TR></TABLE>
<TABLE WIDTH=1000 ALIGN=CENTER BGCOLOR=#eeeeee><TR><TD ALIGN=CENTER>
{parts.foot}
</TD></TR></TABLE>
</BODY>
</HTML>"""
