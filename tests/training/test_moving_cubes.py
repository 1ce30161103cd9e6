"""Which cubes hold what moves: against pixels painted one by one."""

from __future__ import annotations

import numpy as np
import torch

from hstmae.data.clips.clip import collate
from hstmae.data.clips.dataset import ClipDataset
from hstmae.data.store.reader import EpisodeStore
from hstmae.games import get_game
from hstmae.training.masks.inputs import choose_queries
from hstmae.training.masks.unit_scores import moving_cubes

GAME = get_game("smb")


def test_cubes_with_sprites_boxes_or_a_status_bar(sample_store: EpisodeStore) -> None:
    dataset = ClipDataset(sample_store, splits=(), clip=4, stride=4, crop=112, seed=0)
    batch = collate([dataset.random(i) for i in range(6)])
    found = moving_cubes(batch, GAME).numpy().reshape(6, 7, 7, 2)
    assert found.any() and not found.all()
    assert batch.state is not None
    for b in range(6):
        top, left = batch.origin[b].tolist()
        painted = np.zeros((4, 400, 400), bool)
        painted[:, :32, :256] = True
        for t in range(4):
            for x, y, *_ in batch.state.sprites[b, t].tolist():
                if y < 240:
                    painted[t, y : y + 8, x : x + 8] = True
            for region, x0, y0, x1, y1 in batch.state.boxes[b, t].tolist():
                if region:
                    painted[t, max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = True
        crop = painted[:, top : top + 112, left : left + 112].reshape(2, 2, 7, 16, 7, 16)
        assert np.array_equal(crop.any((1, 3, 5)).transpose(1, 2, 0), found[b])


def test_likelier_cubes_are_drawn_more_often() -> None:
    generator = torch.Generator().manual_seed(0)
    cubes = torch.randint(0, 30, (1, 40, 2, 2, 16, 16), generator=generator, dtype=torch.uint8)
    hidden = torch.arange(80)[None]
    likelier = torch.where(torch.arange(80) < 10, 20.0, 1.0)[None]
    drawn = {}
    for name, factors in (("plain", None), ("likelier", likelier)):
        picks = [choose_queries(cubes, hidden, 8, 1.0, generator, factors) for _ in range(60)]
        drawn[name] = (torch.cat(picks) < 10).float().mean()
    assert drawn["plain"] < 0.25 and drawn["likelier"] > 0.5
