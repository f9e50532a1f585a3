"""B2.1 服务功能."""

from __future__ import annotations

import re
from collections.abc import Iterator

from govcrawl.extract.links import anchors
from govcrawl.extract.text import view
from govcrawl.items import Evidence, Page
from govcrawl.registry import page, rule

_RATES = re.compile(
    r"好差评|服务评价|我要评价|在线评价|办事评价|满意度(?:评价|测评|调查)|评价(?:服务|办事|此次)"
)
_SHARE = r"[^。\n]{0,12}?\d+(?:\.\d+)?\s?[%％分]"
_RATED = re.compile(
    rf"好评率?{_SHARE}|满意[率度]{_SHARE}|评价结果{_SHARE}|评价得分{_SHARE}|综合得分{_SHARE}"
    r"|评价(?:结果|情况)(?:公示|公开|统计|排名)|好差评(?:统计|结果|数据|排名|排行)|评价统计"
)


@rule("B2.1a", merge="site", fails=[page("<a href=/hcp/>好差评</a>")], passes=[page("<p>办事指南</p>")])
def rating_offered(page: Page) -> Iterator[Evidence]:
    """A page offers to rate the services."""
    for _, url, text in anchors(page):
        if len(text) <= 20 and _RATES.search(text):
            yield Evidence(page.url, text, excerpt=url)
            return


@rule("B2.1b", merge="site", fails=[page("<p>本月好评率：99.8%</p>")], passes=[page("<p>办事指南</p>")])
def ratings_published(page: Page) -> Iterator[Evidence]:
    """A page publishes how the services were rated."""
    if match := _RATED.search(view(page).text):
        yield Evidence(page.url, match[0][:60])
