"""Sites for the inspection bench: of one shape, 301 pages of about 25 kB with sixty links, half of them twice.

Each page names its site's domain, so that no two sites have a page in common.
"""

# ruff: noqa: E501  (markup in long lines)
from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random

from tests.province.model import AT, Answer
from tests.province.text import paragraphs

COLUMNS = (
    "工作动态", "图片新闻", "通知公告", "政策文件", "政策解读", "人事信息", "财政预决算", "规划计划", "统计数据", "建议提案",
)  # fmt: skip
ENTRIES = 29  # of a column
PAGES = 1 + len(COLUMNS) * (1 + ENTRIES)  # of a site
_SHOWN = 19  # entries linked from a page, besides the home page and the columns
_FOOTER = (
    '<div class="footer"><a href="/">网站首页</a><p>主办单位：示例市人民政府办公室 联系电话：0571-12345678 '
    "网站标识码：3399000001 浙ICP备12345678号-1 浙公网安备 33990002000001号</p></div>"
)


class SiteFarm:
    """`count` sites; every page links to the home page, the columns and 19 entries, each twice.

    `length` is the number of paragraphs under the links.
    """

    def __init__(self, count: int, length: int = 40) -> None:
        self.hosts = tuple(f"www.site{number}.gov.cn" for number in range(count))
        self._known = frozenset(self.hosts)
        filler = "\n".join(f"<p>{text}</p>" for text in paragraphs(Random("farm"), "示例市", length))
        self._filler = filler.encode()

    @property
    def pages(self) -> int:
        """How many pages there are in all."""
        return len(self.hosts) * PAGES

    def starts(self) -> list[str]:
        """Return the home pages."""
        return [f"http://{host}/" for host in self.hosts]

    def roster(self) -> Iterator[str]:
        """Yield the lines of the roster."""
        yield "site_id,name,kind,level,code,parent,url,organizer,has_services,platform"
        for number, url in enumerate(self.starts()):
            yield f"site{number},示例市人民政府,portal,city,339900,,{url},示例市人民政府办公室,true,"

    def answer(self, host: str, path: str) -> Answer:
        """Answer one request."""
        if host not in self._known:
            return Answer(404, b"<html><body>404</body></html>")
        if path == "/":
            return self._page(host, "首页", -1, range(0, ENTRIES * len(COLUMNS), 16))
        kind, _, rest = path.strip("/").partition("/")
        if kind == "col" and rest.isdigit() and int(rest) < len(COLUMNS):
            column = int(rest)
            return self._page(host, COLUMNS[column], column, range(column * ENTRIES, (column + 1) * ENTRIES))
        number = rest.removesuffix(".html")
        if kind == "art" and number.isdigit() and int(number) < ENTRIES * len(COLUMNS):
            entry = int(number)
            near = range(entry, entry + _SHOWN)
            return self._page(host, _title(entry), entry // ENTRIES, near, entry)
        return Answer(404, b"<html><body>404</body></html>")

    def _page(self, host: str, title: str, column: int, entries: range, entry: int = -1) -> Answer:
        total = ENTRIES * len(COLUMNS)
        menu = "".join(f'<li><a href="/col/{number}">{name}</a></li>' for number, name in enumerate(COLUMNS))
        rows = "".join(
            f'<li><a href="/art/{number}.html">{_title(number)}</a><span>{_day(number).isoformat()}</span></li>'
            for number in (one % total for one in entries)
        )
        kind = COLUMNS[column] if column >= 0 else ""
        tags = (
            f'<meta name="SiteName" content="示例市人民政府"><meta name="SiteDomain" content="{host}">'
            '<meta name="SiteIDCode" content="3399000001">'
            f'<meta name="ColumnName" content="{kind}"><meta name="ColumnType" content="{kind}">'
            f'<meta name="ColumnKeywords" content="{kind}"><meta name="ColumnDescription" content="{kind}">'
        )
        if entry >= 0:
            tags += (
                f'<meta name="ArticleTitle" content="{title}"><meta name="PubDate" content="{_day(entry)}">'
                '<meta name="ContentSource" content="示例市人民政府办公室">'
            )
        menu = f'<div class="nav"><ul><li><a href="/">首页</a></li>{menu}</ul></div>'
        shown = f"<h1>{title}</h1><p>发布日期：{_day(entry)}</p>" if entry >= 0 else ""
        related = f'<div class="related"><ul>{rows}</ul></div>' if entry >= 0 else f"<ul>{rows}</ul>"
        text = (
            b"<div class=text>" + self._filler + b"</div>"
            if entry >= 0
            else b"<div>" + self._filler + b"</div>"
        )
        head = (
            f'<!DOCTYPE html><html><head><meta charset="utf-8"><title>{title}-示例市人民政府</title>{tags}</head>'
            f'<body><div class="header"><h2>示例市人民政府门户网站</h2></div>{menu}'
        )
        tail = f"{related}{menu}<div class=side><ul>{rows}</ul></div>{_FOOTER}</body></html>"
        main = shown.encode() + text if entry >= 0 else b""
        rest = b"" if entry >= 0 else text
        return Answer(
            body=head.encode() + main + tail.encode() + rest, content_type="text/html; charset=utf-8"
        )


def _title(number: int) -> str:
    return f"示例市人民政府关于做好第{number}项重点工作的通知"


def _day(number: int) -> date:
    return AT - timedelta(days=number % ENTRIES)
