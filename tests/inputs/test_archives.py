"""Archives are folders with the same files; those that lie, lead out or are too much are refused in one line."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hstmae.errors import DataError, HstError
from hstmae.inputs import archives, unpacking
from hstmae.inputs.archives import unpack
from hstmae.inputs.unpacking import as_folder, as_given, is_archive

WHEN = (2020, 2, 3, 4, 5, 6)
SECONDS = 1580702706
FORMS = ("zip", "tar", "tar.gz", "tar.bz2", "tar.xz", "tar.zst", "7z")


def pack(path: Path, files: dict[str, bytes], form: str = "") -> Path:
    """An archive of these files in the form that the name's ending says."""
    form = form or path.name.partition(".")[2]
    if form == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(zipfile.ZipInfo(name, WHEN), data, zipfile.ZIP_DEFLATED)
    elif form == "7z":
        py7zr = pytest.importorskip("py7zr", reason="needs 'hstmae[archive]'")
        with py7zr.SevenZipFile(path, "w") as archive:
            for name, data in files.items():
                archive.writestr(data, name)
    else:
        plain = io.BytesIO()
        with tarfile.open(fileobj=plain, mode="w:" + form[4:].replace("zst", "")) as archive:
            for name, data in files.items():
                member = tarfile.TarInfo(name)
                member.size, member.mtime = len(data), SECONDS
                archive.addfile(member, io.BytesIO(data))
        path.write_bytes(zstandard.compress(plain.getvalue()) if form.endswith("zst") else plain.getvalue())
    return path


def content(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["right", "a.png"])  # what it is called does not matter
def test_an_archive_is_a_folder_with_the_same_files(form: str, name: str, tmp_path: Path) -> None:
    files = {"a/0.png": b"first", "a/b/1.png": b"", "c.txt": bytes(range(256)) * 300}
    path = pack(tmp_path / (f"right.{form}" if name == "right" else name), files, form)
    assert is_archive(path)
    folder = as_folder(path)
    assert content(folder) == files and as_folder(path) == folder
    assert as_given(f"{folder}/a/0.png: no") == f"{path}/a/0.png: no"
    if form != "7z":
        assert (folder / "c.txt").stat().st_mtime == SECONDS


@pytest.mark.parametrize("form", FORMS)
def test_the_only_folder_of_an_archive_is_what_is_meant(form: str, tmp_path: Path) -> None:
    folder = as_folder(pack(tmp_path / f"x.{form}", {"top/in/0.png": b"0", "top/in/1.png": b"1"}))
    assert folder.name == "in" and set(content(folder)) == {"0.png", "1.png"}


