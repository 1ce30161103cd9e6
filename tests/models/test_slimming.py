"""What is cut out of a model: nothing changes where what was cut did nothing, and what matters stays."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from shaken import SMALL, shaken
from test_growing import answer
from torch import Tensor, nn

from hstmae.models import slimming
from hstmae.models.slimming import slim, why_not

LARGE = replace(SMALL, depths=(2, 2, 2, 1), decoder_depth=3, dims=(24, 24, 24, 36), texture_dim=8, code_dim=16)


def ones(model: nn.Module) -> dict[str, Tensor]:
    return {name: torch.ones_like(p) for name, p in model.named_parameters()}


def blocks_of(model: nn.Module) -> dict[str, float]:
    return {name: 1.0 for name, m in model.named_modules() if type(m).__name__ in ("WindowBlock", "DecoderBlock")}


def cut(model: nn.Module, scores: dict[str, Tensor] | None = None, **changes: object) -> nn.Module:
    config = replace(LARGE, **changes)  # type: ignore[arg-type]
    scores = scores or ones(model)
    return slim(model.state_dict(), LARGE, config, scores, blocks_of(model)).eval()


def same(a: Tensor, b: Tensor) -> bool:
    return float((a - b).abs().max()) < 1e-3 * float(b.abs().max())


@pytest.fixture(scope="module")
def large() -> nn.Module:
    return shaken(LARGE)


@pytest.mark.parametrize("level", [0, 2])
@torch.no_grad()
def test_other_axes_are_the_same_function(large: nn.Module, level: int) -> None:
    turned = cut(large)
    assert same(answer(turned, level), answer(large, level))
    assert not same(turned.state_dict()["canvas.sprite.weight"], large.state_dict()["canvas.sprite.weight"])


@torch.no_grad()
def test_what_does_nothing_is_what_goes() -> None:
    """Hidden units that nobody reads, textures and codes of half the rank: cut out without a change."""
    model = shaken(LARGE)
    scores = ones(model)
    keep = torch.Generator().manual_seed(1)
    for name, weight in model.named_parameters():
        if name.endswith("mlp.2.weight"):
            dead = torch.randperm(weight.shape[1], generator=keep)[: weight.shape[1] // 2]
            weight[:, dead] = 0
            scores[name][:, dead] = 0
            scores[name.replace("mlp.2.weight", "mlp.0.weight")][dead] = 0
            scores[name.replace("mlp.2.weight", "mlp.0.bias")][dead] = 0
        elif name.startswith("canvas."):
            weight[:] = weight[:, :4].repeat(1, 2)
    for name in ("head.cell_basis.weight", "head.cube_basis.weight"):
        basis = model.get_parameter(name)
        basis[:] = basis[:, :8].repeat(1, 2)  # codes
    drawn = model.get_parameter("head.hidden.weight")[:, -4:]
    drawn[:] = drawn[:, :2].repeat(1, 2)
    small = cut(model, scores, mlp_ratio=2.0, texture_dim=4, code_dim=8)
    before = answer(model, 2)
    assert same(answer(small, 2), before)
    assert not same(answer(cut(model, mlp_ratio=2.0, texture_dim=4, code_dim=8), 2), before)  # without scores
    assert not same(answer(cut(model, scores, mlp_ratio=1.0, texture_dim=4, code_dim=8), 2), before)  # too little


def test_every_axis_is_labelled(large: nn.Module) -> None:
    """Each width that can be cut is cut in every tensor that has it: the sizes fit, wherever weights come from."""
    for changes in (
        {"dims": (12, 24, 24, 24), "decoder_dim": 16, "pixel_dim": 4, "mlp_ratio": 1.5, "places": "none"},
        {"dims": (24, 12, 12, 36), "state_dim": 16, "texture_dim": 2, "code_dim": 4, "depths": (1, 1, 1, 1)},
    ):
        assert torch.isfinite(answer(cut(large, **changes), 2)).all()
    assert all(len(slimming._axes(name)) in (0, p.ndim) for name, p in large.named_parameters())


def test_the_most_important_stay(large: nn.Module) -> None:
    scores = ones(large)
    scores["decoder.fine.bias"][5:21] = 9
    small = cut(large, scores, decoder_dim=16)
    assert torch.equal(small.state_dict()["decoder.fine.bias"], large.state_dict()["decoder.fine.bias"][5:21])


def test_blocks_stay_in_kind() -> None:
    """Shifted and plain windows, with and without state, alternate as before."""
    assert slimming._stay(4, 2, [1, 1, 1, 1.5]) == (0, 3)
    assert slimming._stay(4, 2, [0, 5, 4, 6]) == (2, 3)
    assert slimming._stay(4, 1, [1, 9, 2, 9]) == (2,)
    assert slimming._stay(3, 3, [0, 0, 0]) == (0, 1, 2)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"head_dim": 8}, "head_dim"), ({"decoder_dim": 64}, "decoder_dim"), ({"depths": (2, 3, 2, 1)}, "depths"),
        ({"dims": (24, 36, 24, 36)}, "dims"), ({"places": "scene"}, "places"), ({"mlp_ratio": 5.0}, "mlp_ratio"),
        ({"colour_dim": 4}, "colour_dim"), ({"state_alignment": True}, "no state"),
    ],
)  # fmt: skip
def test_what_cannot_be_cut_is_said(large: nn.Module, changes: dict[str, object], what: str) -> None:
    assert what in why_not(LARGE, replace(LARGE, **changes))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=what):
        cut(large, **changes)
