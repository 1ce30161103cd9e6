"""Pictures of what was measured. Needs matplotlib (extra `figures`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .measuring import OWN

DPI = 110


def draw(report: dict[str, Any], path: Path, kind: str) -> None:
    """Left: bytes a frame without loss, of pictures. Right, where measured: PSNR over bytes a frame, mean of clips.

    Args:
        kind: of the file: png, svg or pdf.
    """
    from matplotlib.figure import Figure

    rows = [r for r in report["lossless"] if r["holds"].startswith(("pictures", "the film"))]
    rows.sort(key=lambda r: -r["bytes_per_frame"])
    lossy = report["lossy"]
    count = bool(rows) + bool(lossy)
    size = (7 * count, max(3.0, 1.2 + 0.26 * len(rows)) if rows else 5.0)
    figure = Figure(figsize=size, layout="constrained")
    axes = iter(figure.subplots(1, count, squeeze=False)[0])
    if rows:
        _bars(next(axes), rows)
    if lossy:
        _curves(next(axes), lossy)
    figure.savefig(path, dpi=DPI, format=kind)


def _bars(axes: Any, rows: list[dict[str, Any]]) -> None:
    sizes = [row["bytes_per_frame"] for row in rows]
    colours = ["C3" if row["method"].startswith(OWN) else "C0" for row in rows]
    bars = axes.barh([*range(len(rows))], sizes, color=colours)
    axes.set_yticks([*range(len(rows))], [_name(row) for row in rows], fontsize=8)
    axes.bar_label(bars, [f"{size:,.0f}" if size >= 100 else f"{size:,.1f}" for size in sizes], padding=3, fontsize=8)
    axes.set_xscale("log")
    axes.set_xlim(right=3 * max(sizes))
    axes.set_xlabel("bytes per frame, lossless; random access every ...")


def _name(row: dict[str, Any]) -> str:
    parts = f"{row['method']}, {row['given']}, {row['access']}"
    return (
        parts + (" (all)" if "," in row["holds"] else "") + ("" if row["psnr"] is None else f", {row['psnr']:.1f} dB")
    )


def _curves(axes: Any, rows: list[dict[str, Any]]) -> None:
    names = list(dict.fromkeys(row["codec"] for row in rows if not row["codec"].startswith(OWN)))
    for row in rows:
        steps = list(zip(*row["points"], strict=True))  # one quality setting of all clips
        key = "snapped" if row["snap"] else "psnr"
        line = sorted((_mean([p["bytes"] for p in step]), _mean([p[key] for p in step])) for step in steps)
        own = row["codec"].startswith(OWN)
        axes.plot(
            *zip(*line, strict=True), "o-" if own else "s--" if row["snap"] else "s-", markersize=4,
            color="C3" if own else f"C{(0, 1, 2, 4, 5)[names.index(row['codec']) % 5]}",
            label=row["codec"] + (", palette snap" if row["snap"] else ""),
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_ylim(20, 65)
    axes.set_xlabel("bytes per frame")
    axes.set_ylabel("PSNR, dB (mean of clips)")
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
