"""Compare the link checker with linkinator and LinkChecker on one labelled farm (`make bench-links`).

Each checker gets a fresh farm and the same page of links. Precision and recall are over links that are gone
(dead, or leading elsewhere); a link that only browsers can open is not gone. Links/s on the farm includes
every wait for silent and flapping targets; links/s on plain alive links is measured apart, in turns, the best
round of each counting, and excludes the start of the programs.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import csv
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "bench")]

import aiohttp  # noqa: E402
import results  # noqa: E402
from lxml import html  # noqa: E402

from govcrawl.items import LinkState  # noqa: E402
from govcrawl.links import LinkChecker, normalise  # noqa: E402
from govcrawl.pace import Pace  # noqa: E402

PEERS = Path(os.environ.get("GOVCRAWL_PEERS") or ROOT / ".govcrawl" / "peers")  # programs compared with
TIMEOUT = 2.0  # seconds, for every checker: the farm's slow pages take 0.8
IN_FLIGHT = 100  # linkinator's own default, given to all
PATIENCE = 600  # seconds a peer may take


@dataclass(frozen=True)
class Run:
    """What one checker said about the farm: the addresses it calls broken, those it saw, and the time."""

    broken: frozenset[str]
    seen: frozenset[str]
    seconds: float


@contextlib.contextmanager
def farm() -> Iterator[dict[str, Any]]:
    """Serve a fresh farm in a process of its own."""
    command = [sys.executable, str(ROOT / "tests" / "linkfarm.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())
        finally:
            process.kill()


async def our_run(url: str) -> Run:
    """Fetch the page of links and check them."""
    began = time.perf_counter()
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        tree = html.fromstring(await response.text())
    targets = [str(link) for link in tree.xpath("//a/@href")]
    checker = LinkChecker(
        pace=Pace(delay=0, per_host=IN_FLIGHT, per_ip=IN_FLIGHT),
        user_agent="govcrawl-bench",
        timeout=TIMEOUT,
        retries=(0.5, 1.0, 2.0),
        concurrency=IN_FLIGHT,
    )
    checks = [check async for check in checker.check_many(targets)]
    await checker.close()
    seconds = time.perf_counter() - began
    broken = frozenset(c.target for c in checks if c.state in (LinkState.DEAD, LinkState.WRONG))
    return Run(broken, frozenset(check.target for check in checks), seconds)


def linkinator(program: Path, url: str) -> Run:
    """Check the page of links with linkinator, with the retries it offers."""
    command = [str(program), url, "--format", "json", "--concurrency", str(IN_FLIGHT)]
    command += [
        "--timeout",
        str(int(TIMEOUT * 1000)),
        "--retry",
        "--retry-errors",
        "--retry-errors-count",
        "3",
    ]
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+", encoding="utf-8") as out:  # into a pipe it exits before all is written
        subprocess.run(command, stdout=out, stderr=subprocess.DEVNULL, timeout=PATIENCE, check=False)
        seconds = time.perf_counter() - began
        out.seek(0)
        text = out.read()
    if "{" not in text:
        raise SystemExit(f"bench: linkinator printed no report: {text.strip()[-300:]}")
    links = json.loads(text[text.index("{") :])["links"]
    broken = frozenset(normalise(link["url"]) for link in links if link["state"] == "BROKEN")
    return Run(broken, frozenset(normalise(link["url"]) for link in links), seconds)


def linkchecker(program: Path, url: str) -> Run:
    """Check the page of links with LinkChecker, its limit of requests a second lifted (the farm agrees)."""
    config = PEERS / "linkcheckerrc"
    config.write_text("[checking]\nmaxrequestspersecond=100000\n", "utf-8")
    command = [str(program), "-f", str(config), "-r", "1", "--check-extern", "--no-robots", "--no-status"]
    command += ["--timeout", str(int(TIMEOUT)), "-t", str(IN_FLIGHT), "-v", "-o", "csv/utf-8", url]
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    seconds = time.perf_counter() - began
    lines = [line for line in done.stdout.splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(io.StringIO("\n".join(lines)), delimiter=";"))
    broken = frozenset(normalise(row["urlname"]) for row in rows if row["valid"] == "False")
    return Run(broken, frozenset(normalise(row["urlname"]) for row in rows), seconds)


def peer_linkinator() -> Path | None:
    """Return linkinator, installed once and kept; None with a line where it cannot be."""
    program = PEERS / "npm" / "node_modules" / ".bin" / "linkinator"
    if not program.exists():
        npm = shutil.which("npm")
        if npm is None:
            print("bench: linkinator skipped: npm is not installed (apt install npm)")
            return None
        program.parents[2].mkdir(parents=True, exist_ok=True)
        install = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent", "linkinator"]
        subprocess.run(install, cwd=program.parents[2], check=False, stdout=subprocess.DEVNULL)
    if program.exists():
        return program
    print("bench: linkinator skipped: npm could not install it")
    return None


def peer_linkchecker() -> Path | None:
    """Return LinkChecker, installed in an environment of its own; None with a line where it cannot be."""
    home = PEERS / "linkchecker"
    program = home / "bin" / "linkchecker"
    if not program.exists():
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        pip = [str(home / "bin" / "python"), "-m", "pip", "install", "-q", "linkchecker"]
        subprocess.run(pip, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if program.exists():
        return program
    print("bench: LinkChecker skipped: pip could not install it")
    return None


def score(run: Run, links: list[dict[str, str]]) -> dict[str, float]:
    """Return the figures of a run; a link the checker did not report counts as called fine."""
    called = Counter((link["truth"], normalise(link["url"]) in run.broken) for link in links)
    right = called["gone", True]
    wrong = called["alive", True] + called["barred", True]
    return {
        "precision": round(right / (right + wrong), 4) if right + wrong else 0.0,
        "recall": round(right / (right + called["gone", False]), 4),
        "links_per_s": round(len(links) / run.seconds, 1),
        "seconds": round(run.seconds, 1),
    }


def mistakes(run: Run, links: list[dict[str, str]]) -> str:
    """Name the kinds of links a run was wrong about."""
    kinds: dict[str, int] = defaultdict(int)
    for link in links:
        if (link["truth"] == "gone") != (normalise(link["url"]) in run.broken):
            kinds[link["kind"]] += 1
    return ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items())) or "none"


def check(name: str, program: Path | None, url: str) -> Run:
    """Run one checker on a page of links."""
    if name == "govcrawl":
        return asyncio.run(our_run(url))
    assert program is not None
    return linkinator(program, url) if name == "linkinator" else linkchecker(program, url)


def throughput(name: str, program: Path | None) -> float:
    """Return links/s on plain alive links without the time the program takes to start."""
    with farm() as served:
        base = f"http://127.0.0.1:{served['port']}"
        started = 0.0 if name == "govcrawl" else check(name, program, f"{base}/none").seconds
        run = check(name, program, f"{base}/alive")
    missing = len(set(served["alive"]) - run.seen)
    if run.broken or missing:
        raise SystemExit(f"bench: {name} calls {len(run.broken)} alive links broken and leaves out {missing}")
    return len(served["alive"]) / max(run.seconds - started, 0.001)


def main() -> None:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3, help="rounds of the throughput measurement")
    parser.add_argument("--ours", action="store_true", help="leave the peers out")
    options = parser.parse_args()
    programs: dict[str, Path | None] = {"govcrawl": None}
    if not options.ours:
        found = {"linkinator": peer_linkinator(), "LinkChecker": peer_linkchecker()}
        programs |= {name: program for name, program in found.items() if program is not None}
    figures: dict[str, dict[str, float]] = {}
    for name, program in programs.items():
        with farm() as served:
            links = served["links"]
            run = check(name, program, f"http://127.0.0.1:{served['port']}/all")
        figures[name] = score(run, links)
        line = ", ".join(f"{key} {value}" for key, value in figures[name].items())
        print(
            f"bench: {name:<11} {len(links)} links: {line}; wrong about: {mistakes(run, links)}", flush=True
        )
    quick = [name for name in programs if name != "LinkChecker"]  # a thread a link: the farm says enough
    for _ in range(options.rounds):  # in turns, so that a busy machine slows all of them
        for name in quick:
            rate = round(throughput(name, programs[name]), 1)
            figures[name]["alive_links_per_s"] = max(rate, figures[name].get("alive_links_per_s", 0.0))
            print(f"bench: {name:<11} plain alive links: {rate} links/s", flush=True)
    ours = figures.pop("govcrawl")
    theirs = figures.get("linkinator", {}).get("alive_links_per_s")
    ratio = round(ours["alive_links_per_s"] / theirs, 3) if theirs else None
    results.write("links", {**ours, "ratio": ratio, "peers": figures, "cores": os.cpu_count()})
    print(f"bench: links ratio to linkinator on plain alive links: {ratio}")


if __name__ == "__main__":
    main()
