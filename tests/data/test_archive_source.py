"""A .7z archive gives the very store its unpacked folder gives; one that cannot be trusted gives a clear error."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fuzzing import CASES, attack, damaged
from synthetic_episodes import frame_file, make_episode, write_episodes

from hstmae.data.sources.smb import archive
from hstmae.data.sources.smb.archive import ArchivedEpisode, StagedEpisode, list_archive
from hstmae.data.sources.smb.dataset import MAX_FILE_BYTES
from hstmae.data.sources.smb.listing import list_episodes
from hstmae.data.store.building import StoreSummary
from hstmae.data.store.jobs import HELD
from hstmae.data.store.preprocessing import preprocess
from hstmae.data.store.writer import EpisodeWriter, Packing
from hstmae.errors import DataError
from hstmae.inputs import sevenzip

py7zr = pytest.importorskip("py7zr", reason="archives need py7zr: pip install 'hstmae[archive]'")
FAST = Packing(level=1)
COPY = [{"id": py7zr.FILTER_COPY}]
LZMA2 = [{"id": py7zr.FILTER_LZMA2, "preset": 0}]


def write_archive(path: Path, members: dict[str, bytes], filters: list[dict[str, int]] = LZMA2) -> Path:
    with py7zr.SevenZipFile(path, "w", filters=filters) as file:
        for name, content in members.items():
            file.writestr(content, name)
    return path


def members_of(folder: Path, top: str = "") -> dict[str, bytes]:
    """Every file below `folder`, in the order of the names."""
    return {
        f"{top}{path.relative_to(folder).as_posix()}": path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def recordings(folder: Path, count: int = 3) -> Path:
    """A folder with something wrong in every way that is reported; more than nine frames, so that names mislead."""
    folders = write_episodes(folder, *(make_episode(11 + i, seed=i, index=i) for i in range(count)))
    cut = frame_file(folders[0], 2)
    cut.write_bytes(cut.read_bytes()[:-1])
    frame_file(folders[0], 3).write_bytes(b"")
    long = frame_file(folders[0], 4)
    long.write_bytes(long.read_bytes() + bytes(MAX_FILE_BYTES))
    (folders[0] / "notes.txt").write_text("kept out")
    (folder / "README.md").write_text("about")
    for path in folders[1].iterdir():
        path.write_bytes(b"")
    return folder


def run(source: Path, out: Path, workers: int = 1) -> StoreSummary:
    return preprocess(source, out, workers=workers, packing=FAST)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of recordings, its store, and an archive of it."""
    base = tmp_path_factory.mktemp("archive")
    recordings(base / "in")
    run(base / "in", base / "store")
    write_archive(base / "all.7z", members_of(base / "in", "data-smb/"))
    return base


def files_of(store: Path) -> dict[str, bytes]:
    return {
        name: data for name, data in members_of(store).items() if Path(name).name not in (".unfinished", "source.json")
    }


@pytest.mark.parametrize("workers", [1, 2])
def test_same_store_as_from_the_unpacked_folder(base: Path, tmp_path: Path, workers: int) -> None:
    wanted, got = run(base / "in", base / "store"), run(base / "all.7z", tmp_path / "out", workers)
    assert wanted.kept == 2 and got.hash == wanted.hash and files_of(tmp_path / "out") == files_of(base / "store")
    assert (got.packed, got.episodes, got.left_out, got.remarks) == (2, 2, 3 + 12 + 1, 1)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"episodes", "meta.json", "problems.jsonl"}
    again = run(base / "all.7z", tmp_path / "out", workers)
    assert (again.kept, again.packed, again.hash) == (2, 0, wanted.hash)


def test_blocks_scattered_members_and_other_methods(base: Path, tmp_path: Path) -> None:
    """Frames of one episode far apart, in two blocks of the archive, stored without packing."""
    members = members_of(base / "in")
    order = sorted(members, key=lambda name: (Path(name).name[::-1], name))
    path = write_archive(tmp_path / "mixed.7z", {name: members[name] for name in order[::2]}, COPY)
    with py7zr.SevenZipFile(path, "a") as file:
        for name in order[1::2]:
            file.writestr(members[name], name)
    with py7zr.SevenZipFile(path) as file:
        assert file.archiveinfo().blocks == 2
    assert run(path, tmp_path / "out").hash == run(base / "in", base / "store").hash


