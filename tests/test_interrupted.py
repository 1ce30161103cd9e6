"""Runs that are killed or interrupted at moments drawn by a seed: the same command goes on, with the same result."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from fake_networks import Painter, footage, predictor

from hstmae import cli
from hstmae.atomic import TEMP_MARK
from hstmae.bundled import SAMPLES
from hstmae.errors import UsageError
from hstmae.games import get_game
from hstmae.inference.footage.opening import open_footage
from hstmae.inference.job import RestoreSummary, restore_footage
from hstmae.inference.mask_rules import MaskRules
from hstmae.inference.sinks import FolderSink, RestoredFrame
from hstmae.journal import resuming
from hstmae.locks import alone, once
from hstmae.masks.tubes import TubeSpec
from hstmae.pictures.indexed import to_png
from hstmae.signals import Stopped, held_back, stopping


def content(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


class Dying(FolderSink):
    """Ends with an error after some frames."""

    left = 0
    error: type[BaseException] = KeyboardInterrupt

    def write(self, frame: RestoredFrame) -> None:
        Dying.left -= 1
        if Dying.left == 0:
            raise Stopped(signal.SIGTERM) if Dying.error is Stopped else Dying.error
        super().write(frame)


@pytest.mark.parametrize("error", [Stopped, OSError])
def test_restoring_goes_on_wherever_it_was_stopped(tmp_path: Path, error: type[BaseException]) -> None:
    """Clips that were finished are kept, none is made twice, and pictures and summary are those of an unbroken run."""
    count, rng = 16, random.Random(repr(error))
    (tmp_path / "in").mkdir()
    for t, frame in enumerate(footage(count, (32, 32))):
        (tmp_path / "in" / f"{t}.png").write_bytes(to_png(frame, get_game("smb").palette))
    masks, painter = MaskRules(tube=TubeSpec(0.5, 1)), Painter()

    def run(out: Path, left: int) -> RestoreSummary:
        Dying.left, Dying.error = left, error
        (sequence,) = open_footage(tmp_path / "in", "smb", with_state=False)
        with resuming(out, False, "key") as journal:
            summary = RestoreSummary.from_json(journal.totals) if journal.totals else RestoreSummary()
            restore_footage(
                predictor(painter), sequence, masks, "none", Dying(journal.folder), summary, length=8,
                done=frozenset(journal.done.get("", ())),
                note=lambda places: journal.note("", places, summary.to_json()),
            )  # fmt: skip
        return summary

    whole = run(tmp_path / "whole", 0)
    calls = len(painter.calls)
    painter.calls.clear()
    ends = 0
    while ends < 50:
        try:
            summary = run(tmp_path / "out", rng.randint(1, 12))
            break
        except error:
            ends += 1
            assert not (tmp_path / "out").exists()
    assert 2 <= ends < 50 and content(tmp_path / "out") == content(tmp_path / "whole")
    assert summary == whole and len(painter.calls) <= calls + ends  # a clip that was being written is made again
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out", "whole"]


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two short sessions."""
    folder = tmp_path_factory.mktemp("recordings")
    (sample,) = (SAMPLES / "sample_session").iterdir()
    for k in range(2):
        target = folder / sample.name.replace("_e0_", f"_e{k}_")
        target.mkdir()
        for file in sorted(sample.glob("*.png"))[: 12 + 4 * k]:
            (target / file.name.replace("_e0_", f"_e{k}_")).write_bytes(file.read_bytes())
    return folder


@pytest.fixture(scope="module")
def packed(recordings: Path) -> Path:
    """A .hst file of them."""
    path = recordings.with_suffix(".hst")
    assert cli.main(["encode", str(recordings), str(path), "--gop", "4", "--workers", "1"]) == 0
    return path


