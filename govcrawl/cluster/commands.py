"""`govcrawl cluster`: thin commands over functions."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.live import Live

from govcrawl.checking import bound
from govcrawl.cluster.client import Client
from govcrawl.inputs import read_inputs
from govcrawl.items import GovcrawlError, NotConfigured, Site
from govcrawl.options import Options
from govcrawl.quarter import Quarter
from govcrawl.secrets import secret
from govcrawl.sites import load_sites
from govcrawl.standard import Edition, load_edition
from govcrawl.store import integrity, queue, reads
from govcrawl.store.client import Sync, connected
from govcrawl.store.ledger import finish_run
from govcrawl.store.patience import patient
from govcrawl.store.server import resolve

_FILE = click.Path(path_type=Path)
_QUARTER = click.option("--quarter", required=True, help="Quarter, such as 2023Q3.")
_PROJECT = click.option("--project", default="govcrawl", show_default=True, help="Name of the deployment.")
_EVERY = 0.5  # seconds between looks
_SHARE = 20  # times as long as a look takes, the next one waits


@click.group()
def cluster() -> None:
    """Deploy to scrapyd nodes, dispatch a quarter to them, watch and steer them.

    The database is named by GOVCRAWL_MONGO or a file that GOVCRAWL_MONGO_FILE names. For deployments,
    GOVCRAWL_NODE_USERNAME with GOVCRAWL_NODE_PASSWORD(_FILE), and GOVCRAWL_DEPLOY_PASSWORD(_FILE).
    """


@contextmanager
def opened() -> Iterator[Sync]:
    """Yield the cluster's database."""
    uri = secret("GOVCRAWL_MONGO")
    if not uri:
        raise NotConfigured("a cluster needs a MongoDB: set GOVCRAWL_MONGO or GOVCRAWL_MONGO_FILE")
    with resolve(uri), connected(uri) as db:
        yield db


@cluster.command()
@click.option("--node", "urls", multiple=True, metavar="URL", help="Node; default: all that are alive.")
@click.option("--version", default="", help="Version; default: the time, so that the newest is the last.")
@click.option("--ca", type=_FILE, default=None, help="Certificate authority of the nodes (PEM).")
@_PROJECT
def deploy(urls: tuple[str, ...], version: str, ca: Path | None, project: str) -> None:
    """Package this project and deploy it to all nodes, after asking each whether it can run it."""
    from govcrawl.cluster.deploy import deploy as work  # noqa: PLC0415  (needs scrapyd: the extra `cluster`)

    if not urls:
        with opened() as db:
            urls = tuple(node["url"] for node in queue.nodes(db) if not node["silent"])
    word, deploying = secret("GOVCRAWL_NODE_PASSWORD"), secret("GOVCRAWL_DEPLOY_PASSWORD")
    for name, value in (("GOVCRAWL_NODE_PASSWORD", word), ("GOVCRAWL_DEPLOY_PASSWORD", deploying)):
        if not value:
            raise NotConfigured(f"{name} or {name}_FILE is not set")
    user = os.environ.get("GOVCRAWL_NODE_USERNAME") or "govcrawl"
    deployer = os.environ.get("GOVCRAWL_DEPLOY_USERNAME") or "deploy"
    trusted = str(ca or "")
    work(
        [Client(url, user, word, trusted) for url in urls],
        [Client(url, deployer, deploying, trusted) for url in urls],
        project,
        version or f"{datetime.now(UTC):%Y%m%d%H%M%S}",
        click.echo,
    )


@cluster.command()
@click.argument("site_ids", nargs=-1, metavar="[SITE_ID]...")
@_QUARTER
@_PROJECT
@click.option(
    "--at", default="", help="Monitoring point, YYYY-MM-DD [HH:MM]; default: the quarter's last day."
)
@click.option("--registry", type=_FILE, default=None, help="Roster, the same file as on the nodes.")
@click.option("--priority", type=float, default=0.0, show_default=True, help="Higher goes first.")
@click.option(
    "--per-address",
    type=click.IntRange(1, 1000),
    default=4,
    show_default=True,
    help="Sites of one destination address under way at a time.",
)
@click.option("--delay", type=click.FloatRange(0, 60), default=0.25, show_default=True)
@click.option("--budget", type=click.IntRange(1, 100_000), default=300, show_default=True)
@click.option("--browser/--no-browser", default=True, help="Render pages that scripts fill.")
@click.option("--wait", is_flag=True, help="Watch until all is done, then seal and score.")
def dispatch(site_ids: tuple[str, ...], **given: Any) -> None:
    """Queue a quarter's inspection: all sites of the roster, or the named ones. Twice changes nothing."""
    from govcrawl.cluster.dispatch import Order  # noqa: PLC0415
    from govcrawl.cluster.dispatch import dispatch as work  # noqa: PLC0415

    quarter = Quarter.parse(given["quarter"])
    options = Options.from_environment()
    registry = given["registry"] or (Path(options.registry) if options.registry else None)
    roster = load_sites(registry)
    order = Order(
        quarter,
        quarter.monitoring_point(given["at"] or None),
        load_edition(Path(options.edition) if options.edition else None).id,
        roster,
        _chosen(roster, site_ids),
        given["project"],
        given["priority"],
        given["per_address"],
        options.budgets()
        | {"page_budget": given["budget"], "delay": given["delay"], "browser": given["browser"]},
        read_inputs(options),
    )
    if given["wait"]:
        _edition()  # before the crawls begin
    with opened() as db:
        run, new = work(db, order, resolve=not options.proxy)
        click.echo(f"run {run}: {len(order.sites)} sites, {new} new in the queue")
        if given["wait"]:
            _wait(db, str(quarter))


