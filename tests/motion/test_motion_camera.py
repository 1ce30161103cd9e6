"""Motion before scenery that is known and taken away: where the camera was tells how things of the world moved."""

from __future__ import annotations

import numpy as np
import pytest

from hstmae.motion import gate
from hstmae.motion.candidates import NOWHERE, _passed
from hstmae.motion.combiner import CLEARED, CLEARED_LOST, load_combiner
from hstmae.motion.frames import everywhere
from hstmae.motion.recall import Around, Mode, Recall
from hstmae.motion.scene import Scene

HEIGHT, WIDTH, COUNT = 64, 128, 48
GAPS = ((9, 13), (20, 25), (33, 37))
EMPTY = np.array([1, 2, 0], np.uint8)
STEPS = (0, 3, 1, 0, 2, 4, 0, 1, 3, 0, 0, 5)  # of the camera, over and over: no line


def footage() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two things that stand in the world, and one in the screen, before nothing; a mask of lost frames; the camera."""
    rng = np.random.default_rng(5)
    things = [rng.integers(40, 250, (12, 12, 3)).astype(np.uint8) for _ in range(3)]
    camera = np.cumsum([STEPS[t % len(STEPS)] for t in range(COUNT)])
    frames = np.broadcast_to(EMPTY, (COUNT, HEIGHT, WIDTH, 3)).copy()
    for t in range(COUNT):
        for top, at, thing in ((4, 60 - camera[t], things[0]), (26, 105 - camera[t], things[1]), (46, 50, things[2])):
            left, right = max(at, 0), min(at + 12, WIDTH)
            if right > left:
                frames[t, top : top + 12, left:right] = thing[:, left - at : right - at]
    mask = np.zeros(frames.shape[:3], bool)
    for first, last in GAPS:
        mask[first : last + 1] = True
    return frames, mask, np.stack([np.zeros(COUNT), camera], 1)


def error(camera: np.ndarray | None) -> float:
    frames, mask, _ = footage()
    recall = Recall(np.where(mask[..., None], np.uint8(0), frames), mask, Mode(), camera=camera)
    off = [
        (drawn.rgb.astype(float) - frames[t].reshape(-1, 3)[drawn.place]) ** 2
        for t, drawn in recall.draw_all(np.flatnonzero(mask.any((1, 2))).tolist())
    ]
    return float(np.mean(off))


def test_things_of_the_world_are_where_the_camera_says() -> None:
    camera = footage()[2]
    partly = camera.copy()
    partly[21:25] = np.nan  # of one gap nothing is known
    assert error(camera) < 0.1 * error(np.full_like(camera, np.nan))
    assert error(camera) < error(partly) < error(np.full_like(camera, np.nan))


def test_the_camera_is_known_between_frames_that_it_was_found_in_and_not_across_jumps() -> None:
    frames, mask, camera = footage()
    camera[30:] += 700
    camera[5] = np.nan
    scene = Scene(frames, mask, camera=camera)
    assert scene.led(10, 14) == (0, int(camera[10, 1] - camera[14, 1])) and scene.led(14, 10) == (
        0,
        int(camera[14, 1] - camera[10, 1]),
    )
    assert scene.led(4, 5) is None and scene.led(29, 30) is None and scene.led(25, 40) is None
    assert Scene(frames, mask).led(10, 14) is None


def test_what_stays_on_the_screen_stays_and_the_rest_is_shared_out_by_the_camera() -> None:
    shifts = np.concatenate([everywhere(s, (16, 16))[:1] for s in ((0, 0), (0, -20), (4, -30))])
    shifts = np.concatenate([shifts, np.full((1, 2), NOWHERE, np.int16)])
    made = _passed(shifts, 0.5, (0, -20), (0, -3))
    assert made.tolist() == [[0, 0], [0, -3], [2, -8], [NOWHERE, NOWHERE]]
    assert _passed(shifts, 0.5, None, (0, -3)).tolist() == [[0, 0], [0, -10], [2, -15], [NOWHERE, NOWHERE]]


def test_of_large_pictures_only_some_frames_keep_what_finds_their_details(monkeypatch: pytest.MonkeyPatch) -> None:
    frames, mask, _ = footage()
    monkeypatch.setattr("hstmae.motion.frames.READY", 10 * HEIGHT * WIDTH)
    small = Scene(frames, mask)
    expected = Scene(frames, mask)
    expected.frames[0]._ready._most = COUNT  # type: ignore[union-attr]
    assert np.array_equal(small.position, expected.position)
    ready = [sum("index" in frame.__dict__ for frame in scene.frames) for scene in (small, expected)]
    assert ready[0] <= 12 < ready[1]
    lent = small.frames[0]
    again = lent.index  # made once more, and found to be the same
    assert all(np.array_equal(a, b) for a, b in zip(again[:2], expected.frames[0].index[:2], strict=True))


def test_networks_of_their_own_are_asked_where_the_scenery_is_known() -> None:
    frames, mask, camera = footage()
    recall = Recall(frames, mask, Mode(gate=False), camera=camera)
    assert recall._combiners[0] is load_combiner(CLEARED) and recall._of_lost is load_combiner(CLEARED_LOST)
    assert Recall(frames, mask, Mode(gate=False))._of_lost is not load_combiner(CLEARED_LOST)


def test_the_self_test_of_large_pictures_is_where_the_damage_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hstmae.motion.recall.TESTED", 0)
    frames, mask, _ = footage()
    for first, wanted in ((0, slice(0, 14)), (20, slice(14, 28)), (46, slice(COUNT - 14, COUNT))):
        mask[:] = False
        mask[first : first + 2, :8, :8] = True
        assert Recall(frames, mask)._tested == wanted


def test_what_is_tested_of_a_frame_is_one_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both halves of the self-test may not see the same frame."""
    frames, mask, _ = footage()
    mask[:] = False
    mask[:, 8:40, 8:60] = True
    around = Around(Scene(np.where(mask[..., None], np.uint8(0), frames), mask))
    points = gate.tested_points(mask[20], gate.PIXELS)
    assert len(points.place) == gate.PIXELS and [part.nowhere for part in around.parts(20, points, gate.PIXELS)] == [
        True
    ]
    monkeypatch.setattr("hstmae.motion.recall.INNER", gate.PIXELS // 3)
    assert len(list(around.parts(20, points, gate.PIXELS))) >= 2
