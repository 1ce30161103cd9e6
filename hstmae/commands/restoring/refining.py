"""`restore --refine MINUTES`: motion recall learns on the footage before it restores it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import UsageError
from ..options import AMOUNT

if TYPE_CHECKING:
    from ...inference.footage.base import Footage
    from ...inference.job import Restores
    from ...inference.mask_rules import MaskRules
    from ...restoration.anything import AnythingRestorer

WEIGHTS = ".refined.npz"  # in the folder of an unfinished run, so that it goes on with what it has learned


def add_refine(parser: argparse.ArgumentParser) -> None:
    what = (
        "learn on the footage for so long before it is restored: more of it is hidden by damage of its own kind, and "
    )
    what += "the weights of motion recall are fitted to what is right there. Kept only where it helps with frames that "
    what += "were not learned from"
    parser.add_argument("--refine", type=AMOUNT, metavar="MINUTES", help=what)


def check_refine(args: argparse.Namespace, why: str, restorer: Restores) -> AnythingRestorer | None:
    """What is to be refined; None where nobody asked for it.

    Raises:
        UsageError: it is a model of a game that restores, or only a preview is wanted.
    """
    if args.refine is None:
        return None
    from ...restoration.anything import AnythingRestorer

    if not isinstance(restorer, AnythingRestorer):
        raise UsageError(
            f"--refine: is for footage that motion recall restores; this one is restored {why}. Leave out --refine, or "
            "--game generic takes it as footage of anything"
        )
    if args.preview is not None:
        raise UsageError("--refine: a preview shows what comes without it; leave one of them out")
    return restorer


def refined(
    args: argparse.Namespace, restorer: AnythingRestorer, sequences: Sequence[Footage], masks: MaskRules,
    frames: range | None, folder: Path,
) -> AnythingRestorer:  # fmt: skip
    """The restorer that has learned, or has in an interrupted run whose `folder` this is."""
    from ...motion.combiner import load_combiner, read_combiner, save_combiner
    from ...restoration.anything import AnythingRestorer

    file = folder / WEIGHTS
    if not file.exists():
        from tqdm import tqdm

        from ...inference.refining import refine

        seconds = 60 * args.refine
        form = "{desc}: {percentage:3.0f}%|{bar}| {elapsed} of about " + f"{args.refine:g} min"
        with tqdm(total=seconds, desc="refine", bar_format=form) as bar:

            def spent(more: float) -> None:
                bar.update(min(more, seconds - bar.n))

            learned = refine(load_combiner(), sequences, masks, frames, seconds, args.mode == "exact", spent)
        told = f"{learned.gain:+.2f} dB where it was tested, {learned.pixels:,} hidden pixels"
        print(f"refined: {f'not kept: {learned.reason}' if learned.reason else told}", file=sys.stderr)
        save_combiner(learned.combiner, file)
    return AnythingRestorer(restorer.mode, read_combiner(file))
