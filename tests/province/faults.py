"""Planted faults and look-alike traps: which sites get which, and what each does to a site.

A fault's name is its rule and a variant (`D1.9a#2`). Faults of one group exclude each other on a site, so that
every planted occurrence has one cause. Traps look like a fault and are none.
"""

# ruff: noqa: E501  (markup and word lists in long lines)
from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

from tests.province.model import AT, MARKS, Answer, Column, Entry, Link, Site
from tests.province.text import TOPICS

GROUPS: dict[str, tuple[float, tuple[str, ...]]] = {  # share of sites, variants
    "content": (
        0.42,
        (
            "V3#0", "V4.1#0", "V4.3#0", "D1.4b#0", "D1.5b#0", "D1.6b#0", "D1.9a#0",
            "V3#1", "V4.1#1", "V4.3#1", "D1.4b#1", "D1.5b#1", "D1.6b#1", "D1.9a#1",
            "V3#2", "D1.4b#2", "D1.5b#2", "D1.6b#2", "D1.9a#2", "V3#3", "D1.4b#3", "D1.5b#3", "D1.9a#3", "D1.9a#4", "D1.4b#4",
        ),
    ),
    "frame": (
        0.45,
        (
            "D4.1a#0", "D4.1c#0", "D4.2#0", "D4.4a#0", "D4.4b#0", "D4.1b#0",
            "D4.2#1", "D4.2#2", "D4.2#3", "D4.1a#1", "D4.4b#1", "D4.2#4", "D4.1c#1", "D4.2#5", "D4.1a#2",
            "D4.4a#1", "D4.2#6", "D4.4b#2", "D4.2#7", "D4.1b#1",
        ),
    ),
    "links": (0.42, ("D4.3a#0", "D4.3b#0", "D4.3a#1", "D4.3b#1", "D4.3a#2", "D4.3b#2", "D4.3b#3")),
    "tags": (
        0.34,
        (
            "D4.7a#0", "D4.7b#0", "D4.7a#1", "D4.7b#1", "D4.7a#2", "D4.7b#2", "D4.7a#3", "D4.7b#3", "D4.7a#4",
            "D4.7b#4",
        ),
    ),
}  # fmt: skip


def shift(column: Column, newest: date) -> None:
    """Move a column's entries so that the newest bears this date."""
    top = max(entry.published for entry in column.entries)
    for entry in column.entries:
        entry.published += newest - top


def make_stale(column: Column, newest: date) -> None:
    """Move a column's entries back unless they are older already."""
    if column.entries and max(entry.published for entry in column.entries) > newest:
        shift(column, newest)


def _ago(days: int) -> date:
    return AT - timedelta(days=days)


def _lists(site: Site) -> list[Column]:
    return [c for c in site.columns if c.form == "list" and c.state == "normal"]


def _future(site: Site, column: Column) -> None:
    """Add a row whose date lies after the inspection."""
    day = AT + timedelta(days=site.rng("future").randint(6, 70))
    column.entries.append(Entry(site.next_uid(), f"关于举办{TOPICS[column.uid % 30]}培训班的预告", day))


def _event(column: Column) -> None:
    """Give a row a title with the date of an event near the inspection."""
    entry = max(column.entries, key=lambda e: e.published)
    entry.title = f"关于2023年9月28日举行{TOPICS[entry.uid % 30]}活动的公告"


# --- faults ---


def _stale_home(site: Site, variant: int, touched: set[int]) -> None:
    rng = site.rng("V3")
    days = 15 if variant == 0 else rng.randint(17, 60)
    for column in _lists(site):
        make_stale(column, _ago(days if column.kind == "news" else days + rng.randint(0, 20)))
        touched.add(column.uid)
    if variant == 1:
        _future(site, site.of_kind("notice")[0])
        _event(site.of_kind("news")[0])
    if variant == 2:
        site.frame.today = True
    if variant == 3:
        site.frame.shell = True  # then an answered message is news too
        for letter in site.depth.letters:
            letter.asked -= timedelta(days=days + 10)
            if letter.replied:
                letter.replied -= timedelta(days=days + 10)
    site.frame.hot = False


def _stale_columns(site: Site, variant: int, touched: set[int]) -> None:
    rng = site.rng("V4.1")
    wanted = 3 + variant
    _more_news(site, wanted)
    for column in site.of_kind("news"):
        make_stale(column, _ago(rng.randint(15, 50)))
        touched.add(column.uid)
    for kind in ("notice", "policy"):
        column = site.of_kind(kind)[0]
        make_stale(column, _ago(rng.randint(187, 300)))
        touched.add(column.uid)


