"""The browser's decoder, run by Node, beside Python's: the same bytes, and an error for whatever is damaged."""

from __future__ import annotations

import base64
import hashlib
import json
import lzma
import random
import sys
import zlib
from pathlib import Path
from typing import Any

import make_golden
import numpy as np
import pytest
from browser import decoded, expected, frame_hashes, node

from hstmae.bundled import SAMPLES
from hstmae.codec.container.text import _DICTIONARY
from hstmae.codec.lossless.probability import squash_table, stretch_table
from hstmae.codec.lossless.scene import Scene
from hstmae.codec.session.profiles import make_profile
from hstmae.codec.session.reader import HstReader
from hstmae.codec.session.writer import HstWriter
from hstmae.data.episode import Episode
from hstmae.games.smb.game import SuperMarioBros

BUNDLED = SAMPLES / "sample_session.hst"


@pytest.fixture(scope="module")
def found() -> dict[Path, Any]:
    """What the browser's decoder makes of the golden files and the bundled session."""
    paths = [*sorted(make_golden.GOLDEN.glob("*.hst")), BUNDLED]
    return dict(zip(paths, decoded(paths), strict=True))


def test_golden_files_decode_to_the_same_bytes(found: dict[Path, Any]) -> None:
    paths = sorted(make_golden.GOLDEN.glob("*.hst"))
    assert paths
    for path in paths:
        assert found[path].get("episodes") == expected(path)["episodes"], path


def test_the_bundled_session_is_the_recording_beside_it(found: dict[Path, Any]) -> None:
    """Else: hstmae encode assets/sample_session assets/sample_session.hst --gop 16 --overwrite"""
    whole = make_golden.sample(96)
    (episode,) = found[BUNDLED]["episodes"]
    assert episode["frames"] == frame_hashes(whole.frames, whole.state, whole.actions, whole.frame_numbers)
    with HstReader(BUNDLED) as reader:
        assert max(header.frames for _, header in reader.entries[0].gops) <= 16  # any frame is reached soon


def _made(path: Path) -> bytes:
    """A small file with everything that containers have: several groups, gaps in the numbers, steps, true colour."""
    rng = np.random.default_rng(3)
    palette = make_golden.sample(1).palette
    memory = rng.integers(0, 256, (9, 12), dtype=np.uint8)
    common: dict[str, Any] = {"context": None, "level": "1-1"}
    few = Episode(
        name="few", game="no such game", frames=rng.integers(0, 5, (9, 10, 18), dtype=np.uint8), palette=palette,
        state=memory, actions=memory[:, 0].copy(), frame_numbers=np.array([0, 2, 4, 6, 8, 20, 22, 24, 26], np.int32),
        **common,
    )  # fmt: skip
    bare = Episode(
        name="bare, \u97d3", game="smb", frames=rng.integers(0, 3, (5, 8, 8), dtype=np.uint8), palette=palette,
        state=None, actions=None, frame_numbers=np.arange(5, dtype=np.int32), **common,
    )  # fmt: skip
    path.unlink(missing_ok=True)
    with HstWriter(path) as writer:
        drawn = [(make_golden.drawn(count), 4) for count in (12, 300)]
        for episode, gop in ((few, 4), (make_golden.colours(), 3), (bare, 5), *drawn, (make_golden.noisy(), 40)):
            writer.add(make_profile("lossless", episode.game), episode, gop=gop)
    return path.read_bytes()


def test_damaged_files_are_read_as_python_reads_them_or_refused(tmp_path: Path) -> None:
    whole, rng = _made(tmp_path / "whole.hst"), random.Random(5)
    paths = [tmp_path / "whole.hst"]

    def add(data: bytes) -> None:
        paths.append(tmp_path / f"{len(paths)}.hst")
        paths[-1].write_bytes(data)

    for _ in range(8):
        data, at = bytearray(whole), rng.randrange(len(whole))
        data[at] ^= 1 << rng.randrange(8)
        add(data)
    for _ in range(2):
        at, end = sorted(rng.sample(range(len(whole)), 2))
        add(whole[:at])
        add(whole[:at] + whole[end:])
        add(whole[:at] + rng.randbytes(end - at) + whole[end:])
        add(whole[:end] + whole[at:])
    for data in (
        b"",
        b"\x89HST",
        whole[:16],
        whole[:60],
        whole.replace(b"\r\n", b"\n"),
        b"text\n" * 20,
        bytes(300),
        whole[:-1],
    ):
        add(data)
    found = decoded(paths)
    assert len(found) == len(paths) and "episodes" in found[0]
    for path, mine in zip(paths, found, strict=True):
        theirs = expected(path)
        assert mine.get("episodes") == theirs.get("episodes"), (path, mine, theirs)
        assert ("error" in mine) == ("error" in theirs)
    assert 6 < sum("error" in mine for mine in found) < len(found) - 6  # both kinds were tried


