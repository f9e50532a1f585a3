"""Every regular expression of the project takes linear time on the inputs that make its repeats work hardest.

For each repeat of a pattern the input that feeds it is built from the pattern itself: what matches before it,
then what it repeats, many times over, and an end that matches nothing. Four times the input may cost about
four times the processor time; a pattern that backtracks costs sixteen times as much and more.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from re import _constants as ops  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from types import ModuleType
from typing import Any

import pytest

import govcrawl
import pipelines
import spiders

# Only ever compared with a text from its first character on (`match`, `fullmatch`): no start is tried twice.
ANCHORED = {
    "govcrawl.extract.columns._NOT_COLUMN",
    "govcrawl.links.address._SPLIT",
    "govcrawl.pace._HOST",
    "govcrawl.sites.roster._SCIENTIFIC",
}
START, LONGEST = 250, 8_000  # characters
WORTH = 0.002  # seconds of processor time that can be compared
TIMES = 4  # as much input
GROWTH = 8.0  # 4 is linear, 16 quadratic
REPEATS = (ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT)


def modules() -> Iterator[ModuleType]:
    for package in (govcrawl, spiders, pipelines):
        for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if not found.name.endswith("__main__"):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", DeprecationWarning)  # of Twisted, in scrapyd 1.6
                    module = importlib.import_module(found.name)
                yield module


def patterns() -> dict[str, re.Pattern[str]]:
    """Return the patterns of all modules by name, those written inside functions too."""
    found: dict[str, re.Pattern[str]] = {}
    known: set[int] = set()
    for module in modules():
        for name, value in sorted(vars(module).items()):
            for place, one in enumerate(flat(value)):
                if id(one) not in known and isinstance(one.pattern, str):
                    known.add(id(one))
                    found[f"{module.__name__}.{name}" + (f"[{place}]" if one is not value else "")] = one
        found |= {f"{module.__name__}:{line}": one for line, one in inline(module)}
    return found


def flat(value: object) -> Iterator[re.Pattern[str]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from flat(item)


def inline(module: ModuleType) -> Iterator[tuple[int, re.Pattern[str]]]:
    """Yield the literal patterns that functions give to `re` themselves."""
    tree = ast.parse(Path(str(module.__file__)).read_text("utf-8"))
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "re"
            and node.func.attr in ("search", "sub", "split", "findall", "finditer")
            and isinstance(node.args[0], ast.Constant)
            and isinstance(node.args[0].value, str)
        ):
            yield node.lineno, re.compile(node.args[0].value)


# --- inputs from patterns -----------------------------------------------------------------------------------


def shortest(tree: Any) -> str:
    """Return a short text a parsed pattern matches, assertions aside."""
    return "".join(one(op, value) for op, value in tree)


def one(op: Any, value: Any) -> str:
    if op is ops.LITERAL:
        return chr(value)
    if op is ops.NOT_LITERAL:
        return "b" if value == ord("a") else "a"
    if op is ops.IN:
        return member(value)
    if op is ops.BRANCH:
        return shortest(value[1][0])
    if op is ops.SUBPATTERN:
        return shortest(value[3])
    if op in REPEATS:
        return shortest(value[2]) * int(value[0])
    return "a" if op is ops.ANY else ""


def member(items: Any) -> str:
    """Return a character of a class."""
    probe = re.compile("[" + "".join(written(op, value) for op, value in items) + "]")
    tried = (
        *"a1 中\n<,.-\"'/:;()_>+·",
        *(
            chr(value if op is ops.LITERAL else value[0])
            for op, value in items
            if op in (ops.LITERAL, ops.RANGE)
        ),
    )
    return next((char for char in tried if probe.match(char)), "")


def written(op: Any, value: Any) -> str:
    names = {
        ops.CATEGORY_DIGIT: r"\d", ops.CATEGORY_NOT_DIGIT: r"\D", ops.CATEGORY_SPACE: r"\s",
        ops.CATEGORY_NOT_SPACE: r"\S", ops.CATEGORY_WORD: r"\w", ops.CATEGORY_NOT_WORD: r"\W",
    }  # fmt: skip
    if op is ops.NEGATE:
        return "^"
    if op is ops.CATEGORY:
        return names[value]
    if op is ops.RANGE:
        return f"{re.escape(chr(value[0]))}-{re.escape(chr(value[1]))}"
    return re.escape(chr(value))


def pumps(tree: Any, before: str = "") -> Iterator[tuple[str, str]]:
    """Yield what matches before each repeat of a pattern, and what the repeat repeats."""
    for op, value in tree:
        if op in REPEATS:
            if value[1] > 1 and (repeated := shortest(value[2])):
                yield before, repeated
            yield from pumps(value[2], before)
        elif op is ops.BRANCH:
            for branch in value[1]:
                yield from pumps(branch, before)
        elif op is ops.SUBPATTERN:
            yield from pumps(value[3], before)
        elif op in (ops.ASSERT, ops.ASSERT_NOT):
            yield from pumps(value[1], before)
        before += one(op, value)


def attacks(pattern: re.Pattern[str]) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for before, repeated in pumps(parser.parse(pattern.pattern, pattern.flags)):
        found |= {(before, repeated), ("", before + repeated), ("", repeated)}
    return found


# --- cost ---------------------------------------------------------------------------------------------------


def cost(pattern: re.Pattern[str], attack: tuple[str, str], length: int, *, anchored: bool) -> float:
    before, repeated = attack
    text = before + repeated * max(1, length // len(repeated)) + "\x01"
    started = time.process_time()
    if anchored:
        pattern.fullmatch(text)
    else:
        for _ in pattern.finditer(text):
            pass
    return time.process_time() - started


def least(
    pattern: re.Pattern[str], attack: tuple[str, str], length: int, rounds: int, *, anchored: bool
) -> float:
    """Return the least disturbed of several measurements."""
    return min(cost(pattern, attack, length, anchored=anchored) for _ in range(rounds))


def growth(pattern: re.Pattern[str], attack: tuple[str, str], *, anchored: bool) -> float:
    """Return what four times the input costs, as a multiple; 0 where long inputs cost next to nothing."""
    length = START
    while least(pattern, attack, length, 2, anchored=anchored) < WORTH:
        length *= 2
        if length > LONGEST:
            return 0.0
    measured = 99.0
    for rounds in (1, 3, 3, 3):
        # One disturbed measurement of the short input would hide a pattern that backtracks.
        single = least(pattern, attack, length, 3, anchored=anchored)
        more = least(pattern, attack, TIMES * length, rounds, anchored=anchored)
        measured = min(measured, more / max(single, 1e-9))
        if measured < GROWTH:
            break
    return measured


def worst(name: str, pattern: re.Pattern[str]) -> tuple[float, str]:
    found = [
        (growth(pattern, attack, anchored=name in ANCHORED), repr(attack))
        for attack in sorted(attacks(pattern))
    ]
    return max(found, default=(0.0, ""))


def test_no_pattern_backtracks() -> None:
    slow = {name: found for name, one in patterns().items() if (found := worst(name, one))[0] >= GROWTH}
    assert slow == {}


def test_the_measure_knows_a_pattern_that_backtracks() -> None:
    assert worst("", re.compile(r"\s*y"))[0] >= GROWTH
    assert worst("", re.compile(r"<a>.*?</a>"))[0] >= GROWTH
    assert worst("", re.compile(r"\s{0,4}y"))[0] < GROWTH


@pytest.mark.parametrize("name", sorted(ANCHORED))
def test_anchored_patterns_are_only_compared_from_the_first_character_on(name: str) -> None:
    module, _, own = name.rpartition(".")
    package = importlib.import_module(module)
    source = Path(str(package.__file__)).read_text("utf-8")
    used = set(re.findall(rf"\b{own}\.(\w+)", source))
    assert used
    assert used <= {"match", "fullmatch"}
