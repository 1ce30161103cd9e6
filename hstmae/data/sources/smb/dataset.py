"""Source *smbdataset*: a folder per episode with one PNG per frame, memory and buttons appended behind the picture.

Layout: https://github.com/rafaelcp/smbdataset. Behind IEND follow chunks `length, "tEXt", key, 0, value, four zeros`
with the keys RAM (2,048 bytes), BP1 (controller byte) and OUTCOME (0 cut, 1 fail, 2 win); `tail` reads them.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import ClassVar

import numpy as np

from ....errors import DataError
from ....games.palette import file_entries, first_entry, pack_rgb, recognise_picture
from ....games.smb.game import SuperMarioBros
from ...episode import OUTCOMES
from ...pairing import Pairing, paired
from ..base import Problem, Report, SourceFrame
from ..png import PngImage, read_png
from .names import EPISODE_FOLDER, File, Names, frame_name, usual_outcome
from .pairing import follows, pairing_of_files
from .tail import Metadata, NoMetadata, read_metadata

GAME = SuperMarioBros()
SIZE = GAME.native_size
MAX_FILE_BYTES = 4 << 20  # a raw 256x240 picture and its tail take 64 KB
MAX_NUMBER = 2**31 - 2
_PROBES = 16  # files looked at for the palette of an episode of RGB pictures


def nes_colours(image: PngImage, first: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The NES colours 0-63 of a picture [h, w], and its palette uint8 [64, 3].

    Palette entries as FCEUX writes them (0x80 | colour) and plain ones (0 to 63) are taken by their number; RGB, and
    entries in another order, by the tables of known emulators.

    Args:
        first: table that is taken where several fit, see `games.palette.recognised`.
    Raises:
        DataError: entries of any other kind, a palette too short for them, or colours of no known table.
    """
    size = len(GAME.palette)
    if image.palette is None:
        entries, palette = recognise_picture(pack_rgb(image.pixels), GAME, first)
        if (entries < 0).any():
            strange = int(np.count_nonzero(entries < 0))
            raise DataError(f"{strange} pixels have colours of no emulator's palette that is known here")
        return entries.astype(np.uint8), palette
    base = first_entry(image.pixels, GAME)
    low, high = int(image.pixels.min()), int(image.pixels.max())
    fits = base <= low and high < base + size
    if not (fits and base and len(image.palette) >= base + size):  # what FCEUX writes needs no second look
        if high < len(image.palette):
            meaning, palette = file_entries(image.pixels, image.palette, GAME, first)
            entries = meaning[image.pixels]
            if (entries >= 0).all():
                return entries.astype(np.uint8), palette
        if not fits:
            raise DataError(f"palette indices {low} to {high}; expected 128 to 191 or 0 to 63")
        if len(image.palette) < base + size:
            raise DataError(f"palette of {len(image.palette)} entries; needs {base + size}")
    return image.pixels - np.uint8(base), image.palette[base : base + size]


def native_picture(data: bytes) -> np.ndarray:
    """The picture of a file's bytes as NES colours int16 [240, 256], -1 where the recorder cut it off. Raises DataError
    where it cannot be read."""
    pixels = nes_colours(read_png(data, SIZE))[0]
    (y, x), whole = GAME.corner_of(pixels) or (0, 0), np.full(SIZE, -1, np.int16)
    whole[y : y + pixels.shape[0], x : x + pixels.shape[1]] = pixels
    return whole


