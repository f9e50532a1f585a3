"""Lists the spiders of an egg as a scrapyd node would: `python scripts/egg_spiders.py EGG`.

It works in an empty folder, and ends with an error when one of our packages comes from outside the egg.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from pathlib import Path

from scrapy.cmdline import execute
from scrapyd.runner import activate_egg

_PACKAGES = ("govcrawl", "spiders", "pipelines")


def main() -> None:
    """Activate the egg, prove where its packages come from, hand over to `scrapy list`."""
    egg = Path(sys.argv[1]).resolve()
    here = str(Path(__file__).resolve().parent)
    sys.path[:] = [path for path in sys.path if path not in ("", here)]
    os.chdir(tempfile.mkdtemp(prefix="egg-spiders-"))
    activate_egg(str(egg))
    for name in _PACKAGES:
        origin = importlib.import_module(name).__file__ or ""
        if not origin.startswith(f"{egg}{os.sep}"):
            sys.exit(f"{name} was imported from {origin}, not from {egg}")
    execute(["scrapy", "list"])


if __name__ == "__main__":
    main()
