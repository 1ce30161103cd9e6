"""What a film is written with: every kind of samples finds an encoder, and losses are named before work."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from films import av

from hstmae.errors import UsageError
from hstmae.film.codecs import CONTAINERS, FilmOptions, holds, plan
from hstmae.film.layout import layout_of
from hstmae.film.priority import ordinary

FORMATS = ("yuv420p", "yuv422p", "yuv444p", "yuv411p", "yuv420p10le", "yuv422p12le", "yuv444p16le", "gray", "gray10le",
           "gray12le", "gray16le", "yuva420p", "yuva444p12le", "rgb24", "rgba", "rgb48le", "gbrp10le", "gbrap16le",
           "nv12")  # fmt: skip


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("size", [(48, 64), (47, 63)])
def test_every_kind_of_samples_is_written_or_told(form: str, size: tuple[int, int]) -> None:
    layout = layout_of(form)
    for suffix in CONTAINERS:
        made = plan(Path(f"a{suffix}"), layout, size, FilmOptions())
        assert holds(made.layout, layout) or made.lost, (suffix, made)
        assert made.encoder in av.codecs_available
        try:
            exact = plan(Path(f"a{suffix}"), layout, size, FilmOptions(lossless=True))
        except UsageError as error:
            assert suffix != ".mkv" or (form == "yuv411p" and size == (47, 63)), error
        else:
            assert holds(exact.layout, layout) and exact.lossless


def test_codecs_by_name() -> None:
    layout = layout_of("yuv420p")
    for name, encoder in (("h264", "libx264"), ("HEVC", "libx265"), ("ffv1", "ffv1"), ("libvpx-vp9", "libvpx-vp9")):
        assert plan(Path("a.mkv"), layout, (48, 64), FilmOptions(codec=name)).encoder == encoder
    assert plan(Path("a.mkv"), layout_of("rgb24"), (48, 64), FilmOptions(codec="h264")).encoder == "libx264rgb"
    for path, options in (("a.gif", "h264"), ("a.mp4", "aac"), ("a.mp4", "none"), ("a.txt", "h264")):
        with pytest.raises(UsageError):
            plan(Path(path), layout, (48, 64), FilmOptions(codec=options))
    better, worse = (plan(Path("a.mp4"), layout, (48, 64), FilmOptions(quality=q)).options["crf"] for q in (3, 30))
    assert (better, worse) == ("3", "30")


def test_no_encoder_keeps_a_process_real_time() -> None:
    """SVT-AV1 does, as root."""
    if "libsvtav1" not in av.codecs_available or not hasattr(os, "sched_getscheduler"):
        pytest.skip("an FFmpeg with SVT-AV1, and Linux, are needed")
    with ordinary():
        context = av.CodecContext.create("libsvtav1", "w")
        context.width, context.height, context.pix_fmt, context.time_base = 64, 64, "yuv420p", Fraction(1, 30)
        context.open()
        inside = os.sched_getscheduler(0)
    threads = {int(path.name) for path in Path("/proc/self/task").iterdir()}
    real_time = [thread for thread in threads if os.sched_getscheduler(thread) in (os.SCHED_FIFO, os.SCHED_RR)]
    assert not real_time and inside in (os.SCHED_OTHER, os.SCHED_FIFO, os.SCHED_RR)
    assert plan(Path("a.mp4"), layout_of("yuv420p"), (64, 64), FilmOptions("av1")).encoder == "libsvtav1"
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


def test_x264_writes_the_same_film_each_time() -> None:
    """With its functions for AVX-512 it makes one film after the other of such pictures."""
    rng = np.random.default_rng(0)
    base = rng.integers(0, 256, (11, 28, 3)).astype(np.uint8).repeat(8, 0).repeat(7, 1)
    made = set()
    for _ in range(6):
        coder: Any = av.CodecContext.create("libx264", "w")
        coder.width, coder.height, coder.pix_fmt, coder.time_base = 196, 88, "yuv420p", Fraction(1, 25)
        coder.options = plan(Path("x.mkv"), layout_of("yuv420p"), (88, 196), FilmOptions()).options
        frames = [av.VideoFrame.from_ndarray(np.roll(base, 3 * t, 1), format="rgb24") for t in range(12)]
        packets = [bytes(packet) for frame in [*frames, None] for packet in coder.encode(frame)]
        made.add(b"".join(packets))
    assert len(made) == 1
