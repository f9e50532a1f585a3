"""Draws the outline and the caption onto a captured picture, where the page cannot reach them."""

from __future__ import annotations

import io
import os
import subprocess
from collections.abc import Sequence
from functools import lru_cache

# Pillow then keeps the memory of two pictures: fresh pages of the system cost a quarter of composing one.
os.environ.setdefault("PILLOW_BLOCKS_MAX", "2")

from PIL import Image, ImageDraw, ImageFont

from govcrawl.items import GovcrawlError

RED = (220, 0, 0)
STROKE = 3
SIZE = 15
LEADING = 22
MARGIN = 10
QUALITY = 80

Box = tuple[float, float, float, float]  # left, top, width, height in pixels of the picture


@lru_cache
def font() -> ImageFont.FreeTypeFont:
    """Load the machine's Chinese font, or end with one clear line."""
    ask = ["fc-match", "-f", "%{file}\n%{index}\n%{lang}", "sans-serif:lang=zh-cn"]
    try:
        answer = subprocess.run(ask, capture_output=True, text=True, check=True, timeout=20).stdout  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        answer = ""
    file, _, rest = answer.partition("\n")
    index, _, languages = rest.partition("\n")
    if "zh-cn" not in languages.split("|"):
        raise GovcrawlError(
            "no Chinese font found: install one with `apt-get install fontconfig fonts-noto-cjk`"
        )
    return ImageFont.truetype(file, SIZE, index=int(index) & 0xFFFF)


def _wrapped(line: str, width: int) -> list[str]:
    """Break a line where it fills the width; Chinese text and addresses have no spaces to break at."""
    if font().getlength(line) <= width:
        return [line]
    rows, row, filled = [], "", 0.0
    for char in line:
        wide = font().getlength(char)
        if filled + wide > width and row:
            rows.append(row)
            row, filled = "", 0.0
        row, filled = row + char, filled + wide
    return [*rows, row]


def compose(picture: bytes, boxes: Sequence[Box], caption: Sequence[str]) -> tuple[bytes, int, int]:
    """Outline the boxes in red, put the caption below, and return the JPEG with its width and height."""
    with Image.open(io.BytesIO(picture)) as seen:
        rows = [row for line in caption for row in _wrapped(line, seen.width - 2 * MARGIN)]
        strip = len(rows) * LEADING + 2 * MARGIN if rows else 0
        whole = Image.new("RGB", (seen.width, seen.height + strip), "white")
        whole.paste(seen if seen.mode == "RGB" else seen.convert("RGB"), (0, 0))
        shown = seen.height
    pen = ImageDraw.Draw(whole)
    for left, top, width, height in boxes:
        # A little outside the element, but never outside the picture.
        corner = (max(left - STROKE - 1, 0), max(top - STROKE - 1, 0))
        far = (min(left + width + STROKE, whole.width - 1), min(top + height + STROKE, shown - 1))
        if far[0] > corner[0] and far[1] > corner[1]:
            pen.rectangle((corner, far), outline=RED, width=STROKE)
    if strip:
        pen.line((0, shown, whole.width, shown), fill="black", width=2)
    for number, row in enumerate(rows):
        pen.text((MARGIN, shown + MARGIN + number * LEADING), row, font=font(), fill="black")
    out = io.BytesIO()
    whole.save(out, "JPEG", quality=QUALITY)
    return out.getvalue(), whole.width, whole.height
