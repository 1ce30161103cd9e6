"""Super Mario Bros.: where the objects of `compact` are drawn, and what decides how they look.

Pictures lag behind the memory: most objects move after they are drawn, so they are seen where they were one frame
before; the player is drawn after moving [data]. Codes and addresses: see `objects`.
"""

from __future__ import annotations

import numpy as np

from ..state import GameState, ObjectBoxes
from .objects import player_code

Numbers = np.ndarray | int
_ENEMY, _SLOTS, _PLAYER, _STATUS = 2, 6, 1, 8  # tokens; slot 5 holds power-ups and the flag
_BALL, _YOU, _ITEM, _FLAG = 64, 65, 66, 67  # kinds beside the game's own codes
_BITS = 1 << np.arange(16)
# Codes of the enemies that walk or fly by their speed, and of those that rise and fall by it.
_SIDEWAYS = np.isin(np.arange(64), (0, 1, 2, 3, 4, 5, 6, 0x08, 0x0E, 0x11, 0x12, 0x14, 0x33))
_UPRIGHT = np.isin(np.arange(64), (0, 1, 2, 3, 4, 5, 6, 0x0C, 0x0E, 0x12, 0x14))
_PODOBOO, _PIRANHA, _BLOOPER, _FLAME, _BOWSER = 0x0C, 0x0D, 0x07, 0x15, 0x2D
_FIREBARS, _LONG = (0x1B, 0x20), 0x1F
_LIFTS, _SMALL = (0x24, 0x2D), (0x2B, 0x2D)  # small ones come in pairs half a turn of 256 pixels apart
_HARD = 4 * 4 + 2  # levels from 5-3 on have short lifts
_FROZEN = (9, 10, 11, 12)  # what the player is doing while nothing else moves
_BALLS = 12  # of a long fire bar; others have half of them


def _table(wave: np.ndarray) -> np.ndarray:
    """Offsets of the balls of a fire bar, int [32, 12], by its angle: nearly everywhere rounded towards 0 [data]."""
    exact = 8 * np.arange(_BALLS) * wave[:, None]
    return np.trunc(exact + 0.22 * np.sign(exact)).astype(int)


_ANGLES = np.arange(32) * np.pi / 16  # from upright, clockwise
_RIGHT, _UP = _table(np.sin(_ANGLES)), _table(np.cos(_ANGLES))


def object_boxes(state: GameState) -> ObjectBoxes:
    """Enemies, second halves of lifts, balls of fire bars, power-up or flag, player: [T, 5 + 5 + 60 + 1 + 1] boxes.

    A key is the kind, the bits that the token tells of it, and the phase of its motion and of the game's clock.
    """
    tokens, clock = np.asarray(state.tokens), np.asarray(state.clock).astype(np.int64)[:, None]
    them = tokens[:, _ENEMY : _ENEMY + _SLOTS]
    valid = np.asarray(state.token_valid)[:, _ENEMY : _ENEMY + _SLOTS]
    x, y = np.moveaxis(np.asarray(state.token_xy)[:, _ENEMY : _ENEMY + _SLOTS].astype(np.int64), -1, 0)
    kind, code = _number(them[..., 4:10]), _number(them[..., 10:19])
    vx, vy = np.rint(64 * them[..., 2]).astype(int), np.rint(8 * them[..., 3]).astype(int)
    # While the player changes, is hurt or dies, all others stand still and are drawn where they are [data].
    frozen = np.isin(player_code(state), _FROZEN)[:, None]
    vx, vy = np.where(frozen, 0, vx), np.where(frozen, 0, vy)
    hard = hard_levels(state)[:, None]

    firebar = (kind >= _FIREBARS[0]) & (kind < _FIREBARS[1])
    lift, small = (kind >= _LIFTS[0]) & (kind < _LIFTS[1]), (kind >= _SMALL[0]) & (kind < _SMALL[1])
    bowser = kind == _BOWSER
    front = np.where(bowser & valid, x, 1 << 15).min(1, keepdims=True)  # the game makes Bowser of two objects
    phase = np.where(frozen, 1, (clock >> 3) & 1)
    phase = np.where(lift, hard, phase)
    phase = np.where(bowser, x > front, phase)
    phase = np.where(kind == _FLAME, clock & 3, phase)
    phase = np.where(kind == _PODOBOO, 2 * np.sign(vy) + 2 + phase, phase)
    phase = np.where(kind == _BLOOPER, vy.clip(0, 3), phase)
    moving = np.where(vy != 0, np.sign(vx) + 1, 3)  # a plant; it hides in its pipe, whose rim is at a multiple of 16
    phase = np.where(kind == _PIRANHA, ((y & 15) * 4 + moving) * 4 + 2 * phase + (clock & 1), phase)

    # A pixel more on each side: tokens hold no fractions of pixels.
    left = x - 1 - np.where(_SIDEWAYS[kind], np.rint(vx / 16).astype(int), 0)
    top = y - 1 - np.where(_UPRIGHT[kind], vy, 0)
    width = np.where(lift, np.where(small, 26, 50), 18)
    height = np.where(lift, 12, 27)
    shown = valid & (y >= 0)
    enemies = slice(0, _SLOTS - 1)
    parts = [
        _part(kind, code, phase, left, top, width, height, shown & ~firebar)[:, enemies],
        _part(kind, code, phase, left, ((top + 129) & 255) - 1, width, height, shown & small)[:, enemies],
        _balls(kind, x, y, np.rint(8 * them[..., 3]).astype(int) & 31, clock, shown & firebar)[:, : 5 * _BALLS],
    ]
    flag = valid & (y < 0)  # no token holds the flag's screen
    item = _part(_ITEM, 64 * code + kind, phase, x, y, 16, 25, shown)
    pole = _part(_FLAG, 0, 0, x, y & 255, 16, 17, flag)
    parts.append(np.where(flag[..., None], pole, item)[:, _SLOTS - 1 :])
    parts.append(_player(tokens[:, _PLAYER], np.asarray(state.boxes)[:, -1].astype(np.int64))[:, None])
    every = np.concatenate(parts, 1)
    keys, boxes = every[..., :3].astype(np.int32), every[..., 3:7].astype(np.int32)
    return ObjectBoxes(keys, boxes, every[..., 7] > 0, cut=_cut(keys[..., 0], boxes[..., 0]))


