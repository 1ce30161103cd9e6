"""The card of a lightened model: what was lost, what was gained, on which runtime."""

from __future__ import annotations

import platform
from typing import Any

import torch

from ...config import RunConfig


def card(config: RunConfig, figures: dict[str, Any], what: str) -> str:
    """Markdown of a model folder's README.md; `figures` of the teacher first, then of every step so far."""
    teacher, train = config.train.teacher, config.train
    rows = [_row(name, one) for name, one in figures.items()]
    first, last = (figures[name] for name in (next(iter(figures)), next(reversed(figures))))
    lines = [
        f"# {config.model.name}: {what}",
        "",
        f"Cut out of {teacher} by measured importance and trained on its answers: `hstmae lighten`. Loads like any "
        "other model.",
        "",
        "| step | computing parameters | tables | MB on disk | CPU ms a frame | full | compact | none |",
        "|---|---|---|---|---|---|---|---|",
        *rows,
        "",
        f"**Gained.** {_times(first, last, 'parameters')} fewer computing parameters, {_times(first, last, 'bytes')} "
        f"fewer bytes on disk (without the atlas), {_times(first, last, 'ms_per_frame')} less CPU time a frame.",
        "",
        f"**Lost.** {_lost(first, last)}",
        "",
        f"**Runtime.** torch {torch.__version__}, {torch.get_num_threads()} thread(s), {platform.machine()}. PSNR and "
        "exact entries of masked pixels: the network alone, without recall and atlas, on held-back clips of split "
        f"`val` (whole frames, tubes at 90 %, seed {train.seed}). Time is CPU time of network and read-out together.",
        "",
        f"**Training.** Store `{config.data.store}`, {train.steps} steps of {train.batch} clips, peak rate "
        f"{train.absolute_lr or train.lr}; full state in {train.state_full:.0%} of the clips, compact in "
        f"{train.state_compact:.0%}.",
    ]
    return "\n".join(lines) + "\n"


def _row(name: str, one: dict[str, Any]) -> str:
    speed = "–" if one["ms_per_frame"] is None else f"{one['ms_per_frame']:.1f}"
    cells = [
        name,
        f"{one['parameters'] / 1e6:.2f} M",
        f"{one['tables'] / 1e6:.2f} M",
        f"{one['bytes'] / 1e6:.2f}",
        speed,
    ]
    for level in ("full", "compact", "none"):
        q = one["quality"].get(level)
        cells.append("–" if q is None else f"{q['psnr_masked']:.2f} dB, {q['exact_match']:.3%}")
    return f"| {' | '.join(cells)} |"


def _times(first: dict[str, Any], last: dict[str, Any], key: str) -> str:
    return f"{first[key] / last[key]:.1f} times" if first[key] and last[key] else "an unknown number of times"


def _lost(first: dict[str, Any], last: dict[str, Any]) -> str:
    lost = [
        f"{first['quality'][level]['psnr_masked'] - q['psnr_masked']:.2f} dB at `{level}`"
        for level, q in last["quality"].items()
    ]
    return f"{', '.join(lost)} (below 0: won)." if lost else "Not measured: no clips were held back."
