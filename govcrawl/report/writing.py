"""Writes all documents of a quarter into one folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from govcrawl.items import GovcrawlError
from govcrawl.report.charts import charts
from govcrawl.report.document import write_document
from govcrawl.report.facts import Facts
from govcrawl.report.records import write_records
from govcrawl.report.repair import write_lists
from govcrawl.report.sheets import write_scores
from govcrawl.report.text import notice
from govcrawl.report.web import write_pages

FORMS = ("scores", "problems")


@dataclass(frozen=True, slots=True)
class Written:
    """What a report wrote."""

    folder: Path
    lists: int
    pages: int


def write_report(
    facts: Facts,
    out: Path,
    form: str,
    picture: Callable[[str], bytes | None],
    visits: Callable[[str], Iterable[Mapping[str, Any]]] = lambda _: (),
) -> Written:
    """Write notice.docx, scores.xlsx, repair/, web/ and data/.

    `picture` gives a screenshot by its hash, `visits` the visits of a site's home page in order.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        pictures = charts(facts)
        paragraphs = notice(facts, form)
        title = paragraphs[0].text.replace("\n", "")
        shown = tuple(pictures.values()) if form == "scores" else ()  # the other form tells no scores
        write_document(out / "notice.docx", title, paragraphs, shown)
        write_scores(out / "scores.xlsx", facts, pictures)
        write_records(out / "data", facts)
        lists = write_lists(out / "repair", facts, picture)
        pages = write_pages(out / "web", facts, paragraphs, pictures, visits)
    except OSError as error:
        raise GovcrawlError(f"{error.filename or out}: cannot be written ({error.strerror})") from error
    return Written(out, lists, pages)
