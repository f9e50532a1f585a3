"""What one inspection was asked to do; travels from the command to its worker processes."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Self
from urllib.parse import urlsplit

from govcrawl import __version__
from govcrawl.items import NotConfigured
from govcrawl.secrets import secret

VARIABLE = "GOVCRAWL_OPTIONS"  # the environment, not the command line: a MongoDB URI may hold a password


@dataclass(frozen=True, slots=True)
class Options:
    """Parameters of a run; seconds and counts unless said otherwise."""

    quarter: str = ""
    at: str = ""
    mongo: str = ""  # empty: the embedded server
    run: str = ""  # empty: a run of its own (`scrapy crawl`)
    owner: str = ""
    sites: tuple[str, ...] = ()  # empty: all of the roster
    registry: str = ""  # roster file; empty: the built-in one
    edition: str = ""  # edition file; empty: the one in force
    lexicon: str = ""  # file of wrong expressions; empty: the sample in the package
    domains: str = ""  # file of domains no page should lead to; empty: the sample in the package
    hosts: str = ""  # file with the public addresses of sites (hosts(5)): IPv6 is judged by it, not by DNS
    proxy: str = ""
    contact: str = ""  # mail address of the office, shown to every server; empty: postmaster of this machine
    replay: str = ""  # folder or WARC that answers instead of the network
    source: str = ""  # a run whose stored pages, links and facts answer instead of the network: a recheck
    screenshots: int = 6  # pictures a site, its home page included
    delay: float = 0.25
    per_host: int = 4
    workers: int = 1
    sites_at_once: int = 24
    page_budget: int = 300
    link_budget: int = 1500
    site_seconds: float = 7200.0
    retry_waits: tuple[float, ...] = (0.5, 2.0, 6.0)  # before each further try of a page
    link_waits: tuple[float, ...] = (1.0, 4.0, 15.0)  # before each further try of a link target
    browser: bool = True
    chromium: str = ""  # path of the browser; else the first of browser.EXECUTABLES
    lease_seconds: float = 120.0
    window: str = ""  # hours of the day, Beijing time, sites may be crawled in, such as 20:00-06:00
    per_day: int = 0  # requests of a site a day; 0: no limit
    timetable: str = ""  # file in which the processes of a machine keep the pace together
    request_log: str = ""  # folder in which each process notes its requests
    allow: tuple[str, ...] = ()  # inner addresses, networks or hosts (and ports) that may be reached

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Return the options a supervisor left for its workers, over defaults with GOVCRAWL_* variables."""
        plain = cls(
            quarter=environment.get("GOVCRAWL_QUARTER", ""),
            at=environment.get("GOVCRAWL_AT", ""),
            mongo=secret("GOVCRAWL_MONGO", environment),
            registry=environment.get("GOVCRAWL_REGISTRY", ""),
            hosts=environment.get("GOVCRAWL_HOSTS", ""),
            proxy=environment.get("GOVCRAWL_PROXY", ""),
            contact=environment.get("GOVCRAWL_CONTACT", ""),
            timetable=environment.get("GOVCRAWL_TIMETABLE", ""),
            allow=tuple(environment.get("GOVCRAWL_ALLOW", "").split()),
        )
        try:
            given = json.loads(environment.get(VARIABLE) or "{}")
        except ValueError as error:
            raise NotConfigured(f"{VARIABLE} is not JSON: {error}") from error
        known = {field.name for field in fields(cls)}
        given = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
        return plain.with_(**{name: value for name, value in given.items() if name in known})

    @property
    def user_agent(self) -> str:
        """What every request calls itself, with an address its receiver can write to."""
        contact = self.contact or f"postmaster@{socket.gethostname()}"
        return f"Mozilla/5.0 (compatible; govcrawl/{__version__}; website inspection; +mailto:{contact})"

    def egress(self) -> list[str]:
        """Return what the guard lets through besides public addresses: `allow` and the proxy itself."""
        return [*self.allow, *([urlsplit(self.proxy).netloc.rpartition("@")[2]] if self.proxy else [])]

    def budgets(self) -> dict[str, int]:
        """Return what bounds the pages and links of a site: a recheck goes by the same."""
        return {"page_budget": self.page_budget, "link_budget": self.link_budget}

    def to_environment(self) -> dict[str, str]:
        """Return the environment variable that carries these options."""
        return {VARIABLE: json.dumps(asdict(self), ensure_ascii=False)}

    def with_(self, **changes: object) -> Self:
        """Return a copy with some values replaced."""
        return replace(self, **changes)  # type: ignore[arg-type]
