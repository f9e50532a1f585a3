"""A service guide (办事指南): its ten elements, vague wording, demanded forms and policy bases."""

# ruff: noqa: E501  (word lists and patterns in long lines)
from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from govcrawl.extract.article import read_article
from govcrawl.extract.labels import Part, read_parts, split_parts
from govcrawl.extract.links import anchors
from govcrawl.extract.text import view
from govcrawl.items import Page

# The ten elements of the standard (重点要素类别) and the words they go by.
_WORDS = {
    "事项名称": "事项名称 服务事项名称 办理事项 办理事项名称 项目名称 服务名称 服务事项 许可事项 许可事项名称 主项名称 子项名称 业务名称 "
    "职权名称 权力名称 审批事项 审批事项名称 办事项目 事项",
    "设定依据": "设定依据 法律依据 办理依据 政策依据 法定依据 实施依据 审批依据 事项依据 许可依据 法律法规依据 服务依据 法规依据 受理依据 "
    "职权依据 设立依据 行使依据 依据 依据文件",
    "申请条件": "申请条件 受理条件 办理条件 申办条件 申报条件 许可条件 审批条件 准予条件 办事条件 予以批准的条件 申领条件 办理对象及条件 条件",
    "办理材料": "办理材料 申请材料 申报材料 所需材料 提交材料 需提交材料 需提交的材料 应提交材料 应提交的材料 提交的材料 材料清单 申请材料目录 "
    "申请材料清单 办理所需材料 所需要件 需要材料 需提供材料 需提供的材料 受理材料 申请资料 申报资料 所需资料 办事材料 办理要件 材料目录 材料要求",
    "办理地点": "办理地点 受理地点 办公地址 办公地点 办理地址 办事地点 办事地址 窗口地址 受理地址 地址 办理窗口 办事窗口 受理窗口 联系地址 咨询地址 "
    "办理场所 受理地点及窗口",
    "办理机构": "办理机构 受理机构 实施机关 实施主体 办理部门 受理部门 承办机构 承办单位 承办部门 办理单位 实施机构 办理主体 审批机关 决定机构 "
    "责任部门 主管部门 实施部门 实施单位 受理单位 许可机关 许可机构 受理机关 责任单位 行使主体 办理机关 经办机构 权力部门 审批机构 决定机关",
    "收费标准": "收费标准 收费依据 收费依据及标准 是否收费 收费情况 收费标准及依据 收费 办理费用 费用 收费项目 收费依据和标准 收费信息 收费 是否收费及标准 "
    "收费标准和依据 收费方式 收费项目及标准",
    "办理时间": "办理时间 受理时间 办公时间 工作时间 办理时限 办结时限 承诺时限 法定时限 承诺期限 法定期限 办理期限 办结时间 服务时间 窗口办理时间 时限 审批时限 "
    "法定办结时限 承诺办结时限 办事时间 对外办公时间 接待时间",
    "联系电话": "联系电话 咨询电话 咨询方式 联系方式 电话 咨询热线 办公电话 服务电话 窗口电话 咨询途径 咨询渠道 咨询投诉电话 咨询及投诉电话 咨询监督电话 咨询服务电话 "
    "联系人及电话 业务咨询电话 咨询查询途径 咨询",
    "办理流程": "办理流程 办理程序 办事流程 办事程序 审批流程 审批程序 流程图 办理流程图 工作流程 服务流程 受理流程 许可程序 申请流程 办理步骤 流程 办理环节 "
    "运行流程 基本流程 业务流程 网上办理流程 线下办理流程 窗口办理流程 外部流程图 办事流程图",
}
ELEMENTS = tuple(_WORDS)
_NAMES = {word: name for name, words in _WORDS.items() for word in words.split()}
_JOINT = {
    "名称": "事项名称", "材料": "办理材料", "地点": "办理地点", "机构": "办理机构", "标准": "收费标准", "时间": "办理时间", "人": "联系电话",
    "联系人": "联系电话", "窗口": "办理地点", "部门": "办理机构", "程序": "办理流程", "监督电话": "联系电话", "期限": "办理时间", "方式": "联系电话",
}  # fmt: skip
_WEAK = ("事项名称", "联系电话", "办理地点", "办理时间", "办理流程", "收费标准")
_TELLING = frozenset(
    ("设定依据", "申请条件", "办理材料", "收费标准", "办理流程")
)  # forms ask for the others too
_HUB = re.compile(r"^(?:办事|服务|办理)?指南$|^(?:网上)?办事(?:大厅|服务)?$|^政务服务$|^首页$")

