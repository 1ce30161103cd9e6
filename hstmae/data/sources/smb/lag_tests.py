"""Two tests of which memory goes with which picture of Super Mario Bros., each asked for the lags -1, 0 and +1.

The scroll test: when the picture moves, it moves by the change of the scroll registers. It is right in all but one of
a thousand frames, wherever the speed changes now and then.

The sprite test, where nothing scrolls: how the sprites of one half of the frames look is learned, and how probable by
that the other half's pixels are is measured, and the other way round. Looks are learned at the very lag that they are
tested at, on other frames: what is learned in step with a wrong pairing fits itself well, but not other frames.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ...pairing import LAGS

HEIGHT, WIDTH = 240, 256
KNOWN_TOP, KNOWN_BOTTOM = 8, 232  # pictures of 224 lines hold these of the screen's 240
REACH = 8  # pixels: the camera never moves further from one frame to the next
_FIELD = slice(40, KNOWN_BOTTOM, 4)  # rows that are looked at: below the status bar, some of them
_QUIET = 0.003  # share of pixels that may change in a picture that stands still
_FITS, _CLEARLY = 0.6, 0.1  # share of the changed pixels that a shift explains, and how many more than the next best
_CAMERA_PAGE, _CAMERA_X, _CLOCK, _SPRITES = 0x71A, 0x71C, 0x09, 0x200
_COLOURING = [0x74E, 0x744, 0x756, 0x753]  # what colours sprites beside their palette: kind of map, backdrop, player
_BEHIND, _FLIP_X, _FLIP_Y, _NO_TILE = 0x20, 0x40, 0x80, 0xFC
_SMOOTH, _COLOURS = 0.05, 8  # what is added to each count, for so many colours that a pixel may have
_FEWEST = 16  # pixels of a frame whose look is known, for it to be tested
_TINY = 0.01  # added to a standard error, so that a handful of equal frames prove nothing


def clock_steps(memory: np.ndarray) -> np.ndarray:
    """Frames that the game counted between each memory and the next, int [T - 1], modulo 256: 1, or 0 where it was too
    slow. uint8 [T, 2048]. More: what lies between (a load screen) was not recorded, whatever the files' numbers say."""
    clock = memory[:, _CLOCK].astype(np.int64)
    return (clock[1:] - clock[:-1]) & 0xFF


def camera_of(memory: np.ndarray) -> np.ndarray:
    """uint8 [T, 2048] -> int [T], world x of the picture's left edge."""
    return memory[:, _CAMERA_PAGE].astype(np.int64) * 256 + memory[:, _CAMERA_X]


def moves(camera: np.ndarray, t: int) -> tuple[int, ...]:
    """By how much the picture t moved since the one before, if the lag is each of LAGS. Needs camera[t - 2 : t + 2]."""
    return tuple(int(camera[t - lag] - camera[t - lag - 1]) for lag in LAGS)


def telling(move: tuple[int, ...]) -> bool:
    """Whether the lags say different things, and nothing impossible."""
    return len(set(move)) > 1 and min(move) >= 0 and max(move) <= REACH


def shift(now: np.ndarray, before: np.ndarray) -> int | None:
    """By how many pixels a picture has moved to the left since the one before: 0 .. REACH; None where it is not clear.

    Only pixels that changed count: what is painted over in both, or plain, says nothing. int16 [240, 256], -1 = unknown
    """
    width = WIDTH - REACH
    new, old = now[_FIELD], before[_FIELD]
    known = (new[:, :width] >= 0) & (old[:, :width] >= 0)
    rows, columns = np.nonzero(known & (new[:, :width] != old[:, :width]))
    if len(rows) <= _QUIET * int(known.sum()):
        return 0 if known.any() else None
    colours = new[rows, columns]
    fits = [0.0, *(np.count_nonzero(colours == old[rows, columns + s]) / len(rows) for s in range(1, REACH + 1))]
    second, best = np.argsort(fits)[-2:]
    return int(best) if fits[best] >= _FITS and fits[best] - fits[second] >= _CLEARLY else None


@dataclass
class ScrollTest:
    """Counts. `won[a][b]`: frames that agree with lag LAGS[a] and not with LAGS[b]."""

    tested: int = 0
    agreed: list[int] = field(default_factory=lambda: [0] * len(LAGS))
    won: list[list[int]] = field(default_factory=lambda: [[0] * len(LAGS) for _ in LAGS])

    def add(self, move: tuple[int, ...], seen: int) -> None:
        """A picture that has moved by `seen` pixels, see `moves`."""
        right = [told == seen for told in move]
        self.tested += 1
        for a, b in np.ndindex(len(LAGS), len(LAGS)):
            self.won[a][b] += right[a] and not right[b]
        self.agreed = [count + one for count, one in zip(self.agreed, right, strict=True)]

    def refuted(self, fewest: int, share: float) -> list[int]:
        """Lags that another one beats in at least `fewest` frames, losing in at most `share` of as many."""
        n = len(LAGS)
        beaten = [
            any(self.won[a][b] >= fewest and self.won[b][a] <= share * self.won[a][b] for a in range(n))
            for b in range(n)
        ]
        return [lag for lag, lost in zip(LAGS, beaten, strict=True) if lost]


