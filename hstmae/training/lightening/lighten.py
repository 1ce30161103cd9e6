"""`lighten`: a small model out of a large one, in steps that each leave a model folder with a card."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...atomic import write_text
from ...config import ModelConfig, RunConfig
from ...data.clips.clip import Clip
from ...errors import ConfigError
from ...model_folders import ATLAS, CONFIG, WEIGHTS, find_model
from ...models.checkpoint import can_resume, load_resume
from ...models.mae import HSTMAE
from ...models.slimming import slim, why_not
from ...models.zoo import load_pretrained, save_pretrained
from ...restoration.restorer import Restorer
from ..run.setup import open_data
from ..run.stopping import FINISHED
from ..run.trainer import Trainer
from ..run.validation import validate
from .card import card
from .importance import importance

PRUNED, RUN, MODEL = "pruned", "run", "model"  # folders of the steps
FIGURES = "figures.json"
BATCHES, SKIPPING = 24, 6  # that importance is measured on
LEVELS = ("full", "compact", "none")
DTYPES = {"int8": torch.int8, "fp16": torch.float16}


def lighten(
    config: RunConfig, out: Path, weights: str, *, max_steps: int = 0, say: Callable[[str], None] = print
) -> dict[str, Any]:
    """Cut `config.model` out of `config.train.teacher`, train it on the teacher's answers, store it in few bytes.

    What is there in `out` of an earlier call is gone on with: importance is not measured twice, training continues
    from its last checkpoint.

    Args:
        weights: what the last step stores, see `DTYPES`.
        max_steps: stop training after so many steps in all; 0 = at the schedule's end.
    Returns:
        `folder` of the model, `stopped` (why training did), and `figures`: of the teacher and of every step.
    Raises:
        ConfigError: the model cannot be cut out of its teacher.
        CheckpointError, StoreError, DataError: as training raises them.
    """
    source = find_model(config.train.teacher)
    teacher = load_pretrained(source)
    if problem := why_not(teacher.config, config.model):
        raise ConfigError(f"{config.model.name} cannot be cut out of {config.train.teacher}: {problem}")
    config = replace(config, train=replace(config.train, out=str(out / RUN)))
    clips, held, details = open_data(config)
    steps = _Steps(out, held, config.train.seed, say)
    steps.measure("teacher", teacher, source)
    if not (out / PRUNED / CONFIG).is_file():
        say(f"measuring what matters in {config.train.teacher} on {BATCHES * config.train.batch} clips")
        scores, blocks = importance(teacher, clips, config, BATCHES, SKIPPING)
        pruned = slim(teacher.state_dict(), teacher.config, config.model, scores, blocks)
        _write(pruned.state_dict(), config.model, out / PRUNED, torch.float16, source)
    model = load_pretrained(out / PRUNED)
    steps.measure(PRUNED, model, out / PRUNED)
    _write_card(out / PRUNED, config, steps.figures, f"{PRUNED}, not trained yet")
    trainer = Trainer(config, clips, held, model=model, details=details | {"teacher": config.train.teacher}, say=say)
    payload = load_resume(out / RUN, say)[0] if can_resume(out / RUN) else None
    done = trainer.fit(payload, max_steps)
    taught = trainer.average.model
    if done.stopped == FINISHED or not done.stopped.startswith("SIG"):
        _write(taught.state_dict(), config.model, out / MODEL, DTYPES[weights], source)
        step = f"distilled, step {done.step} of {done.steps}"
        steps.measure(step, taught, out / RUN / MODEL)
        steps.measure(f"{step}, {weights}", load_pretrained(out / MODEL), out / MODEL)
        for folder in (out / RUN / MODEL, out / MODEL):
            _write_card(folder, config, steps.figures, step)
    return {"folder": str(out / MODEL), "stopped": done.stopped, "step": done.step, "figures": steps.figures}


class _Steps:
    """Figures of each step, kept in a file so that none is measured twice."""

    def __init__(self, out: Path, held: Sequence[Clip], seed: int, say: Callable[[str], None]) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self.path, self.held, self.seed, self.say = out / FIGURES, held, seed, say
        self.figures: dict[str, Any] = json.loads(self.path.read_text("utf-8")) if self.path.is_file() else {}

    def measure(self, name: str, model: nn.Module, folder: Path) -> None:
        if name in self.figures:
            return
        assert isinstance(model, HSTMAE)
        self.figures[name] = figures(model, folder, self.held, self.seed)
        write_text(self.path, json.dumps(self.figures, indent=1) + "\n")
        self.say(f"{name}: {_short(self.figures[name])}")


def figures(model: HSTMAE, folder: Path, held: Sequence[Clip], seed: int) -> dict[str, Any]:
    """What a model weighs, how fast it draws and how well, on held-back clips (whole frames, tubes at 90 %).

    Returns:
        `parameters` that compute and `tables` that are looked up; `bytes` of its weights on disk; `ms_per_frame`, CPU
        time of network and read-out; and of each state level `psnr_masked` and `exact_match` of the network alone.
    """
    tables = sum(p.numel() for m in model.modules() if isinstance(m, nn.Embedding) for p in m.parameters(recurse=False))
    whole = sum(p.numel() for p in model.parameters())
    restorer = Restorer(model, model.config, recall=False)
    quality, spent = {}, []
    for level in LEVELS:
        began = time.process_time()
        if held:
            quality[level] = validate(restorer, held, seed, level)
        spent.append(time.process_time() - began)
    frames = sum(len(clip.frames) for clip in held)
    return {
        "parameters": whole - tables,
        "tables": tables,
        "bytes": (folder / WEIGHTS).stat().st_size,
        "ms_per_frame": min(spent) / frames * 1e3 if frames else None,
        "quality": quality,
    }


def _write(weights: dict[str, torch.Tensor], config: ModelConfig, folder: Path, dtype: Any, source: Path) -> None:
    """A model folder with the atlas of the model it comes from; complete when it has a config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    if (source / ATLAS).is_file():
        temporary = folder / f".{ATLAS}.part"
        shutil.copyfile(source / ATLAS, temporary)
        os.replace(temporary, folder / ATLAS)
    save_pretrained(weights, config, folder, dtype)


def _write_card(folder: Path, config: RunConfig, found: dict[str, Any], what: str) -> None:
    write_text(folder / "README.md", card(config, found, what))


def _short(found: dict[str, Any]) -> str:
    quality = ", ".join(f"{level} {q['psnr_masked']:.2f} dB" for level, q in found["quality"].items())
    return f"{found['parameters'] / 1e6:.2f} M computing parameters, {found['bytes'] / 1e6:.2f} MB; {quality}"
