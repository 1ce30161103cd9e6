"""Tiles in colours they were not seen in: a tile's shape is known once it was seen, and its palette's colours change
together, so other tiles of the palette, and what a clip shows of them, tell what they change to."""

from __future__ import annotations

import numpy as np

_ENTRIES = 256
_ENOUGH = 16  # pixels of other tiles that tell what a colour changes to ...
_ALIKE = 0.99  # ... and the share of them that has to agree
_TWO = 4  # pixels of an entry that look otherwise than most of it do with another look: it stands for two colours
SHOWN = 16  # kind of what the clip itself shows: as good as what many visits agree on

Pictures = tuple[np.ndarray, np.ndarray]  # colours and kinds of all tiles with one look, uint8 [ids + 1, cell, cell]


def steady(kinds: np.ndarray) -> np.ndarray:
    """Where all visits agreed, see `atlas.kinds_of`: bool."""
    return np.asarray((kinds > 0) & (kinds % 4 == 0))


def recoloured(seen: Pictures, others: list[Pictures], palettes: tuple[int, ...]) -> Pictures:
    """Tiles as they were `seen` with one look, and where they were not, as they were with other looks, recoloured.

    Args:
        palettes: of the first ids, see `ConsoleLooks.tile_palettes`; those after them stay as they are.
    """
    colours, kinds = (array.copy() for array in seen)
    palette = np.array(palettes)
    for number in np.unique(palette):
        some = np.flatnonzero(palette == number)
        parts = [(own[some], np.where(steady(kind[some]), kind[some], 0)) for own, kind in (seen, *others)]
        if not parts[0][1].any():
            continue
        for k, (own, kind) in enumerate(parts[1:], 1):
            table = _changes(parts[k], parts[0])
            table[_doubles(k, parts)] = -1
            drawn = table[own]
            new = ~steady(kinds[some]) & (kind > 0) & (drawn >= 0)
            colours[some] = np.where(new, drawn, colours[some])
            kinds[some] = np.where(new, kind, kinds[some])
    return colours, kinds


def _pairs(one: Pictures, other: Pictures) -> np.ndarray:
    """How often each entry of a palette's tiles with one look is each entry with another: int64 [256, 256]."""
    both = (one[1] > 0) & (other[1] > 0)
    pairs = one[0][both].astype(np.int64) * _ENTRIES + other[0][both]
    return np.bincount(pairs, minlength=_ENTRIES * _ENTRIES).reshape(_ENTRIES, _ENTRIES)


def _changes(own: Pictures, target: Pictures) -> np.ndarray:
    """What each palette entry changes to, int16 [256], -1 = not known."""
    counts = _pairs(own, target)
    most, total = counts.max(1), counts.sum(1)
    return np.where((most >= _ENOUGH) & (most >= _ALIKE * total), counts.argmax(1), -1).astype(np.int16)


def _doubles(k: int, looks: list[Pictures]) -> np.ndarray:
    """Entries of look k that are two colours of the palette with some other look, or may be: bool [256].

    A palette that shows fewer colours than with another look has two that look alike. Where nothing tells which, it is
    taken to be the one that most of the tiles show, the backdrop.
    """
    double = np.zeros(_ENTRIES, bool)
    for n, other in enumerate(looks):
        if n != k:
            counts = _pairs(looks[k], other)
            double |= counts.sum(1) - counts.max(1) >= _TWO
    shown = [np.bincount(own[kind > 0], minlength=_ENTRIES) for own, kind in looks]
    if not double.any() and (shown[k] > 0).sum() < max((count > 0).sum() for count in shown):
        double[shown[k].argmax()] = True
    return double


def completed(seen: Pictures, place: np.ndarray, colours: np.ndarray, changing: tuple[int, ...]) -> Pictures:
    """Tiles as they were `seen`, and where they were not, as pixels of a clip show them.

    Args:
        place: int64 [N], of pixels: the tile's id, row and column as the position in an array [ids, cell, cell].
        colours: uint8 [N], what they show.
        changing: ids of tiles whose colours change while they stand there: these are left as they are.
    """
    pairs, votes = np.unique(place * _ENTRIES + colours, return_counts=True)
    where, total = pairs // _ENTRIES, np.zeros(seen[0].size, np.int64)
    np.add.at(total, where, votes)
    alike = votes >= _ALIKE * total[where]
    shown, known = np.zeros(seen[0].size, np.uint8), np.zeros(seen[0].size, bool)
    shown[where[alike]], known[where[alike]] = pairs[alike] % _ENTRIES, True
    open_ = known.reshape(seen[0].shape) & ~steady(seen[1])
    open_[list(changing)] = False
    return np.where(open_, shown.reshape(seen[0].shape), seen[0]), np.where(open_, np.uint8(SHOWN), seen[1])
