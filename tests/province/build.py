"""Turns a plan into a site: its columns and entries, its frame, then the faults and traps, then the addresses."""

# ruff: noqa: E501  (markup and word lists in long lines)
from __future__ import annotations

from datetime import timedelta
from random import Random

from tests.province import planting, text
from tests.province.depth import form_path
from tests.province.faults import OUTSIDE
from tests.province.model import (
    AT,
    FORTNIGHT,
    HALF_YEAR,
    MONTH,
    QUARTER_YEAR,
    YEAR,
    Answer,
    Column,
    Depth,
    Entry,
    Frame,
    Guide,
    Leader,
    Letter,
    Link,
    Plan,
    Site,
)
from tests.province.platforms import PLATFORMS

_FRESH = {  # kind: newest entry at most so many days old, gap between entries
    "news": (1, 9, 1, 5), "notice": (2, 60, 4, 20), "policy": (5, 140, 10, 40), "interp": (5, 140, 10, 40),
    "data": (5, 60, 20, 35), "survey": (5, 60, 15, 40), "stats": (4, 20, 28, 31),
}  # fmt: skip
_OTHER = (3, 90, 8, 40)
_STYLES = {
    "hanweb": ("iso", "bracket", "iso", "slash", "none"),
    "trs": ("iso", "bracket", "slash", "iso", "none"),
    "vsb": ("iso", "cn", "slash", "md"),
    "tables": ("bracket", "cn", "slash", "year"),
    "soup": ("iso", "year", "cn", "md", "none"),
}
_TAGS = ("plain", "plain", "plain", "lower", "upper", "content_first", "single", "unquoted")
_ENCODINGS = (  # encoding, where it is declared, byte order mark
    ("utf-8", "both", False), ("utf-8", "meta", False), ("utf-8", "both", False), ("utf-8", "meta", False),
    ("gbk", "meta", False), ("gbk", "none", False), ("gbk", "wrong", False), ("utf-8", "none", True),
    ("gbk", "both", False), ("utf-8", "both", False), ("utf-8", "wrong", False), ("utf-8", "header", False),
)  # fmt: skip


def build(plan: Plan) -> Site:
    """Build the site of a plan; the same plan gives the same site."""
    rng = Random(f"{plan.seed}/{plan.site_id}/build")
    code = f"{plan.code}{rng.randint(1, 99):04d}"
    site = Site(
        plan=plan,
        host=plan.host,
        site_code=code if rng.random() > 0.1 else f"bm{rng.randint(10_000_000, 99_999_999)}",
        phone=f"05{plan.code[3:5]}-8{rng.randint(100_000, 999_999)}",
        icp=f"{rng.randint(5, 22):02d}{rng.randint(0, 999_999):06d}",
        police=f"{plan.code}02{rng.randint(0, 999_999):06d}",
        frame=_frame(plan, rng),
        columns=[],
        uids=rng.randint(1000, 90_000),
    )
    site.columns = _columns(site, rng)
    site.home_style = rng.choice(("iso", "iso", "bracket", "slash", "md"))
    site.home_links = [Link(name, url) for name, url in rng.sample(OUTSIDE, 2)]
    site.depth = _depth(site, rng)
    _relate(site, rng)
    planting.plant(site)
    _settle(site)
    _readable(site)
    _address(site)
    return site


def _frame(plan: Plan, rng: Random) -> Frame:
    encoding, declare, bom = rng.choice(_ENCODINGS)
    return Frame(
        nav=rng.choice(("ul", "table", "map", "ul")),
        header=rng.choice(("text", "logo", "title", "spaced", "script", "text", "logo")),
        footer=rng.choice(("text", "text", "image", "script", "iframe", "inline", "text")),
        find_error=rng.choice(("link", "script", "image", "old", "link", "image")),
        tag_style=rng.choice(_TAGS),
        encoding=encoding,
        declare=declare,
        bom=bom,
    )


def _columns(site: Site, rng: Random) -> list[Column]:
    plan = site.plan
    portal = plan.kind == "portal"
    names = {kind: rng.sample(options, len(options)) for kind, options in text.COLUMN_NAMES.items()}
    names["policy"] = [names["policy"][0]]

    def make(kind: str, form: str = "list", *, home: bool = True, parent: Column | None = None) -> Column:
        source = "news2" if kind == "news" and any(c.kind == "news" for c in made) else kind
        name = f"走进{plan.area[:-1]}" if kind == "overview" else names[source].pop()
        column = Column(site.next_uid(), kind, name, form, parent, in_nav=parent is None, on_home=home)
        if form == "list":
            _fill(site, column, rng, rng.randint(5, 8) if portal else rng.randint(3, 4))
        made.append(column)
        return column

    made: list[Column] = []
    make("news")
    if portal:
        make("overview", "text", home=False)
        make("news")
        make("news")
        if rng.random() < 0.5:
            _fill(site, made[0], rng, 8)
    else:
        make("organs", "text", home=False)
        if rng.random() < 0.3:
            make("news")
    for kind in ("notice", "policy", "interp"):
        make(kind)
    if portal:
        make("organs", "text", home=False)
    make("leaders", "leaders", home=False)
    tops = [make(kind) for kind in ("personnel", "finance", "plans")]
    if portal:
        make("data")
    for kind in ("survey",) if portal or rng.random() < 0.4 else ():
        make(kind)
    make("messages", "messages", home=False)
    if plan.has_services:
        services = make("services", "services", home=False)
        sub = make("stats", home=False, parent=services)
        del sub.entries[3:]
    for _ in range(2 if portal else 3):
        make("other")
    _subs(site, tops, made, rng, 3 if portal else rng.randint(0, 1))
    return made


