"""What a page is on its site: home, column, article, guide, message, leader, search or other."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlsplit

from govcrawl.extract.article import body_span, read_article
from govcrawl.extract.footer import footer_start
from govcrawl.extract.tags import Tags, read_tags
from govcrawl.extract.text import View, view
from govcrawl.items import Page, Role


def page_role(page: Page) -> Role:
    """Tell what a page is: by its address, its tags, its breadcrumb and the shape of its text, in that order.

    The shape decides only where nothing names the page; what fits nothing is `other`.
    """
    known = page.cache.get("page_role")
    if isinstance(known, Role):
        return known
    facts = _Facts(page, view(page), read_tags(page))
    role = next((role for test, role in _TESTS if test(facts)), Role.OTHER)
    page.cache["page_role"] = role
    return role


# --- facts --------------------------------------------------------------------------------------------

_STEPS = r"(?:是|在)?\s?[:：]?\s?(?=\S)((?:[^\n]{0,100}(?:\n[>»›/＞→-][^\n]{0,60}){0,6}|\n[^\n]{0,100}))"
_HOMEWARD = r"\s?(?:>|»|›|＞|->|—>|/|→|\\|·|-{1,2})+\s?([^\n]{1,120}(?:\n[>»›/＞→-][^\n]{0,60}){0,6})"
# One group an alternative; every alternative begins with a character of its own: the engine skips other text.
_TRAIL = re.compile(
    "|".join(
        (
            *(
                rf"{word}[^\n，。]{{0,6}}位\s?置{_STEPS}"
                for word in ("当前", "现在", "目前", "所在", "您的", "你的")
            ),
            rf"\n位置{_STEPS}",
            rf"\n(?:网站)?(?:首\s?页|主页){_HOMEWARD}",
        )
    )
)
_STEP = re.compile(r" ?(?:(?:>|»|›|＞|→|/|\\|-{1,2}>|—>|::|·|\n|\t) ?)+")
# Every alternative of the long ones begins with a character of its own: the engine skips all other text.
_INLINE_LABEL = re.compile(
    r"发\s?[布表稿]\s?(?:时\s?间|日\s?期)\s?[:：]|公\s?[布开]\s?(?:时\s?间|日\s?期)\s?[:：]|更\s?新\s?(?:时\s?间|日\s?期)\s?[:：]|"
    r"信息来\s?源\s?[:：]|文章来\s?源\s?[:：]|稿件来\s?源\s?[:：]|来\s?源\s?[:：]|责任编辑|"
    r"浏览(?:次数|量|\s?[:：])|点击(?:数|量|率|次数|\s?[:：])|作\s?者\s?[:：]|阅读(?:次数|量)?[:：]|访问(?:次数|量)[:：]|打\s?印(?:本页|此页)?|关闭(?:窗口|本页|此页)|"
    r"字\s?(?:号|体)(?:大小)?\s?[:：]|分享到|上一篇|下一篇|索\s?引\s?号|发文机[关构]|信息分类|文\s?号\s?[:：]"
)
_ROW_DATE = re.compile(
    r"(?:[\[(（【]?(?:(?:19|20)\d\d\s?[-/.年]\s?)?\d{1,2}\s?[-/.月]\s?\d{1,2}日?[\])）】]?(?:\s\d{1,2}:\d\d(?::\d\d)?)?)$"
    r"|^[\[(（【]?(?:(?:19|20)\d\d\s?[-/.年]\s?)?\d{1,2}\s?[-/.月]\s?\d{1,2}日?[\])）】]?(?=\s?\S{6})"
)
_OPENING = 1_000  # of a long body, what still tells a guide or a letter from an article
_MORE = re.compile(r"(?:^|[\s\[【])(?:查看)?更\s?多\s?[>+»…\]】]*|\bmore\b\s?[>+»]*", re.IGNORECASE)


@dataclass(slots=True, eq=False)
class _Base:
    page: Page
    view: View
    tags: Tags


class _Facts(_Base):
    """What the tests look at, each read when first asked for."""

    @cached_property
    def path(self) -> str:
        try:
            parts = urlsplit(self.page.final_url or self.page.url)
        except ValueError:
            return ""
        return f"{parts.path}?{parts.query}" if parts.query else parts.path

    @cached_property
    def trail(self) -> tuple[str, ...]:
        """The breadcrumb without its first step."""
        match = _TRAIL.search("\n" + self.text[:6_000])
        if match is None:
            return ()
        steps = [step.strip(" ：:") for step in _STEP.split(match[match.lastindex or 0])]
        return tuple(step for step in steps if step and step not in ("首页", "网站首页", "主页", "正文"))

    @cached_property
    def title(self) -> str:
        heads = self.view.nodes.get("title", ())
        return " ".join((heads[0].text_content() if heads else "").split())

    @cached_property
    def headings(self) -> str:
        return " ".join(self.view.of(item) for item in self.view.all("h1", "h2")[:6])

    @cached_property
    def names(self) -> str:
        """What the page calls itself: the end of the breadcrumb, the column tag, title and headings."""
        column = self.tags.get("ColumnName") or ""
        return " | ".join((*self.trail[-2:], column, self.title[:80], self.headings[:80]))

    @cached_property
    def text(self) -> str:
        """The visible text without the footer and without all but the beginning of a long body."""
        text = self.view.text[: footer_start(self.page)] or self.view.text
        start, end = body_span(self.page)
        return text if end - start < 2 * _OPENING else text[: start + _OPENING] + "\n" + text[end:]

    @cached_property
    def lines(self) -> list[str]:
        return self.text.split("\n")

    @cached_property
    def dated_rows(self) -> int:
        """Short lines that begin or end with a date, or a date alone under a line of text."""
        rows = 0
        for line in self.lines:
            if not 4 <= len(line) <= 130 or not (_edges(line[0]) or _edges(line[-1])):
                continue
            if _ROW_DATE.search(line) and not _INLINE_LABEL.search(line):
                rows += 1
        return rows

    @cached_property
    def labels(self) -> int:
        """How many of the words round an article's text are there (发布时间, 来源, 打印本页 ...)."""
        return len({match[0][:2] for match in _INLINE_LABEL.finditer(self.text)})

    @cached_property
    def guide_marks(self) -> int:
        """How many elements of a service guide are named."""
        return len({match[0] for match in _GUIDE_MARK.finditer(self.text)})

    @cached_property
    def message_heads(self) -> frozenset[str]:
        """The labels round a question and its reply."""
        return frozenset(match[0] for match in _MESSAGE_HEAD.finditer(self.text))

    @cached_property
    def body(self) -> int:
        start, end = body_span(self.page)
        return end - start

    @cached_property
    def article_title(self) -> str:
        return (self.tags.get("ArticleTitle") or "").strip()

    @cached_property
    def fields(self) -> int:
        """Input fields a visitor fills in."""
        kinds = ("hidden", "submit", "button", "image", "radio", "checkbox", "reset")
        inputs = [
            item for item in self.view.all("input") if (item.get("type") or "text").lower() not in kinds
        ]
        return len(inputs) + len(self.view.all("textarea"))


