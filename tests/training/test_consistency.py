"""Spatial and temporal consistency against their definitions, pixel by pixel, and with pictures that break them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from hstmae.bundled import SAMPLES
from hstmae.data.clips.clip import ClipBatch
from hstmae.data.clips.dataset import ClipDataset
from hstmae.data.store.preprocessing import preprocess
from hstmae.data.store.reader import EpisodeStore
from hstmae.games import get_game
from hstmae.models.cubes import to_cubes
from hstmae.models.inputs import Places
from hstmae.models.masking import hidden_cubes, tube_visible
from hstmae.training.losses.consistency import camera_motion, fixed_cubes, region_loss, seam_loss, temporal_loss
from hstmae.training.losses.neighbours import SMOOTH, Neighbourhood, box_regions, pixel_regions
from hstmae.training.losses.reconstruction import emphasis_weights, true_colours

T, H, W = 4, 48, 64
UNITS, SLICES = (H // 16) * (W // 16), T // 2


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def psi(x: Tensor) -> float:
    return float(((x.double().square() + SMOOTH**2).sqrt() - SMOOTH).mean())


def decoded(pictures: Tensor, queries: Tensor) -> Tensor:
    """The cubes `queries` of pictures [B, T, H, W, 3]."""
    cubes = to_cubes(pictures).flatten(1, 2)
    return cubes[torch.arange(len(cubes))[:, None], queries]


@pytest.fixture
def scene() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """True and restored pictures [2, T, H, W, 3], visible units and a third of the hidden cubes."""
    true, restored = torch.rand(2, 2, T, H, W, 3, generator=seeded(0))
    visible = tube_visible(2, UNITS, 0.6, seeded(1))
    hidden = hidden_cubes(visible, UNITS, SLICES)
    chosen = torch.rand(hidden.shape, generator=seeded(2)).argsort(1)[:, : hidden.shape[1] // 2].sort(1).values
    return true, restored, visible, hidden.gather(1, chosen)


def known_error(scene: tuple[Tensor, Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Error picture [B, T, H, W, 3] and per pixel 2 = decoded, 1 = visible, 0 = unknown, [B, T, H, W]."""
    true, restored, visible, queries = scene
    kind = torch.zeros(2, T, H, W, dtype=torch.long)
    for b in range(2):
        for unit in visible[b].tolist():
            y, x = unit // (W // 16) * 16, unit % (W // 16) * 16
            kind[b, :, y : y + 16, x : x + 16] = 1
        for cube in queries[b].tolist():
            unit, piece = divmod(cube, SLICES)
            y, x = unit // (W // 16) * 16, unit % (W // 16) * 16
            kind[b, 2 * piece : 2 * piece + 2, y : y + 16, x : x + 16] = 2
    return (restored - true) * (kind == 2)[..., None], kind


def test_seams_are_the_definition_pixel_by_pixel(scene: tuple[Tensor, Tensor, Tensor, Tensor]) -> None:
    true, restored, visible, queries = scene
    error, kind = known_error(scene)
    found = []
    for axis, size in ((2, H), (3, W)):
        for border in range(16, size, 16):
            a, b = (error.select(axis, border + side) for side in (-1, 0))
            ka, kb = (kind.select(axis, border + side) for side in (-1, 0))
            counted = ((ka == 2) & (kb > 0)) | ((kb == 2) & (ka > 0))
            found += [psi(d) for d in (a - b)[counted]]
    around = Neighbourhood.of(true[..., 0], visible, queries)
    term = seam_loss(decoded(restored, queries) - decoded(true, queries), around)
    assert term.present and len(found) > 300
    assert term.value.item() == pytest.approx(sum(found) / len(found), rel=1e-4)


