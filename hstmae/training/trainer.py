"""The training loop: batches in order, optimiser steps, averaged weights, validation, checkpoints, a clean stop."""

from __future__ import annotations

import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from ..config import RunConfig, to_dict
from ..data.dataset import Clip, ClipBatch, ClipDataset, Prefetcher
from ..errors import CheckpointError, HstError
from ..models import build_model, save_pretrained
from .checkpoint import BEST, remove_leftovers, save_checkpoint, save_last
from .curriculum import mask_source
from .optim import WeightAverage, build_optimizer, lr_at, peak_lr
from .progress import Pace, Summary, progress_line, psnr
from .records import MetricsLog, write_record
from .setup import check_config, choose_amp, choose_device
from .step import seed_of, step_losses
from .validation import validate

LOG_EVERY = 10  # steps whose means make one line of metrics.jsonl; terms are checked for NaN as often
MODEL = 2  # stream of a step's seed: what the model itself draws (drop path)
FINISHED, MAX_STEPS, MAX_MINUTES = "finished", "max_steps", "max_minutes"


class DivergenceError(HstError):
    """Training met a loss or gradient that is not finite. The last checkpoint is from before that."""


class Trainer:
    """Trains one model on one device; a function of its configuration alone, on CPU to the last bit."""

    def __init__(
        self,
        config: RunConfig,
        clips: ClipDataset,
        held_back: Sequence[Clip] = (),
        *,
        model: nn.Module | None = None,
        facts: dict[str, Any] | None = None,
        say: Callable[[str], None] = print,
    ) -> None:
        """
        Args:
            config: the run; `config.train.out` is its folder.
            clips: where batches come from; its seed and the step decide what is in them.
            held_back: clips for validation; without any, no best.pth is kept.
            model: train this module instead of a fresh `build_model(config.model)`.
            facts: recorded in run.yaml (the store's hash, for instance).
            say: receives the lines meant for a person.
        Raises:
            ConfigError: values that cannot be trained with, or a device that is not there.
        """
        check_config(config)
        self.config, self.clips, self.held_back = config, clips, held_back
        self.facts, self.say = facts or {}, say
        self.run = Path(config.train.out)
        self.device = choose_device(config.train.device)
        self.amp = choose_amp(config.train.amp, self.device)
        if self.device.type == "cuda":
            torch.set_float32_matmul_precision("high")  # what autocast leaves in float32 runs on tensor cores as well
        if config.train.threads > 0:
            torch.set_num_threads(config.train.threads)
        torch.manual_seed(seed_of(config.train.seed))
        self.model = (model or build_model(config.model)).to(self.device).train()
        self.average = WeightAverage(self.model, config.train.ema)
        self.optimizer = build_optimizer(self.model, config.train)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.amp == torch.float16)
        self.masks = mask_source(config)
        self.step = 0  # optimiser steps done
        self.best: float | None = None
        self._signal = ""
        self._pending: list[dict[str, Tensor]] = []  # terms of steps not logged yet, still on the device

    def fit(self, resume: dict[str, Any] | None = None, max_steps: int = 0) -> Summary:
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
        total, recent = Pace(), Pace()
        log = MetricsLog(self.run, self.step)
        bar = tqdm(total=train.steps, initial=self.step, unit="step", file=sys.stderr, dynamic_ncols=True)
        with self._signals(), closing(log), closing(bar), self._prefetcher() as batches:
            recent.start()
            while not stopped:
                asked = time.monotonic()
                batch = next(batches).to(self.device)
                recent.waited += time.monotonic() - asked
                self._pending.append(self.advance(batch))
                stopped = self._reason(began, end)
                save = bool(stopped) or self.step % train.checkpoint_every == 0
                check = self.step % train.val_every == 0 or stopped in (FINISHED, MAX_STEPS, MAX_MINUTES)
                if save or check or self.step % LOG_EVERY == 0:
                    count = len(self._pending)
                    last = self._flush()
                    recent.stop(count * train.batch)
                    total.add(recent)
                    last |= recent.rates()
                    log.write({"step": self.step, **last})
                    bar.set_postfix_str(progress_line(last, newest), refresh=False)
                bar.update()
                if check and self.held_back:
                    newest = self._validate()
                    log.write({"step": self.step, **{f"val_{name}": value for name, value in newest.items()}})
                if save:
                    save_last(self._payload(), self.run)
                if not self._pending:  # validating and saving are no part of the training speed
                    recent.start()
        self._export()
        minutes = (time.monotonic() - began) / 60
        return Summary(
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

    def advance(self, batch: ClipBatch) -> dict[str, Tensor]:
        """One optimiser step on a batch (on the trainer's device). Returns its raw terms, detached, on the device."""
        train = self.config.train
        torch.manual_seed(seed_of(train.seed, self.step, MODEL))
        for group in self.optimizer.param_groups:
            group["lr"] = lr_at(self.step, train)
        self.optimizer.zero_grad(set_to_none=True)
        inputs = self.masks.draw(batch, self.step)
        observe = partial(self.masks.observe, inputs) if self.masks.observes else None
        with torch.autocast(self.device.type, dtype=self.amp, enabled=self.amp is not None):
            loss, terms = step_losses(self.model, batch, inputs, train, self.config.model.head, observe)
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimizer)
        limit = train.clip_grad if train.clip_grad > 0 else math.inf
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), limit, foreach=True)
        if not self.scaler.is_enabled():  # with loss scaling an overflow is expected now and then; that step is skipped
            terms["grad_norm"] = norm.detach()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.average.update(self.model, self.step)
        self.step += 1
        return terms

    def _prepare(self, resume: dict[str, Any] | None) -> None:
        self.run.mkdir(parents=True, exist_ok=True)
        remove_leftovers(self.run)
        if resume is None:
            save_last(self._payload(), self.run)  # so that a run killed in its first steps can be resumed as well
        else:
            self._restore(resume)
        write_record(self.run, self.config, self.facts, None if resume is None else self.step)
        train, count = self.config.train, sum(p.numel() for p in self.model.parameters())
        self.say(f"run folder {self.run}, {self.device}, autocast {self.amp or 'off'}, {count / 1e6:.2f} M parameters")
        self.say(
            f"steps {self.step} .. {train.steps}, {train.batch} clips each, peak learning rate {peak_lr(train):.3g}"
        )
        if not self.held_back:
            self.say("no validation clips: nothing is held back, and no best.pth will be kept")

    def _prefetcher(self) -> Prefetcher:
        """Batches of the steps from here on."""
        return Prefetcher(self.clips, self.config.train.batch, self.step, self.config.data.workers)

    def _reason(self, began: float, end: int) -> str:
        """Why to stop now; "" to go on."""
        minutes = self.config.train.max_minutes
        if self.step >= end:
            return FINISHED if end == self.config.train.steps else MAX_STEPS
        if minutes > 0 and time.monotonic() - began >= minutes * 60:
            return MAX_MINUTES
        return self._signal

    def _flush(self) -> dict[str, float]:
        """Means of the terms since the last call; raises DivergenceError at the first that is not finite."""
        begin = self.step - len(self._pending) + 1
        names = list(self._pending[0])
        table = torch.stack([torch.stack([terms[n].float() for n in names]) for terms in self._pending]).tolist()
        self._pending.clear()
        for step, row in enumerate(table, begin):
            for name, value in zip(names, row, strict=True):
                if not math.isfinite(value):
                    raise DivergenceError(
                        f"{self.run}: term '{name}' became {value} at step {step}; the last checkpoint is kept. "
                        "Resume with a lower learning rate (--set train.absolute_lr=...) or with train.amp off"
                    )
        means = {name: sum(column) / len(table) for name, column in zip(names, zip(*table, strict=True), strict=True)}
        return {**means, "psnr_masked": psnr(means["mse"]), "lr": self.optimizer.param_groups[0]["lr"]}

    def _validate(self) -> dict[str, float]:
        """Measure the averaged weights on the held-back clips; keep them as best.pth when they are the best so far."""
        with torch.autocast(self.device.type, dtype=self.amp, enabled=self.amp is not None):
            result = validate(
                self.average.model, self.held_back, self.device, self.config.train.seed, self.config.model.head
            )
        if self.best is None or result["psnr_masked"] > self.best:
            self.best = result["psnr_masked"]
            save_checkpoint(self._payload(), self.run / BEST)
        return result

    def _payload(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "config": to_dict(self.config),
            "model": self.model.state_dict(),
            "ema": self.average.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "masks": self.masks.state_dict(),
            "best": self.best,
        }

    def _restore(self, payload: dict[str, Any]) -> None:
        wanted = [{k: group[k] for k in ("betas", "weight_decay")} for group in self.optimizer.param_groups]
        try:
            self.model.load_state_dict(payload["model"])
            self.average.model.load_state_dict(payload["ema"])
            self.optimizer.load_state_dict(payload["optimizer"])
            if payload.get("masks"):
                self.masks.load_state_dict(payload["masks"])
        except (RuntimeError, ValueError, KeyError) as problem:
            name = self.config.model.name
            raise CheckpointError(f"the checkpoint to resume does not fit model {name}: {problem}") from None
        for group, values in zip(self.optimizer.param_groups, wanted, strict=True):
            group.update(values)  # the configuration decides, also where it was changed since
        if self.scaler.is_enabled() and payload["scaler"]:
            self.scaler.load_state_dict(payload["scaler"])
        self.step, self.best = payload["step"], payload["best"]

    def _export(self) -> None:
        """Write the averaged weights as a model folder, ready for evaluation and restoration."""
        save_pretrained(self.average.model.state_dict(), self.config.model, self.run / "model")
        self.say(f"averaged weights of step {self.step} written to {self.run / 'model'}")

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Turn SIGTERM and the first SIGINT into a stop after the current step; a second SIGINT interrupts at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def note(number: int, _: object) -> None:
            self._signal = signal.Signals(number).name
            signal.signal(signal.SIGINT, signal.default_int_handler)

        old = {s: signal.signal(s, note) for s in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in old.items():
                signal.signal(number, handler)
