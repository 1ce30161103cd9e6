"""One picture file of a game with a palette: read for restoration, and written back in its own form.

Indexed pictures stay indexed with their own palette, RGB stays RGB, and all that stands beside the picture or is
appended behind it (recorders put memory there) is carried over.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import DataError
from ..games import GameSpec
from ..games.palette import colour_table, file_entries, own_colours, pack_rgb, recognise_picture, recognised, to_indices
from .native import Native
from .reading import read_native

_PROBES = 16  # pictures of a footage that are looked at for its palette
SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class IndexedPicture:
    """A picture file in terms of a game's palette.

    Attributes:
        indices: int16 [H, W] the game's palette entries, -1 where the colour is not the game's.
        packed: int32 [H, W] packed RGB colours.
        missing: bool [H, W], True where the file is transparent.
        palette: uint8 [K, 3] colours of the game's entries: those of the file where it holds all of them, else of the
            table that its colours are known by.
        native: the file's own samples and what stands beside them.
        meaning: int16 [N]: the file's entry -> the game's entry or -1; None for RGB.
        written: uint8 [K, 3] colours that restored pixels are written in: the file's own as far as it shows them.
        note: called with what of the file is not kept, each time it is written.
    """

    indices: np.ndarray
    packed: np.ndarray
    missing: np.ndarray
    palette: np.ndarray
    native: Native
    meaning: np.ndarray | None
    written: np.ndarray
    note: Callable[[str], object] | None = None

    @classmethod
    def of_entries(cls, entries: np.ndarray, palette: np.ndarray) -> IndexedPicture:
        """A frame that comes from no file: uint8 [H, W] entries of `palette` uint8 [K, 3]."""
        rgba = np.concatenate([palette, np.full((len(palette), 1), 255, np.uint8)], 1)
        return cls(
            indices=entries.astype(np.int16),
            packed=pack_rgb(palette)[entries],
            missing=np.zeros(entries.shape, bool),
            palette=palette,
            native=Native(entries[..., None], 8, rgba),
            meaning=np.arange(len(palette), dtype=np.int16),
            written=palette,
        )

    def lost(self) -> IndexedPicture:
        """A frame like this one of which nothing is left."""
        nothing, samples = np.zeros(self.size, np.int16), np.zeros_like(self.native.samples)
        beside = {key: value for key, value in self.native.beside.items() if key != "tail"}
        return replace(
            self, indices=nothing, packed=nothing.astype(np.int32), missing=np.ones(self.size, bool),
            native=replace(self.native, samples=samples, beside=beside),
        )  # fmt: skip

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
        return self.palette.take(pixels, axis=0)

    def restored(self, indices: np.ndarray, mask: np.ndarray) -> bytes:
        made = self._with(indices, mask) if mask.any() else self.native
        for lost in made.lost if self.note is not None else ():
            self.note(lost)  # type: ignore[misc]
        return made.encoded()

    def _with(self, indices: np.ndarray, mask: np.ndarray) -> Native:
        native, meaning = self.native, self.meaning
        if meaning is None or native.palette is None:
            return native.with_colours(self.written[np.where(mask, indices, 0)], mask)
        own = np.full(len(self.palette), -1)
        for entry in np.flatnonzero((meaning >= 0) & (native.palette[:, 3] == 255))[::-1]:
            own[meaning[entry]] = entry
        new = np.flatnonzero(np.bincount(indices[mask], minlength=len(own)))
        new = new[own[new] < 0]
        own[new] = len(native.palette) + np.arange(len(new))
        added = np.concatenate([self.written[new], np.full((len(new), 1), 255, np.uint8)], 1)
        palette = np.concatenate([native.palette, added])
        if len(palette) > 256:
            return native.with_colours(self.written[np.where(mask, indices, 0)], mask)
        samples = native.samples.copy()
        np.copyto(samples[..., 0], own.astype(samples.dtype).take(indices, mode="clip"), where=mask)
        return native.with_entries(samples, palette)


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


def read_picture(
    path: Path, game: GameSpec, first: np.ndarray | None = None, note: Callable[[str], object] | None = None
) -> IndexedPicture:
    """Read a picture file; one that is no PNG is written back as a PNG.

    Args:
        first: uint8 [K, 3] colours of the frames before it, see `games.palette.recognised`.
        note: as in IndexedPicture.
    Raises:
        DataError: no picture, damaged, too large, or of samples that are not kept (see `read_native`); or its colours
            have several meanings.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    return replace(decode_picture(data, game, str(path), first), note=note)


def table_of(paths: Sequence[Path], game: GameSpec) -> np.ndarray | None:
    """The table uint8 [K, 3] that RGB pictures of one footage are known by: what several of them show together tells
    more than one does. None where they are indexed, or cannot be read, which is told when they are.

    Raises:
        DataError: as `games.palette.recognised`.
    """
    seen = []
    for path in paths[:: max(1, len(paths) // _PROBES)]:
        try:
            picture = read_picture(path, game)
        except DataError:
            continue
        if picture.meaning is not None:
            return None
        seen.append(np.unique(picture.packed[~picture.missing], return_counts=True))
    if not seen:
        return None
    colours, where = np.unique(np.concatenate([values for values, _ in seen]), return_inverse=True)
    counts = np.bincount(where, np.concatenate([often for _, often in seen]))
    return recognised(colours, game, counts)[1]


def decode_picture(data: bytes, game: GameSpec, where: str, first: np.ndarray | None = None) -> IndexedPicture:
    """As `read_picture`, from bytes; `where` is named in errors."""
    try:
        native = replace(read_native(data), form="PNG")
        meaning = None
        if native.palette is None:
            rgba = native.rgba
            packed, missing = pack_rgb(rgba[..., :3]), rgba[..., 3] == 0
            indices = np.full(packed.shape, -1, np.int16)
            indices[~missing], palette = recognise_picture(packed[~missing], game, first)
            indices[missing] = to_indices(packed[missing], colour_table(palette, game))
            written = own_colours(indices, packed, palette)
        else:
            stored, entries = native.samples[..., 0], native.palette[:, :3]
            own, clear = pack_rgb(entries), native.palette[:, 3] == 0
            packed, missing = own[stored], clear[stored]
            meaning, palette = file_entries(stored[~missing] if clear.any() else stored, entries, game, first)
            indices, written = meaning[stored], own_colours(meaning, own, palette)
    except DataError as error:
        raise DataError(f"{where}: {error}") from None
    return IndexedPicture(indices, packed, missing, palette, native, meaning, written)


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
