"""What `govcrawl probe` does and prints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from time import monotonic

import click

from govcrawl.items import GovcrawlError, ProbeState, Site
from govcrawl.options import Options
from govcrawl.probing import running
from govcrawl.probing.schedule import Week
from govcrawl.probing.working import Told
from govcrawl.quarter import Quarter
from govcrawl.standard import load_edition
from govcrawl.store import probes
from govcrawl.store.client import Sync, connected
from govcrawl.store.schema import ensure_schema

_WORDS = {
    ProbeState.CONNECTED: "connected",
    ProbeState.SUSPECTED: "suspected down",
    ProbeState.DOWN: "confirmed down",
    ProbeState.OWN_NETWORK: "own network down",
    ProbeState.MISSED: "missed",
}


def probe(
    quarter: Quarter,
    sites: Sequence[Site],
    uri: str,
    *,
    week: bool,
    start: str,
    days: int,
    rounds: int,
    proxy: str,
    second_proxy: str,
    canary: Sequence[str],
    contact: str,
    status: bool,
) -> int:
    """Make one round or a week of them, or print what was made; returns the exit code."""
    with connected(uri) as db:
        ensure_schema(db)
        if status:
            return _status(db, quarter)
        plan = (
            _plan(db, quarter, sites, start=start, days=days, rounds=rounds)
            if week
            else _planned(db, quarter)
        )
    options = Options.from_environment().with_(mongo=uri, proxy=proxy, contact=contact)
    job = running.Job(
        quarter,
        sites,
        load_edition(),
        options,
        second_proxy=second_proxy,
        canaries=canary or running.CANARIES,
        told=_tell,
        warn=lambda text: click.echo(f"govcrawl: {text}", err=True),
    )
    if week and plan is not None:
        click.echo(
            f"{quarter}: {len(sites)} sites, {plan.rounds} rounds a day, {plan.start} and {plan.days} days"
        )
        if running.whole_week(job, plan):
            click.echo(f"{quarter}: the week is over; decide V2 with: govcrawl score --quarter {quarter}")
            return 0
        click.echo("govcrawl: stopped; the same command goes on", err=True)
        return 1
    return _once(job, plan)


def _once(job: running.Job, plan: Week | None) -> int:
    started = monotonic()
    round_, counts = running.one_round(job, plan)
    if counts is None:
        click.echo(f"round {round_.name}: done already, or another command makes it now")
        return 0
    seconds = monotonic() - started
    click.echo(
        f"round {round_.name}: {len(job.sites)} sites in {seconds:.1f} s "
        f"({len(job.sites) / max(seconds, 0.001):.0f} sites/s): {_shown(counts)}"
    )
    return 1 if any(word.startswith(ProbeState.OWN_NETWORK) for word in counts) else 0


def _plan(db: Sync, quarter: Quarter, sites: Iterable[Site], *, start: str, days: int, rounds: int) -> Week:
    held = probes.planned(db, str(quarter))
    try:
        tomorrow = running.now().date() + timedelta(days=1)
        first = date.fromisoformat(start or (held["start"] if held else tomorrow.isoformat()))
    except ValueError:
        raise GovcrawlError(f"--start {start}: write a day such as 2023-09-11") from None
    week = Week(quarter, first, days, rounds)
    doc = probes.plan(
        db,
        str(quarter),
        start=week.start.isoformat(),
        days=week.days,
        rounds=week.rounds,
        site_ids=[site.site_id for site in sites],
    )
    return _week(quarter, doc)


def _planned(db: Sync, quarter: Quarter) -> Week | None:
    doc = probes.planned(db, str(quarter))
    return _week(quarter, doc) if doc else None


def _week(quarter: Quarter, doc: Mapping[str, object]) -> Week:
    return Week(
        quarter, date.fromisoformat(str(doc["start"])), int(str(doc["days"])), int(str(doc["rounds"]))
    )


def _tell(told: Told) -> None:
    click.echo(f"round {told.round.name}: {_shown(told.counts)}")


def _shown(counts: Mapping[str, int]) -> str:
    parts = []
    for word, count in sorted(counts.items()):
        state, _, reason = word.partition(":")
        parts.append(f"{count} {_WORDS[ProbeState(state)]}" + (f" ({reason})" if reason else ""))
    return ", ".join(parts) or "no site"


def _status(db: Sync, quarter: Quarter) -> int:
    found = probes.rounds_of(db, str(quarter))
    for doc in found:
        shown = (
            _shown(doc["counts"]) if doc["state"] == "done" else f"open, held by {doc['owner'] or 'nobody'}"
        )
        click.echo(f"round {doc['round']}: {shown}")
    week = _planned(db, quarter)
    planned = f" of {week.days * week.rounds} planned" if week else ""
    done = sum(doc["state"] == "done" for doc in found)
    click.echo(f"{quarter}: {done} rounds done{planned}")
    return 0
