"""The inspection standard as data: an edition's indicators and rules, proved sound when loaded."""

from govcrawl.standard.edition import (
    Edition,
    EditionError,
    IndicatorSpec,
    PartSpec,
    RuleSpec,
    load_edition,
)
from govcrawl.standard.window import Window

__all__ = ["Edition", "EditionError", "IndicatorSpec", "PartSpec", "RuleSpec", "Window", "load_edition"]
