"""Learning curves of one or more run folders: loss, and masked PSNR in training and on validation clips.

    python scripts/plot_training.py runs/nano [MORE_RUNS ...] --out curve.png [--fillers 11.1,13.4]

Several folders are drawn one after the other, as legs of one training. `--fillers` draws lines at the PSNR that trivial
fillers reach on the validation clips (see `hstmae evaluate`).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

SMOOTH = 15  # logged points averaged; a point is ten steps


def read(run: Path) -> list[dict[str, Any]]:
    """The rows of a run's metrics.jsonl, of a continued run the last for each step and kind."""
    path = run / "metrics.jsonl" if run.is_dir() else run
    try:
        rows = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        sys.exit(f"{path}: not the metrics of a run ({error})")
    kept = {(row["step"], "val_psnr_masked" in row): row for row in rows}
    return [kept[key] for key in sorted(kept)]


def smooth(values: np.ndarray) -> np.ndarray:
    width = min(SMOOTH, len(values))
    return np.convolve(values, np.ones(width) / width, "valid")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, help="run folders (or metrics.jsonl files), in order")
    parser.add_argument("--out", type=Path, required=True, metavar="PNG")
    parser.add_argument("--fillers", default="", help="PSNR of trivial fillers: NAME=VALUE,...")
    args = parser.parse_args()
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    start = 0
    for number, run in enumerate(args.runs):
        rows = read(run)
        train = [r for r in rows if "loss" in r]
        val = [r for r in rows if "val_psnr_masked" in r]
        colour = f"C{number}"
        name = run.name if len(args.runs) > 1 else "training"
        for axes, key in ((left, "loss"), (right, "psnr_masked")):
            curve = smooth(np.array([r[key] for r in train], float))
            steps = start + np.array([r["step"] for r in train])[-len(curve) :]
            axes.plot(steps, curve, color=colour, label=name, linewidth=1)
        right.plot([start + r["step"] for r in val], [r["val_psnr_masked"] for r in val], "o-", color=colour, ms=4)
        start += max(r["step"] for r in rows)
    for text in filter(None, args.fillers.split(",")):
        name, _, value = text.rpartition("=")
        right.axhline(float(value), color="grey", linestyle=":", linewidth=1)
        right.annotate(name or "filler", (0, float(value)), fontsize=7, va="bottom", color="grey")
    left.set(xlabel="steps", ylabel="loss", yscale="log", title="training loss")
    right.set(xlabel="steps", ylabel="dB", title="masked PSNR: lines training clips, dots validation")
    left.legend(fontsize=8)
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.savefig(args.out, dpi=110)


if __name__ == "__main__":
    main()
