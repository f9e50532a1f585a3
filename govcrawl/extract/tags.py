"""Page tags of 国办发〔2017〕47号: which meta tags a page carries (D4.7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from govcrawl.extract.text import view
from govcrawl.items import Page

Group = Literal["site", "column", "content"]

# What a checker of page tags asks for, by kind of page (section 8.3 of the standard's notes).
GROUPS: Mapping[Group, tuple[str, ...]] = MappingProxyType(
    {
        "site": ("SiteName", "SiteDomain", "SiteIDCode"),
        "column": ("ColumnName", "ColumnType", "ColumnKeywords", "ColumnDescription"),
        "content": ("ArticleTitle", "PubDate", "ContentSource"),
    }
)


@dataclass(frozen=True, slots=True)
class Tags:
    """The named meta tags of a page; names compare without regard to case."""

    contents: Mapping[str, str]

    def get(self, name: str) -> str | None:
        """Return a tag's content: None when the tag is absent, an empty string when it says nothing."""
        return self.contents.get(name.lower())

    def missing(self, group: Group) -> tuple[str, ...]:
        """Return the group's tags that are absent or empty."""
        return tuple(name for name in GROUPS[group] if not self.get(name))


def read_tags(page: Page) -> Tags:
    """Read every `<meta name=... content=...>`; of a repeated tag the first that says something counts."""
    known = page.cache.get("tags")
    if isinstance(known, Tags):
        return known
    contents: dict[str, str] = {}
    for meta in view(page).nodes.get("meta", ()):
        name = (meta.get("name") or meta.get("property") or "").strip().lower()
        content = " ".join((meta.get("content") or "").split())
        if name and not contents.get(name):
            contents[name] = content
    tags = Tags(MappingProxyType(contents))
    page.cache["tags"] = tags
    return tags
