"""Damage of every shape: of its size, repeatable, about its share, each in its own form."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hstmae.masks.damage import MEASURED, NAMES, SHAPES, damages, scratch_damage

seeds = st.integers(0, 2**32 - 1)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(
    st.sampled_from(sorted(SHAPES)), st.integers(1, 8), st.integers(1, 70), st.integers(1, 70), st.floats(0, 0.9), seeds
)
def test_damage_has_its_size_and_is_repeatable(kind: str, t: int, h: int, w: int, share: float, seed: int) -> None:
    mask = SHAPES[kind]((t, h, w), share, seeded(seed))
    assert mask.shape == (t, h, w) and mask.dtype == torch.bool
    assert torch.equal(mask, SHAPES[kind]((t, h, w), share, seeded(seed)))


@pytest.mark.parametrize("share", [0.05, 0.2, 0.4])
def test_damage_loses_about_its_share_in_its_own_shape(share: float) -> None:
    size, masks = (16, 224, 224), {}
    for kind in SHAPES:
        masks[kind] = [SHAPES[kind](size, share, seeded(seed)) for seed in range(4)]
        assert sum(m.float().mean().item() for m in masks[kind]) / 4 == pytest.approx(share, abs=0.06)
    assert any(not torch.equal(a, masks["lost blocks"][0]) for a in masks["lost blocks"][1:])
    for mask in masks["lost frames"]:
        whole = mask.flatten(1)
        assert torch.equal(whole.any(1), whole.all(1)) and whole.all(1).sum() == round(share * 16)
    for mask in masks["logo"]:
        assert torch.equal(mask, mask[:1].expand_as(mask))
        rows, columns = mask[0].any(1), mask[0].any(0)
        assert torch.equal(mask[0], rows[:, None] & columns) and (rows[0] or rows[-1]) and (columns[0] or columns[-1])


def test_scratches_are_thin_and_move() -> None:
    mask = scratch_damage((16, 64, 256), 0.01, seeded(3))
    assert 1 <= mask[mask.flatten(1).any(1)].any(1).sum(1).min() <= 3
    assert not torch.equal(mask, mask[:1].expand_as(mask))


def test_impossible_damage_is_refused() -> None:
    for draw in SHAPES.values():
        with pytest.raises(ValueError, match="share"):
            draw((2, 16, 16), 0.95, seeded(0))


def test_what_is_measured_is_one_mask_of_every_shape() -> None:
    masks = damages((96, 240, 256), 3)
    assert tuple(masks) == NAMES and all(mask.shape == (96, 240, 256) for mask in masks.values())
    for name, mask in masks.items():
        assert mask.mean() == pytest.approx(MEASURED[name], abs=0.03), name
        assert (mask == damages((96, 240, 256), 3)[name]).all()
    assert any((masks[name] != other).any() for name, other in damages((96, 240, 256), 4).items())


def test_frames_are_lost_in_bursts() -> None:
    lost = SHAPES["lost frames"]((96, 8, 8), 0.25, seeded(1)).flatten(1).any(1)
    assert lost.sum() == 24 and (lost[1:] & lost[:-1]).sum() >= 12