def _subs(site: Site, tops: list[Column], made: list[Column], rng: Random, count: int) -> None:
    """Add second-level columns, found only in the side menu of their parent."""
    for parent in tops[:count]:
        for name in rng.sample(text.SUB_NAMES[parent.kind], 2):
            sub = Column(site.next_uid(), parent.kind, name, parent=parent, in_nav=False, on_home=False)
            _fill(site, sub, rng, rng.randint(2, 3))
            made.append(sub)


def _fill(site: Site, column: Column, rng: Random, count: int) -> None:
    """Give a column fresh entries, and the way its page delivers and dates them."""
    low, high, gap_low, gap_high = _FRESH.get(column.kind, _OTHER)
    day = AT - timedelta(days=rng.randint(low, high))
    for _ in range(count):
        title = text.title(rng, column.kind, site.plan.area, day)
        column.entries.append(Entry(site.next_uid(), title, day))
        day -= timedelta(days=rng.randint(gap_low, gap_high))
    column.date_style = rng.choice(_STYLES[site.plan.family])
    if site.plan.family == "hanweb" and rng.random() < 0.7:
        column.delivery = "cdata"


def _depth(site: Site, rng: Random) -> Depth:
    """Fill what stands behind the boards: answered messages, complete guides and leaders, a working search."""
    day = AT - timedelta(days=rng.randint(4, 20))
    letters = []
    for question in rng.sample(text.QUESTIONS, 5):
        letters.append(Letter(question, day, day + timedelta(days=rng.randint(1, 3))))
        day -= timedelta(days=rng.randint(3, 12))
    items = rng.sample(text.SERVICE_ITEMS, 5) if site.plan.has_services else []
    posts = ("党组书记、主要负责人", "党组副书记、副职", "党组成员、副职")
    names: list[str] = []
    while len(names) < len(posts):
        name = text.person(rng)
        names += [name] if name not in names else []
    leaders = [Leader(name, post) for name, post in zip(names, posts, strict=True)]
    return Depth(letters, "", [Guide(item) for item in items], leaders, layout=rng.randrange(12))


def _relate(site: Site, rng: Random) -> None:
    """Give each policy file one interpretation; both know of each other."""
    policies = next(c for c in site.of_kind("policy") if c.parent is None)
    interpretations = next(c for c in site.of_kind("interp") if c.parent is None)
    count = min(len(policies.entries), len(interpretations.entries))
    del policies.entries[count:], interpretations.entries[count:]
    seen: set[str] = set()
    for policy, interpretation in zip(policies.entries, interpretations.entries, strict=True):
        name = text.policy_name(rng, site.plan.area)
        while name in seen:
            name = text.policy_name(rng, site.plan.area)
        seen.add(name)
        policy.title = f"{site.plan.name}关于印发《{name}》的通知"
        interpretation.title = f"《{name}》政策解读"
        policy.related, interpretation.related = [interpretation], [policy]


def _settle(site: Site) -> None:
    """Move dates that fall on the very edge of a window out of reach of doubt."""
    edges = {
        "news": (FORTNIGHT,), "notice": (HALF_YEAR,), "policy": (HALF_YEAR,), "interp": (HALF_YEAR,),
        "stats": (MONTH, QUARTER_YEAR), "data": (QUARTER_YEAR, HALF_YEAR), "survey": (YEAR,),
    }  # fmt: skip
    for column in site.columns:
        for edge in edges.get(column.kind, ()):
            newest = column.newest
            near = 0 if column.kind == "news" else 1
            if newest is not None and abs((newest - edge).days) <= near:
                for entry in column.entries:
                    entry.published -= timedelta(days=3)


def _readable(site: Site) -> None:
    """A site whose lists need a browser declares its encoding: its owner would have seen it garbled."""
    scripted = any(c.delivery in ("xhr", "proxy") or c.blank_form == "delivery" for c in site.columns)
    if scripted and site.frame.declare in ("wrong", "none"):
        site.frame.declare = "meta"


def _address(site: Site) -> None:
    """Give columns and articles their addresses, once their names and dates are final."""
    platform = PLATFORMS[site.plan.family]
    gone = Answer(404, b"<html><body>404 Not Found</body></html>")
    site.answers |= {
        form_path(site, n): gone for n, guide in enumerate(site.depth.guides) if guide.form == "dead"
    }
    for column in site.columns:
        _fit_style(column)
        column.path = platform.column_path(site, column)
        for entry in column.entries:
            entry.path = platform.article_path(site, column, entry)
            if entry.dead:
                site.answers[entry.path] = gone


def _fit_style(column: Column) -> None:
    """Dates without a year are shown only where no reader could mistake the year."""
    spread = [abs((AT - entry.published).days) for entry in column.entries]
    if column.date_style in ("md", "bracket") and any(days > 260 for days in spread):
        column.date_style = "iso"
    if column.date_style in ("md", "bracket", "year") and any(
        entry.published > AT for entry in column.entries
    ):
        column.date_style = "iso"
