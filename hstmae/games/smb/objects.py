"""Super Mario Bros.: player, enemies, power-up and status as `compact` tokens and as boxes on the screen.

Nearly every number here depends on one byte of memory alone, so it is looked up in a table of its 256 values: a clip
is decoded with a handful of array operations whatever the number of tokens. Addresses: see the fields in `smb`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..state import GameState

HUD, BACKGROUND, SOLID, ITEM, PLAYER, ENEMY = range(1, 7)  # regions

TOKENS = ("camera", "player", "enemy0", "enemy1", "enemy2", "enemy3", "enemy4", "powerup", "status")
FEATURES = 20
_CAMERA, _PLAYER, _ENEMY, _STATUS = 0, 1, 2, 8
_CODE = 11  # feature of the player at which the bits of what it is doing begin
_SLOTS = 6  # slots 0-4 are enemies, slot 5 is the power-up
_SLOT = np.arange(_SLOTS)
_WIDTH = 256  # pixels of the picture
_PLAYER_WIDTH = 16
_LIMIT = 4  # bytes that are no digits must not become huge numbers
_BYTE = np.arange(256)
_DECIMAL = np.array([100, 10, 1], np.int32)


def _signed(a: np.ndarray) -> np.ndarray:
    return (a ^ 0x80) - 0x80


def _camera_table() -> np.ndarray:
    """Features 1 to 7 of the camera for each x within 256 pixels: its share, and sine and cosine of three phases."""
    waves = np.array([16, 32, 64])
    phase = 2 * np.pi * (_BYTE[:, None] % waves) / waves
    return np.concatenate([_BYTE[:, None] / 256, np.sin(phase), np.cos(phase)], 1).astype(np.float32)


_CAMERA_VALUE = _camera_table()


def _camera_features(camera: np.ndarray) -> np.ndarray:
    """World x of the picture's left edge, int [T] -> float32 [T, 13]: distance, place within 256 pixels, page bits."""
    out = np.empty((len(camera), 13), np.float32)
    out[:, 0] = np.minimum(np.maximum(camera / 4096, -_LIMIT), _LIMIT)
    out[:, 1:8] = _CAMERA_VALUE[camera & 255]
    out[:, 8:13] = (camera[:, None] >> np.arange(8, 13)) & 1
    return out


def _byte_features() -> list[tuple[int, int, int, np.ndarray]]:
    """(token, feature, address, value for each of the 256 bytes). Numbers are about -1 .. 1, codes are bits."""
    found: list[tuple[int, int, int, np.ndarray]] = []

    def add(token: int, feature: int, address: int, value: np.ndarray) -> None:
        found.append((token, feature, address, value))

    def add_bits(token: int, feature: int, address: int, count: int) -> None:
        for bit in range(count):
            add(token, feature + bit, address, (_BYTE >> bit) & 1)

    add(_PLAYER, 0, 0x3AD, _BYTE / _WIDTH)
    add(_PLAYER, 1, 0x3B8, _BYTE / 240)
    add(_PLAYER, 2, 0x57, _signed(_BYTE) / 64)
    add(_PLAYER, 3, 0x9F, _signed(_BYTE) / 8)
    add(_PLAYER, 4, 0x754, _BYTE == 0)
    add(_PLAYER, 5, 0x714, _BYTE != 0)
    add(_PLAYER, 6, 0x33, _BYTE == 2)  # facing left
    add_bits(_PLAYER, 7, 0x756, 2)
    add_bits(_PLAYER, 9, 0x1D, 2)
    add_bits(_PLAYER, _CODE, 0x0E, 4)
    add_bits(_PLAYER, 15, 0x70D, 3)
    add(_PLAYER, 18, 0x79F, _BYTE > 0)
    add(_PLAYER, 19, 0xB5, _BYTE == 1)
    for slot in range(_SLOTS):  # features 0 and 1 are the position
        add(_ENEMY + slot, 2, 0x58 + slot, _signed(_BYTE) / 64)
        add(_ENEMY + slot, 3, 0xA0 + slot, _signed(_BYTE) / 8)
        add_bits(_ENEMY + slot, 4, 0x39 if slot == _SLOTS - 1 else 0x16 + slot, 6)
        add_bits(_ENEMY + slot, 10, 0x1E + slot, 8)
        add(_ENEMY + slot, 18, 0x46 + slot, _BYTE == 2)  # moving left
    add_bits(_STATUS, 0, 0x75F, 3)
    add_bits(_STATUS, 3, 0x75C, 2)
    for kind in range(4):
        add(_STATUS, 5 + kind, 0x74E, np.equal(_BYTE, kind))
    add_bits(_STATUS, 9, 0x750, 7)  # features 16 and 17 are timer and coins
    add(_STATUS, 18, 0x6D4, _BYTE / 6)
    add(_STATUS, 19, 0x744, _BYTE / 8)
    return found


