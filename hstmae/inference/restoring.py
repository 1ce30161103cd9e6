"""Restoring whole inputs into a folder: masks per stretch of frames, pictures written as they are finished."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..atomic import TEMP_MARK, write_bytes
from ..errors import DataError, UsageError
from .colours import require_known
from .damage import TubeSpec, detect, load_mask, tube_mask
from .footage import FileFootage, StoreFootage, Stretch
from .picture import Picture
from .predictor import Predictor
from .visualizer import save_png, show_masked, side_by_side

STRETCH = 256  # frames held in memory at a time
COMPARE = "compare"  # folder of side-by-side pictures inside the output


@dataclass(frozen=True)
class MaskSource:
    """Where it is said what is missing. Transparent pixels are always missing; the others add to them.

    Attributes:
        path: a mask picture for every frame, or a folder with one of the frame's name for each.
        tube: a synthetic tube mask.
        detect: look for painted blocks; `fill` is their packed colour where it is known.
    """

    path: Path | None = None
    tube: TubeSpec | None = None
    detect: bool = False
    fill: int | None = None

    def of(self, pictures: list[Picture], files: list[str]) -> tuple[np.ndarray, list[int]]:
        """(bool [T, H, W], packed colours taken for damage) of frames of one size.

        Raises:
            DataError: a mask file is missing, unreadable or of another size.
        """
        mask = np.stack([p.missing for p in pictures])
        size = pictures[0].size
        found: list[int] = []
        if self.tube is not None:
            mask |= tube_mask(size, self.tube)
        if self.path is not None:
            if self.path.is_dir():
                mask |= np.stack([load_mask(self.path / file, size) for file in files])
            else:
                mask |= load_mask(self.path, size)
        if self.detect:
            painted, found = detect(np.stack([p.packed for p in pictures]), pictures[0].palette, self.fill)
            mask |= painted
        return mask, found


@dataclass
class Summary:
    """What was done: counts over all frames, and for synthetic masks the error against what was hidden."""

    frames: int = 0
    damaged_frames: int = 0
    pixels: int = 0
    masked: int = 0
    exact: int = 0
    squared: float = 0.0  # of the posterior mean, averaged over colours
    fills: set[int] = field(default_factory=set)
    levels: set[str] = field(default_factory=set)


@contextmanager
def filling(out: Path, overwrite: bool) -> Iterator[Path]:
    """Yield a temporary folder beside `out`; on success its content appears in `out`, else nothing does.

    Raises:
        UsageError: `out` has content and `overwrite` is False, or it is a file.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out}: is a file; give a folder for the output")
    if out.is_dir() and any(out.iterdir()) and not overwrite:
        raise UsageError(f"{out}: is not empty; choose another folder, or add --overwrite")
    out.parent.mkdir(parents=True, exist_ok=True)
    temp = out.with_name(f".{out.name}{TEMP_MARK}{os.getpid()}")
    try:
        temp.mkdir()
        yield temp
        if not out.exists():
            os.replace(temp, out)
            return
        for file in sorted(p for p in temp.rglob("*") if p.is_file()):
            target = out / file.relative_to(temp)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(file, target)
    finally:
        shutil.rmtree(temp, ignore_errors=True)


def choose_level(asked: str, footage: FileFootage | StoreFootage) -> str:
    """`auto` -> "full" where the footage has state, else "none".

    Raises:
        DataError: state was asked for, but there is none.
    """
    if asked == "auto":
        return "full" if footage.has_state else "none"
    if asked != "none" and not footage.has_state:
        raise DataError(
            f"{footage.name or footage.files[0]}: --state {asked} needs the game's memory, which this footage does not "
            "have; use --state none or auto"
        )
    return asked


def restore_footage(
    predictor: Predictor,
    footage: FileFootage | StoreFootage,
    masks: MaskSource,
    level: str,
    out: Path,
    summary: Summary,
    *,
    compare: bool = False,
    progress: Callable[[int], object] | None = None,
) -> None:
    """Write every frame of `footage`, restored, to `out` under its own name; adds to `summary`.

    Raises:
        DataError: a frame cannot be read, or a visible pixel is not in the game's palette.
    """
    level = choose_level(level, footage)
    summary.levels.add(level)
    for start in range(0, len(footage.files), STRETCH):
        files = footage.files[start : start + STRETCH]
        stretch = footage.read(start, start + len(files))
        mask, found = masks.of(stretch.pictures, files)
        summary.fills.update(found)
        frames = _indices(stretch, mask, files, predictor)
        result = predictor.restore(
            frames,
            mask,
            stretch.pictures[0].palette,
            stretch.state,
            stretch.context,
            level=level,
            frame_numbers=stretch.frame_numbers,
            progress=progress,
        )
        summary.frames += len(files)
        summary.damaged_frames += int(mask.any((1, 2)).sum())
        summary.pixels += mask.size
        summary.masked += int(mask.sum())
        if masks.tube is not None:
            _compare_with_truth(stretch, mask, result.indices, result.rgb, summary)
        for t, (file, picture) in enumerate(zip(files, stretch.pictures, strict=True)):
            write_bytes(out / file, picture.restored(result.indices[t], mask[t]))
            if compare and mask[t].any():
                _write_comparison(out / COMPARE / file, picture, mask[t], result.indices[t])


def _indices(stretch: Stretch, mask: np.ndarray, files: list[str], predictor: Predictor) -> np.ndarray:
    first = stretch.pictures[0]
    frames = np.empty(mask.shape, np.uint8)
    for t, (picture, file) in enumerate(zip(stretch.pictures, files, strict=True)):
        if not np.array_equal(picture.palette, first.palette):
            raise DataError(f"{file}: its palette differs from that of {files[0]}; restore them one by one")
        frames[t] = require_known(picture.indices, picture.packed, mask[t], predictor.game.name, file)
    return frames


def _compare_with_truth(
    stretch: Stretch, mask: np.ndarray, indices: np.ndarray, rgb: np.ndarray, summary: Summary
) -> None:
    """A synthetic mask hides what is known: measure it (transparent pixels hide nothing known and are left out)."""
    for t, picture in enumerate(stretch.pictures):
        known = mask[t] & ~picture.missing & (picture.indices >= 0)
        truth = picture.indices[known]
        difference = rgb[t][known].astype(np.int64) - picture.palette[truth]
        summary.exact += int((indices[t][known] == truth).sum())
        summary.squared += float((difference**2).sum()) / 3.0


def _write_comparison(path: Path, picture: Picture, mask: np.ndarray, indices: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    before = np.stack([picture.packed >> 16, (picture.packed >> 8) & 255, picture.packed & 255], -1).astype(np.uint8)
    after = np.where(mask[..., None], picture.palette[indices], before)
    save_png(side_by_side([("input", before), ("missing", show_masked(before, mask)), ("restored", after)]), path)
