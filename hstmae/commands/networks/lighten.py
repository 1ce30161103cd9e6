"""`hstmae lighten`: a small model out of a large one."""

from __future__ import annotations

import argparse
from pathlib import Path

from ...bundled import find_config
from ...errors import UsageError
from ...output import Kind, Output, write_result
from ..options import AMOUNT, COUNT
from ..options.data import check_data

HELP = "make a small model out of a large one: cut it out, train it on the large one's answers, store it in few bytes"
EXAMPLES = """\
examples:
  hstmae lighten --config configs/mae_pico.yaml --data data/preprocessed --out runs/pico
  hstmae lighten --config configs/mae_pico.yaml --data data/preprocessed --out runs/pico --max-minutes 60
  hstmae restore INPUT --checkpoint runs/pico/model --out restored
Again with the same --out, it goes on where it was stopped.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--config",
        type=find_config,
        required=True,
        metavar="FILE",
        help="YAML file of the small model and its training",
    )
    add("--teacher", metavar="MODEL", help="the large model (train.teacher)")
    add("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides", help="e.g. train.steps=2000")
    add("--data", metavar="STORE", help="store to train on (data.store)")
    add(
        "--out", type=Path, required=True, metavar="DIR", help="folder of the steps; the model is in its folder `model`"
    )
    add("--weights", choices=("int8", "fp16"), default="int8", help="how weights are stored (default: %(default)s)")
    add("--max-minutes", type=AMOUNT, metavar="M", help="stop training after M minutes of this call")
    add("--max-steps", type=COUNT, default=0, metavar="N", help="stop training after step N; its schedule stays")
    add("--json", metavar="FILE", help="write the figures of every step as JSON")


def outputs(args: argparse.Namespace) -> list[Output]:
    return [(args.out, Kind.GROWING), (args.json, Kind.FILE)]


def run(args: argparse.Namespace) -> int:
    from ...config import load_config
    from ...limits import check_model, check_run
    from ...locks import alone
    from ...model_folders import check_model as check_name

    given = {"train.teacher": args.teacher, "data.store": args.data, "train.max_minutes": args.max_minutes}
    words = [f"{key}={value}" for key, value in given.items() if value is not None]
    config = load_config(args.config, [*args.overrides, *words])
    check_run(config)
    check_model(config.model)
    if not config.train.teacher:
        raise UsageError(f"{args.config}: names no train.teacher; give the large model as --teacher")
    check_name(config.train.teacher)
    check_data(config.data.store)
    from ...training.lightening.lighten import lighten

    with alone(args.out):
        result = lighten(config, args.out, args.weights, max_steps=args.max_steps)
    print(f"training stopped: {result['stopped']} (step {result['step']} of {config.train.steps})")
    print(f"model: {result['folder']}" if (args.out / "model").is_dir() else "run the same command again to go on")
    write_result(args.json, result)
    return 0
