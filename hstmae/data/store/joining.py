"""Parts of a store into one, by copying their episodes as they are packed."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ...atomic import TEMP_MARK, sync_files
from ...errors import DataError
from ...output import is_unfinished
from ..sources.base import Problem
from .building import StoreRun, StoreSummary, writing
from .manifest import EPISODES, PROBLEMS, digest, read_manifest
from .packing import kept_problems


def join_stores(
    parts: Sequence[tuple[Path, str]],
    problems: Sequence[Problem],
    out: Path,
    progress: Callable[[int], object] | None = None,
) -> StoreSummary:
    """Make the store that one run over the whole input would have made.

    Args:
        parts: stores in their order, with the hash that each had when it was done.
        problems: why episodes are in none of them, of parts that have no store.
        out: a new or empty folder.
        progress: called with the bytes copied since the last call.
    Raises:
        DataError: a part has changed since, or holds an episode that another one holds; or the disk is full.
        UsageError: `out` holds something.
    """
    opened = [(path, *read_manifest(path)) for path, _ in parts]
    owner: dict[str, Path] = {}
    for (path, meta, infos), (_, hash_) in zip(opened, parts, strict=True):
        if meta["hash"] != hash_:
            raise DataError(f"{path}: has changed since it was done; make the part again in a new folder")
        _one_kind(path, meta, *opened[0][:2])
        for info in infos:
            if info.name in owner:
                raise DataError(f"{path}: holds {info.name}, as does {owner[info.name]}")
            owner[info.name] = path
    left = [*problems, *(problem for path, _ in parts for problem in _problems_alone(path))]
    first = opened[0][1]
    with writing(out):
        if any((out / EPISODES).iterdir()):
            raise DataError(f"{out}: holds episodes already; join into a new folder")
        for path, _, infos in opened:
            for info in infos:
                _copy(path / EPISODES / info.name, out / EPISODES / info.name)
                if progress is not None:
                    progress(info.data_bytes)
        run = StoreRun(out, first["game"], first["source"]["kind"], None, fail=False)
        return run.finish(first["splits"], left)


def _one_kind(path: Path, meta: dict[str, Any], first: Path, its: dict[str, Any]) -> None:
    what = {"game": (meta["game"], its["game"]), "splits": (meta["splits"], its["splits"])}
    what["kind of source"] = (meta["source"]["kind"], its["source"]["kind"])
    for name, (here, there) in what.items():
        if here != there:
            raise DataError(f"{path}: its {name} is {here!r}, that of {first} is {there!r}; give parts of one job")


def _problems_alone(store: Path) -> list[Problem]:
    """The problems of a store that are not noted beside one of its episodes."""
    try:
        text = (store / PROBLEMS).read_bytes()
        if digest(text) != read_manifest(store)[0]["problems_sha256"]:
            raise ValueError("its hash does not match")
        every = [Problem(**json.loads(line)) for line in text.splitlines()]
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{store / PROBLEMS}: is damaged ({error}); make the part again in a new folder") from None
    noted = Counter(p for folder in _folders(store) for p in kept_problems(folder))
    return [*(Counter(every) - noted).elements()]


def _folders(store: Path) -> list[Path]:
    return [path for path in (store / EPISODES).iterdir() if not is_unfinished(path)]


def _copy(source: Path, target: Path) -> None:
    """A folder with its files, under its name when it is complete."""
    temp = target.with_name(f".{target.name}{TEMP_MARK}{os.getpid()}")
    shutil.copytree(source, temp)
    sync_files(path for path in temp.iterdir() if path.is_file())
    os.replace(temp, target)
