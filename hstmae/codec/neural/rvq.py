"""Residual vector quantisation: a latent as a sum of codes, one from each of a few codebooks, coarse to fine.

Codebooks are learned by exponential averages (https://arxiv.org/abs/1711.00937, appendix A.1), started by k-means++
over distinct latents, and codes that fall out of use start again elsewhere. Any number of stages decodes, 0 included:
training drops the later ones at random. The gradient reaches the encoder around the quantiser: rotated
(https://arxiv.org/abs/2410.06424) or straight through.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ResidualVQ(nn.Module):
    """`stages` codebooks of `codes` vectors.

    Buffers:
        codebooks: float32 [stages, codes, dim].
        usage: float32 [stages, codes], running count of latents per code and update.
        sums: float32 [stages, codes, dim], running sum of the residuals given to each code.
    """

    codebooks: Tensor
    usage: Tensor
    sums: Tensor

    def __init__(self, dim: int, stages: int = 6, codes: int = 512, decay: float = 0.99, rotation: bool = True):
        super().__init__()
        self.dim, self.stages, self.codes, self.decay, self.rotation = dim, stages, codes, decay, rotation
        self.register_buffer("codebooks", torch.zeros(stages, codes, dim))
        self.register_buffer("usage", torch.ones(stages, codes), persistent=False)
        self.register_buffer("sums", torch.zeros(stages, codes, dim), persistent=False)

    def quantise(self, z: Tensor) -> Tensor:
        """Latents [N, dim] -> indices int64 [N, stages], each stage the code nearest to what the ones before leave."""
        residual, out = z.detach().float(), []
        for book in self.codebooks:
            index = nearest(residual, book)
            residual = residual - book[index]
            out.append(index)
        return torch.stack(out, 1)

    def dequantise(self, indices: Tensor, used: Tensor | None = None) -> Tensor:
        """Indices int64 [N, stages], of which the first `used` int64 [N] count (None = all) -> latents [N, dim]."""
        parts = torch.stack([book[indices[:, k].clamp(min=0)] for k, book in enumerate(self.codebooks)], 1)
        if used is not None:
            parts = parts * (torch.arange(self.stages, device=indices.device) < used[:, None])[..., None]
        return parts.sum(1)

    def forward(self, z: Tensor, used: Tensor) -> tuple[Tensor, Tensor]:
        """Quantise with gradient.

        Args:
            z: [N, dim]; used: int64 [N], stages to keep of each, 0 .. stages; with 0 the result is zero.
        Returns:
            The quantised latents, and the commitment loss: mean square distance of latents to their sum of codes.
        """
        indices = self.quantise(z)
        coded = self.dequantise(indices, used)
        coded_at_all = used > 0
        commit = F.mse_loss(z[coded_at_all], coded[coded_at_all]) if bool(coded_at_all.any()) else z.sum() * 0
        passed = rotate_to(z, coded) if self.rotation else z + (coded - z).detach()
        return passed * coded_at_all[:, None], commit

    @torch.no_grad()
    def start(self, z: Tensor, generator: torch.Generator, rounds: int = 10) -> None:
        """Fill the codebooks stage by stage by k-means over distinct latents [N, dim]."""
        residual = z.detach().float()
        for k in range(self.stages):
            centres = k_means(residual, self.codes, generator, rounds)
            self.codebooks[k] = centres
            index = nearest(residual, centres)
            self.usage[k] = torch.bincount(index, minlength=self.codes).float().clamp(min=1) / len(z) * self.codes
            self.sums[k] = centres * self.usage[k, :, None]
            residual = residual - centres[index]

    @torch.no_grad()
    def learn(self, z: Tensor) -> None:
        """Move the codes towards distinct latents [N, dim]. Does nothing without any."""
        residual = z.detach().float()
        for k in range(self.stages if len(z) else 0):
            index = nearest(residual, self.codebooks[k])
            scale = self.codes / len(z)  # so that usage is 1 on average, whatever the number of latents
            count = torch.bincount(index, minlength=self.codes).float() * scale
            total = torch.zeros_like(self.sums[k]).index_add_(0, index, residual) * scale
            residual = residual - self.codebooks[k][index]
            self.usage[k].lerp_(count, 1 - self.decay)
            self.sums[k].lerp_(total, 1 - self.decay)
            self.codebooks[k] = self.sums[k] / self.usage[k, :, None].clamp(min=1e-6)

    @torch.no_grad()
    def restart(self, z: Tensor, generator: torch.Generator, below: float = 0.1) -> int:
        """Put codes with less than `below` of the mean usage where the residuals of distinct latents [N, dim] are
        large; usage and sums start anew with them. Returns how many."""
        residual, moved = z.detach().float(), 0
        for k in range(self.stages if len(z) else 0):
            book = self.codebooks[k]
            dead = (self.usage[k] < below).nonzero()[:, 0]
            if len(dead):
                far = (residual - book[nearest(residual, book)]).square().sum(1) + 1e-8
                pick = torch.multinomial(far, min(len(dead), len(far)), generator=generator)
                dead = dead[: len(pick)]
                book[dead] = residual[pick]
                self.usage[k, dead] = 1.0
                self.sums[k, dead] = residual[pick]
                moved += len(dead)
            residual = residual - book[nearest(residual, book)]
        return moved


def nearest(z: Tensor, book: Tensor) -> Tensor:
    """Index of the code [K, dim] nearest to each latent [N, dim]; of equal distances the lowest."""
    out = [(book.square().sum(1) - 2 * part @ book.t()).argmin(1) for part in z.split(1 << 14)]
    return torch.cat(out) if out else torch.zeros(0, dtype=torch.long, device=z.device)


def rotate_to(z: Tensor, target: Tensor) -> Tensor:
    """`target` as a rotation and scaling of z, both held constant, so that gradients turn with it. All [N, dim]."""
    with torch.no_grad():
        long, goal = z.norm(dim=1, keepdim=True), target.norm(dim=1, keepdim=True)
        u, v = z / long.clamp(min=1e-6), target / goal.clamp(min=1e-6)
        w = F.normalize(u + v, dim=1)
        scale = goal / long.clamp(min=1e-6)
    turned = z - 2 * (z * w).sum(1, keepdim=True) * w + 2 * (z * u).sum(1, keepdim=True) * v
    turned = turned * scale
    return turned + (target - turned).detach()  # the value is exact also where a vector is zero


def k_means(z: Tensor, count: int, generator: torch.Generator, rounds: int) -> Tensor:
    """Centres [count, dim] of latents [N, dim]: k-means++ start, then Lloyd's rounds; empty ones stay."""
    chosen = [int(torch.randint(len(z), (), generator=generator))]
    distance = (z - z[chosen[0]]).square().sum(1)
    for _ in range(count - 1):
        chosen.append(int(torch.multinomial(distance + 1e-12, 1, generator=generator)))
        distance = torch.minimum(distance, (z - z[chosen[-1]]).square().sum(1))
    centres = z[chosen].clone()
    for _ in range(rounds):
        index = nearest(z, centres)
        count_of = torch.bincount(index, minlength=count).float()[:, None]
        total = torch.zeros_like(centres).index_add_(0, index, z)
        centres = torch.where(count_of > 0, total / count_of.clamp(min=1), centres)
    return centres


def health(indices: Tensor, codes: int) -> tuple[list[float], list[float]]:
    """Of indices [N, stages]: the share of codes used in each stage, and its perplexity (0 .. codes)."""
    used, perplexity = [], []
    for column in indices.t():
        p = torch.bincount(column, minlength=codes).double() / max(1, len(indices))
        used.append(float((p > 0).double().mean()))
        perplexity.append(float(torch.special.entr(p).sum().exp()) if len(indices) else 0.0)
    return used, perplexity
