"""Stored pages as a WARC file that the usual replay tools open, and a WACZ package around it."""

from __future__ import annotations

import importlib.util
import io
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from govcrawl import __version__
from govcrawl.items import GovcrawlError
from govcrawl.store import evidence, reads
from govcrawl.store.client import Document, Sync

# Of the bytes as they travelled: what is stored has them taken off.
_CODINGS = {"content-encoding", "transfer-encoding", "content-length"}
ROLE = "X-Govcrawl-Role"  # what the page was visited as: an inspection of the archive goes by it
_TIMEOUT = 600  # seconds for packing


def pages_of_site(db: Sync, quarter: str, site: str) -> list[Document]:
    """Return the pages of a site's newest inspection in a quarter, in the order of their addresses."""
    run = reads.inspected(db, quarter).get(site)
    if run is None:
        raise GovcrawlError(
            f"site {site}: not inspected in {quarter}; see: govcrawl scores --quarter {quarter}"
        )
    return db.pages.find({"run": evidence.source_of(db, run), "site_id": site}).sort("url", 1).to_list()


def pages_of_finding(db: Sync, finding_id: str) -> list[Document]:
    """Return the pages a finding rests on."""
    found = evidence.card(db, finding_id)
    pages: list[Document] = found["pages"]
    if not pages:
        raise GovcrawlError(f"finding {finding_id} rests on no stored page")
    return pages


def write_warc(db: Sync, pages: Iterable[Mapping[str, Any]], path: Path) -> int:
    """Write the pages that were answered as WARC 1.1 records, gzipped by record; returns how many."""
    with path.open("wb") as stream:
        writer = WARCWriter(stream, gzip=True, warc_version="WARC/1.1")
        about = {"software": f"govcrawl {__version__}", "format": "WARC File Format 1.1"}
        writer.write_record(writer.create_warcinfo_record(path.name, about))
        count = 0
        for page in pages:
            if page["status"] is None:
                continue
            writer.write_record(_record(db, writer, page))
            for url, name in page["included"]:
                if name:
                    writer.write_record(_resource(db, writer, url, name, page))
            count += 1
    return count


def _record(db: Sync, writer: WARCWriter, page: Mapping[str, Any]) -> Any:
    body = evidence.read(db, page["body"]) if page["body"] else b""
    kept = [(name, _line(value)) for name, value in page["headers"] if name.lower() not in _CODINGS]
    head = StatusAndHeaders(_status(page["status"]), [*kept, ("Content-Length", str(len(body)))], "HTTP/1.1")
    extra = {"WARC-Date": _date(page), "X-Govcrawl-Page": page["_id"], ROLE: page["role"]}
    if page.get("ip"):
        extra["WARC-IP-Address"] = page["ip"]
    return writer.create_warc_record(
        _address(page["url"]),
        "response",
        payload=io.BytesIO(body),
        length=len(body),
        http_headers=head,
        warc_headers_dict=extra,
    )


def _resource(db: Sync, writer: WARCWriter, url: str, name: str, page: Mapping[str, Any]) -> Any:
    data = evidence.read(db, name)
    extra = {"WARC-Date": _date(page)}
    return writer.create_warc_record(
        _address(url),
        "resource",
        payload=io.BytesIO(data),
        length=len(data),
        warc_content_type="text/plain; charset=utf-8",
        warc_headers_dict=extra,
    )


def _status(code: int) -> str:
    try:
        return f"{code} {HTTPStatus(code).phrase}"
    except ValueError:
        return f"{code} Unknown"


def _line(value: str) -> str:
    """Return a header value that cannot begin a line of its own."""
    return value.replace("\r", " ").replace("\n", " ")


def _address(url: str) -> str:
    return quote(url, safe="!#$%&'()*+,/:;=?@[]~-._")


def _date(page: Mapping[str, Any]) -> str:
    at: datetime = page["fetched_at"] or datetime(1970, 1, 1, tzinfo=UTC)
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# --- WACZ -----------------------------------------------------------------------------------------------


def write_wacz(db: Sync, pages: Iterable[Mapping[str, Any]], path: Path) -> int:
    """Write the pages as a WACZ package with its page list; needs the extra `export` (library wacz)."""
    if importlib.util.find_spec("wacz") is None:
        raise GovcrawlError("WACZ needs the library wacz: pip install 'govcrawl[export]'")
    chosen = list(pages)
    warc = path.with_name(f"{path.stem}.warc.gz")
    listed = path.with_name(f"{path.stem}.pages.jsonl")
    try:
        count = write_warc(db, chosen, warc)
        listed.write_text("".join(_listed(chosen)), "utf-8")
        _run("create", str(warc), "-p", str(listed), "-o", str(path))
    finally:
        warc.unlink(missing_ok=True)
        listed.unlink(missing_ok=True)
    return count


def valid_wacz(path: Path) -> None:
    """Raise GovcrawlError unless the library's own validator accepts a package."""
    _run("validate", "-f", str(path))


def _listed(pages: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    yield json.dumps({"format": "json-pages-1.0", "id": "pages", "title": "All Pages"}) + "\n"
    for page in pages:
        if page["status"] is not None:
            line = {"id": page["_id"], "url": _address(page["url"]), "ts": _date(page), "title": page["url"]}
            yield json.dumps(line) + "\n"


def _run(*arguments: str) -> None:
    command = [sys.executable, "-c", "import sys; from wacz.main import main; sys.exit(main())", *arguments]
    ended = subprocess.run(  # noqa: S603  (our own interpreter, our own file names)
        command, capture_output=True, text=True, check=False, timeout=_TIMEOUT
    )
    if ended.returncode:
        raise GovcrawlError(f"wacz {arguments[0]}: {(ended.stderr or ended.stdout).strip()[-300:]}")