# The address of each feature of each token and, end to end, its 256 values: zeros where no byte tells it.
_FEATURE_ADDRESS = np.zeros(len(TOKENS) * FEATURES, np.int64)
_FEATURE_VALUE = np.zeros(256 * len(_FEATURE_ADDRESS), np.float32)
for _token, _feature, _address, _value in _byte_features():
    _FEATURE_ADDRESS[_token * FEATURES + _feature] = _address
    _FEATURE_VALUE[256 * (_token * FEATURES + _feature) + _BYTE] = np.clip(_value, -_LIMIT, _LIMIT)
_FEATURE_ROW = 256 * np.arange(len(_FEATURE_ADDRESS))

# Bytes that numbers of more than one byte and boxes are made of; each name is a slice of one gather.
_PARTS: dict[str, tuple[int, ...]] = {
    "active": tuple(0x0F + _SLOT),
    "kind": tuple(0x16 + _SLOT),
    "page": tuple(0x6E + _SLOT),
    "x": tuple(0x87 + _SLOT),
    "y_page": tuple(0xB6 + _SLOT),
    "y": tuple(0xCF + _SLOT),
    "player": (0x3AD, 0x3B8, 0x754, 0x714, 0xB5),
    "timer": (0x7F8, 0x7F9, 0x7FA),
    "coins": (0x7ED, 0x7EE),
}
_PART_ADDRESS = np.array([address for part in _PARTS.values() for address in part])
_ENDS = np.cumsum([len(part) for part in _PARTS.values()]).tolist()
_PART = {name: slice(end - len(part), end) for (name, part), end in zip(_PARTS.items(), _ENDS, strict=True)}


def _by_kind(platform: int, bowser: int, other: int) -> np.ndarray:
    """One number per enemy code."""
    table = np.full(256, other)
    table[0x24:0x2D], table[0x2D] = platform, bowser
    return table


_ENEMY_REGION = _by_kind(SOLID, ENEMY, ENEMY)
ENEMY_SIZE = np.stack([_by_kind(48, 32, 16), _by_kind(9, 33, 25)])  # width, height


