"""A TCP proxy that can break, slow and hold what goes through it."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from typing import Any


class Proxy:
    """To 127.0.0.1:`target`, from its own `port`. Context manager.

    Attributes: rate: bytes a second each way, 0 = any; holding: nothing goes through.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self.rate, self.holding = 0, False
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *error: Any) -> None:
        self._listening.close()
        self.reset()

    def reset(self) -> None:
        """Break all connections at once, without a word."""
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    end.shutdown(socket.SHUT_RDWR)
                with contextlib.suppress(OSError):
                    end.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                near.close()
                continue
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self.rate:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            self._pairs.append((near, far))
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=(a, b), daemon=True).start()

    def _pass(self, a: socket.socket, b: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                while self.holding:
                    time.sleep(0.02)
                data = a.recv(1024 if self.rate else 65536)
                if not data:
                    break
                b.sendall(data)
                if self.rate:
                    time.sleep(len(data) / self.rate)
        for end in (a, b):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
