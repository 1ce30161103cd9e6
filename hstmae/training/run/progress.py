"""What a run tells about itself: its speed, its progress line and its summary."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass
class RunSummary:
    """What one call of `fit` did. `stopped`: finished, max_steps, max_minutes, SIGTERM or SIGINT."""

    run: str
    step: int
    steps: int
    stopped: str
    minutes: float
    clips_per_second: float
    data_share: float  # of the time, spent waiting for clips
    train: dict[str, float]  # means of the last log interval
    validation: dict[str, float]  # newest
    best_psnr_masked: float | None


@dataclass
class Pace:
    """Training speed over some steps."""

    clips: int = 0
    seconds: float = 0.0
    waited: float = 0.0  # seconds of them spent waiting for clips

    def __add__(self, other: Pace) -> Pace:
        return Pace(self.clips + other.clips, self.seconds + other.seconds, self.waited + other.waited)

    def rates(self) -> dict[str, float]:
        seconds = max(self.seconds, 1e-9)
        return {"clips_per_second": self.clips / seconds, "data_share": self.waited / seconds}


def psnr(mse: float) -> float:
    """dB of a mean squared error of colours in 0 .. 1; an exact restoration counts as 120 dB."""
    return -10 * math.log10(max(mse, 1e-12))


def progress_line(last: dict[str, float], newest: dict[str, float]) -> str:
    """What the progress bar shows: means of the last log interval and the newest validation."""
    text = f"loss {last['loss']:.3f}, psnr {last['psnr_masked']:.2f}, {last['clips_per_second']:.1f} clips/s"
    return text + (f", val {newest['psnr_masked']:.2f} dB" if newest else "")
