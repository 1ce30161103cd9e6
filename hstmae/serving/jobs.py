"""Restoring for the page: one upload at a time goes through `hstmae restore`, in a process of its own with limits.

Each job has a folder of its own under a temporary one; what browsers call their files is used for the ending alone. A
job is found by a number that cannot be guessed, and is gone, with all its files, an hour after it was last touched.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import HstError

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
FILMS = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".gif", ".apng")
UPLOAD, MASK = 512 << 20, 32 << 20  # bytes
JOBS, WAITING = 16, 8  # at hand, and of these in the queue
KEPT = 3600.0  # seconds after a job was last touched
DEADLINE = 3600.0  # seconds of a run
_WRITTEN = 4 << 30  # bytes that a run may write to one file
_MODES = ("psnr", "exact")
_PERCENT, _BAR = re.compile(rb"([a-z ]+):\s+(\d+)%\|"), 4096
# So that the result is one that browsers can show beside what was uploaded.
_RESULT = {
    **dict.fromkeys((".jpg", ".jpeg", ".tif", ".tiff"), ".png"),
    **dict.fromkeys((".mov", ".avi", ".mkv"), ".mp4"),
}
Command = tuple[str, ...]


class RefusedError(HstError):
    """A request that is not served: its HTTP status and why."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass
class Job:
    """One upload and what became of it. `stage` is new, waiting, running, done, failed or stopped."""

    folder: Path
    suffix: str
    stage: str = "new"
    percent: int = 0
    message: str = ""
    mode: str = "psnr"
    touched: float = field(default_factory=time.monotonic)
    process: asyncio.subprocess.Process | None = None

    @property
    def source(self) -> Path:
        return self.folder / f"input{self.suffix}"

    @property
    def mask(self) -> Path:
        return self.folder / "mask.png"

    @property
    def result(self) -> Path:
        return self.folder / f"restored{_RESULT.get(self.suffix, self.suffix)}"

    def told(self, ahead: int) -> dict[str, object]:
        """What a page is told; `ahead` jobs are restored before this one."""
        shown: dict[str, object] = {"stage": self.stage, "percent": self.percent, "message": self.message}
        shown |= {"ahead": ahead, "film": self.suffix in FILMS, "result": self.result.name}
        with contextlib.suppress(OSError, ValueError):
            shown["summary"] = json.loads((self.folder / "summary.json").read_text(encoding="utf-8"))
        return shown


