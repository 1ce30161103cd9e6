"""Live restoration of damaged play: frames per second, latency, dropped frames and quality, beside `restore` offline.

    python benchmarks/live_restoring.py [INPUT ...] [--level full] [--frames 240] [--threads 2] [--rate 30]

INPUT is a store, or recordings in smbdataset layout (all of their episodes); the bundled session by default. `--frames`
of each episode, from the middle on, are damaged in each way of `hstmae.masks.damage`, and by tubes of 90 %; masked
pixels are measured. Frames per second and latency are those of `LiveRestorer` in this process, one frame after the
other (without its first 16, which warm up). With `--rate` the same frames go through `LiveWorker` in real time: what is
late comes back as it came, and counts as it is into "exact, late ones too". `--model ""` restores by motion recall.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from realtime import SAMPLE

import hstmae
from hstmae.atomic import write_text
from hstmae.data.episode import Episode
from hstmae.data.store.manifest import is_store
from hstmae.data.store.preprocessing import preprocess
from hstmae.data.store.reader import EpisodeStore
from hstmae.evaluation.decibels import psnr
from hstmae.inference.live import LiveRestorer
from hstmae.inference.live.worker import LiveResult, LiveWorker
from hstmae.masks.damage import damages
from hstmae.masks.tubes import TubeSpec, tube_mask
from hstmae.restoration.anything import AnythingRestorer

WARM_UP = 16  # frames that are not timed
DEADLINE = 0.25  # seconds


class Clip:
    """Frames of an episode as what restores gets them: entries for a model, else colours."""

    def __init__(self, episode: Episode, count: int, model: Any) -> None:
        count = min(count, len(episode.frames))
        start = (len(episode.frames) - count) // 2
        assert episode.palette is not None
        self.name, self.entries = episode.name, np.asarray(episode.frames[start : start + count])
        self.palette, self.state = episode.palette, None
        if episode.state is not None and model is not None:
            self.state = np.asarray(episode.state[start : start + count])
        self.rgb = episode.palette[self.entries]
        self.frames = self.rgb if model is None else self.entries

    def memory(self, t: int) -> np.ndarray | None:
        return None if self.state is None else self.state[t]

    def measured(self, pictures: np.ndarray, mask: np.ndarray) -> dict[str, float]:
        """Quality of pictures like `frames`, in the masked pixels."""
        rgb = pictures if pictures.ndim == 4 else self.palette[pictures]
        wrong = ((rgb[mask].astype(np.float64) - self.rgb[mask]) ** 2).mean()
        return {"psnr": psnr(float(wrong)), "exact": float((rgb[mask] == self.rgb[mask]).all(-1).mean())}


def live(model: Any, level: str, clip: Clip, mask: np.ndarray) -> dict[str, Any]:
    """Frame by frame, as fast as it goes."""
    restorer = LiveRestorer(model, state_level=level)
    made, waits, cpu = [], [], []
    for t, picture in enumerate(clip.frames):
        clock, processor = time.perf_counter(), time.process_time()
        made.append(restorer.frame(picture, mask[t], clip.memory(t)).picture)
        waits.append(time.perf_counter() - clock)
        cpu.append(time.process_time() - processor)
    assert all((a[~m] == b[~m]).all() for a, b, m in zip(made, clip.frames, mask, strict=True)), (
        "a visible pixel changed"
    )
    waits, cpu = waits[WARM_UP:], cpu[WARM_UP:]
    return clip.measured(np.stack(made), mask) | {
        "frames_per_s": 1 / float(np.mean(waits)),
        "cpu_ms": 1e3 * float(np.mean(cpu)),
        "p50_ms": 1e3 * float(np.median(waits)),
        "p99_ms": 1e3 * float(np.quantile(waits, 0.99)),
    }


def offline(model: Any, level: str, clip: Clip, mask: np.ndarray) -> dict[str, Any]:
    """The same frames by `restore`, which sees all of them."""
    processor = time.process_time()
    if model is None:
        pictures = AnythingRestorer().restore(clip.rgb, mask).rgb
    else:
        made = model.restore(clip.entries, mask, clip.palette, clip.state, level=level)
        pictures = made.indices
    cpu = time.process_time() - processor
    return clip.measured(pictures, mask) | {"cpu_ms": 1e3 * cpu / len(mask)}


def in_real_time(name: str, level: str, clip: Clip, mask: np.ndarray, rate: float, threads: int) -> dict[str, Any]:
    """The same frames at `rate` a second, through a process of its own."""
    results: list[LiveResult] = []
    worker = LiveWorker(results.append, name or None, state_level=level, threads=threads, deadline=DEADLINE)
    try:
        if not worker.wait_until_ready(120):
            raise SystemExit("the process that restores did not start")
        started = time.perf_counter()
        for t, picture in enumerate(clip.frames):
            time.sleep(max(0.0, started + t / rate - time.perf_counter()))
            worker.put(
                np.where(mask[t] if picture.ndim == 2 else mask[t][..., None], 0, picture), mask[t], clip.memory(t)
            )
        while len(results) < len(mask):
            time.sleep(0.01)
        counts = worker.counts
    finally:
        worker.close()
    seconds = [result.seconds for result in results if result.restored] or [0.0]
    shown = clip.measured(np.stack([result.picture for result in results]), mask)
    return {
        "rate": rate,
        "late": counts.late,
        "failed": counts.failed,
        "p50_ms": 1e3 * float(np.median(seconds)),
        "p99_ms": 1e3 * float(np.quantile(seconds, 0.99)),
        "exact_late_too": shown["exact"],
    }


def episodes(inputs: list[Path]) -> Iterator[Episode]:
    for path in inputs:
        if is_store(path):
            yield from EpisodeStore(path)
            continue
        with tempfile.TemporaryDirectory() as folder:
            preprocess(path, Path(folder) / "store", workers=1, val_fraction=0)
            yield from EpisodeStore(Path(folder) / "store")


def masks_of(shape: tuple[int, int, int]) -> dict[str, np.ndarray]:
    tubes = np.broadcast_to(tube_mask(shape[1:], TubeSpec(0.9)), shape)
    return {**damages(shape), "tubes, 90 %": tubes}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", nargs="*", type=Path, default=[SAMPLE], help="smbdataset folders or stores")
    parser.add_argument("--model", default="hst-mae-nano", help='"" = motion recall')
    parser.add_argument("--level", choices=("full", "compact", "none"), default="full")
    parser.add_argument("--frames", type=int, default=240)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rate", type=float, default=0, metavar="FPS", help="also in real time; 0 = not")
    parser.add_argument("--episode", action="append", help="part of a name: only these; may be given again")
    parser.add_argument("--damage", action="append", help="only this one; may be given again")
    parser.add_argument("--no-offline", action="store_true", help="nothing to compare with, sooner")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model = hstmae.load(args.model, device="cpu") if args.model else None
    rows = []
    print(f"{args.model or 'motion recall'}, state {args.level}, {args.threads} threads; damaged pixels only")
    for episode in episodes(args.input):
        if args.episode and not any(part in episode.name for part in args.episode):
            continue
        clip = Clip(episode, args.frames, model)
        for damage, mask in masks_of(clip.entries.shape).items():
            if args.damage and damage not in args.damage:
                continue
            row: dict[str, Any] = {"episode": clip.name, "damage": damage, "hidden": float(mask.mean())}
            row["live"] = made = live(model, args.level, clip, mask)
            text = (
                f"{clip.name:32s} {damage:12s} {made['frames_per_s']:6.1f} frames/s, {made['cpu_ms']:5.1f} CPU ms, "
                f"p50 {made['p50_ms']:5.1f} p99 {made['p99_ms']:6.1f} ms, {made['psnr']:6.2f} dB {made['exact']:8.3%}"
            )
            if not args.no_offline:
                row["offline"] = other = offline(model, args.level, clip, mask)
                text += f"; offline {other['psnr']:6.2f} dB {other['exact']:8.3%}, {other['cpu_ms']:5.1f} CPU ms"
            if args.rate:
                row["real_time"] = timed = in_real_time(args.model, args.level, clip, mask, args.rate, args.threads)
                text += (
                    f"; at {args.rate:g}/s {timed['late']} of {len(mask)} late, p50 {timed['p50_ms']:.1f} "
                    f"p99 {timed['p99_ms']:.1f} ms, exact, late ones too {timed['exact_late_too']:.3%}"
                )
            print(text, flush=True)
            rows.append(row)
    if args.json:
        found = {"model": args.model, "level": args.level, "threads": args.threads, "rows": rows}
        write_text(args.json, json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