def _more_news(site: Site, wanted: int) -> None:
    """Bring the number of news columns to what the fault needs by turning other lists into news columns."""
    names = [
        name
        for name in ("基层动态", "部门动态", "系统动态", "区县动态")
        if all(c.name != name for c in site.columns)
    ]
    for column in site.of_kind("other"):
        if len(site.of_kind("news")) >= wanted:
            return
        column.kind, column.name = "news", names.pop()


def _blank_columns(site: Site, variant: int, touched: set[int]) -> None:
    _blank(site, (5, 6)[variant], touched)


def _blank(site: Site, count: int, touched: set[int]) -> None:
    rng = site.rng("blank")
    candidates = [
        c for c in _lists(site)
        if c.kind in ("personnel", "plans", "finance", "other", "notice", "survey", "data") and c.uid not in touched
    ]  # fmt: skip
    for column in rng.sample(candidates, min(count, len(candidates))):
        column.state = "blank"
        column.blank_form = rng.choice(("empty", "note", "zero", "empty", "note", "delivery"))
        column.entries.clear()
        touched.add(column.uid)


def _stale_news(site: Site, variant: int, touched: set[int]) -> None:
    rng = site.rng("D1.4b")
    for column in site.of_kind("news"):
        make_stale(column, _ago(15 if variant == 0 else rng.randint(18, 120)))
        column.ascending = variant == 2
        touched.add(column.uid)
        if variant == 1:
            _future(site, column)
        if variant == 3:
            column.date_style = "wide"
        if variant == 4 and site.plan.family in ("vsb", "tables"):  # the others show the date in the address
            column.date_style = "none"
            for entry in column.entries:
                entry.dated = False


def _stale_policy(site: Site, variant: int, touched: set[int]) -> None:
    _stale_kind(site, "policy", variant, touched)


def _stale_interp(site: Site, variant: int, touched: set[int]) -> None:
    _stale_kind(site, "interp", variant, touched)


def _stale_kind(site: Site, kind: str, variant: int, touched: set[int]) -> None:
    for column in site.of_kind(kind):
        if column.parent is not None:
            continue
        touched.add(column.uid)
        if variant == 2:
            column.state, column.blank_form = "blank", "note"
            column.entries.clear()
            continue
        make_stale(column, date(2023, 3, 18) if variant == 0 else _ago(site.rng(kind).randint(200, 500)))
        if variant == 3:
            _future(site, column)


def _blank_other(site: Site, variant: int, touched: set[int]) -> None:
    if variant == 4:
        child = next(
            (c for c in site.columns if c.parent is not None and c.form == "list" and c.kind != "stats"), None
        )
        if child is not None:
            child.state, child.blank_form = "blank", "empty"
            child.entries.clear()
            touched.add(child.uid)
            return
    _blank(site, (1, 2, 3, 1, 1)[variant], touched)
    if variant == 3:
        site.frame.hot = True


def _wrong_domain(site: Site, variant: int, touched: set[int]) -> None:
    """The host name was chosen with the roster; nothing else to do."""


def _nameless(site: Site, variant: int, touched: set[int]) -> None:
    site.frame.header = ("slogan", "comment")[variant]


def _other_name(site: Site, variant: int, touched: set[int]) -> None:
    """Title, tags and header call the site something else than its area or department."""
    site.frame.alias = ("生活资讯港", "便民信息在线")[variant]
    site.frame.header = "text"


def _missing_marks(site: Site, variant: int, touched: set[int]) -> None:
    if variant < 6:
        site.frame.mark_faults = {MARKS[variant]: "absent"}
    elif variant == 6:
        site.frame.mark_faults = {MARKS[2]: "comment", MARKS[3]: "comment"}
    else:
        site.frame.mark_faults = {MARKS[0]: "comment", MARKS[1]: "absent", MARKS[4]: "comment"}


def _home_entry(site: Site, variant: int, touched: set[int]) -> None:
    site.frame.entry_missing = "home"
    site.frame.entry_comment = variant == 1


def _page_entry(site: Site, variant: int, touched: set[int]) -> None:
    site.frame.entry_missing = ("others", "all", "others")[variant]
    site.frame.entry_comment = variant == 2


