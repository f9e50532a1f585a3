"""The edition in force adds up, and a contradictory edition is refused by name."""

from __future__ import annotations

import csv
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from govcrawl.standard import Edition, EditionError, Window, load_edition

SOURCE = Path(__file__).parent.parent / "govcrawl" / "standard" / "2019-19.toml"
FACTS = Path(__file__).parent.parent.parent / "shared" / "standard" / "indicators.csv"


@pytest.fixture(scope="module")
def edition() -> Edition:
    return load_edition()


def changed(folder: Path, old: str, new: str, *, after: str = "") -> Path:
    """Write the edition with the first occurrence of `old` behind `after` replaced."""
    text = SOURCE.read_text("utf-8")
    at = text.index(old, text.index(after))
    path = folder / "edition.toml"
    path.write_text(text[:at] + new + text[at + len(old) :], "utf-8")
    return path


def test_caps_add_up(edition: Edition) -> None:
    assert edition.parts["deduction"].categories == {
        "发布解读": 31,
        "办事服务": 25,
        "互动交流": 23,
        "功能设计": 21,
    }
    assert list(edition.parts["bonus"].categories.values()) == [7, 6, 8, 6, 3]
    for part, total in (("deduction", 100), ("bonus", 30)):
        caps = [indicator.cap for indicator in edition.of(part) if indicator.cap is not None]
        assert sum(caps) == edition.parts[part].total == total


def test_entry_and_replies_of_zhaocuo_have_their_own_caps(edition: Edition) -> None:
    assert [edition.rules[code].cap for code in ("D4.4a", "D4.4b", "D4.4c", "D4.4d")] == [1, 1, 3, 3]


def test_rules_by_part(edition: Edition) -> None:
    counts = [sum(rule.part == part for rule in edition.rules.values()) for part in edition.parts]
    assert counts == [16, 56, 19]
    assert all(code == rule.code for code, rule in edition.rules.items())
    assert {rule.code[0] for rule in edition.rules.values() if rule.part == "deduction"} == {"D"}


def test_every_rule_can_be_explained_in_chinese(edition: Edition) -> None:
    for rule in edition.rules.values():
        assert rule.title == f"{rule.code} {rule.zh}"
        assert rule.fix.endswith("。")
        assert rule.clause.endswith(rule.indicator)
        assert bool(rule.look_at) == (rule.mode in {"manual", "external"})
        assert bool(rule.look_at) == bool(rule.caught) == bool(rule.left_alone)
    assert edition.rules["D4.4c"].clause == "扣分指标·功能设计·“我为政府网站找错”答复"
    assert edition.rules["V2"].clause == "单项否决指标·站点无法访问"
    assert len({rule.zh for rule in edition.rules.values()}) >= len(edition.rules) - 1


def test_edition_can_key_a_cache(edition: Edition) -> None:
    assert {edition: 1}[edition] == 1


def test_kinds_of_site(edition: Edition) -> None:
    both = ("portal", "department")
    assert (edition.rules["V3"].kinds, edition.rules["V3"].scored) == (both, both)
    assert (edition.rules["D1.4b"].kinds, edition.rules["D1.4b"].scored) == (both, ("portal",))
    assert (edition.rules["B1.2"].kinds, edition.rules["B1.2"].scored) == (("portal",), ("portal",))


def test_numbers_of_single_rules(edition: Edition) -> None:
    rules = edition.rules
    assert (rules["V2"].seconds, rules["V2"].threshold, rules["V2"].sample) == (15, Decimal("0.05"), 20)
    assert (rules["V4.1"].window, rules["V4.1"].second_window) == (Window(2, "week"), Window(6, "month"))
    assert (rules["V5.2"].window, rules["V5.2"].limit) == (Window(1, "year"), Window(3, "month"))
    assert (rules["V6.2"].threshold, rules["V6.2"].lacking) == (5, 4)
    assert (rules["D4.3a"].points, rules["D4.3a"].each) == (Decimal("0.2"), True)
    assert (rules["D4.7b"].sample, rules["D4.7b"].sample_of) == (5, "column page")
    assert rules["B1.1b"].instead_of == "B1.1a"
    assert rules["B2.3"].all_or_nothing


@pytest.mark.skipif(not FACTS.exists(), reason="the collected facts are not beside this checkout")
def test_edition_equals_the_collected_facts(edition: Edition) -> None:
    with FACTS.open(encoding="utf-8", newline="") as stream:
        facts = list(csv.DictReader(stream))
    assert [fact["code"] for fact in facts] == list(edition.rules)
    for fact in facts:
        rule = edition.rules[fact["code"]]
        points = "veto" if rule.points is None else str(rule.points)
        cap = "" if rule.cap is None else str(rule.cap)
        ours = (rule.part, rule.category, cap, points, rule.mode, rule.confidence)
        theirs = tuple(fact[key] for key in ("part", "category", "cap", "points", "automation", "confidence"))
        assert ours == (*theirs[:3], theirs[3].split(" ")[0], *theirs[4:]), rule.code


