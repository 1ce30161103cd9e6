"""What a film is besides its pictures, and what its packets are decoded with: payload of a FILM chunk."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, replace
from typing import Any

from ...errors import CodecError
from ...film.facts import FilmFacts
from ..container.chunks import MAX_FRAMES

MAX_TEXT = 64 << 20  # bytes of JSON
MAX_EXTRADATA = 1 << 20
_TEXTS = ("codec", "decoder", "tag", "pixel_format", "container", "file", "sha256")
_NUMBERS = {"width": 1 << 16, "height": 1 << 16, "bits": 1 << 10, "size": 1 << 48}


@dataclass(frozen=True)
class FilmHead:
    """One film.

    Attributes:
        codec, decoder, tag, pixel_format, extradata, width, height, bits: what decoding needs; FFmpeg's names.
            `decoder` is the one that was used, another one for the codec will do; `tag` and `bits` (of a coded sample)
            are "" and 0 where they are not stated.
        container: FFmpeg's name of the format of its file.
        file: the file's name.
        size, sha256: bytes of the file and their hash; 0 and "" while it is being read.
        facts: everything else, the times of all frames included.
    """

    codec: str
    decoder: str
    tag: str
    pixel_format: str
    extradata: bytes
    width: int
    height: int
    bits: int
    container: str
    file: str
    facts: FilmFacts
    size: int = 0
    sha256: str = ""

    def pack(self) -> bytes:
        values = {name: getattr(self, name) for name in (*_TEXTS, *_NUMBERS)}
        values |= {"extradata": self.extradata.hex(), "facts": self.facts.to_json()}
        return pack_json(values)


def pack_json(values: dict[str, Any]) -> bytes:
    """zlib-packed JSON."""
    return zlib.compress(json.dumps(values, sort_keys=True, separators=(",", ":")).encode(), 9)


def _unpacked(payload: bytes) -> Any:
    inflater = zlib.decompressobj()
    text = inflater.decompress(payload, MAX_TEXT + 1)
    if len(text) > MAX_TEXT or not inflater.eof:
        raise ValueError("too long, or cut off")
    return json.loads(text)


def _facts(values: Any) -> FilmFacts:
    """Raises as FilmFacts.from_json; the number of times is looked at before they are unfolded."""
    if sum(int(count) for _, count in values.get("times", ())) > MAX_FRAMES:
        raise ValueError("more frames than there can be")
    facts = FilmFacts.from_json(values)
    if facts.time_base <= 0 or not all(isinstance(value, int) for value in (*facts.times, facts.width, facts.height)):
        raise ValueError("impossible times")
    facts.to_json()  # what of it is of another kind shows here
    return facts


_ERRORS = (KeyError, TypeError, ValueError, ArithmeticError, AttributeError, RecursionError, zlib.error)


def unpack_head(payload: bytes) -> FilmHead:
    """What `FilmHead.pack` packed. Raises CodecError where it makes no sense, or is beyond a limit."""
    try:
        values = _unpacked(payload)
        texts = {name: values[name] for name in _TEXTS}
        numbers = {name: values[name] for name in _NUMBERS}
        extradata = bytes.fromhex(values["extradata"])
        if not all(isinstance(text, str) and len(text) < 2000 for text in texts.values()):
            raise ValueError("impossible names")
        if not all(type(n) is int and 0 <= n < _NUMBERS[name] for name, n in numbers.items()):
            raise ValueError("impossible numbers")
        if len(extradata) > MAX_EXTRADATA:
            raise ValueError("extradata beyond the limit")
        return FilmHead(**texts, **numbers, extradata=extradata, facts=_facts(values["facts"]))
    except _ERRORS as error:
        raise CodecError(f"senseless description of a film ({error!r})") from None


def unpack_facts(payload: bytes) -> FilmFacts:
    """Payload of a FACTS chunk, which `pack_json` of a film's facts made. Raises CodecError as `unpack_head`."""
    try:
        return _facts(_unpacked(payload))
    except _ERRORS as error:
        raise CodecError(f"senseless facts of a film ({error!r})") from None


def finished(head: FilmHead, size: int, sha256: str) -> FilmHead:
    """The head of a film whose file has been read to its end."""
    return replace(head, size=size, sha256=sha256)
