"""Three scrapyd nodes on one queue: killed crawls, a killed node and a killed database change nothing.

`make test-cluster` runs it with 60 sites, `make test` with a few.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from govcrawl.store import child, client, queue, server
from tests.clusters import Node, cluster, stop_all, until
from tests.inspecting import HASTE, Farm, Office, ended, served
from tests.province.model import AT, QUARTER
from tests.province.world import World, make
from tests.test_faults import Steady

pytestmark = [pytest.mark.mongo, pytest.mark.scrapyd, pytest.mark.long]

SITES = int(os.environ.get("GOVCRAWL_CLUSTER_SITES", "9"))
BUDGET = 9  # pages a site
PER_HOST = 2  # requests under way to a site
LINKS = 8  # link targets a site
SLOTS = 2  # crawls a node
KILLED = 2 + SLOTS  # two crawls, and those of the killed node
QUICK = HASTE | {"per_host": PER_HOST, "link_budget": LINKS, "page_budget": BUDGET, "browser": False}
Results = tuple[list[dict[str, Any]], list[dict[str, Any]], Counter[str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cluster")


@pytest.fixture(scope="module")
def world(folder: Path) -> World:
    return make(folder, SITES)


@pytest.fixture(scope="module")
def farm(world: World) -> Iterator[tuple[Farm, str]]:
    with served(Steady(world)) as running:
        yield running


@pytest.fixture(scope="module")
def undisturbed(folder: Path, farm: tuple[Farm, str]) -> Results:
    """Return findings, scores and requests of a single machine that nobody disturbs."""
    with server.running(folder / "single" / "db") as uri:
        office = Office(folder / "single", uri, farm[1], QUICK)
        end = office.inspect(folder / "roster.csv", "--budget", str(BUDGET))
        assert end.code == 0, end.err
        return office.findings(), office.scores(), farm[0].fetched()


@pytest.fixture(scope="module")
def root(folder: Path) -> Path:
    return folder / "shared" / "db"


@pytest.fixture(scope="module")
def nodes(folder: Path, farm: tuple[Farm, str], root: Path) -> Iterator[list[Node]]:
    with server.running(root) as uri:
        roster = folder / "roster.csv"
        found = cluster(folder, uri, 3, roster=roster, proxy=farm[1], options=QUICK, slots=SLOTS, lease=8.0)
        yield found
        stop_all(found)


def test_killed_node_crawls_and_database_change_nothing(
    folder: Path, farm: tuple[Farm, str], root: Path, nodes: list[Node], undisturbed: Results
) -> None:
    findings, scores, before = undisturbed
    step = sum(before.values()) // 6
    office = Office(folder / "shared", nodes[0].mongo, farm[1], QUICK)
    farm[0].calls.clear()
    # --- dispatch, then one blow after the other while it runs
    order = ["cluster", "dispatch", "--quarter", QUARTER, "--at", AT.isoformat(), "--delay", "0", "--wait"]
    order += ["--registry", str(folder / "roster.csv"), "--budget", str(BUDGET), "--no-browser"]
    command = [sys.executable, "-m", "govcrawl.cli", *order]
    process = office.popen(command, GOVCRAWL_PROXY=farm[1])  # else the names would be looked up here
    assert farm[0].wait(step, process), ended(process).err
    assert until(nodes[1].crawls)
    nodes[1].crawls()[0].kill()
    assert farm[0].wait(2 * step, process), ended(process).err
    assert until(nodes[2].crawls)
    nodes[2].crawls()[0].kill()
    assert farm[0].wait(3 * step, process), ended(process).err
    nodes[0].kill()
    assert farm[0].wait(4 * step, process), ended(process).err
    psutil.Process(child.state_of(root)["pid"]).kill()
    assert until(lambda: not nodes[1].healthy()), nodes[1].log()
    assert server.embedded(root) == office.mongo  # on its old port
    server.leave(root)
    # --- all done, and as on one machine
    end = ended(process)
    assert end.code == 0, end.err
    assert f"{SITES} done, 0 failed" in end.out
    db = client.connect(office.mongo)
    try:
        log = queue.transitions(db, f"{QUARTER}-1")
        visited = {doc["url"] for doc in db.pages.find({}, {"url": 1})}
    finally:
        db.client.close()
    assert queue.overlaps(log) == []
    assert Counter(entry["event"] for entry in log)["done"] == SITES
    assert len({entry["owner"].partition("/")[0] for entry in log}) == 3
    assert office.findings() == findings
    assert office.scores() == scores
    after = farm[0].fetched()
    assert set(before) <= set(after)
    repeated = after - before
    pages = sum(count for url, count in repeated.items() if url in visited)
    assert pages <= KILLED * (PER_HOST + 1) * 2  # under way, and not yet written
    assert sum(repeated.values()) - pages <= KILLED * 2 * LINKS
    for one in nodes[1:]:
        assert one.healthy(), one.log()


def test_drained_node_takes_nothing_and_the_others_go_on(
    folder: Path, farm: tuple[Farm, str], nodes: list[Node]
) -> None:
    office = Office(folder / "shared", nodes[0].mongo, farm[1], QUICK)
    assert office.run("cluster", "drain", "node2").code == 0
    assert until(lambda: nodes[1].client.get("daemonstatus")["draining"])
    site = [line.partition(",")[0] for line in (folder / "roster.csv").read_text("utf-8").splitlines()][1]
    job = nodes[1].client.post(
        "schedule", project="govcrawl", spider=site, quarter=QUARTER, at=AT.isoformat()
    )["jobid"]
    assert until(lambda: nodes[2].client.get("status", job=job)["currstate"] == "finished"), nodes[2].log()
    assert nodes[1].client.get("status", job=job)["currstate"] is None
    shown = office.run("cluster", "status", "--quarter", QUARTER)
    assert shown.code == 0, shown.err
    assert "停止接新任务" in shown.out
    assert office.run("cluster", "drain", "node2", "--off").code == 0
