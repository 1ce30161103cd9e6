"""Finding blocks that somebody painted over: masks bool [T, H, W], True = missing."""

from __future__ import annotations

import numpy as np

from ..games.palette import pack_rgb, unpack_rgb
from .growing import dilate
from .painted import ALIKE, RIM, TOLERANCE, find_blocks, find_colour, near

UNIT = 16  # side of the blocks
FOREIGN_SIDE = 8  # smallest side of a uniform rectangle in a colour the game does not have
BLOCK_SHARE = 0.93  # share of a colour's pixels in whole aligned blocks from which the colour counts as a filling
FOREIGN_COLOURS = 16  # at most this many painted colours are looked at: damage is painted in few colours


def _in_square(where: np.ndarray, side: int) -> np.ndarray:
    """Pixels of bool [T, H, W] that lie in some side x side square of True (a morphological opening)."""
    count, height, width = where.shape
    total = np.zeros((count, height + 1, width + 1), np.int32)
    total[:, 1:, 1:] = where.cumsum(1, dtype=np.int32).cumsum(2, dtype=np.int32)
    sums = total[:, side:, side:] - total[:, :-side, side:] - total[:, side:, :-side] + total[:, :-side, :-side]
    corners = sums == side * side  # True where a whole square starts
    opened = np.zeros_like(where)
    last_y, last_x = corners.shape[1], corners.shape[2]
    rows = np.zeros((count, height, last_x), bool)
    for dy in range(side):
        rows[:, dy : dy + last_y] |= corners
    for dx in range(side):
        opened[:, :, dx : dx + last_x] |= rows[:, :, :]
    return opened


def _aligned_blocks(where: np.ndarray) -> np.ndarray:
    """Pixels of bool [T, H, W] in whole 16x16 blocks of True, blocks counted from the upper left corner."""
    count, height, width = where.shape
    rows, cols = height // UNIT, width // UNIT
    whole = where[:, : rows * UNIT, : cols * UNIT].reshape(count, rows, UNIT, cols, UNIT).all(axis=(2, 4))
    blocks = np.zeros_like(where)
    blocks[:, : rows * UNIT, : cols * UNIT] = whole.repeat(UNIT, 1).repeat(UNIT, 2)
    return blocks


_EXACT = 0.9  # share of what is found with tolerance from which what is found exactly counts


def detect(
    colours: np.ndarray, palette: np.ndarray | None, fill: int | None = None, tolerance: int = TOLERANCE
) -> tuple[np.ndarray, list[int]]:
    """Find what was painted over: exactly where pixels are as they were painted, else what compression left of it.

    Footage of a game with a palette is not compressed; of true-colour footage both are looked for, and what is found
    exactly counts where it is nearly as much as what is found with tolerance.

    Args:
        colours: int32 [T, H, W] packed RGB (see pack_rgb).
        palette: uint8 [K, 3], the game's colours; None for true-colour footage.
        fill: packed colour of the damage, where it is known.
        tolerance: levels that a channel of compressed footage may be off `fill`; 0 = none.
    Returns:
        (bool [T, H, W] True = missing, the colours taken for damage).
    """
    if palette is not None or not tolerance:
        return detect_exact(colours, palette, fill)
    rgb = unpack_rgb(colours)
    if fill is None:
        height, width = colours.shape[1:]
        whole = (0, 0), (0, -height % UNIT), (0, -width % UNIT)  # blocks that the far edges cut are blocks, too
        nearly, blurred = find_blocks(np.pad(rgb, (*whole, (0, 0)), mode="edge"))
        missing, found = _detect_fillings(np.pad(colours, whole, mode="edge"), blurred)
        nearly, missing = nearly[:, :height, :width], missing[:, :height, :width]
    else:
        nearly, blurred = find_colour(rgb, fill, tolerance), [fill]
        missing, found = detect_exact(colours, None, fill)
    if not nearly.any():
        return nearly, []
    if missing.sum() >= _EXACT * nearly.sum():
        return missing, found
    return missing | dilate(nearly, RIM), sorted({*found, *blurred})


