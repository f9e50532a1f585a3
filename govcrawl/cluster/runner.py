"""Runs Scrapy with a deployed egg, as scrapyd's own runner does, with the egg's packages in front.

`python -m govcrawl.cluster.runner list|crawl ...` runs one command. `... serve` loads the project once and
forks a process for each crawl it is told of on standard input: loading takes two seconds of processor time,
a fork a few milliseconds.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib
import json
import logging
import os
import random
import select
import shutil
import signal
import sys
import tempfile
import traceback
import zipfile
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from configparser import ConfigParser
from contextlib import suppress
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

PACKAGES = ("govcrawl", "spiders", "pipelines")
CODE = Path("code")  # unpacked eggs, below the node's folder
REPORTS = 3  # the file descriptor on which `serve` reports
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_CHUNK = 65_536
_OURS = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT)
# Imported by Scrapy when a crawl starts.
_MODULES = (
    "scrapy.cmdline", "scrapy.crawler", "scrapy.core.engine", "scrapy.core.downloader",
    "scrapy.core.scheduler",
    "scrapy.dupefilters", "scrapy.logformatter", "scrapy.pqueues", "scrapy.robotstxt", "scrapy.squeues",
    "scrapy.statscollectors", "scrapy.extensions.feedexport", "itemadapter", "protego",
    "pymongo.asynchronous.mongo_client",
)  # fmt: skip
_SETTINGS = "SCRAPY_SETTINGS_MODULE"


def die_with_parent(number: int = signal.SIGTERM) -> None:
    """Be sent a signal when the parent process ends, however it ends."""
    with suppress(OSError, AttributeError):  # Linux only; elsewhere the leases run out
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)


def run_in_turn() -> None:
    """Leave the processor when the turn is over, not whenever another crawl of the machine has an answer."""
    with suppress(OSError, AttributeError):  # Linux only; elsewhere the system's own order stays
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


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
    os.environ[_SETTINGS] = settings
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
    from scrapy import commands  # noqa: PLC0415  (all only where a project is loaded)
    from scrapy.spiderloader import SpiderLoader  # noqa: PLC0415
    from scrapy.utils.misc import load_object  # noqa: PLC0415
    from scrapy.utils.project import get_project_settings  # noqa: PLC0415

    from govcrawl.checking import bound  # noqa: PLC0415
    from govcrawl.standard import load_edition  # noqa: PLC0415

    settings = get_project_settings()
    SpiderLoader.from_settings(settings)
    for name in (*_MODULES, *(f"scrapy.commands.{one.name}" for one in iter_modules(commands.__path__))):
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


class Server:
    """Forks crawls: takes lines {"id", "args", "env"}, reports lines {"id", "pid"} and {"id", "status"}."""

    def __init__(self, orders: int = 0, reports: int = REPORTS) -> None:
        self.orders = orders
        self.reports = reports
        self._children: dict[int, str] = {}
        self._rest = b""
        self._open = True
        self._wake, self._waker = os.pipe()

    def run(self) -> None:
        """Work until told no more and the last crawl has ended; SIGTERM ends the crawls, too."""
        os.set_blocking(self._wake, False)
        os.set_blocking(self._waker, False)
        signal.set_wakeup_fd(self._waker)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._end)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the node, which tells us
        while self._open or self._children:
            ready, _, _ = select.select([self._wake, *([self.orders] if self._open else [])], [], [])
            if self._wake in ready:
                with suppress(BlockingIOError):
                    os.read(self._wake, _CHUNK)
                self._reap()
            if self.orders in ready:
                self._read()

    def _end(self, *_: object) -> None:
        self._open = False
        for pid in list(self._children):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def _read(self) -> None:
        data = os.read(self.orders, _CHUNK)
        if not data:  # the node is gone or wants no more
            self._open = False
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            order = json.loads(line)
            pid = self._fork(order)
            self._children[pid] = order["id"]
            self._report({"id": order["id"], "pid": pid})

    def _fork(self, order: Mapping[str, Any]) -> int:
        # A signal between fork and `_become` would run this server's handlers in the crawl.
        signal.pthread_sigmask(signal.SIG_BLOCK, _OURS)
        pid = os.fork()
        if pid:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _OURS)
            return pid
        code = 1
        try:
            self._become(order["env"])
            code = crawl(order["args"])
        except BaseException:
            traceback.print_exc()
        finally:
            for stream in (sys.stdout, sys.stderr):
                with suppress(Exception):
                    stream.flush()
            os._exit(code)

    def _become(self, environment: Mapping[str, str]) -> None:
        """Turn a forked copy of this process into one of its own."""
        signal.set_wakeup_fd(-1)
        for number in _OURS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _OURS)
        die_with_parent()
        run_in_turn()
        for descriptor in (self._wake, self._waker, self.reports):
            os.close(descriptor)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, self.orders)
        os.close(nothing)
        settings = {name: os.environ[name] for name in (_SETTINGS,) if name in os.environ}
        os.environ.clear()
        os.environ.update(settings | dict(environment))
        random.seed()  # else all forks draw the same numbers

    def _reap(self) -> None:
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            if (name := self._children.pop(pid, None)) is not None:
                self._report({"id": name, "status": os.waitstatus_to_exitcode(status)})

    def _report(self, fact: Mapping[str, Any]) -> None:
        with suppress(BrokenPipeError):  # the node is gone
            os.write(self.reports, json.dumps(fact).encode() + b"\n")


def reason_of(status: int) -> str:
    """Return how a process ended in words; nothing for exit code 0."""
    if status < 0:
        with suppress(ValueError):
            return f"killed by {signal.Signals(-status).name}"
    return f"exit code {status}" if status else ""


def unheard(arguments: Sequence[str]) -> int:
    """Return the level up to which a crawl's messages reach no handler: they need not be made.

    Scrapy leaves all loggers open and filters in its handler; the driver alone makes a message for each
    command sent and answered.
    """
    given = [one.partition("=")[2] for one in arguments if one.startswith("LOG_LEVEL=")]
    settings = importlib.import_module(os.environ[_SETTINGS]) if _SETTINGS in os.environ else None
    level = given[-1] if given else getattr(settings, "LOG_LEVEL", "DEBUG")
    return logging.getLevelNamesMapping().get(level.upper(), logging.DEBUG) - 1


def crawl(arguments: Sequence[str]) -> int:
    """Run `scrapy` with these arguments and return its exit code."""
    logging.disable(unheard(arguments))
    try:
        if arguments[:1] == ["crawl"]:
            return _crawl(arguments[1:])
        from scrapy.cmdline import execute  # noqa: PLC0415  (preloaded)

        execute(["scrapy", *arguments])
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _crawl(arguments: Sequence[str]) -> int:
    """Do what `scrapy crawl` does, without its search of all installed packages for other commands."""
    from scrapy.commands.crawl import Command  # noqa: PLC0415  (all preloaded)
    from scrapy.crawler import AsyncCrawlerProcess  # noqa: PLC0415
    from scrapy.utils.project import get_project_settings  # noqa: PLC0415

    command = Command()
    command.settings = settings = get_project_settings()
    settings.setdict(command.default_settings, priority="command")
    parser = ArgumentParser("scrapy crawl")
    command.add_options(parser)
    options, names = parser.parse_known_args(arguments)
    command.process_options(names, options)
    command.crawler_process = AsyncCrawlerProcess(settings)
    command.run(names, options)
    return command.exitcode


def serve() -> None:
    """Load the project and fork its crawls."""
    preload()
    from govcrawl.processes import spare_collector  # noqa: PLC0415

    spare_collector()  # and what all share stays shared: the collector would touch each page
    Server().run()


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
