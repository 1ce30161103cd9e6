"""Where a run's clips come from: files, or the memory of the device when the store fits into it."""

from __future__ import annotations

from collections.abc import Callable, Sized

import torch

from ...config import RunConfig
from ...data.clips.clip import BatchSource
from ...data.clips.dataset import ClipDataset
from ...data.clips.prefetch import Prefetcher
from ...data.clips.resident import ResidentClips
from ...errors import DataError
from .distributed import RankClips, World


def place_clips(
    clips: BatchSource, config: RunConfig, device: torch.device, say: Callable[[str], None]
) -> tuple[BatchSource, int]:
    """Load the store onto the device where `data.resident` and its memory allow it. The clips are the same either way.

    Returns:
        What gives batches, and how many threads are to prepare them.
    Raises:
        DataError: `data.resident` is "on", and the store does not fit.
    """
    wanted = config.data.resident
    if wanted == "off" or not isinstance(clips, ClipDataset) or (wanted == "auto" and device.type != "cuda"):
        return clips, config.data.workers
    try:
        resident = ResidentClips(clips, device)
    except DataError as problem:
        if wanted == "on":
            raise
        say(f"clips are read from files: {problem}")
        return clips, config.data.workers
    say(f"{resident.frames} frames kept on {device}: {resident.bytes / 2**30:.2f} GiB")
    return resident, 0


def batches_from(clips: BatchSource, workers: int, step: int, batch: int, world: World) -> Prefetcher:
    """This rank's part of every batch from `step` on."""
    return Prefetcher(RankClips(clips, world), batch // world.size, step, workers)


def epoch_steps(clips: BatchSource, batch: int) -> float:
    """Steps after which as many clips were drawn as there are different ones; 0 where they are endless."""
    return len(clips) / batch if isinstance(clips, Sized) else 0.0
