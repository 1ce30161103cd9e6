"""How the files of an smbdataset episode looked, so that they can be written again byte for byte.

Pixels, memory, buttons and outcome are kept elsewhere. What is left of a file is little: its name, the part before the
picture data (mostly the palette), which zlib level packed the picture, and whether its line ends are damaged.
"""

from __future__ import annotations

import json
import re
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ....errors import DataError
from ...episode import OUTCOMES
from ..base import SourceFrame
from .alone import AloneLog, AloneParts, Frame
from .dataset import SmbEpisode
from .dataset_writer import BASE, SIGNATURE, head_bytes, picture_bytes, png_chunk, tail_bytes
from .file_times import by_the_second, every_second
from .names import own_name
from .tail import read_metadata, tail_of

_NAME = re.compile(r"(?P<stem>.+)_f(?P<frame>\d+)_a(?P<action>\d+)_(?P<time>[0-9_-]{19})(?P<rest>\..*)", re.DOTALL)
_CLEAN, _LINE_ENDS, _OTHER = range(3)
_GUESSES = [(level, base) for base in (BASE, 0) for level in (6, 9, 1, 5, 7, 8, 4, 3, 2)]
_PATIENCE = 3  # pictures that no guess fits, before guessing stops
MAX_TEXT = 64 << 20
_LARGER = 1 << 31  # in the first number: the text is packed with version 1 of the dictionary


class FileLog:
    """Collects the looks of an episode's files, frame by frame.

    Args:
        keep: also keep the whole content of files that could not be written again byte for byte.
        episode: whose files `add_frame` reads; its lag has been found.
    Attributes:
        frames: how many were added; exact: how many of them could be written again byte for byte without `keep`.
    """

    def __init__(self, keep: bool = False, episode: SmbEpisode | None = None) -> None:
        self._keep, self._episode = keep, episode
        self._file_names = {} if episode is None else episode.file_names()
        lag = 0 if episode is None or episode.pairing is None else episode.pairing.lag
        self._alone = AloneLog(lag) if lag else None
        self._stems: list[list[Any]] = []
        self._times: list[list[Any]] = []
        self._odd: dict[str, str] = {}
        self._heads: list[bytes] = []
        self._looks: list[list[Any]] = []
        self._kept: list[list[int]] = []
        self._leftovers: list[bytes] = []
        self._guess: tuple[int, int] | None = None
        self._misses = 0
        self.frames = 0
        self.exact = 0

    def add_frame(self, frame: SourceFrame) -> None:
        """The file of one more frame of the episode, as it was paired again."""
        if self._episode is None:
            return
        name = self._file_names[frame.number]
        data, state, action = self._episode.read_file(name), frame.state, frame.action
        if self._alone is not None:
            own = read_metadata(tail_of(data))
            state, action = np.frombuffer(own.ram, np.uint8), own.action
            self._alone.add(frame, state, action)
        if state is not None and action is not None:
            outcome = self._episode.outcome
            self.add(own_name(name), data, frame.number, frame.pixels, state, action, outcome, frame.palette)

    def add(
        self, name: str, data: bytes, number: int, pixels: np.ndarray, state: np.ndarray, action: int, outcome: str,
        palette: np.ndarray | None = None,
    ) -> None:  # fmt: skip
        """One more file: its name and bytes, and what was read from it."""
        match = _NAME.fullmatch(name)
        stem, time, rest = (match["stem"], match["time"], match["rest"]) if match else ("", "", "")
        if f"{stem}_f{number}_a{action}_{time}{rest}" != name:
            self._odd[str(self.frames)] = name
        _run(self._stems, [stem, rest])
        _run(self._times, [time])
        look, exact = self._look(data, pixels, tail_bytes(state, action, OUTCOMES.index(outcome)), palette)
        _run(self._looks, list(look))
        self.exact += exact
        if self._keep and not exact:
            self._kept.append([self.frames, len(data)])
            self._leftovers.append(data)
        self.frames += 1

    def _look(
        self, data: bytes, pixels: np.ndarray, clean: bytes, palette: np.ndarray | None
    ) -> tuple[tuple[int, int, int, int], bool]:
        """(number of the head, zlib level or -1, what is added to colours, kind of tail), and whether that is all."""
        at, end = data.find(b"IDAT") - 4, data.find(b"IEND") + 8
        head, tail = data[:at], data[end:]
        kind = _CLEAN if tail == clean else _LINE_ENDS if tail == clean.replace(b"\n", b"\r\n") else _OTHER
        if kind == _CLEAN and b"\n" not in clean and self._looks:
            kind = self._looks[-1][4]  # without line ends both are the same, and one long run is the shortest
        level, base = -1, BASE
        guesses = [self._guess] if self._guess else _GUESSES if self._misses < _PATIENCE else []
        for guess in guesses:
            if picture_bytes(pixels, *guess) == data[at:end]:
                level, base = self._guess = guess
                break
        self._misses += level < 0
        if level < 0 and palette is not None and not _fits(head, pixels, palette, base):
            head = head_bytes(pixels.shape, palette)  # RGB, or entries in another order: written as FCEUX does
        if head not in self._heads and len(self._heads) < 256:
            self._heads.append(head)
        listed = head in self._heads
        exact = listed and level >= 0 and (kind != _OTHER or tail == clean)
        return (self._heads.index(head) if listed else 0, level, base, kind), exact

    def pack(self, palette: np.ndarray) -> bytes:
        """All of it as bytes for `FileLooks`, which needs the same uint8 [K, 3] palette: the files hold it as well."""
        value: dict[str, Any] = {
            "frames": self.frames,
            "stems": self._stems,
            "times": by_the_second(self._times),
            "odd": self._odd,
            "heads": [head.hex() for head in self._heads],
            "looks": self._looks,
            "kept": self._kept,
        }
        left_over = b""
        if self._alone is not None:
            value["alone"], left_over = self._alone.pack()
        text = json.dumps(value, separators=(",", ":")).encode()
        packer = zlib.compressobj(9, zdict=_dictionary(palette, 1))
        packed = packer.compress(text) + packer.flush()
        return (
            (len(packed) | _LARGER).to_bytes(4, "little")
            + packed
            + zlib.compress(b"".join(self._leftovers) + left_over, 9)
        )


