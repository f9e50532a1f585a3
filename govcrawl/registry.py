"""Rule binding: `@rule("V3")` joins a code of the edition to one check function and its examples."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from govcrawl.inspection import Inspection
from govcrawl.items import Evidence, GovcrawlError, LinkCheck, LinkState, Page, Role, Site
from govcrawl.quarter import SHANGHAI

Check = Callable[..., Iterator[Evidence]]
EXAMPLE_SITE = Site("example", "示例市人民政府", "portal", "city", "339900", "", "http://www.example.gov.cn/")
_ARGUMENTS = {
    "page",
    "site",
    "window",
    "second_window",
    "limit",
    "threshold",
    "lacking",
    "sample",
    "seconds",
    "working_days",
    "due",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One bound check: its scope (`page` or `site`), what merges its occurrences, its examples."""

    code: str
    name: str
    check: Check
    scope: str
    arguments: tuple[str, ...]
    merge: str
    fails: tuple[Page | Inspection, ...] = field(repr=False)
    passes: tuple[Page | Inspection, ...] = field(repr=False)

    @property
    def doc(self) -> str:
        """The fault in one sentence."""
        return (inspect.getdoc(self.check) or "").split("\n")[0]


_RULES: dict[str, Rule] = {}


def rule(
    code: str,
    *,
    fails: Sequence[Page | Inspection],
    passes: Sequence[Page | Inspection],
    merge: str = "",
) -> Callable[[Check], Check]:
    """Bind a check to a code of the edition.

    The first parameter of the check names its scope: `page` (run on every page read) or `site` (an
    Inspection, run once). Further parameters are taken from the edition by name: window, second_window,
    limit, threshold, lacking, sample, seconds, working_days; `due` is the edition's table of how often
    columns are due. `merge` says what counts once over all pages: "" every occurrence, "observed" every
    distinct observation, "site" the whole site.
    Raises GovcrawlError at import for a declaration that contradicts itself.
    """

    def bind(check: Check) -> Check:
        names = tuple(inspect.signature(check).parameters)
        if not names or names[0] not in ("page", "site") or not set(names) <= _ARGUMENTS:
            raise GovcrawlError(
                f"rule {code}: {check.__name__}{names} must start with page or site; "
                f"known: {sorted(_ARGUMENTS)}"
            )
        if code in _RULES and _RULES[code].check.__module__ != check.__module__:
            raise GovcrawlError(f"rule {code} is bound twice: {_RULES[code].name} and {check.__name__}")
        if not fails or not passes:
            raise GovcrawlError(f"rule {code} needs an example that fails and one that passes")
        if merge not in ("", "observed", "site"):
            raise GovcrawlError(f"rule {code}: merge is '{merge}'; it is '', 'observed' or 'site'")
        _RULES[code] = Rule(
            code, check.__name__, check, names[0], names[1:], merge, tuple(fails), tuple(passes)
        )
        return check

    return bind


def rules() -> Mapping[str, Rule]:
    """Return all bound rules by code, importing every module under `govcrawl.indicators` once."""
    import govcrawl.indicators as package  # noqa: PLC0415  (a cycle otherwise: indicators import this module)

    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
    return dict(sorted(_RULES.items()))


# --- examples -----------------------------------------------------------------------------------------------


def page(
    html: str,
    *,
    at: str = "2023-09-20",
    url: str = "",
    role: Role = Role.HOME,
    column: str = "",
    site: Site = EXAMPLE_SITE,
    error: str | None = None,
    included: Mapping[str, str] | None = None,
) -> Page:
    """Return a page of an example site from a snippet of HTML; `url` is a path on that site."""
    address = site.url if not url else url if "://" in url else site.url.rstrip("/") + url
    return Page(
        site=site,
        quarter="2023Q3",
        url=address,
        at=datetime.fromisoformat(at).replace(tzinfo=SHANGHAI),  # aware, as in an inspection
        role=role,
        status=None if error else 200,
        error=error,
        column=column,
        headers=(("Content-Type", "text/html"),),
        body=html.encode(),
        included=included or {},
    )


def column(html: str, url: str, name: str = "", *, at: str = "2023-09-20") -> Page:
    """Return a column page of an example site."""
    return page(html, url=url, role=Role.COLUMN, column=name, at=at)


def visit(*pages: Page, links: Mapping[str, LinkState] | None = None) -> Inspection:
    """Return an inspection that has seen these pages, the home page first, and these link verdicts."""
    first = pages[0]
    inspection = Inspection(first.site, first.quarter, first.at)
    for one in pages:
        inspection.add(one)
    for target, state in (links or {}).items():
        inspection.checks[target] = LinkCheck(target, state, status=404 if state is LinkState.DEAD else 200)
    return inspection


def menu(*columns: tuple[str, str]) -> str:
    """Return a navigation bar of (name, path) columns."""
    entries = "".join(f'<li><a href="{path}">{name}</a></li>' for name, path in columns)
    return f"<ul class=nav>{entries}</ul>"


def listing(*rows: tuple[str, str]) -> str:
    """Return a list of (title, date) rows with addresses of their own."""
    entries = "".join(
        f'<li><a href="/a/{index}.html">{title}</a><span>{day}</span></li>'
        for index, (title, day) in enumerate(rows)
    )
    return f"<ul>{entries}</ul>"


def evidence_of(found: Iterable[Evidence]) -> tuple[Evidence, ...]:
    """Run a check to its end and return what it yielded."""
    return tuple(found)
