"""Published messages (留言公开): what was asked and answered, when and by whom; statistics; delays."""

# ruff: noqa: E501  (word lists and patterns in long lines)
from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

import chinese_calendar
from lxml.html import HtmlElement

from govcrawl.extract.article import read_article
from govcrawl.extract.dates import find_dates, parse_date
from govcrawl.extract.footer import footer_start
from govcrawl.extract.labels import label_of, read_parts
from govcrawl.extract.links import absolute
from govcrawl.extract.text import view
from govcrawl.items import Page

_WORDS = {
    "title": "标题 主题 信件标题 信件主题 留言标题 留言主题 咨询标题 咨询主题 来信标题 来信主题 问题标题 诉求标题 诉求主题 事项",
    "asked": "提问时间 来信时间 咨询时间 留言时间 提交时间 写信时间 发信时间 信件时间 投诉时间 反映时间 诉求时间 登记时间 提问日期 来信日期 咨询日期 留言日期 "
    "提交日期 写信日期 发信日期 投诉日期 问政时间 受理时间 受理日期 网民提问时间 申请时间 收信时间 来件时间 创建时间",
    "question": "留言内容 来信内容 咨询内容 信件内容 问题内容 诉求内容 提问内容 投诉内容 反映内容 问题描述 内容 正文 来信正文 写信内容 诉求描述 网民留言 来信 咨询 提问 问题",
    "unit": "答复单位 回复单位 处理单位 承办单位 办理单位 受理单位 回复部门 答复部门 办理部门 受理部门 承办部门 处理部门 答复机关 回复机关 办理机构 答复机构 回复机构 "
    "处理机关 受理机构 责任单位 主办单位 回信单位 回复人 答复人 办理人 回复者 写给 收信单位 收信部门",
    "replied": "答复时间 回复时间 办结时间 处理时间 反馈时间 答复日期 回复日期 办结日期 处理日期 反馈日期 办理时间 办理日期 回信时间 回信日期 处理完成时间 答复于 回复于",
    "reply": "答复内容 回复内容 处理结果 办理结果 处理意见 答复意见 回复意见 答复 回复 官方回复 单位回复 部门回复 回信内容 反馈内容 办理情况 回复情况 处理情况 答复情况 "
    "办理意见 办理回复 办理答复 回复结果 答复结果 处理回复 答复正文 回复正文 受理情况 官方答复 回信",
    "status": "办理状态 状态 处理状态 回复状态 答复状态 信件状态 当前状态 留言状态 处理情况 办理进度 是否回复 是否答复",
}
_NAMES = {word: name for name, words in _WORDS.items() for word in words.split()}
_JOINT = {"时间": "asked", "日期": "asked"}
_WEAK = ("title", "question", "reply", "unit")
# A list's heads are shorter than the labels of a letter.
_HEADS = _NAMES | {"时间": "asked", "日期": "asked", "部门": "unit", "单位": "unit", "信件编号": "number", "编号": "number", "序号": "number", "类型": "kind",
                   "类别": "kind", "信件类型": "kind", "来信人": "from", "姓名": "from", "留言人": "from", "浏览": "reads", "点击": "reads", "满意度": "rating",
                   "处理情况": "status", "答复情况": "status", "回复情况": "status", "办理情况": "status", "办理结果": "status", "回复": "status", "答复": "status"}  # fmt: skip
