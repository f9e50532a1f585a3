"""`govcrawl inspect` from roster to scores, through the real command and its worker processes."""

from __future__ import annotations

import csv
import json
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from govcrawl.standard import load_edition
from govcrawl.store import client
from tests.inspecting import HASTE, ROOT, Ended, Farm, Office, ended, served
from tests.province.model import AT, QUARTER
from tests.province.truth import truth
from tests.province.world import World, make

pytestmark = [pytest.mark.mongo, pytest.mark.slow]

SITES = 6
BUDGET = "25"
QUICK = json.dumps(HASTE | {"delay": 0, "page_budget": int(BUDGET), "browser": False})
CONTRACT = {
    "site_id", "kind", "verdict", "vetoes", "deduction", "bonus", "total", "checked", "low", "high",
    "indicators",
}  # fmt: skip


class Province:
    """A served province of a few sites and one finished inspection of it."""

    def __init__(self, office: Office, farm: Farm, world: World, roster: Path, end: Ended) -> None:
        self.office = office
        self.farm = farm
        self.world = world
        self.roster = roster
        self.end = end
        self.site_ids = [plan.site_id for plan in world.plans]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("office")


@pytest.fixture(scope="module")
def database(mongo_uri: str) -> Iterator[str]:
    uri = mongo_uri.replace("/govcrawl?", "/test_inspect?")
    yield uri
    db = client.connect(uri)
    db.client.drop_database(db.name)
    db.client.close()


@pytest.fixture(scope="module")
def province(folder: Path, database: str) -> Iterator[Province]:
    world = make(folder / "province", SITES)
    with served(world.answer) as (farm, proxy):
        hosts = str(folder / "province" / "hosts")  # also for `scrapy crawl`
        office = Office(folder, database, proxy, HASTE | {"hosts": hosts})
        roster = folder / "province" / "roster.csv"
        end = office.inspect(roster, "--budget", BUDGET, "--summary", "summary.json")
        yield Province(office, farm, world, roster, end)


@pytest.fixture(scope="module")
def findings(province: Province) -> list[dict[str, Any]]:
    return province.office.findings()


@pytest.fixture(scope="module")
def scores(province: Province) -> list[dict[str, Any]]:
    return province.office.scores()


def test_every_site_is_done_and_the_command_says_so(province: Province) -> None:
    assert (province.end.code, province.end.err.count("Traceback")) == (0, 0), province.end.err
    last = province.end.out.splitlines()[-1]
    assert last.startswith(f"run {QUARTER}-1 complete: {SITES} sites planned, {SITES} done, 0 failed; ")


def test_progress_is_plain_lines_off_a_terminal(province: Province) -> None:
    lines = [line for line in province.end.err.splitlines() if line.startswith("run ")]
    assert lines[-1].startswith(f"run {QUARTER}-1: {SITES}/{SITES} sites, ")
    assert "\x1b" not in province.end.err + province.end.out


def test_summary_holds_the_figures(province: Province) -> None:
    summary = json.loads((province.office.folder / "summary.json").read_text("utf-8"))
    assert {name: summary[name] for name in ("run", "planned", "done", "failed")} == {
        "run": f"{QUARTER}-1",
        "planned": SITES,
        "done": SITES,
        "failed": 0,
    }
    assert 0 < summary["pages"] <= SITES * int(BUDGET)
    assert summary["seconds"] > 0
    assert summary["peak_mb"] > 0


def test_findings_keep_the_output_contract(findings: list[dict[str, Any]]) -> None:
    assert all({"site_id", "rule", "outcome", "url", "observed"} <= set(one) for one in findings)
    assert {one["outcome"] for one in findings} <= {
        "passed",
        "failed",
        "cantTell",
        "inapplicable",
        "untested",
    }
    assert all(one["url"].startswith("http") for one in findings if one["outcome"] == "failed")


def test_ipv6_is_judged_by_the_hosts_file_behind_a_proxy(
    province: Province, findings: list[dict[str, Any]]
) -> None:
    planted = {row.site_id for site in province.world.sites() for row in truth(site) if row.rule == "D4.9"}
    found = {doc["site_id"]: doc["outcome"] for doc in findings if doc["rule"] == "D4.9"}
    assert planted
    assert {site_id for site_id, outcome in found.items() if outcome == "failed"} == planted
    assert {outcome for site_id, outcome in found.items() if site_id not in planted} == {"cantTell"}


def test_a_hosts_file_that_is_none_ends_in_one_line(province: Province) -> None:
    end = province.office.inspect(province.roster, "--hosts", province.roster)
    assert end.code == 2
    assert end.err.strip().endswith("is not an address and its names; correct it")
    assert len(end.err.strip().splitlines()) == 1


def test_every_rule_has_an_outcome_on_every_site(province: Province, findings: list[dict[str, Any]]) -> None:
    expected = {(site_id, code) for site_id in province.site_ids for code in load_edition().rules}
    assert {(one["site_id"], one["rule"]) for one in findings} == expected


def test_scores_keep_the_output_contract(province: Province, scores: list[dict[str, Any]]) -> None:
    assert [one["site_id"] for one in scores] == sorted(province.site_ids)
    assert all(set(one) >= CONTRACT for one in scores)


def test_portals_are_scored_exactly_and_departments_are_not(scores: list[dict[str, Any]]) -> None:
    for one in scores:
        if one["kind"] == "department" or one["vetoes"]:
            assert one["total"] is None
            continue
        assert one["low"] <= one["total"] <= one["high"]
        assert one["total"] == one["part2"] + one["bonus"]
        lost = sum(
            (indicator["delta"] for indicator in one["indicators"] if indicator["part"] == "deduction"),
            Decimal(0),
        )
        assert one["deduction"] == -lost


