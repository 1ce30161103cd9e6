"""Parts of an archive into one .hst file, by copying their chunks: nothing is decoded."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ...atomic import replacing
from ...errors import DataError
from ..container import chunks
from ..container.chunks import Place, check_preamble, pack_preamble, read_payload
from ..container.contents import Contents, read_contents
from ..container.description import Description
from ..container.index import pack_closing
from ..session.mapping import map_file


def join_files(parts: Sequence[Path], out: Path, progress: Callable[[int], object] | None = None) -> int:
    """Write `out`, the very file that one run over the whole input would have made.

    Args:
        parts: closed .hst files in the order of their episodes, which all have their number in the whole input.
        progress: called with the bytes copied since the last call.
    Returns:
        How many episodes it has.
    Raises:
        DataError: a part is not closed or is damaged, holds an episode that another one holds, or was made with another
            model or ROM.
    """
    table: list[Place] = []
    owner: dict[int, Path] = {}
    made_with: dict[tuple[str, str], tuple[Description, Path]] = {}
    head, last = b"", -1
    with replacing(out) as temp, temp.open("wb") as file:
        file.write(pack_preamble())
        for path in parts:
            with _opened(path) as (data, contents):
                own = [_copy(data, place, path) for place in contents.table if place[1].kind == chunks.HEAD]
                if not head:
                    head = b"".join(own)
                    table += [(chunks.PREAMBLE_BYTES, header) for _, header in contents.table[: len(own)]]
                    file.write(head)
                if head != b"".join(own):
                    raise DataError(f"{path}: was made of another kind of input than {parts[0]}; give parts of one job")
                for entry in contents.episodes:
                    if entry.description is None or not entry.final:
                        raise DataError(f"{path}: an episode of it is not whole; give the part's command again")
                    if entry.number in owner:
                        raise DataError(f"{path}: holds {entry.description.name}, as does {owner[entry.number]}")
                    if entry.number < last:
                        raise DataError(f"{path}: its episodes are not in the order of the whole; is it that part?")
                    owner[entry.number], last = path, entry.number
                    _same(entry.description, path, made_with)
                for offset, header in contents.table:
                    if header.episode == chunks.NO_EPISODE:
                        continue
                    table.append((file.tell(), header))
                    file.write(_copy(data, (offset, header), path))
                    if progress is not None:
                        progress(header.size)
        file.write(pack_closing(table, file.tell()))
        file.flush()
        os.fsync(file.fileno())
    return len(owner)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[memoryview, Contents]]:
    with map_file(path) as mapped, memoryview(mapped) as data:
        check_preamble(data, str(path))
        contents = read_contents(data)
        if not contents.indexed or contents.unusable:
            raise DataError(f"{path}: is damaged or was not closed; make the part again with --overwrite")
        yield data, contents


def _copy(data: memoryview, place: Place, path: Path) -> bytes:
    """The bytes of a chunk, whose checksum is right."""
    offset, header = place
    payload = read_payload(data, offset, header)
    if payload is None or chunks.parse_header(data, offset) != header:
        raise DataError(f"{path}: byte {offset} and what follows is damaged; copy the part again, or make it again")
    return bytes(data[offset : offset + header.size])


def _same(new: Description, path: Path, made_with: dict[tuple[str, str], tuple[Description, Path]]) -> None:
    """All episodes of a game that are coded alike are coded by one model, tables or ROM."""
    known, where = made_with.setdefault((new.profile, new.game), (new, path))
    if (known.tables, known.tables_sha256) != (new.tables, new.tables_sha256):
        raise DataError(
            f"{path}: {new.name} is coded by {new.tables} {new.tables_sha256[:8]}, {known.name} in {where} by "
            f"{known.tables} {known.tables_sha256[:8]}; make the parts with one model, or one ROM"
        )
