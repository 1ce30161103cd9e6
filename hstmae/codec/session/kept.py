"""Decoded groups on the disk, for jobs that go on where they stopped: decoding is most of their work."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import zstandard

from ...atomic import replacing
from ...errors import CodecError
from ..container.gop import Gop, GopShape


@dataclass(frozen=True)
class KeptGroups:
    """A folder of decoded groups, named by what they were decoded from; what is cut off or altered is not found."""

    folder: Path

    def name(self, position: int, packed: bytes | memoryview, how: object) -> str:
        """Of a group of the episode at `position`: what it is coded as, and how it is decoded."""
        digest = hashlib.sha256(repr(how).encode())
        digest.update(packed)
        return f"{position}-{digest.hexdigest()[:32]}.group"

    def load(self, name: str, palette: np.ndarray | None, shape: GopShape) -> Gop | None:
        """A decoded group; None where it is not kept."""
        try:
            packed = (self.folder / name).read_bytes()
            with np.load(io.BytesIO(zstandard.ZstdDecompressor().decompress(packed))) as arrays:
                gop = Gop(arrays["frames"], palette, arrays.get("state"), arrays.get("actions"))
        except (OSError, ValueError, KeyError, EOFError, zstandard.ZstdError, CodecError):
            return None
        return gop if gop.shape == shape else None

    def save(self, name: str, gop: Gop) -> None:
        arrays = {"frames": gop.frames, "state": gop.state, "actions": gop.actions}
        file = io.BytesIO()
        np.savez(file, **{name: array for name, array in arrays.items() if array is not None})  # type: ignore[arg-type]
        with replacing(self.folder / name) as temp:
            temp.write_bytes(zstandard.ZstdCompressor(1, write_checksum=True).compress(file.getvalue()))

    def forget(self, position: int) -> None:
        """Remove the groups of an episode: it is finished."""
        for path in self.folder.glob(f"{position}-*.group"):
            path.unlink(missing_ok=True)
