"""The roster of the province: places, offices, platforms, and which fault goes where."""

# ruff: noqa: E501  (markup and word lists in long lines)
from __future__ import annotations

import csv
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.province import planting
from tests.province.model import Plan
from tests.province.text import PROVINCE, areas

SITES = 540
PORTALS = 102
_CITIES = 9
_FAMILIES = ("hanweb",) * 10 + ("trs",) * 5 + ("vsb",) * 4 + ("tables",) * 3 + ("soup",) * 3
_NAMED = {"hanweb", "trs", "vsb"}  # families a roster can name; the others must be read off the markup
COLUMNS = (
    "site_id", "name", "kind", "level", "code", "parent", "url", "organizer", "has_services", "platform",
)  # fmt: skip
_OFFICES = (
    ("fgw", "发展和改革委员会"), ("jy", "教育"), ("kj", "科学技术"), ("jx", "经济和信息化"), ("ga", "公安"),
    ("mz", "民政"), ("sf", "司法"), ("cz", "财政"), ("rls", "人力资源和社会保障"), ("zr", "自然资源"),
    ("sthj", "生态环境"), ("js", "住房和城乡建设"), ("jt", "交通运输"), ("sl", "水利"), ("nync", "农业农村"),
    ("sw", "商务"), ("wl", "文化和旅游"), ("wjw", "卫生健康委员会"), ("yj", "应急管理"), ("sj", "审计"),
    ("scjg", "市场监督管理局"), ("tjj", "统计局"), ("ybj", "医疗保障局"), ("lyj", "林业局"), ("tyj", "体育局"),
    ("lsj", "粮食和物资储备局"), ("dsjj", "大数据管理局"), ("xfj", "信访局"), ("mzw", "民族宗教事务局"),
    ("tyjrj", "退役军人事务局"), ("gdb", "国防动员办公室"), ("jgsw", "机关事务管理局"), ("jrj", "地方金融监督管理局"),
    ("ypj", "药品监督管理局"), ("nyj", "能源局"), ("gdj", "广播电视局"), ("wsb", "外事办公室"),
    ("gzw", "国有资产监督管理委员会"), ("zscq", "知识产权局"), ("jyjlj", "监狱管理局"),
)  # fmt: skip


def make_plans(count: int = SITES, seed: int = 7) -> list[Plan]:
    """Plan `count` sites; the same count and seed give the same plans."""
    rng = random.Random(f"{seed}/plan")
    everything = _everything()
    portals = [plan for plan in everything if plan.kind == "portal"]
    others = [plan for plan in everything if plan.kind == "department"]
    wanted = max(1, round(count * PORTALS / SITES))
    chosen = _spread(portals, wanted) + _spread(others, count - wanted)
    families = [_FAMILIES[step % len(_FAMILIES)] for step in range(count)]
    rng.shuffle(families)
    parents = {plan.parent for plan in chosen}
    lower = [plan.kind == "portal" and plan.area_name in parents for plan in chosen]
    planted = planting.assign([plan.kind for plan in chosen], lower, rng)
    plans = []
    for plan, family, (bad, traps) in zip(chosen, families, planted, strict=True):
        named = family if family in _NAMED and rng.random() < 0.65 else ""
        wrong = next((fault for fault in bad if fault.startswith("D4.1a")), "")
        url = _wrong_domain(plan, wrong) if wrong else plan.url
        services = plan.kind == "portal" or rng.random() > 0.1
        changes = {
            "url": url, "platform": named, "family": family, "faults": bad, "traps": traps, "seed": seed,
            "domain_wrong": bool(wrong), "has_services": services, "has_lower": plan.area_name in parents,
            "organizer": plan.organizer if rng.random() < 0.5 else "",
        }  # fmt: skip
        plans.append(replace(plan, **changes))
    return plans


def write_roster(plans: Sequence[Plan], path: Path) -> None:
    """Write the roster in the column format of the project."""
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(COLUMNS)
        for plan in plans:
            row = [getattr(plan, column) for column in COLUMNS]
            row[8] = "true" if plan.has_services else "false"
            writer.writerow(row)


def _spread(plans: list[Plan], count: int) -> list[Plan]:
    return [plans[index * len(plans) // count] for index in range(count)]


def _everything() -> list[Plan]:
    names = areas()
    places = [(PROVINCE, "yunjiangs", "province", "590000", "")]
    cities = []
    for number, (name, latin) in enumerate(names[:_CITIES], 1):
        cities.append((name + "市", latin))
        places.append((name + "市", f"yj{latin}", "city", f"59{number:02d}00", PROVINCE))
    for step, (name, latin) in enumerate(names[_CITIES : PORTALS - 1]):
        city, serial = cities[step % _CITIES], step // _CITIES + 1
        full = name + ("县" if step % 3 else "区")
        code = f"59{step % _CITIES + 1:02d}{serial:02d}"
        places.append((full, f"yj{latin}", "county", code, city[0]))
    plans = [_portal(name, latin, level, code, parent) for name, latin, level, code, parent in places]
    for number, (name, latin, level, code, _) in enumerate(places):
        offices = {"province": _OFFICES, "city": _OFFICES[:24]}.get(level)
        if offices is None:
            if number == len(places) - 1:
                continue
            offices = (_OFFICES[number % 20], _OFFICES[(number + 7) % 24])
        plans += [_department(office, name, latin, level, code) for office in offices]
    return plans


def _portal(name: str, latin: str, level: str, code: str, parent: str) -> Plan:
    office = f"{name}人民政府"
    url = f"http://www.{latin}.gov.cn/"
    return Plan(
        latin, office, "portal", level, code, parent, url, office + "办公室", True, "", "", name.rstrip("省")
    )


def _department(office: tuple[str, str], area: str, latin: str, level: str, code: str) -> Plan:
    short, stem = office
    suffix, letter = ("厅", "t") if level == "province" else ("局", "j")
    ends = stem.endswith(("局", "会", "室"))
    name = area + (stem if ends else stem + suffix)
    host = short if ends else short + letter
    return Plan(
        f"{host}-{latin}", name, "department", level, code, area, f"http://{host}.{latin}.gov.cn/", name, True,
        "", "", area,
    )  # fmt: skip


def _wrong_domain(plan: Plan, fault: str) -> str:
    stem = plan.site_id.replace("-", "")
    if plan.kind == "department":
        shapes = (f"www.{stem}.gov.cn", f"www.{stem}.com.cn", f"www.{stem}.org.cn")
    else:
        shapes = (f"{stem}.gov.cn", f"www.{stem}.cn", f"www.{stem}.com")
    number = int(fault.rpartition("#")[2])
    return f"http://{shapes[number % len(shapes)]}/"
