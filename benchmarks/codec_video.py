"""Video codecs of PyAV on palette footage, for benchmarks/codec.py."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from hstmae.codec.session.profiles import make_profile
from hstmae.codec.session.reader import HstReader
from hstmae.codec.session.writer import HstWriter
from hstmae.data.episode import Episode

TARGETS = (30.0, 35.0, 38.5, 42.0, 45.0)
STRIDE, KEY = 4, 32  # 15 frames a second, a key frame every 32


@dataclass(frozen=True)
class Codec:
    """How FFmpeg is asked for a codec. `colours` is "grey" (palette indices as they are) or "rgb"."""

    name: str
    encoder: str
    decoder: str
    pixels: str
    colours: str
    options: dict[str, str] = field(default_factory=dict)
    access: str = "nothing"


_X265 = "lossless=1:log-level=none:pools=1:frame-threads=1:keyint=-1"
VIDEO = (
    Codec("x264 qp 0, index", "libx264", "h264", "gray", "grey", {"qp": "0", "preset": "slow", "g": "100000"}),
    Codec("x264 qp 0, index", "libx264", "h264", "gray", "grey", {"qp": "0", "preset": "slow", "g": "64"}, "64 frames"),
    Codec("x264 qp 0, RGB", "libx264rgb", "h264", "rgb24", "rgb", {"qp": "0", "preset": "slow", "g": "100000"}),
    Codec("x265 lossless, index", "libx265", "hevc", "gray", "grey", {"x265-params": _X265}),
    Codec("x265 lossless, RGB", "libx265", "hevc", "gbrp", "rgb", {"x265-params": _X265}),
    Codec("VP9 lossless, RGB", "libvpx-vp9", "vp9", "gbrp", "rgb", {"lossless": "1", "cpu-used": "4", "g": "100000"}),
    Codec("FFV1, index", "ffv1", "ffv1", "gray", "grey", {"level": "3", "g": "1"}, "1 frame"),
    Codec("FFV1, RGB", "ffv1", "ffv1", "bgr0", "rgb", {"level": "3", "g": "1"}, "1 frame"),
)


def run_encoder(codec: Codec, frames: Sequence[np.ndarray], fps: int) -> tuple[list[bytes], bytes, float] | None:
    """(packets, extra data, CPU seconds) of pictures uint8 [H, W] or [H, W, 3]; None where PyAV lacks the codec."""
    import av

    if codec.encoder not in av.codecs_available:
        return None
    h, w = frames[0].shape[:2]
    context: Any = av.CodecContext.create(codec.encoder, "w")
    context.width, context.height, context.pix_fmt = w, h, codec.pixels
    context.time_base, context.framerate = Fraction(1, fps), Fraction(fps)
    context.thread_count = 1
    context.options = codec.options
    kind = "gray" if codec.colours == "grey" else "rgb24"
    packets: list[bytes] = []
    began = time.process_time()
    for k, picture in enumerate(frames):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format=kind).reformat(format=codec.pixels)
        frame.pts = k
        packets += [bytes(packet) for packet in context.encode(frame)]
    packets += [bytes(packet) for packet in context.encode(None)]
    return packets, bytes(context.extradata or b""), time.process_time() - began


def run_decoder(codec: Codec, packets: list[bytes], extra: bytes, size: tuple[int, int]) -> tuple[np.ndarray, float]:
    """(uint8 [T, H, W] or [T, H, W, 3], CPU seconds)."""
    import av

    context: Any = av.CodecContext.create(codec.decoder, "r")
    context.thread_count = 1
    context.width, context.height, context.pix_fmt = size[1], size[0], codec.pixels
    if extra:
        context.extradata = extra
    found: list[np.ndarray] = []
    began = time.process_time()
    for data in [*packets, None]:
        for frame in context.decode(None if data is None else av.Packet(data)):
            found.append(_luma(frame) if codec.colours == "grey" else frame.to_ndarray(format="rgb24"))
    return np.stack(found), time.process_time() - began


def _luma(frame: Any) -> np.ndarray:
    """The grey picture, whatever kind of frame the decoder made of it (that of H.264 adds colour planes)."""
    plane = frame.planes[0]
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: frame.height, : frame.width]


def video_row(codec: Codec, frames: np.ndarray, palette: np.ndarray | None) -> tuple[int, float, float] | None:
    """(bytes, seconds to encode, seconds to decode) without loss; None where it cannot be had here.

    Raises:
        AssertionError: what comes back is not what was put in.
    """
    assert palette is not None
    pictures = list(frames) if codec.colours == "grey" else [palette[frame] for frame in frames]
    made = run_encoder(codec, pictures, 60)
    if made is None:
        return None
    packets, extra, encoding = made
    back, decoding = run_decoder(codec, packets, extra, frames.shape[1:3])
    assert np.array_equal(back, np.stack(pictures)), f"{codec.name} is not lossless here"
    return sum(map(len, packets)) + len(extra), encoding, decoding


@dataclass(frozen=True)
class Point:
    """A clip at one quality: bytes a frame, PSNR as it is and after palette snap, CPU seconds."""

    bytes: float
    psnr: float
    snapped: float
    encode: float
    decode: float


def _psnr(error: float) -> float:
    return 100.0 if error <= 0 else 10 * math.log10(65025 / error)


def measured(clip: Episode, back: np.ndarray, size: float, encode: float, decode: float) -> Point:
    """`back` uint8 RGB [T, H, W, 3] of a palette clip. Snap: to the nearest colour that the clip itself has."""
    assert clip.palette is not None
    true = clip.palette[clip.frames]
    colours = clip.palette[np.flatnonzero(np.bincount(clip.frames.ravel(), minlength=1))].astype(np.int32)
    packed = (back[..., 0].astype(np.int32) << 16) | (back[..., 1].astype(np.int32) << 8) | back[..., 2]
    seen = np.flatnonzero(np.bincount(packed.ravel(), minlength=1))
    rgb = np.stack([seen >> 16, (seen >> 8) & 255, seen & 255], -1)
    nearest = np.zeros((1 << 24, 3), np.uint8)
    for part in range(0, len(seen), 1 << 16):
        some = rgb[part : part + (1 << 16)]
        nearest[seen[part : part + (1 << 16)]] = colours[((some[:, None] - colours) ** 2).sum(-1).argmin(1)]
    return Point(size, _psnr(_error(true, back)), _psnr(_error(true, nearest[packed])), encode, decode)


def _error(a: np.ndarray, b: np.ndarray) -> float:
    """Mean squared difference of uint8 arrays, frame by frame to save memory."""
    return float(np.mean([np.mean((x.astype(np.int32) - y) ** 2) for x, y in zip(a, b, strict=True)]))


def _by_ffmpeg(codec: Codec, quality: str, values: Sequence[int]) -> Callable[[Episode], list[Point] | None]:
    def points(clip: Episode) -> list[Point] | None:
        assert clip.palette is not None
        rgb = clip.palette[clip.frames]
        found = []
        for value in values:
            chosen = Codec(codec.name, codec.encoder, codec.decoder, codec.pixels, "rgb",
                           {**codec.options, quality: str(value)})  # fmt: skip
            made = run_encoder(chosen, list(rgb), 15)
            if made is None:
                return None
            packets, extra, encoding = made
            back, decoding = run_decoder(chosen, packets, extra, rgb.shape[1:3])
            size = (sum(map(len, packets)) + len(extra)) / len(rgb)
            found.append(measured(clip, back, size, encoding, decoding))
        return found

    return points


def _by_neural(checkpoint: str) -> Callable[[Episode], list[Point] | None]:
    """Whole .hst files, container, memory and buttons included: the memory is what the pictures are drawn from."""

    def points(clip: Episode) -> list[Point] | None:
        assert clip.palette is not None
        found = []
        for quality in (30, 35, 38.5, 42, 45):
            profile = make_profile("neural", clip.game, checkpoint=checkpoint, quality=quality)
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "x.hst"
                began = time.process_time()
                with HstWriter(path) as writer:
                    writer.add(profile, Episode(**{**vars(clip), "context": None}), gop=KEY)
                middle = time.process_time()
                with HstReader(path, checkpoint=checkpoint) as reader:
                    back = clip.palette[reader.episode(0).frames]
                ended = time.process_time()
                size = path.stat().st_size / len(clip)
            found.append(measured(clip, back, size, middle - began, ended - middle))
        return found

    return points


_X265_LOSSY = f"log-level=none:pools=1:frame-threads=1:keyint={KEY}"

# Each gives the points of a clip of 15 frames a second, with random access every KEY frames; None = not to be had here.
LOSSY: dict[str, Callable[[Episode], list[Point] | None]] = {
    "x264 veryslow": _by_ffmpeg(
        Codec("", "libx264", "h264", "yuv444p", "rgb", {"preset": "veryslow", "g": str(KEY), "tune": "psnr"}),
        "crf",
        (12, 16, 20, 24, 28, 32, 36, 42, 48),
    ),
    "x265 slow": _by_ffmpeg(
        Codec(
            "",
            "libx265",
            "hevc",
            "yuv444p",
            "rgb",
            {"preset": "slow", "tune": "psnr", "x265-params": _X265_LOSSY},
        ),
        "crf",
        (12, 16, 20, 24, 28, 32, 36, 42, 48),
    ),
    "VP9": _by_ffmpeg(
        Codec("", "libvpx-vp9", "vp9", "yuv444p", "rgb", {"b": "0", "cpu-used": "2", "g": str(KEY)}),
        "crf",
        (10, 18, 26, 34, 42, 50, 58),
    ),
}


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


def lossy_points(clips: list[Episode], checkpoint: str | None) -> list[dict[str, Any]]:
    """One row per codec, with and without palette snap; ours has none to do."""
    methods = dict(LOSSY)
    if checkpoint is not None:
        methods["HST neural"] = _by_neural(checkpoint)
    rows = []
    for name, method in methods.items():
        found = [method(clip.take(slice(0, None, STRIDE))) for clip in clips]
        points = [p for p in found if p is not None]
        if len(points) != len(found):
            continue
        frames = sum(len(clip.frames[::STRIDE]) for clip in clips) * len(points[0])
        for snap in (False,) if name == "HST neural" else (False, True):
            rows.append(
                {
                    "codec": name,
                    "snap": snap,
                    "targets": TARGETS,
                    "bytes_at": [bytes_at(points, target, snap) for target in TARGETS],
                    "points": [[vars(p) for p in clip] for clip in points],
                    "encode_ms": 1000 * sum(p.encode for clip in points for p in clip) / frames,
                    "decode_ms": 1000 * sum(p.decode for clip in points for p in clip) / frames,
                }
            )
    return rows
