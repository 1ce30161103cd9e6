"""How long footage is cut into the clips a model sees, and which clip answers for which frame."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np


@dataclass(frozen=True)
class Window:
    """One clip: the frames the model sees and, of these, the ones whose restoration is taken from it.

    `index` int64 [t] (t even; a frame may be repeated as padding), `owned` bool [t].
    """

    index: np.ndarray
    owned: np.ndarray


def runs(frame_numbers: np.ndarray) -> list[tuple[int, int]]:
    """Stretches [start, end) of consecutive frame numbers: a clip must not cross a gap in the recording."""
    breaks = np.flatnonzero(np.diff(frame_numbers) != 1) + 1
    edges = [0, *breaks.tolist(), len(frame_numbers)]
    return [(a, b) for a, b in pairwise(edges) if b > a]


def plan_windows(count: int, *, clip: int = 16, stride: int = 1, overlap: int = 4) -> list[Window]:
    """Clips that together own each of `count` consecutive frames exactly once.

    Footage long enough is dealt out to `stride` interleaved sequences, so that a clip spans the time it spans in
    training. Clips overlap by at least `overlap` frames, and a frame belongs to the clip that has it nearest to its
    middle. Footage of up to one clip is one clip; an odd one repeats its last frame.
    """
    if count < 1 or clip < 2 or clip % 2 or not 0 <= overlap < clip:
        raise ValueError(f"cannot plan windows: count {count}, clip {clip}, overlap {overlap}")
    step = min(max(stride, 1), max(count // clip, 1))
    return [w for phase in range(step) for w in _cover(np.arange(phase, count, step), clip, overlap)]


def _cover(frames: np.ndarray, clip: int, overlap: int) -> list[Window]:
    """Clips over one sequence of frame indices."""
    if len(frames) <= clip:
        index = np.concatenate([frames, frames[-1:]]) if len(frames) % 2 else frames
        owned = np.arange(len(index)) < len(frames)
        return [Window(index, owned)]
    starts = [*range(0, len(frames) - clip, clip - overlap), len(frames) - clip]
    middle = np.array([s + (clip - 1) / 2 for s in starts])
    owner = np.abs(np.arange(len(frames))[:, None] - middle[None]).argmin(1)
    windows = [Window(frames[s : s + clip], owner[s : s + clip] == i) for i, s in enumerate(starts)]
    return [w for w in windows if w.owned.any()]


def session_windows(frame_numbers: np.ndarray, stride: int, clip: int = 16) -> list[Window]:
    """The clips of a whole session: `plan_windows` on each stretch without a gap."""
    return [
        Window(window.index + start, window.owned)
        for start, end in runs(frame_numbers)
        for window in plan_windows(end - start, clip=clip, stride=stride, overlap=clip // 4)
    ]
