"""Packages the project and deploys it to all nodes, after asking each whether it can run it."""

from __future__ import annotations

import io
import tomllib
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

import govcrawl
from govcrawl.cluster.client import Client
from govcrawl.cluster.config import SKEW
from govcrawl.items import GovcrawlError

PACKAGES = ("govcrawl", "spiders", "pipelines")
_DAY = (1980, 1, 1, 0, 0, 0)  # the first a zip can name: the same files make the same egg


def project_root() -> Path:
    """Return the folder of this project; raises when its spiders and pipelines do not lie beside it."""
    root = Path(govcrawl.__file__).resolve().parent.parent
    missing = [name for name in (*PACKAGES, "pyproject.toml") if not (root / name).exists()]
    if missing:
        raise GovcrawlError(f"deploy from a checkout of govcrawl: {root} holds no {', '.join(missing)}")
    return root


def requirements(root: Path) -> tuple[str, ...]:
    """Return what the project needs at run time."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    return tuple(project["dependencies"])


def build_egg(root: Path) -> bytes:
    """Return the project as an egg for scrapyd."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    settings = project["entry-points"]["scrapy"]["settings"]
    info = {
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n",
        "entry_points.txt": f"[scrapy]\nsettings = {settings}\n",
        "requires.txt": "\n".join(project["dependencies"]) + "\n",
        "top_level.txt": "\n".join(PACKAGES) + "\n",
        "not-zip-safe": "\n",
    }
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as egg:
        for name, text in info.items():
            egg.writestr(zipfile.ZipInfo(f"EGG-INFO/{name}", _DAY), text)
        for path in sorted(path for name in PACKAGES for path in (root / name).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                entry = zipfile.ZipInfo(path.relative_to(root).as_posix(), _DAY)
                entry.compress_type = zipfile.ZIP_DEFLATED
                egg.writestr(entry, path.read_bytes())
    return target.getvalue()


def faults(answer: Mapping[str, Any], needed: Sequence[str]) -> list[str]:
    """Return what speaks against running the project on the node that gave this preflight answer."""
    found = []
    if answer["govcrawl"] != govcrawl.__version__:
        found.append(f"runs govcrawl {answer['govcrawl']}, this is {govcrawl.__version__}")
    for text in needed:
        requirement = Requirement(text)
        version = answer["installed"].get(requirement.name.lower())
        if version is None:
            found.append(f"lacks {requirement.name}")
        elif not requirement.specifier.contains(version, prereleases=True):
            found.append(f"has {requirement.name} {version}, wanted {requirement.specifier}")
    if answer["mongo"]:
        found.append(answer["mongo"])
    elif abs(answer["skew"]) > SKEW:
        found.append(f"its clock is {answer['skew']:+.0f} s from the database's")
    return found


def preflight(clients: Sequence[Client], needed: Sequence[str]) -> None:
    """Ask all nodes; raises with every fault of every node, and then nothing has been changed."""
    found = [
        f"node {client.url} {fault}"
        for client in clients
        for fault in faults(client.get("preflight"), needed)
    ]
    if found:
        raise GovcrawlError("; ".join(found))


def deploy(
    clients: Sequence[Client],
    deployers: Sequence[Client],
    project: str,
    version: str,
    report: Callable[[str], None],
) -> None:
    """Check all nodes, then give each the egg."""
    if not clients:
        raise GovcrawlError("no node to deploy to: start one, or name it with --node URL")
    root = project_root()
    preflight(clients, requirements(root))
    egg = build_egg(root)
    for client in deployers:
        answer = client.post("addversion", files={"egg": egg}, project=project, version=version)
        report(f"{client.url}: {project} {version}, {answer['spiders']} spiders")
