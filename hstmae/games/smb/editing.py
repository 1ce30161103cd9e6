"""Super Mario Bros.: what can be edited besides single bytes, and what of the memory must agree. Addresses: see `game`.

Of mirrored clips the status bar stays as it is, and the world beneath it is mirrored: its positions, directions,
speeds, sprites and blocks. Objects: see `moving`.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from ..editing import Counted, DigitsAndCount, Editing, Joints, Mirrored, Place, crowded
from . import layers, moving
from .objects import ENEMY_SIZE

WIDTH, WORLD = 256, 8192  # pixels of the picture, and of the world that is mirrored: 512 columns, as many as 16 * 32
_SLOTS = range(6)
_COUNT = 0x75E  # of coins
_HIDDEN, _LINES, _PER_LINE = 0xEF, 240, 8
_AS_RECORDED = "the status bar, timers, forces and the turning of fire bars are as recorded"


class SmbEditing(Editing):
    numbers: ClassVar[dict[str, DigitsAndCount]] = {
        "coins": DigitsAndCount((0x7ED, 0x7EE), _COUNT),
        "timer": DigitsAndCount((0x7F8, 0x7F9, 0x7FA)),
        "score": DigitsAndCount(tuple(range(0x7DD, 0x7E3))),
    }
    looks: ClassVar[dict[str, tuple[str, ...]]] = {
        "day": ("background_colour=0", "area_type=1", "area_style=0"),
        "night": ("background_colour=4", "area_type=1"),
        "snow": ("background_colour=5", "area_type=1", "area_style=2"),
        "snowy night": ("background_colour=6", "area_type=1"),
        "grey": ("background_colour=7", "area_type=1"),
        "underground": ("background_colour=0", "area_type=2"),
        "castle": ("background_colour=0", "area_type=3"),
    }
    objects: ClassVar[dict[str, int]] = {"player": 1, "enemy": 5, "powerup": 1}
    things: ClassVar[dict[str, tuple[str, ...]]] = {"enemy": tuple(moving.FIGURES)}
    grid: ClassVar[tuple[int, int]] = (17, 13)

    def mirror(self, state: np.ndarray, frames: np.ndarray) -> Mirrored:
        out, said = state.copy(), []
        camera = 256 * state[:, 0x71A].astype(np.int64) + state[:, 0x71C]
        _put(out, 0x71A, 0x71C, WORLD - WIDTH - camera)
        _put(out, 0x71B, 0x71D, WORLD - 1 - camera)
        _put(out, 0x6D, 0x86, WORLD - 16 - _world(state, 0x6D, 0x86))
        out[:, 0x3AD] = 240 - state[:, 0x3AD]
        for slot in _SLOTS:
            wide = np.full(len(state), 16) if slot == 5 else ENEMY_SIZE[0][state[:, 0x16 + slot]]
            used = state[:, 0x0F + slot] > 0
            x = WORLD - wide - _world(state, 0x6E + slot, 0x87 + slot)
            _put(out, 0x6E + slot, 0x87 + slot, x, used)
            _flip_direction(out, state, 0x46 + slot, used)
            _negate(out, state, 0x58 + slot, used)
        everywhere = np.ones(len(state), bool)
        _negate(out, state, 0x57, everywhere)
        _flip_direction(out, state, 0x33, everywhere)
        _flip_direction(out, state, 0x45, everywhere)
        blocks = state[:, 0x500:0x6A0].reshape(-1, 2, 13, 16)
        out[:, 0x500:0x6A0] = blocks[:, ::-1, :, ::-1].reshape(len(state), -1)
        drawn = 511 - (16 * state[:, 0x725].astype(np.int64) + state[:, 0x726])
        out[:, 0x725], out[:, 0x726] = drawn >> 4 & 255, drawn & 15
        out[:] = self.elsewhere(out)
        out[:, 0x750] ^= 0x80
        sprites = out[:, 0x200:0x300].reshape(-1, 64, 4)[:, 1:]  # the first one belongs to the status bar
        shown = sprites[..., 0] < _HIDDEN
        beyond = shown & (sprites[..., 3] > WIDTH - 8)
        sprites[..., 3] = np.where(beyond, sprites[..., 3], WIDTH - 8 - sprites[..., 3])
        sprites[..., 2] ^= 0x40
        sprites[..., 0][beyond] = 0xF8
        pictures = frames.copy()
        pictures[:, layers.HUD_HEIGHT :] = frames[:, layers.HUD_HEIGHT :, ::-1]
        said.append(_AS_RECORDED)
        if beyond.any():
            count = int(beyond.any(1).sum())
            said.append(f"sprites that the right edge cuts would begin left of 0: {count} frames do not list them")
        said.append("tiles keep their numbers and are shown mirrored, and the map is none of the game's")
        return Mirrored(out, pictures, tuple(said))

    def elsewhere(self, state: np.ndarray) -> np.ndarray:
        out = state.copy()
        out[:, 0xE7:0xE9] ^= 0xFF
        return out

    def joints(self, state: np.ndarray) -> Joints:
        """Map, player's size and doing, blocks and enemies must be the same; places may differ by a few pixels."""
        active = state[:, 0x0F:0x15] > 0
        same = [state[:, [0xE7, 0xE8, 0x74E, 0x744, 0x756, 0x754, 0x0E, 0x1D, 0x75F, 0x75C, 0x741, 0x742]]]
        same += [state[:, 0x500:0x6A0], active.astype(np.uint8), np.where(active, state[:, 0x16:0x1C], 0)]
        camera, player = _world(state, 0x71A, 0x71C), _world(state, 0x6D, 0x86)
        places = [camera, player, state[:, 0xCE].astype(np.int64)]
        places += [_signed(state[:, 0x57]), _signed(state[:, 0x9F])]
        for slot in _SLOTS:
            places.append(np.where(active[:, slot], _world(state, 0x6E + slot, 0x87 + slot), 0))
            places.append(np.where(active[:, slot], state[:, 0xCF + slot].astype(np.int64), 0))
        most = np.array([2, 4, 4, 8, 3, *[8, 8] * 6], np.int64)
        return Joints(np.concatenate(same, 1).astype(np.uint8), np.stack(places, 1), most)

    def broken(self, state: np.ndarray, recorded: np.ndarray) -> dict[str, int]:
        found = Counted()
        for name, number in self.numbers.items():
            digits = state[:, list(number.digits)].astype(np.int64)
            found.add(f"{name}: a byte above 9 is no digit", (digits > 9).any(1))
            if number.count >= 0:
                value = digits @ 10 ** np.arange(len(number.digits))[::-1]
                found.add(f"{name}: the digits and the count ({number.count:#05x}) say different numbers",
                          value != state[:, number.count])  # fmt: skip
        small, power = state[:, 0x754] > 0, state[:, 0x756] > 0
        found.add("player_power above 0 goes with player_size 0, and 0 with 1", small == power)
        camera, player = _world(state, 0x71A, 0x71C), _world(state, 0x6D, 0x86)
        found.add("player_screen_x is not player_x less the camera", (player - camera & 255) != state[:, 0x3AD])
        found.add("player_screen_y is not player_y", state[:, 0xCE] != state[:, 0x3B8])
        sprites = state[:, 0x200:0x300].reshape(-1, 64, 4)
        tops = np.minimum(sprites[..., 0].astype(np.int64) + 1, _LINES)
        found.add(f"more than {_PER_LINE} sprites lie on one line: the hindmost are not shown there",
                  crowded(tops, np.full(len(state), 8), _LINES, _PER_LINE))  # fmt: skip
        for what, same in moving.left_behind(state, recorded).items():
            found.add(f"{what} is at another place, and its sprites in oam are where they were: use move", same)
        big = moving.player_bits(recorded) != moving.player_bits(state)
        same = (state[:, 0x200:0x300] == recorded[:, 0x200:0x300]).all(1)
        found.add("player_size was changed, and oam still shows the other size", big & same)
        return found.found

    def move(self, state: np.ndarray, kind: str, which: int, by: Place) -> tuple[np.ndarray, tuple[str, ...]]:
        return moving.move(state, kind, which, by)

    def remove(self, state: np.ndarray, kind: str, which: int) -> tuple[np.ndarray, tuple[str, ...]]:
        return moving.remove(state, kind, which)

    def add(self, state: np.ndarray, kind: str, at: Place) -> tuple[np.ndarray, tuple[str, ...]]:
        return moving.add(state, at)

    def tile(self, state: np.ndarray, column: int, row: int, number: int) -> tuple[np.ndarray, tuple[str, ...]]:
        return moving.tile(state, column, row, number)


def _world(state: np.ndarray, page: int, x: int) -> np.ndarray:
    return 256 * state[:, page].astype(np.int64) + state[:, x]


def _signed(values: np.ndarray) -> np.ndarray:
    return (values.astype(np.int64) ^ 0x80) - 0x80


def _put(out: np.ndarray, page: int, x: int, value: np.ndarray, used: np.ndarray | None = None) -> None:
    used = np.ones(len(out), bool) if used is None else used
    out[:, page] = np.where(used, value >> 8 & 255, out[:, page])
    out[:, x] = np.where(used, value & 255, out[:, x])


def _negate(out: np.ndarray, state: np.ndarray, at: int, used: np.ndarray) -> None:
    out[:, at] = np.where(used, 0 - state[:, at], state[:, at])


def _flip_direction(out: np.ndarray, state: np.ndarray, at: int, used: np.ndarray) -> None:
    """1 is right, 2 is left."""
    turned = np.isin(state[:, at], (1, 2)) & used
    out[:, at] = np.where(turned, 3 - state[:, at], state[:, at])
