"""True-colour clips: metrics, fillers, and the evaluation loop with networks whose answers are known."""

import json

import numpy as np
import pytest
import torch

from hstmae.config import ModelConfig
from hstmae.data.clips.clip import Clip
from hstmae.errors import DataError
from hstmae.evaluation.decibels import psnr
from hstmae.evaluation.evaluate import EvaluateOptions, evaluate
from hstmae.evaluation.fillers import mean_colour, mode_rgb, nearest_pixel
from hstmae.evaluation.metrics import MetricSums
from hstmae.evaluation.truth import Truth
from hstmae.games import get_game
from hstmae.inference.predictor import Predictor

PALETTE = get_game("smb").palette


def noise(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


class Constant:
    """Answers with one colour, given as 0 .. 255; hidden pixels must come cleared."""

    def __init__(self, *colour: int) -> None:
        self.colour = torch.tensor(colour) / 255
        self.sizes: list[list[int]] = []

    def __call__(self, clips, queries):
        frames, size = clips.frames, clips.size
        assert int((frames == 0).flatten(2).sum(-1).min()) > frames[0, 0].numel() // 2
        self.sizes += [] if size is None else size.tolist()
        return self.colour.expand(*queries.shape, 2, 16, 16, 3)


class Clips:
    """Stands in for ClipDataset: clips of noise with a share of pixels in one colour."""

    def __init__(self, palette: bool = False) -> None:
        self.palette = palette

    def sequential(self, count, seed):
        return [(0, 0), (1, 0), (2, 0)][:count]

    def clip(self, episode: int, start: int) -> Clip:
        if self.palette:
            return Clip(np.full((4, 64, 64), 0x22, np.uint8), PALETTE, (0, 0), None, "e", np.arange(4), (240, 256))
        frames = noise((4, 64, 64, 3), episode)
        frames[:, :, ::4] = (10, 20, 30)
        return Clip(frames, None, (3, 0), None, "e", np.arange(4), (70, 64))


def run(model, clips: Clips, game: str = "generic", **options) -> dict:
    predictor = Predictor(model, ModelConfig(game=game, head="rgb"))
    return evaluate(predictor, clips, EvaluateOptions(**{"state": "none", "ratio": 0.75, **options}))


def test_one_colour_is_exact_where_it_is_right() -> None:
    model = Constant(10, 20, 30)
    report = run(model, Clips())
    assert report["exact_match"] == pytest.approx(0.25, abs=0.001) and report["psnr_masked_argmax"] is None
    assert report["masked_pixels"] == 3 * 12 * 4 * 256 and model.sizes[0] == [70, 64]
    assert report["baselines"]["mode_colour"]["exact_match"] == report["exact_match"]
    assert report["baselines"]["mode_colour"]["mse"] == pytest.approx(report["mse"])
    assert report["baselines"]["mean_colour"]["mse"] < report["mse"]
    assert report["baselines"]["camera_copy"] is None and report["baselines"]["camera_copy_reason"]
    assert report["ssim_inter"] is None and report["ssim"] == report["ssim_intra"]
    assert json.dumps(report)


def test_a_palette_game_with_a_colour_head_is_measured_by_the_nearest_entry() -> None:
    colour = PALETTE[0x22].astype(int) + (2, 0, 0) * np.where(PALETTE[0x22] < 200, 1, -1)
    report = run(Constant(*colour.tolist()), Clips(palette=True), "smb")
    assert report["exact_match"] == 1.0 and report["psnr_masked_argmax"] == 100.0
    assert report["mse"] == pytest.approx(4 / 3)


def test_footage_of_the_other_kind_is_told() -> None:
    with pytest.raises(DataError, match="holds palette frames"):
        run(Constant(0, 0, 0), Clips(palette=True))
    with pytest.raises(DataError, match="holds true-colour frames"):
        run(Constant(0, 0, 0), Clips(), "smb")
    with pytest.raises(DataError, match="--state none"):
        run(Constant(0, 0, 0), Clips(), state="full")


def test_metrics_of_colours() -> None:
    truth = noise((2, 32, 32, 3))
    guess, mask = truth.copy(), np.zeros((2, 32, 32), bool)
    mask[:, 8:16, 8:16] = True
    guess[0, 8, 8, 1] ^= 4  # one channel of one of 128 pixels
    sums = MetricSums()
    sums.add(Truth(truth, None, mask), guess)
    result = sums.result()
    assert result["exact_match"] == 127 / 128 and result["mse"] == pytest.approx(16 / 3 / 128)
    assert result["psnr_masked"] == pytest.approx(psnr(16 / 3 / 128)) and result["psnr_masked_argmax"] is None


def test_fillers_see_visible_pixels_only() -> None:
    frames = np.zeros((2, 4, 6, 3), np.uint8)
    frames[:, :, :2], frames[:, :, 4:] = (100, 0, 0), (0, 200, 0)
    frames[:, 0, 5] = (0, 0, 255)
    mask = np.zeros((2, 4, 6), bool)
    mask[:, :, 2:4] = True
    assert (mode_rgb(frames, mask)[mask] == (100, 0, 0)).all()
    assert (mean_colour(frames, mask)[mask] == (50, round(200 * 7 / 16), 16)).all()
    near = nearest_pixel(frames, mask)
    assert (near[:, :, 2] == (100, 0, 0)).all() and (near[:, :, 3] == (0, 200, 0)).all()
    noisy = np.where(mask[..., None], noise(frames.shape), frames)
    for fill in (mode_rgb, mean_colour, nearest_pixel):
        np.testing.assert_array_equal(fill(noisy, mask), fill(frames, mask))
        np.testing.assert_array_equal(fill(frames, mask)[~mask], frames[~mask])
        assert (fill(frames, np.ones_like(mask)) == 0).all()
        np.testing.assert_array_equal(fill(frames, np.zeros_like(mask)), frames)


def test_the_nearest_pixel_is_the_nearest() -> None:
    mask = np.random.default_rng(3).random((1, 21, 23)) < 0.9
    frames = noise((1, 21, 23, 3), 4)
    near, places = nearest_pixel(frames, mask)[0], np.argwhere(~mask[0])
    for y, x in np.argwhere(mask[0])[::17]:
        distance = ((places - (y, x)) ** 2).sum(1)
        best = {tuple(frames[0, py, px]) for py, px in places[distance == distance.min()]}
        assert tuple(near[y, x]) in best
