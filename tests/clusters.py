"""Real scrapyd nodes on loopback for tests and benches."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import psutil

from govcrawl.cluster.client import Client
from govcrawl.cluster.deploy import build_egg, project_root
from govcrawl.items import GovcrawlError

USER, WORD, DEPLOY_WORD = "office", "loopback-only-1", "loopback-only-2"
LIMIT = 120.0
CONF = """[scrapyd]
application = govcrawl.cluster.node.application
bind_address = 127.0.0.1
http_port = {port}
max_proc = {slots}
poll_interval = {poll}
logs_dir = logs
eggs_dir = eggs
dbs_dir = dbs

[services]
schedule.json     = scrapyd.webservice.Schedule
status.json       = scrapyd.webservice.Status
addversion.json   = scrapyd.webservice.AddVersion
listprojects.json = scrapyd.webservice.ListProjects
listversions.json = scrapyd.webservice.ListVersions
listspiders.json  = scrapyd.webservice.ListSpiders
delproject.json   = scrapyd.webservice.DeleteProject
delversion.json   = scrapyd.webservice.DeleteVersion
listjobs.json     = scrapyd.webservice.ListJobs

[govcrawl]
node = {name}
lease_seconds = {lease}
username = office
password_file = password
{more}
"""


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(done: object, seconds: float = LIMIT) -> bool:
    """Look every fifth of a second until a function is true; False when the time is over."""
    assert callable(done)
    tick = Event()
    for _ in range(int(seconds * 5)):
        if done():
            return True
        tick.wait(0.2)
    return bool(done())


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@dataclass
class Node:
    """One scrapyd node in a folder of its own."""

    folder: Path
    mongo: str
    slots: int = 2
    lease: float = 20.0
    environment: Mapping[str, str] = field(default_factory=dict)
    more: str = "deploy_password_file = deploy"
    port: int = 0
    poll: float = 0.5
    ca: str = ""
    socket: str = ""
    process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        """Its name in the cluster."""
        return self.folder.name

    @property
    def url(self) -> str:
        """Where it listens."""
        if self.socket:
            return f"http+unix://{self.socket}"
        return f"{'https' if self.ca else 'http'}://127.0.0.1:{self.port}"

    @property
    def client(self) -> Client:
        """Its API for everyday use."""
        return Client(self.url, USER, WORD, self.ca)

    @property
    def deployer(self) -> Client:
        """Its API for deployments."""
        return Client(self.url, "deploy", DEPLOY_WORD)

    def prepare(self) -> None:
        """Write its folder: configuration, secrets, and a module path that holds govcrawl alone."""
        self.port = self.port or free_port()
        path = self.folder / "path"
        path.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            (path / "govcrawl").symlink_to(project_root() / "govcrawl")
        (self.folder / "password").write_text(WORD, "utf-8")
        (self.folder / "deploy").write_text(DEPLOY_WORD, "utf-8")
        (self.folder / "mongo").write_text(self.mongo, "utf-8")
        conf = CONF.format(
            port=self.port, slots=self.slots, name=self.name, lease=self.lease, more=self.more, poll=self.poll
        )
        (self.folder / "scrapyd.conf").write_text(conf, "utf-8")

    def variables(self) -> dict[str, str]:
        """Return the node's environment: nothing of the caller's settings leaks in."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GOVCRAWL_")}
        mine = {"PYTHONPATH": str(self.folder / "path"), "GOVCRAWL_MONGO_FILE": str(self.folder / "mongo")}
        return kept | mine | dict(self.environment)

    def begin(self) -> subprocess.Popen[bytes]:
        """Start the process and return at once."""
        with (self.folder / "node.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "scrapyd", "--pidfile="],
                cwd=self.folder,
                env=self.variables(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self.process

    def start(self) -> Node:
        """Start the process and return once it polls well."""
        self.prepare()
        self.begin()
        assert until(lambda: self.process.poll() is not None or self.healthy()), self.log()
        assert self.process.poll() is None, self.log()
        return self

    def healthy(self) -> bool:
        """Tell whether the node answers and its poller gets on."""
        try:
            return bool(self.client.get("daemonstatus")["healthy"])
        except GovcrawlError:
            return False

    def log(self) -> str:
        """Return the end of what it wrote."""
        return (self.folder / "node.log").read_text("utf-8", "replace")[-3000:]

    def deploy(self, egg: bytes, version: str = "1") -> int:
        """Give it the project; returns how many spiders it lists."""
        answer = self.deployer.post("addversion", files={"egg": egg}, project="govcrawl", version=version)
        return int(answer["spiders"])

    def crawls(self) -> list[psutil.Process]:
        """Return its living crawl processes, oldest first."""
        found = []
        with suppress(psutil.NoSuchProcess):
            for loader in psutil.Process(self.process.pid).children():
                with suppress(psutil.NoSuchProcess):
                    found += [one for one in loader.children() if _lives(one)]
        return sorted(found, key=lambda one: one.create_time())

    def process_tree(self) -> list[psutil.Process]:
        """Return the node's process and all below it that live."""
        top = psutil.Process(self.process.pid)
        return [top, *(one for one in top.children(recursive=True) if _lives(one))]

    def kill(self) -> None:
        """Kill the node itself; the kernel tells its crawls."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """Stop the node as an operator would."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def cluster(
    folder: Path,
    mongo: str,
    count: int,
    *,
    roster: Path,
    proxy: str,
    options: Mapping[str, object],
    **more: object,
) -> list[Node]:
    """Return so many running nodes with the project deployed."""
    environment = {
        "GOVCRAWL_REGISTRY": str(roster),
        "GOVCRAWL_PROXY": proxy,
        "GOVCRAWL_OPTIONS": json.dumps(dict(options)),
    }
    nodes = [
        Node(folder / f"node{number}", mongo, environment=environment, **more)  # type: ignore[arg-type]
        for number in range(1, count + 1)
    ]
    egg = build_egg(project_root())
    for node in nodes:
        node.start().deploy(egg)
    return nodes


def stop_all(nodes: Sequence[Node]) -> None:
    """Stop all nodes."""
    for node in nodes:
        node.stop()
