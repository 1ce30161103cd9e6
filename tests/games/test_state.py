"""Whatever handles a state as a whole handles all of its arrays, those that are added later included."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pytest
import torch

from hstmae.codec.neural.thinning import read_bytes
from hstmae.data.clips.dataset import ClipDataset
from hstmae.data.clips.resident import ResidentClips
from hstmae.data.store.reader import EpisodeStore
from hstmae.games import GameState
from hstmae.games.smb.game import SuperMarioBros

WIND = 0x7FF  # a byte that nothing else reads


@dataclass
class Windy(GameState):
    """With one array more than there is today."""

    wind: Any = None


class WindyGame(SuperMarioBros):
    def decode(self, state: np.ndarray, context: np.ndarray | None) -> Windy:
        decoded = super().decode(state, context)
        held = {field.name: getattr(decoded, field.name) for field in fields(decoded)}
        return Windy(**held, wind=state[:, WIND].astype(np.int32))


@pytest.fixture
def clips(sample_store: EpisodeStore, monkeypatch: pytest.MonkeyPatch) -> ClipDataset:
    dataset = ClipDataset(sample_store, clip=4, stride=2, crop=32, flip=0.5, forget=0.5)
    monkeypatch.setattr(dataset, "game", WindyGame())
    return dataset


def test_an_array_that_is_added_passes_through_every_place(clips: ClipDataset) -> None:
    plain = SuperMarioBros().decode(clips.store.read(0, range(6), ("state",)).state, None)
    windy = WindyGame().decode(clips.store.read(0, range(6), ("state",)).state, None)
    assert len(windy.arrays()) == len(plain.arrays()) + 1
    assert windy.map(lambda a: a[:2]).wind.shape == (2,)  # type: ignore[attr-defined]
    both = GameState.stack([windy, windy], np.stack)
    assert both.wind.shape == (2, 6) and both.glow.shape == (2, 6)  # type: ignore[attr-defined]
    assert (WindyGame().flip(windy).wind == windy.wind).all()  # type: ignore[attr-defined]
    batch, resident = clips.batch(0, 6).state, ResidentClips(clips, "cpu").batch(0, 6).state
    assert batch is not None and resident is not None
    assert batch.wind.shape == (6, 4)  # type: ignore[attr-defined]
    for one, other in zip(batch.arrays(), resident.arrays(), strict=True):
        assert torch.equal(one, other)


def test_bytes_that_only_the_added_array_reads_are_kept(sample_store: EpisodeStore) -> None:
    states = sample_store.read(0, range(2), ("state",)).state
    assert not read_bytes(SuperMarioBros(), states)[WIND]
    assert read_bytes(WindyGame(), states)[WIND]


def test_what_is_left_out_is_filled_in(sample_store: EpisodeStore) -> None:
    state = SuperMarioBros().decode(sample_store.read(0, range(3), ("state",)).state, None)
    kept = {name: getattr(state, name) for name in ("tiles", "tile_xy", "sprites", "globals", "camera", "area")}
    kept |= {name: getattr(state, name) for name in ("tokens", "token_xy", "token_valid", "boxes")}
    filled = GameState(**kept)
    assert (filled.scene == state.area).all()
    for name in ("clock", "glow", "undrawn", "camera_y"):
        assert getattr(filled, name).tolist() == [0, 0, 0]
