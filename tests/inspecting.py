"""Serves an answering function on loopback in a thread, and runs the real command against it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.province.model import AT, QUARTER, Answer
from tests.province.server import Answerer, Server

ROOT = Path(__file__).resolve().parents[1]
LIMIT = 300.0  # seconds after which a test gives up on a process
HASTE = {"retry_waits": [0.05, 0.05, 0.05], "link_waits": [0.05, 0.05, 0.05]}  # a farm heals at once


class Farm(Server):
    """The server of the sample province, with its requests kept for the tests that wait for or count them."""

    def __init__(self, answer: Answerer, *, cached: bool = True) -> None:
        super().__init__(answer)
        self.cached = cached
        self.changed = threading.Condition()
        self.calls: list[tuple[str, str, int]] = []

    def lookup(self, host: str, path: str) -> Answer:
        """Return an answer, asked for anew each time unless answers are kept."""
        return super().lookup(host, path) if self.cached else self.answer(host, path)

    def note(self, method: str, url: str, status: int) -> None:
        """Keep a request and wake who waits for it."""
        with self.changed:
            self.calls.append((method, url, status))
            self.changed.notify_all()

    def wait(self, requests: int, process: subprocess.Popen[Any] | None = None) -> bool:
        """Return once so many requests have come, False when the process ended before."""
        done = lambda: len(self.calls) >= requests or (process is not None and process.poll() is not None)  # noqa: E731
        with self.changed:
            while not done():
                self.changed.wait(1.0)
            return len(self.calls) >= requests

    def quiet(self, seconds: float = 2.0) -> None:
        """Return once no request has come for so long: whoever asks waits for something else."""
        with self.changed:
            while self.changed.wait(seconds):
                continue

    def fetched(self, status: int = 200) -> Counter[str]:
        """Return how often each address was answered so to GET, robots.txt aside."""
        with self.changed:
            return Counter(
                url
                for method, url, got in self.calls
                if method == "GET" and got == status and not url.endswith("/robots.txt")
            )


@contextmanager
def served(answer: Answerer, *, cached: bool = True) -> Iterator[tuple[Farm, str]]:
    """Yield a running farm and its address as a proxy."""
    farm, ready, port = Farm(answer, cached=cached), threading.Event(), []
    loop = asyncio.new_event_loop()

    def work() -> None:
        asyncio.set_event_loop(loop)
        port.append(loop.run_until_complete(farm.start()))
        ready.set()
        loop.run_forever()
        loop.run_until_complete(farm.stop())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()

    thread = threading.Thread(target=work, name="farm")
    thread.start()
    ready.wait()
    try:
        yield farm, f"http://127.0.0.1:{port[0]}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(LIMIT)


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    def records(self) -> list[dict[str, Any]]:
        """Return the JSON lines it printed, numbers as exact decimals."""
        return [json.loads(line, parse_float=Decimal, parse_int=Decimal) for line in self.out.splitlines()]


@dataclass
class Office:
    """Runs commands in a folder of their own with one database and one proxy."""

    folder: Path
    mongo: str
    proxy: str = ""
    options: Mapping[str, object] = field(default_factory=lambda: dict(HASTE))

    def environment(self) -> dict[str, str]:
        """Return the environment of its commands: nothing of the caller's settings leaks in."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GOVCRAWL_")}
        return kept | {"GOVCRAWL_OPTIONS": json.dumps(self.options), "GOVCRAWL_MONGO": self.mongo}

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """Start `govcrawl` in a process group of its own."""
        return self.popen([sys.executable, "-m", "govcrawl.cli", *map(str, arguments)])

    def popen(self, command: Sequence[str], **environment: str) -> subprocess.Popen[str]:
        """Start any command in the folder."""
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment() | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str | Path) -> Ended:
        """Run `govcrawl` to its end."""
        return ended(self.start(*arguments))

    def inspect(self, roster: Path, *arguments: str | Path) -> Ended:
        """Run `govcrawl inspect` on the sample province's quarter."""
        return ended(self.start(*self.inspection(roster), *arguments))

    def inspection(self, roster: Path) -> list[str | Path]:
        """Return the arguments of an inspection without browser and gaps."""
        given: list[str | Path] = [
            "inspect",
            "--registry",
            roster,
            "--quarter",
            QUARTER,
            "--at",
            AT.isoformat(),
        ]
        return [*given, "--proxy", self.proxy, "--no-browser", "--delay", "0", "--workers", "2"]

    def findings(self) -> list[dict[str, Any]]:
        """Return the quarter's findings without the number of their run."""
        found = self.run("findings", "--quarter", QUARTER, "--format", "jsonl").records()
        return [{name: value for name, value in one.items() if name != "run"} for one in found]

    def scores(self) -> list[dict[str, Any]]:
        """Return the quarter's scores."""
        return self.run("scores", "--quarter", QUARTER, "--format", "jsonl").records()


def ended(process: subprocess.Popen[str]) -> Ended:
    """Wait for a command and return how it ended."""
    try:
        out, err = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
    return Ended(process.returncode, out, err)
