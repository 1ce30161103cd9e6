"""benchmarks/videomae_model.py: VideoMAE is of the wanted size, sees the same cubes, draws at the right places."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from hstmae.models.masking import hidden_cubes, tube_visible

FRAMES, SIDE = 4, 48
UNITS, SLICES = (SIDE // 16) ** 2, FRAMES // 2


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "videomae_model.py"
    spec = importlib.util.spec_from_file_location("videomae_model", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def clip() -> tuple[torch.Tensor, torch.Tensor]:
    """Two clips of noise uint8 [2, T, H, W, 3], and visible units [2, 3] that differ between them."""
    generator = torch.Generator().manual_seed(0)
    colours = torch.randint(0, 256, (2, FRAMES, SIDE, SIDE, 3), generator=generator, dtype=torch.uint8)
    return colours, tube_visible(2, UNITS, 0.67, generator)


@pytest.fixture(scope="module")
def model(bench: ModuleType) -> Any:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = bench.config_for(bench.count_parameters(64, 2), SIDE, FRAMES)
    assert isinstance(config, transformers.VideoMAEConfig)
    return bench.VideoMAE(config).eval()


def pixels_hidden(visible: torch.Tensor) -> torch.Tensor:
    """bool [B, T, H, W], worked out place by place."""
    out = torch.ones(len(visible), FRAMES, SIDE, SIDE, dtype=torch.bool)
    for b, units in enumerate(visible.tolist()):
        for unit in units:
            y, x = 16 * (unit // (SIDE // 16)), 16 * (unit % (SIDE // 16))
            out[b, :, y : y + 16, x : x + 16] = False
    return out


def test_parameters_are_counted_and_matched(bench: ModuleType, model: Any) -> None:
    assert sum(p.numel() for p in model.parameters()) == bench.count_parameters(64, 2)
    for wanted in (6_060_864, 15_980_000, 33_270_000, 187_380_000):
        width, depth = bench.shape_for(wanted)
        assert abs(bench.count_parameters(width, depth) / wanted - 1) <= 0.05 and width % 64 == 0
    assert bench.shape_for(6_060_864) == (192, 12)
    with pytest.raises(ValueError, match="no VideoMAE has 1000 "):
        bench.shape_for(1000)


def test_the_same_cubes_are_hidden_from_both(bench: ModuleType, clip: tuple[torch.Tensor, torch.Tensor]) -> None:
    visible = clip[1]
    ours = torch.zeros(2, UNITS * SLICES, dtype=torch.bool).scatter(1, hidden_cubes(visible, UNITS, SLICES), True)
    theirs = bench.hidden_tokens(visible, UNITS, SLICES)
    assert torch.equal(theirs.view(2, SLICES, UNITS).transpose(1, 2), ours.view(2, UNITS, SLICES))


def test_pixels_return_to_their_places(bench: ModuleType, clip: tuple[torch.Tensor, torch.Tensor]) -> None:
    colours, visible = clip
    hidden = bench.hidden_tokens(visible, UNITS, SLICES)
    tokens = [
        colours[b, 2 * s : 2 * s + 2, y : y + 16, x : x + 16].flatten()
        for b in range(2)
        for s in range(SLICES)
        for y in range(0, SIDE, 16)
        for x in range(0, SIDE, 16)
        if y // 16 * (SIDE // 16) + x // 16 not in visible[b].tolist()
    ]
    before = colours.masked_fill(pixels_hidden(visible)[..., None], 7)
    made = bench.put_back(torch.stack(tokens).view(2, -1, 1536), hidden, before)
    assert torch.equal(made, colours) and not torch.equal(made, before)


@torch.inference_mode()
def test_the_network_agrees_about_order(bench: ModuleType, model: Any, clip: tuple[torch.Tensor, torch.Tensor]) -> None:
    """Its own loss is the error of the clip that `put_back` makes of its answer, and `draw` is that answer."""
    colours, visible = clip
    hidden, missing = bench.hidden_tokens(visible, UNITS, SLICES), pixels_hidden(visible)
    answer = model.net(bench.to_input(colours), bool_masked_pos=hidden)
    torch.testing.assert_close(model.draw(bench.to_input(colours), hidden), answer.logits)
    made = bench.put_back(answer.logits, hidden, colours.float() / 255)
    error = (made - colours.float() / 255)[missing].square().mean()
    torch.testing.assert_close(error, model(colours, visible))
    assert torch.equal(made[~missing], colours[~missing].float() / 255)


def test_what_is_hidden_is_never_read(bench: ModuleType, model: Any, clip: tuple[torch.Tensor, torch.Tensor]) -> None:
    colours, visible = clip
    missing = pixels_hidden(visible)
    with torch.inference_mode():
        made = model.restore(colours, visible)
        assert torch.equal(model.restore(colours.masked_fill(missing[..., None], 3), visible), made)
        other = model.restore(255 - colours, visible)
    assert torch.equal(made[~missing], colours[~missing]) and not torch.equal(other[missing], made[missing])
