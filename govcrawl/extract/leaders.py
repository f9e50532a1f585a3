"""Leaders: who a page presents, and whether name, post, CV and duties are there."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from govcrawl.extract.footer import footer_start
from govcrawl.extract.links import anchors
from govcrawl.extract.text import view
from govcrawl.items import Page


@dataclass(frozen=True, slots=True)
class Leader:
    """One leader as a page presents them; `name` is empty where the page shows none."""

    name: str
    post: bool
    cv: bool
    duties: bool

    @property
    def missing(self) -> tuple[str, ...]:
        """What the page does not show."""
        parts = (("姓名", bool(self.name)), ("职务", self.post), ("简历", self.cv), ("分工", self.duties))
        return tuple(label for label, shown in parts if not shown)


# --- names ----------------------------------------------------------------------------------------------

_SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许邓冯韩曹曾彭萧肖蔡潘田董袁于余叶蒋杜苏魏"
    "程吕丁沈任姚卢傅钟姜崔谭廖范汪陆金石戴贾韦夏邱方侯邹熊孟秦白江阎薛尹段雷黎史龙陶贺顾毛郝龚邵"
    "万钱严覃武戚莫孔向汤温康施文牛樊葛邢安齐易乔伍庞颜倪庄聂章鲁岳翟申欧耿关兰焦俞左柳甘祝包宁尚"
    "符舒阮柯纪梅童凌毕单季成霍涂谷辛尤盛阴冀骆卫鲍游项裴祁饶翁艾詹房路屈芮车应苗凤花裘娄边卞仇楼"
    "屠柴管虞缪麻卓蒲池闵竺厉蓝滕奚麦占宣桂刁隋储练楚荣查苑靳晏郁佟褚祖谌战丛解敖冷栾臧简宗班帅仲"
    "巫幸冉喻邬沙诸付吉封曲米杭殷华"
)
_NAME = re.compile(
    f"(?:[{_SURNAMES}][\u4e00-\u9fff]{{1,2}}|(?:欧阳|上官|司马|诸葛|皇甫|尉迟|东方|慕容|令狐|公孙|夏侯|端木)[\u4e00-\u9fff]{{1,2}}"
    "|[\u4e00-\u9fff]{2,6}[·•・][\u4e00-\u9fff]{2,8})"
)
_NO_NAMES = re.compile(  # words and places that read like names
    r"文号|文件|文化|文明|文章|文字|文档|文体|文旅|方案|方式|方法|施工|施政|安全|"
    r"安排|安置|高级|高新|高校|应急|应用|应当|单位|成员|成文|成果|成立|金融|金额|"
    r"车辆|房产|房屋|支持|支部|章程|温馨|简历|简介|简报|关于|关闭|关注|项目|林业|"
    r"林草|管理|万元|常务|常见|常委|任免|任职|任命|尚未|江山|温州|金华|宁波|宁海|"
    r"安吉|余杭|余姚|龙游|龙泉|龙港|乐清|柯城|柯桥|路桥|黄岩|萧山|钱塘|路线|路径|"
    r"房地产|安委会|文物局|章节|华侨|马路|农业|白皮书|康养|包括|毛利|全文|全部|"
    r"双公示|程序|封面|房管|喻示|和谐|符合|祝贺|时政|段落|查询|查看|查阅|查找|易错|"
    r"宣传|宣布|强化|农村|..[区县市镇乡局委办厅网站处部科室村街路]"
)
_RANK = (
    r"(?:书记|[省市县区州盟旗镇乡局厅处科院校所站组司署行部会]长|主任|主席|常委|委员|党组成员|党委成员|班子成员|巡视员|调研员"
    r"|总工程师|总会计师|总规划师|总经济师|秘书长|督察专员|督查专员|政委|副职|负责人|成员|助理)"
)
_RANKED = re.compile(_RANK)
_TO_RANK = re.compile(rf"^.*{_RANK}[）)]?")
_BRACKETS = re.compile(r"[（(【\[][^（()）】\]]{0,20}[）)】\]]")
_SUFFIX = re.compile(r"(?:同志)?(?:个人)?(?:简历|简介|介绍|信息|主页|工作分工|分工)?$")
_BETWEEN = re.compile(r"[\s:：，,、/|\-—]+")
_LONGEST = 40


def person_name(text: str) -> str:
    """Return the person a short text names, with or without a post (`副市长 张三`, `张 三`); else nothing."""
    if not 2 <= len(text) <= _LONGEST:
        return ""
    tokens = [token for token in _BETWEEN.split(_BRACKETS.sub("", text).strip()) if token]
    if tokens and tokens[0] in ("姓名", "姓", "领导姓名"):
        tokens = tokens[2:] if tokens[:2] == ["姓", "名"] else tokens[1:]
    if 2 <= len(tokens) <= 3 and all(len(token) == 1 for token in tokens):
        tokens = ["".join(tokens)]
    left = [token for token in tokens if not _RANKED.search(token)]
    if len(left) == 1:
        name = _SUFFIX.sub("", left[0])
    elif not left and tokens:
        name = _TO_RANK.sub("", tokens[-1])
    else:
        return ""
    return name if _NAME.fullmatch(name) and not _NO_NAMES.fullmatch(name) else ""


def leader_links(page: Page, chrome: Collection[str] = ()) -> tuple[tuple[str, str], ...]:
    """Return (name, address) of the links of a page that lead to a leader's own page.

    Addresses of the site's frame count only where the link itself names a post too.
    """
    own = {page.url, page.final_url, page.site.url}
    found: dict[str, str] = {}
    for _, url, text in anchors(page):
        if len(text) <= _LONGEST and url not in own and url not in found and page.site.owns(url):
            name = person_name(text)
            if name and (url not in chrome or _RANKED.search(text)):
                found[url] = name
    return tuple((name, url) for url, name in found.items())


# --- what a page says of them ------------------------------------------------------------------------------

_CRUMB = re.compile(r"(?:当前|现在|目前|所在|您的|你的)[^\n，。]{0,6}位\s?置[^\n]{0,80}")
_POST_LABEL = re.compile(
    r"(?:现任|担任)?职\s{0,4}务\s{0,2}[:：\t\n]\s{0,2}[\u4e00-\u9fff]{2}|现任[\u4e00-\u9fff]{2}"
)
_CV_LABEL = re.compile(
    r"(?:个人|工作|领导)?(?:简\s{0,2}历|简\s{0,2}介|履历|经历)\s{0,2}[】\]]?\s{0,2}[:：\t\n]\s{0,2}([^\n\t]{12})"
)
_CV_FACTS = (
    re.compile(r"(?:19|20)\d\d\s?年\s?\d{1,2}\s?月\s?(?:\d{1,2}日)?\s?(?:出?生|[，,])|出生(?:年月|日期)"),
    re.compile(r"[汉满回蒙藏苗壮彝侗瑶白黎畲]族|民\s{0,2}族"),
    re.compile(r"参加(?:革命)?工作|工作时间"),
    re.compile(r"中共党员|入党|政治面貌|民建会员|民盟盟员|九三学社|无党派"),
    re.compile(r"学历|学位|研究生|大学本科|大专"),
    re.compile(r"籍贯|[省市县]人[，。,]"),
    re.compile(r"历任|曾任|先后(?:任|在)"),
)
_DUTY = re.compile(
    r"(?:工作分工|领导分工|分工|分管(?:工作|领域|部门|范围)?|工作职责|主要职责|职责|负责工作)\s{0,2}[】\]]?\s{0,2}[:：\t\n]\s{0,2}[^\n\t]{4}"
    r"|(?:主持|负责|分管|协助|协管)[^\n。，]{0,30}(?:工作|事务|方面|单位|部门)|(?:负责|分管)[^\n]{6}"
)
_SHORT = 20  # a text this short says nothing about a person


def read_leaders(page: Page) -> tuple[Leader, ...]:
    """Return the leaders a page presents with details of them, each once.

    A page that names people without a word about them presents none.
    """
    text = _main(page)
    people = _people(text)
    told = [one for one in people if one[2] - one[1] >= len(one[0]) + _SHORT]
    if len(told) >= 2:
        found = tuple(_leader(name, text[start:end], before) for name, start, end, before in told)
        return tuple(leader for leader in found if leader.cv or leader.duties)  # else a name in a menu
    if len(text) < _SHORT:
        return ()
    name = (told or people)[0][0] if people else _own_name(page)
    leader = _leader(name, text, "")
    return (leader,) if leader.post or leader.cv or leader.duties else ()


def _main(page: Page) -> str:
    """Return the text between breadcrumb and footer."""
    of = view(page)
    crumb = _CRUMB.search(of.text[:6_000])
    return of.text[crumb.end() if crumb else 0 : footer_start(page)]


def _people(text: str) -> list[tuple[str, int, int, str]]:
    """Return (name, start, end, line before) of each person's stretch; who is named twice has the longer."""
    starts: list[tuple[str, int, str]] = []
    position, before = 0, ""
    for line in re.split(r"[\n\t]", text):
        if name := person_name(line):
            starts.append((name, position, before))
        position += len(line) + 1
        before = line
    ends = [*(start for _, start, _ in starts[1:]), len(text)]
    best: dict[str, tuple[str, int, int, str]] = {}
    for (name, start, line), end in zip(starts, ends, strict=False):
        known = best.get(name)
        if known is None or end - start > known[2] - known[1]:
            best[name] = (name, start, end, line)
    return list(best.values())


def _own_name(page: Page) -> str:
    heads = view(page).nodes.get("title", ())
    title = " ".join((heads[0].text_content() if heads else "").split())
    return next((name for part in re.split(r"[-_|—\s]+", title) if (name := person_name(part))), "")


def _leader(name: str, text: str, before: str) -> Leader:
    facts = sum(1 for fact in _CV_FACTS if fact.search(text))
    post = bool(_POST_LABEL.search(text)) or any(
        _RANKED.search(line) for line in (before, *_short_lines(text))
    )
    return Leader(
        name, post, facts >= 2 or _CV_LABEL.search(text) is not None, _DUTY.search(text) is not None
    )


def _short_lines(text: str) -> Iterator[str]:
    return (line for line in re.split(r"[\n\t]", text) if len(line) <= _LONGEST)
