"""Malformed WebSockets for `hstmae serve`, as kinds of serving_attacks.py: openings, frames, and what they say."""

from __future__ import annotations

import random
import struct

from serving_attacks import REFUSED, Attack, kind, noise, request

_KEY = "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg=="
_UPGRADE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==",
)
_CLOSE = b"\x88\x82\0\0\0\0\x03\xe8"
OPENED = frozenset((101,))


def opening(path: str, port: int, *headers: str, host: str = "") -> bytes:
    return request(f"GET {path} HTTP/1.1", port, *_UPGRADE, *headers, host=host).replace(
        b"Connection: close\r\n", b"", 1
    )


def frame(payload: bytes, opcode: int = 0x82, mask: bytes = b"\1\2\3\4") -> bytes:
    size = len(payload)
    head = bytes([opcode, 0x80 | size]) if size < 126 else struct.pack("!BBH", opcode, 0xFE, size)
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


def _path(rng: random.Random) -> str:
    return rng.choice(
        ("/publish/x", "/live/x", "/publish/a.b", "/live/sample", "/publish/" + "n" * rng.randrange(1, 90))
    )


@kind
def streams_of_foreign_pages(rng: random.Random, port: int) -> Attack:
    origin = rng.choice(
        ("http://evil.example", "null", "file://", f"http://localhost:{port}.evil", "\xff", "http://[::1")
    )
    return Attack(opening(_path(rng), port, f"Origin: {origin}"))


@kind
def streams_of_foreign_names(rng: random.Random, port: int) -> Attack:
    return Attack(opening(_path(rng), port, host=rng.choice(("evil.example", "127.0.0.1.nip.io", "[::1", "a" * 300))))


@kind
def openings_that_are_none(rng: random.Random, port: int) -> Attack:
    whole = opening(_path(rng), port)
    for _ in range(rng.randrange(1, 3)):
        line = rng.choice(_UPGRADE).encode()
        whole = whole.replace(
            line,
            rng.choice((b"", line[: rng.randrange(len(line))] + b"\x80", line + b" " + noise(rng, 40).hex().encode())),
        )
    return Attack(whole, frozenset())


@kind
def streams_with_tricks_in_their_names(rng: random.Random, port: int) -> Attack:
    name = rng.choice(("..", "%2e%2e", "a%20b", "%00", "a/../b", "%ff", "-x", ".x", "n" * 200, ""))
    path = rng.choice(("/publish/", "/live/")) + name
    return Attack(opening(path, port), OPENED | REFUSED | {307}, after=_CLOSE)


@kind
def streams_that_make_no_sense(rng: random.Random, port: int) -> Attack:
    said = b"".join(frame(_message(rng)) for _ in range(rng.randrange(1, 6)))
    return Attack(opening(_path(rng), port), OPENED | REFUSED, after=said + _CLOSE)


def _message(rng: random.Random) -> bytes:
    kinds = bytes([rng.randrange(12)])
    group = b"\x02" + struct.pack("<IIQ", rng.getrandbits(32), rng.getrandbits(32), rng.getrandbits(64))
    described = b"\x01" + struct.pack("<I", rng.getrandbits(32)) + noise(rng, 300)
    return rng.choice(
        (
            b"",
            kinds,
            kinds + noise(rng, 3000),
            group,
            described,
            b"\x06" + b"[" * rng.randrange(1, 3000),
            noise(rng, 60),
        )
    )


@kind
def frames_that_are_none(rng: random.Random, port: int) -> Attack:
    huge = b"\x82\xff" + struct.pack("!Q", rng.choice((1 << 62, 1 << 40, 5 << 20, (1 << 64) - 1))) + b"\0\0\0\0"
    broken = rng.choice(
        (huge, b"\x82\x05hello", b"\xf2\x81\0\0\0\0a", b"\x8f\x80\0\0\0\0", b"\x09\x80\0\0\0\0", noise(rng, 200))
    )
    return Attack(opening(_path(rng), port), OPENED | REFUSED, after=broken + _CLOSE)


@kind
def viewers_who_say_much(rng: random.Random, port: int) -> Attack:
    return Attack(opening("/live/x", port), OPENED, after=frame(noise(rng, 5000), rng.choice((0x81, 0x82))) + _CLOSE)


@kind
def places_that_are_none(rng: random.Random, port: int) -> Attack:
    query = "&".join(
        f"{key}={rng.choice(('-1', 'x', '1e9', '99999999999999999999', '%00', ''))}"
        for key in ("epoch", "group", "frames")
    )
    return Attack(opening(f"/live/x?{query}", port), OPENED, after=_CLOSE)
