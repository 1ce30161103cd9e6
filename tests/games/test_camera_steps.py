"""How a camera steps: learned, continued and joined across gaps."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from hstmae.games.camera_steps import LONGEST, ORDER, STEPS, CameraSteps, seen_steps
from hstmae.games.state import NOWHERE


def stepping(speed: float, start: float = 0.0, count: int = 400) -> np.ndarray:
    return np.diff(np.floor(start + speed * np.arange(count + 1))).astype(np.int64)


@pytest.fixture(scope="module")
def learned() -> CameraSteps:
    """Cameras that stand, or move evenly at one of three speeds, to the left as well."""
    return CameraSteps.of([np.zeros(400, np.int64)] + [stepping(v, k / 7) for v in (2.5, 1.5, -1.5) for k in range(7)])


@pytest.mark.parametrize("speed", [0, 1.5, 2.5, -1.5])
def test_even_cameras_go_on_as_they_went(learned: CameraSteps, speed: float) -> None:
    steps = stepping(speed, 0.3, 60).tolist()
    truth = np.cumsum(steps[20:27])
    made = learned.likely(steps[:20], 6, int(truth[-1]), steps[27:35])
    assert made is not None
    for k, (moved, share) in enumerate(made):
        assert share.sum() == pytest.approx(1) and moved[share.argmax()] == truth[k] and share.max() > 0.9
    ahead = learned.likely(steps[:20], 6, None, [])  # the footage ends there
    assert ahead is not None and [int(m[s.argmax()]) for m, s in ahead] == truth[:6].tolist()


def test_it_is_the_sum_over_all_ways_of_getting_there() -> None:
    rng = np.random.default_rng(0)
    runs = [rng.integers(0, 3, 300) for _ in range(4)]
    learned = CameraSteps.of(runs)
    before, after, count, way = runs[0][:12].tolist(), runs[1][5:9].tolist(), 3, 4
    total = [dict[int, float]() for _ in range(count)]
    for steps in product(range(3), repeat=count + 1):
        if sum(steps) != way:
            continue
        chance, context = 1.0, tuple(before)[-ORDER:]
        for step in (*steps, *after):
            chance *= dict(learned.next(context)).get(step, 0.0)
            context = (*context, step)[-ORDER:]
        for k in range(count):
            moved = sum(steps[: k + 1])
            total[k][moved] = total[k].get(moved, 0.0) + chance
    made = learned.likely(before, count, way, after)
    assert made is not None
    for (moved, share), own in zip(made, total, strict=True):
        norm = sum(own.values())
        assert {int(m): pytest.approx(own[int(m)] / norm, abs=1e-4) for m in moved} == dict(
            zip(moved.tolist(), share.tolist(), strict=True)
        )


def test_what_no_steps_reach_is_not_told(learned: CameraSteps) -> None:
    assert learned.likely([0] * 10, 3, 100, [0]) is None
    assert CameraSteps().likely([0] * 10, 3, 0, [0]) is None


def test_footage_with_frames_left_out_does_not_fit(learned: CameraSteps) -> None:
    every = stepping(2.5, 0.1, 240)
    assert learned.fitting([every]) and learned.fitting([np.zeros(50, np.int64)])
    assert not learned.fitting([every.reshape(-1, 2).sum(1)])
    assert not learned.fitting([np.clip(every.reshape(-1, 4).sum(1), 0, LONGEST)])
    assert not CameraSteps().fitting([every])


def test_arrays_that_do_not_fit_are_told_from_those_that_do(learned: CameraSteps) -> None:
    assert learned.fits() and CameraSteps().fits() and CameraSteps.of([np.zeros(5, np.int64)]).fits()
    assert len(learned.before) == len(np.unique(learned.before, axis=0)) and learned.counts.shape[1] == STEPS
    assert not CameraSteps(learned.before, learned.counts[1:]).fits()
    assert not CameraSteps(learned.before, learned.counts.astype(np.int64)).fits()
    assert not CameraSteps(np.full_like(learned.before, LONGEST + 1), learned.counts).fits()


def test_steps_are_those_of_frames_in_a_row_on_one_map_without_a_jump() -> None:
    camera = np.array([0, 2, 5, 5, 0, 1, 2, 90, 91, 88, 80])
    scene = np.array([1, 1, 1, NOWHERE, 2, 2, 3, 3, 3, 3, 3])
    assert [run.tolist() for run in seen_steps(camera, scene)] == [[2, 3], [1], [1, -3, -8]]
    for count in range(2):
        assert not list(seen_steps(camera[:count], scene[:count]))
