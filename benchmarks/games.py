"""Games side by side: what is restored of each, with and without its state, and how small it is stored.

    python benchmarks/games.py --store DIR [--store DIR ...] [--checkpoint MODEL ...] [--clips 8] [--frames 384]
                               [--json FILE]

Each store holds one game. Tubes hide 90 % of the positions; figures count hidden pixels alone: PSNR of the mean colour
(RGB) and the share that is exactly right, with all of the state, without it, and of the best filler that sees the same
pixels (the best in PSNR of those that `hstmae evaluate` measures). `--checkpoint` is given once for each store, in
their order; without it, and where it says "auto", nothing is trained. True-colour games have no such figures then.

Bytes are those of whole .hst files of pictures alone, of the first `--frames` frames of each store's first episode,
beside general compressors and video codecs without loss in the same run (see any_game.py, which decodes each result and
compares it); `all` is our file with memory and actions.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
from any_game import measured

from hstmae.atomic import write_json
from hstmae.codec.session.profiles import make_profile
from hstmae.codec.session.writer import HstWriter
from hstmae.data.clips.dataset import ClipDataset
from hstmae.data.episode import Episode
from hstmae.data.store.reader import EpisodeStore
from hstmae.evaluation.evaluate import EvaluateOptions, evaluate
from hstmae.games import get_game
from hstmae.inference.choosing import without_model
from hstmae.inference.loading import load

GOP = 192


def restored(store: EpisodeStore, checkpoint: str | None, clips: int) -> dict[str, Any]:
    """PSNR and share of exact pixels by what restores; empty for true colour without a model."""
    if checkpoint is None and not get_game(store.game).indexed:
        return {}
    restorer = without_model(store.game) if checkpoint is None else load(checkpoint)
    dataset = ClipDataset(store, stride=restorer.game.stride, crop=0)
    found: dict[str, Any] = {}
    for level in ("full", "none"):
        report = evaluate(restorer, dataset, EvaluateOptions(0.9, level, clips))
        found[level] = report["psnr_masked"], report["exact_match"]
        fillers = {name: one for name, one in report["baselines"].items() if isinstance(one, dict)}
        best = max(fillers, key=lambda name: float(fillers[name]["psnr_masked"]))
        if level == "full":
            found["filler"] = fillers[best]["psnr_masked"], fillers[best]["exact_match"], best
    return found


def stored(store: EpisodeStore, frames: int) -> dict[str, float | str]:
    """Bytes of a frame: our pictures, our whole file, and the best general codec."""
    name = store.info(0).name
    clip = store.read(name, range(min(frames, store.info(0).frames)))
    pictures = clip.palette[clip.frames] if clip.palette is not None else clip.frames
    colours = replace(clip, frames=pictures, palette=None, state=None, context=None, actions=None, game="generic")
    best = min(measured(colours, GOP)[1][1:], key=lambda row: float(row["bytes_per_frame"]))
    count, whole = len(clip.frames), _bytes(clip)
    alone = _bytes(replace(clip, state=None, context=None, actions=None))
    return {
        "pictures": alone / count, "all": whole / count, "best": best["bytes_per_frame"],
        "codec": f"{best['method']} of {best['given']}",
        "all_unpacked": int(np.prod(clip.frames.shape[1:])) + (0 if clip.state is None else clip.state.shape[1]),
    }  # fmt: skip


def _bytes(clip: Episode) -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.hst"
        with HstWriter(path) as writer:
            writer.add(make_profile("lossless", clip.game), clip, gop=GOP)
        return path.stat().st_size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, action="append", required=True)
    parser.add_argument("--checkpoint", action="append", default=[])
    parser.add_argument("--clips", type=int, default=8)
    parser.add_argument("--frames", type=int, default=384)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    models = [None if name == "auto" else name for name in args.checkpoint] or [None] * len(args.store)
    if len(models) != len(args.store):
        parser.error("as many --checkpoint as --store, or none")
    print("| store | game | state: dB, exact | none: dB, exact | best filler | HST all | HST pictures | best general |")
    print("|---|---|---:|---:|---:|---:|---:|---:|", flush=True)
    report = []
    for path, model in zip(args.store, models, strict=True):
        store = EpisodeStore(path)
        found, size = restored(store, model, args.clips), stored(store, args.frames)
        cells = [path.name, store.game]
        for level in ("full", "none", "filler"):
            one = found.get(level)
            cells.append("-" if one is None else f"{one[0]:.2f}, {100 * one[1]:.2f} %{' ' + one[2] if one[2:] else ''}")
        cells += [f"{size['all']:.1f}", f"{size['pictures']:.1f}", f"{size['codec']} {size['best']:.1f}"]
        print("| " + " | ".join(cells) + " |", flush=True)
        report.append({"store": str(path), "game": store.game, "restored": found, "stored": size})
    if args.json:
        write_json(args.json, report)


if __name__ == "__main__":
    main()
