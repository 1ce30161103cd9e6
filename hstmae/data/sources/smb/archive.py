"""Source *smbdataset in a .7z archive*, as it is published: read without unpacking it into a folder first.

The members of a .7z archive are compressed one behind the other, so that they can only be read in the archive's order,
and an episode's frames lie in the order of their names (f1, f10, f100, f2 ...), not of their numbers. `unpack` goes
through an archive once and collects each episode's files, as they are, in one file of a temporary folder; as soon as an
episode is complete it is handed on, read in the order of its numbers, and its file is removed. Nothing grows with the
archive but the list of its members: an episode takes a few megabytes on disk, and unpacking waits while too many of
them wait. (Reading members one by one through the library would decompress the archive anew for each of them.)
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ....errors import DataError
from ....inputs.junk import in_junk
from ....inputs.sevenzip import check_amounts, check_name, opened
from ..base import Report, SourceFrame
from .dataset import MAX_FILE_BYTES, SmbEpisode
from .names import File, group_files

SUFFIX = ".7z"
MAX_STAGED = 4 << 30  # bytes of incomplete episodes; the largest recordings are a hundred times smaller


def is_archive(path: Path) -> bool:
    return path.suffix.lower() == SUFFIX and path.is_file()


@dataclass(frozen=True)
class ArchivedEpisode(SmbEpisode):
    """An episode in an archive. `folder` is where it would be if the archive were unpacked beside itself.

    Attributes:
        archive: the file.
        inside: path of the folder in the archive, "" for its top.
    """

    archive: Path
    inside: str

    def unpack(
        self, episodes: Sequence[ArchivedEpisode], folder: Path, take: Callable[[int, StagedEpisode], None]
    ) -> None:
        """Go through an archive once and hand on each episode when all of its files were read and found intact.

        Args:
            episodes: of the same archive, in any order.
            folder: empty, for temporary files; each lives until `StagedEpisode.discard`.
            take: called with the position in `episodes` and the episode, in the archive's order.
        Raises:
            DataError: the archive is damaged or encrypted, its episodes are scattered too widely, or py7zr is missing.
            OSError: `folder` cannot be written.
            whatever `take` raises.
        """
        stage = _Stage(episodes, folder, take)
        try:
            with opened(self.archive) as file:
                file.extract(stage.root, _targets(self.archive, stage, file.files), factory=stage)
        except DataError:
            if stage.failure is not None:
                raise stage.failure from None
            raise
        if any(stage.left):
            raise DataError(f"{self.archive} is damaged: {sum(stage.left)} of its files could not be unpacked")

    def frames(self, report: Report, notes: dict[str, int], known: Container[int] = ()) -> Iterator[SourceFrame]:
        """As of a folder. Unpacks all that lies before this episode: `unpack` is for reading many of them.

        Raises:
            DataError: the archive is damaged, or py7zr is missing.
        """
        with tempfile.TemporaryDirectory(prefix="hstmae-") as folder:
            staged: list[StagedEpisode] = []
            self.unpack([self], Path(folder), lambda _, episode: staged.append(episode))
            yield from staged[0].frames(report, notes, known)


@dataclass(frozen=True)
class StagedEpisode(SmbEpisode):
    """An archive's episode whose files lie in one temporary file.

    Attributes:
        blob: that file.
        places: offset and length in it of each of `files`; files of more than MAX_FILE_BYTES bytes are cut off there.
    """

    blob: Path
    places: dict[str, tuple[int, int]]

    def read_file(self, name: str) -> bytes:
        offset, length = self.places[name]
        with self.blob.open("rb") as file:
            file.seek(offset)
            return file.read(length)

    def discard(self) -> None:
        """Remove the temporary file."""
        self.blob.unlink(missing_ok=True)


def list_archive(path: Path) -> list[ArchivedEpisode]:
    """Every folder of an archive that holds PNG files, sorted by path.

    Raises:
        DataError: py7zr is missing; no archive, a damaged or encrypted one; members whose names lead out of the
            archive, that are links, or that come twice; more content than an archive of this size can honestly hold.
    """
    with opened(path) as file:
        return _episodes(path, file.files)


def _episodes(path: Path, members: Sequence[Any]) -> list[ArchivedEpisode]:
    check_amounts(path, members)
    seen: set[str] = set()
    folders: dict[str, tuple[list[File], list[str]]] = {}
    stamp = path.stat().st_mtime_ns
    for member in members:
        name, is_folder = str(member.filename), bool(member.is_directory)
        check_name(path, name.rstrip("/") if is_folder else name)
        if is_folder or in_junk(name):
            continue
        if name in seen:
            raise DataError(f"{path}: two members are named {name}: unpack it and choose one of them")
        seen.add(name)
        inside, _, own = name.rpartition("/")
        files, others = folders.setdefault(inside, ([], []))
        if not own.lower().endswith(".png"):
            others.append(own)
        elif not member.is_file:
            raise DataError(f"{path}: {name} is a link, not a file: unpack it and give the folder")
        else:
            files.append((own, int(member.uncompressed), stamp if member.crc32 is None else int(member.crc32)))
    top = path.with_suffix("")
    found = group_files((inside, files, others) for inside, (files, others) in sorted(folders.items()) if files)
    episodes = [ArchivedEpisode(top / g.folder, g.files, g.others, path, g.folder, title=g.title) for g in found]
    if not episodes:
        raise DataError(f"{path} holds no PNG files")
    return episodes


class _Stage:
    """What py7zr calls while it unpacks: `create` for each member, and `close` on what that gave as soon as the member
    is complete and its checksum right.

    Whatever fails in here is kept in `failure`, to tell it from what the library raises about the archive.
    """

    def __init__(
        self, episodes: Sequence[ArchivedEpisode], folder: Path, take: Callable[[int, StagedEpisode], None]
    ) -> None:
        self.root = folder.resolve() / "members"  # stays empty; py7zr names members below it
        self.owners = {
            f"{e.inside}/{name}".lstrip("/"): (k, name) for k, e in enumerate(episodes) for name, *_ in e.files
        }
        self.left = [len(episode.files) for episode in episodes]
        self.failure: BaseException | None = None
        self._episodes, self._take = episodes, take
        self._blobs = [folder / f"{k}.bin" for k in range(len(episodes))]
        self._places: list[dict[str, tuple[int, int]]] = [{} for _ in episodes]

    def create(self, filename: str) -> Any:
        from py7zr.io import Py7zBytesIO

        k, name = self.owners[filename[len(self.root.as_posix()) + 1 :]]
        member = Py7zBytesIO(filename, MAX_FILE_BYTES + 1)
        member.close = lambda: self._keep(k, name, member.read(MAX_FILE_BYTES + 1))
        return member

    def _keep(self, k: int, name: str, data: bytes) -> None:
        try:
            with self._blobs[k].open("ab") as blob:
                self._places[k][name] = blob.tell(), len(data)
                blob.write(data)
            self.left[k] -= 1
            if not self.left[k]:
                episode, places, self._places[k] = self._episodes[k], self._places[k], {}
                looks = (episode.folder, episode.files, episode.others, self._blobs[k], places)
                self._take(k, StagedEpisode(*looks, title=episode.title, pairing=episode.pairing))
        except BaseException as error:
            self.failure = error
            raise


def _targets(path: Path, stage: _Stage, members: Sequence[Any]) -> list[str]:
    """Members that the episodes consist of, in the archive's order.

    From that order and their sizes follows how much will have to lie on the disk at once: DataError when too much.
    """
    targets = []
    left, waiting, total, most = list(stage.left), [0] * len(stage.left), 0, 0
    for member in members:
        k, _ = stage.owners.get(member.filename, (-1, ""))
        if k < 0 or member.is_directory:
            continue
        targets.append(member.filename)
        size = min(int(member.uncompressed), MAX_FILE_BYTES + 1)
        total, waiting[k], left[k] = total + size, waiting[k] + size, left[k] - 1
        most = max(most, total)
        if not left[k]:
            total -= waiting[k]
    if most > MAX_STAGED:
        raise DataError(
            f"{path}: its episodes are scattered, {most:,} bytes would wait to become complete: unpack it and give "
            "the folder"
        )
    return targets
