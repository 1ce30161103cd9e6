"""Options that several commands share."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import UsageError

if TYPE_CHECKING:
    from ...data.sources.video import VideoOptions
    from ...inference.predictor import Predictor

CHECKPOINT = "bundled name, model folder, run folder, .pth of training, or id on the Hub"
MAPS = "what the game's maps look like, by `hstmae atlas` (auto: the one beside the model's weights)"


LARGEST = 10**9  # of all numbers that are given: no recording has as many frames, and nothing overflows


@dataclass(frozen=True)
class Number:
    """The `type` of an option that takes a number: a wrong one is refused before anything is loaded or read.

    Attributes:
        least, most: the range; `above` and `below` leave these ends out.
        whole: no fractions.
        step: only multiples of it.
    """

    least: float
    most: float = LARGEST
    whole: bool = True
    step: int = 1
    above: bool = False
    below: bool = False

    def __call__(self, text: str) -> float:
        """Raises ArgumentTypeError."""
        try:
            value: float = int(text) if self.whole else float(text)
        except ValueError:
            value = math.nan
        ends = (self.above and value == self.least) or (self.below and value == self.most)
        if ends or not self.least <= value <= self.most or (self.whole and value % self.step):  # NaN is in no range
            raise argparse.ArgumentTypeError(f"expected {self.wanted}, got '{text}'")
        return value

    @property
    def wanted(self) -> str:
        """What is right, in words."""
        kind = f"a multiple of {self.step}" if self.step > 1 else "a whole number" if self.whole else "a number"
        low, high = "above" if self.above else "at least", "below" if self.below else "at most"
        return f"{kind}, {low} {self.least:,} and {high} {self.most:,}"


COUNT, POSITION = Number(1), Number(0)
SEED = Number(0, 2**32 - 1)
SHARE = Number(0, 1, whole=False, above=True, below=True)  # hidden or kept: never none or all
RATE = Number(0, 1000, whole=False, above=True)  # pictures a second
AMOUNT = Number(0, whole=False, above=True)  # of time, or bits
PROCESSES = Number(0, 1024)
CLIP = Number(2, 1024, step=2)  # frames
SIDE = Number(16, 4096)  # pixels of a picture


def add_model(parser: argparse.ArgumentParser, default: str | None = "hst-mae-nano") -> None:
    """`--checkpoint` (needed where there is no default), `--atlas` (None for "none") and `--device`: see `load`."""
    what = f"{CHECKPOINT} (auto: the bundled one of the game that is seen)" if default == "auto" else CHECKPOINT
    parser.add_argument("--checkpoint", default=default, required=default is None, metavar="MODEL", help=what)
    kind = {"type": lambda text: None if text == "none" else text, "default": "auto", "metavar": "FILE|none"}
    parser.add_argument("--atlas", help=MAPS, **kind)  # type: ignore[arg-type]
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))


def load_model(args: argparse.Namespace) -> Predictor:
    """What the options of `add_model` ask for. This is what takes its time: everything else is checked before."""
    from ...inference.loading import load

    return load(args.checkpoint, args.device, args.atlas)


def add_rom(parser: argparse.ArgumentParser, what: str = "") -> None:
    """`--rom`, None where it is not given."""
    what += "your own ROM of the game (reading: or the variable HSTMAE_ROM)"
    parser.add_argument("--rom", type=Path, metavar="FILE", help=what)


def names(text: str) -> list[str]:
    """What a comma-separated list names."""
    return [word.strip() for word in text.split(",") if word.strip()]


def add_footage(parser: argparse.ArgumentParser) -> None:
    """How recordings and films are read: `--game`, `--on-error`, `--workers`, and what `video_options` takes."""
    add = parser.add_argument
    add("--game", help="game the input shows, or FILE.py:CLASS of your own (default: the one that its files state)")
    on_error = "leave damaged files out and report them, or stop at the first (default: %(default)s)"
    add("--on-error", choices=("skip", "fail"), default="skip", help=on_error)
    add("--workers", type=PROCESSES, default=0, metavar="N", help="processes (default: one per core)")
    video = parser.add_argument_group("films and pictures")
    video.add_argument(
        "--resize", type=SIDE, default=0, metavar="N", help="scale every true-colour frame to NxN pixels"
    )
    video.add_argument("--side", type=Path, metavar="PATH", help="folder of side files, or the one of a single film")
    video.add_argument("--fps", type=RATE, default=0.0, help="frame rate of folders of pictures (default: the game's)")


def add_executor(parser: argparse.ArgumentParser) -> None:
    """`--executor`: where processes are."""
    what = "where processes are: this machine, or a Ray cluster whose machines all see the files (default: local)"
    parser.add_argument("--executor", type=_executor, default="local", metavar="local|ray|ray://HOST:PORT", help=what)


def on_processors(args: argparse.Namespace, elsewhere: bool) -> None:
    """With a model in other processes: these compute on processors, as then does this one.

    Raises:
        UsageError: another device was asked for.
    """
    if elsewhere and args.device == "cuda":
        raise UsageError("--workers and --executor are for models on processors; leave them out, or --device cuda")
    if elsewhere:
        args.device = "cpu"


def _executor(text: str) -> str:
    from ...executor.on_ray import check_executor

    try:
        check_executor(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def add_lag(parser: argparse.ArgumentParser) -> None:
    """`--lag`, None for auto: between memory and picture in files, see `data.pairing`."""
    what = "the memory in the file of frame t belongs to the picture of frame t + LAG (default: auto, found for each "
    what += "episode: 0 of FCEUX up to 2.2.3, 1 from 2.3.0 on)"
    parser.add_argument("--lag", type=_lag, metavar="auto|-1|0|1", help=what)


def _lag(text: str) -> int | None:
    """Raises ArgumentTypeError for anything else."""
    if text == "auto":
        return None
    if text.removeprefix("+") not in ("-1", "0", "1"):
        raise argparse.ArgumentTypeError(f"{text!r} is none of auto, -1, 0 and 1")
    return int(text)


def video_options(args: argparse.Namespace) -> VideoOptions:
    from ...data.sources.video import VideoOptions

    return VideoOptions(args.resize, args.side, args.fps)
