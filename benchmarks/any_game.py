"""Footage of any game without loss: whole .hst files beside general compressors and video codecs.

    python benchmarks/any_game.py --store DIR [--episodes NAME,...] [--frames 192] [--gop 192] [--json FILE]

Stores hold episodes in true colour, as `scripts/record_games.py` makes them; of each the first `--frames` frames are
taken. All codecs can begin every `--gop` frames (PNG: at every frame). Bytes are those of whole .hst files, and of
others packets with extra data; times are CPU time of one thread. Every result is decoded and compared.

`best RGB` is the smallest of the methods that were given the pictures as they are, `best` that of all: some were given
palette indices, which is half of our own work.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from hstmae.atomic import write_json
from hstmae.bench.clips import Clip
from hstmae.bench.job import Wanted, against, measure_all
from hstmae.bench.measuring import OWN
from hstmae.data.episode import Episode
from hstmae.data.store.reader import EpisodeStore

OURS = f"{OWN} lossless"


def measured(clip: Episode, gop: int) -> tuple[Clip, list[dict[str, Any]]]:
    """A row for each method of what keeps the clip's pictures alone; ours is the first."""
    pictures = Clip(replace(clip, state=None, context=None, actions=None))
    report = measure_all([pictures], Wanted(("lossless",), gops=(gop,)))
    return pictures, report["lossless"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, action="append", required=True)
    parser.add_argument("--episodes", default="", help="names, or parts of them; default: all")
    parser.add_argument("--frames", type=int, default=192)
    parser.add_argument("--gop", type=int, default=192)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    report: list[dict[str, Any]] = []
    print("| footage | size | colours | HST bytes/frame | best RGB | ratio | best | ratio | encode, decode ms |")
    print("|---|---|---:|---:|---|---:|---|---:|---:|", flush=True)
    for store in map(EpisodeStore, args.store):
        for info in store.infos():
            if args.episodes and not any(part in info.name for part in args.episodes.split(",")):
                continue
            clip, rows = measured(store.read(info.name, range(min(args.frames, info.frames)), ()), args.gop)
            own, said = rows[0], against(rows)[0]
            size = "x".join(map(str, clip.rgb.shape[2:0:-1]))
            cells = [info.name, size, f"{clip.colours:,}", f"{own['bytes_per_frame']:,.1f}"]
            for what in ("RGB", "all"):
                cells += [f"{said[what]['best']} {said[what]['bytes_per_frame']:,.1f}", f"{said[what]['ratio']:.2f}"]
            cells.append(f"{own['encode_ms']:.1f}, {own['decode_ms']:.1f}")
            print("| " + " | ".join(cells) + " |", flush=True)
            report.append({"name": info.name, "frames": len(clip), "colours": clip.colours, "methods": rows})
    if args.json:
        write_json(args.json, {"gop": args.gop, "clips": report})


if __name__ == "__main__":
    main()