def test_archives_beside_folders(base: Path, tmp_path: Path) -> None:
    folders = sorted(path for path in (base / "in").iterdir() if path.is_dir())
    (tmp_path / "in").mkdir()
    write_archive(tmp_path / "in" / "part.7Z", members_of(folders[0], f"{folders[0].name}/"))
    for folder in folders[1:]:
        write_archive(tmp_path / "in" / f"{folder.name}.7z", members_of(folder))  # no folder inside: the file's name
    assert run(tmp_path / "in", tmp_path / "out").hash == run(base / "in", base / "store").hash
    write_episodes(tmp_path / "in", make_episode(3, index=7))
    assert run(tmp_path / "in", tmp_path / "out").episodes == 3


def test_a_run_stopped_in_the_middle_goes_on(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finish = EpisodeWriter.finish

    def killed(self: EpisodeWriter, *arguments: object) -> object:
        if "_e2_" in self.folder.name:
            raise KeyboardInterrupt
        return finish(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(EpisodeWriter, "finish", killed)
    with pytest.raises(KeyboardInterrupt):
        run(base / "all.7z", tmp_path / "out")
    monkeypatch.undo()
    assert not list((tmp_path / "out").glob(".archive*"))
    (tmp_path / "out" / ".archive.tmp-1-00").mkdir()  # as a killed process leaves it
    (tmp_path / "out" / ".archive.tmp-1-00" / "0.bin").write_bytes(b"x")
    result = run(base / "all.7z", tmp_path / "out")
    assert (result.kept, result.packed) == (1, 1) and result.hash == run(base / "in", base / "store").hash
    assert not list((tmp_path / "out").glob(".archive*"))


@pytest.mark.parametrize("workers", [1, 2])
def test_unpacking_waits_for_packing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int) -> None:
    """However many episodes there are, few lie on the disk: those being packed, and one more for each process."""
    write_episodes(tmp_path / "in", *(make_episode(5, seed=i, index=i) for i in range(9)))
    path = write_archive(tmp_path / "all.7z", members_of(tmp_path / "in"))
    held: list[int] = []
    unpack = ArchivedEpisode.unpack

    def watched(
        first: ArchivedEpisode, episodes: list[ArchivedEpisode], folder: Path, take: Callable[..., None]
    ) -> None:
        def counted(k: int, staged: StagedEpisode) -> None:
            take(k, staged)
            held.append(len(list(folder.glob("*.bin"))))

        unpack(first, episodes, folder, counted)

    monkeypatch.setattr(ArchivedEpisode, "unpack", watched)
    assert run(path, tmp_path / "out", workers).episodes == 9
    # Nothing in these made-up episodes tells the lag: some wait for each other.
    assert len(held) == 9 and max(held) <= (0 if workers == 1 else 2 * workers) + HELD


def test_frames_of_one_episode_alone(base: Path) -> None:
    archived, folder = list_archive(base / "all.7z")[2], list_episodes(base / "in")[2]
    a, b = ([frame.number for frame in e.frames(lambda _: None, {})] for e in (archived, folder))
    assert a == b == list(range(1, 14)) and archived.name == folder.name
    assert (archived.level, archived.outcome, archived.size) == (folder.level, folder.outcome, folder.size)


@pytest.mark.parametrize("name", ["../x.png", "a/../../x.png", "/x.png", "a\\..\\x.png", "C:/x.png", "a//x.png", "."])
def test_names_that_lead_out_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    path = tmp_path / "evil.7z"
    with py7zr.SevenZipFile(path, "w") as file:
        file.writestr(b"x", "a/y.png")
        file.writestr(b"x", "a/z.png")
        file.files[1]._file_info["filename"] = name  # the library would refuse to write it
    with pytest.raises(DataError, match=r"evil.7z"):
        run(path, tmp_path / "out")
    assert {p.name for p in tmp_path.iterdir()} == {"evil.7z"}


def test_links_namesakes_and_archives_without_pictures(tmp_path: Path) -> None:
    target = tmp_path / "real.png"
    target.write_bytes(b"x")
    (tmp_path / "link.png").symlink_to("real.png")
    with py7zr.SevenZipFile(tmp_path / "links.7z", "w") as file:
        file.write(tmp_path / "link.png", "a/link.png")
    with py7zr.SevenZipFile(tmp_path / "twice.7z", "w") as file:
        file.writestr(b"x", "a/x.png")
        file.writestr(b"y", "a/x.png")
    write_archive(tmp_path / "texts.7z", {"a/x.txt": b"x"})
    for name, reason in (("links", "is a link"), ("twice", "two members"), ("texts", "no PNG")):
        with pytest.raises(DataError, match=reason):
            list_archive(tmp_path / f"{name}.7z")


def test_encrypted_archives(tmp_path: Path) -> None:
    for name, hidden in (("content", False), ("names", True)):
        path = tmp_path / f"{name}.7z"
        with py7zr.SevenZipFile(path, "w", password="secret", header_encryption=hidden) as file:
            file.writestr(b"x", "a/x.png")
        with pytest.raises(DataError, match="encrypted"):
            list_archive(path)


def test_claims_beyond_reason(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sevenzip, "SMALL", 1 << 20)
    bomb = write_archive(tmp_path / "bomb.7z", {"a/x.png": bytes(16 << 20)})
    with pytest.raises(DataError, match="claim to hold"):
        list_archive(bomb)
    monkeypatch.setattr(archive, "MAX_STAGED", 1 << 16)
    with pytest.raises(DataError, match="scattered"):
        run(base / "all.7z", tmp_path / "out")
    monkeypatch.setattr(sevenzip, "MAX_MEMBERS", 10)
    with pytest.raises(DataError, match="more than 10"):
        list_archive(base / "all.7z")


def test_damaged_content_stops_and_keeps_what_was_intact(base: Path, tmp_path: Path) -> None:
    """The damage lies in the last episode: those before are finished, and a repaired archive needs only the rest."""
    data = members_of(base / "in", "data-smb/")
    whole = write_archive(tmp_path / "whole.7z", data, COPY).read_bytes()
    last = max(name for name in data if name.endswith(".png"))
    at = whole.index(data[last]) + 100
    path = tmp_path / "bad.7z"
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    with pytest.raises(DataError, match=r"bad.7z is damaged"):
        run(path, tmp_path / "out")
    assert len(list((tmp_path / "out" / "episodes").iterdir())) == 1 and not list((tmp_path / "out").glob(".archive*"))
    path.write_bytes(whole)
    result = run(path, tmp_path / "out")
    assert (result.kept, result.packed) == (1, 1) and result.hash == run(base / "in", base / "store").hash


def test_fuzzed_archives(tmp_path: Path) -> None:
    """Cut, flipped and blown-up archives: a result or a DataError, in bounded memory and time."""
    samples = []
    for k, filters in enumerate((COPY, LZMA2)):
        members = {f"e/{i}.png": bytes([i]) * 300 for i in range(5)}
        samples.append(write_archive(tmp_path / f"{k}.7z", members, filters).read_bytes())
    path = tmp_path / "case.7z"

    def read(case: int) -> None:
        rng = np.random.default_rng([7, case])
        data = samples[case % 2]
        path.write_bytes(data[: case * 7 % len(data)] if case % 5 == 0 else damaged(data, rng))
        with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
            episodes = list_archive(path)
            episodes[0].unpack(episodes, Path(folder), lambda k, staged: staged.discard())

    assert attack(read, max(CASES // 3, 1)) > 0


def test_every_truncation_is_told(base: Path, tmp_path: Path) -> None:
    data = write_archive(tmp_path / "small.7z", {"e/1.png": b"abc", "e/2.png": b""}).read_bytes()
    for cut in range(len(data)):
        (tmp_path / "cut.7z").write_bytes(data[:cut])
        with pytest.raises(DataError, match=r"cut\.7z"):
            list_archive(tmp_path / "cut.7z")


def test_what_is_no_archive_and_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pointer = tmp_path / "data-smb.7z"
    pointer.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 889000000\n")
    with pytest.raises(DataError, match="git lfs pull"):
        run(tmp_path, tmp_path / "out")
    with pytest.raises(DataError, match="git lfs pull"):
        preprocess(pointer, tmp_path / "out", game="generic")
    monkeypatch.setitem(sys.modules, "py7zr", None)
    with pytest.raises(DataError, match=r"hstmae\[archive\]"):
        run(pointer, tmp_path / "out")


def test_command_line(base: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    bad = tmp_path / "bad.7z"
    bad.write_bytes((base / "all.7z").read_bytes()[:-40])
    for source, code, stream in ((base / "all.7z", 0, "stdout"), (bad, 2, "stderr")):
        command = [sys.executable, "-m", "hstmae", "preprocess", "--workers", "1"]
        command += ["--input_dir", str(source), "--output_dir", str(tmp_path / source.stem)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == code, done.stderr
        assert source.stem in getattr(done, stream) and "Traceback" not in done.stderr
