"""Real-time restoration: frame by frame, from the past alone, and in a process with deadlines."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hstmae.data.store.reader import EpisodeStore
from hstmae.errors import CheckpointError, DataError, HstError
from hstmae.games import get_game
from hstmae.inference.live import LiveRestorer
from hstmae.inference.live.worker import LiveResult, LiveWorker, _run
from hstmae.inference.loading import load
from hstmae.inference.predictor import Predictor

FRAMES = 12


@pytest.fixture(scope="module")
def model() -> Predictor:
    return load("hst-mae-nano", device="cpu")


@pytest.fixture(scope="module")
def play(sample_store: EpisodeStore) -> tuple[np.ndarray, np.ndarray]:
    episode = sample_store[0]
    assert episode.state is not None
    return np.asarray(episode.frames[30 : 30 + FRAMES]), np.asarray(episode.state[30 : 30 + FRAMES])


@pytest.fixture(scope="module")
def damage(play: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Nothing at first, then a logo and blocks that move, a lost frame, a frame of which a tenth is seen."""
    mask = np.zeros(play[0].shape, bool)
    mask[2:, 200:, :64] = True
    for t in range(3, FRAMES):
        mask[t, 8 * t : 8 * t + 48, 100:180] = True
    mask[8] = True
    mask[11] = np.random.default_rng(0).random((15, 16)).repeat(16, 0).repeat(16, 1) > 0.1
    return mask


def restored(restorer: LiveRestorer, frames: np.ndarray, mask: np.ndarray, state: np.ndarray | None) -> list[Any]:
    return [restorer.frame(frames[t], mask[t], None if state is None else state[t]) for t in range(len(frames))]


@pytest.mark.parametrize(("level", "least"), [("full", 0.999), ("compact", 0.99), ("none", 0.85)])
def test_play_is_restored_frame_by_frame(
    model: Predictor, play: tuple[np.ndarray, np.ndarray], damage: np.ndarray, level: str, least: float
) -> None:
    frames, state = play
    garbage = np.where(damage, np.random.default_rng(1).integers(0, 64, frames.shape, np.uint8), frames)
    made = restored(LiveRestorer(model, state_level=level), garbage, damage, state)
    pictures, sure = np.stack([one.picture for one in made]), np.stack([one.confidence for one in made])
    assert np.array_equal(pictures[~damage], frames[~damage]) and (sure[~damage] == 1).all()
    right = pictures[damage] == frames[damage]
    assert right.mean() > least
    assert right[sure[damage] >= 0.98].mean() > 0.98
    if level != "full":  # one level will do
        return
    other = restored(LiveRestorer(model, state_level=level), np.where(damage, 7, frames), damage, state)
    assert all(np.array_equal(a.picture, b.picture) for a, b in zip(made, other, strict=True)), "garbage shows through"


