"""Every figure and name of a quarter's report, gathered once: all documents print from the same facts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal

from govcrawl.imports import Department, Inquiry, Message, Total, Unit, held
from govcrawl.items import GovcrawlError, Site
from govcrawl.quarter import Quarter
from govcrawl.report.faults import Comparison, Fault, Repairs, compared, faults_of, repairs_of
from govcrawl.results import inspected_sites, score_of
from govcrawl.scoring import QUALIFIED, UNQUALIFIED, QuarterSummary, Rank, SiteScore, summarise
from govcrawl.standard import Edition
from govcrawl.store import reads
from govcrawl.store.client import Sync
from govcrawl.store.integrity import quarter_root, roots

LOWEST_CITIES = 4  # cities the notice names for slow replies
MANY_OVERDUE = 3  # overdue replies from which on a unit is named
TOP = Decimal(120)
_TENTH = Decimal("0.1")
_SUFFIX = "人民政府"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A department site's verdict."""

    site_id: str
    name: str
    organizer: str
    verdict: str
    problem: str


@dataclass(frozen=True, slots=True)
class Messages:
    """The 找错 messages of a quarter."""

    received: int
    settled: int  # on time
    cities: tuple[tuple[str, int], ...]  # most messages first
    units: tuple[tuple[str, int], ...]
    kinds: tuple[tuple[str, int], ...]

    @property
    def rate(self) -> Decimal:
        """Percent settled on time."""
        return percent(self.settled, self.received)


@dataclass(frozen=True, slots=True)
class Rate:
    """How many of a city's or unit's inquiries were answered on time."""

    name: str
    asked: int
    overdue: int

    @property
    def on_time(self) -> Decimal:
        """Percent answered on time."""
        return percent(self.asked - self.overdue, self.asked)


@dataclass(frozen=True, slots=True)
class Inquiries:
    """The inquiries of a quarter, slowest cities and units first."""

    asked: int
    overdue: int
    cities: tuple[Rate, ...]
    units: tuple[Rate, ...]

    @property
    def slowest(self) -> tuple[Rate, ...]:
        """The cities with the lowest rates; none that answered everything on time."""
        return tuple(rate for rate in self.cities if rate.overdue)[:LOWEST_CITIES]

    @property
    def named(self) -> tuple[Rate, ...]:
        """The units with three or more overdue replies."""
        return tuple(rate for rate in self.units if rate.overdue >= MANY_OVERDUE)


@dataclass(frozen=True, slots=True)
class Point:
    """One quarter of the trend."""

    quarter: str
    mean: Decimal
    best: Decimal
    worst: Decimal


@dataclass(frozen=True, slots=True)
class Facts:
    """What a quarter's report says."""

    quarter: Quarter
    at: date  # the monitoring point
    imported: bool  # totals come from an import, not from findings
    edition: Edition
    summary: QuarterSummary
    sites: Mapping[str, Site]
    names: Mapping[str, str]  # site_id -> name in notices
    scores: Mapping[str, SiteScore]
    departments: tuple[Verdict, ...]
    faults: tuple[Fault, ...]
    repairs: Repairs
    comparison: Comparison | None
    messages: Messages | None
    inquiries: Inquiries | None
    units: tuple[str, ...]
    trend: tuple[Point, ...]
    earlier: Mapping[str, Decimal]  # totals of the quarter before
    roots: Mapping[str, str]  # site_id -> Merkle root of its sealed inspection
    version: int  # of the result; the first has none before it
    final: bool

    @property
    def root(self) -> str:
        """One root over all sites' roots: whoever keeps it can prove that no record was changed."""
        return quarter_root(self.roots) if self.roots else ""

    @property
    def full(self) -> Decimal:
        """The highest total there is."""
        return sum((part.total for part in self.edition.parts.values() if part.total is not None), Decimal(0))

    @property
    def top(self) -> tuple[Rank, ...]:
        """The portals above 120, best first."""
        return tuple(rank for rank in self.summary.ranking if rank.total > TOP)

    def city(self, site_id: str) -> str:
        """Return the city a portal belongs to, by the roster."""
        site = self.sites[site_id]
        return self.names[site_id] if site.level != "county" else short(site.parent)


def gather(db: Sync, quarter: Quarter, edition: Edition, roster: Sequence[Site]) -> Facts:
    """Gather a quarter's facts; computed scores go before imported totals.

    Raises GovcrawlError when the quarter has neither.
    """
    name = str(quarter)
    computed = {doc["site_id"]: score_of(doc) for doc in reads.scores(db, name)}
    totals = held(db, name, Total)
    if not computed and not totals:
        raise GovcrawlError(
            f"quarter {name}: no scores; run: govcrawl score --quarter {name} or import totals"
        )
    at, stored = _at(db, quarter), reads.summary(db, name) or {}
    given = held(db, name, Department)
    if computed:
        sites, scores = inspected_sites(db, name), computed
    else:
        sites, scores = _outside(totals, given, roster, name, edition.id)
    summary = summarise(scores.values(), tuple(sites.values()))
    faults = faults_of(db, name, edition, at.date())
    notice = {total.site_id: total.name for total in totals}
    return Facts(
        quarter=quarter,
        at=at.date(),
        imported=not computed,
        edition=edition,
        summary=summary,
        sites=sites,
        names={site_id: notice.get(site_id) or short(site.name) for site_id, site in sites.items()},
        scores=scores,
        departments=_verdicts(sites, scores, {one.name: one for one in given}),
        faults=faults,
        repairs=repairs_of(db, name, edition),
        comparison=compared(db, quarter, edition, faults),
        messages=_messages(held(db, name, Message), at),
        inquiries=_inquiries(held(db, name, Inquiry), at),
        units=tuple(unit.name for unit in held(db, name, Unit)),
        trend=_trend(db, quarter),
        earlier=_totals(db, str(quarter.previous())),
        roots=roots(db, name) if computed else {},
        version=stored.get("version", 1),
        final=stored.get("final", False),
    )


