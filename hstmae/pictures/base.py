"""A picture file, whatever its kind: read for restoration, and written back in its own form."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ..games import GameSpec


class Picture(Protocol):
    """One picture of a game with a palette (`IndexedPicture`) or without (`RgbPicture`)."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""

    @property
    def missing(self) -> np.ndarray:
        """bool [H, W], True where the file is transparent."""

    @property
    def packed(self) -> np.ndarray:
        """int32 [H, W], packed RGB colours."""

    @property
    def palette(self) -> np.ndarray | None:
        """uint8 [K, 3], colours of the game's entries in this file; None for true colour."""

    @property
    def readable(self) -> np.ndarray:
        """bool [H, W], where the colour is one that the game has."""

    @property
    def pixels(self) -> np.ndarray:
        """What a model works on: palette entries [H, W], read where `readable`, or colours uint8 [H, W, 3]."""

    def shown(self, mask: np.ndarray, game: GameSpec, where: str) -> np.ndarray:
        """`pixels` uint8, those under `mask` bool [H, W] cleared or whatever they are.

        Raises:
            DataError: a visible pixel has a colour that the game does not have; `where` names the file.
        """

    def colours(self, pixels: np.ndarray) -> np.ndarray:
        """`pixels` [..., ] or [..., 3] as RGB, uint8 [..., 3]."""

    def restored(self, pixels: np.ndarray, mask: np.ndarray) -> bytes:
        """The file's bytes with masked pixels replaced.

        Args:
            pixels: uint8 [H, W] the game's entries or [H, W, 3]; read where `mask` is True.
            mask: bool [H, W]. All other pixels are written as they were.
        """
