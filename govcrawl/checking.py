"""Runs rules over pages and inspections; whatever comes out, exceptions too, is a recorded outcome."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from govcrawl.drift import Alarm, doubted, settle
from govcrawl.inspection import Inspection
from govcrawl.items import CantTell, Evidence, Finding, Inapplicable, Outcome, Page, Role
from govcrawl.registry import Rule, rules
from govcrawl.standard import Edition, EditionError, RuleSpec

log = logging.getLogger(__name__)
_OPEN_SHOWN = 5  # pages named as examples of what could not be told
_PAGE_ROLES = frozenset((Role.HOME, Role.COLUMN, Role.ARTICLE, Role.GUIDE, Role.MESSAGE, Role.LEADER))


@lru_cache(maxsize=4)
def bound(edition: Edition) -> Mapping[str, Rule]:
    """Return the rules bound to an edition; a check bound to a code the edition lacks is an error."""
    found = rules()
    unknown = sorted(set(found) - set(edition.rules))
    if unknown:
        raise EditionError(f"edition {edition.id}: checks are bound to unknown codes {', '.join(unknown)}")
    return found


@dataclass(slots=True)
class _Result:
    evidence: dict[tuple[str, ...], Evidence] = field(default_factory=dict)
    pages: dict[tuple[str, ...], int] = field(default_factory=dict)
    passed: int = 0
    inapplicable: str = ""
    open: dict[str, str] = field(default_factory=dict)  # page -> why a person has to decide
    errors: dict[str, str] = field(default_factory=dict)


class Checking:
    """The checks of one site: `page` for every page read, `finish` once at the end."""

    def __init__(self, edition: Edition, inspection: Inspection) -> None:
        self.edition = edition
        self.inspection = inspection
        self._rules = bound(edition)
        self.alarms: tuple[Alarm, ...] = ()  # of readings that matched nothing, known at the end
        self._doubts: dict[str, str] = {}
        self._results = {code: _Result() for code in self._rules}
        self._page_rules = [
            (one, edition.rules[code], _arguments(one, edition.rules[code]))
            for code, one in self._rules.items()
            if one.scope == "page"
        ]

    def page(self, page: Page) -> None:
        """Run every page rule on a page that was read."""
        if page.error or page.role not in _PAGE_ROLES:
            return
        for one, _, arguments in self._page_rules:
            self._run(one, page, arguments, page.url)

    def finish(self) -> tuple[Finding, ...]:
        """Run the rules over the whole site and return the findings of all rules of the edition."""
        self.alarms = settle(self.inspection)
        self._doubts = doubted(self.alarms)
        for one in self._rules.values():
            if one.scope == "site":
                arguments = _arguments(one, self.edition.rules[one.code])
                self._run(one, self.inspection, arguments, self.inspection.site.url)
        found: list[Finding] = []
        for code, spec in self.edition.rules.items():
            found += self._findings(spec, self._results.get(code))
        return tuple(found)

    def only(self, code: str) -> tuple[Finding, ...]:
        """Run one rule over the whole site and return its findings."""
        one, spec = self._rules[code], self.edition.rules[code]
        self._run(one, self.inspection, _arguments(one, spec), self.inspection.site.url)
        return tuple(self._findings(spec, self._results[code]))

    def _run(self, one: Rule, subject: Page | Inspection, arguments: dict[str, Any], url: str) -> None:
        result = self._results[one.code]
        try:
            clean = True
            for seen in one.check(subject, **arguments):
                clean = False
                self._keep(one, result, seen)
            result.passed += clean
        except CantTell as why:
            result.open[url] = str(why)
        except Inapplicable as why:
            result.inapplicable = str(why) or "not applicable"
        except Exception as error:  # every exception of a check is a recorded outcome; the others go on
            log.exception("rule %s %s failed on %s", one.code, one.name, url)
            result.errors[url] = f"{type(error).__name__}: {error}"[:200]

    def _keep(self, one: Rule, result: _Result, seen: Evidence) -> None:
        """Keep an occurrence; of merged ones the home page's, else the first in the order of addresses."""
        key: tuple[str, ...] = (seen.url, seen.selector, seen.observed)
        if one.merge:
            key = (seen.observed,) if one.merge == "observed" else ("",)
        known = result.evidence.get(key)
        result.pages[key] = result.pages.get(key, 0) + 1
        home = self.inspection.site.url
        if known is None or (seen.url != home, seen.url) < (known.url != home, known.url):
            result.evidence[key] = seen

    def _findings(self, spec: RuleSpec, result: _Result | None) -> list[Finding]:
        if result is None:
            return [self._one(spec, Outcome.UNTESTED, spec.look_at or "no check is bound to this rule")]
        found = []
        doubt = self._doubts.get(spec.code, "")
        hit = Outcome.CANT_TELL if doubt and not spec.is_bonus else _hit(spec)
        for key, seen in sorted(
            result.evidence.items(), key=lambda item: (item[1].url, item[1].selector, item[1].observed)
        ):
            pages = result.pages[key]
            shown = (
                replace(seen, excerpt=f"{pages} pages; {seen.excerpt}".rstrip("; ")) if pages > 1 else seen
            )
            found.append(self._one(spec, hit, doubt, (shown,)))
        if result.open:
            pages_open = sorted(result.open.items())
            evidence = tuple(Evidence(url, why) for url, why in pages_open[:_OPEN_SHOWN])
            note = f"{len(pages_open)} to be decided by a person: {pages_open[0][1]}"
            found.append(self._one(spec, Outcome.CANT_TELL, note, evidence))
        if result.errors:
            url, why = min(result.errors.items())
            found.append(
                self._one(
                    spec,
                    Outcome.UNTESTED,
                    f"check error on {len(result.errors)} pages: {why}",
                    (Evidence(url, why),),
                )
            )
        if found:
            return found
        if result.passed:
            if not spec.is_bonus:
                return [self._one(spec, Outcome.PASSED)]
            unearned = Evidence(self.inspection.site.url, "未见加分情形", expected=spec.zh)
            return [self._one(spec, Outcome.FAILED, "bonus not earned", (unearned,))]
        if result.inapplicable:
            return [self._one(spec, Outcome.INAPPLICABLE, result.inapplicable)]
        return [self._one(spec, Outcome.UNTESTED, "no page of this kind was read")]

    def _one(
        self, spec: RuleSpec, outcome: Outcome, message: str = "", evidence: tuple[Evidence, ...] = ()
    ) -> Finding:
        site, quarter = self.inspection.site.site_id, self.inspection.quarter
        return Finding(
            site, quarter, spec.code, outcome, self.edition.id, message, evidence, self.inspection.at
        )


def run_example(one: Rule, spec: RuleSpec, example: Page | Inspection) -> tuple[Evidence, ...]:
    """Run a check on one of its examples with what the edition gives it."""
    try:
        return tuple(one.check(example, **_arguments(one, spec)))
    except (CantTell, Inapplicable) as why:
        return (Evidence("", str(why) or "not applicable"),)


def _hit(spec: RuleSpec) -> Outcome:
    """What an occurrence means: a fault, a bonus earned, or a candidate for a person."""
    if spec.mode != "automatic":
        return Outcome.CANT_TELL
    return Outcome.PASSED if spec.is_bonus else Outcome.FAILED


def _arguments(one: Rule, spec: RuleSpec) -> dict[str, Any]:
    values = {name: getattr(spec, name) for name in one.arguments}
    missing = sorted(name for name, value in values.items() if value is None)
    if missing:
        raise EditionError(
            f"rule {one.code} {one.name} needs {', '.join(missing)}, which the edition does not give"
        )
    return values
