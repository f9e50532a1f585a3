"""VSB (Boda): xwdt.htm or list.jsp for columns, info/1015/4213.htm for articles."""

# ruff: noqa: E501, ARG002  (markup in long lines; a platform may leave out what it does not need)
from __future__ import annotations

import posixpath
from html import escape

from tests.province.model import Column, Entry, Site
from tests.province.platforms.base import Block, Parts, Platform, Row, key


def _row(row: Row, number: int) -> str:
    pin = '<font color="red">[顶]</font>' if row.pinned else ""
    day = f'<span class="timestyle">{row.shown}</span>' if row.shown else ""
    return f'<li id="line_u8_{number}">{pin}<a href="{escape(row.href)}" class="c1" title="{row.title}">{row.title}</a>{day}</li>'


class Vsb(Platform):
    """A publisher for schools and offices; half its columns are addressed by query."""

    family = "vsb"
    page_size = 12

    def column_path(self, site: Site, column: Column) -> str:
        if column.uid % 3 == 0:
            return f"/list.jsp?urltype=tree.TreeTempUrl&wbtreeid={1000 + column.uid % 900_000}"
        above = f"/{key(column.parent)}/" if column.parent else "/"
        return f"{above}{key(column)}.htm"

    def next_path(self, column: Column, number: int) -> str:
        if "?" in column.path:
            return f"{column.path}&PAGENUM={number}"
        return f"{column.path.removesuffix('.htm')}/{number - 1}.htm"

    def article_path(self, site: Site, column: Column, entry: Entry) -> str:
        return f"/info/{1000 + column.uid % 900}/{entry.uid}.htm"

    def href(self, site: Site, origin: str, target: str) -> str:
        if "?" in target or "?" in origin:
            return target
        return posixpath.relpath(target, posixpath.dirname(origin) or "/") if target != "/" else "/index.htm"

    def block(self, block: Block) -> str:
        rows = "\n".join(_row(row, number) for number, row in enumerate(block.rows))
        return f"""<div class="n-tit"><h3>{block.title}</h3><a href="{escape(block.href)}" class="more">MORE+ 更多</a></div>
<div class="winstyle"><ul>
{rows}
</ul></div>"""

    def listing(self, column: Column, rows: list[Row]) -> str:
        lines = "\n".join(_row(row, number) for number, row in enumerate(rows))
        return f'<div class="list-con"><ul>\n{lines}\n</ul></div>'

    def article(self, title: str, line: str, paragraphs: list[str], tail: str) -> str:
        body = "\n".join(f'<p class="vsbcontent_start">{p}</p>' for p in paragraphs)
        return f"""<form name="_newscontent_fromname"><div class="nei-con"><h2 align="center">{title}</h2>
<div align="center" class="conlyt">{line}</div>
<div id="vsb_content"><div class="v_news_content">
{body}
</div></div>{tail}</div></form>"""

    def shell(self, parts: Parts) -> str:
        return f"""<!DOCTYPE html>
<HTML><HEAD>
{parts.charset}
<TITLE>{parts.title}</TITLE>
{parts.meta}
<LINK href="/css/style.css" type="text/css" rel="stylesheet">
<SCRIPT language="javascript" src="/js/jquery.js"></SCRIPT>
</HEAD>
<BODY>
<div class="wrap"><div class="top clearfix">{parts.name}{parts.search}{parts.today}</div>
{parts.nav}
<div class="dqwz">{parts.crumbs}</div>
<div class="nei">{parts.side}
<div class="nei-right">
{parts.main}
</div></div>
<div class="bottom">
{parts.foot}
</div></div>
</BODY></HTML>
<!--ParentId:1001,Template:T6-->"""
