"""Masks that nobody trains for: what is visible lies in one corner, in the status bar, in one frame, or nearly nowhere.

    python benchmarks/hostile.py data/preprocessed --clips 24
    python benchmarks/hostile.py data/preprocessed --states none --checkpoint hst-mae-tiny --json hostile.json

For each mask and level of the state: PSNR over hidden pixels, pooled over the clips, of the model with recall and
atlas, and of the best of the fillers, which is chosen with the truth at hand, mask by mask; the share of hidden pixels
that are exactly right; and the clips in which some filler is better, by at least 0.1 dB. Clips of 16 frames, every
fourth one of the recording, evenly spread.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from hstmae.atlas.maps import Atlas, Located
from hstmae.atomic import write_json
from hstmae.data.clips.clip import Clip
from hstmae.data.clips.dataset import ClipDataset
from hstmae.data.store.reader import EpisodeStore
from hstmae.evaluation.decibels import psnr
from hstmae.evaluation.fillers import (
    camera_copy,
    level_memory,
    mean_colour,
    median_in_time,
    mode_colour,
    nearest_in_time,
    nearest_pixel,
)
from hstmae.evaluation.metrics import squared_error
from hstmae.games import get_game
from hstmae.games.pixels import View
from hstmae.inference.loading import load
from hstmae.masks.tubes import numbered_tube
from hstmae.restoration.restorer import Restorer

STATES = ("full", "compact", "none")
UNIT = 16
LESS = 0.1  # dB


def corner(shape: tuple[int, int, int], seed: int, number: int) -> np.ndarray:
    """A tenth of the picture in one corner is visible, clip by clip another one."""
    hidden = np.ones(shape, bool)
    height, width = (round(n * 0.1**0.5 / UNIT) * UNIT for n in shape[1:])
    rows = slice(0, height) if number % 2 else slice(-height, None)
    columns = slice(0, width) if number // 2 % 2 else slice(-width, None)
    hidden[:, rows, columns] = False
    return hidden


def bar(shape: tuple[int, int, int], seed: int, number: int) -> np.ndarray:
    """The two upper rows of units, which is where status bars are, are all that is visible."""
    hidden = np.ones(shape, bool)
    hidden[:, : 2 * UNIT] = False
    return hidden


def one_frame(shape: tuple[int, int, int], seed: int, number: int) -> np.ndarray:
    """One frame of the clip is visible, all others are lost."""
    hidden = np.ones(shape, bool)
    hidden[np.random.default_rng([seed, number]).integers(shape[0])] = False
    return hidden


def checkerboard(shape: tuple[int, int, int], seed: int, number: int) -> np.ndarray:
    """Every second unit, the same ones in all frames."""
    y, x = np.arange(shape[1])[:, None] // UNIT, np.arange(shape[2]) // UNIT
    return np.broadcast_to((y + x + number) % 2 == 0, shape)


def changing_checkerboard(shape: tuple[int, int, int], seed: int, number: int) -> np.ndarray:
    """Every second unit, the others in the next frame."""
    board = checkerboard(shape, seed, number)[0]
    return np.stack([board ^ bool(t % 2) for t in range(shape[0])])


def tubes(shape: tuple[int, int, int], seed: int, number: int) -> np.ndarray:
    """Tubes that hide 98 % of the units."""
    return numbered_tube(shape, 0.98, seed, number)


MASKS: dict[str, Callable[[tuple[int, int, int], int, int], np.ndarray]] = {
    "one corner visible": corner,
    "status bar visible": bar,
    "one frame of 16 visible": one_frame,
    "checkerboard": checkerboard,
    "changing checkerboard": changing_checkerboard,
    "tubes 98 %": tubes,
}

SIMPLE: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "nearest frame": nearest_in_time,
    "median over time": median_in_time,
    "nearest pixel": nearest_pixel,
    "mean colour": mean_colour,
}


def fillers(clip: Clip, mask: np.ndarray, state: str, atlas: Atlas | None) -> Iterator[tuple[str, np.ndarray]]:
    """(name, RGB uint8 [T, H, W, 3]) by each filler that needs no more than `state` tells."""
    palette = clip.palette
    assert palette is not None
    seen = np.where(mask, np.uint8(0), clip.frames)
    yield "mode colour", palette[mode_colour(seen, mask)]
    for name, fill in SIMPLE.items():
        yield name, fill(palette[seen], mask)
    if state != "none" and clip.state is not None:
        view = View(seen, mask, get_game("smb") if atlas is None else get_game(atlas.game), clip.state, "compact")
        yield "camera copy", palette[camera_copy(seen, mask, np.asarray(clip.state.camera), view.fixed)[0]]
        if atlas is not None:
            place = atlas.look_up(Located.of_state(clip.state), view)
            yield "level memory", palette[level_memory(seen, mask, *place)]


def measure(restorer: Restorer, clip: Clip, mask: np.ndarray, state: str) -> tuple[dict[str, float], int]:
    """Squared errors of the model ("") and of each filler over the hidden pixels, and how many are exactly right."""
    palette = clip.palette
    assert palette is not None
    own = clip.state if state != "none" else None
    made = restorer.restore_clip(clip.frames, mask, own, level=state, palette=palette, origin=clip.origin)
    assert made.indices is not None
    truth = palette[clip.frames]
    errors = {"": squared_error(made.rgb, truth, mask)}
    for name, rgb in fillers(clip, mask, state, restorer.atlas):
        errors[name] = squared_error(rgb, truth, mask)
    return errors, int((made.indices == clip.frames)[mask].sum())


def run(args: argparse.Namespace) -> list[dict[str, Any]]:
    clips = ClipDataset(EpisodeStore(args.store), clip=16, stride=4, crop=0)
    model = load(args.checkpoint)
    restorer = Restorer(model.model, model.config, atlas=model.atlas)
    rows = []
    progress = tqdm(total=len(MASKS) * len(args.states) * args.clips, unit="clip", disable=None)
    for state in args.states:
        for name, make in MASKS.items():
            total: dict[str, float] = defaultdict(float)
            pixels = right = worse = 0
            for number, place in enumerate(clips.sequential(args.clips, args.seed)):
                clip = clips.clip(*place)
                mask = make(clip.frames.shape, args.seed, number)  # type: ignore[arg-type]
                errors, exact = measure(restorer, clip, mask, state)
                for filler, error in errors.items():
                    total[filler] += error
                count = int(mask.sum())
                pixels, right = pixels + count, right + exact
                least = min(error for filler, error in errors.items() if filler)
                worse += psnr(least / count) - psnr(errors[""] / count) > LESS
                progress.update()
            best = min((filler for filler in total if filler), key=total.__getitem__)
            row = {"state": state, "mask": name, "psnr": psnr(total[""] / pixels), "exact": right / pixels}
            rows.append(row | {"filler": best, "filler_psnr": psnr(total[best] / pixels), "worse": worse})
    progress.close()
    return rows


def table(rows: list[dict[str, Any]], count: int) -> str:
    text = [
        "| state | mask | dB | exact | best filler | dB | clips in which a filler is better |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        made = f"{row['psnr']:.2f} | {row['exact']:.2%} | {row['filler']} | {row['filler_psnr']:.2f}"
        text.append(f"| `{row['state']}` | {row['mask']} | {made} | {row['worse']} of {count} |")
    return "\n".join(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path, help="written by `hstmae preprocess`")
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0, help="of the choice of clips and of the masks")
    parser.add_argument("--states", nargs="+", default=list(STATES), choices=STATES)
    parser.add_argument("--checkpoint", default="hst-mae-nano", metavar="MODEL")
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    args = parser.parse_args()
    rows = run(args)
    print(table(rows, args.clips))
    if args.json is not None:
        write_json(args.json, {"model": args.checkpoint, "clips": args.clips, "seed": args.seed, "rows": rows})


if __name__ == "__main__":
    main()
