"""What is left over of an episode's files when memory and pictures are paired again: at its ends and at gaps a picture
without memory, or memory without a picture. With it, and with the frames, each file has its own memory back.

A picture is packed by what it has in common with the next one (at lag -1 the one before), a memory as its difference to
the one that belongs to its own picture: little is left of either.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import zstandard

from ....errors import DataError
from ...pairing import LAGS
from ..base import SourceFrame
from .tail import RAM_BYTES


class Frame(Protocol):
    """A frame of an episode that was paired again, with state and action."""

    @property
    def number(self) -> int: ...
    @property
    def pixels(self) -> np.ndarray: ...
    @property
    def state(self) -> np.ndarray | None: ...
    @property
    def action(self) -> int | None: ...


@dataclass(frozen=True)
class OwnFile:
    """A file as it was: its picture, its own memory and buttons."""

    number: int
    pixels: np.ndarray
    state: np.ndarray
    action: int


class AloneLog:
    """Collects, file by file in their order, what pairing by `lag` (not 0) leaves over."""

    def __init__(self, lag: int) -> None:
        self._lag = lag
        self._files = 0
        self._alone: list[list[int]] = []  # files whose picture is left over: place, number
        self._pictures: list[bytes] = []
        self._memories: list[tuple[int, int, bytes]] = []  # place, buttons, packed
        self._before: tuple[SourceFrame, np.ndarray, int] | None = None

    def add(self, frame: SourceFrame, state: np.ndarray, action: int) -> None:
        """One more file: its frame with the memory that belongs to its picture, and its own memory uint8 [2048]."""
        before = self._before
        if self._lag > 0 and before is not None:
            self._leave_over(*before, None if frame.alone else frame)
        if self._lag < 0:
            beside = None if before is None or before[0].alone else before[0]
            self._leave_over(frame, state, action, beside)
        self._before = (frame, state, action)

    def _leave_over(self, frame: SourceFrame, state: np.ndarray, action: int, beside: SourceFrame | None) -> None:
        """What nobody has of a file, whose memory belongs to the picture `beside` it; None = to none."""
        k = self._files
        self._files += 1
        if frame.alone:
            self._alone.append([k, frame.number])
            self._pictures.append(_packed(frame.pixels, None if beside is None else beside.pixels))
        if beside is None:
            base = np.zeros(RAM_BYTES, np.uint8) if frame.state is None else frame.state
            self._memories.append((k, action, zlib.compress((base ^ state).tobytes(), 9)))

    def pack(self) -> tuple[dict[str, Any], bytes]:
        """JSON values, and the bytes that go with them, when all files were added."""
        if self._lag > 0 and self._before is not None:
            self._leave_over(*self._before, None)
            self._before = None
        about = {
            "lag": self._lag,
            "alone": self._alone,
            "pictures": [len(picture) for picture in self._pictures],
            "memories": [[k, action, len(packed)] for k, action, packed in self._memories],
        }
        return about, b"".join([*self._pictures, *(packed for _, _, packed in self._memories)])


class AloneParts:
    """What an AloneLog packed; of lag 0 nothing. Raises ValueError, KeyError or TypeError where it makes no sense."""

    def __init__(self, files: int, about: dict[str, Any] | None = None, packed: bytes = b"") -> None:
        about = about or {"lag": 0, "alone": [], "pictures": [], "memories": []}
        self.lag, self.files = int(about["lag"]), files
        alone = {int(k): int(number) for k, number in about["alone"]}
        if self.lag not in LAGS or len(about["pictures"]) != len(alone) or not all(0 <= k < files for k in alone):
            raise ValueError("pictures left over do not add up")
        self._alone, at = alone, 0
        self._pictures: dict[int, bytes] = {}
        for k, length in zip(alone, about["pictures"], strict=True):
            self._pictures[k] = packed[at : at + int(length)]
            at += int(length)
        self._memories: dict[int, tuple[bytes, int]] = {}
        for k, action, length in about["memories"]:
            self._memories[int(k)] = packed[at : at + int(length)], int(action)
            at += int(length)
        if at != len(packed):
            raise ValueError("parts left over do not fill their bytes")
        self._files_of = self._anchors()
        self.rows = len(self._files_of)

    def _anchors(self) -> list[list[int]]:
        """For each frame of the episode the places of the files that are written with it: its own, and those left over
        beside it."""
        own = [k for k in range(self.files) if k not in self._alone]
        row_of = {k: row for row, k in enumerate(own)}
        found: list[list[int]] = [[] for _ in own]
        for k in range(self.files):
            nearest = np.searchsorted(own, k) if self.lag > 0 else np.searchsorted(own, k, "right") - 1
            row = row_of.get(k, int(np.clip(nearest, 0, max(0, len(own) - 1))))
            if own:
                found[row].append(k)
        self._row_of = row_of
        return found

    def own_files(self, frames: Iterable[tuple[int, Frame]], wanted: range) -> Iterator[tuple[int, OwnFile | None]]:
        """(place, file) of the files that go with the frames `wanted`; None = its memory was lost with another frame.

        Args:
            frames: (row in the episode, frame), ascending; one more than is wanted on either side where there is one.
        """
        held: dict[int, Frame] = {}
        due: list[int] = []
        for row, frame in frames:
            held[row] = frame
            due.append(row)
            while due and (due[0] < row or not self.lag):
                yield from self._with(due.pop(0), held, wanted)
            for old in [r for r in held if r < row - 1]:
                del held[old]
        for row in due:
            yield from self._with(row, held, wanted)

    def _with(self, row: int, held: dict[int, Frame], wanted: range) -> Iterator[tuple[int, OwnFile | None]]:
        if row in wanted and row < self.rows:
            for k in self._files_of[row]:
                yield k, self._own(k, held)

    def _own(self, k: int, held: dict[int, Frame]) -> OwnFile | None:
        beside = k + self.lag  # the file whose picture the memory of this one belongs to
        mine, partner = self._frame(k, held), self._frame(beside, held)
        if (mine is None and k in self._row_of) or (partner is None and beside in self._row_of):
            return None  # lost
        if partner is not None:
            state, action = partner.state, partner.action
        elif k in self._memories:
            packed, action = self._memories[k]
            base = np.zeros(RAM_BYTES, np.uint8) if mine is None or mine.state is None else mine.state
            state = base ^ np.frombuffer(_inflate(packed, RAM_BYTES), np.uint8)
        else:
            return None
        if state is None or action is None:
            return None
        if mine is not None:
            return OwnFile(mine.number, mine.pixels, state, action)
        return OwnFile(self._alone[k], _unpacked(self._pictures[k], partner), state, action)

    def _frame(self, k: int, held: dict[int, Frame]) -> Frame | None:
        return held.get(self._row_of[k]) if k in self._row_of else None


def _packed(pixels: np.ndarray, beside: np.ndarray | None) -> bytes:
    """A picture, uint8 [H, W], as its size and what zstd makes of it when it knows the one beside it."""
    packer = zstandard.ZstdCompressor(
        level=19, dict_data=_known(beside), write_content_size=False, write_checksum=False, write_dict_id=False
    )
    return np.array(pixels.shape, "<u2").tobytes() + packer.compress(pixels.tobytes())


def _unpacked(packed: bytes, beside: Frame | None) -> np.ndarray:
    height, width = (int(n) for n in np.frombuffer(packed[:4], "<u2"))
    unpacker = zstandard.ZstdDecompressor(dict_data=_known(None if beside is None else beside.pixels))
    try:
        raw = unpacker.decompress(packed[4:], max_output_size=max(1, height * width))
    except zstandard.ZstdError as error:
        raise DataError(f"what is known of the original files is damaged ({error})") from None
    if len(raw) != height * width:
        raise DataError("what is known of the original files is damaged: the size of a picture")
    return np.frombuffer(raw, np.uint8).reshape(height, width)


def _known(pixels: np.ndarray | None) -> zstandard.ZstdCompressionDict | None:
    if pixels is None:
        return None
    return zstandard.ZstdCompressionDict(
        np.ascontiguousarray(pixels).tobytes(), dict_type=zstandard.DICT_TYPE_RAWCONTENT
    )


def _inflate(packed: bytes, size: int) -> bytes:
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(packed, size + 1)
    except zlib.error as error:
        raise DataError(f"what is known of the original files is damaged ({error})") from None
    if len(raw) != size:
        raise DataError("what is known of the original files is damaged")
    return raw
