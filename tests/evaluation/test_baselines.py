"""Fillers on a made-up scrolling world, where the right answer is known."""

import numpy as np

from hstmae.evaluation.fillers import camera_copy, mode_colour
from hstmae.evaluation.metrics import perceptual_fields


def scrolling(shifts: list[int], height: int = 6, width: int = 20) -> np.ndarray:
    """A world whose colour tells its place, seen through a camera at `shifts`; the two upper rows stand still."""
    frames = np.empty((len(shifts), height, width), np.uint8)
    for t, shift in enumerate(shifts):
        frames[t] = (np.arange(width) + shift) % 200 + 10
        frames[t, :2] = np.arange(width) + 100
    return frames


def test_mode_colour_reads_visible_pixels_only() -> None:
    frames = np.array([[[5, 5, 7], [9, 9, 9]]], np.uint8)
    mask = np.array([[[False, False, False], [True, True, True]]])
    np.testing.assert_array_equal(mode_colour(frames, mask), [[[5, 5, 7], [5, 5, 5]]])
    assert (mode_colour(frames, np.ones_like(mask)) == 0).all()


def test_camera_copy_finds_what_another_frame_shows() -> None:
    camera = np.array([0, 4, 8])
    truth = scrolling(camera.tolist())
    mask = np.zeros(truth.shape, bool)
    mask[:, 2:, 8:12] = True  # a tube over the scrolling part: each world column is visible in some other frame
    fixed = np.zeros(truth.shape, bool)
    fixed[:, :2] = True
    filled, found = camera_copy(np.where(mask, 0, truth), mask, camera, fixed)
    np.testing.assert_array_equal(found, mask)
    np.testing.assert_array_equal(filled, truth)
    wrong, _ = camera_copy(np.where(mask, 0, truth), mask, -camera, fixed)
    assert (wrong != truth).any()  # a wrong camera must not pass


def test_camera_copy_of_a_still_camera_falls_back_to_the_mode() -> None:
    truth = scrolling([3, 3])
    mask = np.zeros(truth.shape, bool)
    mask[:, :, 4:8] = True
    filled, found = camera_copy(truth, mask, np.array([3, 3]))
    assert not found.any()
    np.testing.assert_array_equal(filled, mode_colour(truth, mask))


def test_status_bar_is_copied_in_place_and_never_mixed_with_the_scene() -> None:
    camera = np.array([0, 5])
    truth = scrolling(camera.tolist())
    fixed = np.zeros(truth.shape, bool)
    fixed[:, :2] = True
    mask = np.zeros(truth.shape, bool)
    mask[0] = True  # the first frame is lost
    filled, found = camera_copy(truth, mask, camera, fixed)
    np.testing.assert_array_equal(filled[0, :2], truth[0, :2])
    np.testing.assert_array_equal(filled[0, 2:, 5:], truth[0, 2:, 5:])  # columns 0-4 lie left of the second frame
    assert found.sum() == 2 * 20 + 4 * 15


def test_nearest_frame_wins_and_masked_pixels_are_not_read() -> None:
    frames = np.array([[[1]], [[99]], [[3]], [[4]]], np.uint8)  # frame 1 is masked; 0 and 2 are equally near
    mask = np.array([[[False]], [[True]], [[False]], [[False]]])
    filled, _ = camera_copy(frames, mask, np.zeros(4, int))
    assert filled[1, 0, 0] == 1  # the earlier one
    frames[1] = 7
    again, _ = camera_copy(frames, mask, np.zeros(4, int))
    np.testing.assert_array_equal(filled, again)


def test_perceptual_metrics_are_null_with_a_reason() -> None:
    fields = perceptual_fields()
    assert fields["lpips"] is None and fields["fid"] is None
    assert "AlexNet" in str(fields["lpips_reason"]) and "Inception" in str(fields["fid_reason"])
