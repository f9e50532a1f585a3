"""No reading and no check raises, whatever becomes of a page: the whole way from bytes to findings.

Pages are those of the sample province, and the saved real ones where their folder is beside the checkout;
each is damaged several times over, given any role, and taken through the inspection and all rules. An
exception in a check is a recorded outcome, so it is looked for among the findings.

GOVCRAWL_MUTATIONS=10000 sets how many pages are damaged.
"""

from __future__ import annotations

import os
from datetime import datetime
from functools import cache
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from govcrawl.checking import Checking
from govcrawl.extract.role import page_role
from govcrawl.inspection import Inspection
from govcrawl.items import Page, Role, Site
from govcrawl.quarter import SHANGHAI
from govcrawl.standard import load_edition
from tests.province.world import World
from tests.test_extract_robust import PIECES

PAGES = Path(__file__).resolve().parents[1].parent / "shared" / "pages"
EXAMPLES = int(os.environ.get("GOVCRAWL_MUTATIONS", "150"))
SITE = Site("hz", "杭州市人民政府", "portal", "city", "330100", "", "http://www.hangzhou.gov.cn/")
AT = datetime(2023, 9, 20, tzinfo=SHANGHAI)
EDITION = load_edition()
COLUMNS = ("", "工作动态", "政策文件", "政策解读", "领导信息", "办事指南", "互动交流", "统计数据", "调查征集")
MARKS = tuple(
    text.encode()
    for text in (
        "</li></ul>", "<li><a href='/art/2023/9/18/art_1.html'>关于某项工作的通知</a>", "2023-09-18",
        "[09-31]",
        "<td>", "</table>", "<record><![CDATA[", "</record>", "{\"title\":", "<iframe src=/list.html>",
        "<meta name=PubDate content='2023-13-45'>", "身份证号：33010219900307001X", "材料：", "姓名：",
        "<form action='/search'><input name=q>", "<a href='javascript:go(1)'>", "￿", "&#55296;", "年" * 300,
    )
)  # fmt: skip


@cache
def bodies() -> tuple[bytes, ...]:
    """Return the pages to damage: some of each platform of the province, and the saved ones."""
    world = World(10)
    found = []
    for site in world.sites():
        paths = sorted(world.renderer(site.host).pages)
        found += [world.answer(site.host, path).body for path in paths[:: max(1, len(paths) // 8)]]
    found += [path.read_bytes() for path in sorted(PAGES.glob("*.html"))]
    return tuple(body for body in found if body)


cut = st.tuples(
    st.sampled_from(("drop", "put", "noise", "copy")),
    st.floats(0, 1),
    st.sampled_from((1, 3, 20, 400, 5_000)),
    st.sampled_from((*PIECES, *MARKS)),
    st.sampled_from((1, 1, 1, 60)),
)


def damaged(body: bytes, cuts: list[tuple[str, float, int, bytes, int]]) -> bytes:
    for kind, where, length, piece, times in cuts:
        start = int(where * len(body))
        end = min(len(body), start + length)
        if kind == "drop":
            body = body[:start] + body[end:]
        elif kind == "put":
            body = body[:start] + piece * times + body[start:]
        elif kind == "noise":
            body = body[:start] + bytes(255 - byte for byte in body[start : start + 40]) + body[start + 40 :]
        else:
            body = body[:end] + body[start:end] * 2 + body[end:]
    return body


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
@given(
    visit=st.tuples(
        st.integers(0, 10_000),
        st.sampled_from([role for role in Role if role is not Role.OTHER]),
        st.sampled_from(COLUMNS),
        st.sampled_from(("", "utf-8", "gb2312", "utf-16", "klingon")),
        st.booleans(),
    ),
    cuts=st.lists(cut, min_size=1, max_size=6),
)
def test_no_reading_and_no_check_raises_on_a_damaged_page(
    visit: tuple[int, Role, str, str, bool], cuts: list[tuple[str, float, int, bytes, int]]
) -> None:
    number, role, column, charset, rendered = visit
    body = damaged(bodies()[number % len(bodies())], cuts)
    url = SITE.url if role is Role.HOME else f"{SITE.url}art/2023/9/18/art_1_{number}.html"
    headers = (("Content-Type", f"text/html; charset={charset}" if charset else "text/html"),)
    page = Page(SITE, "2023Q3", url, AT, role=role, column=column, headers=headers, body=body)
    page.rendered = rendered
    page.included = (
        {f"{SITE.url}list.html": body[:3_000].decode("utf-8", "replace")} if number % 3 == 0 else {}
    )
    inspection = Inspection(SITE, "2023Q3", AT)
    checking = Checking(EDITION, inspection)
    assert isinstance(page_role(page), Role)
    inspection.add(page)
    checking.page(page)
    raised = [one for one in checking.finish() if one.message.startswith("check error")]
    assert raised == []
