"""Source *smbdataset*: a folder per episode with one PNG per frame, memory and buttons appended behind the picture.

Layout: https://github.com/rafaelcp/smbdataset. Behind IEND follow chunks `length, "tEXt", key, 0, value, four zeros`
with the keys RAM (2,048 bytes), BP1 (controller byte) and OUTCOME (0 cut, 1 fail, 2 win).
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from ...errors import DataError
from ..episode import OUTCOMES
from .base import Problem, Report, SourceFrame
from .png import IndexedImage, read_indexed_png

SIZE = (240, 256)
RAM_BYTES = 2048
MAX_FILE_BYTES = 4 << 20  # a raw 256x240 picture and its tail take 64 KB
MAX_NUMBER = 2**31 - 2
_EPISODE = r"(?P<user>.+)_(?P<session>[^_]+)_e(?P<episode>\d{1,9})_(?P<world>\d{1,3})-(?P<level>\d{1,3})"
_FOLDER = re.compile(_EPISODE + r"(?:_(?P<outcome>win|fail))?")
_FILE = re.compile(
    _EPISODE + r"_f(?P<frame>\d{1,10})_a(?P<action>\d{1,3})_(?P<time>\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d)"
    r"(?:\.(?P<outcome>win|fail))?\.png",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Metadata:
    """What is appended to a picture; `repaired` when line-end damage had to be undone."""

    ram: bytes
    action: int
    outcome: int
    repaired: bool


def read_metadata(tail: bytes) -> Metadata:
    """Parse the bytes behind IEND.

    The recorder appended in text mode on Windows, which turned every byte 0A into 0D 0A. Since each 0A got exactly one
    0D, the reverse replacement is exact. It is tried only where the bytes do not parse as they are, because undamaged
    memory may hold 0D 0A of its own.

    Raises:
        DataError: the bytes parse neither way.
    """
    try:
        return _metadata(_text_chunks(tail), False)
    except DataError as error:
        if b"\r\n" not in tail:
            raise
        first = error
    try:
        return _metadata(_text_chunks(tail.replace(b"\r\n", b"\n")), True)
    except DataError as error:
        raise DataError(f"{first}; with line ends undone: {error}") from None


def _text_chunks(tail: bytes) -> dict[bytes, bytes]:
    if not tail:
        raise DataError("no metadata behind the picture")
    chunks: dict[bytes, bytes] = {}
    position = 0
    while position < len(tail):
        if position + 8 > len(tail):
            raise DataError("metadata cut off")
        length, kind = struct.unpack_from(">I4s", tail, position)
        end = position + 12 + length
        if kind != b"tEXt" or end > len(tail):
            raise DataError("metadata cut off" if kind == b"tEXt" else "metadata damaged")
        key, mark, value = tail[position + 8 : end - 4].partition(b"\0")
        if not mark or key in chunks:
            raise DataError("metadata damaged")
        chunks[key] = value
        position = end
    return chunks


def _metadata(chunks: dict[bytes, bytes], repaired: bool) -> Metadata:
    for key, size in ((b"RAM", RAM_BYTES), (b"BP1", 1), (b"OUTCOME", 1)):
        if key not in chunks:
            raise DataError(f"metadata has no {key.decode()}")
        if len(chunks[key]) != size:
            raise DataError(f"{key.decode()} has {len(chunks[key])} bytes instead of {size}")
    outcome = chunks[b"OUTCOME"][0]
    if outcome >= len(OUTCOMES):
        raise DataError(f"OUTCOME is {outcome}, expected 0, 1 or 2")
    return Metadata(chunks[b"RAM"], chunks[b"BP1"][0], outcome, repaired)


def nes_colours(image: IndexedImage) -> tuple[np.ndarray, np.ndarray]:
    """Palette indices as FCEUX writes them (0x80 | colour), or plain colours, -> colours 0-63 and palette [64, 3].

    Raises:
        DataError: indices of any other kind, or a palette too short for them.
    """
    low, high = int(image.indices.min()), int(image.indices.max())
    base = 0x80 if low >= 0x80 and high < 0xC0 else 0
    if high >= base + 64:
        raise DataError(f"palette indices {low} to {high}; expected 128 to 191 or 0 to 63")
    if len(image.palette) < base + 64:
        raise DataError(f"palette of {len(image.palette)} entries; needs {base + 64}")
    colours = image.indices & 63 if base else image.indices
    return colours, image.palette[base : base + 64]


@dataclass(frozen=True)
class _Names:
    """Facts an episode's name states; the outcome is "" for one that was cut."""

    user: str
    session: str
    episode: int
    level: str
    outcome: str

    @staticmethod
    def of(match: re.Match[str]) -> _Names:
        level = f"{int(match['world'])}-{int(match['level'])}"
        return _Names(match["user"], match["session"], int(match["episode"]), level, (match["outcome"] or "").lower())