def test_in_a_hurry_what_nobody_knows_has_no_confidence(
    model: Predictor, play: tuple[np.ndarray, np.ndarray], damage: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames, state = play
    monkeypatch.setattr(model, "draw", lambda *_: pytest.fail("the network was asked"))
    restorer = LiveRestorer(model, state_level="compact")
    for t, frame in enumerate(frames):
        made = restorer.frame(frame, damage[t], state[t], hurry=True)
        right = made.picture == frame
        assert right[~damage[t]].all() and right[damage[t]].sum() >= 0.97 * damage[t].sum()
        assert right[made.confidence >= 0.98].mean() > 0.98


def test_colours_come_back_as_colours_of_the_same_emulator(
    model: Predictor, play: tuple[np.ndarray, np.ndarray], damage: np.ndarray
) -> None:
    game = get_game("smb")
    frames, state, damage = play[0][3:8], play[1][3:8], damage[3:8]
    entries = restored(LiveRestorer(model, mode="exact"), frames, damage, state)
    for table in (game.palette, game.other_palettes[0]):
        made = restored(LiveRestorer(model, mode="exact"), table[frames], damage, state)
        for t, one in enumerate(made):
            assert np.array_equal(one.picture, table[entries[t].picture])


def test_another_recording_may_follow(model: Predictor, play: tuple[np.ndarray, np.ndarray]) -> None:
    frames, state = play
    nothing = np.zeros(frames.shape[1:], bool)
    restorer = LiveRestorer(model)
    restorer.frame(frames[0], nothing, state[0])
    with pytest.raises(DataError, match="restart"):
        restorer.frame(frames[0][:100], nothing[:100], state[0])
    restorer.restart()
    lost = np.ones((100, 256), bool)
    assert (restorer.frame(frames[0][:100], lost, state[0]).picture == frames[0][:100]).mean() > 0.99


@pytest.mark.parametrize(
    ("picture", "missing", "memory", "words"),
    [
        (np.zeros((240, 256), np.int64), None, None, "int64"),
        (np.zeros((240, 256, 4), np.uint8), None, None, "RGB"),
        (np.zeros((0, 256), np.uint8), None, None, "pixels"),
        (np.full((240, 256), 200, np.uint8), None, None, "palette ends at 63"),
        (np.full((240, 256, 3), 123, np.uint8), None, None, "#7b7b7b"),
        (np.zeros((240, 256), np.uint8), np.zeros((240, 255), bool), None, "missing"),
        (np.zeros((240, 256), np.uint8), np.zeros((240, 256), np.uint8), None, "missing must be bool"),
        (np.zeros((240, 256), np.uint8), None, np.zeros(100, np.uint8), "2048"),
        (np.zeros((240, 256), np.uint8), None, np.zeros(2048, np.int8), "int8"),
    ],
)
def test_what_does_not_fit_is_refused_and_the_stream_goes_on(
    model: Predictor, picture: np.ndarray, missing: np.ndarray | None, memory: np.ndarray | None, words: str
) -> None:
    restorer = LiveRestorer(model)
    with pytest.raises(HstError, match=words):
        restorer.frame(picture, np.zeros(picture.shape[:2], bool) if missing is None else missing, memory)
    restorer.restart()
    assert restorer.frame(np.zeros((240, 256), np.uint8), np.zeros((240, 256), bool)).confidence.all()


def test_levels_modes_and_models_that_there_are_not() -> None:
    for options in ({"state_level": "some"}, {"mode": "best"}):
        with pytest.raises(DataError, match="must be one of"):
            LiveRestorer(None, **options)
    with pytest.raises(CheckpointError, match="nosuch"):
        LiveRestorer("nosuch")
    with pytest.raises(DataError, match="RGB"):
        LiveRestorer(None).frame(np.zeros((48, 64), np.uint8), np.zeros((48, 64), bool))


def scrolling(count: int) -> np.ndarray:
    """A picture that moves two pixels a frame, uint8 [count, 96, 128, 3]."""
    wide = np.random.default_rng(3).integers(0, 8, (12, 60, 3)).repeat(8, 0).repeat(8, 1).astype(np.uint8) * 30
    return np.stack([wide[:, 2 * t : 2 * t + 128] for t in range(count)])


def test_anything_is_restored_from_the_frames_before() -> None:
    frames = scrolling(12)
    mask = np.zeros(frames.shape[:3], bool)
    mask[4:, 30:50, 40:70] = True
    mask[9] = True
    restorer = LiveRestorer(None, mode="exact")
    for t, one in enumerate(restored(restorer, frames, mask, None)):
        assert np.array_equal(one.picture[~mask[t]], frames[t][~mask[t]])
        if t >= 4:
            assert (one.picture == frames[t]).all(-1)[mask[t]].mean() > 0.75, t
    restorer.restart()
    first = restorer.frame(frames[0], np.ones(mask.shape[1:], bool))  # nothing was seen yet
    assert not first.confidence.any() and np.array_equal(first.picture, frames[0])


def test_what_is_held_does_not_grow() -> None:
    """Over many frames, long gaps among them."""
    frames = scrolling(24)
    restorer = LiveRestorer(None)
    mask = np.zeros(frames.shape[1:3], bool)
    for k in range(2):
        for t, frame in enumerate(frames):
            restorer.frame(frame, mask | (t % 11 > 3 + k))
    recall = restorer._stream._recall  # type: ignore[attr-defined]
    assert len(recall._frames) <= 10 and len(recall._position) == len(recall._frames)
    assert any(not one.lost for one in recall._frames)


@pytest.fixture
def worker() -> Iterator[tuple[LiveWorker, list[LiveResult]]]:
    results: list[LiveResult] = []
    made = LiveWorker(results.append, None, deadline=5, waiting=30, mode="exact")
    assert made.wait_until_ready(60)
    yield made, results
    made.close()


def wait_for(results: list[LiveResult], count: int) -> None:
    until = time.monotonic() + 30
    while len(results) < count:
        assert time.monotonic() < until, len(results)
        time.sleep(0.01)


def test_a_process_restores_in_order_and_what_is_late_comes_as_it_came(
    worker: tuple[LiveWorker, list[LiveResult]],
) -> None:
    live, results = worker
    frames = scrolling(20)
    mask = np.zeros(frames.shape[:3], bool)
    mask[3:, 30:50, 40:70] = True
    for t in range(10):
        live.put(frames[t], mask[t])
    wait_for(results, 10)
    assert [one.number for one in results] == list(range(10)) and all(one.restored for one in results)
    assert (results[9].picture == frames[9]).all(-1).mean() > 0.99

    live.put(frames[0][:50], mask[0][:50])  # of another size: refused, and the stream begins anew
    live.put(frames[10], mask[10])
    wait_for(results, 12)
    assert "one stream" in results[10].problem and not results[10].restored and results[11].restored

    live._deadline = 0.0
    live.put(frames[11], mask[11])
    wait_for(results, 13)
    assert not results[12].restored and not results[12].problem and np.array_equal(results[12].picture, frames[11])
    assert (live.counts.came, live.counts.restored, live.counts.late, live.counts.failed) == (13, 11, 1, 1)

    live._deadline = 5.0
    os.kill(live._process.pid, signal.SIGTERM)
    live._process.join()
    live.put(frames[12], mask[12])
    wait_for(results, 14)
    assert "started anew" in results[13].problem and np.array_equal(results[13].picture, frames[12])


def test_a_model_that_there_is_not_is_told_of_with_every_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a process that says so once; it is not started again and again."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    here, there = multiprocessing.Pipe()
    _run(there, "nosuch", {}, 1)
    results: list[LiveResult] = []
    monkeypatch.setattr(LiveWorker, "_start", lambda self: None)
    live = LiveWorker(results.append, "nosuch")
    live._pipe, live._process = here, SimpleNamespace(kill=lambda: None, join=lambda: None)
    until = time.monotonic() + 30
    while not live._refused:
        assert time.monotonic() < until
        time.sleep(0.01)
    for count in (1, 2):
        live.put(np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), bool))
        wait_for(results, count)
    live.close()
    assert all("nosuch" in one.problem for one in results) and live.counts.failed == 2