@pytest.mark.parametrize(
    ("old", "new", "after", "said"),
    [
        (
            'cap = "5"',
            'cap = "6"',
            'name = "动态要闻"',
            "发布解读 (rules D1.1a to D1.9b): the caps add up to 32",
        ),
        ('"发布解读" = "31"', '"发布解读" = "30"', "", "the caps add up to 31, not 30"),
        ('total = "30"', 'total = "29"', "", "the categories add up to 30, not 29"),
        ('code = "D1.4b"', 'code = "D1.4a"', "", "rule D1.4a: the code appears twice"),
        ('points = "5"', 'points = "5.5"', 'code = "D1.4b"', "rule D1.4b: 5.5 points"),
        (
            'points = "5"',
            "points = 5.0",
            'code = "D1.4b"',
            "rule D1.4b of 动态要闻, points: must be a number",
        ),
        (
            'points = "5"',
            'points = "NaN"',
            'code = "D1.4b"',
            "rule D1.4b of 动态要闻, points: must be a number",
        ),
        ('points = "5"\n', "", 'code = "D1.4b"', "rule D1.4b: points belong"),
        (
            'mode = "automatic"',
            'mode = "auto"',
            'code = "D1.4b"',
            "rule D1.4b of 动态要闻, mode: 'auto' is unknown",
        ),
        ('confidence = "B"', 'confidence = "Z"', 'code = "D1.4b"', "confidence: 'Z' is unknown"),
        ('window = "2 weeks"', 'window = "a while"', 'code = "D1.4b"', "window: 'a while' is no window"),
        ('zh = "', 'zhh = "', 'code = "D1.4b"', "rule D1.4b of 动态要闻: zh is missing"),
        ('code = "D1.4b"', 'code = "D1.4b"\ncolour = "red"', "", "unknown key colour"),
        ('instead_of = "B1.1a"', 'instead_of = "B1.2"', "", "rule B1.1b: instead_of names B1.2"),
        ('points = "1"', 'points = "3"', 'code = "B1.1b"', "rule B1.1b: earns more than B1.1a"),
        ("sample = 3\n", "", 'code = "D1.7"', "rule D1.7: sample and sample_of belong together"),
        ('kinds = ["portal", "department"]', 'kinds = ["site"]', "", "parts.veto, kinds: 'site' is unknown"),
        ('look_at = "', 'en2 = "', 'code = "V1.6"', "rule V1.6 of 安全、泄密事故等严重问题: unknown key en2"),
        ("rule_count = 91", "rule_count = 92", "", "rule_count says 92, the file has 91 rules"),
        ('pass_mark = "60"', 'pass_mark = "90"', "", "pass_mark must be above 0"),
        ('services = "办事服务"', 'services = "服务"', "", "is no category of deductions"),
        ("[parts.bonus]", "[parts.extra]", "", "write veto, deduction, bonus"),
        ("[scoring]", "[scoring", "", "is no TOML"),
    ],
)
def test_contradictory_edition_is_refused_by_name(
    tmp_path: Path, old: str, new: str, after: str, said: str
) -> None:
    with pytest.raises(EditionError) as caught:
        load_edition(changed(tmp_path, old, new, after=after))
    assert said in str(caught.value)
    assert str(caught.value).startswith("edition.toml: ")


def test_missing_edition_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(EditionError, match=r"none\.toml: cannot be read"):
        load_edition(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("window", "at", "before"),
    [
        ("14 days", date(2023, 9, 20), date(2023, 9, 6)),
        ("2 weeks", date(2023, 9, 20), date(2023, 9, 6)),
        ("1 month", date(2023, 3, 31), date(2023, 2, 28)),
        ("1 month", date(2024, 3, 31), date(2024, 2, 29)),
        ("6 months", date(2023, 8, 31), date(2023, 2, 28)),
        ("6 months", date(2023, 6, 30), date(2022, 12, 30)),
        ("12 months", date(2023, 12, 31), date(2022, 12, 31)),
        ("1 year", date(2024, 2, 29), date(2023, 2, 28)),
        ("1 year", datetime(2023, 9, 20, 8, 30), date(2022, 9, 20)),  # noqa: DTZ001
    ],
)
def test_window_counts_calendar_time_back(window: str, at: date, before: date) -> None:
    assert Window.parse(window).before(at) == before


def test_window_counts_forward() -> None:
    assert Window.parse("1 month").after(date(2023, 1, 31)) == date(2023, 2, 28)
    assert Window.parse("1 week").after(date(2023, 12, 28)) == date(2024, 1, 4)


@pytest.mark.parametrize("text", ["", "6", "6 moons", "0 days", "-1 day", "1.5 years", "6months", "六个月"])
def test_what_is_no_window(text: str) -> None:
    with pytest.raises(ValueError, match="is no window"):
        Window.parse(text)


@pytest.mark.parametrize(
    ("text", "zh"), [("14 days", "14天"), ("2 weeks", "2周"), ("1 month", "1个月"), ("1 year", "1年")]
)
def test_window_prints_in_both_languages(text: str, zh: str) -> None:
    assert (str(Window.parse(text)), Window.parse(text).zh) == (text, zh)
