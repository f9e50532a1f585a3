"""The `govcrawl` command: thin commands over functions."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from urllib.parse import urlsplit

import click
import simplejson
from rich.console import Console
from rich.table import Table

from govcrawl import __version__
from govcrawl.checking import bound, run_example
from govcrawl.cluster.commands import cluster
from govcrawl.drift import READING_NAMES
from govcrawl.extract.safety import Watch
from govcrawl.inspection import Inspection
from govcrawl.items import GovcrawlError, Page, Site
from govcrawl.options import Options
from govcrawl.pace import window_of
from govcrawl.quarter import Quarter
from govcrawl.registry import Rule
from govcrawl.results import mean_range, occurrences, score_of, score_quarter
from govcrawl.scoring import CONFIRMED, DISMISSED
from govcrawl.sites import import_roster, load_sites
from govcrawl.sites.hosts import load_hosts
from govcrawl.standard import Edition, RuleSpec, load_edition
from govcrawl.store import evidence as store_evidence
from govcrawl.store import integrity, readings, reads, verdicts
from govcrawl.store import probes as store_probes
from govcrawl.store.client import Sync, connected
from govcrawl.store.server import resolve

if TYPE_CHECKING:
    from govcrawl.recheck import Rechecked
    from govcrawl.supervisor import Progress

P = ParamSpec("P")
R = TypeVar("R")
_FILE = click.Path(path_type=Path)
_PROXY = click.option("--proxy", default="", help="Forward proxy, such as http://127.0.0.1:3128.")
_CONTACT = click.option(
    "--contact", envvar="GOVCRAWL_CONTACT", default="", help="Mail address shown to the inspected servers."
)
_DELAY = click.option(
    "--delay",
    type=click.FloatRange(0, 60),
    default=0.25,
    show_default=True,
    help="Seconds between two requests to one host.",
)
_WINDOW = click.option(
    "--window", default="", metavar="HOURS", help="Hours sites may be asked in, Beijing time: 20:00-06:00."
)
_PER_DAY = click.option(
    "--per-day", type=click.IntRange(0), default=0, help="Requests of a site a day, of all runs; 0: no limit."
)
_QUARTER = click.option("--quarter", required=True, help="Quarter, such as 2023Q3.")
_MODES = {"automatic": "自动", "assisted": "辅助", "manual": "人工", "external": "外部数据"}
_PARTS = {"veto": "单项否决", "deduction": "扣分", "bonus": "加分"}
_OUTCOMES = {
    "passed": "通过",
    "failed": "有问题",
    "cantTell": "待人工确认",
    "inapplicable": "不适用",
    "untested": "未检查",
}


def main() -> None:
    """Run the command; our own errors end with one line and exit code 2."""
    try:
        code = cli(standalone_mode=False)  # click returns the code of its Exit here
        sys.exit(code if isinstance(code, int) else 0)
    except click.Abort:
        sys.stderr.write("govcrawl: stopped\n")
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except GovcrawlError as error:
        sys.stderr.write(f"govcrawl: {error}\n")
        sys.exit(2)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__)
def cli() -> None:
    """Inspect government websites against 国办秘函〔2019〕19号."""


def database(command: Callable[P, R]) -> Callable[P, R]:
    """Add the --mongo option of all commands that read or write results."""
    option = click.option(
        "--mongo", envvar="GOVCRAWL_MONGO", default="", metavar="URI",
        help="MongoDB; without it an embedded server keeps its data under .govcrawl/.",
    )  # fmt: skip
    return option(wraps(command)(command))


@contextmanager
def opened(mongo: str) -> Iterator[Sync]:
    """Yield the database of a command."""
    with resolve(mongo or None) as uri, connected(uri) as db:
        yield db


# --- inspect ------------------------------------------------------------------------------------------------


@cli.command()
@click.argument("site_ids", nargs=-1, metavar="[SITE_ID]...")
@_QUARTER
@click.option(
    "--at",
    default="",
    help="Monitoring point, YYYY-MM-DD [HH:MM], Beijing time; default: the quarter's last day.",
)
@click.option("--registry", type=_FILE, default=None, help="Roster (CSV or XLSX); default: the built-in one.")
@_PROXY
@_CONTACT
@click.option(
    "--replay", type=_FILE, default=None, help="Folder or WARC that answers instead of the network."
)
@click.option(
    "--edition", type=_FILE, default=None, help="Edition of the standard (TOML); default: the one in force."
)
@click.option(
    "--lexicon", type=_FILE, default=None, help="Wrong expressions (wrong => right); default: a sample."
)
@click.option(
    "--domains", type=_FILE, default=None, help="Domains no page should lead to; default: a sample."
)
@click.option("--hosts", type=_FILE, default=None, help="Public addresses of sites, as in /etc/hosts (D4.9).")
@click.option(
    "--workers", type=click.IntRange(1, 256), default=None, help="Worker processes; default: one per core."
)
@_DELAY
@click.option(
    "--budget", type=click.IntRange(1, 100_000), default=300, show_default=True, help="Pages per site."
)
@click.option("--browser/--no-browser", default=True, help="Render pages that scripts fill.")
@click.option(
    "--screenshots", type=click.IntRange(0, 200), default=None, help="Pictures per site; default: 6."
)
@_WINDOW
@_PER_DAY
@click.option(
    "--request-log", type=_FILE, default=None, help="Folder for the log that `govcrawl requests` audits."
)
@click.option("--recheck-open", is_flag=True, help="Only sites with faults at their last inspection.")
@click.option("--summary", type=_FILE, default=None, help="File for the final figures as JSON.")
@database
def inspect(site_ids: tuple[str, ...], **given: Any) -> None:
    """Crawl and check sites of the roster, all of them by default; then score them.

    An interrupted inspection is taken up again by the same command. Exit code 1 when sites are missing.
    """
    quarter = Quarter.parse(given["quarter"])
    quarter.monitoring_point(given["at"] or None)
    edition = load_edition(given["edition"])
    bound(edition)
    if given["summary"] and not given["summary"].absolute().parent.is_dir():
        raise GovcrawlError(f"--summary {given['summary']}: there is no such folder")
    Watch.load(str(given["lexicon"] or ""), str(given["domains"] or ""))
    roster, registry = _roster(given["registry"], given["replay"])
    sites = _chosen(roster, site_ids)
    options = Options.from_environment().with_(
        quarter=str(quarter),
        at=given["at"],
        registry=str(registry.resolve()) if registry else "",
        edition=str(given["edition"].resolve()) if given["edition"] else "",
        lexicon=str(given["lexicon"].resolve()) if given["lexicon"] else "",
        domains=str(given["domains"].resolve()) if given["domains"] else "",
        proxy=_proxy(given["proxy"]),
        contact=given["contact"],
        replay=str(given["replay"].resolve()) if given["replay"] else "",
        delay=given["delay"],
        page_budget=given["budget"],
        browser=given["browser"],
        window=_window(given["window"]),
        per_day=given["per_day"],
        request_log=str(given["request_log"].resolve()) if given["request_log"] else "",
        workers=given["workers"] or os.cpu_count() or 1,
        **({} if given["screenshots"] is None else {"screenshots": given["screenshots"]}),
        **({"hosts": str(given["hosts"].resolve())} if given["hosts"] else {}),
    )
    if options.hosts:
        load_hosts(Path(options.hosts))
    with resolve(given["mongo"] or None) as uri, connected(uri) as db:
        if given["recheck_open"]:
            sites = _still_open(db, str(quarter), edition, sites)
        progress = _run(db, options.with_(mongo=uri), sites)
        integrity.seal_missing(db)
        if progress.done:
            score_quarter(db, str(quarter), edition)
        failed = reads.failed_sites(db, progress.run)
        alarms = readings.alarms(db, str(quarter))
    _end(progress, failed, given["summary"], [one for one in alarms if one["run"] == progress.run])


def _roster(registry: Path | None, replay: Path | None) -> tuple[tuple[Site, ...], Path | None]:
    if replay is None or registry is not None:
        return load_sites(registry), registry
    from govcrawl.replay import roster_of  # noqa: PLC0415  (only a replay needs it)

    path = roster_of(replay)
    return load_sites(path), path


def _chosen(roster: tuple[Site, ...], site_ids: tuple[str, ...]) -> tuple[Site, ...]:
    known = {site.site_id: site for site in roster}
    unknown = [site_id for site_id in site_ids if site_id not in known]
    if unknown:
        raise GovcrawlError(f"not in the roster: {', '.join(unknown)}; see: govcrawl sites list")
    return tuple(known[site_id] for site_id in dict.fromkeys(site_ids)) or roster


def _proxy(text: str) -> str:
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port
    except ValueError:
        usable = False
    if text and not usable:
        raise GovcrawlError(f"--proxy {text}: write http://HOST:PORT")
    return text


def _window(text: str) -> str:
    try:
        window_of(text)
    except ValueError:
        raise GovcrawlError(f"--window {text}: write hours of the day such as 20:00-06:00") from None
    return text


def _still_open(db: Sync, quarter: str, edition: Edition, sites: tuple[Site, ...]) -> tuple[Site, ...]:
    from govcrawl.report.faults import open_sites  # noqa: PLC0415  (the report loads matplotlib)

    faulty = open_sites(db, quarter, edition)
    found = tuple(site for site in sites if site.site_id in faulty)
    if not found:
        raise GovcrawlError(f"quarter {quarter}: none of these sites has an open fault to inspect again")
    return found


def _run(db: Sync, options: Options, sites: tuple[Site, ...]) -> Progress:
    from govcrawl.progress import shown  # noqa: PLC0415  (only this command draws)
    from govcrawl.supervisor import Supervisor  # noqa: PLC0415  (Scrapy and Playwright: half a second)

    supervisor = Supervisor(db, options, sites)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stops the workers, as Ctrl-C does
    try:
        with shown(len(sites), supervisor.progress.run) as report:
            return supervisor.run(report)
    except KeyboardInterrupt:
        left = supervisor.progress.left
        click.echo(
            f"govcrawl: stopped: {left} of {len(sites)} sites are left; the same command goes on", err=True
        )
        raise click.exceptions.Exit(1) from None


def _end(
    progress: Progress,
    failed: list[tuple[str, str]],
    summary: Path | None,
    alarms: list[dict[str, Any]],
) -> None:
    record = {
        "run": progress.run,
        "planned": progress.planned,
        "done": progress.done,
        "failed": progress.failed,
        "pages": progress.pages,
        "seconds": round(progress.seconds, 1),
        "peak_mb": round(progress.peak_mb),
        "alarms": len(alarms),
    }
    if summary is not None:
        summary.write_text(json.dumps(record) + "\n", "utf-8")
    click.echo(
        f"run {progress.run} {progress.state}: {progress.planned} sites planned, "
        f"{progress.done} done, {progress.failed} failed; "
        f"{progress.pages} pages in {progress.seconds:.0f} s, peak {progress.peak_mb:.0f} MB"
    )
    if alarms:
        sites = len({one["site_id"] for one in alarms})
        click.echo(f"{len(alarms)} readings of {sites} sites matched nothing; see: govcrawl alarms", err=True)
    for site_id, reason in failed[:50]:
        click.echo(f"  {site_id}: {reason}", err=True)
    if progress.failed or progress.left:
        raise click.exceptions.Exit(1)


@cli.command()
@click.argument("folder", type=_FILE)
def requests(folder: Path) -> None:
    """Audit the log of requests in FOLDER: exit code 1 when a limit was passed.

    Every host has its gap and its requests in flight, every address its own, every site its hours and its
    requests of a day, over all processes of the run.
    """
    from govcrawl.requestlog import audit  # noqa: PLC0415  (only this command)

    found = audit(folder)
    for one in found.broken[:50]:
        click.echo(one)
    gap = "—" if found.least_gap is None else f"{found.least_gap:.3f} s"
    click.echo(
        f"{found.requests} requests of {found.processes} processes at {found.hosts} hosts: least gap {gap}, "
        f"at most {found.most_at_host} in flight at a host, {found.most_at_address} at an address, "
        f"{found.fastest_address} starts a second at an address, {found.most_a_day} of a site a day: "
        + (f"{len(found.broken)} limits passed" if found.broken else "all limits held")
    )
    if found.broken:
        raise click.exceptions.Exit(1)


# --- probes -------------------------------------------------------------------------------------------------


@cli.command()
@_QUARTER
@click.option("--week/--once", default=False, help="Work off the planned week, or one round now (default).")
@click.option("--start", default="", help="First day of the week, YYYY-MM-DD; default: tomorrow.")
@click.option(
    "--days", type=int, default=7, show_default=True, help="Days of the week; more days extend a plan."
)
@click.option("--rounds", type=int, default=24, show_default=True, help="Rounds a day.")
@click.option("--registry", type=_FILE, default=None, help="Roster (CSV or XLSX); default: the built-in one.")
@click.option("--proxy", default="", help="Forward proxy of the first path.")
@click.option("--second-proxy", default="", help="Forward proxy that confirms failures; default: IPv6.")
@click.option("--canary", multiple=True, metavar="URL", help="Page that is always up; give several.")
@click.option(
    "--contact", envvar="GOVCRAWL_CONTACT", default="", help="Mail address shown to the visited servers."
)
@click.option("--status", is_flag=True, help="Visit nothing: print what became of each round so far.")
@database
def probe(quarter: str, mongo: str, **given: Any) -> None:
    """Visit all home pages for V2: one round, or a week of rounds spread over each day.

    Any number of commands may work on one week, on one machine or several: each round is made by one of them.
    A stopped command goes on where it was. `govcrawl score` decides V2 from the visits.
    """
    from govcrawl.probing import command  # noqa: PLC0415  (only this command visits)

    name = Quarter.parse(quarter)
    sites = load_sites(given.pop("registry"))
    for option in ("proxy", "second_proxy"):
        _proxy(given[option])
    with resolve(mongo or None) as uri:
        code = command.probe(name, sites, uri, **given)
    if code:
        raise click.exceptions.Exit(code)


# --- results ------------------------------------------------------------------------------------------------

_FORMAT = click.option(
    "--format", "form", type=click.Choice(["table", "jsonl"]), default="table", show_default=True
)


@cli.command()
@_QUARTER
@click.option("--edition", type=_FILE, default=None, help="Edition of the standard (TOML).")
@click.option("--recount", is_flag=True, help="Count all findings anew: records were edited by hand.")
@database
def score(*, quarter: str, edition: Path | None, recount: bool, mongo: str) -> None:
    """Compute scores and summary of a quarter from its findings."""
    name = str(Quarter.parse(quarter))
    with opened(mongo) as db:
        summary = score_quarter(db, name, load_edition(edition), recount=recount)
        stored = reads.summary(db, name) or {}
        between = mean_range(map(score_of, reads.scores(db, name)))
    click.echo(
        f"{name}: 共检查网站 {summary.sites} 个（门户 {summary.portals} 个，部门 {summary.departments} 个）；"
        f"已评分 {summary.scored} 个，平均 {_shown(summary.mean)} 分，"
        f"最高 {_shown(summary.best)} 分，最低 {_shown(summary.worst)} 分"
    )
    waiting = f"暂定：{summary.provisional} 个网站待确认，{len(summary.missing)} 个未完成检查"
    if between:
        waiting += f"；确认后平均分在 {_shown(between[0])} 至 {_shown(between[1])} 之间"
    click.echo(f"第 {stored['version']} 版，{'正式结果，已封存' if stored['final'] else waiting}")


@cli.command()
@_QUARTER
@click.option("--site", default=None, help="Only this site.")
@click.option("--rule", default=None, help="Only this rule, such as V3.")
@click.option(
    "--all", "everything", is_flag=True, help="In the table, rules that passed or were not tested too."
)
@_FORMAT
@database
def findings(
    *, quarter: str, site: str | None, rule: str | None, everything: bool, form: str, mongo: str
) -> None:
    """Print findings: in jsonl one object for each occurrence."""
    name = str(Quarter.parse(quarter))
    edition = load_edition()
    if rule is not None and rule not in edition.rules:
        raise GovcrawlError(f"--rule {rule}: not in edition {edition.id}; see: govcrawl rules")
    with opened(mongo) as db:
        records = occurrences(reads.findings(db, name, site, rule))
        if form == "jsonl":
            _lines(records)
            return
        rows = (
            (
                one["site_id"],
                edition.rules[one["rule"]].title,
                _OUTCOMES[one["outcome"]],
                one["observed"] or one["message"],
                one["url"],
            )
            for one in records
            if everything or one["outcome"] in ("failed", "cantTell")
        )
        _table(("网站", "指标", "结果", "发现", "网址"), rows)


@cli.command()
@_QUARTER
@click.option("--site", default=None, help="Only this site.")
@_FORMAT
@database
def alarms(*, quarter: str, site: str | None, form: str, mongo: str) -> None:
    """Print the readings that matched nothing where they matched last time, by site and by platform.

    What rests on them is left to a person: such columns are neither blank nor stale.
    """
    name = str(Quarter.parse(quarter))
    with opened(mongo) as db:
        records = readings.alarms(db, name, site)
        counts = readings.platforms(db, name)
    if form == "jsonl":
        _lines(records)
        return
    rows = (
        (
            one["site_id"],
            one["platform"] or "未识别",
            READING_NAMES[one["reading"]],
            str(one["before"]),
            "、".join(one["where"][:3]) + (f" 等{len(one['where'])}个" if len(one["where"]) > 3 else ""),
            "、".join(one["rules"]),
        )
        for one in records
    )
    _table(("网站", "平台", "读取项", "上次数量", "栏目", "待人工判定的指标"), rows)
    for platform, (raised, count) in counts.items():
        if raised:
            click.echo(f"平台 {platform or '未识别'}：{count} 个网站中 {raised} 个告警")


@cli.command()
@_QUARTER
@_FORMAT
@database
def scores(quarter: str, form: str, mongo: str) -> None:
    """Print the scores of a quarter, one line or object for each site."""
    name = str(Quarter.parse(quarter))
    with opened(mongo) as db:
        records = reads.scores(db, name)
        if form == "jsonl":
            _lines(records)
            return
        ordered = sorted(
            records, key=lambda one: (one["kind"] != "portal", -(one["total"] or 0), one["site_id"])
        )
        rows = (
            (
                one["site_id"],
                "门户" if one["kind"] == "portal" else "部门",
                one["verdict"],
                "、".join(one["vetoes"]),
                _shown(one["total"]),
                _shown(one["deduction"]),
                _shown(one["bonus"]),
                _range(one),
                str(one["pending"]),
            )
            for one in ordered
        )
        _table(("网站", "类别", "结论", "单项否决", "得分", "扣分", "加分", "最终得分范围", "待确认"), rows)


def _range(record: Mapping[str, Any]) -> str:
    return "" if record["low"] is None else f"{_shown(record['low'])}–{_shown(record['high'])}"


def _shown(value: Any) -> str:
    return "" if value is None else f"{value:f}"


def _lines(records: Iterable[Mapping[str, Any]]) -> None:
    for record in records:
        click.echo(simplejson.dumps(record, ensure_ascii=False, use_decimal=True, default=str))


def _table(titles: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    table = Table(*titles, header_style="bold")
    for row in rows:
        table.add_row(*(str(cell).replace("[", "\\[") for cell in row))
    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(table if table.row_count else "没有记录")


@cli.command()
@click.argument("finding_id")
@click.argument("decision", type=click.Choice([CONFIRMED, DISMISSED]))
@_QUARTER
@click.option("--reviewer", required=True, help="Who decided.")
@click.option("--note", required=True, help="Why.")
@database
def decide(*, finding_id: str, decision: str, quarter: str, reviewer: str, note: str, mongo: str) -> None:
    """Record a person's decision on a finding; nothing recorded is ever changed.

    FINDING_ID is printed by findings --format jsonl. Scores follow with the next: govcrawl score.
    """
    name = str(Quarter.parse(quarter))
    if not reviewer.strip() or not note.strip():
        raise GovcrawlError("--reviewer and --note say who decided and why; neither may be empty")
    with opened(mongo) as db:
        doc = verdicts.decide(db, name, finding_id, decision, reviewer=reviewer.strip(), note=note.strip())
    click.echo(
        f"{name}: {doc['site_id']} {finding_id[:12]} {decision} by {doc['reviewer']}, record {doc['seq']}"
    )


# --- outside data and reports -------------------------------------------------------------------------------


@cli.command("import")
@click.argument(
    "kind", type=click.Choice(["totals", "departments", "zhaocuo", "inquiries", "units", "scores"])
)
@click.argument("file", type=_FILE)
@_QUARTER
@click.option("--registry", type=_FILE, default=None, help="Roster (CSV or XLSX); default: the built-in one.")
@database
def import_(kind: str, file: Path, quarter: str, registry: Path | None, mongo: str) -> None:
    """Import a table of a quarter (CSV or XLSX as exported), replacing the earlier one of its kind.

    totals: totals of portals inspected elsewhere; departments: verdicts on department sites inspected
    elsewhere; zhaocuo: 找错 messages; inquiries: inquiries on the shared platform; units: provincial units
    of the annex; scores: decisions on rules no program decides, one a row (网站编号, 指标编号, 结论, 说明,
    证据链接, 检查人; 结论 is 扣分, 不扣分, 加分, 不加分 or 不适用), counted by `govcrawl score`. A file with
    faults changes nothing.
    """
    from govcrawl.imports import import_file  # noqa: PLC0415  (only this command reads such tables)

    name = Quarter.parse(quarter)
    with opened(mongo) as db:
        count = import_file(db, kind, file, quarter=name, sites=load_sites(registry), edition=load_edition())
    click.echo(f"{name}: {count} rows of {kind} imported from {file.name}")


@cli.command()
@_QUARTER
@click.option("--out", type=_FILE, required=True, help="Folder to write to.")
@click.option(
    "--form",
    type=click.Choice(["scores", "problems"]),
    default="scores",
    show_default=True,
    help="Notice with scores and bands, or with counts of problems.",
)
@click.option("--registry", type=_FILE, default=None, help="Roster (CSV or XLSX); default: the built-in one.")
@click.option("--edition", type=_FILE, default=None, help="Edition of the standard (TOML).")
@database
def report(
    *, quarter: str, out: Path, form: str, registry: Path | None, edition: Path | None, mongo: str
) -> None:
    """Write notice, scores, repair lists, web pages and data of a quarter."""
    from govcrawl.report import gather, write_report  # noqa: PLC0415  (loads matplotlib and python-docx)

    name = Quarter.parse(quarter)
    with opened(mongo) as db:
        facts = gather(db, name, load_edition(edition), load_sites(registry))
        written = write_report(
            facts, out, form, partial(reads.stored_bytes, db), partial(store_probes.visits, db, str(name))
        )
    click.echo(
        f"{name}: notice.docx, scores.xlsx, data/, {written.lists} repair lists "
        f"and {written.pages} web pages written to {out}"
    )


# --- evidence -----------------------------------------------------------------------------------------------


@cli.group(invoke_without_command=True)
@click.option("--quarter", default="", help="Quarter, such as 2023Q3.")
@click.option("--site", default=None, help="Only this site.")
@click.option("--rule", default=None, help="Only this rule, such as V3.")
@click.option("--finding", default=None, help="Only the finding with this finding_id.")
@click.option("--save", type=_FILE, default=None, help="Folder for pages, headers and pictures.")
@database
@click.pass_context
def evidence(context: click.Context, /, mongo: str, **given: Any) -> None:
    """Find the evidence of findings: pages as received, pictures, tries of links."""
    if context.invoked_subcommand:
        return
    if not given["quarter"] and not given["finding"]:
        raise GovcrawlError("evidence: say --quarter Q (with --site and --rule), or --finding ID")
    with opened(mongo) as db:
        cards = (
            iter([store_evidence.card(db, given["finding"])])
            if given["finding"]
            else store_evidence.find(db, str(Quarter.parse(given["quarter"])), given["site"], given["rule"])
        )
        _table(
            ("网站", "指标", "发现", "网址", "页面", "截图", "已保存"),
            _evidence_rows(db, cards, given["save"]),
        )


def _evidence_rows(
    db: Sync, cards: Iterable[Mapping[str, Any]], folder: Path | None
) -> Iterator[tuple[str, ...]]:
    for card in cards:
        found = card["finding"]
        saved = len(store_evidence.save(db, card, folder)) if folder else 0
        for seen in found["evidence"]:
            yield (
                found["site_id"],
                found["rule"],
                seen["observed"],
                seen["url"],
                str(len(card["pages"])),
                seen["screenshot"][:12],
                str(saved or ""),
            )


@evidence.command("sweep")
@database
def evidence_sweep(mongo: str) -> None:
    """Remove bytes that no record names; refused while an inspection is open."""
    with opened(mongo) as db:
        counts = store_evidence.sweep(db)
    click.echo(f"{counts['blobs']} pages' bytes, {counts['files']} files, {counts['chunks']} chunks removed")


@cli.command()
@_QUARTER
@click.option("--site", default=None, help="Only this site.")
@click.option("--rule", default=None, help="Show only changes of this rule.")
@click.option("--edition", type=_FILE, default=None, help="Another edition of the standard (TOML).")
@click.option(
    "--workers", type=click.IntRange(1, 256), default=None, help="Processes; default: one per core."
)
@click.option("--keep", is_flag=True, help="Make what comes out the quarter's results.")
@database
def recheck(quarter: str, mongo: str, workers: int | None, **given: Any) -> None:
    """Run all rules again over stored evidence, without any network, and show what changed and why.

    Exit code 1 when the same edition comes to other findings or scores.
    """
    from govcrawl.recheck import recheck as work  # noqa: PLC0415  (starts workers: only this command)

    name = str(Quarter.parse(quarter))
    workers = workers or os.cpu_count() or 1
    with resolve(mongo or None) as uri, connected(uri) as db:
        found = work(db, uri, name, workers=workers, **given)
    _changes(found)
    rate = found.pages / found.seconds if found.seconds else 0
    result = (
        "identical" if found.same else f"{len(found.changes)} rules and {len(found.scores)} scores differ"
    )
    click.echo(
        f"{name}, edition {found.edition}: {found.sites} sites, {found.pages} pages in {found.seconds:.0f} s "
        f"({rate:.0f} pages/s with {workers} workers): {result}"
    )
    if found.failed or (given["edition"] is None and not found.same):
        raise click.exceptions.Exit(1)


def _changes(found: Rechecked, *, why: bool = True) -> None:
    """Print what came out differently, with the reasons where they may differ, and what failed."""
    for title, changes in (("指标", found.changes), ("得分", found.scores)):
        if changes:
            heads = ("网站", title, "原结果", "现结果", "原因")
            rows = ((one.site_id, one.rule or "—", one.before, one.after, one.why) for one in changes)
            shown = len(heads) if why else len(heads) - 1
            _table(heads[:shown], (row[:shown] for row in rows))
    for site_id, reason in found.failed:
        click.echo(f"  {site_id}: {reason}", err=True)


@cli.command()
@_QUARTER
@click.option(
    "--after",
    type=click.FloatRange(0, 1000),
    default=2.0,
    show_default=True,
    help="Hours since the last try of a link before it is tried again.",
)
@_PROXY
@_CONTACT
@_DELAY
@_WINDOW
@_PER_DAY
@click.option("--browser/--no-browser", default=True, help="Let the browser give a second opinion.")
@click.option(
    "--workers", type=click.IntRange(1, 256), default=None, help="Processes; default: one per core."
)
@click.option("--edition", type=_FILE, default=None, help="Edition of the standard (TOML).")
@database
def relink(
    *, quarter: str, mongo: str, after: float, workers: int | None, edition: Path | None, **given: Any
) -> None:
    """Try a quarter's dead and doubtful links again, hours after its inspection; then score.

    The tries are kept as evidence. Links tried less than --after hours ago wait for a later pass.
    """
    from govcrawl.relink import relink as work  # noqa: PLC0415  (starts workers: only this command)

    name = str(Quarter.parse(quarter))
    options = Options.from_environment().with_(
        proxy=_proxy(given["proxy"]),
        contact=given["contact"],
        delay=given["delay"],
        browser=given["browser"],
        window=_window(given["window"]),
        per_day=given["per_day"],
        workers=workers or os.cpu_count() or 1,
    )
    with resolve(mongo or None) as uri, connected(uri) as db:
        found = work(db, uri, name, options, edition=edition, after=timedelta(hours=after))
    changed = found.rechecked
    _changes(changed, why=False)
    states = ", ".join(f"{count} {state}" for state, count in sorted(found.states.items()))
    click.echo(
        f"{name}: {found.tried} links tried again" + (f": {states}" if states else "") + f"; "
        f"{found.young} tried less than {after:g} h ago; "
        f"{len(changed.changes)} rules and {len(changed.scores)} scores changed"
    )
    if changed.failed:
        raise click.exceptions.Exit(1)


@cli.command()
@click.option("--public", type=_FILE, default=None, help="Public key (PEM) that signatures must hold with.")
@database
def verify(public: Path | None, mongo: str) -> None:
    """Compare all sealed records and stored bytes with what they were; exit code 1 when anything differs."""
    with opened(mongo) as db:
        found = integrity.verify(db)
        runs = reads.complete_runs(db)
        signed = [(run, integrity.signed_by(db, run, public)) for run in runs] if public else []
    for problem in found.problems:
        click.echo(problem)
    for run, key in signed:
        click.echo(f"run {run}: signed by {key}")
    click.echo(
        f"{found.runs} runs, {found.records} records, {found.blobs} pages' bytes, {found.files} files: "
        + (f"{len(found.problems)} alterations" if found.problems else "no alteration found")
    )
    if found.problems:
        raise click.exceptions.Exit(1)


@cli.command()
@click.option("--quarter", default="", help="Quarter whose newest run is signed.")
@click.option("--key", type=_FILE, required=True, envvar="GOVCRAWL_SIGNING_KEY", help="Ed25519 key (PEM).")
@click.option("--new", is_flag=True, help="Make the key first, with its public half in FILE.pub.")
@database
def sign(quarter: str, key: Path, new: bool, mongo: str) -> None:
    """Sign a run's seal; the key is never stored in the database."""
    if new:
        click.echo(f"new key {integrity.new_key(key)} in {key}, public half in {key}.pub")
    if not quarter:
        return
    with opened(mongo) as db:
        run = reads.latest_run(db, str(Quarter.parse(quarter)))
        if run is None:
            raise GovcrawlError(f"quarter {quarter}: nothing inspected yet, nothing to sign")
        click.echo(f"run {run}: signed by {integrity.sign(db, run, key)}")


