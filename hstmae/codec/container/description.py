"""What a .hst file says about an episode, and how a group of pictures is laid out in its chunk."""

import hashlib
import math
import re
import struct
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ...data.episode import OUTCOMES
from ...data.pairing import Pairing
from ...errors import CodecError
from .chunks import EPISODE, FINAL, GOP, HASHED, MAX_FRAMES, MAX_GOP, Header, chunk
from .gop import Gop, GopShape
from .text import pack_text, unpack_text

NUMBERED = 2  # flag of GOP: its frame numbers do not all follow each other, and are listed as runs
STEPPED = 4  # flag of GOP: numbers that follow each other differ by more than 1, by a step that is stated
MAX_SIDE, MAX_PIXELS = 8192, 1 << 25
MAX_STATE, MAX_ACTIONS = 1 << 20, 256
MAX_DECODED = 256 << 20  # bytes that one group of pictures may unpack to
MAX_STREAMS = 16
FILM_PROFILE = "video"  # its groups are decoded one frame at a time
REPLAY_PROFILE, REPLAY_STREAM = "replay", "RPLY"  # groups with this stream are made by running a console
_ABSENT = 0xFFFF_FFFF
_HASH_BYTES = 8
_RUN = struct.Struct("<iH")
_STREAM = re.compile(r"[A-Z0-9]{4}")


@dataclass(frozen=True)
class Description:
    """Everything about an episode but its frames. Names as in `hstmae.data.Episode`.

    Attributes:
        height, width: pixels.
        channels: 1 = palette indices, 3 = true colour.
        palette: RGB bytes of the indices in hexadecimal, "" for true colour.
        state, actions: bytes per frame; 0 = none.
        profile, tables, tables_sha256: what its groups are decoded with.
        gop: frames in a group; the last may hold fewer.
        streams: names of the streams of a group, in their order.
        signature: tells whether the source it was made of has changed since; "" where unknown.
        frames: how many it has; -1 while it is being written.
        notes: counts of repairs and the like.
        problems: (file, reason, whether it was left out) of what was odd in the source.
        corner: y and x of the pictures in the game's native one.
        pairing: how memory and pictures were put together; None where that is not known.
    """

    name: str
    game: str
    height: int
    width: int
    channels: int
    palette: str
    state: int
    actions: int
    profile: str
    tables: str
    tables_sha256: str
    gop: int
    streams: tuple[str, ...]
    fps: float
    level: str = ""
    outcome: str = "cut"
    split: str = ""
    source: str = ""
    signature: str = ""
    frames: int = -1
    notes: tuple[tuple[str, int], ...] = ()
    problems: tuple[tuple[str, str, bool], ...] = ()
    corner: tuple[int, int] = (0, 0)
    pairing: Pairing | None = None

    @property
    def colours(self) -> np.ndarray | None:
        """uint8 [K, 3], None for true colour."""
        return np.frombuffer(bytes.fromhex(self.palette), np.uint8).reshape(-1, 3) if self.channels == 1 else None

    def shape(self, frames: int) -> GopShape:
        return GopShape(frames, self.height, self.width, self.channels, self.state, self.actions, self.corner)

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """Of one picture's array."""
        return (self.height, self.width) if self.channels == 1 else (self.height, self.width, 3)

    def raw_bytes(self, frames: int) -> int:
        """What so many frames take unpacked, memory and buttons included."""
        return frames * (self.height * self.width * self.channels + self.state + self.actions)

    def pack(self, episode: int) -> bytes:
        """A whole EPISODE chunk."""
        value = {**asdict(self), "pairing": None if self.pairing is None else self.pairing.to_json()}
        if self.pairing is None:
            del value["pairing"]
        if self.corner == (0, 0):  # not stated: as it always was
            del value["corner"]
        flags = FINAL if self.frames >= 0 else 0
        return chunk(EPISODE, pack_text(value, self.profile == REPLAY_PROFILE), episode=episode, flags=flags)

    def check(self) -> None:
        """Raise ValueError, TypeError or UnicodeError where a value makes no sense, or is beyond a limit."""
        for name in ("name", "game", "palette", "profile", "tables", "tables_sha256", "level", "split", "source"):
            if not isinstance(getattr(self, name), str) or len(getattr(self, name)) > 2000:
                raise ValueError(f"{name} is no text, or too long")
        (self.name + self.level).encode("utf-8")  # a lone surrogate would fail later, in a file name
        if self.name in ("", "..") or self.name != Path(self.name).name or not self.name.isprintable():
            raise ValueError(f"name {self.name!r}")
        if not isinstance(self.signature, str) or self.outcome not in OUTCOMES:
            raise ValueError(f"outcome {self.outcome!r}")
        for name, low, high in (
            *(("height", 1, MAX_SIDE), ("width", 1, MAX_SIDE), ("channels", 1, 3), ("state", 0, MAX_STATE)),
            *(("actions", 0, MAX_ACTIONS), ("gop", 1, MAX_GOP), ("frames", -1, MAX_FRAMES)),
        ):
            number = getattr(self, name)
            if type(number) is not int or not low <= number <= high:
                raise ValueError(f"{name} is {number!r}")
        if len(self.corner) != 2 or any(type(at) is not int or not 0 <= at <= MAX_SIDE for at in self.corner):
            raise ValueError(f"corner is {self.corner!r}")
        if self.channels == 2 or self.height * self.width > MAX_PIXELS:
            raise ValueError("impossible pictures")
        palette = bytes.fromhex(self.palette)
        if len(palette) % 3 or len(palette) > 768 or bool(palette) != (self.channels == 1):
            raise ValueError("impossible palette")
        if not isinstance(self.fps, float | int) or not math.isfinite(self.fps) or not 0 < self.fps <= 100_000:
            raise ValueError(f"fps is {self.fps!r}")
        if not 1 <= len(self.streams) <= MAX_STREAMS or len(set(self.streams)) != len(self.streams):
            raise ValueError("impossible streams")
        if not all(isinstance(name, str) and _STREAM.fullmatch(name) for name in self.streams):
            raise ValueError("impossible names of streams")


