"""Runs Scrapy with a deployed egg, as scrapyd's own runner does, with the egg's packages in front.

`python -m govcrawl.cluster.runner list|crawl ...` runs one command. `... serve` loads the project once and
runs the crawls it is told of on standard input: see `govcrawl.cluster.forks`.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from configparser import ConfigParser
from pathlib import Path

from govcrawl.cluster.forks import Server, die_with_parent

PACKAGES = ("govcrawl", "spiders", "pipelines")
CODE = Path("code")  # unpacked eggs, below the node's folder
# Imported by Scrapy when a crawl starts.
_MODULES = (
    "scrapy.core.engine", "scrapy.core.downloader", "scrapy.core.scheduler", "scrapy.dupefilters",
    "scrapy.logformatter", "scrapy.pqueues", "scrapy.robotstxt", "scrapy.squeues",
    "scrapy.statscollectors", "itemadapter", "protego", "pymongo.asynchronous.mongo_client",
)  # fmt: skip


def activate() -> None:
    """Put the project's egg in front of everything else and make sure its packages come from there."""
    from scrapyd.config import Config  # noqa: PLC0415  (scrapyd has loaded it; a crawl does not need it)
    from scrapyd.utils import initialize_component  # noqa: PLC0415

    project, wanted = os.environ["SCRAPY_PROJECT"], os.environ.get("SCRAPYD_EGG_VERSION")
    storage = initialize_component(Config(), "eggstorage", "scrapyd.eggstorage.FilesystemEggStorage")
    version, egg = storage.get(project, wanted)
    if egg is None:
        if wanted:
            refuse(f"project {project} has no version {wanted} here")
        return
    with egg:
        folder = unpacked(egg.read())
    _put_in_front(folder, f"{project} {version}")


def unpacked(egg: bytes) -> Path:
    """Return the folder of an egg's files, unpacked once: modules load faster than from a zip."""
    folder = CODE.resolve() / hashlib.sha256(egg).hexdigest()[:16]
    if folder.is_dir():
        return folder
    CODE.mkdir(exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=CODE))
    archive = fresh / "egg.zip"
    archive.write_bytes(egg)
    with zipfile.ZipFile(archive) as files:
        files.extractall(fresh)
    archive.unlink()
    try:
        fresh.rename(folder)
    except OSError:  # another process was faster
        shutil.rmtree(fresh)
    return folder


def _put_in_front(folder: Path, name: str) -> None:
    entries = ConfigParser()
    entries.read(folder / "EGG-INFO" / "entry_points.txt", "utf-8")
    settings = entries.get("scrapy", "settings", fallback="")
    if not settings:
        refuse(f"{name}: the egg names no settings module; deploy it with: govcrawl cluster deploy")
    os.environ["SCRAPY_SETTINGS_MODULE"] = settings
    sys.path.insert(0, str(folder))
    own = [one for one in PACKAGES if (folder / one).is_dir()]
    for module in list(sys.modules):
        if module.partition(".")[0] in own:
            del sys.modules[module]
    importlib.invalidate_caches()
    for one in own:
        origin = importlib.import_module(one).__file__ or ""
        if not origin.startswith(f"{folder}{os.sep}"):
            refuse(f"{name}: {one} comes from {origin}, which hides the deployed package")


def refuse(reason: str) -> None:
    """End with one clear line."""
    sys.stderr.write(f"govcrawl: {reason}\n")
    raise SystemExit(2)


def preload() -> None:
    """Import what every crawl needs, and nothing that starts a reactor or a thread."""
    from scrapy.spiderloader import SpiderLoader  # noqa: PLC0415  (all only where a project is loaded)
    from scrapy.utils.misc import load_object  # noqa: PLC0415
    from scrapy.utils.project import get_project_settings  # noqa: PLC0415

    from govcrawl.checking import bound  # noqa: PLC0415
    from govcrawl.standard import load_edition  # noqa: PLC0415

    settings = get_project_settings()
    SpiderLoader.from_settings(settings)
    for name in _MODULES:
        importlib.import_module(name)
    bound(load_edition())  # the rules' modules
    for option in (
        "ITEM_PIPELINES", "DOWNLOADER_MIDDLEWARES", "DOWNLOADER_MIDDLEWARES_BASE", "SPIDER_MIDDLEWARES_BASE",
        "EXTENSIONS", "EXTENSIONS_BASE",
    ):  # fmt: skip
        for path, place in settings.getdict(option).items():
            if place is not None and isinstance(path, str):
                load_object(path)
    for path in settings.getdict("DOWNLOAD_HANDLERS").values():
        if path:
            load_object(path)
    if "twisted.internet.reactor" in sys.modules:
        refuse("the project starts a reactor when it is imported: it cannot be loaded once for all crawls")


def crawl(arguments: Sequence[str]) -> int:
    """Run `scrapy` with these arguments and return its exit code."""
    from scrapy.cmdline import execute  # noqa: PLC0415  (the egg's settings have to be named first)

    try:
        execute(["scrapy", *arguments])
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def serve() -> None:
    """Load the project and fork its crawls."""
    preload()
    from govcrawl.cluster.crawls import work  # noqa: PLC0415
    from govcrawl.processes import spare_collector  # noqa: PLC0415

    spare_collector()  # and what all share stays shared: the collector would touch each page
    Server(work).run()


def main(arguments: Sequence[str]) -> int:
    """Run one command of the project's egg."""
    if arguments[:1] == ["serve"]:
        die_with_parent()
    activate()
    # Our own module may now be another: the egg's.
    ours = importlib.import_module("govcrawl.cluster.runner")
    if arguments[:1] == ["serve"]:
        ours.serve()
        return 0
    return int(ours.crawl(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
