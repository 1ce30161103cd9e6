"""`hstmae train`: one training run, started, continued or only estimated."""

from __future__ import annotations

import argparse
import re
import sys
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..bundled import find_config
from ..errors import ConfigError, UsageError
from ..output import Kind, Output, write_result
from .options import AMOUNT, COUNT, Number
from .options.data import check_data

if TYPE_CHECKING:
    from ..config import RunConfig
    from ..training.run.distributed import World

HELP = "train a model on a preprocessed store"
EXAMPLES = """\
examples:
  hstmae train --config configs/mae_nano.yaml
  hstmae train --config configs/mae_nano.yaml --set train.batch=16 --max-minutes 30 --out runs/quick
  hstmae train --resume runs/quick
  hstmae train --config configs/mae_tiny.yaml --dry-run
  hstmae train --config configs/codec_nano.yaml
  hstmae train --sweep configs/sweep_example.yaml --out runs/sweep
  torchrun --standalone --nproc-per-node 8 -m hstmae train --config configs/mae_base.yaml --resume auto
"""
AUTO = Path("auto")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--config", type=find_config, metavar="FILE", help="YAML file of the run (configs/mae_*.yaml)")
    add("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides", help="e.g. train.lr=3e-4")
    add(
        "--resume",
        type=Path,
        metavar="RUN",
        help="continue a run folder (or one of its .pth files) exactly where its last checkpoint is; its own "
        "configuration is used unless --config is given; 'auto': continue the run folder of --config if it holds a "
        "checkpoint, else start there",
    )
    add(
        "--init",
        metavar="CHECKPOINT",
        help="start from these weights (.pth, model folder or name); those of a model of half the width are grown",
    )
    add(
        "--sweep",
        type=find_config,
        metavar="FILE",
        help="try many settings instead (configs/sweep_example.yaml); again with the same --out, it continues",
    )
    at_once = "trials of --sweep that run at the same time, each in a process of its own (default: 1)"
    add("--workers", type=Number(1, 64), metavar="N", help=at_once)
    add("--data", metavar="STORE", help="store to train on (data.store)")
    add("--out", metavar="DIR", help="run folder (train.out)")
    add("--export", metavar="FILE", help="keep the best averaged weights alone in this .pth file (train.export)")
    add("--max-minutes", type=AMOUNT, metavar="M", help="stop this call after M minutes of training")
    add("--max-steps", type=COUNT, default=0, metavar="N", help="stop after step N; the schedule keeps its length")
    add("--dry-run", action="store_true", help="run 3 steps, report speed and memory, write nothing")
    add("--json", metavar="FILE", help="write the summary as JSON")


def outputs(args: argparse.Namespace) -> list[Output]:
    return [(args.out, Kind.GROWING), (None if args.resume else args.export, Kind.FILE), (args.json, Kind.FILE)]


def run(args: argparse.Namespace) -> int:
    if args.sweep is not None:
        return _sweep(args)
    if args.workers is not None:
        raise UsageError("--workers is for trials of a --sweep; data.workers says how many threads read clips")
    if args.config is None and args.resume is None:
        raise UsageError("give --config FILE to start a run or --resume RUN to continue one")
    if args.config is None and args.resume == AUTO:
        raise UsageError("--resume auto may have to start the run: give its --config FILE as well")
    if args.resume not in (None, AUTO) and args.init is not None:
        raise UsageError("--init starts a new run and --resume continues one: give only one of them")
    if args.resume not in (None, AUTO):
        from ..early import check_resume

        check_resume(args.resume)
    if args.config is not None and _is_codec(args.config):
        return _codec(args)
    if args.config is not None:
        _check_early(args)
    from ..models.checkpoint import holds_run
    from ..training.run.distributed import joined_world

    with joined_world() as world:
        payload, folder = _resume(args, world)
        config = _config(args, payload, folder, world)
        out = Path(config.train.out)
        continues = folder is not None and out.resolve() == folder.resolve()
        held = not args.dry_run and not (continues and args.resume) and args.resume != AUTO and holds_run(out)
        if held and not (payload is not None and _interrupted(payload, config)):
            raise UsageError(f"{out}: already holds a run; continue it with --resume {out} or choose another --out")
        if held:
            print(f"{out}: going on with the run that is there", file=sys.stderr)
        world.wait()  # before the first rank begins to write there
        return _train(args, config, payload, world)


def _check_early(args: argparse.Namespace) -> None:
    """Refuse what is wrong with the configuration, or a store or model that is not there, before PyTorch is loaded."""
    from ..config import load_config
    from ..limits import check_model, check_run
    from ..model_folders import check_model as check_init

    config = load_config(args.config, _overrides(args, None))
    check_run(config)
    check_model(config.model)
    check_data(config.data.store)
    if args.init is not None and args.resume is None:
        check_init(args.init)


def _overrides(args: argparse.Namespace, folder: Path | None) -> list[str]:
    """What goes on top of the configuration: --set, then the options with a name of their own."""
    options = {"data.store": args.data, "train.max_minutes": args.max_minutes, "train.export": args.export}
    options["train.out"] = args.out if args.out is not None else folder
    return [*args.overrides, *(f"{key}={value}" for key, value in options.items() if value is not None)]


def _resume(args: argparse.Namespace, world: World) -> tuple[dict[str, Any] | None, Path | None]:
    """The checkpoint to continue from and the folder it lies in, if there is one."""
    from ..models.checkpoint import can_resume, load_resume

    source = args.resume
    if source == AUTO or (source is None and not args.dry_run):
        source = Path(_config(args, None, None, world).train.out)
        if not can_resume(source):
            return None, None
    if source is None:
        return None, None
    if not world.first:
        world.wait()  # the first rank moves a damaged checkpoint out of the way
    found = load_resume(source, print if world.first else lambda _: None)
    if world.first:
        world.wait()
    return found


