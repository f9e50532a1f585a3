"""Outside data of a quarter: published totals, department verdicts, 找错 messages, inquiries, units."""

from govcrawl.imports.kinds import (
    KINDS,
    Department,
    Inquiry,
    Message,
    Total,
    Unit,
    held,
    import_file,
    overdue_findings,
)
from govcrawl.imports.sheet import ImportFileError

__all__ = [
    "KINDS",
    "Department",
    "ImportFileError",
    "Inquiry",
    "Message",
    "Total",
    "Unit",
    "held",
    "import_file",
    "overdue_findings",
]