@pytest.mark.parametrize("form", FORMS)
def test_what_systems_leave_is_passed_over(form: str, tmp_path: Path) -> None:
    files = {"0.png": b"0", "__MACOSX/._0.png": b"x", "._0.png": b"x", "in/.DS_Store": b"x", "in/Thumbs.db": b"x",
             "in/1.png": b"1"}  # fmt: skip
    assert set(content(as_folder(pack(tmp_path / f"x.{form}", files)))) == {"0.png", "in/1.png"}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "name", ["../out.png", "/tmp/out.png", "a/../../out.png", "C:/out.png", "a//b.png", "..\\out.png"]
)
def test_names_that_lead_out_are_refused(form: str, name: str, tmp_path: Path) -> None:
    if form == "7z" and name[0] in "./a":
        pytest.skip("the library does not write such names")
    path = pack(tmp_path / f"x.{form}", {"a.png": b"a", name: b"evil"})
    target = tmp_path / "deep" / "target"
    target.mkdir(parents=True)
    with pytest.raises(DataError, match=r"not to be trusted|damaged"):
        unpack(path, target)
    assert not [p for p in tmp_path.rglob("out.png") if target not in p.parents]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_are_refused(kind: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:
        member = tarfile.TarInfo("a.png")
        member.type, member.linkname = kind, "/etc/passwd"
        archive.addfile(member)
    with pytest.raises(DataError, match=r"a\.png is a link or a device"):
        as_folder(path)


def test_links_in_zip_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        link = zipfile.ZipInfo("a.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(DataError, match=r"a\.png is a link"):
        as_folder(tmp_path / "x.zip")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("form", FORMS)
def test_names_that_are_one_file_where_capitals_make_no_difference(form: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"two members are named a/x\.png and A/X\.png"):
        as_folder(pack(tmp_path / f"x.{form}", {"a/x.png": b"1", "A/X.png": b"2"}))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_comes_twice(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a.png", "1")
        archive.writestr("a.png", "2")
    with pytest.raises(DataError, match=r"two members are named a\.png"):
        as_folder(tmp_path / "x.zip")


@pytest.mark.parametrize("form", FORMS)
def test_an_archive_that_unpacks_to_too_much(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "SMALL", 1 << 16)
    monkeypatch.setattr(archives, "MAX_RATIO", 1)
    path = pack(tmp_path / f"x.{form}", {"a.png": bytes(1 << 20), "b.png": b""})
    with pytest.raises(DataError, match=r"no archive of (footage|recordings) does|room"):
        if form == "tar":  # not packed, so it cannot lie
            monkeypatch.setattr(archives, "room", lambda: 1 << 16)
        as_folder(path)


@pytest.mark.parametrize("form", FORMS)
def test_an_archive_that_finds_no_room(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pack(tmp_path / f"x.{form}", {"a.png": os.urandom(1 << 16)})
    monkeypatch.setattr(archives, "room", lambda: 1000)
    with pytest.raises(DataError, match="TMPDIR"):
        as_folder(path)


def test_encrypted_archives_say_so(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.zip", {"a.png": b"secret"})
    data = bytearray(path.read_bytes())
    data[6] |= 1  # the flag in the member's own head, and in the list of members
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"x\.zip is encrypted"):
        as_folder(path)
    py7zr = pytest.importorskip("py7zr", reason="needs 'hstmae[archive]'")
    with py7zr.SevenZipFile(tmp_path / "x.7z", "w", password="p") as archive:
        archive.writestr(b"secret", "a.png")
    with pytest.raises(DataError, match=r"x\.7z is encrypted"):
        as_folder(tmp_path / "x.7z")


@settings(max_examples=80, deadline=None)
@given(
    form=st.sampled_from(FORMS),
    cut=st.integers(0, 600),
    flips=st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 7)), max_size=3),
)
def test_damaged_archives_raise_typed_errors_or_give_what_was_in_them(
    tmp_path_factory: pytest.TempPathFactory, form: str, cut: int, flips: list[tuple[int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("x")
    path = pack(folder / f"x.{form}", {"a.png": b"a" * 300, "b/c.png": bytes(range(256))})
    data = bytearray(path.read_bytes())
    for at, bit in flips:
        data[at % len(data)] ^= 1 << bit
    path.write_bytes(data[: max(1, len(data) - cut)])
    (folder / "out").mkdir()
    try:
        unpack(path, folder / "out")
    except HstError as error:
        assert "\n" not in str(error)
    assert {p.name for p in folder.iterdir()} == {path.name, "out"}


def test_temporary_folders_go_with_the_process_and_what_killed_ones_left_with_the_next(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.zip", {"a.png": b"a"})
    temp = tmp_path / "temp"
    temp.mkdir()
    code = (
        "import os, sys; from pathlib import Path; from hstmae.inputs.unpacking import as_folder\n"
        "print(as_folder(Path(sys.argv[1])), flush=True)\n"
        "if sys.argv[2] == 'kill': os.kill(os.getpid(), 9)"
    )
    environment = {**os.environ, "TMPDIR": str(temp)}
    for how, left in (("kill", 1), ("end", 0)):
        run = subprocess.run(
            [sys.executable, "-c", code, str(path), how], env=environment, capture_output=True, text=True
        )
        assert Path(run.stdout.strip()).parent.parent == temp, run.stderr
        assert len(list(temp.iterdir())) == left


@pytest.mark.parametrize("kind", ["picture", "archive", "nothing"])
def test_standard_input(kind: str, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    if kind == "archive":
        data = pack(tmp_path / "x.tar.gz", {"a.png": data, "b.png": data}).read_bytes()
    code = (
        "from pathlib import Path; from hstmae.inputs.unpacking import as_folder, shown\n"
        "path = as_folder(Path('-')); print(path.name, path.is_dir(), shown(path), as_folder(Path('-')) == path)"
    )
    run = subprocess.run([sys.executable, "-c", code], input=b"" if kind == "nothing" else data, capture_output=True)
    if kind == "nothing":
        assert b"nothing came from standard input" in run.stderr
    else:
        name = b"stdin.png False - True" if kind == "picture" else b"stdin True - True"
        assert run.stdout.strip() == name, run.stderr


@pytest.mark.parametrize("head", [b"Rar!\x1a\x07\x01\0", b"version https://git-lfs.github.com/spec/v1\noid x"])
def test_what_stands_for_an_archive_says_what_to_do(head: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(head)
    with pytest.raises(DataError, match=r"unpack it and give the folder|git lfs pull"):
        as_folder(tmp_path / "x.zip")


def test_weights_and_arrays_are_no_archives(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=np.zeros(3))
    assert not is_archive(tmp_path / "a.npz") and not is_archive(tmp_path)
    assert unpacking.as_folder(tmp_path / "a.npz") == tmp_path / "a.npz"
