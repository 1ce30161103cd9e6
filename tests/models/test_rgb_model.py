"""True colour through the model: games without a palette, and colours as the answer for a game with one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from random_play import random_state
from torch import Tensor

from hstmae.config import ModelConfig
from hstmae.errors import ConfigError, DataError
from hstmae.games import GameState, get_game
from hstmae.models import HSTMAE, build_model, load_pretrained, save_pretrained
from hstmae.models.cubes import from_cubes, to_cubes
from hstmae.models.inputs import MaskedClips
from hstmae.models.masking import hidden_cubes, tube_visible

SIZE, UNITS = (48, 80), 15
KINDS = [("generic", "rgb"), ("atari", "rgb"), ("atari-breakout", "rgb"), ("smb", "rgb")]
SMALL = ModelConfig(
    name="small", dims=(16, 32, 48, 64), head_dim=16, depths=(2, 1, 2, 1), decoder_dim=32, decoder_head_dim=16,
    decoder_depth=2, state_dim=32, texture_dim=8, pixel_dim=16, code_dim=8,
)  # fmt: skip


def make(game: str, head: str = "rgb", gate: float = 0.5) -> HSTMAE:
    """Fresh weights; with open gates, so that no path is silent."""
    torch.manual_seed(0)
    model = build_model(SMALL, game=game, head=head).eval()
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if key.endswith("gate"):
                parameter.fill_(gate)
    return model


def noise(game: str, batch: int = 2, frames: int = 4, size: tuple[int, int] = SIZE, seed: int = 0) -> Tensor:
    """Random frames of the kind that the game has."""
    indexed = len(get_game(game).palette) > 0
    shape = (batch, frames, *size, *([] if indexed else [3]))
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 64 if indexed else 256, shape, dtype=torch.uint8, generator=generator)


def make_state(game: str, batch: int = 2, frames: int = 4, seed: int = 0) -> GameState | None:
    if game == "generic":
        return None
    if game == "smb":
        return random_state(batch, frames, seed)
    memory = np.random.default_rng(seed).integers(0, 256, (batch, frames, 128), np.uint8)
    states = [get_game(game).decode(one, None) for one in memory]
    return GameState.stack(states, lambda arrays: torch.from_numpy(np.stack(arrays)))


def tubes(batch: int = 2, units: int = UNITS) -> Tensor:
    return tube_visible(batch, units, 0.6, torch.Generator().manual_seed(1))


def restore(
    model: HSTMAE, frames: Tensor, visible: Tensor, level: int = 2, queries: Tensor | None = None, **more: Any
) -> Tensor:
    more.setdefault("state", make_state(model.config.game, *frames.shape[:2]))
    with torch.no_grad():
        return model(MaskedClips(frames, visible, level=torch.full((len(frames),), level), **more), queries)


@pytest.mark.parametrize(("game", "head"), KINDS)
@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("training", [False, True])
def test_hidden_pixels_never_reach_the_output(game: str, head: str, level: int, training: bool) -> None:
    model, frames, visible = make(game, head).train(training), noise(game), tubes()
    keep = torch.zeros(2, UNITS, dtype=torch.bool).scatter_(1, visible, True)
    seen, other = to_cubes(frames), to_cubes(noise(game, seed=9))
    noisy = from_cubes(torch.where(keep.view(2, UNITS, *[1] * (seen.ndim - 2)), seen, other), SIZE)
    assert (noisy != frames).float().mean() > 0.5
    out = restore(model, frames, visible, level)
    assert torch.equal(out, restore(model, noisy, visible, level))
    unit = int(visible[0, -1])
    y, x = 16 * (unit // 5), 16 * (unit % 5)
    changed = frames.clone()
    changed[0, 1, y + 3, x + 5] ^= 1  # the smallest change of one visible pixel
    after = restore(model, changed, visible, level)
    assert not torch.equal(out[0], after[0]) and torch.equal(out[1], after[1])


@pytest.mark.parametrize("game", ["generic", "atari"])
@pytest.mark.parametrize(("size", "frames"), [((208, 160), 2), ((16, 16), 2), ((64, 48), 16), ((336, 272), 2)])
def test_one_set_of_weights_runs_at_any_size(game: str, size: tuple[int, int], frames: int) -> None:
    units = size[0] * size[1] // 256
    visible = tubes(1, units)
    out = restore(make(game), noise(game, 1, frames, size), visible)
    assert out.shape == (1, (units - visible.shape[1]) * frames // 2, 2, 16, 16, 3)
    assert torch.isfinite(out).all() and out.dtype == torch.float32


@pytest.mark.parametrize(("game", "head"), KINDS)
def test_gradients_reach_every_weight(game: str, head: str) -> None:
    model, frames, visible = make(game, head).train(), noise(game, 3, size=(96, 160)), tubes(3, 60)
    state = make_state(game, 3)
    if state is not None:
        state.camera[0] = 100  # one clip shows the beginning of a map, where that means something
    out = model(MaskedClips(frames, visible, state, torch.tensor([2, 1, 0])), hidden_cubes(visible, 60, 2))
    out.square().mean().backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_only_closed_gates_keep_gradients_away() -> None:
    model, visible = make("atari", gate=0.0).train(), tubes()
    model(MaskedClips(noise("atari"), visible, make_state("atari"))).square().mean().backward()
    silent = {n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()}
    behind = {n for n, _ in model.named_parameters() if n.startswith("state.") or ".state." in n}
    assert silent == {n for n in behind if not n.endswith("gate")}


def test_console_memory_is_used_from_compact_on_and_full_adds_nothing() -> None:
    model, frames, visible = make("atari"), noise("atari"), tubes()
    other = make_state("atari", seed=5)
    assert torch.equal(restore(model, frames, visible, 1), restore(model, frames, visible, 2))
    assert not torch.equal(restore(model, frames, visible, 1), restore(model, frames, visible, 1, state=other))
    assert torch.equal(restore(model, frames, visible, 0), restore(model, frames, visible, 0, state=other))


def test_a_game_that_tells_nothing_has_no_weights_for_it() -> None:
    assert not [name for name, _ in make("generic").named_parameters() if "gate" in name or name.startswith("state.")]


def test_places_count_in_the_whole_picture() -> None:
    """A crop of a video is told where it lies; without a size, the frames are the whole picture."""
    model, frames, visible = make("generic"), noise("generic"), tubes()
    alone = restore(model, frames, visible)
    assert torch.equal(alone, restore(model, frames, visible, size=torch.tensor([SIZE, SIZE])))
    larger = torch.tensor([[480, 800], list(SIZE)])
    part = restore(model, frames, visible, size=larger)
    assert not torch.equal(alone[0], part[0]) and torch.allclose(alone[1], part[1], atol=1e-5)


def test_a_subset_of_queries_decodes_like_the_whole() -> None:
    model, frames, visible = make("generic"), noise("generic", 1), tubes(1)
    queries = hidden_cubes(visible, UNITS, 2)
    whole, part = restore(model, frames, visible), restore(model, frames, visible, queries=queries[:, 5:9])
    assert torch.allclose(part, whole[:, 5:9], atol=1e-5)
    assert not torch.allclose(part, whole[:, 6:10], atol=1e-3)


def test_colours_keep_their_precision_under_autocast() -> None:
    """The last map runs in float32, so that colours are finer than bfloat16 and the steps of an 8-bit picture."""
    model, frames, visible = make("generic"), noise("generic"), tubes()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = restore(model, frames, visible)
    assert out.dtype == torch.float32
    assert (out != out.bfloat16().float()).float().mean() > 0.9
    assert torch.allclose(out, restore(model, frames, visible), atol=0.1)


def test_frames_of_the_wrong_kind_are_refused() -> None:
    with pytest.raises(DataError, match=r"'generic' takes RGB frames.*\[2, 4, 48, 80\]"):
        restore(make("generic"), noise("smb"), tubes())
    with pytest.raises(DataError, match="'smb' takes palette indices"):
        restore(make("smb", "palette"), noise("generic"), tubes())
    with pytest.raises(DataError, match="RGB frames"):
        restore(make("generic"), torch.zeros(2, 4, *SIZE, 4, dtype=torch.uint8), tubes())


@pytest.mark.parametrize("game", ["generic", "atari"])
def test_a_palette_head_needs_a_palette(game: str) -> None:
    with pytest.raises(ConfigError, match=r"no palette; set model\.head=rgb"):
        build_model(SMALL, game=game)


@pytest.mark.parametrize(("game", "head"), KINDS)
def test_model_folder_round_trip(tmp_path, game: str, head: str) -> None:  # type: ignore[no-untyped-def]
    model, frames, visible = make(game, head), noise(game), tubes()
    save_pretrained(model.state_dict(), model.config, tmp_path / "m", torch.float32)
    again = load_pretrained(tmp_path / "m")
    assert again.config == model.config
    assert torch.equal(restore(again, frames, visible), restore(model, frames, visible))
