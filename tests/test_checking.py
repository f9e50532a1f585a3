"""Whatever comes out of a rule becomes a recorded outcome, and the order of pages changes nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from govcrawl import checking
from govcrawl.checking import Checking
from govcrawl.inspection import Inspection
from govcrawl.items import (
    CantTell,
    Evidence,
    Finding,
    Inapplicable,
    LinkCheck,
    LinkState,
    Outcome,
    Page,
    Role,
)
from govcrawl.registry import EXAMPLE_SITE, Check, Rule, column, listing, menu, page
from govcrawl.standard import EditionError, load_edition

EDITION = load_edition()
HOME = EXAMPLE_SITE.url
A, B = f"{HOME}a.html", f"{HOME}b.html"
Bind = Callable[..., None]


@pytest.fixture
def bind(monkeypatch: pytest.MonkeyPatch) -> Bind:
    """Make these checks the only rules there are."""

    def only(merge: str = "", scope: str = "page", arguments: tuple[str, ...] = (), **checks: Check) -> None:
        found = {
            code.replace("_", "."): Rule(
                code.replace("_", "."), check.__name__, check, scope, arguments, merge, (), ()
            )
            for code, check in checks.items()
        }
        monkeypatch.setattr(checking, "bound", lambda _edition: found)

    return only


def run(*pages: Page) -> Mapping[str, list[Finding]]:
    state = Inspection(EXAMPLE_SITE, "2023Q3", datetime.fromisoformat("2023-09-20"))
    checks = Checking(EDITION, state)
    for one in pages:
        state.add(one)
        checks.page(one)
    found: dict[str, list[Finding]] = {}
    for finding in checks.finish():
        found.setdefault(finding.rule, []).append(finding)
    return found


def text(url: str = "", role: Role = Role.HOME, html: str = "<p>x</p>") -> Page:
    return page(html, url=url, role=role)


def faulty(page: Page) -> Iterator[Evidence]:
    yield Evidence(page.url, "wrong")


def fine(page: Page) -> Iterator[Evidence]:
    yield from ()


def open_question(page: Page) -> Iterator[Evidence]:
    raise CantTell(f"nobody knows {page.url}")


def elsewhere(page: Page) -> Iterator[Evidence]:
    raise Inapplicable("not here")


def broken(page: Page) -> Iterator[Evidence]:
    raise ZeroDivisionError("by nought")


def broken_later(page: Page) -> Iterator[Evidence]:
    yield Evidence(page.url, "wrong")
    raise ZeroDivisionError("by nought")


def test_every_rule_of_the_edition_gets_a_finding() -> None:
    assert set(run(text())) == set(EDITION.rules)


def test_occurrences_become_findings_of_their_own(bind: Bind) -> None:
    bind(D4_1c=faulty)
    found = run(text(), text("/a.html", Role.ARTICLE))["D4.1c"]
    assert [(one.outcome, one.evidence[0].url) for one in found] == [
        (Outcome.FAILED, HOME),
        (Outcome.FAILED, A),
    ]


def test_pages_without_a_fault_pass(bind: Bind) -> None:
    bind(D4_1c=fine)
    assert [one.outcome for one in run(text())["D4.1c"]] == [Outcome.PASSED]


def test_candidate_of_an_assisted_rule_is_for_a_person(bind: Bind) -> None:
    bind(V1_3=faulty)
    assert EDITION.rules["V1.3"].mode == "assisted"
    assert [one.outcome for one in run(text())["V1.3"]] == [Outcome.CANT_TELL]


def test_occurrence_of_a_bonus_rule_earns_it(bind: Bind) -> None:
    code = next(spec.code for spec in EDITION.rules.values() if spec.is_bonus and spec.mode == "automatic")
    bind(**{code.replace(".", "_"): faulty})
    assert [one.outcome for one in run(text())[code]] == [Outcome.PASSED]
    bind(**{code.replace(".", "_"): fine})
    assert [one.outcome for one in run(text())[code]] == [Outcome.FAILED]


def test_cant_tell_names_the_pages_and_keeps_the_faults(bind: Bind) -> None:
    def either(page: Page) -> Iterator[Evidence]:
        yield from (faulty if page.role is Role.HOME else open_question)(page)

    bind(D4_1c=either)
    fault, question = run(text(), text("/a.html", Role.ARTICLE), text("/b.html", Role.ARTICLE))["D4.1c"]
    assert fault.outcome is Outcome.FAILED
    assert question.outcome is Outcome.CANT_TELL
    assert question.message == f"2 to be decided by a person: nobody knows {A}"
    assert [seen.url for seen in question.evidence] == [A, B]


def test_inapplicable_page_leaves_the_others_to_decide(bind: Bind) -> None:
    def on_articles(page: Page) -> Iterator[Evidence]:
        if page.role is Role.HOME:
            raise Inapplicable("only articles")
        yield from ()

    bind(D4_1c=on_articles)
    assert [one.outcome for one in run(text())["D4.1c"]] == [Outcome.INAPPLICABLE]
    assert [one.outcome for one in run(text(), text("/a.html", Role.ARTICLE))["D4.1c"]] == [Outcome.PASSED]


def test_exception_is_an_outcome_of_its_own_and_the_others_still_run(
    bind: Bind, caplog: pytest.LogCaptureFixture
) -> None:
    bind(D4_1c=broken, D4_2=faulty)
    with caplog.at_level(logging.ERROR):
        found = run(text(), text("/a.html", Role.ARTICLE))
    assert [one.outcome for one in found["D4.1c"]] == [Outcome.UNTESTED]
    assert found["D4.1c"][0].message == "check error on 2 pages: ZeroDivisionError: by nought"
    assert [one.outcome for one in found["D4.2"]] == [Outcome.FAILED, Outcome.FAILED]
    assert "rule D4.1c broken failed on" in caplog.text


def test_exception_never_hides_what_was_seen_before_nor_passes(
    bind: Bind, caplog: pytest.LogCaptureFixture
) -> None:
    bind(D4_1c=broken_later)
    with caplog.at_level(logging.CRITICAL):
        assert [one.outcome for one in run(text())["D4.1c"]] == [Outcome.FAILED, Outcome.UNTESTED]


def test_exception_on_one_page_does_not_let_the_rule_pass_on_another(
    bind: Bind, caplog: pytest.LogCaptureFixture
) -> None:
    def on_articles(page: Page) -> Iterator[Evidence]:
        yield from (fine if page.role is Role.HOME else broken)(page)

    bind(D4_1c=on_articles)
    with caplog.at_level(logging.CRITICAL):
        outcomes = [one.outcome for one in run(text(), text("/a.html", Role.ARTICLE))["D4.1c"]]
    assert outcomes == [Outcome.UNTESTED]


def test_failed_visits_and_other_pages_are_not_judged(bind: Bind) -> None:
    bind(D4_1c=faulty)
    found = run(page("", error="timeout"), text("/a.html", Role.OTHER))
    assert [one.outcome for one in found["D4.1c"]] == [Outcome.UNTESTED]
    assert found["D4.1c"][0].message == "no page of this kind was read"


@pytest.mark.parametrize(
    ("merge", "expected"),
    [
        ("", [(HOME, "x"), (HOME, "y"), (A, "x"), (A, "y"), (B, "x"), (B, "y")]),
        ("observed", [(HOME, "x"), (HOME, "y")]),
        ("site", [(HOME, "x")]),
    ],
)
def test_merge_counts_once_and_shows_the_home_page(
    bind: Bind, merge: str, expected: list[tuple[str, str]]
) -> None:
    def twice(page: Page) -> Iterator[Evidence]:
        yield Evidence(page.url, "x")
        yield Evidence(page.url, "y")

    bind(merge, D4_2=twice)
    found = run(text("/b.html", Role.ARTICLE), text("/a.html", Role.ARTICLE), text())["D4.2"]
    assert [(one.evidence[0].url, one.evidence[0].observed) for one in found] == expected
    if merge:
        assert found[0].evidence[0].excerpt == ("3 pages" if merge == "observed" else "6 pages")


def test_site_rule_sees_the_whole_inspection_once(bind: Bind) -> None:
    def pages_read(site: Inspection) -> Iterator[Evidence]:
        yield Evidence(site.site.url, str(len(site.pages)))

    bind(scope="site", V3=pages_read)
    found = run(text(), text("/a.html", Role.ARTICLE))["V3"]
    assert [one.evidence[0].observed for one in found] == ["2"]


def test_arguments_come_from_the_edition(bind: Bind) -> None:
    def windowed(site: Inspection, window: object) -> Iterator[Evidence]:
        yield Evidence(site.site.url, str(window))

    bind(scope="site", arguments=("window",), V3=windowed)
    assert run(text())["V3"][0].evidence[0].observed == "2 weeks"


def test_check_that_needs_what_the_edition_lacks_is_refused_at_the_start(bind: Bind) -> None:
    def sampled(page: Page, sample: int) -> Iterator[Evidence]:
        yield from ()

    bind(arguments=("sample",), V3=sampled)
    with pytest.raises(EditionError, match="V3 sampled needs sample"):
        run()


def test_check_bound_to_an_unknown_code_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    stray = Rule("X9", "stray", fine, "page", (), "", (), ())
    monkeypatch.setattr(checking, "rules", lambda: {"X9": stray})
    with pytest.raises(EditionError, match="unknown codes X9"):
        checking.bound.__wrapped__(EDITION)


# --- the order of pages ------------------------------------------------------------------------

_FOOTER = "<div class=footer>主办单位：示例市人民政府 网站标识码：3399000001</div>"


def _visit() -> tuple[Page, list[Page], list[LinkCheck]]:
    """Return a home page, the pages behind it and the verdicts on their links."""
    columns = [
        ("工作动态", "/dt/"),
        ("通知公告", "/gg/"),
        ("政策文件", "/zc/"),
        ("人事信息", "/rs/"),
        ("数据发布", "/sj/"),
    ]
    home = page(menu(*columns) + listing(("市政府召开常务会议研究有关工作", "2023-08-01")) + _FOOTER)
    rest = [
        column(
            listing(("市政府召开常务会议", "2023-08-30"), ("领导调研重点项目", "2023-08-01")),
            "/dt/",
            "工作动态",
        ),
        column(listing(("关于某项工作的通知", "2022-11-01")) + _FOOTER, "/gg/", "通知公告"),
        column('<ul><li><a href="/a/7.html">关于印发某办法的通知</a></li></ul>', "/zc/", "政策文件"),
        column("<p>暂无数据</p>", "/rs/", "人事信息"),
        column("<div id=list></div><script>load()</script>", "/sj/", "数据发布"),
        page('<h1>通知</h1><a href="/gone.html">附件</a>' + _FOOTER, url="/a/7.html", role=Role.ARTICLE),
        page('<h1>要闻</h1><a href="/gone.html">附件</a>', url="/a/0.html", role=Role.ARTICLE),
        page("", url="/a/1.html", role=Role.ARTICLE, error="timeout"),
        page("<h1>张三</h1>" + _FOOTER, url="/ld/1.html", role=Role.LEADER),
    ]
    return home, rest, [LinkCheck(f"{HOME}gone.html", LinkState.DEAD, status=404, reason="http_404")]


@given(st.permutations(range(9)))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_findings_do_not_depend_on_the_order_of_pages(order: list[int]) -> None:
    def findings(places: list[int]) -> tuple[Finding, ...]:
        home, rest, verdicts = _visit()
        state = Inspection(home.site, home.quarter, home.at)
        checks = Checking(EDITION, state)
        for one in (home, *(rest[place] for place in places)):
            state.add(one)
            checks.page(one)
        state.checks.update({check.target: check for check in verdicts})
        return checks.finish()

    plain = findings(sorted(order))
    assert findings(order) == plain
    assert {finding.outcome for finding in plain} >= {
        Outcome.FAILED,
        Outcome.PASSED,
        Outcome.CANT_TELL,
        Outcome.UNTESTED,
    }
