"""Hanweb: lists as CDATA records in a datastore, /col/colN/index.html, /art/Y/M/D/art_N_N.html."""

# ruff: noqa: E501, ARG002  (markup in long lines; a platform may leave out what it does not need)
from __future__ import annotations

import json
from html import escape

from tests.province.model import Column, Entry, Site
from tests.province.platforms.base import Block, Parts, Platform, Row, years


def _li(row: Row) -> str:
    pin = '<i class="top">[置顶]</i>' if row.pinned else ""
    day = f'<span class="bt-right">{row.shown}</span>' if row.shown else ""
    return (
        f'<li>{pin}<a href="{escape(row.href)}" title="{row.title}" target="_blank">{row.title}</a>{day}</li>'
    )


class Hanweb(Platform):
    """The family most sites of the province run on."""

    family = "hanweb"
    page_size = 60

    def column_path(self, site: Site, column: Column) -> str:
        return f"/col/col{1_229_000_000 + column.uid}/index.html"

    def next_path(self, column: Column, number: int) -> str:
        return f"{column.path}?uid={column.uid}&pageNum={number}"

    def article_path(self, site: Site, column: Column, entry: Entry) -> str:
        day = entry.published
        return f"/art/{day.year}/{day.month}/{day.day}/art_{1_229_000_000 + column.uid}_{entry.uid}.html"

    def block(self, block: Block) -> str:
        rows = "\n".join(_li(row) for row in block.rows)
        return f"""<div class="mk"><div class="mk-title"><h2>{block.title}</h2>
<a class="more" href="{block.href}" target="_blank">更多&gt;&gt;</a></div>
<ul class="mk-list">
{rows}
</ul></div>"""

    def listing(self, column: Column, rows: list[Row]) -> str:
        if column.delivery != "cdata" or column.date_style == "year":
            parts = []
            for year, group in years(rows, column.date_style):
                head = f'<h4 class="year">{year}年</h4>' if column.date_style == "year" else ""
                parts.append(head + '<ul class="list">' + "\n".join(_li(row) for row in group) + "</ul>")
            return "\n".join(parts) or '<ul class="list"></ul>'
        records = "\n".join(f"<record><![CDATA[\n{_li(row)}]]></record>" for row in rows)
        return f"""<div id="{column.uid}" class="default_pgContainer"></div>
<script type="text/xml"><datastore>
<nextgroup><![CDATA[<a href="/module/web/jpage/dataproxy.jsp?page=1&columnid={column.uid}&unitid={column.uid}"></a>]]></nextgroup>
<recordset>
{records}
</recordset>
</datastore></script>
<script type="text/javascript" src="/script/jpage.js"></script>"""

    def article(self, title: str, line: str, paragraphs: list[str], tail: str) -> str:
        body = "\n".join(f'<p style="text-indent: 2em;">{p}</p>' for p in paragraphs)
        return f"""<div id="c"><div class="main-txt"><h1 class="title"><!--<$[标题名称(html)]>begin-->{title}<!--<$[标题名称(html)]>end--></h1>
<div class="explain">{line}</div>
<div id="zoom"><!--ZJEG_RSS.content.begin-->
{body}
<!--ZJEG_RSS.content.end--></div>{tail}</div></div>"""

    def shell(self, parts: Parts) -> str:
        return f"""<!doctype html>
<html lang="zh-CN">
<head>
{parts.charset}
<title>{parts.title}</title>
{parts.meta}
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" type="text/css" href="/css/style.css">
<script type="text/javascript" src="/js/jquery.js"></script>
</head>
<body>
<div class="bg"><div class="header"><div class="wz">{parts.name}{parts.today}</div>{parts.search}</div>
<div class="menu">{parts.nav}</div>
{parts.crumbs}
<div class="content clearfix">{parts.side}<div class="right-con">
{parts.main}
</div></div>
<div class="footer" id="footer">
{parts.foot}
</div></div>
</body>
</html>"""

    def dynamic(self, site: Site, column: Column, rows: list[Row]) -> tuple[str, dict[str, tuple[str, str]]]:
        box = f"tag{column.uid}"
        html = "\n".join(_li(row) for row in rows)
        if column.delivery == "proxy":
            query = (
                f"startrecord=1&endrecord=45&perpage=15&columnid={column.uid}&unitid={column.uid}&webid=12"
            )
            path = f"/module/web/jpage/dataproxy.jsp?{query}"
            records = "".join(f"<record><![CDATA[{_li(row)}]]></record>" for row in rows)
            total = f"<totalrecord>{len(rows)}</totalrecord><totalpage>1</totalpage>"
            body = f"<datastore>{total}<recordset>{records}</recordset></datastore>"
            kind = "text/xml; charset=utf-8"
            read = 'req.responseText.replace(/<totalrecord>.*?<recordset>/, "").replace(/<[^>]*?(CDATA\\[|record[^>]*>|datastore>)|\\]\\]>/g, "")'
        else:
            query = (
                f"parseType=bulidstatic&webId=12&tplSetId=a1b2&pageType=column&tagId=list&pageId={column.uid}"
            )
            path = f"/api-gateway/jpaas-publish-server/front/page/build/unit?{query}"
            body = json.dumps({"success": True, "code": "200", "data": {"html": html}}, ensure_ascii=False)
            kind = "application/json; charset=utf-8"
            read = "JSON.parse(req.responseText).data.html"
        markup = f"""<ul id="{box}" class="list"></ul>
<script type="text/javascript">
(function () {{
  var req = new XMLHttpRequest();
  req.open("GET", "{path}");
  req.onload = function () {{ document.getElementById("{box}").innerHTML = {read}; }};
  req.send();
}})();
</script>"""
        return markup, {path: (kind, body)}
