"""The web page: what it is made of, the bundled session, the tables of the codec, and a folder of sessions."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from ..bundled import SAMPLES
from ..codec.lossless.tables import FOLDER as TABLES
from ..codec.lossless.tables import load_tables
from .guarding import LOOPBACK, Guard
from .jobs import Jobs
from .listing import Folder, url_of
from .live.streams import Streams
from .restoring import routes as routes_of_restoring

STATIC = Path(__file__).with_name("static")
PICTURE = SAMPLES / "sample_masked.png"
SAMPLE, SAMPLE_FRAMES = SAMPLES / "sample_session.hst", 96
_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".wasm": "application/wasm",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
}
_HST = "application/octet-stream"
_ASK_AGAIN, _FOR_EVER = "no-cache", "public, max-age=31536000, immutable"


def application(
    folder: Folder | None = None, allowed: Iterable[str] = (), addresses: bool = False, jobs: Jobs | None = None,
    streams: Streams | None = None, token: str = "",
) -> Starlette:  # fmt: skip
    """Everything that `hstmae serve` answers, as an ASGI application.

    Args:
        folder: sessions to show; None = no folder.
        allowed: host names to answer to, besides those of this machine.
        addresses: also answer to any IP address, as a server must that others reach.
        jobs: who restores uploads; None = nobody does.
        streams: what is published and watched; None = nothing is.
        token: what visitors have to show, see `Guard`.
    """
    static = {path.name: path for path in STATIC.iterdir() if path.suffix in _TYPES}
    tables = {path.name: path for path in TABLES.glob("*.tables")}

    def page(request: Request) -> Response:
        return _file(static["restore.html" if request.url.path == "/restore.html" else "index.html"], _TYPES[".html"])

    def part(request: Request) -> Response:
        path = static.get(request.path_params["name"])
        return _file(path, _TYPES[path.suffix]) if path is not None else _nothing()

    def table(request: Request) -> Response:
        path = tables.get(request.path_params["name"])
        if path is None:
            return _nothing()
        known = request.url.query and load_tables(path).sha256.startswith(request.url.query)
        return _file(path, _HST, _FOR_EVER if known else _ASK_AGAIN)

    def sample(request: Request) -> Response:
        return _file(SAMPLE, _HST)

    def picture(request: Request) -> Response:
        return _file(PICTURE, "image/png")

    def sessions(request: Request) -> Response:
        bundled = {"url": SAMPLE.name, "bytes": SAMPLE.stat().st_size, "frames": SAMPLE_FRAMES}
        listed, left_out = folder.files() if folder is not None else ([], 0)
        files = [{"name": name, "url": url_of(name), "bytes": size} for name, size in listed]
        shown: dict[str, Any] = {
            "restores": jobs is not None,
            "bundled": bundled,
            "files": files if folder is not None else None,
            "left_out": left_out,
        }
        return JSONResponse(shown, headers={"Cache-Control": "no-store"})

    def session(request: Request) -> Response:
        path = folder.find(request.path_params["name"]) if folder is not None else None
        return _file(path, _HST) if path is not None else _nothing()

    routes = [
        Route("/", page),
        Route("/restore.html", page),
        Route("/static/tables/{name}", table),
        Route("/static/{name}", part),
        Route(f"/{SAMPLE.name}", sample),
        Route(f"/{PICTURE.name}", picture),
        Route("/sessions.json", sessions),
        Route("/files/{name:path}", session),
        *(routes_of_restoring(jobs) if jobs is not None else ()),
        *(streams.routes() if streams is not None else ()),
    ]
    guard = Middleware(Guard, allowed=(*LOOPBACK, *allowed), addresses=addresses, token=token)
    return Starlette(routes=routes, middleware=[guard])


def _file(path: Path, kind: str, cache: str = _ASK_AGAIN) -> Response:
    """The file, or the part of it that is asked for."""
    return FileResponse(path, media_type=kind, headers={"Cache-Control": cache})


def _nothing() -> Response:
    raise HTTPException(404)
