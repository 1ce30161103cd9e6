"""Samples of a film as one array per component, whatever the pixel format they were stored in.

A *planar format* is one of FFmpeg's names whose planes hold one component each, in the machine's byte order: gray,
yuv420p, yuv422p10le, yuva444p16le, gbrp12le and so on. Every other format is brought to the one with the same samples.
"""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

_ORDER = "le" if sys.byteorder == "little" else "be"
_SUBSAMPLED = {(0, 0): "444", (1, 0): "422", (1, 1): "420", (0, 1): "440", (2, 0): "411", (2, 2): "410"}
_DEPTHS = (8, 9, 10, 12, 14, 16)

Planes = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Layout:
    """The components of a planar format.

    Attributes:
        name: of the planar format.
        kind: "gray", "yuv" or "rgb" (planes in the order green, blue, red).
        bits: of a sample; they are uint8, or uint16 where more than 8.
        alpha: whether the last plane is alpha.
        across, down: log2 of how many columns and rows share a chroma sample.
        exact: False where the film's own format has no planar one with the same samples.
    """

    name: str
    kind: str
    bits: int
    alpha: bool = False
    across: int = 0
    down: int = 0
    exact: bool = True

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.uint8 if self.bits == 8 else np.uint16)

    @property
    def top(self) -> int:
        """The largest value of a sample."""
        return (1 << self.bits) - 1

    def shape(self, plane: int, size: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns of a plane of pictures of `size` (height, width) as stored."""
        if self.kind == "yuv" and plane in (1, 2):
            return -(-size[0] >> self.down), -(-size[1] >> self.across)
        return size


@lru_cache
def layout_of(pixel_format: str) -> Layout:
    """The layout that holds the samples of any pixel format.

    Raises:
        ValueError: FFmpeg knows no such format, or its pictures are in the memory of a device.
    """
    import av

    form = av.VideoFormat(pixel_format, 64, 64)
    parts = form.components
    if not parts:
        raise ValueError(f"pixel format {pixel_format} has no samples that can be read")
    bits = max(part.bits for part in parts)
    alpha = form.has_palette or any(part.is_alpha for part in parts)
    colours = [part for part in parts if not part.is_alpha]
    if pixel_format.startswith("yaf"):  # FFmpeg's conversion of these breaks the process
        raise ValueError(f"pixel format {pixel_format} cannot be read")
    strange = bits > 16 or form.is_bayer or pixel_format.startswith("xyz")  # floats, raw sensors, film printers
    depth = 16 if strange else next(d for d in _DEPTHS if d >= bits)
    if form.is_rgb or form.has_palette or strange or (alpha and len(colours) == 1):
        if alpha and depth == 9:
            depth = 10
        return _named("gbrap" if alpha else "gbrp", "rgb", depth, alpha, exact=not strange)
    if len(colours) == 1:
        return _named("gray", "gray", depth)
    across, down = ((64 // n).bit_length() - 1 for n in (parts[1].width, parts[1].height))
    name = f"yuv{'a' if alpha else ''}{_SUBSAMPLED[across, down]}p"
    return _named(name, "yuv", depth, alpha, across, down)


def _named(
    stem: str, kind: str, bits: int, alpha: bool = False, across: int = 0, down: int = 0, exact: bool = True
) -> Layout:
    name = stem if bits == 8 else f"{stem}{bits}{_ORDER}"
    return Layout(name, kind, bits, alpha, across, down, exact)


def planes_of(frame: Any, layout: Layout) -> Planes:
    """The samples of a PyAV frame, uint8 or uint16 [H, W] each, copied."""
    form, size = frame.format, (frame.height, frame.width)
    if form.name.startswith("ya"):  # FFmpeg's way from grey to 16-bit RGB rounds
        dtype = layout.dtype.newbyteorder(">" if form.is_big_endian else "<")
        lines = np.frombuffer(frame.planes[0], np.uint8).reshape(size[0], -1).view(dtype)
        grey, alpha = (lines[:, k : 2 * size[1] : 2].astype(layout.dtype) for k in (0, 1))
        return grey, grey, grey, alpha
    if form.is_rgb and max(part.bits for part in form.components) < 8:
        frame = reformatted(frame, "rgb24")  # the way on which 31 of 31 becomes 255, not 248
    if frame.format.name not in (layout.name, layout.name.replace("yuv", "yuvj")):
        frame = reformatted(frame, layout.name, frame.color_range)
    planes = []
    for number, plane in enumerate(frame.planes):
        rows, columns = layout.shape(number, size)
        lines = np.frombuffer(plane, np.uint8).reshape(rows, -1)[:, : columns * layout.dtype.itemsize]
        planes.append(np.ascontiguousarray(lines).view(layout.dtype))
    return tuple(planes)


def reformatted(frame: Any, pixel_format: str, color_range: int | None = None, **colours: Any) -> Any:
    """A PyAV frame in another pixel format, its samples meaning the range 1 (studio) or 2 (full) before and after.

    By one thread: libswscale writes whole vectors, past the end of a row into the next one, which several threads may
    have filled already (8 samples of p010 in a frame of 48 x 40 were lost in every fourth conversion).

    Args:
        colours: src_colorspace and dst_colorspace, where they matter.
    """
    import av

    alone = {"threads": 1} if int(av.__version__.split(".")[0]) >= 17 else {}  # older ones have no threads
    alone |= colours
    converter = _converter(frame.format.name, frame.width, frame.height, pixel_format)
    return converter.reformat(
        frame, format=pixel_format, src_color_range=color_range, dst_color_range=color_range, **alone
    )


_MOST = 8  # conversions that a thread keeps ready
_kept = threading.local()


def _converter(*conversion: object) -> Any:
    """What converts, kept for the next frame of the same kind: to set it up takes 1.5 of 3.7 ms a frame of 1280x720."""
    from av.video.reformatter import VideoReformatter

    if not hasattr(_kept, "converters"):
        _kept.converters = {}
    known: dict[tuple[object, ...], Any] = _kept.converters
    found = known.pop(conversion, None) or VideoReformatter()
    known[conversion] = found  # as the newest
    while len(known) > _MOST:
        del known[next(iter(known))]
    return found


def frame_of(planes: Planes, layout: Layout) -> Any:
    """A new PyAV frame with these samples."""
    import av

    frame = av.VideoFrame(planes[0].shape[1], planes[0].shape[0], layout.name)
    for samples, plane in zip(planes, frame.planes, strict=True):
        lines = np.frombuffer(plane, np.uint8).reshape(samples.shape[0], -1)
        lines[:, : samples.shape[1] * samples.itemsize] = np.ascontiguousarray(samples).view(np.uint8)
    return frame