def _edges(char: str) -> bool:
    """Tell whether a date may begin or end with a character."""
    return char.isdigit() or char in "[]()（）【】日"


# --- tests, in order ----------------------------------------------------------------------------------

_HOME_PATH = re.compile(r"^/?(?:(?:index|default|home|main)\w{0,10}\.\w{3,5})?$", re.IGNORECASE)
_SEARCH_PATH = re.compile(
    r"/(?:j?search|sousuo|so|searchresult|ss)(?:[./?]|$)|/search\w{0,12}\.|[?&](?:searchword|keyword|q)=",
    re.IGNORECASE,
)
_SEARCH_NAME = re.compile(
    r"(?:搜索|检索|查询)结果|(?:站内|全文|高级|全站|智能)(?:搜索|检索)|^搜索|一网通搜|政务全搜索"
)
_ARTICLE_PATH = re.compile(
    r"/art/\d{4}/\d{1,2}/\d{1,2}/art_|/t\d{8}_\d+|/(?:content|post|mpost)_\d+|/info/\d+/\d+\.|/\d{8}/\w+\.s?html?"
    r"|/\d{6}/\w{24,40}\.|/20\d\d[-/]?\d\d[-/]?\d\d/\w+|/(?:article|detail|show|view)[/_-]?\w*\d{3,}|/n\d+/c\d+/content|/c\d{6,}/content"
    r"|/page\d{0,12}/?\d{0,12}\.htm|[?&](?:articleid|newsid|infoid|contentid)=",
    re.IGNORECASE,
)
_COLUMN_PATH = re.compile(
    r"/col/col\d+/|/(?:list|lists|channel|column|node|more)[_\d]*(?:[/.]|$)|/index_\d+\.|/(?:list|more|channel)\w*\.\w{3,5}",
    re.IGNORECASE,
)
_FOLDER = re.compile(r"/(?:index\w{0,3}\.s?html?)?$")

