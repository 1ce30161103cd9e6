"""A network that draws what no frame shows: missing pixels from those around them, in true colour.

A U-Net on pixels in squares of 2 x 2. It answers with what is to be added to a smooth drawing (as `motion.spatial` makes
it), so that it begins as good as that. Fitted by `scripts/train_completion.py` on footage of many games.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..atomic import write_bytes
from ..errors import CheckpointError

PLANES = 7  # smooth drawing, what is seen, whether it is
UNSHUFFLE = 2


@dataclass(frozen=True)
class CompletionConfig:
    """Channels of each level; every level has half the rows and columns of the one before, the first one half of the
    picture's."""

    widths: tuple[int, ...] = (32, 48, 96, 128, 128)


class _Block(nn.Module):
    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.one = nn.Conv2d(inner, outer, 3, padding=1)
        self.two = nn.Conv2d(outer, outer, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.silu(self.one(x))
        return x + F.silu(self.two(x))


class Completion(nn.Module):
    """See the module.

    Args:
        config: its sizes.
    """

    def __init__(self, config: CompletionConfig | None = None) -> None:
        super().__init__()
        self.config = config or CompletionConfig()
        widths = self.config.widths
        inner = PLANES * UNSHUFFLE**2
        self.down = nn.ModuleList(_Block(a, b) for a, b in zip((inner, *widths), widths, strict=False))
        self.up = nn.ModuleList(
            _Block(a + b, a) for a, b in zip(widths[-2::-1], widths[:0:-1], strict=True)
        )
        self.head = nn.Conv2d(widths[0], 3 * UNSHUFFLE**2, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, rgb: Tensor, mask: Tensor) -> Tensor:
        """float32 [N, 3, H, W] of `rgb` [N, 3, H, W] in 0 .. 1, of which pixels under `mask` bool [N, H, W] are not
        read; visible pixels come back as they are."""
        height, width = mask.shape[1:]
        step = UNSHUFFLE << (len(self.down) - 1)
        fill = (0, -width % step, 0, -height % step)
        hole = F.pad(mask[:, None].float(), fill, value=1.0)
        shown = F.pad(rgb, fill) * (1 - hole)
        base = smooth(shown, hole)
        x = F.pixel_unshuffle(torch.cat([base - 0.5, shown, hole], 1), UNSHUFFLE)
        x = x.contiguous(memory_format=torch.channels_last)
        kept = []
        for block in self.down:
            x = block(x if not kept else F.avg_pool2d(x, 2))
            kept.append(x)
        for block in self.up:
            kept.pop()
            x = block(torch.cat([F.interpolate(x, scale_factor=2, mode="nearest"), kept[-1]], 1))
        made = base + F.pixel_shuffle(self.head(x), UNSHUFFLE)
        made = torch.where(hole > 0, made, shown)
        return made[..., :height, :width]


def smooth(shown: Tensor, hole: Tensor) -> Tensor:
    """Missing pixels drawn smoothly from those around, coarse to fine; sides are multiples of a power of two.

    Args:
        shown: float32 [N, 3, H, W], 0 where `hole` float32 [N, 1, H, W] is 1.
    """
    levels = [(shown, 1 - hole)]
    while min(levels[-1][1].shape[-2:]) % 2 == 0:
        value, weight = (F.avg_pool2d(a, 2) * 4 for a in levels[-1])
        value = value / weight.clamp_min(1e-6) * weight.clamp_max(1)
        levels.append((value, weight.clamp_max(1)))
        if not levels[-1][1].lt(1).any() or max(levels[-1][1].shape[-2:]) == 1:
            break
    value, weight = levels.pop()
    total = weight.sum((2, 3), keepdim=True)
    mean = torch.where(total > 0, value.sum((2, 3), keepdim=True) / total.clamp_min(1e-6), 0.5)
    made = value + (1 - weight) * mean
    for value, weight in reversed(levels):
        large = F.interpolate(made, scale_factor=2, mode="bilinear", align_corners=False)
        made = value + (1 - weight) * large
    return made


def save_completion(model: Completion, path: Path) -> None:
    """One safetensors file, in half precision."""
    from safetensors.torch import save

    weights = {name: value.detach().half().contiguous() for name, value in model.state_dict().items()}
    write_bytes(path, save(weights, {"completion": json.dumps(asdict(model.config))}))


def load_completion(path: Path) -> Completion:
    """Raises CheckpointError where the file is damaged or of another version."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            sizes = json.loads((file.metadata() or {})["completion"])
            model = Completion(CompletionConfig(tuple(sizes["widths"])))
            model.load_state_dict({name: file.get_tensor(name).float() for name in file.keys()})  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, ValueError, RuntimeError, TypeError) as error:
        raise CheckpointError(f"{path}: cannot be read ({error}); install the package again") from error
    return model.eval()
