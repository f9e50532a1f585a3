"""The store of visits, what V2 comes to at the score, the command, and the picture of a month."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import signal
import subprocess
import sys
import warnings
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from xml.etree import ElementTree as ET

import pytest

from govcrawl import cli
from govcrawl.items import Finding, GovcrawlError, Outcome, ProbeState, Site
from govcrawl.probing import working
from govcrawl.probing.schedule import Round, Week
from govcrawl.probing.verdicts import counted
from govcrawl.quarter import SHANGHAI, Quarter
from govcrawl.report import gather, write_report
from govcrawl.report.availability import pictures
from govcrawl.results import occurrences, score_quarter
from govcrawl.store import evidence, integrity, ledger, probes, reads, records
from govcrawl.store.client import Sync, connect_async
from govcrawl.store.probes import Book, Tried, Unreachable, Visit
from tests.inspecting import served
from tests.province.model import Answer
from tests.quarters import EDITION

pytestmark = pytest.mark.mongo
T = TypeVar("T")
QUARTER = Quarter(2023, 3)
NAME = str(QUARTER)
WEEK = Week(QUARTER, date(2023, 9, 11))
ROUNDS = list(WEEK.all())
AT = QUARTER.monitoring_point("2023-09-20")
GOOD, TIMEOUT = Tried(0.4, 200), Tried(15.0, None, "timeout")
A = Site("a", "某市人民政府", "portal", "city", "330100", "", "http://www.a.gov.cn/")
B = replace(A, site_id="b", name="某局", kind="department")
SITES = [A, B]


def with_book(uri: str, work: Callable[[Book], Awaitable[T]], now: datetime | None = None) -> T:
    async def main() -> T:
        db = connect_async(uri)
        try:
            return await work(Book(db, NAME, (lambda: now) if now else None))
        finally:
            await db.client.close()

    return asyncio.run(main())


def visit(site_id: str, round_: Round, state: ProbeState = ProbeState.CONNECTED, reason: str = "") -> Visit:
    first = GOOD if state is ProbeState.CONNECTED else TIMEOUT
    return Visit(site_id, round_.name, round_.due(site_id), state, first, reason=reason)


def week_of(site_id: str, *, down: int = 0, suspected: int = 0, missed: int = 0) -> list[Visit]:
    """Return a week's visits: so many down, then suspected, then missed, the rest connected."""
    states = [ProbeState.DOWN] * down + [ProbeState.SUSPECTED] * suspected + [ProbeState.MISSED] * missed
    states += [ProbeState.CONNECTED] * (len(ROUNDS) - len(states))
    return [
        visit(site_id, round_, state, "idle" if state is ProbeState.MISSED else "")
        for round_, state in zip(ROUNDS, states, strict=True)
    ]


def store_visits(uri: str, visits: Iterable[Visit]) -> None:
    with_book(uri, lambda book: book.save(list(visits)))


def found_of(store: Sync, site_id: str) -> list[Visit]:
    """Return what the store holds of a site, without the tries."""
    return [
        Visit(doc["site_id"], doc["round"], doc["at"], ProbeState(doc["state"]), reason=doc["reason"])
        for doc in probes.visits(store, NAME, site_id)
    ]


# --- the store ------------------------------------------------------------------------------------------


def test_a_visit_is_stored_once_and_replaces_only_what_says_it_was_not_made(
    store: Sync, store_uri: str
) -> None:
    first, second, *_ = ROUNDS
    made, missed = visit("a", first), visit("a", second, ProbeState.MISSED, "node")
    store_visits(store_uri, [made, missed])
    late = visit("a", second)
    store_visits(
        store_uri, [visit("a", first, ProbeState.MISSED, "node"), visit("a", first, ProbeState.DOWN), late]
    )
    store_visits(store_uri, [late])
    held = found_of(store, "a")
    assert [one.state for one in held] == [ProbeState.CONNECTED, ProbeState.CONNECTED]
    assert with_book(store_uri, lambda book: book.states(first.name)) == {"a": "connected"}


