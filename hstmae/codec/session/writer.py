"""Writing a .hst file group by group: what is written stays whatever happens next."""

from __future__ import annotations

import json
import mmap
import os
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ...atomic import replacing, sync_folder
from ...data.episode import Episode
from ...errors import CodecError, UsageError
from ...locks import once
from ...output import Kind, check_output
from ..container import chunks
from ..container.chunks import (
    Gap,
    Place,
    check_preamble,
    chunk,
    pack_preamble,
    parse_header,
    read_payload,
    scan,
)
from ..container.contents import Contents, read_contents
from ..container.description import Description, unpack_description
from ..container.gop import Profile
from ..container.index import pack_closing
from .encoder import EpisodeEncoder, encode_episode

PART = ".part"  # ending of a file that is being written


class HstWriter(AbstractContextManager["HstWriter"]):
    """Context manager that writes a file; leaving it closes the file.

    Every chunk is handed to the system as soon as it is complete. When the process is killed, all whole groups of
    pictures are in the file, and a reader finds them without an index.

    Args:
        path: of the file.
        overwrite: a file of this name may be replaced.
        live: write to `path` itself, so that others can read along; else to `path` + ".part", which gets its name when
            it is complete. What an interrupted run leaves there can be gone on with, read, and recovered.
        resume: go on with what an interrupted run left: `contents` tells what that is.
        about: JSON values that say what the file is made of; written at its start.
    Raises:
        UsageError: as `check_output` does; another process is writing the file, or there is a ".part" file and
            `resume` is False.
        CodecError: `resume`, and what is there is no .hst file.
        OSError: it cannot be written.
    """

    def __init__(
        self, path: str | Path, *, overwrite: bool = False, live: bool = False, resume: bool = False,
        about: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        self.path = Path(path)
        self.place = self.path if live else self.path.with_name(self.path.name + PART)
        check_output(self.path, Kind.FILE, overwrite or live)
        check_output(self.place, Kind.FILE, overwrite=True)
        self._held = ExitStack()  # the output, which nobody else writes, and the open file
        try:
            self._held.enter_context(once(self.path))
            if self.place.exists() and not resume and self.place.stat().st_size:
                raise UsageError(f"{self.place} is there already: go on with it (--resume), or remove it")
            self._file = self._held.enter_context(self.place.open("r+b" if self.place.exists() else "w+b"))
            self._table: list[Place] = []
            self._final: dict[int, Description] = {}
            self.contents: Contents | None = self._found() if resume else None
            if not self._file.seek(0, os.SEEK_END):
                self._write(pack_preamble())
                text = json.dumps(about or {}, sort_keys=True, separators=(",", ":")).encode("utf-8")
                self.append(chunk(chunks.HEAD, zlib.compress(text, 9)))
        except BaseException:
            self._held.close()
            raise

    def _found(self) -> Contents | None:
        """What a run before this one wrote, up to the first damage, which is where it was interrupted."""
        size = self._file.seek(0, os.SEEK_END)
        if size < chunks.PREAMBLE_BYTES:  # killed in its very first moment
            self._file.truncate(0)
            return None
        with mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as data:
            check_preamble(data, str(self.place))
            end = chunks.PREAMBLE_BYTES
            for found in scan(data, chunks.PREAMBLE_BYTES):
                if isinstance(found, Gap) or found[1].kind in (chunks.INDEX, chunks.END):
                    break
                self._table.append(found)
                end = found[0] + found[1].size
            with data[:end] as whole:
                contents = read_contents(whole, use_index=False)
        if not self._table:  # killed before the first chunk was whole
            self._file.truncate(0)
            return None
        self._final = {e.number: e.description for e in contents.episodes if e.final and e.description is not None}
        self._file.truncate(end)
        return contents

    @property
    def next_number(self) -> int:
        """Number for the next episode."""
        return max((h.episode + 1 for _, h in self._table if h.episode != chunks.NO_EPISODE), default=0)

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._file.tell()

    def finished_episodes(self) -> list[Description]:
        """Descriptions of the episodes that are complete."""
        return list(self._final.values())

    def append(self, packed: bytes) -> None:
        """Write whole chunks, as an EpisodeEncoder gives them."""
        at, base, view = 0, self._file.tell(), memoryview(packed)
        while at < len(view):
            header = parse_header(view, at)
            if header is None:
                raise CodecError("these bytes are no chunks")
            self._table.append((base + at, header))
            if header.kind == chunks.EPISODE and header.flags & chunks.FINAL:
                self._final[header.episode] = unpack_description(read_payload(view, at, header) or b"")
            at += header.size
        self._write(packed)

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._file.flush()

    def add(self, profile: Profile, episode: Episode, *, gop: int | None = None, threads: int = 1) -> None:
        """Write a whole episode, `gop` frames in a group (None: see `usual_gop`), `threads` groups at the same time.

        Raises DataError where it does not fit the format.
        """
        for packed in encode_episode(profile, episode, self.next_number, gop, threads):
            self.append(packed)

    @contextmanager
    def episode(self, profile: Profile, description: Description) -> Iterator[LiveEpisode]:
        """An episode that is written as it happens; it is complete when the `with` block is left."""
        live = LiveEpisode(self, EpisodeEncoder(profile, description, self.next_number))
        yield live
        live.close()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
            return
        self._file.close()  # Windows removes and renames closed files only
        if not any(header.kind == chunks.EPISODE for _, header in self._table):
            self.place.unlink(missing_ok=True)  # nothing to go on with
        self._held.close()

    def close(self) -> None:
        """Write the end, of a large file with its index, and give it its name. Raises CodecError without episodes."""
        if not any(header.kind == chunks.EPISODE for _, header in self._table):
            self._file.close()
            self.place.unlink(missing_ok=True)
            self._held.close()
            raise CodecError(f"{self.path}: no episode was written")
        ordered = sorted(self._table, key=lambda place: (place[1].episode + 1) % (1 << 32))  # the file's own come first
        if ordered == self._table or self.place == self.path:
            self._write(pack_closing(self._table, self._file.tell()))
            os.fsync(self._file.fileno())
            self._file.close()
        else:
            self._rewrite(ordered)
        if self.place != self.path:
            os.replace(self.place, self.path)
        sync_folder(self.path.parent)
        self._held.close()

    def _rewrite(self, ordered: list[Place]) -> None:
        """Episodes were written side by side: put their chunks one after the other, as if they had not been."""
        self._table, at = [], chunks.PREAMBLE_BYTES
        with replacing(self.place) as temp, temp.open("wb") as file:
            file.write(pack_preamble())
            for offset, header in ordered:
                self._file.seek(offset)
                file.write(self._file.read(header.size))
                self._table.append((at, header))
                at += header.size
            file.write(pack_closing(self._table, at))
            self._file.close()


class LiveEpisode:
    """Frames of one episode, written whenever a group is full."""

    def __init__(self, writer: HstWriter, encoder: EpisodeEncoder) -> None:
        self._writer, self._encoder = writer, encoder
        self.outcome: str | None = None  # may be set until the end

    def add(self, frame: Any, number: int, state: Any = None, action: int | None = None) -> None:
        """As EpisodeEncoder.add."""
        if packed := self._encoder.add(frame, number, state, action):
            self._writer.append(packed)

    def close(self) -> None:
        self._writer.append(self._encoder.finish(self.outcome))
