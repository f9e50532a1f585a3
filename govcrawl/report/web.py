"""Writes the static web report: works from a file and offline, no scripts, everything escaped."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined

from govcrawl.report.availability import pictures as months_of
from govcrawl.report.facts import Facts, plainly
from govcrawl.report.faults import Fault
from govcrawl.report.text import Paragraph, band_label
from govcrawl.results import mean_range

_LISTED = 300  # faults of one page
_PLAIN = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


def write_pages(
    folder: Path,
    facts: Facts,
    paragraphs: Sequence[Paragraph],
    pictures: Mapping[str, tuple[str, bytes]],
    visits: Callable[[str], Iterable[Mapping[str, Any]]] = lambda _: (),
) -> int:
    """Write index, notice and a page for each site and rule; return the number of pages."""
    for name in ("sites", "rules", "img/visits"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name, (_, png) in pictures.items():
        (folder / "img" / f"{name}.png").write_bytes(png)
    pages = _Pages(folder, facts)
    pages.index(pictures)
    pages.write("notice.html", f"{facts.quarter.zh}通报", paragraphs=paragraphs)
    pages.sites(visits)
    pages.rules()
    return pages.count


def link(site_id: str) -> str:
    """Return the page of a site below the report's folder; ids of imported sites may be Chinese names."""
    name = site_id if _PLAIN.fullmatch(site_id) else hashlib.sha256(site_id.encode()).hexdigest()[:16]
    return f"sites/{name}.html"


def is_web(url: str) -> bool:
    """Tell whether an address may become a link: only http and https, never javascript."""
    try:
        return urlsplit(url.strip()).scheme in {"http", "https"}
    except ValueError:
        return False


class _Pages:
    def __init__(self, folder: Path, facts: Facts) -> None:
        self.folder, self.facts, self.count = folder, facts, 0
        self._templates = Environment(
            loader=PackageLoader("govcrawl.report"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
        )
        self._templates.filters |= {"figure": plainly, "web": is_web}
        self._by_site: dict[str, list[Fault]] = {}
        self._by_rule: dict[str, list[Fault]] = {}
        for fault in facts.faults:
            self._by_site.setdefault(fault.site_id, []).append(fault)
            self._by_rule.setdefault(fault.rule, []).append(fault)

    def write(self, name: str, title: str, template: str = "", **values: object) -> None:
        """Write one page from the template of its name, unless another is named."""
        text = self._templates.get_template(f"{template or name}.j2").render(
            title=title,
            quarter=self.facts.quarter,
            names=self.facts.names,
            link=link,
            root="../" * name.count("/"),
            **values,
        )
        (self.folder / name).write_text(text, "utf-8")
        self.count += 1

    def index(self, pictures: Mapping[str, tuple[str, bytes]]) -> None:
        """Write the first page."""
        facts = self.facts
        self.write(
            "index.html",
            f"{facts.quarter.zh}政府网站检查结果",
            summary=facts.summary,
            full=facts.full,
            imported=facts.imported,
            version=facts.version,
            final=facts.final,
            verify=facts.root,
            between=mean_range(facts.scores.values()),
            scores=facts.scores,
            bands=[(band_label(band), band.site_ids) for band in facts.summary.bands],
            ranking=facts.summary.ranking,
            city=facts.city,
            earlier=facts.earlier,
            pictures=[(name, caption) for name, (caption, _) in pictures.items()],
        )

    def sites(self, visits: Callable[[str], Iterable[Mapping[str, Any]]]) -> None:
        """Write the list of sites and a page for each, with a picture of its visits for each month."""
        facts = self.facts
        known = [site for site in facts.sites.values() if site.site_id in facts.scores]
        rows = [
            (site, facts.scores[site.site_id], len(self._by_site.get(site.site_id, ()))) for site in known
        ]
        self.write("sites.html", "检查的网站", rows=rows)
        for site, score, count in rows:
            faults = self._by_site.get(site.site_id, [])[:_LISTED]
            self.write(
                link(site.site_id),
                facts.names[site.site_id],
                "site.html",
                site=site,
                score=score,
                verify=facts.roots.get(site.site_id, ""),
                faults=faults,
                count=count,
                by_rule=False,
                months=self._months(site.site_id, visits(site.site_id)),
            )

    def _months(self, site_id: str, visits: Iterable[Mapping[str, Any]]) -> list[str]:
        found = []
        for month, svg in months_of(self.facts.names[site_id], visits):
            name = f"img/visits/{Path(link(site_id)).stem}-{month}.svg"
            (self.folder / name).write_text(svg, "utf-8")
            found.append(name)
        return found

    def rules(self) -> None:
        """Write the list of rules and a page for each."""
        rules = [rule for rule in self.facts.edition.rules.values() if not rule.is_bonus]
        found = {rule.code: self._by_rule.get(rule.code, []) for rule in rules}
        rows = [
            (rule, len({one.site_id for one in found[rule.code]}), len(found[rule.code])) for rule in rules
        ]
        self.write("rules.html", "检查指标", rows=rows)
        for rule, _, count in rows:
            self.write(
                f"rules/{rule.code}.html",
                rule.title,
                "rule.html",
                rule=rule,
                faults=found[rule.code][:_LISTED],
                count=count,
                by_rule=True,
            )
