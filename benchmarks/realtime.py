"""Frames per second of live restoration: a recorded session played through RealtimeRestorer under a 90 % tube mask.

    python benchmarks/realtime.py [INPUT] [--model hst-mae-nano] [--threads 2] [--compile] [--json FILE]

INPUT is a store, or recordings in smbdataset layout; the bundled sample session by default. Frames and memory are
read before the clock starts; what is timed is everything from a frame and its row of game memory to the restored uint8
picture: decoding the state, network, read-out and assembly. 60 frames/s is the speed of the console.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hstmae.atomic import write_text
from hstmae.bundled import SAMPLES
from hstmae.data.episode import Episode
from hstmae.data.store.manifest import is_store
from hstmae.data.store.preprocessing import preprocess
from hstmae.data.store.reader import EpisodeStore
from hstmae.inference.live import RealtimeRestorer
from hstmae.masks.tubes import TubeSpec, tube_mask
from hstmae.models import load_pretrained

SAMPLE = SAMPLES / "sample_session"
CLIPS = ((4, 2), (4, 4), (16, 16))  # frames of a clip, and how many of them at a time


def play(model: Any, episode: Episode, clip: int, frames: int, ratio: float, **options: Any) -> dict[str, Any]:
    """Restore `frames` frames (the episode repeated as needed) and measure."""
    assert episode.state is not None
    height, width = episode.frames.shape[1:3]
    mask = tube_mask((height, width), TubeSpec(ratio))
    restorer = RealtimeRestorer(model, clip, **options)
    count = len(episode.frames)
    started = time.perf_counter()
    for i in range(2 * clip):  # compilation, thread pools, memory
        restorer.push(episode.frames[i % count], mask, episode.state[i % count])
    warm_up = time.perf_counter() - started
    waits, exact = [], []
    cpu, clock = time.process_time(), time.perf_counter()
    for i in range(frames - frames % clip):
        before = time.perf_counter()
        made = restorer.push(episode.frames[i % count], mask, episode.state[i % count])
        if made is not None:
            waits.append(time.perf_counter() - before)
            truth = episode.frames[[n % count for n in range(i + 1 - len(made.indices), i + 1)]]
            exact.append(float((made.indices == truth)[:, mask].mean()))
    clock, cpu = time.perf_counter() - clock, time.process_time() - cpu
    done = frames - frames % clip
    return {
        "clip": clip,
        "hop": restorer.hop,
        **{k: v for k, v in options.items() if k != "hop"},
        "frames": done,
        "frames_per_s": done / clock,
        "cpu_ms_per_frame": 1e3 * cpu / done,
        "ms_per_call_median": 1e3 * float(np.median(waits)),
        "ms_per_call_p95": 1e3 * float(np.quantile(waits, 0.95)),
        "warm_up_s": warm_up,
        "exact_match_masked": float(np.mean(exact)),
    }


def load(path: Path) -> Episode:
    """The first episode of a store, or of recordings in smbdataset layout, which are preprocessed in passing."""
    if is_store(path):
        return EpisodeStore(path)[0]
    with tempfile.TemporaryDirectory() as folder:
        preprocess(path, Path(folder) / "store", workers=1, val_fraction=0)
        return EpisodeStore(Path(folder) / "store")[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", nargs="?", type=Path, default=SAMPLE, help="smbdataset folder or store")
    parser.add_argument("--model", default="hst-mae-nano")
    parser.add_argument("--frames", type=int, default=480)
    parser.add_argument("--ratio", type=float, default=0.9)
    parser.add_argument("--threads", type=int, default=0, help="0 = all")
    parser.add_argument("--compile", action="store_true", help="also measure with torch.compile")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    longest = max(clip for clip, _ in CLIPS)
    if args.frames < longest:
        parser.error(f"--frames must be {longest}, the longest clip, or more: {args.frames}")
    model = load_pretrained(args.model).to(args.device)
    episode = load(args.input)
    h, w = episode.frames.shape[1:3]
    print(f"{args.model}, {w}x{h}, {args.ratio:.0%} masked, state full; {platform.processor() or platform.machine()}, ")
    print(f"{args.device}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    rows = []
    for compiled in (False, True) if args.compile else (False,):
        for clip, hop in CLIPS:
            for colours in (False, True):
                options = {"hop": hop, "colours": colours, "compile": compiled}
                row = play(model, episode, clip, args.frames, args.ratio, **options)
                rows.append(row)
                print(
                    f"T={clip:2d}, {row['hop']:2d} at a time, {'entries + colours' if colours else 'entries':17s}, "
                    f"compile {'on ' if compiled else 'off'}: {row['frames_per_s']:6.1f} frames/s, "
                    f"{row['ms_per_call_median']:6.1f} ms a call (95 %: {row['ms_per_call_p95']:.1f}), "
                    f"{row['cpu_ms_per_frame']:5.1f} CPU ms/frame, {row['exact_match_masked']:.2%} exact, "
                    f"warm-up {row['warm_up_s']:.1f} s"
                )
    if args.json:
        write_text(args.json, json.dumps({"model": args.model, "size": [h, w], "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
