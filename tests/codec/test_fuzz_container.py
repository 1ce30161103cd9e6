"""Damaged .hst files: typed errors or reported gaps, every undamaged group recovered, bounded time and memory.

HSTMAE_FUZZ_CASES as in tests/helpers/fuzzing.py.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from fuzzing import CASES, attack, damaged
from made_up import session, write

from hstmae.codec.container.chunks import EPISODE, GOP, OVERHEAD, Gap, chunk, pack_preamble, scan
from hstmae.codec.container.description import Description
from hstmae.codec.container.text import _DICTIONARY
from hstmae.codec.session.reader import HstReader
from hstmae.codec.session.recover import recover
from hstmae.codec.session.verifying import describe, verify_file
from hstmae.data.episode import Episode
from hstmae.errors import CodecError, HstError

SECONDS = 2.0  # CPU time of one case


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for the disk thousands of times tells nothing here."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)


@pytest.fixture(scope="module")
def sessions() -> list[Episode]:
    return [
        session(10, 1, name="a", numbers=[1, 2, 3, 4, 5, 7, 8, 9, 10, 12]),
        session(7, 2, name="b", rgb=True, state=0, size=(4, 3), numbers=range(3, 31, 4)),
    ]


@pytest.fixture(scope="module")
def whole(sessions: list[Episode], tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write(tmp_path_factory.mktemp("fuzz") / "x.hst", *sessions).read_bytes()


def places(data: bytes) -> list[tuple[int, int, int, int]]:
    """(offset, end, episode, first frame) of each group."""
    chunks = [f for f in scan(memoryview(data), 16) if not isinstance(f, Gap)]
    return [(at, at + h.size, h.episode, h.first) for at, h in chunks if h.kind == GOP]


def use(path: Path, sessions: list[Episode], expected: set[tuple[int, int]]) -> None:
    """Read a file in every way: what is found must be right, and nothing of what is whole may be lost."""
    target = path.with_name("saved.hst")
    target.unlink(missing_ok=True)
    report = recover(path, target)
    with HstReader(target) as saved:
        found = set()
        for k, entry in enumerate(saved.entries):
            original = sessions[entry.number]
            places_ = np.concatenate([np.arange(h.first, h.first + h.frames) for _, h in entry.gops])
            episode = saved.episode(k)
            np.testing.assert_array_equal(episode.frames, original.frames[places_])
            np.testing.assert_array_equal(episode.frame_numbers, original.frame_numbers[places_])
            found |= {(entry.number, h.first) for _, h in entry.gops}
        assert saved.contents.indexed and found >= expected, (expected - found, report)
    verify_file(target)
    with HstReader(path) as reader:
        for k in range(len(reader.episodes())):
            episode = reader.episode(k)
            original = sessions["ab".index(episode.name)]
            there = np.isin(original.frame_numbers, episode.frame_numbers)
            np.testing.assert_array_equal(episode.frames, original.frames[there])
    verify_file(path)
    describe(path)


def test_every_point_of_truncation(whole: bytes, sessions: list[Episode], tmp_path: Path) -> None:
    path, groups = tmp_path / "x.hst", places(whole)
    step = 1 if len(whole) <= CASES else 23

    def read(case: int) -> None:
        cut = min(case * step, len(whole) - 1)
        path.write_bytes(whole[:cut])
        expected = {(episode, first) for _, end, episode, first in groups if end <= cut}
        try:
            use(path, sessions, expected)
        except HstError:
            assert not expected
            raise

    first = min(end for _, end, _, _ in groups)
    assert attack(read, len(whole) // step, SECONDS) == -(-first // step)


def test_random_damage(whole: bytes, sessions: list[Episode], tmp_path: Path) -> None:
    path, groups = tmp_path / "x.hst", places(whole)
    descriptions: dict[int, list[bytes]] = {}
    for found in scan(memoryview(whole), 16):
        if not isinstance(found, Gap) and found[1].kind == EPISODE:
            descriptions.setdefault(found[1].episode, []).append(whole[found[0] : found[0] + found[1].size])

    def read(case: int) -> None:
        data = damaged(whole, np.random.default_rng([7, case]))
        path.write_bytes(data)
        known = {number for number, copies in descriptions.items() if any(copy in data for copy in copies)}
        expected = {(number, first) for at, end, number, first in groups if number in known and whole[at:end] in data}
        try:
            use(path, sessions, expected)
        except HstError as error:
            assert not expected or "recover" in str(error) or "text" in str(error) or "decode" in str(error)
            if expected:
                use_saved_only(path, expected)
            raise

    cases = CASES if CASES > 1000 else CASES // 3
    assert attack(read, cases, SECONDS) < cases


def use_saved_only(path: Path, expected: set[tuple[int, int]]) -> None:
    """A file whose first bytes are damaged is refused by the reader, and recovered all the same."""
    with HstReader(path.with_name("saved.hst")) as saved:
        assert {(e.number, h.first) for e in saved.entries for _, h in e.gops} >= expected


def test_chunks_in_another_order_and_twice(whole: bytes, sessions: list[Episode], tmp_path: Path) -> None:
    path = tmp_path / "x.hst"
    chunks = [whole[f[0] : f[0] + f[1].size] for f in scan(memoryview(whole), 16) if not isinstance(f, Gap)]
    everything = {(episode, first) for _, _, episode, first in places(whole)}
    for case in range(20):
        rng = np.random.default_rng(case)
        order = rng.permutation(np.concatenate([np.arange(len(chunks)), rng.integers(0, len(chunks), 3)]))
        path.write_bytes(whole[:16] + b"".join(chunks[k] for k in order))
        use(path, sessions, everything)


STRANGE = (None, True, -1, 0, 2, 7, 8192, 1 << 20, 1 << 40, 1.5, float("inf"), "", "..", "a/b", "\ud800", "x" * 3000,
           [], {}, [1], ["PICT"], [["a", "b"]], "zz")  # fmt: skip


def lying(description: dict[str, object], payload: bytes, frames: int) -> bytes:
    packer = zlib.compressobj(9, zdict=_DICTIONARY)
    text = packer.compress(json.dumps(description).encode()) + packer.flush()
    return pack_preamble() + chunk(EPISODE, text, episode=0) + chunk(GOP, payload, episode=0, frames=frames)


def test_whole_chunks_that_state_nonsense(sessions: list[Episode], whole: bytes, tmp_path: Path) -> None:
    """Every checksum is right, so what they say has to be dealt with."""
    path = tmp_path / "x.hst"
    path.write_bytes(whole)
    with HstReader(path) as reader:
        sound = asdict(reader.episodes()[0])
        at, header = reader.entries[0].gops[0]
    payload = whole[at + OVERHEAD - 4 : at + header.size - 4]

    def read(case: int) -> None:
        rng = np.random.default_rng([8, case])
        description = dict(sound)
        for _ in range(int(rng.integers(0, 3))):
            key = list(description)[int(rng.integers(len(description)))]
            description[key] = STRANGE[int(rng.integers(len(STRANGE)))]
        body = damaged(payload, rng) if rng.random() < 0.5 else payload
        path.write_bytes(lying(description, body, int(rng.choice([header.frames, 0, 1, 1024]))))
        with HstReader(path) as reader:
            describe(path)
            verify_file(path)
            _ = reader[0], reader.episode(0)

    assert attack(read, CASES // 3, SECONDS) > CASES // 12


@pytest.mark.parametrize("size", [(8192, 4096), (8192, 8192), (1 << 30, 1 << 30)])
def test_claims_of_absurd_size_take_no_memory(whole: bytes, tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "x.hst"
    path.write_bytes(whole)
    with HstReader(path) as reader:
        description: Description = reader.episodes()[0]
    claim = {**asdict(description), "height": size[0], "width": size[1]}
    path.write_bytes(lying(claim, b"\0" * 100, 1024))
    with pytest.raises(CodecError):
        _ = HstReader(path)[0]
    assert attack(lambda _: HstReader(path)[0], 1, SECONDS) == 1


def test_an_empty_file_and_a_folder_are_told(tmp_path: Path) -> None:
    (tmp_path / "x.hst").write_bytes(b"")
    for read in (HstReader, verify_file, describe, lambda path: recover(path, tmp_path / "y.hst")):
        with pytest.raises(CodecError, match="empty"):
            read(tmp_path / "x.hst")
    with pytest.raises(OSError):
        HstReader(tmp_path)
    assert not (tmp_path / "y.hst").exists()
