"""Reads tables as offices export them: CSV or XLSX, UTF-8 or GBK, titles above the header, Excel dates."""

from __future__ import annotations

import csv
import io
import re
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from openpyxl import load_workbook

from govcrawl.items import GovcrawlError
from govcrawl.quarter import SHANGHAI

MAX_BYTES = 16 * 1024 * 1024
MAX_UNPACKED = 64 * 1024 * 1024
MAX_ROWS = 50_000
MAX_COLUMNS = 60

_TITLES = 12  # rows above the header: a title, a note, who filled the table in
_LISTED = 100  # faults of a report; more are counted
_SUMS = ("合计", "总计", "小计", "注:", "备注:", "填报人", "说明:")
_EPOCH = datetime(1899, 12, 30, tzinfo=SHANGHAI)  # day 0 of Excel, its leap year of 1900 taken into account
_SERIAL = re.compile(r"[2-9][0-9]{4}(?:\.[0-9]+)?")
_DATE = re.compile(
    r"(20[0-9]{2})[-/.年]([0-9]{1,2})[-/.月]([0-9]{1,2})日?"
    r"(?:[ T]*([0-9]{1,2})[::时]([0-9]{1,2})分?(?:[::]?([0-9]{1,2})(?:\.[0-9]+)?秒?)?)?"
)
_BLANKS = re.compile(r"[\s\u3000\u200b\ufeff]+")

Value = Any  # what a cell holds: text, number, date, None


class ImportFileError(GovcrawlError):
    """A table that cannot be used; `problems` has one line a fault, in row order."""

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        head = f"{source}: {len(self.problems)} faults, nothing was imported"
        more = [f"… and {len(self.problems) - _LISTED} more"] if len(self.problems) > _LISTED else []
        lines = [head, *self.problems[:_LISTED], *more]
        super().__init__(f"{source}: {self.problems[0]}" if len(self.problems) == 1 else "\n".join(lines))


@dataclass(frozen=True, slots=True)
class Column:
    """A column by its names in exports (the first is the one to recommend) and how a cell of it is read."""

    names: tuple[str, ...]
    read: Callable[[Value], object]
    required: bool = True


def read_sheet(data: bytes, columns: Mapping[str, Column], source: str) -> list[dict[str, Any]]:
    """Return one dictionary a data row, by the keys of `columns`, with its row number under "row".

    The header is the first row that names every required column; what stands above is a title, sums and
    notes below are left out. Raises ImportFileError with every fault of the file.
    """
    try:
        rows = list(_rows(data))
    except ValueError as error:
        raise ImportFileError(source, [str(error)]) from error
    at, places = _header(rows, columns, source)
    records, faults = [], []
    for number, cells in rows:
        if number <= at or _skipped(cells):
            continue
        record, bad = _record(cells, places, columns)
        faults += [f"row {number}, {what}" for what in bad]
        records.append(record | {"row": number})
    if faults or not records:
        raise ImportFileError(source, faults or ["the table names its columns but holds no row"])
    return records


def _record(
    cells: Sequence[Value], places: Mapping[str, int], columns: Mapping[str, Column]
) -> tuple[dict[str, Any], list[str]]:
    record: dict[str, Any] = {}
    faults = []
    for key, column in columns.items():
        place = places.get(key)
        cell = cells[place] if place is not None and place < len(cells) else None
        if not _text(cell):
            record[key] = None
            if column.required:
                faults.append(f"{column.names[0]}: is empty")
            continue
        try:
            record[key] = column.read(cell)
        except ValueError as error:
            faults.append(f"{column.names[0]}: {error}")
    return record, faults


def _header(
    rows: Iterable[tuple[int, Sequence[Value]]], columns: Mapping[str, Column], source: str
) -> tuple[int, dict[str, int]]:
    best: list[str] = [column.names[0] for column in columns.values() if column.required]
    for number, cells in list(rows)[:_TITLES]:
        heads = [_BLANKS.sub("", _text(cell)).lower() for cell in cells]
        places = {
            key: heads.index(name.lower())
            for key, column in columns.items()
            for name in reversed(column.names)
            if name.lower() in heads
        }
        missing = [one.names[0] for key, one in columns.items() if one.required and key not in places]
        if not missing:
            return number, places
        best = min(best, missing, key=len)
    raise ImportFileError(source, [f"no row names the columns {'、'.join(best)}; add a header row with them"])


