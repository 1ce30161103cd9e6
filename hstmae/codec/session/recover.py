"""Saving what can be saved of a damaged or cut off .hst file, and telling what is lost."""

from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import CodecError
from ..container.chunks import PREAMBLE_BYTES, check_preamble
from ..container.contents import read_contents
from .mapping import map_file
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
    with map_file(path) as mapped, memoryview(mapped) as data:
        problems = []
        try:
            check_preamble(data, str(path))
            start = PREAMBLE_BYTES
        except CodecError as error:
            problems, start = [str(error)], 0
        contents = read_contents(data, use_index=False, start=start)
        saved = [e for e in contents.episodes if e.description is not None and e.gops]
        problems += contents.unusable
        lost = [e for e in contents.episodes if not e.description]
        problems += [f"{e.frames} frames of an episode whose description is damaged" for e in lost]
        missing = [(e.description.name, first, count) for e in saved if e.description for first, count in e.missing()]
        unfinished = [e.description.name for e in saved if e.description and not e.final]
        problems += [f"{name}: was not written to its end" for name in unfinished]
        if not saved:
            raise CodecError(f"{path}: nothing in it can be saved")
        with HstWriter(target, overwrite=overwrite, about=contents.about) as writer:
            for entry in saved:
                assert entry.description is not None
                end = entry.gops[-1][1].first + entry.gops[-1][1].frames
                # One that was being written ends with its last whole group, as far as anybody can tell.
                description = entry.description if entry.final else replace(entry.description, frames=end)
                writer.append(replace(description, frames=-1).pack(entry.number))
                for offset, header in sorted([*entry.gops, *entry.beside]):
                    writer.append(bytes(data[offset : offset + header.size]))
                writer.append(description.pack(entry.number))
    return Recovery(
        episodes=len(saved),
        frames=sum(e.frames for e in saved),
        groups=sum(len(e.gops) for e in saved),
        lost_bytes=sum(gap.end - gap.start for gap in contents.gaps),
        missing=tuple(missing),
        problems=tuple(problems),
    )
