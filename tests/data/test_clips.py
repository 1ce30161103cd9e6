"""Clips: deterministic, inside the episode and the crop, never across a gap."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from synthetic_episodes import make_episode, write_episodes

from hstmae.data import EpisodeStore
from hstmae.data.clips.clip import ClipBatch, collate
from hstmae.data.clips.dataset import ClipDataset
from hstmae.data.clips.prefetch import Prefetcher
from hstmae.data.store.preprocessing import preprocess
from hstmae.data.store.writer import Packing
from hstmae.errors import DataError
from hstmae.games import get_game

EPISODES = [
    make_episode(30, seed=1, index=1),
    make_episode(seed=2, index=2, level="3-2", numbers=[*range(1, 20), *range(25, 31), *range(33, 60)]),
]
SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> EpisodeStore:
    base = tmp_path_factory.mktemp("clips")
    write_episodes(base / "in", *EPISODES)
    preprocess(base / "in", base / "out", workers=1, packing=Packing(level=1), val_levels=["3-2"], val_fraction=0.0)
    return EpisodeStore(base / "out")


def _same(a: ClipBatch, b: ClipBatch) -> bool:
    assert a.state is not None and b.state is not None and a.palette is not None and b.palette is not None
    pairs = [(a.frames, b.frames), (a.palette, b.palette), (a.origin, b.origin), (a.indices, b.indices)]
    pairs += [(a.state.sprites, b.state.sprites), (a.state.tokens, b.state.tokens)]
    pairs += zip(a.state.tiles, b.state.tiles, strict=True)
    return a.episodes == b.episodes and all(torch.equal(x, y) for x, y in pairs)


@SHARED
@given(
    index=st.integers(0, 10**9),
    length=st.integers(1, 4),
    stride=st.integers(1, 4),
    crop=st.sampled_from([0, 16, 224, 240]),
)
def test_random_clips_show_what_the_episode_holds(
    store: EpisodeStore, index: int, length: int, stride: int, crop: int
) -> None:
    data = ClipDataset(store, clip=length, stride=stride, crop=crop, seed=3)
    clip = data.random(index)
    episode = next(e for e in EPISODES if e.name == clip.episode)
    numbers = episode.frame_numbers[clip.indices]
    assert (np.diff(numbers) == stride).all() and (np.diff(clip.indices) == stride).all()
    (y, x), side = clip.origin, (crop or 240, crop or 256)
    assert np.array_equal(clip.frames, episode.frames[clip.indices, y : y + side[0], x : x + side[1]])
    assert clip.frames.shape == (length, *side)
    assert clip.state is not None and episode.state is not None
    context = get_game("smb").context(episode.state, episode.frame_numbers)
    wanted = get_game("smb").decode(episode.state[clip.indices], context[clip.indices])
    assert np.array_equal(clip.state.sprites, wanted.sprites)
    assert all(np.array_equal(a, b) for a, b in zip(clip.state.tiles, wanted.tiles, strict=True))


def test_random_clips_depend_on_seed_and_index_alone(store: EpisodeStore) -> None:
    first, again = (ClipDataset(store, clip=4, stride=2, seed=5) for _ in range(2))
    again.random(99)
    assert _same(first.batch(7, 3), again.batch(7, 3))
    assert _same(first.batch(7, 3), collate([again.random(k) for k in (21, 22, 23)]))
    assert not _same(first.batch(7, 3), first.batch(8, 3))
    assert not _same(first.batch(7, 3), ClipDataset(store, clip=4, stride=2, seed=6).batch(7, 3))


def test_every_possible_clip_is_drawn_and_crops_reach_every_edge(store: EpisodeStore) -> None:
    data = ClipDataset(store, clip=4, stride=4, crop=224, with_state=False)
    # 30 - 12 starts, then stretches of 19, 6 (too short for 13 frames) and 27
    assert len(data) == 18 + 7 + 15
    clips = [data.random(k) for k in range(1200)]
    assert len({(c.episode, int(c.indices[0])) for c in clips}) == len(data)
    assert {c.origin[0] for c in clips} == set(range(17)) and {c.origin[1] for c in clips} == set(range(33))
    assert all(c.state is None for c in clips)


def test_sequential_clips_follow_each_other_without_overlap(store: EpisodeStore) -> None:
    data = ClipDataset(store, clip=3, stride=2, crop=0)
    starts = data.sequential()
    assert starts == sorted(starts)
    # stretches of 30, 19, 6 and 27 frames in steps of 6, as long as 5 frames are left
    assert [s for i, s in starts if i == store.position(EPISODES[0].name)] == [0, 6, 12, 18, 24]
    assert [s for i, s in starts if i == store.position(EPISODES[1].name)] == [0, 6, 12, 19, 25, 31, 37, 43]
    used = [(i, f) for i, s in starts for f in data.clip(i, s).indices.tolist()]
    assert len(used) == len(set(used))
    some = data.sequential(4, seed=1)
    assert len(some) == 4 and set(some) <= set(starts) and some == sorted(some) == data.sequential(4, seed=1)
    assert any(data.sequential(4, seed=seed) != some for seed in range(2, 6))
    assert data.sequential(1000) == starts


def test_crops_are_centred_unless_told(store: EpisodeStore) -> None:
    data = ClipDataset(store, clip=2, stride=1, crop=224)
    assert data.clip(0, 0).origin == (8, 16)
    assert data.clip(store.info(0).name, 0, (16, 32)).origin == (16, 32)
    with pytest.raises(DataError, match="leaves the"):
        data.clip(0, 0, (17, 0))


def test_clips_that_cannot_be_are_refused(store: EpisodeStore) -> None:
    data = ClipDataset(store, clip=4, stride=4, crop=0)
    gappy = EPISODES[1].name
    data.clip(gappy, 6)
    with pytest.raises(DataError, match="gap"):
        data.clip(gappy, 7)
    for start in (-1, 40):
        with pytest.raises(DataError, match="starts at"):
            data.clip(gappy, start)
    for wrong in ({"clip": 0}, {"stride": 0}, {"crop": 241}, {"clip": 31, "stride": 1}, {"splits": ("val",)}):
        with pytest.raises(DataError):
            ClipDataset(store, **{"crop": 0, **wrong})  # type: ignore[arg-type]


def test_splits_choose_episodes(store: EpisodeStore) -> None:
    for split, name in (("train", EPISODES[0].name), ("val_level", EPISODES[1].name)):
        data = ClipDataset(store, splits=(split,), clip=2, stride=1, crop=0, with_state=False)
        assert {data.random(k).episode for k in range(20)} == {name}


def test_batches_have_the_documented_types(store: EpisodeStore) -> None:
    batch = ClipDataset(store, clip=4, stride=2, crop=64).batch(0, 3).to("cpu")
    assert len(batch) == 3 and batch.palette is not None and batch.state is not None
    assert (batch.frames.dtype, tuple(batch.frames.shape)) == (torch.uint8, (3, 4, 64, 64))
    assert (batch.palette.dtype, tuple(batch.palette.shape)) == (torch.uint8, (3, 64, 3))
    assert (batch.origin.dtype, tuple(batch.origin.shape)) == (torch.int64, (3, 2))
    assert (batch.indices.dtype, tuple(batch.indices.shape)) == (torch.int64, (3, 4))
    assert batch.state.sprites.shape[:2] == (3, 4) and batch.state.tiles[0].shape[:2] == (3, 4)


def test_collate_refuses_what_does_not_fit_together(store: EpisodeStore) -> None:
    small, large = (ClipDataset(store, clip=2, stride=1, crop=crop).random(0) for crop in (16, 32))
    with pytest.raises(DataError, match="different shapes"):
        collate([small, large])
    with pytest.raises(DataError, match="at least one"):
        collate([])


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_prefetcher_gives_the_batches_in_order(store: EpisodeStore, workers: int) -> None:
    data = ClipDataset(store, clip=2, stride=1, crop=32)
    with Prefetcher(data, 2, start_step=5, workers=workers) as batches:
        for step, batch in zip(range(5, 12), batches, strict=False):
            assert _same(batch, data.batch(step, 2))


def test_prefetcher_passes_errors_on(store: EpisodeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    data = ClipDataset(store, clip=2, stride=1, crop=32)

    def broken(step: int, batch_size: int) -> Iterator[None]:
        raise DataError("damaged")

    monkeypatch.setattr(data, "batch", broken)
    with Prefetcher(data, 2, workers=1) as batches, pytest.raises(DataError, match="damaged"):
        next(batches)


@pytest.mark.parametrize("settings", [{}, {"forget": 0.5}, {"forget": 0.5, "flip": 0.5, "palette_jitter": 0.3}])
def test_batches_are_what_random_clips_stack_to(store: EpisodeStore, settings: dict[str, float]) -> None:
    data = ClipDataset(store, clip=4, stride=2, crop=64, **settings)  # type: ignore[arg-type]
    for step in range(3):
        batch = data.batch(step, 5)
        assert _same(batch, collate([data.random(5 * step + k) for k in range(5)]))
    data.with_state = False
    assert data.batch(2, 5).state is None and torch.equal(data.batch(2, 5).frames, batch.frames)


def test_clips_of_different_shapes_make_no_batch(store: EpisodeStore) -> None:
    data = ClipDataset(store, clip=2, stride=1, crop=0)
    with pytest.raises(DataError, match="at least one"):
        data.batch(0, 0)
    data.clip_size = lambda size: (8 + next(rows), 8)  # type: ignore[method-assign]
    rows = iter(range(100))
    with pytest.raises(DataError, match="different shapes"):
        data.batch(0, 2)
