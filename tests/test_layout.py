"""Imports run one way, and each part imports no more than it may."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OURS = ("govcrawl", "spiders", "pipelines")
DRIVER = ("pymongo", "bson", "gridfs")
# What scoring may import of the standard library: arithmetic and shapes, nothing that reads or writes.
ARITHMETIC = {
    "__future__",
    "collections",
    "dataclasses",
    "decimal",
    "fractions",
    "functools",
    "itertools",
    "operator",
    "typing",
}


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imports(source: str) -> set[str]:
    """Return the dotted names a module imports, wherever in it stands the import."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
            module = node.module or ""
            found |= {f"{module}.{alias.name}" for alias in node.names} if module in OURS else {module}
    return found


def within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def outside(folder: str, allowed: tuple[str, ...], *, of: tuple[str, ...] = OURS) -> list[str]:
    """Return `module imports name` for every import of `of` that is not among the allowed."""
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(folder)
        for name in sorted(imports(path.read_text("utf-8")))
        if within(name, of) and not within(name, allowed)
    ]


def test_imports_are_found_wherever_they_stand() -> None:
    source = "import a.b\ndef f():\n    from c.d import e\n    if 1:\n        from govcrawl import store\n"
    assert imports(source) == {"a.b", "c.d", "govcrawl.store"}


def test_names_that_only_begin_alike_are_not_within() -> None:
    assert within("bson.codec", DRIVER)
    assert not within("bsonic", DRIVER)


def test_every_part_is_there() -> None:
    for folder in (*OURS, "govcrawl/extract", "govcrawl/indicators", "govcrawl/store"):
        assert modules(folder), folder


def test_govcrawl_imports_neither_spiders_nor_pipelines() -> None:
    assert outside("govcrawl", ("govcrawl",)) == []


def test_only_the_store_imports_the_driver() -> None:
    found = [one for folder in OURS for one in outside(folder, (), of=DRIVER)]
    assert [one for one in found if not one.startswith("govcrawl/store/")] == []
    assert any("imports pymongo" in one for one in found)


def test_extract_imports_nothing_of_ours_but_items() -> None:
    assert outside("govcrawl/extract", ("govcrawl.extract", "govcrawl.items")) == []


def records() -> set[str]:
    """Return what an Inspection is made of: its module and the modules beside it that it imports."""
    found = imports((ROOT / "govcrawl/inspection.py").read_text("utf-8"))
    beside = {name for name in found if name.count(".") == 1 and within(name, ("govcrawl",))}
    return beside | {"govcrawl.inspection"}


def test_an_inspection_is_made_of_readings() -> None:
    allowed = (*records(), "govcrawl.extract")
    for name in records() - {"govcrawl.items"}:
        source = (ROOT / f"{name.replace('.', '/')}.py").read_text("utf-8")
        assert [one for one in imports(source) if within(one, OURS) and not within(one, allowed)] == [], name


def test_indicators_import_records_readings_and_the_standard() -> None:
    folder = ROOT / "govcrawl/indicators"
    shared = (f"govcrawl.indicators.{path.stem}" for path in folder.glob("[a-z]*.py"))
    allowed = (*records(), *shared, "govcrawl.extract", "govcrawl.registry", "govcrawl.standard")
    assert outside("govcrawl/indicators", allowed) == []


def test_scoring_imports_no_input_or_output() -> None:
    names = imports((ROOT / "govcrawl/scoring.py").read_text("utf-8"))
    assert {name for name in names if within(name, OURS)} <= {"govcrawl.items", "govcrawl.standard"}
    assert {name.partition(".")[0] for name in names if not within(name, OURS)} <= ARITHMETIC


def test_settings_name_spiders_and_pipelines_only_as_text() -> None:
    source = (ROOT / "govcrawl/settings.py").read_text("utf-8")
    assert '"spiders"' in source
    assert '"pipelines.' in source
    assert not {name for name in imports(source) if within(name, ("spiders", "pipelines"))}


def decorated() -> Iterator[tuple[str, str]]:
    """Yield (module, code) for every `@rule("CODE", ...)` in the indicators."""
    for path in modules("govcrawl/indicators"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "rule":
                assert isinstance(node.args[0], ast.Constant)
                yield path.parent.name, str(node.args[0].value)


PARTS = {
    "veto": ("V",),
    "publication": ("D1.",),
    "service": ("D2.",),
    "interaction": ("D3.",),
    "design": ("D4.",),
    "bonus": ("B",),
}


def test_rules_lie_in_the_folder_of_their_part() -> None:
    found = list(decorated())
    assert found
    assert [one for one in found if not one[1].startswith(PARTS[one[0]])] == []
