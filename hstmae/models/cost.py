"""Parameters and multiply-accumulates of the variants, counted without computing anything (meta tensors)."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from ..config import ModelConfig
from ..games import GameState, get_game
from .cubes import grid_size
from .mae import HSTMAE
from .masking import visible_count
from .zoo import VARIANTS


def variant_costs(size: tuple[int, int], clip: int) -> dict[str, dict[str, Any]]:
    """Per variant: `params` (total, encoder, decoder with its palette head) and `gmac_per_frame` in three modes.

    Modes: `train` (90 % masked, half of the hidden cubes decoded), `restore_90` (all hidden cubes decoded), `dense`
    (nothing hidden, everything encoded and decoded). State level full.
    """
    return {name: model_cost(config, size, clip) for name, config in VARIANTS.items()}


def model_cost(config: ModelConfig, size: tuple[int, int], clip: int) -> dict[str, Any]:
    with torch.device("meta"):
        model = HSTMAE(config)
    units, slices = grid_size(*size)[0] * grid_size(*size)[1], clip // 2
    few = visible_count(units, 0.9)
    hidden = (units - few) * slices
    modes = {"train": (few, hidden // 2), "restore_90": (few, hidden), "dense": (units, units * slices)}
    gmac = {name: _macs(model, size, clip, u, q) / clip / 1e9 for name, (u, q) in modes.items()}

    def count(*modules: torch.nn.Module) -> int:
        return sum(p.numel() for m in modules for p in m.parameters())

    params = {"total": count(model), "encoder": count(model.encoder), "decoder": count(model.decoder, model.head)}
    return {"params": params, "gmac_per_frame": gmac}


def _macs(model: HSTMAE, size: tuple[int, int], clip: int, visible: int, queries: int) -> float:
    frames = torch.empty(1, clip, *size, dtype=torch.uint8, device="meta")
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        model(
            frames,
            torch.empty(1, visible, dtype=torch.long, device="meta"),
            torch.empty(1, queries, dtype=torch.long, device="meta"),
            state=_state(model, clip),
        )
    return counter.get_total_flops() / 2


def _state(model: HSTMAE, clip: int) -> GameState | None:
    """A state of the right shapes on the meta device."""
    import numpy as np

    game = get_game(model.config.game)
    if not game.tile_layers:
        return None
    blank = np.zeros((clip, game.state_size), np.uint8)
    decoded = game.decode(blank, game.context(blank, np.arange(clip)))
    return decoded.map(lambda a: torch.from_numpy(a)[None].to("meta"))
