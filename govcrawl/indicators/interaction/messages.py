"""D3.3 留言公开."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from govcrawl.dealings import consulting
from govcrawl.extract.columns import ColumnType
from govcrawl.inspection import Inspection
from govcrawl.items import CantTell, Evidence, Page, Role
from govcrawl.registry import column, menu, page, rule, visit
from govcrawl.standard import Window

_HOME = page(menu(("咨询投诉", "/zx/"), ("要闻", "/yw/")))
_HEAD = "<tr><th>标题</th><th>留言时间</th><th>答复时间</th><th>状态</th></tr>"
_PARTS = {"答复单位": "示例市公安局", "答复时间": "2023-09-04", "答复内容": "您好，请携带身份证到窗口办理。"}


def _board(
    asked: str = "2023-09-01", replied: str = "2023-09-04", more: str = "", *letters: Page
) -> Inspection:
    cells = f"<td>{asked}</td><td>{replied}</td><td>已答复</td>"
    row = f"<tr><td><a href=/m/1.html>居住证如何续签</a></td>{cells}</tr>"
    return visit(_HOME, column(f"<table>{_HEAD}{row}</table>{more}", "/zx/", "咨询投诉"), *letters)


def _letter(**parts: str) -> Inspection:
    """Return a board with one answered message; a part changed to an empty text is left out."""
    rows = {"留言时间": "2023-09-01", "留言内容": "请问居住证如何续签？", **_PARTS, **parts}
    lines = "".join(f"<p>{name}：{value}</p>" for name, value in rows.items() if value)
    one = page(f"<h3>居住证如何续签</h3>{lines}", url="/m/1.html", role=Role.MESSAGE, column="咨询投诉")
    return visit(
        _HOME, column("<ul><li><a href=/m/1.html>居住证如何续签</a></li></ul>", "/zx/", "咨询投诉"), one
    )


@rule("D3.3a", fails=[visit(_HOME, column("<p>我要写信</p>", "/zx/", "咨询投诉"))], passes=[_board()])
def unpublished_messages(site: Inspection) -> Iterator[Evidence]:
    """The site publishes no messages and answers."""
    if site.dealings.letters():
        return
    elsewhere = consulting(site.dealings.entrances(ColumnType.MESSAGE))
    if elsewhere:
        raise CantTell(f"messages stand on another site ({elsewhere[0]})")
    if site.home is None or site.home.error:
        raise CantTell("the home page could not be read")
    yield Evidence(site.home.url, "未见公开的留言和答复", expected="公开留言和答复")


@rule("D3.3b", fails=[_letter(答复单位=""), _letter(留言时间="", 答复时间="")], passes=[_letter()])
def incomplete_message(site: Inspection, sample: int) -> Iterator[Evidence]:
    """A drawn answered message lacks the time of asking or answering, the replying unit or the answer."""
    answered = [one for one in site.dealings.letters() if one.opened and one.answered]
    if not answered:
        raise CantTell("no answered message was opened")
    for letter in sorted(site.sample(answered, sample, "message"), key=lambda one: one.url):
        for name in letter.lacking:
            yield Evidence(letter.url, f"未显示{name}", expected="要素齐全", excerpt=letter.title)


@rule("D3.3c", fails=[_board("2023-07-16", "2023-07-19")], passes=[_board("2023-07-16", "2023-07-20")])
def stale_messages(site: Inspection, window: Window) -> Iterator[Evidence]:
    """The newest published message or answer is older than two months."""
    at = site.at.date()
    limit = window.before(at)
    letters = site.dealings.letters()
    boards = [board for _, board in sorted(site.dealings.boards.items()) if board.letters]
    if not letters or not boards:
        raise CantTell("no published messages were read")
    newest = max((one.newest for one in letters if one.newest and one.newest <= at), default=None)
    if newest is None:
        raise CantTell("the published messages show no dates")
    if newest < limit:
        board = max(boards, key=lambda one: (one.newest or date.min, one.url))
        yield Evidence(
            board.url, f"栏目“{board.name}” {newest.isoformat()}", expected=f"≥ {limit.isoformat()}"
        )


@rule(
    "D3.3d",
    fails=[_board()],
    passes=[_board("2023-09-01", "2023-09-04", "<p>本月共收到留言45件，已答复45件。</p>")],
)
def uncounted_messages(site: Inspection) -> Iterator[Evidence]:
    """The site states nowhere how many messages it received and answered."""
    boards = [board for _, board in sorted(site.dealings.boards.items())]
    if not boards:
        raise CantTell("no message column was read")
    if not any(board.statistics for board in boards):
        yield Evidence(boards[0].url, "未见留言受理统计", expected="公开收到、办结等统计数据")
