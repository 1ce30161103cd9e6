"""Frames that are sent at once: packets for those who watch, and the very packets as a recording."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import make_golden
import numpy as np
import pytest

from hstmae.codec.container.gop import Gop, GopShape
from hstmae.codec.lossless.kernel import library_path
from hstmae.codec.lossless.live import LiveDecoder, LiveEncoder, LiveProfile, packets_of
from hstmae.codec.lossless.reference.backend import Reference
from hstmae.codec.lossless.scene import Scene
from hstmae.codec.session.encoder import description_of
from hstmae.codec.session.live import LiveSession, LiveViewer
from hstmae.codec.session.profiles import make_profile, profile_of
from hstmae.codec.session.reader import HstReader
from hstmae.codec.session.verifying import verify_file
from hstmae.codec.session.writer import HstWriter
from hstmae.data.episode import Episode
from hstmae.errors import CodecError, DataError
from hstmae.games import get_game

pytestmark = pytest.mark.skipif(library_path() is None, reason="needs the compiled kernel")


@pytest.fixture(scope="module")
def clip() -> Episode:
    return make_golden.sample(20)


def small(shape: GopShape, seed: int = 0) -> Gop:
    r = np.random.default_rng(seed)
    colour = (3,) if shape.channels == 3 else ()
    frames = np.repeat(r.integers(0, 9, (1, shape.height, shape.width, *colour), np.uint8), shape.frames, 0)
    frames[:, 0] = r.integers(0, 9, frames[:, 0].shape)
    state = np.cumsum(r.integers(0, 2, (shape.frames, shape.state)), 0).astype(np.uint8) if shape.state else None
    actions = r.integers(0, 4, (shape.frames, shape.actions), np.uint8) if shape.actions else None
    return Gop(frames, None, state, actions[:, 0] if shape.actions == 1 else actions)


def packets(profile: LiveProfile, gop: Gop) -> list[bytes]:
    with LiveEncoder(profile, gop.shape) as encoder:
        return [
            encoder.frame(frame, *(None if rows is None else rows[t] for rows in (gop.state, gop.actions)))
            for t, frame in enumerate(gop.frames)
        ]


def session(clip: Episode, gop: int) -> LiveSession:
    profile = make_profile("live", "smb")
    assert isinstance(profile, LiveProfile) and clip.state is not None and clip.actions is not None
    about = {"frame": clip.frames[0], "palette": clip.palette, "state": clip.state[0], "action": clip.actions[0]}
    return LiveSession(profile, description_of(profile, gop=gop, name="live", game="smb", fps=60.0, **about))


def test_who_watches_sees_every_frame_at_once_and_the_recording_is_what_was_sent(clip: Episode, tmp_path: Path) -> None:
    live, path, sent = session(clip, 8), tmp_path / "live.hst", []
    assert clip.state is not None and clip.actions is not None
    profile = profile_of(live.description)
    assert isinstance(profile, LiveProfile)
    viewer = LiveViewer(profile, live.description)
    with HstWriter(path, live=True) as writer:
        for t in range(len(clip)):
            one = live.frame(clip.frames[t], t, clip.state[t], int(clip.actions[t]))
            sent.append(one.packet)
            assert (one.group, one.place) == (t // 8, t % 8)
            picture, state, actions = viewer.frame(one.group, one.packet)
            assert np.array_equal(picture, clip.frames[t]) and state is not None and actions is not None
            assert np.array_equal(state, clip.state[t]) and actions[0] == clip.actions[t]
            if one.chunks:
                writer.append(one.chunks)
        writer.append(live.close("win"))
    assert verify_file(path).problems == ()
    with HstReader(path) as reader:
        back = reader.episode(0)
        assert np.array_equal(back.frames, clip.frames) and np.array_equal(back.state, clip.state)
        assert back.outcome == "win" and [header.frames for _, header in reader.entries[0].gops] == [8, 8, 4]
        recorded = [p for k in range(3) for p in packets_of(reader.groups.parts(0, k).streams["LIVE"])]
        assert recorded == sent
        assert np.array_equal(reader[13].pixels, clip.frames[13])  # a part of a group
    with HstWriter(tmp_path / "whole.hst") as writer:  # afterwards, from the episode: the same groups
        writer.add(profile, clip, gop=8)
    with HstReader(path) as one, HstReader(tmp_path / "whole.hst") as other:
        for k in range(3):
            assert one.groups.parts(0, k).streams == other.groups.parts(0, k).streams


SHAPES = [
    GopShape(3, 9, 17, 1, 20, 1),
    GopShape(2, 8, 8, 1, 0, 2),
    GopShape(3, 5, 7, 3, 4, 0),
    GopShape(1, 1, 1, 1, 0, 0),
    GopShape(2, 3, 3, 3, 0, 0),
]


@pytest.mark.parametrize("lines", [240, 224])
@pytest.mark.parametrize("play", ["recorded", "jumps", "noise"])
def test_what_memory_says_is_the_same_frame_by_frame(play: str, lines: int, clip: Episode) -> None:
    """A stream reads two frames at a time, where a file reads the memory of a whole group."""
    assert clip.state is not None
    state, rng = clip.state.copy(), np.random.default_rng(1)
    if play == "jumps":  # other areas, and columns that are drawn meanwhile
        state = state[rng.permutation(len(state)).repeat(2)]
        state[::5, 0x750] = rng.integers(0, 4, len(state[::5]))
        state[:, 0x71F], state[:, 0x726] = rng.integers(0, 9, len(state)), rng.integers(0, 16, len(state))
    elif play == "noise":
        state = rng.integers(0, 256, state.shape, np.uint8)
    profile = make_profile("live", "smb")
    assert isinstance(profile, LiveProfile)
    shape = GopShape(len(state), lines, 256, 1, 2048, 0, (240 - lines >> 1, 0))
    room, context = profile.live_scene(shape), None
    for t in range(len(state)):
        context = profile.draw_live(room, state[: t + 1], shape, context)
    whole = Scene.of(get_game("smb"), state).seen_from(shape.corner)
    for name in ("layout", "tiles", "corners", "sprites", "look", "hints"):
        assert np.array_equal(getattr(room, name), getattr(whole, name)), name


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_any_frames_come_back_and_without_a_compiler_the_packets_are_the_same(shape: GopShape) -> None:
    gop, profile = small(shape), LiveProfile(None)
    sent = packets(profile, gop)
    assert sent == packets(LiveProfile(None, kernel=Reference()), gop)
    for one in (profile, LiveProfile(None, kernel=Reference())):
        with LiveDecoder(one, shape) as decoder:
            for t, packet in enumerate(sent):
                picture, state, actions = decoder.frame(packet)
                assert np.array_equal(picture, gop.frames[t])
                assert (state is None) == (gop.state is None) and (actions is None) == (gop.actions is None)
                assert gop.state is None or np.array_equal(state, gop.state[t])
                assert gop.actions is None or np.array_equal(actions, np.atleast_1d(gop.actions[t]))


@pytest.mark.parametrize("shape", [SHAPES[0], SHAPES[2]], ids=str)
def test_a_damaged_packet_is_told_and_so_is_what_follows_it(shape: GopShape) -> None:
    gop, profile, r = small(shape), LiveProfile(None), np.random.default_rng(4)
    sent = packets(profile, gop)
    broken = [b"", b"x", sent[1], sent[0][:-1], sent[0] + b"\0", sent[0][1:]]
    for _ in range(30):
        changed = bytearray(sent[0])
        changed[r.integers(0, len(changed))] ^= int(r.integers(1, 256))
        broken.append(bytes(changed))
    for packet in broken:
        with LiveDecoder(profile, shape) as decoder:
            with pytest.raises(CodecError, match="damaged packet"):
                decoder.frame(packet)
            with pytest.raises(CodecError, match="wait for the next"):
                decoder.frame(sent[0])


def test_damaged_streams_of_a_group_are_told() -> None:
    gop, profile, r = small(SHAPES[0]), LiveProfile(None), np.random.default_rng(5)
    (stream,) = profile.encode(gop).values()
    for k in range(40):
        changed = bytearray(stream if k % 2 else stream[: r.integers(0, len(stream))])
        if k % 2:
            changed[r.integers(0, len(changed))] ^= int(r.integers(1, 256))
        with pytest.raises(CodecError, match=r"damaged|wait"):
            profile.decode({"LIVE": bytes(changed)}, gop.shape)
    with pytest.raises(CodecError, match="LIVE"):
        profile.decode({"PICT": stream}, gop.shape)
    with pytest.raises(CodecError, match="packets of 4 frames"):
        profile.decode({"LIVE": stream}, replace(gop.shape, frames=4))


def test_what_is_no_frame_of_a_group_is_refused_and_changes_nothing(clip: Episode) -> None:
    gop, profile = small(SHAPES[0]), LiveProfile(None)
    assert gop.state is not None and gop.actions is not None
    with LiveEncoder(profile, gop.shape) as encoder:
        frame, state = gop.frames[0], gop.state[0]
        for wrong in ((frame[1:], state, 1), (frame, None, 1), (frame, state, None), (frame.astype(int), state, 1)):
            with pytest.raises(CodecError, match="a frame of"):
                encoder.frame(*wrong)
        sent = [encoder.frame(gop.frames[t], gop.state[t], gop.actions[t]) for t in range(3)]
        with pytest.raises(CodecError, match="has its 3 frames"):
            encoder.frame(gop.frames[0], gop.state[0], 1)
    assert sent == packets(profile, gop)
    live = session(clip, 8)
    assert clip.state is not None
    first = live.frame(clip.frames[0], 5, clip.state[0], 0)
    with pytest.raises(DataError, match="ascend"):
        live.frame(clip.frames[1], 5, clip.state[1], 0)
    assert first.place == 0 and live.frame(clip.frames[1], 6, clip.state[1], 0).place == 1
    assert live.end_group() and live.frame(clip.frames[2], 7, clip.state[2], 0).group == 1
