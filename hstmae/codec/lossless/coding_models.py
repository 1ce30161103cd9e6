"""The adaptive numbers of the lossless coder: what a group of pictures starts from, and what coding it changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .scene import Scene

VERSION = 3  # of tables that are learned; all up to it are read
UNTAUGHT = 4  # of pictures that begin with nothing learned
PARTNERS = 6  # bytes of the same row that a byte is predicted from
ROW_INPUTS = 33
WIDE = 40  # ROW_INPUTS from the second version on, filled up for what computes eight at once
LINE, LINE_PARTNERS, LINE_INPUTS = 8, 3, 16  # bytes of a line from then on; what it is predicted from
GUESS_INPUTS = 24
PIXEL_INPUTS, FLAG_INPUTS, ESCAPE_INPUTS, QUIET_INPUTS = 16, 7, 5, 8
SOURCES, LEVELS, NEAR = 7, 8, 64
LEVEL_START = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.97, 0.985)  # how often sources are right, by how sure they are


@dataclass(frozen=True)
class Hashed:
    """The used entries of a hash table of 2**bits: positions (ascending) and values, both uint32."""

    bits: int
    at: np.ndarray
    value: np.ndarray

    @staticmethod
    def empty(bits: int) -> Hashed:
        return Hashed(bits, np.zeros(0, np.uint32), np.zeros(0, np.uint32))

    def table(self) -> np.ndarray:
        """uint32 [2**bits], a fresh one."""
        out = np.zeros(1 << self.bits, np.uint32)
        out[self.at] = self.value
        return out


@dataclass(frozen=True)
class RowModel:
    """How rows of bytes are coded (memory, or controllers).

    Attributes:
        order: uint16 [S], the order in which the bytes of a row are coded.
        partners: uint16 [S, PARTNERS], positions in the row, or S + position in the side information.
        start: uint8 [S], stands for the row before the first.
        slots: bit probabilities by hashed context.
        version: of the streams.
        own, shared: int32 [S, 2, ROW_INPUTS] and [32, ROW_INPUTS], mixing weights in 1/65536; WIDE from the second
            version on.
        first_partners: uint16 [S, PARTNERS] for the first row; None in the first version, as the rest of this.
        line_partners: uint16 [L, LINE_PARTNERS], likewise, for each line of LINE bytes in the order of coding.
        line_own, line_shared: int32 [L, LINE_INPUTS] and [8, LINE_INPUTS], mixing weights of lines; [9, LINE_INPUTS] in
            the third version, the last for the first row.
        cells: likely values by hashed context; guess_own, guess_shared: int32 [S, GUESS_INPUTS] and [64, GUESS_INPUTS],
            weights of whether they are right.
    """

    order: np.ndarray
    partners: np.ndarray
    start: np.ndarray
    slots: Hashed
    own: np.ndarray
    shared: np.ndarray
    version: int
    first_partners: np.ndarray | None = None
    line_partners: np.ndarray | None = None
    line_own: np.ndarray | None = None
    line_shared: np.ndarray | None = None
    cells: Hashed | None = None
    guess_own: np.ndarray | None = None
    guess_shared: np.ndarray | None = None

    @staticmethod
    def neutral(size: int, side: int, bits: int = 18, version: int = VERSION) -> RowModel:
        """A start that knows nothing of a game. `side`: bytes of side information per row."""
        a = np.arange(size)
        near = [np.maximum(a - d, 0) for d in (1, 2, 4, 16)]
        extra = [np.full(size, size if side else 0), np.minimum(a + 1, size - 1)]
        partners, inputs = np.stack([*near, *extra], 1).astype(np.uint16), ROW_INPUTS if version == 1 else WIDE
        shared = np.full((32, inputs), 18350, np.int32)
        shared[:, ROW_INPUTS - 1 :] = 0
        return RowModel(
            order=a.astype(np.uint16),
            partners=partners,
            start=np.zeros(size, np.uint8),
            slots=Hashed.empty(bits),
            own=np.zeros((size, 2, inputs), np.int32),
            shared=shared,
            version=version,
            **({} if version == 1 else _neutral_lines(partners, bits, 8 if version == 2 else 9)),
        )


def _neutral_lines(partners: np.ndarray, bits: int, sets: int) -> dict[str, Any]:
    """What RowModel has besides from the second version on, with so many sets of shared weights of lines."""
    lines = -(-len(partners) // LINE)
    shared = np.full((sets, LINE_INPUTS), 18350, np.int32)
    shared[:, -1] = 0
    return {
        "first_partners": partners.copy(),
        "line_partners": partners[::LINE, [0, 3, 4]].copy(),
        "line_own": np.zeros((lines, LINE_INPUTS), np.int32),
        "line_shared": shared,
        "cells": Hashed.empty(bits),
        "guess_own": np.zeros((len(partners), GUESS_INPUTS), np.int32),
        "guess_shared": np.full((64, GUESS_INPUTS), 9830, np.int32),
    }


def _filled_up(sets: int, inputs: int, weight: int, version: int) -> np.ndarray:
    """int32 [sets, inputs], of the third version [sets, 8]."""
    out = np.zeros((sets, inputs if version < 3 else 8), np.int32)
    out[:, :inputs] = weight
    return out


@dataclass(frozen=True)
class PictureModel:
    """How palette pictures are coded.

    Attributes:
        slots: bit probabilities by hashed context.
        cells: likely colours by hashed context.
        sources: uint32 [SOURCES, LEVELS, NEAR], how often each source of opinions is right.
        flag, pixel, escape: int32 weights in 1/65536, [34, 7], [640, 16], [19, 5]; in the third version [34, 8] and
            [19, 8], filled up for what computes eight at once.
        quiet: likewise [36, 8]; None in the first version.
        version: of the streams. In the third one the upper half of `cells` is what tiles and sprites look like, each
            8x8 pixels of them side by side. The fourth one, of which nothing is learned, looks for the left half of
            the first picture in its right half.
    """

    slots: Hashed
    cells: Hashed
    sources: np.ndarray
    flag: np.ndarray
    pixel: np.ndarray
    escape: np.ndarray
    version: int
    quiet: np.ndarray | None = None

    @staticmethod
    def neutral(bits: int = 18, version: int = VERSION) -> PictureModel:
        level = np.array([round(p * 4194303) << 10 for p in LEVEL_START], np.uint32)
        return PictureModel(
            slots=Hashed.empty(bits),
            cells=Hashed.empty(bits if version < 3 else bits + 1),
            sources=np.broadcast_to(level[None, :, None], (SOURCES, LEVELS, NEAR)).copy(),
            flag=_filled_up(34, FLAG_INPUTS, 9830, version),
            pixel=np.full((640, PIXEL_INPUTS), 7864, np.int32),
            escape=_filled_up(19, ESCAPE_INPUTS, 13107, version),
            version=version,
            quiet=None if version == 1 else np.full((36, QUIET_INPUTS), 9830, np.int32),
        )


@dataclass(frozen=True)
class Parts:
    """The parts of a group of at most T frames. What belongs to frame t is read, or filled, when t is coded.

    Attributes:
        actions, state: uint8 [T, A] and [T, S]; A or S = 0 where there are none.
        picture: uint8 [H, W], the picture of the frame that is being coded; None = pictures are coded elsewhere.
        scene: what the state says of T frames.
    """

    actions: np.ndarray
    state: np.ndarray
    picture: np.ndarray | None
    scene: Scene
    action_model: RowModel
    state_model: RowModel
    picture_model: PictureModel

    @property
    def nothing(self) -> np.ndarray:
        """uint8 [T, 0]: what is known beside the buttons."""
        return self.actions[:, :0]
