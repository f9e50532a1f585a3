"""Workers killed, the database stopped, the command itself killed: nothing is lost and little is repeated."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from govcrawl.store import child, client, server
from tests.inspecting import HASTE, LIMIT, Farm, Office, ended, served
from tests.province.model import QUARTER, Answer
from tests.province.world import World, make

pytestmark = [pytest.mark.mongo, pytest.mark.slow]

SITES = 60
FEW = 12  # sites of the runs whose database stops
BUDGET = 9  # pages a site
KILLS = 10
AT_ONCE = 8  # sites under way in a worker
PER_HOST = 2  # requests under way to a site
LINKS = 64  # verdicts under way in a worker, and again as many waiting to be written
QUICK = HASTE | {"sites_at_once": AT_ONCE, "per_host": PER_HOST, "link_budget": 8}
Results = tuple[list[dict[str, Any]], list[dict[str, Any]], Counter[str]]


class Steady:
    """The province with the same answer at every request: a repeated fetch must not see another site."""

    def __init__(self, world: World) -> None:
        self._answer = world.answer

    def __call__(self, host: str, path: str) -> Answer:
        answer = self._answer(host, path)
        return Answer(answer.status, answer.body, answer.content_type, answer.location, reset=answer.reset)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("faults")


@pytest.fixture(scope="module")
def world(folder: Path) -> World:
    return make(folder, SITES)


@pytest.fixture(scope="module")
def farm(world: World) -> Iterator[tuple[Farm, str]]:
    with served(Steady(world)) as running:
        yield running


@pytest.fixture
def office(folder: Path, tmp_path: Path, farm: tuple[Farm, str]) -> Iterator[Office]:
    """Return an office with a database server of its own, that tests may stop."""
    with server.running(tmp_path / "db") as uri:
        yield Office(tmp_path, uri, farm[1], QUICK)


@pytest.fixture(scope="module")
def undisturbed(folder: Path, farm: tuple[Farm, str], tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Return findings, scores and requests of a run that nobody disturbs."""
    root = tmp_path_factory.mktemp("undisturbed")
    farm[0].calls.clear()
    with server.running(root / "db") as uri:
        office = Office(root, uri, farm[1], QUICK)
        end = office.inspect(folder / "roster.csv", "--budget", str(BUDGET))
        assert end.code == 0, end.err
        return office.findings(), office.scores(), farm[0].fetched()


def workers(command: subprocess.Popen[str]) -> list[psutil.Process]:
    """Return the command's living workers, oldest first."""
    found = []
    for process in psutil.Process(command.pid).children():
        with suppress(psutil.NoSuchProcess):
            if "govcrawl.worker" in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return sorted(found, key=lambda process: process.create_time())


def begun(office: Office, folder: Path, farm: Farm, requests: int, *sites: str) -> subprocess.Popen[str]:
    """Start an inspection and return once it has made so many requests."""
    farm.calls.clear()
    roster = folder / "roster.csv"
    process = office.start(*office.inspection(roster), "--budget", str(BUDGET), *sites)
    assert farm.wait(requests, process), ended(process).err
    return process


def of(sites: Sequence[str], results: Results) -> tuple[object, object]:
    """Return the findings and scores of these sites."""
    findings, scores, _ = results
    return [one for one in findings if one["site_id"] in sites], [
        one for one in scores if one["site_id"] in sites
    ]


def pages_of(mongo: str) -> set[str]:
    """Return the addresses a run has visited as pages."""
    db = client.connect(mongo)
    try:
        return {doc["url"] for doc in db.pages.find({}, {"url": 1})}
    finally:
        db.client.close()


