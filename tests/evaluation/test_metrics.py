"""The figures against hand-computed values and independent formulas."""

import numpy as np
import pytest

from hstmae.evaluation.decibels import PSNR_LIMIT, psnr
from hstmae.evaluation.metrics import MetricSums, squared_error
from hstmae.evaluation.similarity import Similarity, one_region, ssim_map
from hstmae.evaluation.truth import Truth

PALETTE = np.array([[0, 0, 0], [255, 255, 255], [10, 0, 0], [100, 150, 200]], np.uint8)


def picture(seed: int, shape: tuple[int, ...] = (1, 20, 24, 3)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def ssim_by_definition(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """One grey channel [H, W], every window written out: weighted moments over 11x11 pixels, mirrored border."""
    offsets = np.arange(-5, 6)
    weight = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * 1.5**2))
    weight /= weight.sum()
    pa, pb = (np.pad(x.astype(np.float64), 5, mode="symmetric") for x in (a, b))
    out = np.empty(a.shape)
    for y in range(a.shape[0]):
        for x in range(a.shape[1]):
            wa, wb = pa[y : y + 11, x : x + 11], pb[y : y + 11, x : x + 11]
            ma, mb = (weight * wa).sum(), (weight * wb).sum()
            va, vb = (weight * (wa - ma) ** 2).sum(), (weight * (wb - mb) ** 2).sum()
            cov = (weight * (wa - ma) * (wb - mb)).sum()
            c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
            out[y, x] = (2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))
    return out


def test_psnr_of_known_errors() -> None:
    assert psnr(255.0**2) == pytest.approx(0.0)
    assert psnr(1.0) == pytest.approx(48.1308, abs=1e-4)
    assert psnr(0.0) == PSNR_LIMIT


def test_squared_error_counts_masked_pixels_only_and_averages_colours() -> None:
    truth = np.zeros((1, 2, 2, 3), np.uint8)
    guess = truth.copy()
    guess[0, 0, 0] = [3, 0, 0]  # 9 / 3 colours
    guess[0, 1, 1] = [255, 255, 255]  # not masked
    mask = np.array([[[True, True], [False, False]]])
    assert squared_error(guess, truth, mask) == pytest.approx(3.0)


def test_ssim_map_is_the_definition() -> None:
    a = picture(0)
    b = np.clip(a.astype(int) + np.random.default_rng(1).integers(-60, 60, a.shape), 0, 255).astype(np.uint8)
    expected = np.mean([ssim_by_definition(a[0, ..., c], b[0, ..., c]) for c in range(3)], axis=0)
    np.testing.assert_allclose(ssim_map(a, b)[0], expected, atol=2e-5)


def test_ssim_of_equal_different_and_small_pictures() -> None:
    a = picture(2)
    np.testing.assert_allclose(ssim_map(a, a), 1.0, atol=1e-6)
    assert ssim_map(a, 255 - a).mean() < -0.5
    tiny = picture(3, (2, 3, 4, 3))  # smaller than the window
    np.testing.assert_allclose(ssim_map(tiny, tiny), 1.0, atol=1e-6)
    with pytest.raises(ValueError, match="one shape"):
        ssim_map(a, a[:, :-1])


