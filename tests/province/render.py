"""Composes the pages of a site from its platform's pieces, and answers a path with bytes."""

# ruff: noqa: E501  (markup and word lists in long lines)
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from html import escape
from urllib.parse import unquote_to_bytes

from tests.province import depth, frame, text
from tests.province.model import AT, COLUMN_TAGS, CONTENT_TAGS, Answer, Column, Entry, Link, Site
from tests.province.platforms import PLATFORMS, Platform
from tests.province.platforms.base import Block, Parts, Row, show

HOME_ROWS = 6
_HOME_NAMES = ("/", "/index.html", "/index.htm", "/index.asp")
_PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360f8cf"
    "c0f01f0005000201ff5f2b3e0000000049454e44ae426082"
)
_PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n%%EOF\n"
_DOC = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(1528)
_STATIC = {"css": "text/css", "js": "application/javascript", "png": "image/png", "gif": "image/gif"}
_NO_CONTENT = {
    "empty": "",
    "note": '<div class="nodata">暂无相关信息</div>',
    "zero": "<p>共0条记录 第1/1页</p>",
    "delivery": "",
}


def display(column: Column) -> list[Entry]:
    """Return a column's entries in the order its own page shows them."""
    pinned = [entry for entry in column.entries if entry.pinned]
    rest = sorted((e for e in column.entries if not e.pinned), key=lambda e: (e.published, e.uid))
    return pinned + (rest if column.ascending else rest[::-1])


def home_columns(site: Site) -> list[Column]:
    """Return the columns whose newest rows the home page shows."""
    if site.frame.shell:
        return []
    return [c for c in site.columns if c.on_home and c.form == "list" and c.parent is None]


def home_entries(column: Column) -> list[Entry]:
    """Return the rows the home page shows of a column, newest first."""
    rest = [entry for entry in column.entries if not entry.pinned]
    return sorted(rest, key=lambda e: (e.published, e.uid), reverse=True)[:HOME_ROWS]


