"""Search for hyper-parameters and masking strategies: trials are ordinary runs, Optuna chooses what to try next.

Trials come in rounds: those of a round are chosen by what the rounds before came to, run side by side in processes, and
are told to the study together, in their order. So nothing depends on which of them ends first.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn
from tqdm import tqdm

from ...errors import ConfigError, UsageError
from ...executor import Advance, run_all
from ...models.checkpoint import holds_run, load_resume
from ..run.setup import open_data
from ..run.stopping import FINISHED
from ..run.trainer import DivergenceError, Trainer
from ..run.watch import Observer
from .report import write_report
from .spec import SweepSpec

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import Trial, TrialState

STUDY = "study.db"  # SQLite, in the sweep's folder: a killed sweep loses nothing that was reported
NAME = "sweep"
IDENTITY, REASON, FOLDER, STEP, MINUTES = "identity", "reason", "folder", "step", "minutes"  # attributes in the study


class Pruned(Exception):
    """A trial that is clearly worse than others were at the same step."""


class _Report(Observer):
    """Tells the study each validation of a trial, and ends the trial when it falls behind."""

    def __init__(self, trial: Trial, prune: bool) -> None:
        self._trial, self._prune = trial, prune

    def start(self, step: int) -> None:
        self._told = set(_reported(self._trial))

    def validated(self, step: int, values: dict[str, float], model: nn.Module, *_: Any) -> None:
        if step not in self._told:
            self._trial.report(values["psnr_masked"], step)
        if self._prune and self._trial.should_prune():
            raise Pruned(f"behind the median at step {step}")


def run_sweep(
    spec: SweepSpec, out: Path, minutes: float = 0.0, say: Callable[[str], None] = print, workers: int = 1
) -> dict[str, Any]:
    """Run trials until there are as many as the sweep asks for, or continue a sweep that was stopped or killed.

    Maximised is the masked PSNR of the averaged weights on split `val` after the last step. A trial whose validation
    falls below the median of those of earlier rounds at that step is pruned. Interruptions do not change which are
    tried.

    Args:
        out: the sweep's folder: study.db, a run folder per trial, results.md, results.json, results.png, best.yaml.
        minutes: stop this call after so long; 0 = never.
        workers: trials of a round, each in a process of its own; 1 = one after the other, in this one.
    Returns:
        The content of results.json.
    Raises:
        UsageError: Optuna is missing, or `out` holds something else than this sweep.
        ConfigError: the store has nothing to validate on.
    """
    study = _open_study(spec, out)
    if not open_data(spec.base)[1]:
        raise ConfigError(
            f"{spec.base.data.store}: a sweep needs validation clips, but there are none in split 'val' "
            "(or train.val_clips is 0); preprocess holding some episodes out"
        )
    end = time.monotonic() + 60 * minutes if minutes > 0 else None
    while trials := _next_round(study, spec, out, workers):
        left = None if end is None else (end - time.monotonic()) / 60
        if left is not None and left <= 0:
            break
        numbers = [trial.number for trial in trials]
        ended = run_all(partial(_run_trial, spec, out, left, workers), numbers, workers=min(workers, len(numbers)))
        for trial, done in zip(trials, ended, strict=True):
            if not done.stopped:
                study.tell(trial, done.value, state=done.state)
        write_report(study, spec, out, say=None)
        stopped = [f"{n} ({done.stopped})" for n, done in zip(numbers, ended, strict=True) if done.stopped]
        if stopped:
            say(f"trial {', '.join(stopped)} was stopped; the same command continues it")
            break
    return write_report(study, spec, out, say)


@dataclass(frozen=True)
class _Ended:
    """What a trial came to; `stopped`: why it stopped early, "" where it did not."""

    state: TrialState | None = None
    value: float | None = None
    stopped: str = ""


def _open_study(spec: SweepSpec, out: Path) -> Study:
    try:
        import optuna
    except ImportError:
        raise UsageError("a sweep needs Optuna: pip install 'hstmae[sweep]'") from None
    if holds_run(out):
        raise UsageError(f"{out}: holds a run, no sweep; choose another --out")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    out.mkdir(parents=True, exist_ok=True)
    pruner: Any = optuna.pruners.NopPruner()
    if spec.prune_after:
        pruner = optuna.pruners.MedianPruner(n_startup_trials=spec.prune_after)
    study = optuna.create_study(
        storage=f"sqlite:///{(out / STUDY).resolve()}", study_name=NAME, direction="maximize", load_if_exists=True,
        pruner=pruner,
    )  # fmt: skip
    if study.user_attrs.setdefault(IDENTITY, spec.identity()) != spec.identity():
        raise UsageError(f"{out}: holds trials of another sweep; choose another --out, or delete it")
    study.set_user_attr(IDENTITY, spec.identity())
    return study


def _next_round(study: Study, spec: SweepSpec, out: Path, workers: int) -> list[Trial]:
    """The trials that were interrupted, or new ones, with what they try; none when all are done."""
    import optuna

    begun = [trial for trial in study.get_trials(deepcopy=False) if trial.state != optuna.trial.TrialState.WAITING]
    # A sampler of its own for each trial: an interrupted sweep goes on as an undisturbed one does.
    trials: list[Trial] = []

    def add(number: int, make: Callable[[], Trial]) -> None:
        study.sampler = optuna.samplers.TPESampler(seed=spec.seed + number)
        trials.append(make())
        _proposal(trials[-1], spec)
        trials[-1].set_user_attr(FOLDER, f"trial-{number:03}")

    for frozen in [trial for trial in begun if not trial.state.is_finished()][:workers]:
        add(frozen.number, partial(optuna.trial.Trial, study, frozen._trial_id))
    if not trials:
        for number in range(len(begun), min(spec.trials, len(begun) + workers)):
            add(number, study.ask)
    return trials


def _proposal(trial: Trial, spec: SweepSpec) -> dict[str, Any]:
    """What a trial tries: chosen once, and known to the study from then on."""
    return {parameter.name: parameter.suggest(trial) for parameter in spec.space}


class _Quiet(Trainer):
    """A trainer beside others: without a bar."""

    def _bar(self) -> tqdm:
        return tqdm(disable=True)


def _run_trial(
    spec: SweepSpec, out: Path, minutes: float | None, workers: int, number: int, advance: Advance
) -> Iterator[_Ended]:
    """Train one trial, or go on with it: the work of an executor."""
    import optuna
    from optuna.trial import TrialState

    study = _open_study(spec, out)
    trial = optuna.trial.Trial(study, study.get_trials(deepcopy=False)[number]._trial_id)
    began = time.monotonic()
    spent = float(trial.user_attrs.get(MINUTES, 0.0))
    folder = out / f"trial-{number:03}"
    state, value = TrialState.FAIL, None
    trainer = None
    try:
        config = spec.trial_config(_proposal(trial, spec), folder)
        payload = load_resume(folder, print)[0] if holds_run(folder) else None
        clips, held_back, details = open_data(config)
        if minutes is not None:
            config = replace(config, train=replace(config.train, max_minutes=minutes))
        if workers > 1 and not config.train.threads:
            threads = max(1, (os.cpu_count() or 1) // workers)
            config = replace(config, train=replace(config.train, threads=threads))
        details["sweep_trial"] = {"number": trial.number, **trial.params}
        kind = Trainer if workers == 1 else _Quiet
        trainer = kind(config, clips, held_back, details=details, say=lambda _: None)
        trainer.observers.append(_Report(trial, prune=spec.prune_after > 0))
        summary = trainer.fit(payload)
        if summary.stopped != FINISHED:
            yield _Ended(stopped=summary.stopped)
            return
        # Also where this call found the last step done: a checkpoint is written after its validation was reported.
        state, value = TrialState.COMPLETE, _reported(trial)[summary.step]
    except Pruned as reason:
        state = TrialState.PRUNED
        trial.set_user_attr(REASON, str(reason))
    except (DivergenceError, ConfigError) as reason:  # a bad proposal is a result as well
        trial.set_user_attr(REASON, str(reason))
    finally:
        trial.set_user_attr(STEP, trainer.step if trainer else 0)
        trial.set_user_attr(MINUTES, spent + (time.monotonic() - began) / 60)
    yield _Ended(state, value)


def _reported(trial: Trial) -> dict[int, float]:
    """Masked PSNR by step, of this trial's validations so far."""
    return trial.study.get_trials(deepcopy=False)[trial.number].intermediate_values
