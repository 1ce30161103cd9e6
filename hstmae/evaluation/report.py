"""`hstmae evaluate --report DIR`: what was measured as Markdown, JSON and pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UsageError
from ..inference.footage_restorer import FootageRestorer
from ..masks.damage import NAMES
from ..output import Kind, check_output, filling
from .decibels import psnr
from .evaluate import EvaluateOptions, Measured, evaluate
from .metrics import TITLES, cells, squared_error

if TYPE_CHECKING:
    from ..data.clips.dataset import ClipDataset

RATIOS = (0.75, 0.9, 0.95, 0.98)
DRAWS = 1000  # of the bootstrap


@dataclass
class Sheet:
    """Collects what a table of pooled figures leaves out, clip by clip.

    Attributes:
        names: of the game's regions.
        errors: squared error (mean of the three colours) and number of hidden pixels by region, float64 [R, 2].
        clips: the same by clip.
        shown: of each clip the frame with the largest error: truth, what was hidden, restored.
    """

    names: tuple[str, ...]
    errors: np.ndarray = field(init=False)
    clips: list[tuple[float, int]] = field(default_factory=list)
    shown: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.errors = np.zeros((len(self.names), 2))

    def add(self, clip: Measured) -> None:
        difference = clip.made.astype(np.int64) - clip.truth
        squared = (difference * difference).sum(-1) * clip.hidden
        error = squared[clip.hidden] / 3.0
        region = clip.regions[clip.hidden].astype(np.int64)
        self.errors[:, 0] += np.bincount(region, error, len(self.names))
        self.errors[:, 1] += np.bincount(region, minlength=len(self.names))
        self.clips.append((squared_error(clip.made, clip.truth, clip.hidden), int(clip.hidden.sum())))
        worst = int(squared.sum((1, 2)).argmax())
        hidden = clip.hidden[worst]
        made = np.where(hidden[..., None], clip.made[worst], clip.truth[worst])
        self.shown.append((clip.truth[worst], hidden, made))

    def interval(self, seed: int = 0) -> tuple[float, float]:
        """95 % of the pooled PSNRs (dB) of as many clips, drawn again with replacement, lie in between."""
        clips = np.array(self.clips)
        picks = np.random.default_rng(seed).integers(0, len(clips), (DRAWS, len(clips)))
        error, pixels = clips[picks].sum(1).T
        low, high = np.percentile([psnr(e / n) for e, n in zip(error, pixels, strict=True)], [2.5, 97.5])
        return float(low), float(high)

    def extremes(self) -> list[tuple[str, int, float]]:
        """(title, clip, PSNR) of the best, the median and the worst clip."""
        values = [psnr(error / pixels) for error, pixels in self.clips]
        order = np.argsort(values, kind="stable")[::-1]
        picks = {"best": order[0], "median": order[len(order) // 2], "worst": order[-1]}
        return [(title, int(k), values[k]) for title, k in picks.items()]

    def regions(self) -> dict[str, dict[str, float]]:
        """By region that was hidden somewhere: its share of the hidden pixels and of the error, and its PSNR (dB)."""
        error, pixels = self.errors.T
        return {
            name: {
                "pixels": float(pixels[k] / pixels.sum()),
                "error": float(error[k] / max(error.sum(), 1e-9)),
                "psnr_masked": psnr(error[k] / pixels[k]),
            }
            for k, name in enumerate(self.names)
            if pixels[k]
        }


def write_report(
    predictor: FootageRestorer,
    dataset: ClipDataset,
    options: EvaluateOptions,
    out: Path,
    about: dict[str, Any],
    ratios: tuple[float, ...] = RATIOS,
    progress: Callable[[int], object] | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Measure, and write report.md, report.json, regions.png, ratios.png and clips.png into the folder `out`.

    Args:
        options: of the main table; its ratio is measured beside `ratios`.
        about: what else to say of the measurement: split, checkpoint and the like.
        ratios: shares of the positions that tubes hide.
        progress: called with the number of clips finished.
    Returns:
        The content of report.json: that of `evaluate`, `psnr_interval` (dB, 95 %, bootstrap over clips), `regions`,
        and by ratio and by damage the reports of `evaluate`.
    Raises:
        UsageError: `out` exists, or matplotlib is missing.
        As `evaluate`.
    """
    check(out, overwrite)
    for ratio in ratios:
        replace(options, ratio=ratio)  # refuses what is no ratio before the work begins
    sheet = Sheet(tuple(predictor.game.regions))
    report = evaluate(predictor, dataset, options, progress, sheet.add) | about
    by_ratio = {f"{options.ratio:g}": report}
    for ratio in ratios:
        if ratio != options.ratio:
            by_ratio[f"{ratio:g}"] = evaluate(predictor, dataset, replace(options, ratio=ratio), progress)
    damage = {name: evaluate(predictor, dataset, replace(options, damage=name), progress) for name in NAMES}
    whole = report | {
        "psnr_interval": sheet.interval(options.seed),
        "regions": sheet.regions(),
        "best_median_worst": [{"clip": k, "psnr_masked": value} for _, k, value in sheet.extremes()],
        "ratios": {k: v for k, v in sorted(by_ratio.items(), key=lambda item: float(item[0]))},
        "damage": damage,
    }
    _write(out, whole, sheet, overwrite)
    return whole


