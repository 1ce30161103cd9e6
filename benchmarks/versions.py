"""The versions of the lossless streams side by side: bytes and processor time of every group, in one run.

    python benchmarks/versions.py --store DIR [--split NAME] [--gop 64] [--groups 40] [--versions 3,4] [--live]
                                  [--json FILE]

Groups are taken evenly from all episodes (0 = all), coded with each version in turn and decoded again, and compared.
Bytes count the streams and what the container takes for the group (head, checksums, index). Milliseconds are CPU time
of one thread per frame, Python included; what is read once, such as the tables, is read before. `--live` adds the
profile of that name: a packet for each frame.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
from data import hardware
from hstmae.atomic import write_json
from hstmae.codec.container.chunks import CRC_BYTES, HEADER_BYTES
from hstmae.codec.container.gop import Gop, Profile
from hstmae.codec.session.profiles import make_profile
from hstmae.data.store.reader import EpisodeStore

HEAD_BYTES, INDEX_BYTES = 8 + 4, 5  # of a group: hash, frame number; about what the index takes


def groups(store: EpisodeStore, split: str | None, gop: int, count: int) -> list[tuple[str, int, int]]:
    """Episode, first frame and frames of the chosen groups."""
    places = [
        (info.name, start, min(gop, info.frames - start))
        for info in store.infos()
        if split in (None, info.split)
        for start in range(0, info.frames, gop)
    ]
    chosen = np.linspace(0, len(places) - 1, min(count or len(places), len(places))).round().astype(int)
    return [places[k] for k in sorted(set(chosen.tolist()))]


def measure(profile: Profile, gop: Gop) -> dict[str, float]:
    """Bytes by stream, and seconds. Raises SystemExit where something does not come back."""
    start = time.process_time()
    streams = profile.encode(gop)
    encoded = time.process_time()
    back = profile.decode(streams, gop.shape)
    decoded = time.process_time()
    for name in ("frames", "state", "actions"):
        a, b = getattr(gop, name), getattr(back, name)
        if (a is None) != (b is None) or (a is not None and not np.array_equal(a, b)):
            raise SystemExit(f"{name} do not come back")
    container = HEADER_BYTES + CRC_BYTES + HEAD_BYTES + 4 * len(streams) + INDEX_BYTES
    sizes = {name: float(len(data)) for name, data in streams.items()}
    return {**sizes, "container": container, "encode": encoded - start, "decode": decoded - encoded}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--split", default=None)
    parser.add_argument("--gop", type=int, default=64)
    parser.add_argument("--groups", type=int, default=40)
    parser.add_argument("--versions", default="3,4")
    parser.add_argument("--live", action="store_true")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    store = EpisodeStore(args.store)
    profiles = {f"version {v}": make_profile("lossless", store.game, version=int(v)) for v in args.versions.split(",")}
    if args.live:
        profiles["live"] = make_profile("live", store.game)
    sums: dict[str, dict[str, float]] = {name: {} for name in profiles}
    frames = 0
    chosen = groups(store, args.split, args.gop, args.groups)
    for number, (name, first, count) in enumerate(chosen):
        gop = Gop.of(store.read(name, range(first, first + count), ("frames", "state", "actions")))
        for key, profile in profiles.items():
            if not number:
                measure(profile, gop)  # tables are loaded
            for what, value in measure(profile, gop).items():
                sums[key][what] = sums[key].get(what, 0.0) + value
        frames += count
    rows: dict[str, dict[str, Any]] = {}
    print(f"{hardware()}\n{frames} frames in {len(chosen)} groups of up to {args.gop}\n")
    print("| | bytes/frame | by stream | encode ms | decode ms |")
    print("|---|---:|---|---:|---:|")
    for key, found in sums.items():
        times = {what: 1000 * found.pop(what) / frames for what in ("encode", "decode")}
        sizes = {what: size / frames for what, size in found.items()}
        rows[key] = {"bytes": sum(sizes.values()), **sizes, **times}
        parts = ", ".join(f"{what} {size:.2f}" for what, size in sizes.items())
        print(f"| {key} | {sum(sizes.values()):.2f} | {parts} | {times['encode']:.2f} | {times['decode']:.2f} |")
    named = args.versions.split(",")
    first, last = named[0], named[-1]
    if len(named) > 1:
        old, new = rows[f"version {first}"], rows[f"version {last}"]
        ratios = [f"{what} {old[what] / new[what]:.2f}" for what in ("bytes", "encode", "decode")]
        print(f"\nversion {first} by version {last}: {', '.join(ratios)}")
    if args.json:
        write_json(args.json, {"hardware": hardware(), "frames": frames, "rows": rows})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
