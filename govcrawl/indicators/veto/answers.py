"""V5 互动回应差."""

# ruff: noqa: E501  (examples in long lines)

from __future__ import annotations

from collections.abc import Iterator

from govcrawl.dealings import consulting
from govcrawl.extract.columns import ColumnType
from govcrawl.extract.messages import working_days
from govcrawl.inspection import Inspection
from govcrawl.items import CantTell, Evidence
from govcrawl.registry import column, menu, page, rule, visit
from govcrawl.standard import Window

_HOME = page(menu(("咨询投诉", "/zx/"), ("要闻", "/yw/")))
_HEAD = "<tr><th>标题</th><th>留言时间</th><th>答复时间</th></tr>"


def _board(asked: str, replied: str) -> Inspection:
    row = f"<tr><td><a href=/m/1.html>路灯何时修好</a></td><td>{asked}</td><td>{replied}</td></tr>"
    return visit(_HOME, column(f"<table>{_HEAD}{row}</table>", "/zx/", "咨询投诉"))


@rule(
    "V5.1",
    fails=[visit(page(menu(("要闻", "/yw/"), ("网上信访", "/xf/"))))],
    passes=[_board("2023-09-01", "2023-09-04")],
)
def unasked_public(site: Inspection) -> Iterator[Evidence]:
    """Nothing on the site takes questions and suggestions; petitions and reports to the discipline inspection do not count."""
    if site.home is None or site.home.error:
        raise CantTell("the home page could not be read")
    own = [one.name for one in site.columns.values() if one.kind is ColumnType.MESSAGE]
    if consulting([*own, *site.dealings.entrances(ColumnType.MESSAGE)]):
        return
    if site.home_why:
        raise CantTell(f"the home page is filled by scripts: {site.home_why}")
    seen = "、".join(sorted(own)) or "无互动栏目"
    yield Evidence(site.home.url, f"未见咨询建言渠道（{seen}）", expected="有可用的咨询建言渠道")


@rule(
    "V5.2",
    fails=[_board("2023-06-14", "")],
    passes=[_board("2023-06-14", "2023-06-19"), _board("2023-06-21", ""), _board("2022-06-14", "")],
)
def unanswered_message(site: Inspection, window: Window, limit: Window) -> Iterator[Evidence]:
    """A published message of the last year has waited for an answer for more than three months."""
    at = site.at.date()
    oldest, latest = window.before(at), limit.before(at)
    letters = [one for one in site.dealings.letters() if not one.refused]
    if not letters:
        raise CantTell("no published messages were read")
    undated = 0
    for letter in letters:
        if letter.answered is not False:
            continue
        if letter.asked is None:
            undated += 1
        elif oldest <= letter.asked < latest:
            waited = working_days(letter.asked, at)
            yield Evidence(
                letter.url,
                f"{letter.asked.isoformat()} 留言未答复",
                expected=f"{limit.zh}内答复",
                excerpt=letter.title + (f"（已{waited}个工作日）" if waited else ""),
            )
    if undated:
        raise CantTell(f"{undated} unanswered messages show no date")
    if all(letter.answered is None for letter in letters):
        raise CantTell("the messages show neither replies nor states")
