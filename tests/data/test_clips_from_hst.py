"""Clips straight out of a .hst file: the very ones of a store of the same episodes, in an order that serves groups."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_store import OPTIONS, make_store

from hstmae import cli
from hstmae.codec.session.as_store import HstStore
from hstmae.codec.session.reader import HstReader
from hstmae.config import load_config
from hstmae.data.clips.clip import AheadSource
from hstmae.data.clips.dataset import ClipDataset
from hstmae.data.clips.grouped import CLIPS, JOINING, GroupedOrder
from hstmae.data.clips.prefetch import Prefetcher
from hstmae.data.store.reader import EpisodeStore
from hstmae.errors import CodecError, HstError, StoreError
from hstmae.games import GameState
from hstmae.training.run.setup import open_data


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in "out", and a .hst file of it with groups of 4 frames."""
    folder = tmp_path_factory.mktemp("clips")
    make_store(folder)
    assert cli.main(["encode", str(folder / "out"), str(folder / "x.hst"), "--gop", "4", "--workers", "1"]) == 0
    return folder


def equal(a: GameState, b: GameState) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a.arrays(), b.arrays(), strict=True))


def test_it_has_the_face_of_the_store(base: Path) -> None:
    store, coded = EpisodeStore(base / "out"), HstStore(base / "x.hst")
    assert len(coded) == len(store) and coded.frames == store.frames and coded.game == store.game
    for info in store.infos():
        own = coded.info(info.name)
        for name in (
            "level",
            "outcome",
            "split",
            "frames",
            "size",
            "fps",
            "runs",
            "corner",
            "has_state",
            "has_context",
        ):
            assert getattr(own, name) == getattr(info, name), name
        assert np.array_equal(own.palette, info.palette)
        rows = np.array([13, 0, 5, 5, 2])
        for name in info.columns:
            assert np.array_equal(coded.column(info.name, name, rows), store.column(info.name, name, rows)), name
        a, b = coded.read(info.name, rows), store.read(info.name, rows)
        for name in ("frames", "state", "context", "actions", "frame_numbers"):
            assert np.array_equal(getattr(a, name), getattr(b, name)), name
    with pytest.raises(StoreError):
        coded.position("nobody")
    with pytest.raises(IndexError):
        coded.read(0, [14])


@pytest.mark.parametrize("crop", [0, 64])
def test_chosen_clips_are_those_of_the_store(base: Path, crop: int) -> None:
    a, b = (
        ClipDataset(store, clip=4, stride=2, crop=crop, seed=3)  # type: ignore[arg-type]
        for store in (EpisodeStore(base / "out"), HstStore(base / "x.hst"))
    )
    names = [info.name for info in b.store.infos()]
    assert len(a) == len(b) and len(a.sequential()) == len(b.sequential())
    for episode, start in a.sequential():
        name = a.store.info(episode).name
        x, y = a.clip(name, start), b.clip(names.index(name), start)
        assert np.array_equal(x.frames, y.frames) and np.array_equal(x.palette, y.palette) and equal(x.state, y.state)
        assert (x.origin, x.size, x.episode) == (y.origin, y.size, y.episode)


def test_batches_depend_on_seed_and_step_alone(base: Path) -> None:
    def dataset(room: int) -> ClipDataset:
        return ClipDataset(HstStore(base / "x.hst", room=room), clip=4, stride=2, crop=32, seed=5, forget=0.5)

    first, second = dataset(1 << 30), dataset(1)  # which decodes each group anew
    with Prefetcher(first, 2, workers=2) as ahead:
        for step in range(6):
            x, y = next(ahead), second.batch(step, 2)
            assert x.frames.equal(y.frames) and x.episodes == y.episodes and x.indices.equal(y.indices)
    starts = {(d.episode, d.start) for d in map(first.draw, range(2000))}
    assert len(starts) == len(first)  # all clips there are: 4 episodes of 8 starts


