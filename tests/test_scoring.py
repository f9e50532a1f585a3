"""Scores: caps, thresholds, vetoes, the range, and the laws every score obeys."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from govcrawl.items import Evidence, Finding, Outcome, Site
from govcrawl.scoring import QUALIFIED, UNQUALIFIED, ScoreError, SiteScore, score_site, summarise
from govcrawl.sites import load_sites
from govcrawl.standard import load_edition

EDITION = load_edition()
QUARTER = "2023Q3"
PORTAL = Site("p", "某市人民政府", "portal", "city", "330100", "", "http://www.p.gov.cn/")
BARE = replace(PORTAL, has_services=False)
DEPARTMENT = replace(PORTAL, kind="department")
NOTICE = Path(__file__).parent.parent.parent / "shared" / "notice" / "2023Q3_scores_constructed.csv"
D = Decimal


def finding(code: str, outcome: Outcome = Outcome.FAILED, number: int = 0) -> Finding:
    evidence = (Evidence(f"http://www.p.gov.cn/{number}", "seen"),)
    return Finding("p", QUARTER, code, outcome, EDITION.id, evidence=evidence)


def faults(**counts: int) -> list[Finding]:
    return [finding(code, number=number) for code, times in counts.items() for number in range(times)]


def earned(*codes: str) -> list[Finding]:
    return [finding(code, Outcome.PASSED) for code in codes]


def settled(findings: Iterable[Finding]) -> list[Finding]:
    """Add a clean record for every rule that has none: passed, or for a bonus rule not earned."""
    given = list(findings)
    named = {one.rule for one in given}
    return given + [
        finding(code, Outcome.FAILED if rule.is_bonus else Outcome.PASSED)
        for code, rule in EDITION.rules.items()
        if code not in named
    ]


def score(findings: Iterable[Finding], site: Site = PORTAL, **options: Iterable[str]) -> SiteScore:
    decided = {name: frozenset(ids) for name, ids in options.items()}
    return score_site(site, findings, EDITION, quarter=QUARTER, **decided)


def indicator(of: SiteScore, name: str, part: str = "deduction") -> tuple[Decimal, Decimal]:
    (found,) = [one for one in of.indicators if (one.name, one.part) == (name, part)]
    return found.points, found.delta


def test_clean_portal_has_all_points() -> None:
    found = score(settled([]))
    assert (found.verdict, found.part2, found.bonus, found.total) == (QUALIFIED, 100, 0, 100)
    assert (found.low, found.high, found.checked, found.unchecked) == (100, 100, 100, 0)
    assert not found.provisional
    assert not found.may_fail


def test_every_bonus_earned_is_thirty() -> None:
    bonus = [
        finding(code, Outcome.PASSED, number)
        for code, rule in EDITION.rules.items()
        if rule.is_bonus
        for number in range(3)
    ]
    assert score(settled(bonus)).total == 130


def test_every_fault_found_leaves_nothing() -> None:
    everything = [
        finding(code, number=number)
        for code, rule in EDITION.rules.items()
        if rule.part == "deduction"
        for number in range(20)
    ]
    found = score(settled(everything))
    assert (found.part2, found.total, found.verdict) == (0, 0, UNQUALIFIED)


@pytest.mark.parametrize(
    ("counts", "name", "points", "delta"),
    [
        ({"D4.3a": 8}, "可用性", "1.6", "-1"),
        ({"D4.3a": 4}, "可用性", "0.8", "-0.8"),
        ({"D4.3a": 5}, "可用性", "1.0", "-1"),
        ({"D4.3a": 2, "D4.3b": 7}, "可用性", "1.1", "-1"),
        ({"D4.7a": 6, "D4.7b": 6}, "页面标签", "1.2", "-1"),
        ({"D4.7a": 5, "D4.7b": 4}, "页面标签", "0.9", "-0.9"),
        ({"D4.2": 3}, "网站标识", "1.5", "-1.5"),
        ({"D4.2": 7}, "网站标识", "3.5", "-3"),
        ({"D1.4a": 1, "D1.4b": 1}, "动态要闻", "10", "-5"),
        ({"D1.4b": 4}, "动态要闻", "5", "-5"),  # counts once however many columns are stale
        ({"D1.1a": 1, "D1.1b": 3}, "概况信息", "5", "-2"),
        ({"D1.9a": 1, "D1.9b": 1}, "其他栏目", "3", "-3"),
        ({"D2.3b": 1}, "办事统计", "1", "-1"),
        ({"D2.3b": 1, "D2.3c": 1}, "办事统计", "3", "-2"),
        ({"D2.4a": 1, "D2.4b": 3, "D2.4e": 1}, "办事指南", "6.0", "-6"),
        ({"D2.4d": 5}, "办事指南", "10", "-8"),
        ({"D3.4a": 2}, "办理答复", "8", "-7"),
        ({"D4.4a": 1, "D4.4b": 9}, "“我为政府网站找错”入口", "2.8", "-1"),
        ({"D4.4c": 2}, "“我为政府网站找错”答复", "2", "-2"),
        ({"D4.5c": 3}, "站内搜索", "1", "-1"),
        ({"D4.8": 3}, "兼容性", "3", "-2"),
    ],
)
def test_cap_of_an_indicator(counts: dict[str, int], name: str, points: str, delta: str) -> None:
    found = score(settled(faults(**counts)))
    assert indicator(found, name) == (D(points), D(delta))
    assert found.deduction == -D(delta)
    assert found.total == 100 + D(delta)


def test_entry_and_replies_of_zhaocuo_are_capped_apart() -> None:
    assert score(settled(faults(**{"D4.4b": 20, "D4.4c": 20}))).deduction == 4


@pytest.mark.parametrize(
    ("codes", "name", "delta"),
    [
        (["B1.1a"], "数据发布", 2),
        (["B1.1b"], "数据发布", 1),
        (["B1.1a", "B1.1b"], "数据发布", 2),
        (["B1.1a", "B1.1b", "B1.1c"], "数据发布", 3),
        (["B1.1b", "B1.1c", "B1.1d"], "数据发布", 3),
        (["B2.2b"], "服务内容", 1),
        (["B2.2a", "B2.2b"], "服务内容", 2),
        (["B2.3"], "服务关联", 2),
    ],
)
def test_bonus_of_an_indicator(codes: list[str], name: str, delta: int) -> None:
    found = score(settled(earned(*codes)))
    assert indicator(found, name, "bonus")[1] == delta
    assert found.total == 100 + delta


def test_interpretations_earn_one_each_up_to_the_cap() -> None:
    for number, bonus in ((1, 1), (2, 2), (3, 3), (5, 3)):
        found = score(settled(finding("B1.2", Outcome.PASSED, one) for one in range(number)))
        assert found.bonus == bonus


def test_all_or_nothing_bonus_falls_with_one_failure() -> None:
    both = [finding("B2.3", Outcome.PASSED, 1), finding("B2.3", Outcome.FAILED, 2)]
    assert score(settled(both)).bonus == 0
    assert score(settled(both), dismissed=[both[1].finding_id]).bonus == 2


def test_self_check_of_a_ministry_recomputes() -> None:
    """2019 Q2: no veto; policy files, statistics and messages stale, one further point; 89, no bonus."""
    found = score(settled(faults(**{"D1.5b": 1, "D2.3c": 1, "D3.3c": 1, "D4.1b": 1})))
    assert (found.deduction, found.part2, found.bonus, found.total) == (11, 89, 0, 89)
    assert (found.verdict, found.vetoes) == (QUALIFIED, ())


# Twenty points: columns 5 + 5 + 5, message column 3, submission of forms 2.
TWENTY = {"D1.4b": 1, "D1.5b": 1, "D1.6b": 1, "D3.3c": 1, "D2.6": 2}


@pytest.mark.parametrize(
    ("counts", "part2", "bonus", "verdict"),
    [
        (TWENTY, "80", 0, QUALIFIED),
        (TWENTY | {"D2.6": 1, "D4.3b": 9}, "80.1", 2, QUALIFIED),
        (TWENTY | {"D4.3b": 1}, "79.9", 0, QUALIFIED),
        (TWENTY | {"D2.2a": 1, "D2.4d": 4, "D3.1": 1}, "60", 0, QUALIFIED),
        (TWENTY | {"D2.2a": 1, "D2.4d": 4, "D3.1": 1, "D4.3b": 1}, "59.9", 0, UNQUALIFIED),
    ],
)
def test_thresholds(counts: dict[str, int], part2: str, bonus: int, verdict: str) -> None:
    found = score(settled(faults(**counts) + earned("B1.1a")))
    assert (found.part2, found.bonus, found.verdict) == (D(part2), bonus, verdict)
    assert found.total == D(part2) + bonus
    assert indicator(found, "数据发布", "bonus") == (2, bonus)


@pytest.mark.parametrize(
    ("counts", "part2", "bonus"),
    [
        ({}, "100", 2),
        ({"D1.4b": 1}, "93.33", 2),  # 70 x 4/3
        ({"D1.4b": 1, "D1.8a": 1}, "92.67", 2),  # 69.5 x 4/3 = 92.666...
        ({"D1.4b": 1, "D1.5b": 1, "D1.6b": 1}, "80", 0),  # exactly 60 x 4/3
        ({"D1.4b": 1, "D1.5b": 1, "D1.7": 3, "D1.9a": 1}, "80", 0),
        ({"D1.4b": 1, "D1.5b": 1, "D1.7": 3, "D1.8a": 3, "D4.3b": 4}, "80.13", 2),  # 60.1 x 4/3
        ({"D2.1": 1, "D2.2a": 1}, "100", 2),  # services are not checked
        ({"D1.4b": 1, "D1.5b": 1, "D1.6b": 1, "D3.1": 1, "D3.3a": 1, "D4.1a": 2, "D3.3b": 2}, "61.33", 0),
    ],
)
def test_portal_without_services_is_scaled(counts: dict[str, int], part2: str, bonus: int) -> None:
    found = score(settled(faults(**counts) + earned("B1.1a")), BARE)
    assert (found.part2, found.bonus, found.total) == (D(part2), bonus, D(part2) + bonus)
    assert {one.category for one in found.indicators if one.part == "deduction"} == {
        "发布解读",
        "互动交流",
        "功能设计",
    }


def test_threshold_of_a_scaled_score_is_compared_before_rounding() -> None:
    """30 points lost leave exactly 60; another tenth rounds to 59.87 and fails."""
    lost = {"D1.4b": 1, "D1.5b": 1, "D1.6b": 1, "D3.1": 1, "D3.3a": 1, "D4.1a": 1, "D4.1b": 1}
    assert score(settled(faults(**lost)), BARE).part2 == 60
    below = score(settled(faults(**lost, **{"D4.3b": 1})), BARE)
    assert (below.part2, below.verdict) == (D("59.87"), UNQUALIFIED)


def test_veto_ends_the_scoring() -> None:
    found = score(settled(faults(**{"V3": 1, "V4.3": 5, "D1.4b": 1})))
    assert (found.verdict, found.vetoes) == (UNQUALIFIED, ("V3", "V4.3"))
    assert (found.total, found.low, found.high, found.deduction, found.checked) == (None,) * 5
    assert (found.indicators, found.provisional) == ((), False)


def test_dismissed_veto_is_none() -> None:
    stale = finding("V3")
    found = score(settled([stale]), dismissed=[stale.finding_id])
    assert (found.verdict, found.vetoes, found.total) == (QUALIFIED, (), 100)


def test_doubtful_veto_leaves_the_site_open_until_confirmed() -> None:
    doubt = finding("V1.1", Outcome.CANT_TELL)
    found = score(settled([doubt]))
    assert (found.verdict, found.open_vetoes, found.may_fail, found.provisional) == (
        QUALIFIED,
        ("V1.1",),
        True,
        True,
    )
    assert (found.total, found.pending) == (100, 1)
    assert score(settled([doubt]), confirmed=[doubt.finding_id]).vetoes == ("V1.1",)


def test_department_passes_or_fails_on_vetoes_alone() -> None:
    found = score(settled(faults(**{"D1.4b": 1, "D4.3a": 3})), DEPARTMENT)
    assert (found.verdict, found.total, found.low, found.indicators) == (QUALIFIED, None, None, ())
    assert (found.reported, found.provisional) == (4, False)
    assert score(settled(faults(V2=1)), DEPARTMENT).verdict == UNQUALIFIED


def test_department_with_an_unchecked_veto_is_provisional() -> None:
    found = score([one for one in settled([]) if one.rule != "V2"], DEPARTMENT)
    assert (found.open_vetoes, found.may_fail, found.provisional) == (("V2",), True, True)


def test_nothing_checked_is_nothing_passed() -> None:
    found = score([])
    assert (found.total, found.low, found.high) == (100, 0, 130)
    assert (found.checked, found.unchecked) == (0, 100)
    assert (found.bonus_checked, found.bonus_unchecked) == (0, 30)
    assert found.provisional
    assert found.may_fail


def test_untested_rule_opens_its_points() -> None:
    found = score(settled([finding("D4.1a", Outcome.UNTESTED), finding("D2.5", Outcome.UNTESTED)]))
    assert (found.unchecked, found.checked) == (6, 94)  # one point of D4.1a, five of D2.5
    assert (found.low, found.total, found.high) == (94, 100, 100)


def test_used_up_cap_is_checked() -> None:
    findings = [*faults(**{"D4.3a": 5}), finding("D4.3b", Outcome.UNTESTED)]
    assert score(settled(findings)).checked == 100


def test_range_respects_the_bonus_threshold() -> None:
    """Part 2 of 80.1 earns its bonus; one open point could take it away."""
    counts = TWENTY | {"D2.6": 1, "D4.3b": 9}
    findings = [*faults(**counts), *earned("B1.1a", "B1.1c"), finding("D4.9", Outcome.UNTESTED)]
    found = score(settled(findings))
    assert (found.low, found.total, found.high) == (D("79.1"), D("83.1"), D("83.1"))


def test_open_bonus_widens_the_range_upwards() -> None:
    found = score(settled([finding("B1.2", Outcome.CANT_TELL), finding("B5", Outcome.UNTESTED)]))
    assert (found.low, found.total, found.high) == (100, 100, 106)
    assert (found.bonus_checked, found.bonus_unchecked, found.pending) == (24, 6, 1)


def test_open_alternative_is_not_added_to_its_rival() -> None:
    found = score(settled([finding("B1.1a", Outcome.UNTESTED), *earned("B1.1b")]))
    assert (found.low, found.total, found.high) == (101, 101, 102)


def test_confirmed_doubt_costs_and_dismissed_doubt_does_not() -> None:
    doubts = [finding("D1.9a", Outcome.CANT_TELL, number) for number in range(2)]
    assert score(settled(doubts)).unchecked == 4
    one = score(settled(doubts), confirmed=[doubts[0].finding_id], dismissed=[doubts[1].finding_id])
    assert (one.total, one.unchecked, one.pending) == (98, 0, 0)


def test_confirmed_bonus_candidate_is_earned() -> None:
    doubt = finding("B2.1a", Outcome.CANT_TELL)
    assert score(settled([doubt]), confirmed=[doubt.finding_id]).total == 101
    assert score(settled([doubt]), dismissed=[doubt.finding_id]).total == 100


def test_confirmed_failure_takes_a_bonus_back() -> None:
    denial = finding("B4.1a", Outcome.FAILED)
    records = settled([*earned("B4.1a"), denial])
    assert score(records).bonus == 1
    assert score(records, confirmed=[denial.finding_id]).bonus == 0


def test_record_of_a_manual_rule_answers_its_standing_question() -> None:
    question = finding("D3.1", Outcome.UNTESTED)
    assert score(settled([question])).unchecked == 7
    assert score(settled([question, finding("D3.1", Outcome.PASSED)])).unchecked == 0
    assert score(settled([question, finding("D3.1")])).total == 93


def test_failed_check_beside_a_fault_stays_open() -> None:
    found = score(settled([*faults(**{"D4.3a": 1}), finding("D4.3a", Outcome.UNTESTED)]))
    assert (found.total, found.unchecked) == (D("99.8"), D("0.8"))


def test_pass_of_an_unbound_rule_is_not_believed() -> None:
    bound = set(EDITION.rules) - {"D4.1a", "D3.1"}
    assert score(settled([]), bound=bound).unchecked == 1  # D3.1 is a person's to decide
    passed = finding("D4.1a", Outcome.PASSED)
    assert score(settled([passed]), bound=bound, confirmed=[passed.finding_id]).unchecked == 0


def test_repeated_finding_counts_once() -> None:
    assert score(settled(faults(**{"D4.2": 1}) * 5)).deduction == D("0.5")


@pytest.mark.parametrize("change", [{"rule": "D9"}, {"site_id": "q"}, {"quarter": "2023Q2"}])
def test_foreign_finding_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(ScoreError):
        score([replace(finding("D1.4b"), **change)])


def test_record_keeps_decimals_and_names() -> None:
    record = score(settled(faults(**{"D4.2": 1}))).to_record()
    assert record["total"] == D("99.5")
    assert {"site_id", "kind", "verdict", "vetoes", "deduction", "bonus", "checked", "low", "high"} <= set(
        record
    )
    assert not [value for value in record.values() if isinstance(value, float)]
    indicators = record["indicators"]
    assert isinstance(indicators, list)
    assert indicators[0]["name"] == "概况信息"
    assert str(indicators[0]["delta"]) == "0"


CODES = sorted(EDITION.rules)
POINTED = [code for code in CODES if not code.startswith("V")]
FINDINGS = st.lists(
    st.builds(finding, st.sampled_from(POINTED), st.sampled_from(list(Outcome)), st.integers(0, 9)),
    max_size=40,
)
SITES = st.sampled_from([PORTAL, BARE])


def numbers(found: SiteScore) -> tuple[Decimal, Decimal, Decimal]:
    assert found.low is not None
    assert found.total is not None
    assert found.high is not None
    return found.low, found.total, found.high


@settings(max_examples=150, deadline=None)
@given(SITES, FINDINGS, st.randoms(use_true_random=False))
def test_score_and_range_stay_in_bounds(site: Site, findings: list[Finding], pick: random.Random) -> None:
    ids = [one.finding_id for one in findings]
    found = score(
        findings, site, confirmed=pick.sample(ids, len(ids) // 3), dismissed=pick.sample(ids, len(ids) // 3)
    )
    low, total, high = numbers(found)
    assert 0 <= low <= total <= high <= 130
    assert found.checked is not None
    assert found.unchecked is not None
    assert found.checked >= 0
    assert found.unchecked >= 0
    assert found.checked + found.unchecked == 100
    assert all(one.open >= 0 and abs(one.delta) <= one.cap for one in found.indicators)


@settings(max_examples=100, deadline=None)
@given(SITES, FINDINGS)
def test_sum_of_the_parts_is_the_whole(site: Site, findings: list[Finding]) -> None:
    found = score(findings, site)
    lost = sum(one.delta for one in found.indicators if one.part == "deduction")
    bonus = sum(one.delta for one in found.indicators if one.part == "bonus")
    assert found.deduction == -lost
    assert found.bonus == bonus
    assert found.part2 is not None
    assert found.total == found.part2 + bonus
    if site is PORTAL:
        assert found.part2 == 100 + lost
        assert found.total == 100 + sum(one.delta for one in found.indicators)


@settings(max_examples=100, deadline=None)
@given(SITES, FINDINGS, st.randoms(use_true_random=False))
def test_order_changes_nothing(site: Site, findings: list[Finding], pick: random.Random) -> None:
    shuffled = [*findings, *findings[:3]]
    pick.shuffle(shuffled)
    assert score(shuffled, site) == score(findings, site)


@settings(max_examples=150, deadline=None)
@given(SITES, FINDINGS, st.sampled_from(CODES), st.integers(20, 25))
def test_one_more_fault_never_raises_the_score(
    site: Site, findings: list[Finding], code: str, number: int
) -> None:
    before, after = score(findings, site), score([*findings, finding(code, number=number)], site)
    if after.total is None:
        assert after.vetoes == (code,)
        return
    assert before.total is not None
    assert after.total <= before.total
    assert not (before.verdict == UNQUALIFIED and after.verdict == QUALIFIED)


@settings(max_examples=150, deadline=None)
@given(SITES, FINDINGS, st.sampled_from(CODES), st.data())
def test_dismissing_never_lowers_the_score(
    site: Site, findings: list[Finding], code: str, data: st.DataObject
) -> None:
    everything = [*findings, finding(code)]
    ids = data.draw(st.sets(st.sampled_from([one.finding_id for one in everything])))
    before, after = score(everything, site), score(everything, site, dismissed=ids)
    if before.total is None:
        return
    assert after.total is not None
    assert after.total >= before.total


@settings(max_examples=100, deadline=None)
@given(SITES, FINDINGS, st.randoms(use_true_random=False))
def test_deciding_the_open_questions_stays_within_the_range(
    site: Site, findings: list[Finding], pick: random.Random
) -> None:
    doubts = [one.finding_id for one in findings if one.outcome in {Outcome.CANT_TELL, Outcome.UNTESTED}]
    chosen = set(pick.sample(doubts, len(doubts) // 2))
    low, _, high = numbers(score(findings, site))
    _, total, _ = numbers(score(findings, site, confirmed=chosen, dismissed=set(doubts) - chosen))
    assert low <= total <= high


def totals(*values: str) -> tuple[list[SiteScore], list[Site]]:
    sites = [replace(PORTAL, site_id=f"s{number}", name=f"市{number}") for number in range(len(values))]
    scores = [
        SiteScore(site.site_id, QUARTER, "portal", QUALIFIED, "2019-19", total=D(value))
        for site, value in zip(sites, values, strict=True)
    ]
    return scores, sites


def test_summary_of_a_quarter() -> None:
    scores, sites = totals("120", "119.9", "120", "99.95", "62")
    office = replace(DEPARTMENT, site_id="d")
    lost = replace(PORTAL, site_id="lost")
    scores.append(SiteScore("d", QUARTER, "department", UNQUALIFIED, "2019-19", vetoes=("V3",)))
    summary = summarise(reversed(scores), [*sites, office, lost])
    assert (summary.quarter, summary.sites, summary.portals, summary.departments) == (QUARTER, 7, 6, 1)
    assert (summary.scored, summary.qualified, summary.unqualified, summary.missing) == (
        5,
        5,
        ("d",),
        ("lost",),
    )
    assert (summary.mean, summary.best, summary.worst) == (D("104.4"), D("120.0"), D("62.0"))
    assert summary.pass_rate == D("83.3")
    assert [(rank.place, rank.site_id) for rank in summary.ranking] == [
        (1, "s0"),
        (1, "s2"),
        (3, "s1"),
        (4, "s3"),
        (5, "s4"),
    ]
    assert [(band.label, band.site_ids) for band in summary.bands if band.site_ids] == [
        ("120+", ("s0", "s2")),
        ("110-119", ("s1",)),
        ("90-99", ("s3",)),
        ("60-69", ("s4",)),
    ]
    assert [band.label for band in summary.bands][:4] == ["120+", "110-119", "100-109", "90-99"]
    assert summary.vetoes == (("V3", 1),)


def test_failed_portals_share_the_lowest_band() -> None:
    summary = summarise(*totals("59.9", "12"))
    assert (summary.bands[-1].label, summary.bands[-1].site_ids) == ("<60", ("s0", "s1"))


def test_mean_is_rounded_half_up() -> None:
    assert summarise(*totals("100.2", "100.3")).mean == D("100.3")


def test_empty_quarter() -> None:
    summary = summarise([], [PORTAL])
    assert (summary.mean, summary.best, summary.bands, summary.ranking, summary.missing) == (
        None,
        None,
        (),
        (),
        ("p",),
    )


def test_problems_are_summed_by_indicator() -> None:
    one = score(settled(faults(**{"D4.3a": 8, "D1.4b": 1})))
    two = replace(score(settled(faults(**{"D4.3a": 2}))), site_id="q")
    problems = summarise([one, two], [PORTAL, replace(PORTAL, site_id="q")]).problems
    assert [(p.indicator, p.sites, p.occurrences, p.points) for p in problems] == [
        ("动态要闻", 1, 1, 5),
        ("可用性", 2, 10, D("1.4")),
    ]


def test_scores_that_do_not_fit_are_refused() -> None:
    scores, sites = totals("100", "90")
    for wrong in (
        [replace(scores[0], site_id="x")],
        [scores[0], scores[0]],
        [scores[0], replace(scores[1], quarter="2023Q2")],
    ):
        with pytest.raises(ScoreError):
            summarise(wrong, sites)


@pytest.mark.skipif(not NOTICE.exists(), reason="the notice's figures are not beside this checkout")
def test_published_figures_of_a_quarter() -> None:
    with NOTICE.open(encoding="utf-8", newline="") as stream:
        scores = [
            SiteScore(row["site_id"], QUARTER, "portal", QUALIFIED, "2019-19", total=D(row["total"]))
            for row in csv.DictReader(stream)
        ]
    sites = {site.site_id: site for site in load_sites()}
    published = [one.site_id for one in scores]
    summary = summarise(reversed(scores), [sites[site_id] for site_id in published])
    assert (summary.scored, summary.pass_rate) == (102, 100)
    assert (summary.mean, summary.best, summary.worst) == (D("115.8"), D("122.5"), D("108.4"))
    assert [(band.label, len(band.site_ids)) for band in summary.bands] == [
        ("120+", 9),
        ("110-119", 84),
        ("100-109", 9),
    ]
    assert [rank.site_id for rank in summary.ranking] == published
    assert [rank.name for rank in summary.ranking[:2]] == ["浙江省人民政府", "云和县人民政府"]
