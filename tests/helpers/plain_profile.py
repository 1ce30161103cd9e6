"""A small profile for tests of the container: every array as zstd."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
import zstandard

from hstmae.codec.container.gop import Gop, GopShape
from hstmae.codec.session.profiles import register
from hstmae.errors import CodecError


class Tables(str):
    """A name of tables. Worker processes that are handed one import this module, and so know the profile."""


class PlainProfile:
    """Lossless, and nothing to it."""

    name = "plain"

    def __init__(self, game: str | None = None, tables: str = "plain-1") -> None:
        self.tables_id = tables
        self.tables_sha256 = hashlib.sha256(tables.encode()).hexdigest()

    def encode(self, gop: Gop) -> dict[str, bytes]:
        arrays = {"PICT": gop.frames, "STAT": gop.state, "ACTN": gop.actions}
        return {
            name: zstandard.ZstdCompressor(3).compress(array.tobytes())
            for name, array in arrays.items()
            if array is not None
        }

    def decode(self, streams: Mapping[str, bytes], shape: GopShape) -> Gop:
        colour = () if shape.channels == 1 else (3,)
        frames = self._array(streams, "PICT", (shape.frames, shape.height, shape.width, *colour))
        state = self._array(streams, "STAT", (shape.frames, shape.state)) if shape.state else None
        wide = (shape.frames,) if shape.actions == 1 else (shape.frames, shape.actions)
        actions = self._array(streams, "ACTN", wide) if shape.actions else None
        return Gop(frames, None, state, actions)

    @staticmethod
    def _array(streams: Mapping[str, bytes], name: str, shape: tuple[int, ...]) -> np.ndarray:
        size = int(np.prod(shape))
        try:
            if zstandard.frame_content_size(streams[name]) != size:
                raise CodecError(f"{name}: wrong size")
            raw = zstandard.ZstdDecompressor().decompress(streams[name], max_output_size=size)
        except (KeyError, zstandard.ZstdError) as error:
            raise CodecError(f"{name}: {error!r}") from None
        return np.frombuffer(raw, np.uint8).reshape(shape)


register("plain", PlainProfile)
