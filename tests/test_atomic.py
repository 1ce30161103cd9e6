"""Files are whole or absent, whatever happens while they are written."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest

from hstmae import atomic


def test_writers(tmp_path):
    atomic.write_bytes(tmp_path / "new" / "folder" / "a.bin", b"\x00\r\n")
    assert (tmp_path / "new" / "folder" / "a.bin").read_bytes() == b"\x00\r\n"
    atomic.write_text(tmp_path / "t.txt", "마리오\n")
    assert (tmp_path / "t.txt").read_bytes() == "마리오\n".encode()
    atomic.write_json(tmp_path / "j.json", {"psnr": 34.5, "lpips": None, "이름": "a"})
    assert json.loads((tmp_path / "j.json").read_text(encoding="utf-8")) == {"psnr": 34.5, "lpips": None, "이름": "a"}


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "j.json"
    atomic.write_json(path, 1)
    for bad, error in ((float("nan"), ValueError), (object(), TypeError)):
        with pytest.raises(error):
            atomic.write_json(path, bad)
    with pytest.raises(KeyboardInterrupt), atomic.replacing(path) as temp:
        temp.write_bytes(b"half")
        raise KeyboardInterrupt
    assert path.read_text() == "1\n"
    assert [p.name for p in tmp_path.iterdir()] == ["j.json"]


def test_a_full_disk_is_told_with_the_name_of_the_file(tmp_path, environment):
    """A limit on the size of files stands in for the full disk."""
    code = (
        "import resource, sys; from hstmae.atomic import write_bytes\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: write_bytes(sys.argv[1], bytes(100_000))\n"
        "except OSError as error: print(error.strerror, error.filename, sep='|')"
    )
    path = tmp_path / "big.bin"
    path.write_bytes(b"old")
    done = subprocess.run(
        [sys.executable, "-B", "-c", code, str(path)], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"File too large|{path}\n"
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["big.bin"]


def test_temporary_names_keep_the_suffix_and_can_be_recognised(tmp_path):
    with atomic.replacing(tmp_path / "picture.png") as temp:
        assert temp.suffix == ".png" and temp.parent == tmp_path and atomic.TEMP_MARK in temp.name
        assert not (tmp_path / "picture.png").exists()
        temp.write_bytes(b"x")
    assert (tmp_path / "picture.png").read_bytes() == b"x"


def test_killed_writers_leave_a_whole_file(tmp_path, environment):
    path = tmp_path / "value.bin"
    code = (
        "import sys; from hstmae.atomic import write_bytes\n"
        "n = 0\n"
        "while True: write_bytes(sys.argv[1], bytes([n % 251]) * 300_000); n += 1"
    )
    for delay in (0.2, 0.27, 0.34):
        process = subprocess.Popen([sys.executable, "-c", code, str(path)], env=environment)
        deadline = time.monotonic() + 60
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        content = path.read_bytes()
        assert len(content) == 300_000 and len(set(content)) == 1
        path.unlink()
