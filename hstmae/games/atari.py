"""Atari 2600 games recorded through the Arcade Learning Environment: 128 bytes of memory, with labels for some games.

Here pictures are in true colour, as environments show them; `atari_games` has them in the console's own colours.

What a byte means differs from game to game. `Atari` knows none of it: the compact state is the memory itself, as
numbers from 0 to 1, and its tokens sit in the middle of the screen since no byte is known to be a place. The games
below it add tokens and boxes for objects whose place is known. Which bytes hold it is published in Anand et al. 2019,
"Unsupervised State Representation Learning in Atari" (arXiv:1906.08226, the annotated RAM of their AtariARI); how far
they are from the picture's pixels was measured on pictures of ale-py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .hints import PIECE, UNSEEN, CoderHints
from .spec import StateField
from .state import GameState
from .true_colour import TrueColour

_BYTES, _TOKENS = 128, 8
_FEATURES = _BYTES // _TOKENS
_ARI = "Anand et al. 2019, AtariARI"
_MEMORY = StateField("memory", 0x80, "byte, its meaning depends on the game", _BYTES, "console hardware")
MEMORY_TOKENS = tuple(f"memory{_FEATURES * i:02x}" for i in range(_TOKENS))


class Atari(TrueColour):
    """True-colour pictures, usually 210x160, with the console's work memory."""

    name = "atari"
    native_size = (210, 160)  # of most NTSC games; frames may have another size
    fps = 60.0
    stride = 4
    state_size = _BYTES
    fields: ClassVar[tuple[StateField, ...]] = (_MEMORY,)
    token_names: ClassVar[tuple[str, ...]] = MEMORY_TOKENS
    token_features = _FEATURES

    def decode(self, state: np.ndarray, context: np.ndarray | None) -> GameState:
        """Tokens float32 [T, 8, 16] in 0 to 1: 16 consecutive bytes of memory each. Everything else is empty."""
        self.check_state(state)
        t, (height, width) = len(state), self.native_size
        return self.positioned(
            tokens=(state.reshape(t, _TOKENS, _FEATURES) / np.float32(255)).astype(np.float32),
            xy=np.tile(np.array([width / 2, height / 2], np.float32), (t, _TOKENS, 1)),
            valid=np.ones((t, _TOKENS), bool),
            boxes=np.zeros((t, 0, 5), np.int16),
        )


@dataclass(frozen=True)
class MovingObject:
    """A rectangle whose corner is in the memory.

    Attributes:
        x, y: bytes of memory counted from its start, or None for a side that stays where the offset says.
        offset: pixels (x, y) to add.
        size: width and height in pixels.
        up: the memory counts y from below: it is taken from the offset.
    """

    name: str
    x: int
    y: int | None
    offset: tuple[int, int]
    size: tuple[int, int]
    up: bool = False


