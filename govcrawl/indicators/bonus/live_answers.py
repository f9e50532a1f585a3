"""B3.1 实时互动."""

from __future__ import annotations

import re
from collections.abc import Iterator

from govcrawl.extract.links import anchors
from govcrawl.extract.text import view
from govcrawl.items import Evidence, Page
from govcrawl.registry import page, rule

_NAMED = re.compile(
    r"智能(?:问答|客服|机器人|咨询|助手|应答)|在线(?:智能)?客服|机器人(?:问答|客服|咨询)?|智能小\S{1,2}|小\S{1,2}机器人|智能交互"
)
_SCRIPT = re.compile(r"robot|chatbot|znwd|zhinengwenda|xiaoi|smartqa|iknow", re.IGNORECASE)


@rule(
    "B3.1b", merge="site", fails=[page("<a href=/znwd/>智能问答</a>")], passes=[page("<a href=/yw/>要闻</a>")]
)
def live_answers(page: Page) -> Iterator[Evidence]:
    """A page offers live answers by a machine."""
    for _, url, text in anchors(page):
        if len(text) <= 16 and _NAMED.search(text):
            yield Evidence(page.url, text, excerpt=url)
            return
    for item in view(page).all("script", "iframe", "img", hidden=True):
        if (source := item.get("src")) and (_SCRIPT.search(source) or _NAMED.search(item.get("alt") or "")):
            yield Evidence(page.url, f"疑似智能问答组件 {source[-60:]}")
            return
