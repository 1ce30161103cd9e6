"""`--part i/n`, which several commands share, and what they do with it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...output import Kind, Output, write_result

if TYPE_CHECKING:
    from ...data.sources.base import Problem, SourceEpisode
    from ...parts import Part

EXAMPLE = """
With --part i/n a machine does its share of the whole input, 1/n to n/n; `hstmae join` puts the parts together to what
one run would have made. A part that is done is not made again when its command is given again."""


def add_part(parser: argparse.ArgumentParser, what: str) -> None:
    """`--part`, None where it is not given. `what` is divided."""
    help_ = f"only part i of n of the {what}, as one of several machines; `hstmae join` puts the parts together"
    parser.add_argument("--part", type=_part, metavar="i/n", help=help_)


def _part(text: str) -> Part:
    from ...parts import parse_part

    try:
        return parse_part(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def part_outputs(args: argparse.Namespace, output: str | Path | None, kind: Kind) -> list[Output]:
    """The output of a part, which may be there already, and its record."""
    from ...parts import done_path

    if args.part is None or output is None:
        return [(output, kind)]
    if kind is Kind.GROWING:
        return [(output, kind), (done_path(output), Kind.PART)]
    return [(output, Kind.PART), (done_path(output), Kind.PART)]


def stamp_of(episodes: Sequence[SourceEpisode]) -> str:
    """Changes when a file of these episodes does."""
    from ...parts import fingerprint

    return fingerprint([[episode.name, episode.signature()] for episode in episodes])


def list_of(episodes: Sequence[SourceEpisode]) -> str:
    """The same on every machine that has a copy of the input they are all of."""
    from ...parts import fingerprint

    return fingerprint([[episode.name, episode.size] for episode in episodes])


def how_read(args: argparse.Namespace) -> dict[str, Any]:
    """What decides how the input is read, of the settings of a part."""
    return {name: getattr(args, name) for name in ("game", "resize", "fps", "lag", "on_error")}


class PartRun:
    """The part of a command that was asked for.

    Args:
        output: of the part.
        input, stamp, settings: see `hstmae.parts.Job`.
        beside: the record lies beside the output; else it is the output.
    Raises:
        UsageError: a part of another job is there.
    """

    def __init__(
        self, args: argparse.Namespace, verb: str, output: Path, input: str, stamp: str, settings: dict[str, Any],
        beside: bool = True,
    ) -> None:  # fmt: skip
        from ...parts import Job, done_path, kept

        self._job = Job(verb, args.part, input, stamp, settings)
        self._place = done_path(output) if beside else output
        self.kept = kept(self._job, output, self._place, args.overwrite)
        if self.kept is not None:
            print(f"part {args.part} is done already: {output}")

    def done(self, result: dict[str, Any]) -> None:
        """Note that the output is complete; JSON values that `join` needs besides it."""
        from ...parts import done

        done(self._job, result).write(self._place)

    def nothing(self, problems: Sequence[Problem], report: str | Path | None) -> int:
        """Note that the part has nothing that can be used, which is no failure of the whole. Returns an exit status."""
        self.done({"empty": True, "problems": [problem.to_json() for problem in problems]})
        write_result(report, {"part": str(self._job.part), "problems": [str(problem) for problem in problems]})
        print(f"part {self._job.part} has nothing that can be used; problems: {len(problems)}")
        for problem in problems[:20]:
            print(f"  {problem}")
        return 0
