"""What a sweep found: a table, the same as JSON, a plot, and the best trial's configuration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...atomic import replacing, write_json, write_text
from ...config import save_config
from .spec import SweepSpec

if TYPE_CHECKING:
    from optuna.study import Study

RESULTS, BEST_CONFIG = "results", "best.yaml"
COLUMNS = 3  # panels in a row of the plot


def write_report(study: Study, spec: SweepSpec, out: Path, say: Callable[[str], None] | None) -> dict[str, Any]:
    """Write results.json, results.md and best.yaml; with `say` also results.png and a line on what is where.

    Returns:
        The content of results.json: `trials`, each with `number`, `state` (complete, pruned, fail, running),
        `psnr_masked` (dB, the last reported), `step`, `minutes`, `params`, `folder` and, where it did not complete, the
        `reason`; and `best`, the number of the best complete one or None.
    """
    trials = [_row(frozen) for frozen in study.get_trials(deepcopy=False)]
    complete = [row for row in trials if row["state"] == "complete"]
    best = max(complete, key=lambda row: row["psnr_masked"], default=None)
    results = {"asked": spec.trials, "best": best and best["number"], "trials": trials}
    write_json(out / f"{RESULTS}.json", results)
    text = markdown(trials, [parameter.name for parameter in spec.space])
    write_text(out / f"{RESULTS}.md", text)
    if best is not None:
        save_config(spec.trial_config(best["params"], out / "best"), out / BEST_CONFIG)
    if say is not None:
        say(text)
        if best is not None:
            say(f"best: trial {best['number']}; train it with --config {out / BEST_CONFIG}")
        try:
            plot(trials, spec, out / f"{RESULTS}.png")
        except ImportError:
            say("no plot: pip install 'hstmae[figures]'")
    return results


def markdown(trials: list[dict[str, Any]], names: list[str]) -> str:
    """One row per trial, the best first, those that did not complete after the others."""
    lines = ["| " + " | ".join(["trial", "state", "masked PSNR, dB", "steps", "min", *names]) + " |"]
    lines.append("|---:|---|---:|---:|---:|" + "---:|" * len(names))
    for row in sorted(trials, key=lambda row: (row["state"] != "complete", -(row["psnr_masked"] or 0))):
        psnr = "" if row["psnr_masked"] is None else f"{row['psnr_masked']:.2f}"
        values = [row["params"].get(name, "") for name in names]
        shown = [f"{value:.4g}" if isinstance(value, float) else str(value) for value in values]
        cells = [str(row["number"]), row["state"], psnr, str(row["step"]), f"{row['minutes']:.1f}", *shown]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def plot(trials: list[dict[str, Any]], spec: SweepSpec, path: Path) -> None:
    """A panel per parameter: its value against masked PSNR. Filled: complete; hollow: pruned, at its last validation.

    Raises:
        ImportError: matplotlib is missing.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    rows = -(-len(spec.space) // COLUMNS)
    figure = Figure(figsize=(4 * min(len(spec.space), COLUMNS), 3.2 * rows), layout="constrained")
    for number, parameter in enumerate(spec.space, 1):
        panel = figure.add_subplot(rows, min(len(spec.space), COLUMNS), number)
        if parameter.values:
            panel.xaxis.update_units(list(parameter.values))  # labels in the order of the file
            panel.tick_params("x", rotation=20)
            panel.set_xlim(-0.5, len(parameter.values) - 0.5)
        for state, face in (("complete", "C0"), ("pruned", "none")):
            shown = [row for row in trials if row["state"] == state and row["psnr_masked"] is not None]
            x = [row["params"][parameter.name] for row in shown]
            panel.scatter(x, [row["psnr_masked"] for row in shown], facecolors=face, edgecolors="C0", label=state)
        if parameter.kind == "log":
            panel.set_xscale("log")
        if parameter.kind == "int":
            panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.set_xlabel(parameter.name)
        panel.set_ylabel("masked PSNR, dB")
    figure.axes[0].legend()
    with replacing(path) as temp:
        figure.savefig(temp, dpi=110)


def _row(frozen: Any) -> dict[str, Any]:
    noted = frozen.user_attrs
    value = frozen.value
    if value is None and frozen.intermediate_values:
        value = frozen.intermediate_values[max(frozen.intermediate_values)]
    return {
        "number": frozen.number,
        "state": frozen.state.name.lower(),
        "psnr_masked": value,
        "step": noted.get("step", 0),
        "minutes": noted.get("minutes", 0.0),
        "params": dict(frozen.params),
        "folder": noted.get("folder", ""),
        **({"reason": noted["reason"]} if "reason" in noted else {}),
    }
