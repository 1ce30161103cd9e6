"""Picture quality on masked pixels: PSNR, MSE, exact match, SSIM and flicker, pooled over clips.

All pictures are RGB in 0-255, compared 4:4:4 and without any colour conversion. Masked means hidden from the model:
visible pixels are pasted into every restoration and would only flatter the figures.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..games.palette import pack_rgb
from .decibels import psnr
from .truth import Truth


def squared_error(prediction: np.ndarray, target: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Sum over pixels of the squared error averaged over the three colours.

    Args:
        prediction, target: uint8 [..., 3].
        mask: bool [...], True where the pixel counts; None = everywhere.
    """
    if mask is not None:
        prediction, target = prediction[mask], target[mask]
    difference = prediction.astype(np.int32) - target
    return float((difference * difference).sum(dtype=np.int64)) / 3.0


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
    lpips: float = 0.0  # of frames of which something was hidden
    lpips_frames: int = 0

    def add(self, truth: Truth, rgb: np.ndarray, indices: np.ndarray | None = None, *, similarity: bool = True) -> None:
        """Add one restoration of a clip.

        Args:
            rgb: uint8 [T, H, W, 3], the restored colours (read on masked pixels only).
            indices: uint8 [T, H, W], the restored palette indices (likewise); None for true colour.
            similarity: False leaves out SSIM and flicker, the slow part.
        """
        if truth.hidden == 0:
            raise ValueError("a clip without masked pixels has no masked-pixel metrics")
        mask, made = truth.mask, pack_rgb(rgb)
        unlike = mask & (made != truth.packed)  # mostly few: nothing else has an error
        error = squared_error(rgb, truth.colours, unlike)
        wrong = unlike
        if truth.palette is not None and indices is not None:
            wrong = mask & (indices != truth.frames)
            self.indexed += truth.hidden
            self.error_argmax += squared_error(truth.palette[indices[wrong]], truth.palette[truth.frames[wrong]])
        self.clips += 1
        self.masked += truth.hidden
        self.pixels += mask.size
        self.error += error
        self.exact += truth.hidden - int(np.count_nonzero(wrong))
        if truth.sprites is not None:
            sprites = truth.sprites & mask
            self.sprites += int(np.count_nonzero(sprites))
            self.exact_sprites += int(np.count_nonzero(sprites & ~wrong))
        self.clip_psnr.append(psnr(error / truth.hidden))
        if not similarity:
            return
        moved = truth.still & (made[1:] != made[:-1])
        self.still += int(np.count_nonzero(truth.still))
        self.change += float(np.abs(rgb[1:][moved].astype(np.int16) - rgb[:-1][moved]).sum(dtype=np.int64)) / 3.0
        pasted = truth.colours.copy()
        pasted[unlike] = rgb[unlike]
        values = truth.similarity.map(pasted, mask)
        parts = {"all": mask}
        if truth.single is not None:
            parts |= {"intra": mask & truth.single, "inter": mask & ~truth.single}
        for name, where in parts.items():
            self.ssim[name] += float(values[where].sum(dtype=np.float64))
            self.windows[name] += int(np.count_nonzero(where))

    def merge(self, other: MetricSums) -> None:
        """Add the sums of other clips. Clip by clip in their order, this gives the very sums of adding the clips."""
        for name, value in vars(other).items():
            own = getattr(self, name)
            if isinstance(value, dict):
                setattr(self, name, {key: own[key] + value[key] for key in own})
            else:  # a number, or the list of clips
                setattr(self, name, own + value)

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


def perceptual_fields(sums: MetricSums | None = None, fid: float | None = None) -> dict[str, float | str | None]:
    """The report's `lpips` and `fid`: null with a reason where the user has not placed the weights of the networks,
    trained on photographs, that both need."""
    lpips = sums.lpips / sums.lpips_frames if sums is not None and sums.lpips_frames else None
    fields: dict[str, float | str | None] = {"lpips": lpips, "fid": fid}
    for name, network in (("lpips", "AlexNet and LPIPS"), ("fid", "Inception v3")):
        why = f"needs the published weights of {network}: --perceptual DIR names their folder"
        fields[f"{name}_reason"] = why if fields[name] is None else None
    return fields