def detect_exact(
    colours: np.ndarray, palette: np.ndarray | None, fill: int | None = None
) -> tuple[np.ndarray, list[int]]:
    """Find what was painted over in footage whose real colours are all in `palette`, or which has no palette.

    With `fill` given, every uniform rectangle of that colour of at least 8x8 pixels is missing. Without it:
    1. A colour the palette does not have cannot be footage: its uniform rectangles of at least 8x8 pixels are missing.
    2. A colour of the palette is a filling when at least 93 % of its pixels lie in whole 16x16 blocks counted from the
       upper left corner. Skies and black backgrounds do not pass: their shapes do not end on block borders.
    Of true-colour footage no colour is known to be foreign: rule 2 holds for every colour that fills a whole block.
    Frames of one single colour are left alone: games show those between scenes.

    Args:
        colours: int32 [T, H, W] packed RGB (see pack_rgb).
        palette: uint8 [K, 3], the game's colours; None for true-colour footage.
        fill: packed colour of the damage, where it is known.
    Returns:
        (bool [T, H, W] True = missing, the colours taken for damage).
    """
    blank = (colours == colours[:, :1, :1]).all(axis=(1, 2))
    live = ~blank[:, None, None]
    missing = np.zeros(colours.shape, bool)
    if fill is not None:
        missing = _in_square((colours == fill) & live, FOREIGN_SIDE)
        return missing, [fill] if missing.any() else []
    found: list[int] = []
    if palette is None:
        return _detect_fillings(colours)
    known = set(pack_rgb(palette).tolist())
    values, counts = np.unique(colours[~blank], return_counts=True)
    foreign = [(int(n), int(v)) for v, n in zip(values, counts, strict=True) if int(v) not in known]
    for number, value in sorted(foreign, reverse=True)[:FOREIGN_COLOURS]:
        if number >= FOREIGN_SIDE**2:
            area = _in_square(colours == value, FOREIGN_SIDE) & live
            if area.any():
                missing |= area
                found.append(value)
    for value, number in zip(values.tolist(), counts.tolist(), strict=True):
        if value in known:
            area = _aligned_blocks((colours == value) & live)
            if area.sum() >= max(BLOCK_SHARE * number, 1):
                missing |= area
                found.append(value)
    return missing, found


def _detect_fillings(colours: np.ndarray, among: list[int] | None = None) -> tuple[np.ndarray, list[int]]:
    """Rule 2 of `detect_exact` for footage of any number of colours: only those of whole blocks are looked at.

    Args:
        among: only colours near one of these. Where footage was compressed, as JPEG files are, plain areas come in
            whole blocks of exactly one colour, too; what is near that colour tells them from what was painted.
    """
    _, height, width = colours.shape
    live = ~(colours == colours[:, :1, :1]).all(axis=(1, 2))[:, None, None]
    corners = colours[:, : height // UNIT * UNIT : UNIT, : width // UNIT * UNIT : UNIT]
    spread = np.zeros_like(colours)
    spread[:, : corners.shape[1] * UNIT, : corners.shape[2] * UNIT] = corners.repeat(UNIT, 1).repeat(UNIT, 2)
    whole = _aligned_blocks((colours == spread) & live)
    missing, found = np.zeros(colours.shape, bool), []
    values, counts = np.unique(colours[whole], return_counts=True)
    for place in counts.argsort(kind="stable")[::-1][:FOREIGN_COLOURS]:
        value = int(values[place])
        if among is not None and not near(np.array(among, np.int64), value, ALIKE).any():
            continue
        if counts[place] >= BLOCK_SHARE * int(((colours == value) & live).sum()):
            missing |= whole & (colours == value)
            found.append(value)
    return missing, sorted(found)
