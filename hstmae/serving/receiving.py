"""Takes what browsers send: bodies of a bounded size that come fast enough, and heads that come at all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..errors import HstError

HEAD = 20.0  # seconds that a request's head may take to come
SILENT = 30.0  # seconds without a byte of a body ...
SLOWEST = 4 << 10  # ... and bytes a second that come on the average, after that time


class RefusedError(HstError):
    """A request that is not served: its HTTP status and why."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class PromptProtocol(H11Protocol):
    """uvicorn's, which closes connections whose next head has begun, or should have, and does not end."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._expect()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._expect()
        elif self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Of a request whose body is none, whoever answers it is told that nobody listens any more."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:  # it is answered already
            self.transport.close()

    def _expect(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(HEAD, self._late)

    def _late(self) -> None:
        self._timer = None
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self.transport.close()


async def receive(path: Path, size: int | None, body: AsyncIterator[bytes], most: int) -> None:
    """Write a body to a file, whole or not at all.

    Args:
        size: what the request says of it; most: bytes that it may have.
    Raises:
        RefusedError: it is empty, too large or too slow.
    """
    if size is not None and size > most:
        raise RefusedError(413, f"the file is larger than {most >> 20} MB")
    part, got, since = path.with_name(path.name + ".part"), 0, time.monotonic()
    try:
        with part.open("wb") as file:
            while (piece := await _next(body)) is not None:
                got += len(piece)
                if got > most:
                    raise RefusedError(413, f"the file is larger than {most >> 20} MB")
                seconds = time.monotonic() - since
                if seconds > SILENT and got < SLOWEST * seconds:
                    raise RefusedError(408, "it comes too slowly; try again over a faster line")
                await asyncio.to_thread(file.write, piece)
        if got == 0:
            raise RefusedError(400, "the file is empty")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


async def _next(body: AsyncIterator[bytes]) -> bytes | None:
    """The next piece of a body; None at its end."""
    try:
        return await asyncio.wait_for(anext(body), SILENT)
    except StopAsyncIteration:
        return None
    except asyncio.TimeoutError:
        raise RefusedError(408, f"nothing of it came for {SILENT:.0f} seconds; try again") from None
