"""The pictures of an episode that a run packed before it was stopped: the next run goes on behind them."""

from __future__ import annotations

import hashlib
import time
import zlib
from dataclasses import dataclass, field

import numpy as np
import zstandard

from ...journal import Journal
from .columns import HEADS, ColumnWriter
from .manifest import DATA

SYNC_SECONDS = 5.0  # of work that a power cut may cost; whatever ends the process alone costs less than a group


class Changed(Exception):
    """The source gives other frames than those that were packed of it, although nothing of it has changed: it cannot be
    gone on with. What was packed is gone."""


@dataclass
class Begun:
    """Whole groups of pictures in the data file of an unfinished episode, each noted in its journal.

    Attributes:
        journal: of the folder the episode grows in. A group is a sequence of it, named "end crc": where it ends in the
            data file, and the CRC-32 of its bytes.
        numbers: of the frames that are there, ascending.
        offsets, sums: as of `columns.Index`.
        hash: of all these pictures.
        last: bytes of the last one.
    """

    journal: Journal
    numbers: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=lambda: [len(HEADS[-1])])
    sums: list[int] = field(default_factory=list)
    hash: hashlib._Hash = field(default_factory=hashlib.sha256)
    last: bytes = b""

    def __post_init__(self) -> None:
        if not self._read() and self.journal.done:
            self.forget()
            self.journal.begin()
        self._group, self._synced = len(self.numbers) // max(1, len(self.sums)), time.monotonic()

    def _read(self) -> bool:
        """Whether all that the journal tells of is there."""
        unpack = zstandard.ZstdDecompressor()
        try:
            with (self.journal.folder / DATA).open("rb") as file:
                if file.read(self.offsets[0]) != HEADS[-1]:
                    return False
                for name, numbers in self.journal.done.items():
                    end, crc = map(int, name.split())
                    packed = file.read(end - self.offsets[-1])
                    if len(packed) != end - self.offsets[-1] or zlib.crc32(packed) != crc:
                        return False
                    pictures = unpack.decompress(packed)
                    self.hash.update(pictures)
                    self.numbers += sorted(numbers)
                    self.offsets.append(end)
                    self.sums.append(crc)
                    self.last = pictures[-(len(pictures) // len(numbers)) :]
        except (OSError, ValueError, zstandard.ZstdError):
            return False
        return bool(self.numbers)

    def forget(self) -> None:
        """None of it is to be gone on with."""
        self.numbers, self.offsets, self.sums, self.last = [], self.offsets[:1], [], b""
        self.hash = hashlib.sha256()

    @property
    def known(self) -> frozenset[int]:
        """Numbers of the frames whose pictures need not be read again: all but the first, which tells the size, and the
        last, by which `check` sees that the source gives the same as before."""
        return frozenset(self.numbers[1:-1])

    def check(self, row: int, frame: np.ndarray, number: int, group: int) -> None:
        """See that a frame, uint8, is the one that was packed as `row`. Raises Changed where it is not.

        Args:
            group: frames of a group, by the size of the first one.
        """
        same = number == self.numbers[row] and (row or (group, frame.nbytes) == (self._group, len(self.last)))
        if same and row == len(self.numbers) - 1:
            same = np.ascontiguousarray(frame).tobytes() == self.last
        if not same:
            raise Changed

    def note(self, frames: ColumnWriter, numbers: list[int]) -> None:
        """One more group was written, of frames of these numbers."""
        end, crc = frames.last_group
        sync = time.monotonic() - self._synced > SYNC_SECONDS
        frames.flush(sync)
        self.journal.note(f"{end} {crc}", numbers, {}, sync)
        self._synced = time.monotonic() if sync else self._synced
