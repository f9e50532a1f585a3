"""A quarter inspected elsewhere, as the files an office would import."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from govcrawl.imports import import_file
from govcrawl.quarter import Quarter
from govcrawl.sites import load_sites
from govcrawl.standard import load_edition
from govcrawl.store.client import Sync

NOTICE = Path(__file__).parent.parent.parent / "shared" / "notice"
QUARTER = Quarter(2023, 3)
EDITION = load_edition()
CITIES = (
    "杭州市",
    "宁波市",
    "温州市",
    "嘉兴市",
    "湖州市",
    "绍兴市",
    "金华市",
    "衢州市",
    "舟山市",
    "台州市",
    "丽水市",
)
KINDS = ["服务不可用"] * 4 + ["内容不准确"] * 3 + ["网页打不开"] * 2 + ["其他"]


def table(path: Path, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> Path:
    """Write a CSV file."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(heads)
        writer.writerows(rows)
    return path


def take(db: Sync, kind: str, path: Path, quarter: Quarter = QUARTER) -> int:
    """Import a file with the built-in roster and edition."""
    return import_file(db, kind, path, quarter=quarter, sites=load_sites(), edition=EDITION)


def names(file: str) -> list[dict[str, str]]:
    """Return the rows of a file of the notice."""
    with (NOTICE / file).open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def departments(folder: Path, count: int = 438) -> Path:
    """Write verdicts on department sites, all passed."""
    rows = [(f"测试部门{number:03d}网站", "测试单位", "合格") for number in range(1, count + 1)]
    return table(folder / "departments.csv", ("网站名称", "主办单位", "结论"), rows)


def messages(folder: Path, units: Sequence[str]) -> Path:
    """Write 461 找错 messages over 11 cities and 26 units, each settled on the next day."""
    rows = []
    for number in range(461):
        received = datetime(2023, 7, 3, 9) + timedelta(days=number % 80)  # noqa: DTZ001
        city = CITIES[number % 11] if number < 400 else ""
        unit = "" if city else units[number % 26]
        settled = received + timedelta(days=1)
        rows.append((f"Z{number}", f"{received:%Y/%m/%d %H:%M}", KINDS[number % 10], city, unit, settled))
    heads = ("编号", "转办时间", "问题类型", "设区市", "省级单位", "办结时间")
    return table(folder / "messages.csv", heads, rows)


def whole_notice(db: Sync, folder: Path) -> None:
    """Import everything the notice of 2023Q3 is made of."""
    take(db, "totals", NOTICE / "2023Q3_scores_constructed.csv")
    take(db, "departments", departments(folder))
    take(db, "units", NOTICE / "2023Q3_annex2_units.csv")
    take(db, "zhaocuo", messages(folder, [row["name"] for row in names("2023Q3_annex2_units.csv")]))