@cli.command()
@click.argument("file", type=_FILE)
@click.option("--quarter", default="", help="Quarter, such as 2023Q3.")
@click.option("--site", default="", help="Site whose pages are exported.")
@click.option("--finding", default="", help="Or the finding_id whose pages are exported.")
@database
def export(file: Path, quarter: str, site: str, finding: str, mongo: str) -> None:
    """Write stored pages to FILE: WARC (*.warc.gz) or WACZ (*.wacz), for the usual replay tools."""
    from govcrawl.store import export as archives  # noqa: PLC0415  (only this command)

    if bool(finding) == bool(quarter and site):
        raise GovcrawlError("export: say --quarter Q --site ID, or --finding ID")
    if not file.name.endswith((".warc.gz", ".wacz")):
        raise GovcrawlError(f"export {file}: name it *.warc.gz or *.wacz")
    with opened(mongo) as db:
        if finding:
            pages = archives.pages_of_finding(db, finding)
        else:
            pages = archives.pages_of_site(db, str(Quarter.parse(quarter)), site)
        write = archives.write_wacz if file.suffix == ".wacz" else archives.write_warc
        count = write(db, pages, file)
    click.echo(f"{count} pages in {file}")


# --- rules --------------------------------------------------------------------------------------------------


@cli.command()
@click.argument("code", required=False)
def rules(code: str | None) -> None:
    """List the rules of the standard, or explain one."""
    edition = load_edition()
    checks = bound(edition)
    if code is None:
        rows = (
            (
                spec.code,
                spec.zh,
                _PARTS[spec.part],
                spec.indicator,
                _shown(spec.points),
                _shown(spec.cap),
                str(spec.window or ""),
                _MODES[spec.mode],
                spec.confidence,
                checks[spec.code].name if spec.code in checks else "—",
            )
            for spec in edition.rules.values()
        )
        _table(
            ("编号", "名称", "部分", "二级指标", "分值", "上限", "期限", "方式", "可信度", "检查函数"), rows
        )
        untested = sum(1 for one in edition.rules if one not in checks)
        click.echo(
            f"{len(edition.rules)} rules, {len(checks)} with a check, "
            f"{untested} without: untested, never passed"
        )
        return
    spec = edition.rules.get(code)
    if spec is None:
        raise GovcrawlError(f"rule {code}: not in edition {edition.id}; see: govcrawl rules")
    _explain(spec)


