"""What the phases of the curriculum hide, measured on real frames, and that a resumed run hides the same."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from training_fakes import FRAMES, HELD_BACK, SIDE, SLICES, UNITS, MemoryClips, TinyModel, make_config

from hstmae.bundled import SAMPLES
from hstmae.config import CurriculumConfig, RunConfig, TrainConfig, apply_overrides, to_dict
from hstmae.data.clips.clip import ClipBatch
from hstmae.data.clips.dataset import ClipDataset
from hstmae.data.store.preprocessing import preprocess
from hstmae.data.store.reader import EpisodeStore
from hstmae.errors import CheckpointError, ConfigError
from hstmae.games import get_game
from hstmae.models.checkpoint import LAST, load_checkpoint
from hstmae.models.cubes import to_cubes
from hstmae.models.inputs import MaskedClips
from hstmae.models.masking import score_ranks, visible_count
from hstmae.training.masks.curriculum import EASY, HARD, NEUTRAL, Curriculum, mask_source, moment_at
from hstmae.training.masks.unit_scores import change, information, moving_objects, semantics
from hstmae.training.run.step import step_losses
from hstmae.training.run.trainer import Trainer

STEPS = 300
PLAIN = CurriculumConfig(enabled=True, damage=0.0)


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> ClipBatch:
    """Eight clips of the bundled session with their state."""
    store = tmp_path_factory.mktemp("masks") / "store"
    preprocess(SAMPLES / "sample_session", store, workers=1, val_fraction=0)
    return ClipDataset(EpisodeStore(store), clip=16, stride=4, crop=224, seed=0).batch(0, 8)


def source(curriculum: CurriculumConfig = PLAIN, **train: object) -> Curriculum:
    values = {"steps": STEPS, "curriculum": curriculum, **train}
    made = mask_source(RunConfig(train=TrainConfig(**values)))  # type: ignore[arg-type]
    assert isinstance(made, Curriculum)
    return made


def seen_ranks(batch: ClipBatch, step: int, draws: int = 4) -> dict[str, tuple[float, float]]:
    """Mean rank (0 .. 1) of the visible units by information and by semantics, of each kind of mask."""
    meant = semantics(change(batch.frames), batch.state, batch.origin, (14, 14), 8)
    ranks = torch.stack([score_ranks(information(batch.frames)), score_ranks(meant)])
    found = defaultdict(list)
    for seed in range(draws):
        inputs = source(seed=seed).draw(batch, step)
        for clip, kind in enumerate(inputs.kinds):
            found[kind].append(ranks[:, clip, inputs.visible[clip]].mean(1))
    return {kind: tuple(torch.stack(values).mean(0).tolist()) for kind, values in found.items()}  # type: ignore[misc]


def test_a_curriculum_loses_the_map_of_its_share_of_clips(batch: ClipBatch) -> None:
    plain, some = (source(lost=share).draw(batch, 50) for share in (0.0, 0.5))
    assert plain.lost is None and torch.equal(plain.visible, some.visible)
    assert plain.level is not None and some.level is not None and torch.equal(plain.level, some.level)
    draws = [source(lost=0.5, seed=seed).draw(batch, 50).lost for seed in range(6)]
    assert 10 < sum(int(lost.sum()) for lost in draws if lost is not None) < 38  # 24 of 48 expected


def test_phases_are_thirds_with_their_ratios_and_factor() -> None:
    moments = [moment_at(CurriculumConfig(), step, STEPS) for step in range(STEPS)]
    assert [sum(m.phase == phase for m in moments) for phase in (EASY, NEUTRAL, HARD)] == pytest.approx(
        [100] * 3, abs=1
    )
    assert [m.phase for m in moments] == sorted(m.phase for m in moments)
    easy, neutral, hard = ([m for m in moments if m.phase == phase] for phase in (EASY, NEUTRAL, HARD))
    assert (easy[0].ratio, easy[-1].ratio, hard[0].ratio, hard[-1].ratio) == (0.85, 0.9, 0.9, 0.95)
    assert {m.ratio for m in neutral} == {0.9} and {m.factor for m in neutral} == {0.0}
    assert easy[0].factor == 1 and hard[-1].factor == pytest.approx(-1, abs=0.02)
    for phase in (easy, hard):
        assert [m.ratio for m in phase] == sorted(m.ratio for m in phase)
        assert [m.factor for m in phase] == sorted((m.factor for m in phase), reverse=True)
    assert len({m.ratio for m in moments}) <= 12
    assert (easy[0].state_full, neutral[0].state_full, hard[0].state_full) == (0.8, 0.7, 0.6)
    assert moment_at(CurriculumConfig(), STEPS, STEPS).phase == HARD  # beyond the end nothing changes


@pytest.mark.parametrize("step", [0, 60, 150, 230, 299])
def test_every_step_hides_the_exact_ratio_and_repeats_itself(batch: ClipBatch, step: int) -> None:
    one, two = (source(CurriculumConfig(enabled=True), decoder_keep=0.5).draw(batch, step) for _ in range(2))
    assert one.visible.shape == (8, visible_count(196, one.ratio))
    assert one.level is not None and two.level is not None
    assert torch.equal(one.visible, two.visible) and torch.equal(one.queries, two.queries)
    assert torch.equal(one.level, two.level) and one.kinds == two.kinds
    for seen, wanted in zip(one.visible.tolist(), one.queries.tolist(), strict=True):
        assert seen == sorted(set(seen)) and wanted == sorted(set(wanted))
        assert not set(seen) & {q // 8 for q in wanted}
    other = source(CurriculumConfig(enabled=True), seed=1).draw(batch, step)
    assert other.visible.shape != one.visible.shape or not torch.equal(other.visible, one.visible)


def test_easy_masks_hide_what_tells_little_and_fade(batch: ClipBatch) -> None:
    """0.5 is what random masks show, which the neutral phase and the end of the first give."""
    start, middle, end = (seen_ranks(batch, step)["easy"][0] for step in (0, 50, 99))
    neutral = seen_ranks(batch, 150)["neutral"][0]
    assert start > 0.75 and start > middle > 0.6
    assert abs(end - 0.5) < 0.06 and abs(neutral - 0.5) < 0.06


def test_hard_masks_hide_what_moves_and_what_fails(batch: ClipBatch) -> None:
    late = seen_ranks(batch, 299)
    assert set(late) == {"neutral", "semantic", "adversarial"}
    assert late["semantic"][1] < 0.3 and late["adversarial"][0] < 0.3
    assert abs(late["neutral"][0] - 0.5) < 0.08 and abs(late["neutral"][1] - 0.5) < 0.08
    assert seen_ranks(batch, 201)["adversarial"][0] > late["adversarial"][0] + 0.1  # it begins mildly
    counts = [source(seed=seed).draw(batch, 250).kinds.count("neutral") for seed in range(6)]
    assert counts == [4] * 6  # half of the clips, exactly


def test_the_player_is_hidden_by_semantic_masks(batch: ClipBatch) -> None:
    assert batch.state is not None
    region = get_game("smb").regions.index("player")
    boxes = batch.state.boxes * (batch.state.boxes[..., :1] == region)
    held = moving_objects(
        replace(batch.state, boxes=boxes, sprites=batch.state.sprites[:, :, :0]), batch.origin, (14, 14), 8
    )
    assert (held > 0).any(1).all()
    hidden: dict[str, list[float]] = defaultdict(list)
    for seed in range(6):
        inputs = source(seed=seed).draw(batch, 299)
        for clip, kind in enumerate(inputs.kinds):
            hidden[kind].append(1 - (held[clip, inputs.visible[clip]].sum() / held[clip].sum()).item())
    mean = {kind: sum(values) / len(values) for kind, values in hidden.items()}
    assert mean["semantic"] > 0.99 > mean["neutral"]


def test_observed_losses_change_what_the_adversary_hides(batch: ClipBatch) -> None:
    masks = source()
    before = masks.draw(batch, 299)
    for _ in range(5):
        inputs = masks.draw(batch, 150)
        masks.observe(inputs, 1 / (1 + information(batch.frames).gather(1, inputs.queries // 8)))  # flat cubes fail
    after = masks.draw(batch, 299)
    assert before.kinds == after.kinds
    for clip, kind in enumerate(after.kinds):
        assert torch.equal(before.visible[clip], after.visible[clip]) == (kind != "adversarial")


def test_damage_steps_hide_shapes_to_an_exact_number(batch: ClipBatch) -> None:
    masks = source(CurriculumConfig(enabled=True, damage=1.0))
    kinds, ratios = set(), set()
    for step in range(6):
        inputs = masks.draw(batch, step)
        kinds |= set(inputs.kinds)
        ratios.add(inputs.ratio)
        assert inputs.visible.shape == (8, visible_count(196, inputs.ratio)) and inputs.shown is None
    assert kinds == {"lost blocks", "scratches", "logo"} and ratios == {0.25, 0.5, 0.75}


def test_anchors_show_whole_slices_and_nothing_of_the_others(batch: ClipBatch) -> None:
    masks = source(CurriculumConfig(enabled=True, damage=0.0, anchors=1.0, anchor_slices=2), queries=0)
    inputs = masks.draw(batch, 100)
    assert inputs.shown is not None and inputs.kinds == ("anchors",) * 8 and inputs.ratio == 0.75
    assert torch.equal(inputs.visible, torch.arange(196).expand(8, -1)) and inputs.queries.shape == (8, 196 * 6)
    shown, true = to_cubes(inputs.shown), to_cubes(batch.frames)
    asked = torch.zeros(8, 196 * 8, dtype=torch.bool).scatter_(1, inputs.queries, True).view(8, 196, 8)
    assert (shown[asked] == 0).all() and torch.equal(shown[~asked], true[~asked]) and (true[asked] > 0).any()
    assert (asked.any(1) == asked.all(1)).all()
    fewer = source(CurriculumConfig(enabled=True, damage=0.0, anchors=1.0), queries=50).draw(batch, 100)
    assert fewer.queries.shape == (8, 50)


def test_the_model_sees_only_the_anchors() -> None:
    """Lost slices reach the losses as targets and never as input."""
    config = curriculum_config("unused", damage=0.0, anchors=1.0, anchor_slices=1)
    clips = MemoryClips().batch(0, 2)
    inputs = mask_source(config).draw(clips, 0)
    seen: list[Tensor] = []

    class Spy(TinyModel):
        def forward(self, clips: MaskedClips, queries: Tensor) -> Tensor:
            seen.append(clips.frames)
            return super().forward(clips, queries)

    losses: list[Tensor] = []
    step_losses(Spy(), clips, inputs, config.train, observe=losses.append)
    assert torch.equal(seen[0], inputs.shown) and not torch.equal(seen[0], clips.frames)
    assert losses[0].shape == inputs.queries.shape and not losses[0].requires_grad


def test_state_levels_follow_the_schedule(batch: ClipBatch) -> None:
    always = replace(PLAIN, state_full=(1.0, 0.0, 0.0), state_compact=(0.0, 1.0, 0.0))
    levels = [source(always).draw(batch, step).level for step in (0, 150, 299)]
    assert [level.tolist() for level in levels if level is not None] == [[2] * 8, [1] * 8, [0] * 8]
    assert source().draw(replace(batch, state=None), 0).level is None


def curriculum_config(out: Path | str, **values: object) -> RunConfig:
    config = make_config(out)
    """Few neutral masks, so that the adversary matters even in a run of 40 steps."""
    few = CurriculumConfig(enabled=True, damage=0.2, random=0.2, semantic=0.2, sharpness=30.0)
    curriculum = replace(few, **values)  # type: ignore[arg-type]
    return replace(config, train=replace(config.train, curriculum=curriculum, decoder_keep=0.5))


def train(out: Path, payload: dict[str, Any] | None = None, limit: int = 0) -> dict[str, Any]:
    """Train to step `limit` (0 = the end); returns the checkpoint."""
    config = curriculum_config(out, anchors=0.1, anchor_slices=1)
    Trainer(config, MemoryClips(), HELD_BACK, model=TinyModel(), say=lambda _: None).fit(payload, limit)
    return load_checkpoint(out / LAST)


def same(one: dict[str, Any], two: dict[str, Any], part: str) -> bool:
    return one[part].keys() == two[part].keys() and all(
        torch.equal(one[part][key], two[part][key]) for key in one[part]
    )


def test_a_resumed_run_hides_the_same_and_ends_with_the_same_weights(tmp_path: Path) -> None:
    whole = train(tmp_path / "whole")
    early = train(tmp_path / "parts", limit=13)  # in phase 1
    late = train(tmp_path / "parts", early, 28)  # in phase 3
    parts = train(tmp_path / "parts", late)
    assert all(same(whole, parts, part) for part in ("model", "ema", "masks"))
    # The control: without what the predictor has learned, the next masks differ, and so do the weights.
    assert not same(whole, train(tmp_path / "other", {**late, "masks": {}}), "model")


def test_sums_of_another_size_are_refused(tmp_path: Path) -> None:
    payload = train(tmp_path, limit=5)
    payload["masks"]["gram"] = payload["masks"]["gram"][:3, :3]
    with pytest.raises(CheckpointError, match="loss predictor"):
        train(tmp_path, payload)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("phases", (0.5, 0.2)),
        ("ratios", (0.85, 0.9, 1.0)),
        ("sharpness", -1.0),
        ("random", 1.5),
        ("semantic", 0.9),
        ("anchors", 0.95),
        ("damage_ratios", ()),
        ("damage_ratios", (0.0,)),
        ("anchor_slices", 0),
        ("forget", 0.0),
        ("state_full", (1.0, 1.0, 1.0)),
    ],
)
def test_impossible_curricula_are_refused_by_name(tmp_path: Path, key: str, value: object) -> None:
    config = curriculum_config(tmp_path / "run", **{key: value})
    with pytest.raises(ConfigError, match=rf"train\.curriculum\.{key}"):
        Trainer(config, MemoryClips(), model=TinyModel())
    assert not (tmp_path / "run").exists()


def test_a_share_that_no_cell_keeps_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"train\.decoder_keep"):
        Trainer(make_config(tmp_path / "run", decoder_keep=0.6), MemoryClips(), model=TinyModel())


def test_it_is_off_by_default_and_switched_by_one_key() -> None:
    assert not mask_source(RunConfig()).observes
    config = apply_overrides(RunConfig, to_dict(RunConfig()), ["train.curriculum.enabled=true"])
    assert mask_source(config).observes


def test_the_running_cell_halves_what_is_decoded() -> None:
    config = make_config("unused", queries=0, mask_ratios=(0.5,))
    clips = MemoryClips().batch(0, 2)
    whole = mask_source(config).draw(clips, 0)
    half = mask_source(replace(config, train=replace(config.train, decoder_keep=0.5))).draw(clips, 0)
    assert torch.equal(whole.visible, half.visible)
    assert whole.queries.shape == (2, UNITS // 2 * SLICES) and half.queries.shape == (2, UNITS // 4 * SLICES)
    assert FRAMES // 2 == SLICES and (SIDE // 16) ** 2 == UNITS
    for few, all_ in zip(half.queries.tolist(), whole.queries.tolist(), strict=True):
        assert set(few) < set(all_)
