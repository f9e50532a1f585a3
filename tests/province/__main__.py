"""`python -m tests.province make|serve|judge|demo|farm`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from tests.province.demo import demo
from tests.province.farm import Farm
from tests.province.judge import judge, read_claims
from tests.province.plan import SITES
from tests.province.server import run
from tests.province.truth import read_truth
from tests.province.world import SEED, load, make


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.province", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    new = commands.add_parser("make", help="write roster.csv and truth.csv")
    new.add_argument("--out", type=Path, required=True)
    _size(new)
    serve = commands.add_parser("serve", help="answer for every host of the province, as a forward proxy")
    serve.add_argument("--dir", type=Path, required=True)
    farm = commands.add_parser("farm", help="serve plain pages for benches, as a forward proxy")
    farm.add_argument("--pages", type=int, default=1000)
    for command in (serve, farm):
        command.add_argument("--port", type=int, default=0)
        command.add_argument("--port-file", type=Path)
        command.add_argument("--log", type=Path)
    judged = commands.add_parser("judge", help="compare findings with the truth")
    judged.add_argument("--truth", type=Path, required=True)
    judged.add_argument("--findings", type=Path, required=True)
    shown = commands.add_parser(
        "demo", help="make, serve, inspect and judge; further options go to govcrawl inspect"
    )
    _size(shown)
    return parser


def _size(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sites", type=int, default=SITES)
    parser.add_argument("--seed", type=int, default=SEED)


def main() -> int:
    """Run one command and return its exit code."""
    parser = _parser()
    given, rest = parser.parse_known_args()
    if rest and given.command != "demo":
        parser.error(f"unknown arguments: {' '.join(rest)}")
    match given.command:
        case "make":
            make(given.out, given.sites, given.seed)
        case "serve":
            asyncio.run(run(load(given.dir).answer, given.port, given.port_file, given.log))
        case "farm":
            asyncio.run(run(Farm(given.pages).answer, given.port, given.port_file, given.log))
        case "judge":
            print(judge(read_truth(given.truth), read_claims(given.findings)).table())
        case "demo":
            return demo(given.sites, given.seed, rest)
    return 0


if __name__ == "__main__":
    sys.exit(main())
