"""Whether a site has a column of a kind at all; shared by the rules on missing columns."""

from __future__ import annotations

import re
from collections.abc import Iterator

from govcrawl.extract.columns import ColumnType
from govcrawl.inspection import Inspection
from govcrawl.items import CantTell, Evidence
from govcrawl.registry import menu, page, visit


def with_menu(*names: str) -> Inspection:
    """Return an example: a site whose home page leads to columns of these names."""
    return visit(page(menu(*((name, f"/c{place}/") for place, name in enumerate(names)))))


def absent_column(site: Inspection, kind: ColumnType, named: str = "") -> Iterator[Evidence]:
    """Yield one evidence where no column is of this kind nor has a name that says the same."""
    if site.home is None or site.home.error:
        raise CantTell("the home page could not be read")
    if not site.columns:
        raise CantTell("no columns were found")
    if any(one.kind is kind or (named and re.search(named, one.name)) for one in site.columns.values()):
        return
    elsewhere = site.away.get(kind, "")
    yield Evidence(
        site.site.url,
        f"未见{kind}栏目",
        expected=f"开设{kind}栏目",
        excerpt=elsewhere and f"通向其他网站：{elsewhere}",
    )