def test_each_visit_is_stored(province: Province, database: str) -> None:
    db = client.connect(database)
    try:
        urls = {doc["url"] for doc in db.pages.find({"run": f"{QUARTER}-1"}, {"url": 1})}
        home = {plan.url for plan in province.world.plans}
        assert home <= urls
        assert db.pages.count_documents({"run": f"{QUARTER}-1", "error": None, "body": None}) == 0
    finally:
        db.client.close()


def test_no_page_is_fetched_twice(province: Province, database: str) -> None:
    db = client.connect(database)
    try:
        stored = {doc["url"] for doc in db.pages.find({"run": f"{QUARTER}-1", "error": None}, {"url": 1})}
    finally:
        db.client.close()
    homes = {plan.url for plan in province.world.plans}  # other sites link to them: checked, too
    twice = {url for url, count in province.farm.fetched().items() if count > 1}
    assert stored & twice - homes == set()


def test_another_inspection_comes_to_the_same_results(
    province: Province, findings: list[dict[str, Any]], scores: list[dict[str, Any]]
) -> None:
    end = province.office.inspect(province.roster, "--budget", BUDGET)
    assert end.code == 0, end.err
    assert f"run {QUARTER}-2 complete" in end.out
    assert province.office.findings() == findings
    assert province.office.scores() == scores


def test_interrupted_inspection_is_taken_up_again(
    province: Province, mongo_uri: str, findings: list[dict[str, Any]], scores: list[dict[str, Any]]
) -> None:
    office = replace(province.office, mongo=mongo_uri.replace("/govcrawl?", "/test_interrupt?"))
    before = len(province.farm.calls)
    process = office.start(*office.inspection(province.roster), "--budget", BUDGET)
    assert province.farm.wait(before + 60, process)
    os.killpg(process.pid, signal.SIGINT)  # what a terminal does on Ctrl-C: workers get it, too
    stopped = ended(process)
    assert stopped.code == 1, stopped.err
    assert "the same command goes on" in stopped.err
    assert "Traceback" not in stopped.err
    middle = len(province.farm.calls)
    end = office.inspect(province.roster, "--budget", BUDGET)
    assert end.code == 0, end.err
    assert f"run {QUARTER}-1 complete: {SITES} sites planned, {SITES} done" in end.out
    assert office.findings() == findings
    assert office.scores() == scores
    assert len(province.farm.calls) - middle < middle
    db = client.connect(office.mongo)
    db.client.drop_database(db.name)
    db.client.close()


def test_one_site_from_an_xlsx_roster_leaves_the_others_results_alone(
    province: Province, findings: list[dict[str, Any]]
) -> None:
    book = Workbook()
    with province.roster.open(encoding="utf-8", newline="") as handle:
        for row in csv.reader(handle):
            book.active.append(row)
    path = province.office.folder / "roster.xlsx"
    book.save(path)
    end = province.office.inspect(path, province.site_ids[3], "--budget", BUDGET)
    assert end.code == 0, end.err
    assert "1 sites planned, 1 done, 0 failed" in end.out
    assert province.office.findings() == findings


def test_unreachable_site_is_failed_by_name_and_the_exit_code_is_1(
    province: Province, mongo_uri: str
) -> None:
    office = replace(province.office, mongo=mongo_uri.replace("/govcrawl?", "/test_failed?"))
    lines = province.roster.read_text("utf-8").splitlines()
    roster = province.office.folder / "two.csv"
    gone = lines[3].replace(province.world.plans[2].url, "http://gone.yunjiangs.gov.cn/")
    roster.write_text("\n".join((lines[0], lines[4], gone)) + "\n", "utf-8")
    end = office.inspect(roster, "--budget", "10")
    assert end.code == 1, end.err
    assert "2 sites planned, 1 done, 1 failed" in end.out
    assert f"  {province.site_ids[2]}: home page: http_502" in end.err
    assert [one["site_id"] for one in office.scores()] == [province.site_ids[3]]
    db = client.connect(office.mongo)
    db.client.drop_database(db.name)
    db.client.close()


# --- Scrapy's own commands --------------------------------------------------------------------


def scrapy(province: Province, *arguments: str) -> Ended:
    command = [sys.executable, "-m", "scrapy", *arguments]
    names = {"GOVCRAWL_REGISTRY": str(province.roster), "GOVCRAWL_PROXY": province.office.proxy}
    names |= {"SCRAPY_SETTINGS_MODULE": "govcrawl.settings", "PYTHONPATH": str(ROOT)}
    names["GOVCRAWL_OPTIONS"] = QUICK
    names["http_proxy"] = "http://127.0.0.1:9"  # nobody is there: only the proxy of the options counts
    return ended(province.office.popen(command, **names))


def test_scrapy_list_names_the_roster(province: Province) -> None:
    end = scrapy(province, "list")
    assert end.out.split() == sorted(province.site_ids), end.err


def test_scrapy_crawl_inspects_one_site_like_the_command_does(
    province: Province, database: str, findings: list[dict[str, Any]]
) -> None:
    site_id = province.site_ids[4]
    end = scrapy(province, "crawl", site_id, "-a", f"quarter={QUARTER}", "-a", f"at={AT.isoformat()}")
    assert (end.code, end.err) == (0, "")
    db = client.connect(database)
    try:
        row = db.ledger.find_one({"site_id": site_id, "state": "done"}, sort=[("finished_at", -1)])
        run = db.runs.find_one({"_id": row["run"]})
        assert (run["sites"], row["counts"]["pages"] > 10) == ([site_id], True)
        assert db.findings.count_documents({"run": row["run"]}) >= len(load_edition().rules)
    finally:
        db.client.close()
