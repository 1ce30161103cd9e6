"""Super Mario Bros. (NES): palette, memory map, picture layers and regions.

Addresses are CPU addresses of the 2,048-byte work RAM. The memory belongs to the picture stored with the same index.
Meanings: [map] https://datacrystal.tcrf.net/wiki/Super_Mario_Bros./RAM_map; [data] checked against recorded pictures.
"""

from __future__ import annotations

import numpy as np

from .smb_history import COLUMNS, ROWS, UNKNOWN, history
from .spec import GameSpec, StateField, TileLayer
from .state import GameState

# FCEUX default colours of the 64 NES palette entries.
PALETTE = np.frombuffer(
    bytes.fromhex(
        "747474 24188c 0000a8 44009c 8c0074 a80010 a40000 7c0800 "
        "402c00 004400 005000 003c14 183c5c 000000 000000 000000 "
        "bcbcbc 0070ec 2038ec 8000f0 bc00bc e40058 d82800 c84c0c "
        "887000 009400 00a800 009038 008088 000000 000000 000000 "
        "fcfcfc 3cbcfc 5c94fc cc88fc f478fc fc74b4 fc7460 fc9838 "
        "f0bc3c 80d010 4cdc48 58f898 00e8d8 787878 000000 000000 "
        "fcfcfc a8e4fc c4d4fc d4c8fc fcc4fc fcc4d8 fcbcb0 fcd8a8 "
        "fce4a0 e0fca0 a8f0bc b0fccc 9cfcf0 c4c4c4 000000 000000 "
    ),
    np.uint8,
).reshape(64, 3)

HUD_HEIGHT = 32  # pixel rows that never scroll
_HUD_DIGITS = {  # column of tile row 3 -> (address, what is added to the byte); score, coins, world, level, timer
    **{2 + i: (0x7DD + i, 0) for i in range(6)},
    13: (0x7ED, 0),
    14: (0x7EE, 0),
    19: (0x75F, 1),
    21: (0x75C, 1),
    **{26 + i: (0x7F8 + i, 0) for i in range(3)},
}
_HUD_STATIC = 40  # id of the first fixed HUD cell; digits and letters are 1 + value
_HUD_IDS = _HUD_STATIC + 4 * 32 + 1
_GLOBALS = (0x74E, 0x733, 0x741, 0x742, 0x743, 0x744, 0x756, 0x753, 0x773, 0x6D4, 0x75F)
_SOLID_FROM = np.array([0x10, 0x51, 0x88, 0xC0])  # first solid metatile id of each palette group [data]
_ITEMS = (0xC0, 0xC1, 0xC2, 0xC3)  # question blocks and coins
_ENEMIES = 5  # slots 0-4; slot 5 is the power-up
_PLATFORMS = range(0x24, 0x2D)
_BOWSER = 0x2D

HUD, BACKGROUND, SOLID, ITEM, PLAYER, ENEMY = range(1, 7)


def _region_of_metatile() -> np.ndarray:
    ids = np.arange(257)
    lut = np.where(ids >= _SOLID_FROM[np.minimum(ids, 255) >> 6], SOLID, BACKGROUND)
    lut[list(_ITEMS)] = ITEM
    lut[256] = BACKGROUND
    return lut.astype(np.uint8)


