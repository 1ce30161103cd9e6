"""Preprocessing: recorded episodes -> store. Parallel over episodes; killed at any moment, a rerun goes on."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..atomic import TEMP_MARK, write_bytes, write_json
from ..errors import DataError, StoreError, UsageError
from ..games import get_game
from .manifest import (
    EPISODES,
    META,
    PROBLEMS,
    EpisodeInfo,
    build_manifest,
    canonical,
    digest,
    read_info,
    split_of,
    with_split,
)
from .packing import Job, Packed, Stopped, disk_error, finished, kept_problems, pack, run_job, start_worker
from .sources.base import Problem, SourceEpisode
from .sources.finding import find_sources
from .sources.video import VideoOptions
from .writer import Packing

_LOCK = ".lock"
CREATED_BY = "hstmae preprocess, store format 1"


@dataclass(frozen=True)
class Summary:
    """What a run did and what the store now holds. Speeds count the frames of this run alone.

    Attributes:
        episodes, frames, bytes, splits: of the whole store; `bytes` counts every file of it.
        packed, kept, replaced: episodes packed by this run, found finished, and packed again because they changed.
        packed_frames, seconds: of this run.
        repaired: frames of the store whose metadata had to be repaired.
        left_out, remarks: entries of problems.jsonl: what is missing from the store, and oddities that were kept.
    """

    store: str
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

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def preprocess(
    input_dir: str | Path,
    output_dir: str | Path,
    *,
    game: str = "smb",
    on_error: str = "skip",
    workers: int = 0,
    val_levels: Sequence[str] = (),
    val_fraction: float = 0.05,
    packing: Packing | None = None,
    video: VideoOptions | None = None,
    rebuild: bool = False,
    progress: bool = False,
) -> Summary:
    """Make a store from a folder of recordings or videos, or add to one.

    Episodes that the store already holds unchanged are kept; episodes of the store that are not in `input_dir` stay.
    The manifest is written last: until then EpisodeStore refuses the folder, or reads what the last finished run left.

    Args:
        on_error: "skip" leaves damaged files out and reports them in problems.jsonl; "fail" stops at the first.
        workers: processes; 0 = one per core.
        val_levels: levels that get the split "val_level".
        val_fraction: share of the other episodes that gets the split "val", drawn by their names.
        packing: how columns are packed.
        video: how true-colour footage is read, for games without a palette.
        rebuild: pack every episode of the input again.
        progress: show a progress bar on stderr.
    Raises:
        UsageError: impossible arguments, or `output_dir` is neither empty nor a store, or another run is writing it.
        DataError: no usable input, a damaged file under on_error="fail", or the disk is full.
        GameError: unknown game.
    """
    started = time.perf_counter()
    source, store = Path(input_dir), Path(output_dir)
    _check_arguments(on_error, workers, val_fraction)
    kind, found = find_sources(source, get_game(game), video or VideoOptions())
    episodes, problems = _without_namesakes(found, on_error)
    _check_output(store)
    try:
        (store / EPISODES).mkdir(parents=True, exist_ok=True)
        with _locked(store):
            _remove_leftovers(store)
            jobs = [Job(e, store, game, packing or Packing(), on_error == "fail") for e in episodes]
            todo = [job for job in jobs if rebuild or not finished(job)]
            replaced = sum(job.folder.exists() for job in todo)
            old_problems = _problems_of_others(store, {job.episode.name for job in jobs})
            if replaced:  # the old manifest will no longer be true
                (store / META).unlink(missing_ok=True)
            results = _pack_all(todo, workers or os.cpu_count() or 1, progress)
            for result in results:
                if result.info is None:
                    problems += result.problems
                    shutil.rmtree(store / EPISODES / result.name, ignore_errors=True)
            splits = {"val_levels": list(val_levels), "val_fraction": val_fraction}
            manifest = _write_manifest(store, game, kind, splits, problems + old_problems)
    except OSError as error:
        raise disk_error(error, store) from None
    return _summary(store, manifest, results, len(jobs) - len(todo), replaced, time.perf_counter() - started)


def _check_arguments(on_error: str, workers: int, val_fraction: float) -> None:
    if on_error not in ("skip", "fail"):
        raise UsageError(f"on_error is '{on_error}'; expected skip or fail")
    if workers < 0:
        raise UsageError(f"workers is {workers}; expected 0 (one per core) or more")
    if not 0 <= val_fraction < 1:
        raise UsageError(f"val fraction is {val_fraction}; expected 0 or more, and less than 1")


def _check_output(store: Path) -> None:
    if store.exists() and not store.is_dir():
        raise UsageError(f"{store} is a file; give a folder for the store")
    if store.is_dir() and not (store / EPISODES).is_dir() and any(name.name != _LOCK for name in store.iterdir()):
        raise UsageError(f"{store} is neither empty nor a store; give a new folder")


def _without_namesakes(found: Sequence[SourceEpisode], on_error: str) -> tuple[list[SourceEpisode], list[Problem]]:
    """The first episode of each name. The largest come first, so that no worker is left with one at the end."""
    episodes: dict[str, SourceEpisode] = {}
    problems = []
    for episode in found:
        if episode.name not in episodes:
            episodes[episode.name] = episode
        elif on_error == "fail":
            raise DataError(f"two episodes are named {episode.name}: rename one of the folders")
        else:
            problems.append(Problem(episode.name, "", "a second episode of this name: left out"))
    return sorted(episodes.values(), key=lambda e: (-e.size, e.name)), problems


@contextmanager
def _locked(store: Path) -> Iterator[None]:
    """One writer at a time; the system drops the lock when the process ends, however it ends."""
    with (store / _LOCK).open("w") as file:
        try:
            import fcntl
        except ImportError:  # no such lock on Windows
            yield
            return
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"another preprocess run is writing {store}: wait for it to end") from None
        yield


def _remove_leftovers(store: Path) -> None:
    for folder in (store, store / EPISODES):
        for path in folder.glob(f".*{TEMP_MARK}*"):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def _problems_of_others(store: Path, names: set[str]) -> list[Problem]:
    """Problems of episodes that were left out whole and are not part of this run's input: they stay on record."""
    path = store / PROBLEMS
    if not path.exists():
        return []
    try:
        problems = [Problem(**json.loads(line)) for line in path.read_text("utf-8").splitlines()]
    except (ValueError, TypeError) as error:
        raise StoreError(f"{path} is damaged ({error}): remove it and run again") from None
    return [p for p in problems if p.episode not in names and not (store / EPISODES / p.episode).exists()]


