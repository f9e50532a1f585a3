"""The poison suite over HTTP: every case ends in time, with its name, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from lxml import html
from poisonserver import PoisonServer, bomb, poison_thread

from govcrawl.bounds import MAX_CALENDAR, PathPatterns

SECONDS = 4.0  # the budget of one exchange here; 60 in production

CASES = {
    "plain": None,
    "silent": "timeout",
    "slow_headers": "timeout",
    "interim_flood": "timeout",
    "dribble": "timeout",
    "endless_body": "too_large",
    "huge_length": "too_large",
    "huge_header": "head_too_large",
    "many_headers": "head_too_large",
    "codings_in_a_row": "codings",
    "broken_gzip": "encoding",
    "redirect_loop": "redirects",
    "redirect_row": "redirects",
    "redirect_long": "url_too_long",
    "redirect_inside": "blocked",
    "length_too_long": "truncated",
    "length_too_short": None,
    "broken_chunks": "truncated",
    "endless_trailer": "truncated",
    "endless_chunk_size": "truncated",
    "null_bytes": None,
    "no_http": "reset",
    "reset": "reset",
    "no_content": None,
    "error_without_body": None,
    "password": None,
    "deep_nesting": "nesting",
    "huge_tag": "huge_tag",
    "huge_text": "huge_text",
}


def crawl(server: PoisonServer, names: list[str], *, together: bool = True) -> dict[str, Any]:
    plan = {
        "urls": [f"{server.url}/{name}" for name in names],
        "warm": f"{server.url}/plain",
        "allow": [f"127.0.0.1:{server.port}"],
        "seconds": SECONDS,
        "together": together,
    }
    script = Path(__file__).with_name("poisoncrawl.py")
    done = subprocess.run(
        [sys.executable, str(script), json.dumps(plan)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=Path(__file__).parents[2],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    report["by_name"] = dict(zip(names, report["results"], strict=True))
    return report


@pytest.fixture(scope="module")
def server() -> Iterator[PoisonServer]:
    with poison_thread() as one:
        yield one


@pytest.fixture(scope="module")
def report(server: PoisonServer) -> dict[str, Any]:
    """All cases at once, in one process."""
    return crawl(server, list(CASES))


@pytest.mark.parametrize(("name", "error"), CASES.items())
def test_case_ends_in_time_with_its_name(report: dict[str, Any], name: str, error: str | None) -> None:
    result = report["by_name"][name]
    assert result["error"] == error, result
    assert result["elapsed"] < SECONDS + 5


def test_nothing_is_left_open_and_memory_stays_small(report: dict[str, Any], server: PoisonServer) -> None:
    assert report["sockets_after"] <= report["sockets_before"]
    assert report["peak_mb"] < 400  # 29 cases at once, several of them at the bound of 32 MiB
    assert report["private_mb"] < 200


@pytest.mark.parametrize("name", ["gzip_bomb", "brotli_bomb", "zstd_bomb"])
def test_bomb_leaves_the_worker_under_300_mb(server: PoisonServer, name: str) -> None:
    bomb(
        {"gzip_bomb": "gzip", "brotli_bomb": "br", "zstd_bomb": "zstd"}[name]
    )  # packed before the clock runs
    report = crawl(server, [name] * 2, together=False)
    assert [result["error"] for result in report["results"]] == ["too_large"] * 2
    assert report["peak_mb"] < 300


def test_endless_calendar_is_left_after_its_bound(server: PoisonServer) -> None:
    """A crawl that follows every link it is admitted to stops by itself."""
    patterns = PathPatterns()

    async def follow() -> tuple[int, str]:
        url, visited = f"{server.url}/calendar?year=2023&month=0", 0
        while (why := patterns.admit(url)) is None:
            visited += 1
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(f"GET {url} HTTP/1.1\r\n\r\n".replace(server.url, "").encode())
            body = (await reader.read()).partition(b"\r\n\r\n")[2]
            writer.close()
            url = urljoin(url, html.fromstring(body).get("href"))
        return visited, why

    assert asyncio.run(follow()) == (MAX_CALENDAR, "calendar")
