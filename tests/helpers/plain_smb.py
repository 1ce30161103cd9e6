"""Super Mario Bros. decoded the plain way, number by number: what the tables of hstmae.games.smb must agree with."""

from __future__ import annotations

import numpy as np

from hstmae.games import GameState
from hstmae.games.smb.game import SuperMarioBros
from hstmae.games.smb.history import COLUMNS, ROWS, UNKNOWN
from hstmae.games.smb.layers import GLOBALS, HUD_DIGITS, HUD_HEIGHT, HUD_IDS, HUD_STATIC, SOLID_FROM
from hstmae.games.smb.objects import ENEMY, ITEM, PLAYER, SOLID
from hstmae.games.smb.scenery import IDS, PERIOD, SCENERY

_ENEMIES = 5
_PLATFORMS = range(0x24, 0x2D)
_BOWSER = 0x2D


def decode(state: np.ndarray, context: np.ndarray | None) -> GameState:
    ram = state.astype(np.int32)
    camera = 256 * ram[:, 0x71A] + ram[:, 0x71C]
    tokens, token_xy, token_valid = _compact(ram, camera)
    down = np.array([int(row[0x773] == 0 and row[0x300] > 60) for row in ram], np.int32)
    tiles_xy = np.stack([-(camera % 16), HUD_HEIGHT + down], 1).astype(np.int16)
    return GameState(
        tiles=(_metatiles(state, context, camera), _hud(ram)),
        tile_xy=(tiles_xy, np.stack([0 * down, down], 1).astype(np.int16)),
        sprites=_sprites(ram),
        globals=_globals(ram),
        camera=camera.astype(np.int32),
        area=(4 * ram[:, 0x750] + (ram[:, 0x74E] & 3)).astype(np.int32),
        tokens=tokens,
        token_xy=token_xy,
        token_valid=token_valid,
        boxes=_boxes(ram, camera),
        scene=(256 * ram[:, 0xE8] + ram[:, 0xE7]).astype(np.int32),
        clock=ram[:, 0x09].astype(np.int32),
        glow=np.array([_glow(row) for row in ram], np.int32),
        undrawn=np.array([_undrawn(row)[0] for row in ram], np.int32),
        camera_y=-down,
    )


def _records(ram: np.ndarray) -> list[tuple[int, int, list[int]]]:
    """Address, kind and bytes of what waits in the buffer, if anything waits."""
    found, i = [], 0
    buffer = [int(byte) for byte in ram[0x301 : 0x301 + ram[0x300]]]
    while ram[0x773] and i < len(buffer) and buffer[i]:
        address, kind = 256 * buffer[i] + int(ram[0x302 + i]), int(ram[0x303 + i])
        same = kind // 64 % 2 == 1
        count = 1 if same and kind >= 128 else kind % 64
        data = [int(ram[0x304 + i + (0 if same else k)]) for k in range(count)]
        found.append((address, kind, data[:1] if kind >= 128 else data))
        i += 4 if same else 3 + kind % 64
    return found


def _undrawn(ram: np.ndarray) -> tuple[int, bool]:
    """Digits that wait in the buffer, as bits, with the coins, units of time and tens of points that do, and whether
    the player's colours do; and whether a step of the colour cycle waits, too."""
    bits, glow, changed = 0, False, [0, 0, 0]  # how often the last digit of score, coins and timer is written
    for address, _, data in _records(ram):
        for k in range(len(data)):
            if address + k - 0x2060 in HUD_DIGITS:
                bits |= 2 ** list(HUD_DIGITS).index(address + k - 0x2060)
            for n, last in enumerate((0x2067, 0x206E, 0x207C)):
                changed[n] += address + k == last
        glow |= address == 0x3F0C
        bits |= 2**30 if address == 0x3F10 else 0
    score, coins, time = changed
    tens = 0
    if score and score == coins:
        floating = sorted((int(0x2A - ram[0x12C + k]), k, int(ram[0x110 + k])) for k in range(7))
        values = [10, 20, 40, 50, 80, 100, 200, 400, 500, 800]
        some = [values[kind - 1] for age, _, kind in floating if 0 <= age <= 2 and 1 <= kind <= 10][:score]
        coins -= len(some)
        tens = sum(some) + 20 * coins
    elif score and score == time and not ram[0x787]:
        tens = 5 * score
    bits += 2**13 * min(coins, 7) + 2**16 * min(time, 7) + 2**19 * min(tens, 2047)
    return bits, glow


