"""The neural profile: pictures near enough, in very few bytes, drawn from the game's state and a few codes.

Streams of a group: "STAT" the memory that pictures depend on, exact; "PICT" which cells the state does not tell, and
their codes; "ACTN" the controller. Decoded codes are exact everywhere, for only integers touch the entropy coder. The
pixels are drawn by floating-point arithmetic outside of any prediction loop: on another machine a pixel on the edge
between two colours may come out as the other one, and nothing else follows from it. Groups whose pictures are not as
good as was asked for are those of the lossless coder.
"""

import math
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from ...errors import CodecError, ConfigError
from ...games import GameState
from ...model_folders import find_model
from ...models.fast.head import FastHead
from ..container.gop import Gop, GopShape
from .allocation import Allocator
from .bitcoder import BitCoder
from .exact import decode_exact, encode_exact
from .grid import CELL, CellGrid
from .model import CodecModel
from .painting import Painter, fast_head
from .prior import CellWalk, Code, cell_hints
from .statecoder import StateCoder
from .thinning import thin
from .weights import load_codec

DEFAULT = "hst-codec-nano"
_DRAWN, _EXACT = 1, 2  # first byte of "PICT": by the network, or by the lossless coder
_MORE = 6.0  # dB by which more is spent on a group that misses its quality
_LOWEST, _HIGHEST = 20.0, 60.0  # quality by which bits are spent
_BITS = 0.5  # precision, in decibels of `quality`, of the search for a bitrate