def test_an_even_error_has_no_seam_between_decoded_cubes_and_one_with_visible_ones() -> None:
    true = torch.rand(1, T, H, W, 3, generator=seeded(0))
    every = torch.arange(UNITS * SLICES)[None]
    error = decoded(torch.full_like(true, 0.3), every)
    nothing = torch.empty(1, 0, dtype=torch.long)
    assert seam_loss(error, Neighbourhood.of(true[..., 0], nothing, every)).value.item() == 0
    visible = torch.tensor([[5]])
    rest = hidden_cubes(visible, UNITS, SLICES)
    term = seam_loss(error[:, : rest.shape[1]], Neighbourhood.of(true[..., 0], visible, rest))
    assert term.value.item() == pytest.approx(0.3 * 4 / (2 * 3 * 4 - 3 - 4), abs=2e-3)  # 4 of 17 borders of a slice


def test_a_cube_without_known_neighbours_tells_no_seam() -> None:
    frames, nothing = torch.zeros(1, T, H, W, dtype=torch.uint8), torch.empty(1, 0, dtype=torch.long)
    error = torch.ones(1, 1, 2, 16, 16, 3, requires_grad=True)
    term = seam_loss(error, Neighbourhood.of(frames, nothing, torch.tensor([[10]])))
    assert not term.present and term.value.item() == 0


def test_blanked_cubes_of_visible_units_are_not_taken_for_visible() -> None:
    frames = torch.randint(1, 9, (1, T, H, W), dtype=torch.uint8, generator=seeded(0))
    shown = frames.clone()
    shown[:, 2:] = 0
    visible, queries = torch.arange(UNITS)[None], torch.arange(UNITS)[None, :3] * SLICES + 1
    slots = Neighbourhood.of(frames, visible, queries, shown).slots.view(UNITS, SLICES)
    assert slots[:, 0].tolist() == [3] * UNITS  # visible
    assert slots[:, 1].tolist() == [0, 1, 2] + [4] * (UNITS - 3)  # decoded, then unknown


def sample(tmp: Path) -> ClipBatch:
    preprocess(SAMPLES / "sample_session", tmp / "store", workers=1)
    return ClipDataset(EpisodeStore(tmp / "store"), splits=("train", "val"), clip=8, stride=4, crop=224).batch(0, 2)


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> ClipBatch:
    """Two clips of the bundled session with their state."""
    return sample(tmp_path_factory.mktemp("consistency"))


def colours_of(batch: ClipBatch) -> Tensor:
    assert batch.palette is not None
    return true_colours(batch.frames, batch.palette)


def test_broken_seams_of_a_real_picture_cost_and_the_true_picture_does_not(batch: ClipBatch) -> None:
    true = colours_of(batch)
    visible = tube_visible(2, 196, 0.9, seeded(0))
    queries = hidden_cubes(visible, 196, 4)
    around = Neighbourhood.of(batch.frames, visible, queries)
    truth = decoded(true, queries)
    shifted = truth.roll(1, -2)  # every cube moved by one pixel inside of its borders
    inner = truth.clone()
    inner[..., 1:15, 1:15, :] = inner[..., 1:15, 1:15, :].roll(1, -2)  # as wrong, and no border touched
    right, broken, wrong = (seam_loss(x - truth, around).value.item() for x in (truth, shifted, inner))
    assert right == wrong == 0
    assert broken > 0.01
    edges = float((true[:, :, :, 1:] - true[:, :, :, :-1]).abs().mean())
    assert edges > 0.01  # though the true picture has edges of its own


