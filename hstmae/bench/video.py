"""Video codecs of PyAV without loss, beside our profiles: given RGB, and palette indices as a grey picture."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np

from ..film.priority import ordinary
from .clips import Clip
from .measuring import PICTURES, Method, Result, Unavailable, access_of, timed

_NO_KEYS = 100_000  # frames between key frames, where there is to be one alone


@dataclass(frozen=True)
class Codec:
    """How FFmpeg is asked for a codec.

    Attributes:
        name: for tables; `peer`: that it is chosen by.
        encoder, decoder: FFmpeg's names.
        pixels: its pixel format.
        given: "index" (palette indices as they are, as brightness) or "RGB".
        options: of the encoder; {gop} stands for the distance of key frames.
    """

    name: str
    peer: str
    encoder: str
    decoder: str
    pixels: str
    given: str = "RGB"
    options: dict[str, str] = field(default_factory=dict)

    def at(self, gop: int, **more: str) -> Codec:
        """With key frames so far apart (0 = one alone), and more options."""
        filled = {key: value.format(gop=gop or _NO_KEYS) for key, value in self.options.items()}
        return replace(self, options={**filled, **more})


_X265 = "lossless=1:log-level=none:pools=1:frame-threads=1:keyint={gop}"
_X264 = {"qp": "0", "preset": "slow", "g": "{gop}"}
_FFV1 = {"level": "3", "g": "{gop}", "context": "1"}
_SVT = {"preset": "6", "g": "{gop}", "svtav1-params": "lossless=1:lp=1"}
_AOM = {"cpu-used": "4", "b": "0", "g": "{gop}", "aom-params": "lossless=1"}
VIDEO = (
    Codec("x264 qp 0", "x264", "libx264", "h264", "gray", "index", _X264),
    Codec("x264 qp 0", "x264", "libx264rgb", "h264", "rgb24", "RGB", _X264),
    Codec("x265 lossless", "x265", "libx265", "hevc", "gray", "index", {"x265-params": _X265}),
    Codec("x265 lossless", "x265", "libx265", "hevc", "gbrp", "RGB", {"x265-params": _X265}),
    Codec("VP9 lossless", "vp9", "libvpx-vp9", "vp9", "gbrp", "RGB", {"lossless": "1", "cpu-used": "4", "g": "{gop}"}),
    Codec("FFV1", "ffv1", "ffv1", "ffv1", "gray", "index", _FFV1),
    Codec("FFV1", "ffv1", "ffv1", "ffv1", "bgr0", "RGB", _FFV1),
    Codec("AV1 lossless (SVT)", "av1", "libsvtav1", "libdav1d", "yuv420p", "index", _SVT),
    Codec("AV1 lossless (aom)", "av1", "libaom-av1", "libdav1d", "gbrp", "RGB", _AOM),
)
NAMES = ("x264", "x265", "vp9", "ffv1", "av1")


def methods(clip: Clip, gops: tuple[int, ...], peers: tuple[str, ...]) -> Iterator[Method]:
    """Those of these peers, on palette indices only where there are any."""
    for codec in VIDEO:
        if codec.peer in peers and (codec.given == "RGB" or clip.index is not None):
            for gop in gops:
                run = lambda codec=codec, gop=gop: lossless(codec.at(gop), clip)  # noqa: E731
                yield Method(codec.name, PICTURES, codec.given, access_of(gop), run)


def lossless(codec: Codec, clip: Clip) -> Result:
    """Packets and extra data; no container. Raises Unavailable, also where it turns out not to be lossless."""
    pictures = clip.rgb if codec.given == "RGB" else clip.index
    assert pictures is not None
    packets, extra, encoding = run_encoder(codec, pictures, round(clip.episode.fps) or 60)
    back, decoding = run_decoder(codec, packets, extra, pictures.shape[1:3])
    if not np.array_equal(back, pictures):
        raise Unavailable("it is not lossless here")
    return Result(sum(map(len, packets)) + len(extra), encoding, decoding)


@contextlib.contextmanager
def _told(codec: Codec) -> Iterator[None]:
    """What PyAV raises, as Unavailable."""
    import av

    try:
        yield
    except (av.FFmpegError, ValueError) as error:
        raise Unavailable(f"{codec.encoder} does not take these pictures ({error})") from None


def run_encoder(codec: Codec, frames: Sequence[np.ndarray] | np.ndarray, fps: int) -> tuple[list[bytes], bytes, float]:
    """(packets, extra data, CPU seconds) of pictures uint8 [H, W] or [H, W, 3]. Raises Unavailable."""
    try:
        import av
    except ImportError:
        raise Unavailable("it needs PyAV: pip install 'hstmae[video]'") from None
    for name in (codec.encoder, codec.decoder):
        if name not in av.codecs_available:
            raise Unavailable(f"PyAV has no {name} here")
    h, w = frames[0].shape[:2]
    if codec.pixels == "yuv420p" and (h % 2 or w % 2):
        raise Unavailable(f"{codec.encoder} takes even sides alone")
    context: Any = av.CodecContext.create(codec.encoder, "w")
    context.width, context.height, context.pix_fmt = w, h, codec.pixels
    context.time_base, context.framerate = Fraction(1, fps), Fraction(fps)
    context.thread_count = 1
    context.options = codec.options
    packets: list[bytes] = []

    def encode() -> None:
        with ordinary():
            packets.extend(bytes(packet) for packet in context.encode(_frame(codec, frames[0], 0)))
        for k in range(1, len(frames)):
            packets.extend(bytes(packet) for packet in context.encode(_frame(codec, frames[k], k)))
        packets.extend(bytes(packet) for packet in context.encode(None))

    with _told(codec):
        _, seconds = timed(encode)
    return packets, bytes(context.extradata or b""), seconds


def _frame(codec: Codec, picture: np.ndarray, time: int) -> Any:
    import av

    if codec.given == "index" and codec.pixels != "gray":  # the indices as brightness, and no colour
        frame = av.VideoFrame(picture.shape[1], picture.shape[0], codec.pixels)
        for plane in frame.planes[1:]:
            np.frombuffer(plane, np.uint8)[:] = 128
        luma = np.frombuffer(frame.planes[0], np.uint8).reshape(-1, frame.planes[0].line_size)
        luma[: picture.shape[0], : picture.shape[1]] = picture
    else:
        kind = "gray" if codec.given == "index" else "rgb24"
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format=kind).reformat(format=codec.pixels)
    frame.pts = time
    return frame


def run_decoder(codec: Codec, packets: list[bytes], extra: bytes, size: tuple[int, ...]) -> tuple[np.ndarray, float]:
    """(uint8 [T, H, W] or [T, H, W, 3], CPU seconds). Raises Unavailable."""
    import av

    context: Any = av.CodecContext.create(codec.decoder, "r")
    context.thread_count = 1
    context.width, context.height, context.pix_fmt = size[1], size[0], codec.pixels
    if extra:
        context.extradata = extra

    def decode() -> list[np.ndarray]:
        found: list[np.ndarray] = []
        for data in [*packets, None]:
            for frame in context.decode(None if data is None else av.Packet(data)):
                found.append(_luma(frame) if codec.given == "index" else frame.to_ndarray(format="rgb24"))
        return found

    with _told(codec):
        found, seconds = timed(decode)
    if not found:
        raise Unavailable(f"{codec.decoder} decodes nothing of it")
    return np.stack(found), seconds


def _luma(frame: Any) -> np.ndarray:
    """The grey picture, whatever kind of frame the decoder made of it (that of H.264 adds colour planes)."""
    plane = frame.planes[0]
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: frame.height, : frame.width]
