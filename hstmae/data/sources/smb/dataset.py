"""Source *smbdataset*: a folder per episode with one PNG per frame, memory and buttons appended behind the picture.

Layout: https://github.com/rafaelcp/smbdataset. Behind IEND follow chunks `length, "tEXt", key, 0, value, four zeros`
with the keys RAM (2,048 bytes), BP1 (controller byte) and OUTCOME (0 cut, 1 fail, 2 win); `tail` reads them.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from pathlib import Path
from typing import ClassVar

import numpy as np

from ....errors import DataError
from ....games.palette import first_entry
from ....games.smb.game import SuperMarioBros
from ....inputs.junk import is_junk
from ...episode import OUTCOMES
from ...pairing import Pairing, paired
from ..base import Problem, Report, SourceFrame
from ..png import IndexedImage, read_indexed_png
from .pairing import follows, pairing_of_files
from .tail import Metadata, read_metadata

GAME = SuperMarioBros()
SIZE = GAME.native_size
MAX_FILE_BYTES = 4 << 20  # a raw 256x240 picture and its tail take 64 KB
MAX_NUMBER = 2**31 - 2
_EPISODE = r"(?P<user>.+)_(?P<session>[^_]+)_e(?P<episode>\d{1,9})_(?P<world>\d{1,3})-(?P<level>\d{1,3})"
EPISODE_FOLDER = re.compile(_EPISODE + r"(?:_(?P<outcome>win|fail))?")
_FILE = re.compile(
    _EPISODE + r"_f(?P<frame>\d{1,10})_a(?P<action>\d{1,3})_(?P<time>\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d)"
    r"(?:\.(?P<outcome>win|fail))?\.png",
    re.IGNORECASE,
)


def is_frame_name(name: str) -> bool:
    """Whether a file is named as the frames of this data set are."""
    return _FILE.fullmatch(name) is not None


def nes_colours(image: IndexedImage) -> tuple[np.ndarray, np.ndarray]:
    """Palette indices as FCEUX writes them (0x80 | colour), or plain colours, -> colours 0-63 and palette [64, 3].
    Raises DataError for indices of any other kind, or a palette too short for them."""
    base, size = first_entry(image.indices, GAME), len(GAME.palette)
    low, high = int(image.indices.min()), int(image.indices.max())
    if low < base or high >= base + size:
        raise DataError(f"palette indices {low} to {high}; expected 128 to 191 or 0 to 63")
    if len(image.palette) < base + size:
        raise DataError(f"palette of {len(image.palette)} entries; needs {base + size}")
    return image.indices - np.uint8(base), image.palette[base : base + size]


@dataclass(frozen=True)
class _Names:
    """What an episode's name states."""

    user: str
    session: str
    episode: int
    level: str
    outcome: str

    @staticmethod
    def of(match: re.Match[str]) -> _Names:
        level = f"{int(match['world'])}-{int(match['level'])}"
        outcome = (match["outcome"] or "cut").lower()
        return _Names(match["user"], match["session"], int(match["episode"]), level, outcome)


