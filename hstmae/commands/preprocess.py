"""`hstmae preprocess`: recorded episodes -> store."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..bundled import find
from ..output import Kind, Output, write_result
from .options import Number, add_executor, add_footage, add_lag, names, video_options
from .options.parts import EXAMPLE, PartRun, add_part, how_read, list_of, part_outputs, stamp_of

if TYPE_CHECKING:
    from ..data.store.building import StoreSummary

HELP = "turn recorded episodes (folders or .7z archives) or videos into a store"
EXAMPLES = (
    """examples:
  hstmae preprocess --input_dir recordings --output_dir data/preprocessed
  hstmae preprocess --input_dir recordings --output_dir data/preprocessed --val-levels 3-2,8-3 --on-error fail
  hstmae preprocess --input_dir data-smb.7z --output_dir data/preprocessed
  hstmae preprocess --input_dir films --output_dir data/films --resize 224
  hstmae preprocess --input_dir pictures --output_dir data/cave --game cave.py --side memory

A .7z archive of recordings, or archives in the input folder, are read without unpacking them into a folder
(pip install 'hstmae[archive]'); about 3 KB of memory per file in the archive are needed. Any other archive (zip, tar,
7z of films or pictures) is unpacked into a temporary folder; - reads a film, a picture or an archive from standard
input.

Of anything else every film (mp4, mkv, webm ...) or animation (GIF, WebP, PNG, TIFF), and every folder of pictures (PNG,
JPEG, BMP, WebP, TIFF) is one true-colour episode, or, with --game of a game with a palette, every folder of pictures in
exactly the game's colours is one.
State and actions may lie beside it in NAME.npz (arrays state [T, S], actions [T]) or NAME.jsonl
({"state": [...], "action": n} for each frame).

Safe to interrupt: run the same command again and it goes on. Files that were left out, and why, stand in
problems.jsonl of the store. More input can be added to a store by running it with another --input_dir.
"""
    + EXAMPLE
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    what = "folder of episode folders (smbdataset layout) or a .7z archive of them, or folder of films or pictures"
    add("--input_dir", "--input-dir", type=find, required=True, metavar="INPUT", help=what)
    add("--output_dir", "--output-dir", required=True, metavar="DIR", help="folder of the store")
    add_footage(parser)
    add_executor(parser)
    add_lag(parser)
    add_part(parser, "episodes")
    add("--val-levels", type=names, default=[], metavar="W-L,...", help="levels kept out of training, e.g. 3-2,8-3")
    share = "share of the other episodes kept out of training (default: %(default)s)"
    add("--val-fraction", type=Number(0, 1, whole=False, below=True), default=0.05, metavar="SHARE", help=share)
    level = "compression (default: %(default)s)"
    add("--zstd-level", "--level-zstd", type=Number(1, 22), default=12, metavar="1-22", help=level)
    add("--rebuild", action="store_true", help="pack episodes again that the store already holds")
    add("--json", metavar="FILE", help="also write the summary as JSON")


def outputs(args: argparse.Namespace) -> list[Output]:
    return [*part_outputs(args, args.output_dir, Kind.GROWING), (args.json, Kind.FILE)]


def run(args: argparse.Namespace) -> int:
    from ..data.sources.base import NothingUsable
    from ..data.store.preprocessing import build_store, episodes_of, find_episodes
    from ..data.store.writer import Packing
    from ..space import SMALLER, bytes_of, check_space

    films, all_of_it = (
        size // (1 if args.part is None else args.part.count) for size in bytes_of(Path(args.input_dir))
    )
    if not (out := Path(args.output_dir)).exists():
        plain = args.game is None and not args.resize  # frames take more room than the film they are from
        check_space(out, films * plain / 2 + (all_of_it - films) / SMALLER)
    game, kind, found = find_episodes(Path(args.input_dir), args.game, video_options(args), args.lag)
    splits = {"val_levels": list(args.val_levels), "val_fraction": args.val_fraction}
    part = None
    if args.part is not None:
        settings = {**how_read(args), **splits, "zstd_level": args.zstd_level}
        own = stamp_of(episodes_of(found, args.on_error, args.part))
        part = PartRun(args, "preprocess", out, list_of(found), own, settings)
        if part.kept is not None:
            write_result(args.json, part.kept)
            return 0
    try:
        summary = build_store(
            found, out, game, kind, splits, args.on_error, args.workers, Packing(level=args.zstd_level),
            rebuild=args.rebuild, part=args.part, executor=args.executor, progress=True,
        )  # fmt: skip
    except NothingUsable as error:
        if part is None:
            raise
        return part.nothing(error.problems, args.json)
    if part is not None:
        part.done(summary.to_json())
    write_result(args.json, summary.to_json())
    print_summary(summary)
    return 0


def print_summary(summary: StoreSummary) -> None:
    """Say it in a few lines."""
    splits = ", ".join(f"{count} {name}" for name, count in summary.splits.items())
    print(f"store     {summary.store}, game {summary.game}")
    print(f"episodes  {summary.episodes} ({splits})")
    print(f"this run  {summary.packed} packed ({summary.replaced} of them again), {summary.kept} kept")
    print(f"frames    {summary.frames:,}, {summary.bytes_per_frame:,.1f} bytes each, all files counted")
    print(f"speed     {summary.speed} frames/s")
    print(f"repaired  {summary.repaired:,} frames with line-end damage in their metadata")
    for line in summary.pairing:
        print(f"pairing   {line}")
    print(f"left out  {summary.left_out:,} files or episodes (reasons in {summary.store}/problems.jsonl)")
    print(f"remarks   {summary.remarks:,}")
    for problem in summary.problems:
        print(f"  {problem}")
    print(f"hash      {summary.hash}")
