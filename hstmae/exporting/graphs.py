"""What is exported of a model: modules of plain tensors, without a batch, whole numbers as int32.

The state is taken apart once, at the border: `inputs_of` names its arrays, and `GameState` is put together inside.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from ..games import GameState
from ..models.attention import WindowPlan
from ..models.cubes import CUBE, DEPTH
from ..models.heads import PaletteHead
from ..models.inputs import Decoded, MaskedClips
from ..models.mae import HSTMAE

LAYERS = ("tiles", "tile_xy")  # of these up to the head only the first layer is read


class Graph(nn.Module):
    """A model from its inputs up to the head (`ToHead`) or to its logits (`Whole`).

    Inputs, in this order: frames int32 [T, H, W], visible int32 [V], queries int32 [Q], level int32 [1], origin
    int32 [2], the arrays of `state`, and with `planned` for each of `unit_windows` slots int32 [W, S] (unit in each
    place, counted from 1; 0: none) and places int32 [V].
    """

    def __init__(self, model: HSTMAE, state: GameState, planned: bool) -> None:
        """state: one of the right shapes, numpy or torch, leading axis T; its values do not matter."""
        super().__init__()
        self.model, self.planned = model, planned
        self.layers = len(state.tiles) if self.all_layers else 1
        self.names = state_names(self.layers)

    all_layers = False

    def decoded(
        self, frames: Tensor, visible: Tensor, queries: Tensor, level: Tensor, origin: Tensor, *rest: Tensor
    ) -> Decoded:
        state = self._state(rest[: len(self.names)])
        grid = (frames.shape[1] // CUBE, frames.shape[2] // CUBE)
        seen = visible.long()[None]
        geometry = None
        if self.planned:
            plans = rest[len(self.names) :]
            pairs = zip(plans[::2], plans[1::2], strict=True)
            made = [
                WindowPlan(None, (s.long() - 1).clamp(min=0)[None], (s > 0)[None], p.long()[None]) for s, p in pairs
            ]
            geometry = self.model.encoder.geometry(seen, grid, frames.shape[0] // DEPTH, made)
        clips = MaskedClips(frames[None], seen, state, level.long(), origin.long()[None])
        return self.model.decode(clips, queries.long()[None], geometry)

    def _state(self, arrays: Sequence[Tensor]) -> GameState:
        given = dict(zip(self.names, (a[None] for a in arrays), strict=True))
        tiles = tuple(given.pop(f"tiles{i}") for i in range(self.layers))
        corners = tuple(given.pop(f"tile_xy{i}") for i in range(self.layers))
        given["token_valid"] = given["token_valid"] > 0
        return GameState(tiles=tiles, tile_xy=corners, **given)


class ToHead(Graph):
    """Up to the head, which `_head.c` does sooner.

    Outputs: codes of the cells float32 [Q, 2, cells, code], codes of the cubes [Q, 2, code], and what global state does
    to the hidden channels of each frame [T, 2 * pixel_dim].
    """

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        done, head = self.decoded(*inputs), self.model.head
        assert isinstance(head, PaletteHead)
        content, cube = head.codes_of(done)
        return content[0], cube[0], head.film(head.frame_globals(done.state, done.level))[0]


class Whole(Graph):
    """With its head: logits float32 [Q, 2, 16, 16, K]."""

    all_layers = True

    def forward(self, *inputs: Tensor) -> Tensor:
        done = self.decoded(*inputs)
        logits: Tensor = self.model.head(done, None if self.model.canvas is None else self.model.canvas(done))
        return logits[0]


def state_names(layers: int) -> list[str]:
    """The arrays of a state that a network reads, as inputs of a graph."""
    own = ["sprites", "globals", "camera", "area", "tokens", "token_xy", "token_valid", "boxes", "scene"]
    return [f"{name}{i}" for i in range(layers) for name in LAYERS] + own


def input_names(module: Graph) -> list[str]:
    """The inputs of a graph, in the order of its arguments."""
    plans = [f"{name}{i}" for i in range(6) for name in ("slots", "places")] if module.planned else []
    return ["frames", "visible", "queries", "level", "origin", *module.names, *plans]
