"""All streams of a server: who may publish and watch them, and what is said of them to whoever measures."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import time
from collections import Counter
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from ...errors import CodecError
from ...live.messages import BEAT_EVERY, GONE_AFTER, HAVE, NAME, Place, unpack
from ..guarding import bearer_of
from .channel import Channel
from .metrics import exposition
from .viewer import Viewer

MOST_STREAMS, MOST_VIEWERS, MOST_OF_ONE = 64, 2000, 500  # streams, viewers in all, viewers of one address
NO_STREAM, NOT_ALLOWED, IN_USE, SENSELESS, CROWDED = 4404, 4401, 4409, 4400, 4429  # codes of a WebSocket's close
_TELL_EVERY = 7  # looks: about two seconds


class Streams:
    """Args:
    records: folder that sessions are written into while they are watched; None = they are not kept.
    token: what publishers have to show; "" = nothing; None = nobody may publish.
    """

    def __init__(self, records: Path | None = None, token: str | None = "") -> None:
        self.channels: dict[str, Channel] = {}
        self._records, self._token = records, token
        self._looking: asyncio.Task[None] | None = None
        self._addresses: Counter[str] = Counter()

    def routes(self) -> list[BaseRoute]:
        return [
            WebSocketRoute("/publish/{name}", self._publish),
            WebSocketRoute("/live/{name}", self._watch),
            Route("/live.json", self._list),
            Route("/metrics", self._metrics),
        ]

    def close(self) -> None:
        """Complete the files."""
        for channel in self.channels.values():
            channel.end_recording()

    async def _list(self, request: Request) -> Response:
        shown = [channel.to_json() for _, channel in sorted(self.channels.items())]
        return JSONResponse({"streams": shown}, headers={"Cache-Control": "no-store"})

    async def _metrics(self, request: Request) -> Response:
        return PlainTextResponse(exposition(self.channels.values()), media_type="text/plain; version=0.0.4")

    async def _publish(self, websocket: WebSocket) -> None:
        await websocket.accept()
        channel = await self._channel(websocket, make=True)
        if channel is None:
            return
        me = channel.publishing = websocket.scope["state"]["transport"]
        channel.heard = time.monotonic()
        try:
            have = channel.log.place
            await websocket.send_bytes(Place(have.epoch, have.group, have.frames, HAVE).pack())
            while channel.publishing is me:
                message = await websocket.receive()
                if message["type"] == "websocket.disconnect":
                    return
                if channel.publishing is me:  # nobody else took over since
                    channel.publish(message.get("bytes") or b"")
            await websocket.close(IN_USE, "another publisher took this stream over")
        except CodecError as error:
            await _refuse(websocket, SENSELESS, str(error))
        finally:
            if channel.publishing is me:
                channel.publishing = None
                channel.beat()

    async def _channel(self, websocket: WebSocket, make: bool) -> Channel | None:
        """The stream that is meant; None where it was refused."""
        name = websocket.path_params["name"]
        if make and not self._may_publish(websocket):
            why = "the token is missing or wrong" if self._token else "nobody may publish here (serve --publish-token)"
            return await self._refused(websocket, NOT_ALLOWED, why)
        if not NAME.fullmatch(name):
            return await self._refused(websocket, NO_STREAM, "a stream's name has letters, digits and ._- (64 at most)")
        channel = self.channels.get(name)
        if channel is None and not make:
            return await self._refused(websocket, NO_STREAM, f"there is no stream {name!r}")
        if channel is None:
            self._forget()
            if len(self.channels) >= MOST_STREAMS:
                return await self._refused(websocket, CROWDED, f"there are {MOST_STREAMS} streams already")
            channel = self.channels[name] = Channel(name, self._records)
        elif make and channel.there and time.monotonic() - channel.heard < GONE_AFTER:
            return await self._refused(websocket, IN_USE, f"the stream {name!r} is being published by another")
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        return channel

    async def _refused(self, websocket: WebSocket, code: int, why: str) -> Channel | None:
        await _refuse(websocket, code, why)
        return None

    def _may_publish(self, websocket: WebSocket) -> bool:
        if self._token is None:
            return False
        return not self._token or hmac.compare_digest(bearer_of(websocket.headers).encode(), self._token.encode())

    def _forget(self) -> None:
        """Streams that nobody publishes and nobody watches give way to others."""
        for name in [n for n, c in self.channels.items() if not c.there and not c.viewers and not c.recording]:
            if len(self.channels) >= MOST_STREAMS:
                del self.channels[name]

    async def _watch(self, websocket: WebSocket) -> None:
        await websocket.accept()
        address = websocket.client.host if websocket.client else ""
        channel = await self._channel(websocket, make=False)
        if channel is None:
            return
        if sum(self._addresses.values()) >= MOST_VIEWERS or self._addresses[address] >= MOST_OF_ONE:
            await _refuse(websocket, CROWDED, "too many watch already")
            return
        try:
            place = Place(*(int(websocket.query_params.get(key, 0)) for key in ("epoch", "group", "frames")))
        except ValueError:
            await _refuse(websocket, SENSELESS, "a place that is no number")
            return
        viewer = Viewer(websocket.scope["state"]["transport"])
        self._addresses[address] += 1
        try:
            channel.join(viewer, place)
            while True:
                message = await websocket.receive()
                if message["type"] == "websocket.disconnect":
                    return
                told = unpack(message.get("bytes") or b"")
                if not isinstance(told, Place):
                    raise CodecError("viewers tell how far they are, and nothing else")
                viewer.acknowledge(told, time.monotonic())
        except CodecError as error:
            await _refuse(websocket, SENSELESS, str(error))
        finally:
            channel.leave(viewer)
            self._addresses[address] -= 1
            if not self._addresses[address]:
                del self._addresses[address]

    async def _look(self) -> None:
        turn = 0
        while True:
            await asyncio.sleep(BEAT_EVERY)
            turn += 1
            for channel in self.channels.values():
                channel.look(time.monotonic())
                if turn % _TELL_EVERY == 0:
                    channel.tell()


async def _refuse(websocket: WebSocket, code: int, why: str) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        await websocket.close(code, why.encode()[:120].decode(errors="ignore"))
