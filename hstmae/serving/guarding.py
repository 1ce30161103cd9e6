"""What stands before every answer: only known host names are answered, and browsers are told what a page may do."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; "
    "connect-src 'self' blob:; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_HOST = re.compile(r"(?:\[(?P<address>[0-9a-f:.]+)\]|(?P<name>[a-z0-9._-]+))(?::[0-9]+)?")
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def host_of(header: str) -> str:
    """The host without its port: "localhost:8000" -> "localhost", "[::1]:8000" -> "::1"; "" where it is none."""
    found = _HOST.fullmatch(header.strip().lower())
    return (found["address"] or found["name"].rstrip(".")) if found else ""


class Guard:
    """Refuses requests for hosts that are not `allowed`, so that a foreign page cannot reach this server through a name
    of its own that leads here (DNS rebinding); sets the headers of all other answers.

    Args:
        app: what answers.
        allowed: names and addresses; "*" alone: any.
        addresses: whether any IP address will do, which no foreign page can take.
    """

    def __init__(self, app: ASGIApp, allowed: Iterable[str], addresses: bool) -> None:
        self._app, self._allowed, self._addresses = app, {name.lower() for name in allowed}, addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            raise ValueError(f"a request of type {scope['type']!r}, which nothing here answers")
        given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        host = host_of(given[0]) if len(given) == 1 else ""

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if self._may(host):
            await self._app(scope, receive, guarded)
        else:
            text = f"This server does not answer to the name {host!r}; `hstmae serve --allow-host` names it.\n"
            await PlainTextResponse(text, 421)(scope, receive, guarded)

    def _may(self, host: str) -> bool:
        if "*" in self._allowed or host in self._allowed:
            return True
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return False
        return self._addresses
