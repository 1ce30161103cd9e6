"""A few hundred malformed requests of all kinds (benchmarks/serving_hostile.py is the long form), and slow senders."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("uvicorn", reason='the extra "serve" is needed')

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
import streaming_attacks  # noqa: F401  # which adds kinds
from served import serving
from serving_attacks import KINDS, REFUSED, SECRET, SESSION, Attack, attack, request, sent, tree, wrong

from hstmae.serving import receiving
from hstmae.serving.jobs import Jobs
from hstmae.serving.live.streams import Streams
from hstmae.serving.receiving import RefusedError, receive


def test_malformed_requests_of_all_kinds_are_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    sessions = tmp_path / "sessions"
    sessions.mkdir()
    (sessions / "one.hst").write_bytes(SESSION.read_bytes())
    (tmp_path / "secret.hst").write_bytes(SECRET)
    (tmp_path / "jobs").mkdir()
    before = tree(tmp_path)
    with serving(sessions, jobs=Jobs(tmp_path / "jobs", looker=None), streams=Streams()) as served:
        counts, problems = attack(served.port, 12 * len(KINDS), seed=7)
        assert not problems and set(counts) == set(KINDS)
        assert served.get("/files/one.hst")[2] == SESSION.read_bytes()
    assert tree(tmp_path) == before and not capfd.readouterr().err


def test_what_is_wrong_is_noticed() -> None:
    """Else the test above could not fail."""
    ordinary = Attack(b"")
    assert wrong(ordinary, 200, b"HTTP/1.1 200 OK") and wrong(ordinary, 500, b"") and wrong(ordinary, 0, b"")
    assert wrong(Attack(b"", frozenset()), 400, SECRET)
    assert not any(wrong(ordinary, status, b"") for status in REFUSED)
    with serving() as served:
        assert sent(served.port, Attack(request("GET / HTTP/1.1", served.port)))[0] == 200


def test_a_head_that_does_not_end_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "HEAD", 0.3)
    with serving() as served:
        silent = socket.create_connection(("127.0.0.1", served.port), 5)
        slow = socket.create_connection(("127.0.0.1", served.port), 5)
        again = socket.create_connection(("127.0.0.1", served.port), 5)
        again.sendall(b"GET /static/page.css HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")  # whole, and then half a one
        assert again.recv(65536).startswith(b"HTTP/1.1 200")
        time.sleep(0.1)
        again.sendall(b"GET / HT")
        stop = threading.Event()

        def trickle() -> None:
            for byte in b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ":
                if stop.wait(0.05):
                    return
                try:
                    slow.sendall(bytes([byte]))
                except OSError:
                    return

        sending = threading.Thread(target=trickle)
        sending.start()
        started = time.monotonic()
        for connection in (silent, slow, again):
            try:
                while connection.recv(65536):
                    pass
            except ConnectionError:
                pass
            connection.close()
        assert time.monotonic() - started < 4
        stop.set()
        sending.join()
        assert served.get("/")[0] == 200


async def dripping(pause: float, pieces: int) -> AsyncIterator[bytes]:
    for _ in range(pieces):
        await asyncio.sleep(pause)
        yield b"x"


@pytest.mark.parametrize(("pause", "pieces", "words"), [(5, 1, "nothing of it came"), (0.05, 30, "too slowly")])
def test_bodies_that_hardly_come_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pause: float, pieces: int, words: str
) -> None:
    monkeypatch.setattr(receiving, "SILENT", 0.2)
    with ThreadPoolExecutor(1) as apart, pytest.raises(RefusedError, match=words) as refused:
        apart.submit(asyncio.run, receive(tmp_path / "upload", None, dripping(pause, pieces), 1 << 20)).result()
    assert refused.value.status == 408 and not list(tmp_path.iterdir())
