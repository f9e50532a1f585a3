"""Tries links again hours after an inspection; what comes out changes findings and scores once."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from govcrawl.items import LinkCheck, LinkState, Site
from govcrawl.links.later import joined, last_try, open_to_doubt
from govcrawl.options import Options
from govcrawl.recheck import Rechecked, follow, options_of, sources
from govcrawl.results import score_quarter
from govcrawl.services import Clock, Services
from govcrawl.sites import write_sites
from govcrawl.standard import load_edition
from govcrawl.store.client import Sync
from govcrawl.store.rechecks import drop, keep_links, links_of, open_recheck

AFTER = timedelta(hours=2)  # outages shorter than this count for nobody


@dataclass(slots=True)
class Relinked:
    """What a later pass over links came to."""

    rechecked: Rechecked
    tried: int = 0
    young: int = 0  # targets whose last try is not long enough ago
    states: Counter[LinkState] = field(default_factory=Counter)


@dataclass(slots=True)
class _Pass:
    """A later pass over the links of one run: its sites, its verdicts in doubt, the run it opened."""

    source: str
    sites: list[Site]
    due: dict[str, LinkCheck] = field(default_factory=dict)
    opened: tuple[str, str] = ("", "")


def relink(
    db: Sync,
    uri: str,
    quarter: str,
    options: Options,
    *,
    edition: Path | None = None,
    after: timedelta = AFTER,
    now: Clock = lambda: datetime.now(UTC),
) -> Relinked:
    """Try the quarter's dead and doubtful links again that were last tried long enough ago; then score.

    The tries become part of the evidence. Repeating it at once finds nothing to try and changes nothing.
    Raises GovcrawlError where nothing was inspected.
    """
    standard = load_edition(edition)
    found = Relinked(Rechecked(standard.id))
    passes = [_Pass(source, sites) for source, sites in sources(db, quarter, None).items()]
    for one in passes:
        one.due = _due(db, one.source, now() - after, found)
    passes = [one for one in passes if one.due]
    if not passes:
        return found
    try:
        for one in passes:
            names = [site.site_id for site in one.sites]
            one.opened = open_recheck(
                db,
                one.source,
                names,
                standard.id if edition else "",
                file=edition.read_bytes() if edition else None,
                relink=True,
            )
        _try_again(db, _options(db, uri, options, passes[0]), passes, found, now)
        for one in passes:
            follow(
                db,
                uri,
                one.source,
                one.sites,
                one.opened,
                edition=edition,
                workers=options.workers,
                found=found.rechecked,
            )
            one.opened = ("", "")
    except BaseException:
        for one in passes:
            if one.opened[0]:
                drop(db, one.opened[0])
        raise
    score_quarter(db, quarter, standard)
    return found


def _due(db: Sync, source: str, before: datetime, found: Relinked) -> dict[str, LinkCheck]:
    """Return the verdicts of a run that deserve another try and had their last one before a time."""
    due = {}
    for check in links_of(db, source):
        if not open_to_doubt(check):
            continue
        tried = last_try(check)
        if tried is not None and tried > before:
            found.young += 1
        else:
            due[check.target] = check
    return due


def _try_again(db: Sync, options: Options, passes: Sequence[_Pass], found: Relinked, now: Clock) -> None:
    """Ask each target once, however many runs wait for it, and store what both passes come to."""
    sites = {site.site_id: site for one in passes for site in one.sites}
    targets = sorted({target for one in passes for target in one.due})
    answers = asyncio.run(_ask(options, list(sites.values()), targets, now))
    states: dict[str, LinkState] = {}
    for one in passes:
        both = [joined(check, answers[target]) for target, check in one.due.items()]
        keep_links(db, one.opened[0], both)
        states |= {check.target: check.state for check in both}
    found.tried = len(states)
    found.states.update(states.values())


async def _ask(
    options: Options, sites: Sequence[Site], targets: Sequence[str], now: Clock
) -> dict[str, LinkCheck]:
    with tempfile.TemporaryDirectory(prefix="govcrawl-relink-") as folder:
        roster = Path(folder) / "roster.csv"
        write_sites(roster, sites)
        services = await Services.open(options.with_(registry=str(roster)), now)
        try:
            return {check.target: check async for check in services.checker.check_many(targets)}
        finally:
            await services.close()


def _options(db: Sync, uri: str, given: Options, one: _Pass) -> Options:
    """Return the options of the run with what the command says of the network."""
    run, pages = one.opened
    return options_of(db, pages, run).with_(
        mongo=uri,
        source="",
        browser=given.browser,
        proxy=given.proxy,
        contact=given.contact,
        delay=given.delay,
        window=given.window,
        per_day=given.per_day,
        allow=given.allow,
    )
