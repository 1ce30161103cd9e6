"""Malformed requests for `hstmae serve`, kind by kind, and how they have to be answered; see serving_hostile.py."""

from __future__ import annotations

import random
import re
import socket
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from hstmae.bundled import SAMPLES

REFUSED = frozenset((400, 401, 403, 404, 405, 408, 409, 411, 413, 414, 415, 416, 421, 422, 431, 501))
SESSION = SAMPLES / "sample_session.hst"
SECRET = b"nobody may read this"
NAMES = (
    "..",
    "%2e%2e",
    "..%2f",
    "..\\",
    "%5c",
    "%00",
    "etc",
    "passwd",
    "secret.hst",
    "one.hst",
    ".",
    "~",
    "%ff",
    "*",
    "",
)


@dataclass(frozen=True)
class Attack:
    """One request.

    Attributes:
        data: what is sent.
        statuses: with which it may be answered; empty = with nothing at all, too.
        body: words that an answer must not hold.
        after: what is sent when there is an answer.
    """

    data: bytes
    statuses: frozenset[int] = REFUSED
    body: bytes = SECRET
    after: bytes = b""


Kind = Callable[[random.Random, int], Attack]
KINDS: dict[str, Kind] = {}


def kind(make: Kind) -> Kind:
    KINDS[make.__name__.replace("_", " ")] = make
    return make


def request(line: str, port: int, *headers: str, host: str = "", body: bytes = b"") -> bytes:
    head = [line, f"Host: {host or f'127.0.0.1:{port}'}", "Connection: close", *headers]
    return "\r\n".join(head).encode("latin-1", "replace") + b"\r\n\r\n" + body


def noise(rng: random.Random, most: int) -> bytes:
    return rng.randbytes(rng.randrange(1, most))


@kind
def tricks_with_paths(rng: random.Random, port: int) -> Attack:
    path = "/".join(rng.choice(NAMES) for _ in range(rng.randrange(1, 7)))
    first = rng.choice(("/files/", "/static/", "/static/tables/", "/restore/", "/live/", "//", "/"))
    known = {"/files/one.hst", "/", "//", "/restore.html"}
    whole = first + path
    return Attack(
        request(f"GET {whole} HTTP/1.1", port), REFUSED | {200, 307} if _plain(whole) in known else REFUSED | {307}
    )


def _plain(path: str) -> str:
    return re.sub("/+", "/", path.replace("/./", "/"))


@kind
def foreign_hosts(rng: random.Random, port: int) -> Attack:
    host = rng.choice(
        ("evil.example", "127.0.0.1.nip.io", "localhost.evil", "[::1", "10.0.0.7", "a" * 300, "localhost:x", "\x7f")
    )
    return Attack(
        request(f"GET {rng.choice(('/', '/sessions.json', '/sample_session.hst'))} HTTP/1.1", port, host=host)
    )


@kind
def hosts_twice_or_never(rng: random.Random, port: int) -> Attack:
    heads = rng.choice((b"", b"Host: 127.0.0.1\r\nHost: evil.example\r\n", b"Host:\r\n"))
    return Attack(b"GET / HTTP/1.1\r\n" + heads + b"Connection: close\r\n\r\n")


@kind
def foreign_origins(rng: random.Random, port: int) -> Attack:
    origin = rng.choice(
        ("http://evil.example", "null", f"http://localhost:{port}.evil", "file://", "http://127.0.0.1:1", "\xff")
    )
    method, path = rng.choice((("POST", "/restore?name=a.png"), ("DELETE", "/restore/x"), ("PUT", "/restore/x/mask")))
    return Attack(request(f"{method} {path} HTTP/1.1", port, f"Origin: {origin}", "Content-Length: 3", body=b"abc"))


@kind
def foreign_websockets(rng: random.Random, port: int) -> Attack:
    heads = [
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]
    if rng.random() < 0.5:
        heads.append("Origin: http://evil.example")
    else:
        heads[rng.randrange(2, 4)] = "Sec-WebSocket-Key: short" if rng.random() < 0.5 else "Sec-WebSocket-Version: 99"
    path = rng.choice(("/live/x", "/publish/x", "/nothing"))
    data = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n" + "\r\n".join(heads) + "\r\n\r\n"
    return Attack(data.encode(), REFUSED | {426})


@kind
def endings_of_names(rng: random.Random, port: int) -> Attack:
    name = rng.choice(
        ("a", "a.exe", "a.png.sh", "%2e%2e%2fpasswd", "a%00.sh", "x" * 3000, "%ff%fe", ".hst.", "a.tar.gz.py", "?", "")
    )
    return Attack(request(f"POST /restore?name={name} HTTP/1.1", port, "Content-Length: 4", body=b"data"))


@kind
def sizes_that_are_too_much(rng: random.Random, port: int) -> Attack:
    size = rng.choice((513 << 20, 1 << 40, 10**18 - 1))
    return Attack(request("POST /restore?name=a.png HTTP/1.1", port, f"Content-Length: {size}", body=b"x"))


@kind
def lengths_that_are_none(rng: random.Random, port: int) -> Attack:
    length = rng.choice(("-1", "1e3", "0x10", "ten", "5, 6", "", "9" * 40, "+5"))
    heads = [f"Content-Length: {length}"]
    if rng.random() < 0.3:
        heads = ["Content-Length: 4", "Content-Length: 5"]
    elif rng.random() < 0.3:
        heads = [f"Transfer-Encoding: {rng.choice(('gzip', 'chunked, chunked', 'identity'))}"]
    return Attack(request("POST /restore?name=a.exe HTTP/1.1", port, *heads, body=b"data"), frozenset())


