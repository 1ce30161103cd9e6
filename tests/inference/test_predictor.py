"""Restoration by stand-in networks: exact properties, none of which depends on how well a model is trained."""

import numpy as np
import pytest
import torch
from fake_networks import Copier, Painter, footage, memory, predictor

from hstmae.errors import CheckpointError, DataError
from hstmae.games import get_game
from hstmae.inference.loading import load
from hstmae.inference.predictor import Predictor

PALETTE = get_game("smb").palette


def some_mask(frames: int, size: tuple[int, int] = (48, 64)) -> np.ndarray:
    mask = np.zeros((frames, *size), bool)
    mask[:, 3:20, 30:45] = True
    return mask


@pytest.mark.parametrize("frames", [1, 2, 5, 16, 17, 40, 70])
def test_each_frame_gets_its_own_state_and_visible_pixels_stay(frames: int) -> None:
    clip, mask = footage(frames), some_mask(frames)
    result = predictor(Painter()).restore(clip, mask, state=memory(frames))
    np.testing.assert_array_equal(result.indices[~mask], clip[~mask])
    np.testing.assert_array_equal(result.rgb[~mask], PALETTE[clip][~mask])
    for t in range(frames):
        assert (result.indices[t][mask[t]] == t % 64).all()
    assert (result.confidence[~mask] == 1).all() and result.confidence.shape == clip.shape


def test_gaps_split_clips_and_mask_of_one_picture_serves_all() -> None:
    frames, painter = 12, Painter()
    clip, mask = footage(frames), some_mask(1)[0]
    numbers = np.concatenate([np.arange(5), np.arange(100, 107)])
    result = predictor(painter).restore(clip, mask, state=memory(frames), frame_numbers=numbers)
    assert [c["frames"].shape[1] for c in painter.calls] == [6, 8]  # 5 and 7 frames, padded to even
    assert (result.indices[:, mask] == np.arange(frames)[:, None]).all()


def test_masked_pixels_cannot_reach_the_model_even_if_it_cheats() -> None:
    clip, mask = footage(6), some_mask(6)
    noise = np.where(mask, footage(6, seed=1) | 0xC0, clip)  # entries that the palette does not even have
    game = predictor(Copier())
    first, second = game.restore(clip, mask), game.restore(noise, mask)
    np.testing.assert_array_equal(first.indices, second.indices)
    np.testing.assert_array_equal(first.rgb, second.rgb)
    assert (first.indices[mask] == 0).all()
    seen = Painter()
    for variant in (clip, noise, np.where(mask, clip, clip ^ 1)):
        predictor(seen).restore(variant, mask)
    given = [call["frames"] for call in seen.calls]
    assert torch.equal(given[0], given[1])
    assert not torch.equal(given[0], given[2])  # negative control: visible pixels do reach the model


def test_cubes_touched_by_the_mask_are_hidden_whole_and_only_they_are_drawn() -> None:
    painter = Painter()
    mask = np.zeros((4, 48, 64), bool)
    mask[3, 20, 40] = True  # one pixel: unit 1 * 4 + 2, second slice
    result = predictor(painter).restore(footage(4), mask)
    (call,) = painter.calls
    assert call["visible"].tolist() == [[u for u in range(12) if u != 6]]
    assert call["queries"].tolist() == [[6 * 2 + 1]]
    assert (result.indices != footage(4)).sum() <= 1


@pytest.mark.parametrize("size", [(30, 50), (16, 16), (5, 7), (240, 256)])
def test_any_size_is_padded_and_cut_back(size: tuple[int, int]) -> None:
    painter = Painter()
    clip = footage(2, size)
    mask = np.zeros(clip.shape, bool)
    mask[:, :3, -2:] = True
    result = predictor(painter).restore(clip, mask, origin=(8, 4))
    assert result.indices.shape == clip.shape and (result.indices[mask] == 7).all()
    call = painter.calls[0]
    assert call["frames"].shape[2] % 16 == 0 and call["origin"].tolist() == [[8, 4]]
    real = size[0] // 16 * (size[1] // 16)
    assert call["visible"].shape[1] >= real - 1


def test_nothing_missing_calls_no_model() -> None:
    painter = Painter()
    clip = footage(3)
    result = predictor(painter).restore(clip, np.zeros(clip.shape, bool))
    assert painter.calls == []
    np.testing.assert_array_equal(result.indices, clip)


