"""The length of a film does not matter for the memory that preprocessing it takes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from test_video_source import moving, write_film

_RUN = """
import sys
from hstmae.data.store.preprocessing import preprocess
from hstmae.data.store.writer import Packing
summary = preprocess(sys.argv[1], sys.argv[2], game="generic", workers=1, packing=Packing(level=1))
# Not getrusage: its peak is at least what the parent process held when it started this one.
(peak,) = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(summary.frames, peak)
"""


def test_a_long_film_takes_no_more_memory_than_a_short_one(tmp_path: Path, environment: dict[str, str]) -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("peak memory of a process is asked for as on Linux")
    peaks = []
    for count in (40, 1000):
        pictures = moving(40, (160, 240))
        write_film(tmp_path / str(count) / "film.mp4", pictures[[t % 40 for t in range(count)]])
        command = [sys.executable, "-c", _RUN, str(tmp_path / str(count)), str(tmp_path / f"store {count}")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        frames, peak = map(int, done.stdout.split())
        assert frames == count
        peaks.append(peak * 1024)
    more = 960 * 160 * 240 * 3  # bytes that the frames of the long film take beyond those of the short one
    assert peaks[1] - peaks[0] < more / 4