@kind
def bodies_that_end_early(rng: random.Random, port: int) -> Attack:
    if rng.random() < 0.5:
        return Attack(
            request("POST /restore?name=a.png HTTP/1.1", port, "Content-Length: 5000", body=noise(rng, 900)),
            frozenset(),
        )
    heads = request("POST /restore?name=a.png HTTP/1.1", port, "Transfer-Encoding: chunked")
    return Attack(heads + rng.choice((b"zz\r\n", b"5\r\nab", b"-1\r\n\r\n", b"ffffffffffffffffff\r\n")), frozenset())


@kind
def heads_that_are_too_long(rng: random.Random, port: int) -> Attack:
    if rng.random() < 0.5:
        return Attack(request(f"GET /{'a' * rng.randrange(20_000, 90_000)} HTTP/1.1", port), frozenset())
    many = [f"X-{k}: {'v' * rng.randrange(1, 400)}" for k in range(rng.randrange(100, 600))]
    return Attack(request("GET /nothing HTTP/1.1", port, *many), frozenset())


@kind
def what_is_no_request(rng: random.Random, port: int) -> Attack:
    start = rng.choice(
        (
            b"",
            b"GET",
            b"GET / HTTP/9.9\r\n\r\n",
            b"\x16\x03\x01\x02\x00",
            b"SSH-2.0-x\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        )
    )
    return Attack(start + noise(rng, 3000) + b"\r\n\r\n", frozenset())


@kind
def heads_with_strange_bytes(rng: random.Random, port: int) -> Attack:
    bad = rng.choice(("X: a\rb", "X : y", "\x00: y", "X: \x00", " folded", "X: a\nY: b", ": empty", "X\x7f: y"))
    return Attack(request("GET /nothing HTTP/1.1", port, bad), frozenset())


@kind
def methods_that_there_are_not(rng: random.Random, port: int) -> Attack:
    method = rng.choice(("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "X" * 50))
    path = rng.choice(("/", "/files/one.hst", "/sessions.json", "/static/page.js", "/metrics"))
    return Attack(request(f"{method} {path} HTTP/1.1", port, "Content-Length: 0"))


@kind
def ranges_that_make_no_sense(rng: random.Random, port: int) -> Attack:
    asked = rng.choice(
        ("bytes=9-1", "bytes=-", "bytes=abc", "bytes=99999999999-", "lines=1-2", "bytes=" + "0-1," * 500)
    )
    answers = REFUSED | {200, 206}  # a range that is none may be left out of account
    return Attack(request("GET /files/one.hst HTTP/1.1", port, f"Range: {asked}"), answers)


@kind
def numbers_of_jobs_that_are_made_up(rng: random.Random, port: int) -> Attack:
    number = rng.choice(("nobody", "..", "%2e%2e", "0" * 24, "%00", "a" * 2000, "x/../y"))
    method, rest = rng.choice(
        (
            ("GET", ""),
            ("DELETE", ""),
            ("PUT", "/mask"),
            ("POST", "/start"),
            ("POST", "/stop"),
            ("GET", "/result"),
            ("GET", "/000-after"),
        )
    )
    return Attack(
        request(f"{method} /restore/{number}{rest} HTTP/1.1", port, "Content-Length: 2", body=b"{}"), REFUSED | {307}
    )


@kind
def tokens_and_cookies_that_are_noise(rng: random.Random, port: int) -> Attack:
    value = "".join(chr(rng.randrange(33, 255)) for _ in range(rng.randrange(1, 500)))
    head = rng.choice(
        (f"Cookie: hst-token={value}", f"Authorization: Bearer {value}", f"Authorization: {value}", f"Cookie: {value}")
    )
    return Attack(request("GET /nothing HTTP/1.1", port, head), frozenset())


def sent(port: int, attack: Attack, seconds: float = 20) -> tuple[int, bytes]:
    """Status and whole answer of a request; 0 where the connection was closed without one."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), seconds) as connection:
        try:
            connection.sendall(attack.data)
            if not attack.statuses:  # nothing more is coming; a server takes that for the end of an ordinary request
                connection.shutdown(socket.SHUT_WR)
            rest = attack.after
            while piece := connection.recv(65536):
                answer += piece
                if rest:
                    connection.sendall(rest)
                    rest = b""
                if len(answer) > 1 << 20:
                    break
        except (ConnectionError, BrokenPipeError):
            pass
    found = re.match(rb"HTTP/1\.1 (\d{3})", answer)
    return (int(found[1]) if found else 0), answer


def wrong(attack: Attack, status: int, answer: bytes) -> str:
    """What is wrong with an answer; "" for nothing."""
    if attack.body in answer:
        return "it gave away what nobody may read"
    if status >= 500 and status not in REFUSED:
        return f"answered with {status}"
    if status and status not in (attack.statuses or REFUSED | {101, 307, 426}):
        return f"answered with {status}"
    if not status and attack.statuses:
        return "no answer"
    return ""


def attack(port: int, count: int, seed: int, threads: int = 2) -> tuple[Counter[str], list[str]]:
    """Send `count` requests, of all kinds in turn; how many of each, and what went wrong."""
    kinds = list(KINDS.items())

    def one(number: int) -> tuple[str, str]:
        name, make = kinds[number % len(kinds)]
        made = make(random.Random(seed * 1_000_003 + number), port)
        try:
            said = wrong(made, *sent(port, made))
        except OSError as error:
            said = f"{type(error).__name__}: {error}"
        return name, f"{name} ({number}): {said}: {made.data[:200]!r}" if said else ""

    with ThreadPoolExecutor(threads) as pool:
        made = list(pool.map(one, range(count)))
    return Counter(name for name, _ in made), [said for _, said in made if said]


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}
