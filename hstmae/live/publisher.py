"""Sends a stream to a server, from a thread of its own: whoever makes the frames never waits for the network."""

from __future__ import annotations

import contextlib
import importlib.util
import threading
import time
from collections import deque
from typing import Any
from urllib.parse import urlsplit

from ..errors import CodecError, UsageError
from .log import Log
from .messages import BEAT_EVERY, HAVE, NAME, Beat, Described, Message, Place, unpack

_FINAL = {4400, 4401, 4404, 4429}  # codes after which it is no use to try again
_IN_USE = 4409  # tried again: a publisher that was cut off is found out after a second
_RETRY = (0.1, 0.2, 0.4, 0.8, 1.5)  # seconds
_WHILE_IN_USE = 5.0  # seconds


def address_of(url: str, doing: str) -> str:
    """The WebSocket address of "http://host:port/NAME" for `doing` "publish" or "live". Raises UsageError."""
    try:
        parts = urlsplit(url)
        host = bool(parts.hostname) and (parts.port or True)
    except ValueError:
        parts, host = urlsplit(""), False
    scheme = {"http": "ws", "ws": "ws", "https": "wss", "wss": "wss"}.get(parts.scheme)
    pieces = [piece for piece in parts.path.split("/") if piece]
    if pieces[:-1] and pieces[-2] in ("live", "publish"):
        del pieces[-2]
    if scheme is None or not host or parts.username or parts.query or parts.fragment:
        raise UsageError(f"{url}: expected the address of a stream, like http://127.0.0.1:8000/NAME")
    if not pieces or not NAME.fullmatch(pieces[-1]):
        raise UsageError(
            f"{url}: a stream's name has letters, digits and ._- (64 at most), e.g. http://host:8000/mario"
        )
    return f"{scheme}://{parts.netloc}/{'/'.join([*pieces[:-1], doing, pieces[-1]])}"


def needed() -> None:
    """Raises UsageError where what connects is not installed."""
    if importlib.util.find_spec("websockets") is None:
        raise UsageError('streaming needs the extra "serve": pip install "hstmae[serve]"')


def connect(address: str, token: str, **options: Any) -> Any:
    """A WebSocket of the `websockets` library. Raises what that raises."""
    from websockets.sync.client import connect as open_

    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return open_(
        address, additional_headers=headers, compression=None, open_timeout=5, close_timeout=0.1, ping_interval=None,
        proxy=None, **options,
    )  # fmt: skip


class Publisher:
    """Keeps a connection to a server, connects again when it is lost, and sends what was added, or what of it is still
    of use: a network that is too slow leaves groups out.

    Args:
        url: of the stream.
        token: what the server wants to see.
    Attributes:
        connected; connections: how often there was one.
        failure: why it has given up; "" while it has not.
    Raises:
        UsageError: no such address, or what connects is not installed.
    """

    def __init__(self, url: str, token: str = "") -> None:
        self._address, self._token = address_of(url, "publish"), token
        needed()
        self._log, self._extra = Log(), deque[bytes]()
        self._more = threading.Condition()
        self._sent = Place(0, 0, 0)
        self._closing = self.connected = False
        self.connections = 0
        self.failure = ""
        self._thread = threading.Thread(target=self._run, name="hstmae-publisher", daemon=True)
        self._thread.start()

    def add(self, message: Message) -> None:
        """Send a message; those that belong to no group as soon as may be. Where the server has refused the stream
        (`failure` says why) nothing is sent any more."""
        if self.failure:
            return
        packed = message.pack()
        if isinstance(message, Described):
            self.wait(0.25)  # for the end of the session before
        with self._more:
            try:
                self._log.add(message, packed)
            except CodecError:
                self._extra.append(packed)
            self._more.notify()

    def wait(self, seconds: float) -> bool:
        """Until all is sent, while there is a connection; whether it was."""
        end = time.monotonic() + seconds
        with self._more:
            while self._extra or self._sent != self._log.place:
                left = end - time.monotonic()
                if left <= 0 or self.failure or not self.connected:
                    return False
                self._more.wait(min(left, 0.05))
        return True

    def close(self) -> None:
        """Send what is there, for two seconds at most, and end."""
        self.wait(2.0)
        with self._more:
            self._closing = True
            self._more.notify()
        self._thread.join(3.0)

    def _run(self) -> None:
        tries, refused_since = 0, None
        while not self._closing:
            code = self._session()
            if code in _FINAL or self.failure:
                return
            if self.connections and self.connected:
                tries, refused_since = 0, None
            self.connected = False
            if code == _IN_USE:
                refused_since = refused_since or time.monotonic()
                if time.monotonic() - refused_since > _WHILE_IN_USE:
                    self.failure = "the stream is being published by another: choose another name"
                    return
            with self._more:
                if not self._closing:
                    self._more.wait_for(lambda: self._closing, _RETRY[min(tries, len(_RETRY) - 1)])
            tries += 1

    def _session(self) -> int:
        """One connection; the code that it was closed with, 0 where there was none."""
        from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

        try:
            with connect(self._address, self._token) as socket:
                have = unpack(socket.recv(timeout=5))
                if not isinstance(have, Place) or have.kind != HAVE:
                    raise CodecError("the server does not say what it has: is it of another version?")
                with self._more:
                    self._sent, self.connected = have, True
                    self.connections += 1
                self._send_all(socket)
                return 0
        except ConnectionClosed as error:
            code = error.rcvd.code if error.rcvd else 0
            if code in _FINAL:
                self.failure = f"the server refuses the stream: {error.rcvd.reason if error.rcvd else ''}"
            return code
        except InvalidStatus as error:
            if error.response.status_code < 500:
                self.failure = f"the server does not take streams here ({error.response.status_code})"
        except CodecError as error:
            self.failure = str(error)
        except (OSError, TimeoutError, EOFError, WebSocketException):
            pass
        return 0

    def _rest(self) -> tuple[list[bytes], Place, list[bytes]]:
        """What is to be sent: of the stream, how far it then has come, and besides."""
        place = self._log.place
        return [] if place == self._sent else self._log.since(self._sent), place, list(self._extra)

    def _send_all(self, socket: Any) -> None:
        while True:
            with self._more:
                waiting, place, extra = self._rest()
                if not waiting and not extra:
                    if self._closing:
                        return
                    self._more.wait(BEAT_EVERY)
                    waiting, place, extra = self._rest()
            for message in waiting:
                socket.send(message)
            for message in extra:
                socket.send(message)
            if not waiting and not extra:
                socket.send(Beat(time.time_ns() // 1000).pack())
            with self._more:
                self._sent = place
                for _ in extra:
                    self._extra.popleft()
                self._more.notify_all()
            with contextlib.suppress(TimeoutError):
                socket.recv(timeout=0)  # a server that closes says why: that is raised here
