"""Places of frames of which nothing is seen."""

from __future__ import annotations

import numpy as np
import pytest

from hstmae.atlas.between import LONGEST, OUTSIDE, between
from hstmae.atlas.maps import Located
from hstmae.games.camera_steps import CameraSteps
from hstmae.games.state import NOWHERE

FRAMES, FRAMES_60 = np.arange(40), np.arange(60)


def found(camera: np.ndarray, lost: np.ndarray, scene: int | np.ndarray = 3) -> Located:
    return Located(np.where(lost, NOWHERE, scene), np.where(lost, 0, camera), np.zeros(len(camera), np.int64))


def lost_at(*frames: int, count: int = 40) -> np.ndarray:
    made = np.zeros(count, bool)
    made[list(frames)] = True
    return made


@pytest.mark.parametrize("speed", [0, 0.7, 1.5, 2.5, -2.5, 8])
def test_an_even_camera_is_followed_to_the_pixel(speed: float) -> None:
    camera = np.floor(500.3 + speed * FRAMES).astype(np.int64)
    lost = lost_at(0, 1, 12, 13, 14, 15, 16, 17, 30, 39)
    first = between(found(camera, lost))[0]
    assert (first.place.scene == 3).all() and (first.place.camera == camera).all()
    assert (first.weight[~lost] == 1).all() and (first.weight[lost] > 0.5).all()


def test_where_the_speed_changes_several_places_are_likely_and_the_true_one_is_among_them() -> None:
    camera = np.concatenate([np.full(15, 100), 100 + 2 * np.arange(1, 26)])
    lost = lost_at(*range(12, 18))
    likely = between(found(camera, lost))
    assert len(likely) > 1
    hit = sum(one.weight * (one.place.camera == camera) for one in likely)
    assert (hit[lost] > 0.05).all()
    total = sum(one.weight for one in likely)
    assert (total <= 1.001).all() and (np.diff([one.weight[lost] for one in likely], axis=0) <= 1e-6).all()


def test_a_camera_that_scrolls_down_as_well() -> None:
    lost = lost_at(10, 11, 12)
    place = Located(np.where(lost, NOWHERE, 3), np.where(lost, 0, 7 * FRAMES), np.where(lost, 0, 2 * FRAMES))
    first = between(place)[0].place
    assert (first.camera == 7 * FRAMES).all() and (first.camera_y == 2 * FRAMES).all()


@pytest.mark.parametrize("why", ["another map", "a jump", "too long", "nothing found"])
def test_nothing_is_made_up(why: str) -> None:
    count = 40 + LONGEST
    camera, scene, lost = np.arange(count), np.full(count, 3), lost_at(10, 11, count=count)
    if why == "another map":
        scene[12:] = 4
    elif why == "a jump":
        camera[12:] += 500
    elif why == "too long":
        lost[10 : 11 + LONGEST] = True
    else:
        lost[:] = True
    made = between(found(camera, lost, scene))
    assert (made[0].place.scene[lost] == NOWHERE).all()


def test_beyond_the_last_frame_that_was_found_only_a_few() -> None:
    for beyond, places in ((OUTSIDE, 3), (OUTSIDE + 1, NOWHERE)):
        lost = 40 - beyond <= FRAMES
        assert (between(found(2 * FRAMES, lost))[0].place.scene[lost] == places).all()


def test_what_recordings_taught_of_steps_tells_more_than_lines_and_is_left_aside_elsewhere() -> None:
    """A camera that speeds up by the game's own rule: its positions are no line."""
    speeds = np.minimum(np.arange(60) * 0.1, 2.5)
    camera = np.floor(100 + np.cumsum(speeds)).astype(np.int64)
    steps = CameraSteps.of([np.diff(np.floor(k / 9 + np.cumsum(speeds))).astype(np.int64) for k in range(9)])
    lost = lost_at(*range(20, 29), count=60)

    def sure(of: np.ndarray, learned: CameraSteps | None) -> float:
        made = between(found(of, lost), steps=learned)
        return float(sum((one.weight * (one.place.camera == of))[lost] for one in made).sum() / lost.sum())

    assert sure(camera, steps) > 0.9 > sure(camera, None) + 0.1
    other = 100 + 7 * np.arange(60)  # no game it was learned from: lines are right
    assert sure(other, steps) == sure(other, None) > 0.9
    ahead = between(found(camera, FRAMES_60 > 54), steps=steps)[0]
    assert (ahead.place.camera == camera).all()
