"""Films of the kinds of encoders and containers that are at hand; needs PyAV."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

FRAMES = 60
OPEN = {"x264-params": "open-gop=1:keyint=12:min-keyint=12:scenecut=0:bframes=3"}
# name of the file, encoder, pixel format, options, sound
KINDS = {
    "closed.mp4": ("libx264", "yuv420p", {"g": "12"}, "aac"),
    "open.mkv": ("libx264", "yuv420p", OPEN, ""),
    "open.mp4": ("libx265", "yuv420p", {"x265-params": "keyint=12:open-gop=1:log-level=none"}, ""),
    "refresh.mkv": ("libx264", "yuv420p", {"x264-params": "intra-refresh=1:keyint=12"}, ""),
    "endless.mp4": ("libx264", "yuv420p", {"x264-params": "keyint=infinite:scenecut=0"}, ""),
    "sound.webm": ("libvpx-vp9", "yuv420p", {"g": "12", "deadline": "realtime"}, "libopus"),
    "hidden.webm": ("libvpx", "yuv420p", {"auto-alt-ref": "1", "lag-in-frames": "16", "g": "20"}, ""),
    "deep.mkv": ("ffv1", "yuv420p10le", {"g": "12"}, "pcm_s16le"),
    "clear.mov": ("qtrle", "argb", {"g": "12"}, ""),
    "plain.avi": ("mpeg4", "yuv420p", {"bf": "2", "g": "12"}, ""),
    "own.avi": ("rawvideo", "bgr24", {}, ""),
    "wide.mov": ("prores_ks", "yuv422p10le", {}, "pcm_s16le"),
    "stream.ts": ("libx264", "yuv420p", {"g": "12"}, "aac"),
    "broken_up.mpg": ("mpeg2video", "yuv420p", {"bf": "2", "g": "12"}, ""),
    "packed.wmv": ("wmv2", "yuv420p", {"g": "12"}, ""),
}


def picture(k: int) -> np.ndarray:
    rows, columns = np.mgrid[0:48, 0:64]
    rgb = np.stack([rows * 4 + k, columns * 3 - 2 * k, (rows ^ columns) * 2 + k], -1).astype(np.uint8)
    rgb[5 + k % 20 : 15 + k % 20, 10:30] = (250, k * 4 % 256, 30)
    return rgb


def make(path: Path, *, varying: bool = False, frames: int = FRAMES) -> Path:
    encoder, form, options, sound = KINDS[path.name]
    if encoder not in av.codecs_available:
        pytest.skip(f"this FFmpeg has no {encoder}")
    kind = {".wmv": "asf", ".ts": "mpegts", ".mpg": "mpeg"}.get(path.suffix)
    with av.open(str(path), "w", format=kind) as film:
        stream = film.add_stream(encoder, rate=Fraction(30000, 1001), options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, form
        if varying:
            stream.codec_context.time_base = Fraction(1, 30000)
        beside = film.add_stream(sound, rate=48000) if sound else None
        film.metadata["title"] = "a film"
        for k in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(k), format="rgb24")
            frame.pts, frame.time_base = 1001 * k + 300 * (k % 3) * varying, Fraction(1, 30000)
            film.mux(stream.encode(frame))
            if beside is not None and k % 2 == 0:
                wave = (np.sin(np.arange(3072) / 9) * 9000).astype(np.int16)[None]
                tone = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
                tone.sample_rate = 48000
                film.mux(beside.encode(tone))
        film.mux(stream.encode())
        if beside is not None:
            film.mux(beside.encode())
    return path
