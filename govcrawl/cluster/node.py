"""A scrapyd node of the cluster: in scrapyd.conf, `application = govcrawl.cluster.node.application`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from scrapyd.config import Config
from scrapyd.eggstorage import FilesystemEggStorage
from scrapyd.environ import Environment
from scrapyd.interfaces import IEggStorage, IEnvironment, IJobStorage, IPoller, ISpiderScheduler
from scrapyd.scheduler import SpiderScheduler
from scrapyd.utils import initialize_component
from twisted.application import strports
from twisted.application.internet import TCPServer, TimerService, UNIXServer
from twisted.application.service import Application
from twisted.internet.endpoints import quoteStringArgument
from twisted.logger import Logger
from twisted.web import server

from govcrawl.cluster.config import Node, forget_secrets, node_of, use_components
from govcrawl.cluster.web import guarded
from govcrawl.items import GovcrawlError
from govcrawl.store.schema import ensure_schema

log = Logger()
_SOCKET_MODE = 0o660


def application(config: Config) -> Any:
    """Build the node, or end with one clear line and exit code 2."""
    try:
        node = node_of(config)
        ensure_schema(node.db)
    except GovcrawlError as error:
        sys.stderr.write(f"govcrawl node: {error}\n")
        raise SystemExit(2) from None
    forget_secrets()
    use_components(config)
    app = Application("Scrapyd")
    app.setComponent(IEggStorage, FilesystemEggStorage(config))
    app.setComponent(IEnvironment, Environment(config))
    app.setComponent(ISpiderScheduler, SpiderScheduler(config))
    poller = initialize_component(config, "poller", "")
    app.setComponent(IPoller, poller)
    app.setComponent(IJobStorage, initialize_component(config, "jobstorage", ""))
    launcher = initialize_component(config, "launcher", "", app)
    launcher.setServiceParent(app)
    TimerService(poller.interval, poller.poll).setServiceParent(app)
    site = server.Site(guarded(initialize_component(config, "webroot", "", app), node.credentials))
    _listener(node, site).setServiceParent(app)
    log.info("node={node} at {url}", node=node.name, url=node.url)
    return app


def _listener(node: Node, site: Any) -> Any:
    if node.unix_socket:
        return UNIXServer(str(Path(node.unix_socket).resolve()), site, mode=_SOCKET_MODE)
    if not node.certificate:
        return TCPServer(node.port, site, interface=node.address)
    parts = {"privateKey": node.key, "certKey": node.certificate}
    quoted = [f"{name}={quoteStringArgument(value)}" for name, value in parts.items()]
    where = f"interface={quoteStringArgument(node.address)}"
    return strports.service(":".join((f"ssl:{node.port}", *quoted, where)), site)
