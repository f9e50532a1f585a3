"""The node's HTTP API: scrapyd's, with who may do what, the poller's health, and metrics."""

from __future__ import annotations

import hmac
import json
import sys
from importlib import metadata
from typing import Any

from scrapyd.config import Config
from scrapyd.webservice import Cancel as ScrapydCancel
from scrapyd.webservice import WsResource, param
from scrapyd.website import Root as ScrapydRoot
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger
from twisted.web import error, http
from twisted.web.guard import BasicCredentialFactory, HTTPAuthSessionWrapper
from twisted.web.resource import IResource, Resource
from zope.interface import implementer

from govcrawl import __version__
from govcrawl.cluster import metrics
from govcrawl.cluster.config import Credential, clock_skew, node_of
from govcrawl.items import GovcrawlError

log = Logger()
DEPLOYS = frozenset((b"addversion.json", b"delproject.json", b"delversion.json"))


class Root(ScrapydRoot):
    """scrapyd's tree with our services in it."""

    def __init__(self, config: Config, app: Any) -> None:
        super().__init__(config, app)
        self.node = node_of(config)
        self.node_name = self.node.name
        self.putChild(b"daemonstatus.json", DaemonStatus(self))
        self.putChild(b"cancel.json", Cancel(self))
        self.putChild(b"preflight.json", Preflight(self))
        self.putChild(b"metrics", Metrics(self))


class DaemonStatus(WsResource):
    """How many jobs wait, run and have ended, and whether the node gets on."""

    def render_GET(self, _: Any) -> dict[str, Any]:  # noqa: N802  (Twisted's name)
        """Return the figures; those of the queue are the last known while the database is away."""
        poller = self.root.poller
        reason = poller.unhealthy()
        if not reason:
            try:
                poller.health.pending = sum(queue.count() for queue in poller.queues.values())
            except Exception as fault:  # the database went away since the last poll
                reason = f"{type(fault).__name__}: {fault}"[:300]
        return {
            "pending": poller.health.pending,
            "running": len(self.root.launcher.processes),
            "finished": len(self.root.launcher.finished),
            "healthy": not reason,
            "reason": reason,
            "draining": poller.health.draining,
        }


class Cancel(ScrapydCancel):
    """Cancels a job by its id, wherever it runs: the node that has it ends it."""

    @param("project")
    @param("job")
    @param("signal", required=False, default="INT")
    def render_POST(self, _: Any, project: str, job: str, signal: str) -> dict[str, Any]:  # noqa: N802
        """Cancel; returns the state the job was in before."""
        if project not in self.root.poller.queues:
            raise error.Error(code=http.OK, message=b"project '%b' not found" % project.encode())
        state = self.root.poller.queues[project].queue.cancel(job)
        for crawl in list(self.root.launcher.processes.values()):
            if crawl.project == project and crawl.job == job:
                crawl.stop(int(signal) if signal.isdigit() else signal)
        return {"prevstate": {"planned": "pending", "leased": "running"}.get(state)}


class Preflight(WsResource):
    """What a deployment wants to know before it starts."""

    def render_GET(self, _: Any) -> dict[str, Any]:  # noqa: N802  (Twisted's name)
        """Return the versions of everything installed, the clock and whether the database answers."""
        node = self.root.node
        reason, skew = "", None
        try:
            skew = clock_skew(node.db)
        except GovcrawlError as fault:
            reason = str(fault)
        return {
            "govcrawl": __version__,
            "python": ".".join(map(str, sys.version_info[:3])),
            "installed": {one.name.lower(): one.version for one in metadata.distributions()},
            "skew": skew,
            "mongo": reason,
            "roster": node.queue.kind.roster_sha,
            "edition": node.queue.kind.edition,
        }


class Metrics(Resource):
    """Prometheus's text format."""

    isLeaf = True  # noqa: N815  (Twisted's name)

    def __init__(self, root: Root) -> None:
        super().__init__()
        self.root = root

    def render_GET(self, request: Any) -> bytes:  # noqa: N802  (Twisted's name)
        """Return the metrics of this process."""
        found = metrics.exposition()
        if found is None:
            request.setResponseCode(http.NOT_IMPLEMENTED)
            return b"prometheus-client is not installed: pip install 'govcrawl[cluster]'\n"
        text, kind = found
        request.setHeader("Content-Type", kind)
        return text


class Refusal(Resource):
    """Answers 403 with one line."""

    isLeaf = True  # noqa: N815  (Twisted's name)

    def __init__(self, message: str) -> None:
        super().__init__()
        self.message = message

    def render(self, request: Any) -> bytes:
        """Return scrapyd's shape of an error."""
        request.setResponseCode(http.FORBIDDEN)
        request.setHeader("Content-Type", "application/json")
        return json.dumps({"status": "error", "message": self.message}).encode() + b"\n"


class Door(Resource):
    """The tree as one user sees it: only the deployer may add and delete versions."""

    def __init__(self, root: Root, user: Credential) -> None:
        super().__init__()
        self.root = root
        self.user = user

    def getChildWithDefault(self, path: bytes, request: Any) -> Any:  # noqa: N802  (Twisted's name)
        """Return what the path names, or a refusal."""
        if path in DEPLOYS and not self.user.deploy:
            if self.root.node.deploys:
                return Refusal("deploying and deleting need the deploy credential")
            return Refusal("deploying and deleting are off on this node")
        return self.root.getChildWithDefault(path, request)


@implementer(ICredentialsChecker)
class Checker:
    """Compares name and password in constant time."""

    credentialInterfaces = (IUsernamePassword,)  # noqa: N815  (Twisted's name)

    def __init__(self, users: tuple[Credential, ...]) -> None:
        self.users = users

    def requestAvatarId(self, given: Any) -> Deferred[Any]:  # noqa: N802  (Twisted's name)
        """Return the user's place in the list."""
        for place, user in enumerate(self.users):
            named = hmac.compare_digest(given.username, user.username.encode())
            if hmac.compare_digest(given.password, user.password.encode()) and named:
                return succeed(str(place).encode())
        log.info("a user name or password was not accepted")
        return fail(UnauthorizedLogin())


@implementer(IRealm)
class Realm:
    """Gives each user the tree as it may see it."""

    def __init__(self, root: Root, users: tuple[Credential, ...]) -> None:
        self.doors = [Door(root, user) for user in users]

    def requestAvatar(self, avatar: bytes, _: Any, *interfaces: Any) -> Any:  # noqa: N802  (Twisted's name)
        """Return the user's door."""
        if IResource not in interfaces:
            raise NotImplementedError  # what Twisted's IRealm asks for: a kind of avatar not had
        return IResource, self.doors[int(avatar)], lambda: None


def guarded(root: Root, users: tuple[Credential, ...]) -> Any:
    """Return the tree behind basic authentication."""
    realm: Any = Realm(root, users)  # zope's interfaces are not types
    checker: Any = Checker(users)
    portal = Portal(realm, [checker])
    return HTTPAuthSessionWrapper(portal, [BasicCredentialFactory(b"govcrawl")])
