"""`govcrawl relink`: links tried again hours later, as evidence, in findings and in the score."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from govcrawl.items import Attempt, GovcrawlError, LinkCheck, LinkState, Site
from govcrawl.links.later import joined, open_to_doubt
from govcrawl.options import Options
from govcrawl.recheck import recheck
from govcrawl.relink import Relinked, relink
from govcrawl.sites import write_sites
from govcrawl.store import evidence, integrity, reads
from govcrawl.store.client import Sync
from tests.inspecting import HASTE, Office, served
from tests.province.model import QUARTER, Answer

FIRST = datetime(2023, 9, 20, 10, tzinfo=UTC)


def check(state: LinkState, reason: str, at: datetime = FIRST) -> LinkCheck:
    return LinkCheck("http://a.gov.cn/", state, None, None, reason, (Attempt("GET", None, None, at),))


@pytest.mark.parametrize(
    ("before", "now", "state", "reason"),
    [
        (("dead", "timeout"), ("alive", ""), "alive", "after timeout"),
        (("dead", "http_404"), ("alive", "tls_unverified"), "alive", "after http_404 tls_unverified"),
        (("dead", "timeout"), ("dead", "reset"), "dead", "reset"),
        (("dead", "http_404"), ("dead", "timeout"), "dead", "timeout"),
        (("dead", "timeout"), ("unknown", "http_403"), "unknown", "http_403"),
        (("dead", "timeout"), ("unknown", "proxy"), "dead", "timeout"),
        (("dead", "http_500"), ("wrong", "redirect_home"), "wrong", "redirect_home"),
        (("unknown", "rate_limited"), ("dead", "timeout"), "unknown", "unconfirmed: timeout"),
        (("unknown", "unconfirmed: timeout"), ("dead", "dns"), "dead", "dns"),
        (("unknown", "rate_limited"), ("dead", "http_404"), "dead", "http_404"),
        (("unknown", "rate_limited"), ("unknown", "internal_error"), "unknown", "rate_limited"),
        (("unknown", "unconfirmed: dns"), ("alive", ""), "alive", "after dns"),
    ],
)
def test_two_passes_come_to_one_verdict(
    before: tuple[str, str], now: tuple[str, str], state: str, reason: str
) -> None:
    both = joined(
        check(LinkState(before[0]), before[1]),
        check(LinkState(now[0]), now[1], FIRST + timedelta(hours=3)),
    )
    assert (both.state, both.reason) == (LinkState(state), reason)
    assert [one.at for one in both.attempts] == [FIRST, FIRST + timedelta(hours=3)]


@pytest.mark.parametrize(
    ("state", "reason", "doubtful"),
    [
        ("dead", "http_404", True),
        ("dead", "dns", True),
        ("dead", "invalid_url", False),
        ("unknown", "rate_limited", True),
        ("unknown", "http_503", True),
        ("unknown", "http_403", False),
        ("unknown", "empty", False),
        ("wrong", "redirect_home", False),
        ("alive", "", False),
    ],
)
def test_what_deserves_another_pass(state: str, reason: str, *, doubtful: bool) -> None:
    assert open_to_doubt(check(LinkState(state), reason)) is doubtful


# --- a whole inspection, and the hours after it -------------------------------------------------------------

SITE = Site(
    "lake", "湖县人民政府", "portal", "county", "330100", "", "http://lake.example/", has_services=False
)
LINKS = ("flap", "down", "gone", "busy", "well")
HOME = (
    "<html><head><meta charset=utf-8><title>湖县人民政府</title></head><body><h1>湖县人民政府</h1><ul>"
    + "".join(f"<li><a href='http://{name}.example/page.html'>外部链接{name}</a></li>" for name in LINKS)
    + "<li><a href='/art/1.html'>关于公布名单的通知</a> <span>2023-09-18</span></li></ul></body></html>"
)
TEXT = (
    "<html><head><meta charset=utf-8><title>{0}</title></head><body>"
    "<p>{0}：欢迎访问本页。{0}的内容很多。</p></body></html>"
)


class Weather:
    """What the hosts answer; it changes from pass to pass."""

    def __init__(self) -> None:
        self.hour = 0
        self.asked: list[str] = []

    def answer(self, host: str, path: str) -> Answer:
        name = host.partition(".")[0]
        self.asked.append(name)
        if name == "lake":
            page = HOME if path == "/" else TEXT.format("关于公布名单的通知")
            return Answer(200 if path in ("/", "/art/1.html") else 404, page.encode())
        if name not in LINKS or path != "/page.html":
            return Answer(404, b"<html><title>404</title><body>404</body></html>")
        faults = {
            "flap": 503 if self.hour % 2 == 0 else 200,
            "down": 503,
            "gone": 404,
            "busy": 429 if self.hour == 0 else 503 if self.hour == 3 else 200,
        }
        status = faults.get(name, 200)
        return Answer(status, TEXT.format(name).encode() if status == 200 else b"")


@pytest.fixture
def lone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the commands no settings of their caller."""
    for name in [name for name in os.environ if name.startswith("GOVCRAWL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GOVCRAWL_OPTIONS", json.dumps(HASTE))


def dead(db: Sync) -> dict[str, str]:
    """Return what the quarter's findings say of the five links."""
    docs = reads.findings(db, QUARTER, "lake", "D4.3a", "failed")
    return {
        seen["url"].removeprefix("http://").partition(".")[0]: seen["observed"]
        for doc in docs
        for seen in doc["evidence"]
    }


def held(db: Sync) -> list[bytes]:
    """Return all that a broken pass must leave as it was."""
    names = ("runs", "links", "findings", "ledger", "scores", "seals")
    return sorted(integrity.canonical(doc) for name in names for doc in db[name].find())


def breaks(*_: object) -> None:
    raise KeyboardInterrupt


def total(db: Sync) -> Decimal:
    return Decimal(str(next(iter(reads.scores(db, QUARTER)))["deduction"]))


@pytest.mark.mongo
def test_later_passes_change_findings_and_score_and_are_kept_as_evidence(
    store: Sync, store_uri: str, tmp_path: Path, lone: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    weather, roster = Weather(), tmp_path / "roster.csv"
    write_sites(roster, [SITE])
    with served(weather.answer, cached=False) as (_, proxy):
        office = Office(tmp_path, store_uri, proxy)
        end = office.inspect(roster, "--budget", "5", "--workers", "1")
        assert end.code == 0, end.err
        assert dead(store).keys() == {"flap", "down", "gone"}
        before = total(store)
        started = datetime.now(UTC)

        def later(hours: int) -> Callable[[], datetime]:
            return lambda: started + timedelta(hours=hours)

        def again(hours: int) -> Relinked:
            weather.hour = hours
            weather.asked.clear()
            options = Options.from_environment().with_(proxy=proxy, delay=0, browser=False)
            return relink(store, store_uri, QUARTER, options, now=later(hours))

        found = held(store)
        with monkeypatch.context() as broken:
            broken.setattr("govcrawl.relink.keep_links", breaks)
            with pytest.raises(KeyboardInterrupt):
                again(3)
        assert held(store) == found  # a pass that breaks off leaves nothing behind

        soon = again(1)
        assert (soon.tried, soon.young, weather.asked) == (0, 4, [])

        weather.hour = 3
        weather.asked.clear()
        network = ("--proxy", proxy, "--delay", "0", "--no-browser")
        third = office.run("relink", "--quarter", QUARTER, "--after", "0", *network)
        assert (third.code, "4 links tried again: 1 alive, 2 dead, 1 unknown" in third.out) == (0, True), (
            third
        )
        assert "lake" not in weather.asked
        assert "well" not in weather.asked
        assert dead(store) == {"down": "dead: http_503", "gone": "dead: http_404"}
        assert before > total(store) > 0
        assert integrity.verify(store).problems == []

        same = office.run("relink", "--quarter", QUARTER, *network)
        assert same.code == 0, same.err
        assert "0 links tried again; 3 tried less than 2 h ago" in same.out

        scored = total(store)
        sixth = again(6)
        assert sixth.states == {LinkState.ALIVE: 1, LinkState.DEAD: 2}
        assert "flap" not in weather.asked
        assert dead(store).keys() == {"down", "gone"}
        assert total(store) == scored
        assert integrity.verify(store).problems == []

    doc = next(reads.findings(store, QUARTER, "lake", "D4.3a", "failed"))
    (link,) = evidence.card(store, doc["finding_id"])["links"]
    hours = [round((one["at"] - started) / timedelta(hours=1)) for one in link["attempts"]]
    assert sorted(set(hours)) == [0, 6]
    assert hours.count(0) == 2 * hours.count(6)
    assert recheck(store, store_uri, QUARTER).same


@pytest.mark.mongo
def test_uninspected_quarter_is_one_clear_line(store: Sync, store_uri: str) -> None:
    with pytest.raises(GovcrawlError, match="no site inspected"):
        relink(store, store_uri, "2022Q1", Options())


@pytest.mark.mongo
def test_command_without_a_quarter_that_exists_is_one_clear_line(store_uri: str, tmp_path: Path) -> None:
    bad = Office(tmp_path, store_uri).run("relink", "--quarter", "2023Q9")
    assert (bad.code, bad.err.count("\n")) == (2, 1)
