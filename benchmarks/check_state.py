"""Does the decoded state agree with the pictures? Run on any store of Super Mario Bros. footage.

    python benchmarks/check_state.py --store data/preprocessed --frames 1000 [--lag 1]

Nothing of the game's graphics is known in advance, so appearance is learned from one half of the frames and tested on
the other: what a sprite texel (or a digit's pixel) looked like in most of its uses. A texel is opaque when one colour
dominates it; `sprites` counts how often it shows just that colour. `--lag` tests each state on a later picture: the
figures must then fall.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from state_check import StateCheck, check_episode

from hstmae.atomic import write_json
from hstmae.data.store.reader import EpisodeStore
from hstmae.errors import HstError


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", required=True)
    parser.add_argument("--frames", type=int, default=1000, help="random frames that are tested (1000)")
    parser.add_argument("--lag", type=int, default=0, help="pair state t with picture t + LAG (0)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", help="write the figures here, too")
    args = parser.parse_args()
    store = EpisodeStore(args.store)
    rng = np.random.default_rng(args.seed)
    check = StateCheck()
    weights = np.array([info.frames for info in store.infos()], float)
    for training in (True, False):
        chosen = rng.choice(len(store), 4 * args.frames if training else args.frames, p=weights / weights.sum())
        for i, count in zip(*np.unique(chosen, return_counts=True), strict=True):
            check_episode(check, store, int(i), int(count), args.lag, rng, training)
    result = check.result()
    for name, (agree, total) in result.items():
        print(f"{name:12s} {100 * agree / max(total, 1):8.3f} %  of {total}")
    if args.json:
        write_json(args.json, {name: {"share": a / max(n, 1), "count": n} for name, (a, n) in result.items()})
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except HstError as error:
        sys.exit(f"check_state: error: {error}")
