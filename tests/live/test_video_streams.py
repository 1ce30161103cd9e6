"""True colour as a stream of video: near what was sent, at the asked rate, with its memory bit for bit."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from served import serving
from streaming import Watcher, until

pytest.importorskip("av", reason='the extra "video" is needed')
pytest.importorskip("websockets", reason='the extra "serve" is needed')
from hstmae.codec.container.description import Description
from hstmae.errors import CodecError, DataError
from hstmae.live.messages import Described, unpack
from hstmae.live.sending import LiveStream
from hstmae.live.video import VideoSession, VideoViewer


def film(frames: int, height: int = 91, width: int = 121) -> np.ndarray:
    """uint8 [T, H, W, 3]: a smooth picture that moves; odd sides."""
    y, x = np.mgrid[:height, :width]
    return np.stack([
        np.stack([128 + 100 * np.sin((x + 2 * t) / 17), 128 + 90 * np.cos((y + t) / 23), (x + y + t) % 256], -1)
        for t in range(frames)
    ]).astype(np.uint8)  # fmt: skip


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / ((a.astype(float) - b) ** 2).mean()))


def coded(
    frames: np.ndarray, state: np.ndarray, gop: int = 5, kbit: float = 900
) -> tuple[Description, list[Any], list[bytes]]:
    hashes: list[bytes] = []
    known: dict[str, Any] = {
        "gop": gop,
        "kbit": kbit,
        "ended": hashes.append,
        "name": "film",
        "game": "generic",
        "fps": 30.0,
    }
    session = VideoSession(frames[0], state[0], 3, **known)
    sent = [session.frame(f, t, s, t) for t, (f, s) in enumerate(zip(frames, state, strict=True))]
    session.close()
    return session.description, sent, hashes


def test_every_packet_is_a_picture_and_groups_stand_alone() -> None:
    frames = film(12)
    state = np.random.default_rng(0).integers(0, 256, (12, 7), np.uint8)
    description, sent, hashes = coded(frames, state)
    described = unpack(Described(5, description.pack(0)).pack())
    assert isinstance(described, Described) and described.description() == description
    assert [(s.group, s.place) for s in sent] == [(t // 5, t % 5) for t in range(12)] and len(hashes) == 3
    viewer = VideoViewer(description)
    for t in (*range(5, 12), *range(12)):  # joined at the second group, then all
        picture, memory, buttons = viewer.frame(sent[t].group, sent[t].packet)
        assert picture.shape == frames[t].shape and psnr(picture, frames[t]) > 28
        assert np.array_equal(memory, state[t]) and buttons is not None and buttons.tolist() == [t]


def test_the_rate_is_kept() -> None:
    rng = np.random.default_rng(0)
    frames = np.clip(film(60, 120, 160).astype(int) + rng.integers(-20, 20, (60, 120, 160, 3)), 0, 255).astype(np.uint8)
    for kbit in (150, 600):
        sent = coded(frames, np.zeros((60, 0), np.uint8), 30, kbit)[1]
        rate = sum(len(s.packet) for s in sent) * 8 / 1000 / 2
        assert 0.5 * kbit < rate < 1.3 * kbit


def test_damaged_packets_are_errors() -> None:
    frames, state = film(3), np.zeros((3, 4), np.uint8)
    description, sent, _ = coded(frames, state)
    packet = sent[0].packet
    cut = (b"", packet[:3], packet[:60])
    for broken in (*cut, b"\xff\xff\xff\x7f" + packet[4:], packet[:4] + b"y" + packet[5:], packet[:4] + bytes(99)):
        with pytest.raises(CodecError):
            VideoViewer(description).frame(0, broken)
    with pytest.raises(CodecError):
        VideoViewer(description).frame(0, sent[1].packet)  # without the first
    assert len(coded(np.zeros((2, 1, 1, 3), np.uint8), state[:2])[1]) == 2  # the smallest
    with pytest.raises(DataError, match="larger"):
        coded(np.zeros((1, 1, 9000, 3), np.uint8), state[:1])


def test_it_is_watched_and_goes_into_no_file(tmp_path: Path) -> None:
    from hstmae.serving.live.streams import Streams

    frames = np.random.default_rng(0).integers(0, 256, (1, 90, 120, 3), np.uint8).repeat(12, 0)
    frames[:, ::2] = film(12, 90, 120)[:, ::2]
    streams = Streams(tmp_path)
    with serving(tmp_path, streams=streams) as served:
        with LiveStream(f"{served.url}f", fps=30, group=4, video=1500) as stream:
            watcher = Watcher(f"{served.url}f", lambda shown: shown.number == 11)
            for picture in frames:
                stream.frame(picture)
                until(lambda: watcher.seen)
                time.sleep(0.02)
            seen = watcher.wait()
            assert not stream.lossless and seen[-1].description.profile == "h264" and watcher.decoding.groups >= 1
            assert all(psnr(shown.picture, frames[shown.number]) > 12 for shown in seen)
        kept = tmp_path / "o.hst"
        with pytest.raises(DataError, match="--lossless"), LiveStream(f"{served.url}g", video=9, out=kept) as stream:
            stream.frame(frames[0])
    streams.close()
    assert not list(tmp_path.glob("f-*.hst"))
