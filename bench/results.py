"""Where benchmarks leave their figures: bench/results.json, one object a benchmark."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

RESULTS = Path(__file__).with_name("results.json")


def write(name: str, figures: Mapping[str, object]) -> None:
    """Merge one benchmark's figures into the results; the file is replaced in one step."""
    held = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    held[name] = dict(figures)
    fresh = RESULTS.with_suffix(".tmp")
    fresh.write_text(json.dumps(held, indent=2, sort_keys=True, ensure_ascii=False) + "\n", "utf-8")
    fresh.replace(RESULTS)
