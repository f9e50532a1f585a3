"""Parts of the cluster that need no node: alarms, metrics, the runner's forks, deploy files."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from configparser import ConfigParser
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from rich.console import Console

from govcrawl.cluster import config as node_config
from govcrawl.cluster import crawls, forks, health, metrics, runner
from govcrawl.cluster.client import Client
from govcrawl.cluster.deploy import build_egg, project_root
from govcrawl.cluster.dispatch import addresses
from govcrawl.cluster.status import Overview, view
from govcrawl.items import GovcrawlError, NotConfigured, Site
from govcrawl.options import Options
from govcrawl.secrets import secret
from tests.clusters import free_port, until

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"


def alarmed(pages: int, failed: int = 0, lost: int = 0, before: int = 0) -> list[str]:
    stats = {health.PAGES: pages, health.FAILED: failed, health.LOST: lost, health.BEFORE: before}
    assert health.alarms(stats) == ()  # it was told to stop
    stats[health.ENDED] = 1
    return [one.name for one in health.alarms(stats)]


@pytest.mark.parametrize(
    ("figures", "names"),
    [
        ((20,), []),
        ((0,), ["no_pages"]),
        ((1, 1), ["no_pages"]),
        ((20, 9), []),
        ((20, 10), ["errors"]),
        ((4, 3), []),  # too few to say
        ((20, 0, 1), ["pages_lost"]),
        ((20, 0, 0, 40), []),
        ((19, 0, 0, 40), ["drift"]),
        ((2, 0, 0, 9), []),
    ],
)
def test_alarms_of_a_crawl(figures: tuple[int, ...], names: list[str]) -> None:
    assert alarmed(*figures) == names


def test_alarm_command_that_fails_breaks_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(health.COMMAND, "/bin/false")
    health.raise_alarm("a", health.Alarm("drift", "2 pages, 90 at the last inspection"))
    assert [record.getMessage() for record in caplog.records] == [
        "alarm=drift 2 pages, 90 at the last inspection",
        "the alarm command failed: CalledProcessError",
    ]


def test_spidermon_suite_fails_for_the_same_figures() -> None:
    pytest.importorskip("spidermon")
    from govcrawl.cluster.monitors import Pages  # noqa: PLC0415

    names = {name.removeprefix("test_") for name in vars(Pages) if name.startswith("test_")}
    assert names == {"no_pages", "errors", "pages_lost", "drift"}


def test_metrics_are_text_where_the_library_is_there() -> None:
    found = metrics.exposition()
    metrics.FAULTS.inc()
    metrics.ENDED.labels(state="done").inc()
    if found is not None:
        assert b"govcrawl_poller_faults_total" in found[0]


# --- secrets ----------------------------------------------------------------------------------


def test_secret_comes_from_the_variable_or_its_file(tmp_path: Path) -> None:
    (tmp_path / "uri").write_text("mongodb://a/\n", "utf-8")
    assert secret("X", {}) == ""
    assert secret("X", {"X": "one", "X_FILE": "unused"}) == "one"
    assert secret("X", {"X_FILE": str(tmp_path / "uri")}) == "mongodb://a/"
    with pytest.raises(NotConfigured, match=r"X_FILE: .*/gone cannot be read: No such file or directory"):
        secret("X", {"X_FILE": str(tmp_path / "gone")})


def test_options_take_the_database_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "uri").write_text("mongodb://a/\n", "utf-8")
    assert Options.from_environment({"GOVCRAWL_MONGO_FILE": str(tmp_path / "uri")}).mongo == "mongodb://a/"


def test_passwords_of_the_api_are_not_inherited_by_crawls() -> None:
    environment = {"GOVCRAWL_NODE_PASSWORD": "x", "SCRAPYD_PASSWORD": "y", "GOVCRAWL_MONGO": "z"}
    node_config.forget_secrets(environment)
    assert environment == {"GOVCRAWL_MONGO": "z"}


# --- nodes that cannot be reached, names that are looked up -------------------------------------


def test_node_that_is_not_there_is_one_line() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(GovcrawlError, match=f"^node {url} cannot be reached: Connection refused$"):
        Client(url, "a", "b").get("daemonstatus")


def test_socket_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(GovcrawlError, match="cannot be reached: No such file or directory"):
        Client(f"http+unix://{tmp_path}/s", "a", "b").get("daemonstatus")


def test_address_of_an_unknown_scheme_is_named() -> None:
    with pytest.raises(GovcrawlError, match="write http://"):
        Client("node1:6800", "a", "b").get("daemonstatus")


def test_addresses_of_sites_that_name_one_need_no_look_up() -> None:
    sites = [Site(f"s{n}", "网站", "portal", "city", "330100", "", f"http://192.0.2.{n}/") for n in range(2)]
    assert addresses(sites) == {"s0": "192.0.2.0", "s1": "192.0.2.1"}


# --- the runner -------------------------------------------------------------------------------


def test_arguments_of_a_crawl_are_read_as_scrapy_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(crawls.SETTINGS, "govcrawl.settings")
    given = [
        "site",
        "-s",
        "LOG_FILE=a.log",
        "-s",
        "LOG_LEVEL=debug",
        "-a",
        "run=2023Q3-1",
        "-a",
        "owner=n/a=b",
    ]
    name, settings, arguments = crawls.read(given)
    assert (name, settings["LOG_FILE"]) == ("site", "a.log")
    assert arguments == {"run": "2023Q3-1", "owner": "n/a=b"}
    assert crawls.unheard(settings) == logging.DEBUG - 1  # what no handler takes is not even made
    assert crawls.unheard(crawls.read(["site"])[1]) == logging.WARNING - 1


@pytest.mark.parametrize(
    ("status", "reason"), [(0, ""), (1, "exit code 1"), (-9, "killed by SIGKILL"), (-250, "exit code -250")]
)
def test_end_of_a_process_in_words(status: int, reason: str) -> None:
    assert forks.reason_of(status) == reason


FORKS = """
import json, os, signal
from govcrawl.cluster import forks
def work(channel):
    for line in channel.makefile("rb"):
        order = json.loads(line)
        os.write(1, f"{os.getpid()} {order['env']['NAME']}\\n".encode())
        what = order["args"][0]
        if what == "wait":
            signal.pause()
        elif what == "close":
            channel.shutdown(2)
            signal.pause()
        elif what != "well":
            return int(what)
        channel.sendall(forks.WELL)
    return 0
