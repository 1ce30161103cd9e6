"""Movies as emulators write them: what FCEUX and BizHawk play is what is played here, and what cannot be is named."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from fm2 import format_fm2

from hstmae.data.sources.movies.fm2 import parse_fm2
from hstmae.data.sources.movies.hst_movie import format_json
from hstmae.data.sources.movies.movie import Movie
from hstmae.data.sources.movies.reading import parse_movie, read_movie
from hstmae.data.sources.smb.recorder import rom_remark
from hstmae.errors import DataError

A, B, RIGHT, LEFT, UP, DOWN, START, SELECT = 0x80, 0x10, 0x04, 0x20, 0x40, 0x02, 0x01, 0x08
ACTIONS = [0, RIGHT, RIGHT | A, LEFT | B, START, SELECT, UP | DOWN, 0]
PLAYED = Movie("smb", np.array(ACTIONS, np.uint8), resets=((2, "soft"), (5, "hard")))
PAD = {A: 0x01, B: 0x02, SELECT: 0x04, START: 0x08, UP: 0x10, DOWN: 0x20, LEFT: 0x40, RIGHT: 0x80}  # FCEUX's own bits
ZAPPER_AT_REST = b"120 200 0 1 0"


def header(**keys: object) -> bytes:
    """The head of a .fm2, with keys added or, by None, left out."""
    usual: dict[str, object] = {"version": 3, "emuVersion": 22020, "palFlag": 0, "romFilename": "smb"}
    usual |= {"fourscore": 0, "port0": 1, "port1": 0, "port2": 0} | keys
    return b"".join(f"{key} {value}\n".encode() for key, value in usual.items() if value is not None)


def text_lines(port1: bytes = b"", *more: bytes) -> bytes:
    pads = format_fm2(Movie("smb", PLAYED.actions)).splitlines()[-len(PLAYED) :]
    commands = {2: b"1", 5: b"2"}
    others = b"|".join([port1, *more, b""])
    return b"".join(
        b"|%s|%s|%s|\n" % (commands.get(t, b"0"), line.split(b"|")[2], others) for t, line in enumerate(pads)
    )


def binary_records(*others: bytes) -> bytes:
    """What each frame holds behind the command, the pad first."""
    commands = {2: 1, 5: 2}
    pads = [sum(theirs for ours, theirs in PAD.items() if action & ours) for action in ACTIONS]
    return b"|" + b"".join(bytes([commands.get(t, 0), pad]) + b"".join(others) for t, pad in enumerate(pads))


ZAPPER_RECORD = bytes([120, 200, 0, 1]) + bytes(8)
SAME = {
    "text": header() + text_lines(),
    "CRLF": (header() + text_lines()).replace(b"\n", b"\r\n"),
    "BOM": b"\xef\xbb\xbf" + header() + text_lines(),
    "BOM and CRLF": b"\xef\xbb\xbf" + (header() + text_lines()).replace(b"\n", b"\r\n"),
    "length of all": header(length=len(PLAYED)) + text_lines(),
    "length of fewer": header(length=len(PLAYED)) + text_lines() + text_lines() + text_lines(),
    "negative length": header(length=-1) + text_lines(),
    "data of the TAS editor": header(length=len(PLAYED)) + text_lines() + b"MARKERS\x00\x01\xff|" + bytes(range(256)),
    "idle second controller": header(port1=1) + text_lines(b"........"),
    "idle light gun": header(port1=2) + text_lines(ZAPPER_AT_REST),
    "idle four players": header(fourscore=1, port0=None, port1=None)
    + text_lines(b"........", b"........", b"........"),
    "binary": header(binary=1) + binary_records(),
    "binary with CRLF": header(binary=1).replace(b"\n", b"\r\n") + binary_records(),
    "binary, half a record more": header(binary=1) + binary_records() + b"\x00",
    "binary with a length": header(binary=1, length=len(PLAYED)) + binary_records() + b"BOOKMARKS" * 9,
    "binary, idle second controller": header(binary=1, port1=1) + binary_records(b"\0"),
    "binary, idle light gun": header(binary=1, port1=2) + binary_records(ZAPPER_RECORD),
    "binary, idle four players": header(binary=1, fourscore=1) + binary_records(b"\0\0\0"),
    "comments first": b"comment author somebody\n" + header() + b"subtitle 3 hello there\n" + text_lines(),
    "JSON": format_json(PLAYED),
    "JSON with a BOM": b"\xef\xbb\xbf" + format_json(PLAYED),
}


@pytest.mark.parametrize("data", SAME.values(), ids=SAME)
def test_every_form_of_a_movie_is_the_same_movie(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "movie.fm2"
    path.write_bytes(data)
    assert read_movie(path, "smb") == PLAYED


def test_length_ends_a_movie_as_in_its_emulator() -> None:
    for binary, body in ((0, text_lines()), (1, binary_records())):
        movie = parse_fm2(header(binary=binary, length=3) + body, "smb")
        assert movie.actions.tolist() == ACTIONS[:3] and movie.resets == ((2, "soft"),) and movie.remarks == ()
        short = parse_fm2(header(binary=binary, length=100) + body, "smb")
        assert len(short) == len(ACTIONS)
        assert short.remarks == ("the header says 100 frames, and the file holds 8: it was cut off",)
        with pytest.raises(DataError, match="holds no input"):
            parse_fm2(header(binary=binary, length=0) + body, "smb")


def bk2(log: str | None = None, about: str = "Platform NES\n", name: str = "Input Log.txt", keys: str = "") -> bytes:
    """A BizHawk movie of PLAYED."""
    marks = dict(zip(("Up", "Down", "Left", "Right", "Start", "Select", "B", "A"), "UDLRSsBA", strict=True))
    bits = dict(zip(marks, (UP, DOWN, LEFT, RIGHT, START, SELECT, B, A), strict=True))
    keys = keys or "#Reset|Power|#" + "|".join(f"P1 {key}" for key in marks) + "|#P2 Up|P2 A|"
    lines = []
    for t, action in enumerate(ACTIONS):
        pad = "".join(mark if action & bits[key] else "." for key, mark in marks.items())
        lines.append(f"|{'r' if t == 2 else '.'}{'P' if t == 5 else '.'}|{pad}|..|")
    log = "[Input]\nLogKey:" + keys + "\n" + "\n".join(lines) + "\n[/Input]\n" if log is None else log
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Header.txt", about)
        archive.writestr(name, log)
    return file.getvalue()


def test_a_bizhawk_movie_is_the_same_movie() -> None:
    assert parse_movie(bk2(), "smb") == PLAYED
    assert parse_movie(bk2(about="\ufeffMovieVersion BizHawk v2.0\r\nPlatform NES\r\n"), "smb") == PLAYED
    digest = "ea343f4e445a9050d4b4fbac2c77d0693b1d0922"
    assert parse_movie(bk2(about=f"Platform NES\nSHA1 SHA1:{digest.upper()}\n"), "smb").rom == f"sha1:{digest}"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (header() + text_lines(b"A......."), "line 9: a second controller is used"),
        (header(port1=2) + text_lines(b"120 200 1 1 0"), "the light gun is used"),
        (header(port1=2) + text_lines(b"x"), "x, y and trigger"),
        (header(fourscore=1) + text_lines(b"........", b"......A.", b"........"), "a second controller is used"),
        (header(binary=1, port1=1) + binary_records(b"\1"), "frame 0: a second controller"),
        (header(binary=1, port1=2) + binary_records(bytes([0, 0, 1, 0]) + bytes(8)), "light gun is used"),
        (header(binary=1, fourscore=1) + binary_records(b"\0\0\x80"), "a second controller"),
        (header(binary=1) + b"|\x04\x00", "only resets"),
        (header(binary=1) + b"|", "holds no input"),
        (header(port0=2) + text_lines(), "a light gun in port 1"),
        (header(port0=0) + text_lines(), "nothing in port 1"),
        (header(port1=9) + text_lines(), "unknown device in port 2"),
        (header(length="many") + text_lines(), "length must be a whole number"),
        (header(palFlag=1) + text_lines(), "PAL"),
        (header(savestate="0x00") + text_lines(), "save state"),
        (b"FCM\x1a" + bytes(100), "opens|open it in FCEUX"),
        ("version 3\n|0|........|||".encode("utf-16"), "UTF-16"),
        (b"NES\x1a" + bytes(100), "--rom"),
        (b"\x1f\x8b" + bytes(100), "gzip"),
        (b"hello", "neither of FCEUX"),
        (b"", "holds no input"),
        (b"\xef\xbb\xbf", "holds no input"),
        (bk2(about="Platform SNES\n"), "console SNES"),
        (bk2(about="Platform NES\nStartsFromSavestate True\n"), "save state"),
        (bk2(name="Other.txt"), "no BizHawk movie"),
        (bk2(log=""), "holds no input"),
        (bk2(log="|..|........|..|\n"), "no LogKey"),
        (bk2(log="LogKey:#Reset|Power|#P1 A|\n|..|A|.|\n"), "4 marks for 3 keys"),
        (bk2(log="LogKey:#P2 A|\n|A|\n"), "'P2 A' is used"),
        (bk2(log="LogKey:#Eject|\n|E|\n"), "'Eject' is used"),
        (bk2()[:-30], "damaged BizHawk movie"),
        (b"PK\x03\x04" + bytes(50), "damaged BizHawk movie"),
    ],
)
def test_what_cannot_be_replayed_is_named(data: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "movie"
    path.write_bytes(data)
    with pytest.raises(DataError, match=reason) as caught:
        read_movie(path, "smb")
    assert str(caught.value).startswith(f"{path}: ")


def test_no_movie_is_read_from_what_is_no_file(tmp_path: Path) -> None:
    for path in (tmp_path, Path("/dev/null")):
        with pytest.raises(DataError, match="is no file"):
            read_movie(path, "smb")


def test_damaged_archives_give_typed_errors_only() -> None:
    whole = bk2()
    variants = [whole[:end] for end in range(0, len(whole), 3)]
    variants += [whole[:i] + bytes([whole[i] ^ 0x41]) + whole[i + 1 :] for i in range(4, len(whole))]
    for data in variants:
        try:
            parse_movie(data, "smb")
        except DataError:
            continue


@pytest.mark.parametrize("form", ["base64", "hex"])
def test_another_rom_is_warned_of(form: str, tmp_path: Path) -> None:
    rom = tmp_path / "game.nes"
    rom.write_bytes(b"NES\x1a" + bytes(12) + b"program" * 100)
    right = hashlib.md5(b"program" * 100).digest()

    def movie(digest: bytes) -> Movie:
        text = f"base64:{base64.b64encode(digest).decode()}" if form == "base64" else f"0x{digest.hex()}"
        return parse_fm2(header(romChecksum=text) + text_lines(), "smb")

    assert movie(right).rom == f"md5:{right.hex()}" and rom_remark(movie(right), rom) is None
    remark = rom_remark(movie(bytes(16)), rom)
    assert remark is not None and "another ROM" in remark and right.hex() in remark and bytes(16).hex() in remark
    assert rom_remark(PLAYED, rom) is None  # it does not say
    whole = Movie("smb", PLAYED.actions, rom="sha1:" + hashlib.sha1(rom.read_bytes()).hexdigest())
    assert rom_remark(whole, rom) is None
    for text in ("", "base64:###", "0xzz", "base64:AAAA", "nonsense"):
        assert parse_fm2(header(romChecksum=text) + text_lines(), "smb").rom == ""