class Renderer:
    """The pages of one site, rendered on demand."""

    def __init__(self, site: Site, lower: Callable[[], list[tuple[str, str]]] = list) -> None:
        self.site = site
        self._lower = lower  # (title, address) of articles on lower-level sites
        self.platform: Platform = PLATFORMS[site.plan.family]
        self.pages: dict[str, Callable[[], Answer]] = {}
        self.entries: dict[str, tuple[Column, Entry]] = {}
        self._extra: dict[str, tuple[str, str]] = {}
        self._map()

    def answer(self, path: str) -> Answer:
        """Answer a path with its query, as the site's server would."""
        site = self.site
        if path in site.answers:
            answer = site.answers[path]
            return self.special(path, answer) if answer.page else answer
        page = self.pages.get(path)
        if page is not None:
            answer = page()
            return self._mood(path, answer)
        if path in self._extra:
            kind, body = self._extra[path]
            return Answer(body=body.encode(), content_type=kind)
        return self._rest(path)

    # --- addresses ---

    def _map(self) -> None:
        site = self.site
        for name in _HOME_NAMES:
            self.pages[name] = self.home
        for column in site.columns:
            self._map_column(column)
        self.pages["/sitemap.html"] = self.sitemap
        for place in ("home", "page"):
            home = place == "home"
            self.pages[f"/include/footer_{place}.html"] = lambda home=home: self._fragment(home)

    def _map_column(self, column: Column) -> None:
        if column.form == "external":
            return
        total = max(1, -(-len(column.entries) // self.platform.page_size))
        for number in range(1, total + 1):
            path = column.path if number == 1 else self.platform.next_path(column, number)
            self.pages[path] = lambda column=column, number=number: self.column(column, number)
        if column.path.endswith("/"):
            self.pages[column.path + "index.html"] = self.pages[column.path]
        for entry in column.entries:
            if not entry.dead:
                self.pages[entry.path] = lambda column=column, entry=entry: self.article(column, entry)
                self.entries[entry.path] = (column, entry)
        if column.form == "list" and column.delivery in ("xhr", "proxy"):
            _, extra = self.platform.dynamic(self.site, column, self._rows(column, column.path, 1))
            self._extra.update(extra)
        if column.form == "list" and column.state == "blank" and column.blank_form == "delivery":
            self._extra.update(self.platform.dynamic(self.site, column, [])[1])
        if column.form == "frame":
            self.pages[f"/include/list_{column.uid}.html"] = lambda: self._list_frame(column)
        for path, render in self._details(column).items():
            self.pages[path] = render

    def _details(self, column: Column) -> dict[str, Callable[[], Answer]]:
        """Return the pages behind a leaders, services or messages column."""
        deep = self.site.depth
        counts = {"leaders": len(deep.leaders), "services": len(deep.guides), "messages": len(deep.letters)}
        count = counts.get(column.form, 0)
        render = {"leaders": self.leader, "services": self.guide, "messages": self.message}.get(column.form)
        if render is None:
            return {}
        return {
            self.detail_path(column, number): (lambda number=number: render(column, number))
            for number in range(count)
        }

    def detail_path(self, column: Column, number: int) -> str:
        """Return the address of a leader, guide or message."""
        entry = Entry(column.uid * 100 + number, "", AT - timedelta(days=40 + number))
        return self.platform.article_path(self.site, column, entry)

    def _mood(self, path: str, answer: Answer) -> Answer:
        """Let some pages of flapping and slow sites fail or dawdle at first."""
        site = self.site
        number = sum(path.encode()) + site.uids
        if "flap" in site.notes and number % 7 == 0:
            return replace(answer, flaps=1 + number % 2, flap_status=503 if number % 2 else 0)
        if "slow" in site.notes and number % 13 == 0:
            return replace(answer, delay=1.0 + number % 2)
        return answer

    def _rest(self, path: str) -> Answer:
        """Answer static files and search; everything else is missing."""
        bare, _, query = path.partition("?")
        if bare == self.search_path:
            return self.search(query)
        if bare.startswith("/script/footer_"):
            return Answer(body=frame.footer_script(self.site, "home" in bare).encode(), content_type=_JS)
        if bare == "/script/header.js":
            return Answer(body=frame.header_script(self.site).encode(), content_type=_JS)
        if bare == "/script/jpage.js":
            return Answer(body=_JPAGE.encode(), content_type=_JS)
        folder, _, name = bare.rpartition("/")
        suffix = name.rpartition(".")[2]
        if folder in ("/css", "/js", "/images") and suffix in _STATIC:
            return Answer(body=_PNG if suffix in ("png", "gif") else b"/* */\n", content_type=_STATIC[suffix])
        if bare.startswith("/files/"):
            return Answer(body=_PDF if suffix == "pdf" else _DOC, content_type="application/octet-stream")
        if bare == "/robots.txt":
            return Answer(body=b"User-agent: *\nDisallow: /manage/\n", content_type="text/plain")
        return Answer(404, b"<html><head><title>404</title></head><body>404 Not Found</body></html>")

    # --- pages ---

    def home(self) -> Answer:
        """Render the home page."""
        site, platform = self.site, self.platform
        main = []
        for column in home_columns(site):
            rows = [self._row(e, "/", self._home_style(column)) for e in home_entries(column)]
            block = Block(column.name, self._href("/", column.path), rows)
            if column is site.columns[0] and "home_inline" in site.notes:
                empty = platform.block(Block(column.name, block.href, []))
                main.append(empty + platform.inline(rows))
            else:
                main.append(platform.block(block))
        main.append(platform.links("友情链接", [link for link in site.home_links if not link.image]))
        pictures = [link for link in site.home_links if link.image]
        if pictures:
            main.append(platform.links("专题专栏", pictures))
        name = frame.site_title(site)
        values = frame.tag_values(site, ("", ""), None)
        return self._page("/", name, frame.tags(site, values, "", ()), "\n".join(main), home=True)

    def _home_style(self, column: Column) -> str:
        style = self.site.home_style
        days = [abs((AT - entry.published).days) for entry in home_entries(column)]
        future = any(entry.published > AT for entry in column.entries)
        return "iso" if style in ("md", "bracket") and (future or max(days, default=0) > 260) else style

    def column(self, column: Column, number: int) -> Answer:
        """Render page `number` of a column."""
        site, platform = self.site, self.platform
        path = column.path if number == 1 else platform.next_path(column, number)
        article = None
        if column.form in ("text", "picture"):
            article = (column.name, f"{AT - timedelta(days=200)} 09:00", site.plan.name)
        values = frame.tag_values(site, (column.name, _TYPES.get(column.kind, "其他")), article)
        meta = frame.tags(site, values, site.frame.column_tags, COLUMN_TAGS)
        main = self._column_main(column, path, number)
        if column.links:
            main += platform.links("相关链接", column.links)
        return self._page(path, f"{column.name}-{frame.site_title(site)}", meta, main, column=column)

    def _column_main(self, column: Column, path: str, number: int) -> str:
        site, platform = self.site, self.platform
        if column.state == "maintenance":
            return '<div class="tips"><p>栏目维护中，敬请期待！</p></div>'
        if column.state == "blank":
            if column.blank_form == "delivery":
                return platform.dynamic(site, column, [])[0]
            return platform.listing(column, []) + _NO_CONTENT[column.blank_form]
        match column.form:
            case "text":
                paragraphs = text.paragraphs(site.rng(f"text{column.uid}"), site.plan.area, 4)
                return platform.article(column.name, "", paragraphs, "")
            case "picture":
                return f'<div class="pic"><p><img src="/images/chart{column.uid}.png" width="720" alt="{column.name}"></p></div>'
            case "frame":
                return f'<iframe src="/include/list_{column.uid}.html" width="100%" height="600" frameborder="0"></iframe>'
            case "leaders":
                return self._leaders(column, path)
            case "services":
                return self._services(column, path)
            case "messages":
                return self._messages(column, path)
        rows = self._rows(column, path, number)
        if column.delivery in ("xhr", "proxy"):
            return platform.dynamic(site, column, rows)[0]
        if column.delivery == "inline":
            return platform.inline(rows)
        total = max(1, -(-len(column.entries) // platform.page_size))
        return platform.listing(column, rows) + platform.pager(site, column, number, total)

    def article(self, column: Column, entry: Entry) -> Answer:
        """Render an article."""
        site = self.site
        rng = site.rng(f"article{entry.uid}")
        paragraphs = text.paragraphs(rng, site.plan.area, rng.randint(3, 6))
        after = self._related(column, entry)
        if column.kind == "survey":
            paragraphs, after = depth.survey(site, entry, column.entries.index(entry))
        if "body_unit" in site.notes:
            paragraphs.append(f"主办单位：{site.plan.area}活动组委会 联系电话：{site.phone[:5]}8000000")
        day = f"{entry.published} {8 + entry.uid % 9:02d}:{entry.uid % 60:02d}"
        if not entry.dated:
            day = ""
        line = (
            f"发布日期：{day} " if day else ""
        ) + f"信息来源：{site.plan.name} 浏览次数：{entry.uid % 900} 字体：[大 中 小]"
        tail = after + "".join(f"<p>附件：{link}</p>" for link in map(_plain, entry.links))
        if entry.uid % 5 == 0:
            tail += f'<p>附件：<a href="/files/{entry.uid}.pdf">{entry.title[:12]}.pdf</a></p>'
        main = self.platform.article(entry.title, line, paragraphs, tail)
        meta = self._content_tags(column, entry.title, day)
        title = f"{entry.title}-{frame.site_title(site)}"
        return self._page(entry.path, title, meta, main, column=column, leaf=True)

    def _content_tags(self, column: Column, title: str, day: str) -> str:
        site = self.site
        kind = (column.name, _TYPES.get(column.kind, "其他"))
        values = frame.tag_values(site, kind, (title, day, site.plan.name))
        return frame.tags(site, values, site.frame.article_tags, CONTENT_TAGS)

    def _related(self, column: Column, entry: Entry) -> str:
        """Link an interpretation to its policy file and back, as far as the site does so."""
        relation = self.site.depth.relation
        if (column.kind, relation) in (("interp", "no_policy"), ("policy", "no_back")):
            return ""
        label = "相关文件" if column.kind == "interp" else "相关解读"
        known = [other for other in entry.related if other.path in self.pages]
        return "".join(
            f'<p>{label}：<a href="{escape(self._href(entry.path, other.path))}">{other.title}</a></p>'
            for other in known
        )

    def _leaders(self, column: Column, path: str) -> str:
        lines = []
        for number, leader in enumerate(self.site.depth.leaders):
            href = escape(self._href(path, self.detail_path(column, number)))
            lines.append(f'<li><a href="{href}">{leader.name}</a><span>{leader.post}</span></li>')
        return f'<div class="leaders"><ul>{"".join(lines)}</ul></div>'

    def leader(self, column: Column, number: int) -> Answer:
        """Render a leader's page."""
        leader = self.site.depth.leaders[number]
        return self._detail(column, number, leader.name, 40, depth.leader(self.site, leader, number))

    def _services(self, column: Column, path: str) -> str:
        lines = "".join(
            f'<li><a href="{escape(self._href(path, self.detail_path(column, n)))}">{guide.item}</a></li>'
            for n, guide in enumerate(self.site.depth.guides)
        )
        return f'<div class="services"><h3>按主题分类</h3><ul>{lines}</ul></div>'

    def guide(self, column: Column, number: int) -> Answer:
        """Render a service guide."""
        path = self.detail_path(column, number)
        main = depth.guide(self.site, number, lambda target: self._href(path, target))
        return self._detail(column, number, f"{self.site.depth.guides[number].item}办事指南", 40, main)

    def _messages(self, column: Column, path: str) -> str:
        count = len(self.site.depth.letters)
        hrefs = [self._href(path, self.detail_path(column, number)) for number in range(count)]
        return depth.letters(self.site, hrefs)

    def message(self, column: Column, number: int) -> Answer:
        """Render a published message with its reply."""
        letter = self.site.depth.letters[number]
        age = (AT - (letter.replied or letter.asked)).days
        return self._detail(column, number, letter.question, age, depth.letter(self.site, letter))

    def _others(self) -> list[tuple[str, str]]:
        """Return the addresses and titles of guides, messages, leaders and topic pages."""
        deep = self.site.depth
        titles = {
            "leaders": [leader.name for leader in deep.leaders],
            "services": [f"{guide.item}办事指南" for guide in deep.guides],
            "messages": [letter.question for letter in deep.letters],
        }
        found = [
            (self.detail_path(column, number), title)
            for column in self.site.columns
            for number, title in enumerate(titles.get(column.form, ()))
        ]
        topics = [
            (path, _topic(path)) for path, answer in self.site.answers.items() if answer.page == "topic"
        ]
        return found + topics

    def _detail(self, column: Column, number: int, name: str, age: int, main: str) -> Answer:
        meta = self._content_tags(column, name, f"{AT - timedelta(days=age)} 09:00")
        title = f"{name}-{frame.site_title(self.site)}"
        return self._page(self.detail_path(column, number), title, meta, main, column=column, leaf=True)

    @property
    def search_path(self) -> str:
        """The address the search form leads to."""
        return _SEARCHES[self.site.plan.family][0]

    def _form(self) -> str:
        mode = self.site.depth.search
        if mode == "none":
            return ""
        path, name, label = _SEARCHES[self.site.plan.family]
        action = "/so/index.html" if mode == "missing" else path
        return (
            f'<form name="searchform" action="{action}" method="get"><input type="text" name="{name}" placeholder="请输入关键字">'
            f'<input type="submit" value="{label}"></form>'
        )

    def search(self, query: str) -> Answer:
        """Render the results of the site's own search."""
        site = self.site
        mode = site.depth.search
        if mode in ("none", "missing"):
            return Answer(404, b"<html><body>404 Not Found</body></html>")
        if mode == "broken":
            return Answer(500, b"<html><body>HTTP Status 500 - Internal Server Error</body></html>")
        found = self._find(_words(query, _SEARCHES[site.plan.family][1]))[:10]
        block = Block(f"搜索结果：共{len(found)}条", self.search_path, found)
        values = frame.tag_values(site, ("站内搜索", "其他"), None)
        title = f"站内搜索-{frame.site_title(site)}"
        return self._page(
            self.search_path, title, frame.tags(site, values, "", ()), self.platform.block(block)
        )

    def _find(self, words: str) -> list[Row]:
        own = [(e.title, self._row(e, self.search_path, "iso")) for _, e in self.entries.values()]
        own += [
            (title, Row(title, self._href(self.search_path, path), "", AT)) for path, title in self._others()
        ]
        if self.site.depth.search == "stuck":
            return [row for _, row in own[:3]]
        if self.site.depth.search_lower:
            own += [(title, Row(title, url, "", AT)) for title, url in self._lower()]
        if self.site.depth.search_fuzzy:
            ranked = sorted(((_overlap(words, title), n) for n, (title, _) in enumerate(own)), reverse=True)
            return [own[n][1] for score, n in ranked if score >= 0.5]
        return [row for title, row in own if words == title or (words and len(words) <= 4 and words in title)]

    def special(self, path: str, answer: Answer) -> Answer:
        """Render a topic page, or a page that says with status 200 that there is none."""
        site = self.site
        if answer.page == "gone":
            meta = frame.tags(site, frame.tag_values(site, ("", ""), None), "", ())
            main = '<div class="err"><p>抱歉，您访问的页面不存在或已被删除！</p><p><a href="/">返回首页</a></p></div>'
            shown = self._page(path, f"提示信息-{frame.site_title(site)}", meta, main)
            return replace(answer, body=shown.body, content_type=shown.content_type)
        day = f"{AT - timedelta(days=60)} 09:00"
        name = _topic(path)
        values = frame.tag_values(site, ("专题专栏", "其他"), (name, day, site.plan.name))
        paragraphs = text.paragraphs(site.rng(path), site.plan.area, 3)
        main = self.platform.article(name, f"发布日期：{day}", paragraphs, "")
        shown = self._page(path, f"{name}-{frame.site_title(site)}", frame.tags(site, values, "", ()), main)
        return replace(answer, body=shown.body, content_type=shown.content_type)

    def sitemap(self) -> Answer:
        """Render the site map."""
        site = self.site
        links = [
            Link(c.name, self._href("/sitemap.html", c.path)) for c in site.columns if c.form != "external"
        ]
        values = frame.tag_values(site, ("网站地图", "其他"), None)
        main = self.platform.links("网站地图", links)
        return self._page(
            "/sitemap.html", f"网站地图-{frame.site_title(site)}", frame.tags(site, values, "", ()), main
        )

    def _list_frame(self, column: Column) -> Answer:
        rows = self._rows(column, f"/include/list_{column.uid}.html", 1)
        return self._encode(
            f"<html><head>{self._charset()}</head><body>{self.platform.listing(column, rows)}</body></html>"
        )

    def _fragment(self, home: bool) -> Answer:
        inner = frame.footer_inner(self.site, home)
        return self._encode(f"<html><head>{self._charset()}</head><body>{inner}</body></html>")

    # --- pieces ---

    def _href(self, origin: str, target: str) -> str:
        return target if target.startswith("http") else self.platform.href(self.site, origin, target)

    def _row(self, entry: Entry, origin: str, style: str) -> Row:
        shown = show(entry.published, style)
        return Row(entry.title, self._href(origin, entry.path), shown, entry.published, entry.pinned)

    def _rows(self, column: Column, origin: str, number: int) -> list[Row]:
        size = self.platform.page_size
        chosen = display(column)[(number - 1) * size : number * size]
        return [self._row(entry, origin, column.date_style) for entry in chosen]

    def _nav(self, origin: str) -> list[tuple[str, str]]:
        items = [("首页", self._href(origin, "/"))]
        items += [self._item(origin, column) for column in self.site.columns if column.in_nav]
        return items

    def _item(self, origin: str, column: Column) -> tuple[str, str]:
        return column.name, column.external or self._href(origin, column.path)

    def _crumbs(self, origin: str, column: Column) -> list[tuple[str, str]]:
        steps = [step for step in (column.parent, column) if step is not None]
        return [("首页", self._href(origin, "/")), *(self._item(origin, step) for step in steps)]

    def _side(self, origin: str, column: Column) -> str:
        top = column.parent or column
        group = [top, *(c for c in self.site.columns if c.parent is top)]
        if len(group) == 1:
            return ""
        return self.platform.side(top.name, [self._item(origin, c) for c in group])

    def _hot(self, origin: str) -> str:
        entries = [e for c in self.site.of_kind("news")[:1] for e in home_entries(c)[:4]]
        return self.platform.block(
            Block("热点推荐", self._href(origin, "/"), [self._row(e, origin, "iso") for e in entries])
        )

    def _page(
        self, path: str, title: str, meta: str, main: str, *,
        column: Column | None = None, home: bool = False, leaf: bool = False,
    ) -> Answer:  # fmt: skip
        site, platform = self.site, self.platform
        nav = platform.nav(site, self._nav(path))
        if "nav_comment" in site.notes:
            nav += '<!-- <li><a href="/old/zhuanlan/">历史专栏</a></li> -->'
        side = ""
        if column is not None:
            side = self._side(path, column)
            if site.frame.hot and not leaf and column.kind != "news":
                side += self._hot(path)
        parts = Parts(
            title=title, meta=meta, name=frame.header_name(site), today=frame.today_line(site), nav=nav, main=main,
            foot=frame.footer(site, home), search=self._form(), side=side, charset=self._charset(),
            crumbs=platform.crumbs(self._crumbs(path, column)) if column else "",
        )  # fmt: skip
        return self._encode(platform.shell(parts))

    def _charset(self) -> str:
        name = "gb2312" if self.site.frame.encoding == "gbk" else "utf-8"
        if self.site.frame.declare in ("both", "meta", "wrong"):
            return f'<meta http-equiv="Content-Type" content="text/html; charset={name}">'
        return ""

    def _encode(self, document: str) -> Answer:
        look = self.site.frame
        body = document.encode("gb18030" if look.encoding == "gbk" else "utf-8")
        if look.bom:
            body = b"\xef\xbb\xbf" + body
        charset = {"both": look.encoding, "header": look.encoding}.get(look.declare, "")
        if look.declare == "wrong":
            charset = "utf-8" if look.encoding == "gbk" else "gb2312"
        kind = f"text/html; charset={charset}" if charset else "text/html"
        return Answer(body=body, content_type=kind)


def _plain(link: Link) -> str:
    return f'<a href="{escape(link.url)}">{link.text}</a>'


def _topic(path: str) -> str:
    return f"{text.TOPICS[sum(path.encode()) % 30]}专题"


def _words(query: str, name: str) -> str:
    """Read the words out of a query string, whichever encoding the form used."""
    given = dict(part.partition("=")[::2] for part in query.split("&"))
    raw = unquote_to_bytes(given.get(name, "").replace("+", " "))
    try:
        return raw.decode("utf-8").strip()
    except UnicodeDecodeError:
        return raw.decode("gb18030", "replace").strip()


def _overlap(words: str, title: str) -> float:
    """Return the share of the words' pairs of neighbouring characters that a title holds."""
    pairs = {words[step : step + 2] for step in range(len(words) - 1)}
    return sum(pair in title for pair in pairs) / len(pairs) if pairs else 0.0


_TYPES = {
    "overview": "概况信息", "organs": "机构职能", "leaders": "负责人信息", "news": "工作动态", "notice": "公告公示",
    "policy": "政策文件", "interp": "解读回应", "personnel": "人事信息", "finance": "财政信息", "plans": "规划计划",
    "data": "统计信息", "stats": "办件统计", "survey": "征集调查", "messages": "咨询投诉", "services": "办事指南",
}  # fmt: skip
_JS = "application/javascript; charset=utf-8"
_SEARCHES = {
    "hanweb": ("/jsearchfront/search.do", "q", "搜索"),
    "trs": ("/search/", "searchword", "检索"),
    "vsb": ("/search.jsp", "keyword", "站内搜索"),
    "tables": ("/search.asp", "key", "搜索"),
    "soup": ("/s", "wd", "搜一下"),
}
_JPAGE = """(function () {
  var scripts = document.getElementsByTagName("script");
  for (var i = 0; i < scripts.length; i++) {
    if (scripts[i].type !== "text/xml") { continue; }
    var box = scripts[i].previousElementSibling, out = "", re = /<record><!\\[CDATA\\[([\\s\\S]*?)\\]\\]><\\/record>/g, hit;
    while ((hit = re.exec(scripts[i].innerHTML)) !== null) { out += hit[1]; }
    box.innerHTML = "<ul>" + out + "</ul>";
  }
})();
"""
