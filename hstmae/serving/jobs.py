"""Restoring for the page: one upload at a time goes through `hstmae restore`, in a process of its own with limits.

Each job has a folder of its own under a temporary one; what browsers call their files is used for the ending alone. A
job is found by a number that cannot be guessed, and is gone, with all its files, an hour after it was last touched.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import shutil
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from .processes import Limits, Process, Stopped, kill, run
from .receiving import RefusedError, receive

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
FILMS = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".gif", ".apng")
RECORDINGS = (".hst", ".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst", ".7z")
UPLOAD, MASK = 512 << 20, 32 << 20  # bytes
JOBS, WAITING = 16, 8  # at hand, and of these in the queue
KEPT = 3600.0  # seconds after a job was last touched
RUN = Limits(seconds=3600, processor=4 * 3600, memory=16 << 30, file=4 << 30)
LOOK = Limits(seconds=120, processor=60, memory=6 << 30, file=1 << 30)
_MODES = ("psnr", "exact")
_LEVELS = ("auto", "full", "compact", "none")
# So that the result is one that browsers can show beside what was uploaded.
_RESULT = {
    **dict.fromkeys((".jpg", ".jpeg", ".tif", ".tiff"), ".png"),
    **dict.fromkeys((".mov", ".avi", ".mkv"), ".mp4"),
}
Command = tuple[str, ...]
_LOOKER = (sys.executable, "-m", "hstmae.serving.looking")


@dataclass
class Job:
    """One upload and what became of it. `stage` is new, waiting, running, done, failed or stopped."""

    folder: Path
    suffix: str
    stage: str = "new"
    percent: int = 0
    message: str = ""
    mode: str = "psnr"
    level: str = "auto"
    detects: bool = False
    masked: bool = True
    looks: asyncio.Task[None] | None = None
    touched: float = field(default_factory=time.monotonic)
    process: Process | None = None

    @property
    def source(self) -> Path:
        return self.folder / f"input{self.suffix}"

    @property
    def mask(self) -> Path:
        return self.folder / "mask.png"

    @property
    def made(self) -> Path:
        """What a run writes: a folder of the frames of a recording."""
        return self.folder / f"restored{'' if self.recorded else _RESULT.get(self.suffix, self.suffix)}"

    @property
    def result(self) -> Path:
        """What is downloaded."""
        return self.made.with_name("restored.zip") if self.recorded else self.made

    @property
    def recorded(self) -> bool:
        return self.suffix in RECORDINGS

    def told(self, ahead: int) -> dict[str, object]:
        """What a page is told; `ahead` jobs are restored before this one."""
        shown: dict[str, object] = {"stage": self.stage, "percent": self.percent, "message": self.message}
        shown |= {"ahead": ahead, "film": self.suffix in FILMS, "result": self.result.name}
        for name in ("summary", "look", "show"):
            with contextlib.suppress(OSError, ValueError):
                shown[name] = json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))
        return shown


class Jobs:
    """All jobs of a server.

    Args:
        folder: temporary folder for their files.
        command: what restores; the words of a shell before `restore`.
        upload: bytes that an upload may have.
    """

    def __init__(
        self, folder: Path, command: Command = (sys.executable, "-m", "hstmae"), upload: int = UPLOAD,
        looker: Command | None = _LOOKER,
    ) -> None:  # fmt: skip
        self._folder, self._command, self._upload, self._looker = folder, command, upload, looker
        self._looking = asyncio.Semaphore(1)
        self._jobs: dict[str, Job] = {}
        self._queue: list[Job] = []
        self._runner: asyncio.Task[None] | None = None
        self._sweeper: asyncio.TimerHandle | None = None

    async def create(self, name: str, size: int | None, body: AsyncIterator[bytes]) -> str:
        """A job for an upload; its number. `size` is what the request says; `name` what the browser calls the file."""
        suffix, known = _suffix(name), PICTURES + FILMS + RECORDINGS
        if suffix not in known:
            raise RefusedError(
                415, f"a file of the kind {suffix[:12]!r} cannot be restored here: take one of {' '.join(known)}"
            )
        self._forget()
        if len(self._jobs) >= JOBS:
            raise RefusedError(503, "too many uploads at once; try again later")
        number = secrets.token_urlsafe(18)
        job = Job(self._folder / number, suffix)
        job.folder.mkdir(mode=0o700)
        self._jobs[number] = job
        self._forget()  # which sees to it from now on
        try:
            await receive(job.source, size, body, self._upload)
        except BaseException:
            self.remove(number)
            raise
        job.looks = asyncio.get_running_loop().create_task(self._look(job))
        return number

    async def paint(self, number: str, size: int | None, body: AsyncIterator[bytes]) -> None:
        """Take a mask, a PNG whose white pixels are missing."""
        job = self.find(number)
        if job.stage in ("waiting", "running"):
            raise RefusedError(409, "it is being restored: stop it first")
        await receive(job.mask, size, body, MASK)

    def start(
        self, number: str, mode: str = "psnr", level: str = "auto", detects: bool = False, masked: bool = True
    ) -> None:
        """Put a job into the queue.

        Args:
            level: of the state, where there is any.
            detects: painted blocks are looked for; masked: the mask counts.
        """
        job = self.find(number)
        for what, given, known in (("mode", mode, _MODES), ("state", level, _LEVELS)):
            if given not in known:
                raise RefusedError(400, f"{what} must be one of {', '.join(known)}")
        if job.stage in ("waiting", "running"):
            return
        if not (detects or (masked and job.mask.is_file())):
            raise RefusedError(409, "nothing says what is missing: paint it, choose a mask, or have it looked for")
        if len(self._queue) >= WAITING:
            raise RefusedError(503, "too many are waiting; try again later")
        job.stage, job.percent, job.message = "waiting", 0, ""
        job.mode, job.level, job.detects, job.masked = mode, level, detects, masked
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
        kill(job.process)

    def remove(self, number: str) -> None:
        """End a job and remove its files."""
        job = self._jobs.pop(number, None)
        if job is not None:
            if job in self._queue:
                self._queue.remove(job)
            job.stage = "stopped"
            if job.looks is not None:
                job.looks.cancel()
            kill(job.process)
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
        job.stage = "running"
        for name in ("summary.json", "show.json"):
            (job.folder / name).unlink(missing_ok=True)
        words = ["restore", job.source.name, "--out", job.made.name, "--mode", job.mode, "--state", job.level]
        masks = [job.mask.name] if job.masked and job.mask.is_file() else []
        words += ["--mask", *masks] if masks else []
        words += ["--detect"] if job.detects else []
        words += ["--confidence", "--json", "summary.json", "--overwrite"]

        def started(process: Process) -> None:
            job.process = process
            if job.stage != "running":  # it was stopped while the process started
                kill(process)

        def told(what: str, percent: int) -> None:
            job.percent, job.message = percent, what

        try:
            await run([*self._command, *words], job.folder, RUN, started, told)
            if self._looker is not None and job.stage == "running":
                with contextlib.suppress(Stopped):  # the result can be downloaded all the same
                    await run([*self._looker, "show", job.source.name, job.made.name, *masks], job.folder, RUN, started)
        except Stopped as why:
            if job.stage == "running":
                job.stage, job.message = "failed", str(why)
            return
        if job.stage == "running":
            good = job.result.is_file()
            job.stage, job.percent, job.message = (
                ("done", 100, "") if good else ("failed", job.percent, "nothing was written")
            )

    async def _look(self, job: Job) -> None:
        """Find out what an upload is."""
        if self._looker is None:
            return
        processes: list[Process] = []
        try:
            async with self._looking:
                await run([*self._looker, "look", job.source.name], job.folder, LOOK, processes.append)
        except Stopped as why:
            with contextlib.suppress(OSError):
                (job.folder / "look.json").write_text(json.dumps({"error": str(why)}), encoding="utf-8")
        finally:
            for process in processes:
                kill(process)


def _suffix(name: str) -> str:
    """The ending of a file's name: that of a packed archive has two parts."""
    parts = Path(name.lower()).suffixes[-2:]
    return "".join(parts) if parts[:1] == [".tar"] else "".join(parts[-1:])