@pytest.mark.parametrize("verb", ["encode", "encode film", "decode png", "decode store"])
def test_a_killed_run_is_gone_on_with_and_leaves_nothing_behind(
    verb: str, recordings: Path, packed: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    rng, source = random.Random(verb), str(recordings)
    if verb == "encode film":
        source = str(tmp_path / "film.mp4")
        make_film(Path(source))

    def command(out: Path) -> list[str]:
        name = verb.split()[0]
        if name == "encode":
            return [name, source, str(out / "x.hst"), "--gop", "4", "--workers", "1" if "film" in verb else "2"]
        return [name, str(packed), str(out / "x"), "--to", verb.split()[1], "--workers", "1"]

    began = time.monotonic()
    for name in ("whole", "out"):
        (tmp_path / name).mkdir()
    program = [sys.executable, "-m", "hstmae"]
    subprocess.run([*program, *command(tmp_path / "whole")], env=environment, check=True, capture_output=True)
    lasted = time.monotonic() - began
    for number in (signal.SIGKILL, signal.SIGINT):
        process = subprocess.Popen(
            [*program, *command(tmp_path / "out")], env=environment, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        time.sleep(lasted * (0.3 + 0.6 * rng.random()))
        (os.kill if number == signal.SIGKILL else os.killpg)(process.pid, number)
        told = process.communicate()[1]
        assert number == signal.SIGKILL or "Traceback" not in told, (
            told
        )  # who dies in mid-start leaves children to complain
        deadline = time.monotonic() + 10
        while _alive(process.pid):  # nobody lives on
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finished = any((tmp_path / "out" / name).exists() for name in ("x", "x.hst"))
    if not finished or verb == "decode store":  # stores are gone on with, finished or not
        subprocess.run([*program, *command(tmp_path / "out")], env=environment, check=True, capture_output=True)
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def make_film(path: Path) -> None:
    av = pytest.importorskip("av", reason="films need PyAV: pip install 'hstmae[video]'")
    rng = np.random.default_rng(3)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25, options={"g": "12"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for _ in range(150):
            frame = rng.integers(0, 256, (240, 320, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_signals_end_a_run_in_order() -> None:
    with pytest.raises(Stopped, match="SIGTERM") as stop, stopping():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
    assert stop.value.number == signal.SIGTERM and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as under nohup
    try:
        with stopping():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


_HOLDER = """
import sys, time
from hstmae.locks import alone
with alone(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


def test_who_writes_an_output_holds_it_until_he_ends(tmp_path: Path, environment: dict[str, str]) -> None:
    out = tmp_path / "new" / "out"
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(out)], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    with pytest.raises(UsageError, match="another run is writing"), alone(out):
        pass
    holder.kill()  # and leaves its mark behind
    holder.communicate()
    assert list(out.parent.iterdir())
    (out.parent / f".out{TEMP_MARK}123").mkdir()
    with alone(out), alone(out):  # who has it may take it again, but for what two must not have
        assert not (out.parent / f".out{TEMP_MARK}123").exists()
        with once(out), pytest.raises(UsageError, match="another run"), once(out):
            pass
    assert not list(out.parent.iterdir())


@pytest.mark.parametrize("verb", ["restore", "encode", "decode", "preprocess", "train", "atlas", "recover", "models"])
def test_every_verb_is_told_that_another_run_writes_there(
    verb: str, tmp_path: Path, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    out, source = tmp_path / "out.hst", tmp_path / "in"
    source.mkdir()
    words = {
        "restore": [str(source), "--out", str(out)],
        "encode": [str(source), str(out)],
        "decode": [str(source), str(out), "--to", "png"],
        "preprocess": ["--input_dir", str(source), "--output_dir", str(out)],
        "train": ["--config", str(SAMPLES / "README.md"), "--out", str(out)],
        "atlas": [str(source), "--out", str(out)],
        "recover": [str(source), str(out)],
        "models": ["--json", str(out)],
    }[verb]
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(out)], env=environment, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        assert cli.main([verb, *words]) == 2
        holder.kill()
    assert "another run is writing" in capsys.readouterr().err


def test_ctrl_c_waits_though_another_thread_gets_it() -> None:
    idle = threading.Thread(target=time.sleep, args=(1,))  # one that does not hold the signal back
    idle.start()
    reached = False
    with pytest.raises(KeyboardInterrupt), held_back():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)  # where it would be raised
        reached = True
    idle.join()
    assert reached and signal.getsignal(signal.SIGINT) is signal.default_int_handler
