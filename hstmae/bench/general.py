"""General compressors and PNG, beside our profiles."""

from __future__ import annotations

import io
import lzma
import zlib
from collections.abc import Callable, Iterator

import numpy as np
import zstandard
from PIL import Image

from .clips import Clip
from .measuring import EACH, PICTURES, WHOLE, Method, Mismatch, Result, access_of, groups_of, timed

Pack = Callable[[bytes], bytes]
_XZ, _DICTIONARY = 9 | lzma.PRESET_EXTREME, 64 << 20  # that of -9
MEMORY = "XOR, transposed, zstd -19"


def _xz() -> tuple[Pack, Pack]:
    """With a dictionary as long as the data: a longer one saves nothing, and its memory takes most of the time."""

    def pack(data: bytes) -> bytes:
        size = min(max(len(data), 4096), _DICTIONARY)
        filters = [{"id": lzma.FILTER_LZMA2, "preset": _XZ, "dict_size": size}]
        return lzma.compress(data, check=lzma.CHECK_NONE, filters=filters)

    return pack, lzma.decompress


def _zstd() -> tuple[Pack, Pack]:
    level = zstandard.ZstdCompressionParameters.from_level(19, window_log=27, enable_ldm=True)
    return zstandard.ZstdCompressor(compression_params=level).compress, zstandard.ZstdDecompressor().decompress


def _zlib() -> tuple[Pack, Pack]:
    return lambda data: zlib.compress(data, 9), zlib.decompress


_PACKERS = {"xz": ("xz -9e", _xz), "zstd": ("zstd -19", _zstd), "zlib": ("zlib -9", _zlib)}
NAMES = (*_PACKERS, "png")


def methods(clip: Clip, gops: tuple[int, ...], peers: tuple[str, ...]) -> Iterator[Method]:
    """Each of these peers on what it may be given: palette indices where there are any, RGB, differences of RGB."""
    for peer in peers:
        if peer == "png":
            given = "RGB" if clip.index is None else "index"
            yield Method("PNG", PICTURES, given, EACH, lambda: _png(clip))
            continue
        name, packer = _PACKERS[peer]
        for gop in gops:
            access = access_of(gop)
            for given, pieces in _pieces(clip, gop).items():
                run = lambda pieces=pieces, packer=packer: packed(pieces(), *packer())  # noqa: E731
                yield Method(name, PICTURES, given, access, run)
    if "zstd" in peers:
        yield from _beside(clip, gops)


def _pieces(clip: Clip, gop: int) -> dict[str, Callable[[], list[bytes]]]:
    found: dict[str, Callable[[], list[bytes]]] = {}
    index = clip.index
    if index is not None:
        found["index"] = lambda: [group.tobytes() for group in groups_of(index, gop)]
    found["RGB"] = lambda: [group.tobytes() for group in groups_of(clip.rgb, gop)]
    found["RGB differences"] = lambda: [_differences(group).tobytes() for group in groups_of(clip.rgb, gop)]
    return found


def _differences(group: np.ndarray) -> np.ndarray:
    """To the frame before, modulo 256."""
    out = group.copy()
    out[1:] -= group[:-1]
    return out


def packed(data: list[bytes], pack: Pack, unpack: Pack) -> Result:
    """Each piece by itself. Raises Mismatch."""
    made, encoding = timed(lambda: [pack(piece) for piece in data])
    back, decoding = timed(lambda: [unpack(piece) for piece in made])
    if back != data:
        raise Mismatch("a general compressor did not give back what it was given")
    return Result(sum(map(len, made)), encoding, decoding)


def _beside(clip: Clip, gops: tuple[int, ...]) -> Iterator[Method]:
    """Memory and buttons, which our profiles keep beside the pictures."""
    state, actions = clip.episode.state, clip.episode.actions
    pack, unpack = zstandard.ZstdCompressor(19).compress, zstandard.ZstdDecompressor().decompress
    for gop in gops:
        if state is not None:
            data = [_transposed(group) for group in groups_of(state, gop)]
            run = lambda data=data: packed(data, pack, unpack)  # noqa: E731
            yield Method(MEMORY, "memory", "memory", access_of(gop), run)
    if actions is not None:
        yield Method("zstd -19", "buttons", "buttons", WHOLE, lambda: packed([actions.tobytes()], pack, unpack))


def _transposed(group: np.ndarray) -> bytes:
    """The difference to the frame before by XOR, then address by address."""
    out = group.copy()
    out[1:] ^= group[:-1]
    return np.ascontiguousarray(out.T).tobytes()


def _png(clip: Clip) -> Result:
    """As small as Pillow makes it: indexed with the colours that are there, or RGB. Raises Mismatch."""
    index, palette = clip.index, None if clip.palette is None else clip.palette.tobytes()

    def pack(frame: np.ndarray) -> bytes:
        picture, file = Image.fromarray(frame), io.BytesIO()
        if palette is not None:
            picture.putpalette(palette)
        picture.save(file, "PNG", optimize=True)
        return file.getvalue()

    def unpack(data: bytes) -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))

    made, encoding = timed(lambda: [pack(frame) for frame in (clip.rgb if index is None else index)])
    back, decoding = timed(lambda: [unpack(data) for data in made])
    if not all(np.array_equal(a, b) for a, b in zip(back, clip.rgb, strict=True)):
        raise Mismatch("PNG did not give back what it was given")
    return Result(sum(map(len, made)), encoding, decoding)
