"""A server of sessions in a thread, which counts what it sends."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest


@dataclass
class Served:
    """Attributes: port; sent: (path, bytes of its body) of each answer."""

    port: int = 0
    sent: list[tuple[str, int]] = field(default_factory=list)
    stop: Callable[[], object] = lambda: None  # at once; what leaving the context does

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of a request whose path is sent as it is."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with contextlib.closing(connection):
            connection._validate_path = lambda path: None  # type: ignore[attr-defined] # what a browser would not send
            connection.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name.replace("_", "-"), value)
            connection.endheaders()
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()


@contextlib.contextmanager
def serving(files: Path | None = None, port: int = 0, **options: Any) -> Iterator[Served]:
    uvicorn = pytest.importorskip("uvicorn", reason='the extra "serve" is needed')
    from hstmae.serving.app import application
    from hstmae.serving.listing import Folder
    from hstmae.serving.live.transport import SETTINGS
    from hstmae.serving.receiving import PromptProtocol

    app, found = application(Folder(files) if files else None, **options), Served()

    async def counted(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        sent = 0

        async def count(message: Any) -> None:
            nonlocal sent
            sent += len(message.get("body", b""))
            await send(message)

        await app(scope, receive, count)
        found.sent.append((scope["path"], sent))

    with socket.create_server(("127.0.0.1", port)) as listening:
        found.port = listening.getsockname()[1]
        settings = uvicorn.Config(counted, log_level="error", lifespan="off", http=PromptProtocol, **SETTINGS)
        server = uvicorn.Server(settings)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.01)

        def stop() -> None:
            server.should_exit = server.force_exit = True
            thread.join(10)
            listening.close()

        found.stop = stop
        try:
            yield found
        finally:
            stop()