def unpack_description(payload: bytes) -> Description:
    """Payload of an EPISODE chunk. Raises CodecError where it makes no sense or is beyond a limit."""
    try:
        value = unpack_text(payload)
        fields = {name: value[name] for name in value if name in Description.__dataclass_fields__}  # others: of later
        fields["streams"] = tuple(value["streams"])
        fields["corner"] = tuple(value.get("corner", (0, 0)))
        fields["notes"] = tuple((str(k), int(v)) for k, v in value.get("notes", ()))
        fields["problems"] = tuple((str(file), str(why), bool(out)) for file, why, out in value.get("problems", ()))
        paired = value.get("pairing")
        fields["pairing"] = None if paired is None else Pairing.from_json(paired)
        description = Description(**fields)
        description.check()
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError, zlib.error) as error:
        raise CodecError(f"senseless description of an episode ({error!r})") from None
    return description


def content_hash(gop: Gop, numbers: np.ndarray) -> bytes:
    """What a group's decoded content is recognised by: 8 bytes."""
    running = hashlib.blake2b(digest_size=_HASH_BYTES)
    for array in (gop.frames, gop.state, gop.actions, numbers.astype("<i4")):
        running.update(b"" if array is None else np.ascontiguousarray(array).data)
    return running.digest()


def pack_gop(
    description: Description, episode: int, first: int, numbers: np.ndarray, streams: Mapping[str, bytes], digest: bytes
) -> bytes:
    """A whole GOP chunk.

    Args:
        first: position of its first frame in the episode.
        numbers: int32 [T] frame numbers, ascending.
        streams: as the profile made them.
        digest: `content_hash` of what they decode to; b"" where decoding does not give the same bits everywhere.
    Raises:
        CodecError: a stream that `description` does not name.
    """
    if unknown := set(streams) - set(description.streams):
        raise CodecError(
            f"{description.name}: profile '{description.profile}' made streams its first group had not: {unknown}"
        )
    apart = np.diff(numbers.astype(np.int64))
    steps, times = np.unique(apart[apart < 1 << 16], return_counts=True)
    step = int(steps[times.argmax()]) if len(steps) and times.max() > 1 else 1
    starts = np.concatenate([[0], np.flatnonzero(apart != step) + 1])
    counts = np.diff(np.append(starts, len(numbers))).tolist()
    runs = b"".join(_RUN.pack(int(numbers[a]), n) for a, n in zip(starts.tolist(), counts, strict=True))
    listed = len(starts) > 1
    head = step.to_bytes(2, "little") if step > 1 else b""
    head += len(starts).to_bytes(2, "little") + runs if listed else runs[:4]
    lengths = [len(streams[name]) if name in streams else _ABSENT for name in description.streams]
    ordered = [streams.get(name, b"") for name in description.streams]
    payload = b"".join((digest, head, struct.pack(f"<{len(lengths)}I", *lengths), *ordered))
    flags = (HASHED if digest else 0) | (NUMBERED if listed else 0) | (STEPPED if step > 1 else 0)
    return chunk(GOP, payload, episode=episode, first=first, frames=len(numbers), flags=flags)


