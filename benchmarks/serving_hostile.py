"""Malformed requests and uploads against a running `hstmae serve`: all refused, and the server none the worse.

    python benchmarks/serving_hostile.py [--count 10000] [--uploads 20] [--slow 100] [--seed 0] [--json FILE]

The server runs in a folder of its own with a folder of sessions. `--count` requests of all kinds are sent, two at a
time, each with its own disturbance; beside them `--slow` connections send a byte every few seconds, and `--uploads`
files that are not what they say (bombs, truncated and mutated ones) are uploaded and looked at. After it: each was
answered as its kind has to be, or its connection closed; the first page and the bundled session are still given; no
file was written outside of the server's temporary folder, which is empty; the resident size grew by less than
`--growth` MB. What kinds there are is in serving_attacks.py: another one is one function more.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import re
import socket
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from pathlib import Path
from typing import Any

import streaming_attacks  # noqa: F401  # which adds kinds
from serving_attacks import REFUSED, SECRET, SESSION, Attack, attack, noise, request, sent, tree

from hstmae.atomic import write_text


def png_of(width: int, height: int, rows: int = 0) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(rows * (3 * min(width, 30_000) + 1)), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def zip_of(names: list[str], size: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        for name in names:
            made.writestr(name, bytes(size))
    return file.getvalue()


def uploads(rng: random.Random) -> list[tuple[str, bytes]]:
    """Files that are not what they say: a name and its bytes."""
    session = SESSION.read_bytes()
    film = b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2mp41" + noise(rng, 4000)
    cut = rng.randrange(40, len(session))
    mutated = bytearray(session)
    for _ in range(30):
        mutated[rng.randrange(8, len(mutated))] ^= 1 << rng.randrange(8)
    return [
        ("bomb.png", png_of(60_000, 60_000)),
        ("bomb.png", png_of(30_000, 30_000, 2_000)),
        ("cut.png", png_of(64, 64)[:40]),
        ("bomb.zip", zip_of(["a.png"], 200 << 20)),
        ("many.zip", zip_of([f"{k}.png" for k in range(3000)], 10)),
        ("out.zip", zip_of(["../../out.png", "/tmp/out.png", "a.png"], 10)),
        ("noise.zip", b"PK\x03\x04" + noise(rng, 4000)),
        ("cut.hst", session[:cut]),
        ("mutated.hst", bytes(mutated)),
        ("noise.hst", session[:64] + noise(rng, 4000)),
        ("noise.mp4", film),
        ("noise.mkv", b"\x1a\x45\xdf\xa3" + noise(rng, 4000)),
        ("noise.gif", b"GIF89a" + noise(rng, 2000)),
        ("noise.7z", b"7z\xbc\xaf\x27\x1c" + noise(rng, 2000)),
        ("noise.tar.gz", b"\x1f\x8b\x08" + noise(rng, 2000)),
        ("noise.tif", b"II*\x00" + noise(rng, 2000)),
        ("noise.webp", b"RIFF\x00\x10\x00\x00WEBPVP8 " + noise(rng, 2000)),
        ("noise.jpg", b"\xff\xd8\xff\xe0" + noise(rng, 2000)),
    ]


def looked_at(port: int, name: str, data: bytes) -> str:
    """Upload a file, wait until it was looked at, remove it; what was wrong with that, "" for nothing.

    A mutated session, or half a one, may hold frames that can be restored: then that is what is said.
    """
    status, answer = sent(
        port, Attack(request(f"POST /restore?name={name} HTTP/1.1", port, f"Content-Length: {len(data)}", body=data))
    )
    if status != 201:
        return "" if status in REFUSED | {503} else f"{name}: answered with {status}"
    job = "/restore/" + json.loads(answer.rpartition(b"\r\n\r\n")[2])["job"]
    until = time.monotonic() + 150
    told: dict[str, Any] = {}
    while "look" not in told and time.monotonic() < until:
        time.sleep(0.2)
        told = json.loads(sent(port, Attack(request(f"GET {job} HTTP/1.1", port)))[1].rpartition(b"\r\n\r\n")[2])
    sent(port, Attack(request(f"DELETE {job} HTTP/1.1", port)))
    said = told.get("look", {}).get("error", "")
    if "look" not in told:
        return f"{name}: nothing was said of it"
    if not said and not name.endswith(".hst"):
        return f"{name}: was taken for {told['look']}"
    return f"{name}: {said}" if "Traceback" in said or "status" in said else ""


def slow_ones(port: int, count: int) -> list[socket.socket]:
    """Connections that have begun to send a head, and do not go on."""
    made = []
    for _ in range(count):
        made.append(socket.create_connection(("127.0.0.1", port), 5))
        made[-1].sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ")
    return made


def resident(process: int) -> float:
    """Megabytes that a process holds."""
    text = Path(f"/proc/{process}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", text)
    return int(found[1]) / 1024 if found else 0.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--uploads", type=int, default=20)
    parser.add_argument("--slow", type=int, default=100)
    parser.add_argument("--growth", type=float, default=64, help="MB that the server may grow by")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryFile("w+") as log:
        top = Path(name)
        sessions, temporary = top / "sessions", top / "temporary"
        sessions.mkdir()
        temporary.mkdir()
        (sessions / "one.hst").write_bytes(SESSION.read_bytes())
        (top / "secret.hst").write_bytes(SECRET)
        words = [sys.executable, "-m", "hstmae", "serve", "--port", "0", "--files", str(sessions)]
        environment = {**os.environ, "TMPDIR": str(temporary)}
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log, text=True, env=environment) as server:
            assert server.stdout is not None
            found = re.search(r":(\d+)/", server.stdout.readline())
            assert found is not None
            port = int(found[1])
            attack(port, 200, args.seed + 1)  # what is loaded once is loaded
            before, size, started = tree(top), resident(server.pid), time.monotonic()
            slow = slow_ones(port, args.slow)
            counts, problems = attack(port, args.count, args.seed)
            grown = resident(server.pid) - size
            rng, tried = random.Random(args.seed), 0
            while tried < args.uploads:
                for file, data in uploads(rng)[: args.uploads - tried]:
                    said = looked_at(port, file, data)
                    problems += [said] if said else []
                    tried += 1
            for connection in slow:
                connection.settimeout(max(0.1, started + 60 - time.monotonic()))
                try:
                    if connection.recv(1):
                        problems.append("a head that does not end was answered")
                except TimeoutError:
                    problems.append("a head that does not end was waited for")
                except OSError:
                    pass
                connection.close()
            for path in ("/", "/sample_session.hst", "/files/one.hst"):
                if sent(port, Attack(request(f"GET {path} HTTP/1.1", port)))[0] != 200:
                    problems.append(f"{path} is not given any more")
            grown_all, after = resident(server.pid) - size, tree(top)
            server.terminate()
        log.seek(0)
        errors = log.read()
        left = sorted(tree(top) - {"sessions", "temporary", "secret.hst", "sessions/one.hst"})
    problems += [f"was written: {path}" for path in sorted(after - before) if not path.startswith("temporary/")]
    problems += [f"was left: {path}" for path in left]
    problems += [f"the server said: {line}" for line in errors.splitlines() if "Traceback" in line or "Error" in line]
    if max(grown, grown_all) > args.growth:
        problems.append(f"the server grew by {max(grown, grown_all):.0f} MB")
    print(
        f"{sum(counts.values())} requests of {len(counts)} kinds, {tried} uploads, {args.slow} slow connections: ",
        end="",
    )
    print(
        f"{len(problems)} problems; the server grew from {size:.0f} MB by {grown:.1f}, with uploads {grown_all:.1f} MB"
    )
    print("\n".join(problems[:40]))
    if args.json:
        made = {"counts": counts, "uploads": tried, "problems": problems, "resident": size, "grown": grown_all}
        write_text(args.json, json.dumps(made, indent=2) + "\n")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
