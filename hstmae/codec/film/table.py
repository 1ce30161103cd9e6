"""The packets of one group of a film: how long each is, when it is shown, and where it lay in the film's file."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np

from ...errors import CodecError

NO_TIME = -(1 << 63)  # a packet without that time stamp
HIDDEN = -1  # place of a packet that shows no frame
MAX_PACKETS = 1 << 16  # of a group
MAX_PIECES = 1 << 21
_HEAD = struct.Struct("<QQHBII")
_OF_PACKETS = ("sizes", "pts", "dts", "durations", "keys", "places", "counts")
_OF_PIECES = ("gaps", "skips", "takes")


@dataclass(frozen=True)
class PacketTable:
    """Packets in the order in which they are decoded; all arrays are int64.

    A packet's bytes are those of some pieces of the file, one behind the other; several only where a container breaks
    packets up. A piece is `gap` bytes behind the end of the piece before it, holds `take` bytes of the packet,
    and `skip` bytes of the packet before those are not in the file.

    Attributes:
        sizes, pts, dts, durations: [N] bytes, and times in the film's time base or NO_TIME.
        keys: [N] 1 for key frames.
        places: [N] position among the group's frames of the one that a packet shows, HIDDEN where it shows none.
        counts: [N] pieces of each packet.
        gaps, skips, takes: [P] of all pieces.
        at: position in the film's file where the first gap begins.
        rest_at: bytes of all gaps before the group.
        before: how many groups before this one have to be decoded first.
        alone: it starts at a key frame: without the groups before, only frames that are shown before that one are lost.
    """

    sizes: np.ndarray
    pts: np.ndarray
    dts: np.ndarray
    durations: np.ndarray
    keys: np.ndarray
    places: np.ndarray
    counts: np.ndarray
    gaps: np.ndarray
    skips: np.ndarray
    takes: np.ndarray
    at: int
    rest_at: int
    before: int
    alone: bool

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def file_bytes(self) -> int:
        """Bytes of the film's file from `at` to the end of the last piece."""
        return int(self.gaps.sum() + self.takes.sum())

    def starts(self) -> np.ndarray:
        """[N + 1] where each packet begins among the bytes of all, and their end."""
        return np.concatenate([[0], np.cumsum(self.sizes)])

    def pack(self) -> bytes:
        """As bytes for `unpack_table`."""
        rows = [getattr(self, name) for name in (*_OF_PACKETS, *_OF_PIECES)]
        planes = b"".join(_planes(row) for row in rows)
        head = _HEAD.pack(self.at, self.rest_at, self.before, self.alone, len(self.sizes), len(self.gaps))
        return head + zlib.compress(planes, 9)


def _planes(row: np.ndarray) -> bytes:
    """Differences, byte by byte: small numbers that hardly change pack to nearly nothing."""
    deltas = np.diff(row.astype(np.int64).view(np.uint64), prepend=np.uint64(0))  # modulo 2 ** 64
    return deltas.astype("<u8").view(np.uint8).reshape(-1, 8).T.tobytes()


def unpack_table(packed: bytes, size: int, frames: int) -> PacketTable:
    """What `PacketTable.pack` packed.

    Args:
        size: bytes of all packets; frames: that the group shows.
    Raises:
        CodecError: the bytes make no sense, or go with other packets.
    """
    try:
        at, rest_at, before, alone, packets, pieces = _HEAD.unpack_from(packed)
        if not 0 < packets <= MAX_PACKETS or pieces > MAX_PIECES:
            raise ValueError("beyond the limits")
        lengths = [packets] * len(_OF_PACKETS) + [pieces] * len(_OF_PIECES)
        inflater = zlib.decompressobj()
        raw = inflater.decompress(packed[_HEAD.size :], 8 * sum(lengths) + 1)
        if len(raw) != 8 * sum(lengths) or not inflater.eof or inflater.unused_data:
            raise ValueError("cut off, or too long")
        rows, start = [], 0
        for length in lengths:
            planes = np.frombuffer(raw, np.uint8, 8 * length, start).reshape(8, length)
            deltas = np.ascontiguousarray(planes.T).view("<u8").reshape(length)
            rows.append(np.cumsum(deltas, dtype=np.uint64).view(np.int64))
            start += 8 * length
        columns = dict(zip((*_OF_PACKETS, *_OF_PIECES), rows, strict=True))
        table = PacketTable(**columns, at=at, rest_at=rest_at, before=before, alone=bool(alone))
        _check(table, size, frames)
    except (ValueError, struct.error, zlib.error) as error:
        raise CodecError(f"the packets of a group make no sense ({error})") from None
    return table


def _check(table: PacketTable, size: int, frames: int) -> None:
    limit = 1 << 48
    for row in (table.sizes, table.counts, table.gaps, table.skips, table.takes):
        if len(row) and not 0 <= row.min() <= row.max() < limit:
            raise ValueError("impossible sizes")
    if table.sizes.sum() != size or table.counts.sum() != len(table.gaps) or max(table.at, table.rest_at) >= limit:
        raise ValueError("sizes do not add up")
    if not np.array_equal(np.sort(table.places[table.places != HIDDEN]), np.arange(frames)):
        raise ValueError("frames that are not there")
    ends = np.cumsum(table.counts)
    used = np.concatenate([[0], np.cumsum(table.skips + table.takes)])
    if ((used[ends] - used[ends - table.counts]) > table.sizes).any():
        raise ValueError("pieces larger than their packets")
