"""Compare a store with the packed originals its recordings were exported from, value by value.

    python benchmarks/verify_store.py --store data/preprocessed --packed DIR [DIR ...]

DIR holds one file per episode: a NumPy .npz inside Zstandard with `frames` uint8 [T, 240, 256], `palette` [64, 3],
`ram` [T, 2048], `actions` [T] and `outcome` (0 cut, 1 fail, 2 win). An episode is recognised by its memory.
Exit status 1 when anything differs or is missing.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import sys
import time
from pathlib import Path

import numpy as np
import zstandard

from hstmae.data import OUTCOMES, Episode, EpisodeStore


def read_packed(path: Path) -> dict[str, np.ndarray]:
    raw = zstandard.ZstdDecompressor().decompress(path.read_bytes(), max_output_size=1 << 32)
    with np.load(io.BytesIO(raw)) as arrays:
        return {key: arrays[key] for key in arrays.files}


def memory_hash(ram: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(ram).data).hexdigest()


def differences(episode: Episode, packed: dict[str, np.ndarray]) -> list[str]:
    """Names of what is not equal to the original."""
    pairs = {
        "pixels": (episode.frames, packed["frames"]),
        "palette": (episode.palette, packed["palette"]),
        "RAM": (episode.state, packed["ram"]),
        "actions": (episode.actions, packed["actions"]),
        "outcome": (np.array(OUTCOMES.index(episode.outcome)), packed["outcome"]),
        "frame numbers": (episode.frame_numbers, np.arange(1, len(packed["actions"]) + 1)),
    }
    return [name for name, (got, wanted) in pairs.items() if got is None or not np.array_equal(got, wanted)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", required=True)
    parser.add_argument("--packed", required=True, nargs="+", type=Path)
    parser.add_argument("--json")
    args = parser.parse_args()
    started = time.perf_counter()
    store = EpisodeStore(args.store)
    damaged = store.verify()
    for line in damaged:
        print(line)
    by_memory = {}
    for i in range(len(store)):
        state = store.read(i, range(store.info(i).frames), columns=("state",)).state
        if state is not None:
            by_memory[memory_hash(state)] = i
    originals = equal = frames = lost = 0
    for path in sorted(file for folder in args.packed for file in folder.glob("*.npz.zst")):
        packed = read_packed(path)
        originals += 1
        position = by_memory.get(memory_hash(packed["ram"]))
        if position is None:
            lost += len(packed["actions"])
            print(f"{path.name}: no episode of the store has this memory")
            continue
        wrong = differences(store[position], packed)
        equal += not wrong
        frames += 0 if wrong else len(packed["actions"])
        if wrong:
            print(f"{path.name}: {', '.join(wrong)} of {store.info(position).name} differ")
    size = sum(file.stat().st_size for file in store.path.rglob("*") if file.is_file())
    figures = {
        "originals": originals,
        "episodes_equal": equal,
        "frames_equal": frames,
        "frames_lost": lost,
        "damaged_files": len(damaged),
        "store_episodes": len(store),
        "store_frames": store.frames,
        "bytes_per_frame": round(size / store.frames, 1),
        "seconds": round(time.perf_counter() - started, 1),
    }
    print(json.dumps(figures, indent=2))
    if args.json:
        Path(args.json).write_text(json.dumps(figures, indent=2) + "\n")
    return 0 if equal == originals > 0 and not damaged else 1


if __name__ == "__main__":
    sys.exit(main())
