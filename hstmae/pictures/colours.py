"""Between a picture file's colours and the palette indices that the models work with."""

from __future__ import annotations

import numpy as np

from ..errors import DataError
from ..games.palette import colour_table, pack_rgb, preferred_entries, to_indices

__all__ = ["colour_table", "pack_rgb", "preferred_entries", "require_known", "to_indices", "unpack_rgb"]


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
