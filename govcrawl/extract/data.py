"""Data columns: the data sets a page offers for download or through an interface."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from govcrawl.extract.links import read_links
from govcrawl.extract.text import view
from govcrawl.items import Page

_TABLE = re.compile(r"\.(?:xlsx?|csv|json|xml|et)$", re.IGNORECASE)
_SET = re.compile(r"数据集(?!中)|数据目录|数据下载")  # 数据开放 stands in menus
_INTERFACE = re.compile(r"数据接口|接口(?:调用|服务|文档|说明)|API(?:接口|调用|服务|文档)?", re.IGNORECASE)


def read_data(page: Page) -> tuple[str, ...]:
    """Return what data a page offers: 数据文件 (tables to download), 数据集, 数据接口."""
    found = set()
    text = view(page).text
    if any(link.tag == "a" and _TABLE.search(urlsplit(link.url).path) for link in read_links(page)):
        found.add("数据文件")
    if _SET.search(text):
        found.add("数据集")
    if _INTERFACE.search(text):
        found.add("数据接口")
    return tuple(sorted(found))
