"""Can the model memorise, and does it use the state? It is trained on 8 clips and nothing else, then asked for them.

    python benchmarks/overfit.py [--model tiny] [--level full|compact|none|all] [--steps 1200] [--json FILE]

The clips are 16 consecutive frames of the bundled sample session each, cropped to 224x224. Training runs through the
trainer's own step, with a fresh 90 % tube mask every time; the masks of the final measurement were never trained on.
Reported per state level: PSNR of the masked pixels (posterior-mean colour) and exact palette entries, with each clip's
own state, and with the state of another clip. If the state is used, the second must be clearly worse; without state the
two are the same by construction. Weights are measured as trained, without averaging.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from hstmae.atomic import write_text
from hstmae.bundled import SAMPLES
from hstmae.config import DataConfig, RunConfig, TrainConfig
from hstmae.data import EpisodeStore
from hstmae.data.clips.clip import Clip, collate
from hstmae.data.clips.dataset import ClipDataset
from hstmae.data.store.preprocessing import preprocess
from hstmae.models.state.tokens import LEVELS
from hstmae.models.zoo import VARIANTS
from hstmae.restoration.restorer import Restorer
from hstmae.training.run.trainer import Trainer
from hstmae.training.run.validation import validate

SAMPLE = SAMPLES / "sample_session"
CLIPS, FRAMES, SIDE, RATIO = 8, 16, 224, 0.9


def load_clips(folder: Path) -> ClipDataset:
    preprocess(SAMPLE, folder, workers=1, val_fraction=0)
    return ClipDataset(EpisodeStore(folder), clip=FRAMES, stride=1, crop=SIDE)


def eight(data: ClipDataset) -> list[Clip]:
    """Eight clips spread evenly over the session, all cropped at one place."""
    last = data.store.info(0).frames - FRAMES
    return [data.clip(0, round(i * last / (CLIPS - 1)), (16, 16)) for i in range(CLIPS)]


def measure(trainer: Trainer, clips: list[Clip], level: str, seed: int, shift: int = 0) -> dict[str, float]:
    """Masked PSNR (pooled) and share of exact entries; clip i gets the state of clip i + shift."""
    restorer = Restorer(trainer.model, trainer.config.model, trainer.device, recall=False, fast=False)
    states = [clip.state for clip in clips[shift:] + clips[:shift]]
    shifted = [replace(clip, state=state) for clip, state in zip(clips, states, strict=True)]
    return validate(restorer, shifted, seed, level)


def overfit(clips: list[Clip], data: ClipDataset, args: argparse.Namespace, level: str) -> dict[str, Any]:
    number = LEVELS.index(level)
    train = TrainConfig(
        batch=args.batch,
        steps=args.steps,
        absolute_lr=args.lr,
        warmup=0.05,
        weight_decay=0.0,  # to memorise is the aim
        mask_ratios=(RATIO,),
        queries=args.queries,
        state_full=float(number == 2),
        state_compact=float(number == 1),
        ema=0.0,
        amp=args.amp,
        seed=args.seed,
        device=args.device,
    )
    config = RunConfig(VARIANTS[args.model], DataConfig(clip=FRAMES, stride=1, crop=SIDE), train)
    trainer = Trainer(config, data, [])
    generator = torch.Generator().manual_seed(args.seed)
    started = time.monotonic()
    with tqdm(total=args.steps, desc=level, file=sys.stderr, dynamic_ncols=True) as bar:
        order = torch.empty(0, dtype=torch.long)
        for step in range(args.steps):
            if len(order) < args.batch:
                order = torch.cat([order, torch.randperm(CLIPS, generator=generator)])
            index, order = order[: args.batch], order[args.batch :]
            terms = trainer.advance(collate([clips[i] for i in index.tolist()]).to(trainer.device))
            bar.update()
            if step % 20 == 0:
                bar.set_postfix_str(f"loss {float(terms['loss']):.4f}")
    own = measure(trainer, clips, level, args.seed + 1)
    other = measure(trainer, clips, level, args.seed + 1, shift=CLIPS // 2)
    return {
        "level": level,
        "steps": args.steps,
        "minutes": (time.monotonic() - started) / 60,
        "own_state": own,
        "other_state": other,
        "lost_db": own["psnr_masked"] - other["psnr_masked"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="tiny", help="a variant, by default tiny")
    parser.add_argument("--level", default="all", choices=("all", *LEVELS))
    parser.add_argument("--steps", type=int, default=1200, help="per state level")
    parser.add_argument("--batch", type=int, default=4, help="clips per step, at most 8")
    parser.add_argument("--queries", type=int, default=128, help="cubes decoded per clip and step")
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--amp", default="auto", choices=("auto", "off", "bf16", "fp16"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    args.model = f"hst-mae-{args.model.removeprefix('hst-mae-')}"
    if args.model not in VARIANTS:
        parser.error(f"unknown model {args.model}; known: {', '.join(VARIANTS)}")
    if not 1 <= args.batch <= CLIPS or args.steps < 1:
        parser.error(f"--batch must be 1 .. {CLIPS} and --steps at least 1")
    with tempfile.TemporaryDirectory() as folder:
        data = load_clips(Path(folder) / "store")
        clips = eight(data)
        rows = []
        for level in ("full", "compact", "none") if args.level == "all" else (args.level,):
            row = overfit(clips, data, args, level)
            rows.append(row)
            own, other = row["own_state"], row["other_state"]
            print(
                f"{args.model}, state {level:7s}: {own['psnr_masked']:5.2f} dB masked, {own['exact_match']:.3%} exact; "
                f"with another clip's state {other['psnr_masked']:5.2f} dB, {other['exact_match']:.3%}; "
                f"{row['steps']} steps in {row['minutes']:.1f} min",
                flush=True,
            )
    if args.json:
        report = {"model": args.model, "clips": CLIPS, "ratio": RATIO, "seed": args.seed, "levels": rows}
        write_text(args.json, json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
