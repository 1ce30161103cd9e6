"""Super Mario Bros. (NES): palette, memory map, picture layers and regions.

Addresses are CPU addresses of the 2,048-byte work RAM. The memory belongs to the picture stored with the same index.
Meanings: [map] https://datacrystal.tcrf.net/wiki/Super_Mario_Bros./RAM_map; [data] checked against recorded pictures.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..hints import CoderHints, ConsoleLooks
from ..spec import GameSpec, StateField, TileLayer
from ..state import GameState, ObjectBoxes
from . import layers
from .blocks import BOUNCING
from .columns import columns
from .earlier import camera_step, one_frame_before
from .editing import SmbEditing
from .history import COLUMNS, ROWS, history
from .looks import object_boxes
from .objects import FEATURES, HUD, TOKENS, colour_code, decode_objects, flip_objects, player_code
from .overscan import USUAL, find_corner
from .palettes import FCEUX, OTHERS
from .ropes import hang_ropes
from .scenery import IDS as GUESSES
from .screen import PLAYER, colour_step, hold_digits, lines_down, undrawn

PALETTE = FCEUX

# Every colour in the game's tables: the palettes of the four area types, of snow, mushrooms and Bowser, of the
# background and of both players, and the cycle of coins and ? blocks [map].
_SHOWN = tuple(bytes.fromhex("0007090c0f101215161718191a1c21222527293036373a3c"))


def _globals_at(*addresses: int) -> tuple[int, ...]:
    return tuple(layers.GLOBALS.index(address) for address in addresses)


(_POWER, _KIND, _BACKDROP), _FIRE, _CASTLE, _AS_CASTLES = _globals_at(0x756, 0x74E, 0x744), 2, 3, 7


class SuperMarioBros(GameSpec):
    """Layers: 16x16 metatiles (with the history of columns drawn earlier), 8x8 HUD text, 64 hardware sprites."""

    name = "smb"
    native_size = (240, 256)
    cut_sizes = tuple(USUAL)
    fps = 60.0988
    stride = 4
    palette = PALETTE
    other_palettes = OTHERS
    shown_entries = _SHOWN
    preferred_entries = (0x0F, 0x30)  # black and white
    emulator_entry = 0x80  # FCEUX
    state_size = 2048
    buttons = ("A", "up", "left", "B", "select", "right", "down", "start")
    context_size = ROWS * COLUMNS
    tile_layers = (
        TileLayer("metatiles", rows=ROWS, cols=17, cell=16, ids=layers.TILE_IDS),
        TileLayer("hud", rows=4, cols=32, cell=8, ids=layers.HUD_IDS, text="0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    )
    looks = ConsoleLooks(
        tile_globals=_globals_at(0x74E, 0x733, 0x743, 0x744),  # kind, style, clouds, backdrop
        tile_palettes=tuple(i >> 6 for i in range(256)),
        first_guess=256,
        guessed_tiles=tuple(GUESSES.tolist()),
        # Solid ones are in the block buffer.
        unrecorded_tiles=tuple(i for i in range(256) if i < layers.SOLID_FROM[i >> 6]),
        landmark_tiles=tuple(range(0x45, 0x4C)),  # pieces of castles
        cycling_tiles=tuple(range(0xC0, 0x100)),  # palette 3: coins and ? blocks glow
        cycling_text=(layers.HUD_STATIC + 3 * 32 + 11,),  # the coin beside their number
        compact_text=tuple((3, column) for column in (13, 14, 19, 21, 26, 27, 28)),  # coins, world, level, timer
        sprite_globals=(_globals_at(0x756, 0x753), *(_globals_at(0x74E),) * 3),  # player, map
        sprites_per_line=8,
        behind_bits=4,
        maze_step=256,
        late_by=4,
    )
    coding = CoderHints(
        seldom_globals=(0, 4, 5, 6, 11),
        often_globals=(0, 5, 9),
        late_bytes=(*range(0x200, 0x300), *range(8)),  # the sprite list, scratch bytes
        looks_back=True,
        one_before=True,
        sprite_list="oam",
        first_hidden_line=239,
        sprite_turn=(0x6E5, 0x28, 0x30),  # where the first enemy's sprites are: 0x30, 0x88, 0xD0 and again 0x30
        slots=(
            *("enemy_active", "enemy_type", "enemy_state", "enemy_page", "enemy_x", "enemy_y", "enemy_y_page"),
            *("enemy_speed_x", "enemy_speed_y"),
        ),
    )
    editing = SmbEditing()
    sprite_slots = 64
    sprite_tiles = 256
    sprite_attributes = 8  # palette 0-3, plus 4 when behind the background
    sprite_size = 8
    globals_count = len(layers.GLOBALS) + 2
    token_names = TOKENS
    token_features = FEATURES
    regions = ("unknown", "hud", "background", "solid", "item", "player", "enemy")
    tile_regions = layers.TILE_REGIONS
    fixed_regions = ((HUD, 0, 0, 256, layers.HUD_HEIGHT),)
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
        StateField("coin_count", 0x75E, "coins: the same number as one byte", 1, "[map] [data]"),
        StateField("lives", 0x75A, "lives - 1", 1, "[map]"),
        StateField("timer", 0x7F8, "decimal digit", 3, "[map] [data]"),
        StateField("world", 0x75F, "world - 1", 1, "[map]"),
        StateField("level", 0x75C, "level - 1", 1, "[map]"),
        StateField("area_pointer", 0x750, "code of the map entered next; at first that of this one", 1, "[map] [data]"),
        StateField("area_data", 0xE7, "where the map's objects are in the cartridge: names the map", 2, "[map] [data]"),
        StateField("area_type", 0x74E, "0 water, 1 ground, 2 underground, 3 castle", 1, "[map]"),
        StateField("area_style", 0x733, "0 trees, 1 mushrooms, 2 cannons", 1, "[map]"),
        StateField("foreground_scenery", 0x741, "code", 1, "[map]"),
        StateField("background_scenery", 0x742, "code", 1, "[map]"),
        StateField("background_colour", 0x744, "code", 1, "[map]"),
        StateField("colour_cycle", 0x6D4, "step", 1, "[map] [data]"),
        StateField("frame_counter", 0x09, "frame", 1, "[map]"),
    )

    def moved(self, state: np.ndarray) -> int:
        return camera_step(state)

    def before(self, state: np.ndarray, shift: int) -> np.ndarray:
        return one_frame_before(state, shift)

    def corner_of(self, pixels: np.ndarray) -> tuple[int, int] | None:
        return find_corner(pixels, self.native_size)

    def context(self, state: np.ndarray, frame_numbers: np.ndarray) -> np.ndarray:
        """Metatiles of the 32 level columns drawn last, scenery included: uint8 [T, 13 * 32], 255 = not known."""
        self.check_state(state)
        return history(state, frame_numbers)

    def carry(self, context: np.ndarray, state: np.ndarray) -> np.ndarray:
        self.check_state(state)
        return history(state, np.arange(2), context)[1]

    def decode_for_coding(self, state: np.ndarray, context: np.ndarray | None) -> GameState:
        made = self.decode(state, context)
        first = layers.metatiles(state, context, np.asarray(made.camera), coding=True)
        down = np.stack([np.zeros(len(state), int), lines_down(state)], 1).astype(np.int16)
        return replace(
            made,
            tiles=(first, *made.tiles[1:]),
            tile_xy=tuple(corner - down for corner in made.tile_xy),
            camera_y=0 * made.camera_y,
        )

    def decode(self, state: np.ndarray, context: np.ndarray | None) -> GameState:
        self.check_state(state)
        t = len(state)
        camera = 256 * state[:, 0x71A].astype(np.int32) + state[:, 0x71C]
        late, waits = undrawn(state, tuple(layers.HUD_DIGITS))
        down = lines_down(state)
        tiles_xy = np.stack([-(camera % 16), layers.HUD_HEIGHT + down], 1).astype(np.int16)
        return GameState(
            tiles=(layers.metatiles(state, context, camera), layers.status_bar(state)),
            tile_xy=(tiles_xy, np.stack([np.zeros(t, int), down], 1).astype(np.int16)),
            sprites=layers.sprites(state),
            globals=layers.global_values(state),
            camera=camera,
            area=4 * state[:, 0x750].astype(np.int32) + (state[:, 0x74E] & 3),
            **decode_objects(state, camera),
            scene=256 * state[:, 0xE8].astype(np.int32) + state[:, 0xE7],
            clock=state[:, 0x09].astype(np.int32),
            glow=colour_step(state, waits),
            undrawn=late,
            camera_y=-down.astype(np.int32),
        )

    def screen_columns(self, memory: np.ndarray) -> tuple[int, np.ndarray]:
        return columns(memory)

    def shown_text(self, state: GameState, level: str) -> np.ndarray:
        """While the player comes onto a map (state 0 or 7) the timer is not drawn [data]. What full state says is not
        drawn yet is shown as in the frame before, and unknown in the first frame; the timer, which counts down, as one
        more."""
        ids = np.array(state.tiles[1])
        entering = np.isin(player_code(state), (0, 7))
        ids[entering, 3, 26:29] = layers.HUD_FIXED[3, 24]  # as the blank cell before it
        if level == "full":
            blank, unknown = int(layers.HUD_FIXED[3, 24]), layers.HUD_IDS - 1
            hold_digits(ids[:, 3], np.asarray(state.undrawn), layers.HUD_COLUMNS, blank, unknown)
        return ids

    def shown_glow(self, state: GameState, level: str) -> np.ndarray:
        """The tokens tell the step of the cycle, and not whether it is drawn already."""
        return np.asarray(state.glow) if level == "full" else colour_code(state)

    def drawn_objects(self, state: GameState) -> ObjectBoxes:
        return object_boxes(state)

    def hung_tiles(self, ids: np.ndarray, state: GameState, origin: tuple[int, int]) -> np.ndarray:
        hang_ropes(ids, state, origin)
        ids[ids == BOUNCING] = 0
        return ids

    def shown_globals(self, state: GameState) -> np.ndarray:
        """Maps of one backdrop have the colours of castles. Where the player's colours wait, they are those of the
        frame before, and before a change to those of fire the others."""
        shown = np.array(state.globals)
        shown[shown[:, _BACKDROP] == _AS_CASTLES, _KIND] = _CASTLE
        for t in np.flatnonzero(np.asarray(state.undrawn) & PLAYER):
            if shown[t, _POWER] == _FIRE:
                shown[t, _POWER] = _FIRE - 1
            elif t:
                shown[t, _POWER] = shown[t - 1, _POWER]
        return shown

    def flip_tokens(self, flipped: GameState) -> GameState:
        return flip_objects(flipped)
