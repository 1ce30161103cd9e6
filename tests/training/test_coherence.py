"""Coherence in time, with made-up pictures that move as the camera does, or not."""

from __future__ import annotations

import pytest
import torch
from test_consistency import SLICES, UNITS, H, T, W, decoded, seeded
from torch import Tensor

from hstmae.training.losses.balance import Term
from hstmae.training.losses.consistency import temporal_loss
from hstmae.training.losses.neighbours import Neighbourhood


def moving(camera: list[int], seed: int) -> Tensor:
    """Pictures [1, T, H, W, 3] of a wide world, seen from the given places."""
    world = torch.rand(H, 2 * W, 3, generator=seeded(seed))
    return torch.stack([world[:, x : x + W] for x in camera])[None]


def temporal(true: Tensor, restored: Tensor, shift: Tensor, still: bool = False, joined: bool = True) -> Term:
    """The loss with every cube decoded."""
    every = torch.arange(UNITS * SLICES)[None]
    around = Neighbourhood.of(true[..., 0], torch.empty(1, 0, dtype=torch.long), every)
    error = decoded(restored, every) - decoded(true, every)
    kept = torch.full(every.shape, still)
    return temporal_loss(error, around, shift, torch.full(shift.shape, joined), kept)


def test_what_moves_with_the_camera_is_coherent_whatever_it_shows() -> None:
    camera = [0, 3, 20, 15]
    true, other = moving(camera, 0), moving(camera, 1)
    shift = torch.tensor(camera)[None].diff()
    assert temporal(true, true, shift).value.item() == 0
    assert temporal(true, other, shift).value.item() == pytest.approx(0, abs=1e-6)
    assert temporal(true, other, shift + 1).value.item() > 0.2
    assert temporal(true, other, shift * 0).value.item() > 0.2
    assert temporal(true, other, shift, still=True).value.item() > 0.2


def test_a_frozen_picture_is_not_coherent_where_the_true_one_moves() -> None:
    camera = [0, 5, 10, 15]
    true, shift = moving(camera, 0), torch.tensor([[5, 5, 5]])
    frozen = true[:, :1].expand_as(true)
    assert temporal(true, frozen, shift).value.item() > 0.2
    assert temporal(frozen, frozen, shift * 0).value.item() == 0


def test_a_sprite_may_move_by_itself_and_must_do_so_where_the_true_one_does() -> None:
    true = torch.zeros(1, T, H, W, 3)
    for n in range(T):
        true[:, n, 20:30, 10 + 4 * n : 20 + 4 * n] = 1
    staying = true[:, :1].expand_as(true)
    still = torch.zeros(1, 3, dtype=torch.long)
    assert temporal(true, true, still).value.item() == 0
    assert temporal(true, staying, still).value.item() > 0.005


def test_frames_of_two_maps_are_not_compared() -> None:
    true, other = moving([0, 3, 6, 9], 0), moving([9, 1, 7, 2], 1)
    shift = torch.tensor([[3, 3, 3]])
    assert temporal(true, other, shift).value.item() > 0.1
    term = temporal(true, other, shift, joined=False)
    assert not term.present and term.value.item() == 0