class Jobs:
    """All jobs of a server.

    Args:
        folder: temporary folder for their files.
        command: what restores; the words of a shell before `restore`.
        upload: bytes that an upload may have.
    """

    def __init__(self, folder: Path, command: Command = (sys.executable, "-m", "hstmae"), upload: int = UPLOAD) -> None:
        self._folder, self._command, self._upload = folder, command, upload
        self._jobs: dict[str, Job] = {}
        self._queue: list[Job] = []
        self._runner: asyncio.Task[None] | None = None
        self._sweeper: asyncio.TimerHandle | None = None

    async def create(self, name: str, size: int | None, body: AsyncIterator[bytes]) -> str:
        """A job for an upload; its number. `size` is what the request says; `name` what the browser calls the file."""
        suffix = Path(name).suffix.lower()
        if suffix not in PICTURES + FILMS:
            known = " ".join(PICTURES + FILMS)
            raise RefusedError(415, f"a file of the kind {suffix[:12]!r} cannot be restored here: take one of {known}")
        self._forget()
        if len(self._jobs) >= JOBS:
            raise RefusedError(503, "too many uploads at once; try again later")
        number = secrets.token_urlsafe(18)
        job = Job(self._folder / number, suffix)
        job.folder.mkdir(mode=0o700)
        self._jobs[number] = job
        self._forget()  # which sees to it from now on
        try:
            await _receive(job.source, size, body, self._upload)
        except BaseException:
            self.remove(number)
            raise
        return number

    async def paint(self, number: str, size: int | None, body: AsyncIterator[bytes]) -> None:
        """Take a mask, a PNG whose white pixels are missing."""
        job = self.find(number)
        if job.stage in ("waiting", "running"):
            raise RefusedError(409, "it is being restored: stop it first")
        await _receive(job.mask, size, body, MASK)

    def start(self, number: str, mode: str) -> None:
        """Put a job into the queue."""
        job = self.find(number)
        if mode not in _MODES:
            raise RefusedError(400, f"mode must be one of {', '.join(_MODES)}")
        if job.stage in ("waiting", "running"):
            return
        if not job.mask.is_file():
            raise RefusedError(409, "nothing says what is missing: paint or choose a mask first")
        if len(self._queue) >= WAITING:
            raise RefusedError(503, "too many are waiting; try again later")
        job.stage, job.percent, job.message, job.mode = "waiting", 0, "", mode
        self._queue.append(job)
        if self._runner is None or self._runner.done():
            self._runner = asyncio.get_running_loop().create_task(self._run_all())

    def find(self, number: str) -> Job:
        job = self._jobs.get(number)
        if job is None:
            raise RefusedError(404, "there is no such job (any more)")
        job.touched = time.monotonic()
        return job

    def told(self, number: str) -> dict[str, object]:
        job = self.find(number)
        return job.told(self._queue.index(job) if job in self._queue else 0)

    def stop(self, number: str) -> None:
        """Take a job out of the queue, or end its process; its upload stays."""
        job = self.find(number)
        if job in self._queue:
            self._queue.remove(job)
        if job.stage in ("waiting", "running"):
            job.stage = "stopped"
        _kill(job)

    def remove(self, number: str) -> None:
        """End a job and remove its files."""
        job = self._jobs.pop(number, None)
        if job is not None:
            if job in self._queue:
                self._queue.remove(job)
            job.stage = "stopped"
            _kill(job)
            shutil.rmtree(job.folder, ignore_errors=True)

    def close(self) -> None:
        for number in list(self._jobs):
            self.remove(number)

    def _forget(self) -> None:
        """Remove what nobody has looked at for long, now and again and again while there are any jobs."""
        old = time.monotonic() - KEPT
        for number, job in list(self._jobs.items()):
            if job.touched < old and job.stage not in ("waiting", "running"):
                self.remove(number)
        if self._sweeper is not None:
            self._sweeper.cancel()
        self._sweeper = asyncio.get_running_loop().call_later(KEPT / 60, self._forget) if self._jobs else None

    async def _run_all(self) -> None:
        while self._queue:
            job = self._queue.pop(0)
            try:
                await self._run(job)
            except Exception as error:  # the next one is none the worse for it
                job.stage, job.message = "failed", f"{type(error).__name__}: {error}"

    async def _run(self, job: Job) -> None:
        job.stage, summary = "running", job.folder / "summary.json"
        summary.unlink(missing_ok=True)
        words = ["restore", job.source.name, "--mask", job.mask.name, "--out", job.result.name, "--mode", job.mode]
        job.process = await asyncio.create_subprocess_exec(
            *self._command, *words, "--json", summary.name, "--overwrite", cwd=job.folder, start_new_session=True,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
            preexec_fn=_limit if os.name != "nt" else None, env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        if job.stage != "running":  # it was stopped while the process started
            _kill(job)
        try:
            said = await asyncio.wait_for(_watch(job), DEADLINE)
            status = await job.process.wait()
        except asyncio.TimeoutError:
            said, status = b"it took more than an hour", -1
        finally:
            _kill(job)
        if job.stage == "running":
            good = status == 0 and job.result.is_file()
            job.stage, job.percent = ("done", 100) if good else ("failed", job.percent)
            job.message = "" if good else _reason(said, status)


async def _receive(path: Path, size: int | None, body: AsyncIterator[bytes], most: int) -> None:
    """Write a body to a file, whole or not at all."""
    if size is not None and size > most:
        raise RefusedError(413, f"the file is larger than {most >> 20} MB")
    part, got = path.with_name(path.name + ".part"), 0
    try:
        with part.open("wb") as file:
            async for piece in body:
                got += len(piece)
                if got > most:
                    raise RefusedError(413, f"the file is larger than {most >> 20} MB")
                await asyncio.to_thread(file.write, piece)
        if got == 0:
            raise RefusedError(400, "the file is empty")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


async def _watch(job: Job) -> bytes:
    """Follow a run's progress bars; the last that it said."""
    assert job.process is not None and job.process.stderr is not None
    said = b""
    while piece := await job.process.stderr.read(_BAR):
        said = (said + piece)[-_BAR:]
        bars = _PERCENT.findall(said)
        if bars:
            job.percent, job.message = int(bars[-1][1]), bars[-1][0].decode().strip()
    return said


def _reason(said: bytes, status: int) -> str:
    """The line that tells why a run ended; words of files' names are the browser's own."""
    lines = [line for line in re.split(r"[\r\n]+", said.decode("utf-8", "replace")) if "error:" in line]
    return lines[-1].partition("error:")[2].strip() if lines else f"it ended with status {status}"


def _kill(job: Job) -> None:
    """End a job's process and all that it started."""
    if job.process is not None and job.process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(job.process.pid, signal.SIGKILL) if os.name != "nt" else job.process.kill()


def _limit() -> None:
    """In the process that restores: what it may write, and that it leaves no memory image behind."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (_WRITTEN, _WRITTEN))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
