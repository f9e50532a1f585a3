"""What a node is told in its scrapyd.conf and environment, checked before it starts."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from scrapyd.config import Config

from govcrawl.items import GovcrawlError, NotConfigured
from govcrawl.options import Options
from govcrawl.secrets import secret
from govcrawl.services import roster_sha
from govcrawl.sites import load_sites
from govcrawl.standard import load_edition
from govcrawl.store.client import Sync, connect, one_line, server_time
from govcrawl.store.queue import Kind, Queue

SCRAPYD = (1, 6)  # the version whose components these replace
SKEW = 60.0  # seconds a node's clock may differ from the database's: evidence carries its times
SECTION = "govcrawl"
COMPONENTS = {
    "spiderqueue": "govcrawl.cluster.spiderqueue.SpiderQueue",
    "poller": "govcrawl.cluster.poller.Poller",
    "launcher": "govcrawl.cluster.launcher.Launcher",
    "jobstorage": "scrapyd.jobstorage.SqliteJobStorage",  # remembers finished jobs over a restart
    "webroot": "govcrawl.cluster.web.Root",
    "runner": "govcrawl.cluster.runner",
}
_SECRETS = ("GOVCRAWL_NODE_PASSWORD", "GOVCRAWL_DEPLOY_PASSWORD", "SCRAPYD_PASSWORD")


@dataclass(frozen=True, slots=True)
class Credential:
    """A user of the node's API; `deploy` says whether it may add and delete versions."""

    username: str
    password: str
    deploy: bool = False


@dataclass(frozen=True)
class Node:
    """A node's settings and its way to the queue."""

    name: str
    url: str
    address: str
    port: int
    unix_socket: str
    certificate: str
    key: str
    credentials: tuple[Credential, ...]
    lease_seconds: float
    alarm: str
    db: Sync
    queue: Queue

    @property
    def deploys(self) -> bool:
        """Tell whether anybody may add or delete versions here."""
        return any(one.deploy for one in self.credentials)


@cache
def node_of(config: Config) -> Node:
    """Return the node a configuration describes; scrapyd hands its components nothing but that."""
    return read(config, os.environ, sys.path)


def read(config: Config, environment: Mapping[str, str], path: Sequence[str]) -> Node:
    """Read and check everything a node needs; raises a GovcrawlError of one line for the first fault."""
    check_scrapyd(metadata.version("scrapyd"))
    check_shadows(path)
    unix = environment.get("SCRAPYD_UNIX_SOCKET_PATH") or config.get("unix_socket_path", "") or ""
    address = (
        "" if unix else environment.get("SCRAPYD_BIND_ADDRESS") or config.get("bind_address", "127.0.0.1")
    )
    port = 0 if unix else int(environment.get("SCRAPYD_HTTP_PORT") or config.getint("http_port", 6800))
    certificate, key = _own(config, "tls_certificate"), _own(config, "tls_key")
    check_binding(address, unix, certificate, key)
    credentials = _credentials(config, environment)
    name = _own(config, "node") or f"{socket.gethostname()}-{port or 'socket'}"
    scheme = "https" if certificate else "http"
    url = _own(config, "url") or (f"http+unix://{unix}" if unix else f"{scheme}://{address}:{port}")
    mongo = secret("GOVCRAWL_MONGO", environment)
    if not mongo:
        raise NotConfigured("a node needs GOVCRAWL_MONGO or GOVCRAWL_MONGO_FILE: the queue is in MongoDB")
    seconds = float(_own(config, "lease_seconds") or Options().lease_seconds)
    db = connect(mongo)
    _check_clock(db)
    return Node(
        name,
        url,
        address,
        port,
        unix,
        certificate,
        key,
        credentials,
        seconds,
        _own(config, "alarm_command"),
        db,
        Queue(db, name, _kind(environment), seconds=seconds),
    )


def use_components(config: Config) -> None:
    """Point scrapyd at our components, except where the file names others on purpose."""
    for option, path in COMPONENTS.items():
        config.cp.set(Config.SECTION, option, path)


