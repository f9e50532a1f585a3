"""The files an inspection goes by besides its roster, kept with it so that a recheck goes by the same."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from govcrawl.items import GovcrawlError
from govcrawl.options import Options
from govcrawl.store import evidence
from govcrawl.store.client import Sync

# What stands for an option that names no file.
_OWN = {
    "edition": ("govcrawl.standard", "2019-19.toml"),
    "lexicon": ("govcrawl.extract", "lexicon.txt"),
    "domains": ("govcrawl.extract", "domains.txt"),
    "hosts": ("govcrawl.sites", ""),  # nothing does: DNS is asked
}


def read_inputs(options: Options) -> dict[str, bytes]:
    """Return the bytes of the files an inspection goes by, of the package where it has its own."""
    given = {name: str(getattr(options, name)) for name in _OWN}
    return {name: _read(given[name], *own) for name, own in _OWN.items() if given[name] or own[1]}


def _read(path: str, package: str, own: str) -> bytes:
    try:
        # The package may be a zipped egg on a scrapyd node.
        return Path(path).read_bytes() if path else resources.files(package).joinpath(own).read_bytes()
    except OSError as error:
        raise GovcrawlError(f"{path}: cannot be read ({error.strerror})") from error


def restore_inputs(db: Sync, run: Mapping[str, object], folder: Path) -> dict[str, Path]:
    """Write what a run went by into a folder; nothing for runs of versions that did not keep it."""
    names = run.get("inputs")
    found: dict[str, Path] = {}
    for name, sha in sorted(names.items()) if isinstance(names, Mapping) else ():
        found[name] = folder / f"{name}{Path(_OWN[name][1]).suffix}"
        found[name].write_bytes(evidence.read(db, sha))
    return found
