"""Which mask file belongs to which frame: by the file's name, its stem, or the number in it."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from ..data.sources.video import natural_order
from ..errors import DataError
from .frames import Frames
from .planes import PICTURES

_RECORDED = re.compile(r"_f(\d{1,9})_a\d+_")  # frames as some recorders name them, with more numbers behind
_SHOWN = 3  # names that a message lists


def mask_files(folder: Path) -> list[Path]:
    """Pictures of a folder in natural order, without what operating systems leave there."""
    names = (p for p in folder.iterdir() if p.suffix.lower() in PICTURES and not p.name.startswith("."))
    return sorted((p for p in names if p.is_file()), key=lambda p: natural_order(p.name))


def pair(frames: Frames, folder: Path, partial: bool = False) -> tuple[list[Path | None], list[str]]:
    """The mask of every frame of a footage, and what the user should know about how they were found.

    A mask belongs to a frame of the same name; else of the same stem, also with something before or behind that is the
    same in all names (`0001.jpg`, `0001_mask.png`); else of the same number. Where there are as many masks as frames,
    both numbered without a gap, the first mask belongs to the first frame.

    Args:
        partial: frames without a mask are not damaged (None); there must be one mask at least.
    Raises:
        DataError: a frame has no mask, or more than one; the message says what was looked for.
    """
    masks = mask_files(folder)
    if not masks:
        raise DataError(f"masks {folder}: holds no pictures ({' '.join(PICTURES)})")
    names = list(frames.files) if frames.files is not None else [f"f{t:06d}.png" for t in range(frames.count)]
    numbers = number_of_names(names) if frames.files is not None else list(range(frames.count))
    tried = [
        _by_name(names, masks),
        _by_stem(names, masks, folder),
        _by_affix(names, masks),
        _by_number(numbers, masks),
    ]
    if not partial and None in tried[2]:
        tried.pop(2)  # what is the same in all names has to be in all names
    best = max(tried, key=lambda found: sum(mask is not None for mask in found))  # the first of equally good ones
    missing = [t for t, mask in enumerate(best) if mask is None]
    if missing and (ordered := _in_order(numbers, masks)):
        note = f"masks {folder}: numbered otherwise than the frames; taken in order, {masks[0].name} for {names[0]}"
        return ordered, [note]
    if missing and not (partial and len(missing) < len(best)):
        raise DataError(_explained(frames, names, numbers, masks, missing, folder))
    notes = []
    if missing:
        notes.append(f"masks {folder}: {len(missing)} of {len(best)} frames have none and are taken as they are")
    left = [mask for mask in masks if mask not in set(best)]
    if left:
        notes.append(f"masks {folder}: {_listed([p.name for p in left])} belong to no frame")
    return best, notes


def _listed(names: Sequence[str]) -> str:
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _by_name(names: list[str], masks: list[Path]) -> list[Path | None]:
    by_name = {mask.name: mask for mask in masks}
    return [by_name.get(name) for name in names]


def _by_stem(names: list[str], masks: list[Path], folder: Path) -> list[Path | None]:
    by_stem: dict[str, list[Path]] = {}
    for mask in masks:
        by_stem.setdefault(mask.stem, []).append(mask)
    stems = [Path(name).stem for name in names]
    for stem in stems:
        if len(by_stem.get(stem, ())) > 1:
            raise DataError(f"masks {folder}: {_listed([p.name for p in by_stem[stem]])} are all masks of one frame")
    return [by_stem[stem][0] if stem in by_stem else None for stem in stems]


def _by_affix(names: list[str], masks: list[Path]) -> list[Path | None]:
    """As by stem, with text before or behind that is the same in all names of masks."""
    stem = Path(names[0]).stem
    for mask in masks[:_SHOWN]:
        at = mask.stem.find(stem)
        if at >= 0 and stem:
            before, behind = mask.stem[:at], mask.stem[at + len(stem) :]
            if not (before[-1:].isdigit() and stem[:1].isdigit()) and not (
                behind[:1].isdigit() and stem[-1:].isdigit()
            ):
                by_stem = {p.stem: p for p in masks}
                return [by_stem.get(before + Path(name).stem + behind) for name in names]
    return [None] * len(names)


def _by_number(numbers: list[int] | None, masks: list[Path]) -> list[Path | None]:
    of_masks = number_of_names([p.name for p in masks])
    if numbers is None or of_masks is None or len(set(of_masks)) < len(of_masks):
        return [None] * (0 if numbers is None else len(numbers))
    by_number = dict(zip(of_masks, masks, strict=True))
    return [by_number.get(number) for number in numbers]


def _in_order(numbers: list[int] | None, masks: list[Path]) -> list[Path | None] | None:
    of_masks = number_of_names([p.name for p in masks])
    if numbers is None or of_masks is None or len(numbers) != len(of_masks):
        return None
    even = all(b - a == 1 for values in (numbers, of_masks) for a, b in pairwise(values))
    return list(masks) if even else None


def number_of_names(names: Sequence[str]) -> list[int] | None:
    """The number in each name: the only one, or the only one that differs; None where that is not told."""
    recorded = [_RECORDED.search(name) for name in names]
    if all(recorded):
        return [int(match.group(1)) for match in recorded if match]
    parts = [re.split(r"(\d+)", Path(name).stem) for name in names]
    columns = {len(part) for part in parts}
    if len(columns) != 1 or columns == {1}:
        return None
    changing = [k for k in range(1, columns.pop(), 2) if len({part[k] for part in parts}) > 1]
    if len(names) == 1:
        return [int(parts[0][-2])]
    return [int(part[changing[0]]) for part in parts] if len(changing) == 1 else None


def _explained(
    frames: Frames, names: list[str], numbers: list[int] | None, masks: list[Path], missing: list[int], folder: Path
) -> str:
    """What was looked for and not found."""
    first = missing[0]
    stem = Path(names[first]).stem
    looked = [f"{stem}.png (or another kind of picture)"] if frames.files is not None else []
    if numbers is not None:
        looked.append(f"a name with the number {numbers[first]}")
    close = difflib.get_close_matches(stem, [p.stem for p in masks], _SHOWN, 0)
    kinds = Counter(p.suffix.lower() for p in masks)
    there = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    near = [p.name for p in masks if p.stem in close][:_SHOWN]
    which = f"frame {first}" if frames.files is None else names[first]
    return (
        f"masks {folder}: {len(missing)} of {len(names)} frames of {frames.place} have none, the first is {which}; "
        f"looked for {' and '.join(looked)}; there are {there}, nearest {', '.join(near)}. Rename them, or add "
        "--mask-partial where frames without a mask are not damaged"
    )