_PENDING = re.compile(
    r"未(?:回复|答复|办结|处理|受理|办理)|待(?:回复|答复|办理|处理|受理|办|审)|处理中|办理中|受理中|在办|回复中|审核中|已受理|已转办|转办中|交办|进行中|尚未|^否$"
    r"|^(?:暂?无|没有)(?:任何|相关)?(?:回复|答复|反馈|回音|内容)?[。.]?$"
)
_DONE = re.compile(r"已?(?:回复|答复|办结|处理完|反馈)|已处理|已办|办理完|完成|^是$|处理完毕")
_REFUSED = re.compile(r"不予(?:受理|办理|答复)|不受理|无效|重复|退回|撤回|撤销|作废|仅供参阅")
_ASKED_NEAR = re.compile(r"(?:提问|来信|咨询|留言|提交|发表|网民|网友|市民|写信)[^\n]{0,40}")
_REPLIED_NEAR = re.compile(r"(?:答复|回复|回信|办结|反馈)[^\n]{0,40}")
_UNIT_REPLIES = re.compile(
    r"(?:^|\n|[】\]])[ \t]?【?\[?([\u4e00-\u9fff]{2,24}(?:局|办|委|厅|处|中心|政府|部门|队|院|科|所|会|办公室|信箱|公司|街道|镇|乡))[】\]]?[ \t]?(?:于[^\n]{6,24})?的?(?:回复|答复|回信)[ \t]?(?:[:：]|$|(?=\n))"
)
_ROWS = ("tr", "li", "ul", "div", "dl")
_CELLS = ("td", "th", "span", "div", "p", "a", "li", "dd", "dt", "em", "i", "b")
_LETTERS = 60  # of one list
_CONTENT = re.compile(r"[^\W_]")
_CELL = 200  # characters; what holds more is a block, no cell
_STATISTICS = re.compile(
    r"(?:共|累计|总计|今年以?来|本(?:年度|月|季度|周)|目前)[^。\n]{0,20}(?:收到|受理|办理|答复|回复|办结|来信|留言|信件)[^。\n]{0,12}\d"
    r"|(?:受理|收到|办理|办结|答复|回复|来信|留言|信件|咨询)(?:总)?(?:数|量|件数?|率)\s?[:：]?\s?\d"
    r"|(?:收信|来信|受理|办理|答复|回复|信件|留言|办件)(?:回复|答复|办理|受理|情况|数据)?统计|总来信|(?:办结|回复|答复)率"
)


@dataclass(frozen=True, slots=True)
class Letter:
    """One published message; what the page does not show stays empty.

    `answered` is None where neither a reply nor a state is shown; `refused` messages need no answer.
    """

    title: str
    url: str
    asked: date | None = None
    replied: date | None = None
    unit: str = ""
    reply: bool = False
    answered: bool | None = None
    refused: bool = False
    newest: date | None = None  # of all dates shown with it
    opened: bool = False  # read from its own page

    @property
    def lacking(self) -> tuple[str, ...]:
        """The parts that every published answer shows, as far as they are not there."""
        parts = (
            ("留言时间", self.asked),
            ("答复时间", self.replied),
            ("答复单位", self.unit),
            ("答复内容", self.reply),
        )
        return tuple(name for name, value in parts if not value)

    def with_list(self, row: Letter | None) -> Letter:
        """Return the letter with what only its row in the list shows."""
        if row is None:
            return self
        return replace(
            self,
            title=self.title or row.title,
            asked=self.asked or row.asked,
            replied=self.replied or row.replied,
            unit=self.unit or row.unit,
            answered=self.answered if self.answered is not None else row.answered,
            refused=self.refused or row.refused,
            newest=max(filter(None, (self.newest, row.newest)), default=None),
        )


def working_days(asked: date, replied: date) -> int | None:
    """Return the working days between two days by the calendar of the State Council; None where it has no year.

    The day of asking does not count, the day of the reply does.
    """
    if replied < asked:
        return None
    try:
        return sum(
            1
            for step in range(1, (replied - asked).days + 1)
            if chinese_calendar.is_workday(asked + timedelta(days=step))
        )
    except NotImplementedError:
        return None


def read_letter(page: Page) -> Letter:
    """Read the page of one published message."""
    text = view(page).text[: footer_start(page)] or view(page).text
    values: dict[str, str] = {}
    for part in read_parts(page, _NAMES, _JOINT, _WEAK):
        if not part.empty:
            values.setdefault(part.name, part.value)
    asked = parse_date(values.get("asked", "")[:60]) or _near(_ASKED_NEAR, text)
    replied = parse_date(values.get("replied", "")[:60]) or _near(_REPLIED_NEAR, text)
    unit, reply = values.get("unit", "").split("\n")[0], values.get("reply", "")
    if replies := _UNIT_REPLIES.search(text):
        unit = unit or replies[1]
        reply = reply or text[replies.end() : replies.end() + 200].strip()
    has_reply = len(reply.strip()) >= 4 and not (len(reply) < 20 and _PENDING.search(reply))
    status = values.get("status", "")[:40]
    return Letter(
        title=(values.get("title", "").split("\n")[0] or read_article(page).title)[:60],
        url=page.url,
        asked=asked,
        replied=replied,
        unit=unit[:30],
        reply=has_reply,
        answered=True if has_reply else _answered(status or reply[:40], replied),
        refused=bool(_REFUSED.search(status)),
        newest=max(filter(None, (asked, replied)), default=None),
        opened=True,
    )


