"""`hstmae models`: what each variant weighs and costs."""

import argparse
from typing import Any

from ..bundled import SIZES
from ..output import Kind, Output, write_result
from .options import CLIP

HELP = "list the model variants with parameters, cost per frame and activation memory"
EXAMPLES = """\
examples:
  hstmae models
  hstmae models --variant nano base --size 224x224 1280x720 --clip 4 16
  hstmae models --size 224x224 256x240 320x320 1280x720 --json models.json
"""

LARGEST_SIDE = 8192

_FOOT = """\
pretrain: 10 % of the units visible, half of the hidden cubes decoded; restore: 10 or 5 % visible, all hidden cubes
decoded; dense: every cube encoded and decoded.
weights: bundled, the folder they lie in, or none: such a model has to be trained, with configs/mae_*.yaml.
In brackets: without the two products inside of attention. tables: state canvas, cell codes, place memory.
Activation memory: kept by one clip's forward pass for the backward pass, bf16, without parameters."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    sides = "picture sizes, multiples of 16 (224x224)"
    parser.add_argument("--size", nargs="+", type=_size, default=[(224, 224)], metavar="WxH", help=sides)
    parser.add_argument("--clip", nargs="+", type=CLIP, default=[16], metavar="T", help="frames per clip, even (16)")
    parser.add_argument("--variant", nargs="+", type=_variant, metavar="NAME", help=f"{', '.join(SIZES)} (all)")
    parser.add_argument("--json", metavar="FILE", help="write the tables as JSON")


def outputs(args: argparse.Namespace) -> list[Output]:
    return [(args.json, Kind.FILE)]


def run(args: argparse.Namespace) -> int:
    from ..model_folders import weights_of
    from ..models.cost import model_cost
    from ..models.zoo import VARIANTS

    settings: list[dict[str, Any]] = []
    for clip in args.clip:
        for size in args.size:
            models = {name: model_cost(VARIANTS[name], size, clip) for name in args.variant or VARIANTS}
            first = next((s for s in settings if s["clip"] == clip), None)
            for name, row in models.items():
                row["weights"] = weights_of(name)
                row["growth"] = _growth(row, size, first["models"][name], first["size"]) if first else None
            settings.append({"size": list(size), "clip": clip, "models": models})
            if len(settings) == 1:
                print(_weights(models))
            print(_costs(settings[-1], first))
    print(_FOOT)
    write_result(args.json, {**settings[0], "settings": settings})
    return 0


def _size(text: str) -> tuple[int, int]:
    """ "256x240" (width x height) -> (240, 256)."""
    try:
        width, height = (int(part) for part in text.lower().split("x"))
    except ValueError:
        width = height = 0
    if not (16 <= min(width, height) <= max(width, height) <= LARGEST_SIDE) or width % 16 or height % 16:
        raise argparse.ArgumentTypeError(f"expected multiples of 16 up to {LARGEST_SIDE}, as in 256x240, got '{text}'")
    return height, width


def _variant(text: str) -> str:
    size = text.removeprefix("hst-mae-")
    if size not in SIZES:
        raise argparse.ArgumentTypeError(f"unknown model '{text}'; known: {', '.join(SIZES)}")
    return f"hst-mae-{size}"


def _growth(row: dict[str, Any], size: tuple[int, int], base: dict[str, Any], base_size: list[int]) -> dict[str, float]:
    """Cost per pixel relative to that at another size, by mode: 1 where cost grows as the area does."""
    area = size[0] * size[1] / (base_size[0] * base_size[1])
    return {mode: macs / base["gmac_per_frame"][mode] / area for mode, macs in row["gmac_per_frame"].items()}


def _weights(models: dict[str, dict[str, Any]]) -> str:
    columns = ("total", "encoder", "decoder", "state", "tables")
    lines = ["million parameters" + " " * 2 + "".join(f"{c:>14}" for c in columns) + "  weights"]
    for name, row in models.items():
        numbers = "".join(f"{row['params'][c] / 1e6:>14.2f}" for c in columns)
        lines.append(f"{name:<20}{numbers}  {row['weights'] or 'none'}")
    return "\n".join(lines)


def _costs(setting: dict[str, Any], first: dict[str, Any] | None) -> str:
    (height, width), modes = setting["size"], list(next(iter(setting["models"].values()))["gmac_per_frame"])
    lines = [
        "",
        f"{width}x{height}, {setting['clip']} frames; GMAC per frame (1 MAC = 2 FLOPs); activations in MB per clip",
    ]
    lines.append(" " * 20 + "".join(f"{m.replace('_', ' ') + ('' if m[-1].isalpha() else ' %'):>20}" for m in modes))
    for name, row in setting["models"].items():
        total, linear = row["gmac_per_frame"], row["gmac_per_frame_linear"]
        lines.append(f"{name:<20}" + "".join(f"{f'{total[m]:.3f} ({linear[m]:.3f})':>20}" for m in modes))
        lines.append(f"{'  activations, MB':<20}" + "".join(f"{row['activation_mb'][m]:>20.0f}" for m in modes))
        if first:
            lines.append(f"{'  growth / area':<20}" + "".join(f"{row['growth'][m]:>20.2f}" for m in modes))
    return "\n".join(lines)
