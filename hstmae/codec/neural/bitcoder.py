"""Binary adaptive coding of streams of a few thousand decisions per group of pictures, with integers only."""

from collections.abc import Sequence

from ..lossless.range_coder import DECODE, ENCODE, Coder

ONE = 1 << 16  # probabilities are parts of this
_LEAST = 64  # so that no decision costs more than ten bits
_SHIFT = 5


class BitCoder:
    """Writes decisions, or reads them from `data`: the same table and the same contexts give back what was written.

    Args:
        table: the probability of a 1 in each context, in parts of ONE; it moves by 1/32 of the way to what is coded.
    """

    def __init__(self, table: Sequence[int], data: bytes | None = None):
        self.p, self._coder = list(table), Coder(ENCODE if data is None else DECODE, data or b"")

    def bit(self, context: int, value: int = 0) -> int:
        """One decision, which is `value` where it is written."""
        p = self.p[context]
        value = self._coder.bit(int(value), p)
        self.p[context] = min(ONE - _LEAST, p + ((ONE - p) >> _SHIFT)) if value else max(_LEAST, p - (p >> _SHIFT))
        return value

    def finish(self) -> bytes:
        """All bytes written. Raises CodecError when there are bytes that were never read."""
        return self._coder.finish(24)