def test_regions_even_inside_and_sharp_between() -> None:
    labels = torch.zeros(1, 1, 2, 16, 16, dtype=torch.int16)
    labels[..., 8:] = 1
    truth = torch.zeros(1, 1, 2, 16, 16, 3)
    truth[..., 8:, :] = 1
    noise = 0.1 * torch.rand(truth.shape, generator=seeded(0))
    blurred = truth.clone()
    blurred[..., 7, :], blurred[..., 8, :] = 0.4, 0.6
    sharper = truth * 1.5
    assert region_loss(truth, truth, labels).value.item() == 0
    assert region_loss(sharper, truth, labels).value.item() == 0
    assert region_loss(truth + noise, truth, labels).value.item() > 0.02
    # The border lost 0.8, and inside the regions two steps of 0.4 are new: both count once per row of 15 steps.
    assert region_loss(blurred, truth, labels).value.item() == pytest.approx(1.6 / 15 / 2, rel=1e-5)
    # Without the border between them the same picture is judged as one region: what was lost costs nothing.
    assert region_loss(blurred, truth, labels * 0).value.item() == pytest.approx(0.8 / 15 / 2, rel=1e-5)


def test_texture_of_the_true_picture_is_allowed() -> None:
    truth = torch.rand(1, 2, 2, 16, 16, 3, generator=seeded(0))
    labels = torch.zeros(1, 2, 2, 16, 16, dtype=torch.int16)
    flat = truth.mean((3, 4), keepdim=True).expand_as(truth)
    assert region_loss(truth, truth, labels).value.item() == 0
    assert region_loss(flat, truth, labels).value.item() == 0
    assert region_loss(truth, flat, labels).value.item() > 0.1


def test_pixel_regions_are_those_of_the_game(batch: ClipBatch) -> None:
    assert batch.state is not None
    game, cubes = get_game("smb"), torch.arange(196 * 4).expand(2, -1)
    at = Places.of(cubes, 4, 14, batch.origin)
    for state in (batch.state, None):
        found = pixel_regions(game, state, at)
        for b in range(2):
            one = None if state is None else state.map(lambda a, b=b: a[b].numpy())
            whole = game.region_map(one, 8)
            y, x = batch.origin[b].tolist()
            expected = to_cubes(torch.from_numpy(whole[None, :, y : y + 224, x : x + 224].copy())).flatten(1, 2)[0]
            other = found[b] != expected
            assert other.float().mean() < 0.002 and (state is not None or not other.any())
            # Where the boxes of player and enemy overlap, the later one wins there and the higher one here.
            player, enemy = game.regions.index("player"), game.regions.index("enemy")
            assert (found[b][other] == enemy).all() and (expected[other] == player).all()
            assert len(expected.unique()) >= (4 if state is not None else 1)
    boxed = box_regions(batch.state, at)
    assert 0 < (boxed > 0).float().mean() < 0.2


def test_temporal_loss_is_the_definition_pixel_by_pixel(scene: tuple[Tensor, Tensor, Tensor, Tensor]) -> None:
    true, restored, visible, queries = scene
    error, kind = known_error(scene)
    shift = torch.tensor([[3, -2, 21], [0, 17, -5]])
    joined = torch.tensor([[True, True, True], [True, True, False]])
    found = []
    for b in range(2):
        for n in range(T - 1):
            for x in range(W):
                then = x - int(shift[b, n])
                if joined[b, n] and 0 <= then < W:
                    for y in range(H):
                        if kind[b, n, y, x] == 2 and kind[b, n + 1, y, then] > 0:
                            found.append(psi(error[b, n + 1, y, then] - error[b, n, y, x]))
    around = Neighbourhood.of(true[..., 0], visible, queries)
    still = torch.zeros(queries.shape, dtype=torch.bool)
    term = temporal_loss(decoded(restored, queries) - decoded(true, queries), around, shift, joined, still)
    assert len(found) > 2000
    assert term.value.item() == pytest.approx(sum(found) / len(found), rel=1e-4)


