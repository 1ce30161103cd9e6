"""What a .hst file says about an episode."""

import math
import re
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ...data.episode import OUTCOMES
from ...data.pairing import Pairing
from ...errors import CodecError
from .chunks import EPISODE, FINAL, MAX_FRAMES, MAX_GOP, chunk
from .gop import GopShape
from .text import pack_text, unpack_text

MAX_SIDE, MAX_PIXELS = 8192, 1 << 25
MAX_STATE, MAX_ACTIONS = 1 << 20, 256
MAX_DECODED = 256 << 20  # bytes that one group of pictures may unpack to
MAX_STREAMS = 16
FILM_PROFILE = "video"  # its groups are decoded one frame at a time
REPLAY_PROFILE, REPLAY_STREAM = "replay", "RPLY"  # groups with this stream are made by running a console
SHORT_PROFILES = ("neural",)  # whose groups are so small that each byte around them counts: chunks in the short form
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
        packed = pack_text(value, self.profile == REPLAY_PROFILE)
        if self.profile in SHORT_PROFILES:
            packed = min(packed, pack_text(value, short=True), key=len)
        return chunk(EPISODE, packed, episode=episode, flags=flags)

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