def _interrupted(payload: dict[str, Any], config: RunConfig) -> bool:
    """Whether a checkpoint is of a run of this very configuration that has not come to its end."""
    from ..config import RunConfig, from_dict, to_dict

    began = from_dict(RunConfig, payload["config"], "the checkpoint's configuration")
    mine = replace(config, train=replace(config.train, max_minutes=0.0))
    its = replace(began, train=replace(began.train, max_minutes=0.0, out=config.train.out))
    return to_dict(mine) == to_dict(its) and payload["step"] < config.train.steps


def _config(args: argparse.Namespace, payload: dict[str, Any] | None, folder: Path | None, world: World) -> RunConfig:
    """The run's configuration: file or checkpoint, then what the command line says."""
    from ..config import RunConfig, apply_overrides, from_dict, load_config, to_dict

    overrides = _overrides(args, folder)
    if args.config is not None:
        config = load_config(args.config, overrides)
    else:
        assert payload is not None
        stored = from_dict(RunConfig, payload["config"], str(args.resume))
        # a time limit belongs to the call it was given to
        stored = replace(stored, train=replace(stored.train, max_minutes=0.0))
        config = apply_overrides(RunConfig, to_dict(stored), overrides)
    if payload is not None:
        _report_changes(payload["config"], to_dict(config), world)
    return config


def _report_changes(old: dict[str, Any], new: dict[str, Any], world: World) -> None:
    from ..config import RunConfig, from_dict, to_dict

    old = to_dict(from_dict(RunConfig, old, "the checkpoint's configuration"))  # what it does not tell is the default
    for section in new:
        for key, value in new[section].items():
            before = old[section][key]
            if value == before or (section, key) in (("train", "out"), ("train", "max_minutes")):
                continue
            if section == "model":
                raise ConfigError(f"--resume: model.{key} was {before!r} and cannot become {value!r}; start a new run")
            if world.first:
                print(f"changed since the checkpoint: {section}.{key} {before!r} -> {value!r}")


def _sweep(args: argparse.Namespace) -> int:
    for name in ("config", "resume", "init", "max_steps", "dry_run", "export"):
        if getattr(args, name):
            raise UsageError(f"--sweep does not go with --{name.replace('_', '-')}; the sweep file says what to train")
    if args.out is None:
        raise UsageError("--sweep needs --out DIR, a folder for its trials")
    from ..training.sweep.spec import load_sweep

    overrides = list(args.overrides) + ([f"data.store={args.data}"] if args.data is not None else [])
    sweep = load_sweep(args.sweep, overrides)  # what is wrong with it is told before PyTorch is loaded
    check_data(sweep.base.data.store)
    from ..training.sweep.sweep import run_sweep

    results = run_sweep(sweep, Path(args.out), args.max_minutes or 0.0, workers=args.workers or 1)
    write_result(args.json, results)
    return 0


def _train(args: argparse.Namespace, config: RunConfig, payload: dict[str, Any] | None, world: World) -> int:
    from ..limits import check_run
    from ..locks import alone
    from ..training.run.setup import initial_model, open_data
    from ..training.run.trainer import Trainer
    from ..training.run.watch import boards, tensorboard

    check_run(config)  # before a store is opened by it
    clips, held_back, details = open_data(config)
    model = None
    if args.init is not None:
        details["init"] = args.init
        if payload is None:
            model = initial_model(args.init, config.model)
    trainer = Trainer(config, clips, held_back, model=model, details=details, world=world)
    if world.first and not args.dry_run:  # sharded weights answer only when all ranks ask
        trainer.observers += boards(config)
        trainer.observers += tensorboard(config, [] if trainer.sharded else held_back, trainer.device, print)
    if args.dry_run:
        result = trainer.estimate()
    else:
        with alone(config.train.out) if world.first else nullcontext():
            result = asdict(trainer.fit(payload, args.max_steps))
    if world.first:
        _print(result)
        write_result(args.json, result)
    return 0


def _is_codec(config: Path) -> bool:
    """Whether a configuration file has a section `codec`: it is then a run of codec training."""
    try:
        return config.is_file() and bool(re.search(r"(?m)^codec:", config.read_text()))
    except (OSError, UnicodeDecodeError):
        return False  # which is told when the file is read as a configuration


def _codec(args: argparse.Namespace) -> int:
    from ..config import load_yaml
    from ..training.codec.config import CodecRun

    for name in ("resume", "export", "dry_run"):
        if getattr(args, name):
            raise UsageError(f"codec training does not go with --{name.replace('_', '-')}")
    given = {"init": args.init, "store": args.data, "out": args.out, "max_minutes": args.max_minutes}
    given |= {"steps": args.max_steps or None}
    overrides = [*args.overrides, *(f"train.{key}={value}" for key, value in given.items() if value is not None)]
    config = load_yaml(CodecRun, args.config, overrides)
    check_data(config.train.store)
    from ..training.codec.trainer import CodecTrainer

    result = CodecTrainer(config).fit()
    _print(result)
    write_result(args.json, result)
    return 0


def _print(result: dict[str, Any]) -> None:
    for name, value in result.items():
        if isinstance(value, dict):
            value = ", ".join(f"{k} {v:.4g}" for k, v in value.items()) or None
        elif isinstance(value, float):
            value = f"{value:.4g}"
        if value is not None:
            print(f"{name.replace('_', ' ')}: {value}")