forks.Server(work, 0, 3).run()
"""


class Forks:
    """A running fork server that crawls nothing: crawls end well, with an exit code, or wait for a signal."""

    def __init__(self) -> None:
        reading, writing = os.pipe()
        code = f"import os; os.dup2({writing}, 3)\n{FORKS}"
        self.process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            pass_fds=(writing,),
        )
        os.close(writing)
        self.reports = os.fdopen(reading)

    def tell(self, **order: Any) -> None:
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        self.process.stdin.flush()

    def start(self, name: str, what: str) -> int:
        """Start a crawl and return its process's number, once it runs."""
        self.tell(id=name, args=[what], env={"NAME": name})
        pid = self.report()["pid"]
        assert self.process.stdout.readline().split() == [str(pid).encode(), name.encode()]
        return int(pid)

    def report(self) -> dict[str, Any]:
        return json.loads(self.reports.readline())

    def gone(self, pid: int) -> bool:
        stat = Path(f"/proc/{pid}/stat")
        return not stat.exists() or ") Z " in stat.read_text("utf-8")


@pytest.fixture
def server() -> Iterator[Forks]:
    found = Forks()
    yield found
    found.process.kill()
    with suppress(OSError):
        found.process.stdin.close()
    found.process.wait()
    found.process.stdout.close()
    found.reports.close()


def test_forks_report_their_start_and_end(server: Forks) -> None:
    assert server.start("a", "3") > 0
    assert server.report() == {"id": "a", "status": 3}
    pid = server.start("b", "wait")
    os.kill(pid, signal.SIGKILL)
    assert server.report() == {"id": "b", "status": -9}
    server.process.stdin.close()
    assert server.process.wait(30) == 0


def test_process_whose_crawl_ended_well_is_given_the_next_one(server: Forks) -> None:
    first = server.start("a", "well")
    assert server.report() == {"id": "a", "status": 0}
    waiting = server.start("b", "wait")
    assert waiting == first
    other = server.start("c", "well")  # one crawl at a time
    assert other != first
    assert server.report() == {"id": "c", "status": 0}
    assert server.start("d", "1") == other
    assert server.report() == {"id": "d", "status": 1}
    assert server.start("e", "well") not in (first, other)  # what failed may have left something behind
    assert server.report() == {"id": "e", "status": 0}


def test_signal_is_for_a_crawl_and_never_for_the_next_one_of_its_process(server: Forks) -> None:
    pid = server.start("a", "well")
    assert server.report() == {"id": "a", "status": 0}
    assert server.start("b", "wait") == pid
    server.tell(id="a", signal=signal.SIGKILL)
    server.start("c", "well")  # the signal before it has been read
    assert server.report() == {"id": "c", "status": 0}
    assert not server.gone(pid)
    server.tell(id="b", signal=signal.SIGTERM)
    assert server.report() == {"id": "b", "status": -15}


def test_process_that_hangs_at_its_end_costs_the_server_no_time(server: Forks) -> None:
    pid = server.start("a", "close")
    process = psutil.Process(server.process.pid)
    assert until(lambda: {process.status() for _ in range(200)} == {psutil.STATUS_SLEEPING})
    server.start("b", "well")
    assert server.report() == {"id": "b", "status": 0}
    os.kill(pid, signal.SIGKILL)
    assert server.report() == {"id": "a", "status": -9}


