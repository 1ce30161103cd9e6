"""What a store says about itself: one EpisodeInfo per episode and the manifest `meta.json` that lists them."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ...atomic import json_bytes
from ...errors import StoreError
from ...inputs.kinds import described
from ..episode import OUTCOMES
from ..pairing import Pairing
from .columns import FORMATS, Column

FORMAT = "hst-store"
VERSION = FORMATS[-1]
META = "meta.json"  # the manifest; a folder without it is not a finished store
UNFINISHED = ".unfinished"  # marks a store that has no manifest yet, or an old one
_MARKS = (UNFINISHED, ".lock")  # the latter of earlier versions
EPISODES = "episodes"  # folder of episode folders
DATA = "data.bin"  # all columns of one episode
INFO = "episode.json"  # EpisodeInfo of one episode, without its split
MAX_RATIO = 40_000  # zstd packs at most 128 KiB into 4 bytes
PROBLEMS = "problems.jsonl"  # what was left out or looked odd, one JSON object a line


def is_store(path: Path) -> bool:
    """Whether `path` is a store, finished or not (opening an unfinished one says how to finish it)."""
    marked = any((path / mark).is_file() for mark in _MARKS)
    return (path / META).is_file() or (marked and (path / EPISODES).is_dir())


@dataclass(frozen=True)
class EpisodeInfo:
    """Everything about an episode but its frames; cheap to hold for thousands of episodes.

    Attributes:
        name, game, level, outcome, split, fps, source, notes, corner: as in Episode.
        frames: number of frames.
        size: height and width in pixels.
        runs: (first frame number, count) of each stretch recorded without a gap, ascending.
        palette: uint8 [K, 3], or None for RGB frames.
        content_hash: SHA-256 of the unpacked content, independent of how it is packed.
        columns: by name.
        data_bytes, data_sha256: of the data file.
        pairing: how memory and pictures were put together; None where there was no need to, or it was packed before
            this was looked at.
    """

    name: str
    game: str
    level: str
    outcome: str
    split: str
    frames: int
    size: tuple[int, int]
    fps: float
    runs: tuple[tuple[int, int], ...]
    palette: np.ndarray | None
    source: str
    notes: dict[str, int]
    content_hash: str
    columns: dict[str, Column]
    data_bytes: int
    data_sha256: str
    pairing: Pairing | None = None
    corner: tuple[int, int] = (0, 0)

    @property
    def frame_numbers(self) -> np.ndarray:
        """int32 [frames]: the recorder's frame numbers, ascending."""
        if not self.runs:
            return np.zeros(0, np.int32)
        return np.concatenate([np.arange(first, first + count, dtype=np.int32) for first, count in self.runs])

    @property
    def has_state(self) -> bool:
        return "state" in self.columns

    @property
    def has_context(self) -> bool:
        return "context" in self.columns

    def to_json(self, with_split: bool = True) -> dict[str, Any]:
        value: dict[str, Any] = {
            **vars(self),
            "size": list(self.size),
            "runs": [list(run) for run in self.runs],
            "palette": None if self.palette is None else self.palette.tobytes().hex(),
            "notes": dict(sorted(self.notes.items())),
            "columns": [column.to_json() for column in self.columns.values()],
        }
        del value["pairing"]  # stays away where it is not known, as in stores of before
        if self.pairing is not None:
            value["pairing"] = self.pairing.to_json()
        if self.corner == (0, 0):  # not stated: as it always was
            del value["corner"]
        if not with_split:  # the split may change without the episode being packed again
            del value["split"]
        return value

    @staticmethod
    def from_json(value: Any, where: str) -> EpisodeInfo:
        """Raises StoreError where the JSON does not describe an episode."""
        try:
            paired = value.get("pairing")
            info = EpisodeInfo(
                split=str(value.get("split", "")),
                pairing=None if paired is None else Pairing.from_json(paired),
                corner=_READ["size"](value.get("corner", (0, 0))),
                **{name: read(value[name]) for name, read in _READ.items()},
            )
            _check(info)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
            raise StoreError(f"{where}: damaged episode description ({error!r}); run preprocess again") from None
        return info


def _palette(text: str | None) -> np.ndarray | None:
    return None if text is None else np.frombuffer(bytes.fromhex(text), np.uint8).reshape(-1, 3)


_READ: dict[str, Callable[[Any], Any]] = {  # each attribute of an EpisodeInfo from its JSON value
    **dict.fromkeys(("name", "game", "level", "outcome", "source", "content_hash", "data_sha256"), str),
    **dict.fromkeys(("frames", "data_bytes"), int),
    "fps": float,
    "size": lambda size: (int(size[0]), int(size[1])),
    "runs": lambda runs: tuple((int(first), int(count)) for first, count in runs),
    "palette": _palette,
    "notes": lambda notes: {str(k): int(v) for k, v in notes.items()},
    "columns": lambda columns: {c.name: c for c in map(Column.from_json, columns)},
}


