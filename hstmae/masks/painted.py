"""Painted blocks in footage that was compressed: their colour is a few levels off, and blurred at the edges."""

from __future__ import annotations

import numpy as np

from .growing import dilate

UNIT = 16  # side of the blocks
TOLERANCE = 16  # levels that a channel may be off a colour that was named
RIM = 2  # pixels around that took on some of the painted colour
_SIDE = 8  # smallest side of a rectangle of a colour that was named ...
_FULL = 0.8  # ... in which at least this share of the pixels has it
_EDGE = 3  # pixels at the sides of a block that are not looked at
_FLAT = 10  # largest difference of a channel inside a painted block
ALIKE = 6  # largest difference of a channel between painted blocks
_COLOURS = 16  # at most this many are looked at
_SHARE = 0.93  # share of a colour's pixels in whole blocks from which on it counts as painted
_STEP = 12  # smallest step of a channel at the border of a painted block ...
_ABRUPT = 0.6  # ... at this share of all borders
_BLANK = 16  # largest difference of a channel in a frame of one colour


def find_colour(rgb: np.ndarray, fill: int, tolerance: int = TOLERANCE) -> np.ndarray:
    """Rectangles of at least 8x8 pixels in nearly one colour, bool [T, H, W], without the rim.

    Args:
        rgb: uint8 [T, H, W, 3]; frames of one colour are left alone.
        fill: packed colour; each channel may be `tolerance` levels off.
    """
    wanted = np.array([fill >> 16 & 255, fill >> 8 & 255, fill & 255], np.int16)
    off = np.abs(rgb.astype(np.int16) - wanted).max(-1)
    off[_blank(rgb)] = 255
    return _nearly_full(off <= tolerance) & (off <= 3 * tolerance)


def near(packed: np.ndarray, colour: int, levels: int) -> np.ndarray:
    """Where each channel of packed colours is at most so many levels off that of `colour`."""
    close = np.ones(packed.shape, bool)
    for shift in (16, 8, 0):
        close &= np.abs((packed >> shift & 255) - (colour >> shift & 255)) <= levels
    return close


def _nearly_full(where: np.ndarray) -> np.ndarray:
    """Pixels of bool [T, H, W] in a square of _SIDE pixels that is True nearly everywhere."""
    count, height, width = where.shape
    opened = np.zeros_like(where)
    if min(height, width) < _SIDE:
        return opened
    total = np.zeros((count, height + 1, width + 1), np.int32)
    total[:, 1:, 1:] = where.cumsum(1, dtype=np.int32).cumsum(2, dtype=np.int32)
    sums = total[:, _SIDE:, _SIDE:] - total[:, :-_SIDE, _SIDE:] - total[:, _SIDE:, :-_SIDE] + total[:, :-_SIDE, :-_SIDE]
    corners = sums >= _FULL * _SIDE**2
    rows = np.zeros((count, height, corners.shape[2]), bool)
    for dy in range(_SIDE):
        rows[:, dy : dy + corners.shape[1]] |= corners
    for dx in range(_SIDE):
        opened[:, :, dx : dx + corners.shape[2]] |= rows
    return opened


def _blank(rgb: np.ndarray) -> np.ndarray:
    """bool [T]: frames of one colour."""
    return (np.ptp(rgb, axis=(1, 2)) <= _BLANK).all(-1)


