"""Compare what the readings see on labelled real pages with their labels (`make accuracy [PAGES=DIR]`).

The folder holds saved pages and an `index.csv`; `NNN.footer.js` beside a page is the script that writes its
footer. How the labels are used:

* A footer mark labelled `yes` is right when it is `present`. One labelled `no` is right when it is not
  claimed: `absent`, or `unseen` where a script or frame that was not saved may hold it. Where the folder has
  the footer's script, the page without it must give `unseen`: `absent` would claim a fault that is not there,
  and counts as wrong. `unseen` where the label says `yes` counts as missed.
* `doubtful` labels are listed with what was read and take no part in the figures.
* A contact is labelled `yes` when the footer has either the detail or the link.
* A tag's label that ends inside markup (`...<div`) was cut when it was taken; it is listed, not counted.
* An article's date is unambiguous when the page has a PubDate tag or shows a single date that neither its
  address nor another tag of publication contradicts; the contradicted ones are counted apart.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from govcrawl.extract.article import read_article  # noqa: E402
from govcrawl.extract.dates import date_in_url, parse_date  # noqa: E402
from govcrawl.extract.footer import MARKS, footer_sources, read_footer  # noqa: E402
from govcrawl.extract.role import page_role  # noqa: E402
from govcrawl.extract.tags import read_tags  # noqa: E402
from govcrawl.items import Page, Site  # noqa: E402

AT = datetime(2025, 1, 1, tzinfo=UTC)
LABELS = {
    "party_government_mark": "has_conac",
    "site_code": "has_site_code",
    "icp": "has_icp",
    "police": "has_police",
    "organizer": "has_host_unit",
    "find_error": "has_find_error",
}
VALUES = {"site_code": "site_code", "icp": "icp", "police": "police", "organizer": "host_unit"}
TAGS = ("SiteName", "SiteDomain", "SiteIDCode", "ColumnName", "ColumnType", "ArticleTitle", "PubDate")
TARGETS = {"footer marks": 0.98, "find_error": 0.98, "tags": 0.99, "article date": 0.97, "page role": 0.95}
# A plain look into a footer script, independent of the readings.
IN_SCRIPT = {
    "party_government_mark": r"conac\.cn",
    "site_code": r"标识码\D{0,3}\w{8,10}",
    "icp": r"ICP备\s?\d",
    "police": r"公网安备\s?\d",
    "organizer": r"主办(?:单位)?[:：]",
    "contact": r"电话[:：]?\d|地址[:：]",
    "find_error": r"jiucuo",
}

Row = dict[str, str]


@dataclass
class Tally:
    """Counts of one reading over some pages."""

    labelled: int = 0
    right: int = 0
    found_right: int = 0
    found_wrong: int = 0
    missed: int = 0
    unseen: int = 0

    @property
    def precision(self) -> float | None:
        """How much of what was reported is so."""
        return _ratio(self.found_right, self.found_right + self.found_wrong)

    @property
    def recall(self) -> float | None:
        """How much of what is there was reported."""
        return _ratio(self.found_right, self.found_right + self.missed)

    def figures(self) -> dict[str, object]:
        """Return the counts with their ratios, for the JSON file."""
        ratios = {
            "precision": self.precision,
            "recall": self.recall,
            "accuracy": _ratio(self.right, self.labelled),
        }
        return asdict(self) | {"wrong": self.labelled - self.right} | ratios


@dataclass
class Board:
    """All tallies by reading and origin, the misses and the doubtful labels."""

    tallies: dict[str, dict[str, Tally]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(Tally))
    )
    groups: dict[str, dict[str, Tally]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(Tally))
    )
    misses: list[dict[str, str]] = field(default_factory=list)
    doubtful: list[dict[str, str]] = field(default_factory=list)

    def note(
        self, reading: str, row: Row, wanted: str | None, got: str | None, *, unseen: bool = False
    ) -> None:
        """Count one reading of one page; None means that nothing is there, or that nothing was reported."""
        right = wanted == got and not (unseen and wanted is not None)
        for tally in (
            *(self.tallies[name][origin] for name in _totals(reading) for origin in ("all", row["origin"])),
            self.groups[reading][row["group"]],
        ):
            tally.labelled += 1
            tally.right += right
            tally.unseen += unseen
            tally.found_right += right and got is not None
            tally.found_wrong += got is not None and not right
            tally.missed += wanted is not None and not right
        if not right:
            self.misses.append(
                {"reading": reading, "file": row["file"], "label": str(wanted), "read": str(got)}
            )


def _totals(reading: str) -> tuple[str, ...]:
    if reading in MARKS and reading != "find_error":
        return reading, "footer marks"
    return (reading, "tags") if reading.startswith("tag ") else (reading,)


def main(argv: list[str] | None = None) -> int:
    """Print the table, write the JSON file and return 0; 2 where there is nothing to compare."""
    parser = argparse.ArgumentParser(description="Compare the readings with labelled real pages.")
    parser.add_argument(
        "pages", nargs="?", default=str(ROOT.parent / "shared" / "pages"), help="folder with index.csv"
    )
    parser.add_argument("--out", default=str(ROOT / "bench" / "accuracy.json"), help="JSON file to write")
    args = parser.parse_args(argv)
    folder = Path(args.pages)
    try:
        rows = list(csv.DictReader((folder / "index.csv").open(encoding="utf-8-sig", newline="")))
    except OSError as error:
        print(f"accuracy: cannot read {folder / 'index.csv'}: {error.strerror}", file=sys.stderr)
        return 2
    rows = [row for row in rows if (folder / row["file"]).is_file()]
    board = Board()
    for row in rows:
        _footer(board, folder, row)
        _role(board, folder, row)
        _tags(board, folder, row)
    dates = _dates(board, folder, rows)
    _print(board, dates, len(rows))
    Path(args.out).write_text(
        json.dumps(_result(board, dates, rows), ensure_ascii=False, indent=1), encoding="utf-8"
    )
    return 0


# --- one page -----------------------------------------------------------------------------------------


def _page(folder: Path, row: Row, included: dict[str, str] | None = None) -> Page:
    """Build the page as a visit would; a page whose address is not known gets a neutral one."""
    url, _, remark = row["original_url"].strip().partition(" ")
    host = urlsplit(url).hostname or "site.invalid"
    address = url if url and not remark else f"http://{host}/page"
    site = Site(row["file"], row["site_as_shown"], "portal", "city", "", "", f"http://{host}/")
    body = (folder / row["file"]).read_bytes()
    return Page(site, "2025Q1", address, AT, body=body, included=included or {})


def _footer(board: Board, folder: Path, row: Row) -> None:
    page = _page(folder, row)
    footer = read_footer(page)
    script = folder / f"{Path(row['file']).stem}.footer.js"
    for name in MARKS:
        mark = footer[name]
        label = _label(row, name)
        if label == "doubtful":
            read = f"{mark.state} {mark.where} {mark.value}".strip()
            board.doubtful.append({"reading": name, "file": row["file"], "read": read})
            continue
        got = "yes" if mark.state == "present" else None
        if label == "no" and script.is_file() and mark.state == "absent":
            got = "claimed missing"
        board.note(name, row, "yes" if label == "yes" else None, got, unseen=mark.state == "unseen")
        column = VALUES.get(name)
        if column and label == "yes" and mark.state == "present" and row[column]:
            board.note(f"value of {name}", row, _bare(row[column]), _bare(mark.value, row[column]))
    if script.is_file():
        _with_script(board, folder, row, page, script)


def _with_script(board: Board, folder: Path, row: Row, page: Page, script: Path) -> None:
    """Read the page again with its script fetched: first of what the page says may hold the footer."""
    text = script.read_text(encoding="utf-8", errors="replace")
    sources = footer_sources(page)
    footer = read_footer(_page(folder, row, {sources[0]: text} if sources else {}))
    for name, pattern in IN_SCRIPT.items():
        wanted = "yes" if re.search(pattern, text) else None
        got = "yes" if footer[name].state == "present" else None
        board.note("marks with the script", row, wanted and f"{name} {wanted}", got and f"{name} {got}")


def _label(row: Row, name: str) -> str:
    if name != "contact":
        return row[LABELS[name]]
    labels = (row["has_contact_detail"], row["has_contact_link"])
    return "yes" if "yes" in labels else "doubtful" if "doubtful" in labels else "no"


def _bare(text: str, like: str = "") -> str:
    """Compare numbers by their digits and units by their characters."""
    digits = re.sub(r"\D", "", text)
    return digits if len(re.sub(r"\D", "", like or text)) >= 6 else re.sub(r"[\s、，,·]+", "", text)


def _role(board: Board, folder: Path, row: Row) -> None:
    wanted = {"list": "column"}.get(row["page_kind"], row["page_kind"])
    board.note("page role", row, wanted, page_role(_page(folder, row)).value)


def _tags(board: Board, folder: Path, row: Row) -> None:
    tags = read_tags(_page(folder, row))
    for name in TAGS:
        label = row[f"meta_{name}"].strip()
        if label.rfind("<") > label.rfind(">"):
            read = f"{tags.get(name)}, label {label}"
            board.doubtful.append({"reading": f"tag {name}", "file": row["file"], "read": read})
            continue
        wanted = "" if label == "(present, empty)" else " ".join(label.split()) or None
        board.note(f"tag {name}", row, wanted, tags.get(name))


# --- article dates ------------------------------------------------------------------------------------

_TAG_DATE = re.compile(
    rb"""<meta[^>]{0,200}?name=["']?(?:firstpublishedtime|publishdate)["']?[^>]{0,80}?content=["']?([^"'>]{8,25})""",
    re.IGNORECASE,
)


def _dates(board: Board, folder: Path, rows: list[Row]) -> dict[str, dict[str, object]]:
    """Read the dates of article pages, and with htmldate on the same pages, timing both."""
    articles = [(row, day) for row in rows if row["page_kind"] == "article" and (day := _day(row))]
    ours, their = _timed(articles, folder, _our_date), _timed(articles, folder, _htmldate())
    contested = 0
    for (row, day), (read, _), (other, _) in zip(articles, ours, their, strict=True):
        if _contradicted(folder, row, day):
            contested += 1
            board.doubtful.append(
                {
                    "reading": "article date",
                    "file": row["file"],
                    "read": f"{read}, label {day}, htmldate {other}",
                }
            )
            continue
        board.note("article date", row, day, read)
        board.note("htmldate", row, day, other)
    days = [day for _, day in articles]
    figures: dict[str, dict[str, object]] = {}
    for name, read in (("article date", ours), ("htmldate", their)):
        agreed = sum(got == day for (got, _), day in zip(read, days, strict=True))
        spent = 1000 * sum(seconds for _, seconds in read) / max(len(read), 1)
        figures[name] = {
            "as labelled": f"{agreed} of {len(days)}",
            "contested labels": contested,
            "ms per page": round(spent, 2),
        }
    return figures


def _day(row: Row) -> str:
    if day := parse_date(row["meta_PubDate"]):
        return day.isoformat()
    return row["date_min"] if row["dates_seen"] == "1" else ""


def _contradicted(folder: Path, row: Row, day: str) -> bool:
    if row["meta_PubDate"]:
        return False
    found = [date_in_url(row["original_url"])]
    if match := _TAG_DATE.search((folder / row["file"]).read_bytes()):
        found.append(parse_date(match[1].decode("utf-8", "replace")))
    return any(other is not None and other.isoformat() != day for other in found)


def _timed(
    articles: list[tuple[Row, str]], folder: Path, read: Callable[[Page], str | None]
) -> list[tuple[str | None, float]]:
    results = []
    for row, _ in articles:
        page = _page(folder, row)
        start = time.perf_counter()
        day = read(page)
        results.append((day, time.perf_counter() - start))
    return results


def _our_date(page: Page) -> str | None:
    day = read_article(page).published
    return day.isoformat() if day else None


def _htmldate() -> Callable[[Page], str | None]:
    from htmldate import find_date  # noqa: PLC0415

    def read(page: Page) -> str | None:
        url = None if page.url.endswith("/page") else page.url
        return find_date(page.text, url=url, original_date=True, max_date="2030-01-01")

    return read


# --- output -------------------------------------------------------------------------------------------


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _show(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _lines(board: Board) -> Iterator[str]:
    yield f"{'reading':24}{'origin':10} labelled  right  wrong  unseen  precision  recall"
    for reading, origins in board.tallies.items():
        for origin, tally in sorted(origins.items(), key=lambda item: (item[0] != "all", item[0])):
            wrong = tally.labelled - tally.right
            name = reading if origin == "all" else ""
            yield (
                f"{name:24}{origin:10}{tally.labelled:9}{tally.right:7}{wrong:7}"
                f"{tally.unseen:8}{_show(tally.precision):>11}{_show(tally.recall):>8}"
            )


def _print(board: Board, dates: dict[str, dict[str, object]], pages: int) -> None:
    print(f"{pages} pages\n")
    print("\n".join(_lines(board)))
    print("\nmisses")
    for miss in board.misses:
        print(f"  {miss['reading']:24} {miss['file']:12} label {miss['label']}, read {miss['read']}")
    print("\ndoubtful labels, not counted")
    for item in board.doubtful:
        print(f"  {item['reading']:24} {item['file']:12} {item['read']}")
    print("\narticle dates")
    for name, figures in dates.items():
        print(f"  {name:14} " + ", ".join(f"{key} {value}" for key, value in figures.items()))
    print("\ntargets")
    for reading, target in TARGETS.items():
        tally = board.tallies[reading]["all"]
        reached = min(tally.precision or 0, tally.recall or 0)
        print(
            f"  {reading:14} at least {target}: {reached:.3f} {'reached' if reached >= target else 'MISSED'}"
        )


def _result(board: Board, dates: dict[str, dict[str, object]], rows: list[Row]) -> dict[str, object]:
    return {
        "pages": len(rows),
        "readings": _tables(board.tallies),
        "groups": _tables(board.groups),
        "article dates": dates,
        "misses": board.misses,
        "doubtful": board.doubtful,
        "targets": TARGETS,
    }


def _tables(tallies: dict[str, dict[str, Tally]]) -> dict[str, dict[str, object]]:
    return {
        reading: {origin: tally.figures() for origin, tally in origins.items()}
        for reading, origins in tallies.items()
    }


if __name__ == "__main__":
    sys.exit(main())
