"""Script of one rank: train on in-memory clips under torchrun's environment.

Usage: rank_run.py OUT MODEL STEPS [KEY=VALUE ...] [-- OUT MODEL ...]   MODEL: fake (TinyModel) or real (a very small
HST-MAE). Runs after a -- follow in the same processes.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch._dynamo  # which optimizers need: read before this process goes on as two
import torch.distributed.fsdp
from training_fakes import COLOURS, HELD_BACK, MemoryClips, TinyModel, make_clip, make_config

from hstmae.config import ModelConfig, RunConfig, apply_overrides, to_dict
from hstmae.data.clips.clip import collate
from hstmae.models.checkpoint import can_resume, load_resume
from hstmae.training.run.distributed import World, joined_world
from hstmae.training.run.trainer import Trainer

SMALL = ModelConfig(
    dims=(16, 16, 16, 16), depths=(1, 1, 1, 1), head_dim=8, decoder_dim=16, decoder_depth=1, decoder_head_dim=8,
    state_dim=16, texture_dim=4, pixel_dim=8, code_dim=4,
)  # fmt: skip


class Marking(TinyModel):
    """Marks the colours it has seen, and leaves a parameter without gradient where no clip is odd."""

    def __init__(self) -> None:
        super().__init__()
        self.drop.p = 0.0  # what a model itself draws is another draw for each pass
        self.register_buffer("marks", torch.zeros(COLOURS, dtype=torch.uint8))
        self.sometimes, self.never = (torch.nn.Parameter(torch.full((), 0.5)) for _ in range(2))

    def forward(self, clips, queries):
        out, frames = super().forward(clips, queries), clips.frames
        if self.training:
            self.marks[frames.flatten().long().unique()] = 1
        odd = frames[:, 0].flatten(1).int().argmax(1) % 4 == 3  # by the place of the box
        return out * (1 + self.sometimes * odd.view(-1, 1, 1, 1, 1, 1)) if odd.any() else out


class SmbClips(MemoryClips):
    """The same clips without a state, with the game's number of colours."""

    def batch(self, step, batch_size):
        batch = collate([make_clip(step * batch_size + i) for i in range(batch_size)])
        palette = torch.zeros(len(batch), 64, 3, dtype=torch.uint8)
        palette[:, :COLOURS] = batch.palette
        return replace(batch, palette=palette)


def train(out: Path, kind: str, steps: int, overrides: list[str], world: World) -> Trainer:
    config = apply_overrides(RunConfig, to_dict(make_config(out)), overrides)
    if kind == "real":
        colours = np.pad(HELD_BACK[0].palette, ((0, 64 - COLOURS), (0, 0)))
        held_back = [replace(clip, palette=colours) for clip in HELD_BACK]
        trainer = Trainer(replace(config, model=SMALL), SmbClips(), held_back, world=world, say=lambda _: None)
    else:
        trainer = Trainer(config, MemoryClips(), HELD_BACK, model=Marking(), world=world, say=lambda _: None)
    trainer.fit(load_resume(out, print)[0] if can_resume(out) else None, steps)
    return trainer


if __name__ == "__main__":
    if os.environ["RANK"] == "both":  # PyTorch is loaded once: this process goes on as two
        os.environ["RANK"] = os.environ["LOCAL_RANK"] = "0" if (other := os.fork()) else "1"
    else:
        other = 0
    with joined_world() as joined:
        words = sys.argv[1:]
        while words:
            end = words.index("--") if "--" in words else len(words)
            train(Path(words[0]), words[1], int(words[2]), words[3:end], joined)
            words = words[end + 1 :]
    if other and os.waitpid(other, 0)[1]:
        sys.exit(1)