def test_a_round_has_one_holder_until_its_lease_runs_out(store: Sync, store_uri: str) -> None:
    start = WEEK.begin

    def later(seconds: int, work: Callable[[Book], Awaitable[T]]) -> T:
        return with_book(store_uri, work, start + timedelta(seconds=seconds))

    assert later(0, lambda book: book.lease("r", "one", 60))
    assert not later(60, lambda book: book.lease("r", "two", 60))
    assert later(30, lambda book: book.renew("r", "one", 60))
    assert not later(80, lambda book: book.lease("r", "two", 60))
    assert later(91, lambda book: book.lease("r", "two", 60))
    assert not later(92, lambda book: book.renew("r", "one", 60))
    assert not later(92, lambda book: book.finish("r", "one", {}))
    assert later(93, lambda book: book.finish("r", "two", {"connected": 2}))
    assert not later(500, lambda book: book.lease("r", "one", 60))
    events = [(one.event, one.owner) for one in probes.log_of(store, NAME)]
    assert events == [("leased", "one"), ("expired", "one"), ("leased", "two"), ("done", "two")]


def test_a_released_round_is_free_at_once(store_uri: str) -> None:
    async def work(book: Book) -> list[bool]:
        return [
            await book.lease("r", "one", 60),
            await book.release("r", "one"),
            await book.lease("r", "two", 60),
        ]

    assert with_book(store_uri, work) == [True, True, True]


def test_a_database_that_is_away_is_said_so() -> None:
    with pytest.raises(Unreachable):
        with_book("mongodb://127.0.0.1:1/x?serverSelectionTimeoutMS=50", lambda book: book.ping())
    # The driver leaves a socket it was connecting to the collector when the client closes; so no later
    # test finds it.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def test_a_plan_stays_and_may_get_more_days(store: Sync) -> None:
    plan: Callable[..., Mapping[str, Any]] = lambda **other: probes.plan(  # noqa: E731
        store, NAME, **{"start": "2023-09-11", "days": 7, "rounds": 24, "site_ids": ["b", "a"]} | other
    )
    assert plan()["days"] == 7
    assert plan(days=9)["days"] == 9
    assert plan(days=7)["days"] == 9
    for other in ({"start": "2023-09-12"}, {"rounds": 20}, {"site_ids": ["a"]}):
        with pytest.raises(GovcrawlError, match="give the same plan"):
            plan(**other)


def test_visits_that_follow_each_other_too_fast_count_once(store: Sync, store_uri: str) -> None:
    visits = [
        replace(visit("a", one), at=ROUNDS[0].start + timedelta(minutes=6 * at))
        for at, one in enumerate(ROUNDS)
    ]
    store_visits(store_uri, visits)
    found = list(counted(probes.visits(store, NAME, "a")))
    assert [one.at for one in found] == [one.at for one in visits[::3]]
    assert {one.at.utcoffset() for one in found} == {timedelta(hours=8)}


# --- V2 -------------------------------------------------------------------------------------------------


def inspected(store: Sync) -> str:
    """Store a finished inspection in which V2 could not be told and V3 failed."""
    ids = [site.site_id for site in SITES]
    run = ledger.open_run(
        store, NAME, at=AT, edition=EDITION.id, roster_sha=str(random.random()), site_ids=ids
    )
    ledger.plan(store, run, SITES)
    outcomes = {"V2": Outcome.CANT_TELL, "V3": Outcome.FAILED}
    store.findings.insert_many(
        records.finding_doc(Finding(site_id, NAME, code, outcome, EDITION.id, checked_at=AT), run)
        for site_id in ids
        for code, outcome in outcomes.items()
    )
    store.ledger.update_many({"run": run}, {"$set": {"state": "done", "finished_at": datetime.now(UTC)}})
    return run


def v2(store: Sync) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for doc in occurrences(reads.findings(store, NAME, rule="V2")):
        found.setdefault(doc["site_id"], []).append(f"{doc['outcome']} {doc['observed']}".strip())
    return found


def vetoes(store: Sync) -> dict[str, tuple[list[str], list[str]]]:
    return {doc["site_id"]: (doc["vetoes"], doc["open_vetoes"]) for doc in reads.scores(store, NAME)}