@dataclass(frozen=True)
class SmbEpisode:
    """One episode folder.

    Attributes:
        folder: where it is.
        files: names, sizes and modification times (ns; of archives, checksums) of the PNG files, by name.
        others: names of everything else in the folder.
        pairing: the lag of its files, see `data.pairing`; None = not looked for yet.
    """

    folder: Path
    files: tuple[tuple[str, int, int], ...]
    others: tuple[str, ...]
    _: KW_ONLY
    pairing: Pairing | None = None
    fps: ClassVar[float | None] = None

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
        return names.outcome if names else "cut"

    def signature(self, content: bool = False) -> list[list[object]]:
        files: list[list[object]] = [
            [name, size, self._checksum(name) if content else stamp] for name, size, stamp in self.files
        ]
        given = self.pairing is not None and self.pairing.by == "given"
        return [*files, ["lag", self.pairing.lag]] if given and self.pairing else files

    def _checksum(self, name: str) -> int:
        try:
            return zlib.crc32(self.read_file(name))
        except OSError:  # reported when its frames are read
            return -1

    def read_file(self, name: str) -> bytes:
        """Content of one of `files`, cut off behind MAX_FILE_BYTES + 1 bytes. Raises OSError."""
        with (self.folder / name).open("rb") as file:
            return file.read(MAX_FILE_BYTES + 1)

    def file_names(self) -> dict[int, str]:
        """Name of the file of each frame number; of several files the one that is used."""
        matches = ((name, _FILE.fullmatch(name)) for name, _, _ in reversed(self.files))
        return {int(match["frame"]): name for name, match in matches if match}

    def _names(self) -> _Names | None:
        """From the folder's name, or from its first file where the folder was renamed."""
        match = EPISODE_FOLDER.fullmatch(self.name)
        if match:
            return _Names.of(match)
        matches = (_FILE.fullmatch(name) for name, _, _ in self.files)
        return next((_Names.of(m) for m in matches if m), None)

    def find_pairing(self) -> Pairing:
        """The lag of its files, with the evidence, from a few of them."""
        return pairing_of_files(self.file_names(), self.read_file, lambda d: nes_colours(read_indexed_png(d, SIZE))[0])

    def frames(self, report: Report, notes: dict[str, int]) -> Iterator[SourceFrame]:
        """As `recorded`, each frame with the memory that belongs to its picture; pictures that none belongs to are
        counted in `notes`."""
        pairing = self.pairing or self.find_pairing()
        for frame in paired(self.recorded(report, notes), pairing.lag, follows):
            if frame.alone:
                notes["unpaired"] = notes.get("unpaired", 0) + 1
            yield frame

    def recorded(self, report: Report, notes: dict[str, int]) -> Iterator[SourceFrame]:
        """Frames as the files hold them, in the order of their numbers. Left out and reported: files with unusable
        names, damaged files, files that contradict their name or the folder's name, second files of a number, and
        changes of the palette."""
        for other in self.others:
            report(Problem(self.name, other, "not a PNG file: ignored", left_out=False))
        if not EPISODE_FOLDER.fullmatch(self.name):
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
        matches = [(name, _FILE.fullmatch(name)) for name, _, _ in self.files]
        for name, match in matches:
            if match is None:
                report(Problem(self.name, name, "the file's name is not <session>_f<frame>_a<action>_<time>.png"))
        return sorted((int(match["frame"]), name, match) for name, match in matches if match)

    def _read(self, name: str, match: re.Match[str], expected: _Names) -> tuple[SourceFrame, bool]:
        try:
            data = self.read_file(name)
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror or error}") from None
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
    if names.outcome != OUTCOMES[metadata.outcome]:
        raise DataError(f"its name says outcome {names.outcome}, its metadata {OUTCOMES[metadata.outcome]}")
    if names.outcome != expected.outcome:
        raise DataError(f"its outcome is {names.outcome}, the episode's {expected.outcome}")
    try:
        datetime(*(int(part) for part in re.split("[-_]", match["time"])))  # type: ignore[arg-type]
    except ValueError:
        raise DataError(f"its name holds an impossible time {match['time']}") from None


def list_episodes(folder: Path) -> list[SmbEpisode]:
    """Every folder with PNG files in it: `folder` itself or any below it, sorted by path. Raises DataError where
    there is no such folder, or it cannot be read."""
    if not folder.is_dir():
        raise DataError(f"no folder {folder}: give the folder that holds the episode folders")
    found = []
    for path, _ in walk(folder):
        try:
            files, others = _list_files(path)
        except OSError as error:
            raise _unreadable(error) from None
        if files:
            found.append(SmbEpisode(Path(path), files, others))
    return found


def walk(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """`folder` and every folder below it, each with the names of its files, sorted by path; links are followed,
    junk is left out. Raises DataError where a folder cannot be read."""

    def stop(error: OSError) -> None:
        raise _unreadable(error)

    seen = set()
    for path, folders, files in os.walk(folder, onerror=stop, followlinks=True):
        folders[:] = sorted(name for name in folders if not is_junk(name))
        real = os.path.realpath(path)
        if real in seen:  # a link that leads back, or a second way to the same folder
            folders.clear()
            continue
        seen.add(real)
        yield path, [name for name in files if not is_junk(name)]


def _unreadable(error: OSError) -> DataError:
    return DataError(f"{error.filename}: cannot be read: {error.strerror}")


def _list_files(folder: str) -> tuple[tuple[tuple[str, int, int], ...], tuple[str, ...]]:
    """(name, size, time) of the PNG files, and names of everything else that is neither a folder nor junk.

    What cannot be looked at (a dead link, a file removed a moment ago, no permission) counts as a file of no size, and
    a folder in the place of a frame's file does as well: it is reported when it is read.
    """
    files: list[tuple[str, int, int]] = []
    others, folders = [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_junk(entry.name):
                continue
            picture = entry.name.lower().endswith(".png")
            try:
                if entry.is_dir():
                    folders.append(entry.name)
                elif picture and (entry.is_file() or entry.is_symlink()):
                    status = entry.stat(follow_symlinks=entry.is_file())
                    files.append((entry.name, status.st_size if entry.is_file() else 0, status.st_mtime_ns))
                else:
                    others.append(entry.name)
            except OSError:
                if picture:
                    files.append((entry.name, 0, 0))
                else:
                    others.append(entry.name)
    if files:
        files += [(name, 0, 0) for name in folders if _FILE.fullmatch(name)]
    return tuple(sorted(files)), tuple(sorted(others))