def _explain(spec: RuleSpec) -> None:
    check = bound(load_edition()).get(spec.code)
    lines = [
        spec.title,
        f"  {spec.en}",
        f"  条款: {spec.clause}",
        f"  分值: {_shown(spec.points) or _PARTS[spec.part]}  上限: {_shown(spec.cap) or '—'}",
        f"  期限: {spec.window or '—'}  抽样: {spec.sample or '—'}",
        f"  方式: {_MODES[spec.mode]}  可信度: {spec.confidence}",
        f"  整改: {spec.fix}",
    ]
    if spec.look_at:
        lines.append(f"  人工核查: {spec.look_at}")
        lines.append(
            "  no check is bound: untested, never passed, until a person decides (govcrawl import scores)"
        )
        lines += [f"  example caught: {spec.caught}", f"  example left alone: {spec.left_alone}"]
    elif check is None:
        lines.append("  no check is bound: untested, never passed")
    else:
        lines.append(f"  check: {check.name} ({check.scope}): {check.doc}")
        lines += _examples(check, spec)
    click.echo("\n".join(lines))


def _examples(check: Rule, spec: RuleSpec) -> Iterator[str]:
    """Yield the first example on either side, as it comes out now."""
    for which, examples in (("caught", check.fails), ("left alone", check.passes)):
        seen = run_example(check, spec, examples[0])
        more = f" (and {len(examples) - 1} more)" if len(examples) > 1 else ""
        found = seen[0].observed if seen else "nothing"
        yield f"  example {which}{more}: {_subject(examples[0])} -> {found}"


