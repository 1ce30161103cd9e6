"""Super Mario Bros.: objects and tiles put elsewhere, taken away and added, in the memory and in its list of sprites.

The game keeps where in the list the sprites of each object begin (0x6E4: player, enemies, power-up), and draws objects
where they were one frame before [data]. What it draws without it (points, splinters, a fire bar's balls) stays.
"""

from __future__ import annotations

import numpy as np

from ...errors import GameError
from ..editing import Place

_OAM, _BEGIN = 0x200, 0x6E4
_SIZE = {"player": 8, "enemy": 6, "powerup": 6}  # sprites of each
_SLOT = {"enemy": 0, "powerup": 5}
_HIDDEN = 0xF8
_FAR = 40  # pixels of an object from its place within which sprites are its own
_FREE = np.array([62, 60, 58, 56, 54, 52])  # of the list, looked for from its end on
# Tiles of enemies that walk, left and right of three rows, by the two steps of their walk; and their attribute.
FIGURES: dict[str, tuple[int, int, tuple[tuple[int, ...], ...]]] = {
    "goomba": (6, 3, ((252, 252, 112, 113, 114, 115), (252, 252, 113, 112, 115, 114))),
    "koopa": (0, 1, ((252, 165, 166, 167, 168, 169), (252, 160, 161, 162, 163, 164))),
}
_TURNED = {"goomba": True, "koopa": False}  # whether the second step is the first one mirrored


def own_sprites(state: np.ndarray, kind: str, which: int) -> np.ndarray:
    """Which of the 64 sprites show an object: bool [T, 64]."""
    t = len(state)
    first = state[:, _BEGIN + (0 if kind == "player" else 1 + _SLOT[kind] + which)].astype(np.int64) // 4
    place = np.arange(64)
    listed = (place >= first[:, None]) & (place < first[:, None] + _SIZE[kind])
    oam = state[:, _OAM : _OAM + 256].reshape(t, 64, 4).astype(np.int64)
    x, y, there = _where(state, kind, which)
    near = (np.abs(oam[..., 3] - x[:, None]) <= _FAR) & (np.abs(oam[..., 0] + 1 - y[:, None]) <= _FAR)
    return np.asarray(listed & near & (oam[..., 0] < 0xEF) & there[:, None])


