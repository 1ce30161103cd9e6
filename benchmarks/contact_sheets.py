"""Restorations to look at: truth, what is seen of it, the best simple filler, and motion recall, frame by frame.

    python benchmarks/contact_sheets.py data/games --out out/sheets --games e,f,j,k

One recording of each game, each with the next of the six damages of `any_footage.py`: a PNG with three moments of a
clip of 48 frames, of the frames with missing pixels the one with the largest error, one in the middle, and the one with
the smallest. From left to right: truth, what is seen (missing pixels grey), the best of five fillers (chosen with the
truth), motion recall, and its errors (black = right, white = 64 levels or more). `sheets.json` holds the figures.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from any_footage import DAMAGES, fillers, measured, psnr
from PIL import Image

from hstmae.atomic import write_json
from hstmae.data.store.reader import EpisodeStore
from hstmae.motion.recall import Mode
from hstmae.restoration.anything import AnythingRestorer

FRAMES, BEGIN = 48, 60
MISSING, FULL = 128, 64  # grey of missing pixels; levels of error drawn white
GAP = 4


def recordings(store: EpisodeStore, prefixes: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """(game, recording), the first recording of each game."""
    seen = set()
    for info in store.infos():
        game = info.name.rpartition("_s")[0].removeprefix("ALE-").removesuffix("-v5")
        if game not in seen and game.lower().startswith(prefixes) and info.frames >= BEGIN + FRAMES:
            seen.add(game)
            yield game, info.name


def sheet(truth: np.ndarray, mask: np.ndarray) -> tuple[Image.Image, dict[str, Any]]:
    """The picture of one restoration and its figures; truth uint8 [T, H, W, 3], mask bool [T, H, W]."""
    seen = np.where(mask[..., None], np.uint8(0), truth)
    filled = dict(fillers(seen, mask))
    errors = {name: measured(rgb, truth, mask) for name, rgb in filled.items()}
    best = min(errors, key=lambda name: errors[name]["squared"])
    made = AnythingRestorer(Mode()).restore(seen, mask).rgb
    own = measured(made, truth, mask)
    off = np.abs(made.astype(int) - truth).max(-1) * mask
    frames = np.flatnonzero(mask.any((1, 2)))
    frames = frames[np.argsort(-(off[frames].astype(float) ** 2).sum((1, 2)), kind="stable")]
    rows = []
    for t in frames[[0, len(frames) // 2, -1]]:
        wrong = (off[t] * 255 // FULL).clip(0, 255).astype(np.uint8)[..., None].repeat(3, -1)
        shown = np.where(mask[t][..., None], np.uint8(MISSING), truth[t])
        panels = [
            np.pad(p, ((0, GAP), (0, GAP), (0, 0)), constant_values=255)
            for p in (truth[t], shown, filled[best][t], made[t], wrong)
        ]
        rows.append(np.concatenate(panels, 1))
    figures = {
        "filler": best, "filler_psnr": psnr([errors[best]]), "psnr": psnr([own]), "exact": own["exact"] / own["pixels"],
        "frames": [int(t) + BEGIN for t in frames[[0, len(frames) // 2, -1]]],
    }  # fmt: skip
    return Image.fromarray(np.concatenate(rows)), figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path, help="of scripts/record_games.py")
    parser.add_argument("--out", type=Path, required=True, help="folder of the sheets")
    parser.add_argument("--games", default="", help="only games whose names begin with one of these, a comma between")
    parser.add_argument("--count", type=int, default=10, help="sheets (10)")
    args = parser.parse_args()
    store = EpisodeStore(args.store)
    args.out.mkdir(parents=True, exist_ok=True)
    told = {}
    some = list(recordings(store, tuple(args.games.lower().split(","))))[: args.count]
    for number, (game, name) in enumerate(some):
        damage = list(DAMAGES)[number % len(DAMAGES)]
        truth = store.read(name, range(BEGIN, BEGIN + FRAMES), columns=()).frames
        picture, figures = sheet(truth, DAMAGES[damage](truth.shape[:3], number))
        picture.save(args.out / f"{game.lower()}.png", optimize=True)
        told[game] = {"damage": damage, **figures}
        print(game, told[game], flush=True)
    write_json(args.out / "sheets.json", told)


if __name__ == "__main__":
    main()
