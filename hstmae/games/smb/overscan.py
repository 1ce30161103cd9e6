"""Which part of the native picture a smaller one shows: emulators leave out lines that a television did not show.

What they leave out is set by the user. What tells is the status bar, which stands still: WORLD and TIME.
"""

from __future__ import annotations

import numpy as np

# Lines that FCEUX leaves out unless it is told otherwise, and so do many others: y, x of what is left, by its size.
USUAL = {(224, 256): (8, 0)}
_TOP, _WORLD, _TIME = 16, 144, 200  # native y of the row of words, native x of each
_LETTERS = {
    **{"W": "c6c6d6fefeeec600", "O": "7cc6c6c6c6c67c00", "R": "fcc6c6cef8dcce00", "L": "6060606060607e00"},
    **{"D": "f8ccc6c6c6ccf800", "T": "7e18181818181800", "I": "7e18181818187e00", "M": "c6eefefed6c6c600"},
    **{"E": "fec0c0fcc0c0fe00"},
}


def _word(text: str) -> np.ndarray:
    """bool [8, 8 * letters], True where a letter is drawn."""
    rows = [np.unpackbits(np.frombuffer(bytes.fromhex(_LETTERS[letter]), np.uint8)).reshape(8, 8) for letter in text]
    return np.concatenate(rows, 1).astype(bool)


_WORDS = ((_WORLD, _word("WORLD")), (_TIME, _word("TIME")))


def find_corner(pixels: np.ndarray, native: tuple[int, int]) -> tuple[int, int] | None:
    """y and x in the native picture of one [h, w] of palette entries (any integers; -1 = unknown): from where the words
    stand, else from its size; None where neither tells."""
    size = (pixels.shape[0], pixels.shape[1])
    spare = (native[0] - size[0], native[1] - size[1])
    if min(spare) < 0:
        return None
    likely = USUAL.get(size, (0, 0))
    places = [(y, x) for y in range(min(spare[0], _TOP) + 1) for x in range(spare[1] + 1)]
    for place in sorted(places, key=lambda place: place != likely):
        if _stands(pixels, place):
            return place
    return likely if size == native or size in USUAL else None


def _stands(pixels: np.ndarray, corner: tuple[int, int]) -> bool:
    """Whether the words stand where they do in a picture with this corner: drawn in one colour, and nothing else is."""
    colour = None
    for x, word in _WORDS:
        top, left = _TOP - corner[0], x - corner[1]
        part = pixels[top : top + word.shape[0], left : left + word.shape[1]]
        if left < 0 or part.shape != word.shape:
            return False
        colour = int(part[word][0]) if colour is None else colour
        if colour < 0 or not np.array_equal(part == colour, word):
            return False
    return True
