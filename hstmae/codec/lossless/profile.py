"""The lossless profile: palette pictures, memory and controllers to the last bit."""

import lzma
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import CodecError, GameError
from ...games.registry import get_game
from ...games.spec import GameSpec
from ..container.gop import Gop, GopShape
from .coding_models import VERSION, PictureModel, RowModel
from .kernel import DECODE, ENCODE, PART, Backend, backend
from .scene import Scene
from .tables import tables_for

_AT_ONCE = 1 << 15  # bytes: while they are compressed nothing else happens, not even Ctrl-C
_PER_FRAME = ("tiles", "corners", "sprites", "look", "hints")  # parts of a Scene
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": 1 << 24}]


class LosslessProfile:
    """Context mixing with integers; the state, where there is one, is read like a drawing instruction.

    Thread-safe: every group starts from the tables. True-colour pictures are coded by prediction and LZMA instead.

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
        self._tables = tables_for(self._game.name if self._game else None, tables, version)
        self._kernel = kernel
        self.step: Callable[[float], object] = lambda share: None
        self.tables_id = self._tables.name
        self.tables_sha256 = self._tables.sha256

    def encode(self, gop: Gop) -> dict[str, bytes]:
        """Streams "PICT", "STAT" and "ACTN"; the last two only where there is something to code."""
        shape, out, kernel, tables = gop.shape, {}, self._kernel or backend(), self._tables
        actions, none = _side(gop.actions, shape), _side(None, shape)
        if shape.actions:
            out["ACTN"] = kernel.rows(ENCODE, actions, none, tables.action_model(actions), b"")
        if shape.state and gop.state is not None:
            state = np.ascontiguousarray(gop.state)
            out["STAT"] = kernel.rows(ENCODE, state, actions, tables.state_model(state, actions), b"")
        frames = np.ascontiguousarray(gop.frames)
        if shape.channels == 3:
            out["PICT"] = encode_true_colour(frames, self.step)
        else:
            scene = self._scene(gop.state, shape)
            out["PICT"] = kernel.pictures(ENCODE, frames, scene, tables.pictures, b"")
        return out

    def decode(self, streams: Mapping[str, bytes], shape: GopShape) -> Gop:
        """The group, without its palette. Raises CodecError: a stream is missing or makes no sense."""
        return self.decode_first(streams, shape, shape.frames)

    def decode_first(self, streams: Mapping[str, bytes], shape: GopShape, count: int) -> Gop:
        """The first `count` frames of the group `shape`, in their share of its time. Raises as `decode`."""
        wanted = {"PICT"} | ({"STAT"} if shape.state else set()) | ({"ACTN"} if shape.actions else set())
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
        if shape.channels == 3:
            frames = decode_true_colour(streams["PICT"], replace(shape, frames=count), mode == PART)
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

    @property
    def kernel(self) -> Backend:
        """What codes."""
        return self._kernel or backend()

    def models(self, state: np.ndarray, actions: np.ndarray) -> tuple[RowModel, RowModel, PictureModel]:
        """Of the buttons uint8 [T, A], the memory uint8 [T, S] and the pictures."""
        tables = self._tables
        return tables.action_model(actions), tables.state_model(state, actions), tables.pictures

    def live_scene(self, shape: GopShape) -> Scene:
        """Room for what is known of each frame, for `draw_live`; empty where that may follow from later memory."""
        game = self._game
        if shape.channels == 3 or not shape.state or game is None or not game.coding.looks_back:
            return Scene.nothing(shape.frames)
        one = self._scene(np.zeros((1, shape.state), np.uint8), replace(shape, frames=1))
        room: dict[str, Any] = {name: np.repeat(getattr(one, name), shape.frames, 0) for name in _PER_FRAME}
        return replace(one, **room)

    def draw_live(self, room: Scene, state: np.ndarray, shape: GopShape) -> None:
        """Fill in what memory uint8 [t + 1, S] says of picture t."""
        if not len(room.layout) and not room.sprites.shape[1]:
            return
        t = len(state) - 1
        found = self._scene(state, replace(shape, frames=t + 1))
        for name in _PER_FRAME:
            getattr(room, name)[t] = getattr(found, name)[t]

    def _scene(self, state: np.ndarray | None, shape: GopShape) -> Scene:
        game = self._game
        if game is None or state is None or shape.state != game.state_size:
            return Scene.nothing(shape.frames)
        cut_off = shape.corner != (0, 0) and shape.corner[0] + shape.height <= game.native_size[0]
        if (shape.height, shape.width) != game.native_size and not cut_off:
            return Scene.nothing(shape.frames)  # the memory speaks of other pixels
        return Scene.of(game, state).seen_from(shape.corner)


def _side(actions: np.ndarray | None, shape: GopShape) -> np.ndarray:
    """uint8 [T, A], A = 0 without actions."""
    if actions is None:
        return np.zeros((shape.frames, 0), np.uint8)
    return np.ascontiguousarray(actions.reshape(shape.frames, -1))


def encode_true_colour(frames: np.ndarray, step: Callable[[float], object] = lambda share: None) -> bytes:
    """uint8 [T, H, W, 3] -> one byte saying what each frame is the difference to, and LZMA of the differences.

    1: the previous frame; 0: the pixel on the left (within the first column, the one above).

    Args:
        step: called with the share of the work that was done since the last call.
    """
    best = b""
    for kind in (0, 1):
        d = frames.copy()
        if kind:
            d[1:] -= frames[:-1]
        spatial = d if not kind else d[:1]
        source = frames if not kind else frames[:1]
        spatial[:, :, 1:] = source[:, :, 1:] - source[:, :, :-1]
        spatial[:, 1:, 0] = source[:, 1:, 0] - source[:, :-1, 0]
        packer, pieces = lzma.LZMACompressor(lzma.FORMAT_RAW, filters=_FILTERS), []
        for frame in d:
            raw = frame.tobytes()
            for start in range(0, len(raw), _AT_ONCE):
                pieces.append(packer.compress(raw[start : start + _AT_ONCE]))
            step(0.5 / len(d))
        packed = b"".join([*pieces, packer.flush()])
        if not best or len(packed) + 1 < len(best):
            best = bytes([kind]) + packed
    return best


def decode_true_colour(data: bytes, shape: GopShape, part: bool = False) -> np.ndarray:
    """The inverse; `part`: the frames of `shape` are the first ones. Raises CodecError for data of another size or
    kind."""
    size = shape.frames * shape.height * shape.width * 3
    try:
        unpack = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_FILTERS)
        raw = unpack.decompress(data[1:], size if part else size + 1)
    except lzma.LZMAError as error:
        raise CodecError(f"damaged stream of pictures: {error}") from None
    if len(raw) != size or data[0] > 1 or (not part and (not unpack.eof or unpack.unused_data)):
        raise CodecError(f"damaged stream of pictures: {len(raw)} bytes instead of {size}, or more behind them")
    d = np.frombuffer(bytearray(raw), np.uint8).reshape(shape.frames, shape.height, shape.width, 3)
    spatial = d if data[0] == 0 else d[:1]
    spatial[:, :, 0] = np.cumsum(spatial[:, :, 0], 1, np.uint8)
    np.cumsum(spatial, 2, np.uint8, out=spatial)
    return d if data[0] == 0 else np.cumsum(d, 0, np.uint8)
