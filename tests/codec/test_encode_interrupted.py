"""Encoding large pictures: progress within a group, and an end as soon as it is asked for."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from hstmae.codec.container.gop import GopShape
from hstmae.codec.lossless.kernel import backend
from hstmae.codec.lossless.true_colour import decode_colours, encode_colours


@pytest.mark.parametrize("colours", [4, 1 << 24])
def test_progress_is_told_within_a_group(colours):
    frames = np.random.default_rng(1).integers(0, 256, (5, 40, 60, 3), np.uint8)
    if colours < 256:
        frames = frames[0, 0, :colours][np.random.default_rng(2).integers(0, colours, frames.shape[:3])]
    shares: list[float] = []
    data = encode_colours(frames, backend(), shares.append)
    assert len(shares) >= 5 and sum(shares) == pytest.approx(1)
    np.testing.assert_array_equal(decode_colours(data, GopShape(5, 40, 60, 3, 0, 0), backend(), 5), frames)


def test_a_large_picture_tells_of_its_parts():
    shares: list[float] = []
    encode_colours(np.zeros((1, 1000, 1000, 3), np.uint8), backend(), shares.append)
    assert len(shares) > 10 and sum(shares) == pytest.approx(1)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="no such signals")
@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_is_heeded_within_a_group(workers, tmp_path):
    """One group of these pictures takes many seconds."""
    for episode in "ab":
        (tmp_path / "in" / episode).mkdir(parents=True)
        noise = np.random.default_rng(2).integers(0, 256, (64, 96, 128, 3), np.uint8)
        for k, frame in enumerate(noise):
            Image.fromarray(frame).save(tmp_path / "in" / episode / f"{k}.png", compress_level=0)
    words = ["encode", tmp_path / "in", tmp_path / "x.hst", "--workers", workers]
    command = [sys.executable, "-m", "hstmae", *map(str, words)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            seen = ""
            while "| 1.00/" not in seen:  # the first frame is coded, the group is not
                seen += process.stderr.read(1)
            process.send_signal(signal.SIGINT)
            began = time.monotonic()
            assert process.wait(60) == 130
            assert time.monotonic() - began < 10
            assert "Traceback" not in process.stderr.read()
        finally:
            process.kill()