def _chosen(roster: tuple[Site, ...], site_ids: tuple[str, ...]) -> tuple[Site, ...]:
    known = {site.site_id: site for site in roster}
    unknown = [site_id for site_id in site_ids if site_id not in known]
    if unknown:
        raise GovcrawlError(f"not in the roster: {', '.join(unknown)}; see: govcrawl sites list")
    return tuple(known[site_id] for site_id in dict.fromkeys(site_ids)) or roster


@cluster.command()
@_QUARTER
@click.option("--watch", is_flag=True, help="Keep looking until all is done (Ctrl-C ends it).")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
def status(*, quarter: str, watch: bool, form: str) -> None:
    """Show nodes, what runs, waits, is done or failed and why, the rate and the time left."""
    from govcrawl.cluster.status import look, view  # noqa: PLC0415

    name = str(Quarter.parse(quarter))
    with opened() as db:
        if watch:
            _watch(db, name)
        elif form == "json":
            click.echo(json.dumps(look(db, name).record(), ensure_ascii=False, default=str))
        else:
            _console().print(view(look(db, name)))


@cluster.command()
@_QUARTER
def wait(quarter: str) -> None:
    """Watch a run until all is done, then seal and score it; exit code 1 when sites failed."""
    with opened() as db:
        _wait(db, str(Quarter.parse(quarter)))


@cluster.command()
@click.argument("node")
@click.option("--off", is_flag=True, help="Let the node take jobs again.")
@click.option("--forget", is_flag=True, help="Remove a node that will not come back from the list.")
def drain(*, node: str, off: bool, forget: bool) -> None:
    """Let a node finish what it runs and take no further job."""
    with opened() as db:
        queue.drain(db, node, on=not off)
        if forget:
            queue.forget(db, node)
    click.echo(f"{node}: {'forgotten' if forget else 'takes jobs again' if off else 'takes no further job'}")


@cluster.command()
@click.argument("site_ids", nargs=-1, metavar="[SITE_ID]...")
@_QUARTER
def retry(site_ids: tuple[str, ...], quarter: str) -> None:
    """Queue failed sites again, all of them by default."""
    with opened() as db:
        run = queue.cluster_run(db, str(Quarter.parse(quarter)))["_id"]
        click.echo(f"run {run}: {queue.retry(db, run, site_ids)} sites queued again")


@cluster.command()
@_QUARTER
@click.option("--waiting", is_flag=True, help="Let crawls under way end by themselves.")
def stop(*, quarter: str, waiting: bool) -> None:
    """Hold a run: nothing more is taken, crawls under way stop and return to the queue."""
    with opened() as db:
        run = queue.cluster_run(db, str(Quarter.parse(quarter)))["_id"]
        queue.pause(db, run)
        told = 0 if waiting else queue.stop_running(db, run)
    click.echo(f"run {run}: held, {told} crawls told to stop; go on with: govcrawl cluster resume")


@cluster.command()
@_QUARTER
def resume(quarter: str) -> None:
    """Let a held run go on."""
    with opened() as db:
        run = queue.cluster_run(db, str(Quarter.parse(quarter)))["_id"]
        queue.pause(db, run, on=False)
    click.echo(f"run {run}: goes on")


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else 200)


def _watch(db: Sync, quarter: str) -> None:
    from govcrawl.cluster.status import look, view  # noqa: PLC0415

    # A restart of the database is no reason to look away.
    looks = _looks(patient.sync(partial(look, db, quarter)), patient.sync(partial(queue.under_work, db)))
    if not sys.stdout.isatty():
        _plain(looks)
        return
    with Live(console=_console(), auto_refresh=False) as live:
        for found in looks:
            live.update(view(found), refresh=True)


def _looks(look: Callable[[], Any], under_work: Callable[[str], bool]) -> Iterator[Any]:
    """Yield one look after another until all is done; looking must not slow the storing."""
    while True:
        began = time.monotonic()
        found = look()
        ended = time.monotonic()
        yield found
        if found.over:
            return
        time.sleep(_EVERY)
        while time.monotonic() < ended + _SHARE * (ended - began) and under_work(found.run):
            time.sleep(_EVERY)


def _plain(looks: Iterator[Any]) -> None:
    """Print a line whenever the figures have changed."""
    last = ""
    for found in looks:
        line = f"run {found.run}: {found.planned} waiting, {found.leased} running, "
        line += f"{found.done} done, {found.failed} failed"
        if line != last:
            click.echo(line)
        last = line


def _edition() -> Edition:
    """Return the edition, its rules loaded: what waits for a run needs them as soon as it ends."""
    name = Options.from_environment().edition
    edition = load_edition(Path(name) if name else None)
    bound(edition)
    return edition


def _wait(db: Sync, quarter: str) -> None:
    from govcrawl.results import score_quarter  # noqa: PLC0415

    edition = _edition()
    _watch(db, quarter)
    run = queue.cluster_run(db, quarter)["_id"]
    state = finish_run(db, run)
    integrity.seal_missing(db)
    failed = reads.failed_sites(db, run)
    if len(failed) < len(reads.sites_of_run(db, run)):
        score_quarter(db, quarter, edition)
    click.echo(f"run {run} {state}: {len(failed)} sites failed")
    for site_id, reason in failed[:50]:
        click.echo(f"  {site_id}: {reason}", err=True)
    if failed or state != "complete":
        raise click.exceptions.Exit(1)
