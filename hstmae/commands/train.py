"""`hstmae train`: one training run, started, continued or only estimated."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..config import RunConfig

HELP = "train a model on a preprocessed store"
EXAMPLES = """\
examples:
  hstmae train --config configs/mae_nano.yaml
  hstmae train --config configs/mae_nano.yaml --set train.batch=16 --max-minutes 30 --out runs/quick
  hstmae train --resume runs/quick
  hstmae train --config configs/mae_tiny.yaml --dry-run
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="YAML file of the run (configs/mae_*.yaml)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides", help="override, e.g. train.lr=3e-4"
    )
    parser.add_argument(
        "--resume",
        type=Path,
        metavar="RUN",
        help="continue a run folder (or one of its .pth files) exactly where its last checkpoint is; its own "
        "configuration is used unless --config is given",
    )
    parser.add_argument("--init", metavar="CHECKPOINT", help="start from these weights (.pth, model folder or name)")
    parser.add_argument("--data", metavar="STORE", help="store to train on (data.store)")
    parser.add_argument("--out", metavar="DIR", help="run folder (train.out)")
    parser.add_argument("--max-minutes", type=float, metavar="M", help="stop this call after M minutes of training")
    parser.add_argument(
        "--max-steps", type=int, default=0, metavar="N", help="stop after step N; the schedule keeps its length"
    )
    parser.add_argument("--dry-run", action="store_true", help="run 3 steps, report speed and memory, write nothing")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the summary as JSON")


def run(args: argparse.Namespace) -> int:
    from ..errors import UsageError

    if args.config is None and args.resume is None:
        raise UsageError("give --config FILE to start a run or --resume RUN to continue one")
    if args.resume is not None and args.init is not None:
        raise UsageError("--init starts a new run and --resume continues one: give only one of them")
    if args.max_steps < 0 or (args.max_minutes is not None and args.max_minutes < 0):
        raise UsageError("--max-steps and --max-minutes must not be negative")
    payload, folder = _resume(args)
    config = _config(args, payload, folder)
    out = Path(config.train.out)
    from ..training.checkpoint import holds_run

    if not args.dry_run and holds_run(out) and (folder is None or out.resolve() != folder.resolve()):
        raise UsageError(f"{out}: already holds a run; continue it with --resume {out} or choose another --out")
    return _train(args, config, payload)


def _resume(args: argparse.Namespace) -> tuple[dict[str, Any] | None, Path | None]:
    if args.resume is None:
        return None, None
    from ..training.checkpoint import load_resume

    return load_resume(args.resume, print)


def _config(args: argparse.Namespace, payload: dict[str, Any] | None, folder: Path | None) -> RunConfig:
    """The run's configuration: file or checkpoint, then --set, then the options with a name of their own."""
    from ..config import RunConfig, apply_overrides, from_dict, load_config

    overrides = list(args.overrides)
    options = {"data.store": args.data, "train.max_minutes": args.max_minutes}
    options["train.out"] = args.out if args.out is not None else folder
    overrides += [f"{key}={value}" for key, value in options.items() if value is not None]
    if args.config is not None:
        config = load_config(args.config, overrides)
    else:
        assert payload is not None
        stored = from_dict(RunConfig, payload["config"], str(args.resume))
        # a time limit belongs to the call it was given to
        stored = replace(stored, train=replace(stored.train, max_minutes=0.0))
        config = apply_overrides(RunConfig, _plain(stored), overrides)
    if payload is not None:
        _report_changes(payload["config"], _plain(config))
    return config


def _report_changes(old: dict[str, Any], new: dict[str, Any]) -> None:
    from ..errors import ConfigError

    for section in new:
        for key, value in new[section].items():
            before = old.get(section, {}).get(key)
            if value == before or (section, key) in (("train", "out"), ("train", "max_minutes")):
                continue
            if section == "model":
                raise ConfigError(f"--resume: model.{key} was {before!r} and cannot become {value!r}; start a new run")
            print(f"changed since the checkpoint: {section}.{key} {before!r} -> {value!r}")


def _plain(config: RunConfig) -> dict[str, Any]:
    from ..config import to_dict

    return to_dict(config)


def _train(args: argparse.Namespace, config: RunConfig, payload: dict[str, Any] | None) -> int:
    from dataclasses import asdict

    from ..atomic import write_json
    from ..training.setup import initial_model, open_data
    from ..training.trainer import Trainer

    clips, held_back, facts = open_data(config)
    model = None if args.init is None else initial_model(args.init, config.model)
    if args.init is not None:
        facts["init"] = args.init
    trainer = Trainer(config, clips, held_back, model=model, facts=facts)
    if args.dry_run:
        result = trainer.estimate()
    else:
        summary = trainer.fit(payload, args.max_steps)
        result = asdict(summary)
    _print(result)
    if args.json is not None:
        write_json(args.json, result)
    return 0


def _print(result: dict[str, Any]) -> None:
    for name, value in result.items():
        if isinstance(value, dict):
            value = ", ".join(f"{k} {v:.4g}" for k, v in value.items()) or None
        elif isinstance(value, float):
            value = f"{value:.4g}"
        if value is not None:
            print(f"{name.replace('_', ' ')}: {value}")
