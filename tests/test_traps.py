"""Addresses without end: a crawl leaves them at their bound, with the name of the trap on page and site."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from govcrawl.bounds import MAX_CALENDAR
from govcrawl.items import Site
from govcrawl.recheck import recheck
from govcrawl.sites import write_sites
from govcrawl.store import integrity, reads
from govcrawl.store.client import Sync
from tests.inspecting import Office, served
from tests.province.model import QUARTER, Answer

pytestmark = pytest.mark.mongo
LAKE = "http://lake.example/"
SITE = Site("lake", "湖县人民政府", "portal", "county", "330100", "", LAKE, has_services=False)
NEWS = [f"/art/{number}.html" for number in range(6)]
DAYS = [f"/schedule.jsp?year=2023&month=9&day={number}" for number in range(60)]
SESSIONS = [f"/show.jsp;jsessionid={number:032X}?id=7" for number in range(20)]
DEEPER = [f"/zwgk/{'news/' * depth}index{depth}.html" for depth in range(4, 14)]
KNOWN = {*NEWS, *DAYS, *SESSIONS, *DEEPER}
BUDGET = 70


def page(title: str, urls: list[str]) -> bytes:
    rows = "".join(
        f"<li><a href='{url}'>关于公布第{number}批名单的通知公告</a><span>2023-09-1{number % 9}</span></li>"
        for number, url in enumerate(urls)
    )
    return (
        f"<html><head><meta charset=utf-8><title>{title}</title></head><body><h1>{title}</h1>"
        f"<div class=nav><a href='/'>首页</a><a href='/news/'>通知公告</a></div><ul>{rows}</ul></body></html>"
    ).encode()


def answer(host: str, path: str) -> Answer:
    if path in ("/", "/news/"):
        return Answer(body=page("湖县人民政府", [*DAYS, *SESSIONS, *DEEPER, *NEWS]))
    return Answer(body=page(f"公告{path}", [])) if path in KNOWN else Answer(404)


def kind(url: str) -> str:
    path = urlsplit(url).path
    shapes = {"/schedule": "calendar", "/show": "session_id", "/zwgk": "repeated_segments", "/art": "news"}
    return next((name for start, name in shapes.items() if path.startswith(start)), "")


def test_traps_end_with_their_name_and_take_no_place_of_the_budget(
    store: Sync, store_uri: str, tmp_path: Path
) -> None:
    roster = tmp_path / "roster.csv"
    write_sites(roster, [SITE])
    with served(answer) as (_, proxy):
        office = Office(tmp_path, store_uri, proxy)
        end = office.inspect(roster, "--budget", str(BUDGET), "--workers", "1")
    assert end.code == 0, end.err
    docs = store.pages.find({"site_id": "lake"}).to_list()
    visited = Counter(kind(doc["url"]) for doc in docs if not doc["error"])
    assert visited["calendar"] == MAX_CALENDAR
    assert visited["session_id"] == 1
    assert visited["repeated_segments"] == 0
    assert visited["news"] == len(NEWS)
    named = {doc["error"]: doc for doc in docs if doc["error"]}
    assert named.keys() == {"calendar", "session_id", "repeated_segments"}
    assert all(kind(doc["url"]) == name and doc["status"] is None for name, doc in named.items())
    refused = {"calendar": 60 - MAX_CALENDAR, "session_id": 19, "repeated_segments": 10}
    assert store.facts.find_one({"site_id": "lake"})["seen"]["traps"] == refused
    assert store.ledger.find_one({"site_id": "lake"})["counts"]["traps"] == sum(refused.values())
    failed = reads.findings(store, QUARTER, outcome="failed")
    accused = {seen["url"] for doc in failed for seen in doc["evidence"]}
    assert not accused & {doc["url"] for doc in named.values()}
    assert integrity.verify(store).problems == []
    assert recheck(store, store_uri, QUARTER).same
