"""Between the colours of a picture file and the palette entries of a game."""

from __future__ import annotations

import numpy as np

from .spec import GameSpec


def pack_rgb(rgb: np.ndarray) -> np.ndarray:
    """uint8 [..., 3] -> int32 [...]: one number per colour."""
    wide = rgb.astype(np.int32)
    return (wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2]


def unpack_rgb(packed: np.ndarray) -> np.ndarray:
    """int32 [...] -> uint8 [..., 3]: the colours that `pack_rgb` made numbers of."""
    return np.stack([packed >> 16, (packed >> 8) & 255, packed & 255], -1).astype(np.uint8)


def preferred_entries(palette: np.ndarray, game: GameSpec) -> np.ndarray:
    """int64 [K] all entries, those first that software uses where several share one colour."""
    return np.array(list(dict.fromkeys([*game.preferred_entries, *range(len(palette))])), np.int64)


def colour_table(palette: np.ndarray, game: GameSpec) -> dict[int, int]:
    """Packed colour -> palette entry of the game; of entries with one colour, the one that software uses."""
    table: dict[int, int] = {}
    for index in preferred_entries(palette, game).tolist():
        table.setdefault(int(pack_rgb(palette[index])), index)
    return table


def to_indices(packed: np.ndarray, table: dict[int, int]) -> np.ndarray:
    """Packed colours int32 [...] -> palette entries int16 [...], -1 for a colour that the game does not have."""
    values, inverse = np.unique(packed, return_inverse=True)
    lookup = np.array([table.get(int(v), -1) for v in values], np.int16)
    return lookup[inverse].reshape(packed.shape)


def first_entry(stored: np.ndarray, game: GameSpec) -> int:
    """Where the game's colours begin among the entries of a picture file: `GameSpec.emulator_entry`, or 0."""
    base = game.emulator_entry
    return base if 2 * np.count_nonzero(stored >= base) > stored.size else 0


def file_entries(stored: np.ndarray, entries: np.ndarray, game: GameSpec) -> tuple[np.ndarray, np.ndarray]:
    """What the entries of a picture file mean.

    Args:
        stored: uint8 [H, W], the file's own pixels.
        entries: uint8 [N, 3], its palette.
    Returns:
        int16 [N], the game's entry of each, -1 = none has that colour; uint8 [K, 3], the game's colours in this file:
        those of an emulator's file are its own, whatever RGB table it uses.
    """
    size, base = len(game.palette), first_entry(stored, game)
    if base and len(entries) >= base + size:
        meaning = np.full(len(entries), -1, np.int16)
        meaning[base : base + size] = np.arange(size)
        return meaning, entries[base : base + size].copy()
    meaning = to_indices(pack_rgb(entries), colour_table(game.palette, game))
    same = np.arange(min(len(entries), size))
    same = same[(entries[: len(same)] == game.palette[: len(same)]).all(1)]
    meaning[same] = same  # the game's own table at its own place: twins of a colour keep their entries
    return meaning, game.palette


def nearest_entries(rgb: np.ndarray, palette: np.ndarray, game: GameSpec) -> np.ndarray:
    """The palette entry uint8 [N] nearest to each colour uint8 [N, 3] (squared distance in RGB); of entries with one
    colour, the one that software really uses."""
    order = preferred_entries(palette, game)
    colours, inverse = np.unique(rgb, axis=0, return_inverse=True)
    distance = ((colours[:, None].astype(np.int32) - palette[order][None].astype(np.int32)) ** 2).sum(-1)
    return order[distance.argmin(1)].astype(np.uint8)[inverse.reshape(-1)]
