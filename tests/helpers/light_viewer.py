"""Viewers that take what a stream sends and decode nothing: many of them fit into one thread."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import os
import struct
import threading
import time
from collections.abc import Iterator
from functools import partial

_GROUP, _FRAME, _END, _DESCRIPTION = 2, 3, 4, 1
_BINARY, _PING, _PONG = 0x82, 0x89, 0x8A


class LightViewer(asyncio.Protocol):
    """Attributes: frames so far; groups: hash of the messages of each complete group, by session and number."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._held = b""
        self._open = False
        self.frames = 0
        self.groups: dict[tuple[int, int], bytes] = {}
        self._epoch = self._number = self._place = 0
        self._hash = hashlib.sha256()
        self._told = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            f"GET /live/{self._name} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        self._held += data
        if not self._open:
            head, found, rest = self._held.partition(b"\r\n\r\n")
            if not found:
                return
            assert b" 101 " in head.split(b"\r\n")[0], head
            self._open, self._held = True, rest
        at = 0
        while len(self._held) - at >= 2:
            size, start = self._held[at + 1], at + 2
            if size == 126:
                if len(self._held) < at + 4:
                    break
                size, start = struct.unpack_from("!H", self._held, at + 2)[0], at + 4
            elif size == 127:
                if len(self._held) < at + 10:
                    break
                size, start = struct.unpack_from("!Q", self._held, at + 2)[0], at + 10
            if len(self._held) < start + size:
                break
            payload = self._held[start : start + size]
            if self._held[at] == _PING:
                self._say(payload, _PONG)
            elif self._held[at] == _BINARY:
                self._take(payload)
            at = start + size
        self._held = self._held[at:]

    def _take(self, message: bytes) -> None:
        kind = message[0]
        if kind == _DESCRIPTION:
            self._epoch, self._number = struct.unpack_from("<I", message, 1)[0], 0
        elif kind == _GROUP:
            self._number, self._place = struct.unpack_from("<I", message, 1)[0], 0
            self._hash = hashlib.sha256()
        elif kind == _FRAME:
            self.frames += 1
            self._place += 1
        if kind in (_GROUP, _FRAME, _END):
            self._hash.update(message)
        if kind == _END:
            self.groups[self._epoch, self._number] = self._hash.digest()
            self._number, self._place = self._number + 1, 0
            for old in list(self.groups)[:-200]:
                del self.groups[old]
        now = time.monotonic()
        if now - self._told > 0.25:
            self._told = now
            self._say(struct.pack("<BIIH", 10, self._epoch, self._number, self._place), _BINARY)

    def _say(self, payload: bytes, opcode: int) -> None:
        mask = b"\1\2\3\4"
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        self._transport.write(bytes([opcode, 0x80 | len(payload)]) + mask + masked)


def _same(viewer: LightViewer) -> LightViewer:
    return viewer


@contextlib.contextmanager
def watching(port: int, name: str, count: int) -> Iterator[list[LightViewer]]:
    """So many of them, in a thread."""
    loop = asyncio.new_event_loop()
    viewers = [LightViewer(name) for _ in range(count)]

    async def connect() -> None:
        for viewer in viewers:
            await loop.create_connection(partial(_same, viewer), "127.0.0.1", port)

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(connect(), loop).result(30)
    try:
        yield viewers
    finally:
        for viewer in viewers:
            loop.call_soon_threadsafe(viewer._transport.close)
        time.sleep(0.1)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
