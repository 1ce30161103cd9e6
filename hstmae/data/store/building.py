"""What every way of making a store shares: one writer at a time, what is on record, the manifest, the summary."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ...atomic import TEMP_MARK, replacing, write_bytes
from ...errors import DataError, StoreError, UsageError
from ...output import Kind, check_output, lock
from ..sources.base import Problem
from .manifest import (
    EPISODES,
    LOCK,
    META,
    PROBLEMS,
    VERSION,
    EpisodeInfo,
    build_manifest,
    canonical,
    digest,
    read_info,
    split_of,
)
from .packing import Packed, disk_error, kept_problems

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

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@contextmanager
def writing(store: Path) -> Iterator[None]:
    """One writer at a time, who finds and leaves no temporary files; the lock ends with the process.

    Raises:
        UsageError: `store` is neither empty nor a store, or somebody is writing it.
        DataError: the disk is full or cannot be written.
    """
    check_output(store, Kind.GROWING)
    if store.is_dir() and not (store / EPISODES).is_dir() and any(name.name != LOCK for name in store.iterdir()):
        raise UsageError(f"{store} is neither empty nor a store; give a new folder")
    try:
        (store / EPISODES).mkdir(parents=True, exist_ok=True)
        with (store / LOCK).open("w") as file:
            lock(file, store)
            _remove_leftovers(store)
            try:
                yield
            finally:
                _remove_leftovers(store)
    except OSError as error:
        raise disk_error(error, store) from None


def _remove_leftovers(store: Path) -> None:
    for folder in (store, store / EPISODES):
        for path in folder.glob(f".*{TEMP_MARK}*"):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def problems_of_others(store: Path, names: set[str]) -> list[Problem]:
    """Problems of episodes that were left out whole and are not part of this run's input: they stay on record."""
    path = store / PROBLEMS
    if not path.exists():
        return []
    try:
        problems = [Problem(**json.loads(line)) for line in path.read_text("utf-8").splitlines()]
    except (ValueError, TypeError) as error:
        raise StoreError(f"{path} is damaged ({error}): remove it and run again") from None
    return [p for p in problems if p.episode not in names and not (store / EPISODES / p.episode).exists()]


def write_manifest(
    store: Path, game: str, kind: str, splits: dict[str, Any], problems: list[Problem]
) -> dict[str, Any]:
    infos: list[EpisodeInfo] = []
    for folder in sorted((store / EPISODES).iterdir()):
        info = read_info(folder)
        if info.game != game:
            raise UsageError(f"{store} holds episodes of game '{info.game}'; give '{game}' a store of its own")
        split = split_of(info.name, info.level, splits["val_levels"], splits["val_fraction"])
        infos.append(replace(info, split=split))
        problems += kept_problems(folder)
    if not infos:
        raise DataError(f"nothing usable was found: {len(problems)} problems, the first: {problems[0]}")
    ordered = sorted(problems, key=lambda p: (p.episode, p.file, p.reason))
    report = b"".join(canonical(asdict(problem)) + b"\n" for problem in ordered)
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
    # Both are on the disk before either gets its name: where it is full, the old pair stays together.
    with replacing(store / META) as temp:
        with temp.open("wb") as file:
            file.write(json.dumps(manifest, indent=2, ensure_ascii=False, allow_nan=False).encode("utf-8") + b"\n")
            file.flush()
            os.fsync(file.fileno())
        write_bytes(store / PROBLEMS, report)
    return manifest


def summarise(
    store: Path, manifest: dict[str, Any], results: list[Packed], kept: int, replaced: int, seconds: float
) -> StoreSummary:
    totals, source = manifest["totals"], manifest["source"]
    size = sum(path.stat().st_size for path in store.rglob("*") if path.is_file())
    frames = sum(result.info.frames for result in results if result.info)
    return StoreSummary(
        store=str(store),
        game=manifest["game"],
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
