"""Is a .hst file what was written, and what is in it?"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import CodecError
from ...executor import batches
from ...executor.on_ray import LOCAL, executor_at
from ...parts import Part
from ..container.chunks import PREAMBLE_BYTES, VERSION, scan_all
from .reader import HstReader

ENOUGH = 8192  # frames: of fewer, starting processes takes longer than it saves
_RGB = 3
_FIELDS = ("name", "game", "level", "outcome", "split", "fps", "profile", "tables", "tables_sha256", "gop")


@dataclass(frozen=True)
class Verdict:
    """What `verify_file` found; the file is whole when there are no problems."""

    episodes: int
    frames: int
    groups: int
    bytes: int
    problems: tuple[str, ...]


def verify_file(
    path: str | Path, progress: Callable[[int], object] | None = None, part: Part | None = None, *,
    executor: str = LOCAL, workers: int = 1, **options: Any,
) -> Verdict:  # fmt: skip
    """Check every checksum, the index, that no frame is missing, and decode every group and compare its hash.

    Args:
        progress: called with the frames checked since the last call.
        part: only this share of the episodes, and with the first one what belongs to none; `groups` and `problems` of
            all parts one after the other are those of the whole. None = all.
        executor, workers: where episodes are checked, see `executor_at`; workers 0 = one per core, where there is
            ENOUGH to do.
        **options: for the profile that decodes.
    Raises:
        CodecError: no .hst file, or nothing in it can be read.
        DataError: a process died, or there is no such cluster.
    """
    with HstReader(path, **options) as reader:
        problems = [] if part is not None and part.number > 1 else _container(reader, str(path))
        groups, weights = 0, [entry.frames for entry in reader.entries]
        share = range(len(weights)) if part is None else part.share(weights)

        def take(checked: tuple[int, list[str]]) -> None:
            nonlocal groups
            groups += checked[0]
            problems.extend(checked[1])

        if executor == LOCAL and (workers == 1 or (not workers and sum(weights[k] for k in share) < ENOUGH)):
            for checked in _Checking(str(path), options, reader)(share, progress or (lambda frames: None)):
                take(checked)
        else:
            work = _Checking(str(path), options)
            tasks = [*batches(share, weights.__getitem__, ENOUGH / 2)]
            with executor_at(executor, work, take, workers=workers, jobs=len(tasks), advance=progress) as running:
                for episodes in tasks:
                    running.submit(episodes)
                running.finish()
        return Verdict(len(reader.entries), len(reader), groups, len(reader.data), tuple(problems))


@dataclass
class _Checking:
    """Checks episodes by their positions: gives the number of groups of each, and what is wrong with it."""

    path: str
    options: dict[str, Any]
    reader: HstReader | None = None  # opened once, where the work is done
    _names: list[str] = field(default_factory=list)

    def __call__(self, episodes: Iterable[int], advance: Callable[[int], object]) -> Iterator[tuple[int, list[str]]]:
        if self.reader is None:
            self.reader = HstReader(self.path, **self.options)
        self._names = self._names or [description.name for description in self.reader.episodes()]
        for k in episodes:
            yield len(self.reader.entries[k].gops), [*self._problems(self.reader, k, advance)]

    def _problems(self, reader: HstReader, k: int, advance: Callable[[int], object]) -> Iterator[str]:
        entry, where = reader.entries[k], f"{self.path}: {self._names[k]}"
        for first, count in entry.missing():
            yield f"{where}: frames {first} to {first + count - 1} are lost"
        if not entry.final:
            yield f"{where}: was not written to its end"
        for group, (_, header) in enumerate(entry.gops):
            if problem := reader.groups.check(k, group):
                yield problem
            advance(header.frames)
        try:
            reader.steps(k)
        except CodecError as error:
            yield str(error)
        if entry.film and (problem := reader.groups.check_film(k)):
            yield problem


def _container(reader: HstReader, path: str) -> list[str]:
    """What is wrong with the file as a whole."""
    chunks, gaps = scan_all(reader.data, PREAMBLE_BYTES)
    problems = [f"{path}: bytes {gap.start} to {gap.end - 1} are damaged" for gap in gaps]
    if not reader.contents.indexed:
        problems.append(f"{path}: has no index that can be used (it was not closed, or is damaged)")
    elif not problems and chunks[: len(reader.contents.table)] != reader.contents.table:
        problems.append(f"{path}: its index does not match its content")
    return problems + [f"{path}: {line}" for line in reader.contents.unusable]


def _film(reader: HstReader, position: int) -> dict[str, Any] | None:
    """The facts of the film that an episode is or was made from, without the times of its frames."""
    try:
        facts = reader.film(position)
    except CodecError:
        return None
    if facts is None:
        return None
    values = facts.to_json()
    del values["times"]
    kept = reader.groups.film(position)
    return values | ({} if kept is None else {"file": kept.head.file, "bytes": kept.head.size})


def _said(reader: HstReader, position: int) -> list[str]:
    """What an environment said at the steps of an episode."""
    try:
        return sorted(reader.steps(position))
    except CodecError:
        return []


def describe(path: str | Path) -> dict[str, Any]:
    """What is in a file, as JSON values; nothing is decoded, so that neither tables nor a model are needed.

    Raises:
        CodecError: no .hst file, or nothing in it can be read.
    """
    with HstReader(path) as reader:
        streams: Counter[str] = Counter()
        episodes = []
        raw = rgb = 0
        for k, (description, entry) in enumerate(zip(reader.episodes(), reader.entries, strict=True)):
            own: Counter[str] = Counter()
            damaged = 0
            for group in range(len(entry.gops)):
                try:
                    own.update({name: len(data) for name, data in reader.groups.parts(k, group).streams.items()})
                except CodecError:
                    damaged += 1
            streams.update(own)
            raw += description.raw_bytes(entry.frames)
            rgb += entry.frames * description.height * description.width * _RGB
            episodes.append(
                {
                    **{name: getattr(description, name) for name in _FIELDS},
                    "frames": entry.frames,
                    "missing": [list(part) for part in entry.missing()],
                    "complete": entry.final,
                    "size": [description.height, description.width],
                    "colours": "palette" if description.channels == 1 else "rgb",
                    "state_bytes": description.state,
                    "groups": len(entry.gops),
                    "damaged_groups": damaged,
                    "bytes": sum(header.size for _, header in entry.gops),
                    "streams": own,
                    "source_files": entry.files is not None,
                    "film": _film(reader, k),
                    "said": _said(reader, k),
                    "notes": dict(description.notes),
                    "problems": [list(problem) for problem in description.problems],
                }
            )
        size, frames = len(reader.data), len(reader)
        return {
            "file": str(path),
            "version": list(VERSION),
            "bytes": size,
            "episodes": episodes,
            "frames": frames,
            "bytes_per_frame": size / frames,
            "streams": streams,
            "container_bytes": size - sum(streams.values()),
            "ratio_to_rgb": rgb / size,
            "ratio_to_raw": raw / size,
            "indexed": reader.contents.indexed,
            "damaged_bytes": sum(gap.end - gap.start for gap in reader.contents.gaps),
            "about": reader.contents.about,
        }
