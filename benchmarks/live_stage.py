"""A server and a publisher in processes of their own, and browsers, for live.py."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "helpers"))


NAME = "bench"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


class Running:
    """A process of ours: its processor seconds, and its memory."""

    def __init__(self, *words: str) -> None:
        self.words = words
        self.start()

    def start(self) -> None:
        words = [sys.executable, "-m", "hstmae", *self.words]
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def cpu(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """Resident MB."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    def end(self, how: int = signal.SIGINT) -> None:
        self.process.send_signal(how)
        self.process.wait(10)


class Stage:
    """Server and publisher; context manager."""

    def __init__(self, source: str, extra: tuple[str, ...] = (), sending: int = 0, fps: float = 0) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/{NAME}"
        self.server = Running("serve", "--port", str(self.port), "--no-restore", *extra)
        wait_for(lambda: answers(self.port))
        to = self.url if not sending else f"http://127.0.0.1:{sending}/{NAME}"
        rate = ("--fps", str(fps)) if fps else ()
        self.publisher = Running("stream", source, "--to", to, "--loop", *rate)
        wait_for(lambda: self.metric("frames_total") > 0)

    def metric(self, name: str) -> float:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as got,
        ):
            for line in got.read().decode().splitlines():
                if line.startswith(f"hstmae_stream_{name}{{"):
                    return float(line.rpartition(" ")[2])
        return 0.0

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *error: Any) -> None:
        for running in (self.publisher, self.server):
            with contextlib.suppress(Exception):
                running.end(signal.SIGTERM)


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def wait_for(true: Any, seconds: float = 60) -> float:
    began = time.monotonic()
    while not true():
        if time.monotonic() - began > seconds:
            raise SystemExit("this did not happen in time")
        time.sleep(0.01)
    return time.monotonic() - began


@contextlib.contextmanager
def browsers(port: int, count: int) -> Iterator[list[Any]]:
    from playwright.sync_api import sync_playwright

    program = os.environ.get("HSTMAE_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        pages = [chromium.new_page(viewport={"width": 700, "height": 900}) for _ in range(count)]
        for page in pages:
            page.goto(f"http://127.0.0.1:{port}/#live/{NAME}")
        yield pages
        chromium.close()
