"""What notebooks show of an object: a small table with a picture, as HTML that holds all it needs."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

WIDEST = 320  # pixels of a picture; larger ones are scaled down

Row = tuple[str, object]


def card(title: str, rows: Iterable[Row], pictures: Iterable[tuple[str, np.ndarray]] = ()) -> str:
    """A title, rows of a name and a value, and pictures with captions: uint8 [H, W, 3] or grey [H, W]. Texts are shown
    as they are, whatever they hold; rows whose value is None or "" are left out."""
    lines = [
        f"<tr><th style='text-align:left'>{_text(name)}</th><td style='text-align:left'>{_text(value)}</td></tr>"
        for name, value in rows
        if value is not None and value != ""
    ]
    shown = "".join(
        f"<figure style='display:inline-block;margin:4px'><img alt='{_text(caption)}' src='{_png(picture)}'>"
        f"<figcaption>{_text(caption)}</figcaption></figure>"
        for caption, picture in pictures
        if picture.size
    )
    return f"<div><b>{_text(title)}</b><table>{''.join(lines)}</table>{shown}</div>"


def _text(value: object) -> str:
    return html.escape(str(value))


def _png(picture: np.ndarray) -> str:
    from PIL import Image

    image = Image.fromarray(picture)
    if image.width > WIDEST:
        image = image.resize((WIDEST, max(1, image.height * WIDEST // image.width)))
    file = io.BytesIO()
    image.save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
