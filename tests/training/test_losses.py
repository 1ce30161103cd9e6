from __future__ import annotations

import math

import pytest
import torch
from loss_oracles import exact_match, palette_cross_entropy, posterior_mean, posterior_mean_mse

from hstmae.training.losses.reconstruction import (
    colour_loss,
    exact_colours,
    target_colours,
    true_colours,
)

PALETTE = torch.tensor([[[0, 0, 0], [255, 0, 0], [0, 255, 255]]], dtype=torch.uint8)


def logits_of(*rows: tuple[float, ...]) -> torch.Tensor:
    """One clip, one cube per row of probabilities, one pixel per cube."""
    return torch.tensor(rows).log().view(1, len(rows), 1, 3)


def target_of(*indices: int) -> torch.Tensor:
    return torch.tensor(indices, dtype=torch.uint8).view(1, -1, 1)


def test_cross_entropy_is_the_mean_negative_log_probability() -> None:
    loss = palette_cross_entropy(logits_of((0.5, 0.25, 0.25), (0.1, 0.8, 0.1)), target_of(0, 2))
    assert loss.item() == pytest.approx((math.log(2) + math.log(10)) / 2, rel=1e-6)


def test_posterior_mean_error_by_hand() -> None:
    logits, target = logits_of((0.5, 0.3, 0.2)), target_of(1)
    assert torch.allclose(posterior_mean(logits, PALETTE), torch.tensor([0.3, 0.2, 0.2]), atol=1e-6)
    expected = ((0.3 - 1) ** 2 + 0.2**2 + 0.2**2) / 3
    assert posterior_mean_mse(logits, target, PALETTE).item() == pytest.approx(expected, rel=1e-5)


def test_posterior_mean_minimises_expected_squared_error() -> None:
    """No other colour has a smaller expected error under the same posterior; the most probable one is not best."""
    posterior = torch.tensor([0.45, 0.3, 0.25])
    mean = posterior_mean(logits_of((0.45, 0.3, 0.25)), PALETTE).view(3)
    colours = PALETTE[0].float() / 255

    def expected(colour: torch.Tensor) -> float:
        return float((posterior * (colours - colour).square().mean(-1)).sum())

    assert expected(mean) < expected(mean + 0.01) and expected(mean) < expected(mean - 0.01)
    assert expected(mean) < expected(colours[0])


def test_each_clip_uses_its_own_palette() -> None:
    palettes = torch.cat([PALETTE, PALETTE.flip(1)])
    target = torch.tensor([[[1, 0]], [[0, 2]]], dtype=torch.uint8)
    colours = true_colours(target, palettes)
    assert colours[0, 0].tolist() == [[1, 0, 0], [0, 0, 0]]
    assert colours[1, 0].tolist() == [[0, 1, 1], [0, 0, 0]]


def test_exact_match_counts_most_probable_colours() -> None:
    logits = logits_of((0.5, 0.3, 0.2), (0.1, 0.8, 0.1), (0.2, 0.3, 0.5), (0.6, 0.2, 0.2))
    assert exact_match(logits, target_of(0, 0, 2, 1)).item() == 0.5


def test_half_precision_logits_are_judged_in_full_precision() -> None:
    logits = torch.randn(2, 3, 2, 4, 4, 3).bfloat16()
    target = torch.randint(0, 3, (2, 3, 2, 4, 4), dtype=torch.uint8)
    assert palette_cross_entropy(logits, target).dtype == torch.float32
    assert posterior_mean_mse(logits, target, PALETTE.expand(2, -1, -1)).dtype == torch.float32


def test_colour_loss_is_the_configured_sum_of_smooth_absolute_and_squared_error() -> None:
    truth = torch.tensor([0.0, 0.2, 1.0, 0.6, 0.6, 0.6]).view(1, 2, 1, 3)
    colours = torch.tensor([0.0, 0.5, 1.2, 0.6, 0.6, 0.6]).view(1, 2, 1, 3).requires_grad_()
    loss, terms = colour_loss(colours, truth, 2.0)
    charbonnier = (4 * 1e-3 + math.hypot(0.3, 1e-3) + math.hypot(0.2, 1e-3)) / 6
    assert terms["charbonnier"].item() == pytest.approx(charbonnier, rel=1e-5)
    assert loss.item() == pytest.approx(charbonnier + 2 * (0.09 + 0.04) / 6, rel=1e-5)
    assert terms["mse"].item() == pytest.approx(0.09 / 6, rel=1e-5)  # 1.2 is shown as 1
    assert terms["exact_match"].item() == 0.5
    assert not any(term.requires_grad for term in terms.values())
    (grad,) = torch.autograd.grad(loss, colours)
    slopes = [(error / math.hypot(error, 1e-3) + 4 * error) / 6 for error in (0, 0.3, 0.2, 0, 0, 0)]
    assert grad.flatten().tolist() == pytest.approx(slopes, rel=1e-4, abs=1e-6)


def test_weights_of_pixels_count_in_the_loss_and_not_in_what_is_reported() -> None:
    truth = torch.zeros(1, 2, 1, 3)
    colours = torch.tensor([0.5, 0.5, 0.5, 0.1, 0.1, 0.1]).view(1, 2, 1, 3)
    plain, terms = colour_loss(colours, truth, 1.0)
    loss, weighted = colour_loss(colours, truth, 1.0, torch.tensor([3.0, 1.0]).view(1, 2, 1))
    big, small = math.hypot(0.5, 1e-3) + 0.25, math.hypot(0.1, 1e-3) + 0.01
    assert plain.item() == pytest.approx((big + small) / 2, rel=1e-5)
    assert loss.item() == pytest.approx((3 * big + small) / 4, rel=1e-5)
    assert weighted == terms


def test_colour_loss_computes_half_precision_in_float32() -> None:
    truth = torch.full((1, 1, 4, 3), 10 / 255)
    loss, terms = colour_loss((truth + 0.25).bfloat16(), truth, 0.5)
    assert loss.dtype == torch.float32 and terms["mse"].item() == pytest.approx(0.0625, rel=0.02)


def test_a_colour_is_exact_when_all_three_channels_round_to_it() -> None:
    truth = torch.tensor([[100, 7, 255], [100, 7, 255], [0, 0, 0], [9, 9, 9]]).view(1, 4, 3) / 255
    off = torch.tensor([[0.4, -0.4, 0.0], [0.0, 0.0, -0.6], [0.0, 0.6, 0.0], [0.3, 0.3, 0.3]]).view(1, 4, 3) / 255
    assert exact_colours(truth + off, truth).item() == 0.5


def test_target_colours_are_the_frames_or_what_the_palette_says() -> None:
    rgb = torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 1, 1, 3)
    assert target_colours(rgb, None).flatten().tolist() == pytest.approx([0, 0.2, 1])
    assert torch.equal(target_colours(target_of(2), PALETTE), true_colours(target_of(2), PALETTE))
