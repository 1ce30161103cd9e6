"""The training loop: batches in order, optimiser steps, averaged weights, validation, checkpoints, a clean stop."""

import math
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from ...config import RunConfig
from ...data.clips.clip import Clip
from ...data.clips.dataset import ClipDataset
from ...data.clips.prefetch import Prefetcher
from ...errors import HstError
from ...models import save_pretrained
from ...models.checkpoint import BEST, keep_epoch, remove_leftovers, save_checkpoint, save_last, save_weights
from ...restoration.restorer import Restorer
from .distributed import World
from .learner import Learner
from .optim import peak_lr
from .progress import Pace, RunSummary, progress_line, psnr
from .records import MetricsLog, write_record
from .setup import batches_from, epoch_steps, place_clips
from .stopping import FINISHED, MAX_MINUTES, MAX_STEPS, Stop
from .validation import validate
from .watch import Observer

SAVE_SECONDS, SAVE_SHARE, SAVE_COST = 0.25, 0.02, 16  # a checkpoint after so long: see `_due`
LOG_EVERY = 10  # steps whose means make one line of metrics.jsonl; terms are checked for NaN as often


class DivergenceError(HstError):
    """Training met a loss or gradient that is not finite. The last checkpoint is from before that."""


class Trainer(Learner):
    """Runs a Learner over its clips, and keeps the run's folder. With several ranks the first one alone writes."""

    def __init__(
        self,
        config: RunConfig,
        clips: ClipDataset,
        held_back: Sequence[Clip] = (),
        *,
        model: nn.Module | None = None,
        details: dict[str, Any] | None = None,
        say: Callable[[str], None] = print,
        world: World | None = None,
    ) -> None:
        """
        Args:
            config, model, world: see `Learner`; `config.train.out` is the run's folder.
            clips: where batches come from; its seed and the step decide what is in them.
            held_back: clips for validation; without any, no best.pth is kept.
            details: recorded in run.yaml (the store's hash, for instance).
            say: receives the lines meant for a person, on the first rank.
        Raises:
            ConfigError: values that cannot be trained with, or a device that is not there.
            DataError: the store is to be kept on the device and does not fit.
        """
        super().__init__(config, model, world)
        self.held_back, self.details = held_back, details or {}
        self.say = say if self.world.first else lambda _: None
        self.clips, self.workers = place_clips(clips, config, self.device, self.say)
        self.epoch = epoch_steps(clips, config.train.batch)
        self.run = Path(config.train.out)
        self._stop = Stop(self.world)
        self.observers: list[Observer] = []  # on the first rank
        self._saved, self._saving = time.monotonic(), 0.0  # when there was a checkpoint, and how long that took
        self._pending: list[dict[str, Tensor]] = []  # terms of steps not logged yet, still on the device

    def fit(self, resume: dict[str, Any] | None = None, max_steps: int = 0) -> RunSummary:
        """Train until the schedule ends, a limit is reached or a signal comes; then write checkpoint and weights.

        Args:
            resume: a payload of `load_checkpoint` to continue from; its step is where the data continues too.
            max_steps: stop once this many steps are done in total, schedule unchanged; 0 = at its end.
        Raises:
            CheckpointError: `resume` does not fit the model.
            DivergenceError: a term became NaN or infinite; the last checkpoint is kept.
            OSError: the run folder cannot be written.
        """
        train = self.config.train
        self._prepare(resume)
        end = min(train.steps, max_steps) if max_steps > 0 else train.steps
        began = time.monotonic()
        stopped = self._reason(began, end)
        last: dict[str, float] = {}
        newest: dict[str, float] = {}
        total = Pace()
        with ExitStack() as stack:
            stack.enter_context(self._stop.signals())
            log = stack.enter_context(closing(MetricsLog(self.run, self.step))) if self.world.first else None
            for observer in self.observers:
                stack.enter_context(closing(observer))
                observer.start(self.step)
            bar = stack.enter_context(closing(self._bar()))
            batches = stack.enter_context(self._prefetcher())
            resumed, waited = time.monotonic(), 0.0
            while not stopped:
                asked = time.monotonic()
                batch = next(batches).to(self.device)
                waited += time.monotonic() - asked
                self._pending.append(self.advance(batch))
                stopped = self._reason(began, end)
                save = bool(stopped) or self.step % train.checkpoint_every == 0 or self._epochs_to_keep() > 0
                check = self.step % train.val_every == 0 or stopped in (FINISHED, MAX_STEPS, MAX_MINUTES)
                due = self._due(time.monotonic() - began)
                if save or check or self.step % LOG_EVERY == 0:
                    count = len(self._pending)
                    last = self._flush()
                    recent = Pace(count * train.batch, time.monotonic() - resumed, waited)
                    total += recent
                    last |= recent.rates()
                    if log is not None:
                        log.write({"step": self.step, **last})
                    for observer in self.observers:
                        observer.log(self.step, last)
                    bar.set_postfix_str(progress_line(last, newest), refresh=False)
                bar.update()
                if check and self.held_back:
                    newest = self._validate()
                    if log is not None:
                        log.write({"step": self.step, **{f"val_{name}": value for name, value in newest.items()}})
                    for observer in self.observers:
                        observer.validated(self.step, newest, self.average.model, *self.drawn)
                if save or due:
                    asked = time.monotonic()
                    self._terms()  # nothing that is not finite is saved
                    self._save()
                    resumed += time.monotonic() - asked  # validating and saving are no part of the training speed
                if not self._pending:
                    resumed, waited = time.monotonic(), 0.0
        self._export()
        minutes = (time.monotonic() - began) / 60
        return RunSummary(
            str(self.run), self.step, train.steps, stopped, minutes, **total.rates(), train=last, validation=newest,
            best_psnr_masked=self.best,
        )  # fmt: skip

    def estimate(self, steps: int = 3) -> dict[str, float]:
        """Train `steps` steps in memory, without a run folder, and say what they cost.

        Returns:
            `seconds_per_step` (the first step, which warms up, left out), `clips_per_second`, `hours_of_schedule`,
            and on CUDA `peak_memory_gib`.
        """
        train, began = self.config.train, 0.0
        with self._prefetcher() as batches:
            for count in range(steps + 1):
                terms = self.advance(next(batches).to(self.device))
                if not math.isfinite(float(terms["loss"])):  # reading it also waits for the device
                    raise DivergenceError(f"the loss of step {count + 1} is {float(terms['loss'])}")
                began = began or time.monotonic()
        seconds = (time.monotonic() - began) / steps
        result = {
            "seconds_per_step": seconds,
            "clips_per_second": train.batch / seconds,
            "hours_of_schedule": seconds * train.steps / 3600,
        }
        if self.device.type == "cuda":
            result["peak_memory_gib"] = torch.cuda.max_memory_allocated(self.device) / 2**30
        return result

    def _prepare(self, resume: dict[str, Any] | None) -> None:
        train = self.config.train
        if resume is not None:
            self.restore(resume)
        payload = self.payload() if resume is None else None
        if self.world.first:
            self.run.mkdir(parents=True, exist_ok=True)
            remove_leftovers(self.run)
            if payload is not None:
                asked = time.monotonic()
                save_last(payload, self.run)  # so that a run killed in its first steps can be resumed as well
                self._saving = time.monotonic() - asked
            self._saved = time.monotonic()
            write_record(self.run, self.config, self.details, None if resume is None else self.step)
        size, ranks = f"{self.parameters / 1e6:.2f} M parameters", self.world.size
        self.say(f"run folder {self.run}, {self.device}, autocast {self.amp or 'off'}, {size}")
        shares = f" on {ranks} ranks ({train.parallel})" if ranks > 1 else ""
        shares += f" in passes of {train.batch // ranks // self.passes}" if self.passes > 1 else ""
        self.say(
            f"steps {self.step} .. {train.steps}, {train.batch} clips each{shares}, "
            f"peak learning rate {peak_lr(train):.3g}"
        )
        if self.epoch:
            self.say(f"an epoch is {self.epoch:.4g} steps, the run {train.steps / self.epoch:.4g} epochs")
        if not self.held_back:
            self.say("no validation clips: nothing is held back, and no best.pth will be kept")

    def _bar(self) -> tqdm:
        return tqdm(
            total=self.config.train.steps, initial=self.step, unit="step", file=sys.stderr, dynamic_ncols=True,
            disable=not self.world.first,
        )  # fmt: skip

    def _prefetcher(self) -> Prefetcher:
        """This rank's clips of the steps from here on."""
        return batches_from(self.clips, self.workers, self.step, self.config.train.batch, self.world)

    def _reason(self, began: float, end: int) -> str:
        """Why to stop now, for all ranks alike; "" to go on."""
        minutes, reason = self.config.train.max_minutes, ""
        if self.step >= end:
            reason = FINISHED if end == self.config.train.steps else MAX_STEPS
        elif minutes > 0 and time.monotonic() - began >= minutes * 60:
            reason = MAX_MINUTES
        return self._stop.agree(reason)

    def _flush(self) -> dict[str, float]:
        """Means over steps and ranks of the terms since the last call; DivergenceError if one is not finite."""
        columns = self._terms()
        self._pending.clear()
        means = {name: sum(column) / len(column) for name, column in columns.items()}
        return {**means, "psnr_masked": psnr(means["mse"]), "lr": self.optimizer.param_groups[0]["lr"]}

    def _terms(self) -> dict[str, tuple[float, ...]]:
        """Terms of the steps that are not logged yet, means over ranks; DivergenceError if one is not finite."""
        if not self._pending:
            return {}
        begin = self.step - len(self._pending) + 1
        names = list(self._pending[0])
        own = torch.stack([torch.stack([terms[n].float() for n in names]) for terms in self._pending])
        table = self.world.mean(own).tolist()
        for step, row in enumerate(table, begin):
            for name, value in zip(names, row, strict=True):
                if not math.isfinite(value):
                    raise DivergenceError(
                        f"{self.run}: term '{name}' became {value} at step {step}; the last checkpoint is kept. "
                        "Resume with a lower learning rate (--set train.absolute_lr=...) or with train.amp off"
                    )
        return dict(zip(names, zip(*table, strict=True), strict=True))

    def _validate(self) -> dict[str, float]:
        """Measure the averaged weights on the held-back clips; keep them as best.pth when they are the best so far."""
        self.world.join_marks(self.average.model)
        result = {"psnr_masked": 0.0, "exact_match": 0.0}
        if self.world.first or self.sharded:
            with torch.autocast(self.device.type, dtype=self.amp, enabled=self.amp is not None):
                restorer = Restorer(self.average.model, self.config.model, self.device, recall=False, fast=False)
                result = validate(restorer, self.held_back, self.config.train.seed)
        result = dict(zip(result, self.world.of_first(list(result.values())), strict=True))
        if self.best is None or result["psnr_masked"] > self.best:
            self.best = result["psnr_masked"]
            payload = self.payload()
            if self.world.first:
                save_checkpoint(payload, self.run / BEST)
                if self.config.train.export:
                    save_weights(payload, Path(self.config.train.export))
        return result

    def _save(self) -> None:
        asked = time.monotonic()
        payload = self.payload()
        if self.world.first:
            save_last(payload, self.run)
            self._saved, self._saving = time.monotonic(), time.monotonic() - asked
            if epoch := self._epochs_to_keep():
                keep_epoch(self.run, epoch)

    def _due(self, seconds: float) -> bool:
        """Whether a killed run would lose too much of what it did since the last checkpoint, after `seconds` of it.

        The share of time that checkpoints take stays small, at most one in SAVE_COST, and so does the share of work
        that can be lost.
        """
        since = time.monotonic() - self._saved
        limit = max(SAVE_SECONDS, SAVE_SHARE * seconds, SAVE_COST * self._saving)
        return bool(self.world.largest(int(self.world.first and since > limit)))

    def _epochs_to_keep(self) -> int:
        """The number of epochs that ended with this step, if its checkpoint is one that stays; else 0."""
        every = self.config.train.keep_every * self.epoch
        if every <= 0 or self.step // every == (self.step - 1) // every:
            return 0
        return int(self.step // every) * self.config.train.keep_every

    def _export(self) -> None:
        """Write the averaged weights as a model folder, ready for evaluation and restoration."""
        payload = self.payload()
        if not self.world.first:
            return
        save_pretrained(payload["ema"], self.config.model, self.run / "model")
        self.say(f"averaged weights of step {self.step} written to {self.run / 'model'}")
        export = self.config.train.export
        if export and self.best is None:
            save_weights(payload, Path(export))
        if export:
            self.say(f"weights {'of the last step' if self.best is None else 'of the best step'} are in {export}")
