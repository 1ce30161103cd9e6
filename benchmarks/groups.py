"""How long groups of pictures should be: bytes, time to reach one frame, and what waits while a session is written.

    python benchmarks/groups.py --store DIR [--split NAME] [--episodes 11] [--frames 768] [--groups 64,128,192,256,384]
                                [--timed 2] [--json FILE]

Every episode is written as a `.hst` file of its own with each length; the first `--timed` ones are read again,
compared, and timed. Bytes count whole files. Times are CPU time of one thread, Python included. A frame is reached
with a reader that has just been opened, tables being in memory: on average over frames spread evenly over the file, and
at worst the last one of a full group. What waits in a live recording, and is lost with the process, is up to one group;
`finish` is what its encoding takes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
from data import hardware
from hstmae.atomic import write_json
from hstmae.codec.session.profiles import make_profile
from hstmae.codec.session.reader import HstReader
from hstmae.codec.session.writer import HstWriter
from hstmae.data.episode import Episode
from hstmae.data.store.reader import EpisodeStore

LOOKS = 2  # frames of an episode that are reached for the mean


def reached(path: Path, row: int) -> float:
    """Milliseconds until one frame of a file is there."""
    with HstReader(path) as reader:
        start = time.process_time()
        reader[row]
        return 1000 * (time.process_time() - start)


def measure(episode: Episode, gop: int, folder: Path, timed: bool) -> dict[str, float]:
    path, frames = folder / "x.hst", len(episode)
    profile = make_profile("lossless", episode.game)
    start = time.process_time()
    with HstWriter(path, overwrite=True) as writer:
        writer.add(profile, episode, gop=gop)
    encoded = time.process_time()
    measured = {
        "bytes": path.stat().st_size / frames,
        "encode": 1000 * (encoded - start) / frames,
        "waits": min(gop, frames) / episode.fps,
        "finish": (encoded - start) / frames * min(gop, frames),
    }
    if not timed:
        return measured
    with HstReader(path) as reader:
        back = reader.episode(0)
    decoded = time.process_time()
    for name in ("frames", "state", "actions", "frame_numbers"):
        if not np.array_equal(getattr(back, name), getattr(episode, name)):
            raise SystemExit(f"{episode.name}: {name} do not come back with groups of {gop}")
    spread = [int((k + 0.5) * frames / LOOKS) for k in range(LOOKS)]
    return measured | {
        "decode": 1000 * (decoded - encoded) / frames,
        "mean": float(np.mean([reached(path, row) for row in spread])),
        "worst": reached(path, min(gop, frames) - 1),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--split", default=None)
    parser.add_argument("--episodes", type=int, default=11)
    parser.add_argument("--frames", type=int, default=768, help="of each episode, as many as make full groups")
    parser.add_argument("--groups", default="64,128,192,256,384")
    parser.add_argument("--timed", type=int, default=2, help="episodes that times are measured on, at least 1")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    store = EpisodeStore(args.store)
    known = [info for info in store.infos() if args.split in (None, info.split)][: args.episodes]
    results: dict[str, dict[str, dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, entry in enumerate(known):
            whole = store[entry.name]
            episode = whole.take(np.arange(min(len(whole), args.frames)))
            measure(episode.take(np.arange(1)), 1, Path(folder), False)  # tables are loaded
            groups = args.groups.split(",")
            timed = number < args.timed
            full = {gop: episode.take(np.arange(max(1, len(episode) // int(gop)) * int(gop))) for gop in groups}
            results[entry.name] = {gop: measure(clip, int(gop), Path(folder), timed) for gop, clip in full.items()}
            print(entry.name, {gop: round(m["bytes"], 1) for gop, m in results[entry.name].items()}, flush=True)
    print(f"\n{hardware()}")
    print("| frames a group | bytes/frame | reached in, mean | worst | waits | finish | encode, decode ms |")
    for gop in args.groups.split(","):
        first = next(iter(results.values()))[gop]
        measured = [m[gop] for m in results.values()]
        of = {key: np.mean([m[key] for m in measured if key in m]) for key in first}
        seconds = [f"{of['mean'] / 1000:.2f} s", f"{of['worst'] / 1000:.2f} s", f"{of['waits']:.1f} s"]
        times = f"{of['finish']:.1f} s | {of['encode']:.1f}, {of['decode']:.1f}"
        print(f"| {gop} | {of['bytes']:.1f} | {' | '.join(seconds)} | {times} |")
    if args.json:
        write_json(args.json, {"hardware": hardware(), "episodes": results})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
