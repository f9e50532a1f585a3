"""Progress of a run: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars

from govcrawl.supervisor import Progress

_EVERY = 10.0  # seconds between plain lines


@contextmanager
def shown(planned: int, run: str) -> Iterator[Callable[[Progress], None]]:
    """Yield a function that shows how a run stands."""
    if sys.stderr.isatty():
        with _bars() as bars:
            task = bars.add_task(f"run {run}", total=planned, note="")
            yield lambda progress: bars.update(
                task, completed=progress.done + progress.failed, note=_note(progress)
            )
        return
    yield _Lines()


def _bars() -> Bars:
    columns: list[ProgressColumn] = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()]
    columns += [TextColumn("{task.fields[note]}"), TimeElapsedColumn(), TimeRemainingColumn()]
    return Bars(*columns, console=Console(stderr=True))


def _note(progress: Progress) -> str:
    rate = progress.pages / progress.seconds if progress.seconds else 0.0
    return f"{progress.pages} pages, {rate:.0f}/s, {progress.failed} failed, {progress.peak_mb:.0f} MB"


class _Lines:
    """Prints a line now and then."""

    def __init__(self) -> None:
        self._last = -_EVERY
        self._left = 1

    def __call__(self, progress: Progress) -> None:
        if progress.seconds - self._last < _EVERY and (progress.left or not self._left):
            return
        self._left = progress.left
        self._last = progress.seconds
        finished = progress.done + progress.failed
        # Sites end late and close together: before the first one there is nothing to reckon with.
        left = (
            f"about {progress.seconds / finished * progress.left:.0f} s left"
            if finished
            else "time left unknown"
        )
        sys.stderr.write(
            f"run {progress.run}: {finished}/{progress.planned} sites, {_note(progress)}, {left}\n"
        )
        sys.stderr.flush()
