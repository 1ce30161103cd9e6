"""Does the decoded state agree with the pictures? Run on any store of Super Mario Bros. footage.

    python benchmarks/check_state.py --store data/preprocessed --frames 1000 [--lag 1]

Nothing of the game's graphics is known in advance, so appearance is learned from one half of the frames and tested on
the other: what a sprite texel (or a digit's pixel) looked like in most of its uses. A texel is opaque when one colour
dominates it; `sprites` counts how often it shows just that colour, `sprite texels told` how many could be tested: few
where memory and pictures do not belong together. That is looked for in each episode as well, as `hstmae preprocess`
does it: exit status 1 where a memory belongs to another picture. `--lag` tests each state on a later picture: the
figures must then fall.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from state_check import StateCheck, check_episode, pairing_in_store

from hstmae.atomic import write_json
from hstmae.data.pairing import describe
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
        print(f"{name:18s} {100 * agree / max(total, 1):8.3f} %  of {total}")
    pairings = [pairing_in_store(store, episode) for episode in range(len(store))]
    for line in describe(pairings):
        print(line.removesuffix("; paired again"))
    if args.json:
        figures = {name: {"share": a / max(n, 1), "count": n} for name, (a, n) in result.items()}
        write_json(args.json, {**figures, "pairing": [pairing.to_json() for pairing in pairings]})
    return int(any(pairing.lag for pairing in pairings))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except HstError as error:
        sys.exit(f"check_state: error: {error}")
