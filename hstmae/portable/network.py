"""A network up to its head in ONNX Runtime, and the head: from a masked clip to pictures."""

from __future__ import annotations

import io
from collections import OrderedDict
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from ..errors import ConfigError, DataError
from ..games import GameSpec, GameState
from .canvas import Canvas
from .cubes import CUBE, DEPTH, unit_plans
from .folder import BLIND, HEAD, Export
from .kernel import COLUMNS, Head

NONE, COMPACT, FULL = range(3)  # state levels: those of hstmae.models.state.tokens
_PHASES = 32  # drawing matrices kept, one for each offset between cells and cubes
_NEVER = -1e30  # logit of a column that only fills up


@dataclass(frozen=True)
class Drawn:
    """Pixels of the wanted cubes: entry uint8 [Q, 2, 16, 16], colour uint8 [..., 3] and confidence float32."""

    entry: np.ndarray
    colour: np.ndarray
    confidence: np.ndarray


class Network:
    """An exported model, ready to draw."""

    def __init__(
        self, export: Export, game: GameSpec, graph: str, threads: int | None = None, session: Any = None
    ) -> None:
        """graph: NETWORK or INT8; threads: of ONNX Runtime, None for one a core; session: the graph in another runtime,
        in place of ONNX Runtime's.

        Raises CheckpointError (see `Export.read`), ConfigError (no ONNX Runtime)."""
        self.export, self.game, self.graph = export, game, graph
        self.session = open_session(export.graph(graph), threads) if session is None else session
        self._blind: Any = None
        with np.load(io.BytesIO(export.read(HEAD))) as file:
            weights = {name: file[name].astype(np.float32) for name in file.files}
        hidden = weights["head.hidden"]
        self.cell, self.side = (int(n) for n in (export.manifest["cell"], export.manifest["side"]))
        self.code, self.channels = export.config.code_dim, export.config.texture_dim // 2
        self.drawn, self.bias = hidden[:, -self.channels :].T, weights["head.hidden.bias"]
        self.canvas = Canvas(game, weights, hidden) if game.tile_layers else None
        self.entries = np.array(game.shown_entries or range(len(weights["head.colours"])))
        self.spare = -len(self.entries) % COLUMNS
        out = np.pad(weights["head.colours"][self.entries], ((0, self.spare), (0, 0))).T
        out_bias = np.pad(weights["head.colours.bias"][self.entries], (0, self.spare), constant_values=_NEVER)
        self.head = Head(out, out_bias, self.entries)
        n, c, ch = self.code, self.cell, self.channels
        self.cell_basis = weights["head.cell_basis"].reshape(c, c, ch, n).transpose(3, 0, 1, 2)
        self.cube_basis = weights["head.cube_basis"].reshape(16, 16, ch, n).transpose(3, 0, 1, 2)
        self._drawing: OrderedDict[tuple[int, int], tuple[list[int], np.ndarray]] = OrderedDict()

    def draw(
        self, frames: np.ndarray, visible: np.ndarray, queries: np.ndarray, state: GameState | None, level: int,
        origin: tuple[int, int], palette: np.ndarray,
    ) -> Drawn:  # fmt: skip
        """Draw cubes of a clip.

        Args:
            frames: uint8 [T, H, W] palette indices, T and the size as exported; visible: integer [V] units; queries:
                integer [Q] flat cubes, at least one; state: numpy, leading axis T, None only with level NONE.
            palette: uint8 [K, 3].
        Raises:
            DataError: another size or length than was exported.
        """
        clip, size = self.export.clip, self.export.size
        if frames.shape != (clip, *size):
            raise DataError(
                f"{self.export.folder}: exported for {clip} frames of {size[1]}x{size[0]} pixels, got "
                f"{frames.shape[0]} of {frames.shape[2]}x{frames.shape[1]}; export the model with "
                f"--size {frames.shape[2]}x{frames.shape[1]}"
            )
        given = blank_state(self.game, clip) if state is None else state
        feed = feed_of(frames, visible, queries, given, level, origin)
        content, cube, film = run_session(self.session if len(visible) else self._without_units(), feed)
        shown = {"full": level == FULL and self.canvas is not None, "tiled": level >= COMPACT}
        out = Drawn(
            np.empty((len(queries), 2, 256), np.uint8), np.empty((len(queries), 2, 256, 3), np.uint8),
            np.empty((len(queries), 2, 256), np.float32),
        )  # fmt: skip
        colours = np.zeros((len(self.entries) + self.spare, 4), np.float32)
        colours[: len(self.entries)] = np.pad(
            palette[self.entries].astype(np.float32), ((0, 0), (0, 1)), constant_values=1
        )
        slices, columns = clip // DEPTH, size[1] // CUBE
        for frame in range(clip):
            places = np.flatnonzero(queries % slices == frame // DEPTH)
            if not len(places):
                continue
            units, f = queries[places] // slices, frame % DEPTH
            rows = None
            if shown["full"] and self.canvas is not None:
                whole = self.canvas.rows(given, frame, size, origin)
                cubes = whole.reshape(size[0] // CUBE, CUBE, columns, CUBE, -1).transpose(0, 2, 1, 3, 4)
                rows = cubes.reshape(-1, 256, whole.shape[-1])[units]
            phase = self._phase(given, frame, origin) if shown["tiled"] else (0, 0)
            pixels = self._draw(content[places, f], cube[places, f], phase)
            scale, shift = np.split(film[frame], 2)
            scale = 1 + scale
            table = None if rows is None or self.canvas is None else self.canvas.table
            made = self.head(table, rows, pixels, self.drawn * scale, scale, self.bias * scale + shift, colours)
            for whole_part, part in zip((out.entry, out.colour, out.confidence), made, strict=True):
                whole_part[places, f] = part
        return Drawn(*(a.reshape(len(queries), 2, 16, 16, *a.shape[3:]) for a in vars(out).values()))

    def _without_units(self) -> Any:
        if self._blind is None:
            self._blind = open_session(self.export.graph(BLIND))
        return self._blind

    def _phase(self, state: GameState, frame: int, origin: tuple[int, int]) -> tuple[int, int]:
        """How far (y, x) into a cell the cubes of a frame begin."""
        if not state.tile_xy:
            return 0, 0
        x, y = (int(n) for n in state.tile_xy[0][frame])
        return (origin[0] - y) % self.cell, (origin[1] - x) % self.cell

    def _draw(self, content: np.ndarray, cube: np.ndarray, phase: tuple[int, int]) -> np.ndarray:
        """content [n, cells, code], cube [n, code] -> drawn content [n, 256, channels]."""
        if phase not in self._drawing:
            self._drawing[phase] = self._drawing_matrix(phase)
            if len(self._drawing) > _PHASES:
                self._drawing.popitem(last=False)
        self._drawing.move_to_end(phase)
        cells, matrix = self._drawing[phase]
        codes = np.concatenate([content[:, cells].reshape(len(content), -1), cube], 1)
        return (codes @ matrix).reshape(len(codes), 256, -1)

    def _drawing_matrix(self, phase: tuple[int, int]) -> tuple[list[int], np.ndarray]:
        """As `models.fast.head.FastHead` makes it."""
        c, side = self.cell, self.side
        spans = [
            [(i, max(0, i * c - p), min(16, (i + 1) * c - p), max(0, p - i * c)) for i in range(side)] for p in phase
        ]
        cells, blocks = [], []
        for (i, top, bottom, dy), (j, left, right, dx) in product(*spans):
            if bottom > top and right > left:
                block = np.zeros_like(self.cube_basis)
                block[:, top:bottom, left:right] = self.cell_basis[:, dy : dy + bottom - top, dx : dx + right - left]
                cells.append(i * side + j)
                blocks.append(block)
        return cells, np.concatenate([*blocks, self.cube_basis]).reshape(-1, 256 * self.channels)


def blank_state(game: GameSpec, frames: int) -> GameState:
    """A state of the right shapes that says nothing: what a graph is given at level NONE. numpy, leading axis T."""
    memory = np.zeros((frames, game.state_size), np.uint8)
    return game.decode(memory, game.context(memory, np.arange(frames)) if game.context_size else None)


def feed_of(
    frames: np.ndarray, visible: np.ndarray, queries: np.ndarray, state: GameState, level: int, origin: tuple[int, int]
) -> dict[str, np.ndarray]:
    """Every input that a graph may have, by name; whole numbers as int32."""
    size = frames.shape[1] // CUBE, frames.shape[2] // CUBE
    found: dict[str, Any] = {
        "frames": frames,
        "visible": visible,
        "queries": queries,
        "level": [level],
        "origin": origin,
    }
    found |= {f"{name}{i}": layer for name in ("tiles", "tile_xy") for i, layer in enumerate(getattr(state, name))}
    found |= {name: array for name, array in vars(state).items() if not isinstance(array, tuple)}
    if len(visible):
        plans = unit_plans(np.asarray(visible), size)
        found |= {f"{('slots', 'places')[i % 2]}{i // 2}": plan for i, plan in enumerate(plans)}
    arrays = {name: np.asarray(array) for name, array in found.items()}
    return {k: np.ascontiguousarray(a, np.float32 if a.dtype.kind == "f" else np.int32) for k, a in arrays.items()}


def open_session(graph: bytes, threads: int | None = None) -> Any:
    """Raises ConfigError where ONNX Runtime is not installed."""
    try:
        import onnxruntime
    except ImportError:
        raise ConfigError("exported models run in ONNX Runtime: pip install 'hstmae[runtime]'") from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if threads:
        options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def run_session(session: Any, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Run a graph on those of the arrays that it takes."""
    return list(session.run(None, {one.name: feed[one.name] for one in session.get_inputs()}))