def readable(letter: Letter) -> bool:
    """Tell whether a page looks like a message at all: at least two of its parts were found."""
    return len(letter.lacking) <= 2 or (letter.asked is not None and letter.answered is False)


def read_letters(page: Page) -> tuple[Letter, ...]:
    """Return the messages a list page shows, from a table with heads or from rows with two dates or a state."""
    of = view(page)
    heads: dict[HtmlElement | None, list[str]] = {}
    found: dict[str, Letter] = {}
    for row in page.tree.iter(*_ROWS):
        cells = [cell for cell in row if cell.tag in _CELLS]
        if not 2 <= len(cells) <= 10 or any(of.size(cell) > _CELL for cell in cells):
            continue
        texts = [" ".join(of.of(cell).split()) for cell in cells]
        names = [_head(text) for text in texts]
        if sum(bool(name) for name in names) >= 2 and "asked" in names + _dated(names):
            heads[_table(row)] = names
            continue
        letter = _letter(page, row, texts, heads.get(_table(row)))
        if letter is not None:
            found.setdefault(letter.url, letter)
        if len(found) >= _LETTERS:
            break
    return tuple(found.values())


def has_statistics(page: Page) -> bool:
    """Tell whether a page states how many messages were received or answered."""
    text = view(page).text
    return bool(_STATISTICS.search(text[: footer_start(page)] or text))


def _dated(names: list[str]) -> list[str]:
    return ["asked"] if "replied" in names or "status" in names else []


def _head(text: str) -> str:
    found = label_of(text, _HEADS, {}) if len(text) <= 8 else ()
    return found[0] if found else ""


def _table(row: HtmlElement) -> HtmlElement | None:
    """Return what holds a row and its heads: the table, or for other rows their parent."""
    if row.tag == "tr":
        return next(row.iterancestors("table"), None)
    parent = row.getparent()
    return parent.getparent() if parent is not None and parent.tag in ("ul", "dl") else parent


def _letter(page: Page, row: HtmlElement, texts: list[str], heads: list[str] | None) -> Letter | None:
    anchor = row.find(".//a")
    title = " ".join("".join(anchor.itertext()).split()) if anchor is not None else ""
    url = absolute(page, anchor.get("href") or "") if anchor is not None else ""
    if heads is not None and len(heads) == len(texts):
        values = dict(zip(heads, texts, strict=True))
        title = values.get("title", "") or title
        if not title or title.endswith(("：", ":")):
            return None
        return _from_row(title, url or f"{page.url}#{title[:40]}", values)
    if row.tag not in ("li", "tr") or not title:
        return None
    return _from_dates(title, url or f"{page.url}#{title[:40]}", texts)


def _from_row(title: str, url: str, values: dict[str, str]) -> Letter:
    asked, replied = parse_date(values.get("asked", "")), parse_date(values.get("replied", ""))
    status = values.get("status", "")
    answered = _answered(status, replied)
    if answered is None and "replied" in values and not _CONTENT.search(values["replied"]):
        answered = False  # the list has a place for the reply's date, and it is empty
    refused = bool(_REFUSED.search(status))
    newest = max(filter(None, (asked, replied)), default=None)
    unit = values.get("unit", "")[:30]
    return Letter(title[:60], url, asked, replied, unit, answered=answered, refused=refused, newest=newest)


def _from_dates(title: str, url: str, texts: list[str]) -> Letter | None:
    rest = " ".join(text for text in texts if title not in text)
    days = sorted(day for day, _ in find_dates(rest))
    states = [text for text in texts if len(text) <= 10 and (_PENDING.search(text) or _DONE.search(text))]
    if not states and len(days) != 2:
        return None
    asked = days[0] if len(days) == 2 else None
    replied = days[1] if len(days) == 2 else None
    answered = _answered(states[0] if states else "", replied)
    if answered is False and len(days) == 1:
        asked = days[0]
    return Letter(title[:60], url, asked, replied, answered=answered, newest=days[-1] if days else None)


def _answered(status: str, replied: date | None) -> bool | None:
    if _PENDING.search(status):
        return False
    if replied is not None or _DONE.search(status):
        return True
    return None


def _near(pattern: re.Pattern[str], text: str) -> date | None:
    return next(_dates_near(pattern, text), None)


def _dates_near(pattern: re.Pattern[str], text: str) -> Iterator[date]:
    for match in pattern.finditer(text):
        if (found := parse_date(match[0])) is not None:
            yield found