def _glow(ram: np.ndarray) -> int:
    first = ram[0x7F8] >= 2 and ram[0x7F9] == 0
    first = first and (ram[0x7FA] == 1 or (ram[0x7FA] == 0 and ram[0x787] >= 15))
    return 6 if first and ram[0x6D4] == 0 else int(ram[0x6D4] - _undrawn(ram)[1]) % 6


def _metatiles(state: np.ndarray, context: np.ndarray | None, camera: np.ndarray) -> np.ndarray:
    """Ids of the 17 columns on the screen, cell by cell."""
    t = len(state)
    blocks = state[:, 0x500:0x6A0].reshape(t, 2, ROWS, 16)
    ids = np.zeros((t, ROWS, 17), np.int16)
    for i in range(t):
        for c in range(17):
            column = int(camera[i]) // 16 + c
            trunk = False
            ground = [
                blocks[i, (int(camera[i]) // 16 + k) // 16 % 2, 11:, (int(camera[i]) // 16 + k) % 16].any()
                for k in range(17)
            ]
            hole = not ground[c] and 2 * sum(ground) >= 17 and state[i, 0x74E] != 0
            for r in range(ROWS):
                solid = int(blocks[i, column // 16 % 2, r, column % 16])
                drawn = UNKNOWN if context is None else int(context[i].reshape(ROWS, COLUMNS)[r, column % COLUMNS])
                if solid:
                    ids[i, r, c] = _looks_like(solid)
                    if solid == 0xC4 and drawn in range(0x40, 0x80) and state[i, 0x74E] != 1:
                        ids[i, r, c] = 0x6E  # a used block in the colours of bricks
                elif drawn != UNKNOWN:
                    gone = drawn >= SOLID_FROM[drawn >> 6]  # solid then, not now: blank
                    ids[i, r, c] = 0 if gone else _looks_like(drawn)
                else:
                    guess = int(SCENERY[state[i, 0x742] & 3, state[i, 0x741] & 3, column % PERIOD, r])
                    if hole and 8 <= r < 11:
                        guess = 0
                    if r + 1 < ROWS and blocks[i, column // 16 % 2, r + 1, column % 16] == 0x63:
                        guess = 0x0B  # railing on a bridge
                    if trunk:
                        guess = 0x4C
                    ids[i, r, c] = 256 + IDS.tolist().index(guess)
                trunk = solid == 0x17 or (trunk and not solid)
        for (r, column), tile in _waiting(state[i].astype(int), None if context is None else context[i]).items():
            c = (column - int(camera[i]) // 16) % COLUMNS
            if c < 17:
                ids[i, r, c] = _looks_like(tile)
    return ids


def _waiting(ram: np.ndarray, context: np.ndarray | None) -> dict[tuple[int, int], int]:
    """Row and column of blocks that are not drawn yet, and what is shown in their place."""
    found = {}
    for address, kind, data in _records(ram):
        y, column = address % 1024 // 32, address % 32 // 2 + 16 * (address // 1024 % 2)
        if kind != 2 or not 0x2000 <= address < 0x3000 or not 4 <= y < 30:
            continue
        r = y // 2 - 2
        place = 0x500 + 0xD0 * (column // 16) + column % 16 + 16 * r
        if ram[place] == 0x23:
            old = UNKNOWN if context is None else int(context.reshape(ROWS, COLUMNS)[r, column])
            if old == UNKNOWN:
                slots = [k for k in (0, 1) if 0x500 + ram[0x3E6 + k] + ram[0x3E4 + k] == place]
                new = int(ram[0x3E8 + slots[0]]) if slots else 0x23
                old = {0xC4: 0xC0, 0: 0x51 if ram[0x74E] == 1 else 0x52}.get(new, new)
            found[r, column] = old
        elif ram[place] and data != [0x24, 0x24]:
            found[r, column] = 0x23
    return found


def _looks_like(tile: int) -> int:
    if tile in range(0x55, 0x5A):
        return 0x51
    if tile in range(0x5A, 0x5F):
        return 0x52
    return {0x44: 0, 0x5F: 0, 0x60: 0, 0xC1: 0xC0}.get(tile, tile)


def _hud(ram: np.ndarray) -> np.ndarray:
    ids = np.broadcast_to(HUD_STATIC + np.arange(128).reshape(4, 32), (len(ram), 4, 32)).astype(np.int16)
    for column, (address, offset) in HUD_DIGITS.items():
        value = ram[:, address] + offset
        known = np.where(value < HUD_STATIC - 1, value + 1, HUD_IDS - 1)
        # The first of the six score digits is left blank while it is zero [data]; the fixed id stands for that.
        ids[:, 3, column] = np.where(value > 0, known, ids[:, 3, column]) if column == 2 else known
    return ids


def _sprites(ram: np.ndarray) -> np.ndarray:
    oam = ram[:, 0x200:0x300].reshape(-1, 64, 4)
    attribute = (oam[..., 2] & 3) + ((oam[..., 2] >> 3) & 4)  # palette, behind (bit 5)
    attribute |= (oam[..., 2] & 0x40) | (oam[..., 2] & 0x80)
    return np.stack([oam[..., 3], oam[..., 0] + 1, oam[..., 1], attribute], -1).astype(np.int16)


def _globals(ram: np.ndarray) -> np.ndarray:
    star = np.minimum((ram[:, 0x79F] + 7) // 8, 2)  # off, ending, on: the palette cycles faster while it is on
    return np.concatenate([ram[:, list(GLOBALS)], star[:, None], ram[:, 0x09:0x0A] & 7], 1).astype(np.uint8)


def _signed(a: np.ndarray) -> np.ndarray:
    return (a ^ 0x80) - 0x80


def _bits(a: np.ndarray, n: int) -> np.ndarray:
    return (a[..., None] >> np.arange(n)) & 1


def _compact(ram: np.ndarray, camera: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The `compact` state: nine positioned tokens a frame. Numbers are scaled to about -1 .. 1, codes are bits."""
    t = len(ram)
    spec = SuperMarioBros
    f = np.zeros((t, len(spec.token_names), spec.token_features), np.float32)
    xy = np.zeros((t, len(spec.token_names), 2), np.float32)
    valid = np.ones((t, len(spec.token_names)), bool)
    phase = 2 * np.pi * (camera[:, None] % np.array([16, 32, 64])) / np.array([16, 32, 64])
    f[:, 0, 0], f[:, 0, 1] = camera / 4096, (camera % 256) / 256
    f[:, 0, 2:5], f[:, 0, 5:8] = np.sin(phase), np.cos(phase)
    f[:, 0, 8:13] = _bits(camera // 256, 5)
    xy[:, 0] = 128, 120

    f[:, 1, 0], f[:, 1, 1] = ram[:, 0x3AD] / 256, ram[:, 0x3B8] / 240
    f[:, 1, 2], f[:, 1, 3] = _signed(ram[:, 0x57]) / 64, _signed(ram[:, 0x9F]) / 8
    f[:, 1, 4], f[:, 1, 5], f[:, 1, 6] = ram[:, 0x754] == 0, ram[:, 0x714] != 0, ram[:, 0x33] == 2
    f[:, 1, 7:9], f[:, 1, 9:11] = _bits(ram[:, 0x756], 2), _bits(ram[:, 0x1D], 2)
    f[:, 1, 11:15], f[:, 1, 15:18] = _bits(ram[:, 0x0E], 4), _bits(ram[:, 0x70D], 3)
    f[:, 1, 18], f[:, 1, 19] = ram[:, 0x79F] > 0, ram[:, 0xB5] == 1
    xy[:, 1, 0], xy[:, 1, 1] = ram[:, 0x3AD], ram[:, 0x3B8]

    for slot in range(_ENEMIES + 1):
        k = 2 + slot
        x, y = _enemy_position(ram, camera, slot)
        f[:, k, 0], f[:, k, 1] = x / 256, y / 240
        f[:, k, 2], f[:, k, 3] = _signed(ram[:, 0x58 + slot]) / 64, _signed(ram[:, 0xA0 + slot]) / 8
        code = ram[:, 0x39] if slot == _ENEMIES else ram[:, 0x16 + slot]
        f[:, k, 4:10], f[:, k, 10:18] = _bits(code, 6), _bits(ram[:, 0x1E + slot], 8)
        f[:, k, 18] = ram[:, 0x46 + slot] == 2  # moving left
        valid[:, k] = (ram[:, 0x0F + slot] != 0) & (ram[:, 0xB6 + slot] <= 1)
        f[:, k] *= valid[:, k, None]
        xy[:, k, 0], xy[:, k, 1] = x, y

    k = len(spec.token_names) - 1
    f[:, k, 0:3], f[:, k, 3:5] = _bits(ram[:, 0x75F], 3), _bits(ram[:, 0x75C], 2)
    f[:, k, 5:9] = ram[:, 0x74E, None] == np.arange(4)
    f[:, k, 9:16] = _bits(ram[:, 0x750], 7)
    f[:, k, 16] = (100 * ram[:, 0x7F8] + 10 * ram[:, 0x7F9] + ram[:, 0x7FA]) / 400
    f[:, k, 17] = (10 * ram[:, 0x7ED] + ram[:, 0x7EE]) / 100
    f[:, k, 18], f[:, k, 19] = ram[:, 0x6D4] / 6, ram[:, 0x744] / 8
    xy[:, k] = 128, 16
    return np.clip(f, -4, 4), xy, valid  # bytes that are no digits must not become huge numbers


def _enemy_position(ram: np.ndarray, camera: np.ndarray, slot: int) -> tuple[np.ndarray, np.ndarray]:
    x = 256 * ram[:, 0x6E + slot] + ram[:, 0x87 + slot] - camera
    y = ram[:, 0xCF + slot] + 256 * (ram[:, 0xB6 + slot] - 1)
    return np.clip(x, -512, 511), np.clip(y, -256, 511)


def _boxes(ram: np.ndarray, camera: np.ndarray) -> np.ndarray:
    """Rectangles of enemies, power-up and player (drawn in this order): [T, 7, 5] region, x0, y0, x1, y1."""
    out = np.zeros((len(ram), _ENEMIES + 2, 5), np.int16)
    for slot in range(_ENEMIES + 1):
        x, y = _enemy_position(ram, camera, slot)
        kind = ram[:, 0x16 + slot]
        platform = (kind >= _PLATFORMS.start) & (kind < _PLATFORMS.stop)
        region = np.where(platform, SOLID, ENEMY) if slot < _ENEMIES else np.full(len(ram), ITEM)
        width = np.where(platform, 48, np.where(kind == _BOWSER, 32, 16))
        height = np.where(platform, 9, np.where(kind == _BOWSER, 33, 25))
        active = (ram[:, 0x0F + slot] != 0) & (ram[:, 0xB6 + slot] == 1)
        box = np.stack([region, x, y, x + width, y + height], 1)
        out[:, slot] = np.where(active[:, None], box, 0)
    x, y = ram[:, 0x3AD], ram[:, 0x3B8]
    top = np.where((ram[:, 0x754] == 0) & (ram[:, 0x714] == 0), 0, np.where(ram[:, 0x754] == 0, 8, 16))
    box = np.stack([np.full(len(ram), PLAYER), x, y + top, x + 16, y + 33], 1)
    out[:, _ENEMIES + 1] = np.where((ram[:, 0xB5] == 1)[:, None], box, 0)
    return out
