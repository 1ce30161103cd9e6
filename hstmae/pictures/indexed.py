"""One PNG file: read for restoration, and written back in its own form.

Indexed pictures stay indexed with their own palette, RGB stays RGB, and bytes appended behind the picture (recorders
put memory there) are carried over.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import DataError
from ..games import GameSpec
from ..games.palette import colour_table, file_entries, pack_rgb, to_indices
from .reading import read_native

MAX_PIXELS = 4096 * 4096
SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class IndexedPicture:
    """A picture file in terms of a game's palette.

    Attributes:
        indices: int16 [H, W] the game's palette entries, -1 where the colour is not the game's.
        packed: int32 [H, W] packed RGB colours.
        missing: bool [H, W], True where the file is transparent.
        palette: uint8 [K, 3] colours of the game's entries in this file.
        stored: the file's own pixels: uint8 [H, W] entries, or [H, W, 3] or [H, W, 4].
        entries: uint8 [N, 3], the file's own palette; None for RGB.
        meaning: int16 [N]: the file's entry -> the game's entry or -1; None for RGB.
        tail: bytes behind the picture.
    """

    indices: np.ndarray
    packed: np.ndarray
    missing: np.ndarray
    palette: np.ndarray
    stored: np.ndarray
    entries: np.ndarray | None
    meaning: np.ndarray | None
    tail: bytes

    @property
    def size(self) -> tuple[int, int]:
        return self.packed.shape[0], self.packed.shape[1]

    @property
    def readable(self) -> np.ndarray:
        return self.indices >= 0

    @property
    def pixels(self) -> np.ndarray:
        return self.indices

    def shown(self, mask: np.ndarray, game: GameSpec, where: str) -> np.ndarray:
        return require_known(self.indices, self.packed, mask, game.name, where)

    def colours(self, pixels: np.ndarray) -> np.ndarray:
        return self.palette[pixels]

    def restored(self, indices: np.ndarray, mask: np.ndarray) -> bytes:
        if self.entries is None or self.meaning is None:
            stored = self.stored.copy()
            stored[mask, :3] = self.palette[indices[mask]]
            if stored.shape[-1] == 4:
                stored[mask, 3] = 255
            return to_png(stored, None) + self.tail
        meaning, entries = self.meaning.copy(), self.entries
        for index in np.unique(indices[mask]):
            if index not in meaning:
                meaning = np.append(meaning, np.int16(index))
                entries = np.concatenate([entries, self.palette[index][None]])
        if len(entries) > 256:
            as_rgb = replace(self, stored=self.entries[self.stored], entries=None, meaning=None)
            return as_rgb.restored(indices, mask)
        stored = self.stored.copy()
        own = {int(g): i for i, g in reversed(list(enumerate(meaning)))}
        stored[mask] = np.array([own.get(i, 0) for i in range(len(self.palette))], np.uint8)[indices[mask]]
        return to_png(stored, entries) + self.tail


def require_known(indices: np.ndarray, packed: np.ndarray, mask: np.ndarray, game: str, where: str) -> np.ndarray:
    """The entries as uint8 with missing pixels cleared.

    Args:
        indices: int16 [...], -1 = a colour the game does not have.
        packed: int32 [...] packed colours, for the message.
        mask: bool [...], True = missing; such pixels may have any colour and become 0.
        where: named in the error, e.g. the file.
    Raises:
        DataError: a visible pixel has a colour that the game does not have.
    """
    strange = packed[(indices < 0) & ~mask]
    if len(strange):
        values, counts = np.unique(strange, return_counts=True)
        raise DataError(
            f"{where}: {len(strange)} visible pixels have {len(values)} colours that {game} does not have "
            f"(most often #{int(values[counts.argmax()]):06x}). This model restores palette footage: give the original "
            "palette picture (no JPEG, no scaling, no true-colour video), mask those pixels, or use a true-colour model"
        )
    return np.where(mask, 0, indices).astype(np.uint8)


def to_png(pixels: np.ndarray, palette: np.ndarray | None) -> bytes:
    """uint8 [H, W] entries of `palette` [N, 3], or [H, W, 3 or 4] colours -> the bytes of a PNG file."""
    from PIL import Image

    picture = Image.fromarray(pixels)
    if palette is not None:
        picture = Image.frombytes("P", (pixels.shape[1], pixels.shape[0]), np.ascontiguousarray(pixels).tobytes())
        picture.putpalette(palette.tobytes(), "RGB")
    file = io.BytesIO()
    # `bits` keeps 8-bit entries where fewer would do: readers of recorded frames expect them
    picture.save(file, format="PNG", **({} if palette is None else {"bits": 8}))
    return file.getvalue()


def read_picture(path: Path, game: GameSpec) -> IndexedPicture:
    """Read a PNG file, or another picture file as the PNG file that holds the same.

    Raises:
        DataError: no picture, damaged, or larger than 4096 x 4096 pixels.
    """
    try:
        data = path.read_bytes()
        if not data.startswith(SIGNATURE):
            data = replace(read_native(data), form="PNG").encoded()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    return decode_picture(data, game, str(path))


def decode_picture(data: bytes, game: GameSpec, where: str) -> IndexedPicture:
    """As `read_picture`, from bytes; `where` is named in errors."""
    from PIL import Image

    end = end_of_png(data, where)
    try:
        with Image.open(io.BytesIO(data[:end]), formats=["PNG"]) as file:
            if file.width * file.height > MAX_PIXELS:
                raise DataError(f"{where}: {file.width}x{file.height} is larger than 4096x4096")
            file.load()
            if file.mode == "P":
                return _indexed(file, game, data[end:])
            rgba = np.asarray(file.convert("RGBA"))
            has_alpha = "A" in file.mode or "transparency" in file.info
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError) as error:
        raise DataError(f"{where}: damaged PNG ({error})") from error
    packed = pack_rgb(rgba[..., :3])
    return IndexedPicture(
        indices=to_indices(packed, colour_table(game.palette, game)),
        packed=packed,
        missing=rgba[..., 3] == 0,
        palette=game.palette,
        stored=rgba if has_alpha else rgba[..., :3],
        entries=None,
        meaning=None,
        tail=data[end:],
    )


def _indexed(file: object, game: GameSpec, tail: bytes) -> IndexedPicture:
    stored = np.asarray(file, np.uint8)  # type: ignore[call-overload]
    entries = np.array(file.getpalette("RGB"), np.uint8).reshape(-1, 3)  # type: ignore[attr-defined]
    if len(entries) <= stored.max():  # entries a file uses without defining them are black
        entries = np.concatenate([entries, np.zeros((int(stored.max()) + 1 - len(entries), 3), np.uint8)])
    meaning, palette = file_entries(stored, entries, game)
    missing = np.zeros(stored.shape, bool)
    clear = file.info.get("transparency")  # type: ignore[attr-defined]
    if isinstance(clear, bytes):
        alpha = np.full(256, 255, np.uint8)
        alpha[: len(clear)] = np.frombuffer(clear, np.uint8)
        missing = alpha[stored] == 0
    elif isinstance(clear, int):
        missing = stored == clear
    return IndexedPicture(meaning[stored], pack_rgb(entries)[stored], missing, palette, stored, entries, meaning, tail)


def end_of_png(data: bytes, where: str) -> int:
    """Where the PNG proper ends (behind IEND)."""
    if not data.startswith(SIGNATURE):
        raise DataError(f"{where}: is not a PNG file; convert the footage to PNG frames first")
    position = len(SIGNATURE)
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        position += 12 + length
        if position > len(data):
            break
        if kind == b"IEND":
            return position
    raise DataError(f"{where}: damaged PNG (cut off before its end)")
