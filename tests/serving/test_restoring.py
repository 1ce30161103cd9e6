"""Restoring for the page: uploads, masks, one run at a time, results, and everything that is refused."""

from __future__ import annotations

import http.client
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from served import Served, serving

FAKE = """
import json, sys, time
words = sys.argv[2:]
given = {words[i]: words[i + 1] for i in range(1, len(words) - 1) if words[i].startswith("--")}
data = open(words[0], "rb").read()
if data == b"slow":
    for k in range(200):
        print(f"\\rrestore:  {k}%|", end="", file=sys.stderr, flush=True)
        time.sleep(0.05)
if data == b"bad":
    sys.exit("hstmae restore: error: input.png: no picture")
open(given["--out"], "wb").write(data[::-1] + given["--mode"].encode())
json.dump({"masked_pixels": 7}, open(given["--json"], "w"))
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    pytest.importorskip("starlette", reason='the extra "serve" is needed')
    from hstmae.serving.jobs import Jobs

    folder = tmp_path_factory.mktemp("jobs")
    jobs = Jobs(folder, (sys.executable, "-c", FAKE), upload=1 << 20, looker=None)
    with serving(jobs=jobs) as found:
        yield found
        jobs.close()
    assert not list(folder.iterdir())  # nothing is left of any of them


def asked(served: Served, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    """Status and answer, JSON where it is."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)
    try:
        connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
        answer = connection.getresponse()
        data = answer.read()
        return answer.status, json.loads(data) if "json" in (answer.getheader("content-type") or "") else data
    finally:
        connection.close()


def job_of(served: Served, data: bytes, name: str = "a.png", mask: bytes | None = b"mask") -> str:
    status, told = asked(served, "POST", f"/restore?name={name}", data)
    assert status == 201
    if mask is not None:
        assert asked(served, "PUT", f"/restore/{told['job']}/mask", mask)[0] == 204
    return f"/restore/{told['job']}"


def ended(served: Served, job: str) -> dict[str, Any]:
    for _ in range(400):
        status, told = asked(served, "GET", job)
        assert status == 200
        if told["stage"] not in ("waiting", "running"):
            return told
        time.sleep(0.025)
    raise AssertionError("it does not end")


def test_an_upload_is_restored_and_gone_when_it_is_removed(served: Served) -> None:
    job = job_of(served, b"picture")
    assert asked(served, "GET", f"{job}/result")[0] == 404  # not yet
    assert asked(served, "POST", f"{job}/start", json.dumps({"mode": "exact"}))[0] == 202
    told = ended(served, job)
    assert (told["stage"], told["percent"], told["summary"]) == ("done", 100, {"masked_pixels": 7})
    assert asked(served, "GET", f"{job}/result") == (200, b"erutcipexact")
    assert asked(served, "GET", f"{job}/input") == (200, b"picture")
    assert asked(served, "DELETE", job)[0] == 204 and asked(served, "GET", job)[0] == 404
    assert asked(served, "GET", f"{job}/result")[0] == 404


def test_one_after_the_other_with_progress_and_a_way_to_stop(served: Served) -> None:
    slow, next_one = job_of(served, b"slow"), job_of(served, b"next")
    for job in (slow, next_one):
        assert asked(served, "POST", f"{job}/start", "{}")[0] == 202
    deadline = time.monotonic() + 10
    while (told := asked(served, "GET", slow)[1])["percent"] < 3:
        assert told["stage"] in ("waiting", "running") and time.monotonic() < deadline
        time.sleep(0.02)
    assert asked(served, "GET", next_one)[1]["stage"] == "waiting"
    assert asked(served, "PUT", f"{slow}/mask", b"other")[0] == 409
    assert asked(served, "POST", f"{slow}/stop")[0] == 204
    assert ended(served, slow)["stage"] == "stopped" and ended(served, next_one)["stage"] == "done"
    for job in (slow, next_one):
        asked(served, "DELETE", job)


def test_why_a_run_failed_is_said_in_its_own_words(served: Served) -> None:
    job = job_of(served, b"bad")
    asked(served, "POST", f"{job}/start", "{}")
    told = ended(served, job)
    assert (told["stage"], told["message"]) == ("failed", "input.png: no picture")
    asked(served, "DELETE", job)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a",
        "a.exe",
        "a.png.sh",
        "..%2f..%2fetc%2fpasswd",
        "a.hst.py",
        "a.gz",
        "a.zip.gz",
        "%00.txt",
        "." + "x" * 3000,
        "%ff%fe",
    ],
)
def test_names_of_other_kinds_are_refused(served: Served, name: str) -> None:
    status, told = asked(served, "POST", f"/restore?name={name}", b"data")
    assert status == 415 and "cannot be restored" in told["error"]