def sprite_fit(memory: np.ndarray, pictures: np.ndarray, rows: np.ndarray, half: np.ndarray) -> np.ndarray:
    """Mean log probability of the sprites' pixels in each of N pictures, at each lag: float [LAGS, N], NaN where no
    sprite is seen whose look the other half shows.

    Args:
        memory: uint8 [T, 2048].
        pictures: int16 [N, 240, 256] of frames `rows` int [N], at least 1 and at most T - 2; -1 = unknown.
        half: bool [N], which half each belongs to; looks are learned on the other one.
    """
    return np.stack([_fit([_pixels(memory[t - lag], p) for t, p in zip(rows, pictures, strict=True)], half)
                     for lag in LAGS])  # fmt: skip


def _pixels(memory: np.ndarray, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keys (which pixel of which tile in which colours) and colours of what sprites in front show, int64 [n] each."""
    sprites = memory[_SPRITES : _SPRITES + 256].reshape(64, 4).astype(np.int64)
    top, tile, attribute, left = sprites[:, 0] + 1, sprites[:, 1], sprites[:, 2], sprites[:, 3]
    seen = np.flatnonzero(
        (top >= KNOWN_TOP) & (top <= KNOWN_BOTTOM - 8) & (left <= WIDTH - 8) & (tile != _NO_TILE)
        & (attribute & _BEHIND == 0)
    )  # fmt: skip
    owner = np.full((HEIGHT, WIDTH), -1, np.int8)
    for i in seen[::-1].tolist():
        owner[top[i] : top[i] + 8, left[i] : left[i] + 8] = i
    eight = np.arange(8)
    y, x = np.broadcast_arrays(top[seen, None, None] + eight[:, None], left[seen, None, None] + eight)
    colours = picture[y, x].astype(np.int64)
    v = np.where(attribute[seen, None] & _FLIP_Y, 7 - eight, eight)
    u = np.where(attribute[seen, None] & _FLIP_X, 7 - eight, eight)
    look = tile[seen] * 4 + (attribute[seen] & 3)
    colouring = int.from_bytes(memory[_COLOURING].tobytes(), "little")
    keys = (colouring * 1024 + look)[:, None, None] * 64 + v[:, :, None] * 8 + u[:, None, :]
    front = (owner[y, x] == seen[:, None, None]) & (colours >= 0)
    return keys[front], colours[front]


def _fit(frames: list[tuple[np.ndarray, np.ndarray]], half: np.ndarray) -> np.ndarray:
    found = np.full(len(frames), np.nan)
    for learned in (False, True):
        source = [frames[i] for i in np.flatnonzero(half == learned)]
        if not source:
            continue
        keys, colours = (np.concatenate(parts) for parts in zip(*source, strict=True))
        known, counts = np.unique(keys, return_counts=True)
        pairs, often = np.unique(keys * 256 + colours, return_counts=True)
        for i in np.flatnonzero(half != learned).tolist():
            met = _lookup(known, counts, frames[i][0])
            same = _lookup(pairs, often, frames[i][0] * 256 + frames[i][1])
            if np.count_nonzero(met) >= _FEWEST:
                chance = (same + _SMOOTH) / (met + _SMOOTH * _COLOURS)
                found[i] = np.log(chance[met > 0]).mean()
    return found


def _lookup(keys: np.ndarray, counts: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The count of each key that is wanted, 0 where it is not there."""
    if not len(keys):
        return np.zeros(len(wanted), np.int64)
    at = np.searchsorted(keys, wanted).clip(0, len(keys) - 1)
    return np.where(keys[at] == wanted, counts[at], 0)


def clearly_better(fit: np.ndarray, a: int, b: int, sure: float) -> bool:
    """Whether lag LAGS[a] fits better than LAGS[b], by `sure` standard errors over the frames; see `sprite_fit`."""
    apart = fit[a] - fit[b]
    apart = apart[np.isfinite(apart)]
    if len(apart) < 4:
        return False
    return bool(apart.mean() > sure * (apart.std() / np.sqrt(len(apart)) + _TINY))
