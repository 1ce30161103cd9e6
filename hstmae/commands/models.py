"""`hstmae models`: what each variant weighs and costs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

HELP = "list the model variants with parameters and cost per frame"
EXAMPLES = """\
  hstmae models
  hstmae models --size 256x240 --json models.json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--size", default="224x224", metavar="WxH", help="picture size, multiples of 16 (224x224)")
    parser.add_argument("--clip", type=int, default=16, metavar="T", help="frames per clip, even (16)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table as JSON")


def run(args: argparse.Namespace) -> int:
    from ..atomic import write_json
    from ..errors import UsageError
    from ..models.cost import variant_costs

    try:
        width, height = (int(part) for part in args.size.lower().split("x"))
    except ValueError:
        raise UsageError(f"--size must look like 256x240, got '{args.size}'") from None
    if min(width, height) < 16 or width % 16 or height % 16:
        raise UsageError(f"--size must be multiples of 16, got {width}x{height}")
    if args.clip < 2 or args.clip % 2:
        raise UsageError(f"--clip must be an even number of frames, got {args.clip}")
    rows = variant_costs((height, width), args.clip)
    print(_table(rows, f"{width}x{height}, {args.clip} frames"))
    if args.json:
        write_json(args.json, {"size": [height, width], "clip": args.clip, "models": rows})
    return 0


def _table(rows: dict[str, dict[str, Any]], title: str) -> str:
    head = ("model", "M params", "encoder", "decoder", "other", "train", "restore 90 %", "dense")
    lines = [f"{title}; GMAC per frame (1 MAC = 2 FLOPs), matrix products and attention"]
    lines.append("{:<14}{:>9}{:>9}{:>9}{:>7}{:>9}{:>14}{:>9}".format(*head))
    for name, row in rows.items():
        p, g = row["params"], row["gmac_per_frame"]
        other = p["total"] - p["encoder"] - p["decoder"]
        lines.append(
            f"{name:<14}{p['total'] / 1e6:>9.2f}{p['encoder'] / 1e6:>9.2f}{p['decoder'] / 1e6:>9.2f}{other / 1e6:>7.2f}"
            f"{g['train']:>9.3f}{g['restore_90']:>14.3f}{g['dense']:>9.3f}"
        )
    lines.append(
        "train: 10 % visible, half of the hidden cubes decoded; restore 90 %: all hidden ones; dense: everything\n"
        "encoded and decoded. other: state encoder, canvas textures, cell codes."
    )
    return "\n".join(lines)
