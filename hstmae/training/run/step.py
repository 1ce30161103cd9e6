"""One training step from its clips to its losses."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch import Tensor

from ...config import TrainConfig
from ...data.clips.clip import ClipBatch
from ...errors import DataError
from ...games.state import NOWHERE
from ...models.adaptive import clip_palette
from ...models.cubes import DEPTH, grid_size, take_cubes, to_cubes
from ...models.inputs import MaskedClips, Places
from ..losses.auxiliary import AuxiliaryLosses
from ..losses.distillation import Distillation
from ..losses.fused import reconstruction
from ..losses.neighbours import box_regions
from ..losses.reconstruction import adaptive_loss, colour_loss, cube_losses, emphasis_weights, target_colours
from ..masks.inputs import StepInputs

Forward = Callable[..., Any]


def step_losses(
    model: Forward,
    batch: ClipBatch,
    inputs: StepInputs,
    config: TrainConfig,
    head: str = "palette",
    clip_colours: int = 32,
    observe: Callable[[Tensor], None] | None = None,
    auxiliary: AuxiliaryLosses | None = None,
    distillation: Distillation | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Forward pass and losses of one batch over the decoded (hidden) cubes.

    Args:
        model: as `HSTMAE.forward`, with `align` where its prediction of the state is wanted.
        head: what the model answers: "palette" for logits, "adaptive" for logits over `clip_colours` colours of the
            clip, "rgb" for colours.
        observe: receives the detached loss of every decoded cube, float32 [B, Q].
        auxiliary: the losses beside the reconstruction, None without any.
        distillation: the losses against a teacher, of heads "palette" alone; None without one.
    Returns:
        The loss with its graph, and detached raw terms: `loss`, `mse` (RGB in 0 .. 1), `exact_match` (share), and for
        head "palette", whose reconstruction loss is ``CE + rgb_loss * MSE``, `ce` (nats); for head "rgb",
        ``Charbonnier + rgb_loss * MSE``, `charbonnier`; and those of `auxiliary`. Hard cubes are over-represented in
        them; validation measures all cubes. `emphasis` weighs pixels in the loss alone.
    Raises:
        DataError: true-colour clips for a palette head.
    """
    state = batch.state
    if state is not None and inputs.lost is not None:
        nowhere = inputs.lost[:, None]
        state = replace(
            state, area=state.area.masked_fill(nowhere, NOWHERE), scene=state.scene.masked_fill(nowhere, NOWHERE)
        )
    aligns = auxiliary is not None and auxiliary.aligns
    frames = batch.frames if inputs.shown is None else inputs.shown
    own = clip_palette(frames, inputs.visible, clip_colours) if head == "adaptive" else None
    clips = MaskedClips(frames, inputs.visible, state, inputs.level, batch.origin, batch.size, own)
    predicted = decoded = None
    if aligns:
        out, predicted = model(clips, inputs.queries, align=True)
    elif distillation is not None:
        out, decoded = model(clips, inputs.queries, features=True)
    else:
        out = model(clips, inputs.queries)
    target = take_cubes(to_cubes(batch.frames), inputs.queries)
    weight = _emphasis(target, batch, inputs, config.emphasis)
    colours: Tensor | None = None
    if own is not None:
        loss, colours, terms = adaptive_loss(out, own, target, config.rgb_loss, weight)
    elif head == "rgb":
        colours = out.float()
        loss, terms = colour_loss(colours, target_colours(target, batch.palette), config.rgb_loss, weight)
    elif batch.palette is None:
        raise DataError("a palette head cannot be trained with true-colour clips; set model.head=rgb")
    else:
        shown = auxiliary is not None
        loss, colours, terms = reconstruction(out, target, batch.palette, config.rgb_loss, weight, shown)
    if observe is not None:
        if own is not None and colours is not None:
            observe(cube_losses(colours.detach(), target, None, "rgb"))
        else:
            observe(cube_losses(out.detach(), target, batch.palette, head))
    if auxiliary is not None and colours is not None:
        loss, raw = auxiliary.add(loss, colours, target_colours(target, batch.palette), predicted, batch, inputs)
        terms |= raw
    if distillation is not None and decoded is not None:
        loss, raw = distillation.add(loss, out, decoded, clips, inputs.queries)
        terms |= raw
    return loss, {"loss": loss.detach(), **terms}


def _emphasis(target: Tensor, batch: ClipBatch, inputs: StepInputs, strength: float) -> Tensor | None:
    """Weight of each pixel in the reconstruction loss, None where all count alike."""
    if not strength:
        return None
    objects = None
    if batch.state is not None:
        columns, slices = grid_size(*batch.frames.shape[2:4])[1], batch.frames.shape[1] // DEPTH
        objects = box_regions(batch.state, Places.of(inputs.queries, slices, columns, batch.origin)) > 0
    return emphasis_weights(target, strength, objects)
