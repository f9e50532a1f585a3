"""The words of the notice: the same paragraphs go into the document and the web report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from govcrawl.report.facts import Facts, percent, plainly
from govcrawl.report.faults import REPAIR_DAYS
from govcrawl.results import mean_range
from govcrawl.scoring import Band

_EXAMPLES = 8  # sites named for one problem
_PROBLEMS = 6
_KINDS_NAMED = 3


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One paragraph: title, addressee, body, heading1, heading2, signature, annex or list."""

    style: str
    text: str


def notice(facts: Facts, form: str) -> tuple[Paragraph, ...]:
    """Return the notice of a quarter: form "scores" as in 2023, "problems" as in 2024."""
    scored = form == "scores"
    parts = [
        *_opening(facts),
        *(_scores(facts) if scored else _counts(facts)),
        *_compared(facts),
        *_messages(facts),
    ]
    return (
        *parts,
        *_problems(facts),
        *_demands(),
        *_end(facts),
        *(_bands(facts) if scored else ()),
        *_units(facts),
    )


def band_label(band: Band) -> str:
    """Print a band as the annex does: 120分及以上, 110—119分."""
    if band.label.endswith("+"):
        return f"{band.label[:-1]}分及以上"
    if band.label.startswith("<"):
        return f"{band.label[1:]}分以下"
    return f"{band.label.replace('-', '—')}分"


def day(of: date) -> str:
    """Print a day as documents do: 2023年9月30日."""
    return f"{of.year}年{of.month}月{of.day}日"


def _opening(facts: Facts) -> Iterator[Paragraph]:
    yield Paragraph("title", f"关于{facts.quarter.zh}全省\n政府网站检查情况的通报")
    yield Paragraph("addressee", "各市、县（市、区）人民政府，省级有关单位：")
    yield Paragraph(
        "body",
        f"根据《国务院办公厅秘书局关于印发政府网站与政务新媒体检查指标、监管工作年度考核指标的通知》"
        f"（{facts.edition.document}）要求，省政府办公厅组织开展了{facts.quarter.zh}全省政府网站检查。"
        "现将有关情况通报如下：",
    )
    yield Paragraph("heading1", "一、总体情况")


def _scores(facts: Facts) -> Iterator[Paragraph]:
    summary = facts.summary
    yield Paragraph("heading2", "（一）政府网站检查情况")
    yield Paragraph("body", _inspected(facts) + f"总体合格率为{plainly(summary.pass_rate)}%。")
    if summary.mean is not None and summary.best is not None and summary.worst is not None:
        text = (
            f"政府门户网站平均得分{plainly(summary.mean)}分（满分{plainly(facts.full)}分），"
            f"最高{plainly(summary.best)}分，最低{plainly(summary.worst)}分。"
        )
        if facts.top:
            names = "、".join(facts.names[rank.site_id] for rank in facts.top)
            text += f"得分超过120分的有{names}等{len(facts.top)}家政府门户网站。"
        yield Paragraph("body", text)
    if summary.unqualified:
        names = "、".join(facts.names[site_id] for site_id in summary.unqualified)
        yield Paragraph("body", f"不合格网站{len(summary.unqualified)}家：{names}。")
    if summary.provisional:
        between = mean_range(facts.scores.values())
        final = f"，确认后平均得分在{plainly(between[0])}至{plainly(between[1])}分之间" if between else ""
        text = f"其中{summary.provisional}家网站尚有检查项待人工确认，得分为暂定分{final}。"
        yield Paragraph("body", text)
    if summary.missing:
        yield Paragraph("body", f"另有{len(summary.missing)}家网站未完成检查，不计入合格率。")


