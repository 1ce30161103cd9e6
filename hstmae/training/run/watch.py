"""Watching a run in TensorBoard: losses, learning rate, masks and restored pictures, beside metrics.jsonl."""

import math
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ...config import RunConfig, to_dict
from ...data.clips.clip import Clip
from ...errors import ConfigError
from ...models.cubes import DEPTH
from ...restoration.restorer import Restorer
from ..masks.inputs import StepInputs
from .validation import restore_held_back

FOLDER = "tensorboard"  # of a run folder
PICTURES = 2  # validation clips that are shown
MASKS = 4  # clips of a training batch whose masks are shown
HIDDEN, DECODED, SEEN = 40, 130, 255  # grey of a unit: hidden, hidden and decoded in some slice, seen
SCALE = 8  # pixels a unit in pictures of masks


class Observer:
    """Is told what a run does, on the first rank. It must not draw from the global random generators."""

    def start(self, step: int) -> None:
        """Training goes on from `step` optimiser steps."""

    def log(self, step: int, values: dict[str, float]) -> None:
        """Means of one log interval."""

    def validated(
        self, step: int, values: dict[str, float], model: nn.Module, inputs: StepInputs, grid: tuple[int, int]
    ) -> None:
        """A validation of `model`, the averaged weights. May raise to end the run.

        Args:
            inputs: what the newest training step drew, on a grid of (rows, columns) units.
        """

    def close(self) -> None:
        """The run ends, in whatever way."""


class TensorBoard(Observer):
    """Writes the event files of one run. A resumed run takes back what was written beyond its checkpoint."""

    def __init__(self, config: RunConfig, clips: Sequence[Clip], device: torch.device) -> None:
        """
        Args:
            config: the run; its folder gets the folder `tensorboard`.
            clips: validation clips, of which the first two are shown, masked as in validation.
            device: of the model.
        Raises:
            ImportError: the package `tensorboard` is missing.
        """
        from torch.utils.tensorboard import SummaryWriter

        self._make, self._config, self._clips, self._device = SummaryWriter, config, clips[:PICTURES], device
        self._writer: SummaryWriter | None = None

    def start(self, step: int) -> None:
        self._writer = self._make(str(Path(self._config.train.out) / FOLDER), purge_step=step + 1)

    def log(self, step: int, values: dict[str, float]) -> None:
        assert self._writer is not None
        for name, value in values.items():
            self._writer.add_scalar(f"train/{name}", value, step)

    def validated(
        self, step: int, values: dict[str, float], model: nn.Module, inputs: StepInputs, grid: tuple[int, int]
    ) -> None:
        assert self._writer is not None
        for name, value in values.items():
            self._writer.add_scalar(f"val/{name}", value, step)
        slices = self._config.data.clip // DEPTH
        self._writer.add_image("train/masks", mask_picture(inputs, grid, slices), step, dataformats="HW")
        restorer = Restorer(model, self._config.model, self._device, recall=False, fast=False)
        for position, clip in enumerate(self._clips):
            picture = restoration_picture(restorer, clip, position, self._config.train.seed)
            self._writer.add_image(f"val/masked_restored_true_{position}", picture, step, dataformats="HWC")
        self._writer.flush()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


class Board(Observer):
    """Sends figures to a board that has the interface of wandb: wandb itself, or trackio. A run that goes on after it
    was stopped goes on there under the same name."""

    def __init__(self, library: Any, project: str, config: RunConfig) -> None:
        self._library, self._project, self._config, self._begun = library, project, config, False

    def start(self, step: int) -> None:
        name = Path(self._config.train.out).name
        self._library.init(project=self._project, name=name, config=to_dict(self._config), resume="allow")
        self._begun = True

    def log(self, step: int, values: dict[str, float]) -> None:
        self._library.log({f"train/{name}": value for name, value in values.items()}, step=step)

    def validated(
        self, step: int, values: dict[str, float], model: nn.Module, inputs: StepInputs, grid: tuple[int, int]
    ) -> None:
        self._library.log({f"val/{name}": value for name, value in values.items()}, step=step)

    def close(self) -> None:
        if self._begun:
            self._library.finish()


def boards(config: RunConfig) -> list[Observer]:
    """The observers that `train.wandb` and `train.trackio` ask for. Raises ConfigError where a library is missing."""
    found: list[Observer] = []
    for name in ("wandb", "trackio"):
        if not (project := getattr(config.train, name)):
            continue
        try:
            found.append(Board(import_module(name), project, config))
        except ImportError:
            raise ConfigError(f"configuration: train.{name} needs another library: pip install {name}") from None
    return found


def tensorboard(
    config: RunConfig, clips: Sequence[Clip], device: torch.device, say: Callable[[str], None]
) -> list[Observer]:
    """The observer that `train.tensorboard` asks for; none, and a line said, where the package is missing."""
    if not config.train.tensorboard:
        return []
    try:
        return [TensorBoard(config, clips, device)]
    except ImportError:
        say("no TensorBoard files (pip install 'hstmae[logs]'); metrics.jsonl has the numbers all the same")
        return []


def mask_picture(inputs: StepInputs, grid: tuple[int, int], slices: int) -> np.ndarray:
    """Masks of the first clips of a step, side by side, one unit 8x8 pixels: uint8 [H, W].

    Bright units are seen; of the hidden ones those are lighter of which a cube is decoded.
    """
    panels = []
    for visible, queries in zip(inputs.visible[:MASKS].cpu(), inputs.queries[:MASKS].cpu(), strict=True):
        shade = np.full(math.prod(grid), HIDDEN, np.uint8)
        shade[(queries // slices).numpy()] = DECODED
        shade[visible.numpy()] = SEEN
        panels.append(np.pad(np.kron(shade.reshape(grid), np.ones((SCALE, SCALE), np.uint8)), ((0, 0), (0, SCALE))))
    return np.concatenate(panels, 1)


def restoration_picture(restorer: Restorer, clip: Clip, position: int, seed: int) -> np.ndarray:
    """One frame from the middle of a validation clip: masked, restored, true, side by side: uint8 [H, 3 * W, 3].

    The mask is that of `validate` for the clip at this position.
    """
    middle = len(clip.frames) // 2
    hidden, made = restore_held_back(restorer, clip, seed, position, np.arange(len(clip.frames)) == middle)
    true = clip.frames[middle] if clip.palette is None else clip.palette[clip.frames[middle]]
    masked = np.where(hidden[middle, ..., None], np.uint8(HIDDEN), true)
    return np.concatenate([masked, made.rgb[middle], true], 1)