_LEADER_NAME = re.compile(
    r"领导(?:信息|之窗|简介|介绍|成员|班子|分工|概况|团队|之家|专栏|名单|机构)?(?=\s|\||$|-|_)|(?:省|市|区|县|州|厅|局|委|镇|乡)长(?:之窗|简介|信息|介绍)"
)
_LEADER_MARK = re.compile(
    r"工作分工|分管(?:工作|领域|部门)|工作职责|我的职责|负责工作|个人简历|领导简介|工作简历|人物简介|担任职务|现任职务?|职\s?务\s?[:：]|籍贯|汉族|满族|回族|入党|参加工作"
)
_LEADER_RANK = re.compile(r"书记|省长|市长|县长|区长|州长|局长|厅长|主任|主席|党组成员|常委|巡视员|调研员")

_GUIDE_MARK = re.compile(
    r"事项名称|事项编码|事项类型|办理依据|设定依据|法律依据|政策依据|申请条件|受理条件|办理条件|申请材料|申报材料|办理材料|所需材料|提交材料|材料名称|"
    r"办理流程|办理程序|办事流程|审批流程|办理地点|办事地址|办理地址|受理地点|办理机构|办理主体|实施主体|实施机关|受理机构|承办机构|"
    r"收费标准|是否收费|收费依据|承诺时限|法定时限|办理时限|承诺期限|法定期限|办结时限|办理时间|办公时间|工作时间|咨询电话|咨询方式|监督电话|监督投诉|"
    r"行使层级|基本编码|实施编码|服务对象|办理对象|办件类型|办理方式|结果名称|审批结果|到现场次数|办理形式"
)
_GUIDE_NAME = re.compile(
    r"办事指南|服务指南|办理指南|网上办事(?!大厅)|依申请公开|事项清单|权力清单|办事服务|在线服务|便民服务|公共服务|政务服务网?(?=\s|\||$|-|_)"
)
_CASES = re.compile(
    r"办件(?:结果)?(?:公示|查询|统计|公告)|受理时间|办理事项|个人办事|(?:法人|企业)办事|部门服务|部门办事|场景式服务|权力事项|行政许可|行政处罚|行政确认|行政给付"
)

_MESSAGE_NAME = re.compile(
    r"信箱|留言|来信|写信|信件|咨询(?:投诉|建议|台)?(?=\s|\||$|-|_)|便民咨询|办事咨询|在线咨询|网上咨询|投诉(?:建议|举报)?(?=\s|\||$|-|_)|举报(?=\s|\||$|-|_)|"
    r"我要(?:问|写|说|咨询|投诉)|纠错(?=\s|\||$|-|_)|意见箱|互动(?:交流)?(?=\s|\||$|-|_)|政民互动|公众参与|问政|民意|答问|热线|常见问题"
)
_NOT_MESSAGE = re.compile(r"访谈|实录|征集|调查|发布会|解读|回应关切|直播")
_MESSAGE_FIELD = re.compile(
    r"(?:真实|您的)?姓\s?名|联系(?:电话|方式|人)|手机(?:号码?)?|身份证号|(?:电子)?邮箱|E-?mail|验\s?证\s?码|主\s?题|(?:咨询|信件|留言|内容)?标\s?题|"
    r"(?:咨询|信件|留言|问题|具体)?内\s?容|是否公开|信件类(?:型|别)|受理单位|问题描述|联系地址",
    re.IGNORECASE,
)
_PERSONAL = re.compile(
    r"姓\s?名|联系(?:电话|方式|人)|手机|身份证号|邮箱|E-?mail|验\s?证\s?码|写信|留言", re.IGNORECASE
)
_HEAD = "(?:主题|标题|内容|编号|类型|类别|时间|日期|单位)"
_REPLY = "复(?:状态|时间|日期|单位|部门|内容|情况)"
_MESSAGE_HEAD = re.compile(
    rf"信件{_HEAD}|咨询{_HEAD}|来信{_HEAD}|留言{_HEAD}|诉求{_HEAD}|来信人|写信人|留言人|提问人|"
    r"办理(?:部门|单位|状态|情况|结果)|受理(?:日期|单位|部门)|"
    rf"办结(?:日期|时间)|回{_REPLY}|答{_REPLY}|"
    r"处理状态|提交(?:日期|时间)|信件查询|我要写信|我要留言|建言献策|写信须知|查看(?:回复|自己的信件)|给\S{1,4}信箱写信"
)

