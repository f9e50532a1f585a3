"""Markup of what stands behind the boards: guides, messages, leaders, surveys, in several layouts and wordings."""

# ruff: noqa: E501  (markup and word lists in long lines)
from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from html import escape

from tests.province.model import AT, ELEMENTS, Entry, Guide, Leader, Letter, Site

_LABELS = (
    {},
    {
        "设定依据": "法律依据", "申请条件": "受理条件", "办理材料": "申请材料", "办理地点": "受理地点", "办理机构": "实施机关",
        "收费标准": "收费依据及标准", "办理时间": "受理时间", "联系电话": "咨询电话", "办理流程": "办理程序",
    },
    {
        "事项名称": "服务事项名称", "办理材料": "所需材料", "办理地点": "办公地址", "办理机构": "受理机构", "办理时间": "办公时间",
        "联系电话": "咨询方式", "办理流程": "办事流程",
    },
)  # fmt: skip
_LETTER_LABELS = (
    ("提问时间", "留言内容", "答复单位", "答复时间", "答复内容"),
    ("来信时间", "来信内容", "回复单位", "回复时间", "回复内容"),
    ("咨询时间", "咨询内容", "处理单位", "办结时间", "处理结果"),
)
_LEADER_LABELS = (
    ("职务", "个人简历", "工作分工"),
    ("现任职务", "简历", "分管工作"),
    ("职务", "个人简介", "工作职责"),
)
_NUMBERS = "一二三四五六七八九十"


def guide(site: Site, number: int, link: Callable[[str], str]) -> str:
    """Write a service guide; `link` turns a path of the site into a link."""
    this = site.depth.guides[number]
    values = _values(site, this, number, link)
    labels = _LABELS[site.depth.layout % 3]
    rows = [(labels.get(name, name), values[name]) for name in ELEMENTS if name not in this.missing]
    return f"<h2>{this.item}办事指南</h2>{_rows(rows, site.depth.layout)}"


def _rows(rows: list[tuple[str, str]], layout: int) -> str:
    match layout % 4:
        case 0:
            lines = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in rows)
            return f'<table class="guide" border="1">{lines}</table>'
        case 1:
            return "".join(f"<h4>{name}</h4><div>{value}</div>" for name, value in rows)
        case 2:
            return "<dl>" + "".join(f"<dt>{name}：</dt><dd>{value}</dd>" for name, value in rows) + "</dl>"
    lines = "".join(
        f"<p><strong>{_NUMBERS[step]}、{name}</strong></p><p>{value}</p>"
        for step, (name, value) in enumerate(rows)
    )
    return f'<div class="guide">{lines}</div>'


def form_path(site: Site, number: int) -> str:
    """Return the address of a guide's form."""
    return f"/files/form{site.uids + number}.doc"


def _values(site: Site, this: Guide, number: int, link: Callable[[str], str]) -> dict[str, str]:
    form = "申请表（原件1份，纸质）"
    if this.form != "none":
        form += f' <a href="{escape(link(form_path(site, number)))}">空表下载</a>'
    materials = f"1.{form}；2.身份证明（复印件1份，纸质或电子）"
    closing = "；3.法律、法规规定的其他材料。" if this.vague else "。无需提交其他材料。"
    return {
        "事项名称": this.item,
        "设定依据": _basis(site, this, number, link),
        "申请条件": "具有完全民事行为能力，并有固定经营场所。",
        "办理材料": materials + closing,
        "办理地点": f"{site.plan.area}政务服务中心二楼{site.uids % 30 + 1}号窗口",
        "办理机构": site.plan.name,
        "收费标准": "不收费",
        "办理时间": "周一至周五 9:00-12:00，13:30-17:00（法定节假日除外）",
        "联系电话": site.phone,
        "办理流程": "申请→受理→审查→决定→送达",
    }


def _basis(site: Site, this: Guide, number: int, link: Callable[[str], str]) -> str:
    name = f"《云江省{this.item}管理条例》"
    policies = [
        e for c in site.of_kind("policy") if c.parent is None and c.state == "normal" for e in c.entries
    ]
    if this.basis == "own" and policies:
        policy = policies[number % len(policies)]
        return f'<a href="{escape(link(policy.path))}">{policy.title}</a>'
    if this.basis == "outside":
        return f'<a href="http://www.gov.cn/zhengce/content/{number + 31}.htm">{name}</a>'
    return f"{name}第十二条：申请人应当向主管部门提出申请。"