@dataclass(frozen=True)
class SmbEpisode:
    """One episode: the files of a folder, or those of one session and number in it.

    Attributes:
        folder: where they are.
        files: paths in it, sizes and modification times (ns; of archives, checksums) of the PNG files, by name.
        others: names of everything else in the folder.
        pairing: the lag of its files, see `data.pairing`; None = not looked for yet.
        title: name of an episode that is not all that its folder holds; "" = the folder's.
    """

    folder: Path
    files: tuple[File, ...]
    others: tuple[str, ...]
    _: KW_ONLY
    pairing: Pairing | None = None
    title: str = ""
    fps: ClassVar[float | None] = None

    @property
    def name(self) -> str:
        return self.title or Path(os.path.abspath(self.folder)).name  # of ".", too

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
        matches = ((name, frame_name(name)) for name, _, _ in reversed(self.files))
        return {int(match["frame"]): name for name, match in matches if match}

    def _names(self) -> Names | None:
        """What the files state, of the level and the outcome what the folder does: it was named in the end."""
        matches = [match for name, _, _ in self.files if (match := frame_name(name))]
        if not matches:
            return None
        own, folder = Names.of(matches[0]), EPISODE_FOLDER.fullmatch(self.name)
        if folder is None or Names.of(folder).key != own.key:
            return replace(own, outcome=usual_outcome(matches))
        stated = Names.of(folder)
        return stated if folder["outcome"] else replace(stated, outcome=usual_outcome(matches))

    def find_pairing(self) -> Pairing:
        """The lag of its files, with the evidence, from a few of them."""
        return pairing_of_files(self.file_names(), self.read_file, native_picture)

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
        names, damaged files and those without memory, files that contradict their name or the episode's name, second
        files of a number, and changes of the size or of the palette."""
        crowds = _Crowds(self.name, report)
        self._explain(report)
        expected, ordered = self._names(), self._ordered(crowds)
        reader = _Reader(self._table(ordered))
        taken = -1
        for number, name, match in ordered:
            if number == taken:
                crowds.add("is a second file of its frame", name)
                continue
            try:
                if expected is None or number > MAX_NUMBER:
                    raise DataError(f"frame number {number} is too large")
                data = self._data(name)
                image = read_png(data, SIZE)
                metadata = read_metadata(data[image.end :])
                action = _cross_check(match, metadata, expected)
                pixels, palette, corner = reader.read(image)
            except NoMetadata as error:
                crowds.add(str(error), name)
                continue
            except DataError as error:
                report(Problem(self.name, name, str(error)))
                continue
            taken = number
            notes["repaired"] = notes.get("repaired", 0) + metadata.repaired
            yield SourceFrame(number, pixels, palette, np.frombuffer(metadata.ram, np.uint8), action, corner)
        crowds.tell()

    def _explain(self, report: Report) -> None:
        for other in self.others:
            report(Problem(self.name, other, "not a PNG file: ignored", left_out=False))
        if self.title:
            reason = "lies in one folder with others, or in several: put together by the names of its files"
            report(Problem(self.name, "", reason, left_out=False))
        elif not EPISODE_FOLDER.fullmatch(self.name):
            report(Problem(self.name, "", "the folder's name states no session: taken from the files", left_out=False))
        elif (names := self._names()) and Names.of_folder(self.name).key != names.key:
            reason = f"the folder's name states another session than its files: they are of {names}"
            report(Problem(self.name, "", reason, left_out=False))

    def _ordered(self, crowds: _Crowds) -> list[tuple[int, str, re.Match[str]]]:
        matches = [(name, frame_name(name)) for name, _, _ in self.files]
        for name, match in matches:
            if match is None:
                crowds.add("the file's name is not <session>_f<frame>_a<action>_<time>.png", name)
        return sorted((int(match["frame"]), name, match) for name, match in matches if match)

    def _data(self, name: str) -> bytes:
        try:
            data = self.read_file(name)
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror or error}") from None
        if len(data) > MAX_FILE_BYTES:
            raise DataError(f"larger than {MAX_FILE_BYTES} bytes")
        return data

    def _table(self, ordered: list[tuple[int, str, re.Match[str]]]) -> np.ndarray | None:
        """The palette of an episode whose pictures are known by their colours: several of them together tell more."""
        colours: list[np.ndarray] = []
        for _, name, _ in ordered[:: max(1, len(ordered) // _PROBES)]:
            try:
                image = read_png(self._data(name), SIZE)
            except DataError:
                continue
            if image.palette is not None:
                return None  # by the places of its entries
            colours.append(np.unique(pack_rgb(image.pixels)))
        try:
            return recognise_picture(np.concatenate(colours), GAME)[1] if colours else None
        except DataError:
            return None


class _Reader:
    """Reads the pictures of one episode, which have one size and one palette: those of the first."""

    def __init__(self, table: np.ndarray | None) -> None:
        self._table = table
        self._palette = b""
        self._size = (0, 0)
        self._corner = (0, 0)

    def read(self, image: PngImage) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
        """Colours uint8 [h, w], palette uint8 [64, 3], and y, x of the picture in the native one. Raises DataError."""
        pixels, palette = nes_colours(image, self._table)
        size, colours = (pixels.shape[0], pixels.shape[1]), palette.tobytes()
        if not self._palette:
            corner = GAME.corner_of(pixels)
            if corner is None:
                raise DataError(
                    f"is {size[1]}x{size[0]} pixels: neither {SIZE[1]}x{SIZE[0]} nor FCEUX's {SIZE[1]}x224, and no "
                    "WORLD and TIME in its status bar tell which lines and columns it shows"
                )
            self._palette, self._size, self._corner = colours, size, corner
        if size != self._size:
            raise DataError(f"is {size[1]}x{size[0]} pixels, the frames before {self._size[1]}x{self._size[0]}")
        if colours != self._palette:
            raise DataError("its palette differs from that of the frames before")
        return pixels, palette, self._corner


class _Crowds:
    """Problems that files have by the thousand: one line for each reason."""

    def __init__(self, episode: str, report: Report) -> None:
        self._episode, self._report = episode, report
        self._files: dict[str, list[str]] = {}

    def add(self, reason: str, file: str) -> None:
        self._files.setdefault(reason, []).append(file)

    def tell(self) -> None:
        for reason, files in self._files.items():
            if len(files) == 1:
                self._report(Problem(self._episode, files[0], reason))
            else:
                where = f"{len(files):,} files, from {files[0]} to {files[-1]}"
                self._report(Problem(self._episode, "", f"{reason}: {where}", count=len(files)))


def _cross_check(match: re.Match[str], metadata: Metadata, expected: Names) -> int:
    """Name against metadata and episode -> the buttons. The level in a name may change within an episode, so it is not
    compared."""
    names, action = Names.of(match), int(match["action"])
    if action != metadata.action:
        raise DataError(f"its name says action {action}, its metadata {metadata.action}")
    if names.outcome != OUTCOMES[metadata.outcome]:
        raise DataError(f"its name says outcome {names.outcome}, its metadata {OUTCOMES[metadata.outcome]}")
    if names.outcome != expected.outcome:
        raise DataError(f"its outcome is {names.outcome}, the episode's {expected.outcome}")
    try:
        datetime(*(int(part) for part in re.split("[-_]", match["time"])))  # type: ignore[arg-type]
    except ValueError:
        raise DataError(f"its name holds an impossible time {match['time']}") from None
    return action
