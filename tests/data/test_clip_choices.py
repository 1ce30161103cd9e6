"""Training clips that start early in a recording, or come without what earlier frames told."""

from __future__ import annotations

import numpy as np
import pytest

import hstmae.data.clips.dataset as dataset_module
from hstmae.bundled import SAMPLES
from hstmae.data.clips.dataset import ClipDataset
from hstmae.data.store.preprocessing import preprocess
from hstmae.data.store.reader import EpisodeStore
from hstmae.errors import DataError

SAMPLE = SAMPLES / "sample_session"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> EpisodeStore:
    out = tmp_path_factory.mktemp("choices") / "store"
    preprocess(SAMPLE, out, workers=1)
    return EpisodeStore(out)


def starts(store: EpisodeStore, early: float) -> np.ndarray:
    clips = ClipDataset(store, clip=4, stride=4, crop=0, early=early, with_state=False)
    return np.array([clips.random(i).indices[0] for i in range(60)])


def test_early_clips(store: EpisodeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset_module, "EARLY_FRAMES", 5)
    assert starts(store, 1.0).max() < 5 < starts(store, 0.0).max()
    share = np.mean(starts(store, 0.5) < 5)
    assert 0.3 < share < 0.8


def test_forgotten_context_leaves_scenery_to_guesses(store: EpisodeStore) -> None:
    def unknown(forget: float) -> list[float]:
        clips = ClipDataset(store, clip=4, stride=4, crop=0, forget=forget)
        states = [clips.random(i).state for i in range(12)]
        return [float((s.tiles[0] >= 256).mean()) for s in states if s is not None]

    kept, lost, mixed = unknown(0.0), unknown(1.0), unknown(0.5)
    assert np.mean(lost) > np.mean(kept) + 0.05
    assert all(m in (k, f) for m, k, f in zip(mixed, kept, lost, strict=True)) and kept != mixed != lost


@pytest.mark.parametrize("shares", [{"forget": 1.5}, {"early": -0.1}])
def test_impossible_shares_are_refused(store: EpisodeStore, shares: dict[str, float]) -> None:
    with pytest.raises(DataError, match=r"must lie in 0 \.\. 1"):
        ClipDataset(store, clip=4, crop=0, **shares)  # type: ignore[arg-type]
