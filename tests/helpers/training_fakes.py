"""A small model and in-memory clips with the interfaces that training relies on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from hstmae.config import DataConfig, RunConfig, TrainConfig
from hstmae.data.clips.clip import Clip, ClipBatch, collate
from hstmae.games.state import GameState
from hstmae.models.cubes import take_units, to_cubes
from hstmae.models.inputs import MaskedClips

COLOURS, SIDE, FRAMES = 8, 64, 4
UNITS, SLICES = (SIDE // 16) ** 2, FRAMES // 2
PALETTE = np.random.default_rng(5).integers(0, 256, (COLOURS, 3), dtype=np.uint8)


def make_clip(seed: int) -> Clip:
    """A sky, a ground and a box that moves two pixels a frame from a seeded place."""
    rng = np.random.default_rng([7, seed])
    frames = np.zeros((FRAMES, SIDE, SIDE), np.uint8)
    frames[:, 48:] = 1
    y, x, colour = rng.integers(0, 30), rng.integers(0, 40), rng.integers(2, COLOURS)
    for t in range(FRAMES):
        frames[t, y : y + 12, x + 2 * t : x + 2 * t + 12] = colour
    return Clip(frames, PALETTE, (0, 0), None, f"clip-{seed}", np.arange(FRAMES))


HELD_BACK = [make_clip(10**6), make_clip(10**6 + 1)]


class MemoryClips:
    """Stands in for ClipDataset: batches that depend on the step alone."""

    def batch(self, step: int, batch_size: int) -> ClipBatch:
        return collate([make_clip(step * batch_size + i) for i in range(batch_size)])


def make_state(batch: int, frames: int = FRAMES, kinds: int = 9, features: int = 20) -> GameState:
    """A state of nothing but seeded tokens, on map 7, with a camera that stands still (torch, [B, T, ...])."""
    generator = torch.Generator().manual_seed(batch)
    tokens = torch.rand(batch, frames, kinds, features, generator=generator)
    return GameState(
        tiles=(torch.zeros(batch, frames, 13, 17, dtype=torch.int16), torch.zeros(batch, frames, 4, 32).short()),
        tile_xy=(torch.zeros(batch, frames, 2, dtype=torch.int16), torch.zeros(batch, frames, 2, dtype=torch.int16)),
        sprites=torch.full((batch, frames, 64, 4), 255, dtype=torch.int16),
        globals=torch.zeros(batch, frames, 13, dtype=torch.uint8),
        camera=torch.zeros(batch, frames, dtype=torch.int32),
        area=torch.full((batch, frames), 7, dtype=torch.int32),
        tokens=tokens,
        token_xy=torch.zeros(batch, frames, kinds, 2),
        token_valid=torch.ones(batch, frames, kinds, dtype=torch.bool),
        boxes=torch.zeros(batch, frames, 7, 5, dtype=torch.int16),
        scene=torch.full((batch, frames), 7, dtype=torch.int32),
    )


class TinyModel(nn.Module):
    """Place of the cube and mean of the visible colours -> logits; drops out, so that it depends on the global seed."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.place = nn.Embedding(UNITS * SLICES, 16)
        self.colours = nn.Linear(COLOURS, 16)
        self.norm = nn.LayerNorm(16)
        self.gate = nn.Parameter(torch.ones(()))
        self.register_buffer("calls", torch.zeros((), dtype=torch.long))
        self.drop = nn.Dropout(0.1)
        self.out = nn.Linear(16, 2 * 16 * 16 * COLOURS)
        self.seen_levels: list[Tensor | None] = []

    def forward(self, clips: MaskedClips, queries: Tensor) -> Tensor:
        if self.training:
            self.calls += 1
        self.seen_levels.append(clips.level)
        units = take_units(to_cubes(clips.frames), clips.visible).flatten(1).long()
        share = nn.functional.one_hot(units, COLOURS).float().mean(1)
        x = self.norm(self.place(queries) + self.gate * self.colours(share)[:, None])
        return self.out(self.drop(x)).view(*queries.shape, 2, 16, 16, COLOURS)


def make_config(out: Path | str, **train: object) -> RunConfig:
    """A run of 40 short steps on the CPU."""
    values: dict[str, object] = {
        "out": str(out), "batch": 4, "steps": 40, "absolute_lr": 0.02, "warmup": 0.1, "ema": 0.9, "queries": 12,
        "checkpoint_every": 5, "val_every": 20, "mask_ratios": (0.5, 0.75), "threads": 1, "device": "cpu",
    }  # fmt: skip
    return RunConfig(data=DataConfig(clip=FRAMES, crop=SIDE), train=TrainConfig(**{**values, **train}))  # type: ignore
