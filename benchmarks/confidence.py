"""How often a restored pixel is right, by how sure the restoration says it is.

    python benchmarks/confidence.py data/preprocessed --clips 4

Tubes at 90 %, and the status bar hidden in every frame of a clip; each at every level of the state. Printed are, for
each range of the confidence, the share of the masked pixels that it holds and the share of those that are right.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np

from hstmae.atlas.known_pixels import SURE
from hstmae.data.clips.dataset import ClipDataset
from hstmae.data.store.reader import EpisodeStore
from hstmae.inference.loading import load
from hstmae.masks.tubes import numbered_tube

EDGES = (0.0, 1e-6, 0.5, 0.8, 0.95, SURE, 0.999, 1.01)  # 0 alone: text that nothing tells
LEVELS = ("none", "compact", "full")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("--checkpoint", default="hst-mae-nano")
    parser.add_argument("--clips", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    model = load(args.checkpoint)
    clips = ClipDataset(EpisodeStore(args.store), splits=(), clip=16, stride=model.game.stride, crop=0, seed=args.seed)
    found: dict[tuple[str, str], list[tuple[np.ndarray, np.ndarray]]] = {}
    for number, place in enumerate(clips.sequential(args.clips, args.seed)):
        clip = clips.clip(*place)
        height, width = clip.frames.shape[1:3]
        bar = np.zeros((len(clip.frames), height, width), bool)
        for _, x0, y0, x1, y1 in model.game.fixed_regions:
            bar[:, y0:y1, x0:x1] = True
        masks = {"tubes": numbered_tube(bar.shape, 0.9, args.seed, number), "status bar": bar}
        for name, mask in masks.items():
            for level in LEVELS:
                made = model.restore_clip(clip.frames, mask, clip.state, level=level, palette=clip.palette)
                assert made.confidence is not None and made.indices is not None
                found.setdefault((name, level), []).append((made.confidence[mask], (made.indices == clip.frames)[mask]))
    print(f"{'hidden':<12}{'state':<9}" + "".join(f"{f'{low:.3f} ..':>18}" for low in EDGES[:-1]))
    for (name, level), parts in found.items():
        sure, right = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
        cells = []
        for low, high in itertools.pairwise(EDGES):
            inside = (sure >= low) & (sure < high)
            cells.append(f"{inside.mean():.2%}, {right[inside].mean():.2%}" if inside.any() else "-")
        print(f"{name:<12}{level:<9}" + "".join(f"{cell:>18}" for cell in cells))


if __name__ == "__main__":
    main()
