"""Programs that work on uploads: each in a process of its own, with limits, in the folder of its job."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

_PERCENT, _BAR = re.compile(rb"([a-z ]+):\s+(\d+)%\|"), 4096
Process = asyncio.subprocess.Process


@dataclass(frozen=True)
class Limits:
    """Of one process: seconds that it may take, seconds of processor time, bytes of addresses, bytes of one file that
    it writes, and files that are open at once."""

    seconds: float
    processor: int
    memory: int
    file: int
    files: int = 512


class Stopped(Exception):
    """A program that did not end well; why, in one line."""


async def run(
    words: Sequence[str], folder: Path, limits: Limits, started: Callable[[Process], object],
    told: Callable[[str, int], object] | None = None,
) -> None:  # fmt: skip
    """Run a program in `folder` until it ends well.

    Args:
        started: is given the process, so that it can be stopped.
        told: is given what a progress bar of it says, words and per cent.
    Raises:
        Stopped: it ended otherwise, or took too long.
    """
    process = await asyncio.create_subprocess_exec(
        *words, cwd=folder, start_new_session=True, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        preexec_fn=partial(_limit, limits) if os.name != "nt" else None,
        env={**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(folder)},
    )  # fmt: skip
    started(process)
    try:
        said = await asyncio.wait_for(_watch(process, told), limits.seconds)
        status = await process.wait()
    except asyncio.TimeoutError:
        raise Stopped(f"it took more than {limits.seconds / 60:.0f} minutes") from None
    finally:
        kill(process)
        await process.wait()
    if status:
        raise Stopped(_reason(said, status))


def kill(process: Process | None) -> None:
    """End a process and all that it started."""
    if process is not None and process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL) if os.name != "nt" else process.kill()


async def _watch(process: Process, told: Callable[[str, int], object] | None) -> bytes:
    """Follow what a program says; the last of it."""
    assert process.stderr is not None
    said = b""
    while piece := await process.stderr.read(_BAR):
        said = (said + piece)[-_BAR:]
        bars = _PERCENT.findall(said)
        if bars and told is not None:
            told(bars[-1][0].decode().strip(), int(bars[-1][1]))
    return said


def _reason(said: bytes, status: int) -> str:
    """The line that tells why a program ended; words of files' names are the browser's own."""
    lines = [line for line in re.split(r"[\r\n]+", said.decode("utf-8", "replace")) if "error:" in line]
    if lines:
        return lines[-1].partition("error:")[2].strip()
    if b"MemoryError" in said or b"not enough memory" in said:
        return "it needs more memory than uploads may have"
    if status == -getattr(signal, "SIGXCPU", 24):
        return "it needs more processor time than uploads may have"
    return f"it ended with status {status}"


def _limit(limits: Limits) -> None:
    """In the process: what it may use, and that it leaves no memory image behind."""
    import resource

    for kind, most in (
        (resource.RLIMIT_AS, limits.memory),
        (resource.RLIMIT_CPU, limits.processor),
        (resource.RLIMIT_FSIZE, limits.file),
        (resource.RLIMIT_NOFILE, limits.files),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        more = most + 5 if kind == resource.RLIMIT_CPU and hard == resource.RLIM_INFINITY else most
        resource.setrlimit(kind, (most, more))  # at its soft limit of processor time a process is told why it ends