@pytest.mark.parametrize("size", [(3, 4), (16, 64), (33, 70), (50, 129)])
def test_similarity_of_pieces_is_that_of_whole_pictures(size: tuple[int, int]) -> None:
    """Equal surroundings are left out, and so is what is not asked for: the rest is what all of it would be."""
    a = picture(5, (2, *size, 3))
    b = a.copy()
    b[1, size[0] // 2, size[1] // 3] ^= 200  # the first frame is equal, the second all but equal
    wanted = np.random.default_rng(6).random(a.shape[:3]) < 0.5
    map_ = Similarity(a).map(b, wanted)
    expected = np.mean([ssim_by_definition(a[1, ..., c], b[1, ..., c]) for c in range(3)], axis=0)
    np.testing.assert_allclose(map_[1][wanted[1]], expected[wanted[1]], atol=2e-5)
    assert (map_[0] == 1).all() and map_[1].min() < 0.99


def test_a_truth_serves_many_restorations() -> None:
    """What is kept of the truth between them changes no figure."""
    truth, mask = picture(7, (3, 20, 24, 3)), np.random.default_rng(8).random((3, 20, 24)) < 0.8
    shared = Truth(truth, None, mask, np.zeros(mask.shape, np.uint8))
    for seed in range(9, 12):
        made, sums = picture(seed, truth.shape), [MetricSums(), MetricSums()]
        sums[0].add(shared, made)
        sums[1].add(Truth(truth, None, mask, shared.regions), made)
        assert sums[0].result() == sums[1].result()


def test_one_region_is_where_the_window_sees_no_border() -> None:
    regions = np.ones((1, 30, 40), np.uint8)
    regions[:, :, 20:] = 2
    single = one_region(regions)
    assert not single[0, :, 15:25].any()  # window radius 5 on both sides of the border
    assert single[0, :, :15].all() and single[0, :, 25:].all()


def test_pooled_figures_of_two_clips() -> None:
    """Clip 1 is exact; in clip 2 one of four masked pixels is wrong by (10, 0, 0)."""
    truth = np.zeros((2, 4, 4), np.uint8)
    mask = np.zeros((2, 4, 4), bool)
    mask[0, :2, :2] = True
    sums = MetricSums()
    regions = np.zeros((2, 4, 4), np.uint8)
    clip = Truth(truth, PALETTE, mask, regions)
    sums.add(clip, PALETTE[truth], truth)
    guess = truth.copy()
    guess[0, 0, 0] = 2
    guess[1, 3, 3] = 1  # visible: must not count
    sums.add(clip, PALETTE[guess], guess)
    result = sums.result()
    mse = (100 / 3) / 8
    assert result["mse"] == pytest.approx(mse)
    assert result["psnr_masked"] == pytest.approx(10 * np.log10(255**2 / mse))
    assert result["psnr_masked_argmax"] == pytest.approx(result["psnr_masked"])
    assert result["psnr_full"] == pytest.approx(10 * np.log10(255**2 / ((100 / 3) / 64)))
    assert result["exact_match"] == pytest.approx(7 / 8)
    assert result["psnr_masked_median"] == pytest.approx((PSNR_LIMIT + psnr((100 / 3) / 4)) / 2)
    assert result["clips"] == 2 and result["masked_pixels"] == 8
    assert 0.9 < result["ssim"] < 1.0
    assert result["ssim_intra"] == pytest.approx(result["ssim"]) and result["ssim_inter"] is None


def test_argmax_and_posterior_mean_are_told_apart() -> None:
    truth = np.full((2, 2, 2), 3, np.uint8)
    mask = np.ones((2, 2, 2), bool)
    sums = MetricSums()
    grey = np.full((2, 2, 2, 3), [101, 150, 200], np.uint8)  # mean colour off by one, best entry right
    sums.add(Truth(truth, PALETTE, mask), grey, truth, similarity=False)
    result = sums.result()
    assert result["psnr_masked_argmax"] == PSNR_LIMIT
    assert result["mse"] == pytest.approx(1 / 3)
    assert result["ssim"] is None


def test_nothing_to_measure_is_an_error() -> None:
    empty = np.zeros((1, 2, 2), np.uint8)
    with pytest.raises(ValueError, match="without masked pixels"):
        MetricSums().add(Truth(empty, PALETTE, empty.astype(bool)), PALETTE[empty], empty)
    with pytest.raises(ValueError, match="no clips"):
        MetricSums().result()


def flicker(made: np.ndarray, truth: np.ndarray, mask: np.ndarray) -> tuple[float, int]:
    sums = MetricSums()
    sums.add(Truth(truth, None, mask), made)
    return sums.change, sums.still


def test_flicker_is_change_where_the_truth_stands_still() -> None:
    truth = np.repeat(picture(3), 4, 0)
    truth[2:, :, 12:] = 255 - truth[2:, :, 12:]  # the right half changes once
    mask = np.ones(truth.shape[:3], bool)
    mask[1, :10] = False
    assert flicker(truth, truth, mask)[0] == 0
    wrong = np.zeros_like(truth)
    assert flicker(wrong, truth, mask)[0] == 0  # wrong, but steady
    wrong[1::2] = 30
    change, still = flicker(wrong, truth, mask)
    assert still == 10 * 24 + 10 * 12 + 20 * 24 and change == 30 * still
    shaken = truth.astype(int) + np.random.default_rng(0).integers(-9, 10, truth.shape)
    assert flicker(np.clip(shaken, 0, 255).astype(np.uint8), truth, mask)[0] > still


def test_sprites_are_counted_for_themselves() -> None:
    truth = np.zeros((2, 20, 24), np.uint8)
    mask = np.ones(truth.shape, bool)
    mask[:, 0] = False
    boxes = np.zeros(truth.shape, bool)
    boxes[0, :5, :8] = True
    made = truth.copy()
    made[0, 0] = made[0, 1] = 1  # a visible row and a hidden one
    sums = MetricSums()
    sums.add(Truth(truth, PALETTE, mask, sprites=boxes), PALETTE[made], made)
    assert sums.result()["exact_match_sprites"] == 1 - 8 / 32
    without = MetricSums()
    without.add(Truth(truth, PALETTE, mask), PALETTE[made], made)
    assert without.result()["exact_match_sprites"] is None
    assert without.result()["exact_match"] == sums.result()["exact_match"] == 1 - 24 / (2 * 19 * 24)