_DEAD = (
    ("http404", Answer(404, b"<html><head><title>404 Not Found</title></head><body>404 Not Found</body></html>")),
    ("http410", Answer(410, b"<html><body>410 Gone</body></html>")),
    ("http500", Answer(500, b"<html><body>HTTP Status 500</body></html>")),
    ("reset", Answer(reset=True)),
    ("soft404", Answer(page="gone")),
    ("home", Answer(302, location="/")),
)  # fmt: skip
DEAD_OUTSIDE = (
    "http://www.yunjianglvyou.net.cn/",  # a name that does not exist
    "http://news.yunjiangdaily.cn/gone/{n}.html",
    "http://news.yunjiangdaily.cn/err/{n}.html",
    "http://fw.yjbianmin.org.cn/reset/{n}",
    "http://news.yunjiangdaily.cn/soft/{n}.html",
)
OUTSIDE = (
    ("国务院", "http://www.gov.cn/"), ("云江日报", "http://news.yunjiangdaily.cn/"),
    ("云江政务服务网", "http://www.yjzwfw.gov.cn/"), ("云江便民网", "http://fw.yjbianmin.org.cn/index.html"),
)  # fmt: skip


def dead_link(site: Site, number: int) -> Link:
    """Make a link whose target is truly dead or wrong, on this host or on another."""
    serial = 700 + site.uids * 13 + number
    if number % 4 == 3:
        pattern = DEAD_OUTSIDE[(number // 4 + len(site.host)) % len(DEAD_OUTSIDE)]
        return Link("友情链接单位", pattern.format(n=serial), "yes")
    name, answer = _DEAD[(number + len(site.host)) % len(_DEAD)]
    shapes = (
        (f"/zt/{serial}/index.html", "专题报道"), (f"/attach/{serial}.pdf", "附件下载"), (f"/attach/{serial}.doc", "申请表"),
    )  # fmt: skip
    path, text = shapes[number % 3]
    if name in ("soft404", "home"):
        path, text = f"/zt/{serial}/index.html", "专题回顾"
    site.answers[path] = answer
    return Link(text, site.base + path, "yes")


def dead_image(site: Site, number: int) -> Link:
    """Make an image that is not there."""
    path = f"/picture/{800 + number + site.uids}.jpg"
    site.answers[path] = Answer(404, b"<html><body>404</body></html>")
    return Link("专题图片", site.base + path, "yes", image=True)


def alive_link(site: Site, number: int) -> Link:
    """Make a link that looks dead to a hasty checker and is not (or that is no link at all)."""
    serial = 300 + site.uids + number
    path = f"/zhuanti/{serial}/index.html"
    shapes: tuple[Answer | None, ...] = (
        Answer(page="topic", head_status=405), Answer(page="topic", head_status=403), Answer(page="topic", flaps=1),
        Answer(page="topic", flaps=2, flap_status=0), Answer(page="topic", delay=1.5),
        Answer(301, location=f"/zhuanti/{serial}/new.html"), None, None, None, None, None, None,
    )  # fmt: skip
    kind = number % len(shapes)
    answer = shapes[kind]
    if answer is not None:
        site.answers[path] = answer
        site.answers[f"/zhuanti/{serial}/new.html"] = Answer(page="topic")
        return Link("专题", site.base + path)
    raw = (
        '<a href="javascript:void(0)" onclick="addFavorite()">加入收藏</a>',
        '<a href="mailto:?subject=share">推荐给朋友</a>',
        '<a href="#top" name="top">返回顶部</a>',
        f'<!-- <a href="/zt/{serial}-gone/index.html">已下线专题</a> -->',
        f'<a href="  {site.home} ">设为首页</a>',
        '<a href="">首页推荐</a>',
    )[kind - 6]
    return Link("", "", raw=raw)


def _dead_home(site: Site, variant: int, touched: set[int]) -> None:
    rng = site.rng("D4.3a")
    start = rng.randrange(24)
    if variant == 2:
        site.home_links.append(dead_image(site, start))
    site.home_links += [dead_link(site, start + step) for step in range((1, 3, 1)[variant])]
    site.frame.shell = False


def _dead_elsewhere(site: Site, variant: int, touched: set[int]) -> None:
    rng = site.rng("D4.3b")
    start = rng.randrange(24)
    site.frame.shell = False
    if variant == 3:
        linked = ("policy", "interp")  # their articles stand for each other elsewhere
        candidates = [c for c in _lists(site)[1:] if c.kind not in linked]
        column = max(candidates, key=lambda c: len(c.entries))
        min(column.entries, key=lambda e: e.published).dead = True
        touched.add(column.uid)
        return
    places = [c for c in site.columns if c.form in ("list", "text") and c.state == "normal"]
    for step, column in enumerate(rng.sample(places, (1, 2, 3)[variant])):
        touched.add(column.uid)
        if variant == 2 and step == 0:
            column.links.append(dead_image(site, start))
        else:
            column.links.append(dead_link(site, start + step))
    if variant == 1:
        column = rng.choice([c for c in places if c.entries])
        column.entries[0].links.append(dead_link(site, start + 9))


def _article_tags(site: Site, variant: int, touched: set[int]) -> None:
    site.frame.article_tags = ("all", "one", "empty", "comment", "site")[variant]


def _column_tags(site: Site, variant: int, touched: set[int]) -> None:
    site.frame.column_tags = ("all", "one", "empty", "comment", "site")[variant]


FAULTS: dict[str, Callable[[Site, int, set[int]], None]] = {
    "V3": _stale_home, "V4.1": _stale_columns, "V4.3": _blank_columns, "D1.4b": _stale_news, "D1.5b": _stale_policy,
    "D1.6b": _stale_interp, "D1.9a": _blank_other, "D4.1a": _wrong_domain, "D4.1b": _other_name, "D4.1c": _nameless, "D4.2": _missing_marks,
    "D4.4a": _home_entry, "D4.4b": _page_entry, "D4.3a": _dead_home, "D4.3b": _dead_elsewhere,
    "D4.7a": _article_tags, "D4.7b": _column_tags,
}  # fmt: skip


# --- traps ---


def _pick(site: Site, touched: set[int], *kinds: str, childless: bool = False) -> Column | None:
    """Choose an untouched list column and mark it touched; `childless`: none that leads to further columns."""
    parents = {c.parent.uid for c in site.columns if c.parent is not None} if childless else set()
    free = [
        c for c in _lists(site)
        if c.uid not in touched | parents and (not kinds or c.kind in kinds) and c.delivery in ("static", "cdata")
    ]  # fmt: skip
    if not free:
        return None
    column = site.rng("pick" + "".join(kinds) + str(len(touched))).choice(free)
    touched.add(column.uid)
    return column


def _pinned(site: Site, touched: set[int]) -> None:
    column = _pick(site, touched, "news", "notice", "policy")
    if column is not None:
        old = Entry(
            site.next_uid(),
            f"{site.plan.area}{TOPICS[column.uid % 30]}公开指南",
            date(2021, 5, 18),
            pinned=True,
        )
        column.entries.append(old)
        column.date_style = "iso" if column.date_style in ("md", "bracket") else column.date_style


def _ascending(site: Site, touched: set[int]) -> None:
    column = _pick(site, touched, "news", "notice", "policy", "interp")
    if column is not None:
        column.ascending = True


def _future_row(site: Site, touched: set[int]) -> None:
    column = _pick(site, touched, "notice", "news")
    if column is not None:
        _future(site, column)


def _event_title(site: Site, touched: set[int]) -> None:
    column = _pick(site, touched, "notice")
    if column is not None:
        _event(column)


def _undated(site: Site, touched: set[int]) -> None:
    column = _pick(site, touched, "news", "interp", "policy")
    if column is not None:
        column.date_style = "none"


def _xhr(site: Site, touched: set[int]) -> None:
    _deliver(site, touched, "xhr")


def _proxy(site: Site, touched: set[int]) -> None:
    _deliver(site, touched, "proxy" if site.plan.family == "hanweb" else "xhr")


def _inline(site: Site, touched: set[int]) -> None:
    _deliver(site, touched, "inline")


def _deliver(site: Site, touched: set[int], delivery: str) -> None:
    column = _pick(site, touched)
    if column is not None:
        column.delivery = delivery


def _external(site: Site, touched: set[int]) -> None:
    column = _pick(site, touched, "other", "personnel", "data", "survey", "plans", childless=True)
    if column is not None:
        column.form, column.external = "external", "http://www.yjzwfw.gov.cn/portal/index.html"
        column.entries.clear()


def _maintenance(site: Site, touched: set[int]) -> None:
    column = _pick(site, touched, "other", "personnel", "data", "survey", "plans", childless=True)
    if column is not None:
        column.state = "maintenance"
        column.entries.clear()


def _picture(site: Site, touched: set[int]) -> None:
    column = _pick(site, touched, "other", "plans", "finance", childless=True)
    if column is not None:
        column.form, column.on_home = "picture", False
        column.entries.clear()


def _iframe(site: Site, touched: set[int]) -> None:
    column = _pick(site, touched, "other", "personnel", "finance", "notice")
    if column is not None:
        column.form = "frame"


def _old_sub(site: Site, touched: set[int]) -> None:
    parent = next((c for c in site.of_kind("policy") if c.state == "normal"), None)
    if parent is None or any(c.parent is parent for c in site.columns):
        return
    sub = Column(site.next_uid(), "policy", "历史文件", parent=parent, in_nav=False, on_home=False)
    sub.entries = [
        Entry(
            site.next_uid(),
            f"关于{TOPICS[(sub.uid + step) % 30]}工作的意见",
            date(2021, 11, 3) - timedelta(days=40 * step),
        )
        for step in range(5)
    ]
    site.columns.append(sub)
    touched.add(sub.uid)


def _nav_comment(site: Site, touched: set[int]) -> None:
    site.notes.append("nav_comment")


def _edge(site: Site, touched: set[int], kind: str, newest: date) -> None:
    columns = [c for c in site.of_kind(kind) if c.parent is None and c.form == "list"]
    if any(c.uid in touched or c.state != "normal" for c in columns):
        return
    for column in columns:
        shift(column, newest)
        touched.add(column.uid)


def _edge_news(site: Site, touched: set[int]) -> None:
    _edge(site, touched, "news", _ago(13))


def _edge_policy(site: Site, touched: set[int]) -> None:
    _edge(site, touched, "policy", date(2023, 3, 22))
    _edge(site, touched, "interp", date(2023, 3, 23))


def _short_name(site: Site, touched: set[int]) -> None:
    """A portal may call itself 中国·<area>: that is its name."""
    if site.plan.kind == "portal" and not any(fault.startswith("D4.1") for fault in site.plan.faults):
        site.frame.alias = "中国·" + site.plan.name.removesuffix("人民政府")[:-1]


def _today(site: Site, touched: set[int]) -> None:
    site.frame.today = True


def _hot(site: Site, touched: set[int]) -> None:
    site.frame.hot = not any(fault.startswith("V3") for fault in site.plan.faults)


def _four_blank(site: Site, touched: set[int]) -> None:
    """Four blank columns are four points under D1.9a and no veto."""
    if all(c.state != "blank" for c in site.columns):
        _blank(site, 4, touched)


def _four_stale(site: Site, touched: set[int]) -> None:
    """Three or four stale columns fall short of the veto's five."""
    kinds = ("notice", "policy")
    chosen = [c for kind in kinds for c in site.of_kind(kind) if c.parent is None and c.form == "list"]
    if any(fault.startswith(("V", "D1")) for fault in site.plan.faults) or any(
        c.uid in touched for c in chosen
    ):
        return
    for column in chosen:
        make_stale(column, _ago(200))
        touched.add(column.uid)


def _shell(site: Site, touched: set[int]) -> None:
    if not any(fault.startswith(("V3", "D4.3")) for fault in site.plan.faults):
        site.frame.shell = True


def _home_link(site: Site, touched: set[int]) -> None:
    start = site.rng("alive").randrange(12)
    site.home_links += [alive_link(site, start + step) for step in range(4)]
    site.home_links.append(Link(*OUTSIDE[start % len(OUTSIDE)]))


def _column_link(site: Site, touched: set[int]) -> None:
    rng = site.rng("alive column")
    column = rng.choice([c for c in site.columns if c.form in ("list", "text") and c.state == "normal"])
    column.links += [alive_link(site, rng.randrange(12) + step) for step in range(3)]


def _flap(site: Site, touched: set[int]) -> None:
    site.notes.append("flap")


def _slow(site: Site, touched: set[int]) -> None:
    site.notes.append("slow")


def _body_unit(site: Site, touched: set[int]) -> None:
    site.notes.append("body_unit")


def _home_inline(site: Site, touched: set[int]) -> None:
    site.notes.append("home_inline")


def _wide_digits(site: Site, touched: set[int]) -> None:
    column = _pick(site, touched, "news", "notice", "policy")
    if column is not None:
        column.date_style = "wide"


TRAP_ACTIONS: dict[str, Callable[[Site, set[int]], None]] = {
    "pinned": _pinned, "ascending": _ascending, "future": _future_row, "event": _event_title, "undated": _undated,
    "xhr": _xhr, "proxy": _proxy, "inline": _inline, "external": _external, "maintenance": _maintenance,
    "picture": _picture, "iframe": _iframe, "old_sub": _old_sub, "nav_comment": _nav_comment, "edge_news": _edge_news,
    "edge_policy": _edge_policy, "short_name": _short_name, "today": _today, "hot": _hot, "four_blank": _four_blank, "four_stale": _four_stale,
    "shell": _shell, "home_link": _home_link, "column_link": _column_link, "flap": _flap, "slow": _slow,
    "body_unit": _body_unit, "home_inline": _home_inline, "wide_digits": _wide_digits,
}  # fmt: skip