@dataclass(frozen=True)
class GopParts:
    """A GOP chunk taken apart: int32 [T] frame numbers, the streams, and the content's hash (b"" = not stated)."""

    numbers: np.ndarray
    streams: dict[str, bytes]
    digest: bytes


def unpack_gop(description: Description, header: Header, payload: bytes) -> GopParts:
    """Raises CodecError where the payload makes no sense, or would unpack to more than MAX_DECODED bytes."""
    at_once = 1 if description.profile == FILM_PROFILE else header.frames
    if not header.frames or description.raw_bytes(at_once) > MAX_DECODED:
        raise CodecError(f"{description.name}: a group of {header.frames} frames is beyond the limits")
    digest, numbers, at = unpack_head(description, header, payload)
    try:
        lengths = struct.unpack_from(f"<{len(description.streams)}I", payload, at)
        at += 4 * len(lengths)
    except struct.error:
        raise CodecError(f"{description.name}: a group's head is cut off") from None
    streams = {}
    for name, length in zip(description.streams, lengths, strict=True):
        if length != _ABSENT:
            streams[name] = payload[at : at + length]
            at += length
    if at != len(payload):
        raise CodecError(f"{description.name}: a group's streams do not fill it")
    return GopParts(numbers, streams, digest)


def unpack_head(description: Description, header: Header, payload: bytes | memoryview) -> tuple[bytes, np.ndarray, int]:
    """What stands before the streams of a GOP chunk: the content's hash (b"" = not stated), int32 [T] frame numbers,
    and where it ends. Of the payload only this much is looked at. Raises CodecError where it makes no sense."""
    try:
        at = _HASH_BYTES if header.flags & HASHED else 0
        digest = bytes(payload[:at])
        step = 1
        if header.flags & STEPPED:
            step = int(struct.unpack_from("<H", payload, at)[0])
            at += 2
        if header.flags & NUMBERED:
            count = int.from_bytes(payload[at : at + 2], "little")
            at += 2
            runs = [_RUN.unpack_from(payload, at + k * _RUN.size) for k in range(count)]
            at += count * _RUN.size
        else:
            runs = [(struct.unpack_from("<i", payload, at)[0], header.frames)]
            at += 4
    except struct.error:
        raise CodecError(f"{description.name}: a group's head is cut off") from None
    ends = [first + (n - 1) * step for first, n in runs]
    if sum(n for _, n in runs) != header.frames or any(
        first < 0 or end >= 1 << 31 for (first, _), end in zip(runs, ends, strict=True)
    ):
        raise CodecError(f"{description.name}: a group's frame numbers make no sense")
    numbers = np.concatenate([first + step * np.arange(n, dtype=np.int64) for first, n in runs])
    if (np.diff(numbers) <= 0).any():
        raise CodecError(f"{description.name}: a group's frame numbers do not ascend")
    return digest, numbers.astype(np.int32), at
