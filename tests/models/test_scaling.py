"""One set of weights at every size, and cost that grows as the area does."""

from __future__ import annotations

import pytest
import torch
from random_play import random_state

from hstmae.models import HSTMAE, VARIANTS, build_model
from hstmae.models.cost import model_cost
from hstmae.models.inputs import MaskedClips
from hstmae.models.masking import tube_visible


@pytest.fixture(scope="module")
def nano() -> HSTMAE:
    torch.manual_seed(0)
    model = build_model("hst-mae-nano").eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("gate"):
                weight.fill_(0.5)
    return model


@pytest.mark.parametrize(
    ("height", "width", "frames"),
    [(224, 224, 16), (240, 256, 4), (240, 256, 16), (320, 320, 2), (320, 320, 4), (720, 1280, 2)],
)
def test_one_set_of_weights_at_every_size(nano: HSTMAE, height: int, width: int, frames: int) -> None:
    units = height * width // 256
    generator = torch.Generator().manual_seed(0)
    clip = torch.randint(0, 64, (1, frames, height, width), dtype=torch.uint8, generator=generator)
    visible = tube_visible(1, units, 0.95, generator)
    queries = torch.randperm(units * frames // 2, generator=generator)[None, :24]
    with torch.no_grad():
        clips = MaskedClips(clip, visible, random_state(1, frames))
        out, part = nano(clips, queries), nano(clips, queries[:, 8:12])
    assert out.shape == (1, 24, 2, 16, 16, 64) and torch.isfinite(out).all()
    assert out.std() > 0.01
    assert torch.allclose(part, out[:, 8:12], atol=1e-4)  # windows leave queries independent of each other


def test_a_sixteen_frame_clip_of_a_large_picture(nano: HSTMAE) -> None:
    generator = torch.Generator().manual_seed(0)
    clip = torch.randint(0, 64, (1, 16, 720, 1280), dtype=torch.uint8, generator=generator)
    visible = torch.arange(0, 3600, 90)[None]
    with torch.no_grad():
        assert torch.isfinite(nano(MaskedClips(clip, visible), torch.arange(0, 28800, 4000)[None])).all()


def test_large_pictures_are_decoded_in_windows() -> None:
    """In one window a far visible unit moves the decoder's answer directly; in a large picture it does not."""
    generator = torch.Generator().manual_seed(0)
    model = build_model("hst-mae-nano", decoder_depth=1).eval()  # no shift, so nothing passes through a second block
    for height, direct in ((256, True), (512, False)):
        units, columns = height * 256 // 256, 16
        far = units - 1
        visible = torch.tensor([[0, far]])
        queries = torch.tensor([[1]])  # beside unit 0, one slice
        clip = torch.randint(0, 64, (1, 2, height, 256), dtype=torch.uint8, generator=generator)
        moves = []
        for fine in (0.0, 1.0):
            model.decoder.fine.register_forward_hook(lambda _m, _i, out, add=fine: _shifted(out, add))
            with torch.no_grad():
                moves.append(model(MaskedClips(clip, visible), queries))
            model.decoder.fine._forward_hooks.clear()
        assert columns == 16 and torch.equal(moves[0], moves[1]) != direct


def _shifted(out: torch.Tensor, add: float) -> torch.Tensor:
    """Only the last visible cube is changed."""
    out = out.clone()
    out[:, -1] += add * torch.arange(out.shape[-1])
    return out


@pytest.mark.parametrize("name", ["hst-mae-nano", "hst-mae-base"])
def test_cost_grows_as_the_area(name: str) -> None:
    small, large = (
        model_cost(VARIANTS[name], size, 16, ("restore_90",))["gmac_per_frame"]["restore_90"]
        for size in ((224, 224), (720, 1280))
    )
    assert 0.8 < large / small / (720 * 1280 / 224**2) < 1.5
