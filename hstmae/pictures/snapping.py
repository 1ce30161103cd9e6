"""Pictures of a palette game that a film has scaled and compressed, brought back to the game's own pixels and colours.

A console's picture that went through a film has thousands of colours: it was scaled, its colours were stored at half
the resolution, and compression moved all of them a little. What the console showed is still there: one of few colours
at every native pixel. The native grid is found by trying those that the game can have, at the places where the
picture can lie; what fits best has to fit well, or the footage is not of this game.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from ..errors import DataError

TOLERANCE = 14.0  # levels of luma (RMS) between a frame and the picture it was snapped to; above, it is another game
LEAST_RATIO = 0.99  # native pixels may not be smaller than this in the film
CHROMA = 0.5  # weight of a squared difference of chroma beside one of luma: films store it coarsely
SHARED = 0.1  # the same for the chroma that is left for a pixel when those it shares a sample with are settled
RARE = 15.0  # squared levels for each factor e by which flat pixels of a colour are fewer than the commonest one's ...
FEW = 0.5  # ... a colour without any counting as this many
UNEVEN = 0.02  # what a pixel counts that is not in a flat part
COLOURS = 26  # of a frame: four palettes of three for the background, four for sprites, one colour behind all
FLAT = 10  # levels of luma that pixels of one flat part differ by
DARK = 40  # luma below which a whole column or row is the border around a picture
SWEEPS = 3
SHARPEN = 3
NEAR = 1.05  # error of one place over that of another from which they differ
BEST = 3  # places that are looked at closely

_TO_YUV = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32
)  # ITU-R BT.601 without offsets: a basis to compare in, whatever the film was coded with


@dataclass(frozen=True)
class Geometry:
    """Where the native picture lies in a film's frames.

    Attributes:
        top, left, height, width: of the rectangle that shows it, in the film's pixels, fractions allowed.
        rows, columns: of native pixels in it.
        soft: the film was scaled smoothly: native pixels blend into each other.
        error: root mean square distance from the nearest colours, in 8-bit levels, of the frames that were tried.
    """

    top: float
    left: float
    height: float
    width: float
    rows: int
    columns: int
    soft: bool = False
    error: float = 0.0

    @property
    def scale(self) -> tuple[float, float]:
        """Film pixels per native pixel, down and across."""
        return self.height / self.rows, self.width / self.columns

    def centres(self) -> tuple[np.ndarray, np.ndarray]:
        """Film coordinates y [rows] and x [columns] of the middles of native pixels; the first film pixel is at 0."""
        down, across = self.scale
        y = self.top + down * (np.arange(self.rows) + 0.5) - 0.5
        x = self.left + across * (np.arange(self.columns) + 0.5) - 0.5
        return y, x

    def owners(self, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Native row of each film row int64 [H], and column of each column; -1 outside of the picture."""
        found = []
        for count, start, length, native in zip(
            size, (self.top, self.left), (self.height, self.width), (self.rows, self.columns), strict=True
        ):
            place = np.floor((np.arange(count) + 0.5 - start) * native / length).astype(np.int64)
            found.append(np.where((place >= 0) & (place < native), place, -1))
        return found[0], found[1]


