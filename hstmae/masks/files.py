"""What a user gives to say what is missing: mask files and colours."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ..errors import DataError, UsageError


def load_mask(path: Path, size: tuple[int, int]) -> np.ndarray:
    """A picture file as a mask of `size` (height, width): white (brighter than middle grey) = missing.

    Raises:
        DataError: unreadable or of another size.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            grey = np.asarray(picture.convert("L"))
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, ValueError) as error:
        raise DataError(f"mask {path}: cannot be read as a picture ({error})") from error
    if grey.shape != size:
        raise DataError(
            f"mask {path}: is {grey.shape[1]}x{grey.shape[0]}, the footage {size[1]}x{size[0]}; sizes must be equal"
        )
    return grey >= 128


def parse_colour(text: str) -> int:
    """`#rrggbb` -> packed colour. Raises UsageError."""
    if not re.fullmatch(r"#?[0-9a-fA-F]{6}", text):
        raise UsageError(f"colour '{text}': write it as #rrggbb, e.g. #000000")
    return int(text.lstrip("#"), 16)
