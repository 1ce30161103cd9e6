"""`hstmae atlas`: learn what a game's maps look like, for restoration."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..output import Kind, Output
from .options import COUNT

HELP = "learn the game's maps from a store: what every place looks like"
EXAMPLES = """\
examples:
  hstmae atlas data/preprocessed --out atlas.npz
  hstmae atlas data/preprocessed --out atlas.npz --pictures maps/
  hstmae restore session/ --atlas atlas.npz --out restored/

The episodes' states must tell map and camera. Scenery is what most visits showed while nothing moved over it; how far
each pixel is to be trusted is measured on visits that are left out. A model takes the atlas.npz in its own folder."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("store", type=Path, help="store written by `hstmae preprocess`")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="where to write the atlas, *.npz")
    parser.add_argument("--split", default="train", help="episodes to learn from: train, val, val_level or all (train)")
    parser.add_argument("--stride", type=COUNT, default=4, metavar="N", help="look at every N-th frame (4)")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="also write each map as a PNG")


def outputs(args: argparse.Namespace) -> list[Output]:
    return [(args.out, Kind.FILE), (args.pictures, Kind.FOLDER)]


def run(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from ..atlas.learning.learn import build_atlas, frames_to_read
    from ..data.store.reader import EpisodeStore
    from ..errors import UsageError
    from ..games import get_game

    if args.out.suffix != ".npz":
        raise UsageError(f"--out must end in .npz, got {args.out}")
    store = EpisodeStore(args.store)
    game = get_game(store.game)
    splits = () if args.split == "all" else (args.split,)
    with tqdm(total=frames_to_read(store, splits, args.stride), unit="frame", desc="atlas") as bar:
        atlas = build_atlas(store, game, splits, stride=args.stride, progress=bar.update)
    atlas.save(args.out)
    seen = sum(int((m.kinds > 0).sum()) for m in atlas.maps.values())
    columns = sum(m.colours.shape[1] for m in atlas.maps.values())
    print(
        f"{args.out}: {len(atlas.maps)} maps of {columns:,} pixel columns, {seen:,} pixels seen, "
        f"{len(atlas.looks.keys)} tiles; {args.out.stat().st_size:,} bytes"
    )
    if not atlas.trust.any():
        print(
            "warning: nothing in it is trusted: no map was visited twice, so nothing could be tested", file=sys.stderr
        )
    if args.pictures is not None:
        for scene, world in atlas.maps.items():
            _save(args.pictures / f"{game.name}_{scene}.png", game.palette[world.colours], world.kinds > 0)
        print(f"pictures in {args.pictures}")
    return 0


def _save(path: Path, rgb, seen) -> None:  # type: ignore[no-untyped-def]
    import numpy as np
    from PIL import Image

    from ..atomic import replacing

    with replacing(path) as temp:
        Image.fromarray(np.dstack([rgb, np.where(seen, np.uint8(255), np.uint8(0))])).save(temp)
