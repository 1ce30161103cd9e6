"""Picture quality on masked pixels: PSNR, MSE, exact match, SSIM and flicker, pooled over clips.

All pictures are RGB in 0-255, compared 4:4:4 and without any colour conversion. Masked means hidden from the model:
visible pixels are pasted into every restoration and would only flatter the figures.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from .decibels import psnr

SSIM_WINDOW = 11
SSIM_SIGMA = 1.5
SSIM_C1 = (0.01 * 255.0) ** 2
SSIM_C2 = (0.03 * 255.0) ** 2


def squared_error(prediction: np.ndarray, target: np.ndarray, mask: np.ndarray) -> float:
    """Sum over masked pixels of the squared error averaged over the three colours.

    Args:
        prediction, target: uint8 [T, H, W, 3].
        mask: bool [T, H, W], True where the pixel counts.
    """
    difference = prediction[mask].astype(np.int64) - target[mask].astype(np.int64)
    return float((difference * difference).sum()) / 3.0


@lru_cache(maxsize=8)
def _blur_matrix(size: int, dtype: torch.dtype) -> torch.Tensor:
    """[size, size]: row i holds the Gaussian weights of the 11 pixels around i, mirrored at the ends (b a | a b c)."""
    radius = SSIM_WINDOW // 2
    offsets = torch.arange(-radius, radius + 1)
    weights = torch.exp(-0.5 * (offsets.to(torch.float64) / SSIM_SIGMA) ** 2)
    source = (torch.arange(size)[:, None] + offsets) % (2 * size)
    source = torch.where(source < size, source, 2 * size - 1 - source)
    matrix = torch.zeros(size, size, dtype=torch.float64)
    return matrix.scatter_add_(1, source, (weights / weights.sum()).expand(size, -1)).to(dtype)


def _blur(pictures: torch.Tensor) -> torch.Tensor:
    """Gaussian mean over 11x11 pixels of pictures [..., H, W], borders mirrored."""
    rows = _blur_matrix(pictures.shape[-2], pictures.dtype)
    cols = _blur_matrix(pictures.shape[-1], pictures.dtype)
    return rows @ pictures @ cols.T


def ssim_map(first: np.ndarray, second: np.ndarray, dtype: torch.dtype = torch.float32) -> np.ndarray:
    """Structural similarity around every pixel: Gaussian 11x11, sigma 1.5, K1 0.01, K2 0.03, data range 255.

    Population covariance, averaged over the three colours. The border is mirrored (edge pixel included), which is what
    scikit-image's full map does; its scalar, and torchmetrics', average this map without the outer five pixels.

    Args:
        first, second: uint8 [T, H, W, 3].
    Returns:
        float32 [T, H, W], 1 where the surroundings are equal.
    """
    if first.shape != second.shape or first.ndim != 4 or first.shape[-1] != 3:
        raise ValueError(f"two RGB clips of one shape are needed, got {first.shape} and {second.shape}")
    maps = np.empty(first.shape[:3], np.float32)
    for t in range(len(first)):  # one frame at a time: the intermediate pictures stay in the cache
        # centring on 127.5 leaves variances as they are and spares float32 most of the cancellation
        a = torch.from_numpy(first[t].transpose(2, 0, 1).copy()).to(dtype) - 127.5
        b = torch.from_numpy(second[t].transpose(2, 0, 1).copy()).to(dtype) - 127.5
        mean_a, mean_b, aa, bb, ab = _blur(torch.cat([a, b, a * a, b * b, a * b])).chunk(5)
        variance_a, variance_b, covariance = aa - mean_a**2, bb - mean_b**2, ab - mean_a * mean_b
        mean_a, mean_b = mean_a + 127.5, mean_b + 127.5
        value = (2 * mean_a * mean_b + SSIM_C1) * (2 * covariance + SSIM_C2)
        value = value / ((mean_a**2 + mean_b**2 + SSIM_C1) * (variance_a + variance_b + SSIM_C2))
        maps[t] = value.mean(dim=0).float().numpy()
    return maps


def flicker(prediction: np.ndarray, target: np.ndarray, mask: np.ndarray) -> tuple[float, int]:
    """How far masked pixels change from a frame to the next where the true picture does not.

    Args:
        prediction, target: uint8 [T, H, W, 3].
        mask: bool [T, H, W], True where the pixel counts.
    Returns:
        Sum of the absolute changes (levels of 0-255, averaged over the three colours), and how many pixels stand still
        from a frame to the next and are masked in both.
    """
    still = mask[1:] & mask[:-1] & (target[1:] == target[:-1]).all(-1)
    change = np.abs(prediction[1:][still].astype(np.int16) - prediction[:-1][still])
    return float(change.sum(dtype=np.int64)) / 3.0, int(still.sum())


def one_region(regions: np.ndarray) -> np.ndarray:
    """Where the 11x11 window around a pixel lies in a single region; beyond the picture's edge nothing counts.

    Args:
        regions: integer ids [T, H, W].
    Returns:
        bool [T, H, W].
    """
    ids = torch.from_numpy(regions.astype(np.float32))[:, None]
    pool = torch.nn.MaxPool2d(SSIM_WINDOW, stride=1, padding=SSIM_WINDOW // 2)
    return (pool(ids) == -pool(-ids))[:, 0].numpy()


@dataclass
class MetricSums:
    """Sums over clips from which the pooled figures are computed.

    `add` takes one clip; `result` gives the figures. Clips without a masked pixel are refused.
    """

    clips: int = 0
    masked: int = 0  # pixels
    pixels: int = 0
    indexed: int = 0  # masked pixels with a palette entry
    error: float = 0.0
    error_argmax: float = 0.0
    exact: int = 0
    exact_sprites: int = 0
    sprites: int = 0  # masked pixels in the boxes of sprites
    change: float = 0.0  # of masked pixels that stand still
    still: int = 0
    ssim: dict[str, float] = field(default_factory=lambda: {"all": 0.0, "intra": 0.0, "inter": 0.0})
    windows: dict[str, int] = field(default_factory=lambda: {"all": 0, "intra": 0, "inter": 0})
    clip_psnr: list[float] = field(default_factory=list)

    def add(
        self,
        *,
        truth: np.ndarray,
        indices: np.ndarray | None,
        rgb: np.ndarray,
        palette: np.ndarray | None,
        mask: np.ndarray,
        regions: np.ndarray | None = None,
        sprites: np.ndarray | None = None,
        similarity: bool = True,
    ) -> None:
        """Add one clip.

        Args:
            truth: uint8 [T, H, W], the true palette indices; of true-colour footage uint8 [T, H, W, 3].
            indices: uint8 [T, H, W], the restored ones (read on masked pixels only); None for true colour.
            rgb: uint8 [T, H, W, 3], the restored colours (read on masked pixels only).
            palette: uint8 [K, 3]; None for true colour, where a pixel is exact when its three channels are.
            mask: bool [T, H, W], True where the pixel was hidden.
            regions: region ids [T, H, W] for SSIM inside regions and across their borders; None leaves these out.
            sprites: bool [T, H, W], where sprites are; None leaves out how many of their pixels are exact.
            similarity: False leaves out SSIM and flicker, the slow part.
        """
        hidden = int(mask.sum())
        if hidden == 0:
            raise ValueError("a clip without masked pixels has no masked-pixel metrics")
        colours = truth if palette is None else palette[truth]
        error = squared_error(rgb, colours, mask)
        self.clips += 1
        self.masked += hidden
        self.pixels += mask.size
        self.error += error
        if palette is None or indices is None:
            right = (rgb == colours).all(-1)
        else:
            right = indices == truth
            self.indexed += hidden
            self.error_argmax += squared_error(palette[indices], colours, mask)
        self.exact += int((right & mask).sum())
        if sprites is not None:
            self.sprites += int((sprites & mask).sum())
            self.exact_sprites += int((right & sprites & mask).sum())
        self.clip_psnr.append(psnr(error / hidden))
        if not similarity:
            return
        pasted = np.where(mask[..., None], rgb, colours)
        change, still = flicker(pasted, colours, mask)
        self.change, self.still = self.change + change, self.still + still
        values = ssim_map(pasted, colours)
        parts = {"all": mask}
        if regions is not None:
            single = one_region(regions)
            parts |= {"intra": mask & single, "inter": mask & ~single}
        for name, where in parts.items():
            self.ssim[name] += float(values[where].sum(dtype=np.float64))
            self.windows[name] += int(where.sum())

    def result(self) -> dict[str, float | int | None]:
        """The figures; None where nothing was counted. Raises ValueError before the first clip."""
        if self.clips == 0:
            raise ValueError("no clips were added")

        def mean(name: str) -> float | None:
            return self.ssim[name] / self.windows[name] if self.windows[name] else None

        mse = self.error / self.masked
        return {
            "psnr_masked": psnr(mse),
            "psnr_masked_median": float(np.median(self.clip_psnr)),
            "psnr_masked_argmax": psnr(self.error_argmax / self.indexed) if self.indexed else None,
            "psnr_full": psnr(self.error / self.pixels),
            "exact_match": self.exact / self.masked,
            "exact_match_sprites": self.exact_sprites / self.sprites if self.sprites else None,
            "flicker": self.change / self.still if self.still else None,
            "ssim": mean("all"),
            "ssim_intra": mean("intra"),
            "ssim_inter": mean("inter"),
            "mse": mse,
            "clips": self.clips,
            "masked_pixels": self.masked,
        }


COLUMNS = (
    ("psnr_masked", "PSNR dB", "{:.2f}"),
    ("psnr_masked_argmax", "argmax dB", "{:.2f}"),
    ("psnr_masked_median", "median dB", "{:.2f}"),
    ("exact_match", "exact %", "{:.3%}"),
    ("exact_match_sprites", "sprites %", "{:.2%}"),
    ("ssim", "SSIM", "{:.4f}"),
    ("ssim_intra", "intra", "{:.4f}"),
    ("ssim_inter", "inter", "{:.4f}"),
    ("mse", "MSE", "{:.2f}"),
    ("flicker", "flicker", "{:.3f}"),
)
TITLES = [title for _, title, _ in COLUMNS]


def cells(figures: dict[str, Any]) -> list[str]:
    """A row of the table: what `MetricSums.result` gives, "-" where a figure is null."""
    return ["-" if figures[key] is None else form.format(figures[key]) for key, _, form in COLUMNS]


def perceptual_fields() -> dict[str, str | None]:
    """The report's `lpips` and `fid`: null with a reason, since both need networks trained on photographs."""
    why = "needs the published weights of {}, which this version neither brings nor computes with"
    networks = {"lpips": "AlexNet (torchvision)", "fid": "Inception v3 (torch-fidelity)"}
    reasons: dict[str, str | None] = {f"{name}_reason": why.format(network) for name, network in networks.items()}
    return dict.fromkeys(networks) | reasons
