"""What a run's masks hide, drawn over frames of its own store: one row per moment of the run."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL.Image import Image

from ...config import RunConfig, apply_overrides, load_config
from ...data.clips.clip import ClipBatch
from ...drawing.sheet import Row, compose
from ...limits import check_run
from ...models.checkpoint import load_resume
from ...models.cubes import CUBE, DEPTH, grid_size
from ..masks.curriculum import NEUTRAL, StepMasks, mask_source, moment_at
from ..masks.inputs import StepInputs
from .setup import open_data

CLIPS = 4  # columns
SEEN, DECODED, HIDDEN = (255, 214, 64), (190, 60, 150), (50, 50, 50)  # border of seen units, tints of the others
_LEGEND = (("seen", SEEN), ("hidden, decoded", DECODED), ("hidden", HIDDEN))


def mask_sheet(config: RunConfig, learned: dict[str, Any] | None = None) -> Image:
    """Rows for the start and end of each phase (without a curriculum: for steps in a row), and for damage and anchors
    where the configuration asks for them; columns are clips of the training split.

    Args:
        config: of the run; clips come from `config.data`.
        learned: state of the run's masks, as its checkpoints hold it; None = before any loss has been seen.
    Raises:
        ConfigError, StoreError, DataError: configuration and store do not make a run.
    """
    check_run(config)
    batch = open_data(replace(config, train=replace(config.train, val_clips=0)))[0].batch(0, CLIPS)
    rows = [_row(batch, *row) for row in _rows(config, batch, learned)]
    state = "on" if config.train.curriculum.enabled else "off"
    return compose(f"{config.model.name}: masks, curriculum {state}", _LEGEND, rows)


def _rows(
    config: RunConfig, batch: ClipBatch, learned: dict[str, Any] | None
) -> Iterator[tuple[str, StepInputs, bool]]:
    """Caption, inputs, and whether the columns are slices of one clip instead of clips."""
    train, course = config.train, config.train.curriculum
    if not course.enabled:
        masks = mask_source(config)
        for step in range(4):
            inputs = masks.draw(batch, step)
            yield f"step {step}: neutral, {inputs.ratio:.0%} of the units hidden", inputs, False
        return

    def source(**changes: float) -> StepMasks:
        made = mask_source(replace(config, train=replace(train, curriculum=replace(course, **changes))))  # type: ignore
        if learned:
            made.load_state_dict(learned)
        return made

    plain = source(damage=0.0, anchors=0.0)
    phases = [moment_at(course, step, train.steps).phase for step in range(train.steps)]
    for phase, steps in Counter(phases).items():
        first = phases.index(phase)
        for name, step in (("start of phase", first), ("end of phase", first + steps - 1)):
            if phase == NEUTRAL and step > first:
                continue  # it ends as it began
            now = moment_at(course, step, train.steps)
            caption = f"{name} {phase} (step {step}): {now.ratio:.0%} of the units hidden, factor {now.factor:.2f}"
            yield caption, plain.draw(batch, step), False
    if course.damage:
        inputs = source(damage=1.0, anchors=0.0).draw(batch, 0)
        caption = f"{course.damage:.0%} of the steps: shapes of damage, {inputs.ratio:.0%} of the units hidden"
        yield caption, inputs, False
    if course.anchors:
        inputs = source(damage=0.0, anchors=1.0).draw(batch, 0)
        yield f"{course.anchors:.0%} of the steps: whole slices of a clip, nothing of the others", inputs, True


def _row(batch: ClipBatch, caption: str, inputs: StepInputs, one_clip: bool) -> Row:
    _, time, height, width = batch.frames.shape[:4]
    grid, slices = grid_size(height, width), time // DEPTH
    places = [(0, k * slices // CLIPS) for k in range(CLIPS)] if one_clip else [(b, slices // 2) for b in range(CLIPS)]
    panels = []
    for clip, piece in places:
        seen, asked = np.zeros((2, grid[0] * grid[1]), bool)
        lost = inputs.shown is not None and not inputs.shown[clip, piece * DEPTH : (piece + 1) * DEPTH].any()
        seen[inputs.visible[clip].numpy()] = not lost
        wanted = inputs.queries[clip]
        asked[(wanted[wanted % slices == piece] // slices).numpy()] = True
        frame = batch.frames[clip, piece * DEPTH]
        picture = np.asarray(frame if batch.palette is None else batch.palette[clip][frame.long()])
        name = f"slice {piece}" if one_clip else inputs.kinds[clip] if inputs.kinds else "neutral"
        panels.append((name, _draw(picture, seen.reshape(grid), asked.reshape(grid))))
    return Row(caption, panels)


def _draw(picture: np.ndarray, seen: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The picture, seen units as they are in a thin frame, the others dark, those that are decoded in blue."""

    def pixels(units: np.ndarray) -> np.ndarray:
        return units.repeat(CUBE, 0).repeat(CUBE, 1)[..., None]

    tint = np.where(pixels(asked), np.array(DECODED), np.array(HIDDEN))
    dark = (0.35 * picture + 0.5 * tint).astype(np.uint8)
    out = np.where(pixels(seen), picture, dark)
    for y, x in np.argwhere(seen) * CUBE:
        box = out[y : y + CUBE, x : x + CUBE]
        box[[0, -1]] = SEEN
        box[:, [0, -1]] = SEEN
    return out


def read_run(path: Path, overrides: list[str]) -> tuple[RunConfig, dict[str, Any] | None]:
    """Configuration, and what its masks have learned, of a YAML file (nothing learned) or a run folder.

    Raises:
        ConfigError, CheckpointError: the file or the run cannot be read.
    """
    if not path.is_dir():
        return load_config(path, overrides), None
    payload, _ = load_resume(path, print)
    return apply_overrides(RunConfig, payload["config"], overrides), payload.get("masks")
