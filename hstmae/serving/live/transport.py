"""The WebSockets of the server: an application sees the connection's transport, since one message to a hundred viewers
is written a hundred times as it is, and not made a hundred times."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from ...live.messages import MAX_MESSAGE

WATCHING = "/live/"  # paths whose clients have little to say
_SAYING = 1 << 10  # bytes of a viewer's message
_NOT_SENT = 8 << 10  # bytes that the system may hold back: what waits elsewhere can still be left out


class Connection(WebSocketsSansIOProtocol):
    """As uvicorn's, with `scope["state"]["transport"]`, and smaller limits for those who watch."""

    def handle_text(self, event: Any) -> None:
        """All that is said here is binary, and a text is bytes that make no sense: uvicorn 0.54 fails over one that is
        no UTF-8 where the connection is closing already."""
        self.handle_bytes(event)

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        scope: Any = getattr(self, "scope", None)
        if scope is None:  # refused
            return
        scope["state"]["transport"] = self.transport
        if scope["path"].startswith(WATCHING):
            self.conn.max_message_size = _SAYING
            hold_back(self.transport)


def hold_back(transport: asyncio.Transport) -> None:
    """Have the system take no more than it can send soon."""
    connection = transport.get_extra_info("socket")
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)  # Linux and macOS
    with contextlib.suppress(OSError, AttributeError):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if option is not None:
            connection.setsockopt(socket.IPPROTO_TCP, option, _NOT_SENT)


SETTINGS: dict[str, Any] = {
    "ws": Connection, "ws_max_size": MAX_MESSAGE, "ws_per_message_deflate": False, "ws_ping_interval": 10.0,
    "ws_ping_timeout": 10.0,  # who does not answer is gone
}  # fmt: skip
