"""What a platform has to say: its addresses and its markup for each piece of a page."""

# ruff: noqa: E501, ARG002  (markup in long lines; a platform may leave out what it does not need)
from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import date
from html import escape

from tests.province.model import Column, Entry, Link, Site

_WIDE = str.maketrans("0123456789-", "０１２３４５６７８９－")
_KEYS = {
    "overview": "zjyj", "news": "xwdt", "notice": "tzgg", "policy": "zcwj", "interp": "zcjd", "organs": "jgzn",
    "leaders": "ldxx", "personnel": "rsxx", "plans": "ghjh", "finance": "czxx", "data": "sjfb", "survey": "dczj",
    "messages": "zxts", "services": "bsfw", "stats": "bjtj", "other": "ztzl",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a list as markup shows it: `href` is final, `shown` may be empty."""

    title: str
    href: str
    shown: str
    day: date
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """A titled box of rows with a link to its column."""

    title: str
    href: str
    rows: list[Row]


@dataclass(slots=True)
class Parts:
    """The pieces of one page, as markup, for the platform's outer shell."""

    title: str
    meta: str
    name: str
    today: str
    nav: str
    main: str
    foot: str
    search: str = ""
    side: str = ""
    crumbs: str = ""
    charset: str = ""
    scripts: list[str] = field(default_factory=list)


def show(day: date, style: str) -> str:
    """Write a date in one of the forms met in lists."""
    match style:
        case "none":
            return ""
        case "slash":
            return f"{day:%Y/%m/%d}"
        case "cn":
            return f"{day.year}年{day.month}月{day.day}日"
        case "bracket":
            return f"[{day:%m-%d}]"
        case "md" | "year":
            return f"{day:%m-%d}"
        case "wide":
            return day.isoformat().translate(_WIDE)
    return day.isoformat()


def key(column: Column) -> str:
    """Return the short Latin name of a column's kind, as used in paths."""
    return f"{_KEYS[column.kind]}{column.uid % 9973}"


def anchor(link: Link) -> str:
    """Write a link or a picture as any platform would."""
    if link.raw:
        return link.raw
    if link.image:
        return f'<img src="{escape(link.url)}" alt="{link.text}">'
    return f'<a href="{escape(link.url)}" target="_blank">{link.text}</a>'


class Platform(ABC):
    """A content management system. Subclasses set `family`, the addresses and the markup of the pieces."""

    family = ""
    page_size = 15

    @abstractmethod
    def column_path(self, site: Site, column: Column) -> str:
        """Return the address of a column, from the root."""

    @abstractmethod
    def next_path(self, column: Column, number: int) -> str:
        """Return the address of page `number` (from 2) of a column's list."""

    @abstractmethod
    def article_path(self, site: Site, column: Column, entry: Entry) -> str:
        """Return the address of an article, from the root."""

    def href(self, site: Site, origin: str, target: str) -> str:
        """Write a link from one path of the site to another."""
        return target

    def nav(self, site: Site, items: list[tuple[str, str]]) -> str:
        """Write the main navigation in the form the site uses."""
        match site.frame.nav:
            case "table":
                cells = "".join(f'<td align="center"><a href="{escape(u)}">{n}</a></td>' for n, u in items)
                return f'<table class="menu" width="1000"><tr>{cells}</tr></table>'
            case "map":
                cells = "\n".join(f'<span><a href="{escape(u)}" title="{n}">{n}</a></span>' for n, u in items)
                return f'<div class="header-map">{cells}</div>'
        cells = "\n".join(f'<li><a href="{escape(u)}">{n}</a></li>' for n, u in items)
        return f'<div class="nav"><ul>{cells}</ul></div>'

    def crumbs(self, items: list[tuple[str, str]]) -> str:
        """Write the trail from the home page."""
        trail = " &gt; ".join(f'<a href="{escape(u)}">{n}</a>' for n, u in items)
        return f'<div class="position">您的位置：{trail}</div>'

    def side(self, title: str, items: list[tuple[str, str]]) -> str:
        """Write the side menu of a section."""
        lines = "".join(f'<li><a href="{escape(u)}">{n}</a></li>' for n, u in items)
        return f'<div class="leftmenu"><h3>{title}</h3><ul>{lines}</ul></div>'

    @abstractmethod
    def block(self, block: Block) -> str:
        """Write a box of the home page."""

    @abstractmethod
    def listing(self, column: Column, rows: list[Row]) -> str:
        """Write the rows of a list as static markup."""

    def pager(self, site: Site, column: Column, number: int, total: int) -> str:
        """Write the links to the other pages of a list."""
        if total < 2:
            return ""
        links = []
        for page in range(1, total + 1):
            target = column.path if page == 1 else self.next_path(column, page)
            origin = column.path if number == 1 else self.next_path(column, number)
            links.append(f'<a href="{escape(self.href(site, origin, target))}">{page}</a>')
        return f'<div class="page">共{len(column.entries)}条 {" ".join(links)}</div>'

    @abstractmethod
    def article(self, title: str, line: str, paragraphs: list[str], tail: str) -> str:
        """Write an article with the line that names date and source."""

    def links(self, title: str, links: list[Link]) -> str:
        """Write a box of links, such as friendly links or topics."""
        lines = "\n".join(f"<li>{anchor(link)}</li>" for link in links)
        return f'<div class="linkbox"><h3>{title}</h3><ul>{lines}</ul></div>'

    @abstractmethod
    def shell(self, parts: Parts) -> str:
        """Put the pieces together."""

    def dynamic(self, site: Site, column: Column, rows: list[Row]) -> tuple[str, dict[str, tuple[str, str]]]:
        """Write a list that a script fills, and what its address answers: markup, {path?query: (type, body)}."""
        path = f"/data/{key(column)}_{column.uid}.json"
        data = [{"title": r.title, "url": r.href, "date": r.day.isoformat()} for r in rows]
        box = f"newslist{column.uid}"
        markup = f"""<ul id="{box}" class="list"></ul>
<script type="text/javascript">
(function () {{
  var req = new XMLHttpRequest();
  req.open("GET", "{path}");
  req.onload = function () {{
    var data = JSON.parse(req.responseText).list, out = "";
    for (var i = 0; i < data.length; i++) {{
      out += '<li><a href="' + data[i].url + '">' + data[i].title + '</a><span>' + data[i].date + '</span></li>';
    }}
    document.getElementById("{box}").innerHTML = out;
  }};
  req.send();
}})();
</script>"""
        body = json.dumps({"total": len(data), "list": data}, ensure_ascii=False)
        return markup, {path: ("application/json; charset=utf-8", body)}

    def inline(self, rows: list[Row]) -> str:
        """Write a list from data in an inline script."""
        data = json.dumps([[r.title, r.href, r.day.isoformat()] for r in rows], ensure_ascii=False)
        return f"""<div class="list"><script type="text/javascript">
var rows = {data};
for (var i = 0; i < rows.length; i++) {{
  document.write('<li><a href="' + rows[i][1] + '">' + rows[i][0] + '</a><span>' + rows[i][2] + '</span></li>');
}}
</script></div>"""


def years(rows: list[Row], style: str) -> list[tuple[int, list[Row]]]:
    """Group rows by year, in their order; one group where the list has no year headings."""
    if style != "year":
        return [(0, rows)]
    groups: list[tuple[int, list[Row]]] = []
    for row in rows:
        if not groups or groups[-1][0] != row.day.year:
            groups.append((row.day.year, []))
        groups[-1][1].append(row)
    return groups
