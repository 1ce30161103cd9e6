"""Source *smbdataset*: a folder per episode with one PNG per frame, memory and buttons appended behind the picture.

Layout: https://github.com/rafaelcp/smbdataset. Behind IEND follow chunks `length, "tEXt", key, 0, value, four zeros`
with the keys RAM (2,048 bytes), BP1 (controller byte) and OUTCOME (0 cut, 1 fail, 2 win); `tail` reads them.
"""

from __future__ import annotations

import os
import re
import zlib
from collections import Counter
from collections.abc import Container, Iterator
from dataclasses import KW_ONLY, dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from ....errors import DataError
from ....games.palette import pack_rgb, recognise_picture
from ...episode import OUTCOMES
from ...pairing import Pairing, paired
from ..base import AT_HAND, Problem, Report, SourceFrame
from ..png import end_of_png, read_png
from .colours import GAME, SIZE, PictureReader, native_picture
from .names import EPISODE_FOLDER, File, Names, frame_name, usual_outcome
from .pairing import follows, pairing_of_files
from .tail import Metadata, NoMetadata, read_metadata

MAX_FILE_BYTES = 4 << 20  # a raw 256x240 picture and its tail take 64 KB
MAX_NUMBER = 2**31 - 2
_PROBES = 16  # files looked at for the palette of an episode of RGB pictures


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
        names = self._names
        return names.level if names else ""

    @property
    def outcome(self) -> str:
        names = self._names
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

    @cached_property
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
        numbered = {name.rpartition("_f")[2].partition("_")[0]: name for name, _, _ in reversed(self.files)}
        names = {int(number): name for number, name in numbered.items() if number.isdecimal()}
        return pairing_of_files(names, self.read_file, native_picture)

    def frames(self, report: Report, notes: dict[str, int], known: Container[int] = ()) -> Iterator[SourceFrame]:
        """As `recorded`, each frame with the memory that belongs to its picture; pictures that none belongs to are
        counted in `notes`."""
        pairing = self.pairing or self.find_pairing()
        for frame in paired(self.recorded(report, notes, known), pairing.lag, follows):
            if frame.alone:
                notes["unpaired"] = notes.get("unpaired", 0) + 1
            yield frame

    def recorded(self, report: Report, notes: dict[str, int], known: Container[int] = ()) -> Iterator[SourceFrame]:
        """Frames as the files hold them, in the order of their numbers. Left out and reported: files with unusable
        names, damaged files and those without memory, files that contradict their name or the episode's name, second
        files of a number, and changes of the size or of the palette. `known` as of `SourceEpisode.frames`."""
        crowds = _Crowds(self.name, report)
        self._explain(report)
        expected, ordered = self._names, self._ordered(crowds)
        reader = PictureReader(self._table(ordered))
        files = Counter(number for number, _, _ in ordered)
        taken = -1
        palette: np.ndarray | None = None  # of all pictures, as is their corner
        corner = (0, 0)
        for number, name, match in ordered:
            if number == taken:
                crowds.add("is a second file of its frame", name)
                continue
            try:
                if expected is None or number > MAX_NUMBER:
                    raise DataError(f"frame number {number} is too large")
                data = self._data(name)
                if palette is not None and number in known and files[number] == 1:
                    metadata, pixels = read_metadata(data[end_of_png(data) :]), AT_HAND
                    action = _cross_check(match, metadata, expected)
                else:
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
            yield SourceFrame(number, pixels, palette, np.frombuffer(metadata.ram, np.uint8), action, corner=corner)
        crowds.tell()

    def _explain(self, report: Report) -> None:
        for other in self.others:
            report(Problem(self.name, other, "not a PNG file: ignored", left_out=False))
        if self.title:
            reason = "lies in one folder with others, or in several: put together by the names of its files"
            report(Problem(self.name, "", reason, left_out=False))
        elif not EPISODE_FOLDER.fullmatch(self.name):
            report(Problem(self.name, "", "the folder's name states no session: taken from the files", left_out=False))
        elif (names := self._names) and Names.of_folder(self.name).key != names.key:
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
