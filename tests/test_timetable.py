"""Limits that hold for all processes of a machine, and the audit of what they did."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from govcrawl.items import GovcrawlError
from govcrawl.pace import Wanted
from govcrawl.requestlog import audit
from govcrawl.timetable import BUSY, Timetable
from tests.inspecting import ROOT

HOST = Wanted("host a", 0.5, 2)

# One process: it asks hosts of one address for pages that take a while, and notes what it did.
WORKER = """
import asyncio, sys
from govcrawl.options import Options
from govcrawl.pace import Pace
from govcrawl.ration import Ration
from govcrawl.requestlog import RequestLog
from govcrawl.timetable import Timetable
from pathlib import Path

folder, number, delay, shared = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), sys.argv[4] == "shared"

async def never(*_):
    raise AssertionError

async def main():
    options = Options(delay=delay, per_host=2, request_log=str(folder))
    log = RequestLog.open(options, number, Ration((), never))
    table = Timetable(folder / "timetable") if shared else None
    pace = Pace(delay=delay, per_host=2, timetable=table, record=log.note)
    sys.stdout.write("ready\\n")
    sys.stdout.flush()
    sys.stdin.readline()  # all start together

    async def ask(page):
        async with pace.turn(f"http://h{page % 3}/", "10.0.0.1"):
            await asyncio.sleep(0.15)

    await asyncio.gather(*(ask(page) for page in range(12)))
    log.close()

asyncio.run(main())
"""


def started(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def work(folder: Path, shared: str) -> None:
    processes = [started(str(folder), str(number), "0.05", shared) for number in range(3)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0


def test_limits_of_host_and_address_hold_over_processes(tmp_path: Path) -> None:
    work(tmp_path, "shared")
    found = audit(tmp_path)
    assert found.broken == []
    assert (found.requests, found.processes, found.hosts) == (36, 3, 3)
    assert found.least_gap is not None
    assert found.least_gap >= 0.048
    assert found.most_at_host == 2
    assert found.most_at_address <= 6


def test_audit_notices_processes_that_do_not_share(tmp_path: Path) -> None:
    work(tmp_path, "apart")
    broken = audit(tmp_path).broken
    assert any("h0: 0.0" in one and "between two starts" in one for one in broken)
    assert any("10.0.0.1" in one for one in broken)


def test_a_start_waits_for_the_gap_and_for_a_free_place(tmp_path: Path) -> None:
    table = Timetable(tmp_path / "table")
    first = table.start([HOST], 10.0)
    assert isinstance(first, tuple)
    assert table.start([HOST], 10.25) == [0.25]
    second = table.start([HOST], 10.5)
    assert isinstance(second, tuple)
    assert table.start([HOST], 11.0) == [BUSY]
    table.leave(first)
    assert isinstance(table.start([HOST], 11.0), tuple)
    table.close()


def test_nothing_is_taken_where_one_of_two_is_full(tmp_path: Path) -> None:
    table, address = Timetable(tmp_path / "table"), Wanted("address b", 0.0, 1)
    held = table.start([address], 1.0)
    assert isinstance(held, tuple)
    assert table.start([HOST, address], 1.0) == [0.0, BUSY]
    table.leave(held)
    assert isinstance(table.start([HOST, address], 1.0), tuple)
    table.close()


def test_a_hold_is_for_all_and_one_of_another_boot_is_ignored(tmp_path: Path) -> None:
    table = Timetable(tmp_path / "table")
    table.hold("host a", 100.0)
    assert table.start([HOST], 40.0) == [60.0]
    table.hold("host b", 5_000_000.0)
    assert isinstance(table.start([Wanted("host b", 0.5, 2)], 40.0), tuple)
    table.close()


HOLDER = """
import sys
from pathlib import Path
from govcrawl.pace import Wanted
from govcrawl.timetable import Timetable

table = Timetable(Path(sys.argv[1]))
print(table.start([Wanted("host a", 0.0, 1)], 1.0), flush=True)
sys.stdin.read()
"""


def test_a_killed_process_gives_its_places_back(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "table")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline().startswith("((")
    table, only = Timetable(tmp_path / "table"), Wanted("host a", 0.0, 1)
    assert table.start([only], 2.0) == [BUSY]
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    assert isinstance(table.start([only], 2.0), tuple)
    table.close()


# --- the audit -----------------------------------------------------------------------------------------

LIMITS = {"delay": 0.5, "per_host": 2, "window": "", "per_day": 0, "sites": {"lake": ["20:00-06:00", 3]}}
SITES = {"l": "lake"}
NIGHT = 1695222000.0  # 2023-09-20 23:00 in Beijing


def logged(folder: Path, *requests: tuple[float, float, str, str | None], name: str = "one") -> Path:
    lines = [{"limits": LIMITS}]
    lines += [
        {
            "start": NIGHT + start,
            "end": NIGHT + end,
            "host": host,
            "ip": ip,
            "site": "lake" if host == "l" else "",
        }
        for start, end, host, ip in requests
    ]
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return folder


def test_audit_reads_the_files_of_all_processes_as_one(tmp_path: Path) -> None:
    logged(tmp_path, (0.0, 0.4, "a", None), (1.0, 1.4, "a", None))
    logged(tmp_path, (0.6, 0.9, "a", None), name="two")
    (broken,) = audit(tmp_path).broken
    assert broken == "a: 0.400 s between two starts, 0.5 s are due"


@pytest.mark.parametrize(
    ("requests", "said"),
    [
        ([(0, 9, "a", None), (1, 9, "a", None), (2, 9, "a", None)], "a: 3 requests in flight, 2 are allowed"),
        ([(0, 1, "a", "9.9.9.9"), (0.05, 1, "b", "9.9.9.9")], "9.9.9.9: 0.050 s between two starts"),
        (
            [(0.2 * n, 90, f"h{n}", "9.9.9.9") for n in range(9)],
            "9.9.9.9: 9 requests in flight",
        ),
        ([(n, n + 0.1, "l", None) for n in range(4)], "lake: 4 requests on 2023-09-20, 3 are allowed"),
        ([(7.5 * 3600, 7.5 * 3600 + 1, "l", None)], "lake: asked at 06:30:00, its hours are 20:00-06:00"),
    ],
)
def test_audit_names_each_limit_that_was_passed(
    tmp_path: Path, requests: list[tuple[float, float, str, str | None]], said: str
) -> None:
    (broken,) = audit(logged(tmp_path, *requests)).broken
    assert broken.startswith(said)


def test_audit_of_nothing_or_of_nonsense_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(GovcrawlError, match="no request log"):
        audit(tmp_path)
    logged(tmp_path, (0, 1, "a", None)).joinpath("two.jsonl").write_text("nonsense\nmore\n", "utf-8")
    with pytest.raises(GovcrawlError, match="line 1: not a line of a request log"):
        audit(tmp_path)


def test_line_cut_short_by_a_kill_is_left_out(tmp_path: Path) -> None:
    file = logged(tmp_path, (0, 1, "a", None), (1, 2, "a", None)) / "one.jsonl"
    file.write_text(file.read_text("utf-8")[:-20], "utf-8")
    assert audit(tmp_path).requests == 1
