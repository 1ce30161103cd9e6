"""What may be told of a game beside its description, so that atlases learn faster and files become smaller."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ConsoleLooks:
    """How the console puts a picture together from tiles and sprites, where that is known; the default says nothing.

    An atlas keeps looks apart by it, and the codec draws by it. Ids are those of `tile_layers`.

    Attributes:
        tile_globals: which of `GameState.globals` decide what tiles of tile_layers[0] look like.
        tile_palettes: for each id of tile_layers[0] the palette it is drawn with: the globals change the colours of one
            palette together, and no shapes; () = not known.
        first_guess: ids of tile_layers[0] from this one on are guesses.
        guessed_tiles: the ids that those from `first_guess` on are guesses of, in order.
        unrecorded_tiles: ids that may stand where the memory holds no tile, since nothing collides with them.
        landmark_tiles: those of them that occur once on a map, such as castles; guesses leave them out.
        cycling_tiles: ids of tile_layers[0] whose colours change while they stand there, see `GameState.glow`.
        cycling_text: likewise of tile_layers[1].
        compact_text: row and column of the places of tile_layers[1] that state level `compact` holds, too.
        sprite_globals: which of `GameState.globals` decide what sprites look like: by attribute modulo their number.
        sprites_per_line: of more on one line of the picture the hindmost are left out; 0 = no limit.
        behind_bits: bits of a sprite's attribute of which one says: behind the background.
        flip_x_bit, flip_y_bit: bits of a sprite's attribute.
        maze_step: pixels; mazes set the camera back by multiples of it while the picture stays. 0 = never.
        late_by: pixels by which the camera may be further than a picture shows, see `hstmae.atlas.late`. 0 = never.
    """

    tile_globals: tuple[int, ...] = ()
    tile_palettes: tuple[int, ...] = ()
    first_guess: int = 1 << 15
    guessed_tiles: tuple[int, ...] = ()
    unrecorded_tiles: tuple[int, ...] = ()
    landmark_tiles: tuple[int, ...] = ()
    cycling_tiles: tuple[int, ...] = ()
    cycling_text: tuple[int, ...] = ()
    compact_text: tuple[tuple[int, int], ...] = ()
    sprite_globals: tuple[tuple[int, ...], ...] = ((),)
    sprites_per_line: int = 0
    behind_bits: int = 0
    flip_x_bit: int = 64
    flip_y_bit: int = 128
    maze_step: int = 0
    late_by: int = 0


PIECE = 8  # pixels of a side of the pieces that objects are drawn of, see `GameSpec.pieces`
UNSEEN = -1000  # line of pieces that are not shown


@dataclass(frozen=True)
class CoderHints:
    """What helps coders of the game's memory and pictures; the default says nothing. Other hints, other bytes: a file
    or a model is decoded with the hints it was made with.

    Attributes:
        seldom_globals, often_globals: which of `GameState.globals` change the colours of everything, those that do so
            seldom and those that cycle; None = all of them.
        late_bytes: bytes of the memory that are best coded last, since they follow from others.
        sprite_list: name of the field that lists the sprites, four bytes each, the first of them the line; "" = none.
        first_hidden_line: line from which on sprites of that list are below the picture.
        sprite_turn: (address, first, home) where the console writes its sprites to other places of the list in each
            frame, as games do so that sprites beyond what a line can show flicker: the byte at the address says where
            in the list, in bytes, one object begins, `home` is one of its values, and all sprites from byte `first` on
            go round with it. None = they stay.
        slots: names of fields with one entry per slot; the first says by 0 that the slot is not in use.
        looks_back: what `GameSpec.context` and `decode` say of a frame follows from memory up to that frame alone. Then
            it is reached in a `.hst` file without decoding the memory behind it; the bytes are the same.
        one_before: what `decode_for_coding` says of a frame follows from its memory, that of the frame before, and its
            context. Then a stream reads two frames at a time, not all of the group so far.
    """

    seldom_globals: tuple[int, ...] | None = None
    often_globals: tuple[int, ...] | None = None
    late_bytes: tuple[int, ...] = ()
    sprite_list: str = ""
    first_hidden_line: int = 256
    sprite_turn: tuple[int, int, int] | None = None
    slots: tuple[str, ...] = ()
    looks_back: bool = False
    one_before: bool = False
