"""Saving what can be saved of a damaged or cut off .hst file, and telling what is lost."""

from __future__ import annotations

import mmap
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import CodecError
from ..container.chunks import OVERHEAD, PREAMBLE_BYTES, check_preamble
from ..container.contents import read_contents
from .writer import HstWriter


@dataclass(frozen=True)
class Recovery:
    """What `recover` did.

    Attributes:
        episodes, frames, groups: saved.
        lost_bytes: of the damaged file that are no whole chunk.
        missing: (episode, first frame, frames) of each stretch known to be lost.
        problems: lines about everything else that is wrong.
    """

    episodes: int
    frames: int
    groups: int
    lost_bytes: int
    missing: tuple[tuple[str, int, int], ...]
    problems: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Whether nothing was damaged at all."""
        return not (self.lost_bytes or self.missing or self.problems)


def recover(source: str | Path, target: str | Path, *, overwrite: bool = False) -> Recovery:
    """Write every whole group of pictures of `source` to `target`, a sound file with an index. Nothing is decoded.

    Raises:
        CodecError: nothing can be saved; `target` is not written then.
        UsageError: `target` is there and `overwrite` is False.
        OSError: a file cannot be read or written.
    """
    path = Path(source)
    with path.open("rb") as file:
        try:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:
            raise CodecError(f"{path}: is empty") from None
    with mapped, memoryview(mapped) as data:
        problems = []
        try:
            check_preamble(data, str(path))
            start = PREAMBLE_BYTES
        except CodecError as error:
            problems, start = [str(error)], 0
        contents = read_contents(data, use_index=False, start=start)
        saved = [e for e in contents.episodes if e.description is not None and e.gops]
        problems += contents.unusable
        problems += [
            f"{e.frames} frames of an episode whose description is damaged"
            for e in contents.episodes
            if not e.description
        ]
        missing = [(e.description.name, first, count) for e in saved if e.description for first, count in e.missing()]
        problems += [
            f"{e.description.name}: was not written to its end" for e in saved if e.description and not e.final
        ]
        if not saved:
            raise CodecError(f"{path}: nothing in it can be saved")
        with HstWriter(target, overwrite=overwrite, about=contents.about) as writer:
            for entry in saved:
                assert entry.description is not None
                end = entry.gops[-1][1].first + entry.gops[-1][1].frames
                # One that was being written ends with its last whole group, as far as anybody can tell.
                description = entry.description if entry.final else replace(entry.description, frames=end)
                writer.append(replace(description, frames=-1).pack(entry.number))
                for offset, header in [*entry.gops, *([entry.files] if entry.files else [])]:
                    writer.append(bytes(data[offset : offset + header.length + OVERHEAD]))
                writer.append(description.pack(entry.number))
    return Recovery(
        episodes=len(saved),
        frames=sum(e.frames for e in saved),
        groups=sum(len(e.gops) for e in saved),
        lost_bytes=sum(gap.end - gap.start for gap in contents.gaps),
        missing=tuple(missing),
        problems=tuple(problems),
    )
