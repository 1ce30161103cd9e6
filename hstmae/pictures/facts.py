"""What a picture file holds that 8-bit RGB cannot keep, by kind."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

# kind -> what it is, as summaries name it. The first ones change what is seen, the others stand beside the picture.
KINDS = {
    "depth": "more than 8 bits a channel",
    "alpha": "transparency",
    "frames": "more than one picture in a file",
    "colours": "colours that are not RGB",
    "profile": "a colour profile or gamma",
    "notes": "texts, times, resolution or the like",
    "tail": "bytes behind the picture",
}
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_PROFILE = (b"iCCP", b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI", b"sBIT", b"bKGD", b"hIST", b"sPLT")
_PNG_READ = (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"acTL", b"fcTL", b"fdAT")  # dealt with otherwise
_TIFF_READ = frozenset((254, 255, *range(256, 260), 262, 266, 273, 277, 278, 279, 284, 317, *range(320, 326), 338, 339,
                        347, 529, 530, 531, 532, 34675))  # fmt: skip
_RGB_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "La", "RGBa", "YCbCr")  # YCbCr: of JPEG and TIFF files
_PLAIN_INFO = {  # keys of `Image.info` that say how the file is packed, or that are dealt with otherwise
    *("transparency", "background", "duration", "loop", "default_image", "blend", "disposal", "interlace"),
    *("progressive", "progression", "jfif", "jfif_version", "jfif_unit", "jfif_density", "adobe", "adobe_transform"),
    *("compression", "icc_profile", "gamma", "chromaticity", "srgb", "exif", "version", "extension", "timestamp"),
    *("aspect", "bpp", "mp", "mpoffset", "timestamps", "quality", "lossless", "raw"),
}  # fmt: skip


@dataclass(frozen=True, order=True)
class Loss:
    """One thing of a picture file that 8-bit RGB does not keep.

    Attributes:
        kind: one of KINDS.
        what: in words, e.g. "16 bits a channel".
        changes: whether what is seen changes without it; else it stands beside the picture.
    """

    kind: str
    what: str
    changes: bool


def losses_of(picture: Any, data: bytes | memoryview) -> tuple[Loss, ...]:
    """What a picture loses as 8-bit RGB, upright; empty where nothing is lost.

    Grey, palettes, interlacing and packing lose nothing: the same colours come back. Nor does the note of how a camera
    was held, which turns the picture.

    Args:
        picture: as `PIL.Image.open` gave it, before anything was converted; its pixels are read where it may be
            transparent.
        data: the file's bytes.
    Raises:
        what Pillow raises for damaged pictures.
    """
    found = [*_depth(picture, data), *_alpha(picture), *_frames(picture), *_beside(picture, data)]
    if picture.mode not in _RGB_MODES and not any(loss.kind == "depth" for loss in found):
        found.append(Loss("colours", f"colours as {picture.mode}", True))
    return tuple(sorted(set(found)))


def counted(losses: Iterable[tuple[Loss, ...]]) -> dict[str, int]:
    """How many pictures lose something of each kind, in the order of KINDS; kinds that none loses are left out."""
    kinds = [{loss.kind for loss in of_one} for of_one in losses]
    counts = {kind: sum(kind in one for one in kinds) for kind in KINDS}
    return {kind: count for kind, count in counts.items() if count}


def _depth(picture: Any, data: bytes | memoryview) -> Iterator[Loss]:
    bits = 8
    if bytes(data[:8]) == _PNG and bytes(data[12:16]) == b"IHDR":  # Pillow gives 16-bit colours as if they had 8
        bits = data[24]
    elif picture.format in ("TIFF", "MPO") or hasattr(picture, "tag_v2"):
        stated = getattr(picture, "tag_v2", {}).get(258, 8)
        bits = max(stated) if isinstance(stated, tuple) else int(stated)
    if picture.mode.startswith(("I", "F")):
        bits = max(bits, 16 if picture.mode.startswith("I;16") else 32 if bits <= 8 else bits)
    if bits > 8:
        yield Loss("depth", f"{bits} bits a channel", True)


def _alpha(picture: Any) -> Iterator[Loss]:
    clear = picture.info.get("transparency")
    if not (picture.mode in ("LA", "PA", "RGBA", "La", "RGBa") or clear is not None):
        return
    if picture.mode in ("La", "RGBa", "PA") or picture.mode not in ("LA", "RGBA"):
        # A colour that is stated to be clear may not occur, and the entries of a palette may all be opaque.
        if picture.mode.startswith(("I", "F")):
            yield Loss("alpha", "transparency", True)
            return
        alpha = np.asarray(picture.convert("RGBA"))[..., 3]
    else:
        alpha = np.asarray(picture.getchannel("A"))
    if alpha.min(initial=255) < 255:
        yield Loss("alpha", "transparency", True)
    elif clear is None:
        yield Loss("alpha", "an alpha channel, opaque everywhere", False)


def _frames(picture: Any) -> Iterator[Loss]:
    count = int(getattr(picture, "n_frames", 1))
    if count > 1:
        yield Loss("frames", f"{count} pictures in one file", True)


def _beside(picture: Any, data: bytes | memoryview) -> Iterator[Loss]:
    """What stands beside the pixels."""
    if bytes(data[:8]) == _PNG:
        yield from _beside_png(data)
        return
    if picture.info.get("icc_profile"):
        yield Loss("profile", "a colour profile", False)
    exif = set(picture.getexif())
    tags = exif - (_TIFF_READ if picture.format == "TIFF" else set()) - {0x0112}  # how the camera was held
    if tags:
        yield Loss("notes", "EXIF" if picture.format != "TIFF" else "tags", False)
    names = sorted(str(key) for key in picture.info if key not in _PLAIN_INFO)
    if picture.format in ("JPEG", "MPO", "TIFF") and 282 not in exif and not picture.info.get("jfif_unit"):
        names = [name for name in names if name not in ("dpi", "resolution")]  # made up where the file states none
    if names:
        yield Loss("notes", ", ".join(names), False)
    end = _end(picture.format, data)
    if end is not None and end < len(data):
        yield Loss("tail", KINDS["tail"], False)


def _beside_png(data: bytes | memoryview) -> Iterator[Loss]:
    position, profile, notes = len(_PNG), set[bytes](), set[bytes]()
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        position += 12 + length
        if kind in _PNG_PROFILE:
            profile.add(kind)
        elif kind == b"eXIf" and _only_orientation(bytes(data[position - 4 - length : position - 4])):
            pass
        elif kind not in _PNG_READ:
            notes.add(kind)
        if kind == b"IEND":
            break
    for of_kind, chunks in (("profile", profile), ("notes", notes)):
        if chunks:
            names = ", ".join(sorted(chunk.decode("ascii", "backslashreplace") for chunk in chunks))
            yield Loss(of_kind, names, False)
    if position < len(data):
        yield Loss("tail", KINDS["tail"], False)


def _only_orientation(exif: bytes) -> bool:
    from PIL import Image

    known = Image.Exif()
    try:
        known.load(exif)
        return set(known) <= {0x0112}
    except (ValueError, SyntaxError, struct.error, OSError):
        return False


def _end(kind: str | None, data: bytes | memoryview) -> int | None:
    """Where the picture proper ends; None where that is not known."""
    if kind == "JPEG":
        return _end_of_jpeg(data)
    if kind == "GIF":
        return _end_of_gif(data)
    if kind == "WEBP" and len(data) >= 8:
        size = 8 + int.from_bytes(data[4:8], "little")
        return size + size % 2
    return None


def _end_of_jpeg(data: bytes | memoryview) -> int | None:
    """Behind the marker of the end that follows the last scan."""
    view, at = bytes(data), 2
    while at + 4 <= len(view):
        if view[at] != 0xFF:
            return None
        marker = view[at + 1]
        if marker == 0xD9:
            return at + 2
        if marker in (0xFF, 0x01) or 0xD0 <= marker <= 0xD8:
            at += 1 if marker == 0xFF else 2
            continue
        at += 2 + int.from_bytes(view[at + 2 : at + 4], "big")
        if marker == 0xDA:  # coded data, until a marker that is neither a restart nor a stuffed zero
            while True:
                at = view.find(b"\xff", at)
                if at < 0 or at + 1 >= len(view):
                    return None
                if view[at + 1] == 0 or 0xD0 <= view[at + 1] <= 0xD7:
                    at += 2
                elif view[at + 1] == 0xFF:
                    at += 1
                else:
                    break
    return None


def _end_of_gif(data: bytes | memoryview) -> int | None:
    if len(data) < 13:
        return None
    at = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)

    def passed(at: int) -> int:  # behind sub-blocks
        while at < len(data) and data[at]:
            at += 1 + data[at]
        return at + 1

    while at < len(data):
        if data[at] == 0x3B:
            return at + 1
        if data[at] == 0x21:
            at = passed(at + 2)
        elif data[at] == 0x2C and at + 10 <= len(data):
            at += 10 + (3 << (data[at + 9] & 7) + 1 if data[at + 9] & 0x80 else 0)
            at = passed(at + 1)
        else:
            return None
    return None
