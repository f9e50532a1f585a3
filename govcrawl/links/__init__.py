"""Verdicts on link targets that still hold tomorrow."""

from govcrawl.links.address import normalise
from govcrawl.links.checker import LinkChecker, Seen

__all__ = ["LinkChecker", "Seen", "normalise"]
