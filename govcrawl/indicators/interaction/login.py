"""D3.2 统一登录."""

from __future__ import annotations

from collections.abc import Iterator

from govcrawl.inspection import Inspection
from govcrawl.items import CantTell, Evidence
from govcrawl.registry import column, menu, page, rule, visit

_HOME = page(menu(("咨询投诉", "/zx/"), ("县长信箱", "/xz/")))


def _site(first: str, second: str) -> Inspection:
    return visit(
        _HOME,
        column(f"<a href=http://{first}/login>登录</a>", "/zx/", "咨询投诉"),
        column(f"<a href=http://{second}/login>登录</a>", "/xz/", "县长信箱"),
    )


@rule(
    "D3.2",
    fails=[_site("user.example.gov.cn", "mail.example.gov.cn")],
    passes=[_site("user.example.gov.cn", "user.example.gov.cn")],
)
def scattered_logins(site: Inspection) -> Iterator[Evidence]:
    """The interactive columns lead to different logins."""
    boards = [board for _, board in sorted(site.dealings.boards.items()) if board.logins]
    if not boards:
        raise CantTell("the interactive columns show no login")
    common = set(boards[0].logins).intersection(*(board.logins for board in boards))
    if common:
        return
    for board in boards:
        yield Evidence(board.url, f"栏目“{board.name}”登录于 {'、'.join(board.logins)}", expected="统一登录")