def _check(info: EpisodeInfo) -> None:
    if info.outcome not in OUTCOMES:
        raise ValueError(f"outcome {info.outcome!r}")
    if info.frames < 1 or any(column.rows != info.frames for column in info.columns.values()):
        raise ValueError("columns and frame count disagree")
    if "frames" not in info.columns or info.columns["frames"].shape[:2] != info.size:
        raise ValueError("frame size and frame column disagree")
    if not all(0 <= place < 1 << 15 for place in info.corner):
        raise ValueError(f"corner {info.corner}")
    last = -1
    for first, count in info.runs:
        if first <= last or count < 1 or first + count > 2**31:
            raise ValueError("frame numbers do not ascend")
        last = first + count - 1
    if sum(count for _, count in info.runs) != info.frames:
        raise ValueError("frame numbers and frame count disagree")
    if info.frames * sum(column.row_bytes for column in info.columns.values()) > MAX_RATIO * info.data_bytes:
        raise ValueError("no file of this size can hold so much")
    if not info.name or info.name != Path(info.name).name or info.name == ".." or "\0" in info.name:
        raise ValueError(f"episode name {info.name!r}")


def runs_of(frame_numbers: np.ndarray) -> tuple[tuple[int, int], ...]:
    """(first, count) of each stretch of consecutive numbers in an ascending int array."""
    numbers = np.asarray(frame_numbers, np.int64)
    if not len(numbers):
        return ()
    starts = np.concatenate([[0], np.flatnonzero(np.diff(numbers) != 1) + 1, [len(numbers)]])
    return tuple((int(numbers[a]), b - a) for a, b in pairwise(starts.tolist()))


def split_of(name: str, level: str, val_levels: Sequence[str], val_fraction: float) -> str:
    """The split of an episode, from its name and level alone, so that it never depends on what else is in the store.

    Returns:
        "val_level" for a level in `val_levels`, "val" for a share `val_fraction` of the other names, else "train".
    """
    if level in val_levels:
        return "val_level"
    draw = int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:8], "big") / 2.0**64
    return "val" if draw < val_fraction else "train"


def canonical(value: Any) -> bytes:
    """The one JSON text of a value: what hashes of JSON are taken over."""
    return json_bytes(value, sort_keys=True, separators=(",", ":"))


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def build_manifest(
    infos: Iterable[EpisodeInfo],
    game: str,
    created_by: str,
    source: dict[str, Any],
    splits: dict[str, Any],
    problems_sha256: str,
) -> dict[str, Any]:
    """The content of meta.json; `hash` covers all the rest of it, and through it every file of the store."""
    ordered = sorted(infos, key=lambda info: info.name)
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "game": game,
        "created_by": created_by,
        "source": source,
        "splits": splits,
        "totals": {
            "episodes": len(ordered),
            "frames": sum(info.frames for info in ordered),
            "data_bytes": sum(info.data_bytes for info in ordered),
            "episodes_by_split": dict(sorted(Counter(info.split for info in ordered).items())),
        },
        "problems_sha256": problems_sha256,
        "episodes": [{**info.to_json(), "info_sha256": digest(_info_text(info))} for info in ordered],
    }
    manifest["hash"] = digest(canonical(manifest))
    return manifest


def digest_file(path: Path) -> str:
    """`digest` of a file's content, read piece by piece. Raises OSError."""
    running = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            running.update(piece)
    return running.hexdigest()


def _info_text(info: EpisodeInfo) -> bytes:
    return canonical(info.to_json(with_split=False)) + b"\n"


def write_info(folder: Path, info: EpisodeInfo) -> None:
    (folder / INFO).write_bytes(_info_text(info))


def read_info(folder: Path) -> EpisodeInfo:
    """The description of one finished episode. Raises StoreError where there is none."""
    path = folder / INFO
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise StoreError(f"{path}: cannot be read ({error})") from None
    return EpisodeInfo.from_json(value, str(path))


def read_manifest(folder: Path) -> tuple[dict[str, Any], list[EpisodeInfo]]:
    """Read and check meta.json.

    Raises:
        StoreError: there is none, it is damaged, or it is of another format version.
    """
    path = folder / META
    if not folder.exists():
        raise StoreError(f"no store at {folder}: the folder does not exist; make one with `hstmae preprocess`")
    if not path.is_file():
        if is_store(folder) or (folder / EPISODES).is_dir():
            state = "preprocessing was not finished; run the same `hstmae preprocess` command again"
            raise StoreError(f"{folder} has no {META}: {state}")
        make = f"`hstmae preprocess --input_dir {folder} --output_dir STORE` makes one of recordings, pictures or films"
        raise StoreError(f"{folder}: is not a store (it {described(folder)}); {make}")

    def damaged(reason: object) -> StoreError:
        return StoreError(f"{path} is damaged ({reason}); run preprocess again")

    try:
        manifest = json.loads(path.read_bytes())
        stated = manifest.pop("hash")
        form, version = manifest["format"], manifest["version"]
        if form != FORMAT or version not in FORMATS:
            reads = f"this program reads {FORMAT!r} up to {VERSION}"
            raise StoreError(f"{path}: format {form!r} version {version!r}, {reads}")
        if stated != digest(canonical(manifest)):
            raise damaged("its hash does not match")
        manifest["hash"] = stated
        episodes = list(manifest["episodes"])
        texts = [manifest["problems_sha256"], manifest["game"], *(value["info_sha256"] for value in episodes)]
        complete = isinstance(manifest["totals"]["episodes_by_split"], dict)
        if not complete or not all(isinstance(text, str) for text in texts):
            raise damaged("it states no game or no hashes")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise damaged(repr(error)) from None
    return manifest, [EpisodeInfo.from_json(value, str(path)) for value in episodes]