def _pack_all(jobs: Sequence[Job], workers: int, progress: bool) -> list[Packed]:
    from tqdm import tqdm

    total = sum(job.episode.size for job in jobs)
    with tqdm(total=total, unit="frame", unit_scale=True, desc="preprocess", disable=not progress) as bar:
        if min(workers, len(jobs)) <= 1:

            def advance(count: int) -> None:
                bar.update(count)

            return [pack(job, advance, lambda: False) for job in jobs]
        context = multiprocessing.get_context("spawn")
        counter, stop = context.Value("q", 0), context.Value("b", 0)
        with ProcessPoolExecutor(
            min(workers, len(jobs)), mp_context=context, initializer=start_worker, initargs=(counter, stop)
        ) as pool:
            pending: set[Future[Packed]] = {pool.submit(run_job, job) for job in jobs}
            results = []
            try:
                while pending:
                    done, pending = wait(pending, timeout=0.2, return_when=FIRST_COMPLETED)
                    bar.update(counter.value - bar.n)
                    for future in done:
                        with suppress(Stopped):  # another worker met the error and will tell
                            results.append(future.result())
            except BrokenProcessPool:
                raise DataError("a worker process died (out of memory?): run again with fewer --workers") from None
            except BaseException:
                stop.value = 1
                pool.shutdown(wait=True, cancel_futures=True)
                raise
            bar.update(counter.value - bar.n)
            return results


def _write_manifest(
    store: Path, game: str, kind: str, splits: dict[str, Any], problems: list[Problem]
) -> dict[str, Any]:
    infos: list[EpisodeInfo] = []
    for folder in sorted((store / EPISODES).iterdir()):
        info = read_info(folder)
        if info.game != game:
            raise UsageError(f"{store} holds episodes of game '{info.game}'; give '{game}' a store of its own")
        split = split_of(info.name, info.level, splits["val_levels"], splits["val_fraction"])
        infos.append(with_split(info, split))
        problems += kept_problems(folder)
    if not infos:
        raise DataError(f"nothing usable was found: {len(problems)} problems, the first: {problems[0]}")
    ordered = sorted(problems, key=lambda p: (p.episode, p.file, p.reason))
    report = b"".join(canonical(asdict(problem)) + b"\n" for problem in ordered)
    write_bytes(store / PROBLEMS, report)
    manifest = build_manifest(
        infos,
        game=game,
        created_by=CREATED_BY,
        source={
            "kind": kind,
            "repaired_frames": sum(info.notes.get("repaired", 0) for info in infos),
            "left_out": sum(p.left_out for p in ordered),
            "remarks": sum(not p.left_out for p in ordered),
        },
        splits=splits,
        problems_sha256=digest(report),
    )
    write_json(store / META, manifest)
    return manifest


def _summary(
    store: Path, manifest: dict[str, Any], results: list[Packed], kept: int, replaced: int, seconds: float
) -> Summary:
    totals, source = manifest["totals"], manifest["source"]
    size = sum(path.stat().st_size for path in store.rglob("*") if path.is_file())
    frames = sum(result.info.frames for result in results if result.info)
    return Summary(
        store=str(store),
        hash=manifest["hash"],
        episodes=totals["episodes"],
        frames=totals["frames"],
        bytes=size,
        bytes_per_frame=size / totals["frames"],
        splits=totals["episodes_by_split"],
        packed=sum(result.info is not None for result in results),
        kept=kept,
        replaced=replaced,
        packed_frames=frames,
        seconds=seconds,
        frames_per_second=frames / seconds,
        repaired=source["repaired_frames"],
        left_out=source["left_out"],
        remarks=source["remarks"],
    )
