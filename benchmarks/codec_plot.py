"""Pictures of what benchmarks/codec.py measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def plot(report: dict[str, Any], path: Path) -> None:
    """Left: bytes a frame without loss, of pictures. Right, where measured: PSNR over bytes a frame, mean of clips."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    lossy = report.get("lossy", [])
    size = (12 if lossy else 7, 5)
    figure, axes = plt.subplots(1, 2 if lossy else 1, figsize=size, layout="constrained", squeeze=False)
    rows = sorted((r for r in report["lossless"] if "pictures" in r["holds"]), key=lambda r: -r["bytes_per_frame"])
    names = [f"{r['method']}, {r['access']}" + (" (all)" if "RAM" in r["holds"] else "") for r in rows]
    sizes = [r["bytes_per_frame"] for r in rows]
    left = axes[0, 0]
    bars = left.barh(names, sizes, color=["C3" if r["method"].startswith("HST") else "C0" for r in rows])
    left.bar_label(bars, [f"{size:,.0f}" for size in sizes], padding=3, fontsize=8)
    left.set_xscale("log")
    left.set_xlim(right=3 * max(sizes))
    left.tick_params(axis="y", labelsize=8)
    left.set_xlabel("bytes per frame, lossless; random access every ...")
    for number, row in enumerate(lossy):
        key = "snapped" if row["snap"] else "psnr"
        steps = list(zip(*row["points"], strict=True))  # one quality setting of all clips
        line = sorted((_mean([p["bytes"] for p in step]), _mean([p[key] for p in step])) for step in steps)
        own = row["codec"].startswith("HST")
        axes[0, 1].plot(
            *zip(*line, strict=True), "o-" if own else "s--" if row["snap"] else "s-", markersize=4,
            color="C3" if own else f"C{(0, 0, 1, 1, 2, 2)[number % 6]}",
            label=row["codec"] + (", palette snap" if row["snap"] else ""),
        )  # fmt: skip
    if lossy:
        right = axes[0, 1]
        right.set_xscale("log")
        right.set_ylim(20, 65)
        right.set_xlabel("bytes per frame at 15 frames per second, random access every 32")
        right.set_ylabel("RGB PSNR, dB (mean of clips)")
        right.axhline(38.5, color="grey", linewidth=0.8, linestyle=":")
        right.legend(fontsize=8)
        right.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