_OTHER_NAME = re.compile(
    r"(?:网站|站点)地图|联系(?:方式|我们)|关于(?:我们|本站|本网)|(?:网站|免责|版权|隐私)声明|隐私保护|(?:机构|单位|部门|主要)(?:职能|职责|设置|概况|简介)|(?:内设|下属)机构|"
    r"(?:本地|市情|县情|区情|基本|城市|政府)概况|印象|走进|简介$|网站帮助|使用帮助"
)
_HOME_NAME = re.compile(
    r"首页$|^(?:欢迎访问)?中国\S{2,8}$|(?:门户网站|政府网|政务网|网站群|人民政府(?:网站?)?|局|厅|委员会|办公室)$"
)


def _is_letter(facts: _Facts) -> bool:
    """A question and its reply, whatever the page's tags say."""
    heads = facts.message_heads
    replied = any(head.startswith(("回复", "答复", "办理", "处理")) for head in heads)
    return len(heads) >= 3 and replied and facts.body < 1_500 and facts.dated_rows < 8


def _is_article_by_tag(facts: _Facts) -> bool:
    return len(facts.article_title) > 1 and not _special(facts)


def _special(facts: _Facts) -> bool:
    names = " | ".join((*facts.trail[-1:], facts.tags.get("ColumnName") or ""))
    if facts.body < 3_000 and facts.guide_marks >= 6:
        return True
    return bool(_LEADER_NAME.search(names) or "办事指南" in names or "服务指南" in names)


def _is_home_by_address(facts: _Facts) -> bool:
    page = facts.page
    host = (urlsplit(page.final_url).hostname or "").lower()
    own = host.removeprefix("www.") == page.site.host.removeprefix("www.")
    root = urlsplit(page.site.url).path.rstrip("/")
    path = facts.path.removeprefix(root) if root else facts.path
    return own and bool(_HOME_PATH.match(path)) and not facts.article_title and not facts.trail


def _is_search(facts: _Facts) -> bool:
    return bool(_SEARCH_PATH.search(facts.path)) or bool(
        _SEARCH_NAME.search(f"{facts.title} {facts.headings}"[:60])
    )


def _is_home_by_shape(facts: _Facts) -> bool:
    """A page that calls itself the site, has no breadcrumb and shows several blocks of the usual columns."""
    if (
        facts.trail
        or facts.article_title
        or _ARTICLE_PATH.search(facts.path)
        or _COLUMN_PATH.search(facts.path)
    ):
        return False
    if not _HOME_PATH.match(facts.path) and _FOLDER.search(facts.path) and facts.path.count("/") > 2:
        return False
    if facts.title.endswith("首页"):
        return True
    title = _NOISE.sub("", facts.title)
    if not (_HOME_NAME.search(title) or (title and title in facts.page.site.name)):
        return False
    sections = len({line for line in facts.lines if _SECTION.fullmatch(line)})
    return sections >= 3 and (len(_MORE.findall(facts.text)) >= 2 or facts.dated_rows >= 4)


_NOISE = re.compile(r"[\s·•\-—_|]")
_SECTION = re.compile(
    r"(?:今日|本市|本县|本区|时政|政务|工作|部门|乡镇|镇街|县区|区县|基层|图片|视频|热点)?(?:要闻|动态|新闻|资讯|头条|关注|推荐)(?:新闻|要闻)?|"
    r"通知公告|公示公告|公告公示|政务公开|信息公开|政府信息公开|政策文件|政府文件|政策解读|政策法规|政务服务|办事服务|公共服务|便民服务|网上办事|互动交流|政民互动|"
    r"公众参与|公共参与|专题专栏|热点专题|领导之窗|领导信箱|便民查询|数据开放|便民咨询|电子公文|运行监测|在线访谈|个人办事|法人办事|友情链接|部门事项"
)


