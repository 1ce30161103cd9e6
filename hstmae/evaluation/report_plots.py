"""The pictures of an evaluation's report. Needs matplotlib (extra `figures`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..drawing.panels import show_error, show_masked

DPI = 120
COLUMNS = ("original", "masked", "restored", "error x 8")


def draw_regions(regions: dict[str, dict[str, float]], path: Path) -> None:
    """Bars on a logarithmic scale: each region's share of the hidden pixels and of the squared error."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.add_subplot()
    at = np.arange(len(regions))
    for offset, key, label in ((-0.2, "pixels", "of the hidden pixels"), (0.2, "error", "of the squared error")):
        axes.bar(at + offset, [100 * r[key] for r in regions.values()], 0.4, label=label)
    axes.set_xticks(at, list(regions))
    axes.set_yscale("symlog", linthresh=0.1)  # linear below, so that a share of 0 has a place
    axes.set_ylim(0, 130)
    axes.set_yticks([0, 0.1, 1, 10, 100], ["0", "0.1", "1", "10", "100"])
    axes.set_ylabel("share in %")
    axes.legend()
    figure.savefig(path, dpi=DPI)


def draw_ratios(reports: dict[str, dict[str, Any]], model: str, path: Path) -> None:
    """Lines: PSNR of the model and of its fillers by the share that tubes hide."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    hidden = [100 * float(name) for name in reports]
    rows = list(reports.values())
    axes.plot(hidden, [r["psnr_masked"] for r in rows], "o-", linewidth=2, label=model)
    for name, figures in rows[0]["baselines"].items():
        if isinstance(figures, dict):
            axes.plot(hidden, [r["baselines"][name]["psnr_masked"] for r in rows], "s--", label=name)
    axes.set_xticks(hidden)
    axes.set_xlabel("hidden in %")
    axes.set_ylabel("PSNR in dB, hidden pixels")
    axes.grid(alpha=0.3)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(path, dpi=DPI)


def draw_clips(clips: list[tuple[str, float, np.ndarray, np.ndarray, np.ndarray]], path: Path) -> None:
    """A sheet of frames.

    Args:
        clips: title, PSNR in dB, truth uint8 [H, W, 3], hidden bool [H, W], restored uint8 [H, W, 3].
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 2.8 * len(clips)), layout="constrained")
    for row, (title, value, truth, hidden, made) in enumerate(clips):
        shown = (truth, show_masked(truth, hidden), made, show_error(made, truth, 8))
        for column, (name, picture) in enumerate(zip(COLUMNS, shown, strict=True)):
            axes = figure.add_subplot(len(clips), 4, 4 * row + column + 1)
            axes.imshow(picture, interpolation="nearest")
            axes.set_axis_off()
            axes.set_title(f"{title}: {value:.1f} dB" if not column else name, fontsize=10)
    figure.savefig(path, dpi=DPI)