def test_the_score_decides_v2_again_whenever_visits_are_added(store: Sync, store_uri: str) -> None:
    run = inspected(store)
    score_quarter(store, NAME, EDITION)
    assert v2(store) == {"a": ["cantTell"], "b": ["cantTell"]}
    assert "V2" in vetoes(store)["a"][1]

    store_visits(store_uri, week_of("a", down=8)[:-24])
    score_quarter(store, NAME, EDITION)
    assert v2(store)["a"] == ["cantTell 6 days with 20 or more visits, 7 are needed"]

    store_visits(store_uri, [*week_of("a", down=9), *week_of("b", down=8)])
    score_quarter(store, NAME, EDITION)
    assert v2(store) == {"a": ["passed"], "b": ["passed"]}  # 8 of 168: the stored ones stay

    store.probes.delete_many({})
    store_visits(store_uri, [*week_of("a", down=9), *week_of("b", down=8, suspected=1)])
    score_quarter(store, NAME, EDITION)
    assert v2(store)["a"] == ["failed 9/168 次无法访问"]
    assert v2(store)["b"] == ["cantTell 8 of 168 visits failed; 1 more on one path only"]
    assert vetoes(store)["a"][0] == ["V2", "V3"]
    assert vetoes(store)["b"] == (["V3"], [one for one in vetoes(store)["b"][1] if one != "V3"])
    assert {doc["run"] for doc in reads.findings(store, NAME)} == {run}
    before = list(reads.scores(store, NAME)), list(reads.findings(store, NAME))
    score_quarter(store, NAME, EDITION)
    assert (list(reads.scores(store, NAME)), list(reads.findings(store, NAME))) == before


def test_a_decided_v2_is_found_as_evidence_as_a_fault_and_under_the_seal(
    store: Sync, store_uri: str, tmp_path: Path
) -> None:
    inspected(store)
    store_visits(store_uri, [*week_of("a", down=20), *week_of("b")])
    score_quarter(store, NAME, EDITION)
    (found,) = list(reads.findings(store, NAME, "a", "V2", "failed"))
    assert list(reads.findings(store, NAME, "b", "V2", "cantTell")) == []
    assert evidence.card(store, found["finding_id"])["finding"]["evidence"] == found["evidence"]
    facts = gather(store, QUARTER, EDITION, SITES)
    assert [(one.site_id, one.observed) for one in facts.faults if one.rule == "V2"] == [
        ("a", "20/168 次无法访问")
    ]
    write_report(
        facts, tmp_path, "scores", lambda _: None, lambda site_id: probes.visits(store, NAME, site_id)
    )
    assert (tmp_path / "web/img/visits/a-2023-09.svg").exists()
    assert 'src="../img/visits/a-2023-09.svg"' in (tmp_path / "web/sites/a.html").read_text("utf-8")
    clean = integrity.verify(store).problems
    store.late_findings.update_one({"site_id": "a"}, {"$set": {"outcome": "passed"}})
    altered = [one for one in integrity.verify(store).problems if one not in clean]
    assert [one for one in altered if "late_findings" in one and "altered" in one], altered


def test_a_dismissed_v2_costs_nothing(store: Sync, store_uri: str) -> None:
    inspected(store)
    store_visits(store_uri, week_of("a", down=20))
    score_quarter(store, NAME, EDITION)
    (found,) = list(reads.findings(store, NAME, "a", "V2"))
    decision = {"quarter": NAME, "site_id": "a", "finding_id": found["finding_id"], "seq": 0}
    store.verdicts.insert_one(decision | {"decision": "dismissed"})
    score_quarter(store, NAME, EDITION)
    assert "V2" not in (*vetoes(store)["a"][0], *vetoes(store)["a"][1])


# --- the picture ----------------------------------------------------------------------------------------


def test_a_month_is_a_picture_with_a_cell_for_each_visit(store: Sync, store_uri: str) -> None:
    store_visits(store_uri, week_of("a", down=2, suspected=3, missed=4))
    ((month, svg),) = pictures("某市<人民政府>", probes.visits(store, NAME, "a"))
    assert month == "2023-09"
    tree = ET.fromstring(svg)
    cells = [one for one in tree.iter() if one.tag.endswith("rect") and len(one)]
    states = [one.get("class") for one in cells]
    assert len(cells) == len(ROUNDS)
    assert [states.count(word) for word in ("down", "suspected", "missed", "connected")] == [2, 3, 4, 159]
    text = "".join(tree.itertext())
    assert "某市<人民政府> 2023年9月首页访问情况" in text
    assert "11日 00:00 确认无法访问（timeout）" in text
    assert "11日 05:00 未访问（检查程序未运行）" in text
    assert "2/20" in text


# --- the command ----------------------------------------------------------------------------------------

