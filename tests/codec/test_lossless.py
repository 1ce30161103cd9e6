"""The lossless profile: everything comes back, in few bytes, and damage is told or harmless."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hstmae.codec.container.gop import Gop, GopShape
from hstmae.codec.lossless import opened
from hstmae.codec.lossless.coding_models import PictureModel, RowModel
from hstmae.codec.lossless.kernel import library_path
from hstmae.codec.lossless.profile import LosslessProfile
from hstmae.codec.lossless.scene import Scene
from hstmae.codec.lossless.tables import FOLDER, load_tables, save_tables, tables_for
from hstmae.data.store.reader import EpisodeStore
from hstmae.errors import CodecError
from hstmae.games import get_game

compiled = pytest.mark.skipif(library_path() is None, reason="needs the compiled kernel")


@pytest.fixture(scope="module")
def session(sample_store: EpisodeStore) -> Gop:
    return Gop.of(sample_store.read(0, range(16)))


def same(a: Gop, b: Gop) -> bool:
    pairs = ((a.frames, b.frames), (a.state, b.state), (a.actions, b.actions))
    return all((x is None) == (y is None) and (x is None or np.array_equal(x, y)) for x, y in pairs)


def random_gop(shape: GopShape, seed: int = 0) -> Gop:
    r = np.random.default_rng(seed)
    size = (shape.frames, shape.height, shape.width, *((3,) if shape.channels == 3 else ()))
    state = r.integers(0, 256, (shape.frames, shape.state), np.uint8) if shape.state else None
    actions = r.integers(0, 3, (shape.frames, shape.actions), np.uint8) if shape.actions else None
    return Gop(r.integers(0, 256, size, np.uint8), None, state, actions[:, 0] if shape.actions == 1 else actions)


@compiled
def test_a_real_session_comes_back_and_its_memory_saves_bytes(session: Gop) -> None:
    profile = LosslessProfile("smb")
    streams = profile.encode(session)
    assert same(profile.decode(streams, session.shape), session)
    alone = Gop(session.frames, None, None, None)
    packed = profile.encode(alone)
    assert same(profile.decode(packed, alone.shape), alone)
    assert len(streams["PICT"]) < len(packed["PICT"]) / 2  # the memory tells most of the picture
    if (FOLDER / "smb.tables").is_file():
        assert sum(map(len, streams.values())) < 120 * len(session.frames)


@compiled
def test_each_group_stands_alone(session: Gop) -> None:
    profile = LosslessProfile("smb")
    once = profile.encode(session)
    assert profile.encode(session) == once
    assert LosslessProfile("smb").encode(session) == once


@pytest.mark.parametrize(
    "shape",
    [
        GopShape(1, 1, 1, 1, 0, 0),
        GopShape(2, 9, 17, 1, 5, 1),
        GopShape(3, 8, 8, 1, 0, 2),
        GopShape(2, 5, 7, 3, 4, 0),
        GopShape(1, 1, 1, 3, 0, 1),
    ],
    ids=str,
)
def test_any_shape_comes_back(shape: GopShape) -> None:
    gop = random_gop(shape)
    profile = LosslessProfile(None)
    streams = profile.encode(gop)
    assert set(streams) == {"COLR" if shape.channels == 3 else "PICT"} | ({"STAT"} if shape.state else set()) | (
        {"ACTN"} if shape.actions else set()
    )
    assert same(profile.decode(streams, shape), gop)


@pytest.mark.parametrize("game", ["smb", None, "looks ahead"])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_first_frames_of_a_group_are_decoded_without_the_rest(
    session: Gop, game: str | None, channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if game == "looks ahead":
        smb = type(get_game("smb"))
        monkeypatch.setattr(smb, "coding", replace(smb.coding, looks_back=False))
    frames = session.frames if channels == 1 else session.palette[session.frames]
    gop = replace(session, frames=np.ascontiguousarray(frames))
    profile = LosslessProfile("smb" if game else None)
    streams = profile.encode(gop)
    for count in (1, 7):
        part = replace(gop, frames=gop.frames[:count], state=gop.state[:count], actions=gop.actions[:count])
        assert same(profile.decode_first(streams, gop.shape, count), part)


def test_what_the_memory_of_the_game_says_follows_from_what_came_before(sample_store: EpisodeStore) -> None:
    game, state = get_game("smb"), sample_store.read(0, range(len(sample_store.frame_numbers(0)))).state
    assert state is not None and game.coding.looks_back
    whole = Scene.of(game, state)
    for count in (1, 2, 3, 50, 77, len(state) - 1):
        part = Scene.of(game, state[:count])
        for name in ("tiles", "corners", "sprites", "look", "hints"):
            assert np.array_equal(getattr(part, name), getattr(whole, name)[:count]), (name, count)


def test_memory_of_another_size_is_coded_without_knowing_it() -> None:
    gop = random_gop(GopShape(2, 8, 8, 1, 12, 1))
    profile = LosslessProfile("smb")  # whose memory has 2,048 bytes, and whose pictures are larger
    assert same(profile.decode(profile.encode(gop), gop.shape), gop)


def test_true_colour_that_moves_is_small() -> None:
    r = np.random.default_rng(0)
    still = np.repeat(r.integers(0, 256, (1, 24, 24, 3), np.uint8), 8, 0)
    profile = LosslessProfile(None)
    gop = Gop(still, None, None, None)
    packed = profile.encode(gop)
    assert same(profile.decode(packed, gop.shape), gop) and len(packed["COLR"]) < still[0].size * 1.2


@pytest.mark.parametrize("channels", [1, 3])
def test_damage_is_told_or_gives_pictures_of_the_right_size(channels: int) -> None:
    gop = random_gop(GopShape(2, 8, 9, channels, 3, 1))
    profile = LosslessProfile(None)
    streams = profile.encode(gop)
    r = np.random.default_rng(1)
    told = 0
    for n in range(40):
        broken = dict(streams)
        name = ("COLR" if channels == 3 else "PICT", "STAT", "ACTN")[n % 3]
        data = bytearray(broken[name])
        if n % 4 == 0:
            data = data[: r.integers(0, len(data))]
        elif n % 4 == 1:
            data += bytes(r.integers(1, 256, 9, np.uint8))
        else:
            data[r.integers(0, len(data))] ^= int(r.integers(1, 256))
        broken[name] = bytes(data)
        try:
            assert profile.decode(broken, gop.shape).shape == gop.shape
        except CodecError as error:
            assert "damaged" in str(error)
            told += 1
    assert told >= 10  # bytes left over are always told


def test_missing_streams_are_told() -> None:
    gop = random_gop(GopShape(1, 8, 8, 1, 3, 0))
    profile = LosslessProfile(None)
    streams = profile.encode(gop)
    with pytest.raises(CodecError, match="STAT"):
        profile.decode({"PICT": streams["PICT"]}, gop.shape)


def test_tables_are_named_by_their_hash(tmp_path: Path) -> None:
    state, actions = RowModel.neutral(4, 1), RowModel.neutral(1, 0)
    first, second = tmp_path / "a.tables", tmp_path / "b.tables"
    save_tables(first, "x", state, actions, PictureModel.neutral())
    state.shared[0, 0] += 512
    save_tables(second, "x", state, actions, PictureModel.neutral())
    a, b = LosslessProfile(None, first), LosslessProfile(None, second)
    assert a.tables_id == b.tables_id == "x" and a.tables_sha256 != b.tables_sha256
    loaded = load_tables(second)
    assert loaded.state is not None and np.array_equal(loaded.state.shared, state.shared)
    gop = random_gop(GopShape(3, 8, 8, 1, 4, 1))
    assert a.encode(gop)["STAT"] != b.encode(gop)["STAT"]  # another start, other bytes


def test_damaged_tables_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.tables"
    save_tables(path, "x", RowModel.neutral(4, 1), RowModel.neutral(1, 0), PictureModel.neutral())
    whole = path.read_bytes()
    for broken in (b"", whole[:5], whole[: len(whole) // 2], whole[:40] + b"\xff" * 8 + whole[48:]):
        other = tmp_path / f"{len(broken)}.tables"
        other.write_bytes(broken)
        with pytest.raises(CodecError, match="tables"):
            load_tables(other)
    with pytest.raises(CodecError, match="cannot be read"):
        tables_for(None, tmp_path / "none")


def test_tables_are_given_back_without_waiting_for_a_lock() -> None:
    """The collector of garbage closes what was forgotten in the midst of anything, on the thread that holds the lock:
    decoding has hung so."""
    pool = opened.Pool(np.arange(8))
    used, back = pool.take(), threading.Event()
    used[:] = 0

    def collect() -> None:
        with opened._LOCK, opened._filling()._shutdown_lock:
            pool.give_back(used)
        back.set()

    threading.Thread(target=collect, daemon=True).start()
    assert back.wait(10)
    assert [pool.take().tolist() for _ in range(4)] == [list(range(8))] * 4