def short(name: str) -> str:
    """Return a government's name as notices print it."""
    return name.removesuffix("门户网站").removesuffix(_SUFFIX) or name


def percent(part: int, whole: int) -> Decimal:
    """Return a share in percent, rounded half up to one decimal; 0 of nothing is 0."""
    if not whole:
        return Decimal(0)
    return (Decimal(part) * 100 / Decimal(whole)).quantize(_TENTH, ROUND_HALF_UP)


def plainly(value: Decimal) -> str:
    """Print a figure as notices do: 100, not 100.0."""
    return f"{value:f}".rstrip("0").rstrip(".") if "." in f"{value:f}" else f"{value:f}"


def _at(db: Sync, quarter: Quarter) -> datetime:
    run = reads.latest_run(db, str(quarter))
    doc = reads.run_of(db, run) if run else None
    found: datetime = doc["at"] if doc else quarter.monitoring_point()
    return found


def _outside(
    totals: Iterable[Total], given: Iterable[Department], roster: Sequence[Site], quarter: str, edition: str
) -> tuple[dict[str, Site], dict[str, SiteScore]]:
    """Return sites and scores of a quarter inspected elsewhere, in the order of its files."""
    known = {site.site_id: site for site in roster}
    sites = {total.site_id: known[total.site_id] for total in totals}
    scores = {
        total.site_id: SiteScore(total.site_id, quarter, "portal", QUALIFIED, edition, total=total.total)
        for total in totals
    }
    for one in given:
        site_id = one.site_id or one.name
        sites[site_id] = known.get(site_id) or Site(
            site_id, one.name, "department", "", "", "", "", organizer=one.organizer
        )
        scores[site_id] = SiteScore(site_id, quarter, "department", one.verdict, edition)
    return sites, scores


def _verdicts(
    sites: Mapping[str, Site], scores: Mapping[str, SiteScore], given: Mapping[str, Department]
) -> tuple[Verdict, ...]:
    found = []
    for site_id, site in sites.items():
        if site.kind != "department" or site_id not in scores:
            continue
        outside = given.get(site.name)
        problem = "、".join(scores[site_id].vetoes) or (outside.problem if outside else "")
        found.append(Verdict(site_id, site.name, site.organizer, scores[site_id].verdict, problem))
    return tuple(sorted(found, key=lambda one: one.verdict != UNQUALIFIED))


def _messages(messages: Sequence[Message], at: datetime) -> Messages | None:
    if not messages:
        return None
    return Messages(
        received=len(messages),
        settled=sum(message.on_time(at) for message in messages),
        cities=_counted(message.city for message in messages),
        units=_counted(message.unit for message in messages if not message.city),
        kinds=_counted(message.kind for message in messages),
    )


def _counted(names: Iterable[str]) -> tuple[tuple[str, int], ...]:
    found = Counter(name for name in names if name)
    return tuple(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def _inquiries(inquiries: Sequence[Inquiry], at: datetime) -> Inquiries | None:
    if not inquiries:
        return None
    cities = _rates((one.city, one.overdue(at)) for one in inquiries if one.city)
    units = _rates((one.unit, one.overdue(at)) for one in inquiries if not one.city)
    overdue = sum(one.overdue(at) for one in inquiries)
    return Inquiries(
        len(inquiries),
        overdue,
        tuple(sorted(cities, key=lambda rate: (rate.on_time, rate.name))),
        tuple(sorted(units, key=lambda rate: (-rate.overdue, rate.name))),
    )


def _rates(pairs: Iterable[tuple[str, bool]]) -> list[Rate]:
    asked: Counter[str] = Counter()
    late: Counter[str] = Counter()
    for name, overdue in pairs:
        asked[name] += 1
        late[name] += overdue
    return [Rate(name, count, late[name]) for name, count in asked.items()]


def _totals(db: Sync, quarter: str) -> dict[str, Decimal]:
    found = {
        doc["site_id"]: doc["total"] for doc in reads.scores(db, quarter) if doc.get("total") is not None
    }
    return found or {total.site_id: total.total for total in held(db, quarter, Total)}


def _trend(db: Sync, quarter: Quarter) -> tuple[Point, ...]:
    points = []
    for name in reads.quarters(db):
        totals = sorted(_totals(db, name).values())
        if totals and Quarter.parse(name) <= quarter:
            mean = (sum(totals, Decimal(0)) / len(totals)).quantize(_TENTH, ROUND_HALF_UP)
            points.append(Point(name, mean, totals[-1], totals[0]))
    return tuple(points)