Said = tuple[object, str, str]
MOMENT = datetime(2023, 9, 11, 9, 30, tzinfo=SHANGHAI)
HEAD = "site_id,name,kind,level,code,parent,url,organizer,has_services,platform\n"


@pytest.fixture
def proxy() -> Iterator[str]:
    """Yield a proxy behind which b.test has no home page."""
    with served(lambda host, _: Answer(404 if host == "b.test" else 200, b"<p>ok</p>")) as (_, url):
        yield url


@pytest.fixture
def probe(
    tmp_path: Path, store_uri: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Said]:
    """Run `govcrawl probe` on a roster of two sites at a fixed time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(working.WallClock, "now", lambda _: MOMENT)
    rows = [f"{name},{name},portal,city,330100,,http://{name}.test/,o,true,\n" for name in ("a", "b")]
    (tmp_path / "sites.csv").write_text(HEAD + "".join(rows), "utf-8")

    def run(*arguments: str) -> Said:
        given = ["govcrawl", "probe", "--quarter", NAME, "--registry", "sites.csv", "--mongo", store_uri]
        monkeypatch.setattr(sys, "argv", [*given, *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        out, err = capsys.readouterr()
        return end.value.code, out, err

    return run


def test_one_round_is_made_once(store: Sync, proxy: str, probe: Callable[..., Said]) -> None:
    paths = ("--proxy", proxy, "--second-proxy", proxy, "--canary", "http://canary.test/")
    code, out, err = probe(*paths)
    assert (code, err) == (0, "")
    assert out.startswith("round 20230911T0900: 2 sites in ")
    assert out.endswith("1 connected, 1 confirmed down\n")
    assert [one.state for one in (*found_of(store, "a"), *found_of(store, "b"))] == ["connected", "down"]
    assert probe(*paths)[1] == "round 20230911T0900: done already, or another command makes it now\n"
    assert probe("--status")[1] == (
        "round 20230911T0900: 1 connected, 1 confirmed down\n2023Q3: 1 rounds done\n"
    )


def test_a_round_while_our_network_is_down_stays_open(
    store: Sync, proxy: str, probe: Callable[..., Said]
) -> None:
    gone = ("--proxy", "http://127.0.0.1:1", "--canary", "http://canary.test/")
    code, out, err = probe(*gone)
    assert (code, out.rpartition(": ")[2]) == (1, "2 own network down (network)\n")
    assert err == "govcrawl: no canary answers: failed visits are put down to our own network; see --canary\n"
    assert probe("--proxy", proxy, "--canary", "http://canary.test/")[0] == 0
    assert [one.state for one in found_of(store, "a")] == ["connected"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--proxy", "nonsense"), "--proxy nonsense: write http://HOST:PORT"),
        (("--week", "--start", "11.9.2023"), "--start 11.9.2023: write a day such as 2023-09-11"),
        (("--week", "--start", "2022-01-01"), "does not belong to 2023Q3"),
        (("--week", "--rounds", "12"), "7 days with 12 rounds"),
        (("--quarter", "2022Q1"), "does not belong to 2022Q1"),
    ],
)
def test_what_cannot_be_done_ends_with_one_line(
    probe: Callable[..., Said], arguments: tuple[str, ...], said: str
) -> None:
    code, out, err = probe(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err


def test_a_week_that_is_told_to_stop_ends_and_goes_on_later(store_uri: str, tmp_path: Path) -> None:
    rows = "a,a,portal,city,330100,,http://a.test/,o,true,\n"
    (tmp_path / "sites.csv").write_text(HEAD + rows, "utf-8")
    tomorrow = datetime.now(SHANGHAI).date() + timedelta(days=1)
    command = [
        sys.executable,
        "-m",
        "govcrawl.cli",
        "probe",
        "--week",
        "--quarter",
        str(Quarter.of(tomorrow)),
    ]
    command += [
        "--registry",
        str(tmp_path / "sites.csv"),
        "--mongo",
        store_uri,
        "--canary",
        "http://127.0.0.1:1/",
    ]
    for _ in range(2):
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            line = process.stdout.readline()
            assert f"1 sites, 24 rounds a day, {tomorrow} and 7 days" in line
            assert "no canary answers" in process.stderr.readline()
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 1
            assert process.stderr.read() == "govcrawl: stopped; the same command goes on\n"
