"""Looks into an upload for the page, in a process of its own: what it is, and how it was restored.

    python -m hstmae.serving.looking look INPUT
    python -m hstmae.serving.looking show INPUT RESULT [MASK]

writes into the current folder: `look.json` and its pictures `frame.png` and `found.png`; `show.json`, and for some
frames, spread evenly, `NNN-before.png`, `-after`, `-error` and `-confidence`. A RESULT that is a folder is also packed
into RESULT.zip.
"""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..atomic import write_text
from ..drawing.panels import show_error, show_masked
from ..early import AUTO
from ..errors import DataError, HstError
from ..games.palette import unpack_rgb
from ..inference.choosing import choose
from ..inference.footage.base import CONFIDENCE, Footage
from ..inference.footage.film import Film
from ..inference.mask_rules import MaskRules
from ..masks.detect import detect
from ..motion.recall import USUAL

LOOKED_AT = 16  # frames in which painted blocks are looked for
SHOWN = 32  # frames that are shown
LARGEST = 8192  # pixels of a side that browsers draw on a canvas


def opened(source: Path) -> tuple[list[Footage], str]:
    """The sequences of an input as `hstmae restore` reads them, and what restores them, in words."""

    def never(checkpoint: str) -> Any:
        raise AssertionError(checkpoint)

    choice = choose(source, AUTO, None, MaskRules(), USUAL, never)
    return choice.footage, choice.why


def spread(sequences: Sequence[Footage], most: int) -> list[tuple[Footage, int]]:
    """At most so many frames, evenly over all sequences."""
    counts = [sequence.count for sequence in sequences]
    total, ends = sum(counts), np.cumsum(counts)
    made = []
    for at in np.unique(np.linspace(0, total - 1, min(most, total)).astype(int)).tolist():
        which = int(np.searchsorted(ends, at, "right"))
        made.append((sequences[which], at - int(ends[which]) + counts[which]))
    return made


def look(source: Path) -> dict[str, Any]:
    """What a page has to know of an upload. Raises DataError where it holds nothing that can be restored."""
    sequences, why = opened(source)
    pictures = []
    for sequence, position in spread(sequences, LOOKED_AT):
        pictures += [(sequence, position, picture) for picture in sequence.read(position, position + 1).pictures]
    if not pictures:
        raise DataError("it holds no frame that can be read")
    size = pictures[0][2].size
    if max(size) > LARGEST:
        raise DataError(f"its pictures are {size[1]}x{size[0]}; the page shows up to {LARGEST} pixels a side")
    alike = [one for one in pictures if one[2].size == size]
    _, _, shown = alike[len(alike) // 2]
    colours = unpack_rgb(shown.packed)
    alpha = np.where(shown.missing, np.uint8(0), np.uint8(255))
    Image.fromarray(np.dstack([colours, alpha])).save("frame.png")
    palette = shown.palette
    painted, _ = detect(np.stack([picture.packed for _, _, picture in alike]), palette)
    found = np.asarray(painted.any(0))
    if found.any():
        Image.fromarray(np.where(found, np.uint8(255), np.uint8(0))).save("found.png")
    return {
        "frames": sum(sequence.count for sequence in sequences),
        "sequences": len(sequences),
        "width": size[1],
        "height": size[0],
        "state": all(sequence.has_state for sequence in sequences),
        "found": bool(found.any()),
        "why": why,
    }


def show(source: Path, result: Path, mask: Path | None = None) -> dict[str, Any]:
    """Pictures of some frames: without what the mask hides, restored, how far that is from what came, and how sure."""
    sequences, _ = opened(source)
    hidden = None if mask is None else _grey(mask)
    read = _reader(sequences, result)
    frames = []
    for number, (sequence, position) in enumerate(spread(sequences, SHOWN)):
        stretch = sequence.read(position, position + 1)
        found = read(sequence, position, stretch.files[0]) if stretch.pictures else None
        if found is None:
            continue
        after, sure = found
        if after is None:
            continue
        before = unpack_rgb(stretch.pictures[0].packed)
        if after.shape != before.shape:
            continue
        missing = stretch.pictures[0].missing
        if hidden is not None and hidden.shape == missing.shape:
            missing = missing | (hidden > 127)
        parts = {"before": show_masked(before, missing), "after": after, "error": show_error(after, before)}
        if sure is not None:
            parts["confidence"] = sure
        for part, picture in parts.items():
            Image.fromarray(picture).save(f"{number:03d}-{part}.png")
        frames.append(
            {"number": number, "name": "/".join(filter(None, (sequence.name, str(position))))}
            | {"parts": sorted(parts)}
        )
    if result.is_dir():
        _pack(result)
    return {"frames": frames}


def _reader(sequences: Sequence[Footage], result: Path) -> Any:
    """What gives the restored picture of a frame, and how sure it is: uint8 [H, W, 3] and [H, W] or None."""
    beside = result.with_name(f"{result.stem}.{CONFIDENCE}")
    film: Film | None = None
    if result.is_file():
        [opened_result], _ = opened_as_anything(result)
        film = opened_result if isinstance(opened_result, Film) else None

    def read(sequence: Footage, position: int, name: str) -> tuple[np.ndarray | None, np.ndarray | None] | None:
        folder = result / sequence.name
        if result.is_dir():
            return _picture(folder / name), _grey(folder / CONFIDENCE / name)
        if film is not None:
            pictures = film.read(position, position + 1).pictures
            return (unpack_rgb(pictures[0].packed), _grey(beside / name)) if pictures else None
        return _picture(result), _grey(result.with_name(f"{result.stem}.{CONFIDENCE}.png"))

    return read


def opened_as_anything(path: Path) -> tuple[list[Footage], str]:
    from ..inference.footage.opening import open_footage

    return list(open_footage(path, "generic")), ""


def _picture(path: Path) -> np.ndarray | None:
    if not path.is_file():
        return None
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def _grey(path: Path) -> np.ndarray | None:
    if not path.is_file():
        return None
    with Image.open(path) as picture:
        return np.asarray(picture.convert("L"))


def _pack(folder: Path) -> None:
    with zipfile.ZipFile(folder.with_suffix(".zip"), "w", zipfile.ZIP_STORED) as made:
        for path in _files(folder):
            made.write(path, path.relative_to(folder).as_posix())


def _files(folder: Path) -> Iterator[Path]:
    yield from (path for path in sorted(folder.rglob("*")) if path.is_file())


def main(words: Sequence[str]) -> int:
    what, *paths = words
    try:
        made = look(Path(paths[0])) if what == "look" else show(*map(Path, paths))
    except HstError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except MemoryError:
        print("error: it needs more memory than uploads may have", file=sys.stderr)
        return 2
    except OSError as error:  # a full disk, or a file that unpacks to more than the limits of this process
        print(f"error: it cannot be unpacked or written: {error.strerror or error}", file=sys.stderr)
        return 2
    write_text(Path(f"{what}.json"), json.dumps(made))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
