"""A description of an episode, and chunks by hand, for tests of the container."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from typing import Any

import numpy as np

from hstmae.codec.container.description import Description
from hstmae.codec.container.group_chunks import pack_gop
from hstmae.codec.container.text import _DICTIONARY

SOUND = Description(
    name="a",
    game="smb",
    height=6,
    width=8,
    channels=1,
    palette="000000ffffff",
    state=5,
    actions=1,
    profile="plain",
    tables="plain-1",
    tables_sha256="00",
    gop=4,
    streams=("ACTN", "PICT", "STAT"),
    fps=60.0988,
    level="1-1",
    outcome="win",
    frames=9,
    notes=(("repaired", 3),),
    problems=(("f.png", "broken", True),),
)


def packed(value: object) -> bytes:
    """The payload of an EPISODE chunk: JSON, or the text itself."""
    packer = zlib.compressobj(9, zdict=_DICTIONARY)
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return packer.compress(text) + packer.flush()


def description_chunk(number: int, **change: Any) -> bytes:
    return replace(SOUND, **change).pack(number)


def group_chunk(number: int, first: int, frames: int = 4, fill: bytes = b"x") -> bytes:
    return pack_gop(SOUND, number, first, np.arange(first, first + frames, dtype=np.int32), {"PICT": fill}, b"")