def test_ten_killed_workers_change_nothing_and_repeat_only_what_was_in_flight(
    office: Office, folder: Path, farm: tuple[Farm, str], undisturbed: Results
) -> None:
    findings, scores, before = undisturbed
    rng = random.Random(20230920)
    step = sum(before.values()) // (KILLS + 2)
    process = begun(office, folder, farm[0], step)
    for kill in range(1, KILLS + 1):
        assert farm[0].wait(kill * step, process), ended(process).err
        rng.choice(workers(process)).kill()
    end = ended(process)
    assert end.code == 0, end.err
    assert f"{SITES} sites planned, {SITES} done, 0 failed" in end.out
    assert office.findings() == findings
    assert office.scores() == scores
    after = farm[0].fetched()
    assert set(before) <= set(after)
    visited = pages_of(office.mongo)
    repeated = after - before
    pages = sum(count for url, count in repeated.items() if url in visited)
    assert pages <= KILLS * AT_ONCE * (PER_HOST + 1)  # under way, and not yet written
    assert sum(repeated.values()) - pages <= KILLS * 2 * LINKS  # link targets, and a new checker's baselines


@pytest.fixture
def few(world: World) -> tuple[str, ...]:
    return tuple(plan.site_id for plan in world.plans[:: SITES // FEW])


def test_database_that_stops_answering_for_a_while_loses_nothing(
    office: Office, folder: Path, farm: tuple[Farm, str], few: tuple[str, ...], undisturbed: Results
) -> None:
    process = begun(office, folder, farm[0], 60, *few)
    pid = child.state_of(office.folder / "db")["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        farm[0].quiet()
    finally:
        os.kill(pid, signal.SIGCONT)
    end = ended(process)
    assert end.code == 0, end.err
    assert (office.findings(), office.scores()) == of(few, undisturbed)
    assert set(farm[0].fetched()) <= set(undisturbed[2])
    assert max(farm[0].fetched()[url] for url in pages_of(office.mongo)) <= 2  # its visit, and a link to it


def test_database_killed_and_started_again_loses_nothing(
    office: Office, folder: Path, farm: tuple[Farm, str], few: tuple[str, ...], undisturbed: Results
) -> None:
    root = office.folder / "db"
    process = begun(office, folder, farm[0], 60, *few)
    psutil.Process(child.state_of(root)["pid"]).kill()
    farm[0].quiet()
    assert server.embedded(root) == office.mongo  # on its old port
    server.leave(root)
    end = ended(process)
    assert end.code == 0, end.err
    assert (office.findings(), office.scores()) == of(few, undisturbed)


def test_killed_command_takes_its_workers_along_and_the_next_one_goes_on(
    office: Office, folder: Path, farm: tuple[Farm, str], few: tuple[str, ...], undisturbed: Results
) -> None:
    process = begun(office, folder, farm[0], 60, *few)
    left = workers(process)
    process.kill()
    ended(process)
    gone, alive = psutil.wait_procs(left, timeout=LIMIT)
    assert (len(gone), alive) == (len(left), [])
    end = office.inspect(folder / "roster.csv", "--budget", str(BUDGET), *few)
    assert end.code == 0, end.err
    assert f"run {QUARTER}-1 complete: {FEW} sites planned, {FEW} done, 0 failed" in end.out
    assert (office.findings(), office.scores()) == of(few, undisturbed)


def test_worker_that_is_killed_again_and_again_by_one_site_gives_it_up(
    tmp_path: Path, mongo_uri: str
) -> None:
    """A site that kills its worker each time is failed with that reason; the others are done."""
    lines = ["site_id,name,kind,level,code,parent,url,organizer,has_services,platform"]
    lines += [
        f"{name},示例市人民政府,portal,city,339900,,http://www.{name}.gov.cn/,,true,"
        for name in ("good", "deadly")
    ]
    (tmp_path / "roster.csv").write_text("\n".join(lines) + "\n", "utf-8")

    def answer(host: str, path: str) -> Answer:
        if host == "www.deadly.gov.cn" and path == "/":
            for process in workers(command):
                process.kill()
        return Answer(body=b"<html><body><p>2023-09-18</p></body></html>")

    uri = mongo_uri.replace("/govcrawl?", "/test_deadly?")
    with served(answer, cached=False) as (_, proxy):
        office = Office(tmp_path, uri, proxy, QUICK)
        command = office.start(*office.inspection(tmp_path / "roster.csv"), "--workers", "1")
        end = ended(command)
    assert end.code == 1, end.err
    assert "2 sites planned, 1 done, 1 failed" in end.out
    assert "deadly: crashed its worker 10 times" in end.err
    db = client.connect(uri)
    db.client.drop_database(db.name)
    db.client.close()
