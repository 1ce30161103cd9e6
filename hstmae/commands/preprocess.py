"""`hstmae preprocess`: recorded episodes -> store."""

from __future__ import annotations

import argparse

HELP = "turn a folder of recorded episodes into a store"
EXAMPLES = """examples:
  hstmae preprocess --input_dir recordings --output_dir data/preprocessed
  hstmae preprocess --input_dir recordings --output_dir data/preprocessed --val-levels 3-2,8-3 --on-error fail

Safe to interrupt: run the same command again and it goes on. Files that were left out, and why, stand in
problems.jsonl of the store. More input can be added to a store by running it with another --input_dir."""


def _levels(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--input_dir", "--input-dir", required=True, metavar="DIR", help="folder of episode folders (smbdataset layout)"
    )
    parser.add_argument("--output_dir", "--output-dir", required=True, metavar="DIR", help="folder of the store")
    parser.add_argument("--game", default="smb", help="game the recordings are of (default: %(default)s)")
    parser.add_argument(
        "--on-error",
        choices=("skip", "fail"),
        default="skip",
        help="leave damaged files out and report them, or stop at the first (default: %(default)s)",
    )
    parser.add_argument("--workers", type=int, default=0, metavar="N", help="processes (default: one per core)")
    parser.add_argument(
        "--val-levels", type=_levels, default=[], metavar="W-L,...", help="levels kept out of training, e.g. 3-2,8-3"
    )
    parser.add_argument(
        "--val-fraction",
        type=float,
        default=0.05,
        metavar="SHARE",
        help="share of the other episodes kept out of training (default: %(default)s)",
    )
    parser.add_argument(
        "--zstd-level", "--level-zstd", type=int, default=12, metavar="1-22", help="compression (default: %(default)s)"
    )
    parser.add_argument("--rebuild", action="store_true", help="pack episodes again that the store already holds")
    parser.add_argument("--json", metavar="FILE", help="also write the summary as JSON")


def run(args: argparse.Namespace) -> int:
    from ..atomic import write_json
    from ..data.preprocessing import preprocess
    from ..data.writer import Packing
    from ..errors import UsageError

    if not 1 <= args.zstd_level <= 22:
        raise UsageError(f"--zstd-level is {args.zstd_level}; expected 1 to 22")
    summary = preprocess(
        args.input_dir,
        args.output_dir,
        game=args.game,
        on_error=args.on_error,
        workers=args.workers,
        val_levels=args.val_levels,
        val_fraction=args.val_fraction,
        packing=Packing(level=args.zstd_level),
        rebuild=args.rebuild,
        progress=True,
    )
    if args.json:
        write_json(args.json, summary.to_json())
    splits = ", ".join(f"{count} {name}" for name, count in summary.splits.items())
    speed = f"{summary.packed_frames:,} frames in {summary.seconds:.1f} s: {summary.frames_per_second:,.0f} frames/s"
    rows = [
        ("store", summary.store),
        ("episodes", f"{summary.episodes} ({splits})"),
        ("this run", f"{summary.packed} packed ({summary.replaced} of them again), {summary.kept} kept"),
        ("frames", f"{summary.frames:,}, {summary.bytes_per_frame:,.1f} bytes each, all files counted"),
        ("speed", speed),
        ("repaired", f"{summary.repaired:,} frames with line-end damage in their metadata"),
        ("left out", f"{summary.left_out:,} files or episodes (reasons in {summary.store}/problems.jsonl)"),
        ("remarks", f"{summary.remarks:,}"),
        ("hash", summary.hash),
    ]
    for name, value in rows:
        print(f"{name:<9} {value}")
    return 0