def check(out: Path, overwrite: bool) -> None:
    """Raise a UsageError where no report can be written."""
    check_output(out, Kind.FOLDER, overwrite)
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise UsageError("--report draws with matplotlib: pip install 'hstmae[figures]'") from None


def _write(out: Path, report: dict[str, Any], sheet: Sheet, overwrite: bool) -> None:
    from ..atomic import write_json, write_text
    from .report_plots import draw_clips, draw_ratios, draw_regions

    with filling(out, overwrite) as folder:
        write_json(folder / "report.json", report)
        write_text(folder / "report.md", markdown(report))
        draw_regions(report["regions"], folder / "regions.png")
        draw_ratios(report["ratios"], report["model"], folder / "ratios.png")
        draw_clips([(title, value, *sheet.shown[k]) for title, k, value in sheet.extremes()], folder / "clips.png")


def markdown(report: dict[str, Any]) -> str:
    """The report for people."""
    low, high = report["psnr_interval"]
    lines = [
        f"# {report['model']}, state `{report['state']}`",
        "",
        f"Split {report.get('split', 'all')}, {report['clips']} clips, seed {report['seed']}, tubes that hide "
        f"{report['ratio']:.0%}; recall {_yes(report['recall'])}, atlas {_yes(report['atlas'])}. Only hidden pixels "
        f"count, RGB 0 to 255, pooled over clips. PSNR {report['psnr_masked']:.2f} dB, of clips drawn again with "
        f"replacement {low:.2f} to {high:.2f} (95 %).",
        "",
        *_table("", {"": report}),
        "",
        *(
            f"{name}: {report[name]}" if report[name] is not None else f"{name}: null, {report[f'{name}_reason']}"
            for name in ("lpips", "fid")
        ),
        "",
        "## By share hidden",
        "",
        *_table("tubes", report["ratios"], lambda name: f"{float(name):.0%}"),
        "",
        "![PSNR by share hidden](ratios.png)",
        "",
        "## Damage",
        "",
        *_table("damage", {f"{n} ({r['ratio']:.1%})": r for n, r in report["damage"].items()}),
        "",
        "## By region",
        "",
        "| region | of the hidden pixels | of the error | PSNR dB |",
        "|---|---|---|---|",
        *(
            f"| {name} | {r['pixels']:.1%} | {r['error']:.1%} | {r['psnr_masked']:.2f} |"
            for name, r in report["regions"].items()
        ),
        "",
        "![error by region](regions.png)",
        "",
        "## Best, median and worst clip",
        "",
        "![original, masked, restored, error](clips.png)",
        "",
    ]
    return "\n".join(lines)


def _yes(value: bool) -> str:
    return "on" if value else "off"


def _table(first: str, reports: dict[str, dict[str, Any]], title: Callable[[str], str] = str) -> list[str]:
    """Rows of the model and of its fillers, for each of some reports."""
    lead = [first] if first else []
    head = [*lead, "filler", *TITLES]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for name, report in reports.items():
        for filler, figures in {f"**{report['model']}**": report, **report["baselines"]}.items():
            if isinstance(figures, dict):
                lines.append(f"| {' | '.join([*([title(name)] if first else []), filler, *cells(figures)])} |")
    return lines
