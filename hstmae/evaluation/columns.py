"""How figures are called and written in tables."""

from __future__ import annotations

from typing import Any

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