def _is_leader(facts: _Facts) -> bool:
    found = _LEADER_MARK.findall(facts.text)
    marks, repeated = len(set(found)), len(found)
    named = bool(_LEADER_NAME.search(facts.names))
    if facts.dated_rows >= 5:
        return False
    if named and not _ARTICLE_PATH.search(facts.path):
        return marks >= 1 or len(_LEADER_RANK.findall(facts.text)) >= 2
    if named and facts.trail and _LEADER_NAME.search(facts.trail[-1]):
        return marks >= 1
    return repeated >= 5 and len(_LEADER_RANK.findall(facts.text)) >= 4 and facts.body < 1_500


def _is_guide(facts: _Facts) -> bool:
    marks = facts.guide_marks
    own = f"{' '.join(facts.trail[-1:])} {facts.tags.get('ColumnName') or ''} {facts.headings[:60]}"
    named = bool(_GUIDE_NAME.search(own))
    listed = facts.dated_rows >= 3 and not facts.body
    like_article = facts.labels >= 3 or bool(_ARTICLE_PATH.search(facts.path))
    if marks >= (6 if like_article else 4) and facts.body < 3_000:
        return True
    if named and not listed and (marks >= 1 or facts.labels >= 3 or "依申请公开" in own):
        return True
    return len({match[0] for match in _CASES.finditer(facts.text)}) >= 5 and not facts.trail and marks >= 1


def _is_message(facts: _Facts) -> bool:
    own = f"{' | '.join(facts.trail[-2:])} | {facts.headings[:80]} | {facts.title[:60]}"
    named = bool(_MESSAGE_NAME.search(own)) and not _NOT_MESSAGE.search(own)
    heads = len(facts.message_heads)
    asked = len({match[0] for match in _MESSAGE_FIELD.finditer(facts.text)}) if facts.fields >= 3 else 0
    if asked >= 4 and len({match[0] for match in _PERSONAL.finditer(facts.text)}) >= 2:
        return True
    if named and facts.body < 1_500:
        return heads >= 2 or asked >= 3 or (facts.labels < 3 and facts.dated_rows < 3 and heads >= 1)
    return heads >= 3 and not facts.labels and facts.body < 600


def _is_article(facts: _Facts) -> bool:
    if _ARTICLE_PATH.search(facts.path) or facts.tags.get("PubDate") or facts.tags.get("publishdate"):
        return True
    if facts.labels >= (3 if facts.dated_rows < 8 else 5):
        return True
    if facts.body <= 80 or facts.dated_rows >= (5 if facts.body < 400 else 15):
        return False
    return facts.labels >= 2 or read_article(facts.page).where in ("tag", "label", "title")


def _is_long_text(facts: _Facts) -> bool:
    return facts.body > 600 and bool(facts.trail) and not _FOLDER.search(facts.path) and facts.dated_rows < 5


def _is_other_by_name(facts: _Facts) -> bool:
    own = f"{' | '.join(facts.trail[-1:])} | {facts.headings[:60]} | {facts.title[:60]}"
    return bool(_OTHER_NAME.search(own)) and facts.dated_rows < 3


def _is_column(facts: _Facts) -> bool:
    if _COLUMN_PATH.search(facts.path) or facts.dated_rows >= 3:
        return True
    if facts.tags.get("ColumnName"):
        return True
    if facts.trail and _FOLDER.search(facts.path) and facts.path.count("/") > 1:
        return facts.body < 600
    if facts.trail and not facts.labels and not facts.fields > 4 and facts.body < 200:
        return True  # an empty column: a breadcrumb and nothing under it
    return _rows(facts) >= 12 and facts.body < 2_000


def _rows(facts: _Facts) -> int:
    """Lines that read like the titles of articles."""
    return sum(1 for line in facts.lines if 14 <= len(line) <= 60 and not line.endswith("。"))


_TESTS: tuple[tuple[Callable[[_Facts], bool], Role], ...] = (
    (_is_letter, Role.MESSAGE),
    (_is_article_by_tag, Role.ARTICLE),
    (_is_home_by_address, Role.HOME),
    (_is_search, Role.SEARCH),
    (_is_home_by_shape, Role.HOME),
    (_is_leader, Role.LEADER),
    (_is_guide, Role.GUIDE),
    (_is_message, Role.MESSAGE),
    (_is_article, Role.ARTICLE),
    (_is_other_by_name, Role.OTHER),
    (_is_long_text, Role.ARTICLE),
    (_is_column, Role.COLUMN),
)