_VAGUE = re.compile(
    r"法律、?(?:行政)?法规[^，。；\n]{0,16}?(?:规定|要求)[^，。；\n]{0,6}?其[他它][^，。；\n]{0,10}?(?:材料|资料|证明|文件|证件|手续)"
    r"|(?:规定|要求|认为|需要)(?:应当?|必须|需要?)?(?:提交|提供|补充|出具)?的?其[他它](?:相关|有关|必要)?的?(?:证明)?(?:材料|资料|文件|证件|手续)"
    r"|其[他它](?:相关|有关|必要|所需|需要|应当?|须|需|必须|可能)(?:要)?(?:提交|提供|补充|出具)?的?(?:申请|申报|证明|辅助|佐证)?(?:材料|资料|证明|文件|证件|手续)"
    r"|(?:^|[、；;。，,\s.．）)\d])其[他它](?:证明)?(?:材料|资料|证明|文件|手续)"
    r"|等(?:相关|有关|其[他它]|必要|一系列)的?(?:申请|证明|证明类)?(?:材料|资料|证明|文件|证件|手续)"
    r"|(?:视情况|必要时|根据(?:实际)?(?:需要|情况))[^，。；\n]{0,6}(?:提交|提供|补充)",
    re.MULTILINE,
)
_DENIED = re.compile(r"(?:无需|无须|不需|不须|不得|不再|毋需|免于|禁止|不应|没有|无)[^，。；\n]{0,14}$")
_FORM_STATED = re.compile(
    r"原件|复印件|影印件|扫描件|正本|副本|纸质|电子|[一二三四五六七八九两\d]\s?[式份]|份数"
)
_FORM = re.compile(
    r"([\u4e00-\u9fff]{0,12}(?:申请|登记|申报|审批|备案|审核|变更|报名|鉴定|信息|情况|报告|汇总|认定|推荐)表|表格|《[^》\n]{2,40}表》)"
)
_ELSEWHERE = re.compile(
    r"(?:窗口|现场|大厅|柜台|当场)[^，。；\n]{0,8}(?:领取|索取|提供|填写)|(?:领取|索取)[^，。；\n]{0,10}(?:窗口|现场|大厅)|网上(?:填报|填写)|在线(?:填报|填写)"
)
_FILE = re.compile(r"\.(?:docx?|xlsx?|wps|et|pdf|ofd|rar|zip|rtf)$", re.IGNORECASE)
_GETS_FORM = re.compile(r"下载|空表|样表|空白表|范本|表格|申请表|登记表|申报表|审批表|示例")
_CLAUSE = re.compile(r"第[一二三四五六七八九十百零〇\d]{1,6}[条款项章]")
_BRACKETED = re.compile(r"《[^》\n]{2,60}》")


@dataclass(frozen=True, slots=True)
class Guide:
    """What one service guide offers.

    `unclear` are elements whose label is there while their value may be a picture, a tab or a script's work.
    `form` is a form the materials demand; `form_elsewhere` tells that the guide names another way to get it.
    """

    item: str
    missing: tuple[str, ...] = ()
    unclear: tuple[str, ...] = ()
    vague: tuple[str, ...] = ()
    materials_unclear: bool = False
    basis_unclear: str = ""  # a policy named without a link or a clause
    basis_links: tuple[str, ...] = ()
    basis_unlinked: tuple[str, ...] = ()  # policies of the basis that no link leads to
    form: str = ""
    form_elsewhere: bool = False
    form_links: tuple[str, ...] = ()

    @property
    def readable(self) -> bool:
        """Tell whether enough labels were found to believe that the others are missing."""
        found = set(ELEMENTS[1:]) - {*self.missing, *self.unclear}
        return len(found) >= 3 and len(found & _TELLING) >= (1 if len(found) > 3 else 2)


