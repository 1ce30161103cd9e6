"""How far are the claims against a standard VideoMAE reached? Both from scratch, same size, clips, masks and steps.

    python benchmarks/videomae.py --store data/preprocessed --out runs/videomae
    python benchmarks/videomae.py --steps 300 --runs videomae,hst-full --model tiny
    python benchmarks/videomae.py --runs "" --clips 0      # speed alone, no store needed
    python benchmarks/videomae.py --quick --out out/quick  # does it run at all? two steps on small crops

Claimed are 23 % more spatial consistency (processing by regions), 18 % less error (state) and 2.3x faster inference
(hierarchy). Every run sees the same clips in the same order under the same 90 % tube masks, in one thread:

* `videomae`: `VideoMAEForPreTraining`, its width and depth chosen so that it has as many weights as our model, within
  5 %; plain RGB error, AdamW, the best of a few learning rates, each tried in a short run and judged on clips of split
  `train`. Needs `pip install hstmae[bench]`.
* `hst-full`, `hst-compact`, `hst-none`: our model by configs/mae_nano.yaml, trained and measured with that state.
* `hst-no-regions`: `hst-full` that takes every cube for the same kind of place, to tell what regions alone bring.

Measured are the averaged weights on split `val`, on hidden pixels alone: error, PSNR, and SSIM where its window lies in
one region of the picture (intra) or meets a border of regions (inter). Speed is measured in turns on one clip, colours
out, float32. Each run is an ordinary run folder, OUT/NAME: a finished one is not trained again, an interrupted one
continues. The tables are printed and written to OUT/videomae.md and OUT/videomae.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent))
from videomae_measure import CLAIMS, claims, filler, measure, measure_clips, measure_speed, tables
from videomae_model import VideoMAE, VideoMAETrainer, config_for, load_videomae, require_transformers

from hstmae.atomic import write_json, write_text
from hstmae.bundled import CONFIGS
from hstmae.config import RunConfig, load_config, to_dict
from hstmae.data.clips.clip import Clip
from hstmae.errors import HstError, UsageError
from hstmae.models import build_model, mae
from hstmae.models.checkpoint import LAST, PREVIOUS, holds_run, load_resume
from hstmae.models.inputs import CubeGrid
from hstmae.models.masking import tube_visible
from hstmae.models.zoo import VARIANTS, load_pretrained
from hstmae.training.run.setup import open_data
from hstmae.training.run.stopping import FINISHED
from hstmae.training.run.trainer import Trainer

RESULT, OTHER = "trained.json", "videomae"
BLIND = "hst-no-regions"
RUNS = {OTHER: "none", "hst-full": "full", "hst-none": "none", "hst-compact": "compact", BLIND: "full"}  # name: state
TRAIN_SIDE = 10**9  # first number of the train clips that judge learning rates, far from those that are learned
QUICK = ("data.crop=64", "train.batch=2", "train.queries=8")


def configure(args: argparse.Namespace, name: str, folder: str, steps: int, lr: float = 0.0) -> RunConfig:
    """The configuration of run `name` in OUT/`folder`; `lr` above 0 replaces its learning rate."""
    full, compact = (int(RUNS[name] == level) for level in ("full", "compact"))
    options = [
        f"data.store={args.store}", f"data.crop={args.crop}", f"train.batch={args.batch}", f"train.steps={steps}",
        f"train.seed={args.seed}", f"train.amp={args.amp}", f"train.val_every={steps}", "train.val_clips=0",
        "train.checkpoint_every=100", "train.keep_every=0", "train.threads=1", "train.tensorboard=false",
        "train.mask_ratios=[0.9]", "train.lost=0", "train.ema=0.99", "train.warmup=0.1",
        f"train.state_full={full}", f"train.state_compact={compact}", *(QUICK if args.quick else ()), *args.overrides,
    ]  # fmt: skip
    if lr > 0:
        options.append(f"train.absolute_lr={lr}")
    config = replace(load_config(args.config, options), model=VARIANTS[args.model])
    return replace(config, train=replace(config.train, out=str(args.out / folder)))


def settings(config: RunConfig) -> dict[str, Any]:
    """What a run depends on, as plain data."""
    plain = to_dict(config)
    del plain["train"]["out"]
    return json.loads(json.dumps(plain))


@contextmanager
def regions_for(name: str) -> Iterator[None]:
    """Inside, all cubes are of region 0 if the run is the one without regions."""
    kept = mae.cube_regions
    if name == BLIND:
        mae.cube_regions = no_regions  # type: ignore[assignment]
    try:
        yield
    finally:
        mae.cube_regions = kept


def no_regions(game: Any, state: Any, level: Tensor, grid: CubeGrid) -> Tensor:
    """Like `cube_regions`: int64 [B, N, S], but all 0."""
    return level.new_zeros(len(level), grid.units[0] * grid.units[1], grid.slices, dtype=torch.long)


def new_videomae(config: RunConfig) -> VideoMAE:
    """Fresh weights; the seed decides."""
    with torch.device("meta"):
        parameters = sum(p.numel() for p in build_model(config.model).parameters())
    torch.manual_seed(config.train.seed)
    return VideoMAE(config_for(parameters, config.data.crop, config.data.clip))


def train(name: str, config: RunConfig) -> dict[str, Any]:
    """Train one run, or continue it, or find it finished: its result, with CPU minutes and parameters.

    Raises:
        UsageError: the folder holds a run of other settings.
    """
    folder = Path(config.train.out)
    if (folder / RESULT).exists():
        result = json.loads((folder / RESULT).read_text(encoding="utf-8"))
        if result["settings"] != settings(config):
            raise UsageError(f"{folder}: was run with other settings; choose another --out, or delete it")
        return result
    print(f"training {folder.name}: {config.train.steps} steps of {config.train.batch} clips", flush=True)
    payload = load_resume(folder, print)[0] if holds_run(folder) else None
    clips, _, details = open_data(config)
    quiet: dict[str, Any] = {"details": {**details, "benchmark": name}, "say": lambda _: None}
    if name == OTHER:
        trainer: Trainer = VideoMAETrainer(config, clips, model=new_videomae(config), **quiet)
    else:
        trainer = Trainer(config, clips, **quiet)
    begun, clock = 0 if payload is None else payload["step"], time.process_time()
    with regions_for(name):
        summary = trainer.fit(payload)
    if summary.stopped != FINISHED:
        raise SystemExit(f"stopped by {summary.stopped}; the same command continues")
    seconds = (time.process_time() - clock) / max(1, summary.step - begun)
    result = {
        "name": name, "parameters": trainer.parameters, "steps": summary.step, "lr": config.train.absolute_lr,
        "cpu_minutes": seconds * summary.step / 60, "train_mse": summary.train.get("mse"), "settings": settings(config),
    }  # fmt: skip
    write_json(folder / RESULT, result)
    for checkpoint in (LAST, PREVIOUS):  # the averaged weights, in folder `model`, are enough
        (folder / checkpoint).unlink(missing_ok=True)
    return result


@torch.inference_mode()
def train_side_error(model: VideoMAE, clips: list[Clip]) -> float:
    """Mean squared error, colours in 0 .. 1, of the hidden pixels of clips under fixed masks."""
    total = 0.0
    for number, clip in enumerate(clips):
        colours = torch.from_numpy(clip.palette[clip.frames])[None]  # type: ignore[index]
        units = colours.shape[2] * colours.shape[3] // 256
        total += float(model(colours, tube_visible(1, units, 0.9, torch.Generator().manual_seed(number))))
    return total / len(clips)


def choose_lr(args: argparse.Namespace) -> dict[str, float]:
    """Error after a short run by learning rate; the schedule is the whole one in small."""
    found: dict[str, float] = {}
    for lr in args.lrs:
        config = configure(args, OTHER, f"{OTHER}-lr-{lr:g}", args.search_steps, lr)
        train(OTHER, config)
        data = open_data(config)[0]
        judged = [data.random(TRAIN_SIDE + k) for k in range(args.search_clips)]
        found[f"{lr:g}"] = train_side_error(load_videomae(Path(config.train.out) / "model"), judged)
        print(f"  learning rate {lr:g}: squared error {found[f'{lr:g}']:.5f} on clips of split train", flush=True)
    return found


def compare(args: argparse.Namespace) -> dict[str, Any]:
    """All wanted runs, measured; the table after each."""
    report: dict[str, Any] = {"runs": {}, "learning_rates": {}, "speed": [], "torch": str(torch.__version__)}
    clips: list[Clip] = []
    if args.clips:
        clips = measure_clips(args.store, 64 if args.quick else args.crop, args.clips, args.seed)
        report["filler"] = filler(clips, args.seed)
    for name in args.runs:
        lr = 0.0
        if name == OTHER:
            report["learning_rates"] = errors = choose_lr(args)
            lr = float(min(errors, key=lambda key: errors[key]))
        result = train(name, configure(args, name, name, args.steps, lr))
        folder = args.out / name / "model"
        model = load_videomae(folder) if name == OTHER else load_pretrained(folder)
        row = {k: v for k, v in result.items() if k != "settings"}
        row["clips_seen"] = result["steps"] * result["settings"]["train"]["batch"]
        with regions_for(name):
            report["runs"][name] = row | {"state": RUNS[name], **measure(model, clips, RUNS[name], args.seed)}
        write(args, report)
    for model_name in args.speed:
        for side in (64,) if args.quick else args.sides:
            made = measure_speed(model_name, side, 1 if args.quick else args.repeats)
            report["speed"].append(made)
            print(f"{model_name} {side}x{side}: {made['ratio']:.2f}x as fast as VideoMAE", file=sys.stderr, flush=True)
            write(args, report)
    return report


def write(args: argparse.Namespace, report: dict[str, Any]) -> None:
    report["claims"] = claims(report, args.model)
    write_json(args.out / "videomae.json", report)
    write_text(args.out / "videomae.md", tables(report))


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=CONFIGS / "mae_nano.yaml", help="recipe of our model")
    parser.add_argument("--model", default="nano", help="a variant, by default nano")
    parser.add_argument("--store", default="data/preprocessed")
    parser.add_argument("--out", type=Path, default=Path("runs/videomae"))
    parser.add_argument("--runs", default=",".join(RUNS), help='comma separated; "" trains nothing')
    parser.add_argument("--steps", type=int, default=700, help="of each run")
    parser.add_argument("--batch", type=int, default=4, help="clips per step")
    parser.add_argument("--crop", type=int, default=224, help="side of training and measured clips")
    parser.add_argument("--amp", default="auto", choices=("auto", "off", "bf16"), help="of training")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--clips", type=int, default=48, help="clips of split val that are measured")
    parser.add_argument("--lrs", default="5e-4,1e-3,2e-3", help="learning rates tried for VideoMAE")
    parser.add_argument("--search-steps", type=int, default=140, help="length of each try")
    parser.add_argument("--search-clips", type=int, default=16, help="clips that judge a try")
    parser.add_argument("--speed", default="nano,tiny,small", help='variants whose speed is measured; "" = none')
    parser.add_argument("--sides", default="224,320", help="picture sides in pixels at which it is measured")
    parser.add_argument("--repeats", type=int, default=11, help="rounds of the speed measurement")
    parser.add_argument("--quick", action="store_true", help="two steps on 64x64 crops, one clip, one round")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report here as well")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides", help="for all runs"
    )
    args = parser.parse_args(argv)
    require_transformers()
    torch.set_num_threads(1)
    try:
        args.lrs = [float(lr) for lr in args.lrs.split(",")]
        args.sides = [int(side) for side in args.sides.split(",")]
    except ValueError:
        parser.error("--lrs and --sides take numbers, comma separated")
    args.model = full_name(args.model)
    args.speed = [full_name(name) for name in args.speed.split(",") if name]
    args.runs = [name for name in args.runs.split(",") if name]
    unknown = [n for n in args.runs if n not in RUNS] + [n for n in (args.model, *args.speed) if n not in VARIANTS]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; runs: {', '.join(RUNS)}; variants: {', '.join(VARIANTS)}")
    if args.quick:
        args.steps, args.search_steps, args.search_clips, args.clips = 2, 1, 1, min(args.clips, 1)
        args.speed = args.speed[:1]
    try:
        report = compare(args)
    except HstError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return problem.exit_code
    write(args, report)
    print(tables(report))
    print(f"claimed: {', '.join(CLAIMS.values())}")
    if args.json:
        write_json(args.json, report)
    return 0


def full_name(name: str) -> str:
    return f"hst-mae-{name.strip().removeprefix('hst-mae-')}"


if __name__ == "__main__":
    sys.exit(main())
