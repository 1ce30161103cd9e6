"""Mirrored clips stay in step with their state, and clips kept in memory equal those read from disk."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from synthetic_episodes import PALETTE, make_episode, write_episodes

from hstmae.data import EpisodeStore
from hstmae.data.clips.augment import jitter_palette
from hstmae.data.clips.clip import ClipBatch, Draw
from hstmae.data.clips.dataset import ClipDataset
from hstmae.data.clips.resident import ResidentClips
from hstmae.data.store.preprocessing import preprocess
from hstmae.data.store.writer import Packing
from hstmae.errors import DataError, GameError
from hstmae.games import GameState, get_game

GAME = get_game("smb")
HEIGHT, WIDTH = GAME.native_size


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> EpisodeStore:
    base = tmp_path_factory.mktemp("resident")
    episodes = [make_episode(30, seed=1, index=1), make_episode(seed=2, index=2, numbers=[*range(26), *range(99, 120)])]
    write_episodes(base / "in", *episodes)
    preprocess(base / "in", base / "out", workers=1, packing=Packing(level=1), val_fraction=0.0)
    return EpisodeStore(base / "out")


def arrays(state: GameState) -> list[np.ndarray]:
    found: list[np.ndarray] = []
    state.map(found.append)
    return found


def random_play(seed: int, frames: int = 5) -> GameState:
    rng = np.random.default_rng(seed)
    state = rng.integers(0, 256, (frames, 2048)).astype(np.uint8)
    state[:, 0x0F:0x15] &= 1
    state[:, 0xB5:0xBC] = 1  # everybody on the screen
    context = rng.integers(0, 256, (frames, GAME.context_size)).astype(np.uint8)
    return GAME.decode(state, context)


def paint(state: GameState, t: int, mirrored: bool) -> np.ndarray:
    """Texel numbers [3, H, W]: tiles and text, sprites in front, boxes. Tile textures are drawn `mirrored`."""
    out = np.zeros((3, HEIGHT, WIDTH + 64), np.int64)  # 32 pixels beyond each side
    cells = np.zeros((HEIGHT + 32, WIDTH + 64), np.int64)
    for layer, ids, xy in zip(GAME.tile_layers, state.tiles, state.tile_xy, strict=True):
        c = layer.cell
        texture = np.arange(c * c).reshape(c, c)[:, :: -1 if mirrored else 1]
        for row in range(layer.rows):
            for col in range(layer.cols):
                y, x = int(xy[t, 1]) + row * c, int(xy[t, 0]) + col * c + 32
                cells[y : y + c, x : x + c] += 1 + texture + c * c * int(ids[t, row, col])
    out[0] = cells[:HEIGHT]
    for x, y, tile, attribute in state.sprites[t, ::-1].tolist():  # from back to front
        texture = 1 + 64 * tile + np.arange(64).reshape(8, 8) + 100_000 * (attribute & 63)
        texture = texture[:, ::-1] if attribute & GAME.looks.flip_x_bit else texture
        texture = texture[::-1] if attribute & GAME.looks.flip_y_bit else texture
        there = out[1, y : y + 8, x + 32 : x + 40]
        there[:] = texture[: len(there)]
    for region, x0, y0, x1, y1 in state.boxes[t].tolist():
        if region:
            out[2, max(y0, 0) : max(y1, 0), max(x0 + 32, 0) : max(x1 + 32, 0)] = region
    return out[:, :, 32:-32]


@pytest.mark.parametrize("seed", range(3))
def test_painting_the_mirrored_state_mirrors_the_picture(seed: int) -> None:
    state = random_play(seed)
    mirrored = GAME.flip(state)
    for t in range(2):
        assert np.array_equal(paint(mirrored, t, True), paint(state, t, False)[:, :, ::-1])
        assert not np.array_equal(paint(state, t, True), paint(state, t, False)[:, :, ::-1])
    assert np.array_equal(GAME.region_map(mirrored, 5), GAME.region_map(state, 5)[:, :, ::-1])


def test_mirroring_twice_gives_the_state_back() -> None:
    state = random_play(3)
    for once, twice in zip(arrays(state), arrays(GAME.flip(GAME.flip(state))), strict=True):
        assert once.dtype == twice.dtype and np.array_equal(once, twice)


def test_tokens_of_a_mirrored_state_say_what_is_seen_there() -> None:
    ram = np.zeros((1, 2048), np.uint8)
    ram[0, 0x71A], ram[0, 0x71C] = 2, 40
    ram[0, 0x3AD], ram[0, 0xB5], ram[0, 0x57], ram[0, 0x33] = 30, 1, 16, 1  # 30 pixels in, running right
    ram[0, 0x0F], ram[0, 0x16], ram[0, 0x6E], ram[0, 0x87], ram[0, 0xB6] = 1, 0x24, 2, 140, 1  # a platform at 100
    ram[0, 0x46], ram[0, 0x58] = 2, 0xF0
    state = GAME.decode(ram, None)
    mirrored = GAME.flip(state)
    assert mirrored.token_xy[0, 1].tolist() == [256 - 16 - 30, 0]
    assert mirrored.tokens[0, 1, [0, 2, 6]].tolist() == [210 / 256, -0.25, 1]
    assert mirrored.token_xy[0, 2].tolist() == [256 - 48 - 100, 0] and mirrored.boxes[0, 0, 1] == 108
    assert mirrored.tokens[0, 2, [0, 2, 18]].tolist() == [108 / 256, 0.25, 0]
    assert not mirrored.tokens[0, 3].any()  # an empty slot stays empty
    # The same world pixel has one place in the mirrored world, wherever the camera is.
    assert int(mirrored.camera[0]) + (255 - 30) == -1 - (int(state.camera[0]) + 30)
    assert int(mirrored.area[0]) < 0


def test_a_mirrored_clip_is_the_crop_of_the_mirrored_picture(store: EpisodeStore) -> None:
    data = ClipDataset(store, clip=4, stride=2, crop=64)
    clip = data.clip(0, 3, (10, 50))
    whole = ClipDataset(store, clip=4, stride=2, crop=0).clip(0, 3).frames
    mirrored = data._one(Draw(0, 3, (10, 50), flip=True))
    y, x = mirrored.origin
    assert (y, x) == (10, 142)
    assert np.array_equal(mirrored.frames, whole[:, :, ::-1][:, y : y + 64, x : x + 64])
    assert clip.state is not None and mirrored.state is not None
    for one, other in zip(arrays(GAME.flip(clip.state)), arrays(mirrored.state), strict=True):
        assert np.array_equal(one, other)


def test_games_that_have_no_mirror_image_say_so() -> None:
    class NoTokens(type(GAME)):  # type: ignore[misc]
        flip_tokens = next(base for base in type(GAME).__mro__ if base.__name__ == "GameSpec").flip_tokens

    class Lopsided(type(GAME)):  # type: ignore[misc]
        fixed_regions = ((1, 0, 0, 100, 32),)

    state = random_play(0, 1)
    with pytest.raises(GameError, match="no mirror image"):
        NoTokens().flip(state)
    with pytest.raises(GameError, match="not symmetric"):
        Lopsided().flip(state)


def test_jitter_changes_colours_and_nothing_else(store: EpisodeStore) -> None:
    plain = ClipDataset(store, clip=4, stride=2, crop=64, seed=3)
    jittered = ClipDataset(store, clip=4, stride=2, crop=64, seed=3, palette_jitter=0.3)
    first, second = plain.random(5), jittered.random(5)
    assert np.array_equal(first.frames, second.frames) and first.origin == second.origin
    assert second.palette is not None and second.palette.dtype == np.uint8
    assert not np.array_equal(first.palette, second.palette)
    again = jittered.random(5).palette
    assert again is not None and np.array_equal(second.palette, again)
    assert np.array_equal(jitter_palette(PALETTE, 0.0, np.random.default_rng(0)), PALETTE)
    with pytest.raises(DataError, match="palette_jitter is 2"):
        ClipDataset(store, clip=4, stride=2, palette_jitter=2)


def assert_same_batch(got: ClipBatch, wanted: ClipBatch) -> None:
    for name in ("frames", "palette", "origin", "indices"):
        a, b = getattr(got, name), getattr(wanted, name)
        assert a.dtype == b.dtype and torch.equal(a, b), name
    assert got.episodes == wanted.episodes
    assert (got.state is None) == (wanted.state is None)
    if got.state is not None and wanted.state is not None:
        for a, b in zip(arrays(got.state), arrays(wanted.state), strict=True):
            assert a.dtype == b.dtype and torch.equal(a, b)


@pytest.mark.parametrize(
    "settings",
    [
        {"crop": 64},
        {"crop": 0, "with_state": False},
        {"crop": 224, "forget": 0.5, "early": 0.5},
        {"crop": 64, "forget": 0.5, "flip": 0.5, "palette_jitter": 0.2},
        {"crop": 64, "forget": 1.0, "flip": 1.0},
    ],
)
def test_resident_batches_equal_those_from_disk(store: EpisodeStore, settings: dict[str, float]) -> None:
    data = ClipDataset(store, clip=4, stride=2, seed=9, **settings)  # type: ignore[arg-type]
    resident = ResidentClips(data, "cpu")
    assert resident.frames == store.frames
    for step in (0, 1, 7):
        assert_same_batch(resident.batch(step, 6), data.batch(step, 6))


def test_a_store_that_does_not_fit_is_refused_before_it_is_loaded(store: EpisodeStore) -> None:
    data = ClipDataset(store, clip=4, stride=2, crop=64)
    size = ResidentClips(data, "cpu").bytes
    assert size > store.frames * HEIGHT * WIDTH
    assert ResidentClips(data, "cpu", limit=size).bytes == size
    with pytest.raises(DataError, match=r"GiB and 0\.00 GiB are free"):
        ResidentClips(data, "cpu", limit=size - 1)


def test_the_estimate_is_what_is_taken(store: EpisodeStore) -> None:
    resident = ResidentClips(ClipDataset(store, clip=4, stride=2, crop=64, flip=0.5), "cpu")
    kept = [resident._frames, *([] if resident._state is None else arrays(resident._state))]
    assert sum(tensor.nbytes for tensor in kept) == resident.bytes


def test_clips_of_the_default_settings_are_those_drawn_before_there_were_changes(store: EpisodeStore) -> None:
    data = ClipDataset(store, clip=4, stride=2, crop=64, seed=1)
    for index in range(4):
        clip, draw = data.random(index), data.draw(index)
        plain = data.clip(draw.episode, draw.start, draw.origin)
        assert np.array_equal(clip.frames, plain.frames) and clip.palette is plain.palette
        assert replace(draw, flip=False, palette=None) == draw