def test_state_levels() -> None:
    clip, mask = footage(2), some_mask(2)
    for level, number in (("full", 2), ("compact", 1)):
        painter = Painter()
        predictor(painter).restore(clip, mask, state=memory(2), level=level)
        assert painter.calls[0]["level"].tolist() == [number]
    painter = Painter()
    predictor(painter).restore(clip, mask, state=memory(2), level="none")
    assert painter.calls[0]["state"] is None


def test_everything_missing_still_works() -> None:
    clip = footage(2, (32, 32))
    result = predictor(Painter()).restore(clip, np.ones(clip.shape, bool), state=memory(2))
    assert (result.indices[0] == 0).all() and (result.indices[1] == 1).all()


def test_own_palette_colours_the_result() -> None:
    palette = PALETTE[::-1].copy()
    clip, mask = footage(2), some_mask(2)
    result = predictor(Painter()).restore(clip, mask, palette)
    np.testing.assert_array_equal(result.rgb[mask], np.broadcast_to(palette[7], result.rgb[mask].shape))


def test_wrong_input_is_told() -> None:
    game, clip, mask = predictor(Painter()), footage(2), some_mask(2)
    with pytest.raises(DataError, match="palette footage"):
        game.restore(PALETTE[clip], mask)
    with pytest.raises(DataError, match="mask"):
        game.restore(clip, mask[:, :-1])
    with pytest.raises(DataError, match="palette must"):
        game.restore(clip, mask, PALETTE[:32])
    with pytest.raises(DataError, match="states"):
        game.restore(clip, mask, state=memory(3))
    with pytest.raises(DataError, match="index 200"):
        game.restore(np.where(mask, clip, 200).astype(np.uint8), mask)
    with pytest.raises(CheckpointError, match="no-such-model"):
        load("no-such-model")


@pytest.fixture(scope="module")
def nano() -> Predictor:
    from hstmae.models.zoo import build_model

    torch.manual_seed(0)
    model = build_model("hst-mae-nano")
    return Predictor(model, model.config)


@pytest.mark.parametrize("state", [None, memory(3)], ids=["none", "full"])
def test_the_real_network_restores_without_reading_masked_pixels(nano: Predictor, state) -> None:
    clip = footage(3, (40, 50))
    mask = np.zeros(clip.shape, bool)
    mask[:, 10:30, 20:33] = True
    result = nano.restore(clip, mask, state=state)
    np.testing.assert_array_equal(result.indices[~mask], clip[~mask])
    assert (result.confidence[mask] < 1).all()
    assert (result.confidence[mask] > 0).all() == (state is not None)  # it is the status bar, which no frame shows here
    noisy = nano.restore(np.where(mask, np.uint8(255), clip), mask, state=state)
    np.testing.assert_array_equal(result.indices, noisy.indices)
    np.testing.assert_array_equal(result.confidence, noisy.confidence)


def test_the_real_network_with_nothing_or_nearly_everything_visible(nano: Predictor) -> None:
    clip = footage(2, (144, 160))
    mask = np.zeros(clip.shape, bool)
    mask[:, :5, :5] = True
    assert nano.restore(clip, mask).indices.shape == clip.shape
    assert nano.restore(clip[:, :32, :32], np.ones((2, 32, 32), bool)).indices.shape == (2, 32, 32)


def test_load_takes_model_folders_and_says_what_is_wrong(nano: Predictor, tmp_path) -> None:
    from hstmae.config import to_dict
    from hstmae.models.checkpoint import save_checkpoint
    from hstmae.models.zoo import save_pretrained

    save_pretrained(nano.model.state_dict(), nano.config, tmp_path / "model", torch.float32)
    again = load(tmp_path / "model")
    clip, mask = footage(2), some_mask(2)
    np.testing.assert_array_equal(again.restore(clip, mask).indices, nano.restore(clip, mask).indices)
    run = tmp_path / "run"
    payload = {"config": {"model": to_dict(nano.config)}, "ema": nano.model.state_dict()}
    save_checkpoint(payload, run / "best.pth")
    for path in (run, run / "best.pth"):
        np.testing.assert_array_equal(load(path).restore(clip, mask).indices, again.restore(clip, mask).indices)
    save_checkpoint({"config": {"model": {}}, "ema": {}}, tmp_path / "empty.pth")
    with pytest.raises(CheckpointError, match=r"empty\.pth"):
        load(tmp_path / "empty.pth")
    broken = tmp_path / "broken.pth"
    broken.write_bytes(b"no checkpoint" * 20)
    with pytest.raises(CheckpointError, match=r"broken\.pth"):
        load(broken)
