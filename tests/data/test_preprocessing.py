"""Preprocessing as a whole: nothing lost, nothing half written, the same bytes whatever happened on the way."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from synthetic_episodes import assert_same, frame_file, make_episode, write_episodes

from hstmae.data import EpisodeStore
from hstmae.data.store.preprocessing import preprocess
from hstmae.data.store.writer import EpisodeWriter, Packing
from hstmae.errors import DataError, GameError, StoreError, UsageError

FAST = Packing(level=1)


def _tree(folder: Path) -> dict[str, bytes]:
    """Content of every file that the store's hash covers, and of the manifest."""
    skip = {".unfinished", "source.json"}
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in skip
    }


def test_same_input_gives_the_same_bytes_for_any_number_of_workers(tmp_path: Path) -> None:
    episodes = [make_episode(12 + i, seed=i, index=i) for i in range(4)]
    write_episodes(tmp_path / "in", *episodes)
    shutil.copytree(tmp_path / "in", tmp_path / "copy", copy_function=shutil.copyfile)  # other file times
    one = preprocess(tmp_path / "in", tmp_path / "a", workers=1, packing=FAST)
    two = preprocess(tmp_path / "copy", tmp_path / "b", workers=2, packing=FAST)
    assert one.hash == two.hash and _tree(tmp_path / "a") == _tree(tmp_path / "b")
    assert (one.episodes, one.frames, one.packed, one.kept, one.left_out) == (4, 54, 4, 0, 0)
    assert one.repaired == 54 and one.bytes_per_frame == one.bytes / 54 and sum(one.splits.values()) == 4
    store = EpisodeStore(tmp_path / "b")
    for episode in episodes:
        assert_same(store[episode.name], episode)


def test_damaged_and_undamaged_recordings_hold_the_same_content(tmp_path: Path) -> None:
    episode = make_episode(10)
    for name, damaged in (("damaged", True), ("clean", False)):
        write_episodes(tmp_path / name, episode, damaged=damaged)
        preprocess(tmp_path / name, tmp_path / f"{name} store", workers=1, packing=FAST)
    a, b = (EpisodeStore(tmp_path / f"{name} store").info(0) for name in ("damaged", "clean"))
    assert (a.content_hash, a.data_sha256) == (b.content_hash, b.data_sha256)
    assert a.notes == {"repaired": 10} and b.notes == {}


def test_a_second_run_keeps_everything_and_new_input_is_added(tmp_path: Path) -> None:
    first, second, third = (make_episode(8, seed=i, index=i) for i in range(3))
    write_episodes(tmp_path / "in", first)
    preprocess(tmp_path / "in", tmp_path / "out", workers=1, packing=FAST)
    again = preprocess(tmp_path / "in", tmp_path / "out", workers=1, packing=FAST)
    assert (again.packed, again.kept, again.frames_per_second) == (0, 1, 0)
    write_episodes(tmp_path / "in", second)
    more = preprocess(tmp_path / "in", tmp_path / "out", workers=1, packing=FAST)
    assert (more.packed, more.kept, more.episodes) == (1, 1, 2)
    write_episodes(tmp_path / "elsewhere", third)
    last = preprocess(tmp_path / "elsewhere", tmp_path / "out", workers=1, packing=FAST)
    assert (last.packed, last.kept, last.episodes) == (1, 0, 3)
    write_episodes(tmp_path / "in", third)
    assert preprocess(tmp_path / "in", tmp_path / "whole", workers=1, packing=FAST).hash == last.hash


def test_a_changed_episode_and_changed_packing_are_packed_again(tmp_path: Path) -> None:
    (folder,) = write_episodes(tmp_path / "in", make_episode(8))
    preprocess(tmp_path / "in", tmp_path / "out", workers=1, packing=FAST)
    frame_file(folder, 8).unlink()
    changed = preprocess(tmp_path / "in", tmp_path / "out", workers=1, packing=FAST)
    assert (changed.packed, changed.replaced, changed.kept, changed.frames) == (1, 1, 0, 7)
    assert preprocess(tmp_path / "in", tmp_path / "out", workers=1, packing=Packing(level=2)).replaced == 1
    assert preprocess(tmp_path / "in", tmp_path / "out", workers=1, packing=Packing(level=2), rebuild=True).packed == 1


def test_splits_can_be_drawn_anew_without_packing(tmp_path: Path) -> None:
    write_episodes(tmp_path / "in", make_episode(4), make_episode(4, level="8-1", index=1))
    preprocess(tmp_path / "in", tmp_path / "out", workers=1, packing=FAST, val_fraction=0)
    summary = preprocess(tmp_path / "in", tmp_path / "out", workers=1, packing=FAST, val_fraction=0, val_levels=["8-1"])
    assert summary.kept == 2 and summary.splits == {"train": 1, "val_level": 1}
    assert EpisodeStore(tmp_path / "out")["player_abcd_e1_8-1_win"].split == "val_level"