def test_what_nobody_looks_at_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where no further upload comes."""
    pytest.importorskip("starlette", reason='the extra "serve" is needed')
    from hstmae.serving import jobs as module

    monkeypatch.setattr(module, "KEPT", 0.6)
    jobs = module.Jobs(tmp_path, (sys.executable, "-c", FAKE), looker=None)
    with serving(jobs=jobs) as found:
        job = job_of(found, b"data")
        assert asked(found, "GET", job)[0] == 200 and list(tmp_path.iterdir())
        deadline = time.monotonic() + 10
        while list(tmp_path.iterdir()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert asked(found, "GET", job)[0] == 404


def test_names_give_their_ending_alone(served: Served) -> None:
    job = job_of(served, b"data", "..%2f..%2f..%2ftmp%2fevil.PNG", None)
    assert asked(served, "GET", f"{job}/input") == (200, b"data")
    assert asked(served, "POST", f"{job}/start", "{}")[0] == 409  # no mask
    asked(served, "DELETE", job)


def test_too_much_is_refused_before_and_while_it_comes(served: Served) -> None:
    assert asked(served, "POST", "/restore?name=a.png", b"x" * ((1 << 20) + 1))[0] == 413
    pieces = (b"x" * 65536 for _ in range(40))
    assert asked(served, "POST", "/restore?name=a.png", pieces)[0] == 413  # which says nothing of its length
    assert asked(served, "POST", "/restore?name=a.png", b"")[0] == 400


@pytest.mark.parametrize("body", [b"[", b"[]", b"7", b'{"mode": "quick"}', b'{"mode": 3}', b"[" * 4000, b"x" * 5000])
def test_options_that_make_no_sense_are_refused(served: Served, body: bytes) -> None:
    job = job_of(served, b"data")
    status, told = asked(served, "POST", f"{job}/start", body)
    assert status in (400, 413) and told["error"]
    asked(served, "DELETE", job)


def test_foreign_pages_and_made_up_numbers_are_refused(served: Served) -> None:
    job = job_of(served, b"data")
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec_Fetch_Site": "cross-site"}):
        for method, path in (("POST", "/restore?name=a.png"), ("POST", f"{job}/start"), ("DELETE", job), ("GET", job)):
            assert asked(served, method, path, b"{}", **headers)[0] == 403
    own = {"Origin": f"http://127.0.0.1:{served.port}", "Sec_Fetch_Site": "same-origin"}
    assert asked(served, "GET", job, **own)[0] == 200
    for number in ("nobody", "..", "%2e%2e", job.rpartition("/")[2][:-1]):
        assert asked(served, "GET", f"/restore/{number}")[0] == 404
        assert asked(served, "PUT", f"/restore/{number}/mask", b"m")[0] == 404
    for part in ("other", "..%2finput.png", "summary.json"):
        assert asked(served, "GET", f"{job}/{part}")[0] == 404
    asked(served, "DELETE", job)


def test_a_server_that_restores_nothing_has_no_such_routes() -> None:
    with serving() as plain:
        assert asked(plain, "POST", "/restore?name=a.png", b"x")[0] == 404
        assert json.loads(plain.get("/sessions.json")[2])["restores"] is False


def test_a_picture_is_really_restored(tmp_path: Path) -> None:
    """The very program: stripes with a hole."""
    pytest.importorskip("starlette", reason='the extra "serve" is needed')
    from hstmae.serving.jobs import Jobs

    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:, ::4] = (200, 40, 40)
    mask = np.zeros((48, 64), np.uint8)
    mask[20:28, 24:40] = 255
    Image.fromarray(picture).save(tmp_path / "p.png")
    Image.fromarray(mask).save(tmp_path / "m.png")
    (tmp_path / "jobs").mkdir()
    jobs = Jobs(tmp_path / "jobs")
    with serving(jobs=jobs) as served:
        job = job_of(served, (tmp_path / "p.png").read_bytes(), "p.png", (tmp_path / "m.png").read_bytes())
        asked(served, "POST", f"{job}/start", "{}")
        told = ended(served, job)
        assert told["stage"] == "done", told
        assert told["summary"]["masked_pixels"] == 8 * 16
        assert asked(served, "GET", f"{job}/result")[1].startswith(b"\x89PNG")
    jobs.close()
