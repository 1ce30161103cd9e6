"""Files that versions of the neural profile made of the bundled session, read for ever: all integers of it the same."""

from __future__ import annotations

import hashlib

import make_golden
import numpy as np
import pytest

from hstmae.codec.container.chunks import GOP, SHORT_GOP
from hstmae.codec.neural.profile import NeuralProfile
from hstmae.codec.session.reader import HstReader

# SHA-256 of the codes of all groups, which do not depend on how they are packed.
_FIRST = "c433f290fee16fb2835dd4572ca5569d0f7f3aafc9bf7a4255afe0b501685d1c"
_NEXT = "5341706a4c538df6916ba0f857dfa8bf4a6e073552fcd74d659166e6682cf94e"
CODES = {"neural-1": _FIRST, "neural-2": _FIRST, "neural-3": _NEXT}
TIMER = 0x7F8  # a byte that pictures depend on


@pytest.mark.parametrize(
    ("name", "chunk", "kinds"),
    [("neural-1", GOP, {1, 2, 3}), ("neural-2", SHORT_GOP, {1, 4, 5}), ("neural-3", SHORT_GOP, {1, 4, 5})],
)
def test_golden_files_of_the_neural_profile(name: str, chunk: bytes, kinds: set[int]) -> None:
    """Quality 45 dB, exact, 22 dB without memory, and two exact pictures upside down."""
    whole, found, codes = make_golden.sample(20), set(), hashlib.sha256()
    assert whole.state is not None and whole.actions is not None
    with HstReader(make_golden.GOLDEN / "neural" / f"{name}.hst") as reader:
        for k, description in enumerate(reader.episodes()):
            profile = NeuralProfile(description.tables, bound=description.tables_sha256)
            assert profile.tables_sha256 == description.tables_sha256  # of which older ones are kept
            for g, (_, header) in enumerate(reader.entries[k].gops):
                at, parts = slice(header.first, header.first + header.frames), reader.groups.parts(k, g)
                _, state, actions, cells, _ = profile.read(parts.streams, description.shape(header.frames))
                assert header.kind == chunk and np.array_equal(parts.numbers, whole.frame_numbers[at])
                assert actions is not None and np.array_equal(actions[:, 0], whole.actions[at])
                assert state is None or np.array_equal(state[:, TIMER], whole.state[at, TIMER])
                found.add(parts.streams["PICT"][0])
                codes.update(repr(sorted(cells.items())).encode())
        assert (found, codes.hexdigest()) == (kinds, CODES[name])
        assert np.array_equal(reader.episode(3).frames, whole.frames[:2, ::-1])
