"""The options of `restore` that say which frames are wanted, and how a film or a picture is written."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import UsageError
from ...output import STDOUT, Kind
from . import RATE, Number

if TYPE_CHECKING:
    from ...film.codecs import FilmOptions
    from ...inference.footage.base import Footage

CONFIDENCE = "confidence"  # that of hstmae.inference.footage.base, which is not loaded for this
_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
_TIME = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)")


def add_film_options(parser: argparse.ArgumentParser) -> None:
    """`--frames`, `--start`, `--end`, `--codec`, `--quality`, `--lossless` and `--fps`."""
    part = parser.add_argument_group("a part of the footage")
    part.add_argument("--frames", type=_frames, metavar="A:B", help="from frame A (the first is 0) up to B, B left out")
    part.add_argument(
        "--start", type=_seconds, metavar="TIME", help="from here on: seconds, or [hours:]minutes:seconds"
    )
    part.add_argument("--end", type=_seconds, metavar="TIME", help="up to here")
    film = parser.add_argument_group("a film as output")
    film.add_argument("--codec", default="", metavar="NAME", help="h264, hevc, vp9, av1, ffv1, prores or an encoder of "
                      "FFmpeg (default: what suits the file and its pictures)")  # fmt: skip
    film.add_argument(
        "--quality",
        type=Number(0, 51, whole=False),
        metavar="0..51",
        help="0 is best (default: 14, no difference is seen)",
    )
    film.add_argument("--lossless", action="store_true", help="every visible pixel exactly as it was decoded")
    film.add_argument("--fps", type=RATE, metavar="F", help="frames per second of a film made of pictures (default: "
                      "the game's)")  # fmt: skip


def film_options(args: argparse.Namespace) -> FilmOptions | None:
    """How the film is written; None where the output is a folder. Raises UsageError."""
    from ...film.codecs import FilmOptions

    if kind_of(args.out) is Kind.FILE:
        if args.compare:
            raise UsageError("--compare writes pictures: give a folder as --out")
        return FilmOptions(args.codec, args.quality, args.lossless)
    given = {"--codec": args.codec, "--quality": args.quality is not None, "--lossless": args.lossless,
             "--fps": args.fps is not None and args.before_after is None}  # fmt: skip
    for option, there in given.items():
        if there:
            raise UsageError(f"{option} is for a film: give --out NAME.mp4, .mkv, .mov, .webm, .avi or .gif")
    return None


def kind_of(out: Path) -> Kind:
    """What `--out` is."""
    from ...film.codecs import is_film

    return Kind.FILE if out == STDOUT or (is_film(out) and not out.is_dir()) else Kind.FOLDER


def confidence_of(out: Path) -> tuple[Path, Kind]:
    """Where `--confidence` goes: into the folder `out`, or beside the film or picture."""
    if is_picture(out):
        return out.with_name(f"{out.stem}.{CONFIDENCE}.png"), Kind.FILE
    if kind_of(out) is Kind.FILE:
        return out.with_name(f"{out.stem}.{CONFIDENCE}"), Kind.FOLDER
    return out / CONFIDENCE, Kind.FOLDER


def is_picture(out: Path) -> bool:
    """Whether `--out` names a picture file."""
    return out.suffix.lower() in _PICTURES and not out.is_dir()


def only_picture(found: Sequence[Footage], out: Path) -> None:
    """Raises UsageError where the input is not one picture that `out` (or stdout) can hold."""
    if [sequence.count for sequence in found] != [1]:
        raise UsageError(f"--out {out}: is one picture, and the input has more frames; give a folder")
    made = found[0].read(0, 1).files[0].rpartition(".")[2].lower()
    if out != STDOUT and made[:3] != out.suffix.lower()[1:4]:  # .tif and .tiff are one
        name = out.with_suffix(f".{made}")
        raise UsageError(f"--out {out}: this picture is written as .{made}, which keeps every pixel; give {name}")


def only_one(sequences: Sequence[Footage], out: Path) -> None:
    """Raises UsageError where several films or folders are to become one film."""
    if len(sequences) > 1:
        raise UsageError(
            f"{out}: one film holds one film or folder, the input holds {len(sequences)}: name one of them, or give a "
            "folder"
        )


def film_key(args: argparse.Namespace) -> list[object]:
    """JSON values that change when other frames are wanted, or a film would come out otherwise."""
    times = [None if t is None else str(t) for t in (args.start, args.end)]
    return [args.frames, times, args.codec, args.quality, args.lossless, args.fps, args.out.suffix.lower()]


def wanted_frames(args: argparse.Namespace, sequences: Sequence[Footage], rate: float) -> range | None:
    """Positions that are to be restored; None = all.

    Args:
        rate: frames per second of footage that is no film.
    Raises:
        UsageError: the options contradict each other, or mean no frame of the footage, or of several ones.
    """
    if args.frames is None and args.start is None and args.end is None:
        return None
    if args.frames is not None and (args.start is not None or args.end is not None):
        raise UsageError("--frames says which frames already: leave --start and --end out")
    if len(sequences) > 1:
        raise UsageError(f"a part is of one film or folder, the input holds {len(sequences)}: name one of them")
    footage = sequences[0]
    if args.frames is not None:
        first, last = args.frames
        first, last = first or 0, footage.count if last is None else min(last, footage.count)
    else:
        times = _times(footage, rate)
        first = sum(t < args.start for t in times) if args.start is not None else 0
        last = sum(t < args.end for t in times) if args.end is not None else footage.count
    if first >= last:
        length = float(_times(footage, rate)[-1])
        raise UsageError(
            f"{footage.place}: no frame is wanted: there are frames 0 to {footage.count - 1}, 0 to {length:.3f} s"
        )
    return range(first, last)


def _times(footage: Footage, rate: float) -> list[Fraction]:
    """When each frame is shown, in seconds after the first."""
    from ...inference.footage.film import Film

    if isinstance(footage, Film) and footage.reader.facts.times:
        facts = footage.reader.facts
        return [(t - facts.times[0]) * facts.time_base for t in facts.times]
    return [Fraction(k) / Fraction(rate) for k in range(footage.count)]


def _frames(text: str) -> tuple[int | None, int | None]:
    match = re.fullmatch(r"(\d*):(\d*)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"'{text}': give A:B, e.g. 100:160")
    first, last = (int(part) if part else None for part in match.groups())
    return first, last


def _seconds(text: str) -> Fraction:
    match = _TIME.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"'{text}': give seconds, or [hours:]minutes:seconds, e.g. 1:02.5")
    hours, minutes, seconds = match.groups()
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + Fraction(seconds)
