"""Damaged streams of pictures, without the checks of the container: refused, or pictures of the right size.

HSTMAE_FUZZ_CASES as in tests/helpers/fuzzing.py.
"""

from __future__ import annotations

from pathlib import Path

import make_golden
import numpy as np
import pytest
from fuzzing import CASES, attack, damaged

from hstmae.codec.container.gop import Gop
from hstmae.codec.lossless.kernel import library_path
from hstmae.codec.lossless.palettes import BLINKING, PALETTE
from hstmae.codec.lossless.profile import LosslessProfile
from hstmae.codec.lossless.true_colour import DIFFERENCES, PIXELS, RUNS
from hstmae.codec.neural.exact import ExactCoder
from hstmae.errors import CodecError

pytestmark = pytest.mark.skipif(library_path() is None, reason="needs the compiled kernel")
KINDS = {  # frames, and the version of the streams, by the first byte
    DIFFERENCES: (lambda: make_golden.colours().frames, 4),
    PALETTE: (lambda: make_golden.drawn(300).frames, 4),
    BLINKING: (lambda: make_golden.blinking().frames, 7),
    RUNS: (lambda: make_golden.noisy().frames, 4),
    PIXELS: (lambda: make_golden.textured().frames, 5),
}


@pytest.mark.parametrize("kind", KINDS)
def test_true_colour(kind: int) -> None:
    made, version = KINDS[kind]
    gop, profile = Gop(made(), None, None, None), LosslessProfile(None, version=version)
    stream = profile.encode(gop)["COLR"]
    assert stream[0] == kind

    def read(case: int) -> None:
        data = damaged(stream, np.random.default_rng([3, case]))
        count = case % len(gop.frames) + 1
        assert profile.decode({"COLR": data}, gop.shape).shape == gop.shape
        assert len(profile.decode_first({"COLR": data}, gop.shape, count).frames) == count

    assert attack(read, max(CASES // 4, 1)) > CASES // 16


def test_objects_of_games_without_tables() -> None:
    """Memory, buttons or pictures of an Atari game are damaged: what the memory then says lies anywhere."""
    episode = make_golden.pong(6)
    gop = Gop(episode.frames, episode.palette, episode.state, episode.actions)
    profile = LosslessProfile(episode.game)
    streams = profile.encode(gop)

    def read(case: int) -> None:
        which = sorted(streams)[case % 3]
        data = {**streams, which: damaged(streams[which], np.random.default_rng([5, case]))}
        assert profile.decode(data, gop.shape).frames.shape == gop.frames.shape

    assert attack(read, max(CASES // 8, 1)) > 0


def test_exact_pictures_and_blocks_of_the_neural_profile() -> None:
    part = make_golden.sample(4)
    assert part.state is not None
    coder, blocks = ExactCoder("smb", Path("none.tables")), np.zeros((4, 30, 32), np.uint8)
    blocks[:, 10:14, 3:20] = 1
    stream = coder.encode(part.frames, part.state, (0, 0))
    some = coder.encode_blocks(part.frames, blocks, part.state)
    with pytest.raises(CodecError, match="other tables"):  # and all tables are loaded: they are large
        coder.decode(bytes(9), part.state, part.frames.shape, (0, 0), own=False)

    def read(case: int) -> None:
        data = damaged(some if case % 2 else stream, np.random.default_rng([4, case]))
        if case % 2:
            coder.decode_blocks(data, part.frames.copy(), blocks, part.state, own=False)
        else:
            assert coder.decode(data, part.state, part.frames.shape, (0, 0), own=False).shape == part.frames.shape

    assert attack(read, max(CASES // 10, 2)) > 0
