"""`hstmae export`: a model as files that run without PyTorch."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from ...output import Kind, Output, filling, write_result
from ..options import CHECKPOINT, CLIP, SHARE

HELP = "write a model as files that run without PyTorch (ONNX, and for phones ExecuTorch and LiteRT)"
FORMATS = ("onnx", "executorch", "litert")  # exporting.libraries
HIDDEN = 0.9
EXAMPLES = """\
examples:
  hstmae export hst-mae-nano --out exports/nano
  hstmae export hst-mae-nano --out exports/nano8 --int8
  hstmae export hst-mae-nano --out exports/phone --to executorch litert --clip 4
  hstmae export hst-mae-nano --out exports/all --to onnx litert --hide 0.75
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
    add(
        "--to", nargs="+", choices=FORMATS, default=["onnx"], metavar="FORMAT",
        help=f"{', '.join(FORMATS)}, or several (default: onnx); the last two are for phones, with every size "
        "fixed, and their packages lie in folders of their own, named by HSTMAE_EXECUTORCH and HSTMAE_LITERT",
    )  # fmt: skip
    add(
        "--hide", type=SHARE, metavar="S",
        help=f"share of the picture that is hidden in files for phones, which take no other (default: {HIDDEN})",
    )  # fmt: skip
    add("--int8", action="store_true", help="also as ONNX with weights as 8-bit numbers")
    add("--whole", action="store_true", help="also as ONNX with its head, as one graph: larger and slower")
    add("--json", metavar="FILE", help="write the manifest as JSON")


def outputs(args: argparse.Namespace) -> list[Output]:
    return [(args.out, Kind.FOLDER), (args.json, Kind.FILE)]


def run(args: argparse.Namespace) -> int:
    from ...errors import UsageError
    from ...exporting.libraries import need
    from ...model_folders import find_model, model_config

    config = model_config(find_model(args.checkpoint))
    if config and config.get("head", "palette") != "palette":
        raise UsageError(
            f"{args.checkpoint}: has a head '{config['head']}'; only models with a palette head are exported"
        )
    to = list(dict.fromkeys(args.to))
    if "onnx" not in to and (args.int8 or args.whole):
        raise UsageError(f"--{'int8' if args.int8 else 'whole'} is of ONNX: add onnx to --to")
    if to == ["onnx"] and args.hide is not None:
        raise UsageError(
            "--hide is of files for phones: an ONNX file takes any share; add executorch or litert to --to"
        )
    hidden = HIDDEN if args.hide is None else args.hide
    units = args.size[0] * args.size[1] // 256
    if to != ["onnx"] and not 0 < round(hidden * units) < units:
        raise UsageError(
            f"--hide {hidden}: of {units} units of 16x16 pixels none would be visible, or all; take another"
        )
    for form in to:
        need(form)
    from ...exporting.export import export

    with filling(args.out, args.overwrite) as folder:
        made = export(
            args.checkpoint, folder, size=args.size, clip=args.clip, int8=args.int8, whole=args.whole, to=to,
            hidden=hidden,
        )  # fmt: skip
    for file, size in made["bytes"].items():
        print(f"{args.out / file}: {size / 1e6:.2f} MB")
    write_result(args.json, made)
    return 0


def _size(text: str) -> tuple[int, int]:
    """Height and width. Raises ArgumentTypeError."""
    match = SIDES.fullmatch(text)
    if not match or any(int(n) % 16 or not 16 <= int(n) <= 4096 for n in match.groups()):
        raise argparse.ArgumentTypeError(f"expected WIDTHxHEIGHT, multiples of 16 up to 4096, got '{text}'")
    return int(match[2]), int(match[1])
