"""A small environment, and what recordings of it hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

pytest.importorskip("gymnasium", reason='the extra "record" is needed')

import gymnasium

from hstmae.codec.session.reader import HstReader


class Dot(gymnasium.Env[Any, Any]):
    """A dot that actions move. `image`: the picture is the observation; else a vector is, and `render` shows it."""

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"], "render_fps": 25}

    def __init__(self, image: bool = True, space: Any = None, length: int = 5, render_mode: str | None = None) -> None:
        self.image, self.length, self.render_mode = image, length, render_mode
        self.action_space = space or gymnasium.spaces.Discrete(4)
        box = gymnasium.spaces.Box
        self.observation_space = box(0, 255, (12, 16, 3), np.uint8) if image else box(-9, 99, (2,), np.float32)
        self.at, self.t = 0, 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.at, self.t = int(self.np_random.integers(12)), 0
        return self.seen(), {"lives": 3}

    def step(self, action: Any) -> Any:
        self.at = (self.at + 1 + int(np.sum(np.asarray(action, float)) * 2)) % 12
        self.t += 1
        over = self.t >= self.length
        return self.seen(), self.at / 7, over, False, {"lives": 3 - self.t % 2, "is_success": self.at % 2 == 0}

    def render(self) -> np.ndarray:
        picture = np.zeros((12, 16, 3), np.uint8)
        picture[self.at, self.t % 16] = (200, self.at * 9, 40)
        return picture

    def seen(self) -> np.ndarray:
        return self.render() if self.image else np.array([self.at, self.t], np.float32)


def frames_of(path: Path) -> list[np.ndarray]:
    with HstReader(path) as reader:
        return [reader.episode(k).frames for k in range(len(reader.entries))]


def said_of(path: Path) -> list[dict[str, np.ndarray]]:
    with HstReader(path) as reader:
        return [reader.steps(k) for k in range(len(reader.entries))]