def _fits(head: bytes, pixels: np.ndarray, palette: np.ndarray, base: int) -> bool:
    """Whether a file's own head goes with its colours stored from entry `base` on."""
    at = head.find(b"PLTE")
    plain = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 8, 3, 0, 0, 0)
    return head[16:29] == plain and head[at + 4 + 3 * base :].startswith(palette.tobytes())


def _run(runs: list[list[Any]], value: list[Any]) -> None:
    """Append to a list of [count, *value]."""
    if runs and runs[-1][1:] == value:
        runs[-1][0] += 1
    else:
        runs.append([1, *value])


class FileLooks:
    """What a FileLog packed: of `frames` files, which hold the pictures of the episode's `rows` frames.

    Raises DataError where the bytes make no sense.
    """

    def __init__(self, packed: bytes, palette: np.ndarray) -> None:
        try:
            length = int.from_bytes(packed[:4], "little")
            end, dictionary = 4 + (length & ~_LARGER), _dictionary(palette, int(length >= _LARGER))
            value = json.loads(_inflate(packed[4:end], MAX_TEXT, dictionary))
            self.frames = int(value["frames"])
            self._stems = _expand(value["stems"], self.frames, 2)
            self._times = _expand(every_second(value["times"]), self.frames, 1)
            self._odd = {int(k): str(name) for k, name in value["odd"].items()}
            self._heads = [bytes.fromhex(head) for head in value["heads"]]
            self._looks = _expand(value["looks"], self.frames, 4)
            leftovers, at = _inflate(packed[end:], 1 << 30), 0
            self._kept: dict[int, bytes] = {}
            for index, length in value["kept"]:
                self._kept[int(index)] = leftovers[at : at + int(length)]
                at += int(length)
            self._parts = AloneParts(self.frames, value.get("alone"), leftovers[at:])
            self.rows = self._parts.rows
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, zlib.error) as error:
            raise DataError(f"what is known of the original files is damaged ({error!r})") from None

    def own_files(
        self, frames: Iterable[tuple[int, Frame]], wanted: range, outcome: str
    ) -> Iterator[tuple[str, bytes] | None]:
        """Name and bytes of the files that go with the frames `wanted`; None for one whose memory was lost, see
        `AloneParts.own_files`."""
        for k, own in self._parts.own_files(frames, wanted):
            if own is None:
                yield None
            else:
                data = self.data(k, own.pixels, own.state, own.action, outcome)
                yield self.name(k, own.number, own.action), data

    def name(self, row: int, number: int, action: int) -> str:
        """Name of a file by its place. Raises DataError for one that is no plain file name."""
        stem, rest = self._stems[row]
        name = self._odd.get(row) or f"{stem}_f{number}_a{action}_{self._times[row][0]}{rest}"
        if not name.lower().endswith(".png") or "/" in name or "\\" in name or "\0" in name:
            raise DataError(f"{name!r} is no name of a file")
        return name

    def data(self, row: int, pixels: np.ndarray, state: np.ndarray, action: int, outcome: str) -> bytes:
        """The file at a place, with its own memory; with a level of 6 and sound line ends where it is not known how it
        was packed."""
        if row in self._kept:
            return self._kept[row]
        head, level, base, kind = self._looks[row]
        if not (0 <= head < len(self._heads) and -1 <= level <= 9 and base in (0, BASE)):
            raise DataError(f"what is known of the file of frame {row} makes no sense")
        tail = tail_bytes(state, action, OUTCOMES.index(outcome))
        tail = tail.replace(b"\n", b"\r\n") if kind == _LINE_ENDS else tail
        return bytes(self._heads[head]) + picture_bytes(pixels, 6 if level < 0 else level, base) + tail