@dataclass(frozen=True)
class SmbEpisode:
    """One episode folder.

    Attributes:
        folder: where it is.
        files: names, sizes and modification times (ns) of the PNG files, by name.
        others: names of everything else in the folder.
    """

    folder: Path
    files: tuple[tuple[str, int, int], ...]
    others: tuple[str, ...]

    @property
    def name(self) -> str:
        return Path(os.path.abspath(self.folder)).name  # of ".", too

    @property
    def size(self) -> int:
        return len(self.files)

    @property
    def level(self) -> str:
        names = self._names()
        return names.level if names else ""

    @property
    def outcome(self) -> str:
        names = self._names()
        return (names.outcome if names else "") or "cut"

    @property
    def fps(self) -> float | None:
        return None

    def signature(self) -> list[list[object]]:
        return [list(file) for file in self.files]

    def _names(self) -> _Names | None:
        """From the folder's name, or from its first file where the folder was renamed."""
        match = _FOLDER.fullmatch(self.name)
        if match:
            return _Names.of(match)
        matches = (_FILE.fullmatch(name) for name, _, _ in self.files)
        return next((_Names.of(m) for m in matches if m), None)

    def frames(self, report: Report, notes: dict[str, int]) -> Iterator[SourceFrame]:
        """Frames in the order of their numbers. Left out and reported: files with unusable names, damaged files, files
        that contradict their name or the folder's name, second files of a number, and changes of the palette."""
        for other in self.others:
            report(Problem(self.name, other, "not a PNG file: ignored", left_out=False))
        if not _FOLDER.fullmatch(self.name):
            report(Problem(self.name, "", "the folder's name states no session: taken from the files", left_out=False))
        expected = self._names()
        palette = b""
        taken = -1
        for number, name, match in self._ordered(report):
            try:
                if expected is None or number > MAX_NUMBER:
                    raise DataError(f"frame number {number} is too large")
                if number == taken:
                    raise DataError(f"a second file for frame {number}")
                frame, repaired = self._read(name, match, expected)
                colours = b"" if frame.palette is None else frame.palette.tobytes()
                palette = palette or colours
                if colours != palette:
                    raise DataError("its palette differs from that of the frames before")
            except DataError as error:
                report(Problem(self.name, name, str(error)))
                continue
            taken = number
            notes["repaired"] = notes.get("repaired", 0) + repaired
            yield frame

    def _ordered(self, report: Report) -> list[tuple[int, str, re.Match[str]]]:
        found = []
        for name, _, _ in self.files:
            match = _FILE.fullmatch(name)
            if match is None:
                report(Problem(self.name, name, "the file's name is not <session>_f<frame>_a<action>_<time>.png"))
            else:
                found.append((int(match["frame"]), name, match))
        return sorted(found, key=lambda entry: entry[:2])

    def _read(self, name: str, match: re.Match[str], expected: _Names) -> tuple[SourceFrame, bool]:
        try:
            with (self.folder / name).open("rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror}") from None
        if len(data) > MAX_FILE_BYTES:
            raise DataError(f"larger than {MAX_FILE_BYTES} bytes")
        image = read_indexed_png(data, SIZE)
        metadata = read_metadata(data[image.end :])
        _cross_check(match, metadata, expected)
        pixels, palette = nes_colours(image)
        state = np.frombuffer(metadata.ram, np.uint8)
        return SourceFrame(int(match["frame"]), pixels, palette, state, metadata.action), metadata.repaired


def _cross_check(match: re.Match[str], metadata: Metadata, expected: _Names) -> None:
    """Name against metadata and episode. The level in a name may change within an episode, so it is not compared."""
    names = _Names.of(match)
    if (names.user, names.session, names.episode) != (expected.user, expected.session, expected.episode):
        raise DataError(
            f"belongs to session {names.user}_{names.session}_e{names.episode}, "
            f"not to {expected.user}_{expected.session}_e{expected.episode}"
        )
    if int(match["action"]) != metadata.action:
        raise DataError(f"its name says action {int(match['action'])}, its metadata {metadata.action}")
    stated = names.outcome or "cut"
    if stated != OUTCOMES[metadata.outcome]:
        raise DataError(f"its name says outcome {stated}, its metadata {OUTCOMES[metadata.outcome]}")
    if stated != (expected.outcome or "cut"):
        raise DataError(f"its outcome is {stated}, the episode's {expected.outcome or 'cut'}")
    try:
        datetime(*(int(part) for part in re.split("[-_]", match["time"])))  # type: ignore[arg-type]
    except ValueError:
        raise DataError(f"its name holds an impossible time {match['time']}") from None


def find_episodes(folder: Path) -> list[SmbEpisode]:
    """Every folder with PNG files in it: `folder` itself or any below it, sorted by path.

    Raises:
        DataError: no such folder, it cannot be read, or it holds no PNG file at all.
    """
    if not folder.is_dir():
        raise DataError(f"no folder {folder}: give the folder that holds the episode folders")

    def stop(error: OSError) -> None:
        raise DataError(f"{error.filename}: cannot be read: {error.strerror}")

    found, seen = [], set()
    for path, folders, _ in os.walk(folder, onerror=stop, followlinks=True):
        folders.sort()
        real = os.path.realpath(path)
        if real in seen:  # a link that leads back, or a second way to the same folder
            folders.clear()
            continue
        seen.add(real)
        files, others = _list_files(path)
        if files:
            found.append(SmbEpisode(Path(path), files, others))
    if not found:
        raise DataError(f"{folder} holds no PNG files: give the folder that holds the episode folders")
    return found


def _list_files(folder: str) -> tuple[tuple[tuple[str, int, int], ...], tuple[str, ...]]:
    """(name, size, time) of the PNG files, and names of everything else that is not a folder."""
    files, others = [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                continue
            dead_link = entry.is_symlink() and not entry.is_file()
            if entry.name.lower().endswith(".png") and (entry.is_file() or dead_link):
                status = entry.stat(follow_symlinks=not dead_link)  # a dead link is reported when it is read
                files.append((entry.name, status.st_size, status.st_mtime_ns))
            else:
                others.append(entry.name)
    return tuple(sorted(files)), tuple(sorted(others))
