"""Records to documents and back; keys are derived from content, so that writing twice changes nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from govcrawl.items import (
    Attempt,
    Evidence,
    Finding,
    LinkCheck,
    LinkState,
    Outcome,
    Page,
    Role,
    Site,
)
from govcrawl.store.blobs import Blob
from govcrawl.store.client import Document


def key(*parts: str) -> str:
    """Return the SHA-256 of the parts, for use as an _id."""
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def plain(text: str) -> str:
    """Return the text without lone surrogates, which hostile scripts can make and BSON cannot hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def page_doc(
    page: Page, run: str, *, body: str | None, dom: str | None, included: Mapping[str, str | None]
) -> Document:
    """Return the document of a visit; body, dom and the included files are named by their SHA-256."""
    decoded = vars(page).get("decoded")  # only where a check has read the text: pictures have none
    return {
        "_id": key(run, page.site_id, page.url, str(page.rendered)),
        "run": run,
        "quarter": page.quarter,
        "site_id": page.site_id,
        "url": plain(page.url),
        "final_url": plain(page.final_url),
        "status": page.status,
        "error": page.error,
        "fetched_at": page.fetched_at,
        "elapsed": page.elapsed,
        "rendered": page.rendered,
        "referrer": plain(page.referrer),
        "role": str(page.role),
        "column": plain(page.column),
        "headers": [[plain(name), plain(value)] for name, value in page.headers],
        "body": body,
        "dom": dom,
        "included": [[plain(url), sha] for url, sha in included.items()],
        "size": len(page.body),
        "encoding": decoded.encoding if decoded is not None else None,
        "notes": [plain(note) for note in page.notes],
        "ip": page.ip,
        "certificate": page.certificate,
    }


@dataclass(frozen=True, slots=True)
class StoredPage:
    """A visit as stored, with its bytes still compressed."""

    doc: Document
    blobs: Mapping[str, Blob]

    @property
    def body(self) -> bytes:
        """The bytes as received."""
        return self._bytes(self.doc["body"])

    @property
    def dom(self) -> str:
        """The browser's document, empty where the page was not rendered."""
        return self._text(self.doc["dom"])

    def page(self, site: Site, at: datetime) -> Page:
        """Return the record the checks saw when the page was fetched."""
        doc = self.doc
        return Page(
            site=site,
            quarter=doc["quarter"],
            url=doc["url"],
            at=at,
            role=Role(doc["role"]),
            final_url=doc["final_url"],
            status=doc["status"],
            error=doc["error"],
            fetched_at=doc["fetched_at"],
            elapsed=doc["elapsed"],
            rendered=doc["rendered"],
            referrer=doc["referrer"],
            column=doc["column"],
            headers=tuple((name, value) for name, value in doc["headers"]),
            body=self.body,
            dom=self.dom,
            included={url: self._text(sha) for url, sha in doc["included"]},
            notes=tuple(doc["notes"]),
            ip=doc.get("ip", ""),
            certificate=doc.get("certificate", ""),
        )

    def _bytes(self, sha: str | None) -> bytes:
        return self.blobs[sha].data if sha else b""

    def _text(self, sha: str | None) -> str:
        return self._bytes(sha).decode("utf-8", "surrogatepass")


def link_doc(check: LinkCheck, run: str) -> Document:
    """Return the document of a decided link."""
    return {
        "_id": key(run, check.target),
        "run": run,
        "target": plain(check.target),
        "state": "done",
        "owner": None,
        "until": None,
        "verdict": str(check.state),
        "status": check.status,
        "error": check.error,
        "reason": plain(check.reason),
        "attempts": [asdict(attempt) for attempt in check.attempts],
        "decided_by": check.decided_by,
    }


def link_of(doc: Document) -> LinkCheck:
    """Return the decided link a document holds."""
    return LinkCheck(
        target=doc["target"],
        state=LinkState(doc["verdict"]),
        status=doc["status"],
        error=doc["error"],
        reason=doc["reason"],
        attempts=tuple(Attempt(**attempt) for attempt in doc["attempts"]),
        decided_by=doc["decided_by"],
    )


def finding_doc(finding: Finding, run: str) -> Document:
    """Return the document of a finding of this run."""
    return {
        "_id": key(run, finding.finding_id),
        "finding_id": finding.finding_id,
        "run": run,
        "quarter": finding.quarter,
        "site_id": finding.site_id,
        "rule": finding.rule,
        "outcome": str(finding.outcome),
        "edition": finding.edition,
        "message": plain(finding.message),
        "evidence": [
            {name: plain(value) for name, value in asdict(seen).items()} for seen in finding.evidence
        ],
        "checked_at": finding.checked_at,
    }


def finding_of(doc: Document) -> Finding:
    """Return the finding a document holds."""
    return Finding(
        site_id=doc["site_id"],
        quarter=doc["quarter"],
        rule=doc["rule"],
        outcome=Outcome(doc["outcome"]),
        edition=doc["edition"],
        message=doc["message"],
        evidence=tuple(Evidence(**seen) for seen in doc["evidence"]),
        checked_at=doc["checked_at"],
    )
