"""Residual vector quantisation against a plain reference, and its codebooks' health."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hstmae.codec.neural.rvq import ResidualVQ, health, k_means, rotate_to


def made(stages: int = 3, codes: int = 16, dim: int = 4, **options: object) -> ResidualVQ:
    rvq = ResidualVQ(dim, stages, codes, **options)  # type: ignore[arg-type]
    rvq.codebooks.copy_(torch.randn(stages, codes, dim, generator=torch.Generator().manual_seed(1)))
    return rvq


def latents(count: int = 200, dim: int = 4, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, dim, generator=torch.Generator().manual_seed(seed))


def test_indices_are_those_of_a_plain_loop() -> None:
    rvq, z = made(), latents()
    for row, found in zip(z.numpy(), rvq.quantise(z).numpy(), strict=True):
        residual = row.astype(np.float64)
        for book, index in zip(rvq.codebooks.numpy().astype(np.float64), found, strict=True):
            assert index == ((residual - book) ** 2).sum(1).argmin()
            residual = residual - book[index]


def test_any_number_of_stages_decodes() -> None:
    rvq, z = made(), latents(5)
    index = rvq.quantise(z)
    for used in range(4):
        out = rvq.dequantise(index, torch.full((5,), used))
        by_hand = sum((rvq.codebooks[k][index[:, k]] for k in range(used)), torch.zeros(5, 4))
        assert torch.allclose(out, by_hand)
    torch.testing.assert_close(rvq.dequantise(index), rvq.dequantise(index, torch.full((5,), 3)))


def test_a_start_lowers_the_error_with_every_stage_and_uses_all_codes() -> None:
    rvq, z = ResidualVQ(4, 3, 16), latents(500)
    rvq.start(z, torch.Generator().manual_seed(0))
    index = rvq.quantise(z)
    errors = [float((z - rvq.dequantise(index, torch.full((500,), n))).square().mean()) for n in range(4)]
    assert errors[0] > 2 * errors[1] and errors[1] > 1.3 * errors[2] and errors[2] > 1.1 * errors[3]
    used, perplexity = health(index, 16)
    assert used == [1.0, 1.0, 1.0] and min(perplexity) > 10


def test_learning_is_an_exponential_average() -> None:
    rvq, z = made(stages=1, decay=0.9), latents(64)
    usage, sums = rvq.usage[0].clone(), rvq.sums[0].clone()
    index = rvq.quantise(z)[:, 0]
    rvq.learn(z)
    scale = 16 / 64
    for code in range(16):
        mine = z[index == code]
        usage[code] = 0.9 * usage[code] + 0.1 * scale * len(mine)
        sums[code] = 0.9 * sums[code] + 0.1 * scale * mine.sum(0)
        torch.testing.assert_close(rvq.codebooks[0, code], sums[code] / usage[code])


def test_dead_codes_start_again_and_stay_where_they_were_put() -> None:
    rvq, z = made(stages=1), latents(64)
    rvq.codebooks[0, 3], rvq.usage[0, 3], rvq.sums[0, 3] = 1e3, 1e-4, 1e-1
    assert rvq.restart(z, torch.Generator().manual_seed(0)) == 1
    where = rvq.codebooks[0, 3].clone()
    assert (z == where).all(1).any()
    rvq.learn(z)  # with the old sums it would jump back to 1000
    assert (rvq.codebooks[0, 3] - where).norm() < 1
    assert rvq.restart(z, torch.Generator().manual_seed(0)) == 0


def test_gradients_go_straight_through_or_turned() -> None:
    z = latents(6).requires_grad_()
    straight = made(rotation=False)
    out, commit = straight(z, torch.full((6,), 3))
    (grad,) = torch.autograd.grad(out.sum(), z, retain_graph=True)
    assert torch.equal(grad, torch.ones(6, 4)) and float(commit.detach()) > 0
    turned, _ = made(rotation=True)(z, torch.full((6,), 3))
    torch.testing.assert_close(turned, out)
    # what points along the latent leaves along the code, scaled like it
    (grad,) = torch.autograd.grad((turned * turned.detach()).sum(), z)
    along = torch.nn.functional.cosine_similarity(grad, z.detach())
    torch.testing.assert_close(along, torch.ones(6), atol=1e-4, rtol=0)
    torch.testing.assert_close(grad.norm(dim=1), turned.detach().norm(dim=1) ** 2 / z.detach().norm(dim=1))


def test_nothing_is_said_with_no_stages() -> None:
    z = latents(4).requires_grad_()
    out, _ = made()(z, torch.tensor([0, 0, 2, 3]))
    assert not out[:2].any() and out[2:].any(1).all()
    (grad,) = torch.autograd.grad(out.sum(), z)
    assert not grad[:2].any() and grad[2:].any(1).all()


def test_rotation_of_zeros_is_harmless() -> None:
    z = torch.zeros(2, 4, requires_grad=True)
    out = rotate_to(z, torch.tensor([[1.0, 0, 0, 0], [0, 0, 0, 0]]))
    out.sum().backward()
    assert out.tolist()[0][0] == 1 and torch.isfinite(z.grad).all()  # type: ignore[arg-type]


def test_k_means_finds_separate_groups() -> None:
    groups = torch.tensor([[0.0, 0], [10, 0], [0, 10], [10, 10]])
    z = groups.repeat(20, 1) + 0.01 * latents(80, 2)
    centres = k_means(z, 4, torch.Generator().manual_seed(0), 5)
    assert torch.cdist(groups, centres).amin(1).max() < 0.1


def test_health_of_nothing() -> None:
    used, perplexity = health(torch.zeros(0, 2, dtype=torch.long), 8)
    assert used == [0, 0] and perplexity == [0, 0]
    used, perplexity = health(torch.arange(8)[:, None], 8)
    assert used == [1] and perplexity == [pytest.approx(8)]
