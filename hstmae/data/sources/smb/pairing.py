"""Finding the lag between memory and pictures of a recording of Super Mario Bros., see `data.pairing` and `lag_tests`.

Short pieces all over the episode are looked at, the memory of each first, which is cheap, then the pictures of a few
frames that can tell, until they have told: on most episodes that takes some twenty pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest

import numpy as np

from ....errors import DataError
from ...pairing import LAGS, Pairing
from ..base import SourceFrame
from .lag_tests import (
    HEIGHT,
    KNOWN_BOTTOM,
    KNOWN_TOP,
    WIDTH,
    ScrollTest,
    camera_of,
    clearly_better,
    clock_steps,
    moves,
    shift,
    sprite_fit,
    telling,
)
from .tail import read_metadata, tail_of

PIECE = 18  # frames looked at in a row
PIECES = 40  # at most, as long as the scroll test has not told
_EACH = 9  # frames of a piece whose pictures are compared
_ENOUGH, _FEW = 6, 3  # frames that must speak for a lag against another, to stop looking; when all was looked at
_STRAY = 0.2  # share of as many that may speak the other way
_SPRITE_PIECES = 8
_SPRITE_FRAMES = 6  # at least, tested
_SURE = 2.5  # standard errors

Memory = Callable[[int], np.ndarray | None]  # of the k-th frame, uint8 [2048]; None where it cannot be read
Picture = Callable[[int], np.ndarray | None]  # its palette entries, negative where they are unknown; None likewise


@dataclass(frozen=True)
class _Piece:
    """Frames in a row without a gap: position of the first, and their memory uint8 [T, 2048]."""

    first: int
    memory: np.ndarray


def find_pairing(numbers: Sequence[int] | np.ndarray, memory: Memory, picture: Picture) -> Pairing:
    """The lag of an episode, with the evidence; by "nothing" where it does not tell: nothing moves, it is too short, or
    the lags contradict each other.

    Args:
        numbers: ascending frame numbers of T frames.
        memory, picture: give those of a frame by its position 0 .. T - 1; asked for few of them.
    """

    def native(k: int) -> np.ndarray | None:
        pixels = picture(k)
        return None if pixels is None else as_screen(pixels)

    scroll, pieces = ScrollTest(), []
    for piece in _pieces(np.asarray(numbers, np.int64), memory):
        pieces.append(piece)
        _scroll(scroll, piece, native)
        if len(refuted := scroll.refuted(_ENOUGH, 0)) == len(LAGS) - 1:
            return _by_scroll(scroll, refuted)
    refuted = scroll.refuted(_FEW, _STRAY)
    if len(refuted) == len(LAGS) - 1:
        return _by_scroll(scroll, refuted)
    return _by_sprites(pieces, native, refuted)


def pairing_of_files(
    names: Mapping[int, str], read: Callable[[str], bytes], pixels: Callable[[bytes], np.ndarray]
) -> Pairing:
    """`find_pairing` of PNG files with their memory behind the picture.

    Args:
        names: of the files, by frame number.
        read: gives a file's bytes, or raises OSError.
        pixels: its palette entries, or raises DataError.
    """
    numbers = sorted(names)

    @lru_cache(2 * PIECE)
    def data(k: int) -> bytes:
        try:
            return read(names[numbers[k]])
        except OSError as error:  # reported when the frames are read
            raise DataError(str(error)) from None

    def memory(k: int) -> np.ndarray | None:
        try:
            return np.frombuffer(read_metadata(tail_of(data(k))).ram, np.uint8)
        except DataError:
            return None

    @lru_cache(PIECE)
    def picture(k: int) -> np.ndarray | None:
        try:
            return pixels(data(k))
        except DataError:
            return None

    return find_pairing(numbers, memory, picture)


def _by_scroll(scroll: ScrollTest, refuted: list[int]) -> Pairing:
    (lag,) = set(LAGS) - set(refuted)
    return Pairing(lag, "scroll", scroll.tested, tuple(map(float, scroll.agreed)))


def as_screen(pixels: np.ndarray) -> np.ndarray:
    """A picture of 240 or 224 lines as int16 [240, 256], -1 where it is unknown; of another size all of it is."""
    screen = np.full((HEIGHT, WIDTH), -1, np.int16)
    if pixels.shape == (KNOWN_BOTTOM - KNOWN_TOP, WIDTH):
        screen[KNOWN_TOP:KNOWN_BOTTOM] = pixels
    elif pixels.shape == screen.shape:
        screen[:] = pixels
    return screen


def _pieces(numbers: np.ndarray, memory: Memory) -> Iterator[_Piece]:
    """Pieces spread over the episode: its middle, its quarters, its eighths ..., as far as there are any."""
    count = max(1, min(PIECES, len(numbers) // PIECE))
    for place in _spread(count):
        first = (len(numbers) - PIECE) * place // max(1, count - 1) if count > 1 else 0
        rows = range(first, len(numbers) if count == 1 else first + PIECE)
        found = [(k, ram) for k in rows if (ram := memory(k)) is not None]
        if not found:
            continue
        places, held = np.array([k for k, _ in found]), np.stack([ram for _, ram in found])
        breaks = np.flatnonzero(~all_follow(numbers[places], held) | (np.diff(places) != 1)) + 1
        for part in np.split(np.arange(len(places)), breaks):
            yield _Piece(int(places[part[0]]), held[part])


def _spread(count: int) -> list[int]:
    """0 .. count - 1, those far from each other first; the very first, where recordings stand still, at last."""
    bits = max(1, (count - 1).bit_length())
    order = [int(f"{k:0{bits}b}"[::-1], 2) for k in range(1, 1 << bits)]
    return [*(k for k in order if k < count), 0]


def follows(before: SourceFrame, frame: SourceFrame) -> bool:
    """`all_follow` of two frames with their files' own memory."""
    assert before.state is not None and frame.state is not None
    return bool(all_follow(np.array([before.number, frame.number]), np.stack([before.state, frame.state]))[0])


