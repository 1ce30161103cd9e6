"""Games without tables of their own: packed and unpacked by the commands alone, to the last bit."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import make_golden
import numpy as np
import pytest
from PIL import Image

from hstmae import cli
from hstmae.codec.container.gop import Gop
from hstmae.codec.lossless.live import LiveProfile
from hstmae.codec.lossless.profile import LosslessProfile
from hstmae.codec.session.reader import HstReader
from hstmae.data.store.reader import EpisodeStore
from hstmae.errors import GameError
from hstmae.games import get_game
from hstmae.games.atari import LabelledAtari
from hstmae.games.atari_games import GAMES
from hstmae.games.registry import _load

_GAME = '''
import numpy as np
from hstmae.games import GameSpec, GameState, TileLayer

class Tower(GameSpec):
    """A map of 8x8 tiles that scrolls down, above a bar of text; one sprite of 16x16 pixels. Memory: 171 bytes."""
    name = "tower"
    native_size = (88, 120)
    fps = 25.0
    stride = 1
    palette = np.random.default_rng(3).integers(0, 256, (37, 3)).astype(np.uint8)
    state_size = 171
    context_size = 0
    fields = ()
    tile_layers = (TileLayer("map", 11, 15, 8, ids=5), TileLayer("bar", 1, 15, 8, ids=12, text="0123456789"))
    sprite_slots, sprite_tiles, sprite_attributes, sprite_size, globals_count = 1, 1, 1, 16, 1
    token_names, token_features = (), 0
    regions = ("unknown", "scenery")
    tile_regions = np.array([1, 1, 1, 1, 0], np.uint8)
    fixed_regions = ()

    def context(self, state, frame_numbers):
        return np.zeros((len(state), 0), np.uint8)

    def decode(self, state, context):
        self.check_state(state)
        t, camera = len(state), state[:, 165].astype(np.int32)
        bar = np.zeros((t, 1, 15), np.int16)
        bar[:, 0, 7] = 1 + state[:, 168] % 10
        sprites = np.zeros((t, 1, 4), np.int16)
        sprites[:, 0, :2] = state[:, 166:168]
        none = np.zeros((t, 0), np.float32)
        return GameState(
            tiles=(state[:, :165].reshape(t, 11, 15).astype(np.int16), bar),
            tile_xy=(np.stack([0 * camera, -(camera % 8)], 1).astype(np.int16), np.tile(np.int16([0, 80]), (t, 1))),
            sprites=sprites, globals=state[:, 169:170].copy(), camera=0 * camera, camera_y=camera,
            area=0 * camera, tokens=none[:, :, None], token_xy=np.zeros((t, 0, 2), np.float32),
            token_valid=none.astype(bool), boxes=np.zeros((t, 0, 5), np.int16),
        )
'''
FRAMES = 20  # of a recording


def play(seed: int, frames: int = FRAMES) -> tuple[np.ndarray, np.ndarray]:
    """Memory uint8 [T, 171] and pictures uint8 [T, 88, 120]: scenery is the same texture wherever a tile lies."""
    rng = np.random.default_rng(9)
    world, textures = rng.integers(0, 4, (40, 15)), rng.integers(0, 37, (5, 8, 8))
    digits, climber = rng.integers(0, 37, (10, 8, 8)), rng.integers(0, 37, (16, 16))
    memory, pictures = np.zeros((frames, 171), np.uint8), np.zeros((frames, 88, 120), np.uint8)
    for t in range(frames):
        camera, x, y, score = 3 * t + seed, (2 * t + 5 * seed) % 104, 30 + t % 20, t // 7
        tiles = world[camera // 8 : camera // 8 + 11]
        memory[t, :165] = tiles.ravel()
        memory[t, 165:169] = camera, x, y, score
        drawn = textures[tiles].swapaxes(1, 2).reshape(88, 120)
        pictures[t, :80] = drawn[camera % 8 : camera % 8 + 80]
        pictures[t, 80:, 56:64] = digits[score % 10]
        pictures[t, y : y + 16, x : x + 16] = climber
    return memory, pictures


@pytest.fixture
def recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "tower.py").write_text(_GAME)
    monkeypatch.setenv("HSTMAE_GAMES", str(tmp_path / "tower.py"))
    for seed in range(3):
        folder = tmp_path / "in" / f"climb{seed}"
        folder.mkdir(parents=True)
        memory, pictures = play(seed)
        for t, picture in enumerate(pictures):
            Image.fromarray(get_game("tower").palette[picture]).save(folder / f"{t:03d}.png")
        np.savez(tmp_path / "in" / f"climb{seed}.npz", state=memory, actions=np.arange(FRAMES, dtype=np.uint8))
    return tmp_path / "in"


def run(*words: object) -> int:
    return cli.main([str(word) for word in words])


@pytest.mark.parametrize("workers", [1, 2])
def test_a_palette_game_of_one_file(recordings: Path, tmp_path: Path, workers: int) -> None:
    path = tmp_path / "x.hst"
    assert run("encode", recordings, path, "--game", "tower", "--gop", 16, "--workers", workers) == 0
    with HstReader(path) as reader:
        assert {(e.game, e.tables, e.state, e.fps) for e in reader.episodes()} == {("tower", "neutral-4", 171, 25.0)}
        for seed, episode in enumerate(reader.episodes()):
            memory, pictures = play(seed)
            got = reader.episode(episode.name)
            assert got.palette is not None and got.state is not None and got.actions is not None
            np.testing.assert_array_equal(got.frames, pictures)
            np.testing.assert_array_equal(got.state, memory)
            np.testing.assert_array_equal(got.actions, np.arange(FRAMES))
            np.testing.assert_array_equal(got.palette, get_game("tower").palette)
    assert run("verify", path) == 0
    assert run("decode", path, tmp_path / "png", "--to", "png", "--episode", "climb1") == 0
    with Image.open(tmp_path / "png" / "f000007.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), play(1)[1][7])
    assert run("decode", path, tmp_path / "store", "--to", "store", "--workers", 1) == 0
    np.testing.assert_array_equal(EpisodeStore(tmp_path / "store")["climb2"].frames, play(2)[1])
    assert run("encode", tmp_path / "store", tmp_path / "y.hst", "--gop", 16, "--workers", workers) == 0
    with HstReader(tmp_path / "y.hst") as again:
        np.testing.assert_array_equal(again.episode("climb0").frames, play(0)[1])


def test_without_its_description_an_error_names_the_game(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("encode", recordings, tmp_path / "x.hst", "--game", "tower", "--workers", 1) == 0
    other = (recordings.parent / "tower.py").read_text().replace("-(camera % 8)", "camera % 8")
    (tmp_path / "other.py").write_text(other)
    for games, said in (("", "is not known here"), (str(tmp_path / "other.py"), "is another than the one")):
        monkeypatch.setenv("HSTMAE_GAMES", games)
        for words in (("decode", tmp_path / "x.hst", tmp_path / "out", "--to", "png"), ("verify", tmp_path / "x.hst")):
            assert run(*words) in (1, 2)
            told = capsys.readouterr()
            assert "'tower'" in told.err + told.out and said in told.err + told.out, words


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("", ""), ""),  # as it is
        (("tile_xy=(np.stack([0 * camera, -(camera % 8)], 1).astype(np.int16), ", "tile_xy=("), "1 arrays as tile_xy"),
        (
            ("reshape(t, 11, 15)", "reshape(t, 15, 11)"),
            "tiles of layer 'map' of shape [1, 15, 11], expected [1, 11, 15]",
        ),
        (("globals_count = 1, 1, 1, 16, 1", "globals_count = 1, 1, 1, 16, 2"), "globals of shape"),
        (("bar[:, 0, 7] = 1 +", "bar[:, 0, 7] = 9 +"), "in layer 'bar', which has ids 0 to 11"),
        (("sprites[:, 0, :2] =", "sprites[:, 0, 2] = 3; sprites[:, 0, :2] ="), "a sprite of tile 3; sprite_tiles is 1"),
        (("boxes=np.zeros((t, 0, 5), np.int16)", "boxes=np.full((t, 1, 5), 2, np.int16)"), "a box of region 2"),
    ],
)
def test_states_that_do_not_fit_their_game_are_named(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    (tmp_path / "wrong.py").write_text(_GAME.replace(*change))
    game, memory = _load(str(tmp_path / "wrong.py"))["tower"](), np.full((1, 171), 4, np.uint8)
    if said:
        with pytest.raises(GameError, match=re.escape(said)):
            game.decode(memory, None)
    else:
        game.decode(memory, None)


def test_what_the_memory_says_makes_pictures_smaller(recordings: Path) -> None:
    memory, pictures = play(0, 50)
    gop = Gop(pictures, get_game("tower").palette, memory, None)
    with_state, without = (len(LosslessProfile(game).encode(gop)["PICT"]) for game in ("tower", None))
    assert with_state < 0.75 * without


def test_objects_that_the_memory_tells_cost_little() -> None:
    """In both profiles, in the very first streams with objects and in those of before, and from any corner."""
    episode = make_golden.pong(24)
    gop = Gop(episode.frames, episode.palette, episode.state, None)
    sizes = {}
    for version in (5, 6):
        for profile in (LosslessProfile(episode.game, version=version), LiveProfile(episode.game, version=version)):
            streams = profile.encode(gop)
            got = profile.decode(streams, gop.shape)
            np.testing.assert_array_equal(got.frames, gop.frames)
            sizes[profile.name, version] = sum(map(len, streams.values()))
    assert all(sizes[name, 6] < 0.6 * sizes[name, 5] for name in ("lossless", "live"))
    part = replace(gop, frames=np.ascontiguousarray(gop.frames[:, 34:]), corner=(34, 0))
    profile = LosslessProfile(episode.game)
    streams = profile.encode(part)
    np.testing.assert_array_equal(profile.decode(streams, part.shape).frames, part.frames)
    assert sum(map(len, streams.values())) < sizes["lossless", 6]


def test_pieces_lie_on_their_objects() -> None:
    state = np.random.default_rng(0).integers(0, 256, (40, 128), dtype=np.uint8)
    for spec in GAMES:
        game = get_game(spec.name)
        if not isinstance(game, LabelledAtari) or game.scrolls:
            assert game.pieces(state) is None
            continue
        pieces, boxes = game.pieces(state), game.decode(state, None).boxes
        assert pieces.dtype == np.int16 and len(np.unique(pieces[0, :, 2])) == pieces.shape[1]
        for t, k in np.argwhere(boxes[..., 0] > 0).tolist():
            own = pieces[t, pieces[t, :, 2] // 16 == k]
            x0, y0, x1, y1 = boxes[t, k, 1:].tolist()
            assert own[:, 0].min() < x0 and own[:, 1].min() < y0
            assert own[:, 0].max() + 8 > x1 and own[:, 1].max() + 8 > y1


def test_no_layout_no_model(recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("encode", recordings, tmp_path / "x.hst", "--game", "tower", "--workers", 1) == 0
    assert run("decode", tmp_path / "x.hst", tmp_path / "out", "--to", "smbdataset", "--workers", 1) == 2
    assert "choose another --to" in capsys.readouterr().err
    assert run("encode", recordings, tmp_path / "y.hst", "--game", "tower", "--profile", "neural", "--workers", 1) == 2
    assert "tower" in capsys.readouterr().err and not list(tmp_path.glob("y.hst*"))


def test_true_colour_with_state(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    frames = np.cumsum(rng.integers(0, 3, (12, 30, 44, 3)), 0).astype(np.uint8)
    (tmp_path / "in" / "walk").mkdir(parents=True)
    for t, frame in enumerate(frames):
        Image.fromarray(frame).save(tmp_path / "in" / "walk" / f"{t}.png")
    state = rng.integers(0, 256, (12, 9)).astype(np.uint8)
    np.savez(tmp_path / "in" / "walk.npz", state=state, actions=np.arange(12, dtype=np.uint8))
    assert run("encode", tmp_path / "in", tmp_path / "x.hst", "--gop", 5, "--workers", 1) == 0
    with HstReader(tmp_path / "x.hst") as reader:
        got = reader.episode(0)
        np.testing.assert_array_equal(got.frames, frames)
        np.testing.assert_array_equal(got.state, state)
