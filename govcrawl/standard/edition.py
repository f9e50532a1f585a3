"""Loads an edition file into typed records and proves that its sums, codes and words agree."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from functools import lru_cache, partial
from importlib import resources
from pathlib import Path
from typing import TypeVar

from govcrawl.items import GovcrawlError
from govcrawl.standard.window import Window

PARTS = ("veto", "deduction", "bonus")
KINDS = ("portal", "department")
MODES = ("automatic", "assisted", "manual", "external")
CONFIDENCES = ("A", "B", "C", "U")
LARGEST = 1024 * 1024  # bytes; the edition in force has 33 kB

Table = Mapping[str, object]
T = TypeVar("T")


class EditionError(GovcrawlError):
    """An edition file that contradicts itself; the message names the code or indicator."""


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """What the standard says of one rule; fields the rule does not use are None or False."""

    code: str
    zh: str
    en: str
    part: str  # veto, deduction or bonus
    category: str
    indicator: str
    cap: Decimal | None  # of the indicator; None for vetoes
    points: Decimal | None  # of one occurrence; None for vetoes
    clause: str  # part, category and indicator in Chinese
    kinds: tuple[str, ...]  # kinds of site the rule is checked on
    scored: tuple[str, ...]  # kinds of site it counts for
    mode: str  # automatic, assisted, manual or external
    confidence: str  # A two sources agree, B one source, C recalled, U uncertain
    fix: str
    look_at: str = ""  # what a person looks at, where no program decides; then also an example on either side
    caught: str = ""
    left_alone: str = ""
    each: bool = False
    instead_of: str = ""
    all_or_nothing: bool = False
    window: Window | None = None
    second_window: Window | None = None
    limit: Window | None = None
    working_days: int | None = None
    seconds: Decimal | None = None
    threshold: Decimal | None = None
    lacking: int | None = None
    sample: int | None = None
    sample_of: str = ""
    all_pages: bool = False
    due: Mapping[str, Window] = field(default_factory=dict, repr=False, compare=False)  # by kind of column

    @property
    def title(self) -> str:
        """Code and Chinese name together, as people read them: V4.3 空白栏目."""
        return f"{self.code} {self.zh}"

    @property
    def is_veto(self) -> bool:
        """Tell whether one failure fails the site."""
        return self.part == "veto"

    @property
    def is_bonus(self) -> bool:
        """Tell whether `passed` earns points instead of keeping them."""
        return self.part == "bonus"


@dataclass(frozen=True, slots=True)
class IndicatorSpec:
    """A second-level indicator: the rules that share one cap."""

    name: str
    part: str
    category: str
    cap: Decimal | None  # None for vetoes
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PartSpec:
    """One part of the standard: its Chinese name, whom it concerns, and what it adds up to."""

    name: str
    zh: str
    kinds: tuple[str, ...]
    scored: tuple[str, ...]
    total: Decimal | None
    categories: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True, eq=False)
class Edition:
    """One edition of the standard; compared and hashed by identity, so that caches may key on it."""

    id: str
    title: str
    document: str
    parts: Mapping[str, PartSpec]
    indicators: tuple[IndicatorSpec, ...]
    rules: Mapping[str, RuleSpec]  # by code, in the order of the standard
    columns: Mapping[str, Window]  # how often a column of a kind is due
    pass_mark: Decimal
    bonus_above: Decimal
    services: str  # the category left out on portals without services

    def of(self, part: str) -> tuple[IndicatorSpec, ...]:
        """The indicators of a part, in the order of the standard."""
        return tuple(indicator for indicator in self.indicators if indicator.part == part)


def load_edition(path: Path | None = None) -> Edition:
    """Load and prove an edition; the one in force (2019-19) when no file is named.

    Raises EditionError when the file is unreadable, a value is unknown, a code appears twice, points exceed
    their cap, or caps, categories and totals do not add up.
    """
    return _loaded(path) if path else _in_force()


@lru_cache(maxsize=1)
def _in_force() -> Edition:
    """The edition in force: loaded once, also for the crawls a cluster node forks."""
    return _loaded(None)


def _loaded(path: Path | None) -> Edition:
    source = path.name if path else "2019-19.toml"
    try:
        return _edition(_table(tomllib.loads(_text(path)), "file"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise EditionError(f"{source}: is no TOML in UTF-8 ({error}); correct the file") from error
    except EditionError as error:
        raise EditionError(f"{source}: {error}") from error


def _text(path: Path | None) -> str:
    if path is None:
        # The package may be a zipped egg on a scrapyd node.
        return resources.files("govcrawl.standard").joinpath("2019-19.toml").read_text("utf-8")
    try:
        if path.stat().st_size > LARGEST:
            raise EditionError(f"has more than {LARGEST} bytes; name an edition file")
        return path.read_text("utf-8")
    except OSError as error:
        raise EditionError(f"cannot be read ({error.strerror}); name an edition file") from error


def _edition(data: Table) -> Edition:
    read = _Reader(data, "file")
    scoring = _Reader(read.must("scoring", _table), "scoring")
    parts = {name: _part(name, _table(part, name)) for name, part in read.must("parts", _table).items()}
    if tuple(parts) != PARTS:
        raise EditionError(f"parts: found {', '.join(parts)}; write {', '.join(PARTS)}")
    indicators, rules = _indicators(read.must("indicators", _tables), parts)
    columns = {
        name: _window(value, f"columns, {name}") for name, value in read.must("columns", _table).items()
    }
    edition = Edition(
        id=read.text("id"),
        title=read.text("title"),
        document=read.text("document"),
        parts=parts,
        indicators=indicators,
        rules={code: replace(rule, due=columns) for code, rule in rules.items()},
        columns=columns,
        pass_mark=scoring.must("pass_mark", _decimal),
        bonus_above=scoring.must("bonus_above", _decimal),
        services=scoring.text("services"),
    )
    count = read.must("rule_count", _integer)
    scoring.finish()
    read.finish()
    _prove(edition, count)
    return edition


def _part(name: str, data: Table) -> PartSpec:
    read = _Reader(data, f"parts.{name}")
    categories = read.maybe("categories", _table) or {}
    part = PartSpec(
        name=name,
        zh=read.text("zh"),
        kinds=read.words("kinds", KINDS),
        scored=read.words("scored", KINDS),
        total=read.maybe("total", _decimal),
        categories={key: _decimal(value, f"parts.{name} {key}") for key, value in categories.items()},
    )
    read.finish()
    return part


def _indicators(
    tables: list[Table], parts: Mapping[str, PartSpec]
) -> tuple[tuple[IndicatorSpec, ...], dict[str, RuleSpec]]:
    indicators: list[IndicatorSpec] = []
    rules: dict[str, RuleSpec] = {}
    for data in tables:
        read = _Reader(data, f"indicator {data.get('name', len(indicators) + 1)}")
        part = parts[read.word("part", PARTS)]
        cap = read.maybe("cap", _decimal)
        spec = IndicatorSpec(read.text("name"), part.name, read.text("category"), cap, ())
        own = [_rule(rule, spec, part) for rule in read.must("rules", _tables)]
        read.finish()
        for rule in own:
            if rule.code in rules:
                raise EditionError(f"rule {rule.code}: the code appears twice; give each rule its own")
            rules[rule.code] = rule
        indicators.append(replace(spec, codes=tuple(rule.code for rule in own)))
    return tuple(indicators), rules


def _rule(data: Table, indicator: IndicatorSpec, part: PartSpec) -> RuleSpec:
    code = data.get("code")
    read = _Reader(data, f"rule {code if isinstance(code, str) else '?'} of {indicator.name}")
    rule = RuleSpec(
        code=read.text("code"),
        zh=read.text("zh"),
        en=read.text("en"),
        part=part.name,
        category=indicator.category,
        indicator=indicator.name,
        cap=indicator.cap,
        points=read.maybe("points", _decimal),
        clause=_clause(part, indicator),
        kinds=read.words("kinds", KINDS, part.kinds),
        scored=read.words("scored", KINDS, part.scored),
        mode=read.word("mode", MODES),
        confidence=read.word("confidence", CONFIDENCES),
        fix=read.text("fix"),
        look_at=read.maybe("look_at", _string) or "",
        caught=read.maybe("caught", _string) or "",
        left_alone=read.maybe("left_alone", _string) or "",
        each=read.flag("each"),
        instead_of=read.maybe("instead_of", _string) or "",
        all_or_nothing=read.flag("all_or_nothing"),
        window=read.maybe("window", _window),
        second_window=read.maybe("second_window", _window),
        limit=read.maybe("limit", _window),
        working_days=read.maybe("working_days", _integer),
        seconds=read.maybe("seconds", _decimal),
        threshold=read.maybe("threshold", _decimal),
        lacking=read.maybe("lacking", _integer),
        sample=read.maybe("sample", _integer),
        sample_of=read.maybe("sample_of", _string) or "",
        all_pages=read.flag("all_pages"),
    )
    read.finish()
    return rule


def _clause(part: PartSpec, indicator: IndicatorSpec) -> str:
    category = "" if part.zh.startswith(indicator.category) else indicator.category
    return "·".join(dict.fromkeys(name for name in (part.zh, category, indicator.name) if name))


def _prove(edition: Edition, count: int) -> None:
    if len(edition.rules) != count:
        raise EditionError(f"rule_count says {count}, the file has {len(edition.rules)} rules; correct one")
    for rule in edition.rules.values():
        _prove_rule(rule, edition)
    _prove_sums(edition)
    names = Counter(indicator.name for indicator in edition.indicators)
    for name, times in names.items():
        if times > 1:
            raise EditionError(f"indicator {name}: appears {times} times; give each its own name")
    if edition.services not in edition.parts["deduction"].categories:
        raise EditionError(f"scoring: services names {edition.services}, which is no category of deductions")
    if not 0 < edition.pass_mark <= edition.bonus_above:
        raise EditionError("scoring: pass_mark must be above 0 and not above bonus_above")


def _prove_sums(edition: Edition) -> None:
    for part in edition.parts.values():
        found: dict[str, Decimal] = {}
        for indicator in edition.of(part.name):
            if not indicator.codes:
                raise EditionError(f"indicator {indicator.name}: has no rule")
            if (indicator.cap is None) != (part.total is None):
                raise EditionError(f"indicator {indicator.name}: a cap belongs to all but the vetoes")
            if indicator.cap is not None:
                found[indicator.category] = found.get(indicator.category, Decimal(0)) + indicator.cap
        for category in sorted({*found, *part.categories}):
            due, caps = part.categories.get(category), found.get(category)
            if due != caps:
                codes = [code for i in edition.of(part.name) if i.category == category for code in i.codes]
                listed = f" (rules {codes[0]} to {codes[-1]})" if codes else ""
                raise EditionError(f"{part.zh} {category}{listed}: the caps add up to {caps}, not {due}")
        total = sum(part.categories.values())
        if part.total is not None and total != part.total:
            raise EditionError(f"parts.{part.name}: the categories add up to {total}, not {part.total}")


def _prove_rule(rule: RuleSpec, edition: Edition) -> None:
    where = f"rule {rule.code}"
    if (rule.points is None) != (rule.cap is None):
        raise EditionError(f"{where}: points belong to every scored rule and to no veto")
    if rule.points is not None and rule.cap is not None and not 0 < rule.points <= rule.cap:
        raise EditionError(f"{where}: {rule.points} points are not above 0 and within the cap of {rule.cap}")
    if rule.mode in {"manual", "external"} and not rule.look_at:
        raise EditionError(f"{where}: is {rule.mode}, so look_at must say what a person looks at")
    if bool(rule.caught and rule.left_alone) != bool(rule.look_at):
        raise EditionError(f"{where}: look_at, caught and left_alone belong together")
    if (rule.sample is None) != (not rule.sample_of):
        raise EditionError(f"{where}: sample and sample_of belong together")
    other = edition.rules.get(rule.instead_of)
    if rule.instead_of and (other is None or other.indicator != rule.indicator or other.instead_of):
        raise EditionError(
            f"{where}: instead_of names {rule.instead_of}, which is no other rule of its indicator"
        )
    if other and rule.points is not None and other.points is not None and rule.points > other.points:
        raise EditionError(f"{where}: earns more than {other.code}, which it stands in for")
    if not set(rule.scored) <= set(rule.kinds):
        raise EditionError(f"{where}: is scored on kinds of site it is not checked on")


class _Reader:
    """Takes typed values out of a table; `finish` finds what nobody took."""

    def __init__(self, data: Table, where: str) -> None:
        self._left = dict(data)
        self._where = where

    def maybe(self, key: str, read: Callable[[object, str], T]) -> T | None:
        """Take a value that may be missing."""
        return read(self._left.pop(key), f"{self._where}, {key}") if key in self._left else None

    def must(self, key: str, read: Callable[[object, str], T]) -> T:
        """Take a value that may not be missing."""
        if key not in self._left:
            raise EditionError(f"{self._where}: {key} is missing; add it")
        return read(self._left.pop(key), f"{self._where}, {key}")

    def text(self, key: str) -> str:
        """Take a text that is not empty."""
        return self.must(key, _string)

    def flag(self, key: str) -> bool:
        """Take a yes or no; no where it is missing."""
        return self.maybe(key, _boolean) or False

    def word(self, key: str, known: tuple[str, ...]) -> str:
        """Take one of the known words."""
        return self.must(key, partial(_word, known))

    def words(self, key: str, known: tuple[str, ...], default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Take a list of known words, or the default where it is missing."""
        if default and key not in self._left:
            return default
        return self.must(key, partial(_words, known))

    def finish(self) -> None:
        """Refuse keys that mean nothing here; a misspelt key must not pass for a missing one."""
        if self._left:
            raise EditionError(
                f"{self._where}: unknown key {', '.join(sorted(self._left))}; correct or remove it"
            )