def _dictionary(palette: np.ndarray, version: int) -> bytes:
    """What zlib is likely to find in the text: the colours; from version 1 on all of a file's head, in which FCEUX has
    the colours again three quarters as bright, behind its own."""
    colours = palette.tobytes().hex()
    if not version:
        return colours.encode()
    dark = (palette.astype(np.uint16) * 3 // 4).astype(np.uint8).tobytes().hex()
    head = SIGNATURE.hex() + png_chunk(b"IHDR", bytes.fromhex("00000100000000f00803000000"))[:-4].hex()
    own = "000000ffffd3000000757592be000033ff33310ec8000000" + "cd" * 20
    return (
        f'{{"frames":1,"stems":[[1,"_e0_1-1",".fail.png"]],"times":["2021-01-01_12-00-00",60,60,61,60],"odd":{{}},'
        f'"heads":["{head}00000300504c5445{own}{"0" * 40}{colours}{dark}"],"looks":[[1,0,6,128,1]],"kept":[]}}'
    ).encode()


def _inflate(packed: bytes, limit: int, dictionary: bytes = b"") -> bytes:
    inflater = zlib.decompressobj(zdict=dictionary)
    raw = inflater.decompress(packed, limit)
    if not inflater.eof:
        raise ValueError("cut off, or too long")
    return raw


def _expand(runs: Sequence[Sequence[Any]], frames: int, width: int) -> list[tuple[Any, ...]]:
    if sum(int(run[0]) for run in runs) != frames or any(len(run) != width + 1 or run[0] < 1 for run in runs):
        raise ValueError("runs do not add up")
    return [tuple(values) for count, *values in runs for _ in range(count)]
