"""A palette of a clip's own: the colours that its visible pixels show, and a head that chooses among them.

Games draw with few colours, and a clip of one shows nearly all of them somewhere. A posterior over these has sharp
edges and exact colours where a network that answers with red, green and blue blurs; its mean still has the least
squared error. Soft footage has more colours than fit: then they are spread over those that occur, and the mean lies
between them.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..config import ModelConfig
from ..games.palette import pack_rgb, unpack_rgb
from .cubes import take_units, to_cubes
from .inputs import Decoded

CANDIDATES = 2048  # most frequent colours that are looked at
NEVER = -1e4  # logit of an entry that stands for nothing


class ClipPalette(NamedTuple):
    """colours uint8 [B, K, 3]; share float32 [B, K] of the visible pixels, 0 for entries that stand for nothing."""

    colours: Tensor
    share: Tensor


def clip_palette(frames: Tensor, visible: Tensor, size: int) -> ClipPalette:
    """The colours of RGB clips uint8 [B, T, H, W, 3], of which only the units `visible` int64 [B, U] are looked at.

    All colours where there are at most `size`; else a spread of them: one after the other the colour whose pixels are
    many and far from those chosen before. Sorted by how often they occur. A clip with nothing visible has black only.
    """
    shown = take_units(to_cubes(frames), visible).flatten(1, -2).cpu().numpy()
    found = [_spread(torch.from_numpy(pack_rgb(pixels)), size) for pixels in shown]
    colours, share = (torch.stack(parts).to(frames.device) for parts in zip(*found, strict=True))
    return ClipPalette(colours, share)


def palette_of(pixels: Tensor, size: int) -> ClipPalette:
    """As `clip_palette`, of the pixels uint8 [N, 3] of one clip that may be seen."""
    colours, share = _spread(torch.from_numpy(pack_rgb(pixels.cpu().numpy())), size)
    return ClipPalette(colours[None].to(pixels.device), share[None].to(pixels.device))


def _spread(packed: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Of packed colours int32 [N]: colours uint8 [K, 3] and their shares float32 [K]."""
    colours, share = torch.zeros(size, 3, dtype=torch.uint8), torch.zeros(size)
    if not len(packed):
        share[0] = 1
        return colours, share
    values, counts = packed.unique(return_counts=True)
    order = counts.argsort(descending=True, stable=True)[:CANDIDATES]
    values, counts = values[order], counts[order].double()
    rgb = torch.from_numpy(unpack_rgb(values.numpy()).copy())
    if len(values) > size:
        place, weight = rgb.double(), counts.sqrt()
        chosen = [0]
        nearest = (place - place[0]).square().sum(1)
        for _ in range(size - 1):
            chosen.append(int((nearest * weight).argmax()))
            nearest = torch.minimum(nearest, (place - place[chosen[-1]]).square().sum(1))
        keep = torch.tensor(sorted(chosen))
        owner = torch.cdist(place, place[keep]).argmin(1)
        counts = torch.zeros(len(keep), dtype=torch.double).scatter_add_(0, owner, counts)
        rgb = rgb[keep]
    colours[: len(rgb)], share[: len(rgb)] = rgb, (counts / counts.sum()).float()
    return colours, share


def nearest_entries(palette: ClipPalette, truth: Tensor) -> Tensor:
    """Entry of each clip's palette that is nearest to RGB uint8 [B, ..., 3]: int64 [B, ...]."""
    own, pixels = palette.colours.float(), truth.flatten(1, -2).float()
    apart = own.square().sum(-1)[:, None] - 2 * pixels @ own.transpose(1, 2)  # plus the pixel's square
    return apart.masked_fill(palette.share[:, None] == 0, torch.inf).argmin(-1).view(truth.shape[:-1])


def mean_colours(logits: Tensor, palette: ClipPalette) -> Tensor:
    """Posterior-mean colours, float32 [B, Q, ..., 3] in 0 .. 1, of logits [B, Q, ..., K]."""
    mean = torch.bmm(logits.float().softmax(-1).flatten(1, -2), palette.colours.float() / 255)
    return mean.view(*logits.shape[:-1], 3)


class AdaptiveHead(nn.Module):
    """Each pixel of a decoded cube asks for a colour, each colour of the clip answers: logits are their products."""

    memory = None  # of places: a game that nobody described has none

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.channels, width, code = config.texture_dim, config.pixel_dim, config.code_dim
        self.cube = nn.Linear(config.decoder_dim, 2 * 16 * 16 * self.channels)
        self.pixel = nn.Sequential(nn.GELU(), nn.Linear(self.channels, width), nn.GELU(), nn.Linear(width, code))
        self.colour = nn.Sequential(nn.Linear(7, width), nn.GELU(), nn.Linear(width, width), nn.GELU())
        self.answer = nn.Linear(width, code + 1)

    def forward(self, done: Decoded, palette: ClipPalette) -> Tensor:
        """-> logits [B, Q, 2, 16, 16, K] over the entries of each clip's palette."""
        own = palette.colours.to(self.answer.weight.dtype) / 255 - 0.5
        share = palette.share.clamp_min(1e-6).log().to(own.dtype)[..., None] / 8
        answer = self.answer(self.colour(torch.cat([own, own.square(), share], -1)))  # [B, K, code + 1]
        asked = self.pixel(self.cube(done.x).view(*done.queries.shape, 2, 16, 16, self.channels))
        bias = answer[..., -1].masked_fill(palette.share == 0, NEVER)
        flat = asked.flatten(1, -2)
        scaled = answer[..., :-1].transpose(1, 2).to(flat.dtype)
        logits = torch.baddbmm(bias[:, None].to(flat.dtype), flat, scaled)
        return logits.view(*asked.shape[:-1], -1)