def find_geometry(frames: Sequence[np.ndarray], natives: Sequence[tuple[int, int]], palette: np.ndarray) -> Geometry:
    """Where a film shows the game's picture.

    Args:
        frames: some RGB frames uint8 [H, W, 3] of one size, spread over the film.
        natives: (rows, columns) that the game's picture can have.
        palette: uint8 [K, 3], its colours.
    Raises:
        DataError: no native picture fits; the message says what came nearest.
    """
    tried: list[tuple[float, int, Geometry]] = []
    for top, left, height, width in _boxes(frames, natives):
        for rows, columns in natives:
            if height / rows >= LEAST_RATIO and width / columns >= LEAST_RATIO:
                place = Geometry(top, left, height, width, rows, columns)
                tried.append((_rough_error(frames[len(frames) // 2], place, palette), len(tried), place))
    nearest = sorted(sorted(tried)[:BEST], key=lambda one: one[1])
    found = [_judged(frames[:: max(1, len(frames) // 2)][:2], place, palette) for _, _, place in nearest]
    size = frames[0].shape
    sizes = " or ".join(f"{columns}x{rows}" for rows, columns in natives)
    if not found:
        raise DataError(f"the film's {size[1]}x{size[0]} pixels are fewer than the game's {sizes}")
    least = min(place.error for place in found)
    # Where the picture's border is black, a part of it explains the film as well as the whole does: the first counts.
    best = next(place for place in found if place.error <= NEAR * least)
    if best.error > TOLERANCE:
        raise DataError(
            f"no picture of {sizes} in the game's colours is in its {size[1]}x{size[0]} frames: the nearest "
            f"({best.columns}x{best.rows}) is {best.error:.1f} levels off, {TOLERANCE:.0f} are tolerated"
        )
    return best


def _boxes(frames: Sequence[np.ndarray], natives: Sequence[tuple[int, int]]) -> list[tuple[float, float, float, float]]:
    """(top, left, height, width) of rectangles that may hold the picture: all of the frame, what is not dark border,
    and in the middle of both the proportions in which consoles are shown."""
    height, width = frames[0].shape[:2]
    bright = np.max([frame.max(-1) for frame in frames], 0)
    rows, columns = (np.flatnonzero((bright > DARK).any(axis)) for axis in (1, 0))
    boxes = [(0.0, 0.0, float(height), float(width))]
    if len(rows) and len(columns):
        top, left = int(rows[0]), int(columns[0])
        boxes.append((float(top), float(left), float(rows[-1] + 1 - top), float(columns[-1] + 1 - left)))
    for y, x, h, w in list(boxes):
        shapes = {4 / 3, *(columns / rows for rows, columns in natives)}
        shapes |= {columns / rows * 8 / 7 for rows, columns in natives}
        for shape in shapes:
            high, wide = (h, h * shape) if h * shape <= w else (w / shape, w)
            boxes.append((y + (h - high) / 2, x + (w - wide) / 2, high, wide))
        for rows_, columns_ in natives:  # whole multiples in the middle
            times = min(h // rows_, w // columns_)
            if times >= 1:
                high, wide = float(times * rows_), float(times * columns_)
                boxes.append((y + (h - high) // 2, x + (w - wide) // 2, high, wide))
    return list(dict.fromkeys(boxes))


def _rough_error(frame: np.ndarray, place: Geometry, palette: np.ndarray) -> float:
    """Mean square distance in luma of a frame from its snapped picture with soft borders, at every few pixels."""
    step = max(1, round(min(place.scale)))
    entries = _nearest(_middles(frame.astype(np.float32), place), palette)
    luma = (palette.astype(np.float32) @ _TO_YUV[0])[entries]
    film = frame[step // 2 :: step, step // 2 :: step].astype(np.float32) @ _TO_YUV[0]
    down, across = place.scale
    y = (np.arange(step // 2, frame.shape[0], step) + 0.5 - place.top) / down
    x = (np.arange(step // 2, frame.shape[1], step) + 0.5 - place.left) / across
    shown = _between(_between(luma, y - 0.5, 0), x - 0.5, 1)
    inside = ((y >= 0) & (y < place.rows))[:, None] & ((x >= 0) & (x < place.columns))
    return float(np.square(np.where(inside, shown, 0) - film).mean())


def _judged(frames: Sequence[np.ndarray], place: Geometry, palette: np.ndarray) -> Geometry:
    """The place with its error, drawn with the borders of pixels that explain the film better: sharp or soft. What lies
    outside of the picture has to be black."""
    found = []
    for soft in (False, True):
        place = replace(place, soft=soft)
        errors = []
        for frame in frames:
            entries = _nearest(sampled(frame, place), palette)
            luma = frame.astype(np.float32) @ _TO_YUV[0]
            errors.append(np.square(luma - drawn((palette.astype(np.float32) @ _TO_YUV[0])[entries], place, luma)))
        found.append(replace(place, error=float(np.sqrt(np.mean(errors)))))
    return min(found, key=lambda one: one.error)


def drawn(native: np.ndarray, place: Geometry, film: np.ndarray) -> np.ndarray:
    """Native values float32 [rows, columns, ...] as a film of the size of `film` shows them; 0 outside of the place."""
    out = np.zeros((*film.shape[:2], *native.shape[2:]), np.float32)
    owners = place.owners((film.shape[0], film.shape[1]))
    inside = [np.flatnonzero(owner >= 0) for owner in owners]
    rows, columns = (slice(at[0], at[-1] + 1) for at in inside)
    if place.soft:
        at_y = (inside[0] + 0.5 - place.top) / place.scale[0] - 0.5
        at_x = (inside[1] + 0.5 - place.left) / place.scale[1] - 0.5
        out[rows, columns] = _between(_between(native, at_y, 0), at_x, 1)
    else:
        out[rows, columns] = native[owners[0][inside[0]]][:, owners[1][inside[1]]]
    return out


def _between(values: np.ndarray, at: np.ndarray, axis: int) -> np.ndarray:
    """Linear interpolation of float32 values along an axis at fractional places, those outside at the border."""
    at = np.clip(at, 0, values.shape[axis] - 1)
    low = np.floor(at).astype(np.int64)
    high = np.minimum(low + 1, values.shape[axis] - 1)
    part = (at - low).astype(np.float32).reshape((-1, *[1] * (values.ndim - 1 - axis)))
    return np.asarray(values.take(low, axis) * (1 - part) + values.take(high, axis) * part, np.float32)


def sampled(frame: np.ndarray, place: Geometry) -> np.ndarray:
    """RGB uint8 [H, W, 3] -> float32 [rows, columns, 3]: the colours of native pixels.

    Of sharp pixels the mean over their middle half. Soft ones are what, scaled up again, comes near the film: their
    middles, and the rest of the difference added a few times.
    """
    out = film = frame.astype(np.float32)
    if place.soft:
        out = _middles(film, place)
        for _ in range(SHARPEN):
            out = out + _middles(film - drawn(out, place, film), place)
        return out
    for axis, centres, scale in zip((0, 1), place.centres(), place.scale, strict=True):
        reach = scale / 4 if scale >= 2 else 0.0
        shifts = np.linspace(-reach, reach, max(1, round(scale / 2)))
        out = np.mean([_between(out, centres + shift, axis) for shift in shifts], 0, dtype=np.float32)
    return out


def _middles(film: np.ndarray, place: Geometry) -> np.ndarray:
    y, x = place.centres()
    return _between(_between(film, y, 0), x, 1)


def _nearest(rgb: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """Entry of the nearest colour of float32 [h, w, 3], to within a few levels: int64 [h, w]."""
    table = _nearest_entries(np.ascontiguousarray(palette).tobytes())
    part = np.clip(rgb, 0, 255).astype(np.int64) >> 3
    return np.asarray(table[(part[..., 0] * 32 + part[..., 1]) * 32 + part[..., 2]])


@lru_cache(maxsize=8)
def _nearest_entries(palette: bytes) -> np.ndarray:
    """Entry of a palette, uint8 [K, 3] as bytes, nearest to each of 32 x 32 x 32 colours: int64 [32768]."""
    steps = np.arange(0, 256, 8, dtype=np.float32) + 4
    cells = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3)
    colours = np.frombuffer(palette, np.uint8).reshape(-1, 3).astype(np.float32)
    return np.asarray(_costs(cells @ _TO_YUV.T, colours @ _TO_YUV.T).argmin(-1))


def _costs(yuv: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Squared distances float32 [..., K], chroma counting less than luma."""
    weights = np.array([1, CHROMA, CHROMA], np.float32)
    return np.asarray(sum(weights[c] * np.square(yuv[..., c, None] - colours[:, c]) for c in range(3)))


def snap(
    frame: np.ndarray, place: Geometry, palette: np.ndarray, hidden: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The console's picture behind one frame of a film.

    Colours that many pixels clearly have are preferred to rare ones. Where the film stores chroma for four pixels at
    once, the mean of the four has to fit, not each.

    Args:
        frame: RGB uint8 [H, W, 3].
        palette: uint8 [K, 3], distinct colours.
        hidden: bool [rows, columns], native pixels that do not tell which colours the frame has.
    Returns:
        (entries uint8 [rows, columns], distance from the film float32 [rows, columns] in 8-bit levels of luma).
    """
    rgb = sampled(frame, place)
    yuv, colours = rgb @ _TO_YUV.T, palette.astype(np.float32) @ _TO_YUV.T
    told = np.ones(yuv.shape[:2], bool) if hidden is None else ~hidden
    flat, near = _flat(yuv[..., 0]) & told, _nearest(rgb, palette)
    counts = np.bincount(near[flat], minlength=len(palette)) + UNEVEN * np.bincount(near[told], minlength=len(palette))
    common = np.sort(counts.argsort(kind="stable")[::-1][:COLOURS])  # a console shows few at once
    colours, counts = colours[common], counts[common].astype(np.float32)
    rare = RARE * np.log((counts.max() + 1) / (counts + FEW))
    entries = (_costs(yuv, colours) + rare).argmin(-1)
    if min(place.scale) < 2:  # else every native pixel has a chroma sample of its own
        entries = _with_shared_chroma(yuv, colours, rare, entries)
    return common[entries].astype(np.uint8), np.abs(colours[entries][..., 0] - yuv[..., 0])


def _with_shared_chroma(yuv: np.ndarray, colours: np.ndarray, rare: np.ndarray, entries: np.ndarray) -> np.ndarray:
    """Entries [h, w] chosen again and again, one of each 2x2 block after the other, so that the block's mean chroma
    fits that of the film."""
    height, width = entries.shape
    even = ((0, height % 2), (0, width % 2))
    yuv, entries = np.pad(yuv, (*even, (0, 0)), mode="edge"), np.pad(entries, even, mode="edge")
    seen = sum(yuv[y::2, x::2, 1:] for y in (0, 1) for x in (0, 1))  # four times the mean
    for _ in range(SWEEPS):
        for y in (0, 1):
            for x in (0, 1):
                total = sum(colours[entries[j::2, i::2], 1:] for j in (0, 1) for i in (0, 1))
                wanted = seen - (total - colours[entries[y::2, x::2], 1:])  # chroma that this pixel should have
                cost = np.square(yuv[y::2, x::2, :1] - colours[:, 0]) + rare
                for c in (0, 1):
                    cost += SHARED * np.square(wanted[..., c, None] - colours[:, c + 1])
                entries[y::2, x::2] = cost.argmin(-1)
    return entries[:height, :width]


def _flat(luma: np.ndarray) -> np.ndarray:
    """bool [h, w], pixels like their eight neighbours."""
    padded = np.pad(luma, 1, mode="edge")
    high = np.maximum(np.maximum(padded[:-2], padded[1:-1]), padded[2:])
    low = np.minimum(np.minimum(padded[:-2], padded[1:-1]), padded[2:])
    high = np.maximum(np.maximum(high[:, :-2], high[:, 1:-1]), high[:, 2:])
    low = np.minimum(np.minimum(low[:, :-2], low[:, 1:-1]), low[:, 2:])
    return np.asarray(high - low <= FLAT)
