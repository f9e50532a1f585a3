"""scrapyd's spider queue over the ledger."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from scrapyd.config import Config
from scrapyd.interfaces import ISpiderQueue
from zope.interface import implementer

from govcrawl.cluster.config import node_of
from govcrawl.inputs import read_inputs
from govcrawl.items import GovcrawlError
from govcrawl.options import Options
from govcrawl.quarter import Quarter
from govcrawl.services import roster_sha
from govcrawl.sites import load_sites
from govcrawl.standard import load_edition
from govcrawl.store.client import Document
from govcrawl.store.ledger import open_run
from govcrawl.store.queue import enqueue, retry
from govcrawl.store.schema import ensure_schema

Message = dict[str, Any]
_NOT_ARGUMENTS = ("_job", "_version", "settings", "quarter", "at", "run", "owner")


def message_of(row: Document) -> Message:
    """Return a ledger row as scrapyd's message."""
    job = row.get("job", {})
    message: Message = {
        "name": row["site_id"],
        "_job": job.get("id") or f"{row['run']}-{row['site_id']}",
        "run": row["run"],
        "settings": dict(job.get("settings", {})),
        **job.get("arguments", {}),
    }
    if job.get("version"):
        message["_version"] = job["version"]
    return message


@implementer(ISpiderQueue)
class SpiderQueue:
    """The waiting jobs of one project: what `schedule.json` adds and `listjobs.json` lists."""

    def __init__(self, config: Config, project: str) -> None:
        node = node_of(config)
        self.project = project
        self.queue = node.queue.of(project)

    def add(self, name: str, priority: float = 0.0, **spider_args: Any) -> None:
        """Queue one site: a run of its own for `quarter` (and `at`); raises when it waits already."""
        options = Options.from_environment()
        quarter = Quarter.parse(spider_args.get("quarter") or options.quarter)
        at = quarter.monitoring_point(spider_args.get("at") or options.at or None)
        roster = load_sites(Path(options.registry) if options.registry else None)
        sites = [site for site in roster if site.site_id == name]
        if not sites:
            raise GovcrawlError(f"{name} is not in this node's roster")
        db = self.queue.db
        ensure_schema(db)
        run = open_run(
            db,
            str(quarter),
            at=at,
            edition=load_edition(Path(options.edition) if options.edition else None).id,
            roster_sha=roster_sha(roster),
            site_ids=[name],
            settings=options.budgets(),
            inputs=read_inputs(options),
        )
        job = {
            "id": spider_args.get("_job") or f"{run}-{name}",
            "version": spider_args.get("_version") or "",
            "settings": dict(spider_args.get("settings") or {}),
            "arguments": {key: value for key, value in spider_args.items() if key not in _NOT_ARGUMENTS},
        }
        if enqueue(db, run, sites, project=self.project, priority=priority, jobs={name: job}):
            return
        if not retry(db, run, [name], job=job):
            raise GovcrawlError(f"{name} waits or runs already in run {run}")

    def pop(self) -> Message | None:
        """Lease the next job to a crawl of this node; nothing when none is free now."""
        row = self.queue.take()
        return message_of(row) | {"owner": row["owner"]} if row else None

    def count(self) -> int:
        """Return how many jobs wait."""
        return self.queue.count()

    def list(self) -> list[Message]:
        """Return the waiting jobs, the next ones first."""
        return [message_of(row) for row in self.queue.pending()]

    def cancel(self, job: str) -> bool:
        """Cancel one waiting job by its id."""
        return self.queue.cancel(job, states=("planned",)) is not None

    def remove(self, func: Callable[[Message], bool]) -> int:
        """Cancel the waiting jobs the function picks; returns how many."""
        return sum(self.cancel(message["_job"]) for message in self.list() if func(message))

    def clear(self) -> None:
        """Cancel all waiting jobs."""
        self.remove(lambda _: True)
