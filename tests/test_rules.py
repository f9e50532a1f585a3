"""Every bound rule keeps what its declaration promises, on its own examples."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import pytest

from govcrawl.checking import Checking, _arguments, bound
from govcrawl.inspection import Inspection
from govcrawl.items import Evidence, Finding, GovcrawlError, Outcome, Page
from govcrawl.registry import Rule, evidence_of, page, rule, rules
from govcrawl.standard import load_edition

EDITION = load_edition()
RULES = rules()
EVERY = pytest.mark.parametrize("code", sorted(RULES))


def seen(one: Rule, example: Page | Inspection) -> tuple[Evidence, ...]:
    """Run a check on an example with what the edition gives it."""
    return evidence_of(one.check(example, **_arguments(one, EDITION.rules[one.code])))


def examples(which: str) -> Iterator[object]:
    for code, one in RULES.items():
        for number, example in enumerate(getattr(one, which)):
            yield pytest.param(one, example, id=f"{code}-{number}")


@pytest.mark.parametrize(("one", "example"), list(examples("fails")))
def test_example_that_fails_yields_evidence_with_an_address(one: Rule, example: Page | Inspection) -> None:
    found = seen(one, example)
    assert found
    assert all(evidence.url and evidence.observed for evidence in found)


@pytest.mark.parametrize(("one", "example"), list(examples("passes")))
def test_example_that_passes_yields_nothing(one: Rule, example: Page | Inspection) -> None:
    assert seen(one, example) == ()


@pytest.mark.parametrize(("one", "example"), list(examples("fails")))
def test_repeated_check_of_one_subject_sees_the_same(one: Rule, example: Page | Inspection) -> None:
    assert seen(one, example) == seen(one, example)


@EVERY
def test_code_is_in_the_edition(code: str) -> None:
    assert code in EDITION.rules


@EVERY
def test_examples_suit_the_scope(code: str) -> None:
    one = RULES[code]
    kind = Page if one.scope == "page" else Inspection
    assert all(isinstance(example, kind) for example in (*one.fails, *one.passes))


@EVERY
def test_docstring_is_one_sentence_that_stands_alone(code: str) -> None:
    assert RULES[code].doc.endswith(".")
    assert RULES[code].doc[0].isupper() or not RULES[code].doc[0].isascii()


@EVERY
def test_name_says_what_is_wrong(code: str) -> None:
    assert not RULES[code].name.startswith(("no_", "check_"))


def test_a_module_holds_one_indicator() -> None:
    modules = defaultdict(set)
    for code, one in RULES.items():
        modules[one.check.__module__].add(EDITION.rules[code].indicator)
    assert {module: names for module, names in modules.items() if len(names) > 1} == {}


def test_a_module_stands_in_the_folder_of_its_category() -> None:
    folders = {
        "单项否决": "veto", "发布解读": "publication", "办事服务": "service", "互动交流": "interaction",
        "功能设计": "design",
    }  # fmt: skip
    for code, one in RULES.items():
        spec = EDITION.rules[code]
        folder = "bonus" if spec.is_bonus else folders[spec.category]
        assert one.check.__module__.startswith(f"govcrawl.indicators.{folder}."), code


@EVERY
def test_failing_example_alone_gives_a_finding_that_claims(code: str) -> None:
    """What the whole checking makes of the example: a fault, a bonus, or a question for a person."""
    one, spec = RULES[code], EDITION.rules[code]
    example = one.fails[0]
    state = (
        example if isinstance(example, Inspection) else Inspection(example.site, example.quarter, example.at)
    )
    checking = Checking(EDITION, state)
    if isinstance(example, Page):
        checking.page(example)
    found = [finding for finding in checking.finish() if finding.rule == code and finding.evidence]
    hit = (
        Outcome.CANT_TELL if spec.mode != "automatic" else Outcome.PASSED if spec.is_bonus else Outcome.FAILED
    )
    assert found
    assert {finding.outcome for finding in found} == {hit}


def test_rules_without_a_check_are_untested() -> None:
    state = Inspection(RULES["V3"].fails[0].site, "2023Q3", RULES["V3"].fails[0].at)
    findings = {finding.rule: finding for finding in Checking(EDITION, state).finish()}
    assert set(findings) == set(EDITION.rules)
    unbound = set(EDITION.rules) - set(bound(EDITION))
    assert {findings[code].outcome for code in unbound} == {Outcome.UNTESTED}
    assert all(findings[code].message for code in unbound)


def fault(page: Page) -> Iterator[Evidence]:
    """Something is wrong."""
    yield Evidence(page.url, "x")


def other(pages: Page) -> Iterator[Evidence]:
    """Something is wrong."""
    yield Evidence(pages.url, "x")


@pytest.mark.parametrize(
    ("code", "check", "given", "said"),
    [
        ("V1.6", other, {}, "must start with page or site"),
        ("V1.6", fault, {"passes": []}, "needs an example that fails and one that passes"),
        ("V1.6", fault, {"fails": []}, "needs an example that fails and one that passes"),
        ("V1.6", fault, {"merge": "all"}, "merge is 'all'"),
        ("V3", fault, {}, "bound twice"),
    ],
)
def test_contradictory_declaration_is_refused_at_once(
    code: str, check: object, given: dict[str, object], said: str
) -> None:
    declared = {"fails": [page("")], "passes": [page("")]} | given
    with pytest.raises(GovcrawlError, match=said):
        rule(code, **declared)(check)
    assert rules() == RULES


def test_finding_ids_follow_the_content() -> None:
    one = Finding("a", "2023Q3", "V3", Outcome.FAILED, "2019-19", evidence=(Evidence("http://a/", "x"),))
    same = Finding(
        "a",
        "2023Q3",
        "V3",
        Outcome.FAILED,
        "2019-19",
        "said",
        (Evidence("http://a/", "x"),),
        RULES["V3"].fails[0].at,
    )
    another = Finding("a", "2023Q3", "V3", Outcome.FAILED, "2019-19", evidence=(Evidence("http://a/", "y"),))
    assert one.finding_id == same.finding_id != another.finding_id
