"""Commands: what they print, and the one line and exit code 2 a faulty argument ends with."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from govcrawl import cli, supervisor
from govcrawl.items import Evidence, Finding, Outcome, Site
from govcrawl.sites import load_sites
from govcrawl.standard import load_edition
from govcrawl.store import client, ledger, records
from govcrawl.store.client import Sync

HEAD = "site_id,name,kind,level,code,parent,url,organizer,has_services,platform\n"
ROW = "anji,安吉县人民政府,portal,county,330523,湖州市,http://www.anji.gov.cn/,安吉县人民政府办公室,true,\n"
AT = datetime(2023, 9, 20, tzinfo=UTC)


@dataclass(frozen=True)
class Said:
    """What a command said before it ended."""

    code: object
    out: str
    err: str


Command = Callable[..., Said]


@pytest.fixture
def govcrawl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GOVCRAWL_MONGO", raising=False)
    monkeypatch.delenv("GOVCRAWL_OPTIONS", raising=False)

    def refuse(*_: object) -> None:
        pytest.fail("an inspection was started")  # of real sites: never from a test

    monkeypatch.setattr(supervisor, "Supervisor", refuse)

    def run(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["govcrawl", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        out, err = capsys.readouterr()
        return Said(end.value.code, out, err)

    return run


@pytest.fixture
def roster(tmp_path: Path) -> Path:
    path = tmp_path / "sites.csv"
    path.write_text(HEAD + ROW, "utf-8")
    return path


def one_line(said: Said) -> str:
    """Return the one line a command that cannot work ends with."""
    assert (said.code, said.out) == (2, "")
    lines = said.err.splitlines()
    assert len(lines) == 1, said.err
    return lines[0]


INSPECT = ("inspect", "--quarter", "2023Q3")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("inspect", "--quarter", "2023Q5"), "'2023Q5' is no quarter"),
        ((*INSPECT, "--at", "20.9.2023"), "'20.9.2023' is no monitoring point"),
        ((*INSPECT, "--at", "2023-01-01"), "does not belong to 2023Q3"),
        ((*INSPECT, "--proxy", "127.0.0.1:3128"), "--proxy 127.0.0.1:3128: write http://HOST:PORT"),
        ((*INSPECT, "--proxy", "http://"), "--proxy http://: write http://HOST:PORT"),
        ((*INSPECT, "--proxy", "http://host:nought"), "--proxy http://host:nought: write http://HOST:PORT"),
        ((*INSPECT, "--registry", "none.csv"), "none.csv"),
        ((*INSPECT, "--edition", "none.toml"), "none.toml"),
        ((*INSPECT, "--replay", "none"), "none"),
        ((*INSPECT, "--summary", "none/summary.json"), "none/summary.json"),
        ((*INSPECT, "nowhere", "hangzhou", "neither"), "not in the roster: nowhere, neither"),
        (
            (*INSPECT, "--mongo", "mongodb://127.0.0.1:1/x"),
            "127.0.0.1:1 cannot be reached: connection refused",
        ),
        ((*INSPECT, "--mongo", "mongodb://"), "not a usable MongoDB URI"),
        (("findings", "--quarter", "2023Q3", "--rule", "D9"), "--rule D9: not in edition"),
        (("rules", "D9"), "rule D9: not in edition"),
        (("sites", "check", "none.csv"), "none.csv"),
    ],
)
def test_faulty_argument_ends_with_one_line_and_exit_code_2(
    govcrawl: Command, arguments: tuple[str, ...], said: str
) -> None:
    assert said in one_line(govcrawl(*arguments))


@pytest.mark.parametrize(
    "arguments",
    [(), ("inspect",), ("inspect", "--workers", "0"), ("nothing",), ("findings", "--format", "xml")],
)
def test_wrong_usage_ends_with_exit_code_2(govcrawl: Command, arguments: tuple[str, ...]) -> None:
    assert govcrawl(*arguments).code == 2


@pytest.mark.parametrize(
    "arguments",
    [("--help",), ("inspect", "-h"), ("findings", "-h"), ("scores", "-h"), ("sites", "-h"), ("rules", "-h")],
)
def test_help_is_english(govcrawl: Command, arguments: tuple[str, ...]) -> None:
    said = govcrawl(*arguments)
    assert said.code == 0
    assert said.out.startswith("Usage: ")
    assert said.out.replace("国办秘函〔2019〕19号", "").isascii()


def test_database_that_never_answers_ends_with_one_line(govcrawl: Command) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        said = govcrawl(*INSPECT, "--mongo", f"mongodb://user:secret@127.0.0.1:{silent.getsockname()[1]}/x")
    assert "cannot be reached: no answer" in one_line(said)
    assert "secret" not in said.err


def test_bad_roster_is_reported_row_by_row_before_anything_starts(govcrawl: Command, roster: Path) -> None:
    roster.write_text(HEAD + ROW + ROW + ROW.replace("portal", "shop").replace("anji", "x"), "utf-8")
    said = govcrawl(*INSPECT, "--registry", roster)
    assert (said.code, said.out) == (2, "")
    assert "row 3" in said.err
    assert "row 4" in said.err
    assert not Path(".govcrawl").exists()


def test_roster_in_gbk_is_refused(govcrawl: Command, roster: Path) -> None:
    roster.write_bytes((HEAD + ROW).encode("gbk"))
    said = govcrawl("sites", "check", roster)
    assert said.code == 2
    assert "UTF-8" in said.err


def test_sites_check_and_list(govcrawl: Command, roster: Path) -> None:
    assert govcrawl("sites", "check", roster).out == f"{roster}: 1 sites, no fault found\n"
    listed = govcrawl("sites", "list", roster, "--format", "jsonl")
    assert json.loads(listed.out)["site_id"] == "anji"
    assert "安吉县人民政府" in govcrawl("sites", "list", roster).out


def test_sites_import_writes_a_roster_that_can_be_inspected(govcrawl: Command, roster: Path) -> None:
    said = govcrawl("sites", "import", roster, "--to", "new.csv")
    assert said.code == 0
    assert "1 sites written to new.csv" in said.out
    assert load_sites(Path("new.csv")) == load_sites(roster)


def test_built_in_roster_is_listed(govcrawl: Command) -> None:
    said = govcrawl("sites", "list")
    assert f"{len(load_sites(None))} sites" in said.out


def test_rules_lists_all_and_counts_the_untested(govcrawl: Command) -> None:
    said = govcrawl("rules")
    assert said.code == 0
    assert f"{len(load_edition().rules)} rules, " in said.out
    assert "untested, never passed" in said.out
    assert all(code in said.out for code in ("V3", "D4.7b", list(load_edition().rules)[-1]))


@pytest.mark.parametrize("code", sorted(load_edition().rules))
def test_every_rule_can_be_explained(govcrawl: Command, code: str) -> None:
    said = govcrawl("rules", code)
    assert said.code == 0
    assert load_edition().rules[code].zh in said.out
    assert ("check: " in said.out) != ("untested, never passed" in said.out)


# --- results ----------------------------------------------------------------------------------


def finding(site_id: str, rule: str, outcome: Outcome, *seen: Evidence) -> Finding:
    return Finding(site_id, "2023Q3", rule, outcome, "2019-19", "", seen, AT)


def inspected(db: Sync, sites: tuple[Site, ...], *found: Finding) -> str:
    """Store a finished run by hand."""
    run = ledger.open_run(
        db, "2023Q3", at=AT, edition="2019-19", roster_sha="x", site_ids=[site.site_id for site in sites]
    )
    ledger.plan(db, run, sites)
    db.ledger.update_many({"run": run}, {"$set": {"state": "done", "finished_at": AT}})
    if found:
        db.findings.insert_many([records.finding_doc(one, run) for one in found])
    ledger.finish_run(db, run)
    return run


@pytest.mark.mongo
def test_results_of_a_quarter_nobody_inspected(govcrawl: Command, store_uri: str) -> None:
    assert govcrawl("findings", "--quarter", "2023Q3", "--mongo", store_uri).out == "没有记录\n"
    assert govcrawl("scores", "--quarter", "2023Q3", "--format", "jsonl", "--mongo", store_uri).out == ""
    said = govcrawl("score", "--quarter", "2023Q3", "--mongo", store_uri)
    assert "nothing inspected yet; run: govcrawl inspect --quarter 2023Q3" in one_line(said)


@pytest.mark.mongo
def test_findings_are_one_object_an_occurrence(
    govcrawl: Command, store_uri: str, store: Sync, roster: Path
) -> None:
    evidence = [Evidence(f"http://www.anji.gov.cn/{n}", "缺“[b]”", excerpt="x") for n in (1, 2)]
    found = (
        finding("anji", "D4.2", Outcome.FAILED, *evidence),
        finding("anji", "V3", Outcome.PASSED),
    )
    inspected(store, load_sites(roster), *found)
    said = govcrawl("findings", "--quarter", "2023Q3", "--format", "jsonl", "--mongo", store_uri)
    lines = [json.loads(line) for line in said.out.splitlines()]
    assert [(one["rule"], one["outcome"], one["url"], one["observed"]) for one in lines] == [
        ("D4.2", "failed", "http://www.anji.gov.cn/1", "缺“[b]”"),
        ("D4.2", "failed", "http://www.anji.gov.cn/2", "缺“[b]”"),
        ("V3", "passed", "", ""),
    ]
    table = govcrawl("findings", "--quarter", "2023Q3", "--mongo", store_uri).out
    assert "D4.2" in table
    assert "缺“[b]”" in table
    assert "V3" not in table
    assert "V3" in govcrawl("findings", "--quarter", "2023Q3", "--all", "--mongo", store_uri).out
    assert (
        govcrawl("findings", "--quarter", "2023Q3", "--site", "nobody", "--mongo", store_uri).out
        == "没有记录\n"
    )


@pytest.mark.mongo
def test_score_and_scores_are_exact(govcrawl: Command, store_uri: str, store: Sync, roster: Path) -> None:
    dead = [Evidence(f"http://www.anji.gov.cn/{n}", "dead") for n in (1, 2, 3)]
    found = [finding("anji", "D4.3a", Outcome.FAILED, one) for one in dead]
    inspected(store, load_sites(roster), *found)
    said = govcrawl("score", "--quarter", "2023Q3", "--mongo", store_uri)
    assert said.out.startswith("2023Q3: 共检查网站 1 个（门户 1 个，部门 0 个）；已评分 1 个，平均 99.4 分")
    line = govcrawl("scores", "--quarter", "2023Q3", "--format", "jsonl", "--mongo", store_uri).out
    score = json.loads(line, parse_float=Decimal, parse_int=Decimal)
    assert (score["site_id"], score["deduction"], score["total"]) == ("anji", Decimal("0.6"), Decimal("99.4"))
    assert '"deduction": 0.6' in line
    assert "99.4" in govcrawl("scores", "--quarter", "2023Q3", "--mongo", store_uri).out


@pytest.mark.mongo
def test_a_reader_that_goes_away_ends_the_command_quietly(
    store_uri: str, store: Sync, roster: Path, tmp_path: Path
) -> None:
    many = [
        finding("anji", "D4.3b", Outcome.FAILED, Evidence(f"http://a/{n}", "x" * 300)) for n in range(2000)
    ]
    inspected(store, load_sites(roster), *many)
    command = [sys.executable, "-m", "govcrawl.cli", "findings", "--quarter", "2023Q3", "--format", "jsonl"]
    with subprocess.Popen(
        [*command, "--mongo", store_uri], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline().startswith(b"{")
        reader.stdout.close()
        assert reader.wait(60) == 1
        assert reader.stderr is not None
        assert reader.stderr.read() == b""


def test_connect_names_no_password() -> None:
    with pytest.raises(Exception, match=r"127\.0\.0\.1:1") as caught:
        client.connect("mongodb://user:secret@127.0.0.1:1/x")
    assert "secret" not in str(caught.value)
