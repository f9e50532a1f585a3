"""Reads a CSV or XLSX file of bounded size into rows of text cells, each fault with its place."""

from __future__ import annotations

import csv
import io
import math
import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

MAX_BYTES = 16 * 1024 * 1024
MAX_UNPACKED = 32 * 1024 * 1024  # a sheet of 14,000 sites unpacks to about 10 MB
MAX_ROWS = 20_000
MAX_COLUMNS = 40  # openpyxl builds a cell for every place of the rectangle
MAX_MEMBERS = 1_000
EXACT_DIGITS = 15  # Excel keeps no more digits of a number

_ZIP = b"PK"
_OLE = b"\xd0\xcf\x11\xe0"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_AS_TEXT = "format the column as text and type it again"
_OLD = "the file is an old or protected Excel workbook; save it without a password as .xlsx"
_UNREAD = "The rows below were not read"
_TRIM = " \t\r\n\x0b\x0c\xa0\u2007\u202f\u3000\u200b\u200c\u200d\u2060\ufeff"


class TableError(ValueError):
    """The whole file cannot be read as a table; the argument says why and what to do."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A cell that cannot be trusted, or a whole row: what is wrong and what to do."""

    what: str


Cell = str | Fault


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row with the number a spreadsheet shows for it; `fault` condemns the row as a whole."""

    number: int
    cells: tuple[Cell, ...]
    fault: str = ""

    @property
    def blank(self) -> bool:
        """Tell whether no cell holds anything."""
        return not any(self.cells)


def read_table(data: bytes) -> list[TableRow]:
    """Return the rows that are not blank, header first; the bytes, not the file name, decide the format.

    Raises TableError when the file as a whole is unreadable (format, encoding, size).
    """
    if len(data) > MAX_BYTES:
        raise TableError(f"the file has more than {MAX_BYTES // 2**20} MiB; split it")
    if data.startswith(_OLE):
        raise TableError(_OLD)
    rows = _xlsx_rows(data) if data.startswith(_ZIP) else _csv_rows(_csv_text(data))
    return [row for row in rows if row.fault or not row.blank]


def trimmed(text: str) -> str:
    """Strip blanks, also the wide and invisible ones that copying from web pages leaves behind."""
    return text.strip(_TRIM)


def _csv_text(data: bytes) -> str:
    if data.startswith(_UTF16):
        raise TableError("the file is UTF-16 text; save it as UTF-8 (in Excel: CSV UTF-8)")
    if b"\0" in data:
        raise TableError("the file is neither CSV text nor an .xlsx workbook; save it as CSV UTF-8 or .xlsx")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        remedy = "save as UTF-8 (in Excel: CSV UTF-8)"
        raise TableError(f"{_guess(data)} (first at line {line}); {remedy}") from None


def _guess(data: bytes) -> str:
    try:
        data.decode("gb18030")
    except UnicodeDecodeError:
        return "the text is not UTF-8"
    return "the text is GBK, not UTF-8"


def _csv_rows(text: str) -> Iterator[TableRow]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    number = 0
    while True:
        number += 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield TableRow(number, (), _csv_fault(str(error)))
            return
        if number > MAX_ROWS:
            raise TableError(f"the file has more than {MAX_ROWS} rows; split it")
        yield TableRow(number, tuple(_from_text(cell) for cell in cells))


def _csv_fault(error: str) -> str:
    if "field larger" in error:
        return f"a value is too long; look for a quotation mark that is not closed. {_UNREAD}"
    return f"a quotation mark is not closed or stands inside a value; fix the quotes. {_UNREAD}"


def _from_text(cell: str) -> Cell:
    text = trimmed(cell)
    if text.startswith("="):
        return Fault(f"{shown(text)} is a formula; replace it by its value")
    if text.startswith("#") and text.rstrip("!?").upper() in _EXCEL_ERRORS:
        return Fault(f"{text} is a spreadsheet error; correct the value")
    return text


_EXCEL_ERRORS = {"#N/A", "#REF", "#NAME", "#VALUE", "#DIV/0", "#NUM", "#NULL"}


def shown(text: str) -> str:
    """Quote a value for a message, cut to a readable length, on one line."""
    flat = re.sub(r"[\x00-\x1f\x7f\u2028\u2029]+", " ", text)
    return f"{flat[:60]!r}" + ("…" if len(flat) > 60 else "")


def _xlsx_rows(data: bytes) -> Iterator[TableRow]:
    sheet = _first_sheet(data)
    if sheet.max_row > MAX_ROWS or sheet.max_column > MAX_COLUMNS:
        size = f"{sheet.max_row} rows by {sheet.max_column} columns"
        raise TableError(f"the sheet reaches over {size}; delete the unused ones around the table")
    merged = _merged(sheet)
    for number, row in enumerate(sheet.iter_rows(), start=1):
        cells = tuple(_from_cell(cell.value, cell.data_type) for cell in row)
        yield TableRow(number, cells, merged.get(number, ""))


def _first_sheet(data: bytes) -> Worksheet:
    try:
        sheets = _workbook(data)
    except TableError:
        raise
    except Exception as error:  # whatever a damaged or hostile workbook makes openpyxl raise
        raise TableError("the workbook is damaged or no .xlsx; open it and save it again as .xlsx") from error
    if not sheets:
        raise TableError("the workbook has no sheet with cells; put the table on the first sheet")
    return next((sheet for sheet in sheets if sheet.sheet_state == "visible"), sheets[0])


def _workbook(data: bytes) -> list[Worksheet]:
    from openpyxl import load_workbook  # noqa: PLC0415  (a tenth of a second that a CSV roster does not need)

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
    if len(members) > MAX_MEMBERS or sum(member.file_size for member in members) > MAX_UNPACKED:
        raise TableError(f"the workbook unpacks to over {MAX_UNPACKED // 2**20} MiB; keep only the table")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl warns of styles and validations, which we do not read
        sheets: list[Worksheet] = load_workbook(io.BytesIO(data), keep_links=False).worksheets
    return sheets


def _merged(sheet: Worksheet) -> dict[int, str]:
    found: dict[int, str] = {}
    for area in sheet.merged_cells.ranges:
        fault = f"cells {area.coord} are merged; unmerge them and fill in each"
        for number in range(area.min_row, min(area.max_row, sheet.max_row) + 1):
            found.setdefault(number, fault)
    return found


def _from_cell(value: object, data_type: str) -> Cell:
    if value is None:
        return ""
    if data_type == "f":
        return Fault("the cell is a formula; replace it by its value")
    if data_type == "e":
        return Fault(f"{value} is a spreadsheet error; correct the value")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (datetime, date, time, timedelta)):
        return Fault(f"Excel turned the value into a date or time ({value}); {_AS_TEXT}")
    if isinstance(value, (int, float)):
        return _from_number(value)
    return _from_text(str(value))


def _from_number(value: float) -> Cell:
    if not math.isfinite(value) or value != int(value) or abs(value) >= 10**EXACT_DIGITS:
        return Fault(f"Excel turned the value into the number {value}; {_AS_TEXT}")
    return str(int(value))


def column_letter(index: int) -> str:
    """Name a column as a spreadsheet does: 0 is A, 26 is AA."""
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def header_texts(row: TableRow) -> Sequence[str]:
    """Return the header as plain texts, faults as empty ones, without the blank tail."""
    texts = [cell if isinstance(cell, str) else "" for cell in row.cells]
    while texts and not texts[-1]:
        texts.pop()
    return texts
