"""The sample session as other settings of FCEUX, other systems and other programs would have written its files."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from hstmae.bundled import find
from hstmae.data.sources.smb.names import frame_name
from hstmae.games.smb.palettes import FCEUX, OTHERS

SAMPLE = Path(find(Path("assets/sample_session")))
LINES = slice(8, 232)  # what FCEUX shows of 240 lines
TABLES = {"fceux": FCEUX, "fceux 2.3": OTHERS[0], "mesen": OTHERS[1], "nes-py": OTHERS[2], "cynes": OTHERS[3]}


def sample(count: int = 24) -> list[tuple[str, np.ndarray, bytes]]:
    """Name, NES colours uint8 [240, 256], and what lies behind the picture, of the first frames of the sample."""
    paths = sorted(SAMPLE.rglob("*.png"), key=lambda path: int(frame_name(path.name)["frame"]))  # type: ignore[index]
    found = []
    for path in paths[:count]:
        data = path.read_bytes()
        with Image.open(io.BytesIO(data)) as picture:
            found.append((path.name, np.array(picture) & 63, data[data.index(b"IEND") + 8 :]))
    return found


def indexed(pixels: np.ndarray, table: np.ndarray, base: int = 128, entries: int = 256, filler: int = 0) -> bytes:
    """As FCEUX writes it: colours from entry `base` on; entries of no meaning hold anything."""
    palette = np.random.default_rng(filler).integers(0, 256, (max(entries, base + 64), 3), np.uint8)
    palette[base : base + 64] = table
    picture = Image.frombytes("P", pixels.shape[::-1], np.ascontiguousarray(pixels + np.uint8(base)).tobytes())
    picture.putpalette(palette.tobytes(), "RGB")
    return _png(picture, bits=8)


def small(pixels: np.ndarray, table: np.ndarray, order: int = 0) -> bytes:
    """As a program packs it that keeps only the colours in use, in an order of its own, with few bits a pixel."""
    used = np.unique(pixels)
    np.random.default_rng(order).shuffle(used)
    place = np.zeros(64, np.uint8)
    place[used] = np.arange(len(used))
    picture = Image.frombytes("P", pixels.shape[::-1], place[pixels].tobytes())
    picture.putpalette(table[used].tobytes(), "RGB")
    return _png(picture)


def rgb(pixels: np.ndarray, table: np.ndarray) -> bytes:
    return _png(Image.fromarray(table[pixels]))


def rgba(pixels: np.ndarray, table: np.ndarray) -> bytes:
    return _png(Image.fromarray(np.dstack([table[pixels], np.full(pixels.shape, 255, np.uint8)])))


FORMS = {
    "base 128": indexed,
    "base 128, 192 entries": lambda pixels, table: indexed(pixels, table, entries=192),
    "base 128, other entries": lambda pixels, table: indexed(pixels, table, filler=7),
    "base 0": lambda pixels, table: indexed(pixels, table, 0),
    "base 0, 64 entries": lambda pixels, table: indexed(pixels, table, 0, 64),
    "few colours": small,
    "few colours, other order": lambda pixels, table: small(pixels, table, 3),
    "rgb": rgb,
    "rgba": rgba,
}


def _png(picture: Image.Image, **options: int) -> bytes:
    file = io.BytesIO()
    picture.save(file, format="PNG", **options)
    return file.getvalue()


def write(folder: Path, files: Iterable[tuple[str, bytes]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files:
        (folder / name).write_bytes(data)
    return folder