def test_free_process_that_was_killed_is_given_nothing(server: Forks) -> None:
    pid = server.start("a", "well")
    assert server.report() == {"id": "a", "status": 0}
    os.kill(pid, signal.SIGKILL)
    assert until(lambda: server.gone(pid))
    assert server.start("b", "well") != pid
    assert server.report() == {"id": "b", "status": 0}


def test_free_processes_end_with_the_server(server: Forks) -> None:
    pid = server.start("a", "well")
    server.report()
    server.process.stdin.close()
    assert server.process.wait(30) == 0
    assert server.gone(pid)


def test_killed_loader_takes_its_crawls_along(server: Forks) -> None:
    pid = server.start("a", "wait")
    server.process.kill()
    assert until(lambda: server.gone(pid))


def test_egg_is_unpacked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = BytesIO()
    with zipfile.ZipFile(data, "w") as egg:
        egg.writestr("EGG-INFO/top_level.txt", "a\n")
    folder = runner.unpacked(data.getvalue())
    assert (folder / "EGG-INFO" / "top_level.txt").read_text("utf-8") == "a\n"
    assert runner.unpacked(data.getvalue()) == folder
    assert [path.name for path in (tmp_path / "code").iterdir()] == [folder.name]


def test_egg_holds_the_three_packages_and_names_its_settings() -> None:
    with zipfile.ZipFile(BytesIO(build_egg(project_root()))) as egg:
        names = egg.namelist()
        assert "settings = govcrawl.settings" in egg.read("EGG-INFO/entry_points.txt").decode()
    assert {name.partition("/")[0] for name in names} == {"EGG-INFO", "govcrawl", "spiders", "pipelines"}
    assert {"govcrawl/sites/zhejiang.csv", "govcrawl/standard/2019-19.toml"} <= set(names)


# --- what operators see -----------------------------------------------------------------------


def test_status_shows_a_paused_run_its_failures_and_its_nodes(capsys: pytest.CaptureFixture[str]) -> None:
    now = datetime(2023, 9, 20, tzinfo=UTC)
    nodes = (
        {
            "_id": "node1",
            "silent": False,
            "seen_at": now,
            "beat_at": now,
            "slots": 2,
            "running": [{"site": "a"}],
        },
        {"_id": "node2", "silent": True, "seen_at": now, "beat_at": now - timedelta(minutes=5)},
        {"_id": "node3", "silent": False, "seen_at": now, "beat_at": now, "draining": True},
    )
    found = Overview(
        "2023Q3-1", "open", True, 3, 1, 5, 2, 900, 120.0, 7200.0, (("home page: dns", 2),), (), nodes
    )
    Console(width=160).print(view(found))
    shown = capsys.readouterr().out
    assert (
        "2023Q3-1（已暂停）：待检 3，在检 1，完成 5，失败 2；900 页，每小时 120 个网站，预计还需 2.0 小时"
        in shown
    )
    for part in ("正常", "失联（5 分钟前）", "停止接新任务", "home page: dns", "1/2"):
        assert part in shown
    assert not found.over


# --- deploy/ ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["scrapyd.conf", "node.conf"])
def test_configurations_name_our_application_and_services_that_exist(name: str) -> None:
    parser = ConfigParser()
    parser.read(DEPLOY / name, "utf-8")
    assert parser["scrapyd"]["application"] == "govcrawl.cluster.node.application"
    paths = [*parser["services"].values(), *node_config.COMPONENTS.values(), parser["scrapyd"]["application"]]
    # In a process of its own: scrapyd starts a reactor when it is imported.
    code = "import sys; from scrapy.utils.misc import load_object; [load_object(p) for p in sys.argv[1:]]"
    classes = [path for path in paths if path != runner.__name__]
    assert subprocess.run([sys.executable, "-c", code, *classes], check=False).returncode == 0
    local = parser["scrapyd"]["bind_address"] == "127.0.0.1"
    assert local != ("tls_certificate" in parser["govcrawl"])


def test_compose_file_wires_secrets_nodes_and_a_replica_set() -> None:
    found = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    services = found["services"]
    assert {"mongo1", "mongo2", "mongo3", "node1", "node2", "node3", "scheduler", "console"} == set(services)
    assert all(services[f"mongo{n}"]["image"] == "mongo:8" for n in (1, 2, 3))
    for name, service in services.items():
        assert set(service["secrets"]) <= set(found["secrets"]), name
        text = json.dumps(service)
        assert "PASSWORD" not in text or "_FILE" in text
    assert found["networks"]["inside"]["internal"] is True


@pytest.mark.parametrize("name", ["backup", "restore", "install-node"])
def test_scripts_are_sound_shell(name: str) -> None:
    assert os.access(DEPLOY / name, os.X_OK)
    assert subprocess.run(["sh", "-n", str(DEPLOY / name)], check=False).returncode == 0
