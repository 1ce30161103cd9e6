"""State alignment: it learns, it judges only clips that were told nothing, and nothing of the state leaks into it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from training_fakes import MemoryClips, make_config, make_state

from hstmae.config import ModelConfig, RunConfig
from hstmae.data.clips.clip import ClipBatch
from hstmae.errors import ConfigError
from hstmae.games import get_game
from hstmae.models import build_model
from hstmae.models.inputs import MaskedClips
from hstmae.models.mae import HSTMAE
from hstmae.models.state.alignment import StateAlignment
from hstmae.models.zoo import load_pretrained
from hstmae.training.losses.auxiliary import alignment_loss, auxiliary_losses
from hstmae.training.masks.inputs import StepInputs, draw_inputs
from hstmae.training.run.step import step_losses

SMALL = ModelConfig(
    dims=(16, 16, 16, 16), depths=(1, 1, 1, 1), head_dim=8, temporal_windows=(2, 2, 2, 2), decoder_dim=16,
    decoder_depth=1, decoder_head_dim=8, state_dim=16, texture_dim=4, pixel_dim=8, code_dim=4,
    state_alignment=True,
)  # fmt: skip


@pytest.fixture
def model() -> HSTMAE:
    torch.manual_seed(0)
    return build_model(SMALL)


@pytest.fixture
def batch() -> ClipBatch:
    clips, state = MemoryClips().batch(0, 3), make_state(3)
    clips = replace(clips, palette=torch.from_numpy(get_game("smb").palette.copy()).expand(3, -1, -1))
    state.token_xy[:] = 30.0
    state.boxes[:, :, 0] = torch.tensor([5, 10, 10, 40, 40])  # a player
    return replace(clips, state=state)


def inputs_of(batch: ClipBatch, level: list[int]) -> StepInputs:
    drawn = draw_inputs(batch.frames, False, make_config("unused").train, torch.Generator())
    return replace(drawn, level=torch.tensor(level))


def config_of(**train: object) -> RunConfig:
    return replace(make_config("unused", **train), model=SMALL)


def predicted(model: HSTMAE, batch: ClipBatch, inputs: StepInputs) -> Tensor:
    return model(clips_of(batch, inputs), inputs.queries, align=True)[1]


def clips_of(batch: ClipBatch, inputs: StepInputs) -> MaskedClips:
    return MaskedClips(batch.frames, inputs.visible, batch.state, inputs.level, batch.origin)


def test_prediction_has_a_place_for_every_number_of_the_state(model: HSTMAE, batch: ClipBatch) -> None:
    assert batch.state is not None
    inputs = inputs_of(batch, [0, 1, 2])
    out, said = model(clips_of(batch, inputs), inputs.queries, align=True)
    b, t, k, f = batch.state.tokens.shape
    assert said.shape == (b, t, k, f + 1)
    alone = model(clips_of(batch, inputs), inputs.queries)
    assert torch.equal(out, alone)  # asking for it changes nothing else


def other_state(batch: ClipBatch) -> ClipBatch:
    """The same clips with another state in everything that describes the screen."""
    assert batch.state is not None
    state = batch.state.map(torch.clone)
    state.tokens.add_(1)
    state.boxes[:, :, 0] = torch.tensor([6, 0, 0, 64, 64])
    state.camera.add_(5)
    return replace(batch, state=state)


def test_no_state_reaches_the_prediction_that_is_judged(model: HSTMAE, batch: ClipBatch) -> None:
    """Another state changes no prediction of a clip that is told nothing; for the others the regions give it away,
    which is why they are not judged."""
    inputs = inputs_of(batch, [0, 1, 2])
    one, two = (predicted(model, clips, inputs) for clips in (batch, other_state(batch)))
    assert torch.equal(one[0], two[0])
    assert not torch.equal(one[1], two[1]) and not torch.equal(one[2], two[2])


def test_gradients_reach_the_visual_tokens_and_nothing_that_reads_the_state(model: HSTMAE, batch: ClipBatch) -> None:
    assert batch.state is not None
    inputs = inputs_of(batch, [0, 2, 0])
    assert inputs.level is not None
    term = alignment_loss(predicted(model, batch, inputs), batch.state, inputs.level == 0)
    term.value.backward()
    reached = {name for name, p in model.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert {"encoder.patch.weight", "encoder.colour.weight", "encoder.merges.1.1.weight", "alignment.out"} <= reached
    assert all(name.startswith(("encoder.", "alignment.")) for name in reached)
    assert not any(name.startswith(("encoder.state", "encoder.stages.2", "encoder.stages.3")) for name in reached)
    table = model.encoder.region.weight.grad
    player = get_game("smb").regions.index("player")
    assert table is not None and table[player].abs().sum() == 0  # only clips that are told read it


def test_told_clips_do_not_count() -> None:
    state = make_state(3)
    said = torch.cat([state.tokens, state.token_valid[..., None].float()], -1)
    right, wrong = alignment_loss(said, state, torch.ones(3, dtype=torch.bool)), said.clone()
    assert right.present and right.value.item() == 0
    wrong[1] += 1
    assert alignment_loss(wrong, state, torch.tensor([True, False, True])).value.item() == 0
    assert alignment_loss(wrong, state, torch.tensor([False, True, False])).value.item() == pytest.approx(2, rel=1e-5)
    assert not alignment_loss(wrong, state, torch.zeros(3, dtype=torch.bool)).present


def test_features_of_unused_tokens_do_not_count_and_their_absence_does() -> None:
    state = make_state(2)
    state.token_valid[:, :, 3] = False
    said = torch.cat([state.tokens, state.token_valid[..., None].float()], -1)
    said[:, :, 3, :-1] = 50
    assert alignment_loss(said, state, torch.ones(2, dtype=torch.bool)).value.item() == 0
    said[:, :, 3, -1] = 1
    assert alignment_loss(said, state, torch.ones(2, dtype=torch.bool)).value.item() == pytest.approx(1 / 9, rel=1e-5)


def test_the_head_learns_where_a_bright_unit_is() -> None:
    """Tokens carry their place and whether they are bright; the state says which place is bright, clip by clip."""
    torch.manual_seed(0)
    game, units, slices = get_game("smb"), 12, 2
    head = StateAlignment(game, 16)
    place = torch.randn(units, 15)
    state = make_state(64, 2 * slices)
    state.tokens.zero_()

    def clips(seed: int) -> tuple[Tensor, Tensor]:
        bright = torch.randint(units, (64,), generator=torch.Generator().manual_seed(seed))
        lit = 4 * torch.nn.functional.one_hot(bright, units).float()
        return torch.cat([place.expand(64, -1, -1), lit[..., None]], -1)[:, :, None].expand(-1, -1, slices, -1), bright

    optimizer, every = torch.optim.Adam(head.parameters(), 0.02), torch.ones(64, dtype=torch.bool)
    losses = []
    for step in range(300):
        x, bright = clips(step)
        state.tokens[..., 1, 0] = (bright / units)[:, None]
        loss = alignment_loss(head(x), state, every).value
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-10:]) < 0.05 * sum(losses[:10])
    x, bright = clips(10**6)
    off = (head(x)[:, :, 1, 0] - (bright / units)[:, None]).abs().mean().item()
    assert off < 0.6 * float((bright / units - 0.5).abs().mean())  # better than the mean place


def test_a_step_logs_the_term_and_trains_the_head(model: HSTMAE, batch: ClipBatch) -> None:
    config = config_of(state_loss=0.1)
    auxiliary = auxiliary_losses(config)
    assert auxiliary is not None and auxiliary.aligns
    for level, told in (([2, 1, 2], False), ([0, 2, 2], True)):
        model.zero_grad(set_to_none=True)
        loss, terms = step_losses(model, batch, inputs_of(batch, level), config.train, auxiliary=auxiliary)
        assert (terms["alignment"] > 0) == told and loss.isfinite()
        loss.backward()
        grad = model.alignment.out.grad  # type: ignore[union-attr]
        assert grad is not None and (grad.abs().sum() > 0) == told  # a gradient either way, as several ranks need
    without = replace(batch, state=None)
    assert step_losses(model, without, inputs_of(batch, [0, 0, 0]), config.train, auxiliary=auxiliary)[0].isfinite()


def test_the_head_is_there_only_where_it_is_configured(batch: ClipBatch) -> None:
    plain = build_model(replace(SMALL, state_alignment=False))
    assert not [name for name in plain.state_dict() if name.startswith("alignment")]
    inputs = inputs_of(batch, [0, 0, 0])
    with pytest.raises(ConfigError, match="state_alignment"):
        predicted(plain, batch, inputs)
    torch.manual_seed(0)
    one = build_model(SMALL)
    torch.manual_seed(0)
    two = build_model(replace(SMALL, state_alignment=False))
    common = two.state_dict()
    assert all(torch.equal(one.state_dict()[name], common[name]) for name in common)  # the others start as ever


def test_a_model_with_the_head_is_saved_and_loaded(model: HSTMAE, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    assert torch.equal(load_pretrained(tmp_path).state_dict()["alignment.out"], model.state_dict()["alignment.out"])