def read_guide(page: Page) -> Guide:
    """Read a service guide; a page that is none comes out with nearly everything missing."""
    known = page.cache.get("guide")
    if isinstance(known, Guide):
        return known
    parts = read_parts(page, _NAMES, _JOINT, _WEAK)
    guide = page.cache["guide"] = _guide(page, parts)
    return guide


def _guide(page: Page, parts: tuple[Part, ...]) -> Guide:
    of = view(page)
    filled = {part.name for part in parts if not part.empty}
    labelled = {part.name for part in parts}
    if of.hidden_text:
        behind = split_parts(of.hidden_text, _NAMES, _JOINT)
        filled |= {part.name for part in behind if not part.empty}
        labelled |= {part.name for part in behind}
    item = _item(page, parts)
    if item:
        filled.add("事项名称")
    pictured = bool(of.hidden_text) or bool(page.included) or _pictures(page, parts)
    unclear = tuple(name for name in ELEMENTS if name in labelled - filled) if pictured else ()
    missing = tuple(name for name in ELEMENTS if name not in filled and name not in unclear)
    materials = [part for part in parts if part.name == "办理材料"]
    basis = [part for part in parts if part.name == "设定依据"]
    links = _links_within(page, basis)
    unlinked = _unlinked(basis, links)
    bare = unlinked and not links and not any(_CLAUSE.search(part.value) for part in basis)
    stated = " ".join(part.value for part in materials)
    form = _FORM.search(stated)
    return Guide(
        item=item[:60],
        missing=missing,
        unclear=unclear,
        vague=tuple(dict.fromkeys(_vague(parts))),
        materials_unclear=bool(stated.strip()) and not _FORM_STATED.search(stated),
        form=form[1][-30:] if form else "",
        form_elsewhere=bool(_ELSEWHERE.search(stated)),
        form_links=_form_links(page, parts) if form else (),
        basis_links=tuple(dict.fromkeys(url for url, _ in links)),
        basis_unlinked=unlinked[:6],
        basis_unclear=unlinked[0] if bare else "",
    )


def _item(page: Page, parts: tuple[Part, ...]) -> str:
    for part in parts:
        if part.name == "事项名称" and not part.empty:
            return part.value.split("\n")[0].strip()
    title = read_article(page).title
    return "" if _HUB.search(title) else title


def _pictures(page: Page, parts: tuple[Part, ...]) -> bool:
    """Tell whether a picture stands among the parts: a flow chart instead of words."""
    if not parts:
        return False
    start, end = parts[0].start, parts[-1].end
    spans = view(page).spans
    return any(start <= spans.get(image, (-1, -1))[0] <= end for image in page.tree.iter("img"))


def _vague(parts: tuple[Part, ...]) -> Iterator[str]:
    for part in parts:
        if part.name not in ("办理材料", "申请条件"):
            continue
        for match in _VAGUE.finditer(part.value):
            if not _DENIED.search(part.value[max(0, match.start() - 20) : match.start()]):
                yield match[0].strip(" 、；;。，,.．）)0123456789\n")


def _links_within(page: Page, parts: list[Part]) -> list[tuple[str, str]]:
    """Return address and text of the links that stand in some parts."""
    if not parts:
        return []
    spans, found = view(page).spans, []
    for element, url, text in anchors(page):
        start = spans.get(element, (-1, -1))[0]
        if any(part.start <= start <= part.end for part in parts):
            found.append((url, text))
    return found


def _unlinked(basis: list[Part], links: list[tuple[str, str]]) -> tuple[str, ...]:
    """Return the policies a basis names and no link carries."""
    linked = " ".join(name for _, name in links)
    named = [name for part in basis for name in _BRACKETED.findall(part.value)]
    return tuple(dict.fromkeys(name for name in named if name[1:-1] not in linked))


def _form_links(page: Page, parts: tuple[Part, ...]) -> tuple[str, ...]:
    """Return the links of the whole guide that offer a form: files, and what calls itself one."""
    if not parts:
        return ()
    spans, first = view(page).spans, parts[0].start
    last = parts[-1].end
    found = []
    for element, url, text in anchors(page):
        start = spans.get(element, (-1, -1))[0]
        if first <= start <= last and (_FILE.search(urlsplit(url).path) or _GETS_FORM.search(text)):
            found.append(url)
    return tuple(dict.fromkeys(found))
