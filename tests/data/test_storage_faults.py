"""Full disks and unreadable files while preprocessing: a clear error, a usable store, and nothing lost on the rerun."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from synthetic_episodes import frame_file, make_episode, write_episodes

from hstmae.data import EpisodeStore
from hstmae.data.sources.smb import listing
from hstmae.data.sources.smb.dataset import SmbEpisode
from hstmae.data.sources.smb.listing import list_episodes
from hstmae.data.store import building
from hstmae.data.store.building import StoreSummary
from hstmae.data.store.manifest import EPISODES, META, PROBLEMS
from hstmae.data.store.preprocessing import preprocess
from hstmae.data.store.writer import Packing
from hstmae.errors import DataError

FAST = Packing(level=1)


def run(source: Path, out: Path, workers: int = 1) -> StoreSummary:
    return preprocess(source, out, workers=workers, packing=FAST)


def command(source: Path, out: Path, workers: int = 1) -> list[str]:
    words = ["--input_dir", str(source), "--output_dir", str(out), "--workers", str(workers), "--zstd-level", "1"]
    return [sys.executable, "-m", "hstmae", "preprocess", *words]


def small_disk(script: str, environment: dict[str, str], mount: Path, size: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script in which a file system of `size` is mounted at `mount`; no privileges are needed for that."""
    mount.mkdir(exist_ok=True)
    words = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-e", "-c"]
    mounted = f"mount -t tmpfs -o size={size} none {shlex.quote(str(mount))}\n{script}"
    return subprocess.run([*words, mounted], env=environment, capture_output=True, text=True)


@pytest.fixture
def disk(tmp_path: Path, environment: dict[str, str]) -> Path:
    """Where a small file system can be mounted."""
    if not shutil.which("unshare") or small_disk("true", environment, tmp_path / "probe", "64k").returncode:
        pytest.skip("a small file system needs Linux user namespaces")
    return tmp_path / "disk"


def test_a_really_full_disk(tmp_path: Path, disk: Path, environment: dict[str, str]) -> None:
    """A disk that holds one of three episodes; then a finished store on it to which more is added than fits."""
    first, *_ = write_episodes(
        tmp_path / "three", *(make_episode(10 if i == 0 else 24, seed=i, index=i) for i in range(3))
    )
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / first.name).symlink_to(first, target_is_directory=True)
    reference = run(tmp_path / "three", tmp_path / "reference")
    out, rest = disk / "out", tmp_path / "rest"
    one, three = (shlex.join(command(tmp_path / name, out, 1 + (name == "three"))) for name in ("one", "three"))
    script = f"""
        {three} 2> {rest}.first && exit 11 || test $? = 2
        test ! -e {out}/meta.json
        rm -rf {out}
        {one} > {rest}.one
        {three} 2> {rest}.second && exit 12 || test $? = 2
        cp -r {out} {rest}
    """
    done = small_disk(script, environment, disk, "320k")
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("first", "second"):
        text = Path(f"{rest}.{name}").read_text()
        assert "is full: free some space" in text and "Traceback" not in text
    store = EpisodeStore(rest)
    assert len(store) == 1 and store.frames == 10 and store.verify() == []
    again = run(tmp_path / "three", rest)
    assert again.kept >= 1 and again.hash == reference.hash and EpisodeStore(rest).verify() == []


_LIMITED = """
import resource, sys
from hstmae.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize("limit", [100, 60_000])
def test_a_file_that_may_not_grow(tmp_path: Path, environment: dict[str, str], limit: int) -> None:
    """The system refuses to write beyond `limit` bytes of a file: in the large episode, or at the first of all."""
    pytest.importorskip("resource", reason="limits of a process are a matter of Unix")
    write_episodes(tmp_path / "in", make_episode(40, index=0), make_episode(2, seed=1, index=1))
    reference = run(tmp_path / "in", tmp_path / "reference")
    out = tmp_path / "out"
    script = [sys.executable, "-c", _LIMITED, str(limit), *command(tmp_path / "in", out)[3:]]
    done = subprocess.run(script, env=environment, capture_output=True, text=True)
    assert done.returncode == 2 and "cannot write" in done.stderr and "Traceback" not in done.stderr
    assert not (out / META).exists() and not list(out.rglob(".*tmp*"))
    assert run(tmp_path / "in", out).hash == reference.hash


def test_no_room_for_the_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A finished store stays whole when the disk fills up on the last stretch of adding to it."""
    write_episodes(tmp_path / "in", make_episode(4, index=0))
    run(tmp_path / "in", tmp_path / "out")
    (second,) = write_episodes(tmp_path / "in", make_episode(4, seed=1, index=1))
    frame_file(second, 2).write_bytes(b"")
    reference = run(tmp_path / "in", tmp_path / "reference")
    before = {name: (tmp_path / "out" / name).read_bytes() for name in (META, PROBLEMS)}

    def full(path: Path, data: bytes) -> None:
        raise OSError(28, os.strerror(28), str(path))

    monkeypatch.setattr(building, "write_bytes", full)
    with pytest.raises(DataError, match="is full"):
        run(tmp_path / "in", tmp_path / "out")
    monkeypatch.undo()
    assert before == {name: (tmp_path / "out" / name).read_bytes() for name in (META, PROBLEMS)}
    assert len(EpisodeStore(tmp_path / "out")) == 1 and EpisodeStore(tmp_path / "out").verify() == []
    again = run(tmp_path / "in", tmp_path / "out")
    assert (again.kept, again.packed, again.hash) == (2, 0, reference.hash)


