"""Picture files of every kind -> their own samples, and what each is written back as."""

from __future__ import annotations

import io
import re
import struct
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from ..inputs.kinds import described
from . import png
from .native import Native
from .writing import ENDINGS, MAX_PIXELS, MAX_WEBP

FORMATS = ["PNG", "JPEG", "BMP", "WEBP", "TIFF", "GIF"]  # Pillow's names of what is read
_ORIENTATION = 0x0112
_AS = {"CMYK": "RGB", "YCbCr": "RGB", "RGBX": "RGB", "PA": "RGBA", "La": "LA", "RGBa": "RGBA"}  # modes read as others
DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, KeyError, IndexError, TypeError, OverflowError)


@dataclass(frozen=True)
class Look:
    """What the head of a picture file tells.

    Attributes:
        ending: of what it is written back as, with its dot: its own one where that fits.
        size: height and width, upright.
        frames: pictures in the file that follow each other in time, or as pages.
    """

    ending: str
    size: tuple[int, int]
    frames: int


def look(path: Path) -> Look:
    """Without reading the pixels. Raises DataError for what is no picture of the FORMATS, or cannot be read."""
    from PIL import Image

    try:
        with Image.open(path, formats=FORMATS) as file:
            form = _form(file, file.mode)
            size = file.height, file.width
            if file.format in ("JPEG", "WEBP") or file.info.get("exif"):
                size = size[::-1] if file.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8) else size
            # The endings of PNG and of the file's own format: to ask for all would load what reads every other one.
            fits = Image.EXTENSION.get(path.suffix.lower()) == form
            frames = 1 if file.format in ("JPEG", "MPO") else int(getattr(file, "n_frames", 1))
            return Look(path.suffix if fits else ENDINGS[form], size, frames)
    except Image.UnidentifiedImageError:
        kinds = "pictures that are read are PNG, JPEG, BMP, WebP, TIFF and GIF"
        raise DataError(f"{path}: {described(path)}; {kinds}") from None
    except (*DAMAGE, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: cannot be read as a picture ({getattr(error, 'strerror', None) or error})") from None


def _form(file: Any, mode: str) -> str:
    """What a picture is written as: its own format where that keeps every pixel of such a one, else PNG."""
    name, clear = file.format, file.info.get("transparency")
    if (name == "WEBP" and max(file.size) <= MAX_WEBP) or (name == "BMP" and mode in ("1", "L", "P", "RGB")):
        return str(name)
    whole = (mode in ("1", "L", "LA", "P", "RGB", "RGBA") and max(_bits(file)) <= 8) or mode.startswith("I;16")
    return "TIFF" if name == "TIFF" and whole and clear is None else "PNG"


def _bits(file: Any) -> tuple[int, ...]:
    """Bits of each channel, of a TIFF file; 8 of others."""
    stated = getattr(file, "tag_v2", {}).get(258, 8)
    return stated if isinstance(stated, tuple) else (int(stated),)


def read_native(data: bytes) -> Native:
    """A picture file's content. Of one with several pictures the first.

    Raises:
        DataError: not a picture of the FORMATS, damaged, more than MAX_PIXELS pixels, or samples that are not kept:
            of more than 16 bits, or colours that are neither grey, RGB, CMYK nor of a palette.
    """
    from PIL import Image

    mended = png.without_damaged_notes(data) if data.startswith(png.SIGNATURE) else data
    try:
        with Image.open(io.BytesIO(mended), formats=FORMATS) as file:
            if file.width * file.height > MAX_PIXELS:
                raise DataError(f"{file.width}x{file.height} pixels are more than {MAX_PIXELS}")
            return _upright((_of_png if file.format == "PNG" else _of_pillow)(file, data), file)
    except Image.UnidentifiedImageError:
        raise DataError("is no picture of a kind that is read (PNG, JPEG, BMP, WebP, TIFF, GIF)") from None
    except (*DAMAGE, Image.DecompressionBombError) as error:
        raise DataError(f"damaged picture ({error})") from None


def _of_png(file: Any, data: bytes) -> Native:
    chunks = png.read_chunks(data)
    _, _, depth, colour, *_ = chunks.header
    if depth == 16 and colour != png.GREY:
        samples = _deep(png.without_damaged_notes(data), ["PNG"])
    else:
        samples = np.asarray(file).astype(np.uint16 if depth == 16 else np.uint8)
        samples = samples[..., None] if samples.ndim == 2 else samples
        if colour == png.GREY and depth in (2, 4):
            samples = samples >> (8 - depth)
    palette = key = None
    if colour == png.PALETTE:
        palette = _palette(np.frombuffer(chunks.palette or b"", np.uint8), chunks.clear or b"", int(samples.max()))
    elif chunks.clear is not None and len(chunks.clear) == 2 * png.CHANNELS[colour]:
        key = struct.unpack(f">{png.CHANNELS[colour]}H", chunks.clear)
    lost = [f"a chunk whose checksum is wrong: {kind.decode('ascii', 'replace')}" for kind in chunks.damaged]
    beside = {"before": chunks.before, "behind": chunks.behind, "tail": data[chunks.end :]}
    return Native(samples, depth, palette, key, "PNG", beside, tuple(lost))


def _deep(data: bytes, formats: list[str]) -> np.ndarray:
    """uint16 [H, W, C] of colours of 16 bits, of which Pillow unpacks the upper half. Told that the bytes have another
    order, it unpacks the lower one; and grey with alpha has the bytes of RGBA."""
    from PIL import Image

    other = {"L": "B", "B": "L", "N": "B" if sys.byteorder == "little" else "L"}
    halves = []
    for lower in (False, True):
        with Image.open(io.BytesIO(data), formats=formats) as file:
            parts = []
            for part in file.tile:
                raw, *more = part.args if isinstance(part.args, tuple) else (part.args,)
                if raw == "LA;16B":
                    file._mode, raw = "RGBA", "RGBA"
                elif lower:
                    raw = raw[:-1] + other[raw[-1]]
                parts.append(part._replace(args=(raw, *more) if isinstance(part.args, tuple) else raw))
            grey, file.tile = raw == "RGBA", parts
            halves.append(np.asarray(file))
        if grey:
            return np.ascontiguousarray(halves[0]).view(">u2").astype(np.uint16)
    return (halves[0].astype(np.uint16) << 8) | halves[1]


def _palette(entries: np.ndarray, clear: bytes, most: int) -> np.ndarray:
    """uint8 [N, 4] of RGB entries in a row and the alpha of the first ones; entries that a file uses without defining
    them are black."""
    entries = entries[: len(entries) // 3 * 3].reshape(-1, 3)
    palette = np.zeros((max(len(entries), most + 1), 4), np.uint8)
    palette[:, 3] = 255
    palette[: len(entries), :3] = entries
    alpha = np.frombuffer(clear[: len(palette)], np.uint8)
    palette[: len(alpha), 3] = alpha
    return palette


def _of_pillow(file: Any, data: bytes) -> Native:
    """A picture in another format than PNG."""
    name, bits = "JPEG" if file.format == "MPO" else file.format, max(_bits(file))
    form, lost = _form(file, file.mode), []
    if form != name:
        lost.append(f"{name}: written as PNG, which keeps every pixel")
    if getattr(file, "n_frames", 1) > 1:
        lost.append("further pictures in one file")
    file.load()
    picture, mode, clear = file, file.mode, file.info.get("transparency")
    if mode in _AS:
        lost += [f"colours as {mode}: written as {_AS[mode]}"] if mode != "RGBX" else []
        mode = _AS[mode]
        picture = file.convert(mode)
    grey = mode.startswith("I;16")
    if (not grey and mode not in ("1", "L", "LA", "P", "RGB", "RGBA")) or bits not in (1, 2, 4, 8, 16):
        raise DataError(f"has samples of {bits} bits (mode {mode}), which are not read: convert it to 8 or 16 bits")
    if bits == 16 and picture is not file:
        raise DataError(f"has samples of 16 bits as {file.mode}, which are not read: convert it to RGB")
    if bits == 16 and mode in ("RGB", "RGBA"):
        samples = _deep(data, ["TIFF"])
    else:
        samples = np.asarray(picture).astype(np.uint16 if grey else np.uint8)
    samples = samples[..., None] if samples.ndim == 2 else samples
    palette = key = None
    if mode == "P":
        alpha = bytes(clear) if isinstance(clear, bytes) else b"" if clear is None else b"\xff" * clear + b"\0"
        palette = _palette(np.array(file.getpalette("RGB") or [], np.uint8), alpha, int(samples.max()))
    elif clear is not None and mode in ("1", "L", "RGB"):
        key = tuple(int(value) for value in np.atleast_1d(clear))
    depth = 1 if mode == "1" else 16 if bits == 16 or grey else 8
    return Native(samples, depth, palette, key, form, beside_of(file, form, picture is not file), tuple(lost))


def beside_of(file: Any, form: str, other_colours: bool) -> dict[str, Any]:
    """What stands beside the picture of a file that is not PNG."""
    info = file.info
    return {
        "icc": None if other_colours else info.get("icc_profile"),
        "exif": file.getexif().tobytes() if len(file.getexif()) and file.format != "TIFF" else None,
        "xmp": info.get("xmp"),
        "dpi": info.get("dpi") if info.get("jfif_unit", 1) or file.format != "JPEG" else None,
        "comment": info.get("comment"),
        "tags": dict(file.tag_v2) if form == "TIFF" else None,
        "compression": info.get("compression"),
    }


def _upright(picture: Native, file: Any) -> Native:
    """Turned as the camera noted that it was held; the note goes."""
    exif = file.getexif()
    how = exif.get(_ORIENTATION, 1)
    if how not in range(2, 9):
        return picture
    turned = picture.samples
    if how in (5, 6, 7, 8):
        turned = turned.transpose(1, 0, 2)
    if how in (3, 4, 7, 8):
        turned = turned[::-1]
    if how in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    del exif[_ORIENTATION]
    left = exif.tobytes() if len(exif) else None
    beside = dict(picture.beside)
    if "before" in beside:
        for part in ("before", "behind"):
            beside[part] = tuple(_without(one[0], one[1], left) for one in beside[part] if one[0] != b"eXIf" or left)
    else:
        beside["exif"] = left
        beside["xmp"] = _level(beside["xmp"]) if beside["xmp"] else None
        if beside["tags"]:
            beside["tags"].pop(_ORIENTATION, None)
    return replace(picture, samples=np.ascontiguousarray(turned), beside=beside)


def _without(kind: bytes, body: bytes, exif: bytes | None) -> tuple[bytes, bytes]:
    """A chunk that no longer says how the camera was held."""
    if kind == b"eXIf" and exif is not None:
        return kind, exif.removeprefix(b"Exif\0\0")
    return kind, _level(body) if kind == b"iTXt" else body


def _level(xmp: bytes | str) -> Any:
    if isinstance(xmp, str):
        return re.sub(r'tiff:Orientation="[2-8]"', 'tiff:Orientation="1"', xmp)
    return re.sub(rb'tiff:Orientation(="|>)[2-8]', rb"tiff:Orientation\g<1>1", xmp)
