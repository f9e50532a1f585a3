"""What a fresh clone is built from: locks, Makefile, the README's commands, the roster's spiders."""

from __future__ import annotations

import re
import tomllib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from scrapy.settings import Settings
from scrapy.spiderloader import SpiderLoader

from govcrawl import settings
from govcrawl.checking import bound
from govcrawl.cli import cli
from govcrawl.options import Options
from govcrawl.services import Services
from govcrawl.sites import load_sites
from govcrawl.standard import load_edition

ROOT = Path(__file__).resolve().parent.parent
READMES = ("README.md", "README.zh-CN.md")
UNCHECKED = (("README.md", "## What is not checked"), ("README.zh-CN.md", "## 没有检查的内容"))
LOCKS = ("base.txt", "node.txt", "dev.txt")
PIN = re.compile(r"^([a-z0-9.-]+)==(\S+)((?: --hash=sha256:[0-9a-f]{64})*)$")
NAME = re.compile(r"^[A-Za-z0-9._-]+")
CODE = re.compile(r"\b(?:V|D\d\.|B\d\.?)\d+(?:\.\d+)?[a-z]?\b|\bB5\b")


def text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def pins(lock: str) -> dict[str, str]:
    """Return every line of a lock as name and hashes; a line of another form fails."""
    joined = text(f"requirements/{lock}").replace("\\\n", "")
    lines = [re.sub(r" +", " ", line).strip() for line in joined.splitlines()]
    found = [PIN.match(line) or pytest.fail(line) for line in lines if line and not line.startswith("#")]
    return {match[1]: match[3] for match in found}


def canonical(requirement: str) -> str:
    name = NAME.match(requirement)
    assert name is not None
    return re.sub(r"[-_.]+", "-", name[0]).lower()


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_hashes(lock: str) -> None:
    found = pins(lock)
    assert found
    assert [name for name, hashes in found.items() if not hashes] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_hold_no_address_and_no_path(lock: str) -> None:
    content = text(f"requirements/{lock}")
    assert (
        re.findall(r"\w+://\S*|--(?:index-url|extra-index-url|find-links|trusted-host)\S*[ =]\S+", content)
        == []
    )
    assert re.findall(r"(?<![\w.])/\w+\S*", content) == []


def test_locks_hold_what_the_project_asks_for() -> None:
    project = tomllib.loads(text("pyproject.toml"))["project"]
    runtime = {canonical(one) for one in project["dependencies"]}
    extras = {canonical(one) for some in project["optional-dependencies"].values() for one in some}
    assert runtime - set(pins("base.txt")) == set()
    assert (runtime | extras) - set(pins("dev.txt")) == set()


def test_both_locks_agree() -> None:
    base, dev = pins("base.txt"), pins("dev.txt")
    assert {name for name in base if base[name] != dev.get(name)} == set()


def blocks(readme: str) -> list[str]:
    """Return the shell lines of a README without their comments."""
    shell = "".join(re.findall(r"^```sh\n(.*?)^```", text(readme), re.MULTILINE | re.DOTALL))
    return [line.partition("#")[0].strip() for line in shell.splitlines()]


def named(readme: str, program: str) -> set[str]:
    """Return the words a README puts after a program's name, in shell lines and between backticks."""
    lines = [*blocks(readme), *re.findall(r"`([^`\n]+)`", text(readme))]
    return {line.split()[1] for line in lines if line.startswith(f"{program} ")}


def targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", text("Makefile"), re.MULTILINE))


@pytest.mark.parametrize("readme", READMES)
def test_make_targets_of_the_readme_exist(readme: str) -> None:
    assert {"demo", "test"} <= named(readme, "make") <= targets()


@pytest.mark.parametrize("readme", READMES)
def test_commands_of_the_readme_exist(readme: str) -> None:
    assert {"inspect", "scores", "findings", "rules"} <= named(readme, "govcrawl") <= set(cli.commands)


@pytest.mark.parametrize("readme", READMES)
def test_options_of_inspect_in_the_readme_exist(readme: str) -> None:
    known = {name for one in cli.commands["inspect"].params for name in (*one.opts, *one.secondary_opts)}
    options = set(re.findall(r"`(--[a-z-]+)", text(readme)))
    assert options - known - {"--format"} == set()
    assert "--mongo" in options


@pytest.mark.parametrize("readme", READMES)
def test_files_of_the_readme_exist(readme: str) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", text(readme))
    assert links
    assert [link for link in links if not (ROOT / link).is_file()] == []


@pytest.mark.parametrize(("readme", "heading"), UNCHECKED)
def test_rules_without_a_check_are_named_in_the_readme(readme: str, heading: str) -> None:
    section = text(readme).partition(heading)[2]
    table = [line.split("|")[1] for line in section.splitlines() if line.startswith("|")]
    edition = load_edition()
    codes = {code for cell in table for code in CODE.findall(cell)}
    assert codes == set(edition.rules) - set(bound(edition))


def test_both_readmes_show_the_same_commands() -> None:
    assert blocks(READMES[0])
    assert blocks(READMES[0]) == blocks(READMES[1])


def test_scrapy_lists_the_roster() -> None:
    loaded = SpiderLoader.from_settings(Settings(vars(settings)))
    assert sorted(loaded.list()) == sorted(site.site_id for site in load_sites())


def test_scrapy_reaches_the_sites_that_the_roster_names_by_their_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    roster = tmp_path / "roster.csv"
    lines = text("govcrawl/sites/zhejiang.csv").splitlines()[:2]
    roster.write_text("\n".join(lines).replace("https://www.zj.gov.cn/", "http://10.1.2.3/"), "utf-8")
    assert "10.1.2.3" in roster.read_text("utf-8")
    monkeypatch.setenv("GOVCRAWL_REGISTRY", str(roster))
    spec = spec_from_file_location("told", settings.__file__)
    assert spec
    assert spec.loader
    told = module_from_spec(spec)
    spec.loader.exec_module(told)
    options = Options.from_environment().with_(quarter="2023Q3")
    assert told.EGRESS_ALLOW == Services(options).allowed == ["10.1.2.3"]


def test_the_egg_names_its_settings() -> None:
    project = tomllib.loads(text("pyproject.toml"))["project"]
    assert project["entry-points"]["scrapy"]["settings"] == settings.__name__


def test_data_files_of_the_packages_are_shipped() -> None:
    tools = tomllib.loads(text("pyproject.toml"))["tool"]["setuptools"]
    shipped = {path for glob in tools["package-data"]["govcrawl"] for path in (ROOT / "govcrawl").glob(glob)}
    held = {
        path
        for path in (ROOT / "govcrawl").rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc") and "__pycache__" not in path.parts
    }
    assert {str(path.relative_to(ROOT)) for path in held - shipped} == set()
