"""Restoring whole inputs into a folder: masks per stretch of frames, pictures written as they are finished."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..drawing.panels import show_confidence, show_error, show_masked
from ..errors import DataError
from ..games.palette import unpack_rgb
from ..pictures.base import Picture
from .footage.base import Footage, Stretch
from .mask_rules import MaskRules, Missing
from .predictor import Predictor
from .visualizer import save_mp4, side_by_side

SHORTEST, LONGEST = 64, 256  # frames held in memory at a time ...
PIXELS = 256 * 240 * 256  # ... and about how many pixels
MARGIN = 4  # frames at a clip's stride that are seen before and after what is held
WIDE = 400  # pixels across from which pictures are no longer enlarged
COMPARE = "compare"  # folder of side-by-side pictures inside the output


@dataclass
class RestoreSummary:
    """What was done: counts over all frames, and for synthetic masks the error against what was hidden.

    Attributes:
        known: masked pixels whose truth is known; `exact` of them are right.
        squared: error of the restored colour summed over known pixels, averaged over the three channels.
        fills: packed colours taken for damage.
        levels: state levels used.
    """

    frames: int = 0
    damaged_frames: int = 0
    pixels: int = 0
    masked: int = 0
    known: int = 0
    exact: int = 0
    squared: float = 0.0
    fills: set[int] = field(default_factory=set)
    levels: set[str] = field(default_factory=set)

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "fills": sorted(self.fills), "levels": sorted(self.levels)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> RestoreSummary:
        return cls(**{**values, "fills": set(values["fills"]), "levels": set(values["levels"])})


def choose_level(asked: str, footage: Footage) -> str:
    """`auto` -> "full" where the footage has state, else "none".

    Raises:
        DataError: state was asked for, but there is none.
    """
    if asked == "auto":
        return "full" if footage.has_state else "none"
    if asked != "none" and not footage.has_state:
        raise DataError(
            f"{footage.place}: --state {asked} needs the game's memory, which this footage does not have; "
            "use --state none or auto"
        )
    return asked


def stretch_length(size: tuple[int, int]) -> int:
    """How many frames of this height and width are held in memory at a time."""
    return max(SHORTEST, min(LONGEST, PIXELS // (size[0] * size[1])))


def restore_footage(
    predictor: Predictor,
    footage: Footage,
    masks: MaskRules,
    level: str,
    out: Path,
    summary: RestoreSummary,
    *,
    compare: bool = False,
    start: int = 0,
    length: int = 0,
    finished: Callable[[int], object] | None = None,
    progress: Callable[[int], object] | None = None,
) -> None:
    """Write every frame of `footage`, restored, to `out` under its own name; adds to `summary`.

    Memory does not grow with the length of the footage: a stretch at a time is held, with a few frames before and after
    it for the clips at its ends. A film is written as a film, too.

    Args:
        start: frames at the beginning that `out` already holds.
        length: frames of a stretch; 0 = by their size.
        finished: called with the number of finished frames (those before `start` counted) after each stretch.
        progress: called with the number of frames finished after each clip.
    Raises:
        DataError: a frame cannot be read, or a visible pixel is not in the game's palette.
    """
    level = choose_level(level, footage)
    summary.levels.add(level)
    margin = MARGIN * predictor.game.stride
    out.mkdir(parents=True, exist_ok=True)
    probe = footage.read(start, start + 1).pictures
    length = length or (stretch_length(probe[0].size) if probe else 1)
    position, more = start, bool(probe)
    while more:
        first = max(0, position - margin)
        stretch = footage.read(first, position + length + margin)
        own = slice(position - first, min(position - first + length, len(stretch.pictures)))
        if own.start >= own.stop:
            break
        missing = masks.of(footage, stretch, first)
        _restore_stretch(predictor, stretch, own, missing, level, out, summary, compare, progress)
        more = own.stop - own.start == length
        position += own.stop - own.start
        del stretch  # before the next one is read
        if finished is not None:
            finished(position)
    if footage.fps:
        write_film(out, Path(footage.place).stem, footage.fps)


def _restore_stretch(
    predictor: Predictor,
    stretch: Stretch,
    own: slice,
    missing: Missing,
    level: str,
    out: Path,
    summary: RestoreSummary,
    compare: bool,
    progress: Callable[[int], object] | None,
) -> None:
    """Restore and write the frames `own` of a stretch; the others only help."""
    mask = missing.mask
    wanted = np.zeros(len(mask), bool)
    wanted[own] = True
    result = predictor.restore(
        _pixels(stretch, mask, predictor),
        mask,
        stretch.pictures[0].palette,
        stretch.state,
        stretch.context,
        level=level,
        frame_numbers=stretch.frame_numbers,
        wanted=wanted,
        progress=progress,
    )
    pixels = result.rgb if result.indices is None else result.indices
    summary.fills.update(missing.fills)
    for t in range(own.start, own.stop):
        picture, file = stretch.pictures[t], stretch.files[t]
        summary.frames += 1
        summary.damaged_frames += bool(mask[t].any())
        summary.pixels += mask[t].size
        summary.masked += int(mask[t].sum())
        if missing.synthetic:
            _compare_with_truth(picture, mask[t], pixels[t], result.rgb[t], summary)
        (out / file).write_bytes(picture.restored(pixels[t], mask[t]))  # `out` as a whole is what appears or not
        if compare and mask[t].any():
            sure = None if result.confidence is None else result.confidence[t]
            _write_comparison(out / COMPARE / file, picture, mask[t], pixels[t], sure, missing.synthetic)


def _pixels(stretch: Stretch, mask: np.ndarray, predictor: Predictor) -> np.ndarray:
    """What the model takes: uint8 [T, H, W] entries, or [T, H, W, 3]."""
    files, made = stretch.files, []
    palettes = [np.zeros(0) if p.palette is None else p.palette for p in stretch.pictures]
    for t, (picture, file) in enumerate(zip(stretch.pictures, files, strict=True)):
        if not np.array_equal(palettes[t], palettes[0]):
            raise DataError(f"{file}: its palette differs from that of {files[0]}; restore them one by one")
        made.append(picture.shown(mask[t], predictor.game, file))
    return np.stack(made)


def _compare_with_truth(
    picture: Picture, mask: np.ndarray, pixels: np.ndarray, rgb: np.ndarray, summary: RestoreSummary
) -> None:
    """A synthetic mask hides what is known: measure it (transparent pixels hide nothing known and are left out)."""
    known = mask & ~picture.missing & picture.readable
    colours = picture.colours(picture.pixels[known])
    equal = pixels[known] == picture.pixels[known]
    summary.exact += int((equal if equal.ndim == 1 else equal.all(-1)).sum())
    summary.squared += float(((rgb[known].astype(np.int64) - colours) ** 2).sum()) / 3.0
    summary.known += int(known.sum())


def _write_comparison(
    path: Path, picture: Picture, mask: np.ndarray, pixels: np.ndarray, sure: np.ndarray | None, hidden: bool
) -> None:
    """`hidden`: what is under the mask is known, so that errors can be shown."""
    path.parent.mkdir(parents=True, exist_ok=True)
    before = unpack_rgb(picture.packed)
    after = np.where(mask[..., None], picture.colours(pixels), before)
    panels = [("input", before), ("missing", show_masked(before, mask)), ("restored", after)]
    if hidden:
        panels.append(("error x2", show_error(after, before)))
    if sure is not None:
        panels.append(("confidence", show_confidence(np.where(mask, sure, 1))))
    side_by_side(panels, 2 if mask.shape[1] <= WIDE else 1).save(path)


def write_film(folder: Path, name: str, fps: float) -> None:
    """`name`.mp4 of the frames f000000.png ... in `folder`. The film is compressed; the pictures are exact."""
    from PIL import Image

    def pictures() -> Iterator[Image.Image]:
        for path in sorted(folder.glob("f*.png")):
            with Image.open(path) as file:
                rgb = np.asarray(file.convert("RGB"))
            height, width = rgb.shape[:2]  # players want even sides
            yield Image.fromarray(np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge"))

    save_mp4(pictures(), folder / f"{name}.mp4", fps)
