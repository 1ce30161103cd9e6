"""With loss: what lossy codecs need for a quality, as they are and after palette snap, beside our profiles.

*Palette snap* sends each pixel to the nearest of the clip's own colours. It is a free filter that any codec may have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from . import own
from .clips import Clip
from .measuring import OWN, Unavailable, decibels, error_of
from .video import Codec, run_decoder, run_encoder

_X265 = "log-level=none:pools=1:frame-threads=1:keyint={gop}"
_X26 = (12, 16, 20, 24, 28, 32, 36, 42, 48)
_VP9 = (10, 18, 26, 34, 42, 50, 58)
_AV1 = (8, 18, 28, 38, 48, 58)
# A codec, and the values of its "crf" that are tried: best first.
LOSSY = (
    (Codec("x264 veryslow", "x264", "libx264", "h264", "yuv444p", "RGB",
           {"preset": "veryslow", "g": "{gop}", "tune": "psnr"}), _X26),
    (Codec("x265 slow", "x265", "libx265", "hevc", "yuv444p", "RGB",
           {"preset": "slow", "tune": "psnr", "x265-params": _X265}), _X26),
    (Codec("VP9", "vp9", "libvpx-vp9", "vp9", "yuv444p", "RGB", {"b": "0", "cpu-used": "2", "g": "{gop}"}), _VP9),
    (Codec("AV1 (aom)", "av1", "libaom-av1", "libdav1d", "yuv444p", "RGB",
           {"b": "0", "cpu-used": "4", "g": "{gop}", "aom-params": "tune-content=screen"}), _AV1),
    (Codec("AV1 (SVT), 4:2:0", "av1", "libsvtav1", "libdav1d", "yuv420p", "RGB",
           {"preset": "6", "g": "{gop}", "svtav1-params": "lp=1"}), _AV1),
)  # fmt: skip


@dataclass(frozen=True)
class Point:
    """A clip at one quality: bytes a frame, PSNR of RGB in dB as it is and after palette snap, CPU seconds a frame."""

    bytes: float
    psnr: float
    snapped: float
    encode: float
    decode: float


@dataclass(frozen=True)
class LossyMethod:
    """A lossy codec. `run` measures a clip, and raises Unavailable; `asked`: its points have the asked qualities."""

    name: str
    run: Callable[[Clip], list[Point]]
    asked: bool = False


def methods(
    clips: list[Clip], gop: int, qualities: tuple[float, ...], profiles: tuple[str, ...], peers: tuple[str, ...],
    codecs: tuple[str, ...], means: own.Means,
) -> Iterator[LossyMethod]:  # fmt: skip
    """Those of these peers, and ours where all clips allow it.

    Args:
        codecs: of films that are coded anew.
    """
    for codec, values in LOSSY:
        if codec.peer in peers:
            yield LossyMethod(codec.name, partial(_by_ffmpeg, codec, values, gop))
    if "neural" in profiles and all(c.episode.palette is not None and c.episode.state is not None for c in clips):
        yield LossyMethod(f"{OWN} neural", partial(_by_neural, qualities, gop, means))
    if "video" in profiles and all(clip.film is not None for clip in clips):
        for name in codecs:
            yield LossyMethod(
                f"{OWN} video, {name}, of the film's samples", partial(_by_video, qualities, gop, name), asked=True
            )


def _by_ffmpeg(codec: Codec, values: tuple[int, ...], gop: int, clip: Clip) -> list[Point]:
    found = []
    for value in values:
        chosen = codec.at(gop, crf=str(value))
        packets, extra, encoding = run_encoder(chosen, clip.rgb, round(clip.episode.fps) or 60)
        back, decoding = run_decoder(chosen, packets, extra, clip.rgb.shape[1:3])
        if len(back) != len(clip):
            raise Unavailable(f"{len(back)} of {len(clip)} frames come back")
        size = sum(map(len, packets)) + len(extra)
        found.append(_point(clip, back, size, encoding, decoding))
    return found


def _by_neural(qualities: tuple[float, ...], gop: int, means: own.Means, clip: Clip) -> list[Point]:
    """Whole .hst files, memory and buttons included: the memory is what the pictures are drawn from."""
    found = []
    for quality in qualities:
        back, result = own.drawn(clip, gop, quality, means)
        found.append(_point(clip, back, result.bytes, result.encode, result.decode))
    return found


def _by_video(qualities: tuple[float, ...], gop: int, codec: str, clip: Clip) -> list[Point]:
    """Whole .hst files of the whole film; PSNR is that of the film's own samples in its worst group."""
    found = []
    for quality in qualities:
        r = own.film_again(clip, gop, quality, codec)
        assert r.frames is not None and r.psnr is not None
        found.append(Point(r.bytes / r.frames, r.psnr, r.psnr, r.encode / r.frames, r.decode / r.frames))
    return found


def _point(clip: Clip, back: np.ndarray, size: int, encode: float, decode: float) -> Point:
    """`back` uint8 RGB [T, H, W, 3]. Snap: to the nearest colour that the clip itself has."""
    plain, count = decibels(error_of(clip.rgb, back)), len(clip)
    snapped = plain
    if clip.index is not None and clip.palette is not None:
        used = clip.palette[np.unique(clip.index)].astype(np.int32)
        packed = (back[..., 0].astype(np.int32) << 16) | (back[..., 1].astype(np.int32) << 8) | back[..., 2]
        there = np.zeros(1 << 24, bool)
        there[packed] = True
        seen = np.flatnonzero(there)
        rgb = np.stack([seen >> 16, (seen >> 8) & 255, seen & 255], -1)
        nearest = np.zeros((1 << 24, 3), np.uint8)
        for part in range(0, len(seen), 1 << 14):
            some = slice(part, part + (1 << 14))
            nearest[seen[some]] = used[((rgb[some, None] - used) ** 2).sum(-1).argmin(1)]
        snapped = decibels(error_of(clip.rgb, nearest[packed]))
    return Point(size / count, plain, snapped, encode / count, decode / count)


def bytes_at(points: list[list[Point]], target: float, snap: bool) -> float | None:
    """Mean over clips of the bytes a frame at a PSNR, between two points by straight lines.

    Where even the smallest point is better than that, its bytes (so it is at most that); None beyond the largest.
    """
    sizes = []
    for clip in points:
        pairs = sorted((p.snapped if snap else p.psnr, p.bytes) for p in clip)
        if target > pairs[-1][0]:
            return None
        sizes.append(float(np.interp(target, [q for q, _ in pairs], [b for _, b in pairs])))
    return sum(sizes) / len(sizes)


def rows_of(method: LossyMethod, points: list[list[Point]], qualities: tuple[float, ...], snap: bool) -> list[Any]:
    """One row of a table, and one more with palette snap where all clips have a palette and the codec is not ours."""
    rows = []
    every = [p for clip in points for p in clip]
    for snapped in (False, True) if snap and not method.name.startswith(OWN) else (False,):
        at = [bytes_at(points, quality, snapped) for quality in qualities]
        if method.asked:
            at = [sum(clip[k].bytes for clip in points) / len(points) for k in range(len(qualities))]
        rows.append(
            {
                "codec": method.name,
                "snap": snapped,
                "targets": list(qualities),
                "bytes_at": at,
                "points": [[vars(p) for p in clip] for clip in points],
                "encode_ms": 1000 * sum(p.encode for p in every) / len(every),
                "decode_ms": 1000 * sum(p.decode for p in every) / len(every),
            }
        )
    return rows
