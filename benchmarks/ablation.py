"""What does each ingredient of the training bring? Short runs of equal length that differ in one thing each.

    python benchmarks/ablation.py --store data/preprocessed --out runs/ablation [--steps 400] [--seeds 0,1,2]
        [--variants baseline,curriculum] [--set train.batch=8]
    python benchmarks/ablation.py --list

Every variant trains from scratch for the same number of steps on the same clips: a seed fixes the weights at the start
and the order of the clips for all variants, so differences from the baseline are taken seed by seed. Measured are the
averaged weights of the last step, on whole frames with a 90 % tube mask, always the same clips and masks: split `val`
with full, compact and no state, and split `val_level` (levels that no training clip shows) with full state.

Each run is an ordinary run folder, `OUT/VARIANT/seed-N`. A finished one is not repeated, an interrupted one continues.
Runs take one thread; several processes may work on different variants or seeds of one OUT (seeds 0,1 here, 2,3 there).
Each writes the table of all that is finished: OUT/ablation.md and OUT/ablation.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from tqdm import tqdm

from hstmae.atomic import write_json, write_text
from hstmae.bundled import CONFIGS
from hstmae.config import RunConfig, apply_overrides, from_dict, load_config, to_dict
from hstmae.data.clips.clip import Clip
from hstmae.data.clips.dataset import ClipDataset
from hstmae.data.store.reader import EpisodeStore
from hstmae.errors import HstError, UsageError
from hstmae.models.checkpoint import LAST, PREVIOUS, holds_run, load_resume
from hstmae.restoration.restorer import Restorer
from hstmae.training.run.setup import choose_device, crop_size, open_data
from hstmae.training.run.stopping import FINISHED
from hstmae.training.run.trainer import Trainer
from hstmae.training.run.validation import validate

RESULT, BASELINE = "result.json", "baseline"
MEASURES = {
    "full": ("val", "full"),
    "compact": ("val", "compact"),
    "none": ("val", "none"),
    "new level": ("val_level", "full"),
}
MEASURE_SEED = 0  # of clips and masks, whatever the seed of the run

# Small crops, few clips, few decoded cubes: 400 steps of Nano take two to three minutes on one core.
COMMON = (
    "data.crop=112", "train.batch=4", "train.queries=48", "train.ema=0.99", "train.warmup=0.1",
    "train.state_full=0.7", "train.state_compact=0.15", "train.threads=1",
    "train.keep_every=0",
)  # fmt: skip

CURRICULUM = "train.curriculum.enabled=true"
# The curriculum's own schedule of state levels would be a second difference: it is held at the baseline's.
SAME_STATE = ("train.curriculum.state_full=[0.7, 0.7, 0.7]", "train.curriculum.state_compact=[0.15, 0.15, 0.15]")
SPATIAL, TEMPORAL = "train.spatial_loss=0.3", "train.temporal_loss=0.2"
STATE = ("model.state_alignment=true", "train.state_loss=0.1")

# What each variant changes: its overrides, and what they mean.
VARIANTS: dict[str, tuple[tuple[str, ...], str]] = {
    BASELINE: ((), "cross-entropy and posterior-mean error, neutral masks, state full 70 %, compact 15 %"),
    "ce-only": (("train.rgb_loss=0",), "palette cross-entropy alone"),
    "spatial": ((SPATIAL,), "with spatial consistency"),
    "temporal": ((TEMPORAL,), "with temporal coherence"),
    "state-alignment": (STATE, "with state alignment"),
    "all-losses": ((SPATIAL, TEMPORAL, *STATE), "with all three"),
    "emphasis": (("train.emphasis=1",), "pixels of sprites, edges and rare colours count double"),
    "curriculum": ((CURRICULUM, *SAME_STATE), "masks from easy to hard"),
    "curriculum-state": ((CURRICULUM,), "the same with its own schedule of state levels"),
    "state-full": (("train.state_full=1", "train.state_compact=0"), "always the full state"),
    "state-compact": (("train.state_full=0", "train.state_compact=1"), "always the compact state"),
    "state-none": (("train.state_full=0", "train.state_compact=0"), "never a state"),
    "lost": (("train.lost=0.25",), "a quarter of the clips without being told the map"),
    "uniform-queries": (("train.hard_queries=0",), "decoded cubes chosen uniformly"),
    "dual-masking": (("train.decoder_keep=0.5",), "decoded cubes only from the running cell's half"),
    "decode-all": (("train.queries=0",), "every masked cube is decoded"),
    "decode-half": (("train.queries=0", "train.decoder_keep=0.5"), "dual masking: the running cell's half is decoded"),
    "rgb-head": (("model.head=rgb",), "colours instead of a posterior over the palette"),
    "muon": (("train.optimizer=muon",), "orthogonalised updates for matrices, at the same learning rate"),
}


def plan(args: argparse.Namespace) -> dict[str, RunConfig]:
    """One configuration per variant, without seed and folder. Raises ConfigError at a key that does not exist."""
    unknown = [name for name in args.variants if name not in VARIANTS]
    if unknown:
        raise UsageError(f"--variants: unknown: {', '.join(unknown)}; known: {', '.join(VARIANTS)}")
    options = [f"train.steps={args.steps}", *COMMON]
    options += [f"train.{key}={args.steps}" for key in ("val_every", "checkpoint_every")]
    options += [f"data.store={args.store}"] if args.store else []
    base = to_dict(load_config(args.config, [*options, *args.overrides]))
    return {name: apply_overrides(RunConfig, base, VARIANTS[name][0]) for name in args.variants}


def measured_clips(config: RunConfig, count: int) -> dict[str, list[Clip]]:
    """At most `count` whole-frame clips of each split that is measured; none of a split that the store lacks."""
    store = EpisodeStore(Path(config.data.store))
    clips: dict[str, list[Clip]] = {}
    for split in sorted({split for split, _ in MEASURES.values()}):
        sizes = [info.size for info in store.infos() if info.split == split]
        clips[split] = []
        if sizes:
            data = ClipDataset(
                store, splits=(split,), clip=config.data.clip, stride=config.data.stride, crop=crop_size(sizes, 0),
                seed=MEASURE_SEED,
            )  # fmt: skip
            clips[split] = [data.clip(*place) for place in data.sequential(count, MEASURE_SEED)]
    if not clips["val"]:
        raise UsageError(f"{store.path}: has no episode in split 'val' to measure with; preprocess holding some out")
    return clips


def settings(config: RunConfig) -> dict[str, Any]:
    """What a result depends on, as plain data: everything but where it is written, and on how many threads."""
    plain = to_dict(config)
    for key in ("out", "threads", "seed"):
        del plain["train"][key]
    return json.loads(json.dumps(plain))


def finished(folder: Path, config: RunConfig) -> dict[str, Any] | None:
    """The result of a run, None where it has not finished. Raises UsageError when it is of other settings."""
    path = folder / RESULT
    if not path.exists():
        return None
    result = json.loads(path.read_text(encoding="utf-8"))
    if result["settings"] != settings(config):
        raise UsageError(f"{folder}: was run with other settings; choose another --out, or delete it")
    return result


def run(variant: str, config: RunConfig, clips: dict[str, list[Clip]]) -> dict[str, Any]:
    """Train one variant with one seed, or continue it, measure it, and write its result."""
    folder = Path(config.train.out)
    payload = load_resume(folder, tqdm.write)[0] if holds_run(folder) else None
    if payload is not None and settings(from_dict(RunConfig, payload["config"])) != settings(config):
        raise UsageError(f"{folder}: was begun with other settings; choose another --out, or delete it")
    train, _, details = open_data(config)
    trainer = Trainer(config, train, details=details, say=lambda _: None)
    clock = time.process_time()
    summary = trainer.fit(payload)
    cpu = time.process_time() - clock
    if summary.stopped != FINISHED:
        raise SystemExit(f"stopped by {summary.stopped}; the same command continues")
    device = choose_device(config.train.device)
    restorer = Restorer(trainer.average.model, config.model, device, recall=False, fast=False)
    measures = {}
    for name, (split, level) in MEASURES.items():
        if clips[split]:
            measures[name] = validate(restorer, clips[split], MEASURE_SEED, level)
    result = {
        "variant": variant, "seed": config.train.seed, "steps": summary.step, "measures": measures,
        "cpu_seconds_per_step": None if payload else cpu / summary.step, "settings": settings(config),
    }  # fmt: skip
    write_json(folder / RESULT, result)
    for checkpoint in (LAST, PREVIOUS):  # dozens of runs: the averaged weights, in folder `model`, are enough
        (folder / checkpoint).unlink(missing_ok=True)
    return result


def spread(values: list[float]) -> dict[str, Any]:
    """Mean and standard deviation (n - 1; None for a single value)."""
    deviation = statistics.stdev(values) if len(values) > 1 else None
    return {"mean": statistics.fmean(values), "std": deviation, "count": len(values)}


def tabulate(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row per variant: each measure over the seeds, and its difference from the baseline of the same seed."""
    rows = []
    base = {r["seed"]: r["measures"] for r in results if r["variant"] == BASELINE}
    for variant in VARIANTS:
        mine = sorted((r for r in results if r["variant"] == variant), key=lambda r: r["seed"])
        if not mine:
            continue
        row: dict[str, Any] = {"variant": variant, "what": VARIANTS[variant][1], "seeds": [r["seed"] for r in mine]}
        for name in MEASURES:
            for key in ("psnr_masked", "exact_match"):
                values = [r["measures"][name][key] for r in mine if name in r["measures"]]
                gains = [
                    r["measures"][name][key] - base[r["seed"]][name][key]
                    for r in mine
                    if name in r["measures"] and name in base.get(r["seed"], {})
                ]
                if values:
                    row.setdefault(name, {})[key] = spread(values)
                if gains and variant != BASELINE:
                    row.setdefault(name, {})[key + "_gain"] = spread(gains)
        times = [r["cpu_seconds_per_step"] for r in mine if r["cpu_seconds_per_step"]]
        row["cpu_seconds_per_step"] = spread(times) if times else None
        rows.append(row)
    return rows


