"""A small model of Super Mario Bros. none of whose weights is what it begins as."""

from __future__ import annotations

import torch
from torch import nn

from hstmae.config import ModelConfig
from hstmae.models import build_model

SMALL = ModelConfig(
    name="small", dims=(12, 24, 36, 48), depths=(1, 2, 1, 1), head_dim=12, decoder_dim=32, decoder_depth=2,
    decoder_head_dim=16, state_dim=32, texture_dim=4, pixel_dim=8,
)  # fmt: skip


def shaken(config: ModelConfig) -> nn.Module:
    """Weights of which none is 0 or 1, so that nothing is right by chance."""
    torch.manual_seed(0)
    model = build_model(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
        for name, table in model.named_parameters():
            if name.startswith("canvas.") and name.endswith("weight"):
                table[0] = 0
    return model
