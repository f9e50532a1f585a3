"""Findings to scores: pure arithmetic in exact decimals, no I/O.

How a score comes about (R1 to R7 are the standard's own notes on scoring):

* A failed veto that nobody dismissed makes a site 不合格 and nothing else is scored: total, parts and
  range are None (R2).
* Department sites pass or fail on vetoes alone; their other faults are counted as reported (R1).
* A portal loses points by indicator, never more than its cap (R6): part 2 = 100 - losses.
* On portals without services 办事服务 is left out: part 2 = (75 - losses) x 4/3, compared exactly and
  rounded half up to two places at the very end (R7; the standard does not say how to round).
* Below 60 the portal is 不合格; strictly above 80 the bonus is added, capped by indicator; else it counts
  nothing (R3 to R5).

A rule is decided when records say so and no question is left. Otherwise it is open: without any record,
untested, or with a doubtful (cantTell) occurrence that nobody confirmed or dismissed. An open rule never
counts as passed: `total` counts what was found, `low` takes every open deduction up to its cap and no open
bonus, `high` the other way round, so low <= total <= high. `unchecked` is what open rules can still take of
the 100, `bonus_unchecked` what they can still earn of the 30; `checked` is the rest, so an indicator whose
cap is used up by found faults is checked. The range does not foresee a veto: `may_fail` says whether one is
open or part 2 can still fall below the pass mark.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from govcrawl.items import Finding, GovcrawlError, Outcome, Site
from govcrawl.standard import Edition, IndicatorSpec, RuleSpec

QUALIFIED = "合格"
UNQUALIFIED = "不合格"
CONFIRMED = "confirmed"
DISMISSED = "dismissed"

_ZERO = Decimal(0)
_CENT = Decimal("0.01")
_TENTH = Decimal("0.1")
_QUESTIONS = {Outcome.CANT_TELL, Outcome.UNTESTED}
_BAND = 10
_TOP_BAND = 120
_LOW_BAND = 60


class ScoreError(GovcrawlError):
    """Findings that do not belong to the site, quarter or edition they are scored for."""


@dataclass(frozen=True, slots=True)
class IndicatorScore:
    """What one indicator came to on one portal.

    `points` is the sum before the cap, `delta` what counts: negative for deductions, 0 for a bonus where
    part 2 is too low for one. `open` is what undecided rules can still add within the cap.
    """

    name: str
    part: str
    category: str
    cap: Decimal
    occurrences: int
    points: Decimal
    delta: Decimal
    open: Decimal = _ZERO


@dataclass(frozen=True, slots=True)
class SiteScore:
    """The score of one site in one quarter; None stands for "not scored" (vetoed sites and departments).

    `deduction` is the sum of the indicators' losses, `part2` the score of part 2 after scaling, `bonus` what
    counts of part 3; total = part2 + bonus.
    """

    site_id: str
    quarter: str
    kind: str
    verdict: str
    edition: str
    vetoes: tuple[str, ...] = ()
    open_vetoes: tuple[str, ...] = ()
    deduction: Decimal | None = None
    part2: Decimal | None = None
    bonus: Decimal | None = None
    total: Decimal | None = None
    checked: Decimal | None = None
    unchecked: Decimal | None = None
    bonus_checked: Decimal | None = None
    bonus_unchecked: Decimal | None = None
    low: Decimal | None = None
    high: Decimal | None = None
    may_fail: bool = False
    pending: int = 0
    reported: int = 0
    indicators: tuple[IndicatorScore, ...] = ()
    provisional: bool = False

    def to_record(self) -> dict[str, object]:
        """Return plain dictionaries, lists and values; decimals stay decimals."""
        record: dict[str, object] = {one.name: getattr(self, one.name) for one in fields(self)}
        record["vetoes"] = list(self.vetoes)
        record["open_vetoes"] = list(self.open_vetoes)
        record["indicators"] = [asdict(indicator) for indicator in self.indicators]
        return record


def score_site(
    site: Site,
    findings: Iterable[Finding],
    edition: Edition,
    *,
    dismissed: Collection[str] = (),
    confirmed: Collection[str] = (),
    bound: Collection[str] | None = None,
    quarter: str,
) -> SiteScore:
    """Score one site from its findings; the order and repetition of findings change nothing.

    `dismissed` and `confirmed` are ids of findings a person decided (dismissed wins). Dismissing strikes a
    fault or a question and never touches an earned bonus. Confirming a question makes it a fault, for a bonus
    rule an earning; a confirmed `failed` of a bonus rule that counts once takes it back; a confirmed `passed`
    or `inapplicable` settles its rule. `bound` names the codes joined to a check: of automatic and assisted
    rules outside it a `passed` record decides nothing unless confirmed.

    Raises ScoreError for a finding of another site or quarter, or of a rule the edition lacks.
    """
    decisions = dict.fromkeys(confirmed, CONFIRMED) | dict.fromkeys(dismissed, DISMISSED)
    counts: dict[str, Counter[tuple[Outcome, str]]] = {}
    for key, finding in {finding.finding_id: finding for finding in findings}.items():
        if (finding.site_id, finding.quarter) != (site.site_id, quarter):
            found = f"{finding.site_id} in {finding.quarter}"
            raise ScoreError(f"finding {finding.rule} of {found} is not of {site.site_id} in {quarter}")
        counts.setdefault(finding.rule, Counter())[finding.outcome, decisions.get(key, "")] += 1
    return score_counts(site, counts, edition, bound=bound, quarter=quarter)


def score_counts(
    site: Site,
    counts: Mapping[str, Mapping[tuple[Outcome, str], int]],
    edition: Edition,
    *,
    bound: Collection[str] | None = None,
    quarter: str,
) -> SiteScore:
    """Score one site from the number of its findings by rule, and by outcome and decision.

    A decision is `CONFIRMED`, `DISMISSED` or empty. The same as `score_site` over those findings. Raises
    ScoreError for a rule the edition lacks.
    """
    for code in counts:
        if code not in edition.rules:
            raise ScoreError(f"finding of {site.site_id}: edition {edition.id} has no rule {code}")
    states = {code: _state(rule, counts.get(code, {}), bound) for code, rule in edition.rules.items()}
    return _score(site, states, edition, quarter)


def _score(site: Site, states: Mapping[str, _State], edition: Edition, quarter: str) -> SiteScore:
    own = [state for state in states.values() if site.kind in state.rule.scored]
    vetoes = tuple(state.rule.code for state in own if state.rule.is_veto and state.faults)
    open_vetoes = tuple(state.rule.code for state in own if state.rule.is_veto and state.open)
    undecided = bool(open_vetoes) and not vetoes
    score = SiteScore(
        site_id=site.site_id,
        quarter=quarter,
        kind=site.kind,
        verdict=UNQUALIFIED if vetoes else QUALIFIED,
        edition=edition.id,
        vetoes=vetoes,
        open_vetoes=open_vetoes,
        may_fail=undecided,
        pending=sum(state.pending for state in own),
        reported=_reported(site, states),
        provisional=undecided,
    )
    if vetoes or site.kind not in edition.parts["deduction"].scored:
        return score
    return _with_points(score, site, edition, states)


@dataclass(slots=True)
class _State:
    """What the records of one rule add up to."""

    rule: RuleSpec
    faults: int = 0  # for a bonus rule: records against it
    earned: int = 0
    pending: int = 0
    withdrawn: bool = False  # a person confirmed that a bonus is not earned
    open: bool = False

    @property
    def counted(self) -> int:
        """Occurrences that cost or earn points."""
        hits = self._earnings() if self.rule.is_bonus else self.faults
        return hits if self.rule.each else min(hits, 1)

    def _earnings(self) -> int:
        spoilt = self.rule.all_or_nothing and (self.faults or self.open)
        return 0 if self.withdrawn or spoilt else self.earned

    @property
    def points(self) -> Decimal:
        """What the rule costs or earns as far as it is decided."""
        assert self.rule.points is not None
        return self.rule.points * self.counted if self.counted else _ZERO

    @property
    def reach(self) -> Decimal:
        """What it can come to once its open questions are decided."""
        assert self.rule.points is not None
        assert self.rule.cap is not None
        lost = self.rule.is_bonus and (self.withdrawn or (self.rule.all_or_nothing and self.faults > 0))
        if not self.open or lost:
            return self.points
        return max(self.points, self.rule.cap if self.rule.each else self.rule.points)


def _state(
    rule: RuleSpec, counts: Mapping[tuple[Outcome, str], int], bound: Collection[str] | None
) -> _State:
    state = _State(rule)
    decisive = settled = unanswered = False
    for (outcome, decision), number in counts.items():
        confirmed = decision == CONFIRMED
        if outcome in _QUESTIONS:
            decisive |= bool(decision)
            if confirmed:
                _hit(state, number)
            elif not decision:
                unanswered = True
                state.pending += number if outcome is Outcome.CANT_TELL else 0
        elif outcome is Outcome.FAILED:
            decisive = True
            if decision != DISMISSED:
                state.faults += number
                state.withdrawn |= rule.is_bonus and confirmed and not rule.each
                settled |= confirmed and not rule.each
        else:
            decisive |= confirmed or _trusted(rule, bound)
            settled |= confirmed
            state.earned += number if rule.is_bonus and outcome is Outcome.PASSED else 0
    # A person's record answers the standing question of a rule no program decides.
    settled |= decisive and rule.mode in {"manual", "external"}
    state.open = not settled and (unanswered or not decisive)
    if settled:
        state.pending = 0
    return state


def _hit(state: _State, number: int) -> None:
    if state.rule.is_bonus:
        state.earned += number
    else:
        state.faults += number


def _trusted(rule: RuleSpec, bound: Collection[str] | None) -> bool:
    return bound is None or rule.code in bound or rule.mode in {"manual", "external"}


def _reported(site: Site, states: Mapping[str, _State]) -> int:
    return sum(
        state.faults
        for state in states.values()
        if site.kind not in state.rule.scored and not state.rule.is_bonus
    )


@dataclass(frozen=True, slots=True)
class _Tally:
    """One indicator: what its decided rules come to, and what all of them can come to, before the cap."""

    spec: IndicatorSpec
    cap: Decimal
    occurrences: int
    points: Decimal
    reach: Decimal

    @property
    def now(self) -> Decimal:
        return min(self.cap, self.points)

    @property
    def most(self) -> Decimal:
        return min(self.cap, self.reach)

    def record(self, sign: int) -> IndicatorScore:
        name, part, category = self.spec.name, self.spec.part, self.spec.category
        counts, still = self.now * sign + _ZERO, self.most - self.now  # + 0: no negative zero
        return IndicatorScore(name, part, category, self.cap, self.occurrences, self.points, counts, still)


def _tallies(edition: Edition, part: str, states: Mapping[str, _State]) -> list[_Tally]:
    return [_tally(spec, [states[code] for code in spec.codes]) for spec in edition.of(part)]


def _tally(spec: IndicatorSpec, states: Sequence[_State]) -> _Tally:
    assert spec.cap is not None
    now = {state.rule.code: state.points for state in states}
    most = {state.rule.code: state.reach for state in states}
    return _Tally(
        spec,
        spec.cap,
        sum(state.counted for state in states),
        sum((now[state.rule.code] for state in states if not now.get(state.rule.instead_of)), _ZERO),
        sum((most[state.rule.code] for state in states if not most.get(state.rule.instead_of)), _ZERO),
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    """Turns losses of the categories in scope into a score of the full total (R7)."""

    full: Decimal
    scope: Decimal

    def score(self, lost: Decimal) -> Fraction:
        """The exact score of part 2."""
        return self.stretched(self.scope - lost)

    def stretched(self, points: Decimal) -> Fraction:
        """Points in scope as points of the full total, exact."""
        return Fraction(points) * Fraction(self.full) / Fraction(self.scope)

    def rounded(self, points: Fraction) -> Decimal:
        """The points as a decimal: as they are where nothing was scaled, else half up to two places."""
        exact = Decimal(points.numerator) / Decimal(points.denominator)
        return exact if self.full == self.scope else exact.quantize(_CENT, ROUND_HALF_UP)


def _with_points(score: SiteScore, site: Site, edition: Edition, states: Mapping[str, _State]) -> SiteScore:
    losses = [
        loss
        for loss in _tallies(edition, "deduction", states)
        if site.has_services or loss.spec.category != edition.services
    ]
    gains = _tallies(edition, "bonus", states)
    full = edition.parts["deduction"].total
    assert full is not None
    scale = _Scale(full, _sum(loss.cap for loss in losses))
    lost, can_lose = _sum(loss.now for loss in losses), _sum(loss.most for loss in losses)
    gained, can_gain = _sum(gain.now for gain in gains), _sum(gain.most for gain in gains)
    part2, part2_low = scale.score(lost), scale.score(can_lose)
    bonus = _counting(gained, part2, edition)
    low = scale.rounded(part2_low) + _counting(gained, part2_low, edition)
    high = scale.rounded(part2) + _counting(can_gain, part2, edition)
    unchecked = scale.rounded(scale.stretched(can_lose - lost))
    sign = 1 if part2 > Fraction(edition.bonus_above) else 0
    return replace(
        score,
        verdict=UNQUALIFIED if part2 < Fraction(edition.pass_mark) else QUALIFIED,
        deduction=lost,
        part2=scale.rounded(part2),
        bonus=bonus,
        total=scale.rounded(part2) + bonus,
        checked=full - unchecked,
        unchecked=unchecked,
        bonus_checked=_sum(gain.cap for gain in gains) - (can_gain - gained),
        bonus_unchecked=can_gain - gained,
        low=low,
        high=high,
        may_fail=score.may_fail or part2_low < Fraction(edition.pass_mark),
        indicators=tuple([loss.record(-1) for loss in losses] + [gain.record(sign) for gain in gains]),
        provisional=score.provisional or low != high,
    )


def _counting(gained: Decimal, part2: Fraction, edition: Edition) -> Decimal:
    """The bonus that counts: all of it strictly above the threshold, else nothing (R4)."""
    return gained if part2 > Fraction(edition.bonus_above) else _ZERO


def _sum(values: Iterable[Decimal]) -> Decimal:
    return sum(values, _ZERO)


@dataclass(frozen=True, slots=True)
class Rank:
    """A scored site's place; equal totals share a place."""

    place: int
    site_id: str
    name: str
    total: Decimal


