from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from random_play import random_state
from torch import Tensor

from hstmae.config import ModelConfig
from hstmae.errors import CheckpointError, ConfigError
from hstmae.games import GameState
from hstmae.models import HSTMAE, build_model, load_pretrained, save_pretrained
from hstmae.models.cubes import from_cubes, to_cubes
from hstmae.models.inputs import MaskedClips
from hstmae.models.masking import hidden_cubes, tube_visible


def trained_looking(name: str = "hst-mae-nano") -> HSTMAE:
    """Fresh weights with every gate open, so that no path is silent."""
    torch.manual_seed(0)
    model = build_model(name).eval()
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if key.endswith("gate"):
                parameter.fill_(0.5)
    return model


MODEL = trained_looking()


def restore(model: HSTMAE, frames: Tensor, visible: Tensor, level: int, queries: Tensor | None = None) -> Tensor:
    state = random_state(len(frames), frames.shape[1])
    with torch.no_grad():
        return model(MaskedClips(frames, visible, state, torch.full((len(frames),), level)), queries)


@pytest.mark.parametrize(("height", "width", "frames"), [(224, 224, 4), (240, 256, 2), (48, 80, 6), (320, 320, 2)])
@pytest.mark.parametrize("name", ["hst-mae-nano", "hst-mae-tiny"])
def test_one_set_of_weights_runs_at_any_size(name: str, height: int, width: int, frames: int) -> None:
    model = MODEL if name == "hst-mae-nano" else trained_looking(name)
    clip = torch.randint(0, 64, (1, frames, height, width), dtype=torch.uint8)
    units = height * width // 256
    visible = tube_visible(1, units, 0.9, torch.Generator().manual_seed(0))
    out = restore(model, clip, visible, 2)
    assert out.shape == (1, (units - visible.shape[1]) * frames // 2, 2, 16, 16, 64)
    assert torch.isfinite(out).all()


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("training", [False, True])
def test_hidden_pixels_never_reach_the_output(level: int, training: bool) -> None:
    frames = torch.randint(0, 64, (2, 4, 64, 96), dtype=torch.uint8)
    visible = tube_visible(2, 24, 0.75, torch.Generator().manual_seed(1))
    noise = to_cubes(torch.randint(0, 64, frames.shape, dtype=torch.uint8))
    keep = torch.zeros(2, 24, dtype=torch.bool).scatter_(1, visible, True)
    noisy = from_cubes(torch.where(keep[:, :, None, None, None, None], to_cubes(frames), noise), (64, 96))
    assert (noisy != frames).any()
    MODEL.train(training)
    try:
        assert torch.equal(restore(MODEL, frames, visible, level), restore(MODEL, noisy, visible, level))
    finally:
        MODEL.eval()
    unit = int(visible[0, 0])
    y, x = 16 * (unit // 6), 16 * (unit % 6)
    seen = frames.clone()
    seen[0, :, y : y + 16, x : x + 16] = (seen[0, :, y : y + 16, x : x + 16] + 1) % 64
    assert not torch.equal(restore(MODEL, frames, visible, level), restore(MODEL, seen, visible, level))


def test_a_subset_of_queries_decodes_like_the_whole() -> None:
    frames = torch.randint(0, 64, (1, 4, 64, 96), dtype=torch.uint8)
    visible = tube_visible(1, 24, 0.75, torch.Generator().manual_seed(1))
    queries = hidden_cubes(visible, 24, 2)
    whole = restore(MODEL, frames, visible, 2)
    part = restore(MODEL, frames, visible, 2, queries=queries[:, 5:9])
    assert torch.allclose(part, whole[:, 5:9], atol=1e-4)
    assert not torch.allclose(part, whole[:, 6:10], atol=1e-2)


def test_state_levels_use_no_more_than_they_may() -> None:
    frames = torch.randint(0, 64, (1, 2, 64, 96), dtype=torch.uint8)
    visible = tube_visible(1, 24, 0.75, torch.Generator().manual_seed(1))
    state, other = random_state(1, 2, seed=0), random_state(1, 2, seed=9)
    mixed = replace(state, tiles=other.tiles, sprites=other.sprites, globals=other.globals)  # same compact tokens

    def out(which: GameState | None, level: int) -> Tensor:
        with torch.no_grad():
            return MODEL(MaskedClips(frames, visible, which, torch.tensor([level])))

    assert torch.equal(out(state, 0), out(other, 0))
    assert torch.allclose(out(state, 0), out(None, 2), atol=1e-4)  # fewer keys, so sums round differently
    assert torch.equal(out(state, 1), out(mixed, 1))
    assert not torch.equal(out(state, 1), out(other, 1))
    assert not torch.equal(out(state, 2), out(mixed, 2))


def test_samples_of_a_batch_do_not_mix() -> None:
    frames = torch.randint(0, 64, (2, 2, 64, 96), dtype=torch.uint8)
    visible = tube_visible(2, 24, 0.75, torch.Generator().manual_seed(1))
    state = random_state(2, 2)
    level = torch.tensor([2, 1])
    origin = torch.tensor([[3, 5], [0, 9]])
    with torch.no_grad():
        both = MODEL(MaskedClips(frames, visible, state, level, origin))
        second = MODEL(MaskedClips(frames[1:], visible[1:], state.map(lambda a: a[1:]), level[1:], origin[1:]))
    assert torch.allclose(both[1:], second, atol=1e-4)


def test_nothing_visible_still_restores() -> None:
    frames = torch.randint(0, 64, (1, 2, 32, 32), dtype=torch.uint8)
    assert torch.isfinite(restore(MODEL, frames, torch.zeros(1, 0, dtype=torch.long), 2)).all()


def test_all_weights_receive_gradients() -> None:
    model = trained_looking().train()  # the place memory recalls what training has seen
    frames = torch.randint(0, 64, (3, 4, 240, 256), dtype=torch.uint8)
    visible = tube_visible(3, 240, 0.9, torch.Generator().manual_seed(1))
    state = random_state(3, 4)
    state.camera[0] = 100  # one clip shows the beginning of a map
    clips = MaskedClips(frames, visible, state, torch.tensor([2, 1, 0]))
    out = model(clips, hidden_cubes(visible, 240, 2)[:, ::9])
    out.square().mean().backward()
    silent = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []


def test_model_folder_round_trip(tmp_path) -> None:  # type: ignore[no-untyped-def]
    save_pretrained(MODEL.state_dict(), MODEL.config, tmp_path / "m", torch.float32)
    again = load_pretrained(tmp_path / "m")
    assert again.config == MODEL.config and not again.training
    frames = torch.randint(0, 64, (1, 2, 32, 48), dtype=torch.uint8)
    visible = torch.tensor([[0, 4]])
    assert torch.equal(restore(again, frames, visible, 2), restore(MODEL, frames, visible, 2))


@pytest.mark.parametrize("damage", ["no weights", "short weights", "other widths", "no folder"])
def test_damaged_model_folders_are_refused(tmp_path, damage: str) -> None:  # type: ignore[no-untyped-def]
    folder = tmp_path / "m"
    save_pretrained(MODEL.state_dict(), MODEL.config, folder)
    weights = folder / "model.safetensors"
    if damage == "no weights":
        weights.unlink()
    elif damage == "short weights":
        weights.write_bytes(weights.read_bytes()[:1000])
    elif damage == "other widths":
        text = (folder / "config.json").read_text()
        (folder / "config.json").write_text(text.replace('"decoder_dim": 128', '"decoder_dim": 256'))
    else:
        folder = tmp_path / "nothing"
    with pytest.raises(CheckpointError, match=r"m|nothing"):
        load_pretrained(folder)


@pytest.mark.parametrize(
    "changes", [{"head_dim": 36}, {"dims": (48, 96)}, {"head": "grey"}, {"depths": (2, 2, 0, 1)}, {"decoder_dim": 100}]
)
def test_impossible_configurations_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="model"):
        build_model(ModelConfig(), **changes)