def _subject(example: Page | Inspection) -> str:
    if isinstance(example, Page):
        return " ".join(example.text.split())[:160]
    return f"a visit of {len(example.pages)} pages: " + ", ".join(sorted(example.pages)[:4])


# --- sites --------------------------------------------------------------------------------------------------


@cli.group()
def sites() -> None:
    """List, check or import a roster of sites."""


@sites.command("list")
@click.argument("file", type=_FILE, required=False)
@click.option("--format", "form", type=click.Choice(["table", "jsonl"]), default="table", show_default=True)
def sites_list(file: Path | None, form: str) -> None:
    """Print the sites of a roster, the built-in one by default."""
    found = load_sites(file)
    if form == "jsonl":
        _lines({name: getattr(site, name) for name in Site.__dataclass_fields__} for site in found)
        return
    _table(
        ("网站编号", "名称", "类别", "网址", "平台"),
        (
            (site.site_id, site.name, "门户" if site.kind == "portal" else "部门", site.url, site.platform)
            for site in found
        ),
    )
    click.echo(f"{len(found)} sites")


@sites.command("check")
@click.argument("file", type=_FILE)
def sites_check(file: Path) -> None:
    """Check a roster row by row; exit code 2 when a row is bad."""
    click.echo(f"{file}: {len(load_sites(file))} sites, no fault found")


@sites.command("import")
@click.argument("file", type=_FILE)
@click.option(
    "--to", "target", type=_FILE, default=Path("roster.csv"), show_default=True, help="Roster to write."
)
def sites_import(file: Path, target: Path) -> None:
    """Check a roster (CSV or XLSX) and write it as CSV; nothing is written when a row is bad."""
    count = import_roster(file, target)
    click.echo(
        f"{count} sites written to {target}; "
        f"inspect them with: govcrawl inspect --registry {target} --quarter ..."
    )


# --- the cluster --------------------------------------------------------------------------------------------

cli.add_command(cluster)


if __name__ == "__main__":
    main()
