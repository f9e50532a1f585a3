"""One real node: who may do what, scrapyd's API on our queue, and what keeps a node from starting."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from govcrawl.cluster import config as node_config
from govcrawl.cluster.client import Client
from govcrawl.cluster.deploy import build_egg, faults, project_root, requirements
from govcrawl.cluster.dispatch import Order, dispatch
from govcrawl.items import GovcrawlError, NotConfigured
from govcrawl.quarter import Quarter
from govcrawl.sites import load_sites
from govcrawl.standard import load_edition
from govcrawl.store import client, queue
from tests.clusters import DEPLOY_WORD, USER, WORD, Node, cluster, free_port, stop_all, until
from tests.inspecting import HASTE, Farm, Office, served
from tests.province.model import AT, QUARTER, Answer
from tests.province.world import make

pytestmark = [pytest.mark.mongo, pytest.mark.scrapyd, pytest.mark.slow]
QUICK = HASTE | {"per_host": 2, "link_budget": 4, "page_budget": 3, "browser": False, "delay": 0}
SITES = 5
DUMB = b"<html><body><p>2023-09-18</p></body></html>"


class Gate:
    """Answers for all sites; some hosts let everybody wait, some have nothing."""

    def __init__(self) -> None:
        self.slow: set[str] = set()
        self.gone: set[str] = set()

    def __call__(self, host: str, path: str) -> Answer:  # noqa: ARG002  (all pages of a site are alike)
        if host in self.gone:
            return Answer(404, b"<html><body>404</body></html>")
        return Answer(body=DUMB, delay=600.0 if host in self.slow else 0.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("node")
    make(found, SITES)
    return found


@pytest.fixture(scope="module")
def gate() -> Gate:
    return Gate()


@pytest.fixture(scope="module")
def farm(gate: Gate) -> Iterator[tuple[Farm, str]]:
    with served(gate, cached=False) as running:
        yield running


@pytest.fixture(scope="module")
def mongo(mongo_uri: str) -> Iterator[str]:
    uri = mongo_uri.replace("/govcrawl?", "/test_node?")
    yield uri
    db = client.connect(uri)
    db.client.drop_database(db.name)
    db.client.close()


@pytest.fixture(scope="module")
def node(folder: Path, mongo: str, farm: tuple[Farm, str]) -> Iterator[Node]:
    alarm = folder / "alarm"
    alarm.write_text(f"#!/bin/sh\ncat >> {folder}/alarms\necho >> {folder}/alarms\n", "utf-8")
    alarm.chmod(0o755)
    more = f"deploy_password_file = deploy\nalarm_command = {alarm}"
    roster = folder / "roster.csv"
    found = cluster(folder, mongo, 1, roster=roster, proxy=farm[1], options=QUICK, slots=1, more=more)
    yield found[0]
    stop_all(found)


@pytest.fixture(scope="module")
def names(folder: Path) -> list[str]:
    lines = (folder / "roster.csv").read_text("utf-8").splitlines()[1:]
    return [line.partition(",")[0] for line in lines]


@pytest.fixture(scope="module")
def hosts(folder: Path, names: list[str]) -> dict[str, str]:
    return {site.site_id: site.host for site in load_sites(folder / "roster.csv")}


def schedule(node: Node, spider: str, **more: str) -> dict[str, Any]:
    return node.client.post(
        "schedule", project="govcrawl", spider=spider, quarter=QUARTER, at=AT.isoformat(), **more
    )


def jobs(node: Node, state: str) -> list[str]:
    return [job["id"] for job in node.client.get("listjobs", project="govcrawl")[state]]


# --- scrapyd's API on our queue ---------------------------------------------------------------


def test_listspiders_names_the_roster(node: Node, names: list[str]) -> None:
    assert node.client.get("listspiders", project="govcrawl")["spiders"] == sorted(names)
    with pytest.raises(GovcrawlError, match="project 'nothing' not found"):
        node.client.get("listspiders", project="nothing")


def test_daemonstatus_tells_figures_and_health(node: Node) -> None:
    answer = node.client.get("daemonstatus")
    assert {name: type(answer[name]) for name in ("pending", "running", "finished")} == {
        "pending": int,
        "running": int,
        "finished": int,
    }
    assert (answer["status"], answer["node_name"], answer["healthy"]) == ("ok", "node1", True)


def test_scheduled_job_runs_to_its_end_and_is_stored(node: Node, names: list[str], mongo: str) -> None:
    assert schedule(node, names[0], jobid="j1", priority="3")["jobid"] == "j1"
    assert until(lambda: "j1" in jobs(node, "finished")), node.log()
    db = client.connect(mongo)
    row = db.ledger.find_one({"job.id": "j1"})
    db.client.close()
    assert (row["state"], row["attempts"], row["counts"]["pages"] >= 1) == ("done", 1, True)
    assert node.client.get("status", job="j1")["currstate"] == "finished"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"project": "nothing", "spider": "a"}, "project 'nothing' not found"),
        ({"project": "govcrawl", "spider": "nothing"}, "spider 'nothing' not found"),
        ({"project": "govcrawl"}, "'spider' parameter is required"),
        ({"project": "govcrawl", "spider": "a", "_version": "9"}, "version '9' not found"),
    ],
)
def test_what_cannot_be_scheduled_is_named(node: Node, fields: dict[str, str], message: str) -> None:
    with pytest.raises(GovcrawlError, match=message):
        node.client.post("schedule", **fields)


def test_schedule_without_a_quarter_is_refused(node: Node, names: list[str]) -> None:
    with pytest.raises(GovcrawlError, match="quarter"):
        node.client.post("schedule", project="govcrawl", spider=names[1])


def test_waiting_and_running_jobs_are_listed_and_cancelled(
    node: Node, names: list[str], hosts: dict[str, str], gate: Gate, mongo: str
) -> None:
    gate.slow.add(hosts[names[1]])
    schedule(node, names[1], jobid="slow")
    assert until(node.crawls), node.log()
    assert until(lambda: "slow" in jobs(node, "running")), node.log()
    schedule(node, names[2], jobid="low", priority="-1", setting="LOG_LEVEL=INFO", extra="1")
    schedule(node, names[3], jobid="high", priority="1")
    found = node.client.get("listjobs", project="govcrawl")
    assert [one["id"] for one in found["pending"]] == ["high", "low"]
    low = found["pending"][1]
    assert (low["spider"], low["settings"], low["args"]["extra"]) == (names[2], {"LOG_LEVEL": "INFO"}, "1")
    assert [(one["id"], one["spider"]) for one in found["running"]] == [("slow", names[1])]
    assert node.client.get("status", job="low")["currstate"] == "pending"
    assert node.client.get("daemonstatus")["pending"] == 2
    with pytest.raises(GovcrawlError, match="waits or runs already"):
        schedule(node, names[3], jobid="again")
    cancel = {"project": "govcrawl", "signal": "TERM"}
    assert node.client.post("cancel", job="low", **cancel)["prevstate"] == "pending"
    assert node.client.post("cancel", job="slow", **cancel)["prevstate"] == "running"
    assert node.client.post("cancel", job="nothing", **cancel)["prevstate"] is None
    assert until(lambda: "high" in jobs(node, "finished")), node.log()
    db = client.connect(mongo)
    rows = {row["job"]["id"]: row for row in db.ledger.find({"job.id": {"$in": ["low", "slow"]}})}
    db.client.close()
    assert {job: (row["state"], row["reason"]) for job, row in rows.items()} == {
        "low": ("failed", queue.CANCELLED),
        "slow": ("failed", queue.CANCELLED),
    }


def test_job_that_kills_its_crawl_three_times_is_set_aside(
    node: Node, names: list[str], hosts: dict[str, str], gate: Gate, mongo: str
) -> None:
    gate.slow.add(hosts[names[4]])
    schedule(node, names[4], jobid="deadly")
    db = client.connect(mongo)
    for crashes in range(queue.SET_ASIDE_AFTER):
        started = 3 * crashes + 2  # entries of its log: leased, started, released, and so on
        row = {"job.id": "deadly", "state": "leased", "crashes": crashes, "seq": started}
        assert until(lambda row=row: db.ledger.find_one(row) and node.crawls()), node.log()
        node.crawls()[-1].kill()
        assert until(lambda n=crashes: db.ledger.find_one({"job.id": "deadly", "crashes": n + 1}))
    row = db.ledger.find_one({"job.id": "deadly"})
    log = queue.transitions(db, row["run"])
    db.client.close()
    assert (row["state"], row["reason"]) == ("failed", "set aside after killing 3 crawls: killed by SIGKILL")
    assert queue.overlaps(log) == []


def test_alarm_command_hears_of_a_site_without_pages(
    node: Node, folder: Path, names: list[str], hosts: dict[str, str], gate: Gate
) -> None:
    gate.gone.add(hosts[names[2]])
    node.client.post("schedule", project="govcrawl", spider=names[2], quarter="2023Q2", jobid="empty")
    assert until(lambda: "empty" in jobs(node, "finished")), node.log()
    heard = [json.loads(line) for line in (folder / "alarms").read_text("utf-8").splitlines()]
    assert heard == [
        {
            "job": "empty",
            "node": "node1",
            "site_id": names[2],
            "name": "no_pages",
            "message": "none of 1 pages could be read",
        }
    ]


def test_dispatched_sites_are_inspected_and_the_run_is_closed(
    node: Node, folder: Path, names: list[str], gate: Gate, mongo: str
) -> None:
    gate.slow.clear()
    sites = load_sites(folder / "roster.csv")
    quarter = Quarter.parse("2023Q2")
    order = Order(
        quarter,
        quarter.monitoring_point(None),
        load_edition().id,
        sites,
        sites[:2],
        settings={"page_budget": 2},
    )
    db = client.connect(mongo)
    try:
        run, new = dispatch(db, order, resolve=False)
        assert new == 2
        assert until(lambda: db.runs.find_one({"_id": run, "state": "complete"})), node.log()
        rows = {row["site_id"]: row["counts"]["pages"] for row in db.ledger.find({"run": run})}
        assert rows == dict.fromkeys(names[:2], 1)  # there is but a home page
        with pytest.raises(GovcrawlError, match="no node has this roster"):
            dispatch(db, replace(order, roster=sites[:3]), resolve=False)
        with pytest.raises(GovcrawlError, match="no node has project other"):
            dispatch(db, replace(order, project="other"), resolve=False)
    finally:
        db.client.close()


# --- who may do what --------------------------------------------------------------------------


def test_wrong_password_is_one_clear_line(node: Node) -> None:
    with pytest.raises(GovcrawlError, match=f"node {node.url}: user name or password not accepted"):
        Client(node.url, USER, "wrong").get("daemonstatus")


def test_everyday_credential_neither_deploys_nor_deletes(node: Node) -> None:
    for service in ("addversion", "delversion", "delproject"):
        with pytest.raises(GovcrawlError, match="need the deploy credential"):
            node.client.post(service, project="govcrawl", version="1")
    assert node.client.get("listversions", project="govcrawl")["versions"] == ["1"]


def test_deploy_credential_adds_and_deletes_versions(node: Node, names: list[str]) -> None:
    assert node.deploy(build_egg(project_root()), "2") == len(names)
    assert node.client.get("listversions", project="govcrawl")["versions"] == ["1", "2"]
    assert node.deployer.post("delversion", project="govcrawl", version="2")["status"] == "ok"


def test_metrics_are_served_or_their_absence_named(node: Node) -> None:
    text = node.client.text("/metrics")
    assert "govcrawl_poller_healthy 1.0" in text or "govcrawl[cluster]" in text


def test_no_secret_is_in_the_process_list_or_the_logs(node: Node, mongo: str) -> None:
    command = " ".join(word for one in node.process_tree() for word in one.cmdline())
    written = (node.folder / "node.log").read_text("utf-8") + "".join(
        path.read_text("utf-8", "replace") for path in (node.folder / "logs").rglob("*.log")
    )
    for secret in (WORD, DEPLOY_WORD):
        assert secret not in command
        assert secret not in written
    assert mongo not in command


def test_preflight_names_what_a_node_lacks(node: Node) -> None:
    answer = node.client.get("preflight")
    needed = requirements(project_root())
    assert faults(answer, needed) == []
    assert faults(answer, ["nothing-of-this-name>=1"]) == ["lacks nothing-of-this-name"]
    assert faults(answer, ["scrapy>=99"]) == [f"has scrapy {answer['installed']['scrapy']}, wanted >=99"]
    assert faults(answer | {"skew": 120.0}, []) == ["its clock is +120 s from the database's"]
    assert faults(answer | {"govcrawl": "0.0.1"}, [])[0].startswith("runs govcrawl 0.0.1, this is ")


def test_govcrawl_cluster_deploy_checks_and_deploys(node: Node, folder: Path, mongo: str) -> None:
    office = Office(folder, mongo)
    secrets = {"GOVCRAWL_NODE_USERNAME": USER, "GOVCRAWL_NODE_PASSWORD_FILE": str(node.folder / "password")}
    command = [sys.executable, "-m", "govcrawl.cli", "cluster", "deploy", "--node", node.url]
    missing = office.popen(command, **secrets)
    out, err = missing.communicate()
    assert (missing.returncode, out) == (2, "")
    assert err == "govcrawl: GOVCRAWL_DEPLOY_PASSWORD or GOVCRAWL_DEPLOY_PASSWORD_FILE is not set\n"
    secrets["GOVCRAWL_DEPLOY_PASSWORD_FILE"] = str(node.folder / "deploy")
    done = office.popen([*command, "--version", "3"], **secrets)
    out, err = done.communicate()
    assert (done.returncode, out) == (0, f"{node.url}: govcrawl 3, {SITES} spiders\n"), err
    node.deployer.post("delversion", project="govcrawl", version="3")


def certificate(folder: Path) -> None:
    """Write a certificate for loopback and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "node")])
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2120, 1, 1, tzinfo=UTC))
        .add_extension(alternative, critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    (folder / "crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))


def test_node_beyond_loopback_speaks_tls(tmp_path: Path, store_uri: str) -> None:
    certificate(tmp_path)
    more = f"tls_certificate = {tmp_path}/crt\ntls_key = {tmp_path}/key"
    one = Node(tmp_path / "tls", store_uri, more=more, ca=str(tmp_path / "crt"))
    one.environment = {"SCRAPYD_BIND_ADDRESS": "0.0.0.0"}
    try:
        assert one.start().client.get("daemonstatus")["pending"] == 0
        with pytest.raises(GovcrawlError, match="cannot be reached"):
            Client(one.url, USER, WORD).get("daemonstatus")  # a certificate nobody vouches for
    finally:
        one.stop()


def test_node_listens_on_a_unix_socket(tmp_path: Path, store_uri: str) -> None:
    one = Node(tmp_path / "unix", store_uri, socket=str(tmp_path / "s"))
    one.environment = {"SCRAPYD_UNIX_SOCKET_PATH": one.socket}
    try:
        assert one.start().client.get("daemonstatus")["pending"] == 0
        assert stat.S_IMODE(Path(one.socket).stat().st_mode) == 0o660
    finally:
        one.stop()


# --- what keeps a node from starting ----------------------------------------------------------


class Settings:
    """A scrapyd configuration of the given lines."""

    def __init__(self, **own: str) -> None:
        self.cp = ConfigParser()
        self.cp.read_dict({"scrapyd": {"bind_address": "127.0.0.1", "http_port": "1"}, "govcrawl": own})

    def get(self, option: str, default: str = "") -> str:
        return self.cp.get("scrapyd", option, fallback=default)

    def getint(self, option: str, default: int = 0) -> int:
        return int(self.get(option, str(default)))


CREDENTIAL = {"GOVCRAWL_NODE_USERNAME": "office", "GOVCRAWL_NODE_PASSWORD": "w"}


def refusal(environment: dict[str, str], **own: str) -> str:
    with pytest.raises(GovcrawlError) as caught:
        node_config.read(Settings(**own), environment, [])  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_node_without_credentials_does_not_start() -> None:
    assert refusal({}).startswith("a node does not start without credentials")
    assert refusal({"GOVCRAWL_NODE_USERNAME": "office"}).startswith("a node does not start without")


def test_missing_and_empty_secret_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("", "utf-8")
    user = {"GOVCRAWL_NODE_USERNAME": "office"}
    gone = refusal(user, password_file=str(tmp_path / "gone"))
    assert gone == f"GOVCRAWL_NODE_PASSWORD_FILE: {tmp_path}/gone cannot be read: No such file or directory"
    empty = refusal(user, password_file=str(tmp_path / "empty"))
    assert empty == f"GOVCRAWL_NODE_PASSWORD_FILE: {tmp_path}/empty is empty"


def test_missing_database_is_named() -> None:
    assert refusal(CREDENTIAL).startswith("a node needs GOVCRAWL_MONGO or GOVCRAWL_MONGO_FILE")


def test_unreachable_database_is_one_line_without_its_password() -> None:
    uri = f"mongodb://user:hidden@127.0.0.1:{free_port()}/?directConnection=true"
    line = refusal(CREDENTIAL | {"GOVCRAWL_MONGO": uri})
    assert line.endswith("cannot be reached: connection refused")
    assert "hidden" not in line


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[int]:
    """Return the port of a database that wants a password."""
    port = free_port()
    (tmp_path / "none.toml").touch()
    told = [*("--config", str(tmp_path / "none.toml")), *("--host", "127.0.0.1"), *("--port", str(port))]
    told += ["--storage-path", str(tmp_path / "data"), "--auth", "--log-level", "ERROR"]
    code = f"import sys; from secantus.cli import main; sys.exit(main({told!r}))"
    process = subprocess.Popen([sys.executable, "-P", "-c", code], cwd=tmp_path)
    assert until(lambda: listens(port))
    yield port
    process.kill()
    process.wait()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_wrong_database_password_is_one_line_without_it(strict: int) -> None:
    uri = f"mongodb://office:hidden@127.0.0.1:{strict}/?directConnection=true&authSource=admin"
    line = refusal(CREDENTIAL | {"GOVCRAWL_MONGO": uri})
    assert line == f"MongoDB at 127.0.0.1:{strict}: user name or password not accepted"


@pytest.mark.parametrize("address", ["0.0.0.0", "192.0.2.1", "node.example"])
def test_node_beyond_loopback_needs_tls(address: str) -> None:
    line = refusal(CREDENTIAL | {"SCRAPYD_BIND_ADDRESS": address})
    assert line.startswith(f"bind_address {address} is not loopback")


def test_loopback_and_sockets_need_no_tls(tmp_path: Path) -> None:
    for address, unix in (("127.0.0.1", ""), ("::1", ""), ("localhost", ""), ("", "/run/node.sock")):
        node_config.check_binding(address, unix, "", "")
    with pytest.raises(NotConfigured, match="go together"):
        node_config.check_binding("0.0.0.0", "", "cert.pem", "")
    with pytest.raises(NotConfigured, match="no such file"):
        node_config.check_binding("0.0.0.0", "", str(tmp_path / "c"), str(tmp_path / "k"))


def test_deploy_credential_is_another_one() -> None:
    same = CREDENTIAL | {"GOVCRAWL_DEPLOY_USERNAME": "office", "GOVCRAWL_DEPLOY_PASSWORD": "x"}
    assert "must differ" in refusal(same)


@pytest.mark.parametrize("version", ["1.5.0", "1.7", "2.0.1"])
def test_unsupported_scrapyd_is_named(version: str) -> None:
    with pytest.raises(
        GovcrawlError, match=rf"^scrapyd {version} is not supported: install scrapyd==1\.6\.\*$"
    ):
        node_config.check_scrapyd(version)


def test_supported_scrapyd_is_taken() -> None:
    node_config.check_scrapyd("1.6.0")


def test_shadowing_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "spiders").mkdir()
    with pytest.raises(GovcrawlError, match=f"^{tmp_path}/spiders hides the deployed project's spiders"):
        node_config.check_shadows([str(tmp_path)])


def test_scrapyd_itself_ends_with_one_line_and_exit_code_2(tmp_path: Path) -> None:
    one = Node(tmp_path / "bare", "mongodb://127.0.0.1:1/")
    one.prepare()
    (one.folder / "password").unlink()
    process = one.begin()
    assert process.wait(60) == 2
    lines = [line for line in one.log().splitlines() if "scrapyd/txapp.py" not in line]
    assert lines == [
        "govcrawl node: GOVCRAWL_NODE_PASSWORD_FILE: password cannot be read: No such file or directory"
    ]


def test_egg_whose_package_comes_from_elsewhere_is_refused(tmp_path: Path) -> None:
    """A module hook that answers for `spiders` before the module path does."""
    one = Node(tmp_path / "hooked", "mongodb://127.0.0.1:1/")
    one.prepare()
    egg = tmp_path / "hooked" / "eggs" / "govcrawl" / "1.egg"
    egg.parent.mkdir(parents=True)
    egg.write_bytes(build_egg(project_root()))
    other = tmp_path / "other" / "spiders"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("", "utf-8")
    code = (
        "import sys, importlib.machinery as m\n"
        "class Hook:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'spiders':\n"
        f"            return m.PathFinder.find_spec(name, [{str(other.parent)!r}])\n"
        "sys.meta_path.insert(0, Hook())\n"
        "from govcrawl.cluster import runner\n"
        "runner.main(['list'])\n"
    )
    ended = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=one.folder,
        env=one.variables() | {"SCRAPY_PROJECT": "govcrawl"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr == (
        f"govcrawl: govcrawl 1: spiders comes from {other}/__init__.py, which hides the deployed package\n"
    )


def test_egg_is_the_same_for_the_same_files() -> None:
    root = project_root()
    assert build_egg(root) == build_egg(root)


def test_commands_name_the_missing_database(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GOVCRAWL_")}
    command = [sys.executable, "-m", "govcrawl.cli", "cluster", "status", "--quarter", QUARTER]
    ended = subprocess.run(command, cwd=tmp_path, env=kept, capture_output=True, text=True, check=False)
    line = "govcrawl: a cluster needs a MongoDB: set GOVCRAWL_MONGO or GOVCRAWL_MONGO_FILE\n"
    assert (ended.returncode, ended.stderr) == (2, line)


def test_status_is_json_for_programs(node: Node, folder: Path, mongo: str) -> None:
    office = Office(folder, mongo)
    found = office.run("cluster", "status", "--quarter", QUARTER, "--format", "json")
    assert found.code == 0, found.err
    assert {"run", "planned", "done", "nodes"} <= set(json.loads(found.out))