def hard_levels(state: GameState) -> np.ndarray:
    """Levels with short lifts: bool [T]."""
    status = np.asarray(state.tokens)[:, _STATUS]
    return np.asarray(4 * _number(status[:, 0:3]) + _number(status[:, 3:5]) >= _HARD)


def _cut(kind: np.ndarray, left: np.ndarray) -> np.ndarray:
    """Columns of boxes that are not drawn: of what is put together of sprites, those at the picture's left edge or
    beyond it [data]."""
    margin = kind < _BALL
    inside = np.where(margin | (kind == _ITEM), left + margin, 1)
    return np.where(inside <= 0, (8 - inside) // 8 * 8 + margin, 0).astype(np.int32)


def _number(bits: np.ndarray) -> np.ndarray:
    """Bits as features [..., n] -> numbers int64 [...]."""
    return (bits > 0.5) @ _BITS[: bits.shape[-1]]


def _part(
    kind: Numbers, code: Numbers, phase: Numbers, left: Numbers, top: Numbers, width: Numbers, height: Numbers,
    used: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """int64 [T, M, 8]: key, box, used. Single numbers stand for all M."""
    columns = (kind, code, phase, left, top, left + width, top + height, used)
    return np.stack(np.broadcast_arrays(*columns), -1).astype(np.int64)


def _balls(
    kind: np.ndarray, x: np.ndarray, y: np.ndarray, angle: np.ndarray, clock: np.ndarray, used: np.ndarray
) -> np.ndarray:
    """The balls of each slot's fire bar, int64 [T, slots * 12, 8]."""
    left = x[..., None] + _RIGHT[angle]
    top = y[..., None] + 1 - _UP[angle]
    there = used[..., None] & ((np.arange(_BALLS) < _BALLS // 2) | (kind == _LONG)[..., None])
    return _part(_BALL, 0, ((clock >> 2) & 3)[..., None], left, top, 8, 8, there).reshape(len(x), -1, 8)


def _player(token: np.ndarray, box: np.ndarray) -> np.ndarray:
    """int64 [T, 8]. The speed says whether the player stands, walks or turns round."""
    speed = np.rint(64 * token[:, 2]).astype(int)
    towards = np.where(token[:, 6] > 0.5, -1, 1)
    phase = np.where(speed == 0, 0, np.where((np.abs(speed) >= 9) & (np.sign(speed) != towards), 2, 1))
    code = _number(token[:, 4:19])
    return np.column_stack([np.full(len(token), _YOU), code, phase, box[:, 1:5], box[:, 0] > 0])
