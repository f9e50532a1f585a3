"""Outside data of a quarter: totals, department verdicts, 找错 messages, inquiries, units, decisions."""

from govcrawl.imports.decisions import Decision, decided_findings
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
    "Decision",
    "Department",
    "ImportFileError",
    "Inquiry",
    "Message",
    "Total",
    "Unit",
    "decided_findings",
    "held",
    "import_file",
    "overdue_findings",
]
