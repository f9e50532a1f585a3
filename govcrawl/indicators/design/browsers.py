"""D4.8 兼容性."""

from __future__ import annotations

import re
from collections.abc import Iterator

from govcrawl.extract.text import view
from govcrawl.items import Evidence, Page
from govcrawl.registry import page, rule

_ASKS_FOR_IE = re.compile(  # every alternative begins with a character of its own: the engine skips the rest
    r"请使用[^。\n]{0,12}[Ii][Ee]\s?\d[^。\n]{0,8}|建议使用[^。\n]{0,12}[Ii][Ee]\s?\d[^。\n]{0,8}"
    r"|最佳浏览[^。\n]{0,10}[Ii][Ee]\s?\d"
)
_FLASH = re.compile(r"shockwave-flash|d27cdb6e-ae6d-11cf-96b8-444553540000|\.swf(?:$|\?)", re.IGNORECASE)
_DOCTYPE = re.compile(r"<!doctype\s", re.IGNORECASE)
_GOOD = "<!DOCTYPE html><p>正文</p>"


@rule(
    "D4.8",
    merge="observed",
    fails=[
        page("<p>正文</p>"),
        page("<!DOCTYPE html><embed src=/ad.swf type=application/x-shockwave-flash>"),
        page("<!DOCTYPE html><p>建议使用IE8浏览器浏览</p>"),
    ],
    passes=[page(_GOOD)],
)
def outdated_markup(page: Page) -> Iterator[Evidence]:
    """A page needs what today's browsers lack: Flash, Internet Explorer, or a rendering without standards."""
    if not _DOCTYPE.search(page.text[:2000]):
        yield Evidence(page.url, "页面没有文档类型声明（怪异模式）", expected="符合标准的页面")
    for plugin in page.tree.iter("embed", "object"):
        marks = " ".join(
            filter(None, (plugin.get("type"), plugin.get("classid"), plugin.get("src"), plugin.get("data")))
        )
        if _FLASH.search(marks):
            yield Evidence(
                page.url, "页面使用 Flash 内容", expected="主流浏览器可正常显示", excerpt=marks[:80]
            )
            break
    if match := _ASKS_FOR_IE.search(view(page).text):
        yield Evidence(page.url, "页面要求使用 IE 浏览器", expected="主流浏览器可正常显示", excerpt=match[0])
