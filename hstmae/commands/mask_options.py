"""The options of `restore` that say what is missing."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..inference.mask_rules import MaskRules


def add_masks(parser: argparse.ArgumentParser) -> None:
    """`--mask` and `--detect`, see `mask_rules`."""
    parser.add_argument(
        "--mask", metavar="FILE|tube:RATIO[:SEED]", help="picture (white = missing), folder of them, or synthetic tubes"
    )
    parser.add_argument(
        "--detect",
        nargs="?",
        const="auto",
        metavar="#RRGGBB",
        help="find painted blocks: rectangles in a colour the game's palette lacks, and 16x16-aligned blocks in a "
        "colour that occurs almost nowhere else; with a colour given, every rectangle of it of at least 8x8 pixels",
    )


def mask_rules(args: argparse.Namespace) -> MaskRules:
    """Raises UsageError or DataError."""
    from ..errors import DataError
    from ..inference.mask_rules import MaskRules
    from ..masks.files import parse_colour
    from ..masks.tubes import parse_tube

    tube = parse_tube(args.mask) if args.mask else None
    path = Path(args.mask) if args.mask and tube is None else None
    if path is not None and not path.exists():
        raise DataError(f"mask {path}: no such file or folder (synthetic masks are written tube:0.9)")
    fill = parse_colour(args.detect) if args.detect and args.detect != "auto" else None
    return MaskRules(path, tube, args.detect is not None, fill)


def mask_key(args: argparse.Namespace) -> list[object]:
    """JSON values that change when what is missing may change, mask files included."""
    path = Path(args.mask) if args.mask else None
    files: list[Path] = []
    if path is not None and path.exists():
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    stamps = [[str(p), p.stat().st_size, p.stat().st_mtime_ns] for p in files]
    return [args.mask, args.detect, stamps]