def markdown(rows: list[dict[str, Any]]) -> str:
    """Masked PSNR per state level, exact entries, and the paired gain over the baseline."""

    def cell(value: dict[str, Any] | None, sign: str = "", scale: float = 1.0, digits: int = 2) -> str:
        if value is None:
            return ""
        text = f"{scale * value['mean']:{sign}.{digits}f}"
        return text if value["std"] is None else f"{text} ± {scale * value['std']:.{digits}f}"

    names = [name for name in MEASURES if any(name in row for row in rows)]
    head = ["variant", "seeds", *(f"{name}, dB" for name in names), "full: gain, dB", "full: exact, %", "CPU s/step"]
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    for row in rows:
        full = row.get("full", {})
        cells = [row["variant"], str(len(row["seeds"])), *(cell(row.get(n, {}).get("psnr_masked")) for n in names)]
        cells += [cell(full.get("psnr_masked_gain"), "+"), cell(full.get("exact_match"), scale=100)]
        lines.append("| " + " | ".join([*cells, cell(row["cpu_seconds_per_step"], digits=3)]) + " |")
    meaning = "\n".join(f"- {row['variant']}: {row['what']}" for row in rows)
    return "\n".join(lines) + "\n\n" + meaning + "\n"


def collect(out: Path, base: RunConfig) -> list[dict[str, Any]]:
    """Results in `out` of runs that share the settings of `base`, the baseline."""
    found = []
    for path in sorted(out.glob(f"*/seed-*/{RESULT}")):
        result = json.loads(path.read_text(encoding="utf-8"))
        if result["variant"] in VARIANTS:
            expected = settings(apply_overrides(RunConfig, to_dict(base), VARIANTS[result["variant"]][0]))
            if result["settings"] == expected:
                found.append(result)
    return found


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="print the variants and what they change")
    parser.add_argument("--config", type=Path, default=CONFIGS / "mae_nano.yaml", help="what all runs share")
    parser.add_argument("--store", help="data.store")
    parser.add_argument("--out", type=Path, default=Path("runs/ablation"))
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seeds", default="0,1,2", help="comma separated")
    parser.add_argument("--variants", default=",".join(VARIANTS), help="comma separated; all by default")
    parser.add_argument("--clips", type=int, default=8, help="clips measured per split")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides", help="for all variants"
    )
    args = parser.parse_args(argv)
    if args.list:
        for name, (overrides, what) in VARIANTS.items():
            print(f"{name}: {what}  [{', '.join(overrides)}]")
        return 0
    args.variants = [name.strip() for name in args.variants.split(",")]
    try:
        seeds = [int(seed) for seed in args.seeds.split(",")]
    except ValueError:
        parser.error(f"--seeds: whole numbers, comma separated, not {args.seeds!r}")
    try:
        return ablate(args, seeds)
    except HstError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return problem.exit_code


def ablate(args: argparse.Namespace, seeds: list[int]) -> int:
    """All wanted runs, seed by seed so that an early look compares all variants; the table after each."""
    configs = plan(args)
    base = plan(argparse.Namespace(**{**vars(args), "variants": [BASELINE]}))[BASELINE]
    clips = measured_clips(base, args.clips)
    for seed in seeds:
        for variant, config in configs.items():
            folder = args.out / variant / f"seed-{seed}"
            config = apply_overrides(RunConfig, to_dict(config), [f"train.seed={seed}", f"train.out={folder}"])
            if finished(folder, config) is None:
                result = run(variant, config, clips)
                print(variant, seed, {n: round(m["psnr_masked"], 2) for n, m in result["measures"].items()}, flush=True)
                _write(args.out, base)
    print(_write(args.out, base))
    return 0


def _write(out: Path, base: RunConfig) -> str:
    rows = tabulate(collect(out, base))
    text = markdown(rows)
    write_json(out / "ablation.json", {"settings": settings(base), "rows": rows})
    write_text(out / "ablation.md", text)
    return text


if __name__ == "__main__":
    sys.exit(main())
