"""An online survey or call for opinions (调查征集): when it ran, how one takes part, when its results came."""

# ruff: noqa: E501  (patterns in long lines)
from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from govcrawl.extract.article import read_article
from govcrawl.extract.dates import find_dates, parse_date
from govcrawl.extract.footer import footer_start
from govcrawl.extract.text import view
from govcrawl.items import Page

_TIME = re.compile(
    r"(?<!发布)(?<!更新)(?<!反馈)(?<!公布)(?<!回复)(?:活动|征集|调查|征求意见|公开|参与|意见征集|投票|起止|公示|反馈意见|征询)?(?:的)?(?:时间|日期|期限|起止(?:时间|日期))\s?[:：为]?\s?([^\n]{0,80})"
)
_CLOSES = re.compile(
    r"(?:截止|截至|结束)(?:时间|日期)?\s?[:：]?\s?(?:至|到|为|于)?\s?([^\n]{0,40})|(?:请|可)?于\s?([^\n]{6,24}?)(?:日|号)?(?:\d{1,2}[:：]\d\d)?(?:前|之前|以前)"
)
_UNTIL = re.compile(
    r"(?:至|到|—{1,2}|–|~|～|\s-{1,2}\s)\s?((?:19|20)?\d{0,4}[-/.年]?\d{1,2}[-/.月]\d{1,2}日?)"
)
_RESULT = re.compile(
    r"结果(?:的)?(?:反馈|公布|公示|公开|汇总|统计|分析|通报)|(?:调查|投票|征集|活动|反馈)结果|采纳(?:情况|结果|反馈)|意见(?:汇总|采纳)|反馈(?:情况|时间)|征集情况"
)
_RESULT_DAY = re.compile(
    r"(?:反馈|公布|结果(?:反馈|公布|发布)?|发布结果|采纳(?:情况)?(?:反馈|公布)?)(?:的)?(?:时间|日期|于)\s?[:：]?\s?([^\n]{0,30})"
)
_EMPTY_RESULT = re.compile(r"暂无(?:结果|反馈)|尚未(?:公布|反馈)|未公布|待公布|结果将")
_MAIL = re.compile(r"电子邮[箱件]|E-?mail|@[\w.-]+\.(?:cn|com|net)|邮箱", re.IGNORECASE)
_ONLINE = re.compile(
    r"我要(?:参与|投票|留言|提意见|发言|评论)|在线(?:参与|提交|填写|答题|调查|征集|反馈|投票)|网上(?:参与|提交|填写|投票)|提交(?:意见|问卷|建议)|(?:点击|进入|扫码)(?:参与|填写|投票|答题|此处|进入|链接)|参与(?:调查|征集|投票)|问卷星|查看(?:结果|投票)"
)


@dataclass(frozen=True, slots=True)
class Survey:
    """One activity. `online` is None where neither a form nor another way to take part was seen."""

    url: str
    title: str
    opened: date | None = None
    closes: date | None = None
    results: bool = False
    result_day: date | None = None
    online: bool | None = None

    def over(self, at: date) -> bool:
        """Tell whether the activity ended before a day; one without a closing day is taken as running."""
        return self.closes is not None and self.closes < at


def read_survey(page: Page) -> Survey:
    """Read the page of one activity."""
    of = view(page)
    text = of.text[: footer_start(page)] or of.text
    article = read_article(page)
    opened, closes = _span(text)
    results = _RESULT.search(text) is not None and not _EMPTY_RESULT.search(text)
    return Survey(
        url=page.url,
        title=article.title[:80],
        opened=opened or article.published,
        closes=closes,
        results=results,
        result_day=_result_day(text) if results else None,
        online=_online(page, text),
    )


def is_result(title: str) -> bool:
    """Tell by its title whether an entry publishes the results of another activity."""
    return bool(
        re.search(
            r"(?:结果|反馈|采纳|汇总|统计|情况)(?:的)?(?:公[布示告开]|通报|说明|公告|反馈|汇总|情况|分析)|情况(?:的)?(?:反馈|公[示布]|说明)|(?:调查|投票|征集)结果",
            title,
        )
    )


def same_activity(result_title: str, title: str) -> bool:
    """Tell whether a result's title names an activity: they share most of the activity's words."""
    core = re.sub(r"\W|关于|公开|征求|征集|意见|的|公告|通知|活动|开展|建议|调查|问卷|网上|在线", "", title)
    return len(core) >= 4 and core in re.sub(
        r"\W|关于|公开|征求|征集|意见|的|公告|通知|活动|开展|建议|调查|问卷|网上|在线", "", result_title
    )


def _span(text: str) -> tuple[date | None, date | None]:
    """Return the first and the last day of an activity, as far as its page says so."""
    for match in _TIME.finditer(text):
        days = [day for day, _ in find_dates(match[1])]
        if len(days) >= 2:
            return days[0], max(days)
        if days and (until := _UNTIL.search(match[1])) and (last := parse_date(until[1], year=days[0].year)):
            return days[0], last
    for match in _CLOSES.finditer(text):
        if (last := parse_date(match[1] or match[2] or "")) is not None:
            return None, last
    return None, None


def _result_day(text: str) -> date | None:
    for match in _RESULT_DAY.finditer(text):
        if (found := parse_date(match[1])) is not None:
            return found
    return None


def _online(page: Page, text: str) -> bool | None:
    """Tell whether one takes part on the web: e-mail alone does not count."""
    of = view(page)
    kinds = ("radio", "checkbox")
    if any((item.get("type") or "").lower() in kinds for item in of.all("input")) or of.all("textarea"):
        return True
    if _ONLINE.search(text):
        return True
    return False if _MAIL.search(text) else None