def all_follow(numbers: np.ndarray, memory: np.ndarray) -> np.ndarray:
    """Whether each frame was recorded right after the one before it: bool [T - 1], from frame numbers int [T] and the
    files' own memory uint8 [T, 2048]. The game's clock tells of load screens that the numbers do not count."""
    return (np.diff(numbers) == 1) & (clock_steps(memory) <= 1)


def _scroll(test: ScrollTest, piece: _Piece, picture: Picture) -> None:
    camera = camera_of(piece.memory)
    told = {t: move for t in range(2, len(camera) - 1) if telling(move := moves(camera, t))}
    # In turns the frames at which each of the lags says something else than the others: alternating speeds tell 0
    # alone.
    odd = [[t for t in told if told[t].count(told[t][k]) == 1] for k in range(len(LAGS))]
    turns = dict.fromkeys(t for some in zip_longest(*odd) for t in some if t is not None)
    for t in list(turns)[:_EACH]:
        now, before = picture(piece.first + t), picture(piece.first + t - 1)
        seen = None if now is None or before is None else shift(now, before)
        if seen is not None:
            test.add(told[t], seen)


def _by_sprites(pieces: Sequence[_Piece], picture: Picture, refuted: list[int]) -> Pairing:
    """The sprite test on pieces with sprites that move, where the scroll test has not told, or not all of it."""
    lively = [piece for piece in pieces if _lively(piece.memory)][:_SPRITE_PIECES]
    fits, frames = [np.zeros((len(LAGS), 0))], 0
    memory, pictures, rows, half, base = [], [], [], [], 0
    for number, piece in enumerate(lively):
        found = [(t, p) for t in range(1, len(piece.memory) - 1) if (p := picture(piece.first + t)) is not None]
        memory.append(piece.memory)
        pictures += [p for _, p in found]
        rows += [base + t for t, _ in found]
        # Each half of one piece is tested by the other; pieces take turns.
        half += [2 * k >= len(found) if len(lively) == 1 else bool(number % 2) for k in range(len(found))]
        base += len(piece.memory)
    if pictures:
        fits.append(sprite_fit(np.concatenate(memory), np.stack(pictures), np.array(rows), np.array(half)))
    fit = np.concatenate(fits, 1)
    fit = fit[:, np.isfinite(fit).all(0)]
    frames = fit.shape[1]
    left = [k for k, lag in enumerate(LAGS) if lag not in refuted]
    if frames < _SPRITE_FRAMES or not left:
        return Pairing(0, "nothing")
    means = fit.mean(1)
    best = max(left, key=lambda k: means[k])
    if all(clearly_better(fit, best, other, _SURE) for other in left if other != best):
        return Pairing(LAGS[best], "sprites", frames, tuple(np.exp(means).tolist()))
    return Pairing(0, "nothing")


def _lively(memory: np.ndarray) -> bool:
    """Whether sprites move in these frames: what the list holds changes, not its order alone, which always does."""
    if len(memory) < 4:
        return False
    sprites = np.sort(memory[:, 0x200:0x300].reshape(len(memory), 64, 4).copy().view("<u4")[..., 0], 1)
    return int(np.count_nonzero((sprites[1:] != sprites[:-1]).any(1))) >= 2
