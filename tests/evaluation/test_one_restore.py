"""What is measured is what a user gets: `evaluate`, validation and `restore` give the same pixels, bit for bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hstmae.data.clips.dataset import ClipDataset
from hstmae.data.store.reader import EpisodeStore
from hstmae.evaluation.evaluate import EvaluateOptions, Measured, evaluate
from hstmae.inference.loading import load
from hstmae.inference.predictor import Predictor
from hstmae.masks.tubes import numbered_tube
from hstmae.training.run.validation import RATIO, restore_held_back, validate

SEED = 5


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return load("hst-mae-nano", "cpu")


@pytest.mark.parametrize("level", ["full", "compact", "none"])
@pytest.mark.parametrize("recall", [True, False])
def test_evaluate_measures_what_restore_gives(
    predictor: Predictor, sample_store: EpisodeStore, level: str, recall: bool
) -> None:
    data = ClipDataset(sample_store, clip=4, stride=4, crop=64, seed=SEED)
    seen: list[Measured] = []
    used = Predictor(predictor.model, predictor.config, recall=recall, atlas=predictor.atlas)
    report = evaluate(used, data, EvaluateOptions(0.9, level, 1, SEED), watch=seen.append)
    ((episode, start),) = data.sequential(1, SEED)
    clip = data.clip(episode, start)
    mask = numbered_tube((4, 64, 64), 0.9, SEED, 0)
    memory, context = (sample_store.column(episode, name, clip.indices) for name in ("state", "context"))
    made = used.restore(clip.frames, mask, clip.palette, memory, context, clip.origin, level=level)
    assert np.array_equal(seen[0].hidden, mask) and made.indices is not None
    assert np.array_equal(seen[0].made, made.rgb)
    assert report["exact_match"] == (made.indices == clip.frames)[mask].mean()
    assert report["recall"] == (recall and level != "none") and report["atlas"] == recall


def test_validation_measures_what_restore_gives(predictor: Predictor, sample_store: EpisodeStore) -> None:
    data = ClipDataset(sample_store, clip=4, stride=4, crop=64)
    clip = data.clip(0, 0)
    network = Predictor(predictor.model, predictor.config, recall=False)
    mask, made = restore_held_back(network, clip, SEED, 2)
    assert np.array_equal(mask, numbered_tube((4, 64, 64), RATIO, SEED, 2))
    memory, context = (sample_store.column(0, name, clip.indices) for name in ("state", "context"))
    again = network.restore(clip.frames, mask, clip.palette, memory, context, clip.origin)
    assert np.array_equal(made.rgb, again.rgb)
    figures = validate(network, [replace(clip)], SEED)
    first, made = restore_held_back(network, clip, SEED, 0)
    assert made.indices is not None and figures["exact_match"] == (made.indices == clip.frames)[first].mean()
