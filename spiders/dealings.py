"""What services, messages, surveys and search need beyond lists: sure visits, queries, a name."""

from __future__ import annotations

import asyncio
import random
import socket
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import quote

from govcrawl.dealings import FORM
from govcrawl.egress import Forbidden, Guard
from govcrawl.extract.lists import read_rows
from govcrawl.extract.search import SearchEntry, SearchForm, blurred, plain
from govcrawl.inspection import Inspection
from govcrawl.items import Page, Role, Site
from govcrawl.standard import Edition

_SERVICES = 20  # items opened: the five of the sample, and enough for the veto on poor guides
_WAITING = 10  # messages a list shows unanswered
_MESSAGES = 12
_SURVEYS = 20
_LONG = 10  # characters of a title that finds one article and no other
_CONNECT = 10.0  # seconds


class Query(NamedTuple):
    """One query of the site's search: the page's address, what to post, and what it was asked for."""

    url: str
    body: str
    column: str


def planned(state: Inspection, edition: Edition) -> list[str]:
    """Return the pages to open for sure: drawn items, waiting and drawn messages, the year's surveys."""
    at, dealings = state.at.date(), state.dealings
    overdue = edition.rules["V5.2"].limit
    waiting = dealings.wanted_letters(overdue.before(at)) if overdue else []
    listed = sorted(url for url in dealings.listed if "#" not in url)
    year = edition.rules["B3.2a"].window
    surveys = [
        url
        for url, (_, day) in sorted(dealings.survey_rows.items())
        if day and year and year.before(at) <= day <= at
    ]
    return [
        *state.sample(state.service_entries(), _SERVICES, "service visit"),
        *(url for url in waiting[:_WAITING] if "#" not in url),
        *state.sample(listed, _MESSAGES, "message visit"),
        *surveys[:_SURVEYS],
    ]


def titles_to_find(state: Inspection, size: int) -> list[str]:
    """Return drawn titles of articles that were read, long enough to tell one from another."""
    seen = (one for one in state.pages_of(Role.ARTICLE) if one.published and one.published <= state.at.date())
    names = plain("|".join((state.site.name, *state.dealings.names)))
    times = Counter(one.title for one in seen)
    # What several pages bear, or the site itself, was the site's name read for a title.
    found = sorted(
        title
        for title, count in times.items()
        if count == 1 and len(plain(title)) >= _LONG and len(title) <= 60 and plain(title) not in names
    )
    return sorted(state.sample(found, size, "title"))


def queries(form: SearchForm, titles: Sequence[str], lower: Sequence[str]) -> Iterator[Query]:
    """Yield the queries: each title, one with characters left out, titles of lower-level sites."""
    for title in titles:
        yield _query(form, "title", title, title)
    for title in titles[:1]:
        if words := blurred(title):
            yield _query(form, "fuzzy", title, words)
    for title in lower:
        yield _query(form, "lower", title, title)


def form_page(entry: SearchEntry | None, home: str) -> Query | None:
    """Return the page to open for its search form: what the home page links to, or itself in the browser."""
    if entry is None or not (entry.link or entry.state == "unseen"):
        return None
    return Query(entry.link or f"{home}#search", "", f"{FORM}:")


def _query(form: SearchForm, purpose: str, title: str, words: str) -> Query:
    url, body = form.query(words)
    # Posted queries share an address; the fragment keeps their pages apart and is never sent.
    return Query(f"{url}#{quote(words)}" if body else url, body, f"{purpose}:{title}")


def lower_sites(site: Site, sites: Mapping[str, Site]) -> list[Site]:
    """Return the sites the roster puts below a portal, in the order of their ids."""
    area = site.name.removesuffix("人民政府")
    if site.kind != "portal" or not area:
        return []
    return [one for _, one in sorted(sites.items()) if one.parent == area and one.site_id != site.site_id]


def title_of(home: Page, seed: str) -> str:
    """Return a drawn title of a dated entry of a lower-level site's home page, or an empty string."""
    day = home.at.date()
    titles = sorted(
        {
            row.title
            for row in read_rows(home)
            if row.published and row.published <= day and len(plain(row.title)) >= _LONG
        }
    )
    return random.Random(f"{seed}|lower-level title").choice(titles) if titles else ""  # noqa: S311


async def ipv6_state(host: str, port: int, guard: Guard, listed: Sequence[str] | None = None) -> str:
    """Return how far a name's IPv6 address goes: reached, unreached, resolved, none; nothing if unknown.

    `listed` are the name's addresses where a hosts file gives them; else DNS is asked.
    """
    found = await _looked_up(host, port) if listed is None else listed
    if not found:
        return ""
    own = sorted(one for one in found if ":" in one and not one.lower().startswith("::ffff:"))
    return await _reached(own[0], port, guard) if own else "none"


async def _looked_up(host: str, port: int) -> Sequence[str]:
    """Return a name's addresses, IPv6 first; nothing for a name that does not resolve or may do so later."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, family=socket.AF_INET6, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        if error.errno not in (socket.EAI_NONAME, socket.EAI_NODATA):
            return ()
        try:
            found = await loop.getaddrinfo(host, port, family=socket.AF_INET, type=socket.SOCK_STREAM)
        except socket.gaierror:
            return ()
    return [str(one[4][0]) for one in found]


async def _reached(address: str, port: int, guard: Guard) -> str:
    try:
        guard.check_ip(address, port)
    except Forbidden:
        return ""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((address, port))  # sends nothing: only asks for a route
        except OSError:
            return "resolved"
    try:
        async with asyncio.timeout(_CONNECT):
            _, writer = await asyncio.open_connection(address, port)
    except (OSError, TimeoutError):
        return "unreached"
    writer.close()
    return "reached"
