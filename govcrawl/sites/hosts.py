"""A hosts file: the public addresses of names, for machines that cannot ask the public DNS themselves."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path

from govcrawl.items import GovcrawlError
from govcrawl.sites.roster import ascii_host

Hosts = Mapping[str, tuple[str, ...]]


def load_hosts(path: Path) -> Hosts:
    """Return the addresses of each name in a file in the format of hosts(5), in the order they stand.

    Names are lower case, in ASCII, without a closing dot. Raises GovcrawlError for a file that cannot be read
    and for a line that is not an address with one name or more.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise GovcrawlError(f"{path}: cannot be read ({why})") from error
    found: dict[str, tuple[str, ...]] = {}
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            address = str(ipaddress.ip_address(words[0]))
            names = [ascii_host(word).rstrip(".") for word in words[1:]]
        except ValueError:
            names = []
        if not names or not all(names):
            raise GovcrawlError(
                f"{path}, line {number}: '{line.strip()[:40]}' is not an address and its names; correct it"
            )
        for name in names:
            found[name] = tuple(dict.fromkeys((*found.get(name, ()), address)))
    return found