class SuperMarioBros(GameSpec):
    """Layers: 16x16 metatiles (with the history of columns drawn earlier), 8x8 HUD text, 64 hardware sprites."""

    name = "smb"
    native_size = (240, 256)
    fps = 60.0988
    stride = 4
    palette = PALETTE
    state_size = 2048
    context_size = ROWS * COLUMNS
    tile_layers = (
        TileLayer("metatiles", rows=ROWS, cols=17, cell=16, ids=257),
        TileLayer("hud", rows=4, cols=32, cell=8, ids=_HUD_IDS),
    )
    sprite_slots = 64
    sprite_tiles = 256
    sprite_attributes = 8  # palette 0-3, plus 4 when behind the background
    sprite_size = 8
    globals_count = len(_GLOBALS) + 2
    token_names = ("camera", "player", "enemy0", "enemy1", "enemy2", "enemy3", "enemy4", "powerup", "status")
    token_features = 20
    regions = ("unknown", "hud", "background", "solid", "item", "player", "enemy")
    tile_regions = _region_of_metatile()
    fixed_regions = ((HUD, 0, 0, 256, HUD_HEIGHT),)
    fields = (
        StateField("oam", 0x200, "4 bytes a sprite: y - 1, tile, attributes, x", 256, "[map] [data]"),
        StateField("block_buffer", 0x500, "metatile id, two pages of 13 x 16", 416, "[map] [data]"),
        StateField("column_metatiles", 0x6A1, "metatile id, the column being drawn", 13, "[data]"),
        StateField("camera_page", 0x71A, "256 pixels", 1, "[map] [data]"),
        StateField("camera_x", 0x71C, "pixel", 1, "[map] [data]"),
        StateField("area_parser_task", 0x71F, "step of the column being drawn", 1, "[data]"),
        StateField("column_page", 0x725, "16 columns", 1, "[data]"),
        StateField("column", 0x726, "column", 1, "[data]"),
        StateField("player_page", 0x6D, "256 pixels", 1, "[map]"),
        StateField("player_x", 0x86, "pixel", 1, "[map]"),
        StateField("player_y", 0xCE, "pixel", 1, "[map]"),
        StateField("player_y_page", 0xB5, "256 pixels; 1 = on the screen", 1, "[map]"),
        StateField("player_screen_x", 0x3AD, "pixel", 1, "[map] [data]"),
        StateField("player_screen_y", 0x3B8, "pixel", 1, "[map] [data]"),
        StateField("player_speed_x", 0x57, "1/16 pixel per frame, signed", 1, "[map]"),
        StateField("player_speed_y", 0x9F, "pixel per frame, signed", 1, "[map]"),
        StateField("player_state", 0x0E, "code", 1, "[map]"),
        StateField("player_float_state", 0x1D, "0 ground, 1 jump, 2 fall, 3 climb", 1, "[map]"),
        StateField("player_facing", 0x33, "1 right, 2 left", 1, "[map]"),
        StateField("player_crouching", 0x714, "flag", 1, "[map]"),
        StateField("player_animation", 0x70D, "frame of the walk cycle", 1, "[map]"),
        StateField("player_size", 0x754, "0 big, 1 small", 1, "[map]"),
        StateField("player_power", 0x756, "0 small, 1 big, 2 fire", 1, "[map]"),
        StateField("star_timer", 0x79F, "ticks", 1, "[map]"),
        StateField("enemy_active", 0x0F, "flag, slot 5 is the power-up", 6, "[map]"),
        StateField("enemy_type", 0x16, "code", 6, "[map]"),
        StateField("enemy_state", 0x1E, "code", 6, "[map]"),
        StateField("enemy_page", 0x6E, "256 pixels", 6, "[map]"),
        StateField("enemy_x", 0x87, "pixel", 6, "[map]"),
        StateField("enemy_y", 0xCF, "pixel", 6, "[map]"),
        StateField("enemy_y_page", 0xB6, "256 pixels; 1 = on the screen", 6, "[map]"),
        StateField("enemy_speed_x", 0x58, "1/16 pixel per frame, signed", 6, "[map]"),
        StateField("enemy_speed_y", 0xA0, "pixel per frame, signed", 6, "[map]"),
        StateField("powerup_type", 0x39, "code", 1, "[map]"),
        StateField("score", 0x7DD, "decimal digit", 6, "[map] [data]"),
        StateField("coins", 0x7ED, "decimal digit", 2, "[map] [data]"),
        StateField("timer", 0x7F8, "decimal digit", 3, "[map] [data]"),
        StateField("world", 0x75F, "world - 1", 1, "[map]"),
        StateField("level", 0x75C, "level - 1", 1, "[map]"),
        StateField("area_pointer", 0x750, "code of the map", 1, "[map]"),
        StateField("area_type", 0x74E, "0 water, 1 ground, 2 underground, 3 castle", 1, "[map]"),
        StateField("foreground_scenery", 0x741, "code", 1, "[map]"),
        StateField("background_scenery", 0x742, "code", 1, "[map]"),
        StateField("background_colour", 0x744, "code", 1, "[map]"),
        StateField("colour_cycle", 0x6D4, "step", 1, "[map] [data]"),
        StateField("frame_counter", 0x09, "frame", 1, "[map]"),
    )

    def context(self, state: np.ndarray, frame_numbers: np.ndarray) -> np.ndarray:
        """Metatiles of the 32 level columns drawn last, scenery included: uint8 [T, 13 * 32], 255 = not known."""
        self.check_state(state)
        return history(state, frame_numbers)

    def decode(self, state: np.ndarray, context: np.ndarray | None) -> GameState:
        self.check_state(state)
        ram = state.astype(np.int32)
        camera = 256 * ram[:, 0x71A] + ram[:, 0x71C]
        tokens, token_xy, token_valid = _compact(ram, camera)
        t = len(ram)
        tiles_xy = np.stack([-(camera % 16), np.full(t, HUD_HEIGHT)], 1).astype(np.int16)
        return GameState(
            tiles=(_metatiles(state, context, camera), _hud(ram)),
            tile_xy=(tiles_xy, np.zeros((t, 2), np.int16)),
            sprites=_sprites(ram),
            globals=_globals(ram),
            camera=camera.astype(np.int32),
            area=(4 * ram[:, 0x750] + (ram[:, 0x74E] & 3)).astype(np.int32),
            tokens=tokens,
            token_xy=token_xy,
            token_valid=token_valid,
            boxes=_boxes(ram, camera),
        )


def _metatiles(state: np.ndarray, context: np.ndarray | None, camera: np.ndarray) -> np.ndarray:
    """Ids of the 17 columns on the screen: the block buffer, and scenery from the history where that is known."""
    t = len(state)
    solid_grid = state[:, 0x500:0x6A0].reshape(t, 2, ROWS, 16).transpose(0, 2, 1, 3).reshape(t, ROWS, COLUMNS)
    drawn = np.full_like(solid_grid, UNKNOWN) if context is None else context.reshape(t, ROWS, COLUMNS)
    scenery = np.where(drawn >= _SOLID_FROM[drawn >> 6], 0, drawn).astype(np.int16)  # solid then, gone now: blank
    scenery[drawn == UNKNOWN] = 256
    grid = np.where(solid_grid != 0, solid_grid.astype(np.int16), scenery)
    columns = (camera[:, None] // 16 + np.arange(17)) % COLUMNS
    return np.take_along_axis(grid, columns[:, None, :], axis=2)


def _hud(ram: np.ndarray) -> np.ndarray:
    ids = np.broadcast_to(_HUD_STATIC + np.arange(128).reshape(4, 32), (len(ram), 4, 32)).astype(np.int16)
    for column, (address, offset) in _HUD_DIGITS.items():
        value = ram[:, address] + offset
        known = np.where(value < _HUD_STATIC - 1, value + 1, _HUD_IDS - 1)
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
    return np.concatenate([ram[:, list(_GLOBALS)], star[:, None], ram[:, 0x09:0x0A] & 7], 1).astype(np.uint8)


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
