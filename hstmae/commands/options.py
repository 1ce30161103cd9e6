"""Options that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError

if TYPE_CHECKING:
    from ..data.sources.video import VideoOptions

CHECKPOINT = "bundled name, model folder, run folder, .pth of training, or id on the Hub"
MAPS = "what the game's maps look like, by `hstmae atlas` (auto: the one beside the model's weights)"


def add_model(parser: argparse.ArgumentParser, default: str | None = "hst-mae-nano") -> None:
    """`--checkpoint` (needed where there is no default), `--atlas` (None for "none") and `--device`: see `load`."""
    parser.add_argument("--checkpoint", default=default, required=default is None, metavar="MODEL", help=CHECKPOINT)
    kind = {"type": lambda text: None if text == "none" else text, "default": "auto", "metavar": "FILE|none"}
    parser.add_argument("--atlas", help=MAPS, **kind)  # type: ignore[arg-type]
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))


def names(text: str) -> list[str]:
    """What a comma-separated list names."""
    return [word.strip() for word in text.split(",") if word.strip()]


def add_footage(parser: argparse.ArgumentParser) -> None:
    """How recordings and films are read: `--game`, `--on-error`, `--workers`, and what `video_options` takes."""
    add = parser.add_argument
    add("--game", help="game the input shows, or FILE.py:CLASS of your own (default: the one that its files state)")
    on_error = "leave damaged files out and report them, or stop at the first (default: %(default)s)"
    add("--on-error", choices=("skip", "fail"), default="skip", help=on_error)
    add("--workers", type=int, default=0, metavar="N", help="processes (default: one per core)")
    video = parser.add_argument_group("films and pictures")
    video.add_argument("--resize", type=int, default=0, metavar="N", help="scale every true-colour frame to NxN pixels")
    video.add_argument("--side", type=Path, metavar="PATH", help="folder of side files, or the one of a single film")
    video.add_argument("--fps", type=float, default=0.0, help="frame rate of folders of pictures (default: the game's)")


def video_options(args: argparse.Namespace) -> VideoOptions:
    """Raises UsageError for values out of range."""
    from ..data.sources.video import VideoOptions

    if args.resize and not 16 <= args.resize <= 4096:
        raise UsageError(f"--resize is {args.resize}; expected 16 to 4096 pixels, e.g. 224")
    if args.fps and not 0 < args.fps <= 1000:
        raise UsageError(f"--fps is {args.fps}; expected more than 0 and at most 1000")
    return VideoOptions(args.resize, args.side, args.fps)