def _spoil(tmp_path: Path) -> Path:
    folder, empty, _ = write_episodes(tmp_path / "in", *(make_episode(6, seed=i, index=i) for i in range(3)))
    broken = frame_file(folder, 2)
    broken.write_bytes(broken.read_bytes()[:-1])
    for path in empty.iterdir():
        path.write_bytes(b"x")
    (folder / "notes.txt").write_bytes(b"")
    return broken


@pytest.mark.parametrize("workers", [1, 2])
def test_nothing_is_dropped_in_silence(tmp_path: Path, workers: int) -> None:
    broken = _spoil(tmp_path)
    summary = preprocess(tmp_path / "in", tmp_path / "out", workers=workers, packing=FAST)
    lines = [json.loads(line) for line in (tmp_path / "out" / "problems.jsonl").read_text().splitlines()]
    assert (summary.episodes, summary.frames, summary.left_out, summary.remarks) == (2, 11, 8, 1)
    assert sum(line["left_out"] for line in lines) == 1 + 6 + 1  # a file, six files, and their whole episode
    (reason,) = (line["reason"] for line in lines if line["file"] == broken.name)
    assert reason.endswith("metadata cut off")
    assert EpisodeStore(tmp_path / "out").info("player_abcd_e0_1-1_win").runs == ((1, 1), (3, 4))
    report = (tmp_path / "out" / "problems.jsonl").read_bytes()
    again = preprocess(tmp_path / "in", tmp_path / "out", workers=workers, packing=FAST)
    assert again.hash == summary.hash and (tmp_path / "out" / "problems.jsonl").read_bytes() == report
    write_episodes(tmp_path / "other", make_episode(3, index=9))
    other = preprocess(tmp_path / "other", tmp_path / "out", workers=1, packing=FAST)
    assert (other.left_out, other.episodes) == (8, 3)  # still on record


@pytest.mark.parametrize("workers", [1, 2])
def test_on_error_fail_stops_and_names_the_file(tmp_path: Path, workers: int) -> None:
    (folder,) = write_episodes(tmp_path / "in", make_episode(6))
    write_episodes(tmp_path / "in", make_episode(6, index=1))
    broken = frame_file(folder, 2)
    broken.write_bytes(b"")
    with pytest.raises(DataError, match=f"{broken.name}: not a PNG"):
        preprocess(tmp_path / "in", tmp_path / "out", workers=workers, packing=FAST, on_error="fail")
    with pytest.raises(StoreError, match=r"no store|not finished"):
        EpisodeStore(tmp_path / "out")
    assert not list(tmp_path.glob("out/episodes/.*"))


def test_two_folders_of_one_name(tmp_path: Path) -> None:
    write_episodes(tmp_path / "in" / "a", make_episode(4))
    write_episodes(tmp_path / "in" / "b", make_episode(5))
    summary = preprocess(tmp_path / "in", tmp_path / "out", workers=1, packing=FAST)
    assert (summary.episodes, summary.frames, summary.left_out) == (1, 4, 1)
    with pytest.raises(DataError, match="two episodes are named"):
        preprocess(tmp_path / "in", tmp_path / "other", workers=1, on_error="fail")


def test_impossible_requests(tmp_path: Path) -> None:
    write_episodes(tmp_path / "in", make_episode(3))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("x")
    for output, options, error in (
        ("full", {}, UsageError),
        ("full/thesis.txt", {}, UsageError),
        ("out", {"workers": -1}, UsageError),
        ("out", {"val_fraction": 1.0}, UsageError),
        ("out", {"on_error": "ignore"}, UsageError),
        ("out", {"game": "chess"}, GameError),
    ):
        with pytest.raises(error):
            preprocess(tmp_path / "in", tmp_path / output, **options)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="no such file or folder"):
        preprocess(tmp_path / "nothing", tmp_path / "out")
    assert not (tmp_path / "out").exists() and [p.name for p in (tmp_path / "full").iterdir()] == ["thesis.txt"]


def test_nothing_usable_at_all(tmp_path: Path) -> None:
    (folder,) = write_episodes(tmp_path / "in", make_episode(2))
    for path in folder.iterdir():
        path.write_bytes(b"")
    with pytest.raises(DataError, match="nothing usable"):
        preprocess(tmp_path / "in", tmp_path / "out", workers=1)


def test_two_runs_at_once_are_refused(tmp_path: Path) -> None:
    write_episodes(tmp_path / "in", make_episode(3))
    preprocess(tmp_path / "in", tmp_path / "out", workers=1, packing=FAST)
    with FileLock(tmp_path / ".out.tmp-lock"), pytest.raises(UsageError, match="another run"):
        preprocess(tmp_path / "in", tmp_path / "out", workers=1, packing=FAST)
    assert preprocess(tmp_path / "in", tmp_path / "out", workers=1, packing=FAST).kept == 1


