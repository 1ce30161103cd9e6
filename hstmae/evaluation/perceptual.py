"""LPIPS and FID need networks trained on photographs. Their weights are never downloaded here; this module says which
files are missing and where they were looked for, so that a report carries null with a reason instead of a number.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class WeightFile:
    """A file of public weights: its name ends in the first digits of its SHA-256."""

    metric: str
    file: str
    url: str


WEIGHTS = (
    WeightFile("lpips", "alexnet-owt-7be5be79.pth", "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"),
    WeightFile(
        "fid",
        "weights-inception-2015-12-05-6726825d.pth",
        "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
    ),
)


def weight_folders() -> list[Path]:
    """Where weight files are looked for: $HSTMAE_WEIGHTS, then torch's own cache."""
    folders = []
    if os.environ.get("HSTMAE_WEIGHTS"):
        folders.append(Path(os.environ["HSTMAE_WEIGHTS"]))
    torch_home = os.environ.get("TORCH_HOME", str(Path.home() / ".cache" / "torch"))
    folders.append(Path(torch_home) / "hub" / "checkpoints")
    return folders


def why_not(metric: str) -> str:
    """Why `metric` ("lpips" or "fid") is not reported, in one sentence."""
    weights = next(w for w in WEIGHTS if w.metric == metric)
    folders = weight_folders()
    found = [folder for folder in folders if (folder / weights.file).is_file()]
    if found:
        return f"{weights.file} is in {found[0]}, but this version does not compute {metric.upper()} yet"
    searched = ", ".join(str(f) for f in folders)
    return f"weights missing: {weights.file} in none of {searched} (set HSTMAE_WEIGHTS; published at {weights.url})"


def perceptual_fields() -> dict[str, str | None]:
    """The report's lpips and fid fields: null, each with its reason."""
    fields: dict[str, str | None] = {}
    for metric in ("lpips", "fid"):
        fields[metric] = None
        fields[f"{metric}_reason"] = why_not(metric)
    return fields
