"""Many episodes into one .hst file: side by side in processes, or one after the other; goes on after being killed."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ...data.pairing import describe_episodes
from ...data.sources.base import NothingUsable, Problem, SourceEpisode
from ...data.sources.settling import with_pairing
from ...data.store.jobs import run_jobs
from ...errors import UsageError
from ...executor import threads_of
from ...executor.on_ray import LOCAL
from ...journal import keeping, key_of
from ...names import portable_names
from ...output import Kind, check_output
from ...parts import Part
from ..container.description import FILM_PROFILE
from ..session.profiles import Following, make_profile
from ..session.writer import PART, HstWriter
from .encode_one import encode_source
from .inputs import Found
from .tasks import Done, Settings, Task, task_of


@dataclass(frozen=True)
class Archived:
    """What a run did, and what the file now holds.

    Attributes:
        episodes, frames, bytes: of the file.
        kept_frames: found in what an earlier run left.
        coded_frames, seconds: of this run.
        raw_bytes: what all of it takes unpacked.
        files, exact_files: source files whose looks are kept, and how many of them come back byte for byte.
        carried_files: source files whose looks came along from another .hst file.
        predicted_frames: of this run, those that a console at both ends makes by itself.
        films: episodes that were kept as they are.
        counts: files of pictures that lost something ("lost_KIND") or were left out for it ("refused_KIND"), see
            `sources.losses`.
        pairing: lines on which picture the memory belongs to, see `data.pairing`.
        problems: what was left out or odd.
    """

    path: str
    episodes: int
    frames: int
    bytes: int
    raw_bytes: int
    kept_frames: int
    coded_frames: int
    seconds: float
    files: int
    exact_files: int
    carried_files: int
    predicted_frames: int
    films: int
    counts: dict[str, int]
    problems: tuple[Problem, ...]
    pairing: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        value = {**asdict(self), "problems": [str(problem) for problem in self.problems]}
        value["bytes_per_frame"] = self.bytes / self.frames
        return value


def archive(
    found: Found,
    path: str | Path,
    settings: Settings,
    *,
    workers: int = 0,
    overwrite: bool = False,
    part: Part | None = None,
    executor: str = LOCAL,
    progress: Callable[[int], object] | None = None,
) -> Archived:
    """Encode all episodes of an input into one file.

    What is written grows in `path` + ".part" and gets its name at the end. A run that was stopped or killed is gone on
    with: whole groups of pictures that are there are not encoded again, nor are films decoded again that are kept as
    they are. The file's bytes do not depend on any of it.

    Args:
        workers: processes; 0 = one per core. Of fewer episodes each process codes several groups at the same time.
        overwrite: a file of this name may be replaced.
        part: only this share of the episodes, which keep their numbers; None = all.
        executor: as of `run_jobs`.
        progress: called with the number of frames dealt with since the last call.
    Raises:
        UsageError: the file exists, or an unfinished one of another input does.
        NothingUsable: no frame of any episode can be used.
        DataError: `fail` and a problem, or a process died.
    """
    began, target = time.perf_counter(), Path(path)
    check_output(target, Kind.FILE, overwrite)
    about = {"kind": found.kind, "game": found.game, "splits": found.splits}
    about |= {"columns": found.columns} if found.columns else {}
    names = [episode.name for episode in found.episodes]
    tasks = [
        task_of(episode, number, found.game or str(getattr(episode, "game", "")), name, settings)
        for number, (episode, name) in enumerate(zip(found.episodes, portable_names(names), strict=True))
    ]
    if part is not None:
        share = share_of(found, part)
        tasks = tasks[share.start : share.stop]
        if not tasks:
            raise NothingUsable(())
    used = {(str(task.settings.profile), task.game) for task in tasks if task.settings.profile != FILM_PROFILE}
    for profile, game in sorted(used):
        made = make_profile(profile, game, **dict(settings.options))  # what is missing is said before any work
        if isinstance(made, Following):
            made.session("")
    begun = target.with_name(target.name + PART).exists()
    with (
        keeping(target, key_of("encode")) as journal,
        HstWriter(target, overwrite=overwrite, resume=begun, about=about) as writer,
    ):
        todo, kept = _left(tasks, writer, journal.folder)
        coded = 0
        results: list[Done] = []

        def take(piece: bytes | Done) -> None:
            if isinstance(piece, bytes):
                writer.append(piece)
            else:
                results.append(piece)

        def advance(frames: int) -> None:
            nonlocal coded
            coded += frames
            if progress is not None:
                progress(frames)

        if progress is not None and kept:
            progress(kept)
        written = [] if writer.contents is None else [entry.description for entry in writer.contents.episodes]
        # Tasks of a cluster have one processor, and no folder beside the output.
        threads = threads_of(workers, len(todo)) if executor == LOCAL else 1
        keep = journal.folder if executor == LOCAL else None
        todo = [replace(task, threads=threads, keep=keep) for task in todo]
        # Groups are written as they come, so that a killed run loses few of them; the writer orders them at the end.
        run_jobs(
            encode_source, todo, take, target.parent, workers=workers, executor=executor, advance=advance,
            ordered=False, others=[*found.episodes, *found.others], aside=_aside(found, part),
            known={d.name: d.pairing for d in written if d is not None},
        )  # fmt: skip
        places = {task.name: k for k, task in enumerate(tasks)}
        results.sort(key=lambda done: places[done.name])
        problems = tuple(problem for done in results for problem in done.problems)
        contents = writer.finished_episodes()
        if not contents:
            raise NothingUsable(problems)
    frames = sum(description.frames for description in contents)
    return Archived(
        path=str(target),
        episodes=len(contents),
        frames=frames,
        bytes=target.stat().st_size,
        raw_bytes=sum(description.raw_bytes(description.frames) for description in contents),
        kept_frames=kept,
        coded_frames=coded,
        seconds=time.perf_counter() - began,
        files=sum(done.files for done in results),
        exact_files=sum(done.exact for done in results),
        carried_files=sum(done.carried for done in results),
        predicted_frames=sum(done.predicted for done in results),
        films=sum(task.settings.profile == FILM_PROFILE for task in tasks),
        counts=_counts(results),
        problems=problems,
        pairing=tuple(describe_episodes((d.pairing, dict(d.notes)) for d in contents)),
    )


def share_of(found: Found, part: Part) -> range:
    """Positions of the episodes that a part encodes."""
    return part.share(episode.size for episode in found.episodes)


def _aside(found: Found, part: Part | None) -> list[SourceEpisode]:
    """The episodes that other parts encode."""
    share = range(len(found.episodes)) if part is None else share_of(found, part)
    return [episode for k, episode in enumerate(found.episodes) if k not in share]


def _counts(results: Sequence[Done]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for done in results:
        counts.update({key: count for key, count in done.notes if key.startswith(("lost_", "refused_"))})
    return dict(sorted(counts.items()))


def _left(tasks: Sequence[Task], writer: HstWriter, keep: Path) -> tuple[list[Task], int]:
    """What is still to be done, in the order of the input, and the number of frames that are there already."""
    entries = {} if writer.contents is None else {entry.number: entry for entry in writer.contents.episodes}
    if entries.keys() - {task.number for task in tasks}:
        raise UsageError(f"{writer.place} was made of more episodes than these: remove it first")
    todo, kept = [], 0
    for task in (replace(task, keep=keep) for task in tasks):
        entry = entries.get(task.number)
        if entry is None or entry.description is None:
            todo.append(task)
            continue
        begun = entry.description
        if (begun.name, begun.signature) != (task.name, task.signature()):
            raise UsageError(
                f"{writer.place} was made of another input or with other settings ({begun.name}): remove it first"
            )
        kept += entry.frames
        if not entry.final:
            there = 1 + len(entry.gops) + len(entry.beside)
            files = entry.files is not None
            episode = with_pairing(task.episode, begun.pairing)
            todo.append(replace(task, episode=episode, begun=begun, first=entry.frames, has_files=files, chunks=there))
    return todo, kept
