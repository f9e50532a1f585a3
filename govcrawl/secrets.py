"""Secrets come from the environment or from a file the environment names; never from a command line."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from govcrawl.items import NotConfigured


def secret(name: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return the variable's value, else the contents of the file that NAME_FILE names, else nothing.

    Raises NotConfigured, which names the variable and the file but nothing of what it holds.
    """
    if value := environment.get(name):
        return value
    path = environment.get(f"{name}_FILE")
    if not path:
        return ""
    try:
        value = Path(path).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise NotConfigured(f"{name}_FILE: {path} cannot be read: {reason}") from error
    if not value:
        raise NotConfigured(f"{name}_FILE: {path} is empty")
    return value
