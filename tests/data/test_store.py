"""The store: what goes in comes out, partial reads equal whole ones, and damage is noticed."""

from __future__ import annotations

import json
import pickle
import shutil
import threading
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from synthetic_episodes import assert_same, make_episode, write_episodes

from hstmae.data import Episode, EpisodeStore
from hstmae.data.store.manifest import runs_of, split_of
from hstmae.data.store.preprocessing import preprocess
from hstmae.data.store.writer import EpisodeWriter, Packing
from hstmae.errors import StoreError
from hstmae.games import get_game

EPISODES = [
    make_episode(40, seed=1, index=1),
    make_episode(seed=2, index=2, level="3-2", outcome="fail", numbers=[*range(5, 25), *range(40, 71)]),
    make_episode(9, seed=3, index=3, outcome="cut"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("store")
    write_episodes(base / "in", *EPISODES)
    packing = Packing(level=1, frame_group=8, state_group=16)
    preprocess(base / "in", base / "out", workers=1, packing=packing, val_levels=["3-2"], val_fraction=0.0)
    return base / "out"


def test_whole_episodes_come_back_bit_exact(folder: Path) -> None:
    store = EpisodeStore(folder)
    assert len(store) == 3 and store.frames == 100 and store.verify() == []
    for episode in EPISODES:
        got = store[episode.name]
        assert_same(got, episode)
        game = get_game("smb")
        assert episode.state is not None and got.context is not None
        assert np.array_equal(got.context, game.context(episode.state, episode.frame_numbers))
        assert got.fps == game.fps and got.source == episode.name and got.notes == {"repaired": len(episode)}
    assert [e.name for e in store] == [store.info(i).name for i in range(3)]
    assert {i.name: i.split for i in store.infos()} == {
        EPISODES[0].name: "train",
        EPISODES[1].name: "val_level",
        EPISODES[2].name: "train",
    }
    assert store.info(EPISODES[1].name).runs == ((5, 20), (40, 31))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.data())
def test_reading_some_frames_equals_taking_them(folder: Path, data: st.DataObject) -> None:
    store = EpisodeStore(folder)
    i = data.draw(st.integers(0, 2))
    index = data.draw(st.lists(st.integers(0, store.info(i).frames - 1), max_size=12))
    part, whole = store.read(i, index), store[i].take(np.array(index, np.int64))
    for name in ("frames", "state", "context", "actions", "frame_numbers"):
        assert np.array_equal(getattr(part, name), getattr(whole, name)), name
    assert len(part) == len(index)


def test_columns_that_are_not_asked_for_are_not_read(folder: Path) -> None:
    part = EpisodeStore(folder).read(0, [3, 1], columns=("state",))
    assert part.context is None and part.actions is None and part.state is not None and len(part) == 2


def test_wrong_positions_and_names(folder: Path) -> None:
    store = EpisodeStore(folder)
    with pytest.raises(IndexError):
        store[3]
    with pytest.raises(StoreError, match="no episode 'x'"):
        store["x"]
    for index in ([-1], [store.info(0).frames]):
        with pytest.raises(IndexError):
            store.read(0, index)
    assert store[-1].name == store[2].name


def test_a_store_can_be_pickled_and_shared_between_threads(folder: Path) -> None:
    store = pickle.loads(pickle.dumps(EpisodeStore(folder)))
    wanted = [store[i].frames for i in range(3)]
    failures: list[int] = []

    def read(seed: int) -> None:
        rng = np.random.default_rng(seed)
        for _ in range(20):
            i = int(rng.integers(3))
            index = rng.integers(0, len(wanted[i]), 5)
            if not np.array_equal(store.read(i, index).frames, wanted[i][index]):
                failures.append(i)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def _copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


@pytest.mark.parametrize("seed", range(4))
def test_flipped_bits_in_a_data_file_are_noticed(folder: Path, tmp_path: Path, seed: int) -> None:
    """Reading the damaged episode raises StoreError or gives the true content (a bit nothing depends on)."""
    copy = _copy(folder, tmp_path)
    path = copy / "episodes" / EPISODES[0].name / "data.bin"
    original = path.read_bytes()
    noticed = 0
    for position in np.random.default_rng(seed).integers(0, len(original), 25).tolist():
        broken = bytearray(original)
        broken[position] ^= 1 << position % 8
        path.write_bytes(bytes(broken))
        store = EpisodeStore(copy)
        try:
            assert_same(store[EPISODES[0].name], EPISODES[0])
        except StoreError:
            noticed += 1
        assert any("data.bin" in line for line in EpisodeStore(copy).verify())
    assert noticed > 20


def test_a_file_cut_short_or_missing_is_noticed_on_opening(folder: Path, tmp_path: Path) -> None:
    copy = _copy(folder, tmp_path)
    path = copy / "episodes" / EPISODES[0].name / "data.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(StoreError, match=r"data\.bin has \d+ bytes instead of"):
        EpisodeStore(copy)
    path.unlink()
    with pytest.raises(StoreError, match=r"data\.bin"):
        EpisodeStore(copy)


def test_every_changed_byte_of_the_manifest_is_noticed(folder: Path, tmp_path: Path) -> None:
    copy = _copy(folder, tmp_path)
    path = copy / "meta.json"
    original = path.read_bytes()
    for position in range(0, len(original.rstrip()), 37):
        for value in (original[:position], original[:position] + b"~" + original[position + 1 :]):
            path.write_bytes(value)
            with pytest.raises(StoreError):
                EpisodeStore(copy)


def test_unfinished_missing_and_foreign_folders_are_refused(folder: Path, tmp_path: Path) -> None:
    copy = _copy(folder, tmp_path)
    meta = json.loads((copy / "meta.json").read_text())
    (copy / "meta.json").write_text(json.dumps({**meta, "version": 99}))
    with pytest.raises(StoreError, match="version 99"):
        EpisodeStore(copy)
    (copy / "meta.json").unlink()
    with pytest.raises(StoreError, match="not finished"):
        EpisodeStore(copy)
    with pytest.raises(StoreError, match="not a store"):
        EpisodeStore(tmp_path)
    with pytest.raises(StoreError, match="does not exist"):
        EpisodeStore(tmp_path / "nothing")


def test_episode_without_memory_and_in_true_colour(tmp_path: Path) -> None:
    """The format holds more than one kind of recording: here RGB frames alone."""
    frames = np.random.default_rng(0).integers(0, 256, (5, 8, 12, 3), dtype=np.uint8)
    with EpisodeWriter(tmp_path / "e", name="e", game=get_game("smb"), palette=None) as writer:
        for t, frame in enumerate(frames):
            writer.add(frame, t, None, None)
        info = writer.finish()
    assert info.size == (8, 12) and not info.has_state and list(info.columns) == ["frames"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["e"]


def test_writer_leaves_nothing_behind_when_it_is_abandoned(tmp_path: Path) -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        EpisodeWriter(tmp_path / "e", name="e", game=get_game("smb"), palette=None) as writer,
    ):
        writer.add(np.zeros((8, 8), np.uint8), 1, None, None)
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


@given(st.lists(st.integers(0, 60), unique=True).map(sorted))
def test_runs_describe_frame_numbers_exactly(numbers: list[int]) -> None:
    runs = runs_of(np.array(numbers, np.int32))
    assert [n for first, count in runs for n in range(first, first + count)] == numbers
    assert all(a[0] + a[1] < b[0] for a, b in pairwise(runs))


def test_splits_depend_on_name_and_level_alone() -> None:
    names = [f"episode {i}" for i in range(2000)]
    drawn = [split_of(name, "1-1", ["2-2"], 0.1) for name in names]
    assert 150 < drawn.count("val") < 250 and set(drawn) == {"train", "val"}
    assert drawn == [split_of(name, "1-1", [], 0.1) for name in names]
    assert {split_of(name, "2-2", ["2-2"], 0.1) for name in names} == {"val_level"}
    assert {split_of(name, "1-1", [], 0.0) for name in names} == {"train"}


def test_take_keeps_everything_else() -> None:
    part = EPISODES[1].take(slice(2, 5))
    assert isinstance(part, Episode) and part.frame_numbers.tolist() == [7, 8, 9] and part.name == EPISODES[1].name
