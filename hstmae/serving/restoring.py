"""What the page asks of restoring, as routes: upload, mask, start, progress, result, removal."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from .jobs import Jobs
from .receiving import RefusedError

_KIND = {
    ".png": "image/png", ".bmp": "image/bmp", ".webp": "image/webp", ".gif": "image/gif", ".apng": "image/apng",
    ".mp4": "video/mp4", ".webm": "video/webm",
}  # fmt: skip
_SHOWN = re.compile(r"[0-9]{3}-(before|after|error|confidence)")  # pictures of some frames, see `looking`
_OPTIONS = 4096  # bytes
_FRESH = {"Cache-Control": "no-store"}
Answer = Callable[[Request], Awaitable[Response]]


def routes(jobs: Jobs) -> list[Route]:
    """The routes, below /restore."""

    async def create(request: Request) -> Response:
        number = await jobs.create(request.query_params.get("name", ""), _size(request), request.stream())
        return JSONResponse({"job": number}, 201, headers=_FRESH)

    async def paint(request: Request) -> Response:
        await jobs.paint(request.path_params["job"], _size(request), request.stream())
        return Response(status_code=204)

    async def start(request: Request) -> Response:
        options = await _options(request)
        words = {name: str(options.get(name, usual)) for name, usual in (("mode", "psnr"), ("state", "auto"))}
        jobs.start(
            request.path_params["job"],
            words["mode"],
            words["state"],
            options.get("detect") is True,
            options.get("mask") is not False,
        )
        return JSONResponse(jobs.told(request.path_params["job"]), 202, headers=_FRESH)

    async def told(request: Request) -> Response:
        return JSONResponse(jobs.told(request.path_params["job"]), headers=_FRESH)

    async def stop(request: Request) -> Response:
        jobs.stop(request.path_params["job"])
        return Response(status_code=204)

    async def remove(request: Request) -> Response:
        jobs.find(request.path_params["job"])
        jobs.remove(request.path_params["job"])
        return Response(status_code=204)

    async def result(request: Request) -> Response:
        job = jobs.find(request.path_params["job"])
        part = request.path_params["part"]
        named = {"input": job.source, "mask": job.mask, "result": job.result}
        named |= {name: job.folder / f"{name}.png" for name in ("frame", "found")}
        wanted = job.folder / f"{part}.png" if _SHOWN.fullmatch(part) else named[part]
        if not wanted.is_file() or (job.stage != "done" and (wanted == job.result or _SHOWN.fullmatch(part))):
            raise RefusedError(404, "it is not there (yet)")
        kind = _KIND.get(wanted.suffix, "application/octet-stream")
        name = wanted.name if "download" in request.query_params else None
        return FileResponse(wanted, media_type=kind, filename=name, headers=_FRESH)

    return [
        Route("/restore", guarded(create), methods=["POST"]),
        Route("/restore/{job}/mask", guarded(paint), methods=["PUT"]),
        Route("/restore/{job}/start", guarded(start), methods=["POST"]),
        Route("/restore/{job}/stop", guarded(stop), methods=["POST"]),
        Route("/restore/{job}", guarded(told), methods=["GET"]),
        Route("/restore/{job}", guarded(remove), methods=["DELETE"]),
        Route("/restore/{job}/{part:str}", guarded(result), methods=["GET"]),
    ]


def guarded(answer: Answer) -> Answer:
    """An answer that only this server's own pages get; what is refused is said in JSON."""

    async def asked(request: Request) -> Response:
        origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site", "same-origin")
        own = origin is None or origin.partition("://")[2] == request.headers.get("host")
        if not own or site not in ("same-origin", "none"):
            return JSONResponse({"error": "only pages of this server may do that"}, 403)
        try:
            return await answer(request)
        except RefusedError as refused:
            return JSONResponse({"error": str(refused)}, refused.status, headers=_FRESH)
        except ClientDisconnect:
            return Response(status_code=400)
        except KeyError:
            return JSONResponse({"error": "there is nothing of this name"}, 404)
        except OSError as error:  # a full disk
            return JSONResponse({"error": error.strerror or "it cannot be written"}, 507)

    return asked


def _size(request: Request) -> int | None:
    """What the head says of the body's bytes."""
    text = request.headers.get("content-length", "")
    return int(text) if text.isdecimal() and len(text) < 19 else None


async def _options(request: Request) -> dict[str, Any]:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _OPTIONS:
            raise RefusedError(413, "options are too long")
    try:
        options = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        options = None
    if not isinstance(options, dict):
        raise RefusedError(400, "options must be an object in JSON")
    return options
