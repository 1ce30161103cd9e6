"""The hot loops of motion recall: what they are given and what they answer, whoever runs them."""

from __future__ import annotations

from typing import Protocol

import numpy as np

NOWHERE = -32768  # a shift that is not to be tried
REACH, NEAR = 6, 2  # how far the larger (13 x 13) and the smaller neighbourhood (5 x 5) of a pixel go
BITS = 14  # of the index of descriptors
EVIDENCE = 7  # numbers that `evidence` gives of a point


Index = tuple[np.ndarray, np.ndarray, np.ndarray]  # descriptors, and where each is found


class Kernel(Protocol):
    """Colours are uint32 0x00RRGGBB [H, W], `seen` uint8 [H, W] is 1 where a pixel is not missing; shifts are (dy, dx).

    `points` are int32 [n] flat places, those of a tile together, and `start` int32 [tiles + 1] says where each tile's
    begin; tiles are squares of `tile` pixels, row by row.
    """

    def descriptors(self, label: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """uint32 [H, W]: a hash of each pixel with its left and upper neighbour, 0 where they are alike or missing."""

    def index(self, descriptors: np.ndarray) -> Index:
        """What finds the places of a descriptor."""

    def votes(self, a: np.ndarray, b: Index, centre: tuple[int, int], reach: tuple[int, int]) -> np.ndarray:
        """Votes of the descriptors of a for shifts that put them on b: int32 [2 ry + 1, 2 rx + 1] around `centre`."""

    def local_shifts(
        self, a: np.ndarray, b: Index, known: np.ndarray, tile: int, reach: int, best: int, least: int
    ) -> np.ndarray:
        """The best shifts of each tile and its neighbours for what none of the `known` shifts, int16 [k, 2], explains:
        int16 [tiles, best, 2], NOWHERE where fewer than `least` votes were cast."""

    def evidence(
        self, a: np.ndarray, seen_a: np.ndarray, sa: np.ndarray, b: np.ndarray, seen_b: np.ndarray, sb: np.ndarray,
        textured: np.ndarray, tile: int, points: np.ndarray, start: np.ndarray, tolerance: int,
    ) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
        """How well a, shifted by sa, int16 [tiles, 2], and b, shifted by sb, agree around each point.

        Returns:
            (uint32 [n], the colour that a shows there; uint8 [n, EVIDENCE]: 0 where a shows nothing, else 1 with 2 for
            "alike in b" or 4 for "other in b"; pixels of the 5 x 5 that both show, alike ones of them; the same of the
            13 x 13; the same of those that are `textured`, uint8 [H, W], in b).
        """

    def wide(
        self, a: np.ndarray, seen_a: np.ndarray, shift: tuple[int, int], b: np.ndarray, seen_b: np.ndarray,
        textured: np.ndarray, tolerance: int, points: np.ndarray, radius: np.ndarray,
    ) -> np.ndarray:  # fmt: skip
        """How well a, shifted, and b agree in the square of 2 radius + 1 pixels around each point, int16 [n].

        Returns:
            int32 [n, 4]: pixels that both show, alike ones of them; the same of those `textured` in b.
        """

    def rows(
        self, a: np.ndarray, seen_a: np.ndarray, sa: tuple[int, int], b: np.ndarray, seen_b: np.ndarray,
        sb: tuple[int, int], textured: np.ndarray, tolerance: int,
    ) -> np.ndarray:  # fmt: skip
        """int32 [H, 2]: textured pixels of each row that both show, and alike ones."""

    def nearest(self, seen: np.ndarray) -> np.ndarray:
        """int16 [4, H, W]: how far the next seen pixel is to the left, right, up and down; 0 = there is none."""