def _where(state: np.ndarray, kind: str, which: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x and y on the picture, int [T], and whether it is there, bool [T]."""
    if kind == "player":
        return state[:, 0x3AD].astype(np.int64), state[:, 0x3B8].astype(np.int64), state[:, 0xB5] == 1
    slot = _SLOT[kind] + which
    camera = 256 * state[:, 0x71A].astype(np.int64) + state[:, 0x71C]
    x = 256 * state[:, 0x6E + slot].astype(np.int64) + state[:, 0x87 + slot] - camera
    return x, state[:, 0xCF + slot].astype(np.int64), (state[:, 0x0F + slot] > 0) & (state[:, 0xB6 + slot] == 1)


def _check(kind: str, which: int) -> None:
    most = {"player": 1, "enemy": 5, "powerup": 1}.get(kind)
    if most is None or not 0 <= which < most:
        raise GameError(f"has no object {kind} {which}")


def move(state: np.ndarray, kind: str, which: int, by: Place) -> tuple[np.ndarray, tuple[str, ...]]:
    """See `Editing.move`."""
    _check(kind, which)
    out, own = state.copy(), own_sprites(state, kind, which)
    _, _, there = _where(state, kind, which)
    page, x, ys = (0x6D, 0x86, [0xCE]) if kind == "player" else _slot(kind, which)
    place = 256 * state[:, page].astype(np.int64) + state[:, x] + by.x
    out[:, page], out[:, x] = (np.where(there, a, b) for a, b in ((place >> 8 & 255, state[:, page]),
                                                               (place & 255, state[:, x])))  # fmt: skip
    for y in ys:
        out[:, y] = np.where(there, np.clip(state[:, y].astype(np.int64) + by.y, 0, 255), state[:, y])
    if kind == "player":
        out[:, 0x3AD] = np.where(there, state[:, 0x3AD] + np.int64(by.x) & 255, state[:, 0x3AD])
        out[:, 0x3B8] = np.where(there, out[:, 0xCE], state[:, 0x3B8])
    oam = out[:, _OAM : _OAM + 256].reshape(-1, 64, 4)
    left, top = oam[..., 3].astype(np.int64) + by.x, oam[..., 0].astype(np.int64) + by.y
    gone = own & ((left < 0) | (left > 255) | (top < 0) | (top >= 0xEF))
    oam[..., 3] = np.where(own & ~gone, left & 255, oam[..., 3])
    oam[..., 0] = np.where(gone, _HIDDEN, np.where(own, top & 255, oam[..., 0]))
    said = _unseen(kind, which, there, own)
    if gone.any():
        said.append(f"{kind} {which} is partly beyond the picture's edge in {int(gone.any(1).sum())} frames")
    if kind == "player":
        said.append("the camera does not follow the player to another place")
    return out, tuple(said)


def _slot(kind: str, which: int) -> tuple[int, int, list[int]]:
    slot = _SLOT[kind] + which
    return 0x6E + slot, 0x87 + slot, [0xCF + slot]


def _unseen(kind: str, which: int, there: np.ndarray, own: np.ndarray) -> list[str]:
    if not there.any():
        return [f"{kind} {which} is in no frame: nothing was changed"]
    return []


def remove(state: np.ndarray, kind: str, which: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """See `Editing.remove`."""
    _check(kind, which)
    if kind == "player":
        raise GameError("has no game without its player, who cannot be removed")
    out, own = state.copy(), own_sprites(state, kind, which)
    out[:, _OAM : _OAM + 256].reshape(-1, 64, 4)[..., 0][own] = _HIDDEN
    slot = _SLOT[kind] + which
    out[:, 0x0F + slot] = 0
    return out, tuple(_unseen(kind, which, _where(state, kind, which)[2], own))


def add(state: np.ndarray, at: Place) -> tuple[np.ndarray, tuple[str, ...]]:
    """See `Editing.add`: an enemy that stands at a place of the world, `at` pixels of the first picture."""
    if at.kind not in FIGURES:
        raise GameError(f"has no enemy '{at.kind}' that can be added; it has {', '.join(FIGURES)}")
    code, attribute, steps = FIGURES[at.kind]
    free = [k for k in range(5) if not state[:, 0x0F + k].any()]
    if not free:
        return state, ("all five places for enemies are in use at some time: none was added",)
    slot, out, t = free[0], state.copy(), len(state)
    oam = out[:, _OAM : _OAM + 256].reshape(t, 64, 4)
    room = np.flatnonzero((oam[..., 0] >= 0xEF).all(0))[-6:]
    if len(room) < 6:
        return state, (f"the list of sprites has no six places that are free all the time: no {at.kind} was added",)
    camera = 256 * state[:, 0x71A].astype(np.int64) + state[:, 0x71C]
    world = int(camera[0]) + at.x
    left = world - camera
    shown = (left > -16) & (left < 256)
    place = {0x0F: 1, 0x16: code, 0x1E: 0, 0x46: 2, 0x58: 0, 0xA0: 0, 0x6E: world >> 8 & 255, 0x87: world & 255,
             0xCF: at.y, 0xB6: 1}  # fmt: skip
    for address, value in place.items():
        out[:, address + slot] = np.where(shown, value, 0)
    out[:, _BEGIN + 1 + slot] = 4 * room[0]
    second = state[:, 0x09] >> 3 & 1
    for k, entry in enumerate(room.tolist()):
        x, y = left + 8 * (k % 2), at.y + 8 * (k // 2)
        tile = np.where(second > 0, steps[1][k], steps[0][k])
        there = shown & (x >= 0) & (x < 256)
        turned = attribute | (0x40 * second if _TURNED[at.kind] else 0)
        row = np.stack([np.full(t, y), tile, np.broadcast_to(turned, t), x & 255], 1)
        oam[:, entry] = np.where(there[:, None], row, oam[:, entry])
    return out, (f"the {at.kind} stands at its place and does not walk; nothing happens where others touch it",)


def tile(state: np.ndarray, column: int, row: int, number: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """See `Editing.tile`: a block at a column of the first picture, in the frames in which the buffer holds it."""
    if not (0 <= column < 17 and 0 <= row < 13 and 0 <= number <= 255):
        raise GameError("has tiles in columns 0 to 16 and rows 0 to 12, with numbers 0 to 255")
    out = state.copy()
    camera = 256 * state[:, 0x71A].astype(np.int64) + state[:, 0x71C]
    place = camera[0] // 16 + column
    at = 0x500 + place // 16 % 2 * 208 + 16 * row + place % 16
    near = (place >= camera // 16 - 2) & (place < camera // 16 + 18)
    out[:, at] = np.where(near, number, state[:, at])
    return out, ()


def left_behind(state: np.ndarray, recorded: np.ndarray) -> dict[str, np.ndarray]:
    """Objects at another place than in the recording whose sprites stayed: bool [T] by their names."""
    same = (state[:, _OAM : _OAM + 256] == recorded[:, _OAM : _OAM + 256]).all(1)
    found = {}
    for name, kind, which in (("the player", "player", 0), *((f"enemy {k}", "enemy", k) for k in range(5)),
                              ("the power-up", "powerup", 0)):  # fmt: skip
        here, there = _where(state, kind, which), _where(recorded, kind, which)
        moved = (here[0] != there[0]) | (here[1] != there[1])
        found[name] = moved & here[2] & there[2] & same & own_sprites(recorded, kind, which).any(1)
    return found


def player_bits(state: np.ndarray) -> np.ndarray:
    """Whether the player is small, bool [T]."""
    return np.asarray(state[:, 0x754] > 0)
