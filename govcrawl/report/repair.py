"""Repair lists: for each site what was found, where, by which rule, how to repair it and until when."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from govcrawl.report.document import write_table
from govcrawl.report.facts import Facts
from govcrawl.report.faults import REPAIR_DAYS, Fault
from govcrawl.report.text import day

_LISTED = 200  # faults of one list; the workbook has all
_PICTURES = 20
_LARGEST = 40_000_000  # pixels
_SIZE = (480, 480)
_COLUMNS = {"序号": 13, "指标": 46, "网址": 44, "发现": 51, "整改建议": 40, "截图": 48}


def write_lists(folder: Path, facts: Facts, picture: Callable[[str], bytes | None]) -> int:
    """Write a document for each site with faults, `picture` gives a screenshot by hash; return how many."""
    by_site: Mapping[str, list[Fault]] = {
        site_id: list(own) for site_id, own in groupby(facts.faults, key=lambda fault: fault.site_id)
    }
    if by_site:
        folder.mkdir(parents=True, exist_ok=True)
    for site_id, own in by_site.items():
        _write(folder / f"{site_id}.docx", facts, own, picture)
    return len(by_site)


def _write(path: Path, facts: Facts, faults: Sequence[Fault], picture: Callable[[str], bytes | None]) -> None:
    name = facts.names.get(faults[0].site_id, faults[0].site_id)
    task = (
        f"{facts.quarter.zh}检查发现贵单位网站（{name}）存在以下问题{len(faults)}处，请于{day(faults[0].deadline)}前"
        f"（检查之日起{REPAIR_DAYS}个工作日内）完成整改，整改后将进行复查。"
    )
    intro = [task]
    if len(faults) > _LISTED:
        intro.append(f"本清单列出前{_LISTED}处，全部问题见得分表“问题清单”。")
    if root := facts.roots.get(faults[0].site_id):
        intro.append(f"检查记录校验值：{root}")
    rows = []
    for number, fault in enumerate(faults[:_LISTED], start=1):
        shot = picture(fault.screenshot) if fault.screenshot and number <= _PICTURES else None
        seen = fault.observed[:300] + (f"（要求：{fault.expected[:100]}）" if fault.expected else "")
        rows.append(
            (number, f"{fault.title}\n{fault.clause}", fault.url[:300], seen, fault.fix, _small(shot) or "")
        )
    write_table(path, f"{name}网站问题整改清单", intro, _COLUMNS, rows)


def _small(shot: bytes | None) -> bytes | None:
    """Return a screenshot as a small PNG; None for what is no picture."""
    if not shot:
        return None
    try:
        with Image.open(io.BytesIO(shot)) as image:
            if image.width * image.height > _LARGEST:
                return None
            image.thumbnail(_SIZE)
            out = io.BytesIO()
            image.convert("RGB").save(out, "JPEG", quality=70)
    except (UnidentifiedImageError, OSError, ValueError):
        return None
    return out.getvalue()
