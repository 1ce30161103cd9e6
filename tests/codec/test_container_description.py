"""What the description of an episode may say, rule by rule."""

from __future__ import annotations

import hashlib
import inspect
import json
import zlib
from dataclasses import asdict, replace
from importlib import import_module
from typing import Any, get_type_hints

import numpy as np
import pytest
from chunks_by_hand import SOUND, packed

from hstmae.codec.container.chunks import (
    CRC_BYTES,
    EPISODE,
    FINAL,
    HEADER_BYTES,
    MAX_FRAMES,
    MAX_GOP,
    OVERHEAD,
    Header,
    parse_header,
    read_payload,
)
from hstmae.codec.container.description import (
    MAX_ACTIONS,
    MAX_PIXELS,
    MAX_SIDE,
    MAX_STATE,
    MAX_STREAMS,
    unpack_description,
)
from hstmae.codec.container.gop import GopShape
from hstmae.codec.container.text import _DICTIONARY, MAX_TEXT
from hstmae.errors import CodecError


def test_a_description_comes_back() -> None:
    for description, flags in ((SOUND, FINAL), (replace(SOUND, frames=-1), 0)):
        data = memoryview(description.pack(7))
        header = parse_header(data, 0)
        assert header == Header(EPISODE, len(data) - OVERHEAD, 7, 0, 0, flags)
        payload = read_payload(data, 0, header)
        assert payload is not None and unpack_description(payload) == description
        text = zlib.decompressobj(zdict=_DICTIONARY).decompress(payload).decode()
        assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))  # keys sorted, no spaces
    name = "Ä\u00df\u4e00"
    assert name.encode() in zlib.decompressobj(zdict=_DICTIONARY).decompress(
        replace(SOUND, name=name).pack(0)[HEADER_BYTES:-CRC_BYTES]
    )


def test_unknown_keys_are_passed_over_and_lists_become_tuples() -> None:
    value = {**asdict(SOUND), "later": [1, 2], "notes": [["repaired", "3"]], "problems": [["f.png", "broken", 1]]}
    assert unpack_description(packed(value)) == SOUND
    least = {k: v for k, v in asdict(SOUND).items() if k not in ("level", "outcome", "frames", "notes", "problems")}
    got = unpack_description(packed(least))
    assert (got.level, got.outcome, got.frames, got.notes, got.problems, got.split) == ("", "cut", -1, (), (), "")


@pytest.mark.parametrize("key", ["name", "game", "height", "channels", "palette", "profile", "gop", "streams", "fps"])
def test_missing_keys_are_refused(key: str) -> None:
    with pytest.raises(CodecError, match="senseless description"):
        unpack_description(packed({k: v for k, v in asdict(SOUND).items() if k != key}))


GREY = "".join(f"{k:02x}" * 3 for k in range(256))
WRONG: list[dict[str, Any]] = [
    *({key: 5} for key in ("name", "game", "palette", "profile", "tables", "tables_sha256", "level", "split")),
    *({key: "x" * 2001} for key in ("name", "game", "profile", "tables", "tables_sha256", "level", "split", "source")),
    {"source": None},
    {"palette": "00" * 1002},
    *({"name": name} for name in ("", "..", "a/b", "/a", "a/", "a\nb", "a\x00b", "\ud800")),
    {"level": "\ud800"},
    {"signature": 5},
    {"outcome": "won"},
    {"outcome": 1},
    *({key: value} for key in ("height", "width") for value in (0, -1, MAX_SIDE + 1, 1.0, True, None, "6")),
    *({"channels": value} for value in (0, 2, 4, -1)),
    *({"state": value} for value in (-1, MAX_STATE + 1)),
    *({"actions": value} for value in (-1, MAX_ACTIONS + 1)),
    *({"gop": value} for value in (0, MAX_GOP + 1)),
    *({"frames": value} for value in (-2, MAX_FRAMES + 1)),
    {"height": MAX_SIDE, "width": MAX_PIXELS // MAX_SIDE + 1},
    *({"palette": value} for value in ("", "0000", "zz", GREY + "000000")),
    {"channels": 3},  # with a palette
    *({"fps": value} for value in (0, -1, 100_001, "60", None, float("nan"), float("inf"))),
    *({"streams": value} for value in ([], ["PICT", "PICT"], ["PIC"], ["pict"], ["PICTU"], [5], "PICT", 5)),
    {"streams": [f"{k:04d}" for k in range(MAX_STREAMS + 1)]},
    *({"notes": value} for value in (5, [["a"]], [["a", "b"]], [[1, 2, 3]])),
    *({"problems": value} for value in (5, [["f", "r"]])),
]


@pytest.mark.parametrize(
    "change", WRONG, ids=lambda change: ",".join(f"{k}={str(v)[:12]!r}" for k, v in change.items())
)
def test_a_description_that_makes_no_sense_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(CodecError, match="senseless description"):
        unpack_description(packed({**asdict(SOUND), **change}))


@pytest.mark.parametrize(
    "change",
    [
        {"name": "x" * 2000},
        {"height": MAX_SIDE, "width": MAX_PIXELS // MAX_SIDE},
        {"palette": GREY},
        {"channels": 3, "palette": ""},
        {"state": 0, "actions": 0},
        {"state": MAX_STATE, "actions": MAX_ACTIONS, "gop": MAX_GOP, "frames": MAX_FRAMES},
        {"gop": 1, "frames": 0, "height": 1, "width": 1},
        {"fps": 100_000},
        {"fps": 1},
        {"streams": tuple(f"{k:04d}" for k in range(MAX_STREAMS))},
    ],
)
def test_descriptions_at_the_limits_are_read(change: dict[str, Any]) -> None:
    assert unpack_description(packed({**asdict(SOUND), **change})) == replace(SOUND, **change)


def test_payloads_that_are_no_description() -> None:
    whole = packed(asdict(SOUND))
    long = {**asdict(SOUND), "source": "", "later": "x" * MAX_TEXT}
    deep = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    for payload in (
        b"",
        b"noise",
        whole[:-1],
        packed(long),
        packed(b"[1]"),
        packed(b"\xff"),
        packed(b"{"),
        packed(deep),
    ):
        with pytest.raises(CodecError, match="senseless"):
            unpack_description(payload)


def test_what_a_description_says_of_its_groups() -> None:
    assert SOUND.shape(3) == GopShape(3, 6, 8, 1, 5, 1)
    assert SOUND.raw_bytes(3) == 3 * (48 + 5 + 1)
    assert replace(SOUND, channels=3, palette="").raw_bytes(1) == 144 + 6
    np.testing.assert_array_equal(SOUND.colours, [[0, 0, 0], [255, 255, 255]])
    assert replace(SOUND, channels=3, palette="").colours is None


def test_the_dictionary_is_part_of_the_format() -> None:
    assert hashlib.sha256(_DICTIONARY).hexdigest() == "0a43ca5aa85f37645d41cad82f2ccebc2d4f299d5fdd019bb7c7d3cff92c303c"


@pytest.mark.parametrize("name", ["chunks", "contents", "description", "gop", "index"])
def test_annotations_name_what_there_is(name: str) -> None:
    module = import_module(f"hstmae.codec.container.{name}")
    own = [value for value in vars(module).values() if getattr(value, "__module__", "") == module.__name__]
    classes = [value for value in own if inspect.isclass(value)]
    methods = [getattr(m, "__func__", m) for value in classes for m in vars(value).values()]
    for value in (*classes, *filter(inspect.isfunction, (*methods, *own))):
        assert get_type_hints(value) is not None