def _compared(facts: Facts) -> Iterator[Paragraph]:
    changes = [
        rank.total - facts.earlier[rank.site_id]
        for rank in facts.summary.ranking
        if rank.site_id in facts.earlier
    ]
    if changes:
        up, down = sum(change > 0 for change in changes), sum(change < 0 for change in changes)
        yield Paragraph("body", f"与上季度相比，{up}家政府门户网站得分上升，{down}家得分下降。")
    found = facts.comparison
    if found is not None:
        yield Paragraph(
            "body",
            f"上季度通报的问题已整改{len(found.repaired)}处，仍然存在{len(found.lasting)}处；"
            f"以往整改后重新出现的问题{len(found.returned)}处，新发现问题{len(found.fresh)}处。",
        )


def _inspected(facts: Facts) -> str:
    summary = facts.summary
    return (
        f"本次共检查政府网站{summary.sites}家，其中，对{summary.portals}家政府门户网站进行评分，"
        f"对{summary.departments}家部门网站进行合格性检查。"
    )


def _counts(facts: Facts) -> Iterator[Paragraph]:
    summary, repairs = facts.summary, facts.repairs
    yield Paragraph("heading2", "（一）政府网站检查情况")
    yield Paragraph(
        "body",
        f"本次共检查政府网站{summary.sites}家，其中政府门户网站{summary.portals}家、"
        f"部门网站{summary.departments}家，总体合格率为{plainly(summary.pass_rate)}%。",
    )
    sites = repairs.clean + repairs.faulty
    if not sites:
        yield Paragraph("body", "本季度检查结果由外部导入，未记录逐项问题。")
        return
    yield Paragraph(
        "body",
        f"有检查记录的{sites}家网站中，未发现问题的{repairs.clean}家，占{_share(repairs.clean, sites)}%；"
        f"存在问题的{repairs.faulty}家，占{_share(repairs.faulty, sites)}%。",
    )
    if repairs.found:
        yield Paragraph(
            "body",
            f"共发现问题{repairs.found}个，{REPAIR_DAYS}个工作日内完成整改{repairs.in_time}个，"
            f"占{_share(repairs.in_time, repairs.found)}%；逾期完成整改{repairs.late}个，"
            f"占{_share(repairs.late, repairs.found)}%；尚未整改{repairs.open}个，"
            f"占{_share(repairs.open, repairs.found)}%。",
        )


def _share(part: int, whole: int) -> str:
    return plainly(percent(part, whole))


def _messages(facts: Facts) -> Iterator[Paragraph]:
    yield Paragraph("heading2", "（二）“我为政府网站找错”留言办理情况")
    found = facts.messages
    if found is None:
        yield Paragraph("body", "本季度未导入“我为政府网站找错”留言。")
        return
    kinds = "、".join(name for name, _ in found.kinds[:_KINDS_NAMED])
    settled = "全部按期办结，" if found.settled == found.received else f"按期办结{found.settled}件，"
    yield Paragraph(
        "body",
        f"本季度共转办“我为政府网站找错”留言{found.received}件，涉及{len(found.cities)}个设区市和"
        f"{len(found.units)}家省级单位，{settled}按期办结率{plainly(found.rate)}%。"
        f"留言反映的问题主要集中在{kinds}等方面。",
    )


def _problems(facts: Facts) -> Iterator[Paragraph]:
    yield Paragraph("heading1", "二、存在问题")
    sections = [(title, texts) for title, texts in _sections(facts) if texts]
    for number, (title, texts) in enumerate(sections):
        yield Paragraph("heading2", f"（{'一二三四五六'[number]}）{title}")
        for text in texts:
            yield Paragraph("body", text)
    if not sections:
        yield Paragraph("body", "本季度没有逐项问题记录，也未导入咨询办理数据。")


def _sections(facts: Facts) -> Iterator[tuple[str, list[str]]]:
    yield "统一平台咨询答复方面", list(_slow(facts))
    for category, title in (
        ("单项否决", "单项否决方面"),
        ("发布解读", "信息发布方面"),
        ("办事服务", "办事服务方面"),
        ("互动交流", "互动交流方面"),
        ("功能设计", "页面与功能设计方面"),
    ):
        yield title, list(_faulty(facts, category))