def test_every_clip_is_as_likely_and_few_groups_are_needed() -> None:
    ends = {0: np.arange(100, 1001, 100), 1: np.arange(64, 641, 64), 2: np.array([5000])}
    stretches = [(0, 0, 940), (1, 0, 100), (1, 200, 380), (2, 700, 4000)]
    order = GroupedOrder(stretches, ends, 61, seed=1)
    covered = sorted((area.episode, k) for area in order.areas for k in range(area.start, area.stop))
    assert covered == sorted((e, f + k) for e, f, n in stretches for k in range(n))
    for area in order.areas:
        reach = range(area.start, area.stop - 1 + 61)
        groups = np.searchsorted(ends[area.episode], [reach[0], reach[-1]], "right")
        assert area.groups == range(groups[0], groups[1] + 1)
    rounds = 100
    drawn = Counter(order.place(k)[0] for k in range(rounds * order.clips))
    total = sum(n for _, _, n in stretches)
    for episode in ends:
        share = sum(n for e, _, n in stretches if e == episode) / total
        assert drawn[episode] / drawn.total() == pytest.approx(share, abs=0.06)
    again = GroupedOrder(stretches, ends, 61, seed=1)
    assert [again.place(k) for k in (7, 3, 5000)] == [order.place(k) for k in (7, 3, 5000)]


def test_a_group_is_decoded_once(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Counter[tuple[int, int]]()
    decode = HstStore._decoded
    monkeypatch.setattr(HstStore, "_decoded", lambda self, p, k: (made.update([(p, k)]), decode(self, p, k))[1])
    data = ClipDataset(HstStore(base / "x.hst"), clip=4, stride=2, crop=32, seed=5)
    for step in range(12):
        data.batch(step, 4)
    assert set(made.values()) == {1}


def test_a_run_begins_with_few_groups_and_the_others_join_in() -> None:
    stretches = [(k, 0, 400) for k in range(20)]
    order = GroupedOrder(stretches, {k: np.arange(100, 501, 100) for k in range(20)}, 61, seed=2)
    areas = order.of_round(0)
    drawn = [order.place(k)[0] for k in range(order.clips)]
    known = [area.episode for area in areas]
    for k, episode in enumerate(drawn):
        assert episode in known[: 1 + k // JOINING]
        assert areas[known.index(episode)] in [areas[0], *order.soon(max(0, k - 8), 8)]  # prepared a batch before
    assert len(set(known)) > 4 and Counter(drawn) == Counter(known * CLIPS)
    later = [order.place(k)[0] for k in range(order.clips, 2 * order.clips)]
    assert len({*later[:32]}) > 4


def test_work_is_done_ahead_once_and_side_by_side(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Counter[tuple[int, int]]()
    decode = HstStore._decoded
    monkeypatch.setattr(HstStore, "_decoded", lambda self, p, k: (made.update([(p, k)]), decode(self, p, k))[1])
    data = ClipDataset(HstStore(base / "x.hst"), clip=4, stride=2, crop=32, seed=5)
    data.batch(0, 4)
    begun = set(made)
    data.ahead(0, 4)
    assert set(made) > begun
    done = set(made)
    data.batch(1, 4)
    assert set(made) == done and set(made.values()) == {1}
    assert isinstance(data, AheadSource) and not isinstance(data.store, AheadSource)
    with ThreadPoolExecutor(4) as pool:
        store = HstStore(base / "x.hst")
        made.clear()
        assert len({id(found) for found in pool.map(lambda _: store.group(0, 1), range(8))}) == 1 and made.total() == 1


def test_a_run_takes_a_file_in_place_of_a_store(base: Path) -> None:
    config = load_config("mae_nano", [*OPTIONS[1::2], "train.val_clips=2", f"data.store={base / 'out'}"])
    train, validation, about = open_data(config)
    coded = open_data(replace(config, data=replace(config.data, store=str(base / "x.hst"))))
    assert len(coded[0]) == len(train) and coded[2]["episodes"] == about["episodes"]
    for x, y in zip(validation, coded[1], strict=True):
        assert np.array_equal(x.frames, y.frames) and equal(x.state, y.state)
    assert coded[0].batch(0, 2).frames.shape == train.batch(0, 2).frames.shape
    assert len(coded[2]["store_sha256"]) == 64


def test_damaged_files_are_refused(base: Path, tmp_path: Path) -> None:
    whole = (base / "x.hst").read_bytes()
    with HstReader(base / "x.hst") as reader:
        offset, header = reader.entries[0].gops[1]
    for cut in (whole[: len(whole) // 2], whole[:offset] + bytes(header.size) + whole[offset + header.size :], b""):
        (tmp_path / "bad.hst").write_bytes(cut)
        with pytest.raises(HstError):
            store = HstStore(tmp_path / "bad.hst")
            for k, info in enumerate(store.infos()):
                store.column(k, "frames", np.arange(info.frames))
    with pytest.raises(CodecError):
        HstStore(base / "out" / "meta.json")
