"""What the variants weigh and cost, counted without computing anything: on the meta device, shapes without contents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..config import ModelConfig
from ..games import GameSpec, GameState
from . import place_memory as memory
from .canvas import Places
from .codec_decoder import CodecDecoder
from .counting import count
from .cubes import grid_size
from .heads import PaletteHead
from .mae import HSTMAE
from .masking import visible_count
from .regions import cube_regions
from .rgb_head import RgbHead

MODES = ("pretrain", "restore_90", "restore_95", "dense", "codec")


def model_cost(config: ModelConfig, size: tuple[int, int], clip: int, modes: Sequence[str] = MODES) -> dict[str, Any]:
    """Parameters, multiply-accumulates per frame and activation memory of one model at one size.

    Modes: `pretrain` (90 % of the units masked, half of the hidden cubes decoded, as running-cell masking does),
    `restore_90` and `restore_95` (all hidden cubes decoded), `dense` (every cube encoded and decoded), `codec` (every
    cube encoded, and decoded from its latent by the light decoder). State level full. Counted are matrix products,
    convolutions and attention; norms, sums and look-ups in tables are not.

    Args:
        size: height and width, multiples of 16; clip: frames, even; modes: what to count, of those above.
    Returns:
        params: total; encoder; decoder with its head; state: the encoder of state tokens and the head that predicts
        them; tables: state canvas, cell codes and memories of the game's maps; codec_decoder with a head of its own,
        not in the total.
        gmac_per_frame: by mode.
        gmac_per_frame_linear: the same without the two products inside of attention.
        activation_mb: by mode, what the forward pass of one clip keeps for the backward pass under bf16 autocast,
        parameters not counted (1 MB = 1e6 bytes).
    """
    with torch.device("meta"):
        model = HSTMAE(config).eval()
        codec = _Codec(model)
        counts = {mode: count(_run(mode, model, codec, size, clip)) for mode in modes}
    tables = [m for m in (model.canvas, model.cells) if m is not None] + _memories(model)
    return {
        "params": {
            "total": _weights(model),
            "encoder": _weights(model.encoder),
            "decoder": _weights(model.decoder, model.head) - _weights(*_memories(model)),
            "state": _weights(*[m for m in (model.state, model.alignment) if m is not None]),
            "tables": _weights(*tables),
            "codec_decoder": _weights(codec) - _weights(*_memories(codec)),
        },
        "gmac_per_frame": {mode: c.macs / clip / 1e9 for mode, c in counts.items()},
        "gmac_per_frame_linear": {mode: (c.macs - c.attention) / clip / 1e9 for mode, c in counts.items()},
        "activation_mb": {mode: c.kept / 1e6 for mode, c in counts.items()},
    }


def _weights(*modules: nn.Module) -> int:
    return sum(p.numel() for m in modules for p in m.parameters())


def _memories(model: nn.Module) -> list[nn.Module]:
    """The memories of the game's maps: look-up tables, whatever their number and kind."""
    return [m for m in model.modules() if type(m).__module__ == memory.__name__]


def _run(mode: str, model: HSTMAE, codec: _Codec, size: tuple[int, int], clip: int) -> Callable[[], Tensor]:
    """One forward pass of a mode on one clip."""
    grid, slices = grid_size(*size), clip // 2
    units = grid[0] * grid[1]
    frames = torch.empty(1, clip, *size, *(() if len(model.palette) else (3,)), dtype=torch.uint8)
    state = _state(model.game, clip)
    if mode == "codec":
        return lambda: codec(model, frames, state)
    visible = visible_count(units, {"restore_95": 0.95, "dense": 0.0}.get(mode, 0.9))
    hidden = (units - visible) * slices
    wanted = {"dense": units * slices, "pretrain": hidden // 2}.get(mode, hidden)
    seen, queries = (torch.empty(1, n, dtype=torch.long) for n in (visible, wanted))
    return lambda: model(frames, seen, queries, state=state)


class _Codec(nn.Module):
    """The light decoder with a head of its own, behind a model's encoder."""

    def __init__(self, model: HSTMAE):
        super().__init__()
        config, game = model.config, model.game
        self.decoder = CodecDecoder(config, len(game.regions), bool(game.token_names))
        wide = replace(config, decoder_dim=config.codec_dim)
        palette = config.head == "palette"
        self.head = PaletteHead(wide, game, len(model.palette)) if palette else RgbHead(wide, game)

    def forward(self, model: HSTMAE, frames: Tensor, state: GameState | None) -> Tensor:
        (height, width), slices = frames.shape[2:4], frames.shape[1] // 2
        grid, game = grid_size(height, width), model.game
        units = grid[0] * grid[1]
        level, origin = torch.full((1,), 2), torch.zeros(1, 2, dtype=torch.long)
        native = torch.full((1, 2), 256)
        regions = cube_regions(game, state, level, origin, grid, slices)
        tokens = model.state(state, level)
        fine, _ = model.encoder(frames, torch.arange(units)[None], origin, native, regions, tokens)
        features = self.decoder(fine, grid, origin, native, regions, tokens)
        at = Places.of(torch.arange(units * slices)[None], slices, grid[1], origin)
        canvas = None
        if model.canvas is not None and state is not None:
            canvas = model.canvas.features(state, level == 2, at, (height, width), origin)
        return self.head(features, canvas, state, level, at)


def _state(game: GameSpec, clip: int) -> GameState | None:
    """A state of the right shapes on the meta device, or None for a game that has none."""
    if not game.state_size:
        return None
    blank = np.zeros((clip, game.state_size), np.uint8)
    decoded = game.decode(blank, game.context(blank, np.arange(clip)))
    return decoded.map(lambda a: torch.from_numpy(a)[None].to("meta"))