class NeuralProfile:
    """Codes groups of pictures of one game; see `hstmae.codec.container.gop.Profile`.

    Attributes:
        quality: PSNR in dB (RGB, all frames of a group) that every group has; infinite = every pixel is right.
        bitrate: bits per second to stay below instead, all streams together, or None.
        beyond: groups so far that take more than `bitrate` although nothing is spent on their pictures; `needed`: bits
            per second of the one that takes most.
    """

    name = "neural"

    def __init__(
        self, checkpoint: str | Path = DEFAULT, quality: float = 38.5, bitrate: float | None = None, fps: float = 15.0,
        state: str = "thin", game: str | None = None, reach: bool = True,
    ) -> None:  # fmt: skip
        """
        Args:
            checkpoint: a codec model: a folder or a bundled name.
            quality: 20 .. 60, or infinite.
            bitrate: bits per second, above 0; the quality of each group is then found by trying. Where the memory alone
                needs more, nothing is spent on pictures.
            fps: frames of a group per second of play, for `bitrate`.
            state: "thin" keeps what the pictures depend on, "full" all of the memory, "none" nothing.
            game: name of the game that is to be coded; None = the model's.
            reach: whether groups that miss the quality are coded exactly; without it, it is what bits are spent by.
        Raises:
            CheckpointError: no such model.
            ConfigError: values out of range, or a model of another game.
        """
        if not (20 <= quality <= 60 or quality == math.inf) or (bitrate is not None and bitrate <= 0) or fps <= 0:
            raise ConfigError("quality must be 20 .. 60 or infinite, bitrate and fps above 0")
        if state not in ("thin", "full", "none"):
            raise ConfigError(f"state must be thin, full or none, got '{state}'")
        self.quality, self.bitrate, self.fps, self.keeps, self.reach = quality, bitrate, fps, state, reach
        self.beyond, self.needed = 0, 0.0
        self.model, self.tables_sha256, self._head, self._rows = _loaded(str(checkpoint))
        self.tables_id = self.model.config.name
        self.game = self.model.game
        if game is not None and game != self.game.name:
            raise ConfigError(f"model {self.tables_id} codes the game '{self.game.name}', not '{game}'")

    @property
    def remark(self) -> str:
        """What to tell of the groups so far, "" = nothing."""
        if not self.beyond or self.bitrate is None:
            return ""
        return (
            f"{self.beyond} groups take more than {self.bitrate / 1000:g} kbit/s, up to {self.needed / 1000:.1f}: "
            "memory and buttons alone need that, and nothing was spent on their pictures. Use a higher --bitrate, a "
            "larger --stride or --gop, or --no-state"
        )

    @torch.inference_mode()
    def encode(self, gop: Gop) -> dict[str, bytes]:
        """Streams by name.

        Raises:
            CodecError: true-colour frames, colours or memory that are not those of the model's game.
        """
        self._check(gop)
        streams: dict[str, bytes] = {}
        actions = np.zeros((len(gop.frames), 0), np.uint8)
        if gop.actions is not None:
            actions = np.ascontiguousarray(gop.actions.reshape(len(gop.frames), -1))
        state = None
        if gop.state is not None and self.keeps != "none":
            state = gop.state
            if self.keeps == "thin":
                state = thin(self.game, state, self.model.kept.numpy().astype(bool))
            streams["STAT"] = self._rows.encode(state, actions, self.keeps == "full")
        if gop.actions is not None:
            streams["ACTN"] = self._rows.encode_actions(actions)
        scale = _enlarged(gop.frames, self.game.native_size)
        frames = _whole(gop.frames[:, ::scale, ::scale], gop.corner)
        decoded = self._decoded(state, len(frames))
        grid = CellGrid.of(self.game, decoded, *frames.shape)
        hints = cell_hints(self.game, decoded, grid)
        painter = Painter(self.model, self._head, decoded, grid)
        drawn = painter.from_state()
        allocator = Allocator(self.model, painter, grid, frames, drawn, hints)

        def picture(codes: Mapping[int, Code]) -> bytes:
            return bytes([_DRAWN, scale]) + write_codes(self.model, grid, hints, codes)

        def psnr(codes: dict[int, Code]) -> float:
            made = drawn.copy()
            painter.correct(made, codes)
            (y, x), (t, h, w) = gop.corner, gop.frames.shape
            colours = self.game.palette.astype(np.int32)
            true, made = (colours[a[:t, y : y + h // scale, x : x + w // scale]] for a in (frames, made))
            error = float(((true - made) ** 2).mean())
            return 10 * math.log10(65025 / error) if error else math.inf

        if self.bitrate is None:
            quality, tried = min(self.quality, _HIGHEST), list[bytes]()
            for spent in dict.fromkeys((quality, min(quality + _MORE, _HIGHEST))):
                codes = allocator.choose(slope_of(spent))
                if not self.reach or psnr(codes) >= self.quality:
                    tried.append(picture(codes))
                    break
            if not tried or spent > quality:  # more was spent, or in vain
                small = gop.frames[:, ::scale, ::scale]
                tried.append(bytes([_EXACT, scale]) + encode_exact(self.game.name, small, state, gop.corner))
            streams["PICT"] = min(tried, key=len)
            return streams
        room = int(self.bitrate / 8 * len(gop.frames) / self.fps) - sum(map(len, streams.values()))
        low, high, best = _LOWEST, _HIGHEST, picture({})  # the least there is
        if len(best) > room:
            self.beyond += 1
            taken = len(best) + sum(map(len, streams.values()))
            self.needed = max(self.needed, 8 * taken * self.fps / len(gop.frames))
            streams["PICT"] = best
            return streams
        while high - low > _BITS:
            middle = (low + high) / 2
            stream = picture(allocator.choose(slope_of(middle)))
            if len(stream) <= room:
                low, best = middle, stream
            else:
                high = middle
        streams["PICT"] = best
        return streams

    @torch.inference_mode()
    def decode(self, streams: Mapping[str, bytes], shape: GopShape) -> Gop:
        """The group again, its memory thinned as it was when it was encoded; frames are palette indices.

        Raises:
            CodecError: streams that make no sense, or that do not fit the shape.
        """
        if shape.channels != 1:
            raise CodecError("neural profile: pictures are palette indices, the header says true colour")
        grid, state, actions, codes, scale = self.read(streams, shape)
        small = (shape.height // scale, shape.width // scale)
        if streams["PICT"][0] == _EXACT:
            data = streams["PICT"][2:]
            frames = decode_exact(self.game.name, data, state, (shape.frames, *small), shape.corner)
        else:
            painter = Painter(self.model, self._head, self._decoded(state, grid.slices * 2), grid)
            frames = painter.from_state()
            painter.correct(frames, codes)
            (y, x) = shape.corner
            frames = frames[: shape.frames, y : y + small[0], x : x + small[1]]
        if scale > 1:
            frames = frames.repeat(scale, 1).repeat(scale, 2)
        if actions is not None and shape.actions == 1:
            actions = actions[:, 0]
        return Gop(np.ascontiguousarray(frames), None, state, actions, shape.corner)

    def read(
        self, streams: Mapping[str, bytes], shape: GopShape
    ) -> tuple[CellGrid, np.ndarray | None, np.ndarray | None, dict[int, Code], int]:
        """All that streams hold, without drawing: the grid, the memory, the actions [T, A], the codes by cell (none
        where the pictures are exact), and how many times the pictures are enlarged. Integers only. Raises
        CodecError."""
        data = streams.get("PICT", b"")
        if len(data) < 2 or data[0] not in (_DRAWN, _EXACT):
            raise CodecError("neural profile: no picture stream of this version")
        scale = data[1]
        if not scale or shape.height % scale or shape.width % scale:
            raise CodecError(f"neural profile: {shape.height} x {shape.width} is no picture enlarged {scale} times")
        actions = self._rows.decode_actions(streams["ACTN"], shape) if "ACTN" in streams else None
        if ("ACTN" in streams) != bool(shape.actions):
            raise CodecError("neural profile: the stream of actions is not what the header says")
        state = None
        if "STAT" in streams:
            side = np.zeros((shape.frames, 0), np.uint8) if actions is None else actions
            state = self._rows.decode(streams["STAT"], side, shape)
        count = shape.frames + shape.frames % 2
        sides = zip((shape.height, shape.width), shape.corner, strict=True)
        height, width = (-(-(n // scale + at) // CELL) * CELL for n, at in sides)
        decoded = self._decoded(state, count)
        grid = CellGrid.of(self.game, decoded, count, height, width)
        exact = data[0] == _EXACT
        codes = {} if exact else read_codes(self.model, grid, cell_hints(self.game, decoded, grid), data[2:])
        return grid, state, actions, codes, scale

    def _decoded(self, state: np.ndarray | None, frames: int) -> GameState | None:
        """The decoded state of an even number of frames; the history of columns is that of the group alone."""
        if state is None:
            return None
        if len(state) < frames:
            state = np.concatenate([state, state[-1:]])
        context = self.game.context(state, np.arange(frames)) if self.game.context_size else None
        return self.game.decode_for_coding(state, context)

    def _check(self, gop: Gop) -> None:
        if gop.frames.ndim != 3:
            raise CodecError("neural profile: codes palette footage; use the lossless profile for true colour")
        if int(gop.frames.max()) >= len(self.game.palette):
            index, colours = int(gop.frames.max()), len(self.game.palette)
            raise CodecError(f"neural profile: palette index {index}, but {self.game.name} has {colours} colours")
        if gop.state is not None and gop.state.shape[1] != self.game.state_size:
            raise CodecError(f"neural profile: {self.game.name} has {self.game.state_size} bytes of memory")


def slope_of(quality: float) -> float:
    """Squared error (of 255 steps, over all channels) that one bit must save at a quality in dB."""
    return float(3 * 65025 * 10 ** (-quality / 10) * _PIXELS_PER_BIT)


_PIXELS_PER_BIT = 24.0  # sets the scale of `quality`: where codes are needed, about the PSNR that they are worth it for


def write_codes(model: CodecModel, grid: CellGrid, hints: np.ndarray, codes: Mapping[int, Code]) -> bytes:
    """Codes by cell number, as `CellWalk` tells them."""
    writer = BitCoder(model.prior.tolist())
    CellWalk(model.layout, grid, hints, writer.bit).run(codes)
    return writer.finish()


def read_codes(model: CodecModel, grid: CellGrid, hints: np.ndarray, data: bytes) -> dict[int, Code]:
    """The inverse of `write_codes`. Raises CodecError."""
    reader = BitCoder(model.prior.tolist(), data)
    codes = CellWalk(model.layout, grid, hints, reader.bit).run(None)
    reader.finish()
    return codes


@lru_cache(maxsize=2)
def _loaded(checkpoint: str) -> tuple[CodecModel, str, FastHead, StateCoder]:
    model, digest = load_codec(checkpoint)
    rows = StateCoder.of(find_model(checkpoint), model.kept.numpy().astype(bool))
    return model, digest, fast_head(model), rows


def _whole(frames: np.ndarray, corner: tuple[int, int]) -> np.ndarray:
    """Frames padded at the end to an even number, above and on the left to the native picture's corner, and below and
    to the right to multiples of 16."""
    (t, h, w), (y, x) = frames.shape, corner
    return np.pad(frames, ((0, t % 2), (y, -(h + y) % CELL), (x, -(w + x) % CELL)), mode="edge")


def _enlarged(frames: np.ndarray, native: tuple[int, int]) -> int:
    """How many times pictures are the game's own, with every pixel repeated; 1 where they are not."""
    times, rest = divmod(frames.shape[1], native[0])
    if rest or not 1 < times < 256 or frames.shape[2] != times * native[1]:
        return 1
    small = frames[:, ::times, ::times]
    return times if np.array_equal(small.repeat(times, 1).repeat(times, 2), frames) else 1
