"""A palette of the clip's own, the head that chooses from it, its loss, and restoration with it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hstmae.config import ModelConfig
from hstmae.errors import ConfigError
from hstmae.models.adaptive import ClipPalette, clip_palette, mean_colours, nearest_entries
from hstmae.models.cubes import from_cubes, take_units, to_cubes
from hstmae.models.inputs import MaskedClips
from hstmae.models.zoo import build_model
from hstmae.restoration.reconstruct import read_adaptive
from hstmae.restoration.restorer import Restorer
from hstmae.training.losses.reconstruction import adaptive_loss

SMALL = ModelConfig(
    name="small-any", game="generic", head="adaptive", dims=(16, 16, 16, 16), depths=(1, 1, 1, 1), head_dim=16,
    decoder_dim=16, decoder_depth=1, decoder_head_dim=16, state_dim=16, texture_dim=4, pixel_dim=8, code_dim=8,
    clip_colours=8,
)  # fmt: skip


def clips(colours: int, seed: int = 0, batch: int = 2) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    table = rng.choice(256**3, colours, replace=False)
    packed = table[rng.integers(colours, size=(batch, 4, 32, 48))]
    return torch.from_numpy(np.stack([packed >> 16, packed >> 8 & 255, packed & 255], -1).astype(np.uint8))


@settings(max_examples=25, deadline=None)
@given(colours=st.integers(1, 40), size=st.integers(1, 40), seed=st.integers(0, 99))
def test_a_palette_holds_what_is_visible_and_nothing_else(colours: int, size: int, seed: int) -> None:
    frames = clips(colours, seed)
    visible = torch.tensor([[1, 4], [0, 5]])
    palette = clip_palette(frames, visible, size)
    shown = take_units(to_cubes(frames), visible).flatten(1, -2)
    for own, share, pixels in zip(palette.colours, palette.share, shown, strict=True):
        there = {tuple(c) for c in pixels.tolist()}
        held = [tuple(c) for c, s in zip(own.tolist(), share.tolist(), strict=True) if s]
        assert len(held) == len(set(held)) == min(size, len(there))
        assert set(held) <= there
        assert share.sum() == pytest.approx(1)


def test_nothing_visible_gives_black() -> None:
    palette = clip_palette(clips(3), torch.zeros(2, 0, dtype=torch.long), 4)
    assert not palette.colours.any() and palette.share.tolist() == [[1, 0, 0, 0]] * 2


def test_hidden_pixels_change_nothing() -> None:
    torch.manual_seed(0)
    model = build_model(SMALL).eval()
    frames, visible = clips(20), torch.tensor([[1, 4], [0, 5]])
    other = frames.clone()
    cubes = to_cubes(other)
    hidden = torch.ones(2, 6, dtype=torch.bool).scatter_(1, visible, False)
    cubes[hidden] = 255 - cubes[hidden]
    with torch.inference_mode():
        first, second = (model(MaskedClips(f, visible)) for f in (frames, from_cubes(cubes, (32, 48))))
    assert torch.equal(first, second)


def test_entries_that_stand_for_nothing_are_never_chosen() -> None:
    torch.manual_seed(0)
    model = build_model(SMALL).eval()
    frames, visible = clips(3), torch.tensor([[1, 4], [0, 5]])
    palette = clip_palette(frames, visible, 8)
    with torch.inference_mode():
        logits = model(MaskedClips(frames, visible, palette=palette))
    assert logits.softmax(-1)[..., 3:].max() < 1e-6
    assert nearest_entries(palette, torch.zeros(2, 5, 3, dtype=torch.uint8)).max() < 3


def test_loss_agrees_with_its_definition() -> None:
    torch.manual_seed(1)
    palette = ClipPalette(
        torch.tensor([[[0, 0, 0], [255, 0, 0], [0, 255, 0]]], dtype=torch.uint8), torch.ones(1, 3) / 3
    )
    truth = torch.tensor([[[[250, 0, 0], [0, 0, 0]]]], dtype=torch.uint8)  # [1, 1, 2, 3]
    logits = torch.randn(1, 1, 2, 3, requires_grad=True)
    loss, colours, terms = adaptive_loss(logits, palette, truth, 2.0)
    p = logits.detach().softmax(-1)
    ce = -(p[0, 0, 0, 1].log() + p[0, 0, 1, 0].log()) / 2
    mean = p @ (palette.colours[0].float() / 255)
    mse = (mean - truth / 255).square().mean()
    assert torch.allclose(loss, ce + 2 * mse) and torch.allclose(colours, mean)
    assert torch.allclose(colours, mean_colours(logits, palette))
    right = (palette.colours[0][p.argmax(-1)] == truth).all(-1).float().mean()
    assert terms["exact_match"] == right
    loss.backward()
    assert logits.grad is not None and logits.grad.abs().sum() > 0
    heavy, _, _ = adaptive_loss(logits, palette, truth, 0.0, torch.tensor([[[1.0, 0.0]]]))
    assert torch.allclose(heavy, -p[0, 0, 0, 1].log())


def test_certain_colours_are_exact_and_others_are_means() -> None:
    palette = ClipPalette(torch.tensor([[[10, 20, 30], [200, 100, 0]]], dtype=torch.uint8), torch.ones(1, 2) / 2)
    colours, sure = read_adaptive(torch.tensor([[[9.0, 0.0], [0.0, 0.0]]]), palette)
    assert colours[0, 0].tolist() == [10, 20, 30] and colours[0, 1].tolist() == [105, 60, 15]
    assert sure[0, 1] == 0.5


def test_a_clip_is_restored_with_confidence_and_visible_pixels_stay() -> None:
    torch.manual_seed(0)
    restorer = Restorer(build_model(SMALL), SMALL)
    frames = clips(6, batch=1)[0].numpy()[:, :30, :41]  # no multiples of 16
    mask = np.zeros(frames.shape[:3], bool)
    mask[:, 3:20, 5:30] = True
    made = restorer.restore_clip(frames, mask)
    assert np.array_equal(made.rgb[~mask], frames[~mask])
    assert made.indices is None and made.confidence is not None
    assert (made.confidence[~mask] == 1).all() and (made.confidence[mask] < 1).all()


def test_a_game_with_a_palette_keeps_it() -> None:
    with pytest.raises(ConfigError, match="palette of its own"):
        build_model(ModelConfig(head="adaptive"))
