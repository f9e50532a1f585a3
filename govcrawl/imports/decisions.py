"""Decisions on the rules no program decides, as a person writes them into a table (`import scores`).

One row is one decision: site, rule, what it came to, why, and where the evidence stands. A fault found twice
is two rows. They enter the score beside the findings of the inspection and answer the rule's open question.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from govcrawl.imports.sheet import Column, choice, text
from govcrawl.items import Evidence, Finding, Outcome, Site
from govcrawl.standard import Edition, RuleSpec

_TYPED = frozenset(("manual", "external"))
_FAULT, _CLEAR, _EARNED, _UNEARNED, _INAPPLICABLE = "扣分", "不扣分", "加分", "不加分", "不适用"
_WORDS = {
    _FAULT: _FAULT, _CLEAR: _CLEAR, _EARNED: _EARNED, _UNEARNED: _UNEARNED, _INAPPLICABLE: _INAPPLICABLE,
    "有问题": _FAULT, "不合格": _FAULT, "无问题": _CLEAR, "合格": _CLEAR,
}  # fmt: skip
_OUTCOMES = {
    _FAULT: Outcome.FAILED,
    _CLEAR: Outcome.PASSED,
    _EARNED: Outcome.PASSED,
    _UNEARNED: Outcome.FAILED,
    _INAPPLICABLE: Outcome.INAPPLICABLE,
}
_LINK = re.compile(r"https?://[^\s/]+\.?[^\s]*", re.IGNORECASE)
_LONGEST = 2_000


def rule_code(cell: Any) -> str:
    """Read the code of a rule, alone or before its name (`D3.4b 答复推诿、敷衍`)."""
    return text(cell).split(" ")[0]


def note(cell: Any) -> str:
    """Read a note; ValueError for one that is longer than a person will read."""
    found = text(cell)
    if len(found) > _LONGEST:
        raise ValueError(f"has {len(found)} characters; {_LONGEST} are allowed")
    return found


def link(cell: Any) -> str:
    """Read the address of the evidence; ValueError says how to write it."""
    found = text(cell)
    if len(found) > _LONGEST or not _LINK.fullmatch(found):
        raise ValueError(f"{found[:40]!r} is no web address; write one such as https://www.example.gov.cn/a")
    return found


COLUMNS: Mapping[str, Column] = {
    "site_id": Column(("网站编号", "site_id", "站点编号"), text),
    "rule": Column(("指标编号", "rule", "指标", "规则", "规则编号", "指标代码"), rule_code),
    "result": Column(("结论", "result", "结果", "评判结果", "检查结果"), choice(_WORDS)),
    "note": Column(("说明", "note", "问题描述", "备注", "情况说明"), note),
    "evidence": Column(("证据链接", "evidence", "证据", "佐证链接", "网址"), link, required=False),
    "reviewer": Column(("检查人", "reviewer", "评判人", "审核人"), text, required=False),
}


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided on one rule of one site, why, and where it can be seen."""

    site_id: str
    rule: str
    result: str
    note: str
    evidence: str = ""
    reviewer: str = ""

    def finding(self, quarter: str, edition: Edition, at: datetime) -> Finding:
        """Return the decision as a finding of the quarter."""
        seen = Evidence(
            self.evidence,
            self.note,
            expected=edition.rules[self.rule].zh,
            excerpt=f"检查人：{self.reviewer}" if self.reviewer else "",
        )
        return Finding(
            self.site_id, quarter, self.rule, _OUTCOMES[self.result], edition.id, self.note, (seen,), at
        )


def decided_findings(
    decisions: Iterable[Decision], quarter: str, edition: Edition, at: datetime
) -> dict[str, tuple[Finding, ...]]:
    """Return the decisions as findings of each site; those on rules the edition lacks are left out."""
    found: dict[str, list[Finding]] = {}
    for one in decisions:
        if one.rule in edition.rules:
            found.setdefault(one.site_id, []).append(one.finding(quarter, edition, at))
    return {site_id: tuple(own) for site_id, own in found.items()}


def decision_faults(row: Mapping[str, Any], sites: Mapping[str, Site], edition: Edition) -> Iterator[str]:
    """Yield what is wrong with one row."""
    site, spec = sites.get(row["site_id"]), edition.rules.get(row["rule"])
    if site is None:
        yield f"网站编号: {row['site_id']!r} is not on the roster"
    if spec is None:
        yield f"指标编号: {row['rule']!r} is no rule of edition {edition.id}"
    elif spec.mode not in _TYPED:
        yield f"指标编号: {spec.title} is decided by a check ({spec.mode}); review its findings instead"
    else:
        yield from _result_faults(row, spec)
    if site is not None and spec is not None and site.kind not in spec.kinds:
        yield f"指标编号: {spec.title} does not concern {site.kind} sites"


def _result_faults(row: Mapping[str, Any], spec: RuleSpec) -> Iterator[str]:
    words = (_EARNED, _UNEARNED) if spec.is_bonus else (_FAULT, _CLEAR)
    if row["result"] not in (*words, _INAPPLICABLE):
        yield f"结论: {row['result']} does not fit {spec.title}; write {'、'.join((*words, _INAPPLICABLE))}"
    if row["result"] in (_FAULT, _EARNED) and not row["evidence"]:
        yield f"证据链接: is empty; {row['result']} needs the address of its evidence"


def contradictions(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the rows that say otherwise than an earlier row on the same site and rule."""
    first: dict[tuple[str, str], Mapping[str, Any]] = {}
    for row in rows:
        known = first.setdefault((row["site_id"], row["rule"]), row)
        if known["result"] != row["result"]:
            yield (
                f"row {row['row']}, 结论: {row['result']} contradicts row {known['row']}, which says "
                f"{known['result']} of {row['rule']} on {row['site_id']}"
            )
