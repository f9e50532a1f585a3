"""A quarter's records to what the office hands out: notice, sheets, repair lists, web pages, data."""

from govcrawl.report.facts import Facts, gather
from govcrawl.report.writing import FORMS, write_report

__all__ = ["FORMS", "Facts", "gather", "write_report"]
