"""Options that several commands share."""

from __future__ import annotations

import argparse


def add_atlas(parser: argparse.ArgumentParser) -> None:
    """`--atlas`: None for "none", else a name for `load`."""
    parser.add_argument(
        "--atlas",
        type=lambda text: None if text == "none" else text,
        default="auto",
        metavar="FILE|none",
        help="what the game's maps look like, by `hstmae atlas` (auto: the one beside the model's weights)",
    )