def test_a_full_disk_is_a_clear_error_and_finished_episodes_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_episodes(tmp_path / "in", make_episode(9, index=1), make_episode(8, index=2))
    reference = preprocess(tmp_path / "in", tmp_path / "reference", workers=1, packing=FAST)
    add = EpisodeWriter.add

    def full(self: EpisodeWriter, frame: np.ndarray, number: int, *rest: object) -> None:
        if "_e2_" in self.folder.name and number == 5:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        add(self, frame, number, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(EpisodeWriter, "add", full)
    with pytest.raises(DataError, match="is full"):
        preprocess(tmp_path / "in", tmp_path / "out", workers=1, packing=FAST)
    assert [path.name for path in (tmp_path / "out" / "episodes").iterdir()] == ["player_abcd_e1_1-1_win"]
    monkeypatch.undo()
    again = preprocess(tmp_path / "in", tmp_path / "out", workers=1, packing=FAST)
    assert (again.kept, again.packed, again.hash) == (1, 1, reference.hash)


_RUN = """
import sys
from hstmae.data.store.preprocessing import preprocess
from hstmae.data.store.writer import Packing
if __name__ == "__main__":
    preprocess(sys.argv[1], sys.argv[2], workers=int(sys.argv[3]), packing=Packing(level=1))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_killed_at_random_moments_then_rerun_gives_the_same_store(tmp_path: Path, environment: dict[str, str]) -> None:
    base = make_episode(120)
    episodes = [replace(base, name=f"player_abcd_e{i}_1-1_win", frames=(base.frames + i) % 64) for i in range(4)]
    write_episodes(tmp_path / "in", *episodes)
    reference = preprocess(tmp_path / "in", tmp_path / "reference", workers=1, packing=FAST)
    script = tmp_path / "run.py"
    script.write_text(_RUN)
    out = tmp_path / "out"
    command = [sys.executable, str(script), str(tmp_path / "in"), str(out), "2"]
    rng = random.Random(2)
    unfinished = 0
    for _ in range(4):
        run = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while not list(out.glob("episodes/.*")) and run.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)  # kill while episodes are being written, not while Python starts
        time.sleep(rng.uniform(0, 0.15))
        run.send_signal(signal.SIGKILL)
        assert run.wait() in (0, -signal.SIGKILL)  # it did not stop by itself
        try:
            assert EpisodeStore(out).verify() == []
        except StoreError:
            unfinished += 1
    assert unfinished  # else nothing was interrupted
    result = preprocess(tmp_path / "in", out, workers=1, packing=FAST)
    assert result.hash == reference.hash and _tree(out) == _tree(tmp_path / "reference")
    assert EpisodeStore(out).verify() == [] and not list(out.rglob(".*tmp*"))


def test_a_killed_change_of_an_episode_leaves_no_readable_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While an episode of a finished store is being replaced, the store counts as unfinished."""
    (folder,) = write_episodes(tmp_path / "in", make_episode(6))
    preprocess(tmp_path / "in", tmp_path / "out", workers=1, packing=FAST)
    frame_file(folder, 6).unlink()

    def killed(self: EpisodeWriter, *_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(EpisodeWriter, "finish", killed)
    with pytest.raises(KeyboardInterrupt):
        preprocess(tmp_path / "in", tmp_path / "out", workers=1, packing=FAST)
    with pytest.raises(StoreError, match="run the same"):
        EpisodeStore(tmp_path / "out")


def _command(environment: dict[str, str], *words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hstmae", "preprocess", *map(str, words)]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def test_command_line(tmp_path: Path, environment: dict[str, str]) -> None:
    (folder,) = write_episodes(tmp_path / "in", make_episode(6))
    out, figures = tmp_path / "out", tmp_path / "figures.json"
    done = _command(environment, "--input_dir", tmp_path / "in", "--output_dir", out, "--json", figures)
    assert done.returncode == 0, done.stderr
    assert "6" in done.stdout and "bytes each" in done.stdout and "frames/s" in done.stdout
    assert json.loads(figures.read_text())["frames"] == 6 and EpisodeStore(out).frames == 6
    frame_file(folder, 2).write_bytes(b"")
    failed = _command(
        environment,
        "--input-dir",
        tmp_path / "in",
        "--output-dir",
        tmp_path / "b",
        "--on-error",
        "fail",
        "--workers",
        "1",
    )
    assert failed.returncode == 2 and "_f2_" in failed.stderr and "Traceback" not in failed.stderr
    missing = _command(environment, "--input_dir", tmp_path / "nothing", "--output_dir", tmp_path / "c")
    assert missing.returncode == 2 and "nothing" in missing.stderr and "Traceback" not in missing.stderr
