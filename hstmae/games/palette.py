"""Between the colours of a picture file and the palette entries of a game."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from ..errors import DataError
from .spec import GameSpec

_FEW = 4  # colours that must nearly be those of a table, before it is believed to be another table
_SMALL = 1 << 16  # pixels of which each is looked up by itself; of more, each colour once
NEAR = 8  # steps of a channel between a colour and its entry: what 15-bit and 16-bit colours lose


def pack_rgb(rgb: np.ndarray) -> np.ndarray:
    """uint8 [..., 3] -> int32 [...]: one number per colour."""
    wide = rgb.astype(np.int32)
    return (wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2]


def unpack_rgb(packed: np.ndarray) -> np.ndarray:
    """int32 [...] -> uint8 [..., 3]: the colours that `pack_rgb` made numbers of."""
    return np.stack([packed >> 16, (packed >> 8) & 255, packed & 255], -1).astype(np.uint8)


def differing(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Where colours [..., 3] are not equal, bool [...]."""
    unlike = first != second
    return np.asarray(unlike[..., 0] | unlike[..., 1] | unlike[..., 2])  # ten times as fast as any(-1)


def preferred_entries(palette: np.ndarray, game: GameSpec) -> np.ndarray:
    """int64 [K] all entries, those first that software uses where several share one colour."""
    return np.array(list(dict.fromkeys([*game.preferred_entries, *range(len(palette))])), np.int64)


def colour_table(palette: np.ndarray, game: GameSpec) -> Mapping[int, int]:
    """Packed colour -> palette entry of the game; of entries with one colour, the one that software uses."""
    return _colour_table(palette.tobytes(), tuple(preferred_entries(palette, game).tolist()))


@lru_cache(64)  # every picture of a footage asks for the same few
def _colour_table(palette: bytes, order: tuple[int, ...]) -> Mapping[int, int]:
    packed = pack_rgb(np.frombuffer(palette, np.uint8).reshape(-1, 3)).tolist()
    table: dict[int, int] = {}
    for index in order:
        table.setdefault(packed[index], index)
    return MappingProxyType(table)


def to_indices(packed: np.ndarray, table: Mapping[int, int]) -> np.ndarray:
    """Packed colours int32 [...] -> palette entries int16 [...], -1 for a colour that the game does not have."""
    if packed.size <= _SMALL:
        return np.array([table.get(value, -1) for value in packed.ravel().tolist()], np.int16).reshape(packed.shape)
    values, inverse = np.unique(packed, return_inverse=True)
    return to_indices(values, table)[inverse].reshape(packed.shape)


