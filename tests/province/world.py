"""Every host of the province by name: its sites, the outside hosts pages link to, and what each answers."""

# ruff: noqa: E501  (markup and word lists in long lines)
from __future__ import annotations

import json
from pathlib import Path

from tests.province.around import surround, write_hosts
from tests.province.build import build
from tests.province.model import Answer, Plan, Site
from tests.province.plan import SITES, make_plans, write_roster
from tests.province.render import Renderer
from tests.province.truth import all_truth, write_truth

SEED = 7
_OUTSIDE = {
    "www.gov.cn", "news.yunjiangdaily.cn", "www.yjzwfw.gov.cn", "fw.yjbianmin.org.cn", "bszs.conac.cn",
    "dcs.conac.cn", "zfwzgl.www.gov.cn", "121.43.68.40", "www.beian.gov.cn", "beian.miit.gov.cn",
}  # fmt: skip
_PAGE = (
    '<html><head><meta charset="utf-8"><title>{host}</title></head><body><h1>{host}</h1>'
    "<p>本页供群众查询使用，欢迎访问。</p><p>请通过上方菜单选择需要的服务。</p></body></html>"
)
_GONE = b"<html><head><title>404 Not Found</title></head><body>404 Not Found</body></html>"
_SOFT = "<html><head><meta charset='utf-8'><title>提示信息</title></head><body><p>您访问的页面不存在</p></body></html>"
UNKNOWN_NAME = Answer(502, b"<html><body>502 Bad Gateway: the name does not resolve</body></html>")


class World:
    """The hosts of one province; sites are built and rendered when first asked for."""

    def __init__(self, count: int = SITES, seed: int = SEED) -> None:
        self.plans = surround(make_plans(count, seed), seed)
        self._plans = {plan.host: plan for plan in self.plans}
        self._renderers: dict[str, Renderer] = {}

    def site(self, host: str) -> Site:
        """Return the site on this host."""
        return self.renderer(host).site

    def renderer(self, host: str) -> Renderer:
        """Return the pages of the site on this host."""
        if host not in self._renderers:
            plan = self._plans[host]
            self._renderers[host] = Renderer(build(plan), lambda: self._lower(plan))
        return self._renderers[host]

    def _lower(self, plan: Plan) -> list[tuple[str, str]]:
        """Return titles and addresses of articles on the sites below a portal."""
        found = []
        for host, other in self._plans.items():
            if other.parent and other.parent == plan.area_name:
                entries = self.renderer(host).entries.values()
                found += [(entry.title, f"http://{host}{entry.path}") for _, entry in entries]
        return found

    def sites(self) -> list[Site]:
        """Return every site, in roster order."""
        return [self.site(host) for host in self._plans]

    def answer(self, host: str, path: str) -> Answer:
        """Answer a path on a host; a name that does not exist gets what forward proxies say: 502."""
        if host in self._plans:
            return self.renderer(host).answer(path)
        if host in _OUTSIDE:
            return _outside(host, path)
        return UNKNOWN_NAME


def _outside(host: str, path: str) -> Answer:
    """Answer for a host that is not inspected; the first folder says how."""
    folder = path.strip("/").partition("/")[0]
    if path.partition("?")[0].endswith(".js"):
        return Answer(body=b"/* badge */\n", content_type="application/javascript")
    answers = {
        "gone": Answer(404, _GONE),
        "err": Answer(500, b"<html><body>Internal Server Error</body></html>"),
        "reset": Answer(reset=True),
        "soft": Answer(200, _SOFT.encode()),
    }
    return answers.get(folder) or Answer(
        body=_PAGE.format(host=host).encode(), content_type="text/html; charset=utf-8"
    )


def make(folder: Path, count: int = SITES, seed: int = SEED) -> World:
    """Write roster.csv, hosts, truth.csv and province.json, which names count and seed for the server."""
    folder.mkdir(parents=True, exist_ok=True)
    world = World(count, seed)
    write_roster(world.plans, folder / "roster.csv")
    write_hosts(world.plans, folder / "hosts")
    write_truth(all_truth(world.sites()), folder / "truth.csv")
    (folder / "province.json").write_text(json.dumps({"sites": count, "seed": seed}) + "\n", encoding="utf-8")
    return world


def load(folder: Path) -> World:
    """Load the province a folder describes."""
    given = json.loads((folder / "province.json").read_text(encoding="utf-8"))
    return World(given["sites"], given["seed"])
