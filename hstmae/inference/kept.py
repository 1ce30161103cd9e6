"""Restored pixels on the disk, a file for each frame, until one pass over the footage needs them in order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import zstandard

from ..atomic import sync_files
from .sinks import RestoredFrame

_SUFFIX = ".kept"


class KeptPixels:
    """Masked pixels of frames, in a folder. Several who ask for the same frame to be kept keep it once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._new: set[Path] = set()

    def put(self, frame: RestoredFrame) -> None:
        """Keep a frame. One that an interrupted run kept may come again."""
        path = self._place(frame.position)
        if path in self._new:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        shown = frame.picture.colours(frame.pixels[frame.mask]).astype(np.uint8)
        head = np.array(frame.mask.shape, np.uint32).tobytes()
        path.write_bytes(zstandard.compress(head + np.packbits(frame.mask).tobytes() + shown.tobytes(), 1))
        self._new.add(path)

    def settle(self) -> None:
        sync_files(self._new)
        self._new.clear()

    def get(self, position: int) -> tuple[np.ndarray, np.ndarray]:
        """(uint8 [H, W, 3] read where True, bool [H, W]) of a frame."""
        data = zstandard.decompress(self._place(position).read_bytes())
        height, width = np.frombuffer(data, np.uint32, 2).tolist()
        packed = -(-height * width // 8)
        mask = np.unpackbits(np.frombuffer(data, np.uint8, packed, 8), count=height * width).reshape(height, width) > 0
        rgb = np.zeros((height, width, 3), np.uint8)
        rgb[mask] = np.frombuffer(data, np.uint8, offset=8 + packed).reshape(-1, 3)
        return rgb, mask

    def _place(self, position: int) -> Path:
        return self._folder / f"{position:09d}{_SUFFIX}"
