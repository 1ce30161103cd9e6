"""Runs the server until it is told to end."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from ..errors import UsageError
from .app import application
from .guarding import LOOPBACK
from .jobs import Jobs
from .listing import Folder
from .live.streams import Streams
from .live.transport import SETTINGS
from .receiving import PromptProtocol

_CONNECTIONS = 2500  # more at once are answered with 503
_IDLE = 10  # seconds that a connection without a request is kept
_HEADERS = 16 << 10  # bytes of a request's head


@dataclass(frozen=True)
class Serving:
    """What a server does.

    Attributes:
        files: folder whose sessions are listed.
        allowed: names that it answers to, besides its own.
        restores: whether uploads are restored.
        records: whether what is published is kept, in `files`.
        publish_token: what publishers have to show; "" = nothing where only this machine reaches the server, elsewhere
            nobody may publish.
        view_token: what visitors have to show; "" = nothing.
    """

    files: Path | None = None
    allowed: tuple[str, ...] = ()
    restores: bool = True
    records: bool = False
    publish_token: str = ""
    view_token: str = ""


def serve(host: str, port: int, what: Serving) -> int:
    """Answer at `host`:`port` until Ctrl-C or SIGTERM; 0.

    Raises:
        DataError: `what.files` is no folder.
        UsageError: the address cannot be listened at.
    """
    files, restores = what.files, what.restores
    folder = Folder(files) if files is not None else None
    with contextlib.closing(_listening(host, port)) as listening, contextlib.ExitStack() as stack:
        address, port = listening.getsockname()[:2]
        jobs = None
        if restores:
            jobs = Jobs(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hstmae-serve-"))))
            stack.callback(jobs.close)
        addresses = not ipaddress.ip_address(address).is_loopback
        token = what.publish_token or (None if addresses else "")
        streams = Streams(files if what.records else None, token)
        stack.callback(streams.close)
        app = application(folder, (host, *what.allowed), addresses, jobs, streams, what.view_token)
        settings = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, lifespan="off", http=PromptProtocol,
            limit_concurrency=_CONNECTIONS, timeout_keep_alive=_IDLE, h11_max_incomplete_event_size=_HEADERS,
            timeout_graceful_shutdown=2, **SETTINGS,
        )  # fmt: skip
        shown = f"[{host}]" if ":" in host else host
        print(f"serving at http://{shown}:{port}/  (Ctrl-C ends)", flush=True)
        if host not in LOOPBACK:
            more = ", and have uploads restored" if restores else ""
            print(f"  anyone who reaches this address can see its sessions{more}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):  # which uvicorn raises again when it has ended
            uvicorn.Server(settings).run(sockets=[listening])
    return 0


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=128)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(
            f"cannot listen at {host!r}, port {port}: {reason}; choose another --port, or an address of this machine"
        ) from None