def _slow(facts: Facts) -> Iterator[str]:
    found = facts.inquiries
    if found is None:
        return
    if found.slowest:
        names = "、".join(f"{rate.name}（{plainly(rate.on_time)}%）" for rate in found.slowest)
        yield f"网民咨询按期答复率较低的设区市有：{names}。"
    if found.named:
        names = "、".join(f"{rate.name}（{rate.overdue}件）" for rate in found.named)
        yield f"逾期答复3件及以上的省级单位有：{names}。"


def _faulty(facts: Facts, category: str) -> Iterator[str]:
    rules = facts.edition.rules
    by_rule: dict[str, Counter[str]] = {}
    for fault in facts.faults:
        veto = rules[fault.rule].is_veto
        if (category == "单项否决") if veto else (fault.category == category):
            by_rule.setdefault(fault.rule, Counter())[fault.site_id] += 1
    worst = sorted(by_rule.items(), key=lambda pair: (-len(pair[1]), pair[0]))[:_PROBLEMS]
    for code, sites in worst:
        names = [facts.names.get(site_id, site_id) for site_id, _ in sites.most_common(_EXAMPLES)]
        more = "等" if len(sites) > len(names) else ""
        yield f"{rules[code].zh}：{len(sites)}家网站，{sites.total()}处，涉及{'、'.join(names)}{more}。"


def _demands() -> Iterator[Paragraph]:
    yield Paragraph("heading1", "三、下一步工作要求")
    for title, text in (
        (
            "（一）按时答复网民咨询",
            "简单问题1个工作日内答复，复杂问题3个工作日内答复；答复要具体，不推诿、不敷衍。",
        ),
        (
            "（二）及时发布更新信息",
            "各栏目按规定期限更新，不得出现空白栏目和超期未更新栏目；政策文件与解读材料要相互链接。",
        ),
        (
            "（三）规范页面标识",
            "所有页面的页头、页脚须规范展示各类标识，“我为政府网站找错”入口要在各页面页脚正确链接。",
        ),
        (
            "（四）守住内容和网络安全底线",
            "加强错误表述、个人信息泄露、暗链、空链和错链的日常排查，做好网站安全防护。",
        ),
    ):
        yield Paragraph("heading2", title)
        yield Paragraph("body", text)
    yield Paragraph(
        "body", f"对检查发现的问题，各单位须在{REPAIR_DAYS}个工作日内完成整改，整改后将逐项复查。"
    )


def _end(facts: Facts) -> Iterator[Paragraph]:
    if facts.imported:
        yield Paragraph("body", "注：本季度得分与结论由外部文件导入，未经本系统逐项检查。")
    if facts.root:
        yield Paragraph(
            "body", f"注：{len(facts.roots)}家网站检查记录的校验值为{facts.root}，可据以核验记录未被更改。"
        )
    yield Paragraph("signature", day(facts.at))


def _bands(facts: Facts) -> Iterator[Paragraph]:
    yield Paragraph("annex", "附件1")
    yield Paragraph("annextitle", f"{facts.quarter.zh}政府门户网站评分分段情况")
    yield Paragraph("note", "（各分段内按得分由高到低排列）")
    for band in facts.summary.bands:
        yield Paragraph("heading1", f"{band_label(band)}（{len(band.site_ids)}家）")
        yield Paragraph("body", _listed(facts.names[site_id] for site_id in band.site_ids))


def _units(facts: Facts) -> Iterator[Paragraph]:
    if not facts.units:
        return
    yield Paragraph("annex", "附件2")
    yield Paragraph("annextitle", "省级单位名单")
    yield Paragraph("note", f"（共{len(facts.units)}家）")
    yield Paragraph("body", _listed(facts.units))


def _listed(names: Iterable[str]) -> str:
    found: Sequence[str] = list(names)
    return "、".join(found) + ("。" if found else "无。")