def test_motion_of_real_clips_is_the_cameras(batch: ClipBatch) -> None:
    """Along the camera's shift most of the true picture stays itself; without it, much less."""
    assert batch.state is not None
    shift, joined = camera_motion(batch.state, 2, 8, torch.device("cpu"))
    assert shift.shape == joined.shape == (2, 7) and joined.all() and shift.abs().max() > 0
    frames, right, wrong = batch.frames.numpy(), [], []
    for b in range(2):
        for n, dx in enumerate(shift[b].tolist()):
            if dx > 0:
                now, then = frames[b, n, 32:], frames[b, n + 1, 32:]
                right.append(np.mean(now[:, dx:] == then[:, :-dx]))
                wrong.append(np.mean(now[:, :-dx] == then[:, dx:]))
    assert np.mean(right) > np.mean(wrong) + 0.02 and np.mean(right) > 0.93
    none = camera_motion(None, 2, 8, torch.device("cpu"))
    assert none[0].abs().max() == 0 and none[1].all()


def test_the_score_line_stays_where_it_is(batch: ClipBatch) -> None:
    every = torch.arange(196 * 4).expand(2, -1)
    around = Neighbourhood.of(batch.frames, torch.empty(2, 0, dtype=torch.long), every)
    still = fixed_cubes(get_game("smb"), around, torch.tensor([[0, 0], [16, 5]])).view(2, 14, 14, 4)
    assert [int(s[:, 0, 0].sum()) for s in still] == [2, 1]  # rows of cubes above line 32
    assert not fixed_cubes(get_game("generic"), around, batch.origin).any()


def test_gradients_reach_the_colours_and_are_finite_at_the_true_picture(batch: ClipBatch) -> None:
    true = colours_of(batch)
    visible = tube_visible(2, 196, 0.9, seeded(0))
    queries = hidden_cubes(visible, 196, 4)[:, ::7]
    around, truth = Neighbourhood.of(batch.frames, visible, queries), decoded(true, queries)
    shift, joined = camera_motion(batch.state, 2, 8, torch.device("cpu"))
    still = fixed_cubes(get_game("smb"), around, batch.origin)
    labels = pixel_regions(get_game("smb"), batch.state, Places.of(queries, 4, 14, batch.origin))
    for off in (0.0, 0.1):
        restored = (truth + off * torch.rand(truth.shape, generator=seeded(1))).requires_grad_()
        for term in (
            seam_loss(restored - truth, around),
            region_loss(restored, truth, labels),
            temporal_loss(restored - truth, around, shift, joined, still),
        ):
            (grad,) = torch.autograd.grad(term.value, restored)
            assert grad.isfinite().all() and (grad.abs().sum() > 0) == (off > 0)


def test_emphasis_is_on_edges_rare_colours_and_sprites() -> None:
    target = torch.zeros(1, 2, 2, 16, 16, dtype=torch.uint8)
    target[0, 0, :, 8:, 8:] = 1
    sprites = torch.zeros(target.shape, dtype=torch.bool)
    sprites[0, 1, 1, 3, 4] = True
    weight = emphasis_weights(target, 3.0, sprites)
    assert weight[0, 0, 0, 7, 10] == weight[0, 0, 0, 8, 10] == weight[0, 0, 1, 12, 7] == weight[0, 0, 1, 12, 8] == 4
    assert weight[0, 0, 0, 12, 12] == weight[0, 0, 0, 0, 0] == weight[0, 1, 0].max() == 1  # an eighth is not rare
    assert weight[0, 1, 1].flatten().topk(2).values.tolist() == [4, 1]
    target[0, 1, 0, :4, :4] = 2  # 1.6 % of the pixels
    assert emphasis_weights(target, 1.0)[0, 1, 0, 1, 1] == 2 and emphasis_weights(target, 0.0).max() == 1
    colours = torch.zeros(1, 1, 2, 16, 16, 3, dtype=torch.uint8)
    colours[..., 8:, 1] = 200
    colours[..., 4:, :, 2] += 20  # too faint a step for an edge
    assert emphasis_weights(colours, 2.0)[0, 0, 0, 5].tolist() == [1] * 7 + [3] * 2 + [1] * 7
    assert emphasis_weights(colours, 2.0)[0, 0, 0, :, 0].max() == 1
