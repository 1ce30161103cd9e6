"""Files made once, decoded for ever: to the content they had, and made again to the same chunks."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import make_golden
import pytest

from hstmae.codec.session.reader import HstReader
from hstmae.codec.session.verifying import verify_file

EXPECTED = json.loads((make_golden.GOLDEN / "expected.json").read_text())


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_golden_files_decode_to_what_they_held(name: str) -> None:
    path, expected = make_golden.GOLDEN / f"{name}.hst", EXPECTED[name]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == expected["file_sha256"]
    assert verify_file(path).problems == ()
    with HstReader(path) as reader:
        episodes, _, _ = make_golden.contents()[name]
        decoded = [make_golden.digest(reader.episode(k)) for k in range(len(reader.episodes()))]
    assert decoded == expected["content_sha256"] == [make_golden.digest(episode) for episode in episodes]


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_golden_files_are_made_again_bit_for_bit(name: str, tmp_path: Path) -> None:
    episodes, gop, profile = make_golden.contents()[name]
    make_golden.write(tmp_path / "x.hst", episodes, gop, profile)
    assert make_golden.body(tmp_path / "x.hst") == make_golden.body(make_golden.GOLDEN / f"{name}.hst")


def test_golden_files_are_few_and_small() -> None:
    files = list(make_golden.GOLDEN.glob("*.hst"))
    assert len(files) == len(EXPECTED) and sum(path.stat().st_size for path in files) < 100_000
