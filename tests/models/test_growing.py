"""A grown model answers as the narrow one, and its copies do not stay copies."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from random_play import random_state
from shaken import SMALL, shaken
from torch import Tensor, nn

from hstmae.config import to_dict
from hstmae.errors import CheckpointError
from hstmae.models import build_model, save_pretrained
from hstmae.models.growing import grow, why_not
from hstmae.models.inputs import MaskedClips
from hstmae.models.masking import tube_visible
from hstmae.training.run.setup import initial_model

LARGE = replace(
    SMALL, name="large", dims=(24, 48, 72, 96), head_dim=24, decoder_dim=64, state_dim=64, texture_dim=6, pixel_dim=12
)


def answer(model: nn.Module, level: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    frames = torch.randint(0, 64, (2, 4, 64, 96), dtype=torch.uint8, generator=generator)
    visible = tube_visible(2, 24, 0.75, generator)
    result: Tensor = model(MaskedClips(frames, visible, random_state(2, 4), torch.full((2,), level)))
    return result


@pytest.mark.parametrize("head_dim", [12, 24])
@pytest.mark.parametrize("level", [0, 1, 2])
def test_the_answer_stays(level: int, head_dim: int) -> None:
    small = shaken(SMALL)
    large = grow(small.state_dict(), SMALL, replace(LARGE, head_dim=head_dim)).eval()
    with torch.no_grad():
        before, after = answer(small, level), answer(large, level)
        fresh = answer(build_model(LARGE).eval(), level)
    assert (after - before).abs().max() < 1e-3 * before.abs().max()
    assert (fresh - before).abs().max() > 0.3 * before.abs().max()


def test_copies_learn_different_things() -> None:
    """Of a layer whose rows are copies: without noise their gradients are copies, too."""
    apart = []
    for noise in (0.0, 0.25):
        large = grow(shaken(SMALL).state_dict(), SMALL, LARGE, noise)
        answer(large, 2).square().mean().backward()
        gradient = large.get_parameter("decoder.blocks.0.mlp.0.weight").grad
        assert gradient is not None and gradient.abs().max() > 0
        first, second = gradient[:, :32].chunk(2)
        apart.append(float((first - second).norm() / first.norm()))
        for name, parameter in large.named_parameters():  # what is 0 at first is not cut off for ever
            if not name.startswith("head.memory"):  # places that these states are not at
                assert parameter.grad is not None and parameter.grad.abs().max() > 0, name
    assert apart[0] < 1e-3 < 0.05 < apart[1]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"dims": (24, 48, 72, 72)}, "dims must be twice"),
        ({"head_dim": 8}, "head_dim must be 12 or twice"),
        ({"state_dim": 32}, "state_dim must be twice 32"),
        ({"pixel_dim": 4}, "pixel_dim must be at least 8"),
        ({"depths": (2, 2, 1, 1)}, r"depths must be \(1, 2, 1, 1\)"),
        ({"qk_norm": True}, "qk_norm must be False"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, object], said: str, tmp_path: Path) -> None:
    save_pretrained(shaken(SMALL).state_dict(), SMALL, tmp_path)
    with pytest.raises(CheckpointError, match=f"do not fit model large .* to grow it, {said}"):
        initial_model(str(tmp_path), replace(LARGE, **changes))
    assert why_not(SMALL, LARGE) == ""


def test_a_run_may_begin_with_half_the_width(tmp_path: Path) -> None:
    small = shaken(SMALL)
    save_pretrained(small.state_dict(), SMALL, tmp_path)
    large = initial_model(str(tmp_path), LARGE).eval()
    assert to_dict(large.config) == to_dict(LARGE)  # type: ignore[arg-type]
    with torch.no_grad():
        before, after = answer(small, 2), answer(large, 2)
    assert (after - before).abs().max() < 0.05 * before.abs().max()  # half precision on the way
