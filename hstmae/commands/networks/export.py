"""`hstmae export`: a model as files that run without PyTorch."""

from __future__ import annotations

import argparse
import importlib.util
import re
from pathlib import Path

from ...output import Kind, Output, filling, write_result
from ..options import CHECKPOINT, CLIP

HELP = "write a model as files that run without PyTorch (ONNX)"
EXAMPLES = """\
examples:
  hstmae export hst-mae-nano --out exports/nano
  hstmae export hst-mae-nano --out exports/nano8 --int8
  hstmae restore INPUT --runtime onnx --checkpoint exports/nano --out restored
"""
SIDES = re.compile(r"(\d{2,4})x(\d{2,4})")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("checkpoint", metavar="MODEL", help=CHECKPOINT.replace(", .pth of training", "").replace(", run folder", ""))
    add("--out", type=Path, required=True, metavar="DIR", help="folder of the export")
    add("--size", type=_size, default=(240, 256), metavar="WxH", help="of the pictures (default: 256x240)")
    add(
        "--clip", type=CLIP, default=16, metavar="T", help="frames that the network sees at once (default: %(default)s)"
    )
    add("--int8", action="store_true", help="also with weights as 8-bit numbers")
    add("--whole", action="store_true", help="also with its head, as one graph: larger and slower")
    add("--json", metavar="FILE", help="write the manifest as JSON")


def outputs(args: argparse.Namespace) -> list[Output]:
    return [(args.out, Kind.FOLDER), (args.json, Kind.FILE)]


def run(args: argparse.Namespace) -> int:
    from ...errors import UsageError
    from ...model_folders import find_model, model_config

    config = model_config(find_model(args.checkpoint))
    if config and config.get("head", "palette") != "palette":
        raise UsageError(
            f"{args.checkpoint}: has a head '{config['head']}'; only models with a palette head are exported"
        )
    if missing := [name for name in ("onnx", "onnxscript", "onnxruntime") if not _is_here(name)]:
        raise UsageError(f"exporting needs packages ({missing[0]} is missing): pip install 'hstmae[export]'")
    from ...exporting.export import export

    with filling(args.out, args.overwrite) as folder:
        made = export(args.checkpoint, folder, size=args.size, clip=args.clip, int8=args.int8, whole=args.whole)
    for file, size in made["bytes"].items():
        print(f"{args.out / file}: {size / 1e6:.2f} MB")
    write_result(args.json, made)
    return 0


def _is_here(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ValueError:  # a module without its description
        return False


def _size(text: str) -> tuple[int, int]:
    """Height and width. Raises ArgumentTypeError."""
    match = SIDES.fullmatch(text)
    if not match or any(int(n) % 16 or not 16 <= int(n) <= 4096 for n in match.groups()):
        raise argparse.ArgumentTypeError(f"expected WIDTHxHEIGHT, multiples of 16 up to 4096, got '{text}'")
    return int(match[2]), int(match[1])
