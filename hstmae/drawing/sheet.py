"""Laying pictures out on one sheet: title, legend, headed columns, a caption per row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .overlay import font
from .panels import BACKGROUND

if TYPE_CHECKING:
    from PIL.Image import Image

MARGIN = 16
SPACE = 8
TITLE, HEADING, CAPTION = 30, 20, 18  # font sizes in pixels
BRIGHT, SOFT = (240, 240, 240), (170, 170, 178)


@dataclass(frozen=True)
class Row:
    """One row of a sheet: its caption, and (heading, picture uint8 [H, W, 3]) for each column."""

    caption: str
    panels: Sequence[tuple[str, np.ndarray]]


def compose(title: str, legend: Sequence[tuple[str, tuple[int, int, int]]], rows: Sequence[Row]) -> Image:
    """One picture of all rows. A row whose headings are those of the row above leaves them out.

    Args:
        legend: (word, colour) of each thing that is marked by colour.
    """
    from PIL import Image, ImageDraw

    width = 2 * MARGIN + max(sum(p.shape[1] + SPACE for _, p in row.panels) - SPACE for row in rows)
    top = MARGIN + TITLE + SPACE + (HEADING + 2 * SPACE if legend else 0)
    tops, headed = [], []
    before: list[str] = []
    for row in rows:
        words = [word for word, _ in row.panels]
        headed.append(words != before)
        before = words
        tops.append(top)
        head = (HEADING + SPACE if headed[-1] else 0) + (CAPTION + SPACE if row.caption else 0)
        top += head + max(p.shape[0] for _, p in row.panels) + 2 * SPACE
    sheet = Image.new("RGB", (width + width % 2, top + MARGIN + (top + MARGIN) % 2), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, MARGIN), title, fill=BRIGHT, font=font(TITLE))
    left = MARGIN
    for word, colour in legend:
        y = MARGIN + TITLE + 2 * SPACE
        draw.rectangle((left, y, left + HEADING - 2, y + HEADING - 2), fill=colour, outline=SOFT)
        draw.text((left + HEADING + 4, y - 1), word, fill=SOFT, font=font(HEADING))
        left += HEADING + 20 + round(font(HEADING).getlength(word))
    for row, y, with_heads in zip(rows, tops, headed, strict=True):
        if row.caption:
            draw.text((MARGIN, y), row.caption, fill=SOFT, font=font(CAPTION))
            y += CAPTION + SPACE
        left = MARGIN
        for word, picture in row.panels:
            if with_heads:
                draw.text((left, y), word, fill=BRIGHT, font=font(HEADING))
            sheet.paste(Image.fromarray(picture), (left, y + (HEADING + SPACE if with_heads else 0)))
            left += picture.shape[1] + SPACE
    return sheet