def find_blocks(rgb: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """Whole 16x16 blocks, counted from the upper left corner, in nearly one colour that is hardly anywhere else.

    A colour counts as painted where plain blocks of it end abruptly at their borders; then less plain ones count, too.
    Bars at the edges of the picture that never change are part of the footage.

    Args:
        rgb: uint8 [T, H, W, 3].
    Returns:
        (bool [T, H, W] without the rim, packed colours).
    """
    count, height, width = rgb.shape[:3]
    rows, cols = height // UNIT, width // UNIT
    missing, found = np.zeros((count, height, width), bool), list[int]()
    if not rows or not cols:
        return missing, found
    blocks = rgb[:, : rows * UNIT, : cols * UNIT].reshape(count, rows, UNIT, cols, UNIT, 3)
    inner = blocks[:, :, _EDGE:-_EDGE, :, _EDGE:-_EDGE]
    low, high = inner.min((2, 4)), inner.max((2, 4))
    flat = (high - low <= _FLAT).all(-1) & ~_blank(rgb)[:, None, None]
    middles = ((low.astype(np.int16) + high) // 2).astype(np.int16)  # [T, R, C, 3]
    left = flat.copy()
    for _ in range(_COLOURS):
        if not left.any():
            break
        centre = _commonest(middles[left])
        alike = flat & (np.abs(middles - centre) <= ALIKE).all(-1)
        left &= ~alike
        members = alike & ~_bars(alike)
        if members.any() and _stands_alone(rgb, members, centre) and _abrupt(rgb, members, flat):
            close = (np.abs(inner.astype(np.int16) - centre) <= TOLERANCE).all(-1).mean((2, 4)) >= _FULL
            missing |= _pixels(members | (close & ~_bars(alike)), height, width)
            found.append(int(centre[0]) << 16 | int(centre[1]) << 8 | int(centre[2]))
    return missing, sorted(found)


def _commonest(colours: np.ndarray) -> np.ndarray:
    """The middle of the largest heap of colours int16 [N, 3]."""
    coarse = colours // ALIKE
    keys = (coarse[:, 0].astype(np.int64) * 64 + coarse[:, 1]) * 64 + coarse[:, 2]
    values, counts = np.unique(keys, return_counts=True)
    return np.median(colours[keys == values[counts.argmax()]], axis=0).astype(np.int16)


def _bars(alike: np.ndarray) -> np.ndarray:
    """bool [R, C]: whole rows or columns of blocks from an edge of the picture on that are alike in all frames."""
    always = np.logical_and.reduce(alike, 0)
    bars = np.zeros_like(always)
    if len(alike) == 1:
        return bars
    for lines, axis in ((bars, 1), (bars.T, 0)):
        whole = np.logical_and.reduce(always, axis)
        for ordered in (slice(None), slice(None, None, -1)):
            lines[np.logical_and.accumulate(whole[ordered])[ordered]] = True
    return bars


def _pixels(blocks: np.ndarray, height: int, width: int) -> np.ndarray:
    """bool [T, R, C] of 16x16 blocks -> bool [T, H, W]."""
    made = np.zeros((len(blocks), height, width), bool)
    large = blocks.repeat(UNIT, 1).repeat(UNIT, 2)
    made[:, : large.shape[1], : large.shape[2]] = large
    return made


def _stands_alone(rgb: np.ndarray, members: np.ndarray, centre: np.ndarray) -> bool:
    """Nearly all pixels of this colour lie in or right beside these blocks."""
    near = (np.abs(rgb.astype(np.int16) - centre) <= _FLAT).all(-1)
    around = dilate(_pixels(members, *rgb.shape[1:3]), RIM)
    return bool((near & around).sum() >= _SHARE * near.sum())


def _abrupt(rgb: np.ndarray, members: np.ndarray, flat: np.ndarray) -> bool:
    """At most borders of these blocks, bool [T, R, C], with others the colours of [T, H, W, 3] change at once.

    Of borders with blocks that are not `flat`, too: a plain sky ends abruptly where painted blocks begin, but nowhere
    else.
    """
    steps: list[np.ndarray] = []
    with_others: list[np.ndarray] = []
    for axis in (1, 2):
        one, other = (members.take(range(s, members.shape[axis] - 1 + s), axis) for s in (0, 1))
        plain = flat.take(range(flat.shape[axis] - 1), axis) & flat.take(range(1, flat.shape[axis]), axis)
        places = np.argwhere(one != other)
        for t, row, col in places.tolist():
            edge = (row + 1 if axis == 1 else col + 1) * UNIT
            along = (col if axis == 1 else row) * UNIT
            frame = rgb[t] if axis == 1 else rgb[t].swapaxes(0, 1)
            strip = frame[edge - _EDGE - 1 : edge + _EDGE + 1, along : along + UNIT].astype(np.int16)
            steps.append(np.abs(strip[:2].mean(0) - strip[-2:].mean(0)).max(-1) >= _STEP)
            if not plain[t, row, col]:
                with_others.append(steps[-1])
    return all(not some or float(np.mean(some)) >= _ABRUPT for some in (steps, with_others))
