"""The neural profile: pictures near enough, in very few bytes, drawn from the game's state and a few codes.

Streams of a group: "STAT" the memory that pictures depend on, exact; "PICT" which cells the state does not tell, and
their codes or pixels; "ACTN" the controller. Decoded codes are exact everywhere, for only integers touch the entropy
coder. The pixels are drawn by floating-point arithmetic outside of any prediction loop: on another machine a pixel on
the edge between two colours may come out as the other one, and nothing else follows from it. Cells that keep a group
from being as good as was asked for are the lossless coder's, or all of its pictures where that takes fewer bytes.
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
from .exact import ExactCoder
from .grid import CellGrid
from .model import CodecModel
from .painting import fast_head
from .pictures import HIGHEST, KINDS, PictureWriter, enlarged, read_cells, read_pictures, slope_of
from .prior import Code
from .statecoder import StateCoder
from .thinning import thin
from .weights import load_codec, rows_of

DEFAULT = "hst-codec-nano"
_LOWEST = 20.0  # quality by which bits are spent
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
        state: str = "thin", game: str | None = None, reach: bool = True, bound: str = "",
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
            bound: SHA-256 of the model and tables that a file was coded with, to decode what earlier tables made.
            reach: whether cells are coded exactly for the quality's sake; without it, it is what bits are spent by.
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
        self.model, self.tables_sha256, self._head, self._rows, self._exact = _loaded(str(checkpoint), bound)
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
        scale = enlarged(gop, self.game.native_size)
        decoded = self._decoded(state, len(gop.frames) + len(gop.frames) % 2)
        pictures = PictureWriter(self.model, self._head, self._exact, gop.frames, gop.corner, scale, state, decoded)
        if self.bitrate is None:
            spent = slope_of(min(self.quality, HIGHEST))
            streams["PICT"] = pictures.reached(self.quality) if self.reach else pictures.drawn(spent)
            return streams
        room = int(self.bitrate / 8 * len(gop.frames) / self.fps) - sum(map(len, streams.values()))
        low, high, best = _LOWEST, HIGHEST, pictures.drawn(None)  # the least there is
        if len(best) > room:
            self.beyond += 1
            taken = len(best) + sum(map(len, streams.values()))
            self.needed = max(self.needed, 8 * taken * self.fps / len(gop.frames))
            streams["PICT"] = best
            return streams
        while high - low > _BITS:
            middle = (low + high) / 2
            stream = pictures.drawn(slope_of(middle))
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
        state, actions, scale = self.read_beside(streams, shape)
        size = (shape.frames, shape.height // scale, shape.width // scale)
        decoded = self._decoded(state, shape.frames + shape.frames % 2)
        frames = read_pictures(self.model, self._head, self._exact, streams["PICT"], size, shape.corner, state, decoded)
        if scale > 1:
            frames = frames.repeat(scale, 1).repeat(scale, 2)
        if actions is not None and shape.actions == 1:
            actions = actions[:, 0]
        return Gop(np.ascontiguousarray(frames), None, state, actions, shape.corner)

    def read(
        self, streams: Mapping[str, bytes], shape: GopShape
    ) -> tuple[CellGrid, np.ndarray | None, np.ndarray | None, dict[int, Code], int]:
        """All that streams hold, without drawing: the grid, the memory, the actions [T, A], the codes by cell (EXACT
        where the pixels are; none where the pictures are exact as a whole), and how many times the pictures are
        enlarged. Integers only. Raises CodecError."""
        state, actions, scale = self.read_beside(streams, shape)
        size = (shape.frames, shape.height // scale, shape.width // scale)
        decoded = self._decoded(state, shape.frames + shape.frames % 2)
        grid, codes, _ = read_cells(self.model, streams["PICT"], size, shape.corner, decoded)
        return grid, state, actions, codes, scale

    def read_beside(
        self, streams: Mapping[str, bytes], shape: GopShape
    ) -> tuple[np.ndarray | None, np.ndarray | None, int]:
        """The memory, the actions [T, A], and how many times the pictures are enlarged. Raises CodecError."""
        data = streams.get("PICT", b"")
        if len(data) < 2 or data[0] not in KINDS:
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
        return state, actions, scale

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


@lru_cache(maxsize=2)
def _model(checkpoint: str) -> tuple[CodecModel, FastHead]:
    model = load_codec(checkpoint)
    return model, fast_head(model)


@lru_cache(maxsize=4)
def _loaded(checkpoint: str, bound: str) -> tuple[CodecModel, str, FastHead, StateCoder, ExactCoder]:
    model, head = _model(checkpoint)
    rows, digest = rows_of(find_model(checkpoint), bound)
    kept = model.kept.numpy().astype(bool)
    return model, digest, head, StateCoder.of(rows, kept), ExactCoder(model.game.name, rows)