def _table(value: object, where: str) -> Table:
    if not isinstance(value, dict):
        raise EditionError(f"{where}: must be a table")
    return value


def _tables(value: object, where: str) -> list[Table]:
    if not isinstance(value, list):
        raise EditionError(f"{where}: must be a list of tables")
    return [_table(item, where) for item in value]


def _string(value: object, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise EditionError(f"{where}: must be a text in quotation marks")
    return value


def _boolean(value: object, where: str) -> bool:
    if not isinstance(value, bool):
        raise EditionError(f"{where}: must be true or false")
    return value


def _integer(value: object, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise EditionError(f"{where}: must be a whole number above 0")
    return value


def _decimal(value: object, where: str) -> Decimal:
    """Read an exact number; a bare TOML number could be a float, so it has to stand in quotation marks."""
    try:
        number = Decimal(value) if isinstance(value, str) else Decimal("NaN")
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number < 0:
        raise EditionError(f"{where}: must be a number of at least 0 in quotation marks")
    return number


def _window(value: object, where: str) -> Window:
    try:
        return Window.parse(_string(value, where))
    except ValueError as error:
        raise EditionError(f"{where}: {error}") from error


def _word(known: tuple[str, ...], value: object, where: str) -> str:
    if not isinstance(value, str) or value not in known:
        raise EditionError(f"{where}: {value!r} is unknown; write {', '.join(known)}")
    return value


def _words(known: tuple[str, ...], value: object, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise EditionError(f"{where}: must be a list of {', '.join(known)}")
    return tuple(_word(known, item, where) for item in value)