def decode_objects(state: np.ndarray, camera: np.ndarray) -> dict[str, np.ndarray]:
    """`tokens`, `token_xy`, `token_valid` and `boxes` of a GameState.

    Args:
        state: uint8 [T, 2048]; camera: int [T], world x of the picture's left edge.
    """
    t = len(state)
    bytes_ = state.take(_PART_ADDRESS, 1).astype(np.int32)
    part = {name: bytes_[:, at] for name, at in _PART.items()}
    x = np.minimum(np.maximum(256 * part["page"] + part["x"] - camera[:, None], -512), 511)
    y = np.minimum(part["y"] + 256 * (part["y_page"] - 1), 511)  # -256 at the least
    active = part["active"] != 0
    shown, valid = active & (part["y_page"] == 1), active & (part["y_page"] <= 1)
    enemies = slice(_ENEMY, _ENEMY + _SLOTS)

    tokens = _FEATURE_VALUE.take(_FEATURE_ROW + state.take(_FEATURE_ADDRESS, 1)).reshape(t, len(TOKENS), FEATURES)
    tokens[:, _CAMERA, :13] = _camera_features(camera)
    tokens[:, enemies, 0], tokens[:, enemies, 1] = x / _WIDTH, y / 240
    tokens[:, enemies] *= valid[:, :, None]
    tokens[:, _STATUS, 16] = np.minimum(part["timer"] @ _DECIMAL / 400, _LIMIT)
    tokens[:, _STATUS, 17] = np.minimum(part["coins"] @ _DECIMAL[1:] / 100, _LIMIT)

    xy = np.empty((t, len(TOKENS), 2), np.float32)
    xy[:, _CAMERA], xy[:, _STATUS] = (128, 120), (128, 16)
    xy[:, _PLAYER] = part["player"][:, :2]
    xy[:, enemies, 0], xy[:, enemies, 1] = x, y
    usable = np.ones((t, len(TOKENS)), bool)
    usable[:, enemies] = valid
    return {"tokens": tokens, "token_xy": xy, "token_valid": usable, "boxes": _boxes(part, x, y, shown)}


def _boxes(part: dict[str, np.ndarray], x: np.ndarray, y: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Rectangles of enemies, power-up and player (drawn in this order): [T, 7, 5] region, x0, y0, x1, y1."""
    boxes = np.empty((len(x), _SLOTS + 1, 5), np.int16)
    them, size = boxes[:, :_SLOTS], ENEMY_SIZE.take(part["kind"], 1)
    them[..., 0], them[..., 1], them[..., 2] = _ENEMY_REGION.take(part["kind"]), x, y
    them[:, _SLOTS - 1, 0] = ITEM
    them[..., 3], them[..., 4] = x + size[0], y + size[1]
    them *= shown[:, :, None]
    left, top, small, crouching, page = part["player"].T
    you = boxes[:, _SLOTS]
    you[:, 0], you[:, 1], you[:, 3], you[:, 4] = PLAYER, left, left + _PLAYER_WIDTH, top + 33
    you[:, 2] = top + np.where(small == 0, np.where(crouching == 0, 0, 8), 16)
    you *= (page == 1)[:, None]
    return boxes


def player_code(state: GameState) -> np.ndarray:
    """What the player is doing (0x0E, modulo 16), read back from the tokens: int [T]."""
    return (np.asarray(state.tokens)[:, _PLAYER, _CODE : _CODE + 4] @ (1, 2, 4, 8)).astype(int)


def colour_code(state: GameState) -> np.ndarray:
    """The step of the colour cycle (0x6D4), read back from the tokens: int32 [T]."""
    return np.rint(6 * np.asarray(state.tokens)[:, _STATUS, 18]).astype(np.int32)


def flip_objects(flipped: GameState) -> GameState:
    """Mirror the tokens of a state whose other parts are mirrored already (see GameSpec.flip)."""
    tokens, xy = flipped.tokens.copy(), flipped.token_xy.copy()
    tokens[:, _CAMERA, :13] = _camera_features(flipped.camera)
    for first, count, left in ((_PLAYER, 1, 6), (_ENEMY, _SLOTS, 18)):
        token, valid = tokens[:, first : first + count], flipped.token_valid[:, first : first + count]
        width = np.full(valid.shape, _PLAYER_WIDTH)
        if first == _ENEMY:
            width[:, :-1] = ENEMY_SIZE[0, (token[:, :-1, 4:10] @ (1 << np.arange(6))).astype(int)]
        token[..., 0] = np.where(valid, (_WIDTH - width) / _WIDTH - token[..., 0], token[..., 0])
        token[..., 2] = 0 - token[..., 2]  # speed to the right
        token[..., left] = np.where(valid, 1 - token[..., left], token[..., left])
        xy[:, first : first + count, 0] = _WIDTH - width - xy[:, first : first + count, 0]
    return replace(flipped, tokens=tokens, token_xy=xy)
