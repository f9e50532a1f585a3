"""Makes a province, serves it, inspects it with the real command and judges what came out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from govcrawl.secrets import secret
from govcrawl.store.server import ROOT as DATABASE
from govcrawl.store.server import resolve
from tests.province.around import visit
from tests.province.judge import Judgement, judge, read_claims
from tests.province.model import AT, QUARTER
from tests.province.truth import read_truth
from tests.province.world import SEED, World, make

_ROOT = Path(".govcrawl") / "demo"
_GOVCRAWL = (sys.executable, "-m", "govcrawl.cli")
_GOOD = 0.99
_START_LIMIT = 30.0
_PICTURES = "2"  # a site: its home page and one fault; each takes half a second of processor


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures `govcrawl inspect --summary` writes."""

    planned: int
    done: int
    failed: int
    pages: int
    seconds: float
    peak_mb: float


def closing_line(summary: Summary, judged: Judgement) -> str:
    """Return the line a demo ends with."""
    total = judged.total
    return (
        f"demo: {summary.planned} sites planned, {summary.done} done, {summary.failed} failed; "
        f"precision {total.precision:.3f}, recall {total.recall:.3f} on {total.planted} planted faults; "
        f"{summary.pages} pages in {summary.seconds:.0f} s, peak {summary.peak_mb:.0f} MB"
    )


def demo(sites: int, seed: int = SEED, extra: Sequence[str] = ()) -> int:
    """Run the demo and return its exit code; `extra` goes to `govcrawl inspect`."""
    _ROOT.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{sites}-sites-", dir=_ROOT.resolve()))
    world = make(folder, sites, seed)
    print(f"demo: a province of {sites} sites in {folder.relative_to(Path.cwd())}", flush=True)
    proxy = _start_proxy(folder)
    try:
        port = _port(folder / "port", proxy)
        code = _inspect(folder, port, extra)
    finally:
        proxy.terminate()
        proxy.wait(10)
    summary_file = folder / "summary.json"
    if not summary_file.exists():
        print(f"demo: the inspection ended with exit code {code} and wrote no summary", file=sys.stderr)
        return 1
    figures = json.loads(summary_file.read_text(encoding="utf-8"))
    summary = Summary(**{field.name: figures[field.name] for field in fields(Summary)})
    _week(folder, world)
    for name in ("findings", "scores"):
        _save(folder, name)
    judged = judge(read_truth(folder / "truth.csv"), read_claims(folder / "findings.jsonl"))
    print(judged.table())
    print(closing_line(summary, judged))
    print(_afterword(folder))
    total = judged.total
    complete = summary.planned == summary.done == sites and summary.failed == 0
    return 0 if complete and total.precision >= _GOOD and total.recall >= _GOOD else 1


def _afterword(folder: Path) -> str:
    folder = folder.relative_to(Path.cwd())
    return (
        f"results: {folder}/findings.jsonl, {folder}/scores.jsonl; what was planted: {folder}/truth.csv\n"
        f"next:    . .venv/bin/activate && cd {folder}   (the demo's database is there)\n"
        f"         govcrawl findings --quarter {QUARTER} --rule V3\n"
        f"         govcrawl scores --quarter {QUARTER}\n"
        "         govcrawl rules V4.3"
    )


def _start_proxy(folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.province", "serve", "--dir", str(folder)]
    command += ["--port-file", str(folder / "port"), "--log", str(folder / "requests.log")]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def _port(path: Path, proxy: subprocess.Popen[bytes]) -> int:
    """Wait for the proxy to say where it listens."""
    until = time.monotonic() + _START_LIMIT
    while time.monotonic() < until and proxy.poll() is None:
        if path.exists() and path.read_text().strip():
            return int(path.read_text())
        time.sleep(0.05)
    raise SystemExit("demo: the province's proxy did not start")


def _inspect(folder: Path, port: int, extra: Sequence[str]) -> int:
    command = [
        *_GOVCRAWL, "inspect", "--registry", str(folder / "roster.csv"),
        "--quarter", QUARTER, "--at", AT.isoformat(), "--proxy", f"http://127.0.0.1:{port}",
        "--hosts", str(folder / "hosts"), "--summary", str(folder / "summary.json"),
        "--screenshots", _PICTURES, *extra,
    ]  # fmt: skip
    return subprocess.run(command, check=False, cwd=folder).returncode


def _week(folder: Path, world: World) -> None:
    """Let a week of visits pass in the demo's database, and score again: that decides V2."""
    with resolve(secret("GOVCRAWL_MONGO", os.environ) or None, folder / DATABASE) as uri:
        visited = visit(world.plans, folder / "roster.csv", uri)
    print(f"demo: a week of simulated visits to {visited} sites (V2)", flush=True)
    subprocess.run([*_GOVCRAWL, "score", "--quarter", QUARTER], check=True, cwd=folder)


def _save(folder: Path, name: str) -> None:
    """Save what a command prints as JSON lines."""
    command = [*_GOVCRAWL, name, "--quarter", QUARTER, "--format", "jsonl"]
    with (folder / f"{name}.jsonl").open("wb") as handle:
        subprocess.run(command, check=True, stdout=handle, cwd=folder)
