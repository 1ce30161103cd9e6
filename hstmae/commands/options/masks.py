"""The options of `restore` that say what is missing."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from . import AMOUNT, Number

if TYPE_CHECKING:
    from ...inference.mask_rules import MaskRules

GROWTH = Number(0, 256)  # pixels

EXAMPLES = """\
what is missing (all that is said adds up):
  --mask overlay.png            white = missing, in every frame
  --mask masks/                 one for each frame, by name, stem or number: 0001.jpg, masks/0001.png
  --mask mask.mp4               a film (also GIF, TIFF with pages, .npy) with as many frames
  --rect 16,8,64,24             64x24 pixels, 16 from the left and 8 from the top
  --rect 16,8,64,24@100-250     in these frames only, counted from 0; times: @1.5s-3s, @0:58-1:02
  --lost 96-99 --lost 120       whole frames
  --detect                      painted blocks, wherever they are; --detect '#ff00ff' of this colour
  --mask tube:0.9:1             90 % of the 16x16 positions (seed 1), to measure the restoration
"""


def add_masks(parser: argparse.ArgumentParser) -> None:
    """What `mask_rules` takes."""
    group = parser.add_argument_group("what is missing (besides transparent pixels)")
    add = group.add_argument
    add(
        "--mask",
        action="append",
        default=[],
        metavar="WHAT",
        help="a picture, film or .npy file (white, 1 or True = missing), a folder of pictures, or tube:RATIO[:SEED]; "
        "may be given several times; archives of them, too",
    )
    add("--mask-invert", action="store_true", help="mask files say what is visible")
    add(
        "--mask-threshold",
        type=AMOUNT,
        metavar="N",
        help="in mask files, values from N on are missing (default: found)",
    )
    add(
        "--mask-read",
        metavar="HOW",
        help="read mask files by brightness, alpha, index (of the palette), or #RRGGBB (that colour is missing); by "
        "default as what they are",
    )
    add("--mask-partial", action="store_true", help="frames without a file in a folder of masks are not damaged")
    add("--rect", action="append", default=[], metavar="X,Y,W,H[@A-B]", help="a rectangle, in all frames or these")
    add("--lost", action="append", default=[], metavar="A-B", help="whole frames, counted from 0")
    add("--dilate", type=GROWTH, default=0, metavar="N", help="make all that is missing N pixels larger on every side")
    add("--feather", type=GROWTH, default=0, metavar="N", help="fade into the N pixels around (true colour only)")
    add(
        "--detect",
        nargs="?",
        const="auto",
        metavar="#RRGGBB",
        help="find painted blocks: rectangles in a colour the game's palette lacks, and 16x16-aligned blocks in a "
        "colour that occurs almost nowhere else; with a colour given, every rectangle of it of at least 8x8 pixels",
    )
    tolerance = "levels that channels of compressed footage may be off the colour (default: %(default)s; 0 = none)"
    add("--detect-tolerance", type=Number(0, 128), default=16, metavar="N", help=tolerance)
    add("--allow-none", action="store_true", help="where --detect finds nothing, write copies instead of an error")


def mask_rules(args: argparse.Namespace) -> MaskRules:
    """Raises UsageError or DataError."""
    from ...errors import DataError, UsageError
    from ...inputs.unpacking import STDIN, as_folder
    from ...masks.meaning import parse_colour, parse_reading
    from ...masks.ranges import Drawn, parse_rectangle, parse_span
    from ...masks.tubes import parse_tube

    drawn = Drawn([parse_rectangle(text) for text in args.rect], [parse_span(text) for text in args.lost])
    fill = parse_colour(args.detect) if args.detect and args.detect != "auto" else None
    tubes = [tube for text in args.mask if (tube := parse_tube(text)) is not None]
    if len(tubes) > 1:
        raise UsageError("--mask tube: give one")
    paths = []
    for text in args.mask:
        if parse_tube(text) is None:
            if text != str(STDIN) and not Path(text).exists():
                raise DataError(f"mask {text}: no such file or folder (synthetic masks are written tube:0.9)")
            paths.append(as_folder(Path(text)))
    reading = parse_reading(args.mask_read, args.mask_threshold, args.mask_invert)
    if not paths and (args.mask_read or args.mask_threshold is not None or args.mask_invert or args.mask_partial):
        raise UsageError("--mask-read, --mask-threshold, --mask-invert and --mask-partial are about files: add --mask")
    from ...inference.mask_rules import MaskRules  # after all that can be wrong in the command itself

    return MaskRules(
        paths,
        reading,
        args.mask_partial,
        tubes[0] if tubes else None,
        drawn,
        args.detect is not None,
        fill,
        args.detect_tolerance,
        args.dilate,
        args.feather,
    )


_OPTIONS = (
    *("mask", "mask_invert", "mask_threshold", "mask_read", "mask_partial"),
    *("rect", "lost", "dilate", "feather", "detect", "detect_tolerance"),
)


def mask_key(args: argparse.Namespace) -> list[object]:
    """JSON values that change when what is missing may change, mask files included."""
    files: list[Path] = []
    for path in map(Path, args.mask):
        files += sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path] * path.exists()
    stamps = [[str(p), p.stat().st_size, p.stat().st_mtime_ns] for p in files]
    return [*(getattr(args, name) for name in _OPTIONS), stamps]
