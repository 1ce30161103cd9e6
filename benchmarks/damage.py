"""How well are scratches, a logo, lost blocks and lost frames made good? One table and one picture.

    python benchmarks/damage.py [INPUT] [--checkpoint hst-mae-nano] [--state full] [--png FILE] [--json FILE]

INPUT is a store, or recordings in smbdataset layout; the first 96 frames of its first episode are damaged. By default
the bundled sample session, which is part of an unseen episode. PSNR (posterior mean) and exact match are those of the
damaged pixels alone, beside two fillers that see the same: the most frequent visible colour, and a copy of the same
place of the level from the nearest frame that shows it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from realtime import SAMPLE, load

import hstmae
from hstmae.atomic import write_text
from hstmae.drawing.panels import show_error, show_masked
from hstmae.evaluation.decibels import psnr
from hstmae.evaluation.fillers import camera_copy, mode_colour
from hstmae.evaluation.metrics import squared_error
from hstmae.games import get_game
from hstmae.games.pixels import View
from hstmae.inference.visualizer import contact_sheet, save_png
from hstmae.masks.damage import damages

FRAMES = 96
SHOWN = 60  # the frame in the picture


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", nargs="?", type=Path, default=SAMPLE, help="smbdataset folder or store")
    parser.add_argument("--checkpoint", default="hst-mae-nano")
    parser.add_argument("--state", choices=("full", "compact", "none"), default="full")
    parser.add_argument("--no-recall", action="store_true", help="the network alone")
    parser.add_argument("--png", type=Path, metavar="FILE")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    model = hstmae.load(args.checkpoint)
    model.recall &= not args.no_recall
    episode = load(args.input)
    frames, numbers = episode.frames[:FRAMES], episode.frame_numbers[:FRAMES]
    assert episode.state is not None and episode.palette is not None
    state, palette, game = episode.state[:FRAMES], episode.palette, get_game(episode.game)
    truth = palette[frames]
    whole = View.whole(frames, game, game.decode(state, None))
    print(f"{episode.name}, {len(frames)} frames, {args.checkpoint}, state {args.state}; damaged pixels only")
    print(f"{'':12s}  hidden   mode colour   camera copy   restored dB   exact")
    rows, sheet = {}, []
    for name, mask in damages(frames.shape).items():
        made = model.restore(frames, mask, palette, state, level=args.state, frame_numbers=numbers)
        assert made.indices is not None
        assert np.array_equal(made.indices[~mask], frames[~mask]), "a visible pixel was changed"
        fillers = (mode_colour(frames, mask), camera_copy(frames, mask, whole.needed_state().camera, whole.fixed)[0])
        pictures = [*(palette[f] for f in fillers), made.rgb]
        dB = [psnr(squared_error(p, truth, mask) / mask.sum()) for p in pictures]
        exact = float((made.indices == frames)[mask].mean())
        rows[name] = {"hidden": float(mask.mean()), "mode_colour": dB[0], "camera_copy": dB[1], "psnr_masked": dB[2]}
        rows[name]["exact_match"] = exact
        print(f"{name:12s} {mask.mean():7.1%} {dB[0]:13.2f} {dB[1]:13.2f} {dB[2]:13.2f} {exact:8.2%}")
        t = int(np.argmax(mask[SHOWN:].any((1, 2)))) + SHOWN
        panels = [(name, show_masked(truth[t], mask[t])), ("restored", made.rgb[t])]
        sheet.append([*panels, ("error x2", show_error(made.rgb[t], truth[t])), ("original", truth[t])])
    if args.png:
        save_png(contact_sheet(sheet, scale=1), args.png)
    if args.json:
        write_text(
            args.json, json.dumps({"model": args.checkpoint, "state": args.state, "rows": rows}, indent=2) + "\n"
        )


if __name__ == "__main__":
    main()
