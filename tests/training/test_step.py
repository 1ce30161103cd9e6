from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from training_fakes import COLOURS, SLICES, UNITS, MemoryClips, TinyModel, make_config, make_state

from hstmae.config import TrainConfig
from hstmae.data.clips.clip import ClipBatch
from hstmae.errors import DataError
from hstmae.games.state import NOWHERE
from hstmae.models.cubes import from_cubes, to_cubes
from hstmae.models.inputs import MaskedClips
from hstmae.models.masking import hidden_cubes, tube_visible
from hstmae.training.masks.inputs import choose_queries, detail_scores, draw_inputs, draw_levels, seed_of
from hstmae.training.run.step import step_losses


def seeded(*parts: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed_of(*parts))


def test_seeds_differ_for_every_step_and_stream() -> None:
    seeds = {seed_of(seed, step, stream) for seed in range(5) for step in range(50) for stream in range(3)}
    assert len(seeds) == 5 * 50 * 3 and all(0 <= s < 2**63 for s in seeds)


@pytest.mark.parametrize("count", [1, 7, 12, 20])
@pytest.mark.parametrize("hard", [0.0, 0.5, 1.0])
def test_queries_are_exact_in_number_unique_and_never_visible(count: int, hard: float) -> None:
    frames = MemoryClips().batch(0, 6).frames
    for step in range(10):
        generator = seeded(1, step)
        visible = tube_visible(6, UNITS, 0.75, generator)
        hidden = hidden_cubes(visible, UNITS, SLICES)
        queries = choose_queries(to_cubes(frames), hidden, count, hard, generator)
        assert queries.shape == (6, min(count, hidden.shape[1])) and queries.dtype == torch.int64
        for row, seen in zip(queries.tolist(), visible.tolist(), strict=True):
            assert row == sorted(set(row)) and row[0] >= 0 and row[-1] < UNITS * SLICES
            assert not {q // SLICES for q in row} & set(seen)


@pytest.mark.parametrize("count", [0, 10**6])
def test_zero_or_too_many_queries_mean_all_hidden_cubes(count: int) -> None:
    hidden = hidden_cubes(tube_visible(2, UNITS, 0.5, seeded(0)), UNITS, SLICES)
    assert torch.equal(
        choose_queries(to_cubes(MemoryClips().batch(0, 2).frames), hidden, count, 0.5, seeded(1)), hidden
    )


def test_hard_share_goes_to_cubes_with_detail() -> None:
    """Only 6 of 32 cubes differ in any pixel; a hard choice of 4 takes them all the time, a uniform one rarely."""
    frames = torch.zeros(1, 4, 64, 64, dtype=torch.uint8)
    frames[:, :, 3, :48] = 5  # a line through the three units of the top row, both slices
    cubes = to_cubes(frames)
    hidden = torch.arange(UNITS * SLICES)[None]
    detailed = set(range(6))
    draws = {
        hard: [choose_queries(cubes, hidden, 4, hard, seeded(2, i))[0].tolist() for i in range(60)]
        for hard in (0, 0.5, 1)
    }
    share = {hard: sum(len(detailed & set(row)) for row in rows) / 240 for hard, rows in draws.items()}
    assert share[1] == 1
    assert 0.5 <= share[0.5] < 0.75
    assert 0.1 < share[0] < 0.3


def test_with_too_little_detail_the_rest_is_uniform() -> None:
    hidden = torch.arange(UNITS * SLICES)[None]
    chosen = torch.zeros(UNITS * SLICES)
    for i in range(300):
        cubes = to_cubes(torch.zeros(1, 4, 64, 64, dtype=torch.uint8))
        chosen[choose_queries(cubes, hidden, 8, 1.0, seeded(3, i))[0]] += 1
    assert chosen.min() > 40 and chosen.max() < 120  # 75 expected


def test_detail_prefers_rare_colours_and_change() -> None:
    frames = torch.zeros(1, 4, 64, 64, dtype=torch.uint8)
    frames[:, :, 0:16, 0:16:2] = 1  # unit 0: common stripes
    frames[:, :, 0:16, 32:64:2] = 1  # units 2 and 3: the same, so that colour 1 is common
    frames[:, :, 16:32, 0:16:2] = 6  # unit 4: the same stripes in a rare colour
    frames[:, 1::2, 32:48, 0:16:2] = 1  # unit 8: stripes that blink
    scores = detail_scores(to_cubes(frames)).view(UNITS, SLICES)
    assert scores.shape == (UNITS, SLICES)
    assert scores[1].max() == 0
    assert scores[0, 0] == scores[2, 0] > 0
    assert scores[4, 0] > scores[0, 0]
    assert scores[8, 0] > scores[0, 0]


def test_levels_come_with_their_probabilities() -> None:
    config = TrainConfig(state_full=0.6, state_compact=0.3)
    counts = torch.bincount(draw_levels(20000, config, seeded(4)), minlength=3) / 20000
    assert counts.tolist() == pytest.approx([0.1, 0.3, 0.6], abs=0.02)
    assert draw_levels(50, TrainConfig(state_full=1.0, state_compact=0.0), seeded(5)).tolist() == [2] * 50
    assert draw_levels(50, TrainConfig(state_full=0.0, state_compact=0.0), seeded(5)).tolist() == [0] * 50


def test_draw_depends_on_the_generator_alone_and_keeps_the_exact_ratio() -> None:
    frames = MemoryClips().batch(3, 4).frames
    config = make_config("unused", mask_ratios=(0.5, 0.75)).train
    ratios = set()
    for step in range(20):
        one, two = (draw_inputs(frames, True, config, seeded(0, step)) for _ in range(2))
        assert torch.equal(one.visible, two.visible) and torch.equal(one.queries, two.queries)
        assert one.level is not None and two.level is not None and torch.equal(one.level, two.level)
        assert one.visible.shape == (4, UNITS - round(one.ratio * UNITS))
        ratios.add(one.ratio)
    assert ratios == {0.5, 0.75}
    assert draw_inputs(frames, False, config, seeded(0)).level is None


def test_lost_clips_come_with_their_share_and_without_it_nothing_more_is_drawn() -> None:
    frames = MemoryClips().batch(0, 4).frames
    one, two = (make_config("unused", lost=share).train for share in (0.0, 0.25))
    generators = seeded(0), seeded(0)
    plain, some = draw_inputs(frames, True, one, generators[0]), draw_inputs(frames, True, two, generators[1])
    assert plain.lost is None and plain.level is not None and some.level is not None and some.lost is not None
    assert torch.equal(plain.level, some.level) and torch.equal(plain.queries, some.queries)
    assert some.lost.shape == (4,) and some.lost.dtype == torch.bool
    reference = seeded(0)
    draw_inputs(frames, False, one, reference)
    torch.rand(4, generator=reference)  # the levels
    assert torch.equal(generators[0].get_state(), reference.get_state())
    assert not torch.equal(generators[1].get_state(), reference.get_state())
    draws = [draw_inputs(frames, True, two, seeded(1, i)).lost for i in range(250)]
    assert torch.stack([d for d in draws if d is not None]).float().mean().item() == pytest.approx(0.25, abs=0.05)
    assert draw_inputs(frames, False, two, seeded(0)).lost is None


def test_a_lost_clip_is_not_told_its_map_and_the_others_are() -> None:
    batch = replace(MemoryClips().batch(0, 3), state=make_state(3))
    config = make_config("unused").train
    inputs = replace(draw_inputs(batch.frames, True, config, seeded(0)), lost=torch.tensor([False, True, False]))
    model = StateSpy()
    step_losses(model, batch, inputs, config)
    assert model.area is not None and model.area.dtype == torch.int32
    assert model.area.tolist() == [[7] * 4, [NOWHERE] * 4, [7] * 4]
    assert batch.state is not None and batch.state.area.unique().tolist() == [7]  # the batch stays as it was
    step_losses(model, batch, replace(inputs, lost=None), config)
    assert model.area.unique().tolist() == [7]


class StateSpy(TinyModel):
    """Keeps the map numbers it was told."""

    area: torch.Tensor | None = None

    def forward(self, clips: MaskedClips, queries: torch.Tensor) -> torch.Tensor:
        assert clips.state is not None
        self.area = clips.state.area
        return super().forward(clips, queries)


def test_losses_are_the_configured_sum_and_have_gradients() -> None:
    batch = MemoryClips().batch(0, 3)
    config = make_config("unused", rgb_loss=0.5).train
    model = TinyModel()
    loss, terms = step_losses(model, batch, draw_inputs(batch.frames, False, config, seeded(0)), config)
    assert set(terms) == {"loss", "ce", "mse", "exact_match"}
    assert loss.item() == pytest.approx(terms["ce"].item() + 0.5 * terms["mse"].item(), rel=1e-6)
    assert not any(term.requires_grad for term in terms.values()) and 0 <= terms["exact_match"] <= 1
    loss.backward()
    assert model.out.weight.grad is not None and model.out.weight.grad.abs().sum() > 0


def test_hidden_pixels_do_not_reach_the_loss_as_input() -> None:
    """Changing hidden pixels that are not decoded changes nothing; the losses see decoded cubes and no others."""
    batch = MemoryClips().batch(0, 2)
    config = make_config("unused", queries=6).train
    inputs = draw_inputs(batch.frames, False, config, seeded(0))
    model = TinyModel().eval()
    before = step_losses(model, batch, inputs, config)[1]
    cubes = to_cubes(batch.frames)
    used = torch.zeros(2, UNITS * SLICES, dtype=torch.bool).scatter_(1, inputs.queries, True)
    used |= torch.zeros(2, UNITS, dtype=torch.bool).scatter_(1, inputs.visible, True).repeat_interleave(SLICES, 1)
    noise = torch.randint(0, COLOURS, cubes.shape, dtype=torch.uint8, generator=seeded(9))
    mixed = torch.where(used.view(2, UNITS, SLICES, 1, 1, 1), cubes, noise)
    assert not torch.equal(mixed, cubes)
    after = step_losses(model, replace(batch, frames=from_cubes(mixed, (64, 64))), inputs, config)[1]
    assert all(torch.equal(before[name], after[name]) for name in before)


def colour_cubes(pictures: torch.Tensor) -> torch.Tensor:
    """[T, H, W] greys -> cubes of one RGB clip."""
    return to_cubes(pictures[None, ..., None].expand(*[-1] * 4, 3).to(torch.uint8).contiguous())


def test_detail_of_true_colour_is_texture_and_change() -> None:
    frames = torch.full((4, 64, 64), 90)
    frames[:, 0:16, 16:32] += 4 * torch.arange(16)  # unit 1: a ramp across
    frames[:, 16:32, 16:32] += 4 * torch.arange(16)[:, None]  # unit 5: the same down
    frames[:, 0:16, 32:48] += 8 * torch.arange(16)  # unit 2: twice as steep
    frames[1::2, 32:48, 0:16] = 120  # unit 8: flat, and blinking
    frames[2:, 48:64, 0:16] = 120  # unit 12: flat, another colour from the second slice on
    scores = detail_scores(colour_cubes(frames)).view(UNITS, SLICES)
    assert scores[0].tolist() == [0, 0] and scores.dtype == torch.float32
    assert torch.equal(scores[1], scores[5]) and scores[1, 0] > 0
    assert torch.allclose(scores[2], 2 * scores[1])
    assert scores[8, 0] > 0 and scores[8, 1] > scores[8, 0]  # a second change, from the slice before
    assert scores[12, 0] == 0 and scores[12, 1] > 0
    coloured = torch.zeros(1, UNITS, SLICES, 2, 16, 16, 3, dtype=torch.uint8)
    coloured[:, 3, :, :, :, ::4, 2] = 60  # one channel alone counts too
    assert detail_scores(coloured).view(UNITS, SLICES)[3, 0] > 0


@pytest.mark.parametrize("count", [1, 9, 20])
def test_true_colour_queries_are_exact_unique_and_never_visible(count: int) -> None:
    frames = torch.randint(0, 256, (3, 4, 64, 64, 3), dtype=torch.uint8, generator=seeded(0))
    config = make_config("unused", queries=count, mask_ratios=(0.5,)).train
    inputs = draw_inputs(frames, False, config, seeded(1))
    assert inputs.queries.shape == (3, min(count, inputs.queries.shape[1])) and inputs.visible.shape == (3, 8)
    for row, seen in zip(inputs.queries.tolist(), inputs.visible.tolist(), strict=True):
        assert row == sorted(set(row)) and not {q // SLICES for q in row} & set(seen)


class ColourModel(torch.nn.Module):
    """Answers one learned colour everywhere, and keeps what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.colour = torch.nn.Parameter(torch.tensor([0.2, 0.5, 0.9]))
        self.given: MaskedClips | None = None

    def forward(self, clips: MaskedClips, queries: torch.Tensor) -> torch.Tensor:
        self.given = clips
        return self.colour.expand(*queries.shape, 2, 16, 16, 3)


def true_colour(batch: ClipBatch) -> ClipBatch:
    """The same clips as RGB frames."""
    colours = [palette[frames.long()] for frames, palette in zip(batch.frames, batch.palette, strict=True)]
    return replace(batch, frames=torch.stack(colours), palette=None, size=torch.full((len(batch), 2), 64))


def test_rgb_head_learns_the_colours_of_palette_and_true_colour_clips_alike() -> None:
    batch, model = MemoryClips().batch(0, 3), ColourModel()
    config = make_config("unused", rgb_loss=0.5).train
    inputs = draw_inputs(batch.frames, False, config, seeded(0))
    losses = []
    for clips in (batch, true_colour(batch)):
        loss, terms = step_losses(model, clips, inputs, config, "rgb")
        assert set(terms) == {"loss", "charbonnier", "mse", "exact_match"}
        assert loss.item() == pytest.approx(terms["charbonnier"].item() + 0.5 * terms["mse"].item(), rel=1e-5)
        losses.append(loss.item())
    assert losses[0] == losses[1]
    assert model.given is not None and model.given.size is not None
    assert model.given.size.tolist() == [[64, 64]] * 3
    loss.backward()
    assert model.colour.grad is not None and model.colour.grad.abs().min() > 0


def test_a_palette_head_refuses_true_colour() -> None:
    clips = true_colour(MemoryClips().batch(0, 2))
    config = make_config("unused").train
    with pytest.raises(DataError, match=r"model\.head=rgb"):
        step_losses(ColourModel(), clips, draw_inputs(clips.frames, False, config, seeded(0)), config)
