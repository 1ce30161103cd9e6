"""The scores that masks follow, and the running prediction of the loss."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import Tensor
from training_fakes import MemoryClips

from hstmae.models.masking import score_ranks
from hstmae.training.losses.reconstruction import cube_losses
from hstmae.training.masks.loss_predictor import LossPredictor, unit_features
from hstmae.training.masks.unit_scores import change, moving_objects, semantics


def test_moving_objects_are_found_where_the_state_says() -> None:
    clips = MemoryClips().batch(0, 1)
    boxes = torch.zeros(1, 2, 2, 5, dtype=torch.int16)
    boxes[:, :, 0] = torch.tensor([3, 30, 20, 46, 40])  # one box in both frames, across two columns and rows
    sprites = torch.full((1, 2, 1, 4), 500, dtype=torch.int16)
    sprites[0, 0, 0] = torch.tensor([8, 8, 0, 0])  # one sprite in one of the frames
    state = SimpleNamespace(boxes=boxes, sprites=sprites)
    found = moving_objects(state, torch.zeros(1, 2, dtype=torch.long), (4, 4), 8).view(4, 4)  # type: ignore[arg-type]
    wanted = torch.zeros(4, 4)
    wanted[1:3, 1:3] = 1
    wanted[0, 0] = 0.25
    assert torch.equal(found, wanted)
    moved = moving_objects(state, torch.tensor([[16, 16]]), (4, 4), 8).view(4, 4)  # type: ignore[arg-type]
    assert torch.equal(moved[:2, :2], wanted[1:3, 1:3]) and moved.sum() == 4
    assert torch.equal(semantics(change(clips.frames), None, clips.origin, (4, 4), 8), 0.25 * change(clips.frames))


def test_the_predictor_learns_from_losses_what_is_hard() -> None:
    """At first detail is thought hard; losses that say the opposite turn the order round."""
    generator = torch.Generator().manual_seed(0)
    told = torch.rand(4, 36, generator=generator) * 4
    none = torch.zeros(4, 36)
    features = unit_features(told, none, none, (6, 6), torch.zeros(4, 2, dtype=torch.long))
    predictor = LossPredictor(0.99)

    def agreement(target: Tensor) -> float:
        pair = torch.stack([score_ranks(predictor.predict(features)).flatten(), score_ranks(target).flatten()])
        return torch.corrcoef(pair)[0, 1].item()

    assert agreement(told) > 0.9
    for step in range(20):
        units = torch.randint(36, (4, 30), generator=torch.Generator().manual_seed(step))
        losses = (-told.gather(1, units)).exp()
        losses[0, 0] = float("nan")  # a loss that is no number teaches nothing
        predictor.update(features, units, losses)
    assert agreement(-told) > 0.9
    again = LossPredictor(0.99)
    again.load_state_dict(predictor.state_dict())
    assert torch.equal(again.predict(features), predictor.predict(features))


def test_cube_losses_are_those_of_the_losses_module() -> None:
    """On pictures in squares of 4x4 equal pixels, a sixteenth of the pixels gives the exact mean."""
    generator = torch.Generator().manual_seed(0)
    small = torch.randn(2, 3, 2, 4, 4, 5, generator=generator)
    index = torch.randint(5, (2, 3, 2, 4, 4), generator=generator, dtype=torch.uint8)
    out, target = (x.repeat_interleave(4, 3).repeat_interleave(4, 4) for x in (small, index))
    wanted = torch.nn.functional.cross_entropy(out.flatten(0, 4), target.flatten().long(), reduction="none")
    assert torch.allclose(cube_losses(out, target, None, "palette"), wanted.view(2, 3, -1).mean(-1), atol=1e-6)
    palette = torch.randint(256, (2, 5, 3), generator=generator, dtype=torch.uint8)
    truth = torch.stack([palette[b][target[b].long()] for b in range(2)])
    exact = truth.float() / 255
    assert cube_losses(exact, target, palette, "rgb").abs().max() == 0
    assert torch.allclose(cube_losses(exact + 0.5, truth, None, "rgb"), torch.full((2, 3), 0.5), atol=1e-6)
