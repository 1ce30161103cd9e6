"""Options that several commands share."""

from __future__ import annotations

import argparse

CHECKPOINT = "bundled name, model folder, run folder, .pth of training, or id on the Hub"
MAPS = "what the game's maps look like, by `hstmae atlas` (auto: the one beside the model's weights)"


def add_model(parser: argparse.ArgumentParser, default: str | None = "hst-mae-nano") -> None:
    """`--checkpoint` (needed where there is no default), `--atlas` (None for "none") and `--device`: see `load`."""
    parser.add_argument("--checkpoint", default=default, required=default is None, metavar="MODEL", help=CHECKPOINT)
    kind = {"type": lambda text: None if text == "none" else text, "default": "auto", "metavar": "FILE|none"}
    parser.add_argument("--atlas", help=MAPS, **kind)  # type: ignore[arg-type]
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
