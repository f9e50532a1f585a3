"""Composes the pages of a site from its platform's pieces, and answers a path with bytes."""

# ruff: noqa: E501  (markup and word lists in long lines)
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from html import escape
from urllib.parse import unquote_to_bytes

from tests.province import frame, text
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
GUIDE_ELEMENTS = (
    "事项名称", "设定依据", "申请条件", "办理材料", "办理地点", "办理机构", "收费标准", "办理时间", "联系电话", "办理流程",
)  # fmt: skip


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

    def __init__(self, site: Site) -> None:
        self.site = site
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
        count = {"leaders": 3, "services": 5, "messages": 5}.get(column.form, 0)
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
        if bare == "/search.html":
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
        if "body_unit" in site.notes:
            paragraphs.append(f"主办单位：{site.plan.area}活动组委会 联系电话：{site.phone[:5]}8000000")
        day = f"{entry.published} {8 + entry.uid % 9:02d}:{entry.uid % 60:02d}"
        line = f"发布日期：{day} 信息来源：{site.plan.name} 浏览次数：{entry.uid % 900} 字体：[大 中 小]"
        tail = "".join(f"<p>附件：{link}</p>" for link in map(_plain, entry.links))
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

    def _leaders(self, column: Column, path: str) -> str:
        rng = self.site.rng("leaders")
        lines = []
        for number in range(3):
            name = text.person(rng)
            href = self._href(path, self.detail_path(column, number))
            lines.append(f'<li><a href="{escape(href)}">{name}</a><span>{_POSTS[min(number, 2)]}</span></li>')
        return f'<div class="leaders"><ul>{"".join(lines)}</ul></div>'

    def leader(self, column: Column, number: int) -> Answer:
        """Render a leader's page: name, title, CV, duties."""
        site = self.site
        names = [text.person(rng) for rng in (site.rng("leaders"),) for _ in range(3)]
        rng = site.rng(f"leader{number}")
        cv = f"{'男' if number % 2 else '女'}，汉族，19{rng.randint(65, 84)}年{rng.randint(1, 12)}月出生，大学学历，19{rng.randint(88, 99)}年参加工作。"
        duty = f"负责{rng.choice(text.TOPICS)}、{rng.choice(text.TOPICS)}等方面工作。"
        main = (
            f'<div class="leader"><h3>{names[number]}</h3><p>职务：{_POSTS[min(number, 2)]}</p>'
            f"<p>个人简历：{cv}</p><p>工作分工：{duty}</p></div>"
        )
        day = f"{AT - timedelta(days=40 + number)} 09:00"
        path = self.detail_path(column, number)
        meta = self._content_tags(column, names[number], day)
        return self._page(
            path, f"{names[number]}-{frame.site_title(site)}", meta, main, column=column, leaf=True
        )

    def _services(self, column: Column, path: str) -> str:
        items = self.site.rng("services").sample(text.SERVICE_ITEMS, 5)
        lines = "".join(
            f'<li><a href="{escape(self._href(path, self.detail_path(column, n)))}">{item}</a></li>'
            for n, item in enumerate(items)
        )
        return f'<div class="services"><h3>按主题分类</h3><ul>{lines}</ul></div>'

    def guide(self, column: Column, number: int) -> Answer:
        """Render a service guide with its ten elements."""
        site = self.site
        item = site.rng("services").sample(text.SERVICE_ITEMS, 5)[number]
        values = _guide_values(site, item)
        rows = "".join(f"<tr><th>{name}</th><td>{values[name]}</td></tr>" for name in GUIDE_ELEMENTS)
        main = f'<h2>{item}办事指南</h2><table class="guide" border="1">{rows}</table>'
        day = f"{AT - timedelta(days=40 + number)} 09:00"
        meta = self._content_tags(column, f"{item}办事指南", day)
        path = self.detail_path(column, number)
        return self._page(path, f"{item}-{frame.site_title(site)}", meta, main, column=column, leaf=True)

    def _messages(self, column: Column, path: str) -> str:
        lines = []
        for number, (question, asked, replied) in enumerate(self._letters()):
            href = escape(self._href(path, self.detail_path(column, number)))
            lines.append(
                f'<tr><td><a href="{href}">{question}</a></td><td>{asked}</td><td>{replied}</td><td>已答复</td></tr>'
            )
        head = "<tr><th>标题</th><th>提问时间</th><th>答复时间</th><th>状态</th></tr>"
        stat = f"<p>本年度共收到留言{self.site.uids % 90 + 20}件，已答复{self.site.uids % 90 + 20}件。</p>"
        return f'<table class="letters">{head}{"".join(lines)}</table>{stat}'

    def _letters(self) -> list[tuple[str, date, date]]:
        rng = self.site.rng("letters")
        letters = []
        day = AT - timedelta(days=rng.randint(4, 20))
        for question in rng.sample(text.QUESTIONS, 5):
            letters.append((question, day, day + timedelta(days=rng.randint(1, 3))))
            day -= timedelta(days=rng.randint(3, 12))
        return letters

    def message(self, column: Column, number: int) -> Answer:
        """Render a published message with its reply."""
        site = self.site
        question, asked, replied = self._letters()[number]
        main = (
            f'<div class="letter"><h3>{question}</h3><p>提问时间：{asked} 10:21</p><p>留言内容：您好，想咨询{question}，谢谢。</p>'
            f"<p>答复单位：{site.plan.name}办公室</p><p>答复时间：{replied} 15:40</p>"
            f"<p>答复内容：您好，您反映的问题已收悉。经核实，请携带身份证件到服务窗口办理，感谢关注。</p></div>"
        )
        meta = self._content_tags(column, question, f"{replied} 15:40")
        path = self.detail_path(column, number)
        return self._page(path, f"{question}-{frame.site_title(site)}", meta, main, column=column, leaf=True)

    def search(self, query: str) -> Answer:
        """Render the results of the site's own search."""
        site = self.site
        raw = dict(part.partition("=")[::2] for part in query.split("&")).get("q", "")
        wanted = unquote_to_bytes(raw.replace("+", " "))
        try:
            words = wanted.decode("utf-8")
        except UnicodeDecodeError:
            words = wanted.decode("gb18030", "replace")
        found = [
            self._row(entry, "/search.html", "iso")
            for column, entry in self.entries.values()
            if words and words.strip() in entry.title and column.state == "normal"
        ][:10]
        block = Block(f"搜索结果：共{len(found)}条", "/search.html", found)
        values = frame.tag_values(site, ("站内搜索", "其他"), None)
        meta = frame.tags(site, values, "", ())
        return self._page(
            "/search.html", f"站内搜索-{frame.site_title(site)}", meta, self.platform.block(block)
        )

    def special(self, path: str, answer: Answer) -> Answer:
        """Render a topic page, or a page that says with status 200 that there is none."""
        site = self.site
        if answer.page == "gone":
            meta = frame.tags(site, frame.tag_values(site, ("", ""), None), "", ())
            main = '<div class="err"><p>抱歉，您访问的页面不存在或已被删除！</p><p><a href="/">返回首页</a></p></div>'
            shown = self._page(path, f"提示信息-{frame.site_title(site)}", meta, main)
            return replace(answer, body=shown.body, content_type=shown.content_type)
        day = f"{AT - timedelta(days=60)} 09:00"
        name = f"{text.TOPICS[sum(path.encode()) % 30]}专题"
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
            foot=frame.footer(site, home), search=_SEARCH, side=side, charset=self._charset(),
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


