"""What a file is by its first bytes, whatever its name ends in; and what a folder holds, for messages."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from .junk import is_junk

HEAD = 512  # bytes that tell
PICTURE_KINDS = ("PNG", "JPEG", "BMP", "WebP", "TIFF", "GIF")
ARCHIVE_KINDS = ("zip", "tar", "gzip", "xz", "bzip2", "zstd", "7z")

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "PNG"),
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"GIF8", "GIF"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (0, b"\x89HST\r\n\x1a\n", "hst"),
    (0, b"PK\x03\x04", "zip"),
    (0, b"PK\x05\x06", "zip"),
    (0, b"7z\xbc\xaf\x27\x1c", "7z"),
    (0, b"Rar!\x1a\x07", "rar"),
    (257, b"ustar", "tar"),
    (0, b"\x1f\x8b", "gzip"),
    (0, b"\xfd7zXZ\0", "xz"),
    (0, b"BZh", "bzip2"),
    (0, b"\x28\xb5\x2f\xfd", "zstd"),
    (4, b"ftyp", "film"),
    (4, b"moov", "film"),
    (4, b"mdat", "film"),
    (0, b"\x1a\x45\xdf\xa3", "film"),  # Matroska, WebM
    (0, b"OggS", "film"),
    (0, b"FLV\x01", "film"),
    (0, b"\0\0\x01\xba", "film"),
    (0, b"\0\0\x01\xb3", "film"),
    (0, b"YUV4MPEG2", "film"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "film"),
    (0, b"%PDF", "PDF"),
    (0, b"NES\x1a", "ROM"),
    (0, b"version https://git-lfs", "git-lfs pointer"),
)


def kind_of(head: bytes) -> str:
    """A kind of picture, archive or film ("PNG", "zip", "film" ...), "hst", "text", "empty", or "" for what is none.

    Args:
        head: the first HEAD bytes of a file, or all of it.
    """
    if not head:
        return "empty"
    for offset, magic, kind in _MAGIC:
        if head.startswith(magic, offset):
            return kind
    if head[:4] == b"RIFF":
        return {b"WEBP": "WebP", b"AVI ": "film"}.get(head[8:12], "")
    if head[:2] == b"BM" and head[6:10] == b"\0\0\0\0":
        return "BMP"
    if head[:1] == b"\x47" and head[188:189] == b"\x47" and head[376:377] == b"\x47":
        return "film"  # MPEG transport stream
    return "text" if _is_text(head) else ""


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:  # not merely a character cut in two
            return False
        text = head[: error.start].decode("utf-8")
    return all(character.isprintable() or character in "\r\n\t\f\ufeff" for character in text)


def file_kind(path: Path) -> str:
    """`kind_of` the file at `path`; "" also for what cannot be read, and for pipes, which would be waited for."""
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            return kind_of(file.read(HEAD))
    except OSError:
        return ""


def described(path: Path) -> str:
    """What lies at `path`, for messages: "is empty", "is a text file", "holds 3 .txt and 1 .pth"."""
    if not path.is_dir():
        kind = file_kind(path)
        if path.suffix.lower() in (".pth", ".pt", ".ckpt", ".safetensors"):
            return "is a model's weights: give it with --checkpoint, and footage here"
        return {
            "": "is of no kind that is known",
            "empty": "is empty (0 bytes)",
            "text": "is a text file",
            "hst": "is a .hst file (`hstmae decode FILE STORE --to store` makes a store of it)",
            "rar": "is a RAR archive, which is not read: unpack it and give the folder",
            "git-lfs pointer": "is only a pointer to the file: fetch it with `git lfs pull`",
        }.get(kind, f"is a {kind}{'' if kind == 'film' else ' file'}")
    endings: Counter[str] = Counter()
    folders = junk = 0
    for place, below, files in os.walk(path):
        folders += len(below)
        below[:] = [name for name in below if not is_junk(name)]
        for name in files:
            junk += is_junk(name)
            endings[Path(name).suffix.lower() or "without an ending"] += not is_junk(name)
        if place.count(os.sep) - str(path).count(os.sep) > 32:
            below.clear()
    named = [f"{count} {ending}" for ending, count in endings.most_common(4) if count]
    if named:
        return f"holds {', '.join(named)}{' and others' if len(+endings) > 4 else ''}"
    if junk:
        return "holds only files that an operating system left there"
    return f"holds {folders} empty folders" if folders else "is an empty folder"
