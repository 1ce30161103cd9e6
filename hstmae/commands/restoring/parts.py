"""What tells one job of `restore` from another; and `--part i/n`: some of an input's folders, films or episodes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import UsageError
from ...output import STDOUT, Kind
from ..options.films import film_key, is_picture, kind_of
from ..options.masks import mask_key
from ..options.parts import PartRun

if TYPE_CHECKING:
    from ...inference.footage.base import Footage
    from ...inference.job import Restores


def job_key(args: argparse.Namespace, sequences: Sequence[Footage], restorer: Restores) -> str:
    """What is restored, by what, and how: an interrupted job is gone on with by an equal one."""
    from ...journal import key_of

    beside = [args.compare, args.confidence, args.before_after is not None, args.report is not None]
    how = [*mask_key(args), *film_key(args), args.state, args.mode, args.refine, *beside]
    return key_of([s.signature() for s in sequences], restorer.fingerprint(), how)


def check_part(args: argparse.Namespace) -> None:
    """Raises UsageError for what cannot be put together again from parts."""
    if args.part is None:
        return
    for name in ("preview", "refine", "before_after", "report"):
        if getattr(args, name) is not None:
            raise UsageError(f"--part: leaves no --{name.replace('_', '-')}, which is about the whole input")
    if args.out == STDOUT or is_picture(args.out) or kind_of(args.out) is not Kind.FOLDER:
        raise UsageError(f"--part: its output is a folder, {args.out} is none; `hstmae join` makes one folder of all")


def part_of(
    args: argparse.Namespace, sequences: Sequence[Footage], restorer: Restores
) -> tuple[PartRun, list[Footage]]:
    """The part that is asked for, and what it restores of the sequences of the whole input.

    Raises:
        UsageError: a part of another job is there.
    """
    from ...parts import fingerprint

    share = args.part.share(sequence.count for sequence in sequences)
    own = [*sequences[share.start : share.stop]]
    *rules, files = mask_key(args)
    settings: dict[str, Any] = {
        "masks": rules, "frames": film_key(args), "state": args.state, "mode": args.mode, "game": args.game,
        "compare": args.compare, "confidence": args.confidence, "lag": args.lag, "on_error": args.on_error,
        "restorer": restorer.fingerprint(),
    }  # fmt: skip
    whole = fingerprint([[sequence.name, sequence.count] for sequence in sequences])
    stamp = fingerprint([files, *(sequence.signature() for sequence in own)])
    return PartRun(args, "restore", args.out, whole, stamp, settings), own


def files_of(folder: Path) -> list[str]:
    """The files of a restored folder that is about to get its name."""
    from ...journal import JOURNAL

    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in found if name != JOURNAL)
