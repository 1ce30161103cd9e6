"""What the console had right, frame by frame: a few decisions each, which cost next to nothing while they repeat."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ...errors import CodecError
from ..lossless.range_coder import DECODE, ENCODE, Coder
from .predictor import MAX_STEPS

_START, _RATE = 65000, 4  # of probabilities: almost certain, and 1/16 of the way at each decision
_LOWEST, _HIGHEST = 16, 65520


class _Bits:
    """Adaptive decisions by context."""

    def __init__(self, coder: Coder) -> None:
        self._coder = coder
        self._certainty: dict[tuple[int, ...], int] = {}

    def bit(self, bit: int, *context: int) -> int:
        p = self._certainty.get(context, _START)
        bit = self._coder.bit(bit, p)
        p += ((65535 if bit else 0) - p) >> _RATE
        self._certainty[context] = min(max(p, _LOWEST), _HIGHEST)
        return bit

    def number(self, value: int) -> int:
        """0 to 1,023, bit by bit."""
        node = 1
        for shift in range(9, -1, -1):
            node = node * 2 + self.bit(value >> shift & 1, 9, node)
        return node & 1023


@dataclass
class Marks:
    """Of each frame of a group.

    Attributes:
        steps: int64 [T] console frames run from the frame before; -1 for the first frame of a group with key data.
        memory, picture: bool [T], as the console predicts.
    """

    steps: np.ndarray
    memory: np.ndarray
    picture: np.ndarray
    usual: np.ndarray = field(repr=False)

    @staticmethod
    def blank(usual: np.ndarray) -> Marks:
        """For an encoder to fill in. `usual`: see `usual_steps`."""
        count = len(usual)
        return Marks(usual.copy(), np.ones(count, bool), np.ones(count, bool), usual)

    def pack(self) -> bytes:
        coder = Coder(ENCODE, b"")
        self._code(coder)
        return coder.finish()

    @staticmethod
    def unpack(data: bytes, usual: np.ndarray) -> Marks:
        """Raises CodecError for bytes that make no sense."""
        marks = Marks.blank(usual)
        coder = Coder(DECODE, data)
        marks._code(coder)
        coder.finish()
        if marks.steps.max(initial=0) > MAX_STEPS:
            raise CodecError("damaged stream: more frames of the console than an encoder runs")
        return marks

    def _code(self, coder: Coder) -> None:
        bits = _Bits(coder)
        kept = [1, 1, 1]  # what the decisions before were
        for t, usual in enumerate(self.usual.tolist()):
            if usual >= 0:
                kept[0] = bits.bit(int(self.steps[t] == usual), 0, kept[0])
                self.steps[t] = usual if kept[0] else bits.number(int(self.steps[t]))
                kept[1] = bits.bit(int(self.memory[t]), 1, kept[1])
                self.memory[t] = bool(kept[1])
            kept[2] = bits.bit(int(self.picture[t]), 2, kept[2], kept[1])
            self.picture[t] = bool(kept[2])


def usual_steps(numbers: np.ndarray, before: int | None) -> np.ndarray:
    """Console frames from each frame's predecessor as the recorder's numbers int32 [T] have it, int64 [T]; `before`:
    number of the frame before the first, None where that does not count (-1 then)."""
    apart = np.diff(numbers.astype(np.int64), prepend=numbers[0] if before is None else before)
    steps = np.where((apart < 0) | (apart > MAX_STEPS), 1, apart)
    if before is None:
        steps[0] = -1
    return steps