class LabelledAtari(Atari):
    """A game with known objects: one token, one box and one region each, beside the tokens of the whole memory.

    Attributes:
        objects: in the order of the regions, of which the first is "unknown".
        field: x0, y0, x1, y1 of the part of the screen in which objects are drawn; outside they are hidden.
        scrolls: whether the scenery moves: then it is not remembered by its place behind `pieces`.
    """

    objects: ClassVar[tuple[MovingObject, ...]]
    field: ClassVar[tuple[int, int, int, int]]
    scrolls: ClassVar[bool] = False
    coding = CoderHints(looks_back=True, one_before=True)

    def decode(self, state: np.ndarray, context: np.ndarray | None) -> GameState:
        """Tokens float32 [T, 8 + objects, 16]: the memory, then per object its middle x / width, y / height of the
        picture, and change of both since the frame before in 1/16 pixels (0 at the first). An object with a y of 0 in
        memory, or outside of the field, is hidden: its token is not valid and its box is empty."""
        memory = super().decode(state, context)
        t, count, (height, width) = len(state), len(self.objects), self.native_size
        left, top, right, bottom = self.field
        boxes = np.zeros((t, count, 5), np.int16)
        for k, item in enumerate(self.objects):
            corner, there = _place(item, state)
            edges = np.clip(np.concatenate([corner, corner + item.size], 1), (left, top) * 2, (right, bottom) * 2)
            shown = (edges[:, 0] < edges[:, 2]) & (edges[:, 1] < edges[:, 3]) & there
            boxes[shown, k, 0] = k + 1
            boxes[shown, k, 1:] = edges[shown]
        valid = boxes[..., 0] > 0
        middle = (boxes[..., 1:3] + boxes[..., 3:5]).astype(np.float32) / 2
        moved = np.zeros_like(middle)
        moved[1:] = (middle[1:] - middle[:-1]) / 16 * (valid[1:] & valid[:-1])[..., None]
        tokens = np.zeros((t, count, _FEATURES), np.float32)
        tokens[..., :2] = middle / np.array([width, height], np.float32)
        tokens[..., 2:4] = moved
        tokens[~valid] = 0
        return self.positioned(
            tokens=np.concatenate([memory.tokens, tokens], 1),
            xy=np.concatenate([memory.token_xy, middle], 1),
            valid=np.concatenate([memory.token_valid, valid], 1),
            boxes=boxes,
        )

    def pieces(self, state: np.ndarray) -> np.ndarray | None:
        """Pieces of each object, with one pixel around it: it may look otherwise than its rectangle. None where the
        scenery scrolls: what helps with objects costs more with the scenery behind them."""
        self.check_state(state)
        if self.scrolls:
            return None
        found = []
        for k, item in enumerate(self.objects):
            corner, there = _place(item, state)
            for n, (row, column) in enumerate(np.ndindex(*(-(-(side + 2) // PIECE) for side in item.size[::-1]))):
                x, y = corner[:, 0] - 1 + PIECE * column, corner[:, 1] - 1 + PIECE * row
                found.append(np.stack([x, np.where(there, y, UNSEEN), np.full_like(x, 16 * k + n), 0 * x], 1))
        return np.stack(found, 1).astype(np.int16)


def _place(item: MovingObject, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The corner of an object, int16 [T, 2] x and y, and whether it is there, bool [T]."""
    x = state[:, item.x].astype(np.int16) + item.offset[0]
    if item.y is None:
        return np.stack([x, np.full_like(x, item.offset[1])], 1), np.ones(len(x), bool)
    y = state[:, item.y].astype(np.int16)
    return np.stack([x, item.offset[1] + (-y if item.up else y)], 1), y > 0


def fields_of(objects: tuple[MovingObject, ...]) -> tuple[StateField, ...]:
    """The memory, and where in it the places of objects are."""
    places = [(f"{o.name} {axis}", at) for o in objects for axis, at in (("x", o.x), ("y", o.y)) if at is not None]
    return (_MEMORY, *(StateField(name, 0x80 + at, "pixel", source=_ARI) for name, at in places))


class Breakout(LabelledAtari):
    """ALE/Breakout-v5: paddle and ball. The score byte is listed, not shown as a box."""

    name = "atari-breakout"
    objects = (
        MovingObject("paddle", 72, None, (-47, 189), (16, 4)),
        MovingObject("ball", 99, 101, (-49, 9), (2, 4)),
    )
    field = (8, 32, 152, 196)
    regions = ("unknown", "paddle", "ball")
    token_names = (*MEMORY_TOKENS, "paddle", "ball")
    fields = fields_of(objects)


class Pong(LabelledAtari):
    """ALE/Pong-v5: both paddles and the ball."""

    name = "atari-pong"
    objects = (
        MovingObject("player", 46, 51, (-48, -14), (4, 16)),
        MovingObject("enemy", 45, 50, (-48, -15), (4, 16)),
        MovingObject("ball", 49, 54, (-49, -14), (2, 4)),
    )
    field = (0, 34, 160, 194)
    regions = ("unknown", "player", "enemy", "ball")
    token_names = (*MEMORY_TOKENS, "player", "enemy", "ball")
    fields = fields_of(objects)


def game_of(environment: str) -> str:
    """Name of the description that fits an environment of the Arcade Learning Environment: "atari" where no labels are
    known, "ALE/Pong-v5" -> "atari-pong"."""
    title = environment.removeprefix("ALE/").rpartition("-")[0].lower()
    labelled = {game.name for game in (Breakout, Pong)}
    return f"atari-{title}" if f"atari-{title}" in labelled else "atari"
