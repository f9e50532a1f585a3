"""The policy files, interpretations and data pages of one site, and which of them belong together.

`Documents.add` reads a page once. What a page is follows from the page and its column's name alone, so that
the order of arrival does not matter.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date

from govcrawl.extract.article import read_article
from govcrawl.extract.columns import ColumnType, column_type
from govcrawl.extract.data import read_data
from govcrawl.extract.links import Link
from govcrawl.extract.media import read_media
from govcrawl.extract.policies import (
    TO_INTERPRETATION,
    TO_POLICY,
    Reference,
    core_names,
    is_interpretation,
    is_policy,
    names_any,
    names_document,
    quoted_names,
    read_references,
)
from govcrawl.items import Page, Role, Row

KINDS = (ColumnType.POLICY, ColumnType.INTERPRETATION, ColumnType.DATA)
_ROWS = 100  # of one column
_SITE_WORDS = 8  # 门户网站, 欢迎访问: what a site's name may stand among
_SPLIT = re.compile(r" ?[-_|—] ?")  # of a text with single spaces


@dataclass(frozen=True, slots=True)
class Listed:
    """A document as a column lists it."""

    url: str
    title: str
    column: str
    column_url: str


@dataclass(frozen=True, slots=True)
class Document:
    """A page that was read: what it is called, what it links to, what it shows and offers."""

    url: str
    title: str
    published: date | None = None
    references: tuple[Reference, ...] = ()
    media: tuple[str, ...] = ()
    offers: tuple[str, ...] = ()  # data to download or to call

    @property
    def names(self) -> tuple[str, ...]:
        """The documents its title names."""
        return quoted_names(self.title)


@dataclass
class Documents:
    """Documents by kind: `listed` from the columns, `read` from their pages."""

    listed: dict[ColumnType, dict[str, Listed]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    read: dict[str, Document] = field(default_factory=dict)
    data: dict[str, Document] = field(default_factory=dict)  # pages under data columns, these columns too

    def add(self, page: Page) -> None:
        """Read a page into the state; failed pages leave nothing."""
        if page.error or page.role is Role.HOME:
            return
        kind = column_type(page.column, page.url) if page.column else ColumnType.OTHER
        if kind is ColumnType.DATA:
            article = read_article(page)
            self.data[page.url] = Document(
                page.url, article.title, article.published, media=read_media(page), offers=read_data(page)
            )
        elif page.role is not Role.COLUMN:
            self._add_document(page, kind)

    def _add_document(self, page: Page, kind: ColumnType) -> None:
        title = read_article(page).title
        explains = kind is ColumnType.INTERPRETATION or is_interpretation(title)
        if explains or kind is ColumnType.POLICY or is_policy(title):
            media = read_media(page) if explains else ()
            self.read[page.url] = Document(page.url, title, None, read_references(page), media)

    def add_rows(self, page: Page, rows: Iterable[Row]) -> None:
        """Take note of what a column of policy files or interpretations lists of this site."""
        known = self.listed.get(column_type(page.column, page.url))
        if known is None:
            return
        for row in list(rows)[:_ROWS]:
            if page.site.owns(row.url):
                listed = Listed(row.url, row.title, page.column, page.url)
                other = known.get(row.url)
                known[row.url] = min(listed, other, key=lambda one: one.column_url) if other else listed

    def pages_of(self, kind: ColumnType) -> list[str]:
        """Return the addresses of the listed documents of a kind that are pages, in order."""
        return sorted(url for url in self.listed[kind] if not _is_file(url))

    # --- which belong together ------------------------------------------------------------------------------

    def policy_reference(self, document: Document) -> Reference | None:
        """Return the link of an interpretation to the policy file it explains."""
        pages_first = sorted(self._followed(document), key=lambda one: _is_file(one.url))
        for reference in pages_first:
            if is_interpretation(reference.text) or _own_file(reference, document):
                continue
            if TO_POLICY.fullmatch(reference.label) or names_any(document.names, reference.text):
                return reference
            if not document.names and self._leads_to_policy(reference):
                return reference
        return None

    def policy_doubt(self, document: Document, columns: Collection[str] = ()) -> str:
        """Tell why an interpretation without such a link may have one all the same; columns are no files."""
        for reference in document.references:
            if not reference.url and TO_POLICY.fullmatch(reference.label):
                return f"{document.url}: what stands under “{reference.label}” was not read"
            follows = reference.url and reference.url not in columns and not _own_file(reference, document)
            if follows and self._leads_to_policy(reference):
                return f"{document.url}: links to “{reference.text}”, which may be its policy file"
        return ""

    def policy_of(self, document: Document) -> str:
        """Return the address of the policy file an interpretation explains: by its link, else by the name."""
        reference = self.policy_reference(document)
        if reference and not _is_file(reference.url):
            return reference.url
        return self._named_policy(document) or (reference.url if reference else "")

    def _named_policy(self, document: Document) -> str:
        return next(
            (
                listed.url
                for _, listed in sorted(self.listed[ColumnType.POLICY].items())
                if names_any(document.names, listed.title) and not is_interpretation(listed.title)
            ),
            "",
        )

    def interpretation_reference(
        self, policy: Document, document: Document | None = None
    ) -> Reference | None:
        """Return the link of a policy file to its interpretation, to this one where it is known."""
        names = core_names(policy.title)
        for reference in self._followed(policy):
            if document and (
                _same(reference.url, document.url) or names_document(document.title, reference.text)
            ):
                return reference
            if TO_INTERPRETATION.fullmatch(reference.label):
                return reference
            if is_interpretation(reference.text) and names_any(names, reference.text):
                return reference
        return None

    def interpretation_doubt(self, policy: Document, columns: Collection[str] = ()) -> str:
        """Tell why a policy file without such a link may have one all the same; columns are none."""
        for reference in policy.references:
            if not reference.url and TO_INTERPRETATION.fullmatch(reference.label):
                return f"{policy.url}: what stands under “{reference.label}” was not read"
            follows = reference.url and reference.url not in columns
            if follows and self._leads_to_interpretation(reference):
                return f"{policy.url}: links to “{reference.text}”, which may be its interpretation"
        return ""

    def explained(self, url: str, title: str) -> bool:
        """Tell whether an interpretation of a policy file is known: by links either way or by its name."""
        policy = self.read.get(url)
        if policy is not None and self.interpretation_reference(policy):
            return True
        names = core_names(title)
        if any(names_any(names, listed.title) for listed in self.listed[ColumnType.INTERPRETATION].values()):
            return True
        return any(
            is_interpretation(document.title)
            and (names_any(names, document.title) or any(_same(url, one.url) for one in document.references))
            for document in self.read.values()
        )

    def _followed(self, document: Document) -> Iterator[Reference]:
        return (reference for reference in document.references if reference.url)

    def _leads_to_policy(self, reference: Reference) -> bool:
        return reference.url in self.listed[ColumnType.POLICY] or is_policy(reference.text)

    def _leads_to_interpretation(self, reference: Reference) -> bool:
        return reference.url in self.listed[ColumnType.INTERPRETATION] or is_interpretation(reference.text)


def _same(one: str, other: str) -> bool:
    """Tell whether two addresses are one, the scheme aside."""
    return bool(one) and one.partition("://")[2] == other.partition("://")[2]


def _is_file(url: str) -> bool:
    return Link(url, "", "a").is_attachment


def _own_file(reference: Reference, document: Document) -> bool:
    """Tell that a link leads to the document itself as a file: its text begins as its title does."""
    name = reference.text.rpartition(".")[0] or reference.text
    return _is_file(reference.url) and document.title.startswith(name.rstrip("…."))
