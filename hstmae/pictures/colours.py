"""Between a picture file's colours and the palette indices that the models work with."""

from __future__ import annotations

import numpy as np

from ..errors import DataError

# Entries that share one RGB value: which of them software really uses. NES: 0x0F is black, 0x30 white.
PREFERRED: dict[str, tuple[int, ...]] = {"smb": (0x0F, 0x30)}


def pack_rgb(rgb: np.ndarray) -> np.ndarray:
    """uint8 [..., 3] -> int32 [...]: one number per colour."""
    wide = rgb.astype(np.int32)
    return (wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2]


def colour_table(palette: np.ndarray, game: str) -> dict[int, int]:
    """Packed colour -> palette entry of the game; of entries with one colour, the one that software uses."""
    table: dict[int, int] = {}
    for index in preferred_entries(palette, game).tolist():
        table.setdefault(int(pack_rgb(palette[index])), index)
    return table


def preferred_entries(palette: np.ndarray, game: str) -> np.ndarray:
    """int64 [K] all entries, those first that software uses where several share one colour."""
    return np.array(list(dict.fromkeys([*PREFERRED.get(game, ()), *range(len(palette))])), np.int64)


def to_indices(packed: np.ndarray, table: dict[int, int]) -> np.ndarray:
    """Packed colours int32 [...] -> palette entries int16 [...], -1 for a colour that the game does not have."""
    values, inverse = np.unique(packed, return_inverse=True)
    lookup = np.array([table.get(int(v), -1) for v in values], np.int16)
    return lookup[inverse].reshape(packed.shape)


def unpack_rgb(packed: np.ndarray) -> np.ndarray:
    """int32 [...] -> uint8 [..., 3]: the colours that `pack_rgb` made numbers of."""
    return np.stack([packed >> 16, (packed >> 8) & 255, packed & 255], -1).astype(np.uint8)


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
