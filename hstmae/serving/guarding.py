"""What stands before every answer: only known host names are answered, only those who may watch, and browsers are told
what a page may do."""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
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
PUBLISHING = "/publish/"
_COOKIE, _KEPT = "hst-token", 30 * 86400  # seconds that a browser keeps a token


def host_of(header: str) -> str:
    """The host without its port: "localhost:8000" -> "localhost", "[::1]:8000" -> "::1"; "" where it is none."""
    found = _HOST.fullmatch(header.strip().lower())
    return (found["address"] or found["name"].rstrip(".")) if found else ""


def bearer_of(headers: Headers) -> str:
    """The token of a header "Authorization: Bearer TOKEN"; "" where there is none."""
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def _same_page(scope: Scope, host: str) -> bool:
    """Whether a WebSocket is opened by a page of this server, or by no browser at all."""
    origins = [value.decode("latin-1") for name, value in scope["headers"] if name == b"origin"]
    if not origins:
        return True
    try:
        return len(origins) == 1 and urlsplit(origins[0]).netloc.lower() == host.strip().lower()
    except ValueError:
        return False


class Guard:
    """Refuses requests for hosts that are not `allowed`, so that a foreign page cannot reach this server through a name
    of its own that leads here (DNS rebinding); sets the headers of all other answers.

    Args:
        app: what answers.
        allowed: names and addresses; "*" alone: any.
        addresses: whether any IP address will do, which no foreign page can take.
        token: what visitors have to show, as `?token=`, which browsers keep in a cookie, or in a header
            "Authorization: Bearer"; "" = nothing. Publishers have one of their own.
    """

    def __init__(self, app: ASGIApp, allowed: Iterable[str], addresses: bool, token: str = "") -> None:
        self._app, self._allowed, self._addresses = app, {name.lower() for name in allowed}, addresses
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        host = host_of(given[0]) if len(given) == 1 else ""
        if scope["type"] == "websocket":
            if self._may(host) and _same_page(scope, given[0]) and self._may_watch(HTTPConnection(scope)):
                await self._app(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 4403, "reason": ""})  # before it was opened: 403
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if not self._may(host):
            text = f"This server does not answer to the name {host!r}; `hstmae serve --allow-host` names it.\n"
            await PlainTextResponse(text, 421)(scope, receive, guarded)
            return
        visitor = HTTPConnection(scope)
        if not self._may_watch(visitor):
            text = "This server wants a token: add ?token=... to the address.\n"
            await PlainTextResponse(text, 401)(scope, receive, guarded)
        elif self._token and "token" in visitor.query_params and scope["method"] in ("GET", "HEAD"):
            await self._keep(visitor)(scope, receive, guarded)
        else:
            await self._app(scope, receive, guarded)

    def _may_watch(self, visitor: HTTPConnection) -> bool:
        if not self._token or visitor.url.path.startswith(PUBLISHING):
            return True
        shown = (bearer_of(visitor.headers), visitor.query_params.get("token", ""), visitor.cookies.get(_COOKIE, ""))
        return any(hmac.compare_digest(one.encode(), self._token.encode()) for one in shown)

    def _keep(self, visitor: HTTPConnection) -> Response:
        """Have the browser keep the token, and show the address without it."""
        rest = [(key, value) for key, value in parse_qsl(visitor.url.query) if key != "token"]
        answer = RedirectResponse(visitor.url.path + ("?" + urlencode(rest) if rest else ""), 303)
        secure = visitor.url.scheme == "https"
        answer.set_cookie(_COOKIE, self._token, max_age=_KEPT, httponly=True, samesite="strict", secure=secure)
        return answer

    def _may(self, host: str) -> bool:
        if "*" in self._allowed or host in self._allowed:
            return True
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return False
        return self._addresses