def test_parts_that_python_packs_are_unpacked_and_damage_is_noticed() -> None:
    rng = random.Random(7)
    text = (_DICTIONARY * 3)[200:2500] + rng.randbytes(3000) + bytes(70_000) + b"abc" * 500
    asked: list[dict[str, Any]] = []
    packed: list[bytes] = []

    def ask(kind: str, data: bytes, dictionary: bytes = b"", room: int = len(text)) -> None:
        codes = {"data": base64.b64encode(data).decode(), "dictionary": base64.b64encode(dictionary).decode()}
        asked.append({"kind": kind, "room": room, **codes})
        packed.append(data)

    for level, strategy in ((0, 0), (1, 0), (9, 0), (6, zlib.Z_FIXED), (6, zlib.Z_HUFFMAN_ONLY), (6, zlib.Z_RLE)):
        for dictionary in (b"", _DICTIONARY):
            extra = {"zdict": dictionary} if dictionary else {}
            packer = zlib.compressobj(level, strategy=strategy, **extra)
            ask("zlib", packer.compress(text) + packer.flush(), dictionary)
    for lc, lp, pb in ((3, 0, 2), (0, 4, 0), (4, 0, 4), (1, 2, 3)):
        filters = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 1 << 16, "lc": lc, "lp": lp, "pb": pb}]
        ask("lzma2", lzma.compress(text, lzma.FORMAT_RAW, filters=filters))
    whole = len(asked)
    for data, kind in ((packed[1], "zlib"), (packed[whole - 1], "lzma2")):
        dictionary = _DICTIONARY if kind == "zlib" else b""
        ask(kind, data, dictionary, len(text) - 1)  # one byte more than there is room for
        for _ in range(20):
            changed = bytearray(data[: rng.randrange(1, len(data))] if rng.random() < 0.3 else data)
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
            ask(kind, bytes(changed), dictionary)
    hashed = [rng.randbytes(n) for n in (0, 1, 55, 56, 64, 127, 128, 129, 1000)]
    memory, rows = _memory()
    request = {"unpack": asked, "memory": memory, "hashes": [base64.b64encode(data).decode() for data in hashed]}
    (answer,) = node("parts.mjs", stdin=json.dumps(request))
    for k, found in enumerate(answer["unpack"]):
        if k < whole:
            assert base64.b64decode(found["data"]) == text and found["used"] == len(packed[k]), asked[k]["kind"]
        elif "error" not in found:  # a flipped bit may do no harm, and LZMA2 has no check of its own
            assert asked[k]["kind"] == "lzma2" or base64.b64decode(found["data"]) == text
    assert "error" in answer["unpack"][whole] and sum("error" in found for found in answer["unpack"]) > 25
    tables = [hashlib.sha256(table.tobytes()).hexdigest() for table in (squash_table(), stretch_table())]
    assert answer["maths"] == tables
    for data, (sha, blake, crc) in zip(hashed, answer["hashes"], strict=True):
        assert (sha, crc) == (hashlib.sha256(data).hexdigest(), zlib.crc32(data))
        assert blake == hashlib.blake2b(data, digest_size=8).hexdigest()
    assert answer["memory"] == [_scenes(row) for row in rows]


def _memory() -> tuple[list[list[str]], list[np.ndarray]]:
    """Recorded memory, and memory that no game writes, for what is drawn by it."""
    rng = np.random.default_rng(11)
    recorded = make_golden.sample(40).state
    assert recorded is not None
    wild = rng.integers(0, 256, (60, 2048), dtype=np.uint8)
    mixed = np.where(rng.random((60, 2048)) < 0.02, wild, recorded[rng.integers(0, 40, 60)])
    mixed[:, 0x500:0x6A0] = rng.choice(np.array([0, 0, 0x17, 0x63, 0x51, 0xC0], np.uint8), (60, 0x1A0))
    mixed[:, 0x71F] = rng.integers(0, 9, 60)
    rows = [recorded, wild, mixed]
    return [[base64.b64encode(row.tobytes()).decode() for row in state] for state in rows], rows


def _scenes(state: np.ndarray) -> list[str]:
    scene = Scene.of(SuperMarioBros(), np.ascontiguousarray(state))
    found = []
    for t in range(len(state)):
        parts = [scene.tiles[t], scene.corners[t], scene.sprites[t], scene.look[t], scene.hints[t : t + 1]]
        found.append(hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).hexdigest())
    return found


@pytest.fixture
def game_data(root: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(root / "web"))
    sys.modules.pop("game_data", None)
    import game_data

    return game_data


def test_what_the_player_knows_of_games_is_what_python_knows(game_data: Any) -> None:
    """Else: python web/game_data.py, then npm run build in web/"""
    assert game_data.TARGET.read_text(encoding="utf-8") == game_data.known()