def recognised(
    colours: np.ndarray, game: GameSpec, counts: np.ndarray | None = None, first: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Which palette entries colours are, and in which of the RGB tables that emulators show the game's palette in.

    The table is the one that explains most of them. Where none does so exactly, colours may be up to NEAR steps off in
    each channel, if the nearest entry is clear and no two colours have one.

    Args:
        colours: packed, int32 [N], each once.
        counts: how often each occurs [N], 0 included; None = alike.
        first: uint8 [K, 3] the table that is taken where several explain as much: that of the footage so far.
    Returns:
        int16 [N] entries, -1 where none has the colour; uint8 [K, 3] the table.
    Raises:
        DataError: two tables explain as much and mean different entries.
    """
    tables = [*([] if first is None else [first]), game.palette, *game.other_palettes]
    used = np.ones(len(colours), bool) if counts is None else np.asarray(counts) > 0
    if first is not None:  # as on nearly every picture but the first
        entries = to_indices(colours, colour_table(first, game))
        if (entries[used] >= 0).all():
            return entries, first
    often = np.ones(int(used.sum())) if counts is None else np.asarray(counts, np.float64)[used]
    found = [to_indices(colours[used], colour_table(table, game)) for table in tables]
    shares = [float(often[entries >= 0].sum()) for entries in found]
    if all((entries < 0).any() for entries in found):
        near = [_nearly(colours[used], table, game) for table in tables]
        closer = [float(often[entries >= 0].sum()) for entries in near]
        if max(closer) > max(shares):
            found, shares = near, closer
    best = [k for k, share in enumerate(shares) if share == max(shares)]
    if first is None and max(shares, default=0) > 0 and any(not np.array_equal(found[k], found[best[0]]) for k in best):
        shown = " ".join(f"#{value:06x}" for value in colours[used][:4].tolist())
        raise DataError(
            f"its colours ({shown} ...) are those of several emulators' palettes, which mean different entries by them"
        )
    entries, table = to_indices(colours, colour_table(tables[best[0]], game)), tables[best[0]]
    entries[used] = found[best[0]]
    return entries, table


def _nearly(colours: np.ndarray, table: np.ndarray, game: GameSpec) -> np.ndarray:
    """As `to_indices`, for colours that are not quite the table's; entries that the game never shows are left out."""
    shown = set(game.shown_entries or range(len(table)))
    order = np.array([entry for entry in preferred_entries(table, game).tolist() if entry in shown])
    distance = np.abs(unpack_rgb(colours)[:, None].astype(int) - table[order][None].astype(int)).max(-1)
    nearest = distance.argmin(1)
    least = distance[np.arange(len(colours)), nearest]
    same = (table[order][nearest][:, None] == table[order][None]).all(-1)
    other = np.where(same, 256, distance).min(1)
    entries = np.where((least <= NEAR) & (other >= 2 * least + 2), order[nearest], -1).astype(np.int16)
    values, times = np.unique(entries, return_counts=True)
    entries[np.isin(entries, values[times > 1])] = -1  # of noise, not of another palette
    return entries if np.count_nonzero(entries >= 0) >= _FEW else np.full_like(entries, -1)


def recognise_picture(
    packed: np.ndarray, game: GameSpec, first: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """As `recognised`, of a picture's packed colours int32 [...]: entries int16 [...] and the table."""
    colours, inverse, counts = np.unique(packed, return_inverse=True, return_counts=True)
    entries, table = recognised(colours, game, counts, first)
    return entries[inverse].reshape(packed.shape), table


def own_colours(entries: np.ndarray, packed: np.ndarray, table: np.ndarray) -> np.ndarray:
    """`table` uint8 [K, 3] with the colours that a picture shows its entries in: int16 [...], packed int32 [...]."""
    own = table.copy()
    at, where = np.unique(entries, return_index=True)
    own[at[at >= 0]] = unpack_rgb(packed.ravel()[where])[at >= 0]
    return own


def first_entry(stored: np.ndarray, game: GameSpec) -> int:
    """Where the game's colours begin among the entries of a picture file: `GameSpec.emulator_entry`, or 0."""
    base = game.emulator_entry
    return base if 2 * np.count_nonzero(stored >= base) > stored.size else 0


def file_entries(
    stored: np.ndarray, entries: np.ndarray, game: GameSpec, first: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """What the entries of a picture file mean.

    Entries that stand where an emulator writes the game's palette are what they are by their place, whatever RGB table
    it uses; those of a file that somebody else has packed are known by their colours.

    Args:
        stored: uint8 [H, W], the file's own pixels.
        entries: uint8 [N, 3], its palette.
        first: as of `recognised`.
    Returns:
        int16 [N], the game's entry of each, -1 = none has that colour; uint8 [K, 3], the game's colours in this file:
        those of an emulator's file are its own.
    Raises:
        DataError: as `recognised`.
    """
    size, base = len(game.palette), first_entry(stored, game)
    counts = np.bincount(stored.ravel(), minlength=len(entries))
    used = np.flatnonzero(counts)
    values, inverse = np.unique(pack_rgb(entries), return_inverse=True)
    weights = np.bincount(inverse[used], counts[used], len(values))
    by_colour, table = recognised(values, game, weights, first)
    by_colour = by_colour[inverse]
    if len(entries) >= base + size:
        own = entries[base : base + size]
        inside = used[(used >= base) & (used < base + size)]
        # Below, whoever has packed the file may have put the colours in any order: in the table's own, or in none.
        apart = np.abs(own[inside].astype(int) - table[inside].astype(int)).max(initial=0) if not base else 0
        exact = (by_colour[used] >= 0).all() and apart > 0
        if len(inside) and apart <= NEAR and not exact:
            meaning = np.full(len(entries), -1, np.int16)
            meaning[base : base + size] = np.arange(size)
            return meaning, own.copy()
    same = np.arange(min(len(entries), size))
    same = same[(entries[: len(same)] == table[: len(same)]).all(1)]
    by_colour[same] = same  # the table itself at its own place: twins of a colour keep their entries
    return by_colour, table


def nearest_entries(rgb: np.ndarray, palette: np.ndarray, game: GameSpec) -> np.ndarray:
    """The palette entry uint8 [N] nearest to each colour uint8 [N, 3] (squared distance in RGB); of entries with one
    colour, the one that software really uses."""
    order = preferred_entries(palette, game)
    packed, inverse = np.unique(pack_rgb(rgb), return_inverse=True)
    colours = unpack_rgb(packed).astype(np.float32)
    entries = palette[order].astype(np.float32)
    distance = (entries**2).sum(1) - 2 * (colours @ entries.T)  # but for the colour's own square; whole numbers, exact
    return order[distance.argmin(1)].astype(np.uint8)[inverse.reshape(-1)]
