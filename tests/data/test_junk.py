"""What operating systems leave in folders and archives is passed over, whatever is read."""

from __future__ import annotations

from pathlib import Path

import pytest
from synthetic_episodes import make_episode, write_episodes

from hstmae.data.inspection import open_subject
from hstmae.data.sources.smb.listing import list_episodes
from hstmae.data.sources.video import VideoOptions, find_videos
from hstmae.data.store.preprocessing import preprocess
from hstmae.data.store.writer import Packing
from hstmae.errors import DataError
from hstmae.inference.footage.opening import open_footage
from hstmae.inputs.junk import in_junk, is_junk

NAMES = ["._{name}", ".DS_Store", "Thumbs.db", "THUMBS.DB", "desktop.ini", "Desktop.ini", ".hidden.png", "Icon\r"]
FOLDERS = ["__MACOSX", ".Trashes", "$RECYCLE.BIN", "@eaDir", ".Spotlight-V100"]


@pytest.mark.parametrize("name", [*NAMES, *FOLDERS, ".x.jpg", "._x.7z", "._clip.mp4"])
def test_junk_is_known_by_its_name(name: str) -> None:
    assert is_junk(name)
    assert in_junk(f"a/{name}/b.png")
    assert in_junk(f"a/{name}")


@pytest.mark.parametrize("name", ["x.png", "thumbs.png", "a.b", "..", ".", "_x.png", "macosx", "x._png", "desktop"])
def test_footage_is_no_junk(name: str) -> None:
    assert not is_junk(name)


def _littered(folder: Path) -> Path:
    """An episode with all of it in its folder, beside its folder, and in folders of their own."""
    (episode,) = write_episodes(folder, make_episode(5))
    names = sorted(path.name for path in episode.iterdir())
    for place in (episode, folder):
        for junk in NAMES:
            (place / junk.format(name=names[0])).write_bytes(b"\0\5\26\7 junk")
        for junk in FOLDERS:
            (place / junk / episode.name).mkdir(parents=True)
            for name in names:
                (place / junk / episode.name / f"._{name}").write_bytes(b"junk")
                (place / junk / episode.name / name).write_bytes(b"junk")
    (folder / "._old.7z").write_bytes(b"junk")
    return folder


def test_recordings_with_junk_make_the_store_of_those_without(tmp_path: Path) -> None:
    write_episodes(tmp_path / "clean", make_episode(5))
    clean = preprocess(tmp_path / "clean", tmp_path / "a", workers=1, packing=Packing(level=1))
    littered = preprocess(_littered(tmp_path / "in"), tmp_path / "b", workers=1, packing=Packing(level=1))
    assert (littered.hash, littered.left_out, littered.remarks) == (clean.hash, 0, 0)
    assert len(list_episodes(tmp_path / "in")) == 1
    assert [episode.frames for episode in open_subject(tmp_path / "in").episodes()] == [5]


def test_an_archive_with_junk_makes_the_same_store(tmp_path: Path) -> None:
    py7zr = pytest.importorskip("py7zr")
    write_episodes(tmp_path / "clean", make_episode(5))
    clean = preprocess(tmp_path / "clean", tmp_path / "a", workers=1, packing=Packing(level=1))
    _littered(tmp_path / "in")
    (tmp_path / "packed").mkdir()
    with py7zr.SevenZipFile(tmp_path / "packed" / "set.7z", "w", filters=[{"id": py7zr.FILTER_COPY}]) as file:
        file.writeall(tmp_path / "in", "in")
    (tmp_path / "packed" / "._set.7z").write_bytes(b"junk")
    for source in (tmp_path / "packed" / "set.7z", tmp_path / "packed"):
        store = tmp_path / f"of_{source.name}"
        packed = preprocess(source, store, workers=1, packing=Packing(level=1))
        assert (packed.hash, packed.left_out, packed.remarks) == (clean.hash, 0, 0)


@pytest.mark.parametrize("game", ["smb", "generic"])
def test_restoring_passes_over_junk(game: str, tmp_path: Path) -> None:
    assert [footage.count for footage in open_footage(_littered(tmp_path / "in"), game)] == [5]


def test_nothing_but_junk_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "__MACOSX" / "._x.png").write_bytes(b"junk")
    (tmp_path / "._x.png").write_bytes(b"junk")
    with pytest.raises(DataError):
        find_videos(tmp_path, VideoOptions())
    with pytest.raises(DataError):
        list(open_footage(tmp_path, "smb"))
    with pytest.raises(DataError):
        preprocess(tmp_path, tmp_path / "out", game="smb")
