"""The server of the web page: what it gives, to whom, and what it refuses."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import make_golden
import pytest
from served import Served, serving

from hstmae.bundled import SAMPLES
from hstmae.cli import main
from hstmae.codec.lossless.tables import FOLDER as TABLES
from hstmae.codec.lossless.tables import load_tables

SECRET = b"nobody may read this"
GOLDEN = make_golden.GOLDEN / "several.hst"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """sessions/, with what is shown and what is not, beside files that nobody may see."""
    outside = tmp_path_factory.mktemp("served")
    inside = outside / "sessions"
    (inside / "deep" / "er").mkdir(parents=True)
    (inside / ".hidden").mkdir()
    (inside / "a folder.hst").mkdir()
    shown = {"one.hst", "deep/두 번째 #?&%25.hst", "deep/er/three.hst"}
    for name in shown:
        (inside / name).write_bytes(GOLDEN.read_bytes())
    for name in ("secret.hst", "sessions/.secret.hst", "sessions/.hidden/secret.hst", "sessions/notes.txt"):
        (outside / name).write_bytes(SECRET)
    (inside / "link.hst").symlink_to(outside / "secret.hst")
    (inside / "way out").symlink_to(outside)
    (inside / "circle.hst").symlink_to("circle.hst")
    (inside / "same.hst").symlink_to("one.hst")  # leads nowhere else
    return inside


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Served]:
    with serving(folder) as found:
        yield found


def test_the_page_and_its_parts_are_given_with_a_strict_policy(served: Served) -> None:
    status, headers, page = served.get("/")
    assert status == 200 and headers["content-type"] == "text/html; charset=utf-8"
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe-inline" not in policy and "'unsafe-eval'" not in policy
    assert "frame-ancestors 'none'" in policy and headers["x-content-type-options"] == "nosniff"
    text = page.decode()
    assert not re.search(r"<script(?![^>]*\ssrc=)|\son\w+=|<style|\sstyle=", text)  # nothing that the policy forbids
    kinds = {"js": "text/javascript; charset=utf-8", "wasm": "application/wasm", "css": "text/css; charset=utf-8"}
    for name in ("page.js", "page.css", "hst-player.js", "hst-worker.js", "hst-decoder.js", "hst-kernel.wasm"):
        status, headers, body = served.get(f"/static/{name}")
        assert (status, headers["content-type"]) == (200, kinds[name.rpartition(".")[2]]) and body
        assert headers["content-security-policy"] == policy
    assert served.get("/sample_session.hst")[2] == (SAMPLES / "sample_session.hst").read_bytes()


def test_tables_are_kept_by_browsers_where_their_address_names_their_hash(served: Served) -> None:
    path = TABLES / "smb.tables"
    for query, kept in ((load_tables(path).sha256[:16], True), ("0123", False), ("", False)):
        status, headers, body = served.get(f"/static/tables/smb.tables?{query}")
        assert status == 200 and ("immutable" in headers["cache-control"]) is kept and len(body) == path.stat().st_size
    assert served.get("/static/tables/other.tables")[0] == 404


def test_sessions_are_listed_and_given_whole_or_in_parts(served: Served) -> None:
    listed = json.loads(served.get("/sessions.json")[2])
    assert [f["name"] for f in listed["files"]] == [
        "deep/er/three.hst",
        "deep/두 번째 #?&%25.hst",
        "one.hst",
        "same.hst",
    ]
    assert listed["bundled"]["frames"] == 96 and listed["left_out"] == 0
    data = GOLDEN.read_bytes()
    for file in listed["files"]:
        assert served.get("/" + file["url"])[2] == data and file["bytes"] == len(data)
    for asked, part in (("0-15", data[:16]), ("100-", data[100:]), ("-36", data[-36:]), ("0-999999999", data)):
        status, headers, body = served.get("/files/one.hst", Range=f"bytes={asked}")
        assert (status, body) == (206, part) and headers["content-range"].endswith(f"/{len(data)}")
    assert served.get("/files/one.hst", Range="bytes=999999-")[0] == 416
    many = "bytes=" + ",".join("0-" for _ in range(3000))
    assert served.get("/files/one.hst", Range=many)[0] in (200, 206, 400, 416, 431)
    status, headers, body = served.get("/files/one.hst", "HEAD")
    assert (status, headers["content-length"], body) == (200, str(len(data)), b"")


TRICKS = (
    *("../secret.hst", "deep/../../secret.hst", "%2e%2e/secret.hst", "..%2fsecret.hst", "%2e%2e%2fsecret.hst"),
    *("..%5csecret.hst", "..\\secret.hst", "....//secret.hst", "%252e%252e%252fsecret.hst", "//secret.hst"),
    *(".secret.hst", ".hidden/secret.hst", "link.hst", "way%20out/secret.hst", "way out/secret.hst", "circle.hst"),
    *("notes.txt", "notes.txt%00.hst", "one.hst%00", "a%20folder.hst", "a%20folder.hst/", "one.hst/", "", ".", "deep"),
    *("ONE.hst?", "one.hst/../one.hst/..", "x" * 5000 + ".hst", "%ff%fe.hst", "con.hst", "~/secret.hst", "deep//er"),
)


def test_no_path_leads_out_of_the_folder(served: Served, folder: Path) -> None:
    outside = (folder.parent / "secret.hst").as_posix()
    paths = [f"/files/{trick}" for trick in (*TRICKS, outside, f"/{outside}", outside.replace("/", "%2f"))]
    paths += [
        f"/static/{trick}" for trick in ("../app.py", "%2e%2e%2fapp.py", "..%2fapp.py", "built-from.json", "tables")
    ]
    paths += [f"/static/tables/{trick}" for trick in ("../kernel.py", "..%2f..%2fkernel.py", "%2e%2e/tables.py", "")]
    paths += ["/../secret.hst", "/secret.hst", outside, "/files", "/%00", "/etc/passwd"]
    for path in paths:
        status, _, body = served.get(path.replace(" ", "%20"))
        assert status in (307, 400, 404) and SECRET not in body, path
    assert served.get("/")[0] == 200


def test_without_a_folder_no_file_is_given(folder: Path) -> None:
    with serving() as served:
        assert json.loads(served.get("/sessions.json")[2])["files"] is None
        assert served.get("/files/one.hst")[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_nothing_can_be_written(served: Served, method: str) -> None:
    for path in ("/", "/files/one.hst", "/sessions.json", "/static/page.js"):
        assert served.get(path, method, Content_Length="0")[0] == 405


OWN = ("localhost", "LOCALHOST:8000", "localhost.:1", "127.0.0.1", "127.0.0.1:9", "[::1]", "[::1]:8000", "film.example")
FOREIGN = (
    *("evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "evil.example:8000", "localhost:80:80", "[::1", ""),
    *("localhost@evil.example", "evil.example#localhost", "10.1.2.3", "[fe80::1]", "[::1]x", "0", "film.example.evil"),
)


def test_only_known_names_are_answered(folder: Path) -> None:
    with serving(folder, allowed=("film.example",)) as served:
        for host in OWN:
            assert served.get("/sessions.json", Host=host)[0] == 200, host
        for host in FOREIGN:
            status, _, body = served.get("/files/one.hst", Host=host)
            assert status in (400, 421) and b"HST" not in body, host
    with serving(folder, addresses=True) as served:
        assert [served.get("/", Host=host)[0] for host in ("10.1.2.3", "[fe80::1]:8", "evil.example")] == [
            200,
            200,
            421,
        ]


def test_the_command_serves_until_it_is_interrupted(folder: Path, environment: dict[str, str]) -> None:
    pytest.importorskip("uvicorn", reason='the extra "serve" is needed')
    command = [sys.executable, "-m", "hstmae", "serve", "--port", "0", "--files", str(folder)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as server:
        assert server.stdout is not None and server.stderr is not None
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", server.stdout.readline())
        assert found is not None
        with urllib.request.urlopen(f"{found[0]}sessions.json", timeout=20) as answer:
            assert len(json.load(answer)["files"]) == 4
        server.send_signal(signal.SIGTERM if os.name == "nt" else signal.SIGINT)
        assert server.wait(20) == 0 and server.stderr.read() == ""


def test_what_cannot_be_served_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("uvicorn", reason='the extra "serve" is needed')
    (tmp_path / "file").write_bytes(b"")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        wrong = {
            "no such file or folder": ["--files", str(tmp_path / "nowhere")],
            "a folder of .hst files is needed": ["--files", str(tmp_path / "file")],
            "choose another --port": ["--port", str(port)],
            "cannot listen at 'no.such.host.invalid'": ["--host", "no.such.host.invalid", "--port", "0"],
            "at most 65,535": ["--port", "65536"],
        }
        for text, options in wrong.items():
            assert main(["serve", *options]) == 2
            message = capsys.readouterr().err
            assert text in message and "Traceback" not in message, options
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "hstmae.serving.running", raising=False)
    assert main(["serve"]) == 2
    assert 'pip install "hstmae[serve]"' in capsys.readouterr().err