def _guide_values(site: Site, item: str) -> dict[str, str]:
    return {
        "事项名称": item,
        "设定依据": f"《云江省{item}管理条例》第十二条：申请人应当向主管部门提出申请。",
        "申请条件": "具有完全民事行为能力，并有固定经营场所。",
        "办理材料": "1.申请表（原件1份，纸质）；2.身份证明（复印件1份，纸质或电子）。",
        "办理地点": f"{site.plan.area}政务服务中心二楼{site.uids % 30 + 1}号窗口",
        "办理机构": site.plan.name,
        "收费标准": "不收费",
        "办理时间": "周一至周五 9:00-12:00，13:30-17:00",
        "联系电话": site.phone,
        "办理流程": "申请→受理→审查→决定→送达",
    }


_POSTS = ("党组书记、主要负责人", "党组副书记、副职", "党组成员、副职")
_TYPES = {
    "overview": "概况信息", "organs": "机构职能", "leaders": "负责人信息", "news": "工作动态", "notice": "公告公示",
    "policy": "政策文件", "interp": "解读回应", "personnel": "人事信息", "finance": "财政信息", "plans": "规划计划",
    "data": "统计信息", "survey": "征集调查", "messages": "咨询投诉", "services": "办事指南",
}  # fmt: skip
_JS = "application/javascript; charset=utf-8"
_SEARCH = (
    '<form name="searchform" action="/search.html" method="get"><input type="text" name="q" placeholder="请输入关键字">'
    '<input type="submit" value="搜索"></form>'
)
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
