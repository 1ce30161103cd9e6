"""The bundled codec model: near enough, small, and exact where it has to be."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from hstmae.codec.container.gop import Gop
from hstmae.codec.neural.prior import EXACT
from hstmae.codec.neural.profile import NeuralProfile
from hstmae.data.store.reader import EpisodeStore
from hstmae.errors import CodecError
from hstmae.games import get_game


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    colours = get_game("smb").palette.astype(np.float64)
    return 10 * math.log10(65025 / max(float(((colours[a] - colours[b]) ** 2).mean()), 1e-9))


def test_cells_that_are_wrong_are_exact(sample_store: EpisodeStore) -> None:
    """Three cells of a picture are as no state says; the rest stays as the network draws it."""
    some = Gop.of(sample_store[0].take(slice(40, 48, 4)))
    profile = NeuralProfile("hst-codec-nano", quality=45)
    drawn = profile.decode(NeuralProfile("hst-codec-nano", reach=False).encode(some), some.shape).frames
    noise = np.random.default_rng(0).integers(0, 50, (16, 48), np.uint8)
    frames = drawn.copy()
    frames[:, 64:80, 96:144] = noise
    streams = profile.encode(replace(some, frames=frames))
    made = profile.decode(streams, some.shape).frames
    assert streams["PICT"][0] == 5 and np.array_equal(made[:, 64:80, 96:144], frames[:, 64:80, 96:144])
    assert psnr(made, frames) >= 45
    codes = profile.read(streams, some.shape)[3]
    assert 1 <= sum(code == EXACT for code in codes.values()) < 20
    data, refused = streams["PICT"], 0
    for at in (*range(2, 14), len(data) - 40, len(data)):
        broken = data[:at] if at > 13 else data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :]
        try:
            assert profile.decode({**streams, "PICT": broken}, some.shape).frames.shape == frames.shape
        except CodecError:
            refused += 1
    assert refused > 8


def test_the_bundled_model(sample_store: EpisodeStore) -> None:
    """On the bundled session, 15 frames a second: near enough, and small."""
    whole = Gop.of(sample_store[0].take(slice(0, 48, 4)))
    profile = NeuralProfile("hst-codec-nano")
    streams = profile.encode(whole)
    made = profile.decode(streams, whole.shape)
    assert psnr(made.frames, whole.frames) > 38.5
    assert sum(map(len, streams.values())) / 12 < 98
    books = profile.model.rvq.codebooks
    assert books.shape == (6, 512, 64) and (books.flatten(0, 1).norm(dim=1) > 0).float().mean() > 0.95
