"""The lossless profile: palette pictures, memory and controllers to the last bit."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import CodecError, GameError
from ...games.registry import get_game
from ...games.spec import GameSpec
from ..container.gop import Gop, GopShape
from .coding_models import VERSION as VERSION_OF_TABLES
from .coding_models import PictureModel, RowModel
from .differences import decode_differences, encode_differences
from .kernel import DECODE, ENCODE, PART, Backend, backend
from .scene import Scene
from .tables import tables_for
from .true_colour import decode_colours, encode_colours

# Of the streams that are written; all up to it are read. 3: true colour as COLR, all else as in 2. 5: of COLR, pixels
# themselves, all else as in 4. 6: of games without tables, tables of version 4 and what the memory says of objects.
# 7: palettes of true colour by pictures of version 5.
VERSION = 7
# Version of the tables, and so of rows and palette pictures, by theirs.
_TABLES = {1: 1, 2: 2, 3: 2, 4: 3, 5: 3, 6: 4, 7: 4}
_PER_FRAME = ("tiles", "corners", "sprites", "look", "hints")  # parts of a Scene


class LosslessProfile:
    """Context mixing with integers; the state, where there is one, is read like a drawing instruction.

    Thread-safe: every group starts from the tables. Of true-colour pictures those colours are palette indices that
    most pixels have.

    Args:
        game: registered game, for its tables and for what its memory says; None or an unknown name: neither.
        tables: other tables than the bundled ones.
        kernel: another backend than the best one.
        version: of the streams that are written, where `tables` does not say it: those of before stay readable.
    Attributes:
        step: called with the share of a group that was encoded since the last call, where that takes long.
    Raises:
        CodecError: the tables are missing or damaged.
    """

    name = "lossless"
    side_by_side = True  # groups may be coded in threads at the same time: the kernel is not Python

    def __init__(
        self, game: str | None, tables: Path | None = None, kernel: Backend | None = None, version: int = VERSION
    ) -> None:
        self._game: GameSpec | None = None
        if game:
            try:
                self._game = get_game(game)
            except GameError:
                self._game = None  # a game that is not known here is coded without knowing it
        self._tables = tables_for(self._game.name if self._game else None, tables, _TABLES[version])
        self._kernel, self._version = kernel, version
        self.step: Callable[[float], object] = lambda share: None
        self.tables_id = self._tables.name
        self.tables_sha256 = self._tables.sha256

    def encode(self, gop: Gop) -> dict[str, bytes]:
        """Streams "PICT" (true colour: "COLR"), "STAT" and "ACTN"; the last two only where there is something."""
        shape, out, kernel, tables = gop.shape, {}, self._kernel or backend(), self._tables
        actions, none = _side(gop.actions, shape), _side(None, shape)
        if shape.actions:
            out["ACTN"] = kernel.rows(ENCODE, actions, none, tables.action_model(actions), b"")
        if shape.state and gop.state is not None:
            state = np.ascontiguousarray(gop.state)
            out["STAT"] = kernel.rows(ENCODE, state, actions, tables.state_model(state, actions), b"")
        frames = np.ascontiguousarray(gop.frames)
        if shape.channels == 3 and self._version > 2:
            out["COLR"] = encode_colours(frames, kernel, self.step, version=self._version)
        elif shape.channels == 3:
            out["PICT"] = encode_differences(frames, self.step)
        else:
            scene = self._scene(gop.state, shape)
            out["PICT"] = kernel.pictures(ENCODE, frames, scene, tables.pictures, b"")
        return out

    def decode(self, streams: Mapping[str, bytes], shape: GopShape) -> Gop:
        """The group, without its palette. Raises CodecError: a stream is missing or makes no sense."""
        return self.decode_first(streams, shape, shape.frames)

    def decode_first(self, streams: Mapping[str, bytes], shape: GopShape, count: int) -> Gop:
        """The first `count` frames of the group `shape`, in their share of its time. Raises as `decode`."""
        picture = "COLR" if shape.channels == 3 and "COLR" in streams else "PICT"
        wanted = {picture} | ({"STAT"} if shape.state else set()) | ({"ACTN"} if shape.actions else set())
        if set(streams) != wanted:
            raise CodecError(f"streams {sorted(streams)} instead of {sorted(wanted)}")
        kernel, tables = self.kernel, self._tables
        # Without a word of the game, what the memory says of a picture may depend on later memory.
        ahead = shape.state > 0 and self._game is not None and not self._game.coding.looks_back
        known = replace(shape, frames=shape.frames if ahead else count)
        mode, rows_mode = (DECODE if n == shape.frames else PART for n in (count, known.frames))
        actions = np.zeros((known.frames, shape.actions), np.uint8)
        state = np.zeros((known.frames, shape.state), np.uint8)
        if shape.actions:
            kernel.rows(rows_mode, actions, _side(None, known), tables.action_model(actions), streams["ACTN"])
        if shape.state:
            kernel.rows(rows_mode, state, actions, tables.state_model(state, actions), streams["STAT"])
        if picture == "COLR":
            frames = decode_colours(streams["COLR"], shape, kernel, count)
        elif shape.channels == 3:
            frames = decode_differences(streams["PICT"], replace(shape, frames=count), mode == PART)
        else:
            frames = np.zeros((count, shape.height, shape.width), np.uint8)
            scene = self._scene(state if shape.state else None, known)
            kernel.pictures(mode, frames, scene, tables.pictures, streams["PICT"])
        state, actions = state[:count], actions[:count]
        return Gop(
            frames=frames,
            palette=None,
            state=state if shape.state else None,
            actions=(actions[:, 0] if shape.actions == 1 else actions) if shape.actions else None,
            corner=shape.corner,
        )

    def decode_beside(
        self, streams: Mapping[str, bytes], shape: GopShape
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Memory uint8 [T, S] and buttons of the group, without its pictures, in a quarter of their time. Raises as
        `decode`."""
        tables, kernel = self._tables, self.kernel
        if (shape.actions and "ACTN" not in streams) or (shape.state and "STAT" not in streams):
            raise CodecError(f"streams {sorted(streams)} without memory or buttons")
        actions = np.zeros((shape.frames, shape.actions), np.uint8)
        state = np.zeros((shape.frames, shape.state), np.uint8)
        if shape.actions:
            kernel.rows(DECODE, actions, _side(None, shape), tables.action_model(actions), streams["ACTN"])
        if shape.state:
            kernel.rows(DECODE, state, actions, tables.state_model(state, actions), streams["STAT"])
        return state if shape.state else None, actions if shape.actions else None

    @property
    def kernel(self) -> Backend:
        """What codes."""
        return self._kernel or backend()

    def models(self, state: np.ndarray, actions: np.ndarray) -> tuple[RowModel, RowModel, PictureModel]:
        """Of the buttons uint8 [T, A], the memory uint8 [T, S] and the pictures."""
        tables = self._tables
        return tables.action_model(actions), tables.state_model(state, actions), tables.pictures

    def pictures(self, mode: int, frames: np.ndarray, state: np.ndarray | None, shape: GopShape, data: bytes) -> bytes:
        """Code palette pictures uint8 [T, H, W] alone, in place, with the memory [T, S] that both ends have."""
        return self.kernel.pictures(mode, frames, self._scene(state, shape), self._tables.pictures, data)

    def blocks(
        self, mode: int, frames: np.ndarray, asked: np.ndarray, state: np.ndarray | None, data: bytes,
        spent: np.ndarray | None = None,
    ) -> bytes:  # fmt: skip
        """Code the `asked` 8x8 blocks of whole palette pictures uint8 [T, H, W], in place: see `Backend.blocks`."""
        count, height, width = frames.shape
        shape = GopShape(count, height, width, 1, 0 if state is None else state.shape[1], 0, (0, 0))
        return self.kernel.blocks(mode, frames, asked, self._scene(state, shape), self._tables.pictures, data, spent)

    def live_scene(self, shape: GopShape) -> Scene:
        """Room for what is known of each frame, for `draw_live`; empty where that may follow from later memory."""
        game = self._game
        if shape.channels == 3 or not shape.state or game is None or not game.coding.looks_back:
            return Scene.nothing(shape.frames)
        one = self._scene(np.zeros((1, shape.state), np.uint8), replace(shape, frames=1))
        room: dict[str, Any] = {name: np.repeat(getattr(one, name), shape.frames, 0) for name in _PER_FRAME}
        return replace(one, **room)

    def draw_live(
        self, room: Scene, state: np.ndarray, shape: GopShape, context: np.ndarray | None
    ) -> np.ndarray | None:
        """Fill in what memory uint8 [t + 1, S] says of picture t.

        Args:
            context: what this gave for the picture before it; None for the first one.
        """
        game, t = self._game, len(state) - 1
        if game is None or (not len(room.layout) and not room.sprites.shape[1]):
            return None
        after = None
        if t and game.coding.one_before:
            if context is not None:
                after = game.carry(context, state[t - 1 :])
            both = None if context is None or after is None else np.stack([context, after])
            found = self._told(game, state[t - 1 :], both).seen_from(shape.corner)
        else:
            found = self._scene(state, replace(shape, frames=t + 1))
            if game.context_size and game.coding.one_before:
                after = game.context(state, np.arange(t + 1))[-1]
        for name in _PER_FRAME:
            getattr(room, name)[t] = getattr(found, name)[-1]
        return after

    def _scene(self, state: np.ndarray | None, shape: GopShape) -> Scene:
        game = self._game
        if game is None or state is None or shape.state != game.state_size:
            return Scene.nothing(shape.frames)
        cut_off = shape.corner != (0, 0) and shape.corner[0] + shape.height <= game.native_size[0]
        if (shape.height, shape.width) != game.native_size and not cut_off:
            return Scene.nothing(shape.frames)  # the memory speaks of other pixels
        return self._told(game, state).seen_from(shape.corner)

    def _told(self, game: GameSpec, state: np.ndarray, context: np.ndarray | None = None) -> Scene:
        """What memory uint8 [T, S] says, with what came before it."""
        pieces = game.pieces(state) if self._tables.pictures.version > VERSION_OF_TABLES else None
        return Scene.of(game, state, context) if pieces is None else Scene.of_pieces(game.native_size, pieces)


def _side(actions: np.ndarray | None, shape: GopShape) -> np.ndarray:
    """uint8 [T, A], A = 0 without actions."""
    if actions is None:
        return np.zeros((shape.frames, 0), np.uint8)
    return np.ascontiguousarray(actions.reshape(shape.frames, -1))
