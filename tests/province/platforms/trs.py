"""TRS WCM: directories, relative links, t20230918_1234567.html, index_1.html for the second page."""

# ruff: noqa: E501, ARG002  (markup in long lines; a platform may leave out what it does not need)
from __future__ import annotations

import posixpath
from html import escape

from tests.province.model import Column, Entry, Site
from tests.province.platforms.base import Block, Parts, Platform, Row, key, years


def _li(row: Row) -> str:
    day = f"<span>{row.shown}</span>" if row.shown else ""
    pin = "<b>置顶</b>" if row.pinned else ""
    return f'<li>{day}{pin}<a href="{escape(row.href)}" target="_blank">{row.title}</a></li>'


class Trs(Platform):
    """A publisher of static folders."""

    family = "trs"
    page_size = 10

    def column_path(self, site: Site, column: Column) -> str:
        above = f"/{key(column.parent)}/" if column.parent else "/"
        group = "zwgk/" if column.kind in ("policy", "interp", "notice") and not column.parent else ""
        return f"{above}{group}{key(column)}/"

    def next_path(self, column: Column, number: int) -> str:
        return f"{column.path}index_{number - 1}.html"

    def article_path(self, site: Site, column: Column, entry: Entry) -> str:
        day = entry.published
        return f"{self.column_path(site, column)}{day:%Y%m}/t{day:%Y%m%d}_{entry.uid}.html"

    def href(self, site: Site, origin: str, target: str) -> str:
        folder = posixpath.dirname(origin)
        relative = posixpath.relpath(target, folder or "/")
        if target.endswith("/"):
            return f"{relative}/" if relative != "." else "./"
        return relative if relative.startswith("..") else f"./{relative}"

    def block(self, block: Block) -> str:
        rows = "\n".join(_li(row) for row in block.rows)
        return f"""<div class="box"><div class="hd"><span class="on"><a href="{block.href}">{block.title}</a></span>
<em><a href="{block.href}">更多</a></em></div>
<div class="bd"><ul class="news_list">
{rows}
</ul></div></div>"""

    def listing(self, column: Column, rows: list[Row]) -> str:
        parts = []
        for year, group in years(rows, column.date_style):
            head = f"<h3>{year}年</h3>" if column.date_style == "year" else ""
            parts.append(head + '<ul class="gl_list">' + "\n".join(_li(row) for row in group) + "</ul>")
        return "\n".join(parts) or '<ul class="gl_list">\n\n</ul>'

    def pager(self, site: Site, column: Column, number: int, total: int) -> str:
        if total < 2:
            return ""
        links = super().pager(site, column, number, total)
        return f'{links}<!-- createPageHTML({total}, {number - 1}, "index", "html"); -->'

    def article(self, title: str, line: str, paragraphs: list[str], tail: str) -> str:
        body = "\n".join(f"<p>　　{p}</p>" for p in paragraphs)
        return f"""<div class="xl-content"><div class="xl-tit"><h2>{title}</h2></div>
<div class="xl-info">{line}</div>
<div class="TRS_Editor"><div class="TRS_PreAppend">
{body}
</div></div>{tail}</div>"""

    def shell(self, parts: Parts) -> str:
        return f"""<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml">
<head>
{parts.charset}
<title>{parts.title}</title>
{parts.meta}
<link href="/css/style.css" rel="stylesheet" type="text/css" />
</head>
<body>
<div class="head"><div class="w1000">{parts.name}{parts.today}{parts.search}</div>
{parts.nav}</div>
<div class="w1000 main">
{parts.crumbs}
{parts.side}
<div class="fr">
{parts.main}
</div></div>
<div class="foot">
{parts.foot}
</div>
<script type="text/javascript" src="/js/jquery.js"></script>
</body>
</html>"""
