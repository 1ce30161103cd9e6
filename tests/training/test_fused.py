from __future__ import annotations

import pytest
import torch
from loss_oracles import exact_match, palette_cross_entropy, posterior_mean, posterior_mean_mse

from hstmae.training.losses import fused
from hstmae.training.losses.fused import reconstruction
from hstmae.training.losses.reconstruction import (
    true_colours,
)

WEIGHT = 0.7


def reconstruction_loss(
    logits: torch.Tensor, target: torch.Tensor, palette: torch.Tensor, rgb_weight: float
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Without the colours, as a step without further losses asks for it."""
    loss, colours, terms = reconstruction(logits, target, palette, rgb_weight, shown=False)
    assert colours.numel() == 0
    return loss, terms


def make(clips: int = 3, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(clips)
    logits = 3 * torch.randn(clips, 5, 2, 4, 4, 11, generator=generator)
    target = torch.randint(0, 11, logits.shape[:-1], generator=generator, dtype=torch.uint8)
    palette = torch.randint(0, 256, (clips, 11, 3), generator=generator, dtype=torch.uint8)
    return logits.to(dtype).requires_grad_(), target, palette


@pytest.mark.parametrize("piece", [1, 7, 160, 4096])
def test_values_and_gradient_are_those_of_the_plain_functions(monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    monkeypatch.setattr(fused, "CPU_PIXELS", piece)
    logits, target, palette = make()
    loss, terms = reconstruction_loss(logits, target, palette, WEIGHT)
    (got,) = torch.autograd.grad(2.5 * loss, logits)
    ce, mse = palette_cross_entropy(logits, target), posterior_mean_mse(logits, target, palette)
    (expected,) = torch.autograd.grad(2.5 * (ce + WEIGHT * mse), logits)
    assert terms["ce"].item() == pytest.approx(ce.item(), rel=1e-5)
    assert terms["mse"].item() == pytest.approx(mse.item(), rel=1e-5)
    assert terms["exact_match"].item() == exact_match(logits.detach(), target).item()
    assert loss.item() == pytest.approx(ce.item() + WEIGHT * mse.item(), rel=1e-5)
    assert torch.allclose(got, expected, rtol=1e-4, atol=1e-8)
    assert not any(term.requires_grad for term in terms.values())


def test_gradient_matches_finite_differences() -> None:
    logits, target, palette = make(1)
    loss, _ = reconstruction_loss(logits, target, palette, WEIGHT)
    (grad,) = torch.autograd.grad(loss, logits)
    direction = torch.randn(logits.shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ahead, behind = (
            reconstruction_loss(logits + sign * 0.01 * direction, target, palette, WEIGHT)[0] for sign in (1, -1)
        )
    assert float((ahead - behind) / 0.02) == pytest.approx(float((grad * direction).sum()), rel=1e-2)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_gradient_does_not_vanish(dtype: torch.dtype) -> None:
    """Scaled losses keep small gradients alive in float16; 65536 is the usual first scale."""
    logits, target, palette = make(dtype=dtype)
    loss, _ = reconstruction_loss(logits, target, palette, WEIGHT)
    (got,) = torch.autograd.grad(65536 * loss, logits)
    full = logits.detach().float().requires_grad_()
    (expected,) = torch.autograd.grad(65536 * reconstruction_loss(full, target, palette, WEIGHT)[0], full)
    assert got.dtype == dtype and loss.dtype == torch.float32
    assert torch.allclose(got.float(), expected, rtol=0.02, atol=0.02 * float(expected.abs().max()))


def test_without_gradient_nothing_is_kept() -> None:
    logits, target, palette = make()
    loss, _ = reconstruction_loss(logits.detach(), target, palette, WEIGHT)
    assert not loss.requires_grad


def test_autocast_does_not_round_the_colours() -> None:
    logits, target, palette = make()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = (
            reconstruction_loss(logits, target, palette, WEIGHT)[1]["mse"],
            posterior_mean_mse(logits, target, palette),
        )
    outside = (
        reconstruction_loss(logits, target, palette, WEIGHT)[1]["mse"],
        posterior_mean_mse(logits, target, palette),
    )
    assert [v.item() for v in inside] == [v.item() for v in outside]


@pytest.mark.parametrize("piece", [7, 4096])
@pytest.mark.parametrize("weighted", [False, True])
def test_colours_and_their_gradient_are_those_of_the_plain_functions(
    monkeypatch: pytest.MonkeyPatch, piece: int, weighted: bool
) -> None:
    monkeypatch.setattr(fused, "CPU_PIXELS", piece)
    logits, target, palette = make()
    weight = 0.5 + torch.rand(target.shape, generator=torch.Generator().manual_seed(2)) if weighted else None
    pull = torch.randn(*target.shape, 3, generator=torch.Generator().manual_seed(3))

    loss, colours, terms = reconstruction(logits, target, palette, WEIGHT, weight)
    (got,) = torch.autograd.grad(1.5 * loss + (pull * colours.square()).sum(), logits)

    plain = posterior_mean(logits, palette)
    error = (plain - true_colours(target, palette)).square().mean(-1)
    entropy = torch.nn.functional.cross_entropy(logits.flatten(0, -2), target.flatten().long(), reduction="none").view(
        target.shape
    )
    each = entropy + WEIGHT * error
    expected_loss = each.mean() if weight is None else (each * weight).sum() / weight.sum()
    (expected,) = torch.autograd.grad(1.5 * expected_loss + (pull * plain.square()).sum(), logits)

    assert torch.allclose(colours, plain, atol=1e-6)
    assert loss.item() == pytest.approx(expected_loss.item(), rel=1e-5)
    assert torch.allclose(got, expected, rtol=1e-4, atol=1e-6)
    assert terms["ce"].item() == pytest.approx(entropy.mean().item(), rel=1e-5)  # raw: all pixels alike
    assert terms["mse"].item() == pytest.approx(error.mean().item(), rel=1e-5)
    assert terms["exact_match"].item() == exact_match(logits.detach(), target).item()


def test_either_output_alone_has_its_own_gradient() -> None:
    logits, target, palette = make()
    loss, colours, _ = reconstruction(logits, target, palette, WEIGHT)
    (of_loss,) = torch.autograd.grad(loss, logits, retain_graph=True)
    (of_colours,) = torch.autograd.grad(colours.square().sum(), logits)
    (plain,) = torch.autograd.grad(reconstruction_loss(logits, target, palette, WEIGHT)[0], logits)
    (mean,) = torch.autograd.grad(posterior_mean(logits, palette).square().sum(), logits)
    assert torch.allclose(of_loss, plain, rtol=1e-5, atol=1e-9)
    assert torch.allclose(of_colours, mean, rtol=1e-4, atol=1e-6)
