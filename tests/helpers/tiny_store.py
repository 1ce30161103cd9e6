"""A small SMB store: bricks that scroll a pixel a frame, with memory that says nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hstmae.data import Episode
from hstmae.data.sources.smb.dataset_writer import write_smbdataset
from hstmae.data.store.preprocessing import preprocess

FRAMES = 14

# A model and a run that take a fraction of a second a step.
SMALL = {
    "data.clip": 4, "data.stride": 2, "data.crop": 64, "model.dims": "[16,32,48,64]", "model.head_dim": 16,
    "model.depths": "[1,1,1,1]", "model.decoder_dim": 32, "model.decoder_depth": 1, "model.decoder_head_dim": 16,
    "model.state_dim": 32, "model.texture_dim": 4, "model.pixel_dim": 8, "train.batch": 2, "train.steps": 4,
    "train.absolute_lr": 3e-3, "train.ema": 0.5, "train.queries": 8, "train.val_every": 2, "train.val_clips": 1,
    "train.checkpoint_every": 2, "train.mask_ratios": "[0.5]", "train.threads": 1, "train.device": "cpu",
}  # fmt: skip
OPTIONS = [word for key, value in SMALL.items() for word in ("--set", f"{key}={value}")]


def make_store(base: Path, episodes: int = 4) -> Path:
    """Episodes of 14 frames, splits train, val and val_level (3-2, the last one): the folder of the store."""
    y, x = np.mgrid[:240, :256]
    palette = np.random.default_rng(1).integers(0, 256, (64, 3), dtype=np.uint8)
    for index in range(episodes):
        level = "3-2" if index == episodes - 1 else "1-1"
        bricks = [np.where(y < 120, 34, np.where((y // 8 + (x + t + index) // 8) % 2, 7, 40)) for t in range(FRAMES)]
        episode = Episode(
            name=f"player_abcd_e{index}_{level}_win",
            game="smb",
            frames=np.stack(bricks).astype(np.uint8),
            palette=palette,
            state=np.zeros((FRAMES, 2048), np.uint8),
            context=None,
            actions=np.zeros(FRAMES, np.uint8),
            frame_numbers=np.arange(1, FRAMES + 1, dtype=np.int32),
            outcome="win",
            level=level,
        )
        write_smbdataset(episode, base / "in")
    preprocess(base / "in", base / "out", workers=1, val_levels=["3-2"], val_fraction=0.4)
    return base / "out"
