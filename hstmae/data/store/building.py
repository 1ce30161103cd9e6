"""What every way of making a store shares: one writer at a time, what is on record, the manifest, the summary."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ...atomic import TEMP_MARK, json_bytes, replacing, write_bytes
from ...errors import StoreError, UsageError
from ...journal import holds_work
from ...locks import alone
from ...output import Kind, check_output, is_unfinished
from ..pairing import Pairing, describe_episodes
from ..sources.base import NothingUsable, Problem, SourceEpisode
from ..sources.finding import LAYOUTS
from .manifest import (
    EPISODES,
    META,
    PROBLEMS,
    UNFINISHED,
    VERSION,
    EpisodeInfo,
    build_manifest,
    canonical,
    digest,
    read_info,
    split_of,
)
from .packing import Job, Packed, disk_error, finished, kept_problems
from .writer import Packing

LAYOUT_NAMES = {layout.name for layout in LAYOUTS}
SHOWN = 20
CREATED_BY = f"hstmae preprocess, store format {VERSION}"


@dataclass(frozen=True)
class StoreSummary:
    """What a run did and what the store now holds. Speeds count the frames of this run alone.

    Attributes:
        episodes, frames, bytes, splits: of the whole store; `bytes` counts every file of it.
        packed, kept, replaced: episodes packed by this run, found finished, and packed again because they changed.
        packed_frames, seconds: of this run.
        repaired: frames of the store whose metadata had to be repaired.
        left_out, remarks: entries of problems.jsonl: what is missing from the store, and oddities that were kept.
        problems: the first SHOWN of those entries, in words.
        pairing: lines on which picture the memory belongs to, see `data.pairing`.
    """

    store: str
    game: str
    hash: str
    episodes: int
    frames: int
    bytes: int
    bytes_per_frame: float
    splits: dict[str, int]
    packed: int
    kept: int
    replaced: int
    packed_frames: int
    seconds: float
    frames_per_second: float
    repaired: int
    left_out: int
    remarks: int
    pairing: list[str]
    problems: list[str]

    @property
    def speed(self) -> str:
        """Frames of this run, the time they took, and frames per second, as text."""
        return f"{self.packed_frames:,} frames in {self.seconds:.1f} s: {self.frames_per_second:,.0f}"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@contextmanager
def writing(store: Path) -> Iterator[None]:
    """One writer at a time, who finds and leaves no temporary files, and no trace where nothing was finished.

    Episodes that are begun stay where the writer is stopped, until one comes to its end.

    Raises:
        UsageError: `store` is neither empty nor a store, or somebody is writing it.
        DataError: the disk is full or cannot be written.
    """
    check_output(store, Kind.GROWING)
    known = {UNFINISHED, ".lock"}
    if store.is_dir() and not (store / EPISODES).is_dir() and any(path.name not in known for path in store.iterdir()):
        raise UsageError(f"{store} is neither empty nor a store; give a new folder")
    was_there = store.is_dir()
    try:
        with alone(store):
            (store / EPISODES).mkdir(parents=True, exist_ok=True)
            (store / UNFINISHED).touch()
            _remove_leftovers(store)
            try:
                yield
                _remove_leftovers(store, begun=True)
            finally:
                _remove_leftovers(store)
                _remove_if_empty(store, was_there)
    except OSError as error:
        raise disk_error(error, store) from None


def _remove_leftovers(store: Path, begun: bool = False) -> None:
    """Temporary files; and the episodes that are `begun`, too."""
    for folder in (store, store / EPISODES):
        for path in folder.glob(f".*{TEMP_MARK}*"):
            if is_unfinished(path) and holds_work(path) and not begun:
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def _remove_if_empty(store: Path, was_there: bool) -> None:
    """What marks an unfinished store goes where it is finished, and the store where nothing in it is."""
    empty = not any((store / EPISODES).iterdir())
    if empty or (store / META).exists():
        for mark in (UNFINISHED, ".lock"):
            (store / mark).unlink(missing_ok=True)
    if empty and not (store / META).exists():
        (store / EPISODES).rmdir()
        if not was_there:
            with suppress(OSError):  # what is left of an earlier run stays
                store.rmdir()


class StoreRun:
    """One run that adds episodes to a store: which it packs, what comes of them, and the manifest at the end.

    Args:
        store: its folder, held by `writing`.
        kind: what the episodes are, noted in the manifest.
        fail: stop at the first damaged file instead of leaving it out and reporting it.
    Raises:
        StoreError: the store's list of problems is damaged.
    """

    def __init__(self, store: Path, game: str, kind: str, packing: Packing | None, fail: bool) -> None:
        self._began = time.perf_counter()
        self._store, self._game, self._kind, self._packing, self._fail = store, game, kind, packing or Packing(), fail
        self.results: list[Packed] = []
        self._names: set[str] = set()
        self.pairings: dict[str, Pairing | None] = {}  # of episodes that the store holds already
        self._kept = self._replaced = 0
        path = store / PROBLEMS
        try:
            lines = path.read_text("utf-8").splitlines() if path.exists() else []
            self._old_problems = [Problem(**json.loads(line)) for line in lines]
        except (ValueError, TypeError) as error:
            raise StoreError(f"{path} is damaged ({error}): remove it and run again") from None

    def job(self, episode: SourceEpisode, rebuild: bool = False) -> Job | None:
        """What is to be done for an episode; None where the store holds it already, unchanged."""
        job = Job(episode, self._store, self._game, self._packing, self._fail, rebuild)
        self._names.add(episode.name)
        if not rebuild and finished(job):
            self._kept += 1
            self.pairings[episode.name] = read_info(job.folder).pairing
            return None
        if job.folder.exists():  # the old manifest will no longer be true
            (self._store / META).unlink(missing_ok=True)
            self._replaced += 1
        return job

    def finish(self, splits: dict[str, Any], problems: Sequence[Problem] = ()) -> StoreSummary:
        """Write the manifest. Problems of episodes left out whole that this run has not seen stay on record."""
        store, infos, noted = self._store, [], list(problems)
        for result in self.results:
            if result.info is None:
                noted += result.problems
                shutil.rmtree(store / EPISODES / result.name, ignore_errors=True)
        for problem in self._old_problems:
            if problem.episode not in self._names and not (store / EPISODES / problem.episode).exists():
                noted.append(problem)
        for folder in sorted(path for path in (store / EPISODES).iterdir() if not is_unfinished(path)):
            info = read_info(folder)
            if info.game != self._game:
                raise UsageError(
                    f"{store} holds episodes of game '{info.game}'; give '{self._game}' a store of its own"
                )
            split = split_of(info.name, info.level, splits["val_levels"], splits["val_fraction"])
            infos.append(replace(info, split=split))
            noted += kept_problems(folder)
        if not infos:
            raise NothingUsable(noted)
        ordered = sorted(noted, key=lambda p: (p.episode, p.file, p.reason))
        report = b"".join(canonical(problem.to_json()) + b"\n" for problem in ordered)
        source = {
            "kind": self._kind,
            "repaired_frames": sum(info.notes.get("repaired", 0) for info in infos),
            "left_out": sum(p.count for p in ordered if p.left_out),
            "remarks": sum(not p.left_out for p in ordered),
        }
        manifest = build_manifest(infos, self._game, CREATED_BY, source, splits, digest(report))
        # Both are on the disk before either gets its name: where it is full, the old pair stays together.
        with replacing(store / META) as temp:
            with temp.open("wb") as file:
                file.write(json_bytes(manifest, indent=2, allow_nan=False) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            write_bytes(store / PROBLEMS, report)
        return self._summary(manifest, infos, ordered)

    def _summary(
        self, manifest: dict[str, Any], infos: Sequence[EpisodeInfo], problems: Sequence[Problem]
    ) -> StoreSummary:
        totals, source = manifest["totals"], manifest["source"]
        seconds = time.perf_counter() - self._began
        size = sum(path.stat().st_size for path in self._store.rglob("*") if path.is_file())
        frames = sum(result.info.frames for result in self.results if result.info)
        return StoreSummary(
            store=str(self._store),
            game=self._game,
            hash=manifest["hash"],
            episodes=totals["episodes"],
            frames=totals["frames"],
            bytes=size,
            bytes_per_frame=size / totals["frames"],
            splits=totals["episodes_by_split"],
            packed=sum(result.info is not None for result in self.results),
            kept=self._kept,
            replaced=self._replaced,
            packed_frames=frames,
            seconds=seconds,
            frames_per_second=frames / seconds,
            repaired=source["repaired_frames"],
            left_out=source["left_out"],
            remarks=source["remarks"],
            pairing=_pairing_lines(infos, self._kind),
            problems=[str(problem) for problem in problems[:SHOWN]],
        )


def _pairing_lines(infos: Sequence[EpisodeInfo], kind: str) -> list[str]:
    lines = describe_episodes((info.pairing, info.notes) for info in infos)
    if kind in LAYOUT_NAMES and (old := sum(info.pairing is None and info.has_state for info in infos)):
        lines.append(f"not looked at in {old} episodes, packed by an earlier version: --rebuild does")
    return lines