def check_scrapyd(version: str) -> None:
    """Refuse a scrapyd whose inner interfaces these components were not written for."""
    found = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if found != SCRAPYD:
        wanted = ".".join(map(str, SCRAPYD))
        raise GovcrawlError(f"scrapyd {version} is not supported: install scrapyd=={wanted}.*")


def check_shadows(path: Sequence[str]) -> None:
    """Refuse a folder on the module path that hides packages of the deployed project."""
    for entry in dict.fromkeys(path):
        for name in ("spiders", "pipelines"):
            found = Path(entry or ".") / name
            if found.is_dir():
                raise GovcrawlError(
                    f"{found.resolve()} hides the deployed project's {name}: nodes install dependencies only"
                )


def check_binding(address: str, unix: str, certificate: str, key: str) -> None:
    """Refuse to listen beyond this machine without TLS."""
    if bool(certificate) != bool(key):
        raise NotConfigured("tls_certificate and tls_key go together")
    for path in (certificate, key):
        if path and not Path(path).is_file():
            raise NotConfigured(f"{path}: no such file, wanted for TLS")
    if unix or certificate:
        return
    try:
        local = address == "localhost" or ipaddress.ip_address(address).is_loopback
    except ValueError:
        local = False
    if not local:
        raise NotConfigured(
            f"bind_address {address} is not loopback: name tls_certificate and tls_key, or a unix_socket_path"
        )


def _credentials(config: Config, environment: Mapping[str, str]) -> tuple[Credential, ...]:
    known = dict(environment)
    for option, variable in (
        ("username", "GOVCRAWL_NODE_USERNAME"),
        ("password_file", "GOVCRAWL_NODE_PASSWORD_FILE"),
        ("deploy_username", "GOVCRAWL_DEPLOY_USERNAME"),
        ("deploy_password_file", "GOVCRAWL_DEPLOY_PASSWORD_FILE"),
    ):
        known.setdefault(variable, _own(config, option))
    name = (
        known["GOVCRAWL_NODE_USERNAME"] or known.get("SCRAPYD_USERNAME") or config.get("username", "") or ""
    )
    word = secret("GOVCRAWL_NODE_PASSWORD", known) or secret("SCRAPYD_PASSWORD", known)
    word = word or config.get("password", "") or ""
    if not name or not word:
        raise NotConfigured(
            "a node does not start without credentials: set username and password_file in [govcrawl], "
            "or GOVCRAWL_NODE_USERNAME and GOVCRAWL_NODE_PASSWORD_FILE"
        )
    deployer = secret("GOVCRAWL_DEPLOY_PASSWORD", known)
    found = [Credential(name, word)]
    if deployer:
        user = known["GOVCRAWL_DEPLOY_USERNAME"] or "deploy"
        if (user, deployer) == (name, word) or user == name:
            raise NotConfigured("the deploy credential must differ from the node's own")
        found.append(Credential(user, deployer, deploy=True))
    for one in found:
        if ":" in one.username:
            raise NotConfigured("a username cannot hold a colon: HTTP's basic authentication ends it there")
    return tuple(found)


def forget_secrets(environment: Any = os.environ) -> None:
    """Take the API's passwords out of the environment that crawls inherit."""
    for name in _SECRETS:
        environment.pop(name, None)


def _kind(environment: Mapping[str, str]) -> Kind:
    options = Options.from_environment(environment)
    sites = load_sites(Path(options.registry) if options.registry else None)
    edition = load_edition(Path(options.edition) if options.edition else None)
    return Kind("", roster_sha(sites), edition.id)


def _check_clock(db: Sync) -> None:
    skew = clock_skew(db)
    if abs(skew) > SKEW:
        raise GovcrawlError(f"this machine's clock is {skew:+.0f} s from the database's: set it (NTP)")


def clock_skew(db: Sync) -> float:
    """Return how many seconds this machine's clock is ahead of the database's."""
    try:
        return ahead_of(server_time(db))
    except Exception as error:
        raise one_line("", error) from error


def ahead_of(moment: datetime) -> float:
    """Return how many seconds this machine's clock, used for nothing else, is ahead of the database's."""
    return (datetime.now(UTC) - moment).total_seconds()


def _own(config: Config, option: str) -> str:
    return str(config.cp.get(SECTION, option, fallback="")).strip()
