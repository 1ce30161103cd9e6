"""How fast motion recall restores, and how much memory it takes.

    OMP_NUM_THREADS=1 taskset -c 0 python benchmarks/motion_speed.py data/games ALE-Riverraid-v5_s0

One episode of a store is brought to each size (pixel art by nearest pixels, larger than 300 lines smoothly) and damaged
in each way; frames per second of CPU time, with all preparations, of one stretch; the peak memory of the process.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path

import numpy as np
from any_footage import DAMAGES
from PIL import Image

from hstmae.data.store.reader import EpisodeStore
from hstmae.restoration.anything import AnythingRestorer

SIZES = ((210, 160), (240, 256), (360, 640))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument("episode")
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--damages", default=",".join(DAMAGES), help="with a comma between")
    args = parser.parse_args()
    clip = EpisodeStore(args.store).read(args.episode, range(args.frames), columns=("frames",))
    frames = clip.frames if clip.palette is None else clip.palette[clip.frames]
    for height, width in SIZES:
        how = Image.Resampling.BILINEAR if height > 300 else Image.Resampling.NEAREST
        sized = np.stack([np.asarray(Image.fromarray(frame).resize((width, height), how)) for frame in frames])
        for name in args.damages.split(","):
            mask = DAMAGES[name](sized.shape[:3], 0)
            cleared = np.where(mask[..., None], np.uint8(0), sized)
            start = time.process_time()
            AnythingRestorer().restore(cleared, mask)
            rate = len(sized) / (time.process_time() - start)
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"{width}x{height} {name}: {rate:.1f} frames/s, peak {memory:.0f} MB", flush=True)


if __name__ == "__main__":
    main()