@dataclass(frozen=True, slots=True)
class Band:
    """The sites of one band of scores, in order of the ranking."""

    label: str
    site_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One indicator over all scored sites: how many had faults, how many faults, what they cost."""

    indicator: str
    category: str
    sites: int
    occurrences: int
    points: Decimal


@dataclass(frozen=True, slots=True)
class QuarterSummary:
    """The figures of a quarter; means and percentages are rounded half up to one decimal."""

    quarter: str
    sites: int  # on the roster
    portals: int
    departments: int
    scored: int  # portals with a total
    qualified: int
    unqualified: tuple[str, ...]  # site ids, in roster order
    missing: tuple[str, ...]  # on the roster, but without a score
    provisional: int
    pass_rate: Decimal  # percent of the sites with a score
    mean: Decimal | None
    best: Decimal | None
    worst: Decimal | None
    bands: tuple[Band, ...]  # from the top band to the lowest that holds a site
    ranking: tuple[Rank, ...]  # by total, then in roster order
    problems: tuple[Problem, ...]  # the costliest first
    vetoes: tuple[tuple[str, int], ...]  # code and number of sites, in the order first met


def summarise(scores: Iterable[SiteScore], sites: Sequence[Site]) -> QuarterSummary:
    """Sum a quarter up over the roster; its order decides ties, the order of the scores changes nothing.

    Raises ScoreError for scores of two quarters, of a site off the roster, or two of one site.
    """
    by_id = _by_site(scores, sites)
    known = [by_id[site.site_id] for site in sites if site.site_id in by_id]
    ranking = _ranking(by_id, sites)
    totals = [rank.total for rank in ranking]
    failed = tuple(score.site_id for score in known if score.verdict == UNQUALIFIED)
    return QuarterSummary(
        quarter=known[0].quarter if known else "",
        sites=len(sites),
        portals=sum(site.kind == "portal" for site in sites),
        departments=sum(site.kind == "department" for site in sites),
        scored=len(ranking),
        qualified=len(known) - len(failed),
        unqualified=failed,
        missing=tuple(site.site_id for site in sites if site.site_id not in by_id),
        provisional=sum(score.provisional for score in known),
        pass_rate=_mean([Decimal(0 if score.verdict == UNQUALIFIED else 100) for score in known]) or _ZERO,
        mean=_mean(totals),
        best=_rounded(totals[0]) if totals else None,
        worst=_rounded(totals[-1]) if totals else None,
        bands=_bands(ranking),
        ranking=ranking,
        problems=_problems(known),
        vetoes=tuple(Counter(code for score in known for code in score.vetoes).items()),
    )


def _by_site(scores: Iterable[SiteScore], sites: Sequence[Site]) -> dict[str, SiteScore]:
    roster = {site.site_id for site in sites}
    found: dict[str, SiteScore] = {}
    quarters: set[str] = set()
    for score in scores:
        if score.site_id not in roster:
            raise ScoreError(
                f"score of {score.site_id}: the site is not on the roster; use the quarter's roster"
            )
        if score.site_id in found:
            raise ScoreError(f"score of {score.site_id}: the site has two scores; score the quarter again")
        found[score.site_id] = score
        quarters.add(score.quarter)
    if len(quarters) > 1:
        raise ScoreError(
            f"scores of several quarters ({', '.join(sorted(quarters))}); summarise one at a time"
        )
    return found


def _ranking(scores: Mapping[str, SiteScore], sites: Sequence[Site]) -> tuple[Rank, ...]:
    scored = [
        (score.total, site)
        for site in sites
        if (score := scores.get(site.site_id)) is not None and score.total is not None
    ]
    scored.sort(key=lambda pair: -pair[0])
    places: dict[Decimal, int] = {}
    return tuple(
        Rank(places.setdefault(total, number), site.site_id, site.name, total)
        for number, (total, site) in enumerate(scored, start=1)
    )


def _bands(ranking: Sequence[Rank]) -> tuple[Band, ...]:
    if not ranking:
        return ()
    floors = [*range(_TOP_BAND, _LOW_BAND - 1, -_BAND), 0]
    lowest = _floor(ranking[-1].total)
    return tuple(
        Band(_label(floor), tuple(rank.site_id for rank in ranking if _floor(rank.total) == floor))
        for floor in floors
        if floor >= lowest
    )


def _floor(total: Decimal) -> int:
    if total < _LOW_BAND:
        return 0
    return min(_TOP_BAND, int(total) // _BAND * _BAND)


def _label(floor: int) -> str:
    if floor == _TOP_BAND:
        return f"{floor}+"
    return f"{floor}-{floor + _BAND - 1}" if floor else f"<{_LOW_BAND}"


def _problems(scores: Iterable[SiteScore]) -> tuple[Problem, ...]:
    found: dict[str, list[IndicatorScore]] = {}
    for score in scores:
        for indicator in score.indicators:
            if indicator.part == "deduction" and indicator.occurrences:
                found.setdefault(indicator.name, []).append(indicator)
    problems = [
        Problem(
            name,
            cases[0].category,
            len(cases),
            sum(case.occurrences for case in cases),
            -_sum(case.delta for case in cases),
        )
        for name, cases in found.items()
    ]
    return tuple(sorted(problems, key=lambda problem: (-problem.points, -problem.sites, problem.indicator)))


def _mean(values: Sequence[Decimal]) -> Decimal | None:
    if not values:
        return None
    return _rounded(_sum(values) / len(values))


def _rounded(value: Decimal) -> Decimal:
    return value.quantize(_TENTH, ROUND_HALF_UP)