@pytest.mark.parametrize("workers", [1, 2])
def test_files_that_cannot_be_read_are_left_out_and_named(tmp_path: Path, workers: int) -> None:
    (folder,) = write_episodes(tmp_path / "in", make_episode(6))
    swapped, gone = frame_file(folder, 2), frame_file(folder, 4)
    swapped.unlink()
    swapped.mkdir()
    gone.unlink()
    gone.symlink_to("nowhere.png")
    summary = run(tmp_path / "in", tmp_path / "out", workers)
    lines = [json.loads(line) for line in (tmp_path / "out" / PROBLEMS).read_text().splitlines()]
    assert (summary.frames, summary.left_out) == (4, 2)
    assert {line["file"] for line in lines} == {swapped.name, gone.name}
    assert all(line["reason"].startswith("cannot be read: ") for line in lines)
    with pytest.raises(DataError, match="cannot be read"):
        preprocess(tmp_path / "in", tmp_path / "strict", workers=workers, on_error="fail")


def test_permission_refused(tmp_path: Path, environment: dict[str, str]) -> None:
    """A file and a whole folder without the permission to read them, for a user who is not all-powerful."""
    (folder,) = write_episodes(tmp_path / "in", make_episode(4))
    frame_file(folder, 3).chmod(0)
    if os.access(frame_file(folder, 3), os.R_OK):
        pytest.skip("this user may read everything")
    summary = run(tmp_path / "in", tmp_path / "out")
    assert (summary.frames, summary.left_out) == (3, 1)
    folder.chmod(0o400)  # names can be listed, nothing more: every frame is reported
    with pytest.raises(DataError, match="nothing usable"):
        run(tmp_path / "in", tmp_path / "listed")
    folder.chmod(0)
    try:
        done = subprocess.run(command(tmp_path / "in", tmp_path / "shut"), env=environment, capture_output=True)
        assert done.returncode == 2 and folder.name.encode() in done.stderr and b"Traceback" not in done.stderr
    finally:
        folder.chmod(0o700)


def test_files_and_folders_that_vanish_during_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = write_episodes(tmp_path / "in", make_episode(6), make_episode(6, seed=1, index=1))
    read = SmbEpisode.read_file

    def vanishing(self: SmbEpisode, name: str) -> bytes:
        if "_f3_" in name and self.folder == first:
            for path in first.glob("*_f4_*"):
                path.unlink()
            shutil.rmtree(second, ignore_errors=True)
        return read(self, name)

    monkeypatch.setattr(SmbEpisode, "read_file", vanishing)
    summary = run(tmp_path / "in", tmp_path / "out")
    assert (summary.episodes, summary.frames, summary.left_out) == (1, 5, 1 + 6 + 1)
    assert [path.name for path in (tmp_path / "out" / EPISODES).iterdir()] == [first.name]
    monkeypatch.undo()
    write_episodes(tmp_path / "in", make_episode(6, seed=1, index=1))
    shutil.rmtree(first)
    write_episodes(tmp_path / "in", make_episode(6))
    whole = run(tmp_path / "in", tmp_path / "out")
    assert whole.hash == run(tmp_path / "in", tmp_path / "fresh").hash and whole.left_out == 0


def test_a_folder_that_vanishes_while_it_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder,) = write_episodes(tmp_path / "in", make_episode(3))
    listed = listing._list_files

    def vanishing(path: str) -> object:
        if path == str(folder):
            shutil.rmtree(folder)
        return listed(path)

    monkeypatch.setattr(listing, "_list_files", vanishing)
    with pytest.raises(DataError, match=f"{folder.name}: cannot be read"):
        list_episodes(tmp_path / "in")


def test_a_film_that_vanishes_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    from hstmae.data.sources.pictures import PicturesEpisode

    for name in ("a", "b"):
        (tmp_path / "in" / name).mkdir(parents=True)
        Image.new("RGB", (16, 16), (1, 2, 3)).save(tmp_path / "in" / name / "1.png")
    frames = PicturesEpisode.frames

    def vanishing(self: PicturesEpisode, *arguments: object) -> object:
        shutil.rmtree(tmp_path / "in" / "b", ignore_errors=True)
        return frames(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(PicturesEpisode, "frames", vanishing)
    summary = preprocess(tmp_path / "in", tmp_path / "out", game="generic", workers=1)
    (line,) = [json.loads(line) for line in (tmp_path / "out" / PROBLEMS).read_text().splitlines()]
    assert (summary.episodes, line["episode"]) == (1, "b")
    assert "cannot be read" in line["reason"] and "1.png" in line["reason"]
