"""Live restoration: frames come one by one, restored ones leave a fixed number of frames later, in bounded memory."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from ...errors import ConfigError, DataError
from ...games import GameState
from ...models.fast.head import FastHead
from ...models.inputs import MaskedClips

if TYPE_CHECKING:
    from ...models.encoder import StageGeometry
    from ...models.mae import HSTMAE

_UNIT = 16


@dataclass
class Restored:
    """Consecutive frames, restored. Visible pixels are the input's own.

    Attributes:
        first: number of the first frame, counted from 0 at the first `push`.
        indices: uint8 [n, H, W], the most probable palette entry.
        rgb: uint8 [n, H, W, 3], the posterior mean colour of masked pixels; None unless asked for.
    """

    first: int
    indices: np.ndarray
    rgb: np.ndarray | None


class _Frame(NamedTuple):
    picture: np.ndarray  # uint8 [H, W], masked pixels cleared
    mask: np.ndarray
    state: np.ndarray | None
    context: np.ndarray | None


class RealtimeRestorer:
    """Restores a stream: every `hop` frames, the newest `hop` of the last `clip` frames are drawn.

    With the default of 4 frames every second one, a frame is restored when the next has come. A longer clip shows more
    of the scene but is restored whole, so a frame waits for up to `clip` others. Frames of the past inform the newest
    ones through what was visible in them; since the cubes that are drawn do not depend on each other, nothing has to be
    drawn twice.

    Holds a snapshot of the model's weights (see `FastHead`).
    """

    def __init__(
        self,
        model: HSTMAE,
        clip: int = 4,
        *,
        hop: int | None = None,
        level: str = "full",
        colours: bool = False,
        compile: bool = False,
        origin: tuple[int, int] = (0, 0),
    ) -> None:
        """Prepare for a stream.

        Args:
            model: a model with a palette head, on its device; put into eval mode.
            clip: frames that the model sees, even.
            hop: frames restored at a time, even and at most `clip`; None = 2 for clips of up to 4 frames, else `clip`.
            level: state level: "full", "compact" or "none".
            colours: work out posterior-mean colours beside the palette entries.
            compile: run encoder and decoder through torch.compile. The first frames then wait for the compiler, and so
                does each new number of visible units or drawn cubes.
            origin: y and x of the frames' corner in the game's native picture.
        Raises:
            ConfigError: sizes that do not fit, or a model without a palette head.
        """
        hop = hop or (2 if clip <= 4 else clip)
        if clip < 2 or clip % 2 or hop < 2 or hop % 2 or hop > clip:
            raise ConfigError(f"clip and hop must be even, 2 or more, and hop at most clip; got {clip} and {hop}")
        if level not in ("none", "compact", "full"):
            raise ConfigError(f"level must be none, compact or full, got '{level}'")
        head = FastHead.of(model)
        if head is None:
            raise ConfigError(f"live restoration needs a model with a palette head; {model.config.name} has none")
        self.model, self.head, self.game = model.eval(), head, model.game
        self.clip, self.hop, self.level = clip, hop, ("none", "compact", "full").index(level)
        device = next(model.parameters()).device
        self.origin = torch.tensor([origin], device=device)
        self._palette = torch.from_numpy(self.game.palette.copy()).to(device) if colours else None
        self._compiled = compile
        self._geometry: tuple[tuple[object, ...], torch.Tensor, list[StageGeometry]] | None = None
        self._decode = torch.compile(model.decode, dynamic=False) if compile else model.decode
        self._quiet = torch.no_grad if compile else torch.inference_mode  # the compiler knows no inference tensors
        self._frames: deque[_Frame] = deque(maxlen=clip)
        self._states: deque[GameState] = deque(maxlen=clip // 2)  # decoded, two frames each
        self._pushed = self._waiting = 0

    def push(
        self,
        frame: np.ndarray,
        mask: np.ndarray,
        state: np.ndarray | None = None,
        context: np.ndarray | None = None,
    ) -> Restored | None:
        """Take the next frame.

        Args:
            frame: uint8 [H, W] palette indices, of any size, the same for all frames.
            mask: bool [H, W], True where a pixel is missing.
            state: uint8 [S], the game's memory of this frame; for every frame of a stream or for none.
            context: uint8 [C], see GameSpec.context; None = carried forward from the frames pushed before.
        Returns:
            The newest `hop` frames, restored, once they are complete; else None.
        Raises:
            DataError: shapes or values that do not fit.
        """
        self._check(frame, mask, state)
        if state is not None and self.level:
            context = self._carry(state) if context is None else context
        else:
            state = context = None
        self._frames.append(_Frame(np.where(mask, np.uint8(0), frame), mask, state, context))
        self._pushed += 1
        self._waiting += 1
        if self._waiting % 2 == 0:
            self._decode_state()
        if self._waiting < self.hop:
            return None
        with self._quiet():
            return self._restore(self._waiting)

    def flush(self) -> Restored | None:
        """Restore the frames that still wait and start anew: the end of a recording, or a gap in it."""
        made, waiting = None, self._waiting
        if waiting:
            if waiting % 2:  # an odd one is shown twice
                self._frames.append(self._frames[-1])
                self._decode_state()
            with self._quiet():
                made = self._restore(waiting)
        self._frames.clear()
        self._states.clear()
        return made

    def _check(self, frame: np.ndarray, mask: np.ndarray, state: np.ndarray | None) -> None:
        if frame.dtype != np.uint8 or frame.ndim != 2 or frame.size == 0:
            raise DataError(f"a frame must be uint8 [H, W] palette indices, got {frame.dtype} {list(frame.shape)}")
        if mask.dtype != np.bool_ or mask.shape != frame.shape:
            raise DataError(f"mask must be bool {list(frame.shape)}, got {mask.dtype} {list(mask.shape)}")
        highest = int(np.where(mask, np.uint8(0), frame).max())
        if highest >= len(self.game.palette):
            raise DataError(f"a visible pixel has palette index {highest}; the palette has {len(self.game.palette)}")
        if self._frames:
            last = self._frames[-1]
            if last.picture.shape != frame.shape:
                raise DataError(
                    f"frames of one stream must have one size: {list(last.picture.shape)}, now {frame.shape}"
                )
            if self.level and (last.state is None) != (state is None):
                raise DataError("state must come with every frame of a stream or with none; flush() between them")
        if state is not None:
            self.game.check_state(state[None])

    def _carry(self, state: np.ndarray) -> np.ndarray | None:
        """Context of the next frame from that of the last."""
        if not self.game.context_size:
            return None
        last = self._frames[-1] if self._frames else None
        if last is None or last.state is None or last.context is None:
            return self.game.context(state[None], np.zeros(1, np.int64))[0]
        return self.game.carry(last.context, np.stack([last.state, state]))

    def _decode_state(self) -> None:
        """Decode the state of the two newest frames; what was decoded before is kept."""
        a, b = self._frames[-2], self._frames[-1]
        if a.state is not None and b.state is not None:
            context = None if a.context is None or b.context is None else np.stack([a.context, b.context])
            self._states.append(self.game.decode(np.stack([a.state, b.state]), context))

    def _restore(self, count: int) -> Restored:
        """Restore the newest `count` frames."""
        from ...models.masking import visible_from_pixels

        self._waiting = 0
        device = self.origin.device
        even = count + count % 2
        frames = list(self._frames)[-(len(self._frames) // 2 * 2) :]
        height, width = frames[0].picture.shape
        edges = ((0, 0), (0, -height % _UNIT), (0, -width % _UNIT))
        pictures = np.pad(np.stack([f.picture for f in frames]), edges, mode="edge")
        masks = np.pad(np.stack([f.mask for f in frames]), edges)
        size, slices = pictures.shape[1:], len(frames) // 2
        visible, queries = visible_from_pixels(torch.from_numpy(masks))
        queries = queries[queries % slices >= slices - even // 2]
        indices = np.stack([f.picture for f in frames[-even:]])
        rgb = self.game.palette.take(indices, axis=0) if self._palette is not None else None
        if len(queries):
            state = None
            if len(self._states) >= slices:
                parts = list(self._states)[-slices:]
                state = GameState.stack(parts, lambda a: torch.from_numpy(np.concatenate(a))[None].to(device))
            grid = (size[0] // _UNIT, size[1] // _UNIT)
            geometry = None if self._compiled else self._geometry_of(visible, grid, slices)
            given = MaskedClips(
                torch.from_numpy(pictures)[None].to(device),
                visible[None].to(device),
                state,
                torch.tensor([self.level], device=device),
                self.origin,
            )
            done = self._decode(given, queries[None].to(device), geometry)
            with torch.inference_mode():
                made = self.head.paint(done, self._palette)
            at = queries // slices, queries % slices - (slices - even // 2)
            masked = masks[-even:, :height, :width]
            np.copyto(indices, _place(made.entry[0].cpu(), at, even, size)[:, :height, :width], where=masked)
            if rgb is not None and made.colour is not None:
                drawn = _place(made.colour[0].cpu(), at, even, size)[:, :height, :width]
                np.copyto(rgb, drawn, where=np.repeat(masked[..., None], 3, -1))  # ten times faster than rgb[masked] =
        return Restored(self._pushed - count, indices[:count], None if rgb is None else rgb[:count])

    def _geometry_of(self, visible: torch.Tensor, grid: tuple[int, int], slices: int) -> list[StageGeometry]:
        """Of the visible units [U]; made anew when they are others than those of the last call."""
        key = (grid, slices)
        if self._geometry is None or self._geometry[0] != key or not torch.equal(self._geometry[1], visible):
            made = self.model.encoder.geometry(visible[None].to(self.origin.device), grid, slices)
            self._geometry = (key, visible, made)
        return self._geometry[2]


def _place(cubes: torch.Tensor, at: tuple[torch.Tensor, torch.Tensor], count: int, size: tuple[int, ...]) -> np.ndarray:
    """Cubes [Q, 2, 16, 16, ...] at (unit, slice) -> frames [count, H, W, ...]; zero elsewhere."""
    rows, columns = size[0] // _UNIT, size[1] // _UNIT
    rest = cubes.shape[4:]
    grid = torch.zeros(rows * columns, count // 2, *cubes.shape[1:], dtype=cubes.dtype)
    grid[at] = cubes
    shaped = grid.view(rows, columns, count // 2, 2, _UNIT, _UNIT, *rest)
    moved = shaped.permute(2, 3, 0, 4, 1, 5, *range(6, 6 + len(rest)))
    return np.asarray(moved.reshape(count, *size, *rest).numpy())