def _skipped(cells: Sequence[Value]) -> bool:
    first = next((text for cell in cells if (text := _BLANKS.sub("", _text(cell)))), "")
    return not first or first.replace("：", ":").startswith(_SUMS)


def _rows(data: bytes) -> Iterator[tuple[int, Sequence[Value]]]:
    if len(data) > MAX_BYTES:
        raise ValueError(f"the file has more than {MAX_BYTES // 2**20} MiB; split it")
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise ValueError(
            "the file is an old or protected Excel workbook; save it without a password as .xlsx"
        )
    rows = _xlsx(data) if data.startswith(b"PK") else _csv(_decoded(data))
    for number, cells in enumerate(rows, start=1):
        if number > MAX_ROWS:
            raise ValueError(f"the table has more than {MAX_ROWS} rows; split it")
        yield number, cells


def _decoded(data: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise ValueError("the file is neither CSV text (UTF-8 or GBK) nor an .xlsx workbook; save it as .xlsx")


def _csv(text: str) -> Iterator[Sequence[Value]]:
    first = text[:4000]
    delimiter = "\t" if first.count("\t") > first.count(",") else ","
    try:
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    except csv.Error as error:
        raise ValueError(
            f"the quotation marks of the CSV are not in order ({error}); save it again"
        ) from error


def _xlsx(data: bytes) -> list[Sequence[Value]]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(member.file_size for member in archive.infolist())
        book = _book(data) if size <= MAX_UNPACKED else None
    except Exception as error:  # whatever a damaged or hostile workbook makes openpyxl raise
        raise ValueError("the workbook is damaged or no .xlsx; open it and save it again as .xlsx") from error
    if book is None:
        raise ValueError(f"the workbook unpacks to over {MAX_UNPACKED // 2**20} MiB; keep only the table")
    sheet = next((one for one in book.worksheets if one.sheet_state == "visible"), None)
    if sheet is None or sheet.max_row > MAX_ROWS or sheet.max_column > MAX_COLUMNS:
        raise ValueError("the first sheet is missing or reaches too far; keep only the table on it")
    rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    for area in sheet.merged_cells.ranges:
        # A city merged over its rows belongs to each of them; a title merged over columns stays one cell.
        for row in range(area.min_row, area.max_row):
            rows[row][area.min_col - 1] = rows[area.min_row - 1][area.min_col - 1]
    return [tuple(row) for row in rows]


def _book(data: bytes) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl warns of styles and validations, which are not read
        return load_workbook(io.BytesIO(data), data_only=True, keep_links=False)


def _text(cell: Value) -> str:
    return "" if cell is None else str(cell).strip(" \t\r\n\u3000\ufeff\u200b\xa0")


def text(cell: Value) -> str:
    """Read a cell as text on one line; a whole number loses its decimals."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return _BLANKS.sub(" ", _text(cell))


def moment(cell: Value) -> datetime:
    """Read a date, with or without a time, in Chinese time; ValueError says how to write it."""
    if isinstance(cell, datetime):
        return cell.replace(tzinfo=SHANGHAI, microsecond=0)
    if isinstance(cell, date):
        return datetime.combine(cell, time(), SHANGHAI)
    shown = _text(cell)
    if _SERIAL.fullmatch(shown):
        return _EPOCH + timedelta(seconds=round(float(shown) * 86_400))
    match = _DATE.fullmatch(shown.replace("：", ":"))
    try:
        return datetime(*(int(part or 0) for part in match.groups()), tzinfo=SHANGHAI)  # type: ignore[union-attr,misc,arg-type]
    except (AttributeError, ValueError):
        raise ValueError(f"{shown[:40]!r} is no date; write 2023-08-01 or 2023-08-01 09:30") from None


def decimal(cell: Value) -> Decimal:
    """Read an exact number; what Excel keeps as a float is read as it is shown."""
    try:
        found = Decimal(_text(cell).rstrip("分"))
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite():
        raise ValueError(f"{_text(cell)[:40]!r} is no number; write one such as 115.8")
    return found


def choice(words: Mapping[str, str]) -> Callable[[Value], str]:
    """Return a reader of one of these words."""

    def read(cell: Value) -> str:
        shown = text(cell)
        if shown not in words:
            raise ValueError(f"{shown[:40]!r} is unknown; write {'、'.join(dict.fromkeys(words))}")
        return words[shown]

    return read