def letter(site: Site, this: Letter) -> str:
    """Write a published message with its reply, if any."""
    depth = site.depth
    asked, text, unit, replied, reply = _LETTER_LABELS[depth.layout % 3]
    rows = [(text, f"您好，想咨询{this.question}，谢谢。")]
    if depth.letter_lacks != "asked":
        rows.insert(0, (asked, f"{this.asked} 10:21"))
    if this.replied is None:
        rows.append(("办理状态", "处理中"))
        return f'<div class="letter"><h3>{this.question}</h3>{_lines(rows, depth.layout)}</div>'
    if depth.letter_lacks != "unit":
        rows.append((unit, f"{site.plan.name}办公室"))
    if depth.letter_lacks != "replied":
        rows.append((replied, f"{this.replied} 15:40"))
    if depth.letter_lacks != "reply":
        rows.append((reply, "您好，您反映的问题已收悉。经核实，请携带身份证件到服务窗口办理，感谢关注。"))
    return f'<div class="letter"><h3>{this.question}</h3>{_lines(rows, depth.layout)}</div>'


def _lines(rows: list[tuple[str, str]], layout: int) -> str:
    if layout % 2:
        return "<table>" + "".join(f"<tr><td>{n}</td><td>{v}</td></tr>" for n, v in rows) + "</table>"
    return "".join(f"<p>{n}：{v}</p>" for n, v in rows)


def letters(site: Site, hrefs: list[str]) -> str:
    """Write the list of published messages with what they were asked and answered."""
    depth = site.depth
    asked, _, _, replied, _ = _LETTER_LABELS[depth.layout % 3]
    show_asked, show_replied = depth.letter_lacks != "asked", depth.letter_lacks != "replied"
    head = (
        "<th>标题</th>"
        + f"<th>{asked}</th>" * show_asked
        + f"<th>{replied}</th>" * show_replied
        + "<th>状态</th>"
    )
    lines = []
    for this, href in zip(depth.letters, hrefs, strict=True):
        cells = (
            f'<td><a href="{escape(href)}">{this.question}</a></td>' + f"<td>{this.asked}</td>" * show_asked
        )
        cells += f"<td>{this.replied or '--'}</td>" * show_replied
        lines.append(f"<tr>{cells}<td>{'已答复' if this.replied else '处理中'}</td></tr>")
    total = site.uids % 90 + 20
    stat = f"<p>本年度共收到留言{total}件，已答复{total}件。</p>"
    return f'<table class="letters"><tr>{head}</tr>{"".join(lines)}</table>{stat}'


def leader(site: Site, this: Leader, number: int) -> str:
    """Write a leader's page: name, title, CV, duties."""
    rng = site.rng(f"leader{number}")
    post, cv, duty = _LEADER_LABELS[site.depth.layout % 3]
    life = (
        f"{'男' if number % 2 else '女'}，汉族，19{rng.randint(65, 84)}年{rng.randint(1, 12)}月出生，大学学历，"
        f"19{rng.randint(88, 99)}年7月参加工作，历任科员、副科长、科长、副主任等职。"
    )
    rows = [(post, this.post)]
    if this.missing != "cv":
        rows.append((cv, life))
    if this.missing != "duty":
        rows.append(
            (
                duty,
                "主持全面工作。" if number == 0 else "协助主要负责人工作，负责办公室、人事、宣传等方面工作。",
            )
        )
    name = "" if this.missing == "name" else f"<h3>{this.name}</h3>"
    return f'<div class="leader">{name}{_lines(rows, site.depth.layout)}</div>'


def survey(site: Site, entry: Entry, index: int) -> tuple[list[str], str]:
    """Return the paragraphs of a survey and what follows them: the form, or the results."""
    closing = closes(entry)
    paragraphs = [f"为广泛听取意见，现开展“{entry.title}”活动。", f"活动时间：{entry.published}至{closing}。"]
    if site.depth.survey == "email":
        return [*paragraphs, f"请将意见建议发送至电子邮箱：yj@{site.host}。"], ""
    form = (
        '<form action="/interaction/submit.do" method="post"><p>1.您对此项工作是否满意？'
        '<input type="radio" name="a" value="1">满意 <input type="radio" name="a" value="2">不满意</p>'
        '<p>2.您的意见建议：<textarea name="b"></textarea></p><input type="submit" value="提交问卷"></form>'
    )
    if closing >= AT:
        return [*paragraphs, "状态：进行中"], form
    paragraphs.append("状态：已结束")
    done = result_day(site, entry, index)
    if done is None:
        return paragraphs, form
    tail = (
        f'<div class="result"><h4>结果反馈</h4><p>反馈时间：{done}</p>'
        f"<p>本次活动共收到有效意见{entry.uid % 80 + 12}条，采纳{entry.uid % 9 + 3}条，感谢参与。</p></div>"
    )
    return paragraphs, form + tail


def closes(entry: Entry) -> date:
    """Return the last day of a survey."""
    return entry.published + timedelta(days=20)


def result_day(site: Site, entry: Entry, index: int) -> date | None:
    """Return the day a survey's results were published."""
    match site.depth.survey:
        case "results":
            return min(closes(entry) + timedelta(days=10), AT)
        case "late":
            return (
                min(closes(entry) + timedelta(days=55), AT)
                if index % 2
                else closes(entry) + timedelta(days=9)
            )
        case "partial":
            return None if index % 2 else min(closes(entry) + timedelta(days=10), AT)
    return None
