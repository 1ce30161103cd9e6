"""Damaged films in .hst files: typed errors, bounded time and memory, also where every checksum is right again.

HSTMAE_FUZZ_CASES as in tests/helpers/fuzzing.py: a quarter of them for each of the four ways of damaging whole files.
"""

import json
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from fuzzing import CASES, USUAL, attack, damaged
from test_film_profile import make, run

from hstmae.codec.container.chunks import FILM, GOP, REST, chunk, pack_preamble, read_payload
from hstmae.codec.film.head import unpack_facts, unpack_head
from hstmae.codec.film.table import unpack_table
from hstmae.codec.session.reader import HstReader
from hstmae.codec.session.recover import recover
from hstmae.codec.session.verifying import describe, verify_file
from hstmae.errors import CodecError

pytest.importorskip("av")


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("film")
    assert run("encode", make(folder / "closed.mp4", frames=15), folder / "x.hst", "--gop", 5) == 0
    return folder / "x.hst"


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch) -> None:
    monkeypatch.setattr("os.fsync", lambda descriptor: None)


def use(path: Path) -> None:
    """Read a file in every way."""
    describe(path)
    saved = path.with_name("saved.hst")
    saved.unlink(missing_ok=True)
    recover(path, saved)
    verify_file(path)


def test_damaged_files(whole, tmp_path):
    data, path = whole.read_bytes(), tmp_path / "x.hst"

    def read(case: int) -> None:
        path.write_bytes(damaged(data, np.random.default_rng(case)))
        use(path)

    attack(read, 20 if CASES == USUAL else CASES // 4)


@pytest.mark.parametrize("kind", [FILM, GOP, REST])
def test_senseless_content_under_right_checksums(whole, kind, tmp_path):
    """Of packets, too: FFmpeg's decoders meet them."""
    path = tmp_path / "x.hst"
    with HstReader(whole) as reader:
        table = [(h, read_payload(reader.data, at, h)) for at, h in reader.contents.table]

    def read(case: int) -> None:
        rng = np.random.default_rng(case)
        chosen = int(rng.choice([k for k, (header, _) in enumerate(table) if header.kind == kind]))
        parts = [pack_preamble()]
        for k, (h, payload) in enumerate(table):
            body = damaged(payload, rng) if k == chosen else payload
            fields = {"episode": h.episode, "first": h.first, "frames": h.frames, "flags": h.flags}
            parts.append(chunk(h.kind, body, **fields))
        path.write_bytes(b"".join(parts))
        use(path)

    attack(read, 10 if CASES == USUAL else CASES // 4)


def test_tables_and_heads_of_noise(whole):
    with HstReader(whole) as reader:
        streams = reader.groups.parts(0, 0).streams
        head = read_payload(reader.data, *reader.entries[0].film[0])
        frames = reader.entries[0].gops[0][1].frames

    def read(case: int) -> None:
        rng = np.random.default_rng(case)
        with suppress(CodecError):
            unpack_table(damaged(streams["PKTS"], rng), len(streams["PICT"]), frames)
        for unpack in (unpack_head, unpack_facts):
            with suppress(CodecError):
                unpack(damaged(head, rng))

    attack(read)


def test_a_head_that_asks_for_more_than_there_can_be_is_refused(whole):
    with HstReader(whole) as reader:
        values = json.loads(zlib.decompress(read_payload(reader.data, *reader.entries[0].film[0])))
    for change in (
        {"width": -1},
        {"width": 1 << 40},
        {"extradata": "00" * (2 << 20)},
        {"extradata": "xx"},
        {"codec": None},
        {"facts": {**values["facts"], "times": [[0, 1], [1, 1 << 40]]}},
        {"facts": {**values["facts"], "time_base": "0"}},
        {"facts": {**values["facts"], "time_base": "1/0"}},
        {"facts": []},
    ):
        with pytest.raises(CodecError):
            unpack_head(zlib.compress(json.dumps({**values, **change}).encode()))
    bomb = zlib.compress(b" " * (80 << 20))
    with pytest.raises(CodecError):
        unpack_head(bomb)
